/*
 * buffer.c
 *	  A growing buffer and the few encodings the writers share.
 */
#include "gen.h"

#include <stdlib.h>
#include <string.h>

static void
reserve(Buffer *b, size_t more)
{
	if (b->len + more <= b->size)
		return;
	b->size = (b->len + more) * 2;
	b->p = realloc(b->p, b->size);
	if (b->p == NULL)
		abort();
}

void
buffer_bytes(Buffer *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	reserve(b, len);
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

void
buffer_byte(Buffer *b, uint8_t c)
{
	reserve(b, 1);
	b->p[b->len++] = (char) c;
}

void
buffer_varint(Buffer *b, uint64_t n)
{
	reserve(b, 10);
	for (; n > 127; n >>= 7)
		b->p[b->len++] = (char) (n | 128);
	b->p[b->len++] = (char) n;
}

void
buffer_hex(Buffer *b, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	reserve(b, 2 * len);
	for (size_t i = 0; i < len; i++)
	{
		b->p[b->len++] = digits[p[i] >> 4];
		b->p[b->len++] = digits[p[i] & 15];
	}
}

void
buffer_number(Buffer *b, int64_t n)
{
	char digits[24];

	buffer_bytes(b, digits, snprintf(digits, sizeof(digits), "%lld", (long long) n));
}

/* The fewest digits that read back the same, never without a point or exponent. */
void
buffer_double(Buffer *b, double d)
{
	char digits[40];
	int len = 0;

	for (int precision = 1; precision <= 17; precision++)
	{
		len = snprintf(digits, sizeof(digits), "%.*g", precision, d);
		if (strtod(digits, NULL) == d)
			break;
	}
	buffer_bytes(b, digits, len);
	if (strpbrk(digits, ".e") == NULL)
		buffer_bytes(b, ".0", 2);
}
