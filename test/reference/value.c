/*
 * value.c
 *	  Operators on values.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "ref.h"

#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

bool
is_number(const Val *v)
{
	return v->type == T_INT || v->type == T_FLOAT || v->type == T_DURATION;
}

double
number_of(const Val *v)
{
	return v->type == T_FLOAT ? v->d : (double) v->i;
}

static Val
boolean(bool b)
{
	return (Val){.type = T_BOOL, .i = b};
}

static Val
failed(void)
{
	return (Val){.type = T_ERROR};
}

static bool
is_nothing(const Val *v)
{
	return v->type == T_NIL || v->type == T_OPAQUE;
}

/* ---- comparison ---- */

static bool
holds(Op op, bool less, bool equal)
{
	switch (op)
	{
		case OP_EQ: return equal;
		case OP_NE: return !equal;
		case OP_LT: return less;
		case OP_LE: return less || equal;
		case OP_GT: return !less && !equal;
		default: return !less;
	}
}

static bool
numbers_hold(Op op, const Val *a, const Val *b)
{
	double x = number_of(a), y = number_of(b);

	if (a->type != T_FLOAT && b->type != T_FLOAT)
		return holds(op, a->i < b->i, a->i == b->i);
	if (isnan(x) || isnan(y))
		return op == OP_NE;
	return holds(op, x < y, x == y);
}

static bool
scalars_hold(Op op, const Val *a, const Val *b, void *regex, bool strict)
{
	int c;

	if (op == OP_RE || op == OP_NRE)
		return a->type == T_STRING && b->type == T_STRING && regex_match(regex, a->s) == (op == OP_RE);
	if (is_number(a) && is_number(b) && (!strict || a->type == b->type))
		return numbers_hold(op, a, b);
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case T_STRING: c = text_cmp(a->s, b->s); return holds(op, c < 0, c == 0);
		case T_BOOL:
		case T_STATUS:
		case T_KIND: return (op == OP_EQ && a->i == b->i) || (op == OP_NE && a->i != b->i);
		default: return false;
	}
}

/* Some element, or every one for != and !~. */
static bool
array_holds(Op op, const Val *array, const Val *b, void *regex, bool strict)
{
	int n = 0;

	for (int i = 0; i < array->n; i++)
		n += scalars_hold(op, &array->items[i], b, regex, strict);
	return op == OP_NE || op == OP_NRE ? n == array->n : n > 0;
}

static Op
turned(Op op)
{
	switch (op)
	{
		case OP_LT: return OP_GT;
		case OP_LE: return OP_GE;
		case OP_GT: return OP_LT;
		case OP_GE: return OP_LE;
		default: return op;
	}
}

/* strict: a custom attribute against a literal, which sees values of its own type only. */
Val
value_compare(Op op, const Val *a, const Val *b, void *regex, bool strict)
{
	if (a->type == T_ERROR || b->type == T_ERROR)
		return failed();
	if (is_nothing(a) || is_nothing(b))
		return boolean(false);
	if (a->type == T_ARRAY && b->type == T_ARRAY)
		return failed();
	if (a->type == T_ARRAY)
		return boolean(array_holds(op, a, b, regex, strict));
	if (b->type == T_ARRAY)
		return boolean(array_holds(turned(op), b, a, regex, strict));
	return boolean(scalars_hold(op, a, b, regex, strict));
}

/* ---- arithmetic ---- */

static int64_t
cut(double d)
{
	if (!(d < 9223372036854775808.0))
		return INT64_MAX;
	return d < -9223372036854775808.0 ? INT64_MIN : (int64_t) d;
}

static Val
int_arith(Op op, int64_t a, int64_t b)
{
	Val v = {.type = T_INT};

	switch (op)
	{
		case OP_ADD: v.i = (int64_t) ((uint64_t) a + (uint64_t) b); return v;
		case OP_SUB: v.i = (int64_t) ((uint64_t) a - (uint64_t) b); return v;
		case OP_MUL: v.i = (int64_t) ((uint64_t) a * (uint64_t) b); return v;
		case OP_POW: v.i = cut(pow((double) b, (double) a)); return v; /* turned round, as Tempo has it */
		default: break;
	}
	if (b == 0)
		return failed();
	if (b == -1)
		v.i = op == OP_DIV ? (int64_t) (0 - (uint64_t) a) : 0;
	else
		v.i = op == OP_DIV ? a / b : a % b;
	return v;
}

static double
float_arith(Op op, double a, double b)
{
	switch (op)
	{
		case OP_ADD: return a + b;
		case OP_SUB: return a - b;
		case OP_MUL: return a * b;
		case OP_DIV: return a / b;
		case OP_MOD: return fmod(a, b);
		default: return pow(a, b);
	}
}

