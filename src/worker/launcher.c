/*
 * launcher.c
 *	  The static worker that starts, restarts and stops all others.
 *
 * It is connected to no database, so that it is in nobody's way. Whether tempo.database holds the extension
 * and tempo.spans is found out by a short-lived probe worker connected to it, once a second until it does.
 * A worker that ends soon after its start is started again with growing pauses.
 */
#include "postgres.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "worker/worker.h"

#define POLL_MS        1000
#define HEALTHY_MS     5000 /* a worker that lasted this long is restarted at once */
#define MAX_BACKOFF_MS 30000
#define NO_SLOT_MS     10000

typedef struct Child
{
	BackgroundWorkerHandle *handle; /* NULL: not running */
	TimestampTz started;
	TimestampTz not_before;
	int backoff;
	bool stopping;
} Child;

static Child children[WORKER_SLOTS];
static TimestampTz probed;

/* What the running workers were started for; when the settings differ they are all replaced. */
static char *running_for;

void
tempo_register_launcher(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 1;
	worker.bgw_main_arg = Int32GetDatum(WORKER_LAUNCHER);
	strlcpy(worker.bgw_library_name, "tempo", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "tempo_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "tempo launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "tempo launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static const char *
entry_point(WorkerKind kind)
{
	switch (kind)
	{
		case WORKER_PROBE: return "tempo_probe_main";
		case WORKER_QUERY: return "tempo_query_main";
		case WORKER_MERGER: return "tempo_merger_main";
		case WORKER_MAINTENANCE: return "tempo_maintenance_main";
		case WORKER_RECEIVER: return "tempo_receiver_main";
		default: return "tempo_executor_main";
	}
}

static bool
writes(WorkerKind kind)
{
	return kind == WORKER_RECEIVER || kind == WORKER_MERGER || kind == WORKER_MAINTENANCE;
}

static void
start_child(int slot)
{
	WorkerKind kind = worker_kind(slot);
	Child *child = &children[slot];
	BackgroundWorker worker = {0};
	MemoryContext old;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* Those that write wait for the end of recovery: the postmaster holds them back on a standby. */
	worker.bgw_start_time = writes(kind) ? BgWorkerStart_RecoveryFinished : BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(slot);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "tempo", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, entry_point(kind), BGW_MAXLEN);
	snprintf(worker.bgw_type, BGW_MAXLEN, "tempo %s", worker_kind_name(kind));
	if (kind == WORKER_RECEIVER || kind == WORKER_EXECUTOR)
		snprintf(worker.bgw_name, BGW_MAXLEN, "tempo %s %d", worker_kind_name(kind),
				 slot - (kind == WORKER_RECEIVER ? SLOT_RECEIVER : SLOT_EXECUTOR));
	else
		strlcpy(worker.bgw_name, worker.bgw_type, BGW_MAXLEN);
	old = MemoryContextSwitchTo(TopMemoryContext);
	child->started = GetCurrentTimestamp();
	child->stopping = false;
	if (!RegisterDynamicBackgroundWorker(&worker, &child->handle))
	{
		child->handle = NULL;
		child->not_before = TimestampTzPlusMilliseconds(child->started, NO_SLOT_MS);
		ereport(LOG, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					  errmsg("tempo: no background worker slot for the %s", worker.bgw_name),
					  errhint("Increase max_worker_processes.")));
	}
	MemoryContextSwitchTo(old);
}

/* Notice children that have ended and decide when they may start again. */
static void
reap(int slot)
{
	Child *child = &children[slot];
	TimestampTz now;
	pid_t pid;

	if (child->handle == NULL || GetBackgroundWorkerPid(child->handle, &pid) != BGWH_STOPPED)
		return;
	pfree(child->handle);
	child->handle = NULL;
	now = GetCurrentTimestamp();
	if (child->stopping || worker_kind(slot) == WORKER_PROBE ||
		TimestampDifferenceExceeds(child->started, now, HEALTHY_MS))
		child->backoff = 0;
	else
		child->backoff = Min(Max(child->backoff * 2, 250), MAX_BACKOFF_MS);
	child->not_before = TimestampTzPlusMilliseconds(now, child->backoff);
}

static bool
is_wanted(int slot)
{
	switch (worker_kind(slot))
	{
		case WORKER_QUERY: return tempo_http_port > 0;
		case WORKER_MERGER:
		case WORKER_MAINTENANCE: return true;
		case WORKER_RECEIVER:
			return slot - SLOT_RECEIVER < tempo_receivers &&
				   (tempo_otlp_grpc_port > 0 || tempo_otlp_http_port > 0);
		case WORKER_EXECUTOR: return tempo_http_port > 0 && slot - SLOT_EXECUTOR < tempo_query_executors;
		default: return false;
	}
}

