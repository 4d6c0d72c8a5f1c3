/*
 * value_parse.c
 *	  Reads the text form of attribute values; value_print.c says what it is.
 *
 * Any JSON object is accepted whose ints fit 64 bits: an int that does not is refused rather than
 * rounded. Nesting is bounded by VALUE_MAX_DEPTH. What is read goes to an arena of the cursor's own,
 * which types_parse_end frees; after an error it goes with the memory context.
 */
#include "types/types.h"

#include <math.h>

#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define DEFAULT_NAN_BITS UINT64CONST(0x7ff8000000000000)

void
types_parse_begin(TextCursor *cur, const char *text, size_t len, const char *type)
{
	cur->start = cur->pos = text;
	cur->end = text + len;
	cur->type = type;
	cur->arena = types_arena();
}

void
types_parse_error(TextCursor *cur, const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					errmsg("invalid input syntax for type %s", cur->type),
					errdetail("%s at byte %zu.", detail, (size_t) (cur->pos - cur->start) + 1)));
}

static void
skip_space(TextCursor *cur)
{
	while (cur->pos < cur->end &&
		   (*cur->pos == ' ' || *cur->pos == '\t' || *cur->pos == '\n' || *cur->pos == '\r'))
		cur->pos++;
}

bool
types_parse_take(TextCursor *cur, char c)
{
	skip_space(cur);
	if (cur->pos >= cur->end || *cur->pos != c)
		return false;
	cur->pos++;
	return true;
}

void
types_parse_expect(TextCursor *cur, char c)
{
	char detail[32];

	if (types_parse_take(cur, c))
		return;
	snprintf(detail, sizeof(detail), "Expected \"%c\"", c);
	types_parse_error(cur, detail);
}

void
types_parse_end(TextCursor *cur)
{
	skip_space(cur);
	if (cur->pos < cur->end)
		types_parse_error(cur, "Unexpected text after the end");
	arena_destroy(cur->arena);
}

/* n hex digits as a number. */
static uint64
parse_hex(TextCursor *cur, int n)
{
	uint64 v = 0;

	for (int i = 0; i < n; i++)
	{
		int digit = cur->pos < cur->end ? types_hex_digit(*cur->pos) : -1;

		if (digit < 0)
			types_parse_error(cur, "Expected a hexadecimal digit");
		v = v << 4 | (uint64) digit;
		cur->pos++;
	}
	return v;
}

static void
put_code_point(Buf *out, pg_wchar c)
{
	unsigned char utf8[8];

	unicode_to_utf8(c, utf8);
	buf_put(out, utf8, pg_utf_mblen(utf8));
}

