/*
 * statistics.c
 *	  Statistics of tempo.spans as a whole, which joins and grouping go by. Autovacuum analyzes partitions
 *	  only; the maintenance worker comes here.
 *
 * ANALYZE of the parent samples all of its leaves and takes seconds under ShareUpdateExclusive, which making
 * a new day's partition needs too. So it is done seldom, and given up when somebody waits.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "am/am.h"
#include "merge/partition.h"
#include "store/store.h"

/* However little has changed, if anything has: frequent values go stale. */
#define OLD_HOURS 24

static double
count_rows(Relation parent)
{
	double rows = 0;
	ListCell *lc;

	foreach (lc, find_all_inheritors(RelationGetRelid(parent), AccessShareLock, NULL))
	{
		Relation leaf;

		if (!am_is_tempo_oid(lfirst_oid(lc)))
			continue;
		leaf = table_open(lfirst_oid(lc), NoLock);
		rows += store_estimate(leaf, GetActiveSnapshot()).rows;
		table_close(leaf, NoLock);
	}
	return rows;
}

/* When the table was last analyzed by a statement, as we do it; 0 if never. */
static TimestampTz
last_analyzed(Oid relid)
{
	LOCAL_FCINFO(call, 1);
	Datum when;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(relid);
	call->args[0].isnull = false;
	when = pg_stat_get_last_analyze_time(call);
	return call->isnull ? 0 : DatumGetTimestampTz(when);
}

static bool
is_due(Relation parent, int pause_ms)
{
	static TimestampTz tried; /* here, whatever the cumulative statistics say */
	float4 known = parent->rd_rel->reltuples;
	float4 rows = (float4) count_rows(parent);
	TimestampTz last = Max(tried, last_analyzed(RelationGetRelid(parent)));
	TimestampTz now = GetCurrentTimestamp();

	if (rows == 0 || rows == known || (known >= 0 && !TimestampDifferenceExceeds(last, now, pause_ms)))
		return false;
	if (known >= 0 && now - last < OLD_HOURS * USECS_PER_HOUR &&
		fabs(rows - known) <= autovacuum_anl_thresh + autovacuum_anl_scale * known)
		return false;
	tried = now;
	return true;
}

/* The parent, while it is analyzed. */
static Oid analyzed;

static void
give_way(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, analyzed);
	if (LockHasWaiters(&tag, ShareUpdateExclusiveLock, false))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("others wait for the lock of the partitioned table")));
}

static void
analyze(Oid parent)
{
	VacuumParams params = {.options = VACOPT_ANALYZE | VACOPT_SKIP_LOCKED, .log_min_duration = -1};

	analyzed = parent;
	am_analyze_hook = give_way;
	PG_TRY();
	{
		analyze_rel(parent, NULL, &params, NIL, false, GetAccessStrategy(BAS_VACUUM));
	}
	PG_FINALLY();
	{
		am_analyze_hook = NULL;
	}
	PG_END_TRY();
}

bool
partition_analyze(int pause_ms)
{
	Relation parent;
	Oid relid;
	bool due;

	parent = partition_open_parent(AccessShareLock);
	relid = RelationGetRelid(parent);
	due = is_due(parent, pause_ms);
	table_close(parent, AccessShareLock);
	if (due)
		analyze(relid);
	return due;
}
