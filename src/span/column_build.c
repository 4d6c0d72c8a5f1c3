/*
 * column_build.c
 *	  Growing columns, see column_build.h.
 */
#include "span/column_build.h"

void
column_build_init(ColumnBuild *cb, ColKind kind, uint16_t width)
{
	memset(cb, 0, sizeof(*cb));
	cb->c.kind = kind;
	cb->c.width = width;
	cb->c.loaded = true;
}

static void *
grow_array(Arena *arena, void *old, uint32_t old_n, uint32_t new_n, size_t width)
{
	return arena_grow(arena, old, old_n * width, new_n * width);
}

static void
grow_nulls(ColumnBuild *cb, Arena *arena, uint32_t cap)
{
	cb->c.nulls = grow_array(arena, cb->c.nulls, cb->cap, cap, 1);
	memset(cb->c.nulls + cb->cap, 0, cap - cb->cap);
}

void
column_build_reserve(ColumnBuild *cb, Arena *arena, uint32_t cap)
{
	if (cap <= cb->cap)
		return;
	switch (cb->c.kind)
	{
		case COL_VOID: break;
		case COL_I64: cb->c.i64 = grow_array(arena, cb->c.i64, cb->cap, cap, sizeof(int64_t)); break;
		case COL_FIXED: cb->c.fixed = grow_array(arena, cb->c.fixed, cb->cap, cap, cb->c.width); break;
		case COL_BYTES: cb->c.codes = grow_array(arena, cb->c.codes, cb->cap, cap, sizeof(uint32_t)); break;
	}
	if (cb->c.nulls != NULL)
		grow_nulls(cb, arena, cap);
	cb->cap = cap;
}

static void
append_entry(ColumnBuild *cb, Arena *arena, Str v, bool copy)
{
	if (cb->c.ndict == cb->dict_cap)
	{
		uint32_t cap = cb->dict_cap ? cb->dict_cap * 2 : 4;

		cb->c.dict = grow_array(arena, cb->c.dict, cb->dict_cap, cap, sizeof(Str));
		cb->dict_cap = cap;
	}
	if (copy && v.len)
		v.p = arena_dup(arena, v.p, v.len);
	cb->c.dict[cb->c.ndict++] = v;
}

uint32_t
column_build_code_slow(ColumnBuild *cb, Arena *arena, Str v, bool copy, uint64_t seed)
{
	uint32_t code = INTERN_NONE;

	if (!column_build_unique(cb->c.ndict, cb->c.n))
		code = intern_lookup(&cb->in, arena, v, intern_hash(v, seed), cb->c.dict, cb->c.ndict);
	if (code == INTERN_NONE)
	{
		code = cb->c.ndict;
		append_entry(cb, arena, v, copy);
	}
	cb->last = code;
	return code;
}

void
column_build_cut(ColumnBuild *cb, uint32_t n, uint32_t ndict)
{
	if (cb->c.nulls != NULL && n < cb->cap)
		memset(cb->c.nulls + n, 0, cb->cap - n);
	cb->c.n = n;
	cb->c.ndict = ndict;
}
