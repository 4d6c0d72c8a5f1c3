/*
 * split.h
 *	  Traces that are not whole in one segment. split_directory.c knows which they are and where their parts
 *	  stand, split.c what a query has found out about them, split_gather.c puts them together.
 *
 * A trace is split when a recent batch holds spans of it, or when a merge marked it; a mark stands in the
 * younger segment only, so every segment is asked for every such id. A trace overlaps a time range as a
 * whole, so its parts are looked for in all of time.
 *
 * A query tests the parts where they stand for the conditions that a match needs (facts.need), then gathers
 * only traces that satisfy all of them. What has not been tested counts as satisfying everything, so
 * answers do not depend on what was.
 */
#ifndef TEMPO_TRACEQL_SPLIT_H
#define TEMPO_TRACEQL_SPLIT_H

#include "postgres.h"
#include "traceql/eval/eval.h"
#include "traceql/image_traces.h"
#include "traceql/source.h"
#include "traceql/split_set.h"

/* ---- split_directory.c: facts that follow from the units a snapshot sees ---- */

typedef struct SplitTrace
{
	uint8 id[16];
	uint32 tenant; /* of SplitDirectory.tenants */
	uint32 nparts;
	uint32 first_part; /* of SplitDirectory.parts_of */
	uint64 nrows;
	uint64 start; /* over all parts, unix ns */
	uint64 end;
} SplitTrace;

typedef struct SplitPart
{
	uint32 trace; /* of SplitDirectory.traces */
	uint32 unit;  /* segments as in Source.segments, then recent batches */
	uint32 vector;
	uint32 at; /* segments: of the vector's traces; recent batches: of its ImageTraces */
	uint32 n;  /* spans */
} SplitPart;

typedef struct SplitDirectory
{
	MemoryContext context;
	uint32 ntenants;
	Str *tenants;
	uint32 ntraces;
	SplitTrace *traces; /* by id, then tenant */
	uint32 nparts;
	SplitPart *parts;   /* by unit, then vector, then at */
	uint32 *parts_of;   /* the same by trace */
	uint32 *first_part; /* of each unit, and of none: index into parts */
	uint32 *newest;     /* traces by start, newest first */
} SplitDirectory;

/*
 * The directory of a source's units, which stays until the source's context goes. Kept from query to query
 * as long as the units are the same.
 */
extern const SplitDirectory *split_directory(Source *source);
/* Index of a trace, or -1. */
extern int64 split_directory_find(const SplitDirectory *d, Str tenant, const uint8 *trace_id);

/* ---- split.c: one query's ---- */

typedef struct SplitRequest
{
	bool has_from;
	int64 from;
	bool has_to;
	int64 to;
	TraceqlRun *run; /* tests need on parts; NULL: every trace may match */
	uint32 need;     /* facts.need of the plan */
	uint64 *sources; /* counts images opened, as names for the run */
	bool newest;     /* wanted() is about the newest, more and more of them */
	bool (*wanted)(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max);
	void *ctx;
} SplitRequest;

/* A recent batch: small, gathered from again and again, so it stays open. */
typedef struct SplitRecent
{
	Kept *kept; /* NULL: not opened yet */
	const ImageTraces *listed;
	Batch **batches; /* by vector, NULL until asked for */
} SplitRecent;

typedef struct Split
{
	Source *source;
	SplitRequest request;
	MemoryContext context;
	Arena *scratch;
	const SplitDirectory *directory;
	uint32 ntraces;
	uint32 *bits;   /* by trace: of facts.need, satisfied by parts tested */
	uint32 *tested; /* by trace: parts */
	uint64 *start;  /* by trace, of rows that are there; NULL: all rows of all units are */
	uint64 *end;
	uint32 *nrows;
	SplitRecent *recent;
	SplitSet *ids;   /* NULL until asked for */
	uint32 *order;   /* traces, newest first */
	uint32 seen;     /* so many of them were looked at */
	uint32 released; /* so many, moved to the front, may be gathered */
	/* gathering */
	uint32 next; /* of those released */
	uint64 chunk_rows;
	MemoryContext chunk_context;
	int nimages; /* open for the chunk at hand */
	Kept **images;
	uint32 *chunk; /* traces of the chunk at hand, in order of its rows */
	uint32 nchunk;
} Split;

/* NULL: there are no split traces. */
extern Split *split_open(Source *source, const SplitRequest *request);
/* The same with everything tested and released. */
extern Split *split_find(Source *source, const SplitRequest *request);
/* All of them, as other processes can be told; tenants as the source numbers them. */
extern const SplitSet *split_ids(Split *split);
extern uint64 split_count(const Split *split);
extern void split_close(Split *split);

/* skip[t] = 1 for the traces of a segment's vector, all of it, that are split; false: none is. */
extern bool split_mark(const Split *split, uint32 unit, uint32 vector, uint8 *skip);
/* What a segment's vector told about the traces that split_mark() marked; bits by trace of the vector. */
extern void split_tested(Split *split, uint32 unit, uint32 vector, const uint32 *bits);
/* The same without looking: all they may satisfy. */
extern void split_ruled(Split *split, uint32 unit, uint32 vector, uint32 bits);
/* Test all parts in a unit where they stand. */
extern void split_test(Split *split, uint32 unit);
/*
 * Traces that start after this may be gathered: every part of them that is ever tested has been. Called with
 * less and less.
 */
extern void split_release(Split *split, uint64 start);
extern void split_release_all(Split *split);

/* Start and end over all parts, of rows that are there. */
extern uint64 split_start(const Split *split, uint32 trace);
extern uint64 split_end(const Split *split, uint32 trace);
extern SourceUnit *split_unit(const Split *split, uint32 unit);
extern SplitRecent *split_recent(Split *split, uint32 unit);
extern Batch *split_recent_batch(Split *split, SplitRecent *recent, uint32 vector);

/* ---- split_gather.c ---- */

extern void split_gather_begin(Split *split);
extern void split_gather_end(Split *split);
/* Start of the newest trace released that is left; false: none is left. */
extern bool split_peek(const Split *split, uint64 *start);
/*
 * The next chunk of whole traces released as a sorted batch with traces; NULL: there is none. Lives until
 * the next call.
 */
extern Batch *split_next(Split *split);
/* Begin anew with these traces of the directory only: n of them. */
extern void split_select(Split *split, const uint32 *traces, uint32 n);

#endif
