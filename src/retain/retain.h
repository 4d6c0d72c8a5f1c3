/*
 * retain.h
 *	  What becomes of the partitions of tempo.spans as they age: days are merged into months and moved to
 *	  another tablespace, and dropped when they are too old or when all take too much room.
 *
 * Nobody is made to wait for longer than tempo.lock_timeout. What cannot be done within it is given up and
 * tried again at the next turn, and each stage is a state that is found again after a crash:
 *
 *	  attached -> marked (a comment on the leaf) -> detach pending -> detached and marked -> gone
 *
 * How leaves are replaced by others is in replace.h.
 *
 * A leaf that is dropped is detached CONCURRENTLY: readers and writers go on while it waits for those that
 * began before. Leaves detached by others are not marked and are left alone.
 *
 * Lock order: merge lock (merge.h), the parent, its leaves.
 */
#ifndef TEMPO_RETAIN_H
#define TEMPO_RETAIN_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/rel.h"

/* ---- settings (policy.c) ---- */

extern double retain_max_size;  /* kB; 0: no bound */
extern int retain_lock_timeout; /* ms */
extern int retain_rate;         /* kB of copying a second; 0: no bound */
extern int retain_merge_days;   /* seconds; 0: never */
extern char *retain_cold_tablespace;
extern int retain_cold_after; /* minutes */
/* Once, from _PG_init. */
extern void retain_define_settings(void);

/* ---- leaves (leaf.c) ---- */

typedef struct Leaf
{
	Oid oid;
	TimestampTz from; /* spans start at or after this, */
	TimestampTz to;   /* and before this; may be infinite */
	bool pending;     /* DETACH CONCURRENTLY was begun and is not done */
	bool marked;      /* to be dropped, by us */
} Leaf;

/* Attached leaves and one that is pending, oldest first; palloc'd. parent is open and locked. */
extern Leaf *retain_leaves(Relation parent, int *n);
/* Marked tables that are no partitions any more, of the owner and in the schema of parent. */
extern List *retain_leftovers(Relation parent);
extern bool retain_is_leftover(Oid relid);
/* The same with another comment. */
extern List *retain_marked(Relation parent, const char *mark);
/* Mark, or take the mark away, in this transaction. */
extern void retain_mark(Oid leaf, bool mark);
/* Bytes on disk, with everything that belongs to it. */
extern int64 retain_bytes(Oid relid);

/*
 * Somebody has the parent locked in a transaction that has been open for longer than we would wait: then to
 * wait for a lock that excludes him would only keep others waiting.
 */
extern bool retain_is_held(Oid parent);

/* ---- dropping (drop.c) ---- */

/* In this transaction, with AccessExclusive on the parent. */
extern void retain_drop_now(Oid parent, Oid leaf);
/* In transactions of its own; outside of one. Leaves a later stage behind when it fails. */
extern void retain_drop(Oid parent, Oid leaf);
/* The rest of a drop that was interrupted. */
extern void retain_finish_drop(Oid parent, Oid leaf, bool pending);

/* ---- months and tablespaces (age.c) ---- */

typedef struct Replace Replace;

/* Days that are to become a month, a leaf that is to move: false, or *r, palloc'd in the context. */
extern bool retain_find_month(Relation parent, MemoryContext context, Replace *r);
extern bool retain_find_cold(Relation parent, MemoryContext context, Replace *r);
/* An attempt that began with this leaf failed not long ago, and not for want of a lock (policy.c). */
extern bool retain_is_refused(Oid leaf);

/* ---- what is due (policy.c) ---- */

typedef enum RetainJob
{
	RETAIN_LEFTOVERS,
	RETAIN_EXPIRED,
	RETAIN_OVERSIZE,
	RETAIN_MONTHS,
	RETAIN_COLD,
	RETAIN_JOBS
} RetainJob;

/* What a step did. */
typedef struct RetainDone
{
	bool any;    /* false: nothing of this kind is due */
	int64 freed; /* bytes on disk given back */
} RetainDone;

/*
 * For the maintenance worker, outside of a transaction: the next thing that is due of a kind, in transactions
 * of its own. Raises when it could not be done; 55P03 when somebody held a lock for too long.
 */
extern RetainDone retain_step(RetainJob job);

#endif
