/*
 * text.c
 *	  UTF-8 validation, hexadecimal and base64.
 */
#include "ingest/text.h"

#define HIGH_BITS 0x8080808080808080ULL
#define LOW_ONES  0x0101010101010101ULL

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Length of the character at p, or 0: overlong forms, surrogates and what is beyond U+10FFFF are invalid. */
static uint32_t
utf8_length(const uint8_t *p, size_t left)
{
	uint8_t c = p[0];
	uint8_t low = 0x80;
	uint8_t high = 0xbf;
	uint32_t n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (left < n)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (uint32_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static TextClass
classify_slow(const uint8_t *p, const uint8_t *end)
{
	TextClass found = TEXT_PLAIN;

	while (p < end)
	{
		uint32_t n = utf8_length(p, (size_t) (end - p));

		if (n == 0)
			return TEXT_INVALID;
		if (*p == 0)
			found = TEXT_NUL;
		p += n;
	}
	return found;
}

/* Not plain ASCII without NUL? A zero byte makes its high bit appear in v - LOW_ONES. */
static bool
is_odd(uint64_t v)
{
	return ((v | (v - LOW_ONES)) & HIGH_BITS) != 0;
}

TextClass
text_classify(Str s)
{
	const uint8_t *at = (const uint8_t *) s.p;
	const uint8_t *end;

	if (s.len == 0)
		return TEXT_PLAIN; /* at may be NULL */
	end = at + s.len;
	if (s.len >= 8)
	{
		for (; end - at >= 8; at += 8)
			if (is_odd(load64(at)))
				return classify_slow(at, end);
		return is_odd(load64(end - 8)) ? classify_slow(at, end) : TEXT_PLAIN;
	}
	for (; at < end; at++)
		if (*at >= 0x80 || *at == 0)
			return classify_slow(at, end);
	return TEXT_PLAIN;
}

Str
text_replace_nul(Str s, Arena *arena)
{
	char *out = arena_alloc(arena, (size_t) s.len * 3 + 1);
	size_t n = 0;

	for (uint32_t i = 0; i < s.len; i++)
	{
		if (s.p[i] != 0)
			out[n++] = s.p[i];
		else
		{
			memcpy(out + n, "\xef\xbf\xbd", 3);
			n += 3;
		}
	}
	return str_of(out, n);
}

Str
text_cut(Str s, uint32_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((uint8_t) s.p[max] & 0xc0) == 0x80)
		max--;
	s.len = max;
	return s;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
text_hex_decode(Str s, uint8_t *out, uint32_t *n)
{
	if (s.len % 2 != 0)
		return false;
	for (uint32_t i = 0; i < s.len / 2; i++)
	{
		int high = hex_digit(s.p[2 * i]);
		int low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t) (high << 4 | low);
	}
	*n = s.len / 2;
	return true;
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

bool
text_base64_decode(Str s, uint8_t *out, uint32_t *n)
{
	uint32_t bits = 0;
	uint32_t padding = 0;

	while (s.len > 0 && s.p[s.len - 1] == '=' && padding < 2)
	{
		s.len--;
		padding++;
	}
	if (s.len % 4 == 1 || (padding > 0 && (s.len + padding) % 4 != 0))
		return false;
	*n = 0;
	for (uint32_t i = 0; i < s.len; i++)
	{
		int d = base64_digit(s.p[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t) d;
		if (i % 4 != 0)
			out[(*n)++] = (uint8_t) (bits >> (6 - 2 * (i % 4)));
	}
	return true;
}
