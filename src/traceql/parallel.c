/*
 * parallel.c
 *	  Starting workers, what they share, and their answers; see parallel.h.
 */
#include "traceql/parallel_impl.h"

#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "traceql/query.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define PIECE_BYTES (64 * 1024)

/* ---- is it worth it? ---- */

/* A process that stands by begins in a fraction of the time that starting one takes. */
#define HELPER_SETUP 0.05

/*
 * Each worker costs what starting it does, and spares its share of the work. More than there are processors
 * spare nothing, but who says that starting them is free has them.
 */
static int
workers_worth(uint64 rows, double row_cost, double setup)
{
	double cost = (double) rows * row_cost * cpu_operator_cost;
	int max = Min(max_parallel_workers_per_gather, max_parallel_workers);
	int n = 0;

	if (!IsUnderPostmaster || IsParallelWorker() || rows == 0)
		return 0;
	if (parallel_setup_cost > 0)
		max = Min(max, (int) sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (n < max && cost / (n + 1) - cost / (n + 2) > parallel_setup_cost * setup)
		n++;
	return n;
}

/* ---- the shared segment ---- */

ParallelSizes
parallel_measure(const Source *source, const Reader *reader, const SplitSet *split, const ParallelJob *job,
				 int nworkers)
{
	ParallelSizes s = {{0}};

	s.of[PART_MEMORY] = offsetof(ParallelMemory, held) + (nworkers + 1) * sizeof(pg_atomic_uint64);
	s.of[PART_SOURCE] = source_share_size(source);
	s.of[PART_DEAL] = reader_deal_size(reader);
	s.of[PART_SPLIT] = split ? split_set_size(split) : 0;
	s.of[PART_TASK] = sizeof(uint32) + job->task.len;
	s.of[PART_QUEUES] = (Size) nworkers * PARALLEL_QUEUE_BYTES;
	return s;
}

char *
parallel_part(shm_toc *toc, const ParallelSizes *sizes, ParallelPart part)
{
	char *at = shm_toc_allocate(toc, sizes->of[part]);

	shm_toc_insert(toc, part, at);
	return at;
}

shm_mq *
parallel_queue(shm_toc *toc, int worker)
{
	char *queues = shm_toc_lookup(toc, PART_QUEUES, false);

	return (shm_mq *) (queues + (Size) worker * PARALLEL_QUEUE_BYTES);
}

static void
forget_memory(dsm_segment *seg, Datum arg)
{
	query_share_memory(NULL, 0, 0, NULL);
}

static void
end_query(dsm_segment *seg, Datum arg)
{
	pg_atomic_write_u32(&((ParallelMemory *) DatumGetPointer(arg))->over, 1);
}

static void
share_memory(dsm_segment *seg, ParallelMemory *memory, int mine)
{
	on_dsm_detach(seg, forget_memory, (Datum) 0);
	query_share_memory(memory->held, memory->n, mine, mine ? &memory->over : NULL);
}

static void
make_memory(Parallel *p, const ParallelSizes *sizes, int nworkers)
{
	ParallelMemory *memory = (ParallelMemory *) parallel_part(p->toc, sizes, PART_MEMORY);

	pg_atomic_init_u32(&memory->over, 0);
	memory->n = nworkers + 1;
	for (int i = 0; i < memory->n; i++)
		pg_atomic_init_u64(&memory->held[i], 0);
	on_dsm_detach(p->seg, end_query, PointerGetDatum(memory));
	share_memory(p->seg, memory, 0);
}

void
parallel_fill(Parallel *p, const ParallelSizes *sizes, Source *source, Reader *reader, const SplitSet *split,
			  const ParallelJob *job, int nworkers)
{
	char *at;

	make_memory(p, sizes, nworkers);
	source_share_write(source, parallel_part(p->toc, sizes, PART_SOURCE));
	p->deal = (ReaderDeal *) parallel_part(p->toc, sizes, PART_DEAL);
	reader_deal_init(reader, p->deal);
	if (split)
		memcpy(parallel_part(p->toc, sizes, PART_SPLIT), split, sizes->of[PART_SPLIT]);
	at = parallel_part(p->toc, sizes, PART_TASK);
	memcpy(at, &job->task.len, sizeof(uint32));
	memcpy(at + sizeof(uint32), job->task.p, job->task.len);
	at = parallel_part(p->toc, sizes, PART_QUEUES);
	p->queue = palloc0(nworkers * sizeof(shm_mq_handle *));
	for (int i = 0; i < nworkers; i++)
		shm_mq_set_receiver(shm_mq_create(at + (Size) i * PARALLEL_QUEUE_BYTES, PARALLEL_QUEUE_BYTES),
							MyProc);
}

/* ---- the leader ---- */

/* false: none came up; everything is as before. */
static bool
launch(Parallel *p)
{
	LaunchParallelWorkers(p->pcxt);
	p->nanswers = p->pcxt->nworkers_launched;
	if (p->nanswers == 0)
		return false;
	for (int i = 0; i < p->nanswers; i++)
		p->queue[i] = shm_mq_attach(parallel_queue(p->toc, i), p->seg, p->pcxt->worker[i].bgwhandle);
	return true;
}

static void
leave(Parallel *p)
{
	if (p->pcxt)
	{
		DestroyParallelContext(p->pcxt);
		ExitParallelMode();
	}
	else
		dsm_detach(p->seg);
	MemoryContextDelete(p->context);
}

static Parallel *
start(Source *source, Reader *reader, const ParallelJob *job, int nworkers)
{
	const SplitSet *split = reader_prepare(reader);
	ParallelSizes sizes = parallel_measure(source, reader, split, job, nworkers);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql workers", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Parallel *p = palloc0(sizeof(Parallel));
	bool started = false;

	p->context = context;
	EnterParallelMode();
	p->pcxt = CreateParallelContext("tempo", job->entry, nworkers);
	for (ParallelPart part = PART_MEMORY; part < NPARTS; part++)
	{
		shm_toc_estimate_chunk(&p->pcxt->estimator, sizes.of[part]);
		shm_toc_estimate_keys(&p->pcxt->estimator, 1);
	}
	InitializeParallelDSM(p->pcxt);
	p->seg = p->pcxt->seg;
	p->toc = p->pcxt->toc;
	if (p->seg && p->pcxt->nworkers == nworkers)
	{
		parallel_fill(p, &sizes, source, reader, split, job, nworkers);
		started = launch(p);
	}
	MemoryContextSwitchTo(old);
	if (started)
		return p;
	leave(p);
	return NULL;
}

int
parallel_wanted(const Reader *reader, double row_cost)
{
	return workers_worth(reader_rows(reader), row_cost, parallel_offer ? HELPER_SETUP : 1);
}

Parallel *
parallel_begin(Source *source, Reader *reader, const ParallelJob *job)
{
	uint64 rows = reader_rows(reader);
	int nhelpers = workers_worth(rows, job->row_cost, HELPER_SETUP);
	int nworkers = workers_worth(rows, job->row_cost, 1);
	Parallel *p = nhelpers > 0 ? helpers_begin(source, reader, job, nhelpers) : NULL;

	if (!p && nworkers > 0)
		p = start(source, reader, job, nworkers);
	if (p && !job->whole)
	{
		reader_share(reader, p->deal);
		/* Workers all answer or the query fails; helpers may not come. */
		if (p->pcxt && !parallel_leader_participation)
			reader_leave(reader);
	}
	return p;
}

ReaderDeal *
parallel_deal(const Parallel *p)
{
	return p->deal;
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
	if (total == ANSWER_ERROR && receive(p, worker, &bytes, &len))
		helpers_raise(str_of(bytes, len));
	if (total > PG_UINT32_MAX)
		return false;
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
	if (p->nanswers < 0)
		p->nanswers = helpers_close(p);
	if (p->next >= p->nanswers)
		return false;
	if (receive_answer(p, p->next++, answer))
		return true;
	/* It failed, and what it failed with is raised here. */
	if (p->pcxt)
		WaitForParallelWorkersToFinish(p->pcxt);
	ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("a parallel worker ended without an answer")));
}