/* By sequential scan: without a database of one's own the catalog's indexes cannot always be used. */
static bool
database_exists(void)
{
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;
	bool exists = false;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (!exists && (tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
		exists = strcmp(NameStr(((Form_pg_database) GETSTRUCT(tuple))->datname), tempo_database) == 0;
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return exists;
}

static void
probe(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (children[WORKER_PROBE].handle || !TimestampDifferenceExceeds(probed, now, POLL_MS))
		return;
	probed = now;
	if (database_exists())
		start_child(WORKER_PROBE);
}

static void
stop_child(Child *child)
{
	if (child->handle && !child->stopping)
	{
		child->stopping = true;
		TerminateBackgroundWorker(child->handle);
	}
}

/* Workers are connected to one database as fixed roles: when those settings change, all begin anew. */
static bool
settings_moved(void)
{
	char *now_for = psprintf("%s\n%s\n%s", tempo_database, tempo_ingest_role, tempo_query_role);
	bool moved = running_for != NULL && strcmp(running_for, now_for) != 0;

	if (running_for == NULL || moved)
	{
		if (running_for)
			pfree(running_for);
		running_for = MemoryContextStrdup(TopMemoryContext, now_for);
	}
	pfree(now_for);
	return moved;
}

/*
 * A worker of the launcher before us: that ended all of them when it ended, so wait, and remind those that
 * did not hear.
 */
static bool
is_orphan(int slot)
{
	uint32 pid = pg_atomic_read_u32(&worker_shared->slots[slot].pid);

	if (pid == 0 || children[slot].handle)
		return false;
	kill((pid_t) pid, SIGTERM);
	return true;
}

/* Whether the slot's worker runs or may still run after this. */
static bool
manage(int slot, bool may_run, bool may_start)
{
	Child *child = &children[slot];

	reap(slot);
	if (is_orphan(slot))
		return true;
	if (!may_run || !is_wanted(slot))
		stop_child(child);
	else if (child->handle == NULL && may_start && GetCurrentTimestamp() >= child->not_before)
		start_child(slot);
	return child->handle != NULL;
}

static void
step(void)
{
	bool stopped = pg_atomic_read_u32(&worker_shared->stopped) != 0;
	bool ready;
	bool probing;
	bool any;

	if (settings_moved())
		pg_atomic_write_u32(&worker_shared->ready, 0);
	ready = pg_atomic_read_u32(&worker_shared->ready) != 0;
	reap(WORKER_PROBE);
	probing = children[WORKER_PROBE].handle != NULL; /* it may be in the slot somebody needs */
	any = probing;
	for (int slot = WORKER_PROBE + 1; slot < WORKER_SLOTS; slot++)
		any |= manage(slot, ready && !stopped, !probing);
	if (!ready && !stopped)
		probe();
	if (stopped && !any)
		pg_atomic_write_u32(&worker_shared->all_stopped, 1);
}

static void
leave(int code, Datum arg)
{
	for (int slot = WORKER_PROBE; slot < WORKER_SLOTS; slot++)
		stop_child(&children[slot]);
	for (int i = 0; i < PORT_COUNT; i++)
		pg_atomic_write_u32(&worker_shared->held_port[i], 0);
	SpinLockAcquire(&worker_shared->mutex);
	worker_shared->launcher = NULL;
	SpinLockRelease(&worker_shared->mutex);
}

void
tempo_launcher_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	worker_take_slot(arg);
	before_shmem_exit(leave, 0);
	SpinLockAcquire(&worker_shared->mutex);
	worker_shared->launcher = MyLatch;
	SpinLockRelease(&worker_shared->mutex);

	for (;;)
	{
		port_locks_update();
		step();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS / 4,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcDiePending)
			proc_exit(1); /* 0 would mean never to start it again */
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

/* ---- the probe ---- */

bool
worker_database_ready(void)
{
	Oid schema;

	if (!OidIsValid(get_extension_oid("tempo", true)))
		return false;
	schema = get_namespace_oid("tempo", true);
	return OidIsValid(schema) && OidIsValid(get_relname_relid("spans", schema));
}

void
tempo_probe_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(tempo_database, NULL, 0);
	worker_take_slot(arg);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pg_atomic_write_u32(&worker_shared->ready, worker_database_ready() ? 1 : 0);
	PopActiveSnapshot();
	CommitTransactionCommand();
	worker_wake_launcher();
	proc_exit(0);
}
