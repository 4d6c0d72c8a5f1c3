/*
 * metrics.c
 *	  Metrics: the pipeline picks spans with all of their traces in view, the start of a span says in which
 *	  interval it counts, and each series is worked out from the list of its spans.
 */
#include "ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- results ---- */

Series *
result_add(Result *result)
{
	Series *s;

	if (result->n == result->cap)
	{
		Series *more = ref_alloc((size_t) (2 * result->cap + 16) * sizeof(Series));

		if (result->n)
			memcpy(more, result->series, (size_t) result->n * sizeof(Series));
		result->series = more;
		result->cap = 2 * result->cap + 16;
	}
	s = &result->series[result->n++];
	*s = (Series){.values = ref_alloc((size_t) (result->at.n + 1) * sizeof(double))};
	for (int k = 0; k < result->at.n; k++)
		s->values[k] = NAN;
	return s;
}

void
result_drop_empty(Result *result)
{
	int kept = 0;

	for (int i = 0; i < result->n; i++)
	{
		bool some = false;

		for (int k = 0; k < result->at.n; k++)
			some |= !isnan(result->series[i].values[k]);
		if (some)
			result->series[kept++] = result->series[i];
	}
	result->n = kept;
}

void
add_label(Series *s, Text name, Val value)
{
	s->labels[s->nlabels++] = (Label){name, value};
}

/* ---- which spans ---- */

static bool
in_intervals(const Intervals *at, const Span *span)
{
	return span->start > at->from && span->start <= at->from + at->n * at->step;
}

static int
interval_of(const Intervals *at, const Span *span)
{
	return (int) ((span->start - at->from - 1) / at->step);
}

/* false: a structural operator met several spansets. */
static bool
pick_spans(const Data *data, const Pipeline *pipeline, const Intervals *at, const Span ***spans, int *n)
{
	SetExpr search = {.pipeline = (Pipeline *) pipeline};
	bool error = false;

	*spans = ref_alloc((size_t) (data->nspans + 1) * sizeof(Span *));
	*n = 0;
	for (int t = 0; t < data->ntraces; t++)
		for (Spanset *s = run_search(&search, data->traces[t], &error); s; s = s->next)
			for (int i = 0; i < s->n; i++)
				if (in_intervals(at, s->spans[i]))
					(*spans)[(*n)++] = s->spans[i];
	return !error;
}

/* 1, or what the sampler of the span says that it stands for. */
double
span_weight(const Span *span, const Query *query)
{
	const char *th = NULL;
	uint64_t rejected = 0;
	bool wanted = false;
	int digits = 0;

	for (const Hint *h = query->hints; h; h = h->next)
		if (text_is(h->name, "extrapolate") && h->value.type == T_BOOL)
			wanted = h->value.i;
	if (wanted)
		th = memmem(span->trace_state.p, span->trace_state.n, "ot=th:", 6);
	if (!th)
		return 1;
	for (th += 6; digits < 14; digits++, th++)
	{
		char hex[2] = {*th, 0};
		char *end;
		unsigned long v = strtoul(hex, &end, 16);

		if (*end || !*th)
			break;
		rejected = rejected << 4 | v;
	}
	rejected <<= 4 * (14 - digits);
	return ldexp(1, 56) / (ldexp(1, 56) - (double) rejected);
}

/* ---- groups ---- */

typedef struct Group
{
	Val *by;
	int n;
	const Span **spans;
} Group;

typedef struct Groups
{
	int n;
	Group *g;
} Groups;

static Val
group_value(const Field *f, const Span *span)
{
	Val v = eval_field(f, (At){span, AT_FIRST, AT_FIRST});

	return v.type == T_OPAQUE ? (Val){.type = T_NIL} : v;
}

static Group *
group_of(Groups *groups, const Metric *m, const Span *span, int room)
{
	Val *by = ref_alloc((size_t) (m->nby + 1) * sizeof(Val));
	Group *g;

	for (int i = 0; i < m->nby; i++)
		by[i] = group_value(&m->by[i], span);
	for (int i = 0; i < groups->n; i++)
	{
		int same = 0;

		for (int k = 0; k < m->nby; k++)
			same += value_same(&by[k], &groups->g[i].by[k]);
		if (same == m->nby)
			return &groups->g[i];
	}
	g = &groups->g[groups->n++];
	*g = (Group){.by = by, .spans = ref_alloc((size_t) (room + 1) * sizeof(Span *))};
	return g;
}

