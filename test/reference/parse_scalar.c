/*
 * parse_scalar.c
 *	  Numbers beside aggregates and metrics, and scalar filters.
 */
#include "parse.h"

Op
parse_comparison(void)
{
	int i = binary_op(3);

	if (i < 0 || binary_ops[i].op < OP_EQ || binary_ops[i].op > OP_GE)
		fail();
	at++;
	return binary_ops[i].op;
}

/* Folded while it is read. Durations take a sign only. level 4: + -, 6: * /, 8: one operand. */
Val
parse_number(int level)
{
	Expr *folded;
	Val v;

	if (take("-"))
	{
		v = parse_number(8);
		v = value_negated(&v);
	}
	else if (take("("))
	{
		v = parse_number(4);
		expect(")");
	}
	else if (at->kind == TK_VALUE && is_number(&at->value))
		v = (at++)->value;
	else
		fail();
	for (int i = binary_op(level); i >= 0 && binary_ops[i].level <= 6; i = binary_op(level))
	{
		Op op = binary_ops[i].op;
		Val w;

		if (op == OP_MOD)
			fail();
		at++;
		w = parse_number(binary_ops[i].level + 1);
		if (v.type == T_DURATION || w.type == T_DURATION)
			fail();
		folded = make_binary(op, make_value(v), make_value(w));
		if (folded->kind != X_VALUE)
			fail();
		v = folded->value;
	}
	return v;
}

Scalar *
parse_aggregate(void)
{
	static const char *const names[] = {"count", "min", "max", "sum", "avg"};
	Scalar *s = ref_alloc(sizeof(Scalar));

	for (int i = 0; i < 5; i++)
	{
		if (!take(names[i]))
			continue;
		s->aggregate = (Aggregate) i;
		expect("(");
		if (i != AGG_COUNT)
			s->expr = parse_expr(2);
		expect(")");
		return s;
	}
	fail();
}

static Scalar *
parse_scalar_operand(void)
{
	Scalar *s;
	bool done;

	if (is_punct("-") || at->kind == TK_VALUE)
	{
		s = ref_alloc(sizeof(Scalar));
		s->literal = true;
		s->value = parse_number(8);
		return s;
	}
	if (is_punct("("))
	{
		TRY(done, {
			s = ref_alloc(sizeof(Scalar));
			s->literal = true;
			s->value = parse_number(8);
		});
		if (done)
			return s;
		at++;
		s = parse_scalar(4);
		expect(")");
		return s;
	}
	return parse_aggregate();
}

Scalar *
parse_scalar(int level)
{
	Scalar *left = parse_scalar_operand();
	int i;

	while ((i = binary_op(level)) >= 0 && binary_ops[i].op <= OP_POW)
	{
		Scalar *both = ref_alloc(sizeof(Scalar));

		at++;
		*both = (Scalar){.op = binary_ops[i].op, .left = left};
		both->right = parse_scalar(both->op == OP_POW ? 7 : binary_ops[i].level + 1);
		if (left->literal && both->right->literal)
		{
			Expr *folded;

			if (both->op == OP_POW || both->op == OP_MOD || left->value.type == T_DURATION ||
				both->right->value.type == T_DURATION)
				fail();
			folded = make_binary(both->op, make_value(left->value), make_value(both->right->value));
			if (folded->kind != X_VALUE)
				fail();
			*both = (Scalar){.literal = true, .value = folded->value};
		}
		left = both;
	}
	return left;
}
