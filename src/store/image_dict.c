/*
 * image_dict.c
 *	  The distinct values of a series, and the series as codes into them.
 */
#include "store/image_impl.h"
#include "span/intern.h"

#include <stdlib.h>

#define UNUSED UINT32_MAX

/* Codes in order of first use; kept has the entries of the input's dictionary. */
static void
renumber(const uint32_t *codes, uint32_t n, uint32_t ndict, Arena *arena, Coded *c)
{
	uint32_t *map = arena_alloc(arena, (size_t) ndict * sizeof(uint32_t));

	memset(map, 0xFF, (size_t) ndict * sizeof(uint32_t));
	c->n = n;
	c->ndict = 0;
	c->codes = arena_alloc(arena, (size_t) n * sizeof(uint32_t));
	c->kept = arena_alloc(arena, (size_t) (ndict < n ? ndict : n) * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t old = codes[i];

		if (map[old] == UNUSED)
		{
			map[old] = c->ndict;
			c->kept[c->ndict++] = old;
		}
		c->codes[i] = map[old];
	}
}

/* Give equal strings one code. */
static void
merge_equal(const Str *dict, Arena *arena, Coded *c)
{
	Interner in = {0};
	Str *distinct = arena_alloc(arena, (size_t) c->ndict * sizeof(Str));
	uint32_t *map = arena_alloc(arena, (size_t) c->ndict * sizeof(uint32_t));
	uint64_t seed = intern_seed();
	uint32_t n = 0;

	for (uint32_t k = 0; k < c->ndict; k++)
	{
		Str s = dict[c->kept[k]];

		map[k] = intern_lookup(&in, arena, s, intern_hash(s, seed), distinct, n);
		if (map[k] == INTERN_NONE)
		{
			map[k] = n;
			c->kept[n] = c->kept[k];
			distinct[n++] = s;
		}
	}
	if (n == c->ndict)
		return;
	for (uint32_t i = 0; i < c->n; i++)
		c->codes[i] = map[c->codes[i]];
	c->ndict = n;
}

static uint32_t *
count_codes(const Coded *c, Arena *arena)
{
	uint32_t *count = arena_alloc0(arena, (size_t) c->ndict * sizeof(uint32_t));

	for (uint32_t i = 0; i < c->n; i++)
		count[c->codes[i]]++;
	return count;
}

typedef struct Use
{
	uint32_t count;
	uint32_t code;
} Use;

static int
compare_uses(const void *a, const void *b)
{
	const Use *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->code > y->code) - (x->code < y->code);
}

static void
order_by_use(Arena *arena, Coded *c)
{
	uint32_t *count = count_codes(c, arena);
	uint32_t *kept = arena_alloc(arena, (size_t) c->ndict * sizeof(uint32_t));
	Use *use = arena_alloc(arena, (size_t) c->ndict * sizeof(Use));

	for (uint32_t k = 0; k < c->ndict; k++)
		use[k] = (Use){count[k], k};
	qsort(use, c->ndict, sizeof(Use), compare_uses);
	for (uint32_t k = 0; k < c->ndict; k++)
	{
		kept[k] = c->kept[use[k].code];
		count[use[k].code] = k;
	}
	c->kept = kept;
	for (uint32_t i = 0; i < c->n; i++)
		c->codes[i] = count[c->codes[i]];
}

void
image_code_bytes(const uint32_t *codes, uint32_t n, const Str *dict, uint32_t ndict, bool by_use,
				 Arena *arena, Coded *c)
{
	memset(c, 0, sizeof(*c));
	renumber(codes, n, ndict, arena, c);
	if (dict != NULL && c->ndict > n / 2 && n > 1)
		merge_equal(dict, arena, c);
	if (by_use)
		order_by_use(arena, c);
	if (dict == NULL)
		return;
	c->dict = arena_alloc(arena, (size_t) c->ndict * sizeof(Str));
	for (uint32_t k = 0; k < c->ndict; k++)
	{
		c->dict[k] = dict[c->kept[k]];
		c->bytes += c->dict[k].len;
	}
}

/* ---- numbers ---- */

static int
compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

typedef struct NumberTable
{
	int64_t *value;
	uint32_t *code; /* + 1, 0 free */
	uint32_t mask;
	uint64_t seed;
} NumberTable;

static inline uint32_t
number_slot(const NumberTable *t, int64_t v)
{
	uint32_t s = (uint32_t) intern_mix((uint64_t) v ^ t->seed, UINT64_C(0x9E3779B97F4A7C15)) & t->mask;

	while (t->code[s] && t->value[s] != v)
		s = (s + 1) & t->mask;
	return s;
}

bool
image_code_numbers(const int64_t *v, uint32_t n, uint32_t max, Arena *arena, Coded *c)
{
	NumberTable t = {.mask = 255, .seed = intern_seed()};

	while (t.mask < max * 2)
		t.mask = t.mask * 2 + 1;
	t.value = arena_alloc(arena, ((size_t) t.mask + 1) * sizeof(int64_t));
	t.code = arena_alloc0(arena, ((size_t) t.mask + 1) * sizeof(uint32_t));
	memset(c, 0, sizeof(*c));
	c->n = n;
	c->numbers = arena_alloc(arena, (size_t) max * sizeof(int64_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t s = number_slot(&t, v[i]);

		if (t.code[s])
			continue;
		if (c->ndict == max)
			return false;
		t.value[s] = v[i];
		t.code[s] = 1;
		c->numbers[c->ndict++] = v[i];
	}
	qsort(c->numbers, c->ndict, sizeof(int64_t), compare_i64);
	for (uint32_t k = 0; k < c->ndict; k++)
		t.code[number_slot(&t, c->numbers[k])] = k + 1;
	c->codes = arena_alloc(arena, (size_t) n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
		c->codes[i] = t.code[number_slot(&t, v[i])] - 1;
	return true;
}

uint64_t
image_code_entropy(const Coded *c, Arena *arena)
{
	uint32_t *count = count_codes(c, arena);
	double bits = 0;
	float logn = approx_log2(c->n);

	for (uint32_t k = 0; k < c->ndict; k++)
		if (count[k])
			bits += (double) count[k] * (logn - approx_log2(count[k]));
	return (uint64_t) (bits > 0 ? bits : 0);
}
