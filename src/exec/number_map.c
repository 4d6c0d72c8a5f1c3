/*
 * number_map.c
 *	  The part of the map outside the window.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "exec/number_map.h"

void
number_map_init(NumberMap *m, MemoryContext context)
{
	memset(m, 0, sizeof(*m));
	m->context = context;
}

static uint32 *
allocate(NumberMap *m, uint32 n)
{
	uint32 *a = MemoryContextAllocHuge(m->context, (Size) n * sizeof(uint32));

	memset(a, 0xFF, (Size) n * sizeof(uint32));
	return a;
}

static uint32
slot_of(const NumberMap *m, uint64 number)
{
	uint32 slot = (uint32) ((number * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & m->mask;

	while (m->value[slot] != NUMBER_MAP_NONE && m->key[slot] != number)
		slot = (slot + 1) & m->mask;
	return slot;
}

static void
grow(NumberMap *m)
{
	uint64 *key = m->key;
	uint32 *value = m->value;
	uint32 size = value ? m->mask + 1 : 0;

	if (size > PG_INT32_MAX / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many groups")));
	m->mask = Max(size * 2, 1024) - 1;
	m->key = MemoryContextAllocHuge(m->context, ((Size) m->mask + 1) * sizeof(uint64));
	m->value = allocate(m, m->mask + 1);
	for (uint32 i = 0; i < size; i++)
	{
		uint32 slot;

		if (value[i] == NUMBER_MAP_NONE)
			continue;
		slot = slot_of(m, key[i]);
		m->key[slot] = key[i];
		m->value[slot] = value[i];
	}
	if (value)
	{
		pfree(key);
		pfree(value);
	}
}

uint32 *
number_map_far(NumberMap *m, int64 number)
{
	uint32 slot;

	if (m->window == NULL)
	{
		m->window = allocate(m, NUMBER_MAP_WINDOW);
		m->base = (uint64) number - NUMBER_MAP_WINDOW / 2;
		return &m->window[NUMBER_MAP_WINDOW / 2];
	}
	/* A free slot was handed out and is not counted before it is filled: half of them stay free. */
	if (m->value == NULL || m->n > m->mask / 2)
		grow(m);
	slot = slot_of(m, (uint64) number);
	if (m->value[slot] == NUMBER_MAP_NONE)
	{
		m->key[slot] = (uint64) number;
		m->n++;
	}
	return &m->value[slot];
}
