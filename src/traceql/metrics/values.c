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

static uint32_t
table_size(uint32_t mask)
{
	return mask ? (mask + 1) * 2 : 64;
}

static void
values_rehash(Arena *arena, ValueTable *t)
{
	uint32_t size = table_size(t->mask);

	t->table = arena_alloc0(arena, size * sizeof(uint32_t));
	t->mask = size - 1;
	for (uint32_t i = 0; i < t->n; i++)
	{
		uint32_t h = (uint32_t) value_hash(&t->values[i]) & t->mask;

		while (t->table[h])
			h = (h + 1) & t->mask;
		t->table[h] = i + 1;
	}
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

uint32_t
values_number(Arena *arena, ValueTable *t, const EvalValue *v)
{
	static const EvalValue nil = {.type = EVAL_NIL};
	uint32_t h;

	if (t->n == 0)
		values_append(arena, t, &nil);
	if (v->type == EVAL_NIL || v->type == EVAL_OPAQUE)
		return 0;
	if (t->n * 2 >= t->mask)
		values_rehash(arena, t);
	h = (uint32_t) value_hash(v) & t->mask;
	for (; t->table[h]; h = (h + 1) & t->mask)
		if (eval_same(&t->values[t->table[h] - 1], v))
			return t->table[h] - 1;
	t->table[h] = t->n + 1;
	return values_append(arena, t, v);
}

static void
pairs_rehash(Arena *arena, PairTable *t)
{
	uint32_t size = table_size(t->mask);

	t->table = arena_alloc0(arena, size * sizeof(uint32_t));
	t->mask = size - 1;
	for (uint32_t i = 0; i < t->n; i++)
	{
		uint32_t h = (uint32_t) mix(t->pairs[i]) & t->mask;

		while (t->table[h])
			h = (h + 1) & t->mask;
		t->table[h] = i + 1;
	}
}

uint32_t
pairs_number(Arena *arena, PairTable *t, uint32_t a, uint32_t b)
{
	uint64_t pair = (uint64_t) a << 32 | b;
	uint32_t h;

	if (t->n * 2 >= t->mask)
		pairs_rehash(arena, t);
	h = (uint32_t) mix(pair) & t->mask;
	for (; t->table[h]; h = (h + 1) & t->mask)
		if (t->pairs[t->table[h] - 1] == pair)
			return t->table[h] - 1;
	if (t->n == t->cap)
	{
		uint32_t cap = t->cap ? t->cap * 2 : 64;

		t->pairs = arena_grow(arena, t->pairs, t->cap * sizeof(uint64_t), cap * sizeof(uint64_t));
		t->cap = cap;
	}
	t->pairs[t->n] = pair;
	t->table[h] = ++t->n;
	return t->n - 1;
}

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
