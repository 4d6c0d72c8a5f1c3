/*
 * literal.c
 *	  The text of numbers, durations, strings and attribute names to their values.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "traceql/lang/parser.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- durations ---- */

#define NS_US INT64_C(1000)
#define NS_MS INT64_C(1000000)
#define NS_S  INT64_C(1000000000)
#define NS_M  (60 * NS_S)
#define NS_H  (60 * NS_M)
#define NS_D  (24 * NS_H)

typedef struct DurationUnit
{
	const char *name;
	int64_t ns;
} DurationUnit;

/* Largest first: the order in which whole units must stand. */
static const DurationUnit whole_units[] = {{"y", 365 * NS_D}, {"w", 7 * NS_D}, {"d", NS_D},  {"h", NS_H},
										   {"m", NS_M},       {"s", NS_S},     {"ms", NS_MS}};
#define NWHOLE (sizeof(whole_units) / sizeof(whole_units[0]))

/* µ is U+00B5 */
static const DurationUnit decimal_units[] = {{"ns", 1},   {"us", NS_US}, {"\xc2\xb5s", NS_US}, {"ms", NS_MS},
											 {"s", NS_S}, {"m", NS_M},   {"h", NS_H}};
#define NDECIMAL (sizeof(decimal_units) / sizeof(decimal_units[0]))

static int
find_unit(const DurationUnit *units, size_t n, Str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_lit(units[i].name)))
			return (int) i;
	return -1;
}

/* Bytes up to the next digit or point. */
static Str
unit_at(Str text, uint32_t pos)
{
	uint32_t end = pos;

	while (end < text.len && !is_digit(text.p[end]) && text.p[end] != '.')
		end++;
	return str_of(text.p + pos, end - pos);
}

/* Digits from *pos on; false on overflow. */
static bool
read_digits(Str text, uint32_t *pos, int64_t *out)
{
	int64_t v = 0;

	for (; *pos < text.len && is_digit(text.p[*pos]); (*pos)++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text.p[*pos] - '0', &v))
			return false;
	*out = v;
	return true;
}

/* 1d12h: integers, units in falling order, each once. */
static bool
read_whole_units(Str text, int64_t *ns)
{
	uint32_t pos = 0;
	int next = 0;
	int64_t total = 0;

	while (pos < text.len)
	{
		uint32_t digits = pos;
		int64_t count;
		Str name;
		int unit;

		if (!read_digits(text, &pos, &count) || pos == digits)
			return false;
		name = unit_at(text, pos);
		unit = find_unit(whole_units, NWHOLE, name);
		if (unit < next || __builtin_mul_overflow(count, whole_units[unit].ns, &count) ||
			__builtin_add_overflow(total, count, &total))
			return false;
		next = unit + 1;
		pos += name.len;
	}
	*ns = total;
	return pos > 0;
}

/* Digits behind the point, as many as fit: value is *out / *scale. */
static void
read_fraction(Str text, uint32_t *pos, int64_t *out, double *scale)
{
	int64_t v = 0;
	bool full = false;

	*scale = 1;
	for (; *pos < text.len && is_digit(text.p[*pos]); (*pos)++)
	{
		int64_t grown;

		full = full || __builtin_mul_overflow(v, 10, &grown) ||
			   __builtin_add_overflow(grown, text.p[*pos] - '0', &grown);
		if (full)
			continue;
		v = grown;
		*scale *= 10;
	}
	*out = v;
}

/* 1.5h, 5s1ns: decimal numbers, any order, repeats allowed. */
static bool
read_decimal_units(Str text, int64_t *ns)
{
	uint32_t pos = 0;
	int64_t total = 0;

	while (pos < text.len)
	{
		uint32_t begin = pos;
		bool digits;
		int64_t count;
		int64_t fraction = 0;
		double scale = 1;
		Str name;
		int unit;

		if (!read_digits(text, &pos, &count))
			return false;
		digits = pos > begin;
		if (pos < text.len && text.p[pos] == '.')
		{
			uint32_t point = ++pos;

			read_fraction(text, &pos, &fraction, &scale);
			digits = digits || pos > point;
		}
		name = unit_at(text, pos);
		unit = find_unit(decimal_units, NDECIMAL, name);
		if (!digits || unit < 0 || __builtin_mul_overflow(count, decimal_units[unit].ns, &count) ||
			__builtin_add_overflow(count, (int64_t) ((double) fraction * (decimal_units[unit].ns / scale)),
								   &count) ||
			__builtin_add_overflow(total, count, &total))
			return false;
		pos += name.len;
	}
	*ns = total;
	return pos > 0;
}

bool
traceql_read_duration(Str text, int64_t *ns)
{
	return read_whole_units(text, ns) || read_decimal_units(text, ns);
}

/* ---- numbers ---- */

/* Length of the longest number (without unit) at the start of text, and whether it is an integer. */
static uint32_t
number_length(Str text, bool *integer)
{
	uint32_t n = 0;
	uint32_t exp;

	*integer = true;
	while (n < text.len && is_digit(text.p[n]))
		n++;
	if (n < text.len && text.p[n] == '.')
	{
		*integer = false;
		for (n++; n < text.len && is_digit(text.p[n]);)
			n++;
	}
	exp = n;
	if (exp < text.len && (text.p[exp] | 0x20) == 'e')
	{
		exp++;
		if (exp < text.len && (text.p[exp] == '+' || text.p[exp] == '-'))
			exp++;
		if (exp < text.len && is_digit(text.p[exp]))
		{
			*integer = false;
			while (exp < text.len && is_digit(text.p[exp]))
				exp++;
			n = exp;
		}
	}
	return n;
}

