/*
 * answer.c
 *	  One text for an answer, whoever gave it: traces by id, spansets and spans in order of their text,
 *numbers to ten digits, because sums may be added up in any order.
 */
#include "ref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static void
put_float(Out *out, double d)
{
	char text[64];

	if (isnan(d))
		out_fmt(out, "~NaN");
	else
	{
		snprintf(text, sizeof(text), "~%.10g", d == 0 ? 0.0 : d);
		out_fmt(out, "%s", text);
	}
}

Text
canonical_value(const Val *v)
{
	Out out = {0};

	switch (v->type)
	{
		case T_INT:
		case T_DURATION: out_fmt(&out, "%lld", (long long) v->i); break;
		case T_FLOAT: put_float(&out, v->d); break;
		case T_BOOL: out_fmt(&out, v->i ? "true" : "false"); break;
		case T_STATUS: out_fmt(&out, "\"%s\"", status_word(v->i)); break;
		case T_KIND: out_fmt(&out, "\"%s\"", kind_word(v->i)); break;
		case T_STRING:
			out_fmt(&out, "\"");
			out_text(&out, v->s);
			out_fmt(&out, "\"");
			break;
		case T_ARRAY:
			for (int i = 0; i < v->n; i++)
			{
				out_fmt(&out, i ? "," : "[");
				out_text(&out, canonical_value(&v->items[i]));
			}
			out_fmt(&out, "]");
			break;
		default: out_fmt(&out, "nil"); break;
	}
	return out_done(&out);
}

static int
by_text(const void *a, const void *b)
{
	return text_cmp(*(const Text *) a, *(const Text *) b);
}

/* Of an int and a float that are equal, either may be the least. */
static bool
is_extreme(Text key)
{
	return key.n > 4 && (memcmp(key.p, "min(", 4) == 0 || memcmp(key.p, "max(", 4) == 0);
}

Text
canonical_attrs(const SetAttr *attrs, int n)
{
	Text *texts = ref_alloc((size_t) (n + 1) * sizeof(Text));
	Out out = {0};

	for (int i = 0; i < n; i++)
	{
		Val v = attrs[i].value;
		Out one = {0};

		if (is_extreme(attrs[i].key) && is_number(&v))
			v = (Val){.type = T_FLOAT, .d = number_of(&v)};
		out_text(&one, attrs[i].key);
		out_fmt(&one, "=");
		out_text(&one, canonical_value(&v));
		texts[i] = out_done(&one);
	}
	qsort(texts, (size_t) n, sizeof(Text), by_text);
	out_fmt(&out, "{");
	for (int i = 0; i < n; i++)
	{
		out_fmt(&out, i ? ", " : "");
		out_text(&out, texts[i]);
	}
	out_fmt(&out, "}");
	return out_done(&out);
}

/* One spelling of a label's value, as jsonb has it. */
static Val
label_value(const Val *v)
{
	switch (v->type)
	{
		case T_INT: return (Val){.type = T_FLOAT, .d = (double) v->i};
		case T_DURATION: return (Val){.type = T_STRING, .s = print_duration(v->i)};
		default: break;
	}
	if (v->type == T_FLOAT && !isfinite(v->d))
		return (Val){.type = T_STRING,
					 .s = text_of(isnan(v->d) ? "NaN"
								  : v->d > 0  ? "Infinity"
											  : "-Infinity")};
	if (v->type == T_ARRAY)
	{
		Val out = *v;

		out.items = ref_alloc((size_t) (v->n + 1) * sizeof(Val));
		for (int i = 0; i < v->n; i++)
			out.items[i] = label_value(&v->items[i]);
		return out;
	}
	return *v;
}

Text
canonical_labels(const SetAttr *attrs, int n)
{
	SetAttr *labels = ref_alloc((size_t) (n + 1) * sizeof(SetAttr));
	int nlabels = 0;

	for (int i = 0; i < n; i++)
	{
		bool again = false;

		/* an object has a key once */
		for (int k = i + 1; k < n; k++)
			again |= text_same(attrs[k].key, attrs[i].key);
		if (!again)
			labels[nlabels++] = (SetAttr){attrs[i].key, label_value(&attrs[i].value)};
	}
	return canonical_attrs(labels, nlabels);
}

/* ---- rows ---- */

static int
by_row(const void *a, const void *b)
{
	const Row *x = a;
	const Row *y = b;
	int c = text_cmp(x->trace, y->trace);

	if (c == 0)
		c = (x->set > y->set) - (x->set < y->set);
	return c ? c : text_cmp(x->rest, y->rest);
}

static Text
set_text(const Row *rows, int n)
{
	Out out = {0};

	out_fmt(&out, "  spanset ");
	out_text(&out, rows[0].set_attrs);
	out_fmt(&out, "\n");
	for (int i = 0; i < n; i++)
	{
		out_fmt(&out, "    ");
		out_text(&out, rows[i].rest);
		out_fmt(&out, "\n");
	}
	return out_done(&out);
}

