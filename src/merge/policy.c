/*
 * policy.c
 *	  What is merged, and when; the settings; the SQL function and the worker's step.
 *
 * Recent batches are merged in order of their numbers, about tempo.segment_rows rows at a time: when that
 * many wait, or when the oldest has waited for tempo.merge_delay. Age makes small segments. Those of one
 * tenant and of about one size (a factor of 8) are merged again when there are 8 of them, or when together
 * they fill a segment; so a row is rewritten once for each factor of 8, and never once its segment is full.
 * Segments that came with an attached partition are written again for their marks.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "am/am.h"
#include "compat.h"
#include "merge/merge.h"
#include "merge/partition.h"
#include "store/metapage.h"

#define TIER_FACTOR 8

int merge_segment_rows;
int merge_delay;

void
merge_define_settings(void)
{
	DefineCustomIntVariable("tempo.segment_rows", "Rows that a segment is made of when as many wait.",
							"Larger segments are smaller on disk; a merge needs memory in proportion.",
							&merge_segment_rows, 262144, 1000, 4194304, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("tempo.merge_delay", "Time after which recent batches are merged however few.",
							NULL, &merge_delay, 300, 1, 7 * 24 * 3600, PGC_SUSET, GUC_UNIT_S, NULL, NULL,
							NULL);
}

/* ---- choosing ---- */

/* Recent batches from the first on, until they make a segment. */
static int
take_recent(const UnitList *recent)
{
	uint64 rows = 0;
	int n = 0;

	while (n < recent->n && rows < (uint64) merge_segment_rows)
		rows += recent->units[n++].nrows;
	return n;
}

static bool
recent_due(const UnitList *recent)
{
	uint64 rows = 0;

	if (recent->n == 0)
		return false;
	for (int i = 0; i < recent->n; i++)
		rows += recent->units[i].nrows;
	return rows >= (uint64) merge_segment_rows ||
		   TimestampDifferenceExceeds(recent->units[0].made_at, GetCurrentTimestamp(), merge_delay * 1000);
}

static int
size_tier(uint32 nrows)
{
	int tier = 0;

	for (; nrows >= TIER_FACTOR; nrows /= TIER_FACTOR)
		tier++;
	return tier;
}

static bool
same_group(const StoreUnit *a, const StoreUnit *b)
{
	return a->tenant == b->tenant && size_tier(a->nrows) == size_tier(b->nrows);
}

/* Small segments like units[first], up to a segment's worth. Returns how many; chosen[] is set for them. */
static int
take_group(const UnitList *segments, int first, bool *chosen)
{
	uint64 rows = 0;
	int n = 0;

	memset(chosen, 0, segments->n * sizeof(bool));
	for (int i = first; i < segments->n && rows < (uint64) merge_segment_rows; i++)
	{
		if (!same_group(&segments->units[first], &segments->units[i]))
			continue;
		chosen[i] = true;
		rows += segments->units[i].nrows;
		n++;
	}
	return n >= TIER_FACTOR || (n > 1 && rows >= (uint64) merge_segment_rows) ? n : 0;
}

/* A group of small segments to merge again. */
static bool
choose_segments(const UnitList *segments, MergeInputs *in)
{
	bool *chosen = palloc(Max(segments->n, 1) * sizeof(bool));

	for (int first = 0; first < segments->n; first++)
	{
		int n;

		if (segments->units[first].nrows >= (uint32) merge_segment_rows / 2)
			continue;
		n = take_group(segments, first, chosen);
		if (n == 0)
			continue;
		in->units = palloc(n * sizeof(StoreUnit));
		in->kept = palloc(segments->n * sizeof(StoreUnit));
		for (int i = 0; i < segments->n; i++)
		{
			if (chosen[i])
				in->units[in->n++] = segments->units[i];
			else
				in->kept[in->nkept++] = segments->units[i];
		}
		return true;
	}
	return false;
}

/* Segments whose marks are unknown, up to a segment's worth: writing them again makes the marks. */
static bool
choose_unmarked(const UnitList *segments, MergeInputs *in)
{
	uint64 rows = 0;

	in->units = palloc(Max(segments->n, 1) * sizeof(StoreUnit));
	in->kept = palloc(Max(segments->n, 1) * sizeof(StoreUnit));
	for (int i = 0; i < segments->n; i++)
	{
		const StoreUnit *u = &segments->units[i];

		if (u->marks_unknown && (in->n == 0 || rows + u->nrows <= (uint64) merge_segment_rows))
		{
			in->units[in->n++] = *u;
			rows += u->nrows;
		}
		else
			in->kept[in->nkept++] = *u;
	}
	return in->n > 0;
}

