/*
 * search_tags.c
 *	  The older form of search, tags=k=v and trace durations, written as TraceQL.
 *
 * Every tag must be met by some span of the trace, on the span or its resource. Keys that Tempo keeps in
 * columns of their own match by substring, others by equality; a value that reads as a number or a boolean
 * also equals a number or a boolean.
 */
#include "api/search.h"

#include <inttypes.h>
#include <stdio.h>

/* Keys that mean something other than an attribute, and how they compare. */
typedef struct SpecialTag
{
	const char *key;
	const char *field;
	bool substring; /* =~ ".*v.*" instead of = "v" */
} SpecialTag;

static const SpecialTag special_tags[] = {{"name", "name", true},
										  {"root.name", "rootName", true},
										  {"root.service.name", "rootServiceName", true},
										  {"service.name", "resource.service.name", true}};

static void
put_text(Buf *out, const char *text)
{
	buf_put(out, text, strlen(text));
}

/* In double quotes; names and strings share the escapes used here. */
static void
put_quoted(Buf *out, Str s, bool name)
{
	buf_put_u8(out, '"');
	for (uint32_t i = 0; i < s.len; i++)
	{
		char c = s.p[i];

		if (c == '"' || c == '\\')
			buf_put_u8(out, '\\');
		if (c == '\n' && !name)
			put_text(out, "\\n");
		else
			buf_put_u8(out, (uint8_t) c);
	}
	buf_put_u8(out, '"');
}

/* A string literal holding a pattern that finds s anywhere. */
static void
put_substring_pattern(Buf *out, Str s)
{
	Buf pattern;

	buf_init(&pattern, out->arena, s.len * 2 + 8);
	put_text(&pattern, ".*");
	for (uint32_t i = 0; i < s.len; i++)
	{
		if (strchr("\\.+*?()|[]{}^$", s.p[i]) != NULL && s.p[i] != '\0')
			buf_put_u8(&pattern, '\\');
		buf_put_u8(&pattern, (uint8_t) s.p[i]);
	}
	put_text(&pattern, ".*");
	put_quoted(out, str_of((char *) pattern.p, pattern.len), false);
}

static bool
is_number(Str s)
{
	uint32_t i = s.len > 0 && s.p[0] == '-';

	if (i == s.len || s.len > 18)
		return false;
	for (; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static void
put_attribute_test(Buf *out, Str key, Str value)
{
	bool boolean = str_eq(value, str_lit("true")) || str_eq(value, str_lit("false"));

	buf_put_u8(out, '.');
	put_quoted(out, key, true);
	put_text(out, " = ");
	put_quoted(out, value, false);
	if (!boolean && !is_number(value))
		return;
	put_text(out, " || .");
	put_quoted(out, key, true);
	put_text(out, " = ");
	buf_put(out, value.p, value.len);
}

static bool
is_status(Str s)
{
	return str_eq(s, str_lit("unset")) || str_eq(s, str_lit("ok")) || str_eq(s, str_lit("error"));
}

static void
put_tag_test(Buf *out, Str key, Str value)
{
	for (size_t i = 0; i < sizeof(special_tags) / sizeof(special_tags[0]); i++)
		if (str_eq(key, str_lit(special_tags[i].key)))
		{
			put_text(out, special_tags[i].field);
			put_text(out, " =~ ");
			put_substring_pattern(out, value);
			return;
		}
	if (str_eq(key, str_lit("status.code")) && is_status(value))
	{
		put_text(out, "status = ");
		buf_put(out, value.p, value.len);
	}
	else if (str_eq(key, str_lit("error")) && str_eq(value, str_lit("true")))
		put_text(out, "status = error");
	else
		put_attribute_test(out, key, value);
}

static void
put_duration_test(Buf *out, const char *op, int64_t ns, bool *any)
{
	char text[64];

	snprintf(text, sizeof(text), "%s{ traceDuration %s %" PRId64 "ns }", *any ? " && " : "", op, ns);
	put_text(out, text);
	*any = true;
}

void
search_tags_query(const QueryParams *tags, int64_t min_duration, int64_t max_duration, Buf *out)
{
	bool any = false;

	if (min_duration > 0)
		put_duration_test(out, ">=", min_duration, &any);
	if (max_duration > 0)
		put_duration_test(out, "<=", max_duration, &any);
	for (uint32_t i = 0; i < tags->n; i++)
	{
		put_text(out, any ? " && { " : "{ ");
		put_tag_test(out, tags->items[i].key, tags->items[i].value);
		put_text(out, " }");
		any = true;
	}
	if (!any)
		put_text(out, "{ }");
}
