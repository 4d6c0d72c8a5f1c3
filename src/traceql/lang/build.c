/*
 * build.c
 *	  Constructors of syntax tree nodes. They bound the height of trees, so that every later walk may
 *	  recurse, and replace operations on literals by their value.
 */
#include "traceql/lang/parser.h"

static uint32_t
higher(TraceqlParser *st, uint32_t a, uint32_t b, uint32_t pos)
{
	uint32_t depth = (a > b ? a : b) + 1;

	if (depth > TRACEQL_MAX_DEPTH)
		traceql_fail(st, TQL_ERROR_PARSE, pos,
					 "the query is nested too deeply: an expression may be at most %d operations high",
					 TRACEQL_MAX_DEPTH);
	return depth;
}

/* ---- attributes and lists ---- */

TraceqlAttr *
traceql_new_attr(TraceqlParser *st, TraceqlScope scope, Str key, uint32_t pos)
{
	TraceqlAttr *attr = arena_alloc0(st->arena, sizeof(*attr));

	attr->scope = scope;
	attr->key = key;
	attr->pos = pos;
	return attr;
}

TraceqlAttr *
traceql_new_intrinsic(TraceqlParser *st, TraceqlIntrinsic intrinsic, uint32_t pos)
{
	TraceqlAttr *attr = traceql_new_attr(st, TQL_SCOPE_NONE, str_lit(traceql_intrinsic_name(intrinsic)), pos);

	attr->intrinsic = intrinsic;
	return attr;
}

/* Room for one more item in an array that doubles. */
static void *
room_for_one(Arena *arena, void *items, uint32_t n, uint32_t *cap, size_t item_size)
{
	uint32_t old = *cap;

	if (n < old)
		return items;
	*cap = old ? old * 2 : 4;
	return arena_grow(arena, items, old * item_size, *cap * item_size);
}

TraceqlAttrList *
traceql_attr_list(TraceqlParser *st, TraceqlAttrList *list, const TraceqlAttr *attr)
{
	if (list == NULL)
		list = arena_alloc0(st->arena, sizeof(*list));
	list->attrs = room_for_one(st->arena, list->attrs, list->n, &list->cap, sizeof(*attr));
	list->attrs[list->n++] = *attr;
	return list;
}

TraceqlNumberList *
traceql_number_list(TraceqlParser *st, TraceqlNumberList *list, TraceqlStatic number)
{
	if (list == NULL)
		list = arena_alloc0(st->arena, sizeof(*list));
	list->values = room_for_one(st->arena, list->values, list->n, &list->cap, sizeof(double));
	list->values[list->n++] = number.type == TQL_TYPE_INT ? (double) number.i : number.f;
	return list;
}

/* ---- field expressions ---- */

static TraceqlExpr *
new_expr(TraceqlParser *st, TraceqlExprKind kind, TraceqlOp op, uint32_t depth, uint32_t pos)
{
	TraceqlExpr *e = arena_alloc0(st->arena, sizeof(*e));

	e->kind = kind;
	e->op = op;
	e->depth = depth;
	e->pos = pos;
	return e;
}

TraceqlExpr *
traceql_new_static(TraceqlParser *st, TraceqlStatic value, uint32_t pos)
{
	TraceqlExpr *e = new_expr(st, TQL_STATIC, TQL_OP_NONE, 1, pos);

	e->value = value;
	return e;
}

TraceqlExpr *
traceql_new_attr_expr(TraceqlParser *st, const TraceqlAttr *attr)
{
	TraceqlExpr *e = new_expr(st, TQL_ATTR, TQL_OP_NONE, 1, attr->pos);

	e->attr = *attr;
	return e;
}

TraceqlExpr *
traceql_new_unary(TraceqlParser *st, TraceqlOp op, TraceqlExpr *operand, uint32_t pos)
{
	TraceqlStatic value;
	TraceqlExpr *e;

	if (operand->kind == TQL_STATIC && traceql_fold_unary(op, &operand->value, &value))
		return traceql_new_static(st, value, pos);
	e = new_expr(st, TQL_UNARY, op, higher(st, operand->depth, 0, pos), pos);
	e->left = operand;
	return e;
}

