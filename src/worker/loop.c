/*
 * loop.c
 *	  libevent in a worker; transactions outside of a client's session.
 */
#include "postgres.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "worker/loop.h"
#include "worker/worker.h"

static int wake_fd = -1;
static volatile sig_atomic_t stopping = false;
static bool postmaster_gone = false;

static void
wake(void)
{
	uint64 one = 1;
	int save_errno = errno;

	if (write(wake_fd, &one, sizeof(one)) < 0)
	{
		/* the counter is full: the loop is awake already */
	}
	errno = save_errno;
}

static void
on_sigterm(SIGNAL_ARGS)
{
	stopping = true;
	die(postgres_signal_arg);
	wake();
}

static void
on_sighup(SIGNAL_ARGS)
{
	SignalHandlerForConfigReload(postgres_signal_arg);
	wake();
}

static void
on_sigusr1(SIGNAL_ARGS)
{
	procsignal_sigusr1_handler(postgres_signal_arg);
	wake();
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64 n;

	if (read(fd, &n, sizeof(n)) < 0)
	{
		/* somebody else's wake-up emptied it */
	}
}

static void
on_postmaster(evutil_socket_t fd, short what, void *arg)
{
	postmaster_gone = true;
}

/* libevent would write to stderr by itself, and a callback may not ereport. */
static void
on_libevent_log(int severity, const char *message)
{
	if (severity >= EVENT_LOG_WARN)
		write_stderr("tempo: %s\n", message);
}

static void
listen_to(Loop *loop, int fd, event_callback_fn cb)
{
	struct event *ev = event_new(loop->base, fd, EV_READ | EV_PERSIST, cb, NULL);

	if (ev == NULL || event_add(ev, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not watch a file descriptor")));
}

Loop *
loop_create(void)
{
	Loop *loop = MemoryContextAllocZero(TopMemoryContext, sizeof(Loop));

	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd < 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not create an eventfd: %m")));
	pqsignal(SIGTERM, on_sigterm);
	pqsignal(SIGHUP, on_sighup);
	pqsignal(SIGUSR1, on_sigusr1);
	pqsignal(SIGINT, StatementCancelHandler);
	BackgroundWorkerUnblockSignals();

	event_set_log_callback(on_libevent_log);
	loop->base = event_base_new();
	if (loop->base == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not create an event loop")));
	listen_to(loop, wake_fd, on_wake);
	listen_to(loop, postmaster_alive_fds[POSTMASTER_FD_WATCH], on_postmaster);
	return loop;
}

bool
loop_turn(Loop *loop, bool wait)
{
	event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	ResetLatch(MyLatch);
	if (postmaster_gone)
		proc_exit(1);
	if (stopping)
		return false;
	/* A cancel that finds no query running has nothing to cancel. */
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		loop->reloaded = true;
	}
	return true;
}

void
loop_every(Loop *loop, int ms, event_callback_fn cb, void *arg)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	struct event *ev = event_new(loop->base, -1, EV_PERSIST, cb, arg);

	if (ev == NULL || event_add(ev, &tv) != 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not create a timer")));
}

/* ---- transactions ---- */

void
work_begin_bare(int statement_ms, int lock_ms)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	LockTimeout = lock_ms;
	if (statement_ms > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, statement_ms);
	pgstat_report_activity(STATE_RUNNING, NULL);
}

void
work_begin(int statement_ms, int lock_ms)
{
	work_begin_bare(statement_ms, lock_ms);
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
work_commit(void)
{
	PopActiveSnapshot();
	work_commit_bare();
}

void
work_commit_bare(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

void
work_look_around(void)
{
	if (ProcDiePending)
		proc_exit(0);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

ErrorData *
work_abort(MemoryContext context)
{
	ErrorData *edata;

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
	edata = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	RESUME_INTERRUPTS();
	return edata;
}

/* ---- errors, told once ---- */

#define CAUSES        16
#define CAUSE_SECONDS 10

typedef struct Cause
{
	uint32 hash;
	TimestampTz told;
	uint64 untold;
} Cause;

static Cause causes[CAUSES];

/* The entry of a cause; when it is new it takes the place of the one told longest ago. */
static Cause *
find_cause(uint32 hash)
{
	Cause *oldest = &causes[0];

	for (int i = 0; i < CAUSES; i++)
	{
		if (causes[i].hash == hash)
			return &causes[i];
		if (causes[i].told < oldest->told)
			oldest = &causes[i];
	}
	*oldest = (Cause){.hash = hash};
	return oldest;
}

void
work_log(int level, const char *what, const ErrorData *edata)
{
	const char *message = edata->message ? edata->message : "unknown error";
	uint32 hash = (uint32) edata->sqlerrcode * 31 +
				  DatumGetUInt32(hash_any((const unsigned char *) message, strlen(message)));
	Cause *cause = find_cause(hash);
	TimestampTz now = GetCurrentTimestamp();

	worker_note_error(message);
	if (cause->told != 0 && !TimestampDifferenceExceeds(cause->told, now, CAUSE_SECONDS * 1000))
	{
		cause->untold++;
		return;
	}
	ereport(level, (errcode(edata->sqlerrcode), errmsg("tempo: %s: %s", what, message),
					edata->detail ? errdetail_internal("%s", edata->detail) : 0,
					edata->hint ? errhint("%s", edata->hint) : 0,
					cause->untold ? errcontext("%llu more like it since the last line",
											   (unsigned long long) cause->untold)
								  : 0));
	cause->told = now;
	cause->untold = 0;
}
