/*
 * accumulate.h
 *	  One aggregate over the groups: takes in the rows of vectors, gives the result of a group as core's
 *	  aggregate of the same name would, of the same type.
 */
#ifndef TEMPO_ACCUMULATE_H
#define TEMPO_ACCUMULATE_H

#include "postgres.h"
#include "executor/executor.h"
#include "exec/value_lists.h"
#include "plan/aggregate_spec.h"
#include "store/cursor.h"

typedef struct Accumulator Accumulator;

/* source: of values that percentiles keep. */
extern Accumulator *accumulator_create(PlanState *parent, const AggregateSpec *spec, SlabSource *source,
									   MemoryContext context);
/* What follows is about this table; series and conditions live in context. */
extern void accumulator_table(Accumulator *a, Relation rel, const ClauseTable *table, Index varno,
							  MemoryContext context);
/* Done with that table. */
extern void accumulator_end_table(Accumulator *a);
/*
 * Rows of the open vector (n of them; rows NULL: the first n) with the group of each; ngroups: so many exist
 * now.
 */
extern void accumulator_add(Accumulator *a, Cursor *cur, const uint32 *rows, uint32 n, const uint32 *groups,
							uint32 ngroups);
/* Does it count rows, whatever is in them? Then groups can get a number of rows at once. */
extern bool accumulator_counts_rows(const Accumulator *a);
extern void accumulator_add_count(Accumulator *a, uint32 group, uint32 n, uint32 ngroups);
/* All rows are in; ngroups groups. */
extern void accumulator_finish(Accumulator *a, uint32 ngroups);
/*
 * Hand what is known of ngroups groups to another process; there, add it: group g to map[g], or not at all
 * where that is VALUE_LISTS_NONE.
 */
extern void accumulator_write(Accumulator *a, uint32 ngroups, StringInfo out);
extern void accumulator_merge(Accumulator *a, const char **message, uint32 ngroups, const uint32 *map);
/* The result for a group, made in the current memory context. */
extern Datum accumulator_result(Accumulator *a, uint32 group, bool *isnull);

#endif
