/*
 * tally.c
 *	  Counts of one value by cell: most values occur in few cells.
 */
#include "traceql/metrics/compare.h"

#define SMALL_ARRAY 64 /* cells of an array that is not worth a table before it */

static TallyCell *
tally_find(TallyCell *cells, uint32_t cap, uint32_t cell)
{
	uint32_t at = (cell * UINT32_C(0x9e3779b1)) & (cap - 1);

	while (cells[at].used && cells[at].cell != cell)
		at = (at + 1) & (cap - 1);
	return &cells[at];
}

static void
tally_to_array(MetricsRun *run, Tally *t, uint32_t ncells)
{
	double *all;

	metrics_room(run, ncells * sizeof(double));
	all = arena_alloc0(run->arena, ncells * sizeof(double));
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->some[i].used)
			all[t->some[i].cell] = t->some[i].count;
	if (t->cap == 0 && t->n)
		all[t->cell] = t->count;
	t->all = all;
	t->cap = TALLY_ALL;
}

static void
tally_grow(MetricsRun *run, Tally *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 4;
	TallyCell *cells = arena_alloc0(run->arena, cap * sizeof(TallyCell));

	for (uint32_t i = 0; i < t->cap; i++)
		if (t->some[i].used)
			*tally_find(cells, cap, t->some[i].cell) = t->some[i];
	if (t->cap == 0)
		*tally_find(cells, cap, t->cell) = (TallyCell){t->cell, true, t->count};
	t->some = cells;
	t->cap = cap;
}

/* Into a table. */
static void
tally_add_some(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count)
{
	TallyCell *at;

	if (t->n * 2 >= t->cap)
	{
		/* A table's cell is twice as large as an array's, and the table half empty. */
		if (t->cap * 4 >= ncells || ncells <= SMALL_ARRAY)
		{
			tally_to_array(run, t, ncells);
			t->all[cell] += count;
			return;
		}
		tally_grow(run, t);
	}
	at = tally_find(t->some, t->cap, cell);
	t->n += !at->used;
	at->used = true;
	at->cell = cell;
	at->count += count;
}

void
tally_add_more(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count)
{
	if (t->cap == 0 && (t->n == 0 || t->cell == cell))
	{
		t->n = 1;
		t->cell = cell;
		t->count += count;
	}
	else
		tally_add_some(run, t, ncells, cell, count);
}
