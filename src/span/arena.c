/*
 * arena.c
 *	  Region allocator: blocks in a list, bump allocation in the newest. Requests larger than a quarter
 *	  block get a block of their own behind the current one, so that they waste nothing.
 */
#include "span/arena.h"

#include <stdlib.h>

#define ARENA_ALIGN         16
#define ARENA_DEFAULT_BLOCK ((size_t) 64 * 1024)

typedef struct ArenaBlock
{
	struct ArenaBlock *next;
	size_t size; /* usable bytes after the header */
} ArenaBlock;

#define BLOCK_HEADER ((sizeof(ArenaBlock) + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1))

struct Arena
{
	ArenaHooks hooks;
	ArenaBlock *blocks; /* newest first; the head is the one being filled */
	ArenaBlock *first;  /* kept by arena_reset */
	uint8_t *pos;
	uint8_t *end;
	size_t block_size;
	size_t total;
	size_t keep; /* arena_keep() */
};

static void *
malloc_or_abort(void *ctx, size_t size)
{
	void *p = malloc(size);

	(void) ctx;
	if (p == NULL)
		abort();
	return p;
}

static void
free_block(void *ctx, void *block)
{
	(void) ctx;
	free(block);
}

static const ArenaHooks malloc_hooks = {malloc_or_abort, free_block, NULL};

static ArenaBlock *
new_block(Arena *a, size_t size)
{
	ArenaBlock *b = a->hooks.alloc(a->hooks.ctx, BLOCK_HEADER + size);

	b->size = size;
	b->next = NULL;
	a->total += BLOCK_HEADER + size;
	return b;
}

static void
use_block(Arena *a, ArenaBlock *b)
{
	a->pos = (uint8_t *) b + BLOCK_HEADER;
	a->end = a->pos + b->size;
}

Arena *
arena_create(const ArenaHooks *hooks, size_t block_size)
{
	const ArenaHooks *h = hooks ? hooks : &malloc_hooks;
	Arena *a = h->alloc(h->ctx, sizeof(Arena));

	memset(a, 0, sizeof(*a));
	a->hooks = *h;
	a->block_size = block_size ? block_size : ARENA_DEFAULT_BLOCK;
	a->first = a->blocks = new_block(a, a->block_size);
	use_block(a, a->first);
	return a;
}

Arena *
arena_create_like(const Arena *other, size_t block_size)
{
	return arena_create(&other->hooks, block_size);
}

static void *
alloc_slow(Arena *a, size_t size)
{
	ArenaBlock *b;

	if (size > a->block_size / 4)
	{
		/* a block of its own, linked behind the current one */
		b = new_block(a, size);
		b->next = a->blocks->next;
		a->blocks->next = b;
		return (uint8_t *) b + BLOCK_HEADER;
	}
	b = new_block(a, a->block_size);
	b->next = a->blocks;
	a->blocks = b;
	use_block(a, b);
	a->pos += size;
	return a->pos - size;
}

void *
arena_alloc(Arena *a, size_t size)
{
	/* sizes near SIZE_MAX would wrap; the hooks refuse what is left */
	if (size > SIZE_MAX - 4096)
		return a->hooks.alloc(a->hooks.ctx, size);
	size = (size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);
	if (size <= (size_t) (a->end - a->pos))
	{
		a->pos += size;
		return a->pos - size;
	}
	return alloc_slow(a, size);
}

void *
arena_alloc0(Arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

void *
arena_grow(Arena *a, void *old, size_t old_size, size_t new_size)
{
	size_t old_al = (old_size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);
	void *p;

	if (old != NULL && (uint8_t *) old + old_al == a->pos && new_size >= old_size)
	{
		size_t more = ((new_size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1)) - old_al;

		if (more <= (size_t) (a->end - a->pos))
		{
			a->pos += more;
			return old;
		}
	}
	p = arena_alloc(a, new_size);
	if (old_size)
		memcpy(p, old, old_size < new_size ? old_size : new_size);
	return p;
}

void *
arena_dup(Arena *a, const void *src, size_t size)
{
	void *p = arena_alloc(a, size);

	if (size)
		memcpy(p, src, size);
	return p;
}

size_t
arena_bytes(const Arena *a)
{
	return a->total;
}

static void
release_blocks(Arena *a, const ArenaBlock *keep)
{
	ArenaBlock *b = a->blocks;

	while (b != NULL)
	{
		ArenaBlock *next = b->next;

		if (b != keep)
		{
			a->total -= BLOCK_HEADER + b->size;
			a->hooks.release(a->hooks.ctx, b);
		}
		b = next;
	}
}

void
arena_keep(Arena *a, size_t bytes)
{
	a->keep = bytes;
}

/* One block as large as all of them, so that what comes next needs no other. */
static void
grow_first(Arena *a)
{
	size_t size = a->total;

	release_blocks(a, NULL);
	a->first = new_block(a, size);
}

void
arena_reset(Arena *a)
{
	if (a->first->next != NULL || a->blocks != a->first)
	{
		if (a->total <= a->keep)
			grow_first(a);
		else
			release_blocks(a, a->first);
	}
	a->blocks = a->first;
	a->first->next = NULL;
	use_block(a, a->first);
}

void
arena_destroy(Arena *a)
{
	release_blocks(a, NULL);
	a->hooks.release(a->hooks.ctx, a);
}

void
buf_init(Buf *buf, Arena *arena, size_t cap)
{
	buf->arena = arena;
	buf->cap = cap ? cap : 64;
	buf->len = 0;
	buf->p = arena_alloc(arena, buf->cap);
}

uint8_t *
buf_reserve(Buf *buf, size_t extra)
{
	if (extra > buf->cap - buf->len)
	{
		size_t cap = buf->cap * 2;

		while (cap < buf->len + extra)
			cap *= 2;
		buf->p = arena_grow(buf->arena, buf->p, buf->len, cap);
		buf->cap = cap;
	}
	return buf->p + buf->len;
}

void
buf_put_varint_long(Buf *buf, uint64_t v)
{
	uint8_t *p = buf_reserve(buf, 10);
	uint8_t *start = p;

	while (v > 127)
	{
		*p++ = (uint8_t) (v | 128);
		v >>= 7;
	}
	*p++ = (uint8_t) v;
	buf->len += (size_t) (p - start);
}

bool
read_varint(const uint8_t **pos, const uint8_t *end, uint64_t *v)
{
	const uint8_t *p = *pos;
	uint64_t r = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		if (p >= end)
			return false;
		r |= (uint64_t) (*p & 127) << shift;
		if (*p++ < 128)
		{
			*pos = p;
			*v = r;
			return true;
		}
	}
	return false;
}
