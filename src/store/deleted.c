/*
 * deleted.c
 *	  Which rows are deleted, as a snapshot sees it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/snapmgr.h"
#include "store/deleted.h"

static int
compare_first_row(const void *a, const void *b)
{
	uint64 x = (*(StoreUnit *const *) a)->first_row;
	uint64 y = (*(StoreUnit *const *) b)->first_row;

	return (x > y) - (x < y);
}

/* The first of the units, by row number, that ends behind row; n if there is none. */
static int
first_behind(StoreUnit **units, int n, uint64 row)
{
	int lo = 0;

	for (int hi = n; lo < hi;)
	{
		int mid = lo + (hi - lo) / 2;

		if (units[mid]->first_row + units[mid]->nrows > row)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* One tuple of a unit is enough, and tuples between units are of units that merges took: both are jumped. */
void
deleted_mark(Companion *c, Snapshot snapshot, StoreUnit *units, int n)
{
	StoreUnit **order = palloc_extended(Max(n, 1) * sizeof(StoreUnit *), MCXT_ALLOC_HUGE);
	CompanionScan scan;
	CompanionTuple t;

	for (int i = 0; i < n; i++)
		order[i] = &units[i];
	qsort(order, n, sizeof(StoreUnit *), compare_first_row);
	companion_scan_begin(&scan, c, snapshot, KIND_DELETED, n ? order[0]->first_row : 0, COMPANION_NUMBER_MAX);
	while (companion_scan_next(&scan, &t))
	{
		int i = first_behind(order, n, t.number);

		if (i == n)
			break;
		if (t.number < order[i]->first_row)
			companion_scan_seek(&scan, order[i]->first_row);
		else
		{
			order[i]->has_deleted = true;
			companion_scan_seek(&scan, order[i]->first_row + order[i]->nrows);
		}
	}
	companion_scan_end(&scan);
	pfree(order);
}

uint32
deleted_read(Companion *c, Snapshot snapshot, const StoreUnit *unit, uint32 **rows, ItemPointerData **tids)
{
	uint32 cap = 64;
	uint32 n = 0;
	CompanionScan scan;
	CompanionTuple t;

	*rows = palloc(cap * sizeof(uint32));
	if (tids)
		*tids = palloc(cap * sizeof(ItemPointerData));
	companion_scan_begin(&scan, c, snapshot, KIND_DELETED, unit->first_row,
						 unit->first_row + unit->nrows - 1);
	while (companion_scan_next(&scan, &t))
	{
		if (n > 0 && t.number - unit->first_row <= (*rows)[n - 1])
			continue;
		if (n == cap)
		{
			cap *= 2;
			*rows = repalloc_huge(*rows, cap * sizeof(uint32));
			if (tids)
				*tids = repalloc_huge(*tids, cap * sizeof(ItemPointerData));
		}
		if (tids)
			(*tids)[n] = t.tid;
		(*rows)[n++] = (uint32) (t.number - unit->first_row);
	}
	companion_scan_end(&scan);
	return n;
}

uint32
deleted_count(Companion *c, Snapshot snapshot, const StoreUnit *unit, uint32 max)
{
	CompanionScan scan;
	CompanionTuple t;
	uint32 n = 0;

	companion_scan_begin(&scan, c, snapshot, KIND_DELETED, unit->first_row,
						 unit->first_row + unit->nrows - 1);
	while (n < max && companion_scan_next(&scan, &t))
		n++;
	companion_scan_end(&scan);
	return n;
}

uint32
store_deleted_rows(Relation rel, Snapshot snapshot, const StoreUnit *unit, uint32 **rows)
{
	Companion c;
	uint32 n;

	companion_open(rel, AccessShareLock, &c);
	n = deleted_read(&c, snapshot, unit, rows, NULL);
	companion_close(&c);
	return n;
}

bool
store_row_deleted(Relation rel, Snapshot snapshot, uint64 row)
{
	SnapshotData look = *snapshot;
	Companion c;
	CompanionScan scan;
	CompanionTuple t;
	bool deleted;

	if (snapshot->snapshot_type == SNAPSHOT_ANY)
		return false;
	companion_open(rel, AccessShareLock, &c);
	companion_scan_begin(&scan, &c, &look, KIND_DELETED, row, row);
	deleted = companion_scan_next(&scan, &t);
	companion_scan_end(&scan);
	companion_close(&c);
	/* A row that somebody is deleting is there, as HeapTupleSatisfiesDirty has it. */
	if (deleted && look.snapshot_type == SNAPSHOT_DIRTY && TransactionIdIsValid(look.xmin))
	{
		snapshot->xmax = look.xmin;
		deleted = false;
	}
	return deleted;
}
