/*
 * parallel_help.c
 *	  Helpers: processes that stand by and take part in queries of others.
 *
 *	  The leader makes a segment, offers it, and goes on. A helper that comes adopts the leader's snapshot and
 *	  takes its locks only if it need not wait for them: it is not in the leader's lock group, and the leader
 *	  will wait for it. Then it signs up; when the leader has run out of units it closes the list and waits
 *for those who have signed, no matter who else was offered the job. Nothing but the segment is shared: the
 *	  leader may go at any time, which helpers hear at their next unit.
 */
#include "traceql/parallel_impl.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define JOB_MAGIC  0x54504a42 /* "TPJB" */
#define JOB_CLOSED UINT32_C(0x80000000)

struct ParallelHelp
{
	PGPROC *leader; /* its xmin protects the snapshot until ours does */
	Oid database;
	Oid user;
	uint32 nhelpers;
	pg_atomic_uint32 signed_up; /* how many, and JOB_CLOSED */
	ParallelTask run;           /* the library is at the same address in all processes: it is preloaded */
};

bool (*parallel_offer)(dsm_handle job);

/* ---- the leader ---- */

static void
fill_help(Parallel *p, const ParallelSizes *sizes, const ParallelJob *job, int nhelpers)
{
	ParallelHelp *help = (ParallelHelp *) parallel_part(p->toc, sizes, PART_HELP);

	help->leader = MyProc;
	help->database = MyDatabaseId;
	help->user = GetUserId();
	help->nhelpers = (uint32) nhelpers;
	pg_atomic_init_u32(&help->signed_up, 0);
	help->run = job->run;
	SerializeSnapshot(GetActiveSnapshot(), parallel_part(p->toc, sizes, PART_SNAPSHOT));
	p->help = help;
}

static void
make_segment(Parallel *p, const ParallelSizes *sizes)
{
	shm_toc_estimator e;
	Size size;

	shm_toc_initialize_estimator(&e);
	for (ParallelPart part = PART_MEMORY; part < NPARTS; part++)
	{
		shm_toc_estimate_chunk(&e, sizes->of[part]);
		shm_toc_estimate_keys(&e, 1);
	}
	size = shm_toc_estimate(&e);
	p->seg = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (p->seg)
		p->toc = shm_toc_create(JOB_MAGIC, dsm_segment_address(p->seg), size);
}

static int
offer(Parallel *p, int nhelpers)
{
	int n = 0;

	while (n < nhelpers && parallel_offer(dsm_segment_handle(p->seg)))
		n++;
	return n;
}

