/*
 * validate.c
 *	  Which trees have a meaning: types, what must mention a span, ranges of arguments, and what is not
 *	  supported. The first fault, inner before outer and left before right, is the one reported.
 */
#include "traceql/lang/parser.h"
#include "traceql/lang/regex.h"

#define MAX_GROUP_BY       5
#define MAX_GROUP_BY_SLOT  4 /* of functions that add a label of their own, and next to arithmetic */
#define MAX_COMPARE_VALUES 1000

static bool
failed(const TraceqlParser *st)
{
	return st->err->kind != TQL_ERROR_NONE;
}

/* ---- field expressions ---- */

static void
check_attr(TraceqlParser *st, const TraceqlAttr *attr)
{
	if (attr->intrinsic == TQL_PARENT || attr->scope >= TQL_SCOPE_PARENT)
		traceql_fail(st, TQL_ERROR_UNSUPPORTED, attr->pos, "parent not yet supported");
}

static const char *
type_of(const TraceqlExpr *e)
{
	return traceql_type_name(traceql_expr_type(e));
}

static void
check_regex_argument(TraceqlParser *st, const TraceqlExpr *e)
{
	traceql_fail(st, TQL_ERROR_VALIDATION, e->right->pos,
				 "the right side of %s must be a string literal, but is `%s`", traceql_op_text(e->op),
				 traceql_excerpt(st, e->right));
}

static void
check_binary(TraceqlParser *st, const TraceqlExpr *e)
{
	TraceqlRegexError why;

	switch (traceql_check_binary(st->arena, e->op, e->left, e->right))
	{
		case TQL_FAULT_NONE: break;
		case TQL_FAULT_MISMATCH:
			traceql_fail(st, TQL_ERROR_VALIDATION, e->pos,
						 "both sides of %s must be of the same type, but `%s` has %s and %s",
						 traceql_op_text(e->op), traceql_excerpt(st, e), type_of(e->left), type_of(e->right));
			break;
		case TQL_FAULT_OPERATION:
			traceql_fail(st, TQL_ERROR_VALIDATION, e->pos, "%s cannot be used on %s and %s, as in `%s`",
						 traceql_op_text(e->op), type_of(e->left), type_of(e->right), traceql_excerpt(st, e));
			break;
		case TQL_FAULT_REGEX_ARG: check_regex_argument(st, e); break;
		case TQL_FAULT_REGEX:
			traceql_regex_valid(st->arena, e->right->value.s, &why);
			traceql_fail(st, TQL_ERROR_VALIDATION, e->right->pos, "invalid regex %s: %s",
						 traceql_excerpt(st, e->right), why.message);
			break;
	}
}

static void
check_unary(TraceqlParser *st, const TraceqlExpr *e)
{
	if (!traceql_check_unary(e->op, traceql_expr_type(e->left)))
		traceql_fail(st, TQL_ERROR_VALIDATION, e->pos, "%s cannot be used on %s, as in `%s`; it takes a %s",
					 traceql_op_text(e->op), type_of(e->left), traceql_excerpt(st, e),
					 e->op == TQL_OP_NOT ? "bool" : "number");
}

/* A bare attribute that no span is without cannot be asked to be nil. */
static void
check_is_nil(TraceqlParser *st, const TraceqlExpr *e)
{
	const TraceqlAttr *attr = &e->left->attr;
	bool service;

	if (e->left->kind != TQL_ATTR)
		return;
	service = attr->intrinsic == TQL_NOT_INTRINSIC && attr->scope == TQL_SCOPE_RESOURCE &&
			  str_eq(attr->key, str_lit("service.name"));
	if (service || attr->intrinsic != TQL_NOT_INTRINSIC)
		traceql_fail(st, TQL_ERROR_VALIDATION, e->pos, "`%s` is not valid because %s cannot be nil",
					 traceql_excerpt(st, e), service ? "resource.service.name" : "intrinsics");
}

static void
check_expr(TraceqlParser *st, const TraceqlExpr *e)
{
	switch (e->kind)
	{
		case TQL_STATIC: return;
		case TQL_ATTR: check_attr(st, &e->attr); return;
		case TQL_BINARY:
			check_expr(st, e->left);
			check_expr(st, e->right);
			if (!failed(st))
				check_binary(st, e);
			return;
		default: break;
	}
	check_expr(st, e->left);
	if (failed(st))
		return;
	if (e->kind == TQL_UNARY)
		check_unary(st, e);
	else if (e->kind == TQL_IS_NIL)
		check_is_nil(st, e);
}

