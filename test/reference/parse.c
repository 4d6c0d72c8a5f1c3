/*
 * parse.c
 *	  Recursive descent over the tokens of a query. Where the grammar is ambiguous at a parenthesis, one
 *	  reading is tried after the other; an error leaves by longjmp to the last try. Operations on constants
 *	  are computed at once.
 */
#include "ref.h"

#include <setjmp.h>
#include <string.h>

static const Token *at;
static jmp_buf *fallback;

__attribute__((noreturn)) static void
fail(void)
{
	longjmp(*fallback, 1);
}

/* Runs the block; when that fails, goes back, and done is false. */
#define TRY(done, block)                                                                                     \
	do                                                                                                       \
	{                                                                                                        \
		jmp_buf here, *outer = fallback;                                                                     \
		const Token *volatile from = at;                                                                     \
		fallback = &here;                                                                                    \
		(done) = setjmp(here) == 0;                                                                          \
		if (done)                                                                                            \
			block else at = from;                                                                            \
		fallback = outer;                                                                                    \
	} while (0)

/* ---- tokens ---- */

static bool
is_punct(const char *z)
{
	return at->kind == TK_PUNCT && text_is(at->text, z);
}

static bool
is_word(const char *z)
{
	return at->kind == TK_WORD && text_is(at->text, z);
}

static bool
take(const char *z)
{
	if ((at->kind != TK_PUNCT && at->kind != TK_WORD) || !text_is(at->text, z))
		return false;
	at++;
	return true;
}

static void
expect(const char *z)
{
	if (!take(z))
		fail();
}

static int64_t
take_int(void)
{
	if (at->kind != TK_VALUE || at->value.type != T_INT)
		fail();
	return (at++)->value.i;
}

/* ---- field expressions ---- */

static Expr *parse_expr(int level);

static Expr *
make(ExprKind kind, Op op, Expr *left, Expr *right)
{
	Expr *e = ref_alloc(sizeof(Expr));

	*e = (Expr){.kind = kind, .op = op, .left = left, .right = right};
	return e;
}

static Expr *
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

static Expr *
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

static Field
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

static const struct
{
	const char *text;
	Op op;
	int level;
} binary_ops[] = {{"&&", OP_AND, 2}, {"||", OP_OR, 2},  {"=", OP_EQ, 3},  {"!=", OP_NE, 3},
				  {"<", OP_LT, 3},   {"<=", OP_LE, 3},  {">", OP_GT, 3},  {">=", OP_GE, 3},
				  {"=~", OP_RE, 3},  {"!~", OP_NRE, 3}, {"+", OP_ADD, 4}, {"-", OP_SUB, 4},
				  {"*", OP_MUL, 6},  {"/", OP_DIV, 6},  {"%", OP_MOD, 6}, {"^", OP_POW, 7}};

/* The operator here, when it binds at least as tightly as level. */
static int
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
static Expr *
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

/* ---- numbers beside aggregates and metrics ---- */

/* Folded while it is read. Durations take a sign only. level 4: + -, 6: * /, 8: one operand. */
static Val
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

static Scalar *parse_scalar(int level);

static Scalar *
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

static Scalar *
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

static Expr *
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

static Field *
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

