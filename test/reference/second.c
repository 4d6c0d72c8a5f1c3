/*
 * second.c
 *	  topk and bottomk at every instant, and comparisons with a number.
 */
#include "ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- order among equal values: the earlier series stays in topk, the later in bottomk ---- */

static Text
label_text(const Val *v)
{
	switch (v->type)
	{
		case T_STRING: return v->s;
		case T_STATUS: return text_of(status_word(v->i));
		case T_KIND: return text_of(kind_word(v->i));
		case T_DURATION: return print_duration(v->i);
		case T_NIL: return text_of("nil");
		default: return text_of("");
	}
}

static int
label_type(const Val *v)
{
	return v->type == T_BOOL ? 0 : v->type == T_FLOAT ? 2 : v->type == T_INT ? 3 : 1;
}

static uint64_t
label_bits(const Val *v)
{
	uint64_t bits = (uint64_t) v->i;

	if (v->type == T_FLOAT)
		memcpy(&bits, &v->d, sizeof(bits));
	return bits;
}

static int
compare_labels(const Label *a, const Label *b)
{
	int c = text_cmp(label_text(&a->value), label_text(&b->value));

	if (c == 0)
		c = text_cmp(a->name, b->name);
	if (c == 0)
		c = label_type(&a->value) - label_type(&b->value);
	if (c == 0 && label_type(&a->value) != 1 && label_bits(&a->value) != label_bits(&b->value))
		c = label_bits(&a->value) > label_bits(&b->value) ? -1 : 1;
	return c ? c : value_order(&a->value, &b->value);
}

static bool
earlier(const Series *a, const Series *b)
{
	for (int i = 0; i < a->nlabels && i < b->nlabels; i++)
	{
		int c = compare_labels(&a->labels[i], &b->labels[i]);

		if (c != 0)
			return c < 0;
	}
	return a->nlabels < b->nlabels;
}

/* ---- stages ---- */

static bool
better(const Series *a, const Series *b, int k, int topk)
{
	double x = a->values[k], y = b->values[k];

	if (isnan(x) || isnan(y) || x != y)
		return topk > 0 ? x > y : x < y;
	return topk > 0 ? earlier(a, b) : earlier(b, a);
}

static void
keep_extremes(const Second *second, Result *result)
{
	bool *drop = ref_alloc((size_t) (result->n + 1) * sizeof(bool));

	if (second->n >= result->n)
		return;
	for (int k = 0; k < result->at.n; k++)
	{
		for (int i = 0; i < result->n; i++)
		{
			int64_t ahead = 0;

			for (int j = 0; j < result->n; j++)
				ahead += j != i && better(&result->series[j], &result->series[i], k, second->topk);
			drop[i] = ahead >= second->n;
		}
		for (int i = 0; i < result->n; i++)
			if (drop[i])
				result->series[i].values[k] = NAN;
	}
}

static void
keep_holding(const Second *second, Result *result)
{
	Val limit = {.type = T_FLOAT, .d = second->value};

	for (int i = 0; i < result->n; i++)
		for (int k = 0; k < result->at.n; k++)
		{
			Val v = {.type = T_FLOAT, .d = result->series[i].values[k]};

			if (isnan(v.d) || !value_compare(second->op, &v, &limit, NULL, false).i)
				result->series[i].values[k] = NAN;
		}
}

void
apply_seconds(const Second *seconds, Result *result)
{
	for (const Second *s = seconds; s; s = s->next)
	{
		if (s->topk)
			keep_extremes(s, result);
		else
			keep_holding(s, result);
		result_drop_empty(result);
	}
}