static void
count_attr(const TraceqlAttr *attr, void *ctx)
{
	(*(uint32_t *) ctx)++;
}

static bool
mentions_span(const TraceqlExpr *e)
{
	uint32_t n = 0;

	traceql_visit_attrs(e, count_attr, &n);
	return n > 0;
}

static void
check_filter(TraceqlParser *st, const TraceqlExpr *e)
{
	TraceqlType type = traceql_expr_type(e);

	check_expr(st, e);
	if (type != TQL_TYPE_BOOL && type != TQL_TYPE_DYNAMIC)
		traceql_fail(st, TQL_ERROR_VALIDATION, e->pos,
					 "a filter must be true or false, but `%s` is of type %s", traceql_excerpt(st, e),
					 traceql_type_name(type));
}

static void
check_spanset(TraceqlParser *st, const TraceqlSpanset *s)
{
	if (s->op == TQL_OP_NONE)
	{
		check_filter(st, s->filter);
		return;
	}
	check_spanset(st, s->left);
	check_spanset(st, s->right);
}

/* ---- pipelines ---- */

static void
check_aggregate(TraceqlParser *st, const TraceqlAggregate *agg)
{
	const char *name = traceql_aggregate_name(agg->fn);
	TraceqlType type;

	if (agg->arg == NULL)
		return;
	check_expr(st, agg->arg);
	type = traceql_expr_type(agg->arg);
	if (!traceql_type_is_number(type) && type != TQL_TYPE_DYNAMIC)
		traceql_fail(st, TQL_ERROR_VALIDATION, agg->arg->pos, "%s() needs a number, but `%s` is of type %s",
					 name, traceql_excerpt(st, agg->arg), traceql_type_name(type));
	else if (!mentions_span(agg->arg))
		traceql_fail(st, TQL_ERROR_VALIDATION, agg->arg->pos,
					 "%s() needs an expression that mentions an attribute of the span, but `%s` is constant",
					 name, traceql_excerpt(st, agg->arg));
}

static void check_pipeline(TraceqlParser *st, const TraceqlPipeline *p);

static void
check_scalar(TraceqlParser *st, const TraceqlScalar *s)
{
	switch (s->kind)
	{
		case TQL_SCALAR_LITERAL: break;
		case TQL_SCALAR_PIPELINE: check_pipeline(st, s->pipeline); /* FALLTHROUGH */
		case TQL_SCALAR_AGGREGATE: check_aggregate(st, &s->aggregate); break;
		case TQL_SCALAR_ARITH:
			check_scalar(st, s->left);
			check_scalar(st, s->right);
			break;
	}
}

static const char *
scalar_kind_name(const TraceqlScalar *s)
{
	switch (s->kind)
	{
		case TQL_SCALAR_LITERAL: return "a literal";
		case TQL_SCALAR_AGGREGATE: return "an aggregate";
		case TQL_SCALAR_PIPELINE: return "a pipeline";
		default: return "arithmetic";
	}
}

static void
check_scalar_filter(TraceqlParser *st, const TraceqlStage *stage)
{
	const TraceqlScalar *lhs = stage->scalar.lhs;
	const TraceqlScalar *rhs = stage->scalar.rhs;

	check_scalar(st, lhs);
	check_scalar(st, rhs);
	if (lhs->kind != TQL_SCALAR_AGGREGATE)
		traceql_fail(
			st, TQL_ERROR_UNSUPPORTED, lhs->pos,
			"%s on the left side of a scalar filter, where only an aggregate may stand, is not yet supported",
			scalar_kind_name(lhs));
	else if (rhs->kind != TQL_SCALAR_LITERAL)
		traceql_fail(
			st, TQL_ERROR_UNSUPPORTED, rhs->pos,
			"%s on the right side of a scalar filter, where only a literal may stand, is not yet supported",
			scalar_kind_name(rhs));
}

static void
check_by(TraceqlParser *st, const TraceqlExpr *e)
{
	check_expr(st, e);
	if (!mentions_span(e))
		traceql_fail(st, TQL_ERROR_VALIDATION, e->pos,
					 "by() needs an expression that mentions an attribute of the span, but `%s` is constant",
					 traceql_excerpt(st, e));
}

static void
check_stage(TraceqlParser *st, const TraceqlStage *stage)
{
	switch (stage->kind)
	{
		case TQL_STAGE_SPANSET: check_spanset(st, stage->spanset); break;
		case TQL_STAGE_SCALAR: check_scalar_filter(st, stage); break;
		case TQL_STAGE_BY: check_by(st, stage->by); break;
		case TQL_STAGE_COALESCE: break;
		case TQL_STAGE_SELECT:
			for (uint32_t i = 0; i < stage->select.n; i++)
				check_attr(st, &stage->select.attrs[i]);
			break;
	}
}

