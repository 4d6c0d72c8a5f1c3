/*
 * values.c
 *	  Operators on tagged values: comparison, arithmetic, truth, and equality for grouping.
 */
#include "traceql/eval/internal.h"

#include <math.h>

bool
eval_is_number(const EvalValue *v)
{
	return v->type == EVAL_INT || v->type == EVAL_FLOAT || v->type == EVAL_DURATION;
}

double
eval_number(const EvalValue *v)
{
	return v->type == EVAL_FLOAT ? v->d : (double) v->i;
}

uint8_t
eval_truth(const EvalValue *v)
{
	if (v->type == EVAL_BOOL)
		return v->b ? TRI_TRUE : TRI_FALSE;
	return v->type == EVAL_ERROR ? TRI_ERROR : TRI_OTHER;
}

static uint8_t
scalar_type(ValueType type)
{
	switch (type)
	{
		case VALUE_STRING: return EVAL_STRING;
		case VALUE_BOOL: return EVAL_BOOL;
		case VALUE_INT: return EVAL_INT;
		case VALUE_DOUBLE: return EVAL_FLOAT;
		default: return EVAL_OPAQUE;
	}
}

static EvalValue
from_scalar(const Value *v)
{
	EvalValue out = {.type = scalar_type(v->type)};

	switch (out.type)
	{
		case EVAL_STRING: out.s = v->s; break;
		case EVAL_BOOL: out.b = v->b; break;
		case EVAL_INT: out.i = v->i; break;
		case EVAL_FLOAT: out.d = v->d; break;
		default: break;
	}
	return out;
}

EvalValue
eval_from_value(const Value *v)
{
	EvalValue out = {.type = EVAL_OPAQUE};
	ValueIter it;
	Value first, item;
	uint64_t n;

	if (v->type != VALUE_ARRAY)
		return from_scalar(v);
	if (!value_iter_begin(&it, v->s))
		return out;
	n = it.left;
	if (n == 0 || !value_iter_next(&it, &first) || scalar_type(first.type) == EVAL_OPAQUE)
		return out;
	if (n == 1)
		return from_scalar(&first);
	while (value_iter_next(&it, &item))
	{
		if (item.type != first.type)
			return out;
	}
	if (it.left != 0)
		return out;
	out.type = EVAL_ARRAY;
	out.elem = scalar_type(first.type);
	out.s = v->s;
	return out;
}

static bool
order_holds(TraceqlOp op, int c)
{
	switch (op)
	{
		case TQL_OP_EQ: return c == 0;
		case TQL_OP_NE: return c != 0;
		case TQL_OP_LT: return c < 0;
		case TQL_OP_LE: return c <= 0;
		case TQL_OP_GT: return c > 0;
		case TQL_OP_GE: return c >= 0;
		default: return false;
	}
}

/* IEEE: a NaN is unequal to everything, and nothing else. */
static bool
float_holds(TraceqlOp op, double l, double r)
{
	switch (op)
	{
		case TQL_OP_EQ: return l == r;
		case TQL_OP_NE: return l != r;
		case TQL_OP_LT: return l < r;
		case TQL_OP_LE: return l <= r;
		case TQL_OP_GT: return l > r;
		case TQL_OP_GE: return l >= r;
		default: return false;
	}
}

static bool
numbers_hold(TraceqlOp op, const EvalValue *l, const EvalValue *r)
{
	if (l->type == EVAL_FLOAT || r->type == EVAL_FLOAT)
		return float_holds(op, eval_number(l), eval_number(r));
	return order_holds(op, (l->i > r->i) - (l->i < r->i));
}

static bool
scalars_hold(TraceqlOp op, const EvalValue *l, const EvalValue *r, Regex *regex, bool strict)
{
	bool equality = op == TQL_OP_EQ || op == TQL_OP_NE;

	if (op == TQL_OP_RE || op == TQL_OP_NRE)
		return l->type == EVAL_STRING && regex_matches(regex, l->s) == (op == TQL_OP_RE);
	if (strict && l->type != r->type)
		return false;
	if (eval_is_number(l) && eval_is_number(r))
		return numbers_hold(op, l, r);
	if (l->type != r->type)
		return false;
	switch (l->type)
	{
		case EVAL_STRING: return order_holds(op, str_cmp(l->s, r->s));
		case EVAL_BOOL: return equality && order_holds(op, (int) l->b - (int) r->b);
		case EVAL_STATUS:
		case EVAL_KIND: return equality && order_holds(op, l->i != r->i);
		default: return false;
	}
}