static Groups
make_groups(const Metric *m, const Span **spans, int n)
{
	Groups groups = {.g = ref_alloc((size_t) (n + 2) * sizeof(Group))};

	/* without by() there is one, whatever is in it */
	if (m->nby == 0)
		groups.g[groups.n++] = (Group){.by = NULL, .spans = ref_alloc((size_t) (n + 1) * sizeof(Span *))};
	for (int i = 0; i < n; i++)
	{
		Group *g = group_of(&groups, m, spans[i], n);

		g->spans[g->n++] = spans[i];
	}
	return groups;
}

static const char *
function_name(Function fn)
{
	static const char *const names[] = {"rate",          "count_over_time", "min_over_time",
										"max_over_time", "avg_over_time",   "sum_over_time"};

	return names[fn];
}

/* extra: there is p or __bucket besides. */
static void
label_group(Series *s, const Metric *m, const Group *g, bool extra)
{
	if (m->nby == 0 && !extra)
		add_label(s, text_of("__name__"), (Val){.type = T_STRING, .s = text_of(function_name(m->fn))});
	for (int i = 0; i < m->nby; i++)
		if (g->by[i].type != T_NIL)
			add_label(s, print_field(&m->by[i]), g->by[i]);
	if (s->nlabels == 0 && !extra)
		add_label(s, print_field(&m->by[0]), (Val){.type = T_NIL});
}

/* ---- functions of numbers ---- */

/* Seconds for durations; false: not measured. */
static bool
measured(const Metric *m, const Span *span, double *out)
{
	Val v = eval_field(&m->field, (At){span, AT_FIRST, AT_FIRST});

	*out = v.type == T_DURATION ? (double) v.i / 1e9 : number_of(&v);
	return is_number(&v) && !isnan(*out);
}

static double
fold_cell(const Query *query, const Metric *m, const Group *g, const Intervals *at, int k)
{
	double weight = 0, least = INFINITY, greatest = -INFINITY, v;
	__float128 sum = 0; /* whatever the order of the spans */
	bool counting = m->fn == FN_RATE || m->fn == FN_COUNT;

	for (int i = 0; i < g->n; i++)
	{
		double w = span_weight(g->spans[i], query);

		if (interval_of(at, g->spans[i]) != k || !(counting || measured(m, g->spans[i], &v)))
			continue;
		weight += w;
		if (counting)
			continue;
		sum += (__float128) v * w;
		least = v < least ? v : least;
		greatest = v > greatest ? v : greatest;
	}
	if (m->fn == FN_RATE)
		return weight / ((double) at->step / 1e9);
	if (m->fn == FN_COUNT)
		return weight;
	if (weight == 0)
		return NAN;
	if (m->fn == FN_MIN || m->fn == FN_MAX)
		return m->fn == FN_MIN ? least : greatest;
	return (double) (m->fn == FN_SUM ? sum : sum / weight);
}

static void
run_fold(const Query *query, const Metric *m, const Groups *groups, Result *result)
{
	for (int g = 0; g < groups->n; g++)
	{
		Series *s = result_add(result);

		label_group(s, m, &groups->g[g], false);
		for (int k = 0; k < result->at.n; k++)
			s->values[k] = fold_cell(query, m, &groups->g[g], &result->at, k);
	}
}

/* ---- buckets: powers of two of whole numbers ---- */

#define BUCKETS 64

/* The exponent of the bucket of a value, or -1. */
static int
bucket_of(const Metric *m, const Span *span)
{
	Val v = eval_field(&m->field, (At){span, AT_FIRST, AT_FIRST});
	int e = 1;

	if ((v.type != T_INT && v.type != T_DURATION) || v.i < 2)
		return -1;
	while (e < 63 && (INT64_C(1) << e) < v.i)
		e++;
	return e;
}

static double
bucket_bound(const Metric *m, int e)
{
	bool duration = expr_type(&(Expr){.kind = X_FIELD, .field = m->field}) == T_DURATION;

	return duration ? ldexp(1, e) / 1e9 : ldexp(1, e);
}

static void
count_buckets(const Query *query, const Metric *m, const Group *g, const Intervals *at, int k, double *counts)
{
	memset(counts, 0, BUCKETS * sizeof(double));
	for (int i = 0; i < g->n; i++)
	{
		int e = k < 0 || interval_of(at, g->spans[i]) == k ? bucket_of(m, g->spans[i]) : -1;

		if (e >= 0)
			counts[e] += span_weight(g->spans[i], query);
	}
}

