/*
 * newest.h
 *	  The newest of things offered, by start: what a search with max_traces keeps.
 *
 * Things are chunks of memory that belong to the heap from newest_add on: it frees those that newer ones
 * push out, and hands the others back one by one.
 */
#ifndef TEMPO_TRACEQL_NEWEST_H
#define TEMPO_TRACEQL_NEWEST_H

#include "postgres.h"

typedef struct NewestItem
{
	uint64 start;
	void *what;
} NewestItem;

typedef struct Newest
{
	MemoryContext context;
	uint32 max;
	uint32 n;
	uint32 cap;
	NewestItem *heap; /* none is newer than its children: the oldest is first */
} Newest;

extern Newest *newest_create(MemoryContext context, uint32 max);
/* Would something with this start be kept? Ask before newest_add. */
extern bool newest_wants(const Newest *newest, uint64 start);
extern void newest_add(Newest *newest, uint64 start, void *what);
/* Take the oldest out; NULL when there is none. */
extern void *newest_pop_oldest(Newest *newest);

#endif
