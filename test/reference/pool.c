/*
 * pool.c
 *	  Memory that goes all at once, and text.
 */
#include "ref.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t) 1 << 20)

typedef struct Chunk
{
	size_t size;
	size_t used;
	size_t before; /* bytes in the chunks before it */
	char *bytes;
} Chunk;

static Chunk *chunks;
static int nchunks;
static int current = -1;

static void
next_chunk(size_t bytes)
{
	size_t before = current < 0 ? 0 : chunks[current].before + chunks[current].used;

	current++;
	if (current < nchunks && chunks[current].size < bytes)
	{
		while (nchunks > current)
			free(chunks[--nchunks].bytes);
	}
	if (current == nchunks)
	{
		size_t size = bytes > CHUNK ? bytes : CHUNK;

		chunks = realloc(chunks, (size_t) (nchunks + 1) * sizeof(Chunk));
		chunks[nchunks++] = (Chunk){.size = size, .bytes = malloc(size)};
	}
	chunks[current].used = 0;
	chunks[current].before = before;
}

void *
ref_alloc(size_t bytes)
{
	void *p;

	bytes = (bytes + 15) & ~(size_t) 15;
	if (current < 0 || chunks[current].size - chunks[current].used < bytes)
		next_chunk(bytes);
	p = chunks[current].bytes + chunks[current].used;
	chunks[current].used += bytes;
	return memset(p, 0, bytes);
}

size_t
ref_mark(void)
{
	return current < 0 ? 0 : chunks[current].before + chunks[current].used;
}

void
ref_release(size_t mark)
{
	while (current >= 0 && chunks[current].before > mark)
		current--;
	if (current >= 0)
		chunks[current].used = mark - chunks[current].before;
}

Text
text_of(const char *z)
{
	return (Text){z, strlen(z)};
}

Text
text_copy(const char *p, size_t n)
{
	char *copy = ref_alloc(n + 1);

	if (n)
		memcpy(copy, p, n);
	return (Text){copy, n};
}

bool
text_is(Text t, const char *z)
{
	return text_same(t, text_of(z));
}

bool
text_same(Text a, Text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int
text_cmp(Text a, Text b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

void
out_bytes(Out *out, const char *p, size_t n)
{
	if (out->n + n + 1 > out->cap)
	{
		size_t cap = 2 * (out->n + n + 32);
		char *more = ref_alloc(cap);

		if (out->n)
			memcpy(more, out->p, out->n);
		out->p = more;
		out->cap = cap;
	}
	if (n)
		memcpy(out->p + out->n, p, n);
	out->n += n;
	out->p[out->n] = 0;
}

void
out_text(Out *out, Text t)
{
	out_bytes(out, t.p, t.n);
}

void
out_fmt(Out *out, const char *fmt, ...)
{
	char small[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	if (n < (int) sizeof(small))
		out_bytes(out, small, (size_t) n);
	else
	{
		char *large = ref_alloc((size_t) n + 1);

		va_start(args, fmt);
		vsnprintf(large, (size_t) n + 1, fmt, args);
		va_end(args);
		out_bytes(out, large, (size_t) n);
	}
}

void
out_utf8(Out *out, uint32_t c)
{
	char b[4];

	if (c < 0x80)
		out_bytes(out, (b[0] = (char) c, b), 1);
	else if (c < 0x800)
	{
		b[0] = (char) (0xc0 | c >> 6);
		b[1] = (char) (0x80 | (c & 63));
		out_bytes(out, b, 2);
	}
	else if (c < 0x10000)
	{
		b[0] = (char) (0xe0 | c >> 12);
		b[1] = (char) (0x80 | (c >> 6 & 63));
		b[2] = (char) (0x80 | (c & 63));
		out_bytes(out, b, 3);
	}
	else
	{
		b[0] = (char) (0xf0 | c >> 18);
		b[1] = (char) (0x80 | (c >> 12 & 63));
		b[2] = (char) (0x80 | (c >> 6 & 63));
		b[3] = (char) (0x80 | (c & 63));
		out_bytes(out, b, 4);
	}
}

Text
out_done(Out *out)
{
	return out->p ? (Text){out->p, out->n} : text_of("");
}
