/*
 * maintenance.c
 *	  The maintenance worker: partitions of tempo.spans as they age (retain.h) and statistics of all of
 *	  them together, a turn every tempo.maintenance_interval.
 *
 * Each kind of job is tried in each turn, whatever became of the others. What failed for a lock is counted
 *and comes again soon.
 */
#include "postgres.h"

#include "access/xact.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/wait_event.h"

#include "merge/partition.h"
#include "retain/retain.h"
#include "worker/loop.h"
#include "worker/worker.h"

/* After a turn that had to give something up for a lock. */
#define RETRY_MS      10000

#define ANALYZE_TURNS 10

static void
count(RetainDone done)
{
	pg_atomic_fetch_add_u64(&my_slot->requests, 1);
	pg_atomic_fetch_add_u64(&my_slot->bytes, (uint64) done.freed);
	worker_note_commit();
}

/* One thing of a kind. false: nothing more to do, or it failed; *failed is set if it may go better soon. */
static bool
try_step(RetainJob job, MemoryContext context, bool *failed)
{
	RetainDone done = {0};

	PG_TRY();
	{
		LockTimeout = retain_lock_timeout;
		pgstat_report_activity(STATE_RUNNING, NULL);
		done = retain_step(job);
		pgstat_report_stat(false);
		pgstat_report_activity(STATE_IDLE, NULL);
		if (done.any)
			count(done);
	}
	PG_CATCH();
	{
		ErrorData *edata = work_abort(context);

		work_log(LOG, "maintenance of partitions was put off", edata);
		pg_atomic_fetch_add_u64(&my_slot->refused, 1);
		*failed |= edata->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
		done.any = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
	return done.any;
}

/* Statistics of the whole table, at most every ANALYZE_TURNS turns. */
static void
try_analyze(MemoryContext context, bool *failed)
{
	PG_TRY();
	{
		work_begin(0, retain_lock_timeout);
		(void) partition_analyze(ANALYZE_TURNS * tempo_maintenance_interval);
		work_commit();
	}
	PG_CATCH();
	{
		work_log(LOG, "statistics of tempo.spans were put off", work_abort(context));
		*failed = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(context);
}

/* Returns whether something had to be given up. */
static bool
take_turn(MemoryContext context)
{
	bool failed = false;

	for (int job = 0; job < RETAIN_JOBS; job++)
	{
		work_look_around();
		while (try_step(job, context, &failed))
			work_look_around();
	}
	work_look_around();
	try_analyze(context, &failed);
	return failed;
}

void
tempo_maintenance_main(Datum arg)
{
	MemoryContext context;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(tempo_database, NULL, 0);
	worker_take_slot(arg);
	/* Nothing that runs here may depend on what others put in our way. */
	SetConfigOption("search_path", "", PGC_SUSET, PGC_S_OVERRIDE);
	/* Statements of several transactions keep what they need in the portal's context. */
	PortalContext = context =
		AllocSetContextCreate(TopMemoryContext, "tempo maintenance", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	pgstat_report_activity(STATE_IDLE, NULL);

	for (;;)
	{
		bool failed = take_turn(context);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 failed ? Min(tempo_maintenance_interval, RETRY_MS) : tempo_maintenance_interval,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
