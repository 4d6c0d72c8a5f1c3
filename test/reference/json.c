/*
 * json.c
 *	  JSON into a tree, strictly enough for documents that tests make themselves.
 */
#include "ref.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader
{
	const char *p;
	const char *end;
	bool bad;
} Reader;

static Json *read_value(Reader *r);

static void
space(Reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
		r->p++;
}

static bool
accept(Reader *r, const char *word)
{
	size_t n = strlen(word);

	space(r);
	if ((size_t) (r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static uint32_t
hex4(Reader *r)
{
	char digits[5] = {0};

	if (r->end - r->p < 4)
	{
		r->bad = true;
		return 0;
	}
	memcpy(digits, r->p, 4);
	r->p += 4;
	return (uint32_t) strtoul(digits, NULL, 16);
}

static void
read_escape(Reader *r, Out *out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	char c = *r->p++;
	const char *at = strchr(from, c);

	if (c == 'u')
	{
		uint32_t u = hex4(r);

		if (u >= 0xd800 && u < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u')
		{
			r->p += 2;
			u = 0x10000 + ((u - 0xd800) << 10) + (hex4(r) - 0xdc00);
		}
		out_utf8(out, u);
	}
	else if (at && c)
		out_bytes(out, to + (at - from), 1);
	else
		r->bad = true;
}

static Text
read_string(Reader *r)
{
	Out out = {0};

	if (!accept(r, "\""))
		r->bad = true;
	while (!r->bad && r->p < r->end && *r->p != '"')
	{
		if (*r->p == '\\' && r->end - r->p >= 2)
		{
			r->p++;
			read_escape(r, &out);
		}
		else
			out_bytes(&out, r->p++, 1);
	}
	if (r->p >= r->end)
		r->bad = true;
	else
		r->p++;
	return out_done(&out);
}

static void
read_number(Reader *r, Json *j)
{
	char text[512];
	size_t n = 0;
	char *end;

	space(r);
	while (r->p + n < r->end && n < sizeof(text) - 1 && strchr("+-.0123456789eE", r->p[n]) && r->p[n])
		n++;
	memcpy(text, r->p, n);
	text[n] = 0;
	r->p += n;
	j->s = text_copy(text, n);
	errno = 0;
	j->i = strtoll(text, &end, 10);
	j->type = strpbrk(text, ".eE") || errno == ERANGE ? J_FLOAT : J_INT;
	j->d = strtod(text, &end);
	if (n == 0 || *end)
		r->bad = true;
}

static void
read_members(Reader *r, Json *j, const char *close)
{
	Json **tail = &j->first;

	if (accept(r, close))
		return;
	do
	{
		Text key = {0};
		Json *child;

		if (j->type == J_OBJECT)
		{
			key = read_string(r);
			if (!accept(r, ":"))
				r->bad = true;
		}
		if (r->bad)
			return;
		child = read_value(r);
		child->key = key;
		*tail = child;
		tail = &child->next;
	} while (!r->bad && accept(r, ","));
	if (!accept(r, close))
		r->bad = true;
}

static bool
read_special(Reader *r, Json *j)
{
	static const struct
	{
		const char *word;
		double d;
	} floats[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};

	for (int i = 0; i < 3; i++)
	{
		if (accept(r, floats[i].word))
		{
			*j = (Json){.type = J_FLOAT, .d = floats[i].d};
			if (i == 0 && accept(r, "(")) /* its bits */
				while (r->p < r->end && *r->p++ != ')')
					;
			return true;
		}
	}
	return false;
}

static Json *
read_value(Reader *r)
{
	Json *j = ref_alloc(sizeof(Json));

	if (accept(r, "{"))
	{
		j->type = J_OBJECT;
		read_members(r, j, "}");
	}
	else if (accept(r, "["))
	{
		j->type = J_ARRAY;
		read_members(r, j, "]");
	}
	else if (accept(r, "null"))
		j->type = J_NULL;
	else if (accept(r, "true") || accept(r, "false"))
	{
		j->type = J_BOOL;
		j->i = r->p[-2] == 'u';
	}
	else if (read_special(r, j))
		;
	else if (r->p < r->end && (*r->p == '"' || *r->p == 'x'))
	{
		if (*r->p == 'x')
			r->p++;
		j->type = J_STRING;
		j->s = read_string(r);
	}
	else
		read_number(r, j);
	return j;
}

Json *
json_parse(const char *text, size_t n)
{
	Reader r = {.p = text, .end = text + n};
	Json *j = read_value(&r);

	space(&r);
	return r.bad || r.p != r.end ? NULL : j;
}

Json *
json_get(const Json *object, const char *key)
{
	for (Json *j = object ? object->first : NULL; j; j = j->next)
		if (text_is(j->key, key))
			return j;
	return NULL;
}
