/*
 * index_build.c
 *	  Filling an index from the rows of a table: CREATE INDEX, REINDEX, and the second pass of both when
 *	  CONCURRENTLY.
 *
 * Whoever builds without CONCURRENTLY has a lock that keeps inserts and merges out, so what SnapshotSelf
 * sees is what is there, the same in each parallel worker. Older snapshots may still need units that were
 * merged away and are not vacuumable: those are indexed as well, by one participant. Deleted rows have
 * entries like all others until a merge drops them.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"
#include "am/am.h"
#include "am/open_unit.h"
#include "store/metapage.h"

/* Rows become index tuples here. */
typedef struct IndexForm
{
	Relation rel;
	Relation index;
	IndexInfo *info;
	EState *estate;
	ExprContext *econtext;
	ExprState *predicate;
	TupleTableSlot *slot;
	Datum values[INDEX_MAX_KEYS];
	bool isnull[INDEX_MAX_KEYS];
} IndexForm;

static void
form_begin(IndexForm *f, Relation rel, Relation index, IndexInfo *info)
{
	f->rel = rel;
	f->index = index;
	f->info = info;
	f->estate = CreateExecutorState();
	f->econtext = GetPerTupleExprContext(f->estate);
	f->slot = table_slot_create(rel, NULL);
	f->econtext->ecxt_scantuple = f->slot;
	f->predicate = ExecPrepareQual(info->ii_Predicate, f->estate);
}

/* The entry of the row in the slot into values and isnull; false if a partial index does not want it. */
static bool
form_entry(IndexForm *f)
{
	ResetPerTupleExprContext(f->estate);
	if (f->predicate && !ExecQual(f->predicate, f->econtext))
		return false;
	FormIndexDatum(f->info, f->slot, f->estate, f->values, f->isnull);
	return true;
}

static void
form_end(IndexForm *f)
{
	ExecDropSingleTupleTableSlot(f->slot);
	FreeExecutorState(f->estate);
	/* These may have pointed into the executor state. */
	f->info->ii_ExpressionsState = NIL;
	f->info->ii_PredicateState = NULL;
}

/* ---- units merged away ---- */

static bool
has_unit(const StoreUnit *units, int n, const StoreUnit *unit)
{
	for (int i = 0; i < n; i++)
		if (units[i].first_row == unit->first_row)
			return true;
	return false;
}

static void
index_dead_units(IndexForm *f, IndexBuildCallback callback, void *state)
{
	Relation companion = table_open(f->rel->rd_rel->reltoastrelid, AccessShareLock);
	int n;
	int nlive;
	StoreUnit *live = store_units(f->rel, SnapshotSelf, &nlive);
	StoreUnit *units;
	SnapshotData needed;

	InitNonVacuumableSnapshot(needed, GlobalVisTestFor(companion));
	units = store_units(f->rel, &needed, &n);
	for (int i = 0; i < n; i++)
	{
		OpenUnit *open = NULL;

		/* VACUUM may remove it while we read: then nobody needs it any more. */
		if (!has_unit(live, nlive, &units[i]))
			open = am_open_unit(f->rel, &needed, &units[i], CurrentMemoryContext, true);
		if (open == NULL)
			continue;
		for (uint32 row = 0; row < units[i].nrows; row++)
		{
			uint32 at = am_open_unit_row(open, row);

			CHECK_FOR_INTERRUPTS();
			am_slot_store(f->slot, open->reader, at, units[i].first_row + row, RelationGetRelid(f->rel));
			if (form_entry(f))
				callback(f->index, &f->slot->tts_tid, f->values, f->isnull, false, state);
		}
		ExecClearTuple(f->slot);
		am_close_unit(open);
	}
	table_close(companion, AccessShareLock);
}

/* ---- CREATE INDEX and REINDEX ---- */

static double
index_scanned_rows(IndexForm *f, TableScanDesc scan, IndexBuildCallback callback, void *state)
{
	double rows = 0;

	am_scan_with_deleted(scan);
	while (table_scan_getnextslot(scan, ForwardScanDirection, f->slot))
	{
		bool alive = !am_scan_at_deleted(scan);

		rows += alive;
		if (form_entry(f))
			callback(f->index, &f->slot->tts_tid, f->values, f->isnull, alive, state);
	}
	return rows;
}

double
am_index_build_range_scan(Relation rel, Relation index, IndexInfo *info, bool allow_sync, bool anyvisible,
						  bool progress, BlockNumber start, BlockNumber nblocks, IndexBuildCallback callback,
						  void *state, TableScanDesc scan)
{
	Snapshot registered = NULL;
	bool alone; /* nobody writes */
	double rows;
	MetaPage meta;
	IndexForm f;

	if (info->ii_Unique || info->ii_ExclusionOps)
		am_refuse(rel, "unique indexes and exclusion constraints");
	if (start != 0 || nblocks != InvalidBlockNumber)
		am_refuse(rel, "indexes on ranges of blocks");
	/* TRUNCATE builds indexes over new files before the index of the companion heap is. */
	metapage_read(rel, &meta);
	if (meta.next_row == 0)
	{
		if (scan)
			table_endscan(scan);
		return 0;
	}
	if (scan == NULL && info->ii_Concurrent)
		registered = RegisterSnapshot(GetTransactionSnapshot());
	if (scan == NULL)
		scan = table_beginscan_strat(rel, registered ? registered : SnapshotSelf, 0, NULL, true, false);
	else if (scan->rs_snapshot->snapshot_type == SNAPSHOT_ANY)
		scan->rs_snapshot = SnapshotSelf;
	alone = scan->rs_snapshot->snapshot_type == SNAPSHOT_SELF;
	form_begin(&f, rel, index, info);
	rows = index_scanned_rows(&f, scan, callback, state);
	ExecClearTuple(f.slot);
	if (alone && am_scan_ended_last(scan))
		index_dead_units(&f, callback, state);
	table_endscan(scan);
	if (registered)
		UnregisterSnapshot(registered);
	form_end(&f);
	return rows;
}

