/*
 * parse_pipeline.c
 *	  Spansets, stages, pipelines, and pipelines combined.
 */
#include "parse.h"

/* ---- spansets ---- */

static const struct
{
	const char *text;
	SetOp op;
	bool negated;
	bool both;
	int level;
} set_ops[] = {{"&&", SET_AND, false, false, 2},        {"||", SET_OR, false, false, 2},
			   {">", SET_CHILD, false, false, 3},       {"<", SET_PARENT, false, false, 3},
			   {">>", SET_DESCENDANT, false, false, 3}, {"<<", SET_ANCESTOR, false, false, 3},
			   {"~", SET_SIBLING, false, false, 3},     {"!>", SET_CHILD, true, false, 3},
			   {"!<", SET_PARENT, true, false, 3},      {"!>>", SET_DESCENDANT, true, false, 3},
			   {"!<<", SET_ANCESTOR, true, false, 3},   {"!~", SET_SIBLING, true, false, 3},
			   {"&>", SET_CHILD, false, true, 3},       {"&<", SET_PARENT, false, true, 3},
			   {"&>>", SET_DESCENDANT, false, true, 3}, {"&<<", SET_ANCESTOR, false, true, 3},
			   {"&~", SET_SIBLING, false, true, 3}};

static int
set_op(int level)
{
	for (size_t i = 0; at->kind == TK_PUNCT && i < sizeof(set_ops) / sizeof(set_ops[0]); i++)
		if (text_is(at->text, set_ops[i].text))
			return set_ops[i].level >= level ? (int) i : -1;
	return -1;
}

static SetExpr *
make_set(int i, SetExpr *left, SetExpr *right)
{
	SetExpr *s = ref_alloc(sizeof(SetExpr));

	*s = (SetExpr){.op = set_ops[i].op,
				   .negated = set_ops[i].negated,
				   .both = set_ops[i].both,
				   .left = left,
				   .right = right};
	return s;
}

Expr *
parse_filter(void)
{
	Expr *e;

	expect("{");
	if (take("}"))
		return make_value((Val){.type = T_BOOL, .i = 1});
	e = parse_expr(2);
	expect("}");
	return e;
}

static SetExpr *
parse_set(int level)
{
	SetExpr *left;
	int i;

	if (take("("))
	{
		left = parse_set(2);
		expect(")");
	}
	else
	{
		left = ref_alloc(sizeof(SetExpr));
		left->filter = parse_filter();
	}
	while ((i = set_op(level)) >= 0)
	{
		at++;
		left = make_set(i, left, parse_set(set_ops[i].level + 1));
	}
	return left;
}

/* ---- pipelines ---- */

Field *
parse_fields(int *n)
{
	Field *fields = ref_alloc(64 * sizeof(Field));

	*n = 0;
	expect("(");
	do
	{
		if (*n == 64)
			fail();
		fields[(*n)++] = parse_field();
	} while (take(","));
	expect(")");
	return fields;
}

static void
parse_scalar_filter(Stage *stage)
{
	stage->kind = STAGE_SCALAR;
	stage->left = parse_scalar(4);
	stage->op = parse_comparison();
	stage->right = parse_scalar(4);
	if (stage->left->literal && stage->right->literal)
		fail();
}

static Stage *
parse_stage(bool first)
{
	Stage *stage = ref_alloc(sizeof(Stage));
	bool done;

	if (take("by"))
	{
		stage->kind = STAGE_BY;
		expect("(");
		stage->expr = parse_expr(2);
		expect(")");
	}
	else if (!first && take("coalesce"))
	{
		stage->kind = STAGE_COALESCE;
		expect("(");
		expect(")");
	}
	else if (take("select"))
	{
		stage->kind = STAGE_SELECT;
		stage->fields = parse_fields(&stage->nfields);
	}
	else if (is_punct("{"))
		stage->set = parse_set(2);
	else
	{
		TRY(done, { stage->set = parse_set(2); });
		if (!done)
			parse_scalar_filter(stage);
	}
	return stage;
}

/* Stages as long as they are some; stops before what is none, a metric, say. */
Pipeline *
parse_pipeline(void)
{
	Pipeline *p = ref_alloc(sizeof(Pipeline));
	Stage **tail = &p->first;
	bool done = true;

	*tail = parse_stage(true);
	for (p->n = 1; is_punct("|"); p->n++)
	{
		tail = &(*tail)->next;
		TRY(done, {
			at++;
			*tail = parse_stage(false);
		});
		if (!done)
			break;
	}
	return p;
}

SetExpr *
set_of_pipeline(Pipeline *p)
{
	SetExpr *s = ref_alloc(sizeof(SetExpr));

	s->pipeline = p;
	return s;
}

/* Pipelines in parentheses, combined. */
SetExpr *
parse_combined(int level)
{
	SetExpr *left;
	bool done;
	int i;

	expect("(");
	TRY(done, {
		left = parse_combined(2);
		if (left->op == SET_FILTER)
			fail();
		expect(")");
	});
	if (!done)
	{
		left = set_of_pipeline(parse_pipeline());
		expect(")");
	}
	while ((i = set_op(level)) >= 0)
	{
		at++;
		left = make_set(i, left, parse_combined(set_ops[i].level + 1));
	}
	return left;
}

/* Of the first operand the grammar has to see a | to know that these are pipelines. */
bool
starts_with_pipe(const SetExpr *s)
{
	while (s->op != SET_FILTER)
		s = s->left;
	return s->pipeline->n > 1;
}

/* ---- comparisons of pipelines, which are read and not supported ---- */

static void
skip_pipe_scalar(int level)
{
	bool done;
	int i;

	expect("(");
	TRY(done, {
		parse_pipeline();
		expect("|");
		parse_aggregate();
		expect(")");
	});
	if (!done)
	{
		skip_pipe_scalar(4);
		expect(")");
	}
	while ((i = binary_op(level)) >= 0 && binary_ops[i].op <= OP_POW)
	{
		at++;
		skip_pipe_scalar(binary_ops[i].level + 1);
	}
}

void
skip_pipe_comparison(void)
{
	bool done;

	skip_pipe_scalar(4);
	parse_comparison();
	TRY(done, { skip_pipe_scalar(4); });
	if (!done)
		parse_number(4);
}
