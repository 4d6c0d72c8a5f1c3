/*
 * aggregate_shared.c
 *	  Sharing out the work of an aggregate, and its results.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "exec/aggregate_shared.h"

/* What one process has published. */
typedef struct Partial
{
	dsa_pointer message;
	dsa_pointer slabs; /* the last one */
	uint64 ngroups;
} Partial;

struct SharedAggregate
{
	Barrier barrier;         /* phase 0: reading, 1: giving out */
	pg_atomic_uint32 joined; /* numbers processes */
	pg_atomic_uint32 npublished;
	pg_atomic_uint32 next_part;
	int nprocesses; /* at most */
	int ntables;
	pg_atomic_uint64 counters[AGGREGATE_NCOUNTERS];
	Partial publications[FLEXIBLE_ARRAY_MEMBER]; /* nprocesses, then ntables times: next vector */
};

/* In the counter of a table of which all vectors have been taken. */
#define ALL_TAKEN (UINT64CONST(1) << 62)

static Size
tables_offset(int nprocesses)
{
	return MAXALIGN(offsetof(SharedAggregate, publications) + nprocesses * sizeof(Partial));
}

static pg_atomic_uint64 *
next_vector(SharedAggregate *s, int table)
{
	return (pg_atomic_uint64 *) ((char *) s + tables_offset(s->nprocesses)) + table;
}

Size
shared_aggregate_size(int nprocesses, int ntables)
{
	return add_size(tables_offset(nprocesses), mul_size(ntables, sizeof(pg_atomic_uint64)));
}

static void
begin(SharedAggregate *s)
{
	BarrierInit(&s->barrier, 0);
	pg_atomic_init_u32(&s->joined, 0);
	pg_atomic_init_u32(&s->npublished, 0);
	pg_atomic_init_u32(&s->next_part, 0);
	memset(s->publications, 0, s->nprocesses * sizeof(Partial));
	for (int i = 0; i < s->ntables; i++)
		pg_atomic_init_u64(next_vector(s, i), 0);
}

void
shared_aggregate_init(SharedAggregate *s, int nprocesses, int ntables)
{
	s->nprocesses = nprocesses;
	s->ntables = ntables;
	for (int i = 0; i < AGGREGATE_NCOUNTERS; i++)
		pg_atomic_init_u64(&s->counters[i], 0);
	begin(s);
}

void
shared_aggregate_reset(SharedAggregate *s, dsa_area *area)
{
	for (int i = 0; area && i < s->nprocesses; i++)
	{
		if (DsaPointerIsValid(s->publications[i].message))
			dsa_free(area, s->publications[i].message);
		slab_free_shared(area, s->publications[i].slabs);
	}
	begin(s);
}

/* ---- reading ---- */

bool
shared_aggregate_join(SharedAggregate *s)
{
	return BarrierAttach(&s->barrier) == 0;
}

int
shared_aggregate_number(SharedAggregate *s)
{
	return (int) pg_atomic_fetch_add_u32(&s->joined, 1);
}

int
shared_aggregate_processes(const SharedAggregate *s)
{
	return s->nprocesses;
}

/* Runs get shorter towards the end of a table, down to this. */
#define MIN_RUN 16

bool
shared_aggregate_take(SharedAggregate *s, int table, uint64 nvectors, uint64 *from, uint64 *to)
{
	pg_atomic_uint64 *next = next_vector(s, table);
	uint64 at = pg_atomic_read_u64(next);

	for (;;)
	{
		uint64 run;

		if (at >= nvectors)
		{
			pg_atomic_write_u64(next, ALL_TAKEN);
			return false;
		}
		run = Min(Max((nvectors - at) / (s->nprocesses * 2), MIN_RUN), nvectors - at);
		if (pg_atomic_compare_exchange_u64(next, &at, at + run))
		{
			*from = at;
			*to = at + run;
			return true;
		}
	}
}

bool
shared_aggregate_taken(SharedAggregate *s, int table)
{
	return pg_atomic_read_u64(next_vector(s, table)) >= ALL_TAKEN;
}

/* ---- results ---- */

/* Larger than any size class of an area, so that it starts on a page and is aligned for everything. */
#define MIN_MESSAGE 16384

static dsa_pointer
copy_message(dsa_area *area, AggregateParts *parts)
{
	StringInfoData out;
	dsa_pointer p;

	initStringInfo(&out);
	aggregate_parts_write(parts, &out);
	p = dsa_allocate_extended(area, Max(out.len, MIN_MESSAGE), DSA_ALLOC_HUGE);
	memcpy(dsa_get_address(area, p), out.data, out.len);
	pfree(out.data);
	return p;
}

void
shared_aggregate_publish(SharedAggregate *s, dsa_area *area, AggregateParts *parts)
{
	uint32 number;

	aggregate_parts_finish(parts);
	number = pg_atomic_fetch_add_u32(&s->npublished, 1);
	if (number >= s->nprocesses)
		elog(ERROR, "more processes take part in an aggregate than were planned");
	s->publications[number].message = copy_message(area, parts);
	s->publications[number].slabs = parts->slabs->last;
	s->publications[number].ngroups = parts->ngroups;
	BarrierArriveAndWait(&s->barrier, PG_WAIT_EXTENSION);
}

/* Groups that are merged before anybody else could begin to help. */
#define FEW_GROUPS 10000

/* The same in every process, as nothing is published any more. */
static uint32
count_parts(SharedAggregate *s, const AggregateShape *shape)
{
	uint32 n = pg_atomic_read_u32(&s->npublished);
	uint64 ngroups = 0;

	for (uint32 i = 0; i < n; i++)
		ngroups += s->publications[i].ngroups;
	if (shape->nkeys == 0)
		return 1;
	if (shape->percentiles)
		return Max(n * 4, 1);
	return ngroups > FEW_GROUPS ? Max(n * 2, 1) : 1;
}

bool
shared_aggregate_next_part(SharedAggregate *s, const AggregateShape *shape, uint32 *part, uint32 *nparts)
{
	*nparts = count_parts(s, shape);
	*part = pg_atomic_fetch_add_u32(&s->next_part, 1);
	return *part < *nparts;
}

void
shared_aggregate_merge(SharedAggregate *s, dsa_area *area, AggregateParts *parts, uint32 part, uint32 nparts)
{
	uint32 n = pg_atomic_read_u32(&s->npublished);

	for (uint32 i = 0; i < n; i++)
		aggregate_parts_merge(parts, dsa_get_address(area, s->publications[i].message), part, nparts);
	aggregate_parts_finish(parts);
}

/* ---- counters ---- */

void
shared_aggregate_add_counters(SharedAggregate *s, const uint64 *counters)
{
	for (int i = 0; i < AGGREGATE_NCOUNTERS; i++)
		pg_atomic_fetch_add_u64(&s->counters[i], counters[i]);
}

void
shared_aggregate_sum_counters(SharedAggregate *s, uint64 *counters)
{
	for (int i = 0; i < AGGREGATE_NCOUNTERS; i++)
		counters[i] += pg_atomic_read_u64(&s->counters[i]);
}
