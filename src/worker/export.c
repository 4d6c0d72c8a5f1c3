/*
 * export.c
 *	  Groups of Export requests to transactions; see export.h.
 */
#include "postgres.h"

#include <stdlib.h>
#include <time.h>

#include "access/xact.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ingest/otlp.h"
#include "merge/ingest.h"
#include "store/store.h"
#include "worker/export.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define GROUP_BYTES      (32 * 1024 * 1024) /* of inflated bodies; the last one may go beyond */
#define GROUP_CALLS      1024
#define STATEMENT_MS     30000
#define LOCK_MS          3000
#define FIRST_BACKOFF_US 100000
#define MAX_BACKOFF_US   2000000

/* The spans of one tenant of a group. */
typedef struct TenantBatch
{
	const char *tenant;
	BatchBuilder *builder;
	Batch *batch;
} TenantBatch;

typedef struct Group
{
	ExportCall **calls;
	int ncalls;
	TenantBatch *batches;
	int nbatches;
	int cbatches;
	Arena *arena;
	uint64 rejected;
	char reason[256];
} Group;

static ExportCall *first_waiting;
static ExportCall **last_waiting = &first_waiting;
static int64 backoff_until;
static int64 backoff;
static MemoryContext group_context;

ExportCall *
export_call_new(const char *tenant)
{
	ExportCall *call = calloc(1, sizeof(*call));

	if (call)
		strlcpy(call->tenant, tenant && *tenant ? tenant : TENANT_DEFAULT, sizeof(call->tenant));
	return call;
}

int64_t
export_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void
export_enqueue(ExportCall *call)
{
	call->next = NULL;
	*last_waiting = call;
	last_waiting = &call->next;
}

bool
export_waiting(void)
{
	return first_waiting != NULL;
}

static ExportCall *
dequeue(void)
{
	ExportCall *call = first_waiting;

	first_waiting = call->next;
	if (first_waiting == NULL)
		last_waiting = &first_waiting;
	return call;
}

void
export_count(size_t bytes, bool refused)
{
	pg_atomic_fetch_add_u64(&my_slot->requests, 1);
	pg_atomic_fetch_add_u64(&my_slot->bytes, bytes);
	if (refused)
		pg_atomic_fetch_add_u64(&my_slot->refused, 1);
}

/* ---- answers ---- */

static void
answer(ExportCall *call, RpcCode code, const char *message, uint32 rejected)
{
	ExportAnswer a = {.code = code, .message = message, .rejected = rejected};

	if (call->answered)
		return;
	call->answered = true;
	export_count(call->len, code != RPC_OK);
	if (!call->gone)
		call->answer(call, &a);
}

static void
answer_too_large(ExportCall *call)
{
	char message[128];
	ExportAnswer a = {.code = RPC_INVALID_ARGUMENT, .message = message, .too_large = true};

	snprintf(message, sizeof(message), "request body is larger than %zu bytes when inflated", call->limit);
	call->answered = true;
	export_count(call->len, true);
	call->answer(call, &a);
}

/* ---- bytes to spans ---- */

/* false: answered with an error. */
static bool
inflate_call(ExportCall *call)
{
	call->plain_len = call->len;
	if (call->encoding == BODY_IDENTITY || call->inflated)
		return true;
	switch (
		body_inflate(call->encoding, call->body, call->len, call->limit, &call->inflated, &call->plain_len))
	{
		case BODY_OK: return true;
		case BODY_TOO_LARGE: answer_too_large(call); return false;
		case BODY_NO_MEMORY: answer(call, RPC_UNAVAILABLE, "out of memory", 0); return false;
		default: break;
	}
	answer(call, RPC_INVALID_ARGUMENT,
		   call->encoding == BODY_GZIP ? "request body is not valid gzip" : "request body does not inflate",
		   0);
	return false;
}

