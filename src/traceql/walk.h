/*
 * walk.h
 *	  The whole traces of a source, for a search: vectors of segments, and split traces put together.
 *
 * Images come in order of their latest start. While a vector is evaluated, the parts of split traces in it
 * are tested as well (TraceqlUnit.bits), and recent batches, all of whose traces count as split, are only
 * tested. Split traces that may match come when everything that may hold parts of them is behind; so with
 * newest, nothing is read that is older than what is wanted.
 *
 * Of a unit with rows that are not there (policies, deletes) a vector is read as far as it is there, and the
 * parts of split traces in it are tested before the vectors are read.
 *
 * Ownership: a walk hangs off a context below the one current at walk_begin. A unit lives until the next
 * call.
 */
#ifndef TEMPO_TRACEQL_WALK_H
#define TEMPO_TRACEQL_WALK_H

#include "traceql/reader.h"

typedef struct WalkRequest
{
	bool has_from; /* traces that overlap [from, to], unix ns, inclusive */
	bool has_to;
	int64 from;
	int64 to;
	/* Is anything wanted of traces that start in [start_min, start_max] and end by end_max? */
	bool (*wanted)(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max);
	void *ctx;
	TraceqlRun *run; /* will be run over the units */
	uint32 need;     /* facts.need of its plan */
	bool newest;     /* wanted() is about the newest, more and more of them */
} WalkRequest;

/* Where a trace is: a vector, or among those put together. */
typedef struct WalkPlace
{
	uint32 image; /* 0: put together */
	uint32 at;    /* vector; of traces put together, which */
} WalkPlace;

typedef struct Walk Walk;

extern Walk *walk_begin(Source *source, const WalkRequest *request);
/* false: there are no more. The unit is to be run before the next call. */
extern bool walk_next(Walk *walk, TraceqlUnit *unit);
/* Where a trace of the unit at hand is. */
extern WalkPlace walk_place(const Walk *walk, uint32 trace);
/* Read a vector once more. */
extern void walk_again(Walk *walk, uint32 image, uint32 vector, TraceqlUnit *unit);
/* Let walk_next() give these split traces, and nothing else: n numbers out of their places. */
extern void walk_gather(Walk *walk, const uint32 *traces, uint32 n);
extern ReaderCounters walk_counters(const Walk *walk);
extern void walk_end(Walk *walk);

#endif
