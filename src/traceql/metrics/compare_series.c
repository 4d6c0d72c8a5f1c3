/*
 * compare_series.c
 *	  Series of compare(): of each attribute the most frequent values on either side, and how many spans
 *	  have it at all.
 */
#include "traceql/metrics/compare.h"

#include <math.h>
#include <stdlib.h>

typedef struct Ranked
{
	double total;
	const EvalValue *value;
	const Tally *tally;
} Ranked;

/* Adds the cells to sums, and how many there are on either side. */
static void
add_cells(const Tally *t, uint32_t ncells, double *sums, double total[2])
{
	uint32_t at = 0;
	uint32_t cell;
	double count;

	total[0] = total[1] = 0;
	while (tally_next(t, ncells, &at, &cell, &count))
	{
		sums[cell] += count;
		total[cell >= ncells / 2] += count;
	}
}

static void
copy_side(const Tally *t, uint32_t ncells, int side, double *values)
{
	uint32_t from = (uint32_t) side * (ncells / 2);
	uint32_t at = 0;
	uint32_t cell;
	double count;

	while (tally_next(t, ncells, &at, &cell, &count))
		if (cell - from < ncells / 2)
			values[cell - from] += count;
}

/* More frequent, or as frequent and the lesser value. */
static bool
ranks_before(const Ranked *x, const Ranked *y)
{
	if (x->total != y->total)
		return x->total > y->total;
	return label_value_compare(x->value, y->value) < 0;
}

/* The first max so far, in order. */
static void
rank(Ranked *ranked, uint32_t *n, uint32_t max, const Ranked *r)
{
	uint32_t at;

	if (*n == max && !ranks_before(r, &ranked[max - 1]))
		return;
	if (*n < max)
		++*n;
	for (at = *n - 1; at > 0 && ranks_before(r, &ranked[at - 1]); at--)
		ranked[at] = ranked[at - 1];
	ranked[at] = *r;
}

typedef struct Output
{
	Leaf *leaf;
	Arena *arena;
	MetricsResult *result;
	uint32_t cap;
} Output;

static MetricsSeries *
add_series(Output *o, const char *meta, Str name, EvalValue value)
{
	MetricsSeries *s = result_append(o->arena, o->result, &o->cap, 2);

	s->nlabels = 2;
	s->labels[0] = (MetricsLabel){str_lit("__meta_type"), {.type = EVAL_STRING, .s = str_lit(meta)}};
	s->labels[1] = (MetricsLabel){name, label_own_value(o->arena, value)};
	memset(s->values, 0, o->result->range.n * sizeof(double));
	return s;
}

/* The most frequent values of an attribute on either side, and how many spans have it in each cell. */
typedef struct Ranking
{
	Ranked *ranked[2];
	uint32_t n[2];
	double *sums;
} Ranking;

static Ranking
rank_values(const Output *o, const CompareAttr *attr)
{
	uint32_t ncells = o->leaf->compare->ncells;
	uint32_t max = (uint32_t) o->leaf->plan->metric->topn;
	Ranking r = {0};

	r.ranked[0] = arena_alloc(o->arena, ((size_t) max + 1) * sizeof(Ranked));
	r.ranked[1] = arena_alloc(o->arena, ((size_t) max + 1) * sizeof(Ranked));
	r.sums = arena_alloc0(o->arena, ncells * sizeof(double));
	for (uint32_t i = 0; i < attr->values.n && i < attr->cap; i++)
	{
		double total[2];

		add_cells(&attr->tallies[i], ncells, r.sums, total);
		for (int side = 0; side < 2 && i > 0; side++)
			if (total[side] != 0)
				rank(r.ranked[side], &r.n[side], max,
					 &(Ranked){total[side], &attr->values.values[i], &attr->tallies[i]});
	}
	return r;
}

static void
add_side(Output *o, const Ranking *r, Str name, int side)
{
	static const char *const values_of[] = {"baseline", "selection"};
	static const char *const total_of[] = {"baseline_total", "selection_total"};
	uint32_t n = o->result->range.n;
	const double *sums = r->sums + (size_t) side * n;
	bool any = false;

	for (uint32_t k = 0; k < n; k++)
		any |= sums[k] != 0;
	if (!any)
		return;
	memcpy(add_series(o, total_of[side], name, (EvalValue){.type = EVAL_NIL})->values, sums,
		   n * sizeof(double));
	for (uint32_t i = 0; i < r->n[side]; i++)
	{
		const Ranked *v = &r->ranked[side][i];

		copy_side(v->tally, 2 * n, side, add_series(o, values_of[side], name, *v->value)->values);
	}
}

/* A byte a value: is it ranked? */
static uint8_t *
ranked_values(Leaf *leaf, const CompareAttr *attr, const Ranking *r)
{
	uint8_t *ranked = arena_alloc0(leaf->metrics->arena, attr->values.n + 1);

	for (int side = 0; side < 2; side++)
		for (uint32_t i = 0; i < r->n[side]; i++)
			ranked[r->ranked[side][i].tally - attr->tallies] = 1;
	return ranked;
}

/* Into the totals of the attribute. */
static void
give_up_value(Leaf *leaf, CompareAttr *attr, Tally *tally)
{
	uint32_t ncells = leaf->compare->ncells;
	uint32_t at = 0;
	uint32_t cell;
	double count;

	while (tally_next(tally, ncells, &at, &cell, &count))
		tally_add(leaf->metrics, &attr->tallies[0], ncells, cell, count);
	*tally = (Tally){0};
}

void
compare_cut(Leaf *leaf)
{
	Compare *c = leaf->compare;
	Output o = {leaf, leaf->metrics->arena, NULL, 0};

	compare_settle(leaf);
	for (uint32_t i = 1; i < c->names.n; i++)
	{
		CompareAttr *attr = &c->attrs[i];
		Ranking r = rank_values(&o, attr);
		const uint8_t *ranked = ranked_values(leaf, attr, &r);

		for (uint32_t v = 1; v < attr->values.n && v < attr->cap; v++)
		{
			run_tick(leaf->run);
			if (!ranked[v])
				give_up_value(leaf, attr, &attr->tallies[v]);
		}
	}
}

void
compare_series(Leaf *leaf, Arena *arena, MetricsResult *result)
{
	Output o = {leaf, arena, result, 0};
	Compare *c = leaf->compare;

	compare_settle(leaf);
	for (uint32_t i = 1; i < c->names.n; i++)
	{
		Str name = label_own_value(arena, c->names.values[i]).s;
		Ranking r = rank_values(&o, &c->attrs[i]);

		run_tick(leaf->run);
		add_side(&o, &r, name, 0);
		add_side(&o, &r, name, 1);
	}
}
