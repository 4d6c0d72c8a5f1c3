/*
 * arithmetic.c
 *	  + - * / between metrics: series with the same labels go together, __name__ aside, and one series without
 *	  labels goes with every series of the other side.
 */
#include "ref.h"

#include <math.h>

static double
combine(Op op, double a, double b)
{
	switch (op)
	{
		case OP_ADD: return a + b;
		case OP_SUB: return a - b;
		case OP_MUL: return a * b;
		default: return b == 0 ? NAN : a / b;
	}
}

static const Label *
name_of(const Series *s)
{
	for (int i = 0; i < s->nlabels; i++)
		if (text_is(s->labels[i].name, "__name__"))
			return &s->labels[i];
	return NULL;
}

static int
labels_of(const Series *s)
{
	return s->nlabels - (name_of(s) != NULL);
}

static bool
has_label(const Series *s, const Label *l)
{
	for (int i = 0; i < s->nlabels; i++)
		if (text_same(s->labels[i].name, l->name) && value_same(&s->labels[i].value, &l->value))
			return true;
	return false;
}

static bool
same_labels(const Series *a, const Series *b)
{
	for (int i = 0; i < a->nlabels; i++)
		if (&a->labels[i] != name_of(a) && !has_label(b, &a->labels[i]))
			return false;
	return labels_of(a) == labels_of(b);
}

static bool
is_bare(const Result *r)
{
	return r->n == 1 && labels_of(&r->series[0]) == 0;
}

static void
combine_series(Op op, const Series *l, const Series *r, Result *out)
{
	static const char *const texts[] = {[OP_ADD] = "+", [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/"};
	const Series *from = labels_of(l) >= labels_of(r) ? l : r;
	const Label *a = name_of(l), *b = name_of(r);
	Series *s = result_add(out);

	if (a && b)
	{
		Out name = {0};

		out_fmt(&name, "(%.*s %s %.*s)", (int) a->value.s.n, a->value.s.p, texts[op], (int) b->value.s.n,
				b->value.s.p);
		add_label(s, a->name, (Val){.type = T_STRING, .s = out_done(&name)});
	}
	for (int i = 0; i < from->nlabels; i++)
		if (&from->labels[i] != name_of(from))
			add_label(s, from->labels[i].name, from->labels[i].value);
	for (int k = 0; k < out->at.n; k++)
		s->values[k] = combine(op, l->values[k], r->values[k]);
}

void
combine_results(Op op, const Result *left, const Result *right, Result *out)
{
	bool all = is_bare(left) || is_bare(right);

	for (int l = 0; l < left->n; l++)
		for (int r = 0; r < right->n; r++)
			if (all || same_labels(&left->series[l], &right->series[r]))
				combine_series(op, &left->series[l], &right->series[r], out);
}

void
combine_number(Op op, const Val *number, bool first, Result *result)
{
	double v = number_of(number);

	for (int i = 0; i < result->n; i++)
		for (int k = 0; k < result->at.n; k++)
		{
			double *at = &result->series[i].values[k];

			*at = first ? combine(op, v, *at) : combine(op, *at, v);
		}
}
