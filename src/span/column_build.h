/*
 * column_build.h
 *	  A column that grows value by value, its dictionary interned. Private to src/span.
 *
 * Interning stops paying when nearly every value is new: then values go into the dictionary unlooked, as
 * COL_BYTES allows.
 */
#ifndef TEMPO_COLUMN_BUILD_H
#define TEMPO_COLUMN_BUILD_H

#include "span/batch.h"
#include "span/intern.h"

typedef struct ColumnBuild
{
	Column c;
	uint32_t cap;      /* values allocated */
	uint32_t dict_cap; /* dictionary entries allocated */
	uint32_t last;     /* code of the value added last */
	Interner in;
} ColumnBuild;

#define COLUMN_SAMPLE 1024 /* entries before interning may be given up */

static inline bool
column_build_unique(uint32_t ndict, uint32_t n)
{
	return ndict >= COLUMN_SAMPLE && (uint64_t) ndict * 8 > (uint64_t) n * 7;
}

extern void column_build_init(ColumnBuild *cb, ColKind kind, uint16_t width);
/* Room for cap values. */
extern void column_build_reserve(ColumnBuild *cb, Arena *arena, uint32_t cap);
/* Code of v, entered when new; copy says whether a new entry is copied into the arena. */
extern uint32_t column_build_code_slow(ColumnBuild *cb, Arena *arena, Str v, bool copy, uint64_t seed);

static inline uint32_t
column_build_code(ColumnBuild *cb, Arena *arena, Str v, bool copy, uint64_t seed)
{
	if (cb->last < cb->c.ndict && intern_eq(v, cb->c.dict[cb->last]))
		return cb->last;
	return column_build_code_slow(cb, arena, v, copy, seed);
}

/* Forget values from n and entries from ndict on. */
extern void column_build_cut(ColumnBuild *cb, uint32_t n, uint32_t ndict);

/* Fill what batch.h says of value_first and value_at: in one pass over the rows. (batch_read.c) */
extern void attr_find_values(Arena *arena, const AttrSet *set, const uint32_t *shape, uint32_t **value_first,
							 uint32_t **value_at);

#endif