void
parallel_end(Parallel *p)
{
	if (p->pcxt)
		WaitForParallelWorkersToFinish(p->pcxt);
	leave(p);
}

/* ---- a worker ---- */

void
parallel_send(shm_mq_handle *queue, uint64 head, const void *bytes, uint64 n)
{
	shm_mq_result result = shm_mq_send(queue, sizeof(head), &head, false, true);

	for (uint64 sent = 0; sent < n && result == SHM_MQ_SUCCESS; sent += PIECE_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		result = shm_mq_send(queue, Min(n - sent, PIECE_BYTES), (const char *) bytes + sent, false, true);
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
parallel_do(dsm_segment *seg, shm_toc *toc, int worker, ParallelTask task, bool (*wanted_elsewhere)(void),
			Buf *answer)
{
	ParallelWorker w = {
		.context = AllocSetContextCreate(CurrentMemoryContext, "traceql worker", ALLOCSET_DEFAULT_SIZES),
		.wanted_elsewhere = wanted_elsewhere,
		.answer = answer};
	MemoryContext old;

	buf_init(answer, store_arena(CurrentMemoryContext), 8192);
	old = MemoryContextSwitchTo(w.context);
	share_memory(seg, shm_toc_lookup(toc, PART_MEMORY, false), worker + 1);
	take_job(&w, toc);
	task(&w);
	if (answer->len > PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("a part of the answer is larger than 4 GB"),
				 errhint("Ask for a shorter time range, or fewer series.")));
	source_close(w.source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(w.context);
}

void
parallel_work(dsm_segment *seg, shm_toc *toc, ParallelTask task)
{
	shm_mq *mq = parallel_queue(toc, ParallelWorkerNumber);
	shm_mq_handle *queue;
	Buf answer;

	shm_mq_set_sender(mq, MyProc);
	queue = shm_mq_attach(mq, seg, NULL);
	parallel_do(seg, toc, ParallelWorkerNumber, task, NULL, &answer);
	parallel_send(queue, answer.len, answer.p, answer.len);
}

void
parallel_follow(const ParallelWorker *worker, Reader *reader)
{
	reader_follow(reader, worker->deal, worker->split, worker->wanted_elsewhere);
}
