/*
 * json.c
 *	  See json.h.
 */
#include "ingest/json.h"
#include "ingest/text.h"

#include <math.h>
#include <stdlib.h>

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* ---- checking ---- */

/* Containers this deep and this long are put in the index; so their number is bounded. */
#define INDEX_DEPTH 8
#define INDEX_BYTES 256

typedef struct Checker
{
	const uint8_t *pos;
	const uint8_t *end;
	JsonError *error;
	uint32_t depth;
	uint64_t objects[JSON_MAX_DEPTH / 64]; /* bit by depth: an object, not an array */
	JsonIndex *index;
	uint32_t extents[INDEX_DEPTH]; /* by depth: the container's place in the index */
} Checker;

static bool
bad(Checker *c, const uint8_t *at, const char *what)
{
	c->error->at = at;
	c->error->what = what;
	return false;
}

static void
skip_space(Checker *c)
{
	while (c->pos < c->end && is_space(*c->pos))
		c->pos++;
}

static int
hex4(const uint8_t *p, const uint8_t *end)
{
	uint8_t out[2];
	uint32_t n;

	if (end - p < 4 || !text_hex_decode(str_of((const char *) p, 4), out, &n))
		return -1;
	return out[0] << 8 | out[1];
}

static bool
is_surrogate(int u, int base)
{
	return (u & 0xfc00) == base;
}

/* At the u of an escape. */
static bool
check_unicode(Checker *c)
{
	const uint8_t *at = c->pos - 1;
	int u = hex4(c->pos + 1, c->end);

	if (u < 0)
		return bad(c, at, "bad \\u escape");
	c->pos += 5;
	if (is_surrogate(u, 0xdc00))
		return bad(c, at, "unpaired surrogate");
	if (!is_surrogate(u, 0xd800))
		return true;
	if (c->end - c->pos < 6 || c->pos[0] != '\\' || c->pos[1] != 'u' ||
		!is_surrogate(hex4(c->pos + 2, c->end), 0xdc00))
		return bad(c, at, "unpaired surrogate");
	c->pos += 6;
	return true;
}

static bool
check_escape(Checker *c)
{
	const uint8_t *at = c->pos++;

	if (c->pos < c->end && *c->pos == 'u')
		return check_unicode(c);
	if (c->pos >= c->end || *c->pos == 0 || strchr("\"\\/bfnrt", *c->pos) == NULL)
		return bad(c, at, "bad escape");
	c->pos++;
	return true;
}

/* Past the characters that need no attention. */
static const uint8_t *
plain_run(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20)
		p++;
	return p;
}

static bool
check_string(Checker *c)
{
	const uint8_t *start = c->pos++;

	for (;;)
	{
		const uint8_t *run = c->pos;

		c->pos = plain_run(run, c->end);
		if (text_classify(str_of((const char *) run, (size_t) (c->pos - run))) == TEXT_INVALID)
			return bad(c, run, "string is not valid UTF-8");
		if (c->pos >= c->end)
			return bad(c, start, "string without end");
		if (*c->pos == '"')
			break;
		if (*c->pos < 0x20)
			return bad(c, c->pos, "control character in a string");
		if (!check_escape(c))
			return false;
	}
	c->pos++;
	return true;
}

static bool
check_digits(Checker *c)
{
	const uint8_t *start = c->pos;

	while (c->pos < c->end && is_digit(*c->pos))
		c->pos++;
	return c->pos > start;
}

static bool
check_number(Checker *c)
{
	const uint8_t *start = c->pos;

	if (*c->pos == '-')
		c->pos++;
	if (c->pos < c->end && *c->pos == '0')
		c->pos++;
	else if (!check_digits(c))
		return bad(c, start, "bad number");
	if (c->pos < c->end && *c->pos == '.')
	{
		c->pos++;
		if (!check_digits(c))
			return bad(c, start, "bad number");
	}
	if (c->pos < c->end && (*c->pos == 'e' || *c->pos == 'E'))
	{
		c->pos++;
		if (c->pos < c->end && (*c->pos == '+' || *c->pos == '-'))
			c->pos++;
		if (!check_digits(c))
			return bad(c, start, "bad number");
	}
	return true;
}

