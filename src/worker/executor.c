/*
 * executor.c
 *	  A query executor: takes requests from the query worker, runs each in a transaction of its own.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "api/api.h"
#include "net/body.h"
#include "traceql/parallel.h"
#include "worker/loop.h"
#include "worker/query_link.h"
#include "worker/worker.h"

#define GZIP_FROM 1024
#define LOCK_MS   10000

typedef struct Link
{
	dsm_segment *seg;
	shm_mq_handle *in;
	shm_mq_handle *out;
	/* What was received while there was other work. */
	bool received;
	shm_mq_result result;
	void *msg;
	Size len;
} Link;

static uint64 seen_cancel;

/* A cancel by the query worker names its request; it may come when that is over. Others mean the current. */
static void
on_sigint(SIGNAL_ARGS)
{
	uint64 current = pg_atomic_read_u64(&my_slot->current);
	uint64 cancel = pg_atomic_read_u64(&my_slot->cancel);

	if (cancel != seen_cancel)
	{
		seen_cancel = cancel;
		if (cancel != current)
			return;
	}
	if (current != 0)
		StatementCancelHandler(postgres_signal_arg);
}

static void
wake_query_worker(void)
{
	uint32 pid = pg_atomic_read_u32(&worker_shared->slots[WORKER_QUERY].pid);

	if (pid)
		kill((pid_t) pid, SIGUSR1);
}

static void
link_open(Link *link)
{
	shm_mq *in;
	shm_mq *out;

	link->seg = dsm_create(LINK_SIZE, 0);
	dsm_pin_mapping(link->seg); /* outlives transactions */
	in = shm_mq_create(link_request_queue(link->seg), LINK_REQUEST_QUEUE);
	out = shm_mq_create(link_response_queue(link->seg), LINK_RESPONSE_QUEUE);
	shm_mq_set_receiver(in, MyProc);
	shm_mq_set_sender(out, MyProc);
	link->in = shm_mq_attach(in, link->seg, NULL);
	link->out = shm_mq_attach(out, link->seg, NULL);
	pg_write_barrier();
	pg_atomic_write_u32(&my_slot->link, dsm_segment_handle(link->seg));
	wake_query_worker();
}

static void
link_close(Link *link)
{
	pg_atomic_write_u32(&my_slot->link, 0);
	shm_mq_detach(link->in);
	shm_mq_detach(link->out);
	dsm_detach(link->seg);
}

/* ---- one request ---- */

static int
status_of_error(const ErrorData *edata, bool cancelled)
{
	int category = ERRCODE_TO_CATEGORY(edata->sqlerrcode);

	switch (edata->sqlerrcode)
	{
		case ERRCODE_QUERY_CANCELED: return cancelled ? 499 : 504;
		case ERRCODE_INSUFFICIENT_PRIVILEGE: return 403;
		case ERRCODE_FEATURE_NOT_SUPPORTED: return 501;
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED: return 422;
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_LOCK_NOT_AVAILABLE: return 503;
		/* Of class 42, but no fault of the query's: the tables are not there. */
		case ERRCODE_UNDEFINED_TABLE:
		case ERRCODE_UNDEFINED_SCHEMA: return 500;
		default: break;
	}
	if (category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION || category == ERRCODE_DATA_EXCEPTION)
		return 400;
	return 500;
}

static void
answer_error(ApiResponse *res, const ErrorData *edata, uint64 id)
{
	res->status = status_of_error(edata, pg_atomic_read_u64(&my_slot->cancel) == id);
	res->content_type = "text/plain; charset=utf-8";
	resetStringInfo(&res->body);
	appendStringInfoString(&res->body, edata->message ? edata->message : "unknown error");
	if (edata->detail)
		appendStringInfo(&res->body, ": %s", edata->detail);
	if (res->status == 500)
		work_log(LOG, "query failed", edata);
}

static void
run_request(const ApiRequest *req, ApiResponse *res, uint64 id, MemoryContext context)
{
	QueryCancelPending = false;
	pg_atomic_write_u64(&my_slot->current, id);
	PG_TRY();
	{
		work_begin(tempo_query_timeout, LOCK_MS);
		XactReadOnly = true;
		api_handle(req, res);
		work_commit();
	}
	PG_CATCH();
	{
		answer_error(res, work_abort(context), id);
	}
	PG_END_TRY();
	pg_atomic_write_u64(&my_slot->current, 0);
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
}

static shm_mq_result
send_bytes(Link *link, const void *a, size_t alen, const void *b, size_t blen)
{
	shm_mq_iovec iov[2] = {{a, alen}, {b, blen}};
	shm_mq_result result = shm_mq_sendv(link->out, iov, blen ? 2 : 1, false, true);

	wake_query_worker();
	return result;
}

static shm_mq_result
send_response(Link *link, uint64 id, const ApiResponse *res, bool gzip)
{
	LinkResponse head = {.id = id, .status = res->status};
	const char *body = res->body.data;
	size_t len = res->body.len;
	size_t zlen = 0;
	uint8 *z = gzip && len > GZIP_FROM ? body_gzip((uint8 *) body, len, &zlen) : NULL;
	size_t sent;
	shm_mq_result result;

	if (z)
	{
		body = (const char *) z;
		len = zlen;
		head.gzip = true;
	}
	head.body_len = len;
	strlcpy(head.content_type, res->content_type, sizeof(head.content_type));
	sent = Min(len, LINK_PIECE);
	result = send_bytes(link, &head, sizeof(head), body, sent);
	while (result == SHM_MQ_SUCCESS && sent < len)
	{
		size_t n = Min(len - sent, LINK_PIECE);

		result = send_bytes(link, body + sent, n, NULL, 0);
		sent += n;
	}
	free(z);
	return result;
}

