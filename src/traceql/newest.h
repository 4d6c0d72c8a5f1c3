/*
 * newest.h
 *	  The newest of things offered, by start: what a search with max_traces keeps. Of those
 *	  that start at the same instant smaller ids come first, so that the order of offers does not matter.
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
	uint8 id[16];
	void *what;
} NewestItem;

typedef struct Newest
{
	MemoryContext context;
	uint32 max;
	uint32 n;
	uint32 cap;
	NewestItem *heap; /* no item is newer than its children: the oldest is first */
} Newest;

extern Newest *newest_create(MemoryContext context, uint32 max);
/* Might something with this start be kept? */
extern bool newest_wants(const Newest *newest, uint64 start);
/* Would this trace be kept? Ask before newest_add. */
extern bool newest_wants_trace(const Newest *newest, uint64 start, const uint8 *id);
extern void newest_add(Newest *newest, uint64 start, const uint8 *id, void *what);
/* Take the oldest out; NULL when there is none. */
extern void *newest_pop_oldest(Newest *newest);

#endif
