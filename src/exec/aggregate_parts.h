/*
 * aggregate_parts.h
 *	  Keys, groups and aggregates that are worked out together: by one process from what it reads, or, in a
 *	  parallel query, from what all processes have handed over.
 */
#ifndef TEMPO_AGGREGATE_PARTS_H
#define TEMPO_AGGREGATE_PARTS_H

#include "postgres.h"
#include "exec/accumulate.h"
#include "exec/group_key.h"
#include "exec/groups.h"

/* What is asked for. */
typedef struct AggregateShape
{
	int nkeys;
	KeySpec *keys;
	int naggregates;
	AggregateSpec *aggregates;
	bool percentiles; /* among them */
} AggregateShape;

typedef struct AggregateParts
{
	const AggregateShape *shape;
	GroupKey **keys;
	Accumulator **accumulators;
	Groups *groups;
	uint32 ngroups;
	SlabSource *slabs;
	uint32 *numbers; /* scratch: one a key */
	MemoryContext context;
} AggregateParts;

/* keys and aggregates: expressions over table, whose Vars have varno. In the current memory context. */
extern void aggregate_shape(const ClauseTable *table, Index varno, List *keys, List *aggregates,
							AggregateShape *shape);

/* Everything is in context; area: where values that other processes shall read are kept, or NULL. */
extern AggregateParts *aggregate_parts_create(PlanState *parent, const AggregateShape *shape, dsa_area *area,
											  MemoryContext context);
/*
 * Rows of the open vector (aggregate_rows.c): n of them, those whose byte in pass is 1; NULL: all.
 */
extern void aggregate_rows(AggregateParts *p, Cursor *cur, const uint8 *pass, uint32 n);
/* Expression contexts; the rest goes with the memory context. */
extern void aggregate_parts_free(AggregateParts *p);
/* All rows, or all messages, are in. */
extern void aggregate_parts_finish(AggregateParts *p);

/* What is known so far, for other processes; values stay where slabs are. */
extern void aggregate_parts_write(AggregateParts *p, StringInfo out);
/*
 * Add those groups of a message that belong to one of nparts: a group belongs to the same one in every
 * process.
 */
extern void aggregate_parts_merge(AggregateParts *p, const char *message, uint32 part, uint32 nparts);

#endif
