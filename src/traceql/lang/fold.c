/*
 * fold.c
 *	  The value of an operation on literals, by the rules evaluation follows. Refuses what validation
 *	  would refuse, so that folding never hides an error.
 */
#include <math.h>

#include "traceql/lang/parser.h"
#include "traceql/lang/regex.h"

static double
as_double(const TraceqlStatic *v)
{
	return v->type == TQL_TYPE_FLOAT ? v->f : (double) v->i;
}

/* Float to int as evaluation cuts it, without the undefined conversions. */
static int64_t
cut_to_int(double d)
{
	if (!(d < 9223372036854775808.0))
		return INT64_MAX;
	if (d < -9223372036854775808.0)
		return INT64_MIN;
	return (int64_t) d;
}

static bool
int_arith(TraceqlOp op, int64_t a, int64_t b, int64_t *out)
{
	switch (op)
	{
		case TQL_OP_ADD: *out = (int64_t) ((uint64_t) a + (uint64_t) b); return true;
		case TQL_OP_SUB: *out = (int64_t) ((uint64_t) a - (uint64_t) b); return true;
		case TQL_OP_MUL: *out = (int64_t) ((uint64_t) a * (uint64_t) b); return true;
		case TQL_OP_POW:
			*out = cut_to_int(pow((double) b, (double) a));
			return true; /* as Tempo has it: swapped */
		default: break;
	}
	if (b == 0)
		return false;
	/* the smallest int has no positive twin: the one quotient that does not fit wraps */
	if (b == -1)
		*out = op == TQL_OP_DIV ? (int64_t) (0 - (uint64_t) a) : 0;
	else
		*out = op == TQL_OP_DIV ? a / b : a % b;
	return true;
}

static double
float_arith(TraceqlOp op, double a, double b)
{
	switch (op)
	{
		case TQL_OP_ADD: return a + b;
		case TQL_OP_SUB: return a - b;
		case TQL_OP_MUL: return a * b;
		case TQL_OP_DIV: return a / b;
		case TQL_OP_MOD: return fmod(a, b);
		default: return pow(a, b);
	}
}

bool
traceql_arith(TraceqlOp op, const TraceqlStatic *a, const TraceqlStatic *b, TraceqlStatic *out)
{
	if (!traceql_op_is_arith(op) || !traceql_type_is_number(a->type) || !traceql_type_is_number(b->type))
		return false;
	if (a->type == TQL_TYPE_INT && b->type == TQL_TYPE_INT)
	{
		int64_t i;

		if (!int_arith(op, a->i, b->i, &i))
			return false;
		out->type = TQL_TYPE_INT;
		out->i = i;
		return true;
	}
	out->f = float_arith(op, as_double(a), as_double(b));
	out->type = TQL_TYPE_FLOAT;
	return true;
}

static bool
order_holds(TraceqlOp op, int order)
{
	switch (op)
	{
		case TQL_OP_EQ: return order == 0;
		case TQL_OP_NE: return order != 0;
		case TQL_OP_LT: return order < 0;
		case TQL_OP_LE: return order <= 0;
		case TQL_OP_GT: return order > 0;
		default: return order >= 0;
	}
}

static bool
float_cmp(TraceqlOp op, double a, double b)
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

/* Both of types that validation lets together. */
static bool
compare(TraceqlOp op, const TraceqlStatic *a, const TraceqlStatic *b)
{
	if (a->type == TQL_TYPE_STRING)
		return order_holds(op, str_cmp(a->s, b->s));
	if (a->type == TQL_TYPE_BOOL)
		return order_holds(op, (int) a->b - (int) b->b);
	if (a->type == TQL_TYPE_FLOAT || b->type == TQL_TYPE_FLOAT)
		return float_cmp(op, as_double(a), as_double(b));
	return order_holds(op, (a->i > b->i) - (a->i < b->i));
}

bool
traceql_fold_binary(Arena *arena, TraceqlOp op, const TraceqlExpr *left, const TraceqlExpr *right,
					TraceqlStatic *out)
{
	const TraceqlStatic *a = &left->value;
	const TraceqlStatic *b = &right->value;

	if (traceql_check_binary(arena, op, left, right) != TQL_FAULT_NONE)
		return false;
	if (traceql_op_is_arith(op))
		return traceql_arith(op, a, b, out);
	out->type = TQL_TYPE_BOOL;
	if (op == TQL_OP_AND || op == TQL_OP_OR)
		out->b = op == TQL_OP_AND ? a->b && b->b : a->b || b->b;
	else if (op == TQL_OP_RE || op == TQL_OP_NRE)
	{
		int matches = traceql_regex_matches(arena, b->s, a->s);

		if (matches < 0)
			return false;
		out->b = matches == (op == TQL_OP_RE);
	}
	else
		out->b = compare(op, a, b);
	return true;
}

bool
traceql_fold_unary(TraceqlOp op, const TraceqlStatic *operand, TraceqlStatic *out)
{
	if (!traceql_check_unary(op, operand->type))
		return false;
	*out = *operand;
	if (op == TQL_OP_NOT)
		out->b = !operand->b;
	else if (operand->type == TQL_TYPE_FLOAT)
		out->f = -operand->f;
	else
		out->i = (int64_t) (0 - (uint64_t) operand->i);
	return true;
}
