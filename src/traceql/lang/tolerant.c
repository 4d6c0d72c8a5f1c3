/*
 * tolerant.c
 *	  Filters out of half-typed queries. A query that parses is taken as it is. Otherwise the text between
 *	  the braces is cut at && and ||, groups in parentheses likewise, and every piece that makes a filter
 *	  of its own counts.
 *
 * Inside, NULL is the filter that is true: it vanishes beside && and swallows the other side of ||.
 */
#include "traceql/lang/tolerant.h"

#define MAX_NESTING 50   /* parentheses within parentheses that are looked into */
#define MAX_PIECES  1000 /* comparisons of a text that does not parse as a whole */

/* ---- building ---- */

static const TraceqlExpr *
join(Arena *arena, TraceqlOp op, const TraceqlExpr *l, const TraceqlExpr *r)
{
	TraceqlExpr *e;

	if (!l || !r)
		return op == TQL_OP_OR ? NULL : l ? l : r;
	e = arena_alloc0(arena, sizeof(TraceqlExpr));
	e->kind = TQL_BINARY;
	e->op = op;
	e->depth = 1 + (l->depth > r->depth ? l->depth : r->depth);
	e->left = (TraceqlExpr *) l;
	e->right = (TraceqlExpr *) r;
	return e;
}

static bool
is_logic(const TraceqlExpr *e)
{
	return e->kind == TQL_BINARY && (e->op == TQL_OP_AND || e->op == TQL_OP_OR);
}

/* Bare attributes are comparisons that are still to be typed. */
static const TraceqlExpr *
without_bare(Arena *arena, const TraceqlExpr *e)
{
	const TraceqlExpr *l, *r;

	if (e->kind == TQL_ATTR || (e->kind == TQL_STATIC && e->value.type == TQL_TYPE_BOOL && e->value.b))
		return NULL;
	if (!is_logic(e))
		return e;
	l = without_bare(arena, e->left);
	r = without_bare(arena, e->right);
	return l == e->left && r == e->right ? e : join(arena, e->op, l, r);
}

static uint32_t
count_groups(const TraceqlExpr *e)
{
	uint64_t l, r;

	if (!e || !is_logic(e))
		return 1;
	l = count_groups(e->left);
	r = count_groups(e->right);
	l = e->op == TQL_OP_AND ? l * r : l + r;
	return l < UINT32_MAX ? (uint32_t) l : UINT32_MAX;
}

/* The filter of a query that is one filter; false: it is something else. */
static bool
only_filter(Arena *arena, const TraceqlQuery *query, const TraceqlExpr **filter)
{
	const TraceqlPipelineExpr *e = query->search;

	if (!e || e->op != TQL_OP_NONE || e->pipeline->nstages != 1 ||
		e->pipeline->first->kind != TQL_STAGE_SPANSET || e->pipeline->first->spanset->op != TQL_OP_NONE)
		return false;
	*filter = without_bare(arena, e->pipeline->first->spanset->filter);
	return true;
}

/* ---- text ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static Str
trim(Str s)
{
	while (s.len && is_space(s.p[0]))
		s = str_of(s.p + 1, s.len - 1);
	while (s.len && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Bytes from i on that are one thing: a string, or a single byte. */
static uint32_t
step(Str s, uint32_t i)
{
	char quote = s.p[i];
	uint32_t k = i + 1;

	if (quote != '"' && quote != '`')
		return 1;
	while (k < s.len && s.p[k] != quote)
		k += quote == '"' && s.p[k] == '\\' ? 2 : 1;
	return (k < s.len ? k + 1 : s.len) - i;
}

/* Where the parenthesis at 0 is closed; s.len: nowhere. */
static uint32_t
closing(Str s)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < s.len; i += step(s, i))
	{
		open += s.p[i] == '(';
		if (s.p[i] == ')' && --open == 0)
			return i;
	}
	return s.len;
}

/* The text between the braces; false: there is more than one filter, or none. */
static bool
between_braces(Str text, Str *inner)
{
	uint32_t i = 1;

	text = trim(text);
	if (text.len == 0 || text.p[0] != '{')
		return false;
	while (i < text.len && text.p[i] != '}')
		i += step(text, i);
	*inner = str_of(text.p + 1, (i < text.len ? i : text.len) - 1);
	return i + 1 >= text.len;
}

/* ---- pieces ---- */

typedef struct Tolerant
{
	Arena *arena;
	uint32_t pieces;
} Tolerant;

static const TraceqlExpr *filter_of(Tolerant *t, Str s, uint32_t nesting);

