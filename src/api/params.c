/*
 * params.c
 *	  Decoding query strings and the text forms of their values; see params.h.
 */
#include "api/params.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static void
put_error(Buf *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_put(err, text, strlen(text));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
params_decode(Arena *arena, Str text, bool plus_is_space, Str *out)
{
	char *o = arena_alloc(arena, text.len + 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < text.len; i++)
	{
		char c = text.p[i];

		if (c == '%')
		{
			if (i + 2 >= text.len || hex_digit(text.p[i + 1]) < 0 || hex_digit(text.p[i + 2]) < 0)
				return false;
			c = (char) (hex_digit(text.p[i + 1]) << 4 | hex_digit(text.p[i + 2]));
			i += 2;
		}
		else if (c == '+' && plus_is_space)
			c = ' ';
		o[n++] = c;
	}
	o[n] = '\0';
	*out = str_of(o, n);
	return true;
}

static uint32_t
count_byte(Str s, char c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++)
		n += s.p[i] == c;
	return n;
}

bool
params_parse(Arena *arena, Str query, QueryParams *params)
{
	const char *p = query.p;
	const char *end = p + query.len;

	params->arena = arena;
	params->n = 0;
	params->items = arena_alloc(arena, sizeof(QueryParam) * (count_byte(query, '&') + 1));
	while (p < end)
	{
		const char *stop = memchr(p, '&', end - p);
		const char *eq;
		QueryParam *item = &params->items[params->n];

		if (stop == NULL)
			stop = end;
		eq = memchr(p, '=', stop - p);
		if (!params_decode(arena, str_of(p, (eq ? eq : stop) - p), true, &item->key) ||
			!params_decode(arena, eq ? str_of(eq + 1, stop - eq - 1) : str_of(p, 0), true, &item->value))
			return false;
		if (stop > p)
			params->n++;
		p = stop + 1;
	}
	return true;
}

Str
params_get(const QueryParams *params, const char *key)
{
	for (uint32_t i = 0; i < params->n; i++)
		if (params->items[i].value.len > 0 && str_eq(params->items[i].key, str_lit(key)))
			return params->items[i].value;
	return (Str){NULL, 0};
}

bool
params_has(const QueryParams *params, const char *key)
{
	return params_get(params, key).p != NULL;
}

bool
params_u64(const QueryParams *params, const char *key, uint64_t max, uint64_t *v, Buf *err)
{
	Str s = params_get(params, key);
	uint64_t r = 0;

	if (s.p == NULL)
		return true;
	for (uint32_t i = 0; i < s.len; i++)
	{
		uint64_t digit = (uint64_t) (s.p[i] - '0');

		if (s.p[i] < '0' || s.p[i] > '9' || r > (UINT64_MAX - digit) / 10 || r * 10 + digit > max)
		{
			put_error(err, "invalid %s: \"%.*s\" is not a whole number from 0 to %llu", key,
					  (int) (s.len > 60 ? 60 : s.len), s.p, (unsigned long long) max);
			return false;
		}
		r = r * 10 + digit;
	}
	*v = r;
	return true;
}

static bool
logfmt_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A quoted value at *p (after the opening quote): backslash takes the next character as it is. */
static bool
logfmt_quoted(Arena *arena, const char **p, const char *end, Str *out)
{
	char *o = arena_alloc(arena, end - *p + 1);
	uint32_t n = 0;

	while (*p < end && **p != '"')
	{
		if (**p == '\\' && *p + 1 < end)
			(*p)++;
		o[n++] = *(*p)++;
	}
	if (*p == end)
		return false;
	(*p)++;
	*out = str_of(o, n);
	return true;
}

static Str
logfmt_bare(const char **p, const char *end, char stop)
{
	const char *start = *p;

	while (*p < end && !logfmt_space(**p) && **p != stop && **p != '"')
		(*p)++;
	return str_of(start, *p - start);
}

static bool
key_seen(const QueryParams *params, Str key)
{
	for (uint32_t i = 0; i < params->n; i++)
		if (str_eq(params->items[i].key, key))
			return true;
	return false;
}

bool
parse_logfmt(Arena *arena, Str text, QueryParams *out, Buf *err)
{
	const char *p = text.p;
	const char *end = p + text.len;

	out->arena = arena;
	out->n = 0;
	out->items = arena_alloc(arena, sizeof(QueryParam) * (text.len / 2 + 1));
	while (p < end)
	{
		QueryParam item = {.value = str_lit("")};

		if (logfmt_space(*p))
		{
			p++;
			continue;
		}
		item.key = logfmt_bare(&p, end, '=');
		if (item.key.len == 0 || (p < end && *p == '"'))
		{
			put_error(err, "invalid tags: logfmt syntax error at pos %d: unexpected '%c'",
					  (int) (p - text.p + 1), *p);
			return false;
		}
		if (p < end && *p == '=' && ++p < end && *p == '"')
		{
			p++;
			if (!logfmt_quoted(arena, &p, end, &item.value))
			{
				put_error(err, "invalid tags: logfmt syntax error at pos %d: unterminated quoted value",
						  (int) text.len);
				return false;
			}
		}
		else if (p > text.p && p[-1] == '=')
			item.value = logfmt_bare(&p, end, '\0');
		if (key_seen(out, item.key))
		{
			put_error(err, "invalid tags: tag %.*s has been set twice", (int) item.key.len, item.key.p);
			return false;
		}
		out->items[out->n++] = item;
	}
	return true;
}