/* ---- rows that an index lacks ---- */

/* TIDs the index has, in order. */
typedef struct IndexedTids
{
	Tuplesortstate *sorted;
	int64 current; /* the least one not passed; PG_INT64_MAX behind the last */
} IndexedTids;

static void
next_indexed(IndexedTids *t)
{
	Datum value;
	bool isnull;

	if (compat_tuplesort_getdatum(t->sorted, &value, &isnull))
		t->current = DatumGetInt64(value);
	else
		t->current = PG_INT64_MAX;
}

static bool
is_indexed(IndexedTids *t, ItemPointer tid)
{
	int64 wanted = itemptr_encode(tid);

	while (t->current < wanted)
		next_indexed(t);
	return t->current == wanted;
}

static int
compare_units(const void *a, const void *b)
{
	uint64 x = ((const StoreUnit *) a)->first_row;
	uint64 y = ((const StoreUnit *) b)->first_row;

	return (x > y) - (x < y);
}

typedef void (*MissingCallback)(IndexForm *f, void *arg);

static uint64
unit_missing(IndexForm *f, OpenUnit *open, IndexedTids *indexed, MissingCallback callback, void *arg)
{
	uint64 missing = 0;

	for (uint32 row = 0; row < open->unit.nrows; row++)
	{
		uint32 at = am_open_unit_row(open, row);

		CHECK_FOR_INTERRUPTS();
		am_slot_store(f->slot, open->reader, at, open->unit.first_row + row, RelationGetRelid(f->rel));
		if (is_indexed(indexed, &f->slot->tts_tid) || !form_entry(f))
			continue;
		callback(f, arg);
		missing++;
	}
	ExecClearTuple(f->slot);
	return missing;
}

/* Rows of what the snapshot sees, deleted or not, that should have an entry but whose TID is not in sorted.
 */
static uint64
find_missing(IndexForm *f, Snapshot snapshot, Tuplesortstate *sorted, uint64 *rows, MissingCallback callback,
			 void *arg)
{
	int n;
	StoreUnit *units = store_units(f->rel, snapshot, &n);
	IndexedTids indexed = {sorted, -1};
	uint64 missing = 0;

	if (n > 1)
		qsort(units, n, sizeof(StoreUnit), compare_units);
	*rows = 0;
	for (int i = 0; i < n; i++)
	{
		OpenUnit *open = am_open_unit(f->rel, snapshot, &units[i], CurrentMemoryContext, false);

		missing += unit_missing(f, open, &indexed, callback, arg);
		*rows += units[i].nrows;
		am_close_unit(open);
	}
	return missing;
}

/* ---- what CONCURRENTLY missed in its first pass ---- */

static void
insert_missing(IndexForm *f, void *arg)
{
	index_insert(f->index, f->values, f->isnull, &f->slot->tts_tid, f->rel, UNIQUE_CHECK_NO, false, f->info);
}

void
am_index_validate_scan(Relation rel, Relation index, IndexInfo *info, Snapshot snapshot,
					   ValidateIndexState *state)
{
	uint64 rows;
	IndexForm f;

	form_begin(&f, rel, index, info);
	state->tups_inserted += find_missing(&f, snapshot, state->tuplesort, &rows, insert_missing, NULL);
	state->htups += rows;
	form_end(&f);
}

/* ---- tempo_check ---- */

static Tuplesortstate *
sort_entries(Relation rel, Relation index, Snapshot snapshot)
{
	Tuplesortstate *sorted = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false,
												   maintenance_work_mem, NULL, TUPLESORT_NONE);
	IndexScanDesc scan = index_beginscan(rel, index, snapshot, 0, 0);
	ItemPointer tid;

	index_rescan(scan, NULL, 0, NULL, 0);
	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		tuplesort_putdatum(sorted, Int64GetDatum(itemptr_encode(tid)), false);
	}
	index_endscan(scan);
	tuplesort_performsort(sorted);
	return sorted;
}

static void
count_missing(IndexForm *f, void *arg)
{
}

uint64
am_index_missing(Relation rel, Relation index, Snapshot snapshot)
{
	IndexInfo *info = BuildIndexInfo(index);
	Tuplesortstate *sorted;
	uint64 missing;
	uint64 rows;
	IndexForm f;

	/* Others cannot be read from end to end. */
	if (!index->rd_indam->amoptionalkey || index->rd_indam->amgettuple == NULL ||
		!index->rd_index->indisvalid)
		return 0;
	sorted = sort_entries(rel, index, snapshot);
	form_begin(&f, rel, index, info);
	missing = find_missing(&f, snapshot, sorted, &rows, count_missing, NULL);
	form_end(&f);
	tuplesort_end(sorted);
	return missing;
}
