/*
 * merger.c
 *	  The merger: recent batches into segments, a round at a time, each in a transaction of its own.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "fmgr.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "merge/merge.h"
#include "merge/partition.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define LOCK_MS        5000
#define MAX_BACKOFF_MS 60000

/* One round: how many rows. 0: nothing left to do, or an error, which makes *backoff grow. */
static uint64
merge_once(MemoryContext context, int *backoff)
{
	volatile uint64 rows = 0;

	PG_TRY();
	{
		work_begin(0, LOCK_MS);
		rows = merge_step();
		work_commit();
		*backoff = 0;
	}
	PG_CATCH();
	{
		work_log(LOG, "could not merge", work_abort(context));
		*backoff = Min(Max(*backoff * 2, 1000), MAX_BACKOFF_MS);
		rows = 0;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	return rows;
}

static void
wait_ms(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

/* Until these rows, begun at a time, have taken as long as tempo.merge_rate says. */
static void
throttle(uint64 rows, TimestampTz begun)
{
	for (;;)
	{
		double passed = (double) (GetCurrentTimestamp() - begun) / 1000;
		double due = tempo_merge_rate > 0 ? (double) rows * 1000 / tempo_merge_rate : 0;

		work_look_around();
		if (passed >= due)
			return;
		wait_ms((long) Min(due - passed, 1000) + 1);
	}
}

static void
note_caught_up(void)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&my_slot->mutex);
	my_slot->caught_up = now;
	SpinLockRelease(&my_slot->mutex);
}

void
tempo_merger_main(Datum arg)
{
	MemoryContext context;
	int backoff = 0;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(tempo_database, NULL, 0);
	worker_take_slot(arg);
	context = AllocSetContextCreate(TopMemoryContext, "tempo merger", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	pgstat_report_activity(STATE_IDLE, NULL);

	for (;;)
	{
		TimestampTz begun = GetCurrentTimestamp();
		uint64 rows;

		work_look_around();
		rows = merge_once(context, &backoff);
		if (rows > 0)
		{
			pg_atomic_fetch_add_u64(&my_slot->requests, 1);
			worker_note_commit();
			throttle(rows, begun);
			continue;
		}
		if (backoff == 0)
			note_caught_up();
		wait_ms(Max(tempo_merge_interval, backoff));
	}
}

/* ---- SQL ---- */

PG_FUNCTION_INFO_V1(tempo_waiting_batches);

static int64
count_recent(Relation rel)
{
	int n;
	StoreUnit *units = store_units(rel, GetActiveSnapshot(), &n);
	int64 recent = 0;

	for (int i = 0; i < n; i++)
		recent += units[i].kind == UNIT_RECENT;
	pfree(units);
	return recent;
}

/* Batches of tempo.spans that no merge has taken yet; NULL when there is no tempo.spans. */
Datum
tempo_waiting_batches(PG_FUNCTION_ARGS)
{
	int64 recent = 0;
	ListCell *lc;

	if (!worker_database_ready())
		PG_RETURN_NULL();
	foreach (lc, merge_tables(partition_parent(), AccessShareLock))
	{
		Relation rel = table_open(lfirst_oid(lc), NoLock);

		recent += count_recent(rel);
		table_close(rel, NoLock);
	}
	PG_RETURN_INT64(recent);
}
