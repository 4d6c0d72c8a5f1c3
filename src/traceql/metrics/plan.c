/*
 * plan.c
 *	  From the syntax tree to leaves: pipelines with what is to be measured and grouped.
 */
#include "traceql/metrics/internal.h"

static void *
grow(Arena *arena, void *old, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? *cap * 2 : 4;

	if (n < *cap)
		return old;
	old = arena_grow(arena, old, *cap * size, more * size);
	*cap = more;
	return old;
}

static Fold
fold_of(TraceqlMetricFn fn)
{
	switch (fn)
	{
		case TQL_RATE:
		case TQL_COUNT_OVER_TIME: return FOLD_COUNT;
		case TQL_MIN_OVER_TIME: return FOLD_MIN;
		case TQL_MAX_OVER_TIME: return FOLD_MAX;
		case TQL_AVG_OVER_TIME:
		case TQL_SUM_OVER_TIME: return FOLD_SUM;
		case TQL_QUANTILE_OVER_TIME:
		case TQL_HISTOGRAM_OVER_TIME: return FOLD_BUCKETS;
		case TQL_COMPARE: break;
	}
	return FOLD_COMPARE;
}

static void
plan_leaf(Arena *arena, const TraceqlMetricExpr *node, LeafPlan *leaf)
{
	const TraceqlMetric *metric = node->metric;

	leaf->metric = metric;
	leaf->fold = fold_of(metric->fn);
	leaf->spans = traceql_plan_pipeline(arena, node->pipeline);
	leaf->nby = metric->nby;
	for (uint32_t i = 0; i < metric->nby; i++)
		leaf->by[i] = plan_slot(leaf->spans, &metric->by[i]);
	if (leaf->fold == FOLD_COMPARE)
		leaf->selection = plan_filter(leaf->spans, metric->filter);
	else if (leaf->fold != FOLD_COUNT)
	{
		leaf->measured = plan_slot(leaf->spans, &metric->attr);
		leaf->seconds = traceql_attr_type(&metric->attr) == TQL_TYPE_DURATION;
	}
}

static Str
leaf_text(Arena *arena, const TraceqlMetricExpr *node)
{
	Buf text;

	buf_init(&text, arena, 128);
	traceql_print_pipeline(node->pipeline, &text);
	buf_put(&text, " | ", 3);
	traceql_print_metric(node->metric, &text);
	return str_of((char *) text.p, text.len);
}

static uint32_t
leaf_number(MetricsPlan *plan, const TraceqlMetricExpr *node)
{
	Str text = leaf_text(plan->arena, node);
	LeafPlan *leaf;

	for (uint32_t i = 0; i < plan->nleaves; i++)
		if (str_eq(plan->leaves[i].text, text))
			return i;
	plan->leaves = grow(plan->arena, plan->leaves, plan->nleaves, &plan->cap_leaves, sizeof(LeafPlan));
	leaf = &plan->leaves[plan->nleaves];
	*leaf = (LeafPlan){.text = text};
	plan_leaf(plan->arena, node, leaf);
	return plan->nleaves++;
}

static void
plan_node(MetricsPlan *plan, const TraceqlMetricExpr *node)
{
	if (node->kind == TQL_METRIC_ARITH)
	{
		plan_node(plan, node->left);
		plan_node(plan, node->right);
	}
	else if (node->kind == TQL_METRIC_LEAF)
	{
		uint32_t leaf = leaf_number(plan, node);

		plan->nodes = grow(plan->arena, plan->nodes, plan->nnodes, &plan->cap_nodes, sizeof(LeafNode));
		plan->nodes[plan->nnodes++] = (LeafNode){node, leaf};
	}
}

/* compare() shows roots and children, whatever its conditions are about. */
static MetricsReading
reading_of(const MetricsPlan *plan)
{
	for (uint32_t i = 0; i < plan->nleaves; i++)
		if (!plan_local(plan->leaves[i].spans))
			return METRICS_BY_TRACES;
	return plan->leaves[0].fold == FOLD_COMPARE ? METRICS_BY_BOTH : METRICS_BY_SPANS;
}

MetricsPlan *
metrics_plan(Arena *arena, const TraceqlQuery *query, const char **why)
{
	const TraceqlStatic *extrapolate = traceql_hint(query, "extrapolate");
	MetricsPlan *plan;

	if (!query->metrics)
	{
		*why = "not a metrics query";
		return NULL;
	}
	plan = arena_alloc0(arena, sizeof(MetricsPlan));
	plan->arena = arena;
	plan->query = query;
	plan->extrapolate = extrapolate && extrapolate->type == TQL_TYPE_BOOL && extrapolate->b;
	plan_node(plan, query->metrics);
	plan->reading = reading_of(plan);
	return plan;
}

void
metrics_plan_free(MetricsPlan *plan)
{
	for (uint32_t i = 0; i < plan->nleaves; i++)
		traceql_plan_free(plan->leaves[i].spans);
	plan->nleaves = 0;
}

MetricsReading
metrics_reading(const MetricsPlan *plan)
{
	return plan->reading;
}

bool
metrics_shares_attributes(const MetricsPlan *plan)
{
	return plan->reading == METRICS_BY_BOTH && plan->nleaves == 1;
}

double
metrics_plan_cost(const MetricsPlan *plan)
{
	double cost = 0;

	for (uint32_t i = 0; i < plan->nleaves; i++)
	{
		const LeafPlan *leaf = &plan->leaves[i];

		cost += leaf->fold == FOLD_COMPARE ? 25 : plan_local(leaf->spans) ? 1 : 5;
	}
	return cost;
}

const TraceqlAttr *
metrics_plan_attribute(const MetricsPlan *plan, uint32_t i)
{
	for (uint32_t leaf = 0; leaf < plan->nleaves; leaf++)
	{
		if (i < plan->leaves[leaf].spans->nslots)
			return traceql_plan_attribute(plan->leaves[leaf].spans, i);
		i -= plan->leaves[leaf].spans->nslots;
	}
	return NULL;
}
