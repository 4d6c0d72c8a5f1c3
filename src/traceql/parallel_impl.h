/*
 * parallel_impl.h
 *	  What workers of PostgreSQL's kind (parallel.c) and helpers (parallel_help.c) have in common.
 *
 *	  In the shared segment: what each process holds of memory; the source; the deal; the set of split traces,
 *	  when there is one; the task; for helpers, what makes their transaction like the leader's; a queue for
 *the answer of each. An answer is its length and its bytes, or ANSWER_ERROR and an error.
 */
#ifndef TEMPO_TRACEQL_PARALLEL_IMPL_H
#define TEMPO_TRACEQL_PARALLEL_IMPL_H

#include "traceql/parallel.h"

#include "access/parallel.h"
#include "storage/shm_mq.h"

#define PARALLEL_QUEUE_BYTES (256 * 1024)
#define ANSWER_ERROR         PG_UINT64_MAX

typedef enum ParallelPart
{
	PART_MEMORY = 1,
	PART_SOURCE,
	PART_DEAL,
	PART_SPLIT,
	PART_TASK,
	PART_HELP,
	PART_SNAPSHOT,
	PART_QUEUES,
	NPARTS
} ParallelPart;

/* What each process holds, the leader first. */
typedef struct ParallelMemory
{
	pg_atomic_uint32 over; /* the leader is gone */
	int32 n;
	pg_atomic_uint64 held[FLEXIBLE_ARRAY_MEMBER];
} ParallelMemory;

typedef struct ParallelSizes
{
	Size of[NPARTS];
} ParallelSizes;

typedef struct ParallelHelp ParallelHelp;

struct Parallel
{
	MemoryContext context;
	ParallelContext *pcxt; /* NULL: with helpers */
	dsm_segment *seg;
	shm_toc *toc;
	ReaderDeal *deal;
	ParallelHelp *help;
	shm_mq_handle **queue; /* by worker */
	int nanswers;          /* to come; of helpers -1 before the first is asked for */
	int next;
	char *answer;
};

/* ---- parallel.c ---- */

extern ParallelSizes parallel_measure(const Source *source, const Reader *reader, const SplitSet *split,
									  const ParallelJob *job, int nworkers);
/* A part of a new segment, under its key. */
extern char *parallel_part(shm_toc *toc, const ParallelSizes *sizes, ParallelPart part);
/* Everything but the parts for helpers; the queues are made. */
extern void parallel_fill(Parallel *p, const ParallelSizes *sizes, Source *source, Reader *reader,
						  const SplitSet *split, const ParallelJob *job, int nworkers);
extern shm_mq *parallel_queue(shm_toc *toc, int worker);
/* A worker's part; its answer, in the current context. */
extern void parallel_do(dsm_segment *seg, shm_toc *toc, int worker, ParallelTask task,
						bool (*wanted_elsewhere)(void), Buf *answer);
/* And detach from the queue. */
extern void parallel_send(shm_mq_handle *queue, uint64 head, const void *bytes, uint64 n);

/* ---- parallel_help.c ---- */

/* NULL: nobody stands by. */
extern Parallel *helpers_begin(Source *source, Reader *reader, const ParallelJob *job, int nhelpers);
/* No more may begin; how many have. */
extern int helpers_close(Parallel *p);
extern void helpers_raise(Str error) __attribute__((noreturn));

#endif