Val
value_arith(Op op, const Val *a, const Val *b)
{
	if (a->type == T_ERROR || b->type == T_ERROR)
		return failed();
	if (is_nothing(a) || is_nothing(b))
		return boolean(false);
	if (a->type == T_ARRAY || b->type == T_ARRAY)
		return failed();
	if (!is_number(a) || !is_number(b))
		return boolean(false);
	if (a->type == T_INT && b->type == T_INT)
		return int_arith(op, a->i, b->i);
	return (Val){.type = T_FLOAT, .d = float_arith(op, number_of(a), number_of(b))};
}

Val
value_negated(const Val *v)
{
	Val out = *v;

	if (!is_number(v))
		return failed();
	out.d = -v->d;
	out.i = (int64_t) (0 - (uint64_t) v->i);
	return out;
}

/* Zeroes with and without a sign are two, NaNs are one. */
static bool
float_same(double a, double b)
{
	return memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b));
}

/* For grouping: the same type and the same value. */
bool
value_same(const Val *a, const Val *b)
{
	if (a->type != b->type || a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (!value_same(&a->items[i], &b->items[i]))
			return false;
	return a->i == b->i && float_same(a->d, b->d) && text_same(a->s, b->s);
}

/* What is neither more nor less, by the bits. */
static int
float_order(double a, double b)
{
	int64_t x, y;

	memcpy(&x, &a, sizeof(x));
	memcpy(&y, &b, sizeof(y));
	return a != b && !isnan(a) && !isnan(b) ? (a > b) - (a < b) : (x > y) - (x < y);
}

/* Some order, always the same: by type, then value; arrays by number, then as they are stored. */
int
value_order(const Val *a, const Val *b)
{
	int c = 0;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	switch (a->type)
	{
		case T_STRING: return text_cmp(a->s, b->s);
		case T_FLOAT: return float_order(a->d, b->d);
		case T_STATUS: return strcmp(status_word(a->i), status_word(b->i));
		case T_KIND: return strcmp(kind_word(a->i), kind_word(b->i));
		case T_ARRAY: break;
		default: return (a->i > b->i) - (a->i < b->i);
	}
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int i = 0; i < a->n && c == 0; i++)
	{
		const Val *x = &a->items[i], *y = &b->items[i];
		static const int tags[] = {[T_INT] = 3, [T_FLOAT] = 4, [T_STRING] = 1, [T_BOOL] = 2};

		if (x->type != y->type)
			return tags[x->type] - tags[y->type];
		if (x->type == T_STRING)
			c = x->s.n != y->s.n ? (x->s.n < y->s.n ? -1 : 1) : text_cmp(x->s, y->s);
		else if (x->type == T_FLOAT)
			c = memcmp(&x->d, &y->d, sizeof(double));
		else
			c = memcmp(&x->i, &y->i, sizeof(int64_t));
	}
	return c;
}

/* ---- regular expressions ---- */

/* Compiled once a process; queries repeat their patterns. */
typedef struct Pattern
{
	struct Pattern *next;
	pcre2_code *code;
	size_t n;
	char text[];
} Pattern;

/* Look-around and back references, which tests write outside of brackets only. */
static bool
beyond_re2(Text pattern)
{
	static const char *const list[] = {"(?=", "(?!",  "(?<=", "(?<!", "\\1", "\\2", "\\k",
									   "(?>", "(?R)", "(?1)", "*+",   "++",  "?+"};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (memmem(pattern.p, pattern.n, list[i], strlen(list[i])))
			return true;
	return false;
}

void *
regex_compile(Text pattern)
{
	static Pattern *known;
	Pattern *p;
	int code;
	PCRE2_SIZE at;

	for (p = known; p; p = p->next)
		if (text_same(pattern, (Text){p->text, p->n}))
			return p->code;
	p = malloc(sizeof(Pattern) + pattern.n + 1);
	*p = (Pattern){.next = known, .n = pattern.n};
	memcpy(p->text, pattern.p, pattern.n);
	p->code =
		beyond_re2(pattern)
			? NULL
			: pcre2_compile((PCRE2_SPTR) p->text, p->n,
							PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_UTF, &code, &at, NULL);
	known = p;
	return p->code;
}

bool
regex_match(void *regex, Text s)
{
	static pcre2_match_data *match;

	if (!match)
		match = pcre2_match_data_create(1, NULL);
	return pcre2_match(regex, (PCRE2_SPTR) s.p, s.n, 0, 0, match, NULL) >= 0;
}
