/*
 * codec_words.c
 *	  The uuids that the strings of a column have in common: found and counted by the writer, numbered with
 *	  the most frequent first, and looked up while blocks are written (codec_text.c).
 *
 * A uuid that occurs once is cheaper where it stands, so only what occurs again becomes a word.
 */
#include "codec/codec_impl.h"
#include "span/intern.h"

#include <stdlib.h>

#define PROBE_STRINGS 64
#define TRIAL_UUIDS   65536 /* after so many, a column of new ones only is given up */
#define MAX_COUNTED   (1u << 19)
#define MIN_SAVED     1024 /* bytes */
#define CODE_BYTES    3    /* of a word in a block, at most or so */

typedef struct Counted
{
	uint64_t half[2];
	uint32_t count;
} Counted;

typedef struct Counter
{
	Counted *seen;
	uint32_t n, max;
	uint32_t *slots; /* entry + 1, 0 free */
	uint32_t mask;
	uint64_t total;
	Arena *arena;
} Counter;

#define BYTES(c) (UINT64_C(0x0101010101010101) * (c))

/* Eight hexadecimal digits in lower case, the first in the lowest byte; anything else sets bits of bad. */
static inline uint32_t
read_digits(uint64_t x, uint64_t *bad)
{
	uint64_t v = (x & BYTES(15)) + (x >> 6 & BYTES(1)) * 9;

	/* writing them out again has to give the same text */
	*bad |= (v & BYTES(0xF0)) | (x ^ (v + BYTES('0') + ((v + BYTES(6)) >> 4 & BYTES(1)) * ('a' - '0' - 10)));
	v = (v << 4 | v >> 8) & UINT64_C(0x00FF00FF00FF00FF);
	v = (v | v >> 8) & UINT64_C(0x0000FFFF0000FFFF);
	return __builtin_bswap32((uint32_t) (v | v >> 16));
}

bool
uuid_read(const uint8_t *p, const uint8_t *end, uint64_t half[2])
{
	uint64_t bad = 0;

	if (end - p < UUID_TEXT || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
		return false;
	half[0] = (uint64_t) read_digits(load64(p), &bad) << 32;
	half[0] |= read_digits(load32(p + 9) | (uint64_t) load32(p + 14) << 32, &bad);
	half[1] = (uint64_t) read_digits(load32(p + 19) | (uint64_t) load32(p + 24) << 32, &bad) << 32;
	half[1] |= read_digits(load64(p + 28), &bad);
	return bad == 0;
}

static inline uint32_t
uuid_hash(const uint64_t half[2])
{
	uint64_t seed = intern_seed();

	return (uint32_t) intern_mix(intern_mix(half[0] ^ seed, UINT64_C(0x9e3779b97f4a7c15)) ^ half[1],
								 seed | 1);
}

/* The slot of a uuid, or the free one where it belongs. */
static inline uint32_t
find_slot(const uint32_t *slots, uint32_t mask, const Counted *seen, const uint64_t half[2])
{
	uint32_t s = uuid_hash(half) & mask;

	while (slots[s] && (seen[slots[s] - 1].half[0] != half[0] || seen[slots[s] - 1].half[1] != half[1]))
		s = (s + 1) & mask;
	return s;
}

static void
grow(Counter *c)
{
	uint32_t max = c->max ? c->max * 2 : 1024;

	c->seen = arena_grow(c->arena, c->seen, c->n * sizeof(Counted), max * sizeof(Counted));
	c->max = max;
	c->mask = max * 2 - 1;
	c->slots = arena_alloc0(c->arena, ((size_t) c->mask + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < c->n; i++)
		c->slots[find_slot(c->slots, c->mask, c->seen, c->seen[i].half)] = i + 1;
}

static void
count(Counter *c, const uint64_t half[2])
{
	uint32_t s;

	c->total++;
	if (c->n == c->max && c->n < MAX_COUNTED)
		grow(c);
	s = find_slot(c->slots, c->mask, c->seen, half);
	if (c->slots[s])
		c->seen[c->slots[s] - 1].count++;
	else if (c->n < c->max)
	{
		c->seen[c->n] = (Counted){{half[0], half[1]}, 1};
		c->slots[s] = ++c->n;
	}
}

/* All uuids of a string; returns how many. c may be NULL. */
static uint32_t
scan(Str s, Counter *c)
{
	const uint8_t *p = (const uint8_t *) s.p, *end = p + s.len, *dash;
	uint64_t half[2];
	uint32_t n = 0;

	while (end - p >= UUID_TEXT && (dash = memchr(p + 8, '-', (size_t) (end - p) - 8)) != NULL)
	{
		if (!uuid_read(dash - 8, end, half))
		{
			p = dash - 7;
			continue;
		}
		n++;
		if (c != NULL)
			count(c, half);
		p = dash - 8 + UUID_TEXT;
	}
	return n;
}

/* Has every fourth string or so a uuid? */
static bool
promising(const Str *dict, const uint32_t *codes, uint32_t n)
{
	uint32_t step = n / PROBE_STRINGS + 1, probed = 0, found = 0;

	for (uint32_t i = 0; i < n; i += step, probed++)
		found += scan(dict[codes[i]], NULL) > 0;
	return found > 0 && found >= probed / 4;
}

static int
compare_counts(const void *a, const void *b)
{
	const Counted *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->half[0] != y->half[0] ? (x->half[0] < y->half[0] ? -1 : 1)
									: (x->half[1] > y->half[1]) - (x->half[1] < y->half[1]);
}

/* Keeps what occurs again; returns the bytes that saves. */
static uint64_t
keep_repeated(Counter *c, uint32_t max)
{
	uint64_t saved = 0;
	uint32_t n = 0;

	qsort(c->seen, c->n, sizeof(Counted), compare_counts);
	while (n < c->n && n < max && c->seen[n].count > 1)
		saved += (uint64_t) c->seen[n++].count * (WORD_BYTES - CODE_BYTES) - WORD_BYTES;
	c->n = n;
	return saved;
}

bool
codec_words_collect(const Str *dict, const uint32_t *codes, uint32_t n, uint32_t max, Arena *arena,
					CodecWords *words)
{
	Counter c = {.arena = arena};
	uint64_t(*pairs)[2];

	if (n == 0 || !promising(dict, codes, n))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		scan(dict[codes[i]], &c);
		if (c.n > TRIAL_UUIDS && c.n > c.total - c.total / 16)
			return false;
	}
	if (c.n == 0 || keep_repeated(&c, max) < MIN_SAVED)
		return false;
	memset(c.slots, 0, ((size_t) c.mask + 1) * sizeof(uint32_t));
	pairs = arena_alloc(arena, (size_t) c.n * WORD_BYTES);
	for (uint32_t i = 0; i < c.n; i++)
	{
		c.slots[find_slot(c.slots, c.mask, c.seen, c.seen[i].half)] = i + 1;
		memcpy(pairs[i], c.seen[i].half, WORD_BYTES);
	}
	*words = (CodecWords){.n = c.n, .pairs = (const uint64_t(*)[2]) pairs, .slots = c.slots, .mask = c.mask};
	return true;
}

uint32_t
words_find(const CodecWords *words, const uint64_t half[2])
{
	uint32_t s = uuid_hash(half) & words->mask;

	for (; words->slots[s]; s = (s + 1) & words->mask)
	{
		const uint64_t *pair = words->pairs[words->slots[s] - 1];

		if (pair[0] == half[0] && pair[1] == half[1])
			return words->slots[s];
	}
	return 0;
}