static void
check_pipeline(TraceqlParser *st, const TraceqlPipeline *p)
{
	for (const TraceqlStage *s = p->first; s && !failed(st); s = s->next)
		check_stage(st, s);
}

static void
check_pipeline_expr(TraceqlParser *st, const TraceqlPipelineExpr *p)
{
	if (p->op == TQL_OP_NONE)
	{
		check_pipeline(st, p->pipeline);
		return;
	}
	check_pipeline_expr(st, p->left);
	check_pipeline_expr(st, p->right);
}

/* ---- metrics ---- */

static void
check_compare(TraceqlParser *st, const TraceqlMetric *m)
{
	check_filter(st, m->filter);
	if (m->topn < 1 || m->topn > MAX_COMPARE_VALUES)
		traceql_fail(st, TQL_ERROR_VALIDATION, m->pos, "compare() shows between 1 and %d values, not %lld",
					 MAX_COMPARE_VALUES, (long long) m->topn);
	else if ((m->start == 0) != (m->end == 0))
		traceql_fail(st, TQL_ERROR_VALIDATION, m->pos,
					 "the two times of compare() must be positive Unix nanoseconds, or both 0");
	else if (m->start != 0 && m->end <= m->start)
		traceql_fail(st, TQL_ERROR_VALIDATION, m->pos,
					 "the end time of compare() must be after its start time");
}

static void
check_metric(TraceqlParser *st, const TraceqlMetric *m, bool in_arithmetic)
{
	bool own_label =
		m->fn == TQL_QUANTILE_OVER_TIME || m->fn == TQL_HISTOGRAM_OVER_TIME || m->fn == TQL_AVG_OVER_TIME;
	uint32_t most = own_label || in_arithmetic ? MAX_GROUP_BY_SLOT : MAX_GROUP_BY;

	if (m->fn == TQL_COMPARE)
		check_compare(st, m);
	else if (m->fn >= TQL_MIN_OVER_TIME)
		check_attr(st, &m->attr);
	for (uint32_t i = 0; i < m->nquantiles; i++)
		if (!(m->quantiles[i] >= 0 && m->quantiles[i] <= 1))
			traceql_fail(st, TQL_ERROR_VALIDATION, m->pos, "a quantile must be between 0 and 1, not %g",
						 m->quantiles[i]);
	if (m->nby > most)
		traceql_fail(st, TQL_ERROR_UNSUPPORTED, m->by[most].pos,
					 "grouping %s by more than %u attributes is not yet supported",
					 traceql_metric_name(m->fn), most);
}

static void
check_seconds(TraceqlParser *st, const TraceqlMetricExpr *m)
{
	if (m->seconds && m->kind == TQL_METRIC_LEAF && m->metric->fn == TQL_COMPARE)
		traceql_fail(st, TQL_ERROR_VALIDATION, m->seconds->pos,
					 "nothing can be applied to the result of compare()");
	for (const TraceqlSecond *s = m->seconds; s; s = s->next)
		if (s->kind != TQL_SECOND_COMPARE && s->n < 1)
			traceql_fail(st, TQL_ERROR_VALIDATION, s->pos, "the limit of %s() must be greater than 0",
						 s->kind == TQL_SECOND_TOPK ? "topk" : "bottomk");
}

static void
check_metric_expr(TraceqlParser *st, const TraceqlMetricExpr *m, bool in_arithmetic)
{
	switch (m->kind)
	{
		case TQL_METRIC_NUMBER: break;
		case TQL_METRIC_LEAF:
			check_pipeline(st, m->pipeline);
			check_metric(st, m->metric, in_arithmetic);
			if (in_arithmetic && m->metric->fn == TQL_COMPARE)
				traceql_fail(st, TQL_ERROR_VALIDATION, m->metric->pos,
							 "compare() cannot take part in arithmetic");
			break;
		case TQL_METRIC_ARITH:
			check_metric_expr(st, m->left, true);
			check_metric_expr(st, m->right, true);
			break;
	}
	check_seconds(st, m);
}

void
traceql_validate(TraceqlParser *st, TraceqlQuery *query)
{
	if (query->metrics)
		check_metric_expr(st, query->metrics, false);
	else
		check_pipeline_expr(st, query->search);
}
