/*
 * order.c
 *	  The order of series: fewer labels first, then label by label. There may be as many as spans, so what
 *mostly decides is held beside each other, and cancel is heard in between.
 */
#include "traceql/metrics/internal.h"

#include <stdlib.h>

typedef struct Ordered
{
	uint32_t nlabels;
	uint32_t type;    /* of the first label's value */
	const char *name; /* of the first label, as a pointer: equal ones are equal names */
	uint64_t prefix;  /* first bytes of the value when it is a string, so that they compare as they do */
	const MetricsSeries *series;
} Ordered;

static int
compare_doubles(double a, double b)
{
	return (a > b) - (a < b);
}

/* By type, then by value, of words as they are shown. */
int
label_value_compare(const EvalValue *a, const EvalValue *b)
{
	int c;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	switch (a->type)
	{
		case EVAL_STRING:
		case EVAL_ARRAY: return str_cmp(a->s, b->s);
		case EVAL_BOOL: return (int) a->b - (int) b->b;
		case EVAL_FLOAT: c = compare_doubles(a->d, b->d); return c ? c : (a->i > b->i) - (a->i < b->i);
		case EVAL_NIL: return 0;
		case EVAL_STATUS: return strcmp(traceql_status_name(a->i), traceql_status_name(b->i));
		case EVAL_KIND: return strcmp(traceql_kind_name(a->i), traceql_kind_name(b->i));
		default: return (a->i > b->i) - (a->i < b->i);
	}
}

static int
by_labels(const MetricsSeries *x, const MetricsSeries *y)
{
	for (uint32_t i = 0; i < x->nlabels; i++)
	{
		int c = str_cmp(x->labels[i].name, y->labels[i].name);

		if (c == 0)
			c = label_value_compare(&x->labels[i].value, &y->labels[i].value);
		if (c != 0)
			return c;
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const Ordered *x = a;
	const Ordered *y = b;

	if (x->nlabels != y->nlabels)
		return x->nlabels < y->nlabels ? -1 : 1;
	if (x->name == y->name && x->type == y->type && x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return by_labels(x->series, y->series);
}

/* Bytes as a big-endian number; what is missing counts as 0, so a longer string is never before. */
static uint64_t
prefix_of(Str s)
{
	uint64_t prefix = 0;

	for (uint32_t i = 0; i < 8; i++)
		prefix = prefix << 8 | (i < s.len ? (uint8_t) s.p[i] : 0);
	return prefix;
}

static Ordered
ordered(const MetricsSeries *s)
{
	Ordered o = {.nlabels = s->nlabels, .series = s};

	if (s->nlabels == 0)
		return o;
	o.name = s->labels[0].name.p;
	o.type = s->labels[0].value.type;
	if (o.type == EVAL_STRING || o.type == EVAL_ARRAY)
		o.prefix = prefix_of(s->labels[0].value.s);
	return o;
}

/* Runs of so many are sorted at once. */
#define RUN 8192

static void
merge_runs(MetricsRun *run, const Ordered *from, uint32_t n, uint32_t width, Ordered *to)
{
	for (uint32_t start = 0; start < n; start += 2 * width)
	{
		uint32_t middle = n - start > width ? start + width : n;
		uint32_t end = n - start > 2 * width ? start + 2 * width : n;
		uint32_t a = start;
		uint32_t b = middle;

		for (uint32_t i = start; i < end; i++)
		{
			run_tick(run->leaves[0].run);
			to[i] = a < middle && (b >= end || compare(&from[a], &from[b]) <= 0) ? from[a++] : from[b++];
		}
	}
}

void
result_sort(MetricsRun *run, Arena *arena, MetricsResult *result)
{
	uint32_t n = result->nseries;
	Ordered *order;
	Ordered *other;
	MetricsSeries *sorted;

	if (n < 2)
		return;
	metrics_room(run, n * (2 * sizeof(Ordered) + sizeof(MetricsSeries)));
	order = arena_alloc(arena, n * sizeof(Ordered));
	other = arena_alloc(arena, n * sizeof(Ordered));
	sorted = arena_alloc(arena, n * sizeof(MetricsSeries));
	for (uint32_t i = 0; i < n; i++)
		order[i] = ordered(&result->series[i]);
	for (uint32_t i = 0; i < n; i += RUN)
		qsort(order + i, n - i < RUN ? n - i : RUN, sizeof(Ordered), compare);
	for (uint32_t width = RUN; width < n; width *= 2)
	{
		Ordered *merged = other;

		merge_runs(run, order, n, width, merged);
		other = order;
		order = merged;
	}
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = *order[i].series;
	result->series = sorted;
}
