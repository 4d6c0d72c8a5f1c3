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
#include "store/directory.h"
#include "store/metapage.h"

typedef struct FetchCache
{
	MemoryContext context; /* child of TopTransactionContext */
	MemoryContextCallback forget;
	Relation rel; /* not pinned: see stale */
	Oid relid;
	RelFileLocator node;
	SnapshotData snapshot; /* scalar fields only */
	StoreUnit unit;
	uint32 *deleted; /* under an MVCC snapshot: store_deleted_rows() */
	uint32 ndeleted;
	Image *image;
	RowReader *reader;
	MemoryContext vector_context;
	int64 vector;
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
	if (a->snapshot_type == SNAPSHOT_SELF)
		return b->snapshot_type == SNAPSHOT_SELF || b->snapshot_type == SNAPSHOT_ANY;
	if (a->snapshot_type != b->snapshot_type)
		return false;
	if (a->snapshot_type == SNAPSHOT_ANY)
		return true;
	return a->snapshot_type == SNAPSHOT_MVCC && a->xmin == b->xmin && a->xmax == b->xmax &&
		   a->xcnt == b->xcnt && a->subxcnt == b->subxcnt && a->curcid == b->curcid;
}

static bool
cached_unit(Relation rel, Snapshot snapshot, uint64 row)
{
	return cache && !stale && cache->rel == rel && cache->relid == RelationGetRelid(rel) &&
		   RelFileLocatorEquals(cache->node, rel->rd_locator) && sees_the_same(&cache->snapshot, snapshot) &&
		   row >= cache->unit.first_row && row - cache->unit.first_row < cache->unit.nrows;
}

/* The snapshot may be gone when the next row is fetched: a recent batch is read at once. */
static Image *
open_whole(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena)
{
	const uint8 *bytes = NULL;

	if (unit->kind == UNIT_RECENT)
	{
		Companion c;

		companion_open(rel, AccessShareLock, &c);
		bytes = recent_image(&c, snapshot, unit, arena, NULL);
		companion_close(&c);
	}
	return store_open_bytes(rel, unit, bytes, arena);
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
	fresh->unit = *unit;
	fresh->vector = -1;
	if (snapshot->snapshot_type == SNAPSHOT_MVCC)
		fresh->ndeleted = store_deleted_rows(rel, snapshot, unit, &fresh->deleted);
	fresh->image = open_whole(rel, snapshot, unit, store_arena(context));
	fresh->reader = row_reader_create(rel, RelationGetDescr(rel), context);
	fresh->vector_context = AllocSetContextCreate(context, "tempo row fetch vector", ALLOCSET_DEFAULT_SIZES);
	fresh->forget.func = forget_cache;
	MemoryContextRegisterResetCallback(context, &fresh->forget);
	cache = fresh;
	stale = false;
	MemoryContextSwitchTo(old);
}

/* Find the unit of a row and open it. What SnapshotSelf sees serves SnapshotAny as well. */
static bool
open_unit(Relation rel, Snapshot snapshot, uint64 row)
{
	uint64 hint = 0;
	StoreUnit unit;

	if (cached_unit(rel, snapshot, row))
		return true;
	if (cache && cache->relid == RelationGetRelid(rel) && cache->unit.kind == UNIT_RECENT)
		hint = cache->unit.id;
	if (snapshot->snapshot_type == SNAPSHOT_ANY && store_find_row(rel, SnapshotSelf, row, hint, &unit))
		make_cache(rel, SnapshotSelf, &unit);
	else if (store_find_row(rel, snapshot, row, hint, &unit))
		make_cache(rel, snapshot, &unit);
	else
		return false;
	return true;
}

static int
compare_rows(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* Is a row of the open unit deleted? To SnapshotAny no row is. */
static bool
row_deleted(Relation rel, Snapshot snapshot, uint64 row)
{
	uint32 key = (uint32) (row - cache->unit.first_row);

	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		return store_row_deleted(rel, snapshot, row);
	return cache->ndeleted > 0 &&
		   bsearch(&key, cache->deleted, cache->ndeleted, sizeof(uint32), compare_rows) != NULL;
}

/* Row of the unit to row of its vector, which is opened. */
static uint32
open_vector(uint32 row)
{
	uint32 nvectors = image_summary(cache->image)->nvectors;
	const ImageVector *info = NULL;
	MemoryContext old;
	uint32 v;

	for (v = 0; v < nvectors; v++)
	{
		info = image_vector_info(cache->image, v);
		if (row < info->first_row + info->nrows)
			break;
	}
	if (v == nvectors)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("row %u is in no vector", row)));
	if (cache->vector != v)
	{
		MemoryContextReset(cache->vector_context);
		old = MemoryContextSwitchTo(cache->vector_context);
		row_reader_attach(cache->reader, image_vector(cache->image, v, store_arena(cache->vector_context)));
		cache->vector = v;
		MemoryContextSwitchTo(old);
	}
	return row - info->first_row;
}

bool
am_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	uint64 number = store_tid_to_row(tid);
	uint32 row;

	ExecClearTuple(slot);
	if (!open_unit(rel, snapshot, number) || row_deleted(rel, snapshot, number))
		return false;
	row = open_vector((uint32) (number - cache->unit.first_row));
	row_reader_fill(cache->reader, row, slot->tts_values, slot->tts_isnull);
	slot->tts_tid = *tid;
	slot->tts_tableOid = RelationGetRelid(rel);
	ExecStoreVirtualTuple(slot);
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

	return open_unit(rel, snapshot, number) && !row_deleted(rel, snapshot, number);
}