static bool
check_literal(Checker *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t) (c->end - c->pos) < n || memcmp(c->pos, word, n) != 0)
		return bad(c, c->pos, "unexpected character");
	c->pos += n;
	return true;
}

static bool
in_object(const Checker *c)
{
	return c->objects[(c->depth - 1) / 64] >> ((c->depth - 1) % 64) & 1;
}

static void
index_open(Checker *c)
{
	JsonIndex *x = c->index;

	if (c->depth >= INDEX_DEPTH)
		return;
	if (x->n == x->cap)
	{
		uint32_t cap = x->cap ? x->cap * 2 : 64;

		x->extents =
			arena_grow(x->arena, x->extents, sizeof(*x->extents) * x->cap, sizeof(*x->extents) * cap);
		x->cap = cap;
	}
	x->extents[x->n].begin = c->pos;
	c->extents[c->depth] = x->n++;
}

/* The container whose closing bracket was just passed; a short one has only short ones in it. */
static void
index_close(Checker *c)
{
	struct JsonExtent *e;

	if (c->depth >= INDEX_DEPTH)
		return;
	e = &c->index->extents[c->extents[c->depth]];
	e->end = c->pos;
	if (e->end - e->begin < INDEX_BYTES)
		c->index->n = c->extents[c->depth];
}

static bool
open_container(Checker *c, bool object)
{
	uint64_t bit = 1ULL << (c->depth % 64);

	if (c->depth == JSON_MAX_DEPTH)
	{
		c->error->too_deep = true;
		return bad(c, c->pos, "JSON is nested too deeply");
	}
	if (object)
		c->objects[c->depth / 64] |= bit;
	else
		c->objects[c->depth / 64] &= ~bit;
	index_open(c);
	c->depth++;
	c->pos++;
	return true;
}

static void
close_container(Checker *c)
{
	c->pos++;
	c->depth--;
	index_close(c);
}

/* A member's name and colon. */
static bool
check_name(Checker *c)
{
	skip_space(c);
	if (c->pos >= c->end || *c->pos != '"')
		return bad(c, c->pos, "expected a member name");
	if (!check_string(c))
		return false;
	skip_space(c);
	if (c->pos >= c->end || *c->pos != ':')
		return bad(c, c->pos, "expected \":\"");
	c->pos++;
	return true;
}

/* A whole scalar, or the opening of a container. *opened: the latter, and it is not empty. */
static bool
check_value(Checker *c, bool *opened)
{
	*opened = false;
	skip_space(c);
	if (c->pos >= c->end)
		return bad(c, c->pos, "unexpected end");
	switch (*c->pos)
	{
		case '"': return check_string(c);
		case 't': return check_literal(c, "true");
		case 'f': return check_literal(c, "false");
		case 'n': return check_literal(c, "null");
		case '{':
		case '[': break;
		default:
			if (*c->pos == '-' || is_digit(*c->pos))
				return check_number(c);
			return bad(c, c->pos, "unexpected character");
	}
	if (!open_container(c, *c->pos == '{'))
		return false;
	skip_space(c);
	if (c->pos < c->end && *c->pos == (in_object(c) ? '}' : ']'))
	{
		close_container(c);
		return true;
	}
	*opened = true;
	return !in_object(c) || check_name(c);
}

/* After a value: to the next one, or out of what ends here. *more: there is a next one. */
static bool
check_after(Checker *c, bool *more)
{
	*more = false;
	while (c->depth > 0)
	{
		skip_space(c);
		if (c->pos < c->end && *c->pos == ',')
		{
			c->pos++;
			*more = true;
			return !in_object(c) || check_name(c);
		}
		if (c->pos >= c->end)
			return bad(c, c->pos, "unexpected end");
		if (*c->pos != (in_object(c) ? '}' : ']'))
			return bad(c, c->pos, in_object(c) ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
		close_container(c);
	}
	return true;
}

bool
json_validate(const uint8_t *text, size_t len, Arena *arena, JsonIndex *index, JsonError *error)
{
	Checker c = {.pos = text, .end = text + len, .error = error, .index = index};
	bool more = true;

	memset(index, 0, sizeof(*index));
	index->arena = arena;
	error->too_deep = false;
	while (more)
	{
		if (!check_value(&c, &more))
			return false;
		if (!more && !check_after(&c, &more))
			return false;
	}
	skip_space(&c);
	if (c.pos < c.end)
		return bad(&c, c.pos, "more text after the JSON value");
	return true;
}

/* ---- reading what has been checked ---- */

static void
space(JsonCursor *c)
{
	while (is_space(*c->pos))
		c->pos++;
}

JsonType
json_peek(JsonCursor *c)
{
	space(c);
	switch (*c->pos)
	{
		case 'n': return JSON_NULL;
		case 't':
		case 'f': return JSON_BOOL;
		case '"': return JSON_STRING;
		case '[': return JSON_ARRAY;
		case '{': return JSON_OBJECT;
		default: return JSON_NUMBER;
	}
}

const char *
json_type_name(JsonType type)
{
	static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};

	return names[type];
}

