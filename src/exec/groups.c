/*
 * groups.c
 *	  Combining key numbers.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "exec/groups.h"

#define NONE PG_UINT32_MAX
/* A table of more entries becomes a hash table. */
#define MAX_TABLE (1 << 20)

typedef struct Step
{
	/* by group: what it was made of */
	uint32 *before;
	uint32 *number;
	uint32 n;
	uint32 max;
	/* table: [group before << bits | number] */
	uint32 *table;
	int bits;
	uint32 befores; /* rows of the table */
	/* hash table, once that would be too large */
	bool hashed;
	uint32 mask;
} Step;

struct Groups
{
	int nkeys;
	uint32 first; /* numbers of key 0 */
	Step *steps;  /* nkeys; the first is unused */
	MemoryContext context;
};

Groups *
groups_create(int nkeys, MemoryContext context)
{
	Groups *g = MemoryContextAllocZero(context, sizeof(Groups));

	g->nkeys = nkeys;
	g->context = context;
	g->steps = MemoryContextAllocZero(context, Max(nkeys, 1) * sizeof(Step));
	return g;
}

void
groups_set_first(Groups *g, uint32 nnumbers)
{
	g->first = nnumbers;
}

static uint32
count_before(const Groups *g, int step)
{
	return step == 0 ? g->first : g->steps[step].n;
}

uint32
groups_count(const Groups *g)
{
	return g->nkeys == 0 ? 1 : count_before(g, g->nkeys - 1);
}

void
groups_keys(const Groups *g, uint32 group, uint32 *numbers)
{
	for (int step = g->nkeys - 1; step > 0; step--)
	{
		numbers[step] = g->steps[step].number[group];
		group = g->steps[step].before[group];
	}
	if (g->nkeys > 0)
		numbers[0] = group;
}

/* ---- tables ---- */

static uint32 *
allocate(Groups *g, Size n)
{
	uint32 *a = MemoryContextAllocHuge(g->context, n * sizeof(uint32));

	memset(a, 0xFF, n * sizeof(uint32));
	return a;
}

static uint32
hash_slot(const Step *s, uint32 before, uint32 number)
{
	uint64 key = (uint64) before << 32 | number;
	uint32 slot = (uint32) ((key * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & s->mask;

	while (s->table[slot] != NONE &&
		   (s->before[s->table[slot]] != before || s->number[s->table[slot]] != number))
		slot = (slot + 1) & s->mask;
	return slot;
}

static void
make_hash(Groups *g, Step *s)
{
	uint32 size = 4096;

	while (size / 2 <= s->n)
		size *= 2;
	if (s->table)
		pfree(s->table);
	s->table = allocate(g, size);
	s->mask = size - 1;
	s->hashed = true;
	for (uint32 i = 0; i < s->n; i++)
		s->table[hash_slot(s, s->before[i], s->number[i])] = i;
}

static void
make_table(Groups *g, Step *s, uint32 befores, int bits)
{
	if (s->table)
		pfree(s->table);
	s->table = allocate(g, (Size) befores << bits);
	s->befores = befores;
	s->bits = bits;
	for (uint32 i = 0; i < s->n; i++)
		s->table[(Size) s->before[i] << bits | s->number[i]] = i;
}

/* Room for all pairs of these. */
static void
reserve(Groups *g, Step *s, uint32 befores, uint32 nnumbers)
{
	int bits = s->bits;
	uint32 rows = Max(s->befores, 16);

	if (s->hashed || (befores <= s->befores && nnumbers <= (1u << s->bits)))
		return;
	while (nnumbers > (UINT64CONST(1) << bits))
		bits++;
	while (befores > rows && rows < MAX_TABLE)
		rows *= 2;
	if (befores > rows || bits > 20 || ((uint64) rows << bits) > MAX_TABLE)
		make_hash(g, s);
	else
		make_table(g, s, rows, bits);
}

static uint32
add_group(Groups *g, Step *s, uint32 before, uint32 number)
{
	if (s->n == s->max)
	{
		uint32 max = Max(s->max * 2, 256);

		if (s->n >= PG_INT32_MAX / 4)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many groups")));
		if (s->before == NULL)
		{
			s->before = allocate(g, max);
			s->number = allocate(g, max);
		}
		else
		{
			s->before = repalloc_huge(s->before, (Size) max * sizeof(uint32));
			s->number = repalloc_huge(s->number, (Size) max * sizeof(uint32));
		}
		s->max = max;
	}
	s->before[s->n] = before;
	s->number[s->n] = number;
	return s->n++;
}

static void
combine_hashed(Groups *g, Step *s, uint32 *groups, const uint32 *numbers, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
	{
		uint32 slot = hash_slot(s, groups[i], numbers[i]);

		if (s->table[slot] == NONE)
		{
			s->table[slot] = add_group(g, s, groups[i], numbers[i]);
			groups[i] = s->table[slot];
			if (s->n > s->mask / 2)
				make_hash(g, s);
			continue;
		}
		groups[i] = s->table[slot];
	}
}

void
groups_combine(Groups *g, int step, uint32 *groups, const uint32 *numbers, uint32 n, uint32 nnumbers)
{
	Step *s = &g->steps[step];
	uint32 *table;
	int bits;

	reserve(g, s, count_before(g, step - 1), nnumbers);
	if (s->hashed)
	{
		combine_hashed(g, s, groups, numbers, n);
		return;
	}
	table = s->table;
	bits = s->bits;
	for (uint32 i = 0; i < n; i++)
	{
		uint32 *at = &table[(Size) groups[i] << bits | numbers[i]];

		if (*at == NONE)
			*at = add_group(g, s, groups[i], numbers[i]);
		groups[i] = *at;
	}
}
