/*
 * compare_dense.c
 *	  Counting what has few different values without looking each one up: by code and cell in a table that
 *	  lasts for a unit.
 */
#include "traceql/metrics/compare.h"

/* A table may have so many places: emptying and reading it costs about what it spares then. */
#define MAX_PLACES(n) (2 * (uint64_t) (n) + 64)

static void
hand_over(Leaf *leaf, const Sided *s, const uint32_t *table, uint32_t ncodes, CompareAdd add, void *ctx)
{
	uint32_t width = s->nlocal + 1;

	for (uint32_t code = 0; code < ncodes; code++)
		for (uint32_t l = 0; l < s->nlocal; l++)
			if (table[code * width + l])
				add(leaf, ctx, code, s->cell_of_local[l], table[code * width + l]);
}

static uint32_t *
make_table(Leaf *leaf, const Sided *s, uint64_t ncodes, uint32_t n)
{
	uint64_t places = ncodes * (s->nlocal + 1);

	if (s->weights || ncodes > MAX_PLACES(n) || places > MAX_PLACES(n))
		return NULL;
	return arena_alloc0(leaf->run->scratch, (places + 1) * sizeof(uint32_t));
}

bool
compare_dense(Leaf *leaf, const Sided *s, const uint32_t *codes, const uint32_t *rows, uint32_t n,
			  uint32_t ncodes, CompareAdd add, void *ctx)
{
	uint32_t *table = make_table(leaf, s, ncodes, n);
	uint32_t width = s->nlocal + 1;

	if (!table)
		return false;
	if (rows)
	{
		for (uint32_t i = 0; i < n; i++)
			table[codes[i] * width + s->local_of_row[rows[i]]]++;
	}
	else
	{
		for (uint32_t i = 0; i < n; i++)
			table[codes[i] * width + s->local_of_row[i]]++;
	}
	hand_over(leaf, s, table, ncodes, add, ctx);
	return true;
}

bool
compare_dense_numbers(Leaf *leaf, const Sided *s, const int64_t *v, const uint32_t *rows, uint32_t n,
					  CompareAdd add, void *ctx, int64_t *base)
{
	uint32_t width = s->nlocal + 1;
	int64_t least = v[0];
	int64_t greatest = v[0];
	uint64_t span;
	uint32_t *table;

	for (uint32_t i = 1; i < n; i++)
	{
		least = v[i] < least ? v[i] : least;
		greatest = v[i] > greatest ? v[i] : greatest;
	}
	span = (uint64_t) greatest - (uint64_t) least;
	table = span < UINT32_MAX ? make_table(leaf, s, span + 1, n) : NULL;
	if (!table)
		return false;
	*base = least;
	for (uint32_t i = 0; i < n; i++)
		table[(uint32_t) ((uint64_t) v[i] - (uint64_t) least) * width +
			  s->local_of_row[rows ? rows[i] : i]]++;
	hand_over(leaf, s, table, (uint32_t) span + 1, add, ctx);
	return true;
}
