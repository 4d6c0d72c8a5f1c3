/*
 * aggregate_rows.c
 *	  Rows of one vector into groups and aggregates.
 *
 * Mostly one key varies from row to row, and is an entry of a dictionary; a bin of time is wider than what a
 * vector covers, or the vector is in few of them. Then the entry's code, and which of the bins, decide the
 * group: rows are counted by code, and groups are looked up once for each code that occurs.
 */
#include "postgres.h"

#include "exec/aggregate_parts.h"
#include "exec/column_filter.h"

/* What is known of the keys in a vector. */
typedef struct VectorKeys
{
	uint32 *one;                     /* by key: its number in all rows */
	int entry;                       /* the key whose entries vary, or -1 */
	uint32 nentries;                 /* at least 1 */
	int bin;                         /* the key of which there are few bins, or -1 */
	uint32 nbins;                    /* at least 1 */
	uint32 bins[GROUP_KEY_FEW_BINS]; /* their numbers */
	const uint32 *codes;             /* by row: bin * nentries + entry; NULL when nothing varies */
	uint32 ncodes;
} VectorKeys;

/* Rows counted by code pay when there are not many more codes than rows. */
#define MAX_CODES(n) ((n) / 2 + 64)

/* Both in one number. */
static const uint32 *
combine_codes(Cursor *cur, const uint32 *entries, uint32 nentries, const uint32 *bins)
{
	uint32 n = cur->batch_rows;
	uint32 *codes = arena_alloc(cur->batch->arena, ((size_t) n + 1) * sizeof(uint32));

	for (uint32 i = 0; i < n; i++)
		codes[i] = bins[i] * nentries + entries[i];
	return codes;
}

/* false: keys vary in another way. */
static bool
look_at_keys(AggregateParts *p, Cursor *cur, VectorKeys *v)
{
	const uint32 *bins = NULL, *entries = NULL;

	v->entry = v->bin = -1;
	v->nentries = v->nbins = 1;
	v->one = p->numbers;
	for (int k = 0; k < p->shape->nkeys; k++)
	{
		KeyKind kind = p->shape->keys[k].kind;

		if (group_key_one(p->keys[k], cur, &v->one[k]))
			continue;
		if ((kind == KEY_ENTRY ? v->entry : v->bin) >= 0 || (kind != KEY_ENTRY && kind != KEY_BIN))
			return false;
		if (kind == KEY_ENTRY)
			v->entry = k;
		else
			v->bin = k;
	}
	if (v->entry >= 0)
		entries = group_key_codes(p->keys[v->entry], cur, &v->nentries);
	if (v->nentries > MAX_CODES(cur->batch_rows))
		return false;
	if (v->bin >= 0 && (bins = group_key_bins(p->keys[v->bin], cur, v->bins, &v->nbins)) == NULL)
		return false;
	v->ncodes = v->nentries * v->nbins;
	v->codes = entries && bins ? combine_codes(cur, entries, v->nentries, bins) : entries ? entries : bins;
	return true;
}

/* The group of one number for each key. */
static uint32
group_of(AggregateParts *p, const uint32 *numbers)
{
	uint32 group = 0;

	for (int k = 0; k < p->shape->nkeys; k++)
		if (k == 0)
		{
			group = numbers[0];
			groups_set_first(p->groups, group_key_count(p->keys[0]));
		}
		else
			groups_combine(p->groups, k, &group, &numbers[k], 1, group_key_count(p->keys[k]));
	p->ngroups = groups_count(p->groups);
	return group;
}

/* Neighbouring rows count in different places, so that equal ones do not wait for each other. */
#define LANES 4
/* With more codes than this equal ones are rare. */
#define LANES_CODES 256

static void
count_in_lanes(const VectorKeys *v, const uint8 *pass, uint32 n, uint32 *lanes)
{
	const uint32 *codes = v->codes;
	uint32 *lane[LANES];
	uint32 i = 0;

	for (int k = 0; k < LANES; k++)
		lane[k] = lanes + (size_t) k * v->ncodes;
	if (pass)
		for (; i + LANES <= n; i += LANES)
			for (int k = 0; k < LANES; k++)
				lane[k][codes[i + k]] += pass[i + k];
	else
		for (; i + LANES <= n; i += LANES)
			for (int k = 0; k < LANES; k++)
				lane[k][codes[i + k]]++;
	for (; i < n; i++)
		lane[0][codes[i]] += pass ? pass[i] : 1;
	for (i = 0; i < v->ncodes; i++)
		lanes[i] += lane[1][i] + lane[2][i] + lane[3][i];
}

