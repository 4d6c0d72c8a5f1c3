/*
 * open_unit.c
 *	  Reading single rows of a unit.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/open_unit.h"
#include "store/directory.h"

/* false: a recent batch that is not there whole. */
static bool
read_image(Relation rel, Snapshot snapshot, OpenUnit *open)
{
	Arena *arena = store_arena(open->context);
	const uint8 *bytes = NULL;

	if (open->unit.kind == UNIT_RECENT)
	{
		Companion c;

		companion_open(rel, AccessShareLock, &c);
		bytes = recent_image_if_whole(&c, snapshot, &open->unit, arena);
		companion_close(&c);
		if (bytes == NULL)
			return false;
	}
	open->image = store_open_bytes(rel, &open->unit, bytes, arena);
	return true;
}

OpenUnit *
am_open_unit(Relation rel, Snapshot snapshot, const StoreUnit *unit, MemoryContext parent, bool gone_ok)
{
	MemoryContext context = AllocSetContextCreate(parent, "tempo open unit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	OpenUnit *open = palloc0(sizeof(OpenUnit));

	open->context = context;
	open->unit = *unit;
	open->vector = -1;
	if (read_image(rel, snapshot, open))
	{
		open->reader = row_reader_create(rel, RelationGetDescr(rel), context);
		if (snapshot->snapshot_type == SNAPSHOT_MVCC)
			open->ndeleted = store_deleted_rows(rel, snapshot, unit, &open->deleted);
		open->vector_context = AllocSetContextCreate(context, "tempo open vector", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(old);
		return open;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	if (!gone_ok)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("recent batch %llu is incomplete", (unsigned long long) unit->id)));
	return NULL;
}

void
am_close_unit(OpenUnit *open)
{
	MemoryContextDelete(open->context);
}

/* The vector of a row: the last one that does not start behind it. */
static uint32
find_vector(const OpenUnit *open, uint32 row)
{
	uint32 lo = 0;
	uint32 hi = image_summary(open->image)->nvectors;

	while (lo + 1 < hi)
	{
		uint32 mid = lo + (hi - lo) / 2;

		if (image_vector_info(open->image, mid)->first_row <= row)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void
attach_vector(OpenUnit *open, uint32 v)
{
	MemoryContext old;

	open->vector = -1;
	MemoryContextReset(open->vector_context);
	old = MemoryContextSwitchTo(open->vector_context);
	row_reader_attach(open->reader, image_vector(open->image, v, store_arena(open->vector_context)));
	MemoryContextSwitchTo(old);
	open->vector = v;
}

uint32
am_open_unit_row(OpenUnit *open, uint32 row)
{
	uint32 v;
	const ImageVector *info;

	if (open->vector >= 0 && row >= open->first && row - open->first < open->n)
		return row - open->first;
	v = find_vector(open, row);
	if (v >= image_summary(open->image)->nvectors ||
		(info = image_vector_info(open->image, v))->first_row > row || row - info->first_row >= info->nrows)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("row %u is in no vector", row)));
	attach_vector(open, v);
	open->first = info->first_row;
	open->n = info->nrows;
	return row - open->first;
}

static int
compare_rows(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

bool
am_open_unit_deleted(Relation rel, Snapshot snapshot, const OpenUnit *open, uint32 row)
{
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		return store_row_deleted(rel, snapshot, open->unit.first_row + row);
	return open->ndeleted > 0 &&
		   bsearch(&row, open->deleted, open->ndeleted, sizeof(uint32), compare_rows) != NULL;
}

bool
am_same_snapshot(const SnapshotData *a, const SnapshotData *b)
{
	return a->snapshot_type == b->snapshot_type &&
		   (a->snapshot_type != SNAPSHOT_MVCC ||
			(a->xmin == b->xmin && a->xmax == b->xmax && a->xcnt == b->xcnt && a->subxcnt == b->subxcnt &&
			 a->curcid == b->curcid));
}
