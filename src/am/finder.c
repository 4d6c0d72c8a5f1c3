/*
 * finder.c
 *	  Rows by number.
 *
 * Units are listed once a snapshot: segments with the first row asked for, recent batches with the first
 * one that is in no segment. Row numbers are never used again, so what is listed cannot become wrong.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "am/open_unit.h"
#include "store/directory.h"

/* Units kept open: images and what was read of them take memory. */
#define FINDER_UNITS 8

struct RowFinder
{
	Relation rel;
	MemoryContext context;      /* everything, this struct included */
	MemoryContext list_context; /* the lists */
	SnapshotData seen_by;       /* scalars of the snapshot of the lists */
	bool listed;
	bool recent_listed;
	UnitList segments; /* by first row, as recent is */
	UnitList recent;
	uint64 below;
	OpenUnit *open[FINDER_UNITS];
	int nopen;
	uint64 uses;
	OpenUnit *current;
	uint32 row; /* within the open vector of current */
	uint64 number;
};

RowFinder *
row_finder_create(Relation rel, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "tempo row finder", ALLOCSET_DEFAULT_SIZES);
	RowFinder *f = MemoryContextAllocZero(context, sizeof(RowFinder));

	f->rel = rel;
	f->context = context;
	f->list_context = AllocSetContextCreate(context, "tempo row finder units", ALLOCSET_DEFAULT_SIZES);
	return f;
}

void
row_finder_free(RowFinder *f)
{
	MemoryContextDelete(f->context);
}

/* ---- lists ---- */

static int
compare_units(const void *a, const void *b)
{
	uint64 x = ((const StoreUnit *) a)->first_row;
	uint64 y = ((const StoreUnit *) b)->first_row;

	return (x > y) - (x < y);
}

static void
forget_lists(RowFinder *f)
{
	for (int i = 0; i < f->nopen; i++)
		am_close_unit(f->open[i]);
	f->nopen = 0;
	f->current = NULL;
	f->listed = f->recent_listed = false;
	MemoryContextReset(f->list_context);
	memset(&f->segments, 0, sizeof(UnitList));
	memset(&f->recent, 0, sizeof(UnitList));
}

static void
list_segments(RowFinder *f, Snapshot snapshot)
{
	MemoryContext old = MemoryContextSwitchTo(f->list_context);
	Companion c;

	companion_open(f->rel, AccessShareLock, &c);
	directory_read(&c, snapshot, &f->segments, &f->below);
	companion_close(&c);
	/* Snapshots that see the dead must also find batches already merged. */
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		f->below = 1;
	if (f->segments.n > 1)
		qsort(f->segments.units, f->segments.n, sizeof(StoreUnit), compare_units);
	f->seen_by = *snapshot;
	f->listed = true;
	MemoryContextSwitchTo(old);
}

static void
list_recent(RowFinder *f, Snapshot snapshot)
{
	MemoryContext old = MemoryContextSwitchTo(f->list_context);
	Companion c;

	companion_open(f->rel, AccessShareLock, &c);
	recent_read(&c, snapshot, f->below, &f->recent);
	companion_close(&c);
	if (f->recent.n > 1)
		qsort(f->recent.units, f->recent.n, sizeof(StoreUnit), compare_units);
	f->recent_listed = true;
	MemoryContextSwitchTo(old);
}

static const StoreUnit *
search_list(const UnitList *list, uint64 number)
{
	int lo = 0;
	int hi = list->n;

	while (lo < hi)
	{
		int mid = lo + (hi - lo) / 2;

		if (list->units[mid].first_row <= number)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || number - list->units[lo - 1].first_row >= list->units[lo - 1].nrows)
		return NULL;
	return &list->units[lo - 1];
}

static const StoreUnit *
search(RowFinder *f, Snapshot snapshot, uint64 number)
{
	const StoreUnit *unit;

	if (!f->listed)
		list_segments(f, snapshot);
	unit = search_list(&f->segments, number);
	if (unit)
		return unit;
	if (!f->recent_listed)
		list_recent(f, snapshot);
	return search_list(&f->recent, number);
}

/* ---- units ---- */

/* The open unit of that list entry; the one not used for longest makes room. */
static OpenUnit *
get_open(RowFinder *f, Snapshot snapshot, const StoreUnit *unit)
{
	int victim = 0;

	for (int i = 0; i < f->nopen; i++)
	{
		if (f->open[i]->unit.first_row == unit->first_row)
			return f->open[i];
		if (f->open[i]->last_use < f->open[victim]->last_use)
			victim = i;
	}
	if (f->nopen < FINDER_UNITS)
		victim = f->nopen;
	else
	{
		am_close_unit(f->open[victim]);
		f->open[victim] = f->open[--f->nopen];
		victim = f->nopen;
	}
	f->open[victim] = am_open_unit(f->rel, snapshot, unit, f->context, false);
	f->nopen++;
	return f->open[victim];
}

bool
row_finder_seek(RowFinder *f, Snapshot snapshot, uint64 number)
{
	const StoreUnit *unit;
	uint32 row;

	if (f->listed && !am_same_snapshot(&f->seen_by, snapshot))
		forget_lists(f);
	if (f->current == NULL || number < f->current->unit.first_row ||
		number - f->current->unit.first_row >= f->current->unit.nrows)
	{
		f->current = NULL;
		unit = search(f, snapshot, number);
		if (unit == NULL && snapshot->snapshot_type != SNAPSHOT_MVCC)
		{
			/* To such snapshots new rows appear while we look. */
			forget_lists(f);
			unit = search(f, snapshot, number);
		}
		if (unit == NULL)
			return false;
		f->current = get_open(f, snapshot, unit);
	}
	f->current->last_use = ++f->uses;
	row = (uint32) (number - f->current->unit.first_row);
	if (am_open_unit_deleted(f->rel, snapshot, f->current, row))
		return false;
	f->row = am_open_unit_row(f->current, row);
	f->number = number;
	return true;
}

void
row_finder_store(RowFinder *f, TupleTableSlot *slot)
{
	am_slot_store(slot, f->current->reader, f->row, f->number, RelationGetRelid(f->rel));
}
