/*
 * arena.h
 *	  Region allocator and growable byte buffer for the parts that build without a server.
 *
 * Invariants: arena_alloc never returns NULL (the hooks raise instead: ereport in the server, abort in
 * a plain program); memory is 16-byte aligned, is not zeroed, and is freed only as a whole. An Arena
 * belongs to one process and is not shared.
 */
#ifndef TEMPO_ARENA_H
#define TEMPO_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Arena Arena;

/* Where an arena's blocks come from. alloc must not return NULL. */
typedef struct ArenaHooks
{
	void *(*alloc)(void *ctx, size_t size);
	void (*release)(void *ctx, void *block);
	void *ctx;
} ArenaHooks;

/* hooks NULL means malloc/free and abort() when out of memory; block_size 0 means 64 KiB. */
extern Arena *arena_create(const ArenaHooks *hooks, size_t block_size);
/* A new arena that takes its blocks from where the other one does: scratch space. */
extern Arena *arena_create_like(const Arena *other, size_t block_size);
extern void *arena_alloc(Arena *arena, size_t size);
extern void *arena_alloc0(Arena *arena, size_t size);
/* Like realloc: in place when old is the newest allocation and fits, otherwise a copy. */
extern void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size);
extern void *arena_dup(Arena *arena, const void *src, size_t size);
/* Bytes obtained from the hooks; what memory limits are checked against. */
extern size_t arena_bytes(const Arena *arena);
/* Forget everything allocated, keep the first block. */
extern void arena_reset(Arena *arena);
/*
 * Let arena_reset keep room for what was allocated before it, when that is no more than so many bytes: for
 * arenas that are filled and emptied again and again, so that memory need not be asked for every time.
 */
extern void arena_keep(Arena *arena, size_t bytes);
extern void arena_destroy(Arena *arena);

/* A byte string that somebody else owns; need not be terminated, may hold any byte. */
typedef struct Str
{
	const char *p;
	uint32_t len;
} Str;

static inline Str
str_of(const char *p, size_t len)
{
	Str s = {p, (uint32_t) len};

	return s;
}

static inline Str
str_lit(const char *z)
{
	return str_of(z, strlen(z));
}

static inline bool
str_eq(Str a, Str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Bytewise order, shorter first on a common prefix: the order of PostgreSQL's C collation. */
static inline int
str_cmp(Str a, Str b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* A growable byte buffer in an arena. */
typedef struct Buf
{
	Arena *arena;
	uint8_t *p;
	size_t len;
	size_t cap;
} Buf;

extern void buf_init(Buf *buf, Arena *arena, size_t cap);
/* Make room for extra more bytes and return where they go; len is not advanced. */
extern uint8_t *buf_reserve(Buf *buf, size_t extra);

static inline void
buf_put(Buf *buf, const void *src, size_t n)
{
	if (n > buf->cap - buf->len)
		buf_reserve(buf, n);
	if (n)
		memcpy(buf->p + buf->len, src, n);
	buf->len += n;
}

static inline void
buf_put_u8(Buf *buf, uint8_t v)
{
	if (buf->len == buf->cap)
		buf_reserve(buf, 1);
	buf->p[buf->len++] = v;
}

/* LEB128, at most 10 bytes. */
extern void buf_put_varint_long(Buf *buf, uint64_t v);

static inline void
buf_put_varint(Buf *buf, uint64_t v)
{
	if (v < 128)
		buf_put_u8(buf, (uint8_t) v);
	else
		buf_put_varint_long(buf, v);
}

/* Reads at *pos, advances it; false when the bytes end or the number is longer than 10 bytes. */
extern bool read_varint(const uint8_t **pos, const uint8_t *end, uint64_t *v);

#endif