/* After \u: one UTF-16 unit, or two that make a pair. */
static void
parse_unicode_escape(TextCursor *cur, Buf *out)
{
	pg_wchar c = (pg_wchar) parse_hex(cur, 4);
	pg_wchar low;

	if (c >= 0xd800 && c <= 0xdbff)
	{
		if (cur->end - cur->pos < 2 || cur->pos[0] != '\\' || cur->pos[1] != 'u')
			types_parse_error(cur, "Expected the second half of a surrogate pair");
		cur->pos += 2;
		low = (pg_wchar) parse_hex(cur, 4);
		if (low < 0xdc00 || low > 0xdfff)
			types_parse_error(cur, "Expected the second half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	else if (c >= 0xdc00 && c <= 0xdfff)
		types_parse_error(cur, "Second half of a surrogate pair without the first");
	put_code_point(out, c);
}

static void
parse_escape(TextCursor *cur, Buf *out)
{
	if (cur->pos >= cur->end)
		types_parse_error(cur, "Unterminated string");
	switch (*cur->pos++)
	{
		case '"': buf_put_u8(out, '"'); return;
		case '\\': buf_put_u8(out, '\\'); return;
		case '/': buf_put_u8(out, '/'); return;
		case 'b': buf_put_u8(out, '\b'); return;
		case 'f': buf_put_u8(out, '\f'); return;
		case 'n': buf_put_u8(out, '\n'); return;
		case 'r': buf_put_u8(out, '\r'); return;
		case 't': buf_put_u8(out, '\t'); return;
		case 'u': parse_unicode_escape(cur, out); return;
		case 'x': buf_put_u8(out, (uint8) parse_hex(cur, 2)); return;
	}
	cur->pos--;
	types_parse_error(cur, "Unknown escape sequence");
}

Str
types_parse_string(TextCursor *cur)
{
	Buf out;

	types_parse_expect(cur, '"');
	buf_init(&out, cur->arena, 32);
	for (;;)
	{
		const char *run = cur->pos;

		while (cur->pos < cur->end && (unsigned char) *cur->pos >= ' ' && *cur->pos != '"' &&
			   *cur->pos != '\\')
			cur->pos++;
		buf_put(&out, run, cur->pos - run);
		if (cur->pos >= cur->end)
			types_parse_error(cur, "Unterminated string");
		if (*cur->pos == '"')
			break;
		if (*cur->pos != '\\')
			types_parse_error(cur, "Control character in a string");
		cur->pos++;
		parse_escape(cur, &out);
	}
	cur->pos++;
	return str_of((char *) out.p, out.len);
}

/* After x: hex digits in quotes. */
static Str
parse_bytes(TextCursor *cur)
{
	Buf out;

	types_parse_expect(cur, '"');
	buf_init(&out, cur->arena, 32);
	while (cur->pos < cur->end && *cur->pos != '"')
		buf_put_u8(&out, (uint8) parse_hex(cur, 2));
	types_parse_expect(cur, '"');
	return str_of((char *) out.p, out.len);
}

static bool
take_word(TextCursor *cur, const char *word)
{
	size_t len = strlen(word);

	if ((size_t) (cur->end - cur->pos) < len || memcmp(cur->pos, word, len) != 0)
		return false;
	cur->pos += len;
	return true;
}

static double
double_of_bits(uint64 bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* After NaN: perhaps the bits in parentheses. */
static double
parse_nan(TextCursor *cur)
{
	uint64 bits;
	double d;

	if (!take_word(cur, "(0x"))
		return double_of_bits(DEFAULT_NAN_BITS);
	bits = parse_hex(cur, 16);
	types_parse_expect(cur, ')');
	d = double_of_bits(bits);
	if (d == d)
		types_parse_error(cur, "Bits that are not those of a NaN");
	return d;
}

static int
skip_digits(TextCursor *cur)
{
	const char *start = cur->pos;

	while (cur->pos < cur->end && *cur->pos >= '0' && *cur->pos <= '9')
		cur->pos++;
	if (cur->pos == start)
		types_parse_error(cur, "Expected a digit");
	return (int) (cur->pos - start);
}

static void
number_out_of_range(TextCursor *cur, const char *number, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					errmsg("number %.100s is out of range for type %s", number, cur->type),
					hint ? errhint("%s", hint) : 0));
}

static void
convert_number(TextCursor *cur, const char *start, bool is_double, Value *v)
{
	char *number = pnstrdup(start, cur->pos - start);

	errno = 0;
	if (is_double)
	{
		v->type = VALUE_DOUBLE;
		v->d = strtod(number, NULL);
		if (errno == ERANGE && (v->d == 0 || isinf(v->d)))
			number_out_of_range(cur, number, NULL);
	}
	else
	{
		v->type = VALUE_INT;
		v->i = strtoll(number, NULL, 10);
		if (errno == ERANGE)
			number_out_of_range(cur, number, "With a decimal point or an exponent it is a double.");
	}
	pfree(number);
}

static void
parse_number(TextCursor *cur, Value *v)
{
	const char *start = cur->pos;
	bool is_double = false;

	if (*cur->pos == '-')
		cur->pos++;
	if (cur->pos < cur->end && *cur->pos == '0')
		cur->pos++;
	else
		skip_digits(cur);
	if (cur->pos < cur->end && *cur->pos == '.')
	{
		is_double = true;
		cur->pos++;
		skip_digits(cur);
	}
	if (cur->pos < cur->end && (*cur->pos == 'e' || *cur->pos == 'E'))
	{
		is_double = true;
		cur->pos++;
		if (cur->pos < cur->end && (*cur->pos == '+' || *cur->pos == '-'))
			cur->pos++;
		skip_digits(cur);
	}
	convert_number(cur, start, is_double, v);
}

uint64
types_parse_uint64(TextCursor *cur)
{
	const char *start;
	uint64 v = 0;

	skip_space(cur);
	start = cur->pos;
	skip_digits(cur);
	for (const char *p = start; p < cur->pos; p++)
	{
		if (pg_mul_u64_overflow(v, 10, &v) || pg_add_u64_overflow(v, (uint64) (*p - '0'), &v))
			number_out_of_range(cur, pnstrdup(start, cur->pos - start), NULL);
	}
	return v;
}

static void parse_value(TextCursor *cur, Value *v, int depth);

static void
check_depth(TextCursor *cur, int depth)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (depth > VALUE_MAX_DEPTH)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("value of type %s is nested too deep", cur->type),
						errdetail("The limit is %d levels.", VALUE_MAX_DEPTH)));
}