/* A leading zero announces octal digits, though the value is read as decimal. */
static bool
looks_octal_but_is_not(Str digits)
{
	if (digits.len < 2 || digits.p[0] != '0')
		return false;
	for (uint32_t i = 1; i < digits.len && is_digit(digits.p[i]); i++)
		if (digits.p[i] > '7')
			return true;
	return false;
}

static bool
read_integer(Str digits, TraceqlStatic *out, const char **why)
{
	uint32_t pos = 0;

	out->type = TQL_TYPE_INT;
	*why = "integer out of range: the largest is 9223372036854775807";
	return read_digits(digits, &pos, &out->i);
}

static bool
read_float(Arena *arena, Str text, TraceqlStatic *out, const char **why)
{
	char *z = arena_alloc(arena, text.len + 1);

	memcpy(z, text.p, text.len);
	z[text.len] = '\0';
	out->type = TQL_TYPE_FLOAT;
	out->f = strtod(z, NULL);
	*why = "float out of range";
	return isfinite(out->f);
}

bool
traceql_read_number(Arena *arena, Str text, TraceqlStatic *out, const char **why)
{
	bool integer;
	uint32_t n = number_length(text, &integer);
	Str number = str_of(text.p, n);

	if (integer && looks_octal_but_is_not(number))
	{
		*why = "a number with a leading zero may hold the digits 0 to 7 only";
		return false;
	}
	if (n == text.len)
		return integer ? read_integer(number, out, why) : read_float(arena, number, out, why);
	out->type = TQL_TYPE_DURATION;
	*why = "malformed number or duration: write it as in 15, 1.5, 1e3, 250ms, 1h30m or 1d12h";
	return traceql_read_duration(text, &out->i);
}

/* ---- strings ---- */

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n digits of the base at *pos; -1 when there are not as many. */
static int64_t
read_code(Str text, uint32_t *pos, int n, int base)
{
	int64_t v = 0;

	for (int i = 0; i < n; i++)
	{
		int d = *pos < text.len ? hex_digit(text.p[*pos]) : -1;

		if (d < 0 || d >= base)
			return -1;
		v = v * base + d;
		(*pos)++;
	}
	return v;
}

static bool
put_utf8(Buf *out, int64_t c)
{
	if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	if (c < 0x80)
		buf_put_u8(out, c);
	else if (c < 0x800)
	{
		buf_put_u8(out, 0xc0 | c >> 6);
		buf_put_u8(out, 0x80 | (c & 0x3f));
	}
	else if (c < 0x10000)
	{
		buf_put_u8(out, 0xe0 | c >> 12);
		buf_put_u8(out, 0x80 | (c >> 6 & 0x3f));
		buf_put_u8(out, 0x80 | (c & 0x3f));
	}
	else
	{
		buf_put_u8(out, 0xf0 | c >> 18);
		buf_put_u8(out, 0x80 | (c >> 12 & 0x3f));
		buf_put_u8(out, 0x80 | (c >> 6 & 0x3f));
		buf_put_u8(out, 0x80 | (c & 0x3f));
	}
	return true;
}

/* The escape at *pos (behind the backslash). */
static bool
read_escape(Str text, uint32_t *pos, Buf *out)
{
	static const char names[] = "abfnrtv\\\"";
	static const char values[] = "\a\b\f\n\r\t\v\\\"";
	char c = text.p[*pos];
	const char *simple = c ? strchr(names, c) : NULL;
	int64_t code;

	if (simple)
	{
		buf_put_u8(out, values[simple - names]);
		(*pos)++;
		return true;
	}
	if (is_digit(c))
	{
		code = read_code(text, pos, 3, 8);
		if (code < 0 || code > 255)
			return false;
		buf_put_u8(out, code);
		return true;
	}
	(*pos)++;
	switch (c)
	{
		case 'x':
			code = read_code(text, pos, 2, 16);
			if (code >= 0)
				buf_put_u8(out, code);
			return code >= 0;
		case 'u': return put_utf8(out, read_code(text, pos, 4, 16));
		case 'U': return put_utf8(out, read_code(text, pos, 8, 16));
		default: return false;
	}
}

bool
traceql_read_string(Arena *arena, Str quoted, Str *out, const char **why)
{
	bool raw = quoted.p[0] == '`';
	Str text = str_of(quoted.p + 1, quoted.len - 2);
	Buf buf;

	buf_init(&buf, arena, text.len + 1);
	for (uint32_t pos = 0; pos < text.len;)
	{
		char c = text.p[pos++];

		if (c == '\\' && !raw)
		{
			if (!read_escape(text, &pos, &buf))
			{
				*why = "unknown escape in a string: write \\\\ for a backslash, or use `...`, which has no "
					   "escapes";
				return false;
			}
		}
		else if (c != '\r' || !raw)
			buf_put_u8(&buf, c);
	}
	*out = str_of((char *) buf.p, buf.len);
	return true;
}

/* Inside a quoted stretch a backslash protects the next byte; outside it is an ordinary one. */
Str
traceql_read_name(Arena *arena, Str text)
{
	char *name = arena_alloc(arena, text.len + 1);
	uint32_t n = 0;
	bool quoted = false;

	for (uint32_t i = 0; i < text.len; i++)
	{
		if (text.p[i] == '"')
			quoted = !quoted;
		else if (quoted && text.p[i] == '\\')
			name[n++] = text.p[++i];
		else
			name[n++] = text.p[i];
	}
	return str_of(name, n);
}
