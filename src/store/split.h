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
#include "store/cursor.h"
#include "store/store.h"

/* Ids of the traces a segment marks, 16 bytes each, appended to ids. Only useful if unit->has_split. */
extern void store_split_traces(Image *image, Arena *arena, Buf *ids);
/* Ids of all traces in a unit: for recent batches. May hold an id more than once. */
extern void store_all_traces(Image *image, Arena *arena, Buf *ids);

/* Looks traces up in a segment: bloom, vector table, trace table. Cheapest when asked in ascending order. */
typedef struct TraceFinder
{
	Image *image;
	MemoryContext context; /* of the vector looked into last */
	int64 vector;
	Column *ids;
} TraceFinder;

/* Everything is allocated in the current memory context, the vectors in a child of it. */
extern void store_trace_finder(TraceFinder *f, Image *image);
extern bool store_has_trace(TraceFinder *f, const uint8 trace_id[16]);

/*
 * The split set of what a snapshot sees of several tables, sorted, each id once: *n ids of 16 bytes.
 * Tables are locked by the caller.
 */
extern const uint8 *store_split_set(Relation *rels, int nrels, Snapshot snapshot, Arena *arena, uint64 *n);

#endif
