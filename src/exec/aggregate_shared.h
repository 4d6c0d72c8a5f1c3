/*
 * aggregate_shared.h
 *	  What the processes of a parallel aggregate share.
 *
 * First all of them read: each takes runs of neighbouring vectors until none are left, groups and
 * aggregates what it has read by itself, and publishes that. When everybody who began to read has
 * published, the groups are cut in parts by a hash of their keys; each process takes parts, merges what all
 * have published of them, and gives out their rows. The one wait is before any row is given out, so
 * nobody waits for a process that itself waits for its rows to be read.
 */
#ifndef TEMPO_AGGREGATE_SHARED_H
#define TEMPO_AGGREGATE_SHARED_H

#include "postgres.h"
#include "port/atomics.h"
#include "storage/barrier.h"
#include "utils/dsa.h"
#include "exec/aggregate_parts.h"

typedef enum AggregateCounter
{
	AGGREGATE_UNITS,
	AGGREGATE_UNITS_READ,
	AGGREGATE_VECTORS,
	AGGREGATE_VECTORS_READ,
	AGGREGATE_ROWS_REMOVED,
	AGGREGATE_BYTES,
	AGGREGATE_NCOUNTERS
} AggregateCounter;

/* In dynamic shared memory. */
typedef struct SharedAggregate SharedAggregate;

extern Size shared_aggregate_size(int nprocesses, int ntables);
extern void shared_aggregate_init(SharedAggregate *s, int nprocesses, int ntables);
/* For the next scan; area: where the last one's results are, or NULL. */
extern void shared_aggregate_reset(SharedAggregate *s, dsa_area *area);

/* Join; false: reading is over. */
extern bool shared_aggregate_join(SharedAggregate *s);
/* Number of this process, of so many at most: for a place to begin. */
extern int shared_aggregate_number(SharedAggregate *s);
extern int shared_aggregate_processes(const SharedAggregate *s);
/* Next run [*from, *to) of a table's vectors; false: none left. */
extern bool shared_aggregate_take(SharedAggregate *s, int table, uint64 nvectors, uint64 *from, uint64 *to);
/* Nobody needs to look at this table any more. */
extern bool shared_aggregate_taken(SharedAggregate *s, int table);
/* Hand over what was read and wait for the others. */
extern void shared_aggregate_publish(SharedAggregate *s, dsa_area *area, AggregateParts *parts);
/* The next of nparts to give out; false: none left. */
extern bool shared_aggregate_next_part(SharedAggregate *s, const AggregateShape *shape, uint32 *part,
									   uint32 *nparts);
/* What all have published of a part. */
extern void shared_aggregate_merge(SharedAggregate *s, dsa_area *area, AggregateParts *parts, uint32 part,
								   uint32 nparts);

/* Counters of a process are added up at its end; the leader takes the sum. */
extern void shared_aggregate_add_counters(SharedAggregate *s, const uint64 *counters);
extern void shared_aggregate_sum_counters(SharedAggregate *s, uint64 *counters);

#endif
