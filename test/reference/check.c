/*
 * check.c
 *	  Types: which operands go together, and what a query may not say though it parses.
 */
#include "ref.h"

#include <string.h>

static bool
numeric(Type t)
{
	return t == T_INT || t == T_FLOAT || t == T_DURATION;
}

static bool
is_arith(Op op)
{
	return op >= OP_ADD && op <= OP_POW;
}

static Type
field_type(const Field *f)
{
	static const Type types[I_COUNT] = {[I_DURATION] = T_DURATION,
										[I_NAME] = T_STRING,
										[I_STATUS] = T_STATUS,
										[I_STATUS_MESSAGE] = T_STRING,
										[I_KIND] = T_KIND,
										[I_TRACE_DURATION] = T_DURATION,
										[I_ROOT_NAME] = T_STRING,
										[I_ROOT_SERVICE] = T_STRING,
										[I_LEFT] = T_INT,
										[I_RIGHT] = T_INT,
										[I_UP] = T_INT,
										[I_PARENT] = T_NIL,
										[I_TRACE_ID] = T_STRING,
										[I_SPAN_ID] = T_STRING,
										[I_PARENT_ID] = T_STRING,
										[I_CHILDREN] = T_INT,
										[I_EVENT_NAME] = T_STRING,
										[I_EVENT_SINCE] = T_DURATION,
										[I_LINK_TRACE] = T_STRING,
										[I_LINK_SPAN] = T_STRING,
										[I_SCOPE_NAME] = T_DYNAMIC,
										[I_SCOPE_VERSION] = T_DYNAMIC};

	return f->scope == S_INTRINSIC ? types[f->intrinsic] : T_DYNAMIC;
}

Type
expr_type(const Expr *e)
{
	Type left;

	switch (e->kind)
	{
		case X_VALUE: return e->value.type;
		case X_FIELD: return field_type(&e->field);
		case X_UNARY: return e->op == OP_IS_NIL || e->op == OP_NOT_NIL ? T_BOOL : expr_type(e->left);
		default: break;
	}
	if (!is_arith(e->op))
		return T_BOOL;
	left = expr_type(e->left);
	return left == T_DYNAMIC ? expr_type(e->right) : left;
}

static bool
allows(Type t, Op op)
{
	switch (t)
	{
		case T_INT:
		case T_FLOAT:
		case T_DURATION: return op <= OP_GE;
		case T_STRING: return op >= OP_EQ && op <= OP_NRE;
		case T_BOOL: return op == OP_AND || op == OP_OR || op == OP_EQ || op == OP_NE;
		case T_DYNAMIC: return true;
		default: return op == OP_EQ || op == OP_NE;
	}
}

bool
types_fit(Op op, Type a, Type b)
{
	bool together =
		a == b || (numeric(a) && numeric(b)) || a == T_DYNAMIC || b == T_DYNAMIC || a == T_NIL || b == T_NIL;

	return together && allows(a, op) && allows(b, op);
}

bool
unary_fits(Op op, Type t)
{
	return t == T_DYNAMIC || (op == OP_NOT ? t == T_BOOL : numeric(t));
}

bool
expr_mentions(const Expr *e, Scope scope)
{
	if (!e)
		return false;
	if (e->kind == X_FIELD)
	{
		Intrinsic i = e->field.intrinsic;

		if (scope == S_ANY || e->field.scope == scope)
			return true;
		if (e->field.scope != S_INTRINSIC)
			return false;
		return scope == S_EVENT ? i == I_EVENT_NAME || i == I_EVENT_SINCE
								: scope == S_LINK && (i == I_LINK_TRACE || i == I_LINK_SPAN);
	}
	return expr_mentions(e->left, scope) || expr_mentions(e->right, scope);
}

/* ---- verdicts: the worst of the parts, and bad before unsupported ---- */

static Verdict
worse(Verdict a, Verdict b)
{
	return a == QUERY_BAD || b == QUERY_BAD ? QUERY_BAD : a > b ? a : b;
}

static Verdict
check_field(const Field *f)
{
	return f->scope == S_PARENT || (f->scope == S_INTRINSIC && f->intrinsic == I_PARENT) ? QUERY_UNSUPPORTED
																						 : QUERY_VALID;
}

static Verdict
check_binary(const Expr *e)
{
	if (!types_fit(e->op, expr_type(e->left), expr_type(e->right)))
		return QUERY_BAD;
	if (e->op != OP_RE && e->op != OP_NRE)
		return QUERY_VALID;
	if (e->right->kind != X_VALUE || e->right->value.type != T_STRING)
		return QUERY_BAD;
	return e->regex ? QUERY_VALID : QUERY_BAD;
}

static Verdict
check_nil(const Expr *e)
{
	const Field *f = &e->left->field;

	if (e->op == OP_NOT_NIL || e->left->kind != X_FIELD)
		return QUERY_VALID;
	if (f->scope == S_INTRINSIC && f->intrinsic != I_PARENT)
		return QUERY_BAD;
	return f->scope == S_RESOURCE && text_is(f->key, "service.name") ? QUERY_BAD : QUERY_VALID;
}

