/*
 * shared.c
 *	  Shared memory of the workers: slots, who owns them, and what tempo.status shows of them.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "worker/worker.h"

WorkerShared *worker_shared;
WorkerSlot *my_slot;

static shmem_request_hook_type prev_request_hook;
static shmem_startup_hook_type prev_startup_hook;

static void
request_memory(void)
{
	if (prev_request_hook)
		prev_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(WorkerShared)));
}

static void
init_slot(WorkerSlot *slot)
{
	pg_atomic_init_u32(&slot->pid, 0);
	pg_atomic_init_u32(&slot->busy, 0);
	pg_atomic_init_u64(&slot->requests, 0);
	pg_atomic_init_u64(&slot->refused, 0);
	pg_atomic_init_u64(&slot->bytes, 0);
	pg_atomic_init_u64(&slot->spans, 0);
	pg_atomic_init_u64(&slot->rejected, 0);
	pg_atomic_init_u32(&slot->link, 0);
	pg_atomic_init_u64(&slot->current, 0);
	pg_atomic_init_u64(&slot->cancel, 0);
	pg_atomic_init_u32(&slot->help, 0);
	SpinLockInit(&slot->mutex);
}

static void
init_memory(void)
{
	bool found;

	if (prev_startup_hook)
		prev_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	worker_shared = ShmemInitStruct("tempo workers", sizeof(WorkerShared), &found);
	if (!found)
	{
		memset(worker_shared, 0, sizeof(*worker_shared));
		pg_atomic_init_u32(&worker_shared->stopped, 0);
		pg_atomic_init_u32(&worker_shared->all_stopped, 0);
		pg_atomic_init_u32(&worker_shared->ready, 0);
		SpinLockInit(&worker_shared->mutex);
		for (int i = 0; i < PORT_COUNT; i++)
			pg_atomic_init_u32(&worker_shared->held_port[i], 0);
		for (int i = 0; i < WORKER_SLOTS; i++)
			init_slot(&worker_shared->slots[i]);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
tempo_request_shared_memory(void)
{
	prev_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	prev_startup_hook = shmem_startup_hook;
	shmem_startup_hook = init_memory;
}

WorkerKind
worker_kind(int slot)
{
	return slot < SLOT_RECEIVER   ? (WorkerKind) slot
		   : slot < SLOT_EXECUTOR ? WORKER_RECEIVER
								  : WORKER_EXECUTOR;
}

const char *
worker_kind_name(WorkerKind kind)
{
	static const char *const names[] = {"launcher",    "probe",    "query server",  "merger",
										"maintenance", "receiver", "query executor"};

	return names[kind];
}

/* ---- the owner's side ---- */

static void
leave_slot(int code, Datum arg)
{
	pg_atomic_write_u32(&my_slot->link, 0);
	pg_atomic_write_u32(&my_slot->help, 0);
	pg_atomic_write_u64(&my_slot->current, 0);
	pg_atomic_write_u32(&my_slot->busy, 0);
	pg_atomic_write_u32(&my_slot->pid, 0);
	worker_set_listeners("");
}

void
worker_take_slot(Datum arg)
{
	my_slot = &worker_shared->slots[DatumGetInt32(arg)];
	SpinLockAcquire(&my_slot->mutex);
	my_slot->started = GetCurrentTimestamp();
	my_slot->latch = MyLatch;
	SpinLockRelease(&my_slot->mutex);
	pg_atomic_write_u32(&my_slot->pid, MyProcPid);
	before_shmem_exit(leave_slot, 0);
}

void
worker_set_listeners(const char *text)
{
	SpinLockAcquire(&my_slot->mutex);
	strlcpy(my_slot->listeners, text, sizeof(my_slot->listeners));
	SpinLockRelease(&my_slot->mutex);
}

void
worker_note_commit(void)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&my_slot->mutex);
	my_slot->last_commit = now;
	SpinLockRelease(&my_slot->mutex);
}

void
worker_note_error(const char *message)
{
	TimestampTz now = GetCurrentTimestamp();

	if (my_slot == NULL)
		return;
	SpinLockAcquire(&my_slot->mutex);
	my_slot->last_error_at = now;
	strlcpy(my_slot->last_error, message, sizeof(my_slot->last_error));
	SpinLockRelease(&my_slot->mutex);
}

/*
 * Sockets come on top of the descriptors fd.c counts with. The soft limit is raised as far as this process
 * may; if that is not enough, fewer clients are served at a time rather than running out.
 */
int
worker_max_connections(int servers)
{
	struct rlimit limit;
	int64 room;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return Min(tempo_max_connections, 100);
	if (limit.rlim_cur < limit.rlim_max)
	{
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			getrlimit(RLIMIT_NOFILE, &limit);
	}
	room = (int64) Min(limit.rlim_cur, INT_MAX) - max_files_per_process - 64;
	return (int) Min(tempo_max_connections, Max(room / servers, 16));
}

