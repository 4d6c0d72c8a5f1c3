/*
 * value_print.c
 *	  The text form of attribute values, exact: value_parse.c reads it back to the same bytes.
 *
 * A superset of JSON. Ints have neither point nor exponent, doubles always one of them (shortest digits
 * that read back the same), plus NaN, Infinity, -Infinity, and NaN(0x...) for NaNs with other bits; an
 * empty value is null; bytes are x"hex". Strings keep every byte: \u0000 is allowed, and bytes that are
 * not UTF-8 print as \xhh, which JSON does not have. The database is UTF8: CREATE EXTENSION sees to it.
 */
#include "types/types.h"

#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define DEFAULT_NAN_BITS UINT64CONST(0x7ff8000000000000)

static void
malformed(void)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("malformed attribute value")));
}

static void
print_u16_escape(StringInfo out, unsigned int unit)
{
	appendStringInfo(out, "\\u%04x", unit);
}

/* Bytes of the UTF-8 character at p, 0 if there is none. */
static int
utf8_char_length(const unsigned char *p, const unsigned char *end)
{
	int len = pg_utf_mblen(p);

	return len <= end - p && pg_utf8_islegal(p, len) ? len : 0;
}

/* One character above ASCII, or one byte that is none; returns how many bytes it took. */
static int
print_high(StringInfo out, const unsigned char *p, const unsigned char *end)
{
	int len = utf8_char_length(p, end);

	if (len == 0)
	{
		appendStringInfo(out, "\\x%02x", *p);
		return 1;
	}
	appendBinaryStringInfo(out, (const char *) p, len);
	return len;
}

static void
print_special(StringInfo out, unsigned char c)
{
	switch (c)
	{
		case '"': appendStringInfoString(out, "\\\""); break;
		case '\\': appendStringInfoString(out, "\\\\"); break;
		case '\b': appendStringInfoString(out, "\\b"); break;
		case '\f': appendStringInfoString(out, "\\f"); break;
		case '\n': appendStringInfoString(out, "\\n"); break;
		case '\r': appendStringInfoString(out, "\\r"); break;
		case '\t': appendStringInfoString(out, "\\t"); break;
		default: print_u16_escape(out, c);
	}
}

void
types_print_string(StringInfo out, Str s)
{
	const unsigned char *p = (const unsigned char *) s.p;
	const unsigned char *end = p + s.len;

	appendStringInfoChar(out, '"');
	while (p < end)
	{
		const unsigned char *run = p;

		while (p < end && *p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\')
			p++;
		appendBinaryStringInfo(out, (const char *) run, p - run);
		if (p < end && *p >= 0x80)
			p += print_high(out, p, end);
		else if (p < end)
			print_special(out, *p++);
	}
	appendStringInfoChar(out, '"');
}

/* A string as bare text. NUL and bytes that are not characters appear escaped; that is not reversible. */
static void
print_bare_string(StringInfo out, Str s)
{
	const unsigned char *p = (const unsigned char *) s.p;
	const unsigned char *end = p + s.len;

	while (p < end)
	{
		const unsigned char *run = p;

		while (p < end && *p != 0 && *p < 0x80)
			p++;
		appendBinaryStringInfo(out, (const char *) run, p - run);
		if (p < end && *p >= 0x80)
			p += print_high(out, p, end);
		else if (p < end)
			print_u16_escape(out, *p++);
	}
}

void
types_print_hex(StringInfo out, Str s)
{
	enlargeStringInfo(out, (int) Min((uint64) s.len * 2, (uint64) MaxAllocSize));
	out->len += (int) hex_encode(s.p, s.len, out->data + out->len);
	out->data[out->len] = '\0';
}

static void
print_double(StringInfo out, double d)
{
	char buf[DOUBLE_SHORTEST_DECIMAL_LEN];
	uint64 bits;

	memcpy(&bits, &d, sizeof(bits));
	if (d != d && bits != DEFAULT_NAN_BITS)
	{
		appendStringInfo(out, "NaN(0x%016llx)", (unsigned long long) bits);
		return;
	}
	double_to_shortest_decimal_buf(d, buf);
	appendStringInfoString(out, buf);
	if (strpbrk(buf, ".eNI") == NULL)
		appendStringInfoString(out, ".0");
}

static void
print_array(StringInfo out, Str members)
{
	ValueIter it;
	Value v;
	const char *separator = "";

	check_stack_depth();
	appendStringInfoChar(out, '[');
	value_iter_begin(&it, members);
	while (value_iter_next(&it, &v))
	{
		appendStringInfoString(out, separator);
		types_print_value(out, &v);
		separator = ", ";
	}
	if (it.left != 0)
		malformed();
	appendStringInfoChar(out, ']');
}

void
types_print_attributes(StringInfo out, Str attributes)
{
	ValueIter it;
	KeyValue kv;
	const char *separator = "";

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	appendStringInfoChar(out, '{');
	value_iter_begin(&it, attributes);
	while (value_iter_next_kv(&it, &kv))
	{
		appendStringInfoString(out, separator);
		types_print_string(out, kv.key);
		appendStringInfoString(out, ": ");
		types_print_value(out, &kv.value);
		separator = ", ";
	}
	if (it.left != 0)
		malformed();
	appendStringInfoChar(out, '}');
}

static void
print_bytes(StringInfo out, Str s)
{
	appendStringInfoString(out, "x\"");
	types_print_hex(out, s);
	appendStringInfoChar(out, '"');
}

void
types_print_value(StringInfo out, const Value *v)
{
	switch (v->type)
	{
		case VALUE_EMPTY: appendStringInfoString(out, "null"); return;
		case VALUE_STRING: types_print_string(out, v->s); return;
		case VALUE_BOOL: appendStringInfoString(out, v->b ? "true" : "false"); return;
		case VALUE_INT: appendStringInfo(out, INT64_FORMAT, (int64) v->i); return;
		case VALUE_DOUBLE: print_double(out, v->d); return;
		case VALUE_ARRAY: print_array(out, v->s); return;
		case VALUE_KVLIST: types_print_attributes(out, v->s); return;
		case VALUE_BYTES: print_bytes(out, v->s); return;
	}
	malformed();
}

void
types_print_bare(StringInfo out, const Value *v)
{
	if (v->type == VALUE_STRING)
		print_bare_string(out, v->s);
	else
		types_print_value(out, v);
}
