/*
 * loop.h
 *	  A libevent loop inside a background worker, and transactions between its turns.
 *
 * Signals are handled by core's handlers; wrappers then write to an eventfd the loop listens to, because a
 * latch alone does not wake epoll. A turn ends with CHECK_FOR_INTERRUPTS, so ProcSignalBarriers are absorbed
 * and DROP DATABASE elsewhere does not wait for us.
 *
 * Callbacks of the loop may not call anything that can ereport: they parse and queue. Work that needs the
 * database is done between turns.
 */
#ifndef TEMPO_LOOP_H
#define TEMPO_LOOP_H

#include "postgres.h"
#include "utils/elog.h"

#include <event2/event.h>

typedef struct Loop
{
	struct event_base *base;
	bool reloaded; /* the configuration was read again in this turn; the owner clears it */
} Loop;

/* Install signal handlers and make the loop. Before BackgroundWorkerInitializeConnection. */
extern Loop *loop_create(void);
/*
 * One turn: wait for events (or only look, when wait is false), run their callbacks, then serve interrupts.
 * false: the worker was told to stop; say goodbye and exit. Ends the process when the postmaster is gone.
 */
extern bool loop_turn(Loop *loop, bool wait);
/* Call cb once a second or so. */
extern void loop_every(Loop *loop, int ms, event_callback_fn cb, void *arg);

/* Start a transaction with an active snapshot, under lock_timeout and statement_timeout (ms, 0 = none). */
extern void work_begin(int statement_ms, int lock_ms);
extern void work_commit(void);
/* The same without a snapshot, for work that brings its own. */
extern void work_begin_bare(int statement_ms, int lock_ms);
extern void work_commit_bare(void);
/* In PG_CATCH: abort, and return the error copied into context; the error state is clean afterwards. */
extern ErrorData *work_abort(MemoryContext context);

/*
 * Between steps of work, outside of transactions and of a Loop: interrupts and changed settings. Ends the
 * process when it was told to stop.
 */
extern void work_look_around(void);

/*
 * Log an error, one line per cause (SQLSTATE and message) in 10 seconds, and note it in the worker's slot.
 */
extern void work_log(int level, const char *what, const ErrorData *edata);

#endif