static Op
parse_comparison(void)
{
	int i = binary_op(3);

	if (i < 0 || binary_ops[i].op < OP_EQ || binary_ops[i].op > OP_GE)
		fail();
	at++;
	return binary_ops[i].op;
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
static Pipeline *
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

static SetExpr *
set_of_pipeline(Pipeline *p)
{
	SetExpr *s = ref_alloc(sizeof(SetExpr));

	s->pipeline = p;
	return s;
}

/* Pipelines in parentheses, combined. */
static SetExpr *
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
static bool
starts_with_pipe(const SetExpr *s)
{
	while (s->op != SET_FILTER)
		s = s->left;
	return s->pipeline->n > 1;
}

/* ---- metrics ---- */

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

static Calc *
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

static Calc *
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

static void
skip_pipe_comparison(void)
{
	bool done;

	skip_pipe_scalar(4);
	parse_comparison();
	TRY(done, { skip_pipe_scalar(4); });
	if (!done)
		parse_number(4);
}

/* ---- the whole ---- */

static Hint *
parse_hints(void)
{
	Hint *first = NULL;

	while (take("with"))
	{
		Hint **tail = &first;

		first = NULL;
		expect("(");
		do
		{
			Hint *h = ref_alloc(sizeof(Hint));

			if (at->kind != TK_WORD)
				fail();
			h->name = (at++)->text;
			expect("=");
			if (at->kind == TK_WORD && word_kind(at->text, &h->value))
				at++;
			else if (at->kind == TK_VALUE)
				h->value = (at++)->value;
			else
				fail();
			*tail = h;
			tail = &h->next;
		} while (take(","));
		expect(")");
	}
	return first;
}

static void
parse_end(Query *query)
{
	query->hints = parse_hints();
	if (at->kind != TK_END)
		fail();
}

static bool
parse_query(Query *query)
{
	bool done;

	TRY(done, {
		query->search = set_of_pipeline(parse_pipeline());
		parse_end(query);
	});
	if (done)
		return true;
	query->search = NULL;
	TRY(done, {
		query->metrics = parse_metric_pipeline();
		parse_end(query);
	});
	if (done)
		return true;
	TRY(done, {
		query->metrics = parse_metrics();
		parse_end(query);
	});
	if (done)
		return true;
	query->metrics = NULL;
	TRY(done, {
		query->search = parse_combined(2);
		if (!starts_with_pipe(query->search))
			fail();
		parse_end(query);
	});
	if (done)
		return true;
	query->search = NULL;
	TRY(done, {
		skip_pipe_comparison();
		query->unsupported = true;
		parse_end(query);
	});
	return done;
}

Verdict
ref_parse(Text text, Query *query)
{
	*query = (Query){0};
	at = lex(text);
	if (!at || !parse_query(query))
		return QUERY_BAD;
	return check_query(query);
}

/* ---- what is mentioned ---- */

typedef struct Mentioned
{
	int n;
	int cap;
	Field *fields;
} Mentioned;

static void
mention(Mentioned *m, const Field *f)
{
	for (int i = 0; i < m->n; i++)
		if (m->fields[i].scope == f->scope && m->fields[i].intrinsic == f->intrinsic &&
			text_same(m->fields[i].key, f->key))
			return;
	if (m->n == m->cap)
	{
		Field *more = ref_alloc((size_t) (2 * m->cap + 16) * sizeof(Field));

		if (m->n)
			memcpy(more, m->fields, (size_t) m->n * sizeof(Field));
		m->fields = more;
		m->cap = 2 * m->cap + 16;
	}
	m->fields[m->n++] = *f;
}

static void
mention_expr(Mentioned *m, const Expr *e)
{
	if (!e)
		return;
	if (e->kind == X_FIELD)
		mention(m, &e->field);
	mention_expr(m, e->left);
	mention_expr(m, e->right);
}

static void mention_set(Mentioned *m, const SetExpr *s);

static void
mention_pipeline(Mentioned *m, const Pipeline *p)
{
	for (const Stage *s = p->first; s; s = s->next)
	{
		mention_set(m, s->set);
		mention_expr(m, s->expr);
		if (s->left)
			mention_expr(m, s->left->expr);
		for (int i = 0; i < s->nfields; i++)
			mention(m, &s->fields[i]);
	}
}

static void
mention_set(Mentioned *m, const SetExpr *s)
{
	if (!s)
		return;
	mention_set(m, s->left);
	mention_set(m, s->right);
	mention_expr(m, s->filter);
	if (s->pipeline)
		mention_pipeline(m, s->pipeline);
}

Field *
ref_fields(const Query *query, int *n)
{
	Mentioned m = {0};

	mention_set(&m, query->search);
	*n = m.n;
	return m.fields;
}
