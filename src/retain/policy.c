/*
 * policy.c
 *	  What is due; settings; the functions to do it by hand.
 */
#include "retain/retain.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "merge/ingest.h"
#include "merge/partition.h"
#include "retain/replace.h"

#define QUIET_MS    (10 * 60 * 1000)
#define REFUSED_MS  (3600 * 1000)
#define REFUSED_MAX 1000

double retain_max_size = 0;
int retain_lock_timeout = 2000;
int retain_rate = 64 * 1024;
int retain_merge_days = 30 * SECS_PER_DAY;
char *retain_cold_tablespace;
int retain_cold_after = 7 * HOURS_PER_DAY * MINS_PER_HOUR;

static void
define_replacing(void)
{
	DefineCustomIntVariable(
		"tempo.merge_days_after", "Time after which the days of a month are merged into one partition.",
		"So long its end and its oldest segment have to be past. 0 leaves them days. Nothing is merged while "
		"tempo.retention is shorter than a year.",
		&retain_merge_days, retain_merge_days, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable("tempo.cold_tablespace", "Tablespace that old partitions are moved to.",
							   "Empty: they stay.", &retain_cold_tablespace, "", PGC_SIGHUP, 0, NULL, NULL,
							   NULL);
	DefineCustomIntVariable("tempo.cold_after", "Time after its end when a partition is moved.", NULL,
							&retain_cold_after, retain_cold_after, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, NULL,
							NULL, NULL);
	DefineCustomIntVariable("tempo.maintenance_rate",
							"Bytes a second that merging and moving of partitions copies.",
							"0 means no bound.", &retain_rate, retain_rate, 0, INT_MAX, PGC_SIGHUP,
							GUC_UNIT_KB, NULL, NULL, NULL);
}

void
retain_define_settings(void)
{
	define_replacing();
	DefineCustomRealVariable("tempo.max_size",
							 "Size of tempo.spans above which its oldest partitions are dropped.",
							 "Never that of the current day. 0 means no bound.", &retain_max_size, 0, 0, 1e13,
							 PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"tempo.lock_timeout", "Longest time that maintenance of partitions waits for a lock.",
		"Others wait behind it for no longer. What could not be done is tried again.", &retain_lock_timeout,
		2000, 10, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* ---- what is due ---- */

typedef struct Due
{
	Oid parent;
	Oid leaf;
	bool leftover;
	bool pending;
	const char *why;
} Due;

static TimestampTz
today(void)
{
	TimestampTz now = GetCurrentTimestamp();

	/* The epoch is a midnight (UTC). */
	return now - (now % USECS_PER_DAY + USECS_PER_DAY) % USECS_PER_DAY;
}

static bool
is_expired(const Leaf *leaf)
{
	TimestampTz now = GetCurrentTimestamp();
	int64 age = (int64) ingest_retention * USECS_PER_MINUTE;

	return ingest_retention > 0 && leaf->to <= now - age;
}

/* One that nobody finishes, unless we do. */
static bool
find_leftover(Relation parent, const Leaf *leaves, int n, Due *due)
{
	List *tables;

	for (int i = 0; i < n; i++)
	{
		if (leaves[i].pending && leaves[i].marked)
		{
			due->leaf = leaves[i].oid;
			due->pending = true;
			due->leftover = true;
			return true;
		}
	}
	tables = list_concat(retain_leftovers(parent), replace_abandoned(parent));
	if (tables == NIL)
		return false;
	due->leaf = linitial_oid(tables);
	due->leftover = true;
	return true;
}

static bool
find_expired(const Leaf *leaves, int n, Due *due)
{
	due->why = "tempo.retention";
	for (int i = 0; i < n; i++)
	{
		due->leaf = leaves[i].oid;
		if (is_expired(&leaves[i]))
			return true;
	}
	return false;
}

static void
warn_too_large(double size)
{
	static TimestampTz warned;
	TimestampTz now = GetCurrentTimestamp();

	if (warned != 0 && !TimestampDifferenceExceeds(warned, now, QUIET_MS))
		return;
	warned = now;
	ereport(LOG,
			(errmsg("tempo: tempo.spans takes %.0f kB, more than tempo.max_size, and has no partition of "
					"days before today to drop",
					size)));
}

static bool
find_oversize(const Leaf *leaves, int n, Due *due)
{
	double size = 0;

	if (retain_max_size <= 0)
		return false;
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		size += (double) retain_bytes(leaves[i].oid) / 1024;
	}
	if (size <= retain_max_size)
		return false;
	if (leaves[0].to > today())
	{
		warn_too_large(size);
		return false;
	}
	due->leaf = leaves[0].oid;
	due->why = "tempo.max_size";
	return true;
}

/* One detach can be pending at a time, ours or somebody else's. */
static bool
any_pending(const Leaf *leaves, int n)
{
	for (int i = 0; i < n; i++)
		if (leaves[i].pending)
			return true;
	return false;
}

static bool
find_due(RetainJob job, Due *due)
{
	Relation parent = partition_open_parent(AccessShareLock);
	Leaf *leaves;
	bool found = false;
	int n;

	memset(due, 0, sizeof(*due));
	due->parent = RelationGetRelid(parent);
	leaves = retain_leaves(parent, &n);
	if (job == RETAIN_LEFTOVERS)
		found = find_leftover(parent, leaves, n, due);
	else if (n > 0 && !any_pending(leaves, n))
		found = job == RETAIN_EXPIRED ? find_expired(leaves, n, due) : find_oversize(leaves, n, due);
	table_close(parent, AccessShareLock);
	return found;
}

static void
drop_due(const Due *due, const char *name, int64 bytes)
{
	if (due->leftover)
		retain_finish_drop(due->parent, due->leaf, due->pending);
	else
		retain_drop(due->parent, due->leaf);
	if (due->why)
		ereport(LOG, (errmsg("tempo: dropped partition \"%s\" (%lld kB) because of %s", name,
							 (long long) (bytes / 1024), due->why)));
	else
		ereport(LOG, (errmsg("tempo: dropped partition \"%s\" (%lld kB), which had been begun before", name,
							 (long long) (bytes / 1024))));
}

/* ---- steps ---- */

static RetainDone
drop_step(RetainJob job, MemoryContext context)
{
	RetainDone done = {0};
	char *name = NULL;
	Due due;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	done.any = find_due(job, &due);
	if (done.any)
	{
		done.freed = retain_bytes(due.leaf);
		name = get_rel_name(due.leaf);
		name = name ? MemoryContextStrdup(context, name) : NULL;
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (name == NULL)
		return (RetainDone){0};
	drop_due(&due, name, done.freed);
	return done;
}

/*
 * Leaves that could not be replaced for a reason that will not pass by itself, columns added since for one:
 * left alone for a while, so that they are not in the way of others.
 */
typedef struct Refused
{
	Oid leaf; /* the first of those that were to be replaced */
	TimestampTz until;
} Refused;

static Refused refused[REFUSED_MAX];
static int next_refused;

bool
retain_is_refused(Oid leaf)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < REFUSED_MAX; i++)
		if (refused[i].leaf == leaf && now < refused[i].until)
			return true;
	return false;
}

static void
note_refused(Oid leaf)
{
	refused[next_refused] = (Refused){leaf, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REFUSED_MS)};
	next_refused = (next_refused + 1) % REFUSED_MAX;
}

