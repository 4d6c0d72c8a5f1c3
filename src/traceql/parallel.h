/*
 * parallel.h
 *	  One query in several processes, under one snapshot and one user. They are parallel workers as
 *	  PostgreSQL's own plans have them, or helpers: query executors that stand by, which saves starting a
 *	  process. Errors of either are raised in the leader, and either ends when the leader does.
 *
 * How a query goes about it:
 *
 *	1. open the source and begin a reader, as for running alone.
 *	2. parallel_begin() finds as many workers as are allowed and worth it. NULL: none, go on alone.
 *	3. the leader's reader now shares the units with them (vector by vector, as each finds time):
 *reader_next() until there are no more. By traces, split traces are found before workers start, and gathered
 *by the leader, last unless request.newest.
 *	4. parallel_next() gives the answer of each worker, waiting for it; parallel_end().
 *
 * A worker runs the job's task, under the entry function named there: PGDLLEXPORT void entry(dsm_segment
 **seg, shm_toc *toc) { parallel_work(seg, toc, task); }. The task gets the job's bytes, makes a reader with
 *the same request as the leader's, calls parallel_follow(), reads units until there are no more, and appends
 *its answer to a buffer. It calls query_check_memory() at every unit, as that is where it hears that the
 *leader is gone.
 *
 * Between parallel_begin and parallel_end the leader must not write, and must not return to its caller: it
 *may be in parallel mode.
 *
 * tempo.query_memory is a limit on what all processes of a query hold together.
 */
#ifndef TEMPO_TRACEQL_PARALLEL_H
#define TEMPO_TRACEQL_PARALLEL_H

#include "postgres.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "traceql/reader.h"

typedef struct ParallelWorker
{
	MemoryContext context; /* of everything the task makes; current when it is called */
	Source *source;
	Str task;
	ReaderDeal *deal;
	const SplitSet *split;
	bool (*wanted_elsewhere)(void); /* helpers: is there something better to do? May be NULL */
	Buf *answer;
} ParallelWorker;

typedef void (*ParallelTask)(ParallelWorker *worker);

/* ---- the leader ---- */

typedef struct ParallelJob
{
	const char *entry; /* of the library, run in workers */
	ParallelTask run;  /* what that does */
	Str task;          /* what it has to know */
	double row_cost;   /* work on a row, in units of cpu_operator_cost */
	bool whole;        /* each reads all units, and works on a share of what is in them; see parallel_share */
} ParallelJob;

typedef struct Parallel Parallel;

/* How many workers would be worth it. */
extern int parallel_wanted(const Reader *reader, double row_cost);
extern Parallel *parallel_begin(Source *source, Reader *reader, const ParallelJob *job);
/* The next answer, in any order; lives until the next call. false: there are no more. */
extern bool parallel_next(Parallel *parallel, Str *answer);
extern void parallel_end(Parallel *parallel);
/* What whole jobs deal out instead of units: in the leader, and in a worker. */
extern ReaderDeal *parallel_deal(const Parallel *parallel);
/* The number of a share that nobody has; share 0 is the leader's. */
static inline uint32
parallel_share(ReaderDeal *deal)
{
	return pg_atomic_fetch_add_u32(&deal->share, 1);
}

/* ---- a worker ---- */

extern void parallel_work(dsm_segment *seg, shm_toc *toc, ParallelTask task);
/* After reader_begin() and before the first reader_next(). */
extern void parallel_follow(const ParallelWorker *worker, Reader *reader);

/* ---- helpers ---- */

/* Hands the segment of a job to a process that stands by; false: there is none. NULL where none are known. */
extern bool (*parallel_offer)(dsm_handle job);
/*
 * In a process that stands by, in a new transaction without a snapshot, as the user and in the database of
 * whoever offers: take part in a job, if it is still open. When wanted_elsewhere() says so it begins no
 * more images; what it has done counts. Raises what the leader is told, too.
 */
extern void parallel_help(dsm_handle job, bool (*wanted_elsewhere)(void));

#endif
