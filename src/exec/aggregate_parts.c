/*
 * aggregate_parts.c
 *	  Making, handing over and merging keys, groups and aggregates.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "common/hashfn.h"
#include "utils/memutils.h"
#include "exec/aggregate_parts.h"
#include "exec/partial.h"

void
aggregate_shape(const ClauseTable *table, Index varno, List *keys, List *aggregates, AggregateShape *shape)
{
	ListCell *lc;

	memset(shape, 0, sizeof(*shape));
	shape->keys = palloc(Max(list_length(keys), 1) * sizeof(KeySpec));
	shape->aggregates = palloc(Max(list_length(aggregates), 1) * sizeof(AggregateSpec));
	foreach (lc, keys)
		if (!key_recognise(table, varno, lfirst(lc), &shape->keys[shape->nkeys++]))
			elog(ERROR, "group key is not one of columns");
	foreach (lc, aggregates)
	{
		AggregateSpec *spec = &shape->aggregates[shape->naggregates++];

		if (!aggregate_recognise(table, varno, lfirst_node(Aggref, lc), spec))
			elog(ERROR, "aggregate is not one of columns");
		shape->percentiles |= spec->kind == AGGREGATE_PERCENTILE;
	}
}

AggregateParts *
aggregate_parts_create(PlanState *parent, const AggregateShape *shape, dsa_area *area, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	AggregateParts *p = palloc0(sizeof(AggregateParts));

	p->shape = shape;
	p->context = context;
	p->slabs = slab_source_create(area, context);
	p->keys = palloc(Max(shape->nkeys, 1) * sizeof(GroupKey *));
	p->accumulators = palloc(Max(shape->naggregates, 1) * sizeof(Accumulator *));
	p->numbers = palloc(Max(shape->nkeys, 1) * sizeof(uint32));
	p->groups = groups_create(shape->nkeys, context);
	for (int k = 0; k < shape->nkeys; k++)
		p->keys[k] = group_key_create(parent, &shape->keys[k], context);
	for (int a = 0; a < shape->naggregates; a++)
		p->accumulators[a] = accumulator_create(parent, &shape->aggregates[a], p->slabs, context);
	MemoryContextSwitchTo(old);
	return p;
}

void
aggregate_parts_free(AggregateParts *p)
{
	for (int k = 0; k < p->shape->nkeys; k++)
		group_key_free(p->keys[k]);
}

void
aggregate_parts_finish(AggregateParts *p)
{
	/* Without keys there is one group, whether there are rows or not. */
	if (p->shape->nkeys == 0)
		p->ngroups = 1;
	for (int a = 0; a < p->shape->naggregates; a++)
		accumulator_finish(p->accumulators[a], p->ngroups);
}

/* ---- messages ---- */

void
aggregate_parts_write(AggregateParts *p, StringInfo out)
{
	Size nkeys = p->shape->nkeys;
	uint32 *numbers = MemoryContextAllocHuge(p->context, (p->ngroups * nkeys + 1) * sizeof(uint32));

	partial_put_u64(out, p->ngroups);
	for (uint32 g = 0; g < p->ngroups; g++)
		groups_keys(p->groups, g, numbers + g * nkeys);
	partial_put(out, numbers, p->ngroups * nkeys * sizeof(uint32));
	pfree(numbers);
	for (int k = 0; k < p->shape->nkeys; k++)
		group_key_write(p->keys[k], out);
	for (int a = 0; a < p->shape->naggregates; a++)
		accumulator_write(p->accumulators[a], p->ngroups, out);
}

/* A value of a key that has not been looked up here. */
#define UNKNOWN PG_UINT32_MAX

/* A message being taken in. */
typedef struct Merge
{
	AggregateParts *p;
	KeyMessage *keys;
	uint32 **known; /* by key, by number there: number here */
} Merge;

static uint32
part_of(const Merge *m, const uint32 *numbers, uint32 nparts)
{
	uint32 hash = 0;

	for (int k = 0; k < m->p->shape->nkeys; k++)
		hash = hash_combine(hash, m->keys[k].hash[numbers[k]]);
	return (hash >> 8) % nparts;
}

static uint32
take_group(Merge *m, const uint32 *numbers)
{
	AggregateParts *p = m->p;
	uint32 group = 0;

	for (int k = 0; k < p->shape->nkeys; k++)
	{
		uint32 *here = &m->known[k][numbers[k]];

		if (*here == UNKNOWN)
			*here = group_key_take(p->keys[k], &m->keys[k], numbers[k]);
		if (k == 0)
		{
			group = *here;
			groups_set_first(p->groups, group_key_count(p->keys[0]));
		}
		else
			groups_combine(p->groups, k, &group, here, 1, group_key_count(p->keys[k]));
	}
	return group;
}

static void
read_keys(Merge *m, const char **message)
{
	int nkeys = m->p->shape->nkeys;

	m->keys = palloc(Max(nkeys, 1) * sizeof(KeyMessage));
	m->known = palloc(Max(nkeys, 1) * sizeof(uint32 *));
	for (int k = 0; k < nkeys; k++)
	{
		Size size;

		group_key_read(m->p->keys[k], message, &m->keys[k]);
		size = ((Size) m->keys[k].n + 1) * sizeof(uint32);
		m->known[k] = MemoryContextAllocHuge(CurrentMemoryContext, size);
		memset(m->known[k], 0xFF, size);
	}
}

void
aggregate_parts_merge(AggregateParts *p, const char *message, uint32 part, uint32 nparts)
{
	MemoryContext own = AllocSetContextCreate(p->context, "tempo merge", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	Merge m = {.p = p};
	uint32 ngroups = (uint32) partial_get_u64(&message);
	Size nkeys = p->shape->nkeys;
	const uint32 *numbers = partial_get(&message, ngroups * nkeys * sizeof(uint32));
	uint32 *map = MemoryContextAllocHuge(own, ((Size) ngroups + 1) * sizeof(uint32));

	read_keys(&m, &message);
	for (uint32 g = 0; g < ngroups; g++)
	{
		if (g % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		map[g] = part_of(&m, numbers + g * nkeys, nparts) == part ? take_group(&m, numbers + g * nkeys)
																  : VALUE_LISTS_NONE;
	}
	p->ngroups = groups_count(p->groups);
	for (int a = 0; a < p->shape->naggregates; a++)
		accumulator_merge(p->accumulators[a], &message, ngroups, map);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(own);
}
