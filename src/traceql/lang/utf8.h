/*
 * utf8.h
 *	  One character of UTF-8.
 */
#ifndef TRACEQL_UTF8_H
#define TRACEQL_UTF8_H

#include "span/arena.h"

/* Bytes of the character at pos, its code in *code; 0 at the end or where the bytes are not UTF-8. */
static inline uint32_t
utf8_decode(Str s, uint32_t pos, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = pos < s.len ? (unsigned char) s.p[pos] : 0xff;
	uint32_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	uint32_t v = n == 1 ? c : c & (0x7f >> n);

	if (n == 0 || n > s.len - pos)
		return 0;
	for (uint32_t i = 1; i < n; i++)
	{
		if ((s.p[pos + i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.p[pos + i] & 0x3f);
	}
	if (v < smallest[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*code = v;
	return n;
}

#endif
