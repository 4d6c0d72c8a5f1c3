/*
 * split_set.h
 *	  A set of (tenant, trace id) as one piece of memory without pointers, so that it can be shared between
 *	  processes: open addressing, at most half full. Trace ids may be chosen by whoever sends them, so places
 *	  are by hash.
 */
#ifndef TEMPO_TRACEQL_SPLIT_SET_H
#define TEMPO_TRACEQL_SPLIT_SET_H

#include "postgres.h"
#include "codec/codec.h"

typedef struct SplitKey
{
	uint8 id[16];
	int32 tenant; /* as the source numbers them; -1: a free place */
} SplitKey;

typedef struct SplitSet
{
	uint32 n;
	uint32 mask;
	SplitKey key[FLEXIBLE_ARRAY_MEMBER];
} SplitSet;

static inline uint32
split_set_place(const SplitSet *set, const uint8 *id)
{
	return (uint32) codec_hash64(id, 16) & set->mask;
}

static inline bool
split_set_has(const SplitSet *set, int tenant, const uint8 *id)
{
	for (uint32 at = split_set_place(set, id); set->key[at].tenant >= 0; at = (at + 1) & set->mask)
		if (set->key[at].tenant == tenant && memcmp(set->key[at].id, id, 16) == 0)
			return true;
	return false;
}

static inline Size
split_set_size(const SplitSet *set)
{
	return offsetof(SplitSet, key) + ((Size) set->mask + 1) * sizeof(SplitKey);
}

/* An empty one for up to n keys, in the current context; then each key once. */
extern SplitSet *split_set_make(uint64 n);
extern void split_set_add(SplitSet *set, const SplitKey *key);

#endif
