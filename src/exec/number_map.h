/*
 * number_map.h
 *	  Numbers to small numbers, for group keys: a window of neighbouring numbers by position, the others by
 *	  hash. Lives in the memory context given.
 */
#ifndef TEMPO_NUMBER_MAP_H
#define TEMPO_NUMBER_MAP_H

#include "postgres.h"

#define NUMBER_MAP_NONE   PG_UINT32_MAX
#define NUMBER_MAP_WINDOW 65536

typedef struct NumberMap
{
	uint64 base; /* of the window */
	uint32 *window;
	uint64 *key;
	uint32 *value; /* NUMBER_MAP_NONE: free */
	uint32 mask;
	uint32 n;
	MemoryContext context;
} NumberMap;

extern void number_map_init(NumberMap *m, MemoryContext context);
/* Where the value of a number is; NUMBER_MAP_NONE when the number is new: the caller fills it in. */
extern uint32 *number_map_far(NumberMap *m, int64 number);

static inline uint32 *
number_map_find(NumberMap *m, int64 number)
{
	uint64 at = (uint64) number - m->base;

	return at < NUMBER_MAP_WINDOW && m->window ? &m->window[at] : number_map_far(m, number);
}

#endif