static void
replace_or_note(Replace *r)
{
	PG_TRY();
	{
		replace_leaves(r);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
			note_refused(r->leaves[0]);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static RetainDone
replace_step(RetainJob job, MemoryContext context)
{
	RetainDone done = {0};
	Replace r = {0};
	Relation parent;

	StartTransactionCommand();
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	parent = partition_open_parent(AccessShareLock);
	done.any =
		job == RETAIN_MONTHS ? retain_find_month(parent, context, &r) : retain_find_cold(parent, context, &r);
	table_close(parent, AccessShareLock);
	PopActiveSnapshot();
	if (done.any)
		replace_or_note(&r);
	SPI_finish();
	CommitTransactionCommand();
	if (done.any)
		ereport(LOG, (errmsg_plural("tempo: partition \"%s\" took the place of %d partition",
									"tempo: partition \"%s\" took the place of %d partitions", r.nleaves,
									r.name, r.nleaves)));
	return done;
}

RetainDone
retain_step(RetainJob job)
{
	MemoryContext caller = CurrentMemoryContext;
	RetainDone done = job >= RETAIN_MONTHS ? replace_step(job, caller) : drop_step(job, caller);

	MemoryContextSwitchTo(caller);
	return done;
}

/* ---- by hand ---- */

PG_FUNCTION_INFO_V1(tempo_drop_before);
Datum
tempo_drop_before(PG_FUNCTION_ARGS)
{
	TimestampTz before = PG_GETARG_TIMESTAMPTZ(0);
	Relation parent;
	Oid parentid;
	Leaf *leaves;
	int n;
	int dropped = 0;

	PreventCommandIfReadOnly("tempo.drop_before()");
	PreventCommandDuringRecovery("tempo.drop_before()");
	parent = partition_open_parent(AccessShareLock);
	if (!pg_class_ownercheck(RelationGetRelid(parent), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(parent));
	parentid = RelationGetRelid(parent);
	leaves = retain_leaves(parent, &n);
	table_close(parent, NoLock);
	for (int i = 0; i < n; i++)
	{
		if (leaves[i].pending || leaves[i].to > before)
			continue;
		retain_drop_now(parentid, leaves[i].oid);
		dropped++;
	}
	PG_RETURN_INT32(dropped);
}