Text
answer_of_rows(Row *rows, int n)
{
	Text *sets = ref_alloc((size_t) (n + 1) * sizeof(Text));
	Out out = {0};

	qsort(rows, (size_t) n, sizeof(Row), by_row);
	for (int i = 0, nsets = 0; i < n;)
	{
		int next = i;

		while (next < n && rows[next].set == rows[i].set && text_same(rows[next].trace, rows[i].trace))
			next++;
		sets[nsets++] = set_text(rows + i, next - i);
		if (next == n || !text_same(rows[next].trace, rows[i].trace))
		{
			qsort(sets, (size_t) nsets, sizeof(Text), by_text);
			out_fmt(&out, "trace ");
			out_text(&out, rows[i].trace);
			out_fmt(&out, "\n");
			for (int s = 0; s < nsets; s++)
				out_text(&out, sets[s]);
			nsets = 0;
		}
		i = next;
	}
	return out_done(&out);
}

/* ---- samples ---- */

static void
put_name_value(Out *out, const Val *v)
{
	if (v->type == T_STRING)
		out_text(out, v->s);
	else if (v->type == T_ARRAY)
		out_fmt(out, "[...]");
	else
		out_text(out, print_expr(&(Expr){.kind = X_VALUE, .value = *v}));
}

/* The value alone where there is one label. */
Text
series_name(const Series *s)
{
	Out out = {0};

	if (s->nlabels == 1)
	{
		put_name_value(&out, &s->labels[0].value);
		return out_done(&out);
	}
	for (int i = 0; i < s->nlabels; i++)
	{
		const char *quote = s->labels[i].value.type == T_STRING ? "\"" : "";

		out_fmt(&out, "%s%.*s=%s", i ? ", " : "{", (int) s->labels[i].name.n, s->labels[i].name.p, quote);
		put_name_value(&out, &s->labels[i].value);
		out_fmt(&out, "%s", quote);
	}
	out_fmt(&out, "}");
	return out_done(&out);
}

Text
sql_series_text(const Series *s)
{
	SetAttr attrs[REF_MAX_LABELS];
	Out out = {0};

	for (int i = 0; i < s->nlabels; i++)
		attrs[i] = (SetAttr){s->labels[i].name, s->labels[i].value};
	out_text(&out, canonical_labels(attrs, s->nlabels));
	out_fmt(&out, " ");
	out_text(&out, series_name(s));
	return out_done(&out);
}

Text
answer_of_result(const Result *result, bool instant, SeriesText text_of_series)
{
	Point *samples = ref_alloc((size_t) (result->n * result->at.n + 1) * sizeof(Point));
	int n = 0;

	for (int i = 0; i < result->n; i++)
	{
		Text text = text_of_series(&result->series[i]);

		for (int k = 0; k < result->at.n; k++)
			if (!isnan(result->series[i].values[k]))
				samples[n++] =
					(Point){text, instant ? 0 : (result->at.from + (k + 1) * result->at.step) / 1000,
							result->series[i].values[k]};
	}
	return answer_of_samples(samples, n);
}

static int
by_sample(const void *a, const void *b)
{
	const Point *x = a;
	const Point *y = b;
	int c = text_cmp(x->series, y->series);

	if (c == 0)
		c = (x->time > y->time) - (x->time < y->time);
	return c ? c : (x->value > y->value) - (x->value < y->value);
}

/* A line a series. */
Text
answer_of_samples(Point *samples, int n)
{
	Out out = {0};

	qsort(samples, (size_t) n, sizeof(Point), by_sample);
	for (int i = 0; i < n; i++)
	{
		if (i == 0 || !text_same(samples[i].series, samples[i - 1].series))
		{
			out_fmt(&out, i ? "\n" : "");
			out_text(&out, samples[i].series);
		}
		out_fmt(&out, " %lld:", (long long) samples[i].time);
		put_float(&out, samples[i].value);
	}
	out_fmt(&out, n ? "\n" : "");
	return out_done(&out);
}

/* ---- agreement ---- */

static bool
close_floats(const char **a, const char **b)
{
	char *end_a, *end_b;
	double x = strtod(*a, &end_a), y = strtod(*b, &end_b);
	bool close = x == y || fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y)) || (isnan(x) && isnan(y)) ||
				 fabs(x - y) < 1e-12;

	*a = end_a;
	*b = end_b;
	return close;
}

bool
answers_agree(Text x, Text y)
{
	const char *a = x.p, *b = y.p;

	while (a < x.p + x.n && b < y.p + y.n)
	{
		if (*a != *b)
			return false;
		a++;
		b++;
		if (a[-1] == '~' && !close_floats(&a, &b))
			return false;
	}
	return a == x.p + x.n && b == y.p + y.n;
}
