/*
 * search.c
 *	  A search over all traces, as the rows of traceql().
 */
#include "ref.h"

#include <stdlib.h>
#include <string.h>

/* ---- attributes shown with a span: all the query mentions ---- */

static bool
never_shown(const Field *f)
{
	if (f->scope != S_INTRINSIC)
		return false;
	switch (f->intrinsic)
	{
		case I_NAME:
		case I_DURATION:
		case I_TRACE_DURATION:
		case I_ROOT_NAME:
		case I_ROOT_SERVICE:
		case I_TRACE_ID:
		case I_SPAN_ID: return true;
		default: return false;
	}
}

static void
show(Shown *shown, int *n, const char *scope, Text key, Val value)
{
	if (value.type == T_NIL || value.type == T_OPAQUE)
		return;
	for (int i = 0; i < *n; i++)
		if (strcmp(shown[i].scope, scope) == 0 && text_same(shown[i].key, key))
			return;
	shown[(*n)++] = (Shown){scope, key, value};
}

/* Is the name of its event asked for, rather than compared? */
static bool asked(const Query *query, const Field *f);

int
shown_attributes(const Query *query, const Span *span, Shown *shown)
{
	static const char *const scopes[] = {[S_SPAN] = "span.",
										 [S_RESOURCE] = "resource.",
										 [S_EVENT] = "event.",
										 [S_LINK] = "link.",
										 [S_INSTRUMENTATION] = "instrumentation.",
										 [S_INTRINSIC] = ""};
	At at = {span, AT_FIRST, AT_FIRST};
	int nfields, n = 0;
	Field *fields = ref_fields(query, &nfields);

	for (int i = 0; i < nfields; i++)
	{
		Field f = fields[i];

		if (never_shown(&f))
			continue;
		if (f.scope == S_INTRINSIC && f.intrinsic == I_EVENT_NAME && span->nevents == 0 && !asked(query, &f))
			continue;
		if (f.scope == S_INTRINSIC)
			show(shown, &n, "", text_of(intrinsic_name(f.intrinsic)), eval_field(&f, at));
		else if (f.scope != S_ANY)
			show(shown, &n, scopes[f.scope], f.key, eval_field(&f, at));
		else
		{
			f.scope = S_SPAN;
			show(shown, &n, "span.", f.key, eval_field(&f, at));
			f.scope = S_RESOURCE;
			show(shown, &n, "resource.", f.key, eval_field(&f, at));
		}
	}
	return n;
}

/* Keys without their scope, unless two are the same. */
static Text
shown_text(const Query *query, const Span *span)
{
	Shown shown[REF_MAX_SHOWN];
	SetAttr attrs[REF_MAX_SHOWN];
	int n = shown_attributes(query, span, shown);

	for (int i = 0; i < n; i++)
	{
		Out key = {0};

		for (int k = 0; k < n; k++)
			if (k != i && text_same(shown[k].key, shown[i].key))
			{
				out_fmt(&key, "%s", shown[i].scope);
				break;
			}
		out_text(&key, shown[i].key);
		attrs[i] = (SetAttr){out_done(&key), shown[i].value};
	}
	return canonical_attrs(attrs, n);
}

static bool
expr_asks(const Expr *e, const Field *f)
{
	if (!e)
		return false;
	if (e->kind == X_FIELD)
		return e->field.scope == S_INTRINSIC && e->field.intrinsic == f->intrinsic;
	return expr_asks(e->left, f) || expr_asks(e->right, f);
}

static bool
asked_in_pipeline(const Pipeline *p, const Field *f)
{
	for (const Stage *s = p->first; s; s = s->next)
	{
		if (expr_asks(s->expr, f) || (s->left && expr_asks(s->left->expr, f)))
			return true;
		for (int i = 0; i < s->nfields; i++)
			if (s->fields[i].scope == S_INTRINSIC && s->fields[i].intrinsic == f->intrinsic)
				return true;
	}
	return false;
}

static bool
asked_in_set(const SetExpr *s, const Field *f)
{
	if (s->op != SET_FILTER)
		return asked_in_set(s->left, f) || asked_in_set(s->right, f);
	return s->pipeline && asked_in_pipeline(s->pipeline, f);
}

static bool
asked(const Query *query, const Field *f)
{
	return asked_in_set(query->search, f);
}

/* ---- rows ---- */

Text
span_service(const Span *span)
{
	const Val *v = attrs_find(span->resource, text_of("service.name"));

	return v && v->type == T_STRING ? v->s : text_of("");
}

static Text
row_text(const Query *query, const Span *span)
{
	const Trace *t = span->trace;
	Out out = {0};

	out_fmt(&out, "%016llx|", (unsigned long long) span->id);
	if (t->root)
	{
		Text service = span_service(t->root);

		out_fmt(&out, "%.*s|%.*s|", (int) service.n, service.p, (int) t->root->name.n, t->root->name.p);
	}
	else
		out_fmt(&out, "-|-|");
	out_fmt(&out, "%lld|%lld|", (long long) t->start / 1000, (long long) t->duration);
	out_text(&out, span->name);
	out_fmt(&out, "|");
	out_text(&out, span_service(span));
	out_fmt(&out, "|%s|%s|%lld|%lld|", kind_word(span->kind), status_word(span->status),
			(long long) span->start, (long long) span->duration);
	out_text(&out, shown_text(query, span));
	return out_done(&out);
}

Row *
sql_rows(const Query *query, const Trace *trace, const Spanset *sets, Row *rows)
{
	int set = 0;

	for (const Spanset *s = sets; s; s = s->next)
	{
		set++;
		for (int i = 0; i < s->n; i++)
			*rows++ =
				(Row){trace->id, set, canonical_attrs(s->attrs, s->nattrs), row_text(query, s->spans[i])};
	}
	return rows;
}

/* ---- traces ---- */

static bool
in_range(const Trace *trace, Range range)
{
	return !range.bounded || (trace->start <= range.to && trace->start + trace->duration >= range.from);
}

/* Newer traces that match too, of those that start at the same time none. */
static int
newer(const Data *data, Spanset *const *found, int t)
{
	int n = 0;

	for (int i = 0; i < data->ntraces; i++)
		n += found[i] && data->traces[i]->start > data->traces[t]->start;
	return n;
}

bool
search_answer(const Data *data, const Query *query, Range range, SearchRows rows_of, Text *answer)
{
	Spanset **found = ref_alloc((size_t) (data->ntraces + 1) * sizeof(Spanset *));
	Row *rows, *end;
	size_t n = 0;
	bool error = false;

	for (int t = 0; t < data->ntraces; t++)
	{
		if (in_range(data->traces[t], range))
			found[t] = run_search(query->search, data->traces[t], &error);
		for (Spanset *s = found[t]; s; s = s->next)
			n += (size_t) s->n;
	}
	if (error)
		return false;
	rows = end = ref_alloc((n + 1) * sizeof(Row));
	for (int t = 0; t < data->ntraces; t++)
		if (found[t] && (!range.limit || newer(data, found, t) < range.limit))
			end = rows_of(query, data->traces[t], found[t], end);
	*answer = answer_of_rows(rows, (int) (end - rows));
	return true;
}
