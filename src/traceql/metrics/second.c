/*
 * second.c
 *	  Second stages: topk and bottomk at every point in time, comparisons with a number.
 *
 *	  Among equal values topk keeps the earlier series and bottomk the later, in an order of their own that
 *	  looks at label values before names (tie_order).
 */
#include "traceql/metrics/internal.h"

#include <math.h>
#include <stdlib.h>

/* ---- order among equals ---- */

/* What has a text compares by it; numbers and bools all have the empty one. */
static Str
tie_text(const EvalValue *v, Arena *arena)
{
	Buf text;

	switch (v->type)
	{
		case EVAL_STRING: return v->s;
		case EVAL_NIL: return str_lit("nil");
		case EVAL_STATUS: return str_lit(traceql_status_name(v->i));
		case EVAL_KIND: return str_lit(traceql_kind_name(v->i));
		case EVAL_DURATION:
			buf_init(&text, arena, 32);
			traceql_print_duration(v->i, &text);
			return str_of((char *) text.p, text.len);
		default: return str_of("", 0);
	}
}

static int
tie_type(const EvalValue *v)
{
	switch (v->type)
	{
		case EVAL_BOOL: return 0;
		case EVAL_FLOAT: return 2;
		case EVAL_INT: return 3;
		default: return 1;
	}
}

static uint64_t
tie_bits(const EvalValue *v)
{
	return v->type == EVAL_BOOL ? v->b : (uint64_t) v->i;
}

typedef struct TieLabel
{
	Str text;
	Str name;
	int type;
	uint64_t bits;
	const EvalValue *value;
} TieLabel;

static int
compare_labels(const TieLabel *a, const TieLabel *b)
{
	int c = str_cmp(a->text, b->text);

	if (c == 0)
		c = str_cmp(a->name, b->name);
	if (c == 0)
		c = a->type - b->type;
	if (c == 0 && a->type != 1 && a->bits != b->bits)
		c = a->bits > b->bits ? -1 : 1;
	/* arrays, and words that are both a text and a status or kind */
	return c ? c : label_value_compare(a->value, b->value);
}

typedef struct Tie
{
	uint32_t series;
	uint32_t n;
	TieLabel *labels;
} Tie;

static int
compare_ties(const void *a, const void *b)
{
	const Tie *x = a;
	const Tie *y = b;

	for (uint32_t i = 0; i < x->n && i < y->n; i++)
	{
		int c = compare_labels(&x->labels[i], &y->labels[i]);

		if (c != 0)
			return c;
	}
	return (x->n > y->n) - (x->n < y->n);
}

/* Place of each series among equals. */
static uint32_t *
tie_order(Arena *arena, const MetricsResult *result)
{
	Tie *ties = arena_alloc(arena, (result->nseries + 1) * sizeof(Tie));
	uint32_t *place = arena_alloc(arena, (result->nseries + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < result->nseries; i++)
	{
		const MetricsSeries *s = &result->series[i];

		ties[i] = (Tie){i, s->nlabels, arena_alloc(arena, (s->nlabels + 1) * sizeof(TieLabel))};
		for (uint32_t l = 0; l < s->nlabels; l++)
		{
			const EvalValue *v = &s->labels[l].value;

			ties[i].labels[l] =
				(TieLabel){tie_text(v, arena), s->labels[l].name, tie_type(v), tie_bits(v), v};
		}
	}
	qsort(ties, result->nseries, sizeof(Tie), compare_ties);
	for (uint32_t i = 0; i < result->nseries; i++)
		place[ties[i].series] = i;
	return place;
}

/* ---- topk, bottomk ---- */

typedef struct Point
{
	double value;
	uint32_t place;
	uint32_t series;
} Point;

/* Does x have to leave before y? */
static bool
leaves_before(const Point *x, const Point *y, bool top)
{
	if (x->value != y->value)
		return top ? x->value < y->value : x->value > y->value;
	return top ? x->place > y->place : x->place < y->place;
}

/* A heap with the one to leave next on top. */
static void
sift_down(Point *heap, uint32_t n, uint32_t i, bool top)
{
	Point moved = heap[i];

	for (uint64_t child = 2 * (uint64_t) i + 1; child < n; child = 2 * (uint64_t) i + 1)
	{
		if (child + 1 < n && leaves_before(&heap[child + 1], &heap[child], top))
			child++;
		if (!leaves_before(&heap[child], &moved, top))
			break;
		heap[i] = heap[child];
		i = (uint32_t) child;
	}
	heap[i] = moved;
}

static uint32_t
keep_points(const MetricsResult *result, uint32_t k, const uint32_t *place, bool top, uint32_t max,
			Point *heap)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < result->nseries; i++)
	{
		Point p = {result->series[i].values[k], place[i], i};

		if (isnan(p.value))
			continue;
		if (n < max)
		{
			heap[n++] = p;
			if (n == max)
				for (uint32_t j = n / 2 + 1; j-- > 0;)
					sift_down(heap, n, j, top);
		}
		else if (leaves_before(&heap[0], &p, top))
		{
			heap[0] = p;
			sift_down(heap, n, 0, top);
		}
	}
	return n;
}