static bool
is_string(const TraceqlExpr *e)
{
	return e->kind == TQL_STATIC && e->value.type == TQL_TYPE_STRING;
}

/* Trace ids are shown without leading zeros, so a literal compared with one loses them too. */
static void
strip_trace_id(const TraceqlExpr *attr, TraceqlExpr *literal)
{
	if (attr->kind != TQL_ATTR || !is_string(literal))
		return;
	if (attr->attr.intrinsic != TQL_TRACE_ID && attr->attr.intrinsic != TQL_LINK_TRACE_ID)
		return;
	while (literal->value.s.len > 0 && literal->value.s.p[0] == '0')
	{
		literal->value.s.p++;
		literal->value.s.len--;
	}
}

TraceqlExpr *
traceql_new_binary(TraceqlParser *st, TraceqlOp op, TraceqlExpr *left, TraceqlExpr *right, uint32_t pos)
{
	TraceqlStatic value;
	TraceqlExpr *e;

	if (left->kind == TQL_STATIC && right->kind == TQL_STATIC &&
		traceql_fold_binary(st->arena, op, left, right, &value))
		return traceql_new_static(st, value, left->pos);
	if (op == TQL_OP_EQ || op == TQL_OP_NE)
	{
		strip_trace_id(left, right);
		strip_trace_id(right, left);
	}
	e = new_expr(st, TQL_BINARY, op, higher(st, left->depth, right->depth, pos), pos);
	e->left = left;
	e->right = right;
	return e;
}

TraceqlExpr *
traceql_new_nil_test(TraceqlParser *st, TraceqlExprKind kind, TraceqlExpr *operand, uint32_t pos)
{
	TraceqlStatic value = {.type = TQL_TYPE_BOOL};
	TraceqlExpr *e;

	if (operand == NULL || operand->kind == TQL_STATIC)
	{
		/* nil is not even equal to itself, as any operator with nil on a side is false */
		value.b = operand != NULL && kind == TQL_NOT_NIL;
		return traceql_new_static(st, value, operand ? operand->pos : pos);
	}
	e = new_expr(st, kind, TQL_OP_NONE, higher(st, operand->depth, 0, pos), pos);
	e->left = operand;
	return e;
}

/* ---- spansets ---- */

TraceqlSpanset *
traceql_new_filter(TraceqlParser *st, TraceqlExpr *filter, uint32_t pos)
{
	TraceqlSpanset *s = arena_alloc0(st->arena, sizeof(*s));

	s->filter = filter;
	s->depth = 1;
	s->pos = pos;
	return s;
}

TraceqlSpanset *
traceql_new_spanset(TraceqlParser *st, TraceqlOp op, TraceqlSpanset *left, TraceqlSpanset *right,
					uint32_t pos)
{
	TraceqlSpanset *s = arena_alloc0(st->arena, sizeof(*s));

	s->op = op;
	s->left = left;
	s->right = right;
	s->depth = higher(st, left->depth, right->depth, pos);
	s->pos = pos;
	return s;
}

/* ---- scalars ---- */

TraceqlAggregate *
traceql_new_aggregate(TraceqlParser *st, TraceqlAggregateFn fn, TraceqlExpr *arg, uint32_t pos)
{
	TraceqlAggregate *agg = arena_alloc0(st->arena, sizeof(*agg));

	agg->fn = fn;
	agg->arg = arg;
	agg->pos = pos;
	return agg;
}

static TraceqlScalar *
new_scalar(TraceqlParser *st, TraceqlScalarKind kind, uint32_t pos)
{
	TraceqlScalar *s = arena_alloc0(st->arena, sizeof(*s));

	s->kind = kind;
	s->depth = 1;
	s->pos = pos;
	return s;
}

