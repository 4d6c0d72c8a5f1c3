/*
 * parse_expr.c
 *	  Field expressions. Operations on constants are computed at once.
 */
#include "parse.h"

#include <string.h>

const Token *at;
jmp_buf *fallback;

void
fail(void)
{
	longjmp(*fallback, 1);
}

/* ---- tokens ---- */

bool
is_punct(const char *z)
{
	return at->kind == TK_PUNCT && text_is(at->text, z);
}

bool
is_word(const char *z)
{
	return at->kind == TK_WORD && text_is(at->text, z);
}

bool
take(const char *z)
{
	if ((at->kind != TK_PUNCT && at->kind != TK_WORD) || !text_is(at->text, z))
		return false;
	at++;
	return true;
}

void
expect(const char *z)
{
	if (!take(z))
		fail();
}

int64_t
take_int(void)
{
	if (at->kind != TK_VALUE || at->value.type != T_INT)
		fail();
	return (at++)->value.i;
}

/* ---- field expressions ---- */

static Expr *
make(ExprKind kind, Op op, Expr *left, Expr *right)
{
	Expr *e = ref_alloc(sizeof(Expr));

	*e = (Expr){.kind = kind, .op = op, .left = left, .right = right};
	return e;
}

Expr *
make_value(Val v)
{
	Expr *e = make(X_VALUE, OP_NONE, NULL, NULL);

	e->value = v;
	return e;
}

static bool
is_field(const Expr *e, Intrinsic i)
{
	return e->kind == X_FIELD && e->field.scope == S_INTRINSIC && e->field.intrinsic == i;
}

static void
strip_zeros(Expr *e)
{
	if (e->kind != X_VALUE || e->value.type != T_STRING)
		return;
	while (e->value.s.n && e->value.s.p[0] == '0')
		e->value.s = (Text){e->value.s.p + 1, e->value.s.n - 1};
}

static Expr *
fold(Expr *e)
{
	Type right = e->right ? e->right->value.type : T_NIL;
	bool fits;
	Val v;

	if (e->left->kind != X_VALUE || (e->right && e->right->kind != X_VALUE))
		return e;
	if (e->op == OP_IS_NIL || e->op == OP_NOT_NIL)
		fits = true;
	else if (!e->right)
		fits = unary_fits(e->op, e->left->value.type);
	else
		fits =
			types_fit(e->op, e->left->value.type, right) && ((e->op != OP_RE && e->op != OP_NRE) || e->regex);
	v = fits ? eval_expr(e, (At){0}) : (Val){.type = T_ERROR};
	return v.type == T_ERROR ? e : make_value(v);
}

Expr *
make_binary(Op op, Expr *left, Expr *right)
{
	Expr *e = make(X_BINARY, op, left, right);

	if (is_field(left, I_TRACE_ID) || is_field(left, I_LINK_TRACE))
		strip_zeros(right);
	if (is_field(right, I_TRACE_ID) || is_field(right, I_LINK_TRACE))
		strip_zeros(left);
	if ((op == OP_RE || op == OP_NRE) && right->kind == X_VALUE && right->value.type == T_STRING)
		e->regex = regex_compile(right->value.s);
	return fold(e);
}

Field
parse_field(void)
{
	Field f = {.scope = S_INTRINSIC};

	if (at->kind == TK_FIELD)
		return (at++)->field;
	if (at->kind != TK_WORD)
		fail();
	if (at->text.p[at->text.n - 1] == ':')
	{
		Out both = {0};

		out_text(&both, at[0].text);
		out_fmt(&both, " ");
		out_text(&both, at[1].text);
		if (at[1].kind != TK_WORD || !intrinsic_word(out_done(&both), &f.intrinsic))
			fail();
		at += 2;
		return f;
	}
	if (!intrinsic_word(at->text, &f.intrinsic))
		fail();
	at++;
	return f;
}

static Expr *
parse_operand(void)
{
	Expr *e;
	Val v;

	if (take("("))
	{
		e = parse_expr(2);
		expect(")");
		return e;
	}
	if (take("-"))
		return fold(make(X_UNARY, OP_NEG, parse_expr(5), NULL));
	if (take("!"))
		return fold(make(X_UNARY, OP_NOT, parse_expr(6), NULL));
	if (at->kind == TK_VALUE)
		return make_value((at++)->value);
	if (at->kind == TK_WORD && word_kind(at->text, &v))
	{
		at++;
		return make_value(v);
	}
	e = make(X_FIELD, OP_NONE, NULL, NULL);
	e->field = parse_field();
	return e;
}

const BinaryOp binary_ops[] = {{"&&", OP_AND, 2}, {"||", OP_OR, 2},  {"=", OP_EQ, 3},  {"!=", OP_NE, 3},
							   {"<", OP_LT, 3},   {"<=", OP_LE, 3},  {">", OP_GT, 3},  {">=", OP_GE, 3},
							   {"=~", OP_RE, 3},  {"!~", OP_NRE, 3}, {"+", OP_ADD, 4}, {"-", OP_SUB, 4},
							   {"*", OP_MUL, 6},  {"/", OP_DIV, 6},  {"%", OP_MOD, 6}, {"^", OP_POW, 7}};

/* The operator here, when it binds at least as tightly as level. */
int
binary_op(int level)
{
	for (size_t i = 0; at->kind == TK_PUNCT && i < sizeof(binary_ops) / sizeof(binary_ops[0]); i++)
		if (text_is(at->text, binary_ops[i].text))
			return binary_ops[i].level >= level ? (int) i : -1;
	return -1;
}

/* nil = x, nil != x, nil = nil */
static Expr *
parse_nil_first(void)
{
	Op op;

	at++;
	if (!is_punct("=") && !is_punct("!="))
		fail();
	op = is_punct("=") ? OP_IS_NIL : OP_NOT_NIL;
	at++;
	if (take("nil"))
		return make_value((Val){.type = T_BOOL});
	return fold(make(X_UNARY, op, parse_expr(4), NULL));
}

/* Operators of this level and tighter ones. */
Expr *
parse_expr(int level)
{
	Expr *left = is_word("nil") ? parse_nil_first() : parse_operand();
	int i;

	while ((i = binary_op(level)) >= 0)
	{
		Op op = binary_ops[i].op;

		at++;
		if ((op == OP_EQ || op == OP_NE) && take("nil"))
			left = fold(make(X_UNARY, op == OP_EQ ? OP_IS_NIL : OP_NOT_NIL, left, NULL));
		else
			left = make_binary(op, left, parse_expr(op == OP_POW ? 7 : binary_ops[i].level + 1));
	}
	return left;
}