Parallel *
helpers_begin(Source *source, Reader *reader, const ParallelJob *job, int nhelpers)
{
	const SplitSet *split;
	ParallelSizes sizes;
	MemoryContext context;
	MemoryContext old;
	Parallel *p;
	int offered = 0;

	/* Predicate locks of a helper would not be the leader's. */
	if (!parallel_offer || IsolationIsSerializable())
		return NULL;
	split = reader_prepare(reader);
	sizes = parallel_measure(source, reader, split, job, nhelpers);
	sizes.of[PART_HELP] = sizeof(ParallelHelp);
	sizes.of[PART_SNAPSHOT] = EstimateSnapshotSpace(GetActiveSnapshot());
	context = AllocSetContextCreate(CurrentMemoryContext, "traceql helpers", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	p = palloc0(sizeof(Parallel));
	p->context = context;
	p->nanswers = -1;
	make_segment(p, &sizes);
	if (p->seg)
	{
		parallel_fill(p, &sizes, source, reader, split, job, nhelpers);
		fill_help(p, &sizes, job, nhelpers);
		offered = offer(p, nhelpers);
	}
	MemoryContextSwitchTo(old);
	if (offered > 0)
		return p;
	if (p->seg)
		dsm_detach(p->seg);
	MemoryContextDelete(context);
	return NULL;
}

int
helpers_close(Parallel *p)
{
	uint32 n = pg_atomic_fetch_or_u32(&p->help->signed_up, JOB_CLOSED);

	n = Min(n, p->help->nhelpers);
	for (uint32 i = 0; i < n; i++)
		p->queue[i] = shm_mq_attach(parallel_queue(p->toc, (int) i), p->seg, NULL);
	return (int) n;
}

/* ---- errors ---- */

#define ERROR_TEXT 1000

typedef struct HelpError
{
	int32 code;
	char message[ERROR_TEXT];
	char detail[ERROR_TEXT];
	char hint[ERROR_TEXT];
} HelpError;

static void
send_error(shm_mq_handle *queue, const ErrorData *edata)
{
	HelpError e = {.code = edata->sqlerrcode};

	strlcpy(e.message, edata->message ? edata->message : "unknown error", sizeof(e.message));
	strlcpy(e.detail, edata->detail ? edata->detail : "", sizeof(e.detail));
	strlcpy(e.hint, edata->hint ? edata->hint : "", sizeof(e.hint));
	parallel_send(queue, ANSWER_ERROR, &e, sizeof(e));
}

void
helpers_raise(Str error)
{
	HelpError e;

	if (error.len != sizeof(e))
		elog(ERROR, "malformed error of a helper");
	memcpy(&e, error.p, sizeof(e));
	ereport(ERROR,
			(errcode(e.code), errmsg_internal("%s", e.message),
			 e.detail[0] ? errdetail_internal("%s", e.detail) : 0, e.hint[0] ? errhint("%s", e.hint) : 0));
}

/* ---- a helper ---- */

/* The job's part, with an error told to the leader before it is raised here. */
static void
work(dsm_segment *seg, shm_toc *toc, const ParallelHelp *help, int number, shm_mq_handle *queue,
	 bool (*wanted_elsewhere)(void))
{
	MemoryContext context = CurrentMemoryContext;
	Buf answer;

	PG_TRY();
	{
		parallel_do(seg, toc, number, help->run, wanted_elsewhere, &answer);
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
		send_error(queue, edata);
		ReThrowError(edata);
	}
	PG_END_TRY();
	parallel_send(queue, answer.len, answer.p, answer.len);
}

/* A number among the helpers, and the queue that goes with it; -1: it is too late. */
static int
sign_up(dsm_segment *seg, shm_toc *toc, ParallelHelp *help, shm_mq_handle **queue)
{
	uint32 number;
	shm_mq *mq;

	/* Once we have signed, the leader waits for us to attach. */
	HOLD_INTERRUPTS();
	number = pg_atomic_fetch_add_u32(&help->signed_up, 1);
	if (number < help->nhelpers)
	{
		mq = parallel_queue(toc, (int) number);
		shm_mq_set_sender(mq, MyProc);
		*queue = shm_mq_attach(mq, seg, NULL);
	}
	RESUME_INTERRUPTS();
	return number < help->nhelpers ? (int) number : -1;
}

static bool
is_open(const ParallelHelp *help)
{
	return pg_atomic_read_u32((pg_atomic_uint32 *) &help->signed_up) < help->nhelpers;
}

void
parallel_help(dsm_handle job, bool (*wanted_elsewhere)(void))
{
	dsm_segment *seg = dsm_attach(job);
	shm_toc *toc = seg ? shm_toc_attach(JOB_MAGIC, dsm_segment_address(seg)) : NULL;
	ParallelHelp *help = toc ? shm_toc_lookup(toc, PART_HELP, true) : NULL;
	shm_mq_handle *queue = NULL;
	Snapshot snapshot;
	int number;

	if (help && is_open(help) && help->database == MyDatabaseId && help->user == GetUserId())
	{
		snapshot = RestoreSnapshot(shm_toc_lookup(toc, PART_SNAPSHOT, false));
		RestoreTransactionSnapshot(snapshot, help->leader);
		PushActiveSnapshot(snapshot);
		if (source_share_lock(shm_toc_lookup(toc, PART_SOURCE, false)) &&
			(number = sign_up(seg, toc, help, &queue)) >= 0)
		{
			elog(DEBUG1, "tempo: helping with a query of process %d", help->leader->pid);
			work(seg, toc, help, number, queue, wanted_elsewhere);
		}
		PopActiveSnapshot();
	}
	if (seg)
		dsm_detach(seg);
}