TraceqlScalar *
traceql_new_scalar_aggregate(TraceqlParser *st, const TraceqlAggregate *agg)
{
	TraceqlScalar *s = new_scalar(st, TQL_SCALAR_AGGREGATE, agg->pos);

	s->aggregate = *agg;
	return s;
}

TraceqlScalar *
traceql_new_scalar_literal(TraceqlParser *st, TraceqlStatic value, uint32_t pos)
{
	TraceqlScalar *s = new_scalar(st, TQL_SCALAR_LITERAL, pos);

	s->literal = value;
	return s;
}

TraceqlScalar *
traceql_new_scalar_pipeline(TraceqlParser *st, TraceqlPipeline *pipeline, const TraceqlAggregate *agg,
							uint32_t pos)
{
	TraceqlScalar *s = new_scalar(st, TQL_SCALAR_PIPELINE, pos);

	s->pipeline = pipeline;
	s->aggregate = *agg;
	return s;
}

TraceqlScalar *
traceql_new_scalar_arith(TraceqlParser *st, TraceqlOp op, TraceqlScalar *left, TraceqlScalar *right,
						 uint32_t pos)
{
	TraceqlScalar *s = new_scalar(st, TQL_SCALAR_ARITH, pos);

	s->op = op;
	s->left = left;
	s->right = right;
	s->depth = higher(st, left->depth, right->depth, pos);
	return s;
}

TraceqlStatic
traceql_fold_number(TraceqlParser *st, TraceqlOp op, TraceqlStatic a, TraceqlStatic b, uint32_t pos)
{
	TraceqlStatic out = a;

	if (a.type == TQL_TYPE_DURATION || b.type == TQL_TYPE_DURATION)
		traceql_fail(st, TQL_ERROR_PARSE, pos, "a duration cannot be calculated with here; write its result");
	else if (!traceql_arith(op, &a, &b, &out))
		traceql_fail(st, TQL_ERROR_PARSE, pos, "division by zero");
	return out;
}

TraceqlStatic
traceql_negate_number(TraceqlStatic a)
{
	TraceqlStatic out;

	return traceql_fold_unary(TQL_OP_SUB, &a, &out) ? out : a;
}

/* ---- pipelines ---- */

TraceqlStage *
traceql_new_stage(TraceqlParser *st, TraceqlStageKind kind, uint32_t pos)
{
	TraceqlStage *stage = arena_alloc0(st->arena, sizeof(*stage));

	stage->kind = kind;
	stage->pos = pos;
	return stage;
}

TraceqlStage *
traceql_new_scalar_stage(TraceqlParser *st, TraceqlScalar *lhs, TraceqlOp cmp, TraceqlScalar *rhs,
						 uint32_t pos)
{
	TraceqlStage *stage = traceql_new_stage(st, TQL_STAGE_SCALAR, pos);

	stage->scalar.lhs = lhs;
	stage->scalar.cmp = cmp;
	stage->scalar.rhs = rhs;
	return stage;
}

TraceqlPipeline *
traceql_pipeline_add(TraceqlParser *st, TraceqlPipeline *pipeline, TraceqlStage *stage)
{
	if (pipeline == NULL)
		pipeline = arena_alloc0(st->arena, sizeof(*pipeline));
	if (pipeline->last)
		pipeline->last->next = stage;
	else
		pipeline->first = stage;
	pipeline->last = stage;
	pipeline->nstages++;
	return pipeline;
}

TraceqlPipelineExpr *
traceql_new_pipeline_leaf(TraceqlParser *st, TraceqlPipeline *pipeline, uint32_t pos)
{
	TraceqlPipelineExpr *p = arena_alloc0(st->arena, sizeof(*p));

	p->pipeline = pipeline;
	p->depth = 1;
	p->pos = pos;
	return p;
}

static bool
is_bare_spanset(const TraceqlPipelineExpr *p)
{
	return p->op == TQL_OP_NONE && p->pipeline->nstages == 1 && p->pipeline->first->kind == TQL_STAGE_SPANSET;
}

