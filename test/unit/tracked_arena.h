/*
 * tracked_arena.h
 *	  An arena whose blocks are all freed together, those of arenas made like it too: for code that leaves by
 *	  longjmp. limit bounds the bytes; beyond it the escape is taken as well.
 */
#ifndef TEMPO_TRACKED_ARENA_H
#define TEMPO_TRACKED_ARENA_H

#include <setjmp.h>
#include <stdlib.h>

#include "span/arena.h"

typedef struct TrackedBlock
{
	struct TrackedBlock *next, *prev;
	size_t size;
	size_t pad; /* keeps what follows aligned to 16 bytes */
} TrackedBlock;

typedef struct Tracker
{
	TrackedBlock head;
	size_t bytes, limit;
	jmp_buf *escape;
} Tracker;

static void *
tracked_alloc(void *ctx, size_t size)
{
	Tracker *t = ctx;
	TrackedBlock *b;

	if (size > t->limit || t->bytes > t->limit - size)
		longjmp(*t->escape, 2);
	b = malloc(sizeof(TrackedBlock) + size);
	if (b == NULL)
		abort();
	b->size = size;
	t->bytes += size;
	b->next = t->head.next;
	b->prev = &t->head;
	b->next->prev = b;
	t->head.next = b;
	return b + 1;
}

static void
tracked_release(void *ctx, void *block)
{
	Tracker *t = ctx;
	TrackedBlock *b = (TrackedBlock *) block - 1;

	b->prev->next = b->next;
	b->next->prev = b->prev;
	t->bytes -= b->size;
	free(b);
}

__attribute__((unused)) static Arena *
tracked_arena(Tracker *t, size_t limit, jmp_buf *escape)
{
	ArenaHooks hooks = {tracked_alloc, tracked_release, t};

	t->head.next = t->head.prev = &t->head;
	t->bytes = 0;
	t->limit = limit;
	t->escape = escape;
	return arena_create(&hooks, 0);
}

__attribute__((unused)) static void
tracked_free(Tracker *t)
{
	while (t->head.next != &t->head)
		tracked_release(t, t->head.next + 1);
}

#endif
