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

/* What compare() shows of whole traces. */
static void
plan_compare(LeafPlan *leaf)
{
	static const TraceqlAttr child_count = {.intrinsic = TQL_CHILD_COUNT};

	leaf->selection = plan_filter(leaf->spans, leaf->metric->filter);
	leaf->child_count = plan_slot(leaf->spans, &child_count);
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
		plan_compare(leaf);
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
	plan->by_spans = true;
	for (uint32_t i = 0; i < plan->nleaves; i++)
		plan->by_spans &= plan_local(plan->leaves[i].spans) && plan->leaves[i].fold != FOLD_COMPARE;
	return plan;
}

void
metrics_plan_free(MetricsPlan *plan)
{
	for (uint32_t i = 0; i < plan->nleaves; i++)
		traceql_plan_free(plan->leaves[i].spans);
	plan->nleaves = 0;
}

bool
metrics_by_spans(const MetricsPlan *plan)
{
	return plan->by_spans;
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
