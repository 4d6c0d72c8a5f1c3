/*
 * pipeline.c
 *	  Spansets of one trace through the stages of a query.
 */
#include "ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Spanset *run_set(const SetExpr *s, const Spanset *in);

/* ---- spansets ---- */

static Spanset *
make_set(const Spanset *like, int room)
{
	Spanset *set = ref_alloc(sizeof(Spanset));

	set->spans = ref_alloc((size_t) (room + 1) * sizeof(Span *));
	if (like)
	{
		set->nattrs = like->nattrs;
		set->attrs = like->attrs;
	}
	return set;
}

static bool
contains(const Spanset *set, const Span *span)
{
	for (int i = 0; i < set->n; i++)
		if (set->spans[i] == span)
			return true;
	return false;
}

static void
add(Spanset *set, const Span *span)
{
	if (!contains(set, span))
		set->spans[set->n++] = span;
}

/* Empty ones are dropped. */
static void
append(Spanset **list, Spanset *set)
{
	if (set->n == 0)
		return;
	while (*list)
		list = &(*list)->next;
	*list = set;
}

static Spanset *
all_of(const Spanset *list, const Spanset *like)
{
	int n = 0;
	Spanset *set;

	for (const Spanset *s = list; s; s = s->next)
		n += s->n;
	set = make_set(like, n);
	for (const Spanset *s = list; s; s = s->next)
		for (int i = 0; i < s->n; i++)
			add(set, s->spans[i]);
	return set;
}

static void
attach(Spanset *set, Text key, Val value)
{
	SetAttr *attrs = ref_alloc((size_t) (set->nattrs + 1) * sizeof(SetAttr));

	if (set->nattrs)
		memcpy(attrs, set->attrs, (size_t) set->nattrs * sizeof(SetAttr));
	attrs[set->nattrs] = (SetAttr){key, value};
	set->attrs = attrs;
	set->nattrs++;
}

/* ---- operators ---- */

/* r > l, r < l ... : r is what the operator returns. */
static bool
related(SetOp op, const Span *l, const Span *r)
{
	switch (op)
	{
		case SET_CHILD: return l->left != 0 && r->up == l->left;
		case SET_PARENT: return r->left != 0 && l->up == r->left;
		case SET_DESCENDANT: return l->left != 0 && l->left < r->left && r->left < l->right;
		case SET_ANCESTOR: return r->left != 0 && r->left < l->left && l->left < r->right;
		default: return l->up == r->up && l->up != 0 && l != r;
	}
}

static Spanset *
relate(const SetExpr *s, const Spanset *left, const Spanset *right, const Spanset *in)
{
	Spanset *out = make_set(in, left->n + right->n);

	for (int r = 0; r < right->n; r++)
	{
		bool some = false;

		for (int l = 0; l < left->n; l++)
			some |= related(s->op, left->spans[l], right->spans[r]);
		if (some != s->negated)
			add(out, right->spans[r]);
	}
	for (int l = 0; s->both && l < left->n; l++)
		for (int r = 0; r < right->n; r++)
			if (related(s->op, left->spans[l], right->spans[r]))
				add(out, left->spans[l]);
	return out;
}

/*
 * Several spansets on a side of a structural operator are an error, but only where it could give something:
 * what is empty on a side that has to have spans stays empty.
 */
static bool
meets_several(const SetExpr *s, const Spanset *left, const Spanset *right, const Spanset *l, const Spanset *r)
{
	bool structural = s->op > SET_OR;
	bool several = false;

	if ((l->n == 0 && s->op != SET_OR && !s->negated) || (r->n == 0 && s->op != SET_OR))
		return false;
	for (const Spanset *i = left; i; i = i->next)
		several |= i->several || (structural && i->next);
	for (const Spanset *i = right; i; i = i->next)
		several |= i->several || (structural && i->next);
	return several;
}

static Spanset *
run_operator(const SetExpr *s, const Spanset *in)
{
	Spanset *left = run_set(s->left, in);
	Spanset *right = run_set(s->right, in);
	Spanset *l = all_of(left, in);
	Spanset *r = all_of(right, in);
	Spanset *out = NULL;
	bool several = meets_several(s, left, right, l, r);

	if (s->op > SET_OR && !several)
		append(&out, relate(s, l, r, in));
	else if (s->op == SET_OR || several || (l->n && r->n))
	{
		l->next = r;
		append(&out, all_of(l, in));
	}
	if (out)
		out->several = several;
	return out;
}

static Spanset *
run_filter(const Expr *filter, const Spanset *in)
{
	Spanset *out = make_set(in, in->n);

	for (int i = 0; i < in->n; i++)
		if (filter_keeps(filter, in->spans[i]))
			add(out, in->spans[i]);
	return out->n ? out : NULL;
}

/* ---- aggregates: of numbers only, as floats when their types differ ---- */

static Val
sum_of(const Val *values, int n, bool mixed)
{
	Val sum = {.type = mixed ? T_FLOAT : values[0].type};

	for (int i = 0; i < n; i++)
	{
		sum.d += number_of(&values[i]);
		sum.i = (int64_t) ((uint64_t) sum.i + (uint64_t) values[i].i);
	}
	if (sum.type == T_FLOAT)
		sum.i = 0;
	else
		sum.d = 0;
	return sum;
}