/* Some element satisfies, or every one for != and !~. */
static bool
array_holds(TraceqlOp op, const EvalValue *array, const EvalValue *r, Regex *regex, bool strict)
{
	bool every = op == TQL_OP_NE || op == TQL_OP_NRE;
	ValueIter it;
	Value item;

	if (!value_iter_begin(&it, array->s))
		return false;
	while (value_iter_next(&it, &item))
	{
		EvalValue element = from_scalar(&item);

		if (scalars_hold(op, &element, r, regex, strict) != every)
			return !every;
	}
	return every;
}

static TraceqlOp
turned_round(TraceqlOp op)
{
	switch (op)
	{
		case TQL_OP_LT: return TQL_OP_GT;
		case TQL_OP_LE: return TQL_OP_GE;
		case TQL_OP_GT: return TQL_OP_LT;
		case TQL_OP_GE: return TQL_OP_LE;
		default: return op;
	}
}

static bool
is_nothing(const EvalValue *v)
{
	return v->type == EVAL_NIL || v->type == EVAL_OPAQUE;
}

uint8_t
eval_compare(TraceqlOp op, const EvalValue *l, const EvalValue *r, Regex *regex, bool strict)
{
	if (l->type == EVAL_ERROR || r->type == EVAL_ERROR)
		return TRI_ERROR;
	if (is_nothing(l) || is_nothing(r))
		return TRI_FALSE;
	if (l->type == EVAL_ARRAY && r->type == EVAL_ARRAY)
		return TRI_ERROR;
	if (l->type == EVAL_ARRAY)
		return array_holds(op, l, r, regex, strict);
	if (r->type == EVAL_ARRAY)
		return array_holds(turned_round(op), r, l, regex, strict);
	return scalars_hold(op, l, r, regex, strict);
}

static TraceqlStatic
as_static(const EvalValue *v)
{
	TraceqlStatic out = {.type = (TraceqlType) v->type};

	if (v->type == EVAL_FLOAT)
		out.f = v->d;
	else
		out.i = v->i;
	return out;
}

EvalValue
eval_arith(TraceqlOp op, const EvalValue *l, const EvalValue *r)
{
	EvalValue out = {.type = EVAL_BOOL, .b = false};
	TraceqlStatic a, b, c;

	if (l->type == EVAL_ERROR || r->type == EVAL_ERROR)
		out.type = EVAL_ERROR;
	else if (is_nothing(l) || is_nothing(r))
		;
	else if (l->type == EVAL_ARRAY || r->type == EVAL_ARRAY)
		out.type = EVAL_ERROR;
	else if (eval_is_number(l) && eval_is_number(r))
	{
		a = as_static(l);
		b = as_static(r);
		if (!traceql_arith(op, &a, &b, &c))
			out.type = EVAL_ERROR;
		else
		{
			out.type = c.type;
			if (c.type == TQL_TYPE_FLOAT)
				out.d = c.f;
			else
				out.i = c.i;
		}
	}
	return out;
}

/* The bytes that identify a value within its type. */
static Str
identity(const EvalValue *v)
{
	switch (v->type)
	{
		case EVAL_STRING:
		case EVAL_ARRAY: return v->s;
		case EVAL_BOOL: return str_of((const char *) &v->b, sizeof(v->b));
		case EVAL_FLOAT: return str_of((const char *) &v->d, sizeof(v->d));
		case EVAL_NIL:
		case EVAL_OPAQUE: return str_of(NULL, 0);
		default: return str_of((const char *) &v->i, sizeof(v->i));
	}
}

bool
eval_same(const EvalValue *a, const EvalValue *b)
{
	return a->type == b->type && str_eq(identity(a), identity(b));
}

uint64_t
eval_hash(const EvalValue *v)
{
	Str bytes = identity(v);
	uint64_t h = 0xcbf29ce484222325u ^ v->type;

	for (uint32_t i = 0; i < bytes.len; i++)
		h = (h ^ (uint8_t) bytes.p[i]) * 0x100000001b3u;
	return h ^ (h >> 29);
}