/* The strings of a message of our own making; still, nothing outside of it is ever read. */
static bool
parse_request(const char *msg, size_t len, LinkRequest *head, const char *str[LINK_NSTRINGS],
			  const char **body)
{
	size_t pos = sizeof(*head);

	if (len < pos)
		return false;
	memcpy(head, msg, sizeof(*head));
	for (int i = 0; i < LINK_NSTRINGS; i++)
	{
		size_t n = strnlen(msg + pos, len - pos);

		if (pos + n >= len)
			return false;
		str[i] = msg + pos;
		pos += n + 1;
	}
	*body = msg + pos;
	return len - pos == head->body_len;
}

static shm_mq_result
serve(Link *link, const char *msg, size_t len, MemoryContext context)
{
	LinkRequest head;
	const char *str[LINK_NSTRINGS];
	ApiRequest req;
	ApiResponse res = {.status = 200, .content_type = "application/json"};
	shm_mq_result result;
	MemoryContext old;

	if (!parse_request(msg, len, &head, str, &req.body))
		elog(ERROR, "malformed message from the query worker");
	req.method = str[LINK_METHOD];
	req.path = str[LINK_PATH];
	req.query = str[LINK_QUERY];
	req.accept = str[LINK_ACCEPT];
	req.content_type = str[LINK_CONTENT_TYPE];
	req.tenant = str[LINK_TENANT];
	req.body_len = head.body_len;
	old = MemoryContextSwitchTo(context);
	initStringInfo(&res.body);
	pg_atomic_write_u32(&my_slot->busy, 1);
	run_request(&req, &res, head.id, context);
	pg_atomic_write_u32(&my_slot->busy, 0);
	pg_atomic_fetch_add_u64(&my_slot->requests, 1);
	if (res.status >= 400)
		pg_atomic_fetch_add_u64(&my_slot->refused, 1);
	result = send_response(link, head.id, &res, body_accepts_gzip(str[LINK_ACCEPT_ENCODING]));
	/* Not left current: the next link must not be allocated in what is reset here. */
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	return result;
}

/* Look for a request, without waiting. */
static shm_mq_result
receive(Link *link)
{
	if (!link->received)
		link->result = shm_mq_receive(link->in, &link->len, &link->msg, true);
	link->received = link->result != SHM_MQ_WOULD_BLOCK;
	return link->result;
}

/* ---- queries of others ---- */

static Link *link_while_helping;

static bool
request_waits(void)
{
	return receive(link_while_helping) != SHM_MQ_WOULD_BLOCK;
}

/* The next executor with nothing to do is told of a query of ours. */
static bool
offer_job(dsm_handle job)
{
	for (int i = SLOT_EXECUTOR; i < WORKER_SLOTS; i++)
	{
		WorkerSlot *slot = &worker_shared->slots[i];
		uint32 none = 0;

		if (slot == my_slot || pg_atomic_read_u32(&slot->pid) == 0 || pg_atomic_read_u32(&slot->link) == 0 ||
			pg_atomic_read_u32(&slot->busy) != 0 || !pg_atomic_compare_exchange_u32(&slot->help, &none, job))
			continue;
		SetLatch(slot->latch);
		return true;
	}
	return false;
}

/* What fails here is told by the process that is helped. */
static void
help(Link *link, MemoryContext context)
{
	dsm_handle job = pg_atomic_exchange_u32(&my_slot->help, 0);

	link_while_helping = link;
	PG_TRY();
	{
		work_begin_bare(tempo_query_timeout, LOCK_MS);
		XactReadOnly = true;
		XactIsoLevel = XACT_READ_COMMITTED;
		parallel_help(job, request_waits);
		work_commit_bare();
	}
	PG_CATCH();
	{
		(void) work_abort(context);
	}
	PG_END_TRY();
	QueryCancelPending = false;
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(context);
}

/* Until the query worker goes away. */
static void
serve_link(Link *link, MemoryContext context)
{
	shm_mq_result result = SHM_MQ_SUCCESS;

	while (result != SHM_MQ_DETACHED)
	{
		if (ProcDiePending)
			proc_exit(0); /* told to stop while idle: nothing to complain about */
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		result = receive(link);
		if (result == SHM_MQ_SUCCESS)
		{
			result = serve(link, link->msg, link->len, context);
			link->received = false;
		}
		else if (pg_atomic_read_u32(&my_slot->help) != 0 && result == SHM_MQ_WOULD_BLOCK)
			help(link, context);
		else if (result == SHM_MQ_WOULD_BLOCK)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, 0, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
		}
	}
}

void
tempo_executor_main(Datum arg)
{
	MemoryContext context;

	/* Before the handlers, which look at it. */
	my_slot = &worker_shared->slots[DatumGetInt32(arg)];
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, on_sigint);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(tempo_database, *tempo_query_role ? tempo_query_role : NULL, 0);
	worker_take_slot(arg);
	seen_cancel = pg_atomic_read_u64(&my_slot->cancel);
	context = AllocSetContextCreate(TopMemoryContext, "tempo request", ALLOCSET_DEFAULT_SIZES);
	parallel_offer = offer_job;
	pgstat_report_activity(STATE_IDLE, NULL);

	for (;;)
	{
		Link link = {0};

		link_open(&link);
		serve_link(&link, context);
		link_close(&link);
	}
}
