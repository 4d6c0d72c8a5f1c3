/*
 * split.h
 *	  Split traces: those whose spans are in more than one unit, so that no unit alone can answer for them.
 *
 * A segment marks (TC_SPLIT) the traces that were in another segment of the same table, or of a sibling
 * partition, when it was written. Older segments are not changed, so the set is the union over all
 * segments; traces of recent batches are always in it. It may hold traces that are split no longer.
 */
#ifndef TEMPO_SPLIT_H
#define TEMPO_SPLIT_H

#include "postgres.h"
#include "store/store.h"

/* Looks traces up in a segment: bloom, index, trace table. Cheapest when asked in order of start. */
typedef struct TraceFinder
{
	Image *image;
	MemoryContext context; /* of the vector looked into last */
	int64 vector;
	uint32 first_row;
	Batch *batch;
} TraceFinder;

/* Everything is allocated in the current memory context, the vectors in a child of it. */
extern void store_trace_finder(TraceFinder *f, Image *image);
/* Number of the trace in f->batch, a vector whose first row is row f->first_row of the segment; or -1. */
extern int64 store_find_trace(TraceFinder *f, const uint8 trace_id[16]);

#endif
