/*
 * cursor.h
 *	  Walks the vectors of a table, all of them or those a caller chooses, by a global vector number: the
 *	  units in store_units() order, the vectors of each in turn. Under one MVCC snapshot these numbers
 *	  mean the same in every process, so they are also the work items of parallel scans.
 *
 * Ownership: everything hangs off the context given to cursor_create. The batch of a vector lives until
 * the next cursor_open or cursor_close; the image of a unit until a vector of another unit is opened.
 */
#ifndef TEMPO_CURSOR_H
#define TEMPO_CURSOR_H

#include "postgres.h"
#include "store/store.h"

typedef struct Cursor
{
	Relation rel;
	Snapshot snapshot;
	StoreUnit *units;
	int nunits;
	uint64 *first_vector; /* nunits + 1 */
	uint64 nvectors;
	uint64 nrows;

	/* What is open. */
	int unit;           /* -1: nothing */
	uint64 image_opens; /* tells one open image from the next, even of the same unit */
	int64 vector;
	Image *image;
	Batch *batch;
	uint64 first_row; /* row number of the first row of batch */
	uint32 batch_rows;
	uint32 *deleted; /* of the open unit: store_deleted_rows() */
	uint32 ndeleted;
	const uint32 *dead; /* of those, the rows of the open vector, counted from row dead_base of the unit */
	uint32 ndead;
	uint32 dead_base;

	ImageCounters counters; /* of the images closed so far; see cursor_counters */
	MemoryContext context;
	MemoryContext image_context;
	MemoryContext vector_context;
} Cursor;

extern Cursor *cursor_create(Relation rel, Snapshot snapshot, MemoryContext context);
/* Make unit's image the open one. */
extern Image *cursor_open_unit(Cursor *cur, int unit);
/* Make vector the open one; returns its batch. */
extern Batch *cursor_open(Cursor *cur, uint64 vector);
extern void cursor_close(Cursor *cur);
/* Is a row of the open vector deleted? */
extern bool cursor_row_deleted(const Cursor *cur, uint32 row);
/*
 * Rows of the open vector that are not deleted: how many; *rows: their numbers, ascending, until the next
 * vector; NULL when all are there.
 */
extern uint32 cursor_rows(Cursor *cur, const uint32 **rows);
/* Unit of a vector. */
extern int cursor_unit_of(const Cursor *cur, uint64 vector);
extern ImageCounters cursor_counters(const Cursor *cur);

#endif
