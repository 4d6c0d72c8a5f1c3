/*
 * image_cond.c
 *	  Codes of one leaf given the codes of another. For each code of the base, the codes seen with it are
 *	  listed, most frequent first; a value is then its place in the list of its row. A column that is a
 *	  function of the base has lists of one and no places to store; one that nearly is has mostly zeros.
 */
#include "store/image_impl.h"

#include <stdlib.h>

typedef struct Pair
{
	uint32_t base;
	uint32_t code;
	uint32_t count;
	uint32_t rank;
} Pair;

/* All pairs of (base code, code) seen, and the pair of each value. */
typedef struct Pairs
{
	Pair *pair;
	uint32_t n, max;
	uint32_t *of; /* by value */
} Pairs;

static inline uint32_t
base_code(const CondBase *b, const uint32_t *rows, uint32_t i)
{
	return b->codes[rows ? rows[i] : i];
}

static inline bool
count_pair(Pairs *p, uint32_t *slot, uint32_t base, uint32_t code, uint32_t value)
{
	if (*slot == 0)
	{
		if (p->n == p->max)
			return false;
		p->pair[p->n] = (Pair){base, code, 0, 0};
		*slot = ++p->n;
	}
	p->pair[*slot - 1].count++;
	p->of[value] = *slot - 1;
	return true;
}

static bool
collect_direct(const CondBase *b, const Coded *c, const uint32_t *rows, Arena *arena, Pairs *p)
{
	uint32_t *slots = arena_alloc0(arena, (size_t) b->ncodes * c->ndict * sizeof(uint32_t));

	for (uint32_t i = 0; i < c->n; i++)
	{
		uint32_t base = base_code(b, rows, i);

		if (!count_pair(p, &slots[(size_t) base * c->ndict + c->codes[i]], base, c->codes[i], i))
			return false;
	}
	return true;
}

static bool
collect_hashed(const CondBase *b, const Coded *c, const uint32_t *rows, Arena *arena, Pairs *p)
{
	uint32_t size = 1024;
	uint32_t *slots;

	while (size < p->max * 2)
		size *= 2;
	slots = arena_alloc0(arena, (size_t) size * sizeof(uint32_t));
	for (uint32_t i = 0; i < c->n; i++)
	{
		uint32_t base = base_code(b, rows, i), code = c->codes[i];
		uint64_t key = (uint64_t) base << 32 | code;
		uint32_t s = (uint32_t) ((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (size - 1);

		while (slots[s] && (p->pair[slots[s] - 1].base != base || p->pair[slots[s] - 1].code != code))
			s = (s + 1) & (size - 1);
		if (!count_pair(p, &slots[s], base, code, i))
			return false;
	}
	return true;
}

/* false when there are too many pairs for the base to say much. */
static bool
collect(const CondBase *b, const Coded *c, const uint32_t *rows, Arena *arena, Pairs *p)
{
	p->n = 0;
	p->max = c->n / 8 + 64;
	p->pair = arena_alloc(arena, (size_t) p->max * sizeof(Pair));
	p->of = arena_alloc(arena, (size_t) c->n * sizeof(uint32_t));
	if ((uint64_t) b->ncodes * c->ndict <= (uint64_t) c->n * 2 + 4096)
		return collect_direct(b, c, rows, arena, p);
	return collect_hashed(b, c, rows, arena, p);
}

/* Entropy of the codes given the base, and the table. */
static uint64_t
estimate(const CondBase *b, const Coded *c, const Pairs *p, Arena *arena)
{
	uint32_t *total = arena_alloc0(arena, (size_t) b->ncodes * sizeof(uint32_t));
	double bits = 0;

	for (uint32_t k = 0; k < p->n; k++)
		total[p->pair[k].base] += p->pair[k].count;
	for (uint32_t k = 0; k < p->n; k++)
	{
		const Pair *q = &p->pair[k];

		if (q->count != total[q->base])
			bits += (double) q->count * (approx_log2(total[q->base]) - approx_log2(q->count));
	}
	return (uint64_t) bits + (uint64_t) p->n * (bit_width(c->ndict) + 1) + (uint64_t) b->ncodes * 2 + 256;
}

static int
compare_pairs(const void *a, const void *b)
{
	const Pair *x = *(const Pair *const *) a, *y = *(const Pair *const *) b;

	if (x->base != y->base)
		return x->base < y->base ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->code > y->code) - (x->code < y->code);
}

static void
make_table(const CondBase *b, const Coded *c, const Pairs *p, Arena *arena, Cond *cond)
{
	Pair **sorted = arena_alloc(arena, (size_t) p->n * sizeof(Pair *));

	cond->npairs = p->n;
	cond->count = arena_alloc0(arena, (size_t) b->ncodes * sizeof(uint32_t));
	cond->codes = arena_alloc(arena, (size_t) p->n * sizeof(uint32_t));
	cond->ranks = arena_alloc(arena, (size_t) c->n * sizeof(uint32_t));
	cond->function = true;
	for (uint32_t k = 0; k < p->n; k++)
		sorted[k] = &p->pair[k];
	qsort(sorted, p->n, sizeof(Pair *), compare_pairs);
	for (uint32_t k = 0; k < p->n; k++)
	{
		sorted[k]->rank = cond->count[sorted[k]->base]++;
		cond->codes[k] = sorted[k]->code;
		cond->function &= sorted[k]->rank == 0;
	}
	for (uint32_t i = 0; i < c->n; i++)
		cond->ranks[i] = p->pair[p->of[i]].rank;
}

bool
image_cond_choose(const CondBase *bases, uint32_t nbases, const Coded *c, const uint32_t *rows,
				  uint64_t limit, Arena *arena, Cond *best)
{
	Pairs pairs, best_pairs = {0};

	best->bits = limit;
	for (uint32_t k = 0; k < nbases; k++)
	{
		uint64_t bits;

		if (!collect(&bases[k], c, rows, arena, &pairs))
			continue;
		bits = estimate(&bases[k], c, &pairs, arena);
		/* an earlier base is cheaper to read than a later one */
		if (bits < best->bits - best->bits / 32)
		{
			best->bits = bits;
			best->base = k;
			best_pairs = pairs;
		}
	}
	if (best_pairs.pair == NULL)
		return false;
	make_table(&bases[best->base], c, &best_pairs, arena, best);
	return true;
}