void
json_enter(JsonCursor *c)
{
	space(c);
	c->pos++;
}

bool
json_more(JsonCursor *c)
{
	space(c);
	if (*c->pos == ']' || *c->pos == '}')
	{
		c->pos++;
		return false;
	}
	if (*c->pos == ',')
		c->pos++;
	return true;
}

Str
json_name(JsonCursor *c, Arena *arena)
{
	Str name = json_string(c, arena);

	space(c);
	c->pos++;
	return name;
}

/* The closing quote of a string whose first character is at p; *escapes: there are some. */
static const uint8_t *
string_end(const uint8_t *p, bool *escapes)
{
	*escapes = false;
	for (; *p != '"'; p++)
	{
		if (*p == '\\')
		{
			*escapes = true;
			p++;
		}
	}
	return p;
}

static size_t
put_utf8(char *out, uint32_t u)
{
	if (u < 0x80)
	{
		out[0] = (char) u;
		return 1;
	}
	if (u < 0x800)
	{
		out[0] = (char) (0xc0 | u >> 6);
		out[1] = (char) (0x80 | (u & 0x3f));
		return 2;
	}
	if (u < 0x10000)
	{
		out[0] = (char) (0xe0 | u >> 12);
		out[1] = (char) (0x80 | (u >> 6 & 0x3f));
		out[2] = (char) (0x80 | (u & 0x3f));
		return 3;
	}
	out[0] = (char) (0xf0 | u >> 18);
	out[1] = (char) (0x80 | (u >> 12 & 0x3f));
	out[2] = (char) (0x80 | (u >> 6 & 0x3f));
	out[3] = (char) (0x80 | (u & 0x3f));
	return 4;
}

/* At the character behind a backslash; returns the bytes written. */
static size_t
unescape(const uint8_t **p, const uint8_t *end, char *out)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	uint8_t c = *(*p)++;
	const char *found;
	uint32_t u;

	if (c != 'u')
	{
		found = strchr(from, c);
		*out = found ? to[found - from] : (char) c;
		return 1;
	}
	u = (uint32_t) hex4(*p, end);
	*p += 4;
	if (is_surrogate((int) u, 0xd800))
	{
		u = 0x10000 + ((u & 0x3ff) << 10) + ((uint32_t) hex4(*p + 2, end) & 0x3ff);
		*p += 6;
	}
	return put_utf8(out, u);
}

Str
json_string(JsonCursor *c, Arena *arena)
{
	const uint8_t *p;
	const uint8_t *end;
	bool escapes;
	char *out;
	size_t n = 0;

	space(c);
	p = c->pos + 1;
	end = string_end(p, &escapes);
	c->pos = end + 1;
	if (!escapes)
		return str_of((const char *) p, (size_t) (end - p));
	out = arena_alloc(arena, (size_t) (end - p)); /* no escape is shorter than what it stands for */
	while (p < end)
	{
		if (*p != '\\')
			out[n++] = (char) *p++;
		else
		{
			p++;
			n += unescape(&p, end, out + n);
		}
	}
	return str_of(out, n);
}

Str
json_word(JsonCursor *c)
{
	const uint8_t *start;

	space(c);
	start = c->pos;
	while (is_digit(*c->pos) || (*c->pos >= 'a' && *c->pos <= 'z') || *c->pos == 'E' || *c->pos == '+' ||
		   *c->pos == '-' || *c->pos == '.')
		c->pos++;
	return str_of((const char *) start, (size_t) (c->pos - start));
}

static void
skip_string(JsonCursor *c)
{
	bool escapes;

	c->pos = string_end(c->pos + 1, &escapes) + 1;
}