static TenantBatch *
add_batch(Group *g, const char *tenant)
{
	TenantBatch *tb;

	if (g->nbatches == g->cbatches)
	{
		g->cbatches *= 2;
		g->batches = repalloc(g->batches, g->cbatches * sizeof(TenantBatch));
	}
	tb = &g->batches[g->nbatches++];
	tb->tenant = tenant;
	tb->builder = builder_create(g->arena, false, 0, NULL);
	tb->batch = NULL;
	builder_set_tenant(tb->builder, str_lit(tenant));
	return tb;
}

/* The batch of the tenant that is being filled: the last one of its name. */
static TenantBatch *
find_batch(Group *g, const char *tenant)
{
	for (int i = g->nbatches - 1; i >= 0; i--)
		if (strcmp(g->batches[i].tenant, tenant) == 0)
			return &g->batches[i];
	return add_batch(g, tenant);
}

static void
decode_call(Group *g, ExportCall *call)
{
	const uint8 *bytes = call->inflated ? call->inflated : call->body;
	TenantBatch *tb = find_batch(g, call->tenant);
	OtlpLimits limits = {.max_memory = otlp_max_memory(call->plain_len)};
	OtlpResult res;
	bool ok;

	for (;;)
	{
		ok = call->wire == EXPORT_PB ? otlp_decode_pb(bytes, call->plain_len, &limits, tb->builder, &res)
									 : otlp_decode_json(bytes, call->plain_len, &limits, tb->builder, &res);
		if (ok || res.code != OTLP_BATCH_FULL)
			break;
		tb = add_batch(g, call->tenant);
	}
	if (!ok)
		answer(call, RPC_INVALID_ARGUMENT, res.message, 0);
	else if (res.spans == 0)
		answer(call, RPC_OK, "", 0);
	call->spans = ok ? res.spans : 0;
}

/* ---- spans to disk ---- */

/* One transaction for the whole group. *alone is set when requests have to be told apart. */
static void
store_group(Group *g, bool may_split, bool *split)
{
	for (int i = 0; i < g->nbatches; i++)
		if (builder_nrows(g->batches[i].builder) > 0)
			g->batches[i].batch = builder_finish(g->batches[i].builder);
	LockTimeout = LOCK_MS;
	for (int i = 0; i < g->nbatches; i++)
		if (g->batches[i].batch)
			tempo_prepare_partitions(g->batches[i].batch);
	work_begin(STATEMENT_MS, LOCK_MS);
	for (int i = 0; i < g->nbatches; i++)
	{
		IngestResult res = {0};

		if (g->batches[i].batch == NULL)
			continue;
		tempo_ingest_batch(g->batches[i].batch, &res);
		if (res.rejected > 0)
		{
			if (g->rejected == 0)
				strlcpy(g->reason, res.reason, sizeof(g->reason));
			g->rejected += res.rejected;
		}
	}
	/* Who sent the rejected spans is found out by storing each request alone. */
	*split = g->rejected > 0 && may_split;
	if (*split)
	{
		PopActiveSnapshot();
		AbortCurrentTransaction();
	}
	else
		work_commit();
}

static int
count_open(ExportCall **calls, int n)
{
	int open = 0;

	for (int i = 0; i < n; i++)
		open += !calls[i]->answered;
	return open;
}

static RpcCode
code_of_error(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED: return RPC_INVALID_ARGUMENT;
		default: break;
	}
	return sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE ? RPC_PERMISSION_DENIED : RPC_UNAVAILABLE;
}

/* Whether an error can be the fault of one request of several, and not of locks, memory or disk. */
static bool
may_be_one_request(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE: /* lock_timeout among them */
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INVALID_TRANSACTION_STATE: return false;
		default: break;
	}
	return sqlstate != ERRCODE_INSUFFICIENT_PRIVILEGE;
}

static void
answer_all(ExportCall **calls, int n, RpcCode code, const char *message)
{
	for (int i = 0; i < n; i++)
		answer(calls[i], code, message, 0);
}

/* All requests of the group are committed. */
static void
answer_stored(Group *g)
{
	uint64 spans = 0;

	for (int i = 0; i < g->ncalls; i++)
	{
		spans += g->calls[i]->answered ? 0 : g->calls[i]->spans;
		answer(g->calls[i], RPC_OK, g->rejected ? g->reason : "", (uint32) g->rejected);
	}
	pg_atomic_fetch_add_u64(&my_slot->spans, spans - Min(spans, g->rejected));
	pg_atomic_fetch_add_u64(&my_slot->rejected, g->rejected);
	worker_note_commit();
}