/* Count and members as one string. */
static Str
finish_container(TextCursor *cur, uint64 count, const Buf *members)
{
	Buf out;

	buf_init(&out, cur->arena, members->len + 10);
	buf_put_varint(&out, count);
	buf_put(&out, members->p, members->len);
	return str_of((char *) out.p, out.len);
}

static Str
parse_array(TextCursor *cur, int depth)
{
	Buf members;
	uint64 count = 0;

	check_depth(cur, depth);
	types_parse_expect(cur, '[');
	buf_init(&members, cur->arena, 64);
	if (!types_parse_take(cur, ']'))
	{
		do
		{
			Value v;

			parse_value(cur, &v, depth);
			value_write(&members, &v);
			count++;
		} while (types_parse_take(cur, ','));
		types_parse_expect(cur, ']');
	}
	return finish_container(cur, count, &members);
}

static Str
parse_kvlist(TextCursor *cur, int depth)
{
	Buf members;
	uint64 count = 0;

	check_depth(cur, depth);
	types_parse_expect(cur, '{');
	buf_init(&members, cur->arena, 64);
	if (!types_parse_take(cur, '}'))
	{
		do
		{
			Str key = types_parse_string(cur);
			Value v;

			types_parse_expect(cur, ':');
			parse_value(cur, &v, depth);
			value_write_kv(&members, key, &v);
			count++;
		} while (types_parse_take(cur, ','));
		types_parse_expect(cur, '}');
	}
	return finish_container(cur, count, &members);
}

void
types_parse_attributes(TextCursor *cur, Buf *out, int depth)
{
	Str s = parse_kvlist(cur, depth);

	buf_put(out, s.p, s.len);
}

static bool
parse_word(TextCursor *cur, Value *v)
{
	v->i = 0;
	if (take_word(cur, "null"))
		v->type = VALUE_EMPTY;
	else if (take_word(cur, "true"))
		v->type = VALUE_BOOL, v->b = true;
	else if (take_word(cur, "false"))
		v->type = VALUE_BOOL, v->b = false;
	else if (take_word(cur, "NaN"))
		v->type = VALUE_DOUBLE, v->d = parse_nan(cur);
	else if (take_word(cur, "Infinity"))
		v->type = VALUE_DOUBLE, v->d = HUGE_VAL;
	else if (take_word(cur, "-Infinity"))
		v->type = VALUE_DOUBLE, v->d = -HUGE_VAL;
	else
		return false;
	return true;
}

/* depth: containers around this value. */
static void
parse_value(TextCursor *cur, Value *v, int depth)
{
	char c;

	skip_space(cur);
	c = cur->pos < cur->end ? *cur->pos : '\0';
	if (c == '"')
		v->type = VALUE_STRING, v->s = types_parse_string(cur);
	else if (c == '{')
		v->type = VALUE_KVLIST, v->s = parse_kvlist(cur, depth + 1);
	else if (c == '[')
		v->type = VALUE_ARRAY, v->s = parse_array(cur, depth + 1);
	else if (take_word(cur, "x\""))
	{
		cur->pos--;
		v->type = VALUE_BYTES, v->s = parse_bytes(cur);
	}
	else if (!parse_word(cur, v))
	{
		if (c != '-' && (c < '0' || c > '9'))
			types_parse_error(cur, "Expected a value");
		parse_number(cur, v);
	}
}