bool
merge_choose(Relation rel, Companion *c, Snapshot snapshot, bool all, MergeInputs *in)
{
	UnitList segments = {0};
	UnitList recent = {0};

	memset(in, 0, sizeof(*in));
	directory_read(c, snapshot, &segments, &in->below);
	recent_read(c, snapshot, in->below, &recent);
	if (all ? recent.n > 0 : recent_due(&recent))
	{
		in->units = recent.units;
		in->n = take_recent(&recent);
		in->kept = segments.units;
		in->nkept = segments.n;
		return true;
	}
	if (choose_unmarked(&segments, in))
		return true;
	in->nkept = 0;
	return choose_segments(&segments, in);
}

/* ---- tables ---- */

List *
merge_tables(Oid relid, LOCKMODE lock)
{
	List *tables = NIL;
	List *all = list_make1_oid(relid);
	char kind;
	ListCell *lc;

	LockRelationOid(relid, lock);
	kind = get_rel_relkind(relid);
	if (kind == '\0')
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u was dropped concurrently", relid)));
	if (kind == RELKIND_PARTITIONED_TABLE)
		all = find_all_inheritors(relid, lock, NULL);
	foreach (lc, all)
		if (am_is_tempo_oid(lfirst_oid(lc)))
			tables = lappend_oid(tables, lfirst_oid(lc));
	if (tables == NIL && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table of access method tempo", get_rel_name(relid))));
	return tables;
}

static uint64
merge_table(Oid relid, bool all, bool one_round)
{
	Relation rel = table_open(relid, NoLock);
	uint64 total = 0;
	uint64 rows;

	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot merge temporary tables of other sessions")));
	do
	{
		rows = merge_round(rel, all);
		total += rows;
	} while (rows > 0 && !one_round);
	table_close(rel, NoLock);
	return total;
}

PG_FUNCTION_INFO_V1(tempo_merge);

Datum
tempo_merge(PG_FUNCTION_ARGS)
{
	Oid relid = PG_ARGISNULL(0) ? partition_parent() : PG_GETARG_OID(0);
	uint64 total = 0;
	ListCell *lc;

	PreventCommandIfReadOnly("tempo_merge()");
	PreventCommandDuringRecovery("tempo_merge()");
	/* It merges what is committed now, and this transaction would then see that. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("tempo_merge() cannot run in a transaction of isolation level %s",
							   IsolationIsSerializable() ? "serializable" : "repeatable read")));
	if (!pg_class_ownercheck(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	merge_lock(true);
	foreach (lc, merge_tables(relid, RowExclusiveLock))
		total += merge_table(lfirst_oid(lc), true, false);
	PG_RETURN_INT64((int64) total);
}

/* ---- the worker's step ---- */

/* The table merged last: the next step begins after it, so that a busy one does not starve the others. */
static Oid last_merged;

static int
compare_turns(const ListCell *a, const ListCell *b)
{
	/* Unsigned differences: oids after last_merged come first, it comes last. */
	Oid x = lfirst_oid(a) - last_merged - 1;
	Oid y = lfirst_oid(b) - last_merged - 1;

	return (x > y) - (x < y);
}

/* Tables of access method tempo in this database that any session may write, whose turn it is first. */
static List *
all_tables(void)
{
	Relation class = table_open(RelationRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(class, 0, NULL);
	Oid am = am_oid();
	List *tables = NIL;
	HeapTuple tup;

	while (OidIsValid(am) && (tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tup);

		if (form->relam == am && form->relpersistence != RELPERSISTENCE_TEMP &&
			OidIsValid(form->reltoastrelid) && RELKIND_HAS_TABLE_AM(form->relkind))
			tables = lappend_oid(tables, form->oid);
	}
	table_endscan(scan);
	table_close(class, AccessShareLock);
	list_sort(tables, compare_turns);
	return tables;
}

/* One round of a table, unless it is gone or locked against writing. */
static uint64
try_table(Oid relid)
{
	Relation rel;
	uint64 rows;

	if (!ConditionalLockRelationOid(relid, RowExclusiveLock))
		return 0;
	rel = try_table_open(relid, NoLock);
	if (rel == NULL)
		return 0;
	rows = merge_round(rel, false);
	/* Keep the lock only on what was changed. */
	table_close(rel, rows ? NoLock : RowExclusiveLock);
	return rows;
}

bool
merge_step(void)
{
	ListCell *lc;

	if (RecoveryInProgress() || !merge_lock(false))
		return false;
	foreach (lc, all_tables())
	{
		CHECK_FOR_INTERRUPTS();
		if (try_table(lfirst_oid(lc)) > 0)
		{
			last_merged = lfirst_oid(lc);
			return true;
		}
	}
	return false;
}

PG_FUNCTION_INFO_V1(tempo_merge_step);

Datum
tempo_merge_step(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("tempo.merge_step()");
	PreventCommandDuringRecovery("tempo.merge_step()");
	PG_RETURN_BOOL(merge_step());
}