static Verdict
check_expr(const Expr *e)
{
	Verdict v;

	switch (e->kind)
	{
		case X_VALUE: return QUERY_VALID;
		case X_FIELD: return check_field(&e->field);
		case X_UNARY:
			v = check_expr(e->left);
			if (e->op == OP_IS_NIL || e->op == OP_NOT_NIL)
				return worse(v, check_nil(e));
			return worse(v, unary_fits(e->op, expr_type(e->left)) ? QUERY_VALID : QUERY_BAD);
		default: return worse(worse(check_expr(e->left), check_expr(e->right)), check_binary(e));
	}
}

static Verdict
check_filter(const Expr *e)
{
	Type t = expr_type(e);

	return worse(check_expr(e), t == T_BOOL || t == T_DYNAMIC ? QUERY_VALID : QUERY_BAD);
}

static Verdict
check_aggregate(const Scalar *s)
{
	Type t;

	if (!s->expr)
		return QUERY_VALID;
	t = expr_type(s->expr);
	if (!(numeric(t) || t == T_DYNAMIC) || !expr_mentions(s->expr, S_ANY))
		return QUERY_BAD;
	return check_expr(s->expr);
}

static Verdict
check_scalar(const Scalar *s)
{
	if (s->op != OP_NONE)
		return worse(check_scalar(s->left), check_scalar(s->right));
	return s->literal ? QUERY_VALID : check_aggregate(s);
}

static Verdict check_pipeline(const Pipeline *p);

static Verdict
check_set(const SetExpr *s)
{
	if (s->op != SET_FILTER)
		return worse(check_set(s->left), check_set(s->right));
	return s->filter ? check_filter(s->filter) : check_pipeline(s->pipeline);
}

static Verdict
check_stage(const Stage *s)
{
	Verdict v = QUERY_VALID;

	switch (s->kind)
	{
		case STAGE_SET: return check_set(s->set);
		case STAGE_BY: return expr_mentions(s->expr, S_ANY) ? check_expr(s->expr) : QUERY_BAD;
		case STAGE_SCALAR:
			v = worse(check_scalar(s->left), check_scalar(s->right));
			if (s->left->op != OP_NONE || s->left->literal || !s->right->literal)
				v = worse(v, QUERY_UNSUPPORTED);
			return v;
		case STAGE_SELECT:
			for (int i = 0; i < s->nfields; i++)
				v = worse(v, check_field(&s->fields[i]));
			return v;
		default: return QUERY_VALID;
	}
}

static Verdict
check_pipeline(const Pipeline *p)
{
	Verdict v = QUERY_VALID;

	for (const Stage *s = p->first; s; s = s->next)
		v = worse(v, check_stage(s));
	return v;
}

/* ---- metrics ---- */

static Verdict
check_compare(const Metric *m)
{
	Verdict v = check_filter(m->selection);

	if (m->top < 1 || m->top > 1000)
		v = QUERY_BAD;
	if ((m->from || m->to) && (m->from <= 0 || m->to <= m->from))
		v = QUERY_BAD;
	return v;
}

static Verdict
check_metric(const Metric *m, bool arithmetic)
{
	Verdict v = check_pipeline(m->pipeline);
	int most = arithmetic || m->fn == FN_QUANTILE || m->fn == FN_HISTOGRAM || m->fn == FN_AVG ? 4 : 5;

	for (int i = 0; i < m->nq; i++)
		if (!(m->q[i] >= 0 && m->q[i] <= 1))
			v = QUERY_BAD;
	if (m->fn == FN_COMPARE)
		v = worse(v, check_compare(m));
	else if (m->nby > most)
		v = worse(v, QUERY_UNSUPPORTED);
	if (m->fn >= FN_MIN && m->fn <= FN_HISTOGRAM)
		v = worse(v, check_field(&m->field));
	return v;
}

static bool
has_compare(const Calc *c)
{
	if (c->op != OP_NONE)
		return has_compare(c->left) || has_compare(c->right);
	return c->metric && c->metric->fn == FN_COMPARE;
}

static Verdict
check_calc(const Calc *c, bool arithmetic)
{
	Verdict v = QUERY_VALID;

	if (c->op != OP_NONE)
		v = worse(check_calc(c->left, true), check_calc(c->right, true));
	else if (c->metric)
		v = check_metric(c->metric, arithmetic);
	if (has_compare(c) && (c->second || c->op != OP_NONE))
		v = QUERY_BAD;
	for (const Second *s = c->second; s; s = s->next)
		if (s->topk && s->n < 1)
			v = QUERY_BAD;
	return v;
}

Verdict
check_query(const Query *query)
{
	if (query->unsupported)
		return QUERY_UNSUPPORTED;
	return query->search ? check_set(query->search) : check_calc(query->metrics, false);
}
