/*
 * compare.c
 *	  compare(): how often every value of every attribute occurs among the spans that meet the condition and
 *	  among the others.
 */
#include "ref.h"

#include <stdlib.h>
#include <string.h>

typedef struct Count
{
	Val value;
	double total;
	double *cells;
} Count;

typedef struct Attribute
{
	Text name;
	double *totals; /* spans that have it */
	int n;
	int cap;
	Count *counts;
} Attribute;

typedef struct Side
{
	int n;
	int cap;
	Attribute *attrs;
	Intervals at;
} Side;

static Attribute *
attribute(Side *side, Text name)
{
	for (int i = 0; i < side->n; i++)
		if (text_same(side->attrs[i].name, name))
			return &side->attrs[i];
	if (side->n == side->cap)
	{
		Attribute *more = ref_alloc((size_t) (2 * side->cap + 32) * sizeof(Attribute));

		if (side->n)
			memcpy(more, side->attrs, (size_t) side->n * sizeof(Attribute));
		side->attrs = more;
		side->cap = 2 * side->cap + 32;
	}
	side->attrs[side->n] =
		(Attribute){.name = name, .totals = ref_alloc((size_t) side->at.n * sizeof(double))};
	return &side->attrs[side->n++];
}

static Count *
count_of(Attribute *a, const Val *v, int ncells)
{
	for (int i = 0; i < a->n; i++)
		if (value_same(&a->counts[i].value, v))
			return &a->counts[i];
	if (a->n == a->cap)
	{
		Count *more = ref_alloc((size_t) (2 * a->cap + 8) * sizeof(Count));

		if (a->n)
			memcpy(more, a->counts, (size_t) a->n * sizeof(Count));
		a->counts = more;
		a->cap = 2 * a->cap + 8;
	}
	a->counts[a->n] = (Count){.value = *v, .cells = ref_alloc((size_t) ncells * sizeof(double))};
	return &a->counts[a->n++];
}

static void
count(Side *side, Text name, const Val *v, int k, double weight)
{
	Attribute *a = attribute(side, name);
	Count *c;

	a->totals[k] += weight;
	if (v->type == T_OPAQUE)
		return;
	c = count_of(a, v, side->at.n);
	c->total += weight;
	c->cells[k] += weight;
}

static void
count_attrs(Side *side, Scope scope, const Attrs *attrs, int k, double weight)
{
	for (int i = 0; i < attrs->n; i++)
	{
		Field f = {.scope = scope, .key = attrs->a[i].key};

		/* of a key that is there twice, the first */
		if (attrs_find(attrs, f.key) == &attrs->a[i].value)
			count(side, print_field(&f), &attrs->a[i].value, k, weight);
	}
}

static void
count_span(Side *side, const Span *span, double weight)
{
	static const Intrinsic intrinsics[] = {I_NAME,     I_STATUS,     I_STATUS_MESSAGE,
										   I_KIND,     I_ROOT_NAME,  I_ROOT_SERVICE,
										   I_CHILDREN, I_SCOPE_NAME, I_SCOPE_VERSION};
	int k = (int) ((span->start - side->at.from - 1) / side->at.step);
	Field service = {.scope = S_RESOURCE, .key = text_of("service.name")};

	count_attrs(side, S_SPAN, &span->attrs, k, weight);
	count_attrs(side, S_RESOURCE, span->resource, k, weight);
	count_attrs(side, S_INSTRUMENTATION, span->scope, k, weight);
	if (!attrs_find(span->resource, service.key))
		count(side, print_field(&service), &(Val){.type = T_STRING, .s = text_of("")}, k, weight);
	for (size_t i = 0; i < sizeof(intrinsics) / sizeof(intrinsics[0]); i++)
	{
		Field f = {.scope = S_INTRINSIC, .intrinsic = intrinsics[i]};
		Val v = eval_field(&f, (At){span, AT_FIRST, AT_FIRST});

		count(side, print_field(&f), &v, k, weight);
	}
}

/* ---- the most frequent ---- */

static int
by_rank(const void *a, const void *b)
{
	const Count *x = a;
	const Count *y = b;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	return value_order(&x->value, &y->value);
}

static void
add_counts(Result *result, const char *meta, Text name, Val value, const double *cells)
{
	Series *s = result_add(result);

	add_label(s, text_of("__meta_type"), (Val){.type = T_STRING, .s = text_of(meta)});
	add_label(s, name, value);
	memcpy(s->values, cells, (size_t) result->at.n * sizeof(double));
}

static void
add_side(Result *result, const Side *side, const char *values, const char *totals, int64_t top)
{
	for (int i = 0; i < side->n; i++)
	{
		Attribute *a = &side->attrs[i];

		qsort(a->counts, (size_t) a->n, sizeof(Count), by_rank);
		add_counts(result, totals, a->name, (Val){.type = T_NIL}, a->totals);
		for (int c = 0; c < a->n && c < top; c++)
			add_counts(result, values, a->name, a->counts[c].value, a->counts[c].cells);
	}
}

void
run_compare(const Metric *m, const Query *query, const Span **spans, int n, Result *result)
{
	Side selection = {.at = result->at}, baseline = {.at = result->at};

	for (int i = 0; i < n; i++)
	{
		bool inside = m->to == 0 || (spans[i]->start > m->from && spans[i]->start <= m->to);
		bool selected = inside && filter_keeps(m->selection, spans[i]);

		count_span(selected ? &selection : &baseline, spans[i], span_weight(spans[i], query));
	}
	add_side(result, &baseline, "baseline", "baseline_total", m->top);
	add_side(result, &selection, "selection", "selection_total", m->top);
}
