/*
 * age.c
 *	  Which partitions are old enough to become part of a month, or to move to another tablespace; the
 *	  procedures to do it by hand.
 *
 * A month is merged as a whole, once, when its end is old enough and the first of its spans came long enough
 * ago: no row is copied twice, and a partition that is still written to is rarely copied.
 */
#include "retain/replace.h"

#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "merge/ingest.h"
#include "merge/partition.h"

/* A month is dropped as a whole: not where that would keep spans for much longer than they are to be kept. */
#define LEAST_RETENTION (366 * HOURS_PER_DAY * MINS_PER_HOUR) /* minutes */

typedef struct Month
{
	int year;
	int month;
	TimestampTz from;
	TimestampTz to;
} Month;

static TimestampTz
date_time(int year, int month)
{
	return (TimestampTz) (date2j(year, month, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

/* The month (UTC) of a time that is finite. */
static Month
month_of(TimestampTz time)
{
	int64 days = time / USECS_PER_DAY - (time % USECS_PER_DAY < 0);
	Month m;
	int day;

	j2date((int) (days + POSTGRES_EPOCH_JDATE), &m.year, &m.month, &day);
	m.from = date_time(m.year, m.month);
	m.to = m.month == 12 ? date_time(m.year + 1, 1) : date_time(m.year, m.month + 1);
	return m;
}

static bool
is_older(TimestampTz time, int64 seconds)
{
	return time <= GetCurrentTimestamp() - seconds * USECS_PER_SEC;
}

static bool
is_cold(TimestampTz end)
{
	return retain_cold_tablespace[0] != '\0' && is_older(end, (int64) retain_cold_after * SECS_PER_MINUTE);
}

/* Leaves first, first + 1, ... first + n - 1 become one for the range. */
static void
set_replace(Relation parent, MemoryContext context, const Leaf *leaves, int n, Replace *r)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	memset(r, 0, sizeof(*r));
	r->context = context;
	r->parent = RelationGetRelid(parent);
	r->owner = parent->rd_rel->relowner;
	r->leaves = palloc(n * sizeof(Oid));
	for (int i = 0; i < n; i++)
		r->leaves[i] = leaves[i].oid;
	r->nleaves = n;
	r->from = leaves[0].from;
	r->to = leaves[n - 1].to;
	MemoryContextSwitchTo(old);
}

/* ---- months ---- */

/*
 * The leaves of a month, if they can be merged: several, none of which is leaving or reaches beyond. Returns
 * how many follow leaves[first].
 */
static int
leaves_of_month(const Leaf *leaves, int n, int first, const Month *m)
{
	int count = 0;

	if (first > 0 && leaves[first - 1].to > m->from)
		return 0;
	while (first + count < n && leaves[first + count].from < m->to)
	{
		const Leaf *leaf = &leaves[first + count];

		if (leaf->from < m->from || leaf->to > m->to || leaf->pending || leaf->marked)
			return 0;
		count++;
	}
	return count > 1 ? count : 0;
}

static void
set_month(Relation parent, MemoryContext context, const Leaf *leaves, int n, const Month *m, Replace *r)
{
	set_replace(parent, context, leaves, n, r);
	r->from = m->from;
	r->to = m->to;
	r->name = MemoryContextStrdup(context, psprintf("spans_%04d%02d", m->year, m->month));
	if (is_cold(m->to))
		r->tablespace = MemoryContextStrdup(context, retain_cold_tablespace);
}

/* When the first of what a leaf holds was written; now if it holds nothing. */
static TimestampTz
oldest_unit(Oid leaf)
{
	Relation rel = table_open(leaf, AccessShareLock);
	TimestampTz oldest = GetCurrentTimestamp();
	int n;
	StoreUnit *units = store_units(rel, GetActiveSnapshot(), &n);

	for (int i = 0; i < n; i++)
		oldest = Min(oldest, units[i].made_at);
	if (units)
		pfree(units);
	table_close(rel, AccessShareLock);
	return oldest;
}

/* Old spans that came only now may be followed by more: wait for as long as with young ones. */
static bool
came_long_ago(const Leaf *leaves, int n)
{
	for (int i = 0; i < n; i++)
		if (is_older(oldest_unit(leaves[i].oid), retain_merge_days))
			return true;
	return false;
}

bool
retain_find_month(Relation parent, MemoryContext context, Replace *r)
{
	Leaf *leaves;
	int n;

	if (retain_merge_days == 0 || (ingest_retention > 0 && ingest_retention < LEAST_RETENTION))
		return false;
	leaves = retain_leaves(parent, &n);
	for (int i = 0; i < n; i++)
	{
		Month m;
		int count;

		CHECK_FOR_INTERRUPTS();
		if (TIMESTAMP_NOT_FINITE(leaves[i].from))
			continue;
		m = month_of(leaves[i].from);
		if (!is_older(m.to, retain_merge_days))
			continue;
		count = leaves_of_month(leaves, n, i, &m);
		if (count == 0 || retain_is_refused(leaves[i].oid) || !came_long_ago(leaves + i, count))
			continue;
		set_month(parent, context, leaves + i, count, &m, r);
		return true;
	}
	return false;
}

/* ---- tablespaces ---- */

static Oid
tablespace_of(Oid relid)
{
	Oid space = get_rel_tablespace(relid);

	return OidIsValid(space) ? space : MyDatabaseTableSpace;
}

static void
set_move(Relation parent, MemoryContext context, const Leaf *leaf, const char *tablespace, Replace *r)
{
	set_replace(parent, context, leaf, 1, r);
	r->name = MemoryContextStrdup(context, get_rel_name(leaf->oid));
	r->tablespace = MemoryContextStrdup(context, tablespace);
}

bool
retain_find_cold(Relation parent, MemoryContext context, Replace *r)
{
	Leaf *leaves;
	Oid cold;
	int n;

	if (retain_cold_tablespace[0] == '\0')
		return false;
	cold = get_tablespace_oid(retain_cold_tablespace, false);
	leaves = retain_leaves(parent, &n);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (leaves[i].pending || leaves[i].marked || !is_cold(leaves[i].to) ||
			tablespace_of(leaves[i].oid) == cold || retain_is_refused(leaves[i].oid))
			continue;
		set_move(parent, context, &leaves[i], retain_cold_tablespace, r);
		return true;
	}
	return false;
}

/* ---- by hand ---- */

static Relation
open_own_parent(FunctionCallInfo fcinfo, const char *what)
{
	Relation parent;

	PreventCommandDuringRecovery(what);
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("%s cannot run inside a transaction block", what)));
	parent = partition_open_parent(AccessShareLock);
	if (!pg_class_ownercheck(RelationGetRelid(parent), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(parent));
	return parent;
}

