/*
 * image_trace.c
 *	  What spans of one trace say about each other: parents as rows.
 */
#include "store/image_impl.h"

/* Traces up to this many rows are searched row by row. */
#define SMALL_TRACE 24

/* Row of each span id of one large trace. */
typedef struct IdTable
{
	uint32_t *slots; /* row + 1 within the trace, 0 free */
	uint32_t mask;
} IdTable;

static inline uint32_t
id_slot(const IdTable *t, int64_t id)
{
	return (uint32_t) (((uint64_t) id * UINT64_C(0x9E3779B97F4A7C15)) >> 33) & t->mask;
}

/* The first row of each id wins. Ids are chosen by clients: a probe gives up after a while. */
#define MAX_PROBES 64

static void
id_table_fill(IdTable *t, const int64_t *ids, uint32_t n, Arena *arena)
{
	uint32_t size = 64;

	while (size < n * 2)
		size *= 2;
	t->mask = size - 1;
	t->slots = arena_alloc0(arena, (size_t) size * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t s = id_slot(t, ids[i]);
		uint32_t probes = 0;

		while (t->slots[s] && ids[t->slots[s] - 1] != ids[i] && probes++ < MAX_PROBES)
			s = (s + 1) & t->mask;
		if (t->slots[s] == 0)
			t->slots[s] = i + 1;
	}
}

static int64_t
id_table_find(const IdTable *t, const int64_t *ids, int64_t id)
{
	uint32_t s = id_slot(t, id);

	for (uint32_t probes = 0; t->slots[s] && probes <= MAX_PROBES; probes++, s = (s + 1) & t->mask)
		if (ids[t->slots[s] - 1] == id)
			return t->slots[s] - 1;
	return -1;
}

/* The nearest row before i with this id, else the first behind it, else -1. */
static int64_t
find_near(const int64_t *ids, uint32_t n, uint32_t i, int64_t id)
{
	for (uint32_t k = i; k-- > 0;)
		if (ids[k] == id)
			return k;
	for (uint32_t k = i + 1; k < n; k++)
		if (ids[k] == id)
			return k;
	return -1;
}

uint32_t
image_parent_refs(const uint32_t *trace_first, uint32_t ntraces, const int64_t *ids, const int64_t *parents,
				  int64_t *refs, int64_t *literals, Arena *arena)
{
	uint32_t nliterals = 0;

	for (uint32_t t = 0; t < ntraces; t++)
	{
		uint32_t first = trace_first[t], n = trace_first[t + 1] - first;
		IdTable table = {NULL, 0};

		if (n > SMALL_TRACE)
			id_table_fill(&table, ids + first, n, arena);
		for (uint32_t i = 0; i < n; i++)
		{
			int64_t parent = parents[first + i], at = -1;

			if (parent == 0)
			{
				refs[first + i] = PARENT_NONE;
				continue;
			}
			at = table.slots ? id_table_find(&table, ids + first, parent)
							 : find_near(ids + first, n, i, parent);
			/* a span that is its own parent has no distance to say so with */
			if (at < 0 || at == i)
			{
				refs[first + i] = PARENT_LITERAL;
				literals[nliterals++] = parent;
			}
			else
				refs[first + i] = (int64_t) zigzag((int64_t) i - at) + 1;
		}
	}
	return nliterals;
}
