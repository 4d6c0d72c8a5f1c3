/*
 * json_write.c
 *	  Writing JSON; see json_write.h for the dialect.
 */
#include "api/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void
json_put_raw(Buf *out, const char *text)
{
	buf_put(out, text, strlen(text));
}

void
json_put_comma(Buf *out, bool *first)
{
	if (!*first)
		buf_put_u8(out, ',');
	*first = false;
}

void
json_put_key(Buf *out, bool *first, const char *key)
{
	json_put_comma(out, first);
	buf_put_u8(out, '"');
	json_put_raw(out, key);
	buf_put(out, "\":", 2);
}

/* Length of the valid UTF-8 sequence at p, 0 when there is none. */
static int
utf8_length(const uint8_t *p, const uint8_t *end)
{
	int n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (n == 0 || end - p < n)
		return 0;
	for (int i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
		(p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void
put_escaped(Buf *out, uint8_t c)
{
	char text[8];

	switch (c)
	{
		case '"': json_put_raw(out, "\\\""); break;
		case '\\': json_put_raw(out, "\\\\"); break;
		case '\n': json_put_raw(out, "\\n"); break;
		case '\r': json_put_raw(out, "\\r"); break;
		case '\t': json_put_raw(out, "\\t"); break;
		default: snprintf(text, sizeof(text), "\\u%04x", c); json_put_raw(out, text);
	}
}

void
json_put_string(Buf *out, Str s)
{
	const uint8_t *p = (const uint8_t *) s.p;
	const uint8_t *end = p + s.len;
	const uint8_t *plain = p; /* start of the run that needs no change */

	buf_put_u8(out, '"');
	while (p < end)
	{
		int n;

		if (*p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		{
			p++;
			continue;
		}
		if (*p >= 0x80 && (n = utf8_length(p, end)) > 0)
		{
			p += n;
			continue;
		}
		buf_put(out, plain, p - plain);
		if (*p >= 0x80)
			buf_put(out, "\xef\xbf\xbd", 3);
		else
			put_escaped(out, *p);
		plain = ++p;
	}
	buf_put(out, plain, p - plain);
	buf_put_u8(out, '"');
}

void
json_put_u64(Buf *out, uint64_t v)
{
	char text[24];

	buf_put(out, text, snprintf(text, sizeof(text), "%" PRIu64, v));
}

void
json_put_i64(Buf *out, int64_t v)
{
	char text[24];

	buf_put(out, text, snprintf(text, sizeof(text), "%" PRId64, v));
}

void
json_put_quoted_u64(Buf *out, uint64_t v)
{
	buf_put_u8(out, '"');
	json_put_u64(out, v);
	buf_put_u8(out, '"');
}

void
json_put_quoted_i64(Buf *out, int64_t v)
{
	char text[28];

	buf_put(out, text, snprintf(text, sizeof(text), "\"%" PRId64 "\"", v));
}

void
json_put_double(Buf *out, double v)
{
	char text[40];

	if (isnan(v))
		json_put_raw(out, "\"NaN\"");
	else if (isinf(v))
		json_put_raw(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	else
	{
		/* the shortest of 15 to 17 digits that reads back the same */
		for (int digits = 15; digits <= 17; digits++)
		{
			snprintf(text, sizeof(text), "%.*g", digits, v);
			if (digits == 17 || strtod(text, NULL) == v)
				break;
		}
		json_put_raw(out, text);
	}
}

void
json_put_base64(Buf *out, Str bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *) bytes.p;
	size_t left = bytes.len;
	uint8_t *o = buf_reserve(out, (bytes.len + (size_t) 2) / 3 * 4 + 2);
	uint8_t *start = o;

	*o++ = '"';
	for (; left >= 3; p += 3, left -= 3)
	{
		uint32_t v = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = digits[v >> 6 & 63];
		*o++ = digits[v & 63];
	}
	if (left > 0)
	{
		uint32_t v = (uint32_t) p[0] << 16 | (left > 1 ? (uint32_t) p[1] << 8 : 0);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*o++ = '=';
	}
	*o++ = '"';
	out->len += o - start;
}

static void
put_array(Buf *out, Str members)
{
	ValueIter it;
	Value v;
	bool first = true;

	json_put_raw(out, "{\"values\":[");
	if (value_iter_begin(&it, members))
		while (value_iter_next(&it, &v))
		{
			json_put_comma(out, &first);
			json_put_any_value(out, &v);
		}
	json_put_raw(out, "]}");
}

void
json_put_any_value(Buf *out, const Value *v)
{
	switch (v->type)
	{
		case VALUE_EMPTY: json_put_raw(out, "{}"); return;
		case VALUE_STRING:
			json_put_raw(out, "{\"stringValue\":");
			json_put_string(out, v->s);
			break;
		case VALUE_BOOL: json_put_raw(out, v->b ? "{\"boolValue\":true" : "{\"boolValue\":false"); break;
		case VALUE_INT:
			json_put_raw(out, "{\"intValue\":");
			json_put_quoted_i64(out, v->i);
			break;
		case VALUE_DOUBLE:
			json_put_raw(out, "{\"doubleValue\":");
			json_put_double(out, v->d);
			break;
		case VALUE_ARRAY:
			json_put_raw(out, "{\"arrayValue\":");
			put_array(out, v->s);
			break;
		case VALUE_KVLIST:
			json_put_raw(out, "{\"kvlistValue\":{\"values\":");
			json_put_attributes(out, v->s);
			buf_put_u8(out, '}');
			break;
		case VALUE_BYTES:
			json_put_raw(out, "{\"bytesValue\":");
			json_put_base64(out, v->s);
			break;
	}
	buf_put_u8(out, '}');
}

void
json_put_attributes(Buf *out, Str attributes)
{
	ValueIter it;
	KeyValue kv;
	bool first = true;

	buf_put_u8(out, '[');
	if (value_iter_begin(&it, attributes))
		while (value_iter_next_kv(&it, &kv))
		{
			json_put_comma(out, &first);
			json_put_raw(out, "{\"key\":");
			json_put_string(out, kv.key);
			json_put_raw(out, ",\"value\":");
			json_put_any_value(out, &kv.value);
			buf_put_u8(out, '}');
		}
	buf_put_u8(out, ']');
}
