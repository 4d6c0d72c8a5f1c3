/*
 * replace.c
 *	  Partitions replaced by one table; replace.h says in which order and why.
 */
#include "retain/replace.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "am/am.h"
#include "merge/merge.h"
#include "merge/partition.h"
#include "retain/retain.h"

/* On a table that is being made; its name has the OID of the first leaf it is made of. */
#define MARK        "tempo: copy of partitions, unfinished"
#define NAME_PREFIX "spans_new_"

#define POLL_MS     20

/* ---- transactions ---- */

static void
set_lock_timeout(int ms)
{
	char value[16];

	snprintf(value, sizeof(value), "%d", Max(ms, 1));
	set_config_option("lock_timeout", value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* What a transaction allocates goes with it. */
static void
begin(void)
{
	MemoryContextSwitchTo(TopTransactionContext);
	PushActiveSnapshot(GetTransactionSnapshot());
	set_lock_timeout(retain_lock_timeout);
}

void
replace_next_transaction(Replace *r)
{
	PopActiveSnapshot();
	MemoryContextSwitchTo(r->context);
	SPI_commit();
	begin();
}

static void
pause_ms(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
replace_throttle(Replace *r, uint64 bytes)
{
	if (retain_rate == 0)
		return;
	if (r->copying_since == 0)
		r->copying_since = GetCurrentTimestamp();
	r->copied += bytes;
	for (;;)
	{
		double due = (double) r->copied / 1024 / retain_rate * 1000;
		double passed = (double) (GetCurrentTimestamp() - r->copying_since) / 1000;

		if (passed >= due)
			return;
		pause_ms((long) Min(due - passed, 1000) + 1);
	}
}

/* ---- names ---- */

static char *
parent_schema(const Replace *r)
{
	return get_namespace_name(get_rel_namespace(r->parent));
}

static char *
staging_name(const Replace *r)
{
	return psprintf(NAME_PREFIX "%u", r->leaves[0]);
}

static char *
qualified(const Replace *r, const char *name)
{
	return quote_qualified_identifier(parent_schema(r), name);
}

static char *
qualified_oid(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u was dropped concurrently", relid)));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

static bool
is_copy(Oid relid)
{
	char *comment = GetComment(relid, RelationRelationId, 0);

	return comment && strcmp(comment, MARK) == 0 && am_is_tempo_oid(relid) && !get_rel_relispartition(relid);
}

/* ---- 1: the table ---- */

static void
run_as_owner(const Replace *r, const char *command)
{
	PartitionRights rights;

	partition_act_as(r->owner, &rights);
	partition_run(command);
	partition_act_as_before(&rights);
}

static Oid
tablespace_of(Oid relid)
{
	Oid space = get_rel_tablespace(relid);

	return OidIsValid(space) ? space : MyDatabaseTableSpace;
}

/* Left by an attempt that had something else in mind. */
static bool
is_usable(const Replace *r, Oid found)
{
	Oid space = r->tablespace ? get_tablespace_oid(r->tablespace, false) : MyDatabaseTableSpace;
	Relation rel = table_open(found, AccessShareLock);
	bool owned = rel->rd_rel->relowner == r->owner;

	table_close(rel, NoLock);
	return owned && tablespace_of(found) == space;
}

static void
make_target(Replace *r)
{
	char *name = staging_name(r);
	Oid found = get_relname_relid(name, get_rel_namespace(r->parent));
	PartitionRights rights;

	if (OidIsValid(found) && !is_copy(found))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_TABLE),
						errmsg("relation \"%s\" is in the way of replacing partitions", name)));
	if (OidIsValid(found) && !is_usable(r, found))
	{
		run_as_owner(r, psprintf("DROP TABLE %s", qualified(r, name)));
		CommandCounterIncrement();
		found = InvalidOid;
	}
	if (!OidIsValid(found))
	{
		partition_act_as(r->owner, &rights);
		partition_create_table(qualified_oid(r->parent), qualified(r, name), r->from, r->to, true,
							   r->tablespace);
		partition_act_as_before(&rights);
		found = get_relname_relid(name, get_rel_namespace(r->parent));
		CreateComments(found, RelationRelationId, 0, MARK);
	}
	r->target = found;
}

static LockRelId
lock_id(Oid relid)
{
	return (LockRelId){relid, MyDatabaseId};
}

/* Merge what waits in a leaf, a round a transaction. */
static void
merge_leaf(Replace *r, Oid leaf, bool have_lock)
{
	uint64 rows;

	do
	{
		Relation rel;

		CHECK_FOR_INTERRUPTS();
		if (!have_lock)
			(void) merge_lock(true);
		rel = table_open(leaf, RowExclusiveLock);
		rows = merge_round(rel, true);
		table_close(rel, NoLock);
		replace_next_transaction(r);
	} while (rows > 0);
}

static void
fill_target(Replace *r)
{
	for (int i = 0; i < r->nleaves; i++)
		merge_leaf(r, r->leaves[i], false);
	(void) replace_copy(r);
	run_as_owner(r, psprintf("ANALYZE %s", qualified_oid(r->target)));
	replace_next_transaction(r);
}

/* ---- 2: snapshots ---- */

static void
give_up(const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					errmsg("could not replace partitions of \"tempo.spans\": %s", why),
					errdetail("The copy stays, and the next attempt goes on with it.")));
}

/* Until it is seen by all, or the time has come. */
static bool
wait_settled(Replace *r, TimestampTz until)
{
	for (;;)
	{
		bool settled = replace_settled(r->target);

		replace_next_transaction(r);
		if (settled)
			return true;
		if (until != DT_NOEND && GetCurrentTimestamp() >= until)
			return false;
		pause_ms(POLL_MS);
	}
}

