/*
 * index_vacuum.c
 *	  VACUUM of the indexes of a table: entries of rows that are gone.
 *
 * A row is gone when its number was given out and the tuple that made it exist (the head of its recent
 * batch, the directory entry of its segment) has been removed from the companion heap. That removal is in
 * the WAL with the transaction it conflicts with, so on a standby nobody needs the entries either when
 * their removal, which carries no such mark, is replayed. Row numbers are never given out again.
 *
 * LockPage(table, 0), taken exclusively for an instant, makes sure that the tuples of all numbers given out
 * are in: whoever takes numbers holds it until then.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/multixact.h"
#include "access/table.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "store/metapage.h"
#include "store/store.h"

typedef struct RowRange
{
	uint64 first;
	uint64 end;
} RowRange;

/* Row numbers that are not gone, in order; from next_row on nothing is known. */
typedef struct LiveRows
{
	RowRange *ranges;
	int n;
	uint64 next_row;
} LiveRows;

static int
compare_ranges(const void *a, const void *b)
{
	uint64 x = ((const RowRange *) a)->first;
	uint64 y = ((const RowRange *) b)->first;

	return (x > y) - (x < y);
}

static void
find_live_rows(Relation rel, LiveRows *live)
{
	MetaPage meta;
	StoreUnit *units;
	int nunits;

	LockPage(rel, 0, ExclusiveLock);
	metapage_read(rel, &meta);
	UnlockPage(rel, 0, ExclusiveLock);
	units = store_units(rel, SnapshotAny, &nunits);
	live->next_row = meta.next_row;
	live->ranges = MemoryContextAllocHuge(CurrentMemoryContext, (nunits + 1) * sizeof(RowRange));
	live->n = 0;
	for (int i = 0; i < nunits; i++)
		live->ranges[live->n++] = (RowRange){units[i].first_row, units[i].first_row + units[i].nrows};
	if (live->n > 1)
		qsort(live->ranges, live->n, sizeof(RowRange), compare_ranges);
	if (units)
		pfree(units);
}

static bool
is_gone(ItemPointer tid, void *arg)
{
	const LiveRows *live = arg;
	uint64 row = store_tid_to_row(tid);
	int lo = 0;
	int hi = live->n;

	if (row >= live->next_row)
		return false;
	while (lo < hi)
	{
		int mid = lo + (hi - lo) / 2;

		if (live->ranges[mid].first <= row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 || row >= live->ranges[lo - 1].end;
}

static void
vacuum_index(Relation rel, Relation index, double rows, LiveRows *live, BufferAccessStrategy strategy)
{
	IndexVacuumInfo info = {.index = index,
							.message_level = DEBUG2,
							.num_heap_tuples = rows,
							.estimated_count = true,
							.strategy = strategy};
	IndexBulkDeleteResult *stats;

	compat_vacuum_heap(&info, rel);
	stats = index_bulk_delete(&info, NULL, is_gone, live);
	stats = index_vacuum_cleanup(&info, stats);
	if (stats && !stats->estimated_count)
		vac_update_relstats(index, stats->num_pages, stats->num_index_tuples, 0, false, InvalidTransactionId,
							InvalidMultiXactId, NULL, NULL, false);
}

/*
 * What merges left in the companion heap has to be removed before the entries can be. Core vacuums that
 * heap too, but after the table.
 */
static void
vacuum_companion(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
	Relation companion = table_open(rel->rd_rel->reltoastrelid, ShareUpdateExclusiveLock);

	table_relation_vacuum(companion, params, strategy);
	table_close(companion, NoLock);
}

void
am_vacuum_indexes(Relation rel, struct VacuumParams *params, double rows, BufferAccessStrategy strategy)
{
	Relation *indexes;
	int n;
	LiveRows live;

	if (!rel->rd_rel->relhasindex || params->index_cleanup == VACOPTVALUE_DISABLED)
		return;
	if (params->options & VACOPT_PROCESS_TOAST)
		vacuum_companion(rel, params, strategy);
	vac_open_indexes(rel, RowExclusiveLock, &n, &indexes);
	if (n > 0)
		find_live_rows(rel, &live);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		vacuum_index(rel, indexes[i], rows, &live, strategy);
	}
	vac_close_indexes(n, indexes, NoLock);
}