/* The end of the container here, when it is in the index. */
static const uint8_t *
indexed_end(const JsonCursor *c)
{
	const JsonIndex *x = c->index;
	uint32_t lo = 0;
	uint32_t hi = x->n;

	while (lo < hi)
	{
		uint32_t mid = lo + (hi - lo) / 2;

		if (x->extents[mid].begin < c->pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < x->n && x->extents[lo].begin == c->pos ? x->extents[lo].end : NULL;
}

void
json_skip(JsonCursor *c)
{
	JsonType type = json_peek(c);
	const uint8_t *end = type >= JSON_ARRAY ? indexed_end(c) : NULL;
	uint32_t depth = 0;

	if (type < JSON_STRING)
	{
		json_word(c);
		return;
	}
	if (end != NULL)
	{
		c->pos = end;
		return;
	}
	do
	{
		switch (*c->pos)
		{
			case '"': skip_string(c); break;
			case '{':
			case '[':
				depth++;
				c->pos++;
				break;
			case '}':
			case ']':
				depth--;
				c->pos++;
				break;
			default: c->pos++;
		}
	} while (depth > 0);
}

/* ---- numbers ---- */

/* digits * 10^exponent */
typedef struct Decimal
{
	uint64_t digits;
	int64_t exponent;
	bool negative;
	bool overflow;
} Decimal;

static void
add_digit(Decimal *d, uint8_t c, bool fraction)
{
	uint64_t more;

	if (__builtin_mul_overflow(d->digits, 10, &more) || __builtin_add_overflow(more, c - '0', &more))
		d->overflow = true;
	else
		d->digits = more;
	if (fraction)
		d->exponent--;
}

static bool
parse_exponent(const char **p, const char *end, Decimal *d)
{
	bool negative = false;
	int64_t e = 0;
	const char *start;

	if (*p < end && (**p == '+' || **p == '-'))
		negative = *(*p)++ == '-';
	start = *p;
	for (; *p < end && is_digit((uint8_t) * *p); (*p)++)
		if (e < 100000)
			e = e * 10 + (**p - '0');
	d->exponent += negative ? -e : e;
	return *p > start;
}

/* The end of the digits of a fraction without its trailing zeros. */
static const char *
fraction_end(const char *p, const char *end)
{
	const char *last = p;

	for (; p < end && is_digit((uint8_t) *p); p++)
		if (*p != '0')
			last = p + 1;
	return last;
}

static bool
parse_decimal(Str text, Decimal *d)
{
	const char *p = text.p;
	const char *end = p + text.len;
	const char *start;

	memset(d, 0, sizeof(*d));
	if (p < end && *p == '-')
	{
		d->negative = true;
		p++;
	}
	start = p;
	for (; p < end && is_digit((uint8_t) *p); p++)
		add_digit(d, (uint8_t) *p, false);
	if (p == start)
		return false;
	if (p < end && *p == '.')
	{
		const char *last = fraction_end(p + 1, end);

		for (p++, start = p; p < end && is_digit((uint8_t) *p); p++)
			if (p < last)
				add_digit(d, (uint8_t) *p, true);
		if (p == start)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (!parse_exponent(&p, end, d))
			return false;
	}
	return p == end;
}

bool
json_integer(Str text, bool *negative, uint64_t *magnitude)
{
	Decimal d;

	if (!parse_decimal(text, &d) || d.overflow)
		return false;
	for (; d.digits != 0 && d.exponent > 0; d.exponent--)
		if (__builtin_mul_overflow(d.digits, 10, &d.digits))
			return false;
	for (; d.digits != 0 && d.exponent < 0; d.exponent++)
	{
		if (d.digits % 10 != 0)
			return false;
		d.digits /= 10;
	}
	*negative = d.negative;
	*magnitude = d.digits;
	return true;
}

bool
json_double(Str text, Arena *arena, double *v)
{
	char small[64];
	char *z = text.len < sizeof(small) ? small : arena_alloc(arena, (size_t) text.len + 1);
	char *end;
	Decimal d;

	if (!parse_decimal(text, &d))
		return false;
	memcpy(z, text.p, text.len);
	z[text.len] = '\0';
	*v = strtod(z, &end);
	return *end == '\0' && isfinite(*v);
}
