/*
 * parse_metrics.c
 *	  Functions over time, second stages, and arithmetic between metrics.
 */
#include "parse.h"

static Function
parse_function(void)
{
	static const char *const names[] = {
		"rate",          "count_over_time",    "min_over_time",       "max_over_time", "avg_over_time",
		"sum_over_time", "quantile_over_time", "histogram_over_time", "compare"};

	for (int i = 0; i < 9; i++)
		if (take(names[i]))
			return (Function) i;
	fail();
}

static void
parse_quantiles(Metric *m)
{
	while (take(","))
	{
		if (m->nq == REF_MAX_QUANTILES || at->kind != TK_VALUE || !is_number(&at->value) ||
			at->value.type == T_DURATION)
			fail();
		m->q[m->nq++] = number_of(&(at++)->value);
	}
	if (m->nq == 0)
		fail();
}

static void
parse_compare(Metric *m)
{
	m->selection = parse_filter();
	m->top = 10;
	if (!take(","))
		return;
	m->top = take_int();
	if (!take(","))
		return;
	m->from = take_int();
	expect(",");
	m->to = take_int();
}

static Metric *
parse_metric(Pipeline *pipeline)
{
	Metric *m = ref_alloc(sizeof(Metric));

	m->pipeline = pipeline;
	m->fn = parse_function();
	expect("(");
	if (m->fn == FN_COMPARE)
		parse_compare(m);
	else if (m->fn >= FN_MIN)
		m->field = parse_field();
	if (m->fn == FN_QUANTILE)
		parse_quantiles(m);
	expect(")");
	if (m->fn != FN_COMPARE && take("by"))
		m->by = parse_fields(&m->nby);
	return m;
}

static Second *
parse_seconds(void)
{
	Second *first = NULL, **tail = &first;

	for (;;)
	{
		Second *s = ref_alloc(sizeof(Second));
		int i = binary_op(3);

		if (take("|"))
		{
			s->topk = is_word("topk") ? 1 : is_word("bottomk") ? -1 : 0;
			if (!s->topk)
				fail();
			at++;
			expect("(");
			s->n = take_int();
			expect(")");
		}
		else if (i >= 0 && binary_ops[i].op >= OP_EQ && binary_ops[i].op <= OP_GE)
		{
			Val v;

			s->op = parse_comparison();
			v = parse_number(4);
			s->value = v.type == T_DURATION ? (double) v.i / 1e9 : number_of(&v);
		}
		else
			return first;
		*tail = s;
		tail = &s->next;
	}
}

Calc *
parse_metric_pipeline(void)
{
	Calc *c = ref_alloc(sizeof(Calc));
	Pipeline *p = parse_pipeline();

	expect("|");
	c->metric = parse_metric(p);
	c->second = parse_seconds();
	return c;
}

/* +, -, *, / between metrics in parentheses and numbers. */
static Calc *
parse_calc(int level)
{
	Calc *left = ref_alloc(sizeof(Calc));
	bool done;
	int i;

	TRY(done, { left->number = parse_number(8); });
	if (!done)
	{
		expect("(");
		TRY(done, {
			left = parse_metric_pipeline();
			expect(")");
		});
		if (!done)
		{
			left = parse_calc(4);
			expect(")");
		}
	}
	else if (left->number.type == T_DURATION)
		fail();
	while ((i = binary_op(level)) >= 0 && binary_ops[i].op <= OP_DIV)
	{
		Calc *both = ref_alloc(sizeof(Calc));
		Op op = binary_ops[i].op;
		Calc *right;

		at++;
		right = parse_calc(binary_ops[i].level + 1);
		*both = (Calc){.op = op, .left = left, .right = right};
		if (left->op == OP_NONE && !left->metric && right->op == OP_NONE && !right->metric)
		{
			Expr *folded = make_binary(op, make_value(left->number), make_value(right->number));

			if (folded->kind != X_VALUE)
				fail();
			*both = (Calc){.number = folded->value};
		}
		left = both;
	}
	return left;
}

Calc *
parse_metrics(void)
{
	Calc *c = parse_calc(4);

	if (c->op == OP_NONE && !c->metric)
		fail();
	if (c->second)
	{
		/* in the parentheses of the only operand */
		Second **tail = &c->second;

		while (*tail)
			tail = &(*tail)->next;
		*tail = parse_seconds();
	}
	else
		c->second = parse_seconds();
	return c;
}
