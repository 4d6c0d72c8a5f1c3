/*
 * series.c
 *	  From what a leaf has added up to series with labels, and the order of series.
 */
#include "traceql/metrics/internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- lists of series ---- */

MetricsResult *
result_make(Arena *arena, const MetricsRange *range)
{
	MetricsResult *result = arena_alloc0(arena, sizeof(MetricsResult));

	result->range = *range;
	return result;
}

MetricsSeries *
result_append(Arena *arena, MetricsResult *result, uint32_t *cap, uint32_t nlabels)
{
	MetricsSeries *s;

	if (result->nseries == *cap)
	{
		uint32_t more = *cap ? *cap * 2 : 16;

		result->series = arena_grow(arena, result->series, *cap * sizeof(MetricsSeries),
									(size_t) more * sizeof(MetricsSeries));
		*cap = more;
	}
	s = &result->series[result->nseries++];
	*s = (MetricsSeries){.labels = arena_alloc(arena, (nlabels + 1) * sizeof(MetricsLabel))};
	s->values = arena_alloc(arena, result->range.n * sizeof(double));
	for (uint32_t k = 0; k < result->range.n; k++)
		s->values[k] = NAN;
	return s;
}

static bool
has_sample(const MetricsSeries *s, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++)
		if (!isnan(s->values[k]))
			return true;
	return false;
}

void
result_drop_empty(MetricsResult *result)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < result->nseries; i++)
		if (has_sample(&result->series[i], result->range.n))
			result->series[left++] = result->series[i];
	result->nseries = left;
}

/* ---- labels ---- */

static Str
attr_name(Arena *arena, const TraceqlAttr *attr)
{
	Buf name;

	buf_init(&name, arena, 32);
	traceql_print_attr(attr, &name);
	return str_of((char *) name.p, name.len);
}

EvalValue
label_own_value(Arena *arena, EvalValue v)
{
	if (v.type == EVAL_STRING || v.type == EVAL_ARRAY)
		v.s.p = arena_dup(arena, v.s.p, v.s.len);
	return v;
}

static void
add_label(Arena *arena, MetricsSeries *s, Str name, EvalValue value)
{
	s->labels[s->nlabels++] = (MetricsLabel){name, label_own_value(arena, value)};
}

/* Missing values have no label; when nothing at all would be left, the first stays, as nil. */
static void
label_series(const Leaf *leaf, Arena *arena, const Str *names, uint32_t series, bool more, MetricsSeries *s)
{
	const LeafPlan *plan = leaf->plan;
	const EvalValue *values[METRICS_MAX_BY];

	if (plan->nby == 0 && !more)
		add_label(arena, s, str_lit("__name__"),
				  (EvalValue){.type = EVAL_STRING, .s = str_lit(traceql_metric_name(plan->metric->fn))});
	if (plan->nby == 0)
		return;
	group_values(leaf, series, values);
	for (uint32_t i = 0; i < plan->nby; i++)
		if (values[i]->type != EVAL_NIL)
			add_label(arena, s, names[i], *values[i]);
	if (s->nlabels == 0 && !more)
		add_label(arena, s, names[0], (EvalValue){.type = EVAL_NIL});
}

/* ---- values ---- */

typedef struct Making
{
	Leaf *leaf;
	Arena *arena;
	MetricsResult *result;
	uint32_t cap;
	Str names[METRICS_MAX_BY];
	/* of each series made: where it comes from, for exemplars */
	uint32_t *from;
	uint32_t cap_from;
} Making;

static MetricsSeries *
make_series(Making *m, uint32_t series, bool more)
{
	MetricsSeries *s = result_append(m->arena, m->result, &m->cap, METRICS_MAX_BY + 2);

	if (m->cap_from < m->cap)
	{
		m->from = arena_grow(m->arena, m->from, m->cap_from * sizeof(uint32_t), m->cap * sizeof(uint32_t));
		m->cap_from = m->cap;
	}
	label_series(m->leaf, m->arena, m->names, series, more, s);
	return s;
}