static uint32 *
count_codes(const VectorKeys *v, const uint8 *pass, uint32 n, Arena *arena)
{
	uint32 nlanes = v->ncodes <= LANES_CODES ? LANES : 1;
	uint32 *counts = arena_alloc0(arena, ((size_t) v->ncodes * nlanes + 1) * sizeof(uint32));

	if (nlanes == LANES)
		count_in_lanes(v, pass, n, counts);
	else
		for (uint32 i = 0; i < n; i++)
			counts[v->codes[i]] += pass ? pass[i] : 1;
	return counts;
}

static void
add_count(AggregateParts *p, uint32 group, uint32 n)
{
	for (int a = 0; a < p->shape->naggregates; a++)
		if (accumulator_counts_rows(p->accumulators[a]))
			accumulator_add_count(p->accumulators[a], group, n, p->ngroups);
}

/* Groups by row; those that count rows are done when counted. */
static void
add_rows(AggregateParts *p, Cursor *cur, const uint32 *rows, uint32 n, const uint32 *groups, bool counted)
{
	for (int a = 0; a < p->shape->naggregates; a++)
		if (!counted || !accumulator_counts_rows(p->accumulators[a]))
			accumulator_add(p->accumulators[a], cur, rows, n, groups, p->ngroups);
}

static bool
only_counts(const AggregateParts *p)
{
	for (int a = 0; a < p->shape->naggregates; a++)
		if (!accumulator_counts_rows(p->accumulators[a]))
			return false;
	return true;
}

/* Counts by code; group of each code that occurs. */
static uint32 *
group_codes(AggregateParts *p, Cursor *cur, VectorKeys *v, const uint8 *pass)
{
	Arena *arena = cur->batch->arena;
	uint32 *counts = count_codes(v, pass, cur->batch_rows, arena);
	uint32 *groups = arena_alloc(arena, ((size_t) v->ncodes + 1) * sizeof(uint32));

	for (uint32 code = 0; code < v->ncodes; code++)
	{
		if (counts[code] == 0)
			continue;
		if (v->entry >= 0)
			v->one[v->entry] = group_key_of_code(p->keys[v->entry], code % v->nentries);
		if (v->bin >= 0)
			v->one[v->bin] = v->bins[code / v->nentries];
		groups[code] = group_of(p, v->one);
		add_count(p, groups[code], counts[code]);
	}
	return groups;
}

static void
add_by_code(AggregateParts *p, Cursor *cur, VectorKeys *v, const uint8 *pass, uint32 n)
{
	const uint32 *of_code = group_codes(p, cur, v, pass);
	const uint32 *rows;
	uint32 *groups;

	if (only_counts(p))
		return;
	rows = column_filter_list(cur, pass, n);
	groups = arena_alloc(cur->batch->arena, ((size_t) n + 1) * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		groups[i] = of_code[v->codes[rows ? rows[i] : i]];
	add_rows(p, cur, rows, n, groups, true);
}

static void
add_one_group(AggregateParts *p, Cursor *cur, const VectorKeys *v, const uint8 *pass, uint32 n)
{
	uint32 group = group_of(p, v->one);
	uint32 *groups;

	add_count(p, group, n);
	if (only_counts(p))
		return;
	groups = arena_alloc(cur->batch->arena, ((size_t) n + 1) * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		groups[i] = group;
	add_rows(p, cur, column_filter_list(cur, pass, n), n, groups, true);
}

/* Key by key, row by row. */
static void
add_by_row(AggregateParts *p, Cursor *cur, const uint8 *pass, uint32 n)
{
	Arena *arena = cur->batch->arena;
	const uint32 *rows = column_filter_list(cur, pass, n);
	uint32 *groups = arena_alloc(arena, ((size_t) n + 1) * sizeof(uint32));
	uint32 *numbers = arena_alloc(arena, ((size_t) n + 1) * sizeof(uint32));

	for (int k = 0; k < p->shape->nkeys; k++)
	{
		group_key_load(p->keys[k], cur, rows, n, k == 0 ? groups : numbers);
		if (k == 0)
			groups_set_first(p->groups, group_key_count(p->keys[0]));
		else
			groups_combine(p->groups, k, groups, numbers, n, group_key_count(p->keys[k]));
	}
	p->ngroups = groups_count(p->groups);
	add_rows(p, cur, rows, n, groups, false);
}

void
aggregate_rows(AggregateParts *p, Cursor *cur, const uint8 *pass, uint32 n)
{
	VectorKeys v;

	if (!look_at_keys(p, cur, &v))
		add_by_row(p, cur, pass, n);
	else if (v.codes == NULL)
		add_one_group(p, cur, &v, pass, n);
	else
		add_by_code(p, cur, &v, pass, n);
}
