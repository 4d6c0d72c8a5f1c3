/*
 * directory.h
 *	  Segment directory entries and heads of recent batches: companion tuples to StoreUnits and back.
 */
#ifndef TEMPO_DIRECTORY_H
#define TEMPO_DIRECTORY_H

#include "postgres.h"
#include "store/companion.h"
#include "store/store.h"

/* Growing list of units. */
typedef struct UnitList
{
	StoreUnit *units;
	int n;
	int cap;
} UnitList;

extern void unit_list_add(UnitList *list, const StoreUnit *unit);

/* ---- segment entries ---- */

/* Adds the entry of a segment; unit->id, first_row, block, bytes, summary, tenant, level, has_split. */
extern SegmentEntry directory_form(const StoreUnit *unit, uint64 below);
extern void directory_insert(Companion *c, const StoreUnit *unit, uint64 below, CommandId cid);
/* Raises when the tuple is malformed. */
extern void directory_parse(Companion *c, const CompanionTuple *t, StoreUnit *unit, uint64 *below);
/*
 * Segments the snapshot sees, by id, appended to list; *below is the greatest of theirs. Returns whether it
 * sees a deleted row: deleted_mark() is needed to know which units have some.
 */
extern bool directory_read(Companion *c, Snapshot snapshot, UnitList *list, uint64 *below);

/* ---- recent batches ---- */

/* false: not the head of a recent batch. *head_len is where the image starts. */
extern bool recent_parse(const CompanionTuple *t, StoreUnit *unit, Size *head_len);
/* Heads of recent batches from number `below` on, appended to list. */
extern void recent_read(Companion *c, Snapshot snapshot, uint64 below, UnitList *list);
/* The image of a recent batch, all of it, in arena; tids (nchunks of them) may be NULL. */
extern uint8 *recent_image(Companion *c, Snapshot snapshot, const StoreUnit *unit, Arena *arena,
						   ItemPointer tids);
/* The same; NULL when some of it is gone, as snapshots that see the dead may find. */
extern uint8 *recent_image_if_whole(Companion *c, Snapshot snapshot, const StoreUnit *unit, Arena *arena);
extern BatchHead recent_form_head(const StoreUnit *unit);
/* Put the chunks of an image; LockPage(table, 0) is held. */
extern void recent_insert(Companion *c, const StoreUnit *unit, const uint8 *image, CommandId cid,
						  BlockNumber reserved);
extern uint32 recent_nchunks(uint64 image_bytes, bool has_range);
extern Size recent_head_bytes(bool has_range);

/* Reads a recent batch by the chunk; rel and snapshot stay while it is used. */
typedef struct RecentReader RecentReader;
extern RecentReader *recent_reader(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena);
/* Go on with another opening of the same table, under a snapshot that sees the batch, too. */
extern void recent_reader_bind(RecentReader *r, Relation rel, Snapshot snapshot);
extern void recent_reader_copy(RecentReader *r, uint64 off, uint32 len, uint8 *dst);

/* store_open(), and what the image reads from, which can be given another opening of the table. */
typedef struct UnitSource UnitSource;
extern Image *store_open_source(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena,
								UnitSource **source);
extern void store_source_bind(UnitSource *source, Relation rel, Snapshot snapshot);

/* An image; of a recent batch, whose bytes are at hand. store_open() for everybody else. */
extern Image *store_open_bytes(Relation rel, const StoreUnit *unit, const uint8 *image, Arena *arena);

#endif