/* A partial that was damaged may lack rows that observing always makes. */
static double
cell(const Cells *cells, uint32_t series, uint32_t k)
{
	const double *row = cells_look(cells, series);

	return row ? row[k] : 0;
}

static double
shown(const Leaf *leaf, uint32_t series, uint32_t k)
{
	const LeafPlan *plan = leaf->plan;
	double v = cell(&leaf->cells[0], series, k);
	double weight;

	switch (plan->fold)
	{
		case FOLD_COUNT:
			return plan->metric->fn == TQL_RATE ? v / ((double) leaf->metrics->options.range.step / 1e9) : v;
		case FOLD_SUM:
			weight = cell(&leaf->cells[2], series, k);
			if (weight == 0)
				return NAN;
			v += cell(&leaf->cells[1], series, k);
			if (plan->metric->fn == TQL_AVG_OVER_TIME)
				v /= weight;
			break;
		default: break;
	}
	return plan->seconds ? v / 1e9 : v;
}

static void
make_plain(Making *m)
{
	Leaf *leaf = m->leaf;

	for (uint32_t i = 0; i < leaf->cells[0].cap; i++)
	{
		MetricsSeries *s;

		if (!cells_look(&leaf->cells[0], i))
			continue;
		run_tick(leaf->run);
		s = make_series(m, i, false);
		m->from[m->result->nseries - 1] = i;
		for (uint32_t k = 0; k < m->result->range.n; k++)
			s->values[k] = shown(leaf, i, k);
	}
}

static void
make_histogram(Making *m)
{
	Leaf *leaf = m->leaf;

	for (uint32_t i = 0; i < leaf->cells[0].cap; i++)
	{
		const double *counts = cells_look(&leaf->cells[0], i);
		MetricsSeries *s;

		if (!counts)
			continue;
		run_tick(leaf->run);
		s = make_series(m, i / NBUCKETS, true);
		m->from[m->result->nseries - 1] = i;
		add_label(m->arena, s, str_lit("__bucket"),
				  (EvalValue){.type = EVAL_FLOAT, .d = bucket_bound(leaf->plan, i % NBUCKETS)});
		memcpy(s->values, counts, m->result->range.n * sizeof(double));
	}
}

static bool
any_bucket(const Leaf *leaf, uint32_t series)
{
	for (uint32_t b = 1; b < NBUCKETS; b++)
		if (cells_look(&leaf->cells[0], series * NBUCKETS + b))
			return true;
	return false;
}

static void
quantiles_at(const Leaf *leaf, uint32_t series, uint32_t k, MetricsSeries *first)
{
	const TraceqlMetric *metric = leaf->plan->metric;
	double counts[NBUCKETS] = {0};

	for (uint32_t b = 1; b < NBUCKETS; b++)
	{
		const double *row = cells_look(&leaf->cells[0], series * NBUCKETS + b);

		counts[b] = row ? row[k] : 0;
	}
	for (uint32_t q = 0; q < metric->nquantiles; q++)
		first[q].values[k] = bucket_quantile(leaf->plan, counts, metric->quantiles[q]);
}

static void
make_quantiles(Making *m)
{
	Leaf *leaf = m->leaf;
	const TraceqlMetric *metric = leaf->plan->metric;

	for (uint32_t i = 0; i < leaf->cells[0].cap / NBUCKETS; i++)
	{
		uint32_t first = m->result->nseries;

		if (!any_bucket(leaf, i))
			continue;
		run_tick(leaf->run);
		for (uint32_t q = 0; q < metric->nquantiles; q++)
		{
			MetricsSeries *s = make_series(m, i, true);

			m->from[m->result->nseries - 1] = i;
			add_label(m->arena, s, str_lit("p"), (EvalValue){.type = EVAL_FLOAT, .d = metric->quantiles[q]});
		}
		for (uint32_t k = 0; k < m->result->range.n; k++)
			quantiles_at(leaf, i, k, &m->result->series[first]);
	}
}