static void
run_histogram(const Query *query, const Metric *m, const Groups *groups, Result *result)
{
	double all[BUCKETS], counts[BUCKETS];

	for (int g = 0; g < groups->n; g++)
	{
		count_buckets(query, m, &groups->g[g], &result->at, -1, all);
		for (int e = 0; e < BUCKETS; e++)
		{
			Series *s;

			if (all[e] == 0)
				continue;
			s = result_add(result);
			label_group(s, m, &groups->g[g], true);
			add_label(s, text_of("__bucket"), (Val){.type = T_FLOAT, .d = bucket_bound(m, e)});
			for (int k = 0; k < result->at.n; k++)
			{
				count_buckets(query, m, &groups->g[g], &result->at, k, counts);
				s->values[k] = counts[e];
			}
		}
	}
}

/* Within the bucket where the quantile falls, along the exponent. */
static double
quantile_of(const Metric *m, const double *counts, double q)
{
	double total = 0, t = 0, wanted;
	int before = -1;

	for (int e = 0; e < BUCKETS; e++)
		total += counts[e];
	if (total == 0)
		return 0;
	wanted = ceil(q * total);
	wanted = wanted < 1 ? 1 : wanted;
	for (int e = 0; e < BUCKETS; e++)
	{
		double hi = log2(bucket_bound(m, e)), lo;

		if (counts[e] == 0)
			continue;
		lo = before < 0 ? hi - 1 : log2(bucket_bound(m, before));
		if (t + counts[e] > wanted)
			return pow(2, lo + (hi - lo) * (wanted - t) / counts[e]);
		t += counts[e];
		if (t == wanted)
			return bucket_bound(m, e);
		before = e;
	}
	return bucket_bound(m, before);
}

static void
run_quantile(const Query *query, const Metric *m, const Groups *groups, Result *result)
{
	double counts[BUCKETS];

	for (int g = 0; g < groups->n; g++)
	{
		double any = 0;

		count_buckets(query, m, &groups->g[g], &result->at, -1, counts);
		for (int e = 0; e < BUCKETS; e++)
			any += counts[e];
		for (int i = 0; i < m->nq && any > 0; i++)
		{
			Series *s = result_add(result);

			label_group(s, m, &groups->g[g], true);
			add_label(s, text_of("p"), (Val){.type = T_FLOAT, .d = m->q[i]});
			for (int k = 0; k < result->at.n; k++)
			{
				count_buckets(query, m, &groups->g[g], &result->at, k, counts);
				s->values[k] = quantile_of(m, counts, m->q[i]);
			}
		}
	}
}

/* ---- a query ---- */

static bool
run_metric(const Data *data, const Query *query, const Metric *m, Result *result)
{
	const Span **spans;
	Groups groups;
	int n;

	if (!pick_spans(data, m->pipeline, &result->at, &spans, &n))
		return false;
	if (m->fn == FN_COMPARE)
	{
		run_compare(m, query, spans, n, result);
		return true;
	}
	groups = make_groups(m, spans, n);
	if (m->fn == FN_HISTOGRAM)
		run_histogram(query, m, &groups, result);
	else if (m->fn == FN_QUANTILE)
		run_quantile(query, m, &groups, result);
	else
		run_fold(query, m, &groups, result);
	return true;
}

static bool
is_number_leaf(const Calc *c)
{
	return c->op == OP_NONE && !c->metric;
}

static bool
run_calc(const Data *data, const Query *query, const Calc *c, Result *result)
{
	Result left = {.at = result->at}, right = {.at = result->at};
	bool done = true;

	if (c->op == OP_NONE)
		done = run_metric(data, query, c->metric, result);
	else if (is_number_leaf(c->left) || is_number_leaf(c->right))
	{
		bool first = is_number_leaf(c->left);

		done = run_calc(data, query, first ? c->right : c->left, result);
		combine_number(c->op, first ? &c->left->number : &c->right->number, first, result);
	}
	else
	{
		done = run_calc(data, query, c->left, &left) && run_calc(data, query, c->right, &right);
		combine_results(c->op, &left, &right, result);
	}
	result_drop_empty(result);
	apply_seconds(c->second, result);
	return done;
}

bool
run_metrics(const Data *data, const Query *query, Intervals at, Result *result)
{
	*result = (Result){.at = at};
	return run_calc(data, query, query->metrics, result);
}