static const TraceqlExpr *
one_comparison(Tolerant *t, Str s)
{
	const TraceqlExpr *filter;
	TraceqlError err;
	TraceqlQuery *query;
	Buf text;

	if (++t->pieces > MAX_PIECES)
		return NULL;
	buf_init(&text, t->arena, s.len + 4);
	buf_put_u8(&text, '{');
	buf_put(&text, s.p, s.len);
	/* the piece may end in a comment */
	buf_put(&text, "\n}", 2);
	query = traceql_parse(t->arena, str_of((char *) text.p, text.len), &err);
	return query && only_filter(t->arena, query, &filter) ? filter : NULL;
}

static const TraceqlExpr *
piece(Tolerant *t, Str s, uint32_t nesting)
{
	uint32_t end;

	s = trim(s);
	if (s.len == 0)
		return NULL;
	if (s.p[0] != '(')
		return one_comparison(t, s);
	end = closing(s);
	if (end + 1 < s.len)
		return one_comparison(t, s);
	return nesting < MAX_NESTING ? filter_of(t, str_of(s.p + 1, end - 1), nesting + 1) : NULL;
}

/* && and || bind alike, from left to right. */
static const TraceqlExpr *
filter_of(Tolerant *t, Str s, uint32_t nesting)
{
	const TraceqlExpr *left = NULL;
	TraceqlOp op = TQL_OP_AND;
	uint32_t from = 0, open = 0;

	for (uint32_t i = 0; i < s.len; i += step(s, i))
	{
		bool logic = open == 0 && i + 1 < s.len && (s.p[i] == '&' || s.p[i] == '|') && s.p[i + 1] == s.p[i];

		if (s.p[i] == '(')
			open++;
		else if (s.p[i] == ')' && open > 0)
			open--;
		if (!logic)
			continue;
		left = join(t->arena, op, left, piece(t, str_of(s.p + from, i - from), nesting));
		op = s.p[i] == '&' ? TQL_OP_AND : TQL_OP_OR;
		from = i + 2;
		i++;
	}
	return join(t->arena, op, left, piece(t, str_of(s.p + from, s.len - from), nesting));
}

const TraceqlExpr *
traceql_tolerant_filter(Arena *arena, Str text, uint32_t *groups)
{
	Tolerant t = {.arena = arena};
	const TraceqlExpr *filter = NULL;
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, text, &err);
	Str inner;

	if (query)
		only_filter(arena, query, &filter);
	else if (text.len <= TRACEQL_MAX_TEXT && between_braces(text, &inner))
		filter = filter_of(&t, inner, 0);
	/* What evaluates it recurses. */
	if (filter && filter->depth > TRACEQL_MAX_DEPTH)
		filter = NULL;
	*groups = count_groups(filter);
	return filter;
}

/* ---- tags ---- */

const TraceqlStatic *
traceql_pinned(const TraceqlExpr *e, const TraceqlAttr *attr)
{
	const TraceqlStatic *found;

	if (!e || e->kind != TQL_BINARY)
		return NULL;
	if (e->op == TQL_OP_AND)
	{
		found = traceql_pinned(e->left, attr);
		return found ? found : traceql_pinned(e->right, attr);
	}
	if (e->op != TQL_OP_EQ)
		return NULL;
	if (e->left->kind == TQL_ATTR && e->right->kind == TQL_STATIC && traceql_attr_eq(&e->left->attr, attr))
		return &e->right->value;
	if (e->right->kind == TQL_ATTR && e->left->kind == TQL_STATIC && traceql_attr_eq(&e->right->attr, attr))
		return &e->left->value;
	return NULL;
}

bool
traceql_read_attr(Arena *arena, Str text, TraceqlAttr *attr)
{
	const TraceqlPipelineExpr *e;
	const TraceqlStage *select;
	TraceqlError err;
	TraceqlQuery *query;
	Buf buf;

	buf_init(&buf, arena, text.len + 16);
	buf_put(&buf, "{}|select(", 10);
	buf_put(&buf, text.p, text.len);
	buf_put_u8(&buf, ')');
	query = traceql_parse(arena, str_of((char *) buf.p, buf.len), &err);
	/* The text may close the parenthesis and go on. */
	if (!query || !query->search || query->hints)
		return false;
	e = query->search;
	if (e->op != TQL_OP_NONE || e->pipeline->nstages != 2)
		return false;
	select = e->pipeline->last;
	if (select->kind != TQL_STAGE_SELECT || select->select.n != 1)
		return false;
	*attr = select->select.attrs[0];
	return true;
}
