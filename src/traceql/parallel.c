/*
 * parallel.c
 *	  Starting workers, what they share, and their answers; see parallel.h.
 *
 *	  In the workers' segment: what each process holds of memory; the source; the deal; the set of split
 *	  traces, when there is one; the task; a queue for each worker's answer: its length, then its bytes.
 */
#include "traceql/parallel.h"

#include <unistd.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "storage/shm_mq.h"
#include "traceql/query.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define QUEUE_BYTES (256 * 1024)
#define PIECE_BYTES (64 * 1024)

typedef enum Part
{
	PART_MEMORY = 1,
	PART_SOURCE,
	PART_DEAL,
	PART_SPLIT,
	PART_TASK,
	PART_QUEUES,
	NPARTS
} Part;

/* What each process holds, the leader first. */
typedef struct Memory
{
	int32 n;
	pg_atomic_uint64 held[FLEXIBLE_ARRAY_MEMBER];
} Memory;

struct Parallel
{
	MemoryContext context;
	ParallelContext *pcxt;
	shm_mq_handle **queue; /* by worker */
	int next;
	char *answer;
};

/* ---- is it worth it? ---- */

/*
 * Each worker costs what starting it does, and spares its share of the work. More than there are processors
 * spare nothing, but who says that starting them is free has them.
 */
static int
workers_worth(uint64 rows, double row_cost)
{
	double cost = (double) rows * row_cost * cpu_operator_cost;
	int max = Min(max_parallel_workers_per_gather, max_parallel_workers);
	int n = 0;

	if (!IsUnderPostmaster || IsParallelWorker() || rows == 0)
		return 0;
	if (parallel_setup_cost > 0)
		max = Min(max, (int) sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (n < max && cost / (n + 1) - cost / (n + 2) > parallel_setup_cost)
		n++;
	return n;
}

/* ---- the shared segment ---- */

typedef struct Sizes
{
	Size of[NPARTS];
} Sizes;

static Sizes
measure_parts(const Source *source, const Reader *reader, const SplitSet *split, const ParallelJob *job,
			  int nworkers)
{
	Sizes s = {{0}};

	s.of[PART_MEMORY] = offsetof(Memory, held) + (nworkers + 1) * sizeof(pg_atomic_uint64);
	s.of[PART_SOURCE] = source_share_size(source);
	s.of[PART_DEAL] = reader_deal_size(reader);
	s.of[PART_SPLIT] = split ? split_set_size(split) : 0;
	s.of[PART_TASK] = sizeof(uint32) + job->task.len;
	s.of[PART_QUEUES] = (Size) nworkers * QUEUE_BYTES;
	return s;
}

static char *
put_part(ParallelContext *pcxt, const Sizes *sizes, Part part)
{
	char *at = shm_toc_allocate(pcxt->toc, sizes->of[part]);

	shm_toc_insert(pcxt->toc, part, at);
	return at;
}

static void
forget_memory(dsm_segment *seg, Datum arg)
{
	query_share_memory(NULL, 0, 0);
}

static void
share_memory(dsm_segment *seg, Memory *memory, int mine)
{
	on_dsm_detach(seg, forget_memory, (Datum) 0);
	query_share_memory(memory->held, memory->n, mine);
}

static void
fill_segment(Parallel *p, const Sizes *sizes, Source *source, Reader *reader, const SplitSet *split,
			 const ParallelJob *job)
{
	ParallelContext *pcxt = p->pcxt;
	Memory *memory = (Memory *) put_part(pcxt, sizes, PART_MEMORY);
	ReaderDeal *deal;
	char *task;
	char *queues;

	memory->n = pcxt->nworkers + 1;
	for (int i = 0; i < memory->n; i++)
		pg_atomic_init_u64(&memory->held[i], 0);
	share_memory(pcxt->seg, memory, 0);
	source_share_write(source, put_part(pcxt, sizes, PART_SOURCE));
	deal = (ReaderDeal *) put_part(pcxt, sizes, PART_DEAL);
	reader_deal_init(reader, deal);
	if (split)
		memcpy(put_part(pcxt, sizes, PART_SPLIT), split, sizes->of[PART_SPLIT]);
	task = put_part(pcxt, sizes, PART_TASK);
	memcpy(task, &job->task.len, sizeof(uint32));
	memcpy(task + sizeof(uint32), job->task.p, job->task.len);
	queues = put_part(pcxt, sizes, PART_QUEUES);
	p->queue = palloc0(pcxt->nworkers * sizeof(shm_mq_handle *));
	for (int i = 0; i < pcxt->nworkers; i++)
		shm_mq_set_receiver(shm_mq_create(queues + (Size) i * QUEUE_BYTES, QUEUE_BYTES), MyProc);
}

/* ---- the leader ---- */

/* false: none came up; everything is as before. */
static bool
launch(Parallel *p, Reader *reader)
{
	ParallelContext *pcxt = p->pcxt;
	char *queues;

	LaunchParallelWorkers(pcxt);
	if (pcxt->nworkers_launched == 0)
		return false;
	queues = shm_toc_lookup(pcxt->toc, PART_QUEUES, false);
	for (int i = 0; i < pcxt->nworkers_launched; i++)
		p->queue[i] =
			shm_mq_attach((shm_mq *) (queues + (Size) i * QUEUE_BYTES), pcxt->seg, pcxt->worker[i].bgwhandle);
	reader_share(reader, shm_toc_lookup(pcxt->toc, PART_DEAL, false));
	return true;
}

static void
leave(Parallel *p)
{
	DestroyParallelContext(p->pcxt);
	ExitParallelMode();
	MemoryContextDelete(p->context);
}

static Parallel *
start(Source *source, Reader *reader, const SplitSet *split, const ParallelJob *job, int nworkers)
{
	Sizes sizes = measure_parts(source, reader, split, job, nworkers);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql workers", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Parallel *p = palloc0(sizeof(Parallel));
	bool started = false;

	p->context = context;
	EnterParallelMode();
	p->pcxt = CreateParallelContext("tempo", job->entry, nworkers);
	for (Part part = PART_MEMORY; part < NPARTS; part++)
	{
		shm_toc_estimate_chunk(&p->pcxt->estimator, sizes.of[part]);
		shm_toc_estimate_keys(&p->pcxt->estimator, 1);
	}
	InitializeParallelDSM(p->pcxt);
	if (p->pcxt->seg && p->pcxt->nworkers == nworkers)
	{
		fill_segment(p, &sizes, source, reader, split, job);
		started = launch(p, reader);
	}
	MemoryContextSwitchTo(old);
	if (started)
		return p;
	leave(p);
	return NULL;
}

Parallel *
parallel_begin(Source *source, Reader *reader, const ParallelJob *job)
{
	int nworkers = workers_worth(reader_rows(reader), job->row_cost);

	if (nworkers == 0)
		return NULL;
	return start(source, reader, reader_prepare(reader), job, nworkers);
}

int
parallel_workers(const Parallel *parallel)
{
	return parallel->pcxt->nworkers_launched;
}

/* The next bytes of a worker; false: it is gone. */
static bool
receive(Parallel *p, int worker, void **bytes, Size *len)
{
	CHECK_FOR_INTERRUPTS();
	return shm_mq_receive(p->queue[worker], len, bytes, false) == SHM_MQ_SUCCESS;
}

static bool
receive_answer(Parallel *p, int worker, Str *answer)
{
	void *bytes;
	Size len;
	uint64 total;
	uint64 have = 0;

	if (!receive(p, worker, &bytes, &len) || len != sizeof(total))
		return false;
	memcpy(&total, bytes, sizeof(total));
	p->answer = MemoryContextAllocHuge(p->context, total + 1);
	while (have < total)
	{
		if (!receive(p, worker, &bytes, &len) || len > total - have)
			return false;
		memcpy(p->answer + have, bytes, len);
		have += len;
	}
	*answer = str_of(p->answer, total);
	return true;
}

bool
parallel_next(Parallel *p, Str *answer)
{
	if (p->answer)
		pfree(p->answer);
	p->answer = NULL;
	if (p->next >= p->pcxt->nworkers_launched)
		return false;
	if (receive_answer(p, p->next++, answer))
		return true;
	/* It failed, and what it failed with is raised here. */
	WaitForParallelWorkersToFinish(p->pcxt);
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a parallel worker ended without an answer")));
}

void
parallel_end(Parallel *p)
{
	WaitForParallelWorkersToFinish(p->pcxt);
	leave(p);
}

/* ---- a worker ---- */

static void
send_answer(shm_mq_handle *queue, const Buf *answer)
{
	uint64 total = answer->len;
	shm_mq_result result;

	if (total > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a part of the answer is larger than 4 GB"),
				 errhint("Ask for a shorter time range, or fewer series.")));
	result = shm_mq_send(queue, sizeof(total), &total, false, true);
	for (uint64 sent = 0; sent < total && result == SHM_MQ_SUCCESS; sent += PIECE_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		result = shm_mq_send(queue, Min(total - sent, PIECE_BYTES), answer->p + sent, false, true);
	}
	/* A leader that is gone needs no answer. */
	shm_mq_detach(queue);
}

