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

/* Cells of a side are from, from + 1 ... */
static double
side_total(const Tally *t, uint32_t from, uint32_t n)
{
	double total = 0;

	for (uint32_t i = 0; t->all && i < n; i++)
		total += t->all[from + i];
	for (uint32_t i = 0; !t->all && i < t->cap; i++)
		if (t->some[i].used && t->some[i].cell - from < n)
			total += t->some[i].count;
	return total;
}

static void
side_add(const Tally *t, uint32_t from, uint32_t n, double *values)
{
	for (uint32_t i = 0; t->all && i < n; i++)
		values[i] += t->all[from + i];
	for (uint32_t i = 0; !t->all && i < t->cap; i++)
		if (t->some[i].used && t->some[i].cell - from < n)
			values[t->some[i].cell - from] += t->some[i].count;
}

/* Most frequent first; of equals the lesser value. */
static int
by_total(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return label_value_compare(x->value, y->value);
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

static void
add_side(Output *o, const CompareAttr *attr, Str name, int side)
{
	static const char *const values_of[] = {"baseline", "selection"};
	static const char *const total_of[] = {"baseline_total", "selection_total"};
	uint32_t n = o->result->range.n;
	uint32_t from = (uint32_t) side * n;
	Ranked *ranked = arena_alloc(o->arena, (attr->values.n + 1) * sizeof(Ranked));
	MetricsSeries *total = NULL;
	uint32_t nranked = 0;

	for (uint32_t i = 0; i < attr->values.n && i < attr->cap; i++)
	{
		Ranked r = {side_total(&attr->tallies[i], from, n), &attr->values.values[i], &attr->tallies[i]};

		if (r.total == 0)
			continue;
		if (!total)
			total = add_series(o, total_of[side], name, (EvalValue){.type = EVAL_NIL});
		side_add(r.tally, from, n, total->values);
		if (i > 0)
			ranked[nranked++] = r;
	}
	qsort(ranked, nranked, sizeof(Ranked), by_total);
	for (uint32_t i = 0; i < nranked && i < o->leaf->plan->metric->topn; i++)
		side_add(ranked[i].tally, from, n, add_series(o, values_of[side], name, *ranked[i].value)->values);
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

		run_tick(leaf->run);
		add_side(&o, &c->attrs[i], name, 0);
		add_side(&o, &c->attrs[i], name, 1);
	}
}
