/*
 * parallel.h
 *	  One query in several processes. Workers are PostgreSQL's own: they run as the leader's user, in its
 *	  transaction, under its snapshot and settings; their errors are raised in the leader, and they end with
 *	  it, however it ends.
 *
 * How a query goes about it:
 *
 *	1. open the source and begin a reader, as for running alone.
 *	2. parallel_begin() starts as many workers as are allowed and worth it. NULL: none, go on alone.
 *	3. the leader's reader now shares the units with them (vector by vector, as each finds time):
 *reader_next() until there are no more. By traces, split traces are found before workers start, and gathered
 *by the leader, last unless request.newest.
 *	4. parallel_next() gives the answer of each worker, waiting for it; parallel_end().
 *
 * A worker runs the entry function named in the job: PGDLLEXPORT void entry(dsm_segment *seg, shm_toc *toc)
 * { parallel_work(seg, toc, task); }. The task gets the job's bytes, makes a reader with the same request as
 *the leader's, calls parallel_follow(), reads units until there are no more, and appends its answer to a
 *buffer.
 *
 * Between parallel_begin and parallel_end the leader is in parallel mode: it must not write, and must not
 * return to its caller.
 *
 * tempo.query_memory is a limit on what all processes of a query hold together.
 */
#ifndef TEMPO_TRACEQL_PARALLEL_H
#define TEMPO_TRACEQL_PARALLEL_H

#include "postgres.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "traceql/reader.h"

/* ---- the leader ---- */

typedef struct ParallelJob
{
	const char *entry; /* of the library, run in workers */
	Str task;          /* what it has to know */
	double row_cost;   /* work on a row, in units of cpu_operator_cost */
} ParallelJob;

typedef struct Parallel Parallel;

extern Parallel *parallel_begin(Source *source, Reader *reader, const ParallelJob *job);
extern int parallel_workers(const Parallel *parallel);
/* The next answer, in any order; lives until the next call. false: there are no more. */
extern bool parallel_next(Parallel *parallel, Str *answer);
extern void parallel_end(Parallel *parallel);

/* ---- a worker ---- */

typedef struct ParallelWorker
{
	MemoryContext context; /* of everything the task makes; current when it is called */
	Source *source;
	Str task;
	ReaderDeal *deal;
	const SplitSet *split;
	Buf *answer;
} ParallelWorker;

typedef void (*ParallelTask)(ParallelWorker *worker);

extern void parallel_work(dsm_segment *seg, shm_toc *toc, ParallelTask task);
/* After reader_begin() and before the first reader_next(). */
extern void parallel_follow(const ParallelWorker *worker, Reader *reader);

#endif