static void
run_by_hand(Replace *r)
{
	MemoryContext old = CurrentMemoryContext;

	r->patient = true;
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	/* The snapshot of the CALL would be one that the copy is to wait for. */
	SPI_commit();
	replace_leaves(r);
	SPI_finish();
	MemoryContextSwitchTo(old);
}

static int
find_month_of(const Leaf *leaves, int n, const Month *m)
{
	int i = 0;

	while (i < n && leaves[i].to <= m->from)
		i++;
	return i;
}

PG_FUNCTION_INFO_V1(tempo_merge_days);
Datum
tempo_merge_days(PG_FUNCTION_ARGS)
{
	DateADT date = PG_GETARG_DATEADT(0);
	Relation parent = open_own_parent(fcinfo, "tempo.merge_days()");
	Replace r;
	Month m;
	Leaf *leaves;
	int first;
	int count;
	int n;

	if (DATE_NOT_FINITE(date))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("date out of range for spans")));
	m = month_of((TimestampTz) date * USECS_PER_DAY);
	leaves = retain_leaves(parent, &n);
	first = find_month_of(leaves, n, &m);
	count = leaves_of_month(leaves, n, first, &m);
	if (count > 0)
		set_month(parent, CurrentMemoryContext, leaves + first, count, &m, &r);
	table_close(parent, AccessShareLock);
	if (count == 0)
		ereport(NOTICE, (errmsg("there are no days of %04d-%02d to merge", m.year, m.month)));
	else
		run_by_hand(&r);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(tempo_move_partition);
Datum
tempo_move_partition(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	char *tablespace = NameStr(*PG_GETARG_NAME(1));
	Relation parent = open_own_parent(fcinfo, "tempo.move_partition()");
	bool found = false;
	Replace r;
	Leaf *leaves;
	int n;

	(void) get_tablespace_oid(tablespace, false);
	leaves = retain_leaves(parent, &n);
	for (int i = 0; i < n; i++)
	{
		if (leaves[i].oid != relid || leaves[i].pending)
			continue;
		set_move(parent, CurrentMemoryContext, &leaves[i], tablespace, &r);
		found = true;
	}
	table_close(parent, AccessShareLock);
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a partition of \"tempo.spans\"", get_rel_name(relid))));
	run_by_hand(&r);
	PG_RETURN_VOID();
}
