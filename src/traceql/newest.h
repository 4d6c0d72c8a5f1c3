/*
 * newest.h
 *	  The newest traces of those offered, by start: what a search with max_traces keeps.
 *
 * Copies live in the context given, one piece of memory each, freed when newer traces push them out.
 */
#ifndef TEMPO_TRACEQL_NEWEST_H
#define TEMPO_TRACEQL_NEWEST_H

#include "postgres.h"
#include "traceql/eval/eval.h"

typedef struct Newest
{
	MemoryContext context;
	uint32 max;
	uint32 n;
	uint32 cap;
	MatchTrace **heap; /* none is newer than its children: the oldest is first */
} Newest;

extern Newest *newest_create(MemoryContext context, uint32 max);
/* Would a trace with this start be kept? */
extern bool newest_wants(const Newest *newest, uint64 start);
extern void newest_add(Newest *newest, const MatchTrace *trace);
/* Take the oldest out; NULL when there is none. */
extern MatchTrace *newest_pop_oldest(Newest *newest);

#endif