static void
keep_extremes(MetricsRun *run, Arena *arena, bool top, int64_t max, MetricsResult *result)
{
	uint32_t *place;
	Point *heap;
	uint8_t *kept;

	if (max >= result->nseries)
		return;
	place = tie_order(arena, result);
	heap = arena_alloc(arena, ((size_t) max + 1) * sizeof(Point));
	kept = arena_alloc(arena, result->nseries);
	for (uint32_t k = 0; k < result->range.n; k++)
	{
		uint32_t n = keep_points(result, k, place, top, (uint32_t) max, heap);

		run_tick(run->leaves[0].run);
		memset(kept, 0, result->nseries);
		for (uint32_t i = 0; i < n; i++)
			kept[heap[i].series] = 1;
		for (uint32_t i = 0; i < result->nseries; i++)
			if (!kept[i])
				result->series[i].values[k] = NAN;
	}
}

/* ---- comparisons ---- */

static bool
holds(TraceqlOp op, double a, double b)
{
	switch (op)
	{
		case TQL_OP_EQ: return a == b;
		case TQL_OP_NE: return a != b;
		case TQL_OP_LT: return a < b;
		case TQL_OP_LE: return a <= b;
		case TQL_OP_GT: return a > b;
		default: return a >= b;
	}
}

static double
number(const TraceqlStatic *v)
{
	if (v->type == TQL_TYPE_FLOAT)
		return v->f;
	return v->type == TQL_TYPE_DURATION ? (double) v->i / 1e9 : (double) v->i;
}

static void
keep_holding(const TraceqlSecond *second, MetricsResult *result)
{
	double limit = number(&second->value);

	for (uint32_t i = 0; i < result->nseries; i++)
	{
		MetricsSeries *s = &result->series[i];
		uint32_t left = 0;

		for (uint32_t k = 0; k < result->range.n; k++)
			if (!holds(second->cmp, s->values[k], limit))
				s->values[k] = NAN;
		for (uint32_t e = 0; e < s->nexemplars; e++)
			if (holds(second->cmp, s->exemplars[e].value, limit))
				s->exemplars[left++] = s->exemplars[e];
		s->nexemplars = left;
	}
}

void
second_apply(MetricsRun *run, Arena *arena, const TraceqlSecond *seconds, MetricsResult *result)
{
	for (const TraceqlSecond *s = seconds; s; s = s->next)
	{
		if (s->kind == TQL_SECOND_COMPARE)
			keep_holding(s, result);
		else
			keep_extremes(run, arena, s->kind == TQL_SECOND_TOPK, s->n, result);
		result_drop_empty(result);
	}
}