/* After an error: is the schema still there at all? If not, the launcher stops us until it is. */
static void
check_database(int sqlstate)
{
	bool ready = true;

	if (ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION)
		return;
	StartTransactionCommand();
	ready = worker_database_ready();
	CommitTransactionCommand();
	if (!ready)
	{
		pg_atomic_write_u32(&worker_shared->ready, 0);
		worker_wake_launcher();
	}
}

/* Decode, store and answer these calls. Returns the SQLSTATE of a failure that concerns all, else 0. */
static int
try_calls(ExportCall **calls, int n)
{
	Group g = {.calls = calls, .ncalls = n, .cbatches = 8};
	ErrorData *edata = NULL;
	bool split = false;
	int sqlstate = 0;

	MemoryContextReset(group_context);
	MemoryContextSwitchTo(group_context);
	PG_TRY();
	{
		g.arena = store_arena(group_context);
		g.batches = palloc(g.cbatches * sizeof(TenantBatch));
		for (int i = 0; i < n; i++)
			if (!calls[i]->answered)
				decode_call(&g, calls[i]);
		if (count_open(calls, n) > 0)
			store_group(&g, count_open(calls, n) > 1, &split);
	}
	PG_CATCH();
	{
		edata = work_abort(group_context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(group_context);
	if (edata == NULL && !split)
	{
		if (count_open(calls, n) > 0)
			answer_stored(&g);
		return 0;
	}
	if (split || (count_open(calls, n) > 1 && may_be_one_request(edata->sqlerrcode)))
	{
		/* edata is gone with the first of these. */
		for (int i = 0; i < n; i++)
			if (!calls[i]->answered)
				sqlstate = Max(sqlstate, try_calls(&calls[i], 1));
		return sqlstate;
	}
	work_log(LOG, "could not store spans", edata);
	sqlstate = edata->sqlerrcode;
	answer_all(calls, n, code_of_error(sqlstate), edata->message ? edata->message : "could not store spans");
	return code_of_error(sqlstate) == RPC_INVALID_ARGUMENT ? 0 : sqlstate;
}

/* ---- groups ---- */

static bool
still_wanted(ExportCall *call, int64 now)
{
	if (call->gone)
		answer(call, RPC_CANCELLED, "", 0);
	else if (call->deadline && call->deadline < now)
		answer(call, RPC_DEADLINE_EXCEEDED, "the deadline passed while the request waited to be stored", 0);
	return !call->answered;
}

static void
free_call(ExportCall *call)
{
	free(call->inflated);
	free(call);
}

static void
run_group(ExportCall **calls, int n)
{
	int sqlstate = try_calls(calls, n);

	MemoryContextReset(group_context);
	if (sqlstate != 0)
	{
		backoff = Min(Max(backoff * 2, FIRST_BACKOFF_US), MAX_BACKOFF_US);
		backoff_until = export_now() + backoff;
		check_database(sqlstate);
	}
	else
		backoff = backoff_until = 0;
}

void
export_run(void)
{
	static ExportCall *calls[GROUP_CALLS];

	if (group_context == NULL)
		group_context = AllocSetContextCreate(TopMemoryContext, "tempo export group", ALLOCSET_DEFAULT_SIZES);
	while (first_waiting && export_now() >= backoff_until)
	{
		int64 now = export_now();
		size_t bytes = 0;
		int n = 0;

		while (first_waiting && n < GROUP_CALLS && bytes < GROUP_BYTES)
		{
			ExportCall *call = dequeue();

			if (still_wanted(call, now) && inflate_call(call))
			{
				bytes += call->plain_len;
				calls[n++] = call;
			}
			else
				free_call(call);
		}
		if (n > 0)
			run_group(calls, n);
		for (int i = 0; i < n; i++)
			free_call(calls[i]);
	}
}
