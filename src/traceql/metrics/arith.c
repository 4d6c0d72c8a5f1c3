/*
 * arith.c
 *	  Arithmetic between metrics: series with equal labels are paired, __name__ aside, and combined point by
 *	  point. A side that is one series without labels goes with every series of the other.
 */
#include "traceql/metrics/internal.h"

#include "codec/codec.h"

#include <math.h>

/* Missing on either side, or divided by zero: missing. */
static double
combine(TraceqlOp op, double a, double b)
{
	switch (op)
	{
		case TQL_OP_ADD: return a + b;
		case TQL_OP_SUB: return a - b;
		case TQL_OP_MUL: return a * b;
		default: return b == 0 ? NAN : a / b;
	}
}

static bool
is_name(const MetricsLabel *l)
{
	return str_eq(l->name, str_lit("__name__"));
}

static const MetricsLabel *
name_of(const MetricsSeries *s)
{
	for (uint32_t i = 0; i < s->nlabels; i++)
		if (is_name(&s->labels[i]))
			return &s->labels[i];
	return NULL;
}

static uint32_t
labels_but_name(const MetricsSeries *s)
{
	return s->nlabels - (name_of(s) != NULL);
}

static bool
has_label(const MetricsSeries *s, const MetricsLabel *l)
{
	for (uint32_t i = 0; i < s->nlabels; i++)
		if (str_eq(s->labels[i].name, l->name) && eval_same(&s->labels[i].value, &l->value))
			return true;
	return false;
}

static bool
same_labels(const MetricsSeries *a, const MetricsSeries *b)
{
	if (labels_but_name(a) != labels_but_name(b))
		return false;
	for (uint32_t i = 0; i < a->nlabels; i++)
		if (!is_name(&a->labels[i]) && !has_label(b, &a->labels[i]))
			return false;
	return true;
}

/* The same for the same labels in any order. */
static uint64_t
labels_hash(const MetricsSeries *s)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < s->nlabels; i++)
		if (!is_name(&s->labels[i]))
			h += codec_hash64(s->labels[i].name.p, s->labels[i].name.len) ^ eval_hash(&s->labels[i].value);
	return h ^ (h >> 32);
}

static Str
joined_name(Arena *arena, Str l, TraceqlOp op, Str r)
{
	Buf name;

	buf_init(&name, arena, 64);
	buf_put(&name, "(", 1);
	buf_put(&name, l.p, l.len);
	buf_put(&name, " ", 1);
	buf_put(&name, traceql_op_text(op), strlen(traceql_op_text(op)));
	buf_put(&name, " ", 1);
	buf_put(&name, r.p, r.len);
	buf_put(&name, ")", 1);
	return str_of((char *) name.p, name.len);
}

/* ---- a pair of series ---- */

typedef struct Joining
{
	Arena *arena;
	TraceqlOp op;
	MetricsResult *result;
	uint32_t cap;
} Joining;

static void
join_labels(Joining *j, const MetricsSeries *l, const MetricsSeries *r, MetricsSeries *out)
{
	const MetricsSeries *from = labels_but_name(l) >= labels_but_name(r) ? l : r;
	const MetricsLabel *a = name_of(l);
	const MetricsLabel *b = name_of(r);

	if (a && b)
	{
		out->labels[out->nlabels] = *a;
		out->labels[out->nlabels++].value.s = joined_name(j->arena, a->value.s, j->op, b->value.s);
	}
	for (uint32_t i = 0; i < from->nlabels; i++)
		if (!is_name(&from->labels[i]))
			out->labels[out->nlabels++] = from->labels[i];
}

/* Examples of both sides, each with the value of the result at its time. */
static void
join_exemplars(Joining *j, const MetricsSeries *from, MetricsSeries *out)
{
	out->exemplars = arena_grow(j->arena, out->exemplars, out->nexemplars * sizeof(MetricsExemplar),
								((size_t) out->nexemplars + from->nexemplars + 1) * sizeof(MetricsExemplar));
	for (uint32_t i = 0; i < from->nexemplars; i++)
	{
		MetricsExemplar e = from->exemplars[i];

		e.value = out->values[e.interval];
		if (!isnan(e.value))
			out->exemplars[out->nexemplars++] = e;
	}
}

