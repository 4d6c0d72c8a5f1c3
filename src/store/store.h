/*
 * store.h
 *	  Tables on disk: metapage, companion heap (the table's TOAST relation), segments in the main fork.
 *	  Everything above (am, exec, merge, traceql) goes through these functions and sees only Images.
 *
 * What is where. Main fork: block 0 is the metapage, then immutable page-aligned segment images. Companion
 * heap: recent batches (an image each, cut in chunks) and one small directory tuple per segment; ordinary
 * heap MVCC on those tuples decides what a snapshot sees. See doc/format.md and doc/concurrency.md.
 *
 * Locks, in this order: relation lock of the table; LockPage(table, 0) (Share while a batch number is
 * being turned into tuples, Exclusive by a merge for an instant, as a fence); buffer lock of the metapage.
 */
#ifndef TEMPO_STORE_H
#define TEMPO_STORE_H

#include "postgres.h"
#include "access/relscan.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "span/batch.h"
#include "store/image.h"

/* Column roles of a table with the span profile that are not one SpanCol each. */
typedef enum SpanRole
{
	ROLE_START_TIME = SC_COUNT, /* timestamptz: microseconds of SC_START */
	ROLE_START_NS,              /* smallint: the nanoseconds below */
	ROLE_ATTRIBUTES,            /* tempo.attributes: AttrSet of LEVEL_SPAN */
	ROLE_EVENTS,                /* tempo.events: LEVEL_EVENT */
	ROLE_LINKS,                 /* tempo.links: LEVEL_LINK */
	ROLE_EXTRA,                 /* a user's column: SpanCol index is SC_COUNT + extra_index */
	ROLE_COUNT
} SpanRole;

/* What the columns of a table mean; persisted in the metapage when the file is made. */
typedef struct TableProfile
{
	bool spans;
	int natts;     /* attributes when the file was made; later ones are extra columns */
	int16 *role;   /* per attribute number - 1: SpanCol or SpanRole; without spans: its column index */
	int16 *column; /* per attribute number - 1: Batch column index, or -1 (attributes, events, links) */
} TableProfile;

extern const TableProfile *store_profile(Relation rel); /* cached with the relcache entry */

/* ---- writing ---- */

/*
 * Encode the batch and put it in the companion heap of rel, as one recent batch, in this transaction.
 * Returns the row number of its first row. The second form is for callers that have a command id.
 */
extern uint64 store_insert_batch(Relation rel, Batch *batch);
extern uint64 store_insert_batch_cid(Relation rel, Batch *batch, CommandId cid);

/* ---- reading ---- */

typedef enum UnitKind
{
	UNIT_SEGMENT,
	UNIT_RECENT
} UnitKind;

/* One thing a snapshot sees: a segment or a recent batch. */
typedef struct StoreUnit
{
	UnitKind kind;
	uint64 id;        /* segment id or first batch number; never reused */
	uint64 first_row; /* row numbers [first_row, first_row + nrows) make the TIDs */
	uint32 nrows;
	BlockNumber block;  /* segments: first main-fork block */
	uint32 nchunks;     /* recent batches: companion tuples, numbered from id */
	uint64 bytes;       /* image length */
	uint64 tenant;      /* segments: codec_hash64 of the tenant all rows have */
	uint32 level;       /* segments: 1 = made of recent batches, more = made of segments */
	uint32 folded;      /* segments: spans that came twice and were left out on the way here */
	bool has_split;     /* segments: TC_SPLIT is set for some trace */
	bool marks_unknown; /* segments: any trace may be split, whatever TC_SPLIT says; has_split is set too */
	bool has_deleted;   /* the snapshot sees some of its rows as deleted; see store_deleted_rows() */
	int64 made_at;      /* TimestampTz of insert or merge */
	bool has_range;     /* the ranges in summary are known: tables with the span profile */
	ItemPointerData entry_tid; /* segments: the directory tuple */
	ImageSummary summary;      /* start/end/trace ranges for pruning when has_range; else just counts */
} StoreUnit;

/*
 * All units snapshot sees, segments by id, then recent batches by number; *n set. Reads only directory
 * tuples and the head of each recent batch.
 */
extern StoreUnit *store_units(Relation rel, Snapshot snapshot, int *n);
/*
 * Open a unit's image; everything is allocated in arena. Pages are read on demand, so rel and snapshot must
 * stay as long as the image is read.
 */
extern Image *store_open(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena);

/*
 * The unit that holds a row number. Any kind of snapshot. hint: number of a recent batch to look from, when
 * the row is likely to be soon after it; 0 for none.
 */
extern bool store_find_row(Relation rel, Snapshot snapshot, uint64 row, uint64 hint, StoreUnit *unit);

/*
 * Rows of a unit that snapshot sees as deleted, ascending, counted from the unit's first; palloc'd. Returns
 * how many. What is known about a unit as a whole (counts, ranges, dictionaries, traces) includes them.
 */
extern uint32 store_deleted_rows(Relation rel, Snapshot snapshot, const StoreUnit *unit, uint32 **rows);
/*
 * Is a row of a visible unit deleted? For snapshots of any kind; under a dirty one, a row that somebody is
 * deleting is not, and snapshot->xmax is set to who.
 */
extern bool store_row_deleted(Relation rel, Snapshot snapshot, uint64 row);

/* What the planner wants to know, without reading recent batches. */
typedef struct StoreEstimate
{
	double rows;
	double segment_rows;
	uint64 segment_bytes;
	int nsegments;
} StoreEstimate;
extern StoreEstimate store_estimate(Relation rel, Snapshot snapshot);
/* The segment with the most rows that snapshot sees; false: there is none. Reads the directory only. */
extern bool store_largest_segment(Relation rel, Snapshot snapshot, StoreUnit *unit);

/* Once, when the library is loaded: codecs that run out of memory raise. */
extern void store_init(void);

/* An arena whose blocks are palloc'd in context: freed with it, raises when out of memory. */
extern Arena *store_arena(MemoryContext context);

/* Row number <-> TID: 291 (MaxHeapTuplesPerPage) rows to a synthetic block. */
extern void store_row_to_tid(uint64 row, ItemPointer tid);
extern uint64 store_tid_to_row(ItemPointer tid);

#endif