/* ---- exemplars ---- */

/* Of a quantile, the first series that the bucket's bound does not exceed, else the last. */
static uint32_t
series_of_kept(const Making *m, const Kept *k, uint32_t interval)
{
	const LeafPlan *plan = m->leaf->plan;
	bool histogram = plan->metric->fn == TQL_HISTOGRAM_OVER_TIME;
	uint32_t wanted = histogram ? k->series * NBUCKETS + k->bucket : k->series;
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; i < m->result->nseries; i++)
	{
		if (m->from[i] != wanted)
			continue;
		found = i;
		if (plan->metric->fn != TQL_QUANTILE_OVER_TIME ||
			m->result->series[i].values[interval] >= bucket_bound(plan, k->bucket))
			break;
	}
	return found;
}

static void
attach(const Making *m, MetricsSeries *s, const Kept *k, uint32_t interval)
{
	MetricsExemplar *e;

	s->exemplars = arena_grow(m->arena, s->exemplars, s->nexemplars * sizeof(MetricsExemplar),
							  (s->nexemplars + 1) * sizeof(MetricsExemplar));
	e = &s->exemplars[s->nexemplars++];
	*e = (MetricsExemplar){.time = k->time, .interval = interval, .nlabels = k->nlabels};
	e->labels = arena_alloc(m->arena, (k->nlabels + 1) * sizeof(MetricsLabel));
	for (uint32_t i = 0; i < k->nlabels; i++)
	{
		Str name = k->labels[i].name;

		e->labels[i].name = str_of(arena_dup(m->arena, name.p, name.len), name.len);
		e->labels[i].value = label_own_value(m->arena, k->labels[i].value);
	}
	e->value = isnan(k->value) ? s->values[interval] : k->value;
	memcpy(e->trace_id, k->trace_id, sizeof(e->trace_id));
}

static void
make_exemplars(Making *m)
{
	const MetricsRange *range = &m->result->range;
	const Kept **chosen;
	uint32_t n = exemplars_choose(m->leaf, m->arena, &chosen);

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t interval = (uint32_t) ((chosen[i]->time - range->from - 1) / range->step);
		uint32_t series = series_of_kept(m, chosen[i], interval);

		if (series != UINT32_MAX)
			attach(m, &m->result->series[series], chosen[i], interval);
	}
}

/* ---- leaves ---- */

/* A count of nothing, ungrouped, is zero. */
static void
make_zero(Making *m)
{
	MetricsSeries *s;

	if (m->leaf->plan->fold != FOLD_COUNT || m->leaf->plan->nby != 0 || m->result->nseries != 0)
		return;
	s = make_series(m, 0, false);
	m->from[0] = 0;
	for (uint32_t k = 0; k < m->result->range.n; k++)
		s->values[k] = 0;
}

MetricsResult *
leaf_result(Leaf *leaf, Arena *arena)
{
	Making m = {.leaf = leaf, .arena = arena};

	m.result = result_make(arena, &leaf->metrics->options.range);
	for (uint32_t i = 0; i < leaf->plan->nby; i++)
		m.names[i] = attr_name(arena, &leaf->plan->metric->by[i]);
	if (leaf->plan->fold == FOLD_COMPARE)
		compare_series(leaf, arena, m.result);
	else if (leaf->plan->fold != FOLD_BUCKETS)
		make_plain(&m);
	else if (leaf->plan->metric->fn == TQL_HISTOGRAM_OVER_TIME)
		make_histogram(&m);
	else
		make_quantiles(&m);
	make_zero(&m);
	if (leaf->exemplars.budget)
		make_exemplars(&m);
	result_drop_empty(m.result);
	result_sort(leaf->metrics, arena, m.result);
	return m.result;
}
