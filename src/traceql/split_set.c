/*
 * split_set.c
 *	  Making a set; see split_set.h.
 */
#include "traceql/split_set.h"

#include "utils/memutils.h"

SplitSet *
split_set_make(uint64 n)
{
	uint64 size = 16;
	SplitSet *set;

	while (size < 2 * n)
		size *= 2;
	if (size > PG_UINT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many split traces")));
	set = MemoryContextAllocHuge(CurrentMemoryContext, offsetof(SplitSet, key) + size * sizeof(SplitKey));
	set->n = 0;
	set->mask = (uint32) (size - 1);
	for (uint64 i = 0; i < size; i++)
		set->key[i].tenant = -1;
	return set;
}

void
split_set_add(SplitSet *set, const SplitKey *key)
{
	uint32 at = split_set_place(set, key->id);

	while (set->key[at].tenant >= 0)
		at = (at + 1) & set->mask;
	set->key[at] = *key;
	set->n++;
}
