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
		out_fmt(out, "NaN");
	else
	{
		snprintf(text, sizeof(text), "%.10g", d == 0 ? 0.0 : d);
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
		case T_FLOAT:
			out_fmt(&out, "f");
			put_float(&out, v->d);
			break;
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
canonical_attrs(SetAttr *attrs, int n)
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