static Val
average_of(const Val *values, int n, bool mixed)
{
	Val sum = sum_of(values, n, mixed);

	if (sum.type == T_DURATION)
		return (Val){.type = T_DURATION, .i = sum.i / n};
	return (Val){.type = T_FLOAT, .d = number_of(&sum) / n};
}

/* sign 1: the greatest, -1: the least. NaN only when there is nothing else. */
static Val
extreme_of(const Val *values, int n, int sign)
{
	Val best = values[0];

	for (int i = 1; i < n; i++)
	{
		double a = number_of(&values[i]), b = number_of(&best);
		bool exact = values[i].type != T_FLOAT && best.type != T_FLOAT;
		int c = exact ? (values[i].i > best.i) - (values[i].i < best.i) : (a > b) - (a < b);

		if (c == sign || isnan(b))
			best = values[i];
	}
	return best;
}

/* T_NIL: no span has a value. */
static Val
aggregate(const Scalar *s, const Spanset *set)
{
	Val *values = ref_alloc((size_t) (set->n + 1) * sizeof(Val));
	bool mixed = false;
	int n = 0;

	if (s->aggregate == AGG_COUNT)
		return (Val){.type = T_INT, .i = set->n};
	for (int i = 0; i < set->n; i++)
	{
		Val v = eval_span(s->expr, set->spans[i]);

		if (is_number(&v))
			values[n++] = v;
	}
	for (int i = 1; i < n; i++)
		mixed |= values[i].type != values[0].type;
	if (n == 0)
		return (Val){.type = T_NIL};
	switch (s->aggregate)
	{
		case AGG_SUM: return sum_of(values, n, mixed);
		case AGG_AVG: return average_of(values, n, mixed);
		case AGG_MIN: return extreme_of(values, n, -1);
		default: return extreme_of(values, n, 1);
	}
}

static Spanset *
run_scalar(const Stage *stage, const Spanset *in)
{
	Val v = aggregate(stage->left, in);
	Val holds = value_compare(stage->op, &v, &stage->right->value, NULL, false);
	Spanset *out = make_set(in, in->n);

	if (!holds.i)
		return NULL;
	for (int i = 0; i < in->n; i++)
		add(out, in->spans[i]);
	attach(out, print_label(stage->left), v);
	return out;
}

/* ---- by() ---- */

/* What has no type goes with what is missing; a span that has no value because of an error is in no group. */
static Spanset *
run_by(const Stage *stage, const Spanset *in)
{
	Spanset *out = NULL;
	Text key;
	Out label = {0};

	out_fmt(&label, "by(");
	out_text(&label, print_expr(stage->expr));
	out_fmt(&label, ")");
	key = out_done(&label);
	for (int i = 0; i < in->n; i++)
	{
		Val v = eval_span(stage->expr, in->spans[i]);
		Spanset *group = out;

		if (v.type == T_ERROR)
			continue;
		if (v.type == T_OPAQUE)
			v = (Val){.type = T_NIL};
		while (group && !value_same(&group->attrs[in->nattrs].value, &v))
			group = group->next;
		if (!group)
		{
			group = make_set(in, in->n);
			attach(group, key, v);
			add(group, in->spans[i]);
			append(&out, group);
		}
		add(group, in->spans[i]);
	}
	return out;
}

/* ---- pipelines ---- */

static Spanset *
run_stage(const Stage *stage, const Spanset *in)
{
	Spanset *out = NULL;
	Spanset *copy;

	switch (stage->kind)
	{
		case STAGE_SET: return run_set(stage->set, in);
		case STAGE_SCALAR: return run_scalar(stage, in);
		case STAGE_BY: return run_by(stage, in);
		default:
			copy = make_set(in, in->n);
			for (int i = 0; i < in->n; i++)
				add(copy, in->spans[i]);
			append(&out, copy);
			return out;
	}
}

static Spanset *
run_pipeline(const Pipeline *p, const Spanset *in)
{
	const Spanset *list = in;

	for (const Stage *stage = p->first; stage; stage = stage->next)
	{
		Spanset *next = NULL;

		if (stage->kind == STAGE_COALESCE)
			append(&next, all_of(list, NULL));
		for (const Spanset *s = list; s && stage->kind != STAGE_COALESCE; s = s->next)
		{
			Spanset alone = *s;
			Spanset *made;

			alone.next = NULL;
			for (made = run_stage(stage, &alone); made;)
			{
				Spanset *rest = made->next;

				made->next = NULL;
				append(&next, made);
				made = rest;
			}
		}
		list = next;
	}
	return (Spanset *) list;
}

static Spanset *
run_set(const SetExpr *s, const Spanset *in)
{
	if (s->op != SET_FILTER)
		return run_operator(s, in);
	return s->filter ? run_filter(s->filter, in) : run_pipeline(s->pipeline, in);
}

Spanset *
run_search(const SetExpr *search, const Trace *trace, bool *error)
{
	Spanset all = {.n = trace->n, .spans = (const Span **) trace->spans};

	Spanset *out = run_set(search, &all);

	for (const Spanset *s = out; s; s = s->next)
		*error |= s->several;
	return out;
}
