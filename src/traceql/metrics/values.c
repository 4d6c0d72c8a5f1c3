/*
 * values.c
 *	  Numbers for values and for pairs of numbers, by hashing; and maps from dictionary codes to numbers.
 */
#include "traceql/metrics/internal.h"

#include "codec/codec.h"

static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ (x >> 32);
}

static uint64_t
value_hash(const EvalValue *v)
{
	uint64_t h;

	switch (v->type)
	{
		case EVAL_STRING:
		case EVAL_ARRAY: h = codec_hash64(v->s.p, v->s.len); break;
		case EVAL_BOOL: h = v->b; break;
		case EVAL_NIL:
		case EVAL_OPAQUE: h = 0; break;
		default: h = (uint64_t) v->i; break;
	}
	return mix(h + v->type);
}

/* ---- tables of numbers ---- */

/* Twice as many places, everything in its place again. */
static void
rehash(Arena *arena, HashSlot **table, uint32_t *mask)
{
	uint32_t old = *table ? *mask + 1 : 0;
	uint32_t size = old ? 2 * old : 64;
	HashSlot *made = arena_alloc0(arena, size * sizeof(HashSlot));

	for (uint32_t i = 0; i < old; i++)
	{
		uint32_t h = (*table)[i].hash & (size - 1);

		if (!(*table)[i].number)
			continue;
		while (made[h].number)
			h = (h + 1) & (size - 1);
		made[h] = (*table)[i];
	}
	*table = made;
	*mask = size - 1;
}

static uint32_t
values_append(Arena *arena, ValueTable *t, const EvalValue *v)
{
	if (t->n == t->cap)
	{
		uint32_t cap = t->cap ? t->cap * 2 : 16;

		t->values = arena_grow(arena, t->values, t->cap * sizeof(EvalValue), cap * sizeof(EvalValue));
		t->cap = cap;
	}
	t->values[t->n] = *v;
	if (v->type == EVAL_STRING || v->type == EVAL_ARRAY)
		t->values[t->n].s.p = arena_dup(arena, v->s.p, v->s.len);
	return t->n++;
}

/* As eval_same(), for what is mostly strings. */
static inline bool
same(const EvalValue *a, const EvalValue *b)
{
	if (a->type != b->type || a->type != EVAL_STRING)
		return eval_same(a, b);
	return a->s.len == b->s.len && memcmp(a->s.p, b->s.p, a->s.len) == 0;
}

static uint32_t
number_hashed(Arena *arena, ValueTable *t, const EvalValue *v, uint32_t hash)
{
	static const EvalValue nil = {.type = EVAL_NIL};
	uint32_t h;

	if (t->n == 0)
		values_append(arena, t, &nil);
	if (v->type == EVAL_NIL || v->type == EVAL_OPAQUE)
		return 0;
	if (t->n * 2 >= t->mask)
		rehash(arena, &t->table, &t->mask);
	for (h = hash & t->mask; t->table[h].number; h = (h + 1) & t->mask)
		if (t->table[h].hash == hash && same(&t->values[t->table[h].number - 1], v))
			return t->table[h].number - 1;
	t->table[h] = (HashSlot){hash, t->n + 1};
	return values_append(arena, t, v);
}

uint32_t
values_number(Arena *arena, ValueTable *t, const EvalValue *v)
{
	return number_hashed(arena, t, v, (uint32_t) value_hash(v));
}

#define AT_ONCE 32

/* Ask for the places in memory, then for what they point to, then look: many waits at once. */
void
values_numbers(Arena *arena, ValueTable *t, const EvalValue *v, uint32_t n, uint32_t *numbers)
{
	for (uint32_t from = 0; from < n; from += AT_ONCE)
	{
		uint32_t m = n - from < AT_ONCE ? n - from : AT_ONCE;
		uint32_t hash[AT_ONCE];

		for (uint32_t i = 0; i < m; i++)
		{
			hash[i] = (uint32_t) value_hash(&v[from + i]);
			if (t->table)
				__builtin_prefetch(&t->table[hash[i] & t->mask]);
		}
		for (uint32_t i = 0; i < m && t->table; i++)
		{
			const HashSlot *slot = &t->table[hash[i] & t->mask];

			if (slot->number && slot->hash == hash[i])
				__builtin_prefetch(&t->values[slot->number - 1]);
		}
		for (uint32_t i = 0; i < m && t->table; i++)
		{
			const HashSlot *slot = &t->table[hash[i] & t->mask];

			if (slot->number && slot->hash == hash[i] && v[from + i].type == EVAL_STRING)
				__builtin_prefetch(t->values[slot->number - 1].s.p);
		}
		for (uint32_t i = 0; i < m; i++)
			numbers[from + i] = number_hashed(arena, t, &v[from + i], hash[i]);
	}
}

uint32_t
pairs_number(Arena *arena, PairTable *t, uint32_t a, uint32_t b)
{
	uint64_t pair = (uint64_t) a << 32 | b;
	uint32_t hash = (uint32_t) mix(pair);
	uint32_t h;

	if (t->n * 2 >= t->mask)
		rehash(arena, &t->table, &t->mask);
	for (h = hash & t->mask; t->table[h].number; h = (h + 1) & t->mask)
		if (t->table[h].hash == hash && t->pairs[t->table[h].number - 1] == pair)
			return t->table[h].number - 1;
	if (t->n == t->cap)
	{
		uint32_t cap = t->cap ? t->cap * 2 : 64;

		t->pairs = arena_grow(arena, t->pairs, t->cap * sizeof(uint64_t), cap * sizeof(uint64_t));
		t->cap = cap;
	}
	t->pairs[t->n] = pair;
	t->table[h] = (HashSlot){hash, ++t->n};
	return t->n - 1;
}

/* ---- dictionaries ---- */

void
codemap_use(Arena *arena, CodeMap *map, uint64_t source, const Column *column)
{
	if (map->source == source && map->dict == column->dict && map->ndict == column->ndict &&
		column->dict_shared)
		return;
	if (map->cap < column->ndict)
	{
		map->cap = column->ndict > 2 * map->cap ? column->ndict : 2 * map->cap;
		map->numbers = arena_alloc(arena, map->cap * sizeof(uint32_t));
	}
	if (column->ndict)
		memset(map->numbers, 0, column->ndict * sizeof(uint32_t));
	map->source = source;
	map->dict = column->dict;
	map->ndict = column->ndict;
}
