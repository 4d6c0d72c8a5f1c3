/*
 * fetch.c
 *	  One row by its TID: AFTER ROW triggers, EvalPlanQual, ctid = '...'.
 *
 * Such fetches come in runs of neighbours, so the vector found last stays open for the transaction, until
 * a row elsewhere is asked for or the relation's cache entry is invalidated. A unit is immutable and its
 * numbers are never reused, so what is open cannot become wrong, only invisible: it serves only snapshots
 * that see what the one it was found with saw.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "am/open_unit.h"
#include "store/metapage.h"

typedef struct FetchCache
{
	MemoryContext context; /* child of TopTransactionContext */
	MemoryContextCallback forget;
	Relation rel; /* not pinned: see stale */
	Oid relid;
	RelFileLocator node;
	SnapshotData snapshot; /* scalar fields only */
	OpenUnit *open;
} FetchCache;

static FetchCache *cache;
static bool stale; /* an invalidation came: cache->rel may be gone */

static void
forget_cache(void *arg)
{
	cache = NULL;
}

static void
relcache_callback(Datum arg, Oid relid)
{
	stale = true;
}

static void
drop_cache(void)
{
	if (cache)
		MemoryContextDelete(cache->context);
}

/* Does b see everything of a unit that a saw? */
static bool
sees_the_same(const SnapshotData *a, const SnapshotData *b)
{
	if (a->snapshot_type == SNAPSHOT_SELF && b->snapshot_type == SNAPSHOT_ANY)
		return true;
	return (a->snapshot_type == SNAPSHOT_SELF || a->snapshot_type == SNAPSHOT_ANY ||
			a->snapshot_type == SNAPSHOT_MVCC) &&
		   am_same_snapshot(a, b);
}

static bool
cached_unit(Relation rel, Snapshot snapshot, uint64 row)
{
	return cache && !stale && cache->rel == rel && cache->relid == RelationGetRelid(rel) &&
		   RelFileLocatorEquals(cache->node, rel->rd_locator) && sees_the_same(&cache->snapshot, snapshot) &&
		   row >= cache->open->unit.first_row && row - cache->open->unit.first_row < cache->open->unit.nrows;
}

static void
make_cache(Relation rel, Snapshot snapshot, const StoreUnit *unit)
{
	static bool registered;
	MemoryContext context;
	MemoryContext old;
	FetchCache *fresh;

	if (!registered)
		CacheRegisterRelcacheCallback(relcache_callback, (Datum) 0);
	registered = true;
	drop_cache();
	context = AllocSetContextCreate(TopTransactionContext, "tempo row fetch", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	fresh = palloc0(sizeof(FetchCache));
	fresh->context = context;
	fresh->rel = rel;
	fresh->relid = RelationGetRelid(rel);
	fresh->node = rel->rd_locator;
	fresh->snapshot = *snapshot;
	fresh->open = am_open_unit(rel, snapshot, unit, context, false);
	fresh->forget.func = forget_cache;
	MemoryContextRegisterResetCallback(context, &fresh->forget);
	cache = fresh;
	stale = false;
	MemoryContextSwitchTo(old);
}

/* Find the unit of a row and open it. What SnapshotSelf sees serves SnapshotAny as well. */
static bool
find_unit(Relation rel, Snapshot snapshot, uint64 row)
{
	uint64 hint = 0;
	StoreUnit unit;

	if (cached_unit(rel, snapshot, row))
		return true;
	if (cache && cache->relid == RelationGetRelid(rel) && cache->open->unit.kind == UNIT_RECENT)
		hint = cache->open->unit.id;
	if (snapshot->snapshot_type == SNAPSHOT_ANY && store_find_row(rel, SnapshotSelf, row, hint, &unit))
		make_cache(rel, SnapshotSelf, &unit);
	else if (store_find_row(rel, snapshot, row, hint, &unit))
		make_cache(rel, snapshot, &unit);
	else
		return false;
	return true;
}

bool
am_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	uint64 number = store_tid_to_row(tid);
	uint32 row;

	ExecClearTuple(slot);
	if (!find_unit(rel, snapshot, number))
		return false;
	row = (uint32) (number - cache->open->unit.first_row);
	if (am_open_unit_deleted(rel, snapshot, cache->open, row))
		return false;
	row = am_open_unit_row(cache->open, row);
	am_slot_store(slot, cache->open->reader, row, number, RelationGetRelid(rel));
	/* The values are the cache's: the next fetch may go elsewhere while this slot is still read. */
	ExecMaterializeSlot(slot);
	return true;
}

bool
am_tuple_tid_valid(TableScanDesc scan, ItemPointer tid)
{
	MetaPage meta;

	metapage_read(scan->rs_rd, &meta);
	return ItemPointerIsValid(tid) && store_tid_to_row(tid) < meta.next_row;
}

/* Rows have one version. */
void
am_tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid)
{
}

bool
am_tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot)
{
	uint64 number = store_tid_to_row(&slot->tts_tid);

	return find_unit(rel, snapshot, number) &&
		   !am_open_unit_deleted(rel, snapshot, cache->open, (uint32) (number - cache->open->unit.first_row));
}