void
worker_wake_launcher(void)
{
	Latch *latch;

	SpinLockAcquire(&worker_shared->mutex);
	latch = worker_shared->launcher;
	SpinLockRelease(&worker_shared->mutex);
	if (latch)
		SetLatch(latch);
}

/* ---- SQL ---- */

PG_FUNCTION_INFO_V1(tempo_worker_status);
PG_FUNCTION_INFO_V1(tempo_start_workers);
PG_FUNCTION_INFO_V1(tempo_stop_workers);
PG_FUNCTION_INFO_V1(tempo_preloaded);

static Datum
time_or_null(TimestampTz t, bool *isnull)
{
	*isnull = t == 0;
	return TimestampTzGetDatum(t);
}

static Datum
text_or_null(const char *s, bool *isnull)
{
	*isnull = *s == '\0';
	return *isnull ? (Datum) 0 : CStringGetTextDatum(s);
}

#define STATUS_COLUMNS 15

static void
put_status(ReturnSetInfo *rsinfo, int i)
{
	WorkerSlot *slot = &worker_shared->slots[i];
	uint32 pid = pg_atomic_read_u32(&slot->pid);
	WorkerKind kind = worker_kind(i);
	TimestampTz started;
	TimestampTz last_commit;
	TimestampTz caught_up;
	TimestampTz last_error_at;
	char last_error[WORKER_ERROR_LEN];
	char listeners[sizeof(slot->listeners)];
	Datum v[STATUS_COLUMNS];
	bool nulls[STATUS_COLUMNS] = {false};

	SpinLockAcquire(&slot->mutex);
	started = slot->started;
	last_commit = slot->last_commit;
	caught_up = slot->caught_up;
	last_error_at = slot->last_error_at;
	memcpy(last_error, slot->last_error, sizeof(last_error));
	memcpy(listeners, slot->listeners, sizeof(listeners));
	SpinLockRelease(&slot->mutex);
	if (started == 0 || kind == WORKER_PROBE)
		return;
	v[0] = CStringGetTextDatum(worker_kind_name(kind));
	v[1] = Int32GetDatum(kind == WORKER_RECEIVER   ? i - SLOT_RECEIVER
						 : kind == WORKER_EXECUTOR ? i - SLOT_EXECUTOR
												   : 0);
	v[2] = Int32GetDatum(pid);
	nulls[2] = pid == 0;
	v[3] = CStringGetTextDatum(pid == 0 ? "stopped" : pg_atomic_read_u32(&slot->busy) ? "busy" : "running");
	v[4] = text_or_null(listeners, &nulls[4]);
	v[5] = time_or_null(started, &nulls[5]);
	v[6] = Int64GetDatum(pg_atomic_read_u64(&slot->requests));
	v[7] = Int64GetDatum(pg_atomic_read_u64(&slot->refused));
	v[8] = Int64GetDatum(pg_atomic_read_u64(&slot->bytes));
	v[9] = Int64GetDatum(pg_atomic_read_u64(&slot->spans));
	v[10] = Int64GetDatum(pg_atomic_read_u64(&slot->rejected));
	v[11] = time_or_null(last_commit, &nulls[11]);
	v[12] = text_or_null(last_error, &nulls[12]);
	v[13] = time_or_null(last_error_at, &nulls[13]);
	v[14] = time_or_null(caught_up, &nulls[14]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, nulls);
}

Datum
tempo_worker_status(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; worker_shared && i < WORKER_SLOTS; i++)
		put_status((ReturnSetInfo *) fcinfo->resultinfo, i);
	return (Datum) 0;
}

Datum
tempo_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(worker_shared != NULL);
}

static void
require_preloaded(void)
{
	if (worker_shared == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("tempo is not preloaded"),
						errhint("Add tempo to shared_preload_libraries and restart the server.")));
}

Datum
tempo_start_workers(PG_FUNCTION_ARGS)
{
	require_preloaded();
	pg_atomic_write_u32(&worker_shared->stopped, 0);
	worker_wake_launcher();
	PG_RETURN_VOID();
}

/* The launcher knows, also of those that are just starting; without one nobody starts. */
static bool
everybody_stopped(void)
{
	bool launcher;

	SpinLockAcquire(&worker_shared->mutex);
	launcher = worker_shared->launcher != NULL;
	SpinLockRelease(&worker_shared->mutex);
	if (launcher)
		return pg_atomic_read_u32(&worker_shared->all_stopped) != 0;
	for (int i = WORKER_PROBE; i < WORKER_SLOTS; i++)
		if (pg_atomic_read_u32(&worker_shared->slots[i].pid) != 0)
			return false;
	return true;
}

/* Waits until the last worker is gone, so that a DROP DATABASE that follows finds nobody connected. */
Datum
tempo_stop_workers(PG_FUNCTION_ARGS)
{
	require_preloaded();
	pg_atomic_write_u32(&worker_shared->all_stopped, 0);
	pg_atomic_write_u32(&worker_shared->stopped, 1);
	worker_wake_launcher();
	while (!everybody_stopped())
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 20L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	PG_RETURN_VOID();
}