/* Two pipelines that are mere spansets are related as spansets: the same answer, and one way to print it. */
TraceqlPipelineExpr *
traceql_new_pipeline_op(TraceqlParser *st, TraceqlOp op, TraceqlPipelineExpr *left,
						TraceqlPipelineExpr *right, uint32_t pos)
{
	TraceqlPipelineExpr *p;

	if (is_bare_spanset(left) && is_bare_spanset(right))
	{
		left->pipeline->first->spanset =
			traceql_new_spanset(st, op, left->pipeline->first->spanset, right->pipeline->first->spanset, pos);
		return left;
	}
	p = arena_alloc0(st->arena, sizeof(*p));
	p->op = op;
	p->left = left;
	p->right = right;
	p->depth = higher(st, left->depth, right->depth, pos);
	p->pos = pos;
	return p;
}

/* ---- metrics ---- */

TraceqlMetric *
traceql_new_metric(TraceqlParser *st, TraceqlMetricFn fn, uint32_t pos)
{
	TraceqlMetric *m = arena_alloc0(st->arena, sizeof(*m));

	m->fn = fn;
	m->pos = pos;
	return m;
}

TraceqlSecond *
traceql_new_second(TraceqlParser *st, TraceqlSecondKind kind, uint32_t pos)
{
	TraceqlSecond *s = arena_alloc0(st->arena, sizeof(*s));

	s->kind = kind;
	s->pos = pos;
	s->last = s;
	return s;
}

/* The first of a list knows the last, so that appending takes no walk. */
TraceqlSecond *
traceql_seconds_add(TraceqlSecond *list, TraceqlSecond *more)
{
	if (list == NULL || more == NULL)
		return list ? list : more;
	list->last->next = more;
	list->last = more->last;
	return list;
}

static TraceqlMetricExpr *
new_metric_expr(TraceqlParser *st, TraceqlMetricExprKind kind, uint32_t pos)
{
	TraceqlMetricExpr *m = arena_alloc0(st->arena, sizeof(*m));

	m->kind = kind;
	m->depth = 1;
	m->pos = pos;
	return m;
}

TraceqlMetricExpr *
traceql_new_metric_leaf(TraceqlParser *st, TraceqlPipeline *pipeline, TraceqlMetric *metric,
						TraceqlSecond *seconds, uint32_t pos)
{
	TraceqlMetricExpr *m = new_metric_expr(st, TQL_METRIC_LEAF, pos);

	m->pipeline = pipeline;
	m->metric = metric;
	m->seconds = seconds;
	return m;
}

TraceqlMetricExpr *
traceql_new_metric_number(TraceqlParser *st, TraceqlStatic number, uint32_t pos)
{
	TraceqlMetricExpr *m = new_metric_expr(st, TQL_METRIC_NUMBER, pos);

	m->number = number;
	return m;
}

TraceqlMetricExpr *
traceql_new_metric_arith(TraceqlParser *st, TraceqlOp op, TraceqlMetricExpr *left, TraceqlMetricExpr *right,
						 uint32_t pos)
{
	TraceqlMetricExpr *m = new_metric_expr(st, TQL_METRIC_ARITH, pos);

	m->op = op;
	m->left = left;
	m->right = right;
	m->depth = higher(st, left->depth, right->depth, pos);
	return m;
}

/* ---- hints and queries ---- */

TraceqlHint *
traceql_new_hint(TraceqlParser *st, Str name, TraceqlStatic value, uint32_t pos)
{
	TraceqlHint *h = arena_alloc0(st->arena, sizeof(*h));

	h->name = name;
	h->value = value;
	h->pos = pos;
	h->last = h;
	return h;
}

TraceqlHint *
traceql_hints_add(TraceqlHint *list, TraceqlHint *hint)
{
	list->last->next = hint;
	list->last = hint;
	return list;
}

TraceqlQuery *
traceql_new_query(TraceqlParser *st)
{
	return arena_alloc0(st->arena, sizeof(TraceqlQuery));
}