/* ---- 3: without writers ---- */

static int
left(TimestampTz until)
{
	return (int) Max((until - GetCurrentTimestamp()) / 1000, 0);
}

static void
lock_writers_out(Replace *r, TimestampTz until)
{
	for (int i = 0; i < r->nleaves; i++)
	{
		LockRelId id = lock_id(r->leaves[i]);

		set_lock_timeout(left(until));
		LockRelationIdForSession(&id, ShareRowExclusiveLock);
	}
}

static void
let_go(Replace *r)
{
	for (int i = 0; i < r->nleaves; i++)
	{
		LockRelId id = lock_id(r->leaves[i]);

		UnlockRelationIdForSession(&id, ShareRowExclusiveLock);
	}
}

static void
catch_up(Replace *r, TimestampTz until)
{
	for (int i = 0; i < r->nleaves; i++)
	{
		merge_leaf(r, r->leaves[i], true);
		if (left(until) == 0)
			give_up("what has come since takes too long to copy");
	}
	(void) replace_copy(r);
	if (!wait_settled(r, until))
		give_up("an older transaction does not see all of what was written last");
}

/* ---- 4: the exchange ---- */

static bool
is_among(const Replace *r, Oid relid)
{
	for (int i = 0; i < r->nleaves; i++)
		if (r->leaves[i] == relid)
			return true;
	return false;
}

/* The leaves are what there is in the range, all of them and nothing else. */
static void
check_leaves(Replace *r)
{
	Relation parent = table_open(r->parent, NoLock);
	int found = 0;
	Leaf *leaves;
	int n;

	leaves = retain_leaves(parent, &n);
	for (int i = 0; i < n; i++)
	{
		if (leaves[i].to <= r->from || leaves[i].from >= r->to)
			continue;
		if (leaves[i].pending || !is_among(r, leaves[i].oid))
			give_up("there are others in their range now");
		found++;
	}
	if (found != r->nleaves)
		give_up("some are there no longer");
	table_close(parent, NoLock);
}

static void
lock_all(Replace *r, TimestampTz until)
{
	if (retain_is_held(r->parent))
		give_up("a transaction that is open for longer than tempo.lock_timeout uses the table");
	set_lock_timeout(left(until));
	LockRelationOid(r->parent, AccessExclusiveLock);
	for (int i = 0; i < r->nleaves; i++)
	{
		set_lock_timeout(left(until));
		LockRelationOid(r->leaves[i], AccessExclusiveLock);
	}
	check_leaves(r);
}

static void
exchange(Replace *r, TimestampTz until)
{
	char *parent = qualified_oid(r->parent);
	char *target = qualified_oid(r->target);
	char *name = qualified(r, r->name);
	PartitionRights rights;

	lock_all(r, until);
	merge_keep_marks(r->target);
	partition_act_as(r->owner, &rights);
	for (int i = 0; i < r->nleaves; i++)
	{
		char *leaf = qualified_oid(r->leaves[i]);

		partition_run(psprintf("ALTER TABLE %s DETACH PARTITION %s", parent, leaf));
		partition_run(psprintf("DROP TABLE %s", leaf));
	}
	partition_run(psprintf("COMMENT ON TABLE %s IS NULL", target));
	partition_run(psprintf("ALTER TABLE %s RENAME TO %s", target, quote_identifier(r->name)));
	partition_attach(parent, name, r->from, r->to);
	partition_act_as_before(&rights);
}

/* ---- all of it ---- */

/* With the merge lock. */
static void
finish(Replace *r)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), retain_lock_timeout);

	lock_writers_out(r, until);
	catch_up(r, until);
	exchange(r, until);
	replace_next_transaction(r);
	let_go(r);
}

static void
finish_under_merge_lock(Replace *r)
{
	/* Nobody waits for us while we wait for a merge. */
	set_lock_timeout(60 * 1000);
	merge_lock_session();
	PG_TRY();
	{
		finish(r);
	}
	PG_FINALLY();
	{
		merge_unlock_session();
	}
	PG_END_TRY();
}

void
replace_leaves(Replace *r)
{
	LockRelId id;

	begin();
	make_target(r);
	for (int i = 0; i < r->nleaves; i++)
		replace_check_columns(r->leaves[i], r->target);
	id = lock_id(r->target);
	LockRelationIdForSession(&id, ShareRowExclusiveLock);
	replace_next_transaction(r);
	fill_target(r);
	if (!wait_settled(r, r->patient
							 ? DT_NOEND
							 : TimestampTzPlusMilliseconds(GetCurrentTimestamp(), retain_lock_timeout)))
		give_up("an older transaction does not see all of the copy");
	finish_under_merge_lock(r);
	UnlockRelationIdForSession(&id, ShareRowExclusiveLock);
	PopActiveSnapshot();
	MemoryContextSwitchTo(r->context);
}

/* ---- what is left of others ---- */

/* The leaf that the name says is the first, InvalidOid if it says nothing. */
static Oid
first_leaf(const char *name)
{
	unsigned int oid;
	int end;

	if (sscanf(name, NAME_PREFIX "%u%n", &oid, &end) != 1 || name[end] != '\0')
		return InvalidOid;
	return oid;
}

bool
replace_is_abandoned(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL || !is_copy(relid))
		return false;
	return !get_rel_relispartition(first_leaf(name));
}

List *
replace_abandoned(Relation parent)
{
	List *found = NIL;
	ListCell *lc;

	foreach (lc, retain_marked(parent, MARK))
		if (replace_is_abandoned(lfirst_oid(lc)))
			found = lappend_oid(found, lfirst_oid(lc));
	return found;
}