static void
take_job(ParallelWorker *w, shm_toc *toc)
{
	char *task = shm_toc_lookup(toc, PART_TASK, false);

	w->source = source_attach(w->context, GetActiveSnapshot(), shm_toc_lookup(toc, PART_SOURCE, false));
	w->deal = shm_toc_lookup(toc, PART_DEAL, false);
	w->split = shm_toc_lookup(toc, PART_SPLIT, true);
	memcpy(&w->task.len, task, sizeof(uint32));
	w->task.p = task + sizeof(uint32);
}

void
parallel_work(dsm_segment *seg, shm_toc *toc, ParallelTask task)
{
	char *queues = shm_toc_lookup(toc, PART_QUEUES, false);
	shm_mq *mq = (shm_mq *) (queues + (Size) ParallelWorkerNumber * QUEUE_BYTES);
	shm_mq_handle *queue;
	Buf answer;
	ParallelWorker w = {
		.context = AllocSetContextCreate(CurrentMemoryContext, "traceql worker", ALLOCSET_DEFAULT_SIZES),
		.answer = &answer};
	MemoryContext old = MemoryContextSwitchTo(w.context);

	shm_mq_set_sender(mq, MyProc);
	queue = shm_mq_attach(mq, seg, NULL);
	share_memory(seg, shm_toc_lookup(toc, PART_MEMORY, false), ParallelWorkerNumber + 1);
	take_job(&w, toc);
	buf_init(&answer, store_arena(w.context), 8192);
	task(&w);
	send_answer(queue, &answer);
	source_close(w.source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(w.context);
}

void
parallel_follow(const ParallelWorker *worker, Reader *reader)
{
	reader_follow(reader, worker->deal, worker->split);
}
