/*
 * memory.c
 *	  Memory of a window, freed as a whole, and texts in it.
 */
#include "gen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE (1 << 20)

struct Chunk
{
	Chunk *next;
	size_t used;
	char bytes[CHUNK_SIZE];
};

static void *
chunk_alloc(Chunk **chunks, size_t size)
{
	Chunk *c = *chunks;
	char *p;

	size = (size + 7) & ~(size_t) 7;
	if (size > CHUNK_SIZE)
		abort();
	if (c == NULL || c->used + size > CHUNK_SIZE)
	{
		c = malloc(sizeof(Chunk));
		if (c == NULL)
			abort();
		c->used = 0;
		c->next = *chunks;
		*chunks = c;
	}
	p = c->bytes + c->used;
	c->used += size;
	return p;
}

void *
gen_alloc(Gen *g, size_t size)
{
	return chunk_alloc(&g->chunks, size);
}

/* Keeps one chunk for the next window. */
void
gen_reset_window(Gen *g)
{
	while (g->chunks != NULL && g->chunks->next != NULL)
	{
		Chunk *next = g->chunks->next;

		free(g->chunks);
		g->chunks = next;
	}
	if (g->chunks != NULL)
		g->chunks->used = 0;
	g->n_spans = 0;
}

static Text
text_in(Chunk **chunks, const char *format, va_list args)
{
	char line[8192];
	int len = vsnprintf(line, sizeof(line), format, args);
	char *p;

	if (len < 0 || len >= (int) sizeof(line))
		abort();
	p = chunk_alloc(chunks, len);
	memcpy(p, line, len);
	return (Text){p, len};
}

Text
gen_text(Gen *g, const char *format, ...)
{
	va_list args;
	Text t;

	va_start(args, format);
	t = text_in(&g->chunks, format, args);
	va_end(args);
	return t;
}

Text
gen_text_forever(Gen *g, const char *format, ...)
{
	va_list args;
	Text t;

	va_start(args, format);
	t = text_in(&g->forever, format, args);
	va_end(args);
	return t;
}

/* A version 4 UUID. */
Text
gen_uuid(Gen *g, bool forever)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t half[2] = {random_u64(&g->random), random_u64(&g->random)};
	char *p = chunk_alloc(forever ? &g->forever : &g->chunks, 36);

	for (int i = 0, at = 0; i < 32; i++)
	{
		unsigned digit = half[i / 16] >> (i % 16 * 4) & 15;

		if (i == 8 || i == 12 || i == 16 || i == 20)
			p[at++] = '-';
		p[at++] = i == 12 ? '4' : digits[i == 16 ? 8 | (digit & 3) : digit];
	}
	return (Text){p, 36};
}
