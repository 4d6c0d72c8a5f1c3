/*
 * open_unit.h
 *	  A unit kept open to read single rows of it, a vector at a time, and rows of a table by their numbers
 *	  through a few such units.
 *
 * A recent batch is read at once: it can then be read on after its snapshot is gone.
 */
#ifndef TEMPO_OPEN_UNIT_H
#define TEMPO_OPEN_UNIT_H

#include "postgres.h"
#include "am/row.h"
#include "store/store.h"

typedef struct OpenUnit
{
	MemoryContext context; /* everything below, this struct included */
	StoreUnit unit;
	Image *image;
	RowReader *reader;
	MemoryContext vector_context;
	int64 vector; /* that the reader is attached to; -1 before the first */
	uint32 first; /* rows [first, first + n) of the unit are in it */
	uint32 n;
	uint64 last_use; /* for whoever keeps several */
	uint32 *deleted; /* under an MVCC snapshot: store_deleted_rows() */
	uint32 ndeleted;
} OpenUnit;

/* gone_ok: NULL for a recent batch that the snapshot does not see whole. */
extern OpenUnit *am_open_unit(Relation rel, Snapshot snapshot, const StoreUnit *unit, MemoryContext parent,
							  bool gone_ok);
extern void am_close_unit(OpenUnit *open);
/* Open the vector of a row of the unit; returns the row within that vector, for open->reader. */
extern uint32 am_open_unit_row(OpenUnit *open, uint32 row);

/*
 * Does the snapshot, the one the unit was opened with or one that sees the same, see the row of the unit
 * deleted? To SnapshotAny no row is.
 */
extern bool am_open_unit_deleted(Relation rel, Snapshot snapshot, const OpenUnit *open, uint32 row);
/* Do these see the same rows? Compares what stays valid when the snapshots themselves are gone. */
extern bool am_same_snapshot(const SnapshotData *a, const SnapshotData *b);

/* ---- finder.c ---- */

/*
 * Finds rows by number as one snapshot after the other sees them. The lists of units and a few open units
 * stay from call to call, so that fetches in any order cost little, and in order of row numbers least.
 */
typedef struct RowFinder RowFinder;

extern RowFinder *row_finder_create(Relation rel, MemoryContext parent);
extern void row_finder_free(RowFinder *f);
/* Is the row there? Makes it the current one. */
extern bool row_finder_seek(RowFinder *f, Snapshot snapshot, uint64 number);
/* Put the current row in a slot. Its values are taken from the finder: not after the next seek. */
extern void row_finder_store(RowFinder *f, TupleTableSlot *slot);

#endif
