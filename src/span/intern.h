/*
 * intern.h
 *	  Open-addressing hash table from byte strings to dictionary codes. Used by the builder and by
 *	  batch_gather; not stored anywhere.
 *
 * The table holds only (hash, code); the strings are in the caller's dictionary, code by code. An entry
 * may go stale: after a rollback its code is past the end of the dictionary or belongs to another string.
 * Stale entries are never believed, because a hit is always confirmed against the dictionary.
 */
#ifndef TEMPO_INTERN_H
#define TEMPO_INTERN_H

#include "span/arena.h"

#define INTERN_NONE UINT32_MAX

typedef struct Interner
{
	uint64_t *slots; /* hash in the high half, code + 1 in the low; 0 is free */
	uint32_t mask;   /* slots - 1 */
	uint32_t used;
} Interner;

/* Make room for one more entry; codes of ndict and above are dropped when the table is rebuilt. */
extern void intern_grow(Interner *in, Arena *arena, uint32_t ndict);

static inline uint64_t
intern_load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t
intern_load32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t
intern_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 r = (unsigned __int128) a * b;

	return (uint64_t) r ^ (uint64_t) (r >> 64);
}

/* Short strings are read as two overlapping words, long ones 16 bytes a step. seed differs by process. */
static inline uint32_t
intern_hash(Str s, uint64_t seed)
{
	const char *p = s.p;
	uint32_t n = s.len;
	uint64_t a, b;

	if (n <= 16)
	{
		if (n >= 8)
			a = intern_load64(p), b = intern_load64(p + n - 8);
		else if (n >= 4)
			a = intern_load32(p), b = intern_load32(p + n - 4);
		else if (n > 0)
			a = (uint64_t) (uint8_t) p[0] << 16 | (uint64_t) (uint8_t) p[n >> 1] << 8 | (uint8_t) p[n - 1],
			b = 0;
		else
			a = b = 0;
	}
	else
	{
		uint32_t i = n;

		for (; i > 16; i -= 16, p += 16)
			seed = intern_mix(intern_load64(p) ^ 0xe7037ed1a0b428dbULL, intern_load64(p + 8) ^ seed);
		a = intern_load64(p + i - 16);
		b = intern_load64(p + i - 8);
	}
	a = intern_mix(a ^ 0xa0761d6478bd642fULL ^ n, b ^ seed);
	return (uint32_t) intern_mix(a, 0x8ebc6af09c88c6e3ULL);
}

/* Equality that spends no call on short strings. */
static inline bool
intern_eq(Str a, Str b)
{
	if (a.len != b.len)
		return false;
	if (a.len >= 8 && a.len <= 16)
		return ((intern_load64(a.p) ^ intern_load64(b.p)) |
				(intern_load64(a.p + a.len - 8) ^ intern_load64(b.p + a.len - 8))) == 0;
	if (a.len >= 4 && a.len < 8)
		return ((intern_load32(a.p) ^ intern_load32(b.p)) |
				(intern_load32(a.p + a.len - 4) ^ intern_load32(b.p + a.len - 4))) == 0;
	return a.len == 0 || memcmp(a.p, b.p, a.len) == 0;
}

/*
 * Code of s, or INTERN_NONE: then s has been entered as code ndict, and the caller must append it to the
 * dictionary.
 */
static inline uint32_t
intern_lookup(Interner *in, Arena *arena, Str s, uint32_t hash, const Str *dict, uint32_t ndict)
{
	uint32_t i;

	if (in->used * 2 >= in->mask)
		intern_grow(in, arena, ndict);
	for (i = hash & in->mask; in->slots[i] != 0; i = (i + 1) & in->mask)
	{
		uint32_t code = (uint32_t) in->slots[i] - 1;

		if ((uint32_t) (in->slots[i] >> 32) == hash && code < ndict && intern_eq(s, dict[code]))
			return code;
	}
	in->slots[i] = (uint64_t) hash << 32 | (ndict + 1);
	in->used++;
	return INTERN_NONE;
}

/* A seed that requests cannot guess, so that they cannot choose colliding strings. */
extern uint64_t intern_seed(void);

#endif