static void
join_series(Joining *j, const MetricsSeries *l, const MetricsSeries *r)
{
	MetricsSeries *out = result_append(j->arena, j->result, &j->cap, l->nlabels + r->nlabels);

	join_labels(j, l, r, out);
	for (uint32_t k = 0; k < j->result->range.n; k++)
		out->values[k] = combine(j->op, l->values[k], r->values[k]);
	join_exemplars(j, l, out);
	join_exemplars(j, r, out);
}

/* ---- two sides ---- */

static bool
is_bare(const MetricsResult *side)
{
	return side->nseries == 1 && labels_but_name(&side->series[0]) == 0;
}

static void
join_matching(MetricsRun *run, Joining *j, const MetricsResult *l, const MetricsResult *r)
{
	uint32_t mask = 1;
	uint32_t *table;

	while (mask < r->nseries * 2)
		mask = mask * 2 + 1;
	table = arena_alloc0(j->arena, ((size_t) mask + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < r->nseries; i++)
	{
		uint32_t h = (uint32_t) labels_hash(&r->series[i]) & mask;

		while (table[h])
			h = (h + 1) & mask;
		table[h] = i + 1;
	}
	for (uint32_t i = 0; i < l->nseries; i++)
	{
		uint32_t h = (uint32_t) labels_hash(&l->series[i]) & mask;

		run_tick(run->leaves[0].run);
		while (table[h] && !same_labels(&l->series[i], &r->series[table[h] - 1]))
			h = (h + 1) & mask;
		if (table[h])
			join_series(j, &l->series[i], &r->series[table[h] - 1]);
	}
}

static MetricsResult *
join_sides(MetricsRun *run, Arena *arena, TraceqlOp op, const MetricsResult *l, const MetricsResult *r)
{
	Joining j = {.arena = arena, .op = op, .result = result_make(arena, &l->range)};

	if (is_bare(l))
	{
		for (uint32_t i = 0; i < r->nseries; i++)
			join_series(&j, &l->series[0], &r->series[i]);
	}
	else if (is_bare(r))
	{
		for (uint32_t i = 0; i < l->nseries; i++)
			join_series(&j, &l->series[i], &r->series[0]);
	}
	else
		join_matching(run, &j, l, r);
	return j.result;
}

/* ---- numbers ---- */

static void
apply_number(MetricsResult *side, TraceqlOp op, double number, bool left)
{
	for (uint32_t i = 0; i < side->nseries; i++)
	{
		MetricsSeries *s = &side->series[i];

		for (uint32_t k = 0; k < side->range.n; k++)
			s->values[k] = left ? combine(op, number, s->values[k]) : combine(op, s->values[k], number);
		for (uint32_t e = 0; e < s->nexemplars; e++)
			s->exemplars[e].value = left ? combine(op, number, s->exemplars[e].value)
										 : combine(op, s->exemplars[e].value, number);
	}
}

static double
number_of(const TraceqlMetricExpr *node)
{
	return node->number.type == TQL_TYPE_FLOAT ? node->number.f : (double) node->number.i;
}

static Leaf *
leaf_of(MetricsRun *run, const TraceqlMetricExpr *node)
{
	for (uint32_t i = 0; i < run->plan->nnodes; i++)
		if (run->plan->nodes[i].node == node)
			return &run->leaves[run->plan->nodes[i].leaf];
	return NULL; /* not reached: every leaf is listed */
}

static MetricsResult *
arith_node(MetricsRun *run, Arena *arena, const TraceqlMetricExpr *node)
{
	MetricsResult *side;

	if (node->left->kind == TQL_METRIC_NUMBER)
	{
		side = arith_result(run, arena, node->right);
		apply_number(side, node->op, number_of(node->left), true);
		return side;
	}
	side = arith_result(run, arena, node->left);
	if (node->right->kind == TQL_METRIC_NUMBER)
		apply_number(side, node->op, number_of(node->right), false);
	else
		side = join_sides(run, arena, node->op, side, arith_result(run, arena, node->right));
	return side;
}

MetricsResult *
arith_result(MetricsRun *run, Arena *arena, const TraceqlMetricExpr *node)
{
	MetricsResult *result =
		node->kind == TQL_METRIC_LEAF ? leaf_result(leaf_of(run, node), arena) : arith_node(run, arena, node);

	result_drop_empty(result);
	second_apply(run, arena, node->seconds, result);
	return result;
}

MetricsResult *
metrics_finish(MetricsRun *run, Arena *arena)
{
	MetricsResult *result = arith_result(run, arena, run->plan->query->metrics);

	result_sort(run, arena, result);
	return result;
}
