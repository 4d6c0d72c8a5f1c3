/*
 * split.h
 *	  Traces that are not whole in one segment: found by split.c, put together by split_gather.c.
 *
 * A search goes through the images that hold parts of them twice: first reading ids, times, and the columns
 * of the query's conditions, which tells the traces that may match; then everything the query needs of
 * those. Between the two, vectors of segments are closed; recent batches are small and stay open.
 */
#ifndef TEMPO_TRACEQL_SPLIT_H
#define TEMPO_TRACEQL_SPLIT_H

#include "postgres.h"
#include "traceql/eval/eval.h"
#include "traceql/source.h"
#include "traceql/split_set.h"
#include "utils/hsearch.h"

typedef struct SplitTrace
{
	SplitKey key;
	uint64 start; /* over all parts */
	uint64 end;
	uint32 bits;  /* of facts.need: conditions that some part satisfies */
	bool kept;    /* may match */
	uint64 n;     /* its rows */
	uint64 first; /* where they are in Split.rows, once dealt out */
} SplitTrace;

typedef struct SplitRow
{
	SplitTrace *trace;
	RowRef ref; /* batch: index into inputs */
} SplitRow;

/* A vector that holds parts. */
typedef struct SplitInput
{
	SourceUnit *unit;
	uint32 vector;
	Batch *batch; /* of recent batches; NULL: opened when needed */
} SplitInput;

typedef struct SplitRequest
{
	bool has_from;
	int64 from;
	bool has_to;
	int64 to;
	TraceqlRun *run; /* tests need on parts; NULL: every trace may match */
	uint32 need;     /* facts.need of the plan */
	uint64 *sources; /* counts images opened, as names for the run */
	bool newest;     /* newest first, as long as wanted() says that a trace of these times is */
	bool (*wanted)(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max);
	void *ctx;
} SplitRequest;

typedef struct Split
{
	Source *source;
	SplitRequest request;
	MemoryContext context;
	Arena *scratch;
	HTAB *traces;
	SplitSet *set; /* the same, once all are found */
	uint32 ninputs;
	uint32 cap_inputs;
	SplitInput *inputs;
	uint64 nrows;
	uint64 cap_rows;
	SplitRow *rows;
	/* gathering */
	uint64 ntraces;
	SplitTrace **order; /* those that may match */
	uint64 next;
	uint64 chunk_rows;
	MemoryContext chunk_context;
} Split;

/* Find them; NULL when there are none. What can match is ready to be read by split_next(). */
extern Split *split_find(Source *source, const SplitRequest *request);
/* The traces found. */
extern const SplitSet *split_ids(const Split *split);
extern uint64 split_count(const Split *split);
/* Put the traces that may match in order. (split_gather.c) */
extern void split_prepare(Split *split);
/* Start of the newest trace that is left of the present tenant's; false: none is left. */
extern bool split_peek(const Split *split, uint64 *start);
/* The next chunk of whole traces as a sorted batch with traces; NULL at the end. Lives until the next call.
 */
extern Batch *split_next(Split *split);
/* Begin anew with those of these traces: n ids of 16 bytes, sorted. */
extern void split_select(Split *split, const uint8 *ids, uint32 n);
extern void split_close(Split *split);

#endif
