/*
 * split.c
 *	  Marking the split traces of a segment being written.
 *
 * Looked at: segments of the same tenant, in this table (those that stay) and in its siblings (all that
 * the snapshot sees; the merge lock keeps others from adding some). By the bloom filter, then the index of
 * traces, then the trace table. Other segments are not changed: readers take the union of all marks.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "merge/merge.h"
#include "store/split.h"

/* Marks traces of batch that are in this segment too. */
static bool
mark_against(Relation rel, Snapshot snapshot, const StoreUnit *unit, Batch *batch)
{
	Column *ids = batch_column(batch, LEVEL_TRACE, TC_ID);
	Column *split = batch_column(batch, LEVEL_TRACE, TC_SPLIT);
	MemoryContext context;
	MemoryContext old;
	TraceFinder finder;
	bool any = false;

	context = AllocSetContextCreate(CurrentMemoryContext, "tempo split marks", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	store_trace_finder(&finder, store_open(rel, snapshot, unit, store_arena(context)));
	for (uint32 i = 0; i < ids->n; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		if (store_has_trace(&finder, ids->fixed + (Size) i * 16))
		{
			split->i64[i] = 1;
			any = true;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return any;
}

static bool
mark_against_all(Relation rel, Snapshot snapshot, uint64 tenant, const StoreUnit *units, int n, Batch *batch)
{
	bool any = false;

	for (int i = 0; i < n; i++)
		if (units[i].tenant == tenant && units[i].has_range)
			any |= mark_against(rel, snapshot, &units[i], batch);
	return any;
}

/* The other leaves of the partitioned table this one is a leaf of. */
static List *
siblings(Relation rel)
{
	List *ancestors;
	List *leaves;

	if (!rel->rd_rel->relispartition)
		return NIL;
	ancestors = get_partition_ancestors(RelationGetRelid(rel));
	/* It is being detached: snapshots that see it as a partition see nothing we write. */
	if (ancestors == NIL)
		return NIL;
	leaves = find_all_inheritors(llast_oid(ancestors), AccessShareLock, NULL);
	return list_delete_oid(leaves, RelationGetRelid(rel));
}

static bool
mark_against_table(Oid relid, Snapshot snapshot, uint64 tenant, Batch *batch)
{
	Relation rel;
	Companion c;
	UnitList segments = {0};
	uint64 below;
	bool any;

	if (!am_is_tempo_oid(relid))
		return false;
	rel = table_open(relid, NoLock);
	companion_open(rel, AccessShareLock, &c);
	directory_read(&c, snapshot, &segments, &below);
	companion_close(&c);
	any = mark_against_all(rel, snapshot, tenant, segments.units, segments.n, batch);
	table_close(rel, NoLock);
	return any;
}

bool
merge_mark_split(Relation rel, Snapshot snapshot, uint64 tenant, const StoreUnit *kept, int nkept,
				 Batch *batch)
{
	bool any = mark_against_all(rel, snapshot, tenant, kept, nkept, batch);
	ListCell *lc;

	foreach (lc, siblings(rel))
		any |= mark_against_table(lfirst_oid(lc), snapshot, tenant, batch);
	return any;
}

static void
forget_marks(Relation rel)
{
	UnitList segments = {0};
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	Companion c;
	uint64 below;

	companion_open(rel, RowExclusiveLock, &c);
	directory_read(&c, snapshot, &segments, &below);
	for (int i = 0; i < segments.n; i++)
	{
		StoreUnit *u = &segments.units[i];

		if (u->marks_unknown || !u->has_range)
			continue;
		u->marks_unknown = u->has_split = true;
		companion_delete(&c, &u->entry_tid);
		directory_insert(&c, u, below, GetCurrentCommandId(true));
	}
	companion_close(&c);
	UnregisterSnapshot(snapshot);
}

static Oid keep_marks;
static FullTransactionId keep_marks_in;

void
merge_keep_marks(Oid relid)
{
	keep_marks = relid;
	keep_marks_in = GetTopFullTransactionId();
}

void
merge_forget_marks(Oid relid)
{
	ListCell *lc;

	if (relid == keep_marks && FullTransactionIdEquals(keep_marks_in, GetTopFullTransactionIdIfAny()))
		return;
	CommandCounterIncrement();
	foreach (lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation rel;

		if (!am_is_tempo_oid(lfirst_oid(lc)))
			continue;
		rel = table_open(lfirst_oid(lc), RowExclusiveLock);
		forget_marks(rel);
		table_close(rel, NoLock);
	}
}
