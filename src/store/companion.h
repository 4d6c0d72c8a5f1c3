/*
 * companion.h
 *	  The companion heap: the TOAST relation of a table, used as a small key-value heap with MVCC. Nothing
 *	  else in the tree knows which relation it is.
 *
 * Key: 2 bits of kind and 60 bits of number, cut into (chunk_id, chunk_seq). Value: bytes, at most
 * CHUNK_BYTES and a little. Tuples are written so that logical decoding never sees them.
 */
#ifndef TEMPO_COMPANION_H
#define TEMPO_COMPANION_H

#include "postgres.h"
#include "access/genam.h"
#include "access/htup.h"
#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "store/format.h"

typedef struct Companion
{
	Relation heap;
	Relation *indexes;
	int nindexes;
	Relation index; /* the valid one, for reading */
	LOCKMODE lock;
} Companion;

/* Locks for writing are kept until the transaction ends. Raises when the table has no TOAST relation. */
extern void companion_open(Relation rel, LOCKMODE lock, Companion *c);
extern void companion_close(Companion *c);

/* Where a tuple should go: directory entries low, so that VACUUM can cut off what batches leave. */
typedef enum CompanionPlace
{
	PLACE_LOW,
	PLACE_ABOVE,
	PLACE_ANY
} CompanionPlace;

/* reserved: blocks at the start that only PLACE_LOW tuples use. */
extern void companion_insert(Companion *c, CompanionKind kind, uint64 number, const void *head, Size head_len,
							 const void *data, Size len, CommandId cid, CompanionPlace place,
							 BlockNumber reserved);
extern void companion_delete(Companion *c, ItemPointer tid);

/* ---- for a rewrite, which puts tuples in the heap by itself ---- */

extern HeapTuple companion_form(Companion *c, CompanionKind kind, uint64 number, const void *head,
								Size head_len, const void *data, Size len);
/* Index the tuple at tid. */
extern void companion_enter(Companion *c, CompanionKind kind, uint64 number, ItemPointer tid);

/* ---- reading ---- */

/* Tuples with keys in [(kind, from), (last kind, to)], in order, as snapshot sees them. */
typedef struct CompanionScan
{
	Companion *companion;
	CompanionKind kind; /* the first */
	IndexScanDesc scan;
	TupleTableSlot *slot;
	bool one_id; /* all keys have one chunk_id: */
	Oid id;
	ScanKeyData plain[3]; /* chunk_id =, chunk_seq >=, <= */
	ScanKeyData bound[2]; /* otherwise, row comparisons: lower, upper */
	ScanKeyData member[4];
} CompanionScan;

typedef struct CompanionTuple
{
	CompanionKind kind;
	uint64 number;
	const uint8 *data; /* valid until the next call */
	Size len;
	ItemPointerData tid;
} CompanionTuple;

/* What a tuple of the heap is. Raises when it is malformed. */
extern void companion_parse(Companion *c, TupleTableSlot *slot, CompanionTuple *t);

extern void companion_scan_begin(CompanionScan *s, Companion *c, Snapshot snapshot, CompanionKind kind,
								 uint64 from, uint64 to);
/* From (kind, from) on through all of last. */
extern void companion_scan_begin_kinds(CompanionScan *s, Companion *c, Snapshot snapshot, CompanionKind kind,
									   uint64 from, CompanionKind last);
/* Go on from another number without looking at those between. */
extern void companion_scan_seek(CompanionScan *s, uint64 from);
extern bool companion_scan_next(CompanionScan *s, CompanionTuple *t);
/* The tuple found last, as it stands in *buf, which may be NULL. */
extern HeapTuple companion_scan_tuple(CompanionScan *s, Buffer *buf);
extern void companion_scan_end(CompanionScan *s);

#endif
