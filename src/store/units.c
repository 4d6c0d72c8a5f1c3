/*
 * units.c
 *	  What a snapshot sees of a table, and opening it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"
#include "store/deleted.h"
#include "store/directory.h"
#include "store/metapage.h"
#include "store/segment.h"

void
store_row_to_tid(uint64 row, ItemPointer tid)
{
	ItemPointerSet(tid, (BlockNumber) (row / MaxHeapTuplesPerPage), row % MaxHeapTuplesPerPage + 1);
}

uint64
store_tid_to_row(ItemPointer tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) * MaxHeapTuplesPerPage +
		   ItemPointerGetOffsetNumberNoCheck(tid) - 1;
}

StoreUnit *
store_units(Relation rel, Snapshot snapshot, int *n)
{
	UnitList list = {0};
	uint64 below;
	bool deleted;
	Companion c;

	companion_open(rel, AccessShareLock, &c);
	deleted = directory_read(&c, snapshot, &list, &below);
	/* Snapshots that see the dead must also find batches already merged. */
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		below = 1;
	recent_read(&c, snapshot, below, &list);
	if (deleted)
		deleted_mark(&c, snapshot, list.units, list.n);
	companion_close(&c);
	*n = list.n;
	return list.units;
}

static bool
holds_row(const StoreUnit *unit, uint64 row)
{
	return row >= unit->first_row && row - unit->first_row < unit->nrows;
}

/* Row numbers of recent batches grow with their numbers, so a short look ahead is enough. */
#define LOOK_AHEAD 16

static bool
find_row_near(Relation rel, Snapshot snapshot, uint64 row, uint64 hint, StoreUnit *unit)
{
	Companion c;
	CompanionScan scan;
	CompanionTuple t;
	Size head_len;
	bool found = false;
	int looked = 0;

	companion_open(rel, AccessShareLock, &c);
	companion_scan_begin(&scan, &c, snapshot, KIND_RECENT, hint, COMPANION_NUMBER_MAX);
	while (!found && looked++ < LOOK_AHEAD && companion_scan_next(&scan, &t))
		found = recent_parse(&t, unit, &head_len) && holds_row(unit, row);
	companion_scan_end(&scan);
	companion_close(&c);
	return found;
}

bool
store_find_row(Relation rel, Snapshot snapshot, uint64 row, uint64 hint, StoreUnit *unit)
{
	StoreUnit *units;
	bool found = false;
	int n;

	if (hint && find_row_near(rel, snapshot, row, hint, unit))
		return true;
	units = store_units(rel, snapshot, &n);
	for (int i = 0; i < n && !found; i++)
		if (holds_row(&units[i], row))
		{
			*unit = units[i];
			found = true;
		}
	if (units)
		pfree(units);
	return found;
}

StoreEstimate
store_estimate(Relation rel, Snapshot snapshot)
{
	StoreEstimate e = {0};
	UnitList list = {0};
	MetaPage meta;
	uint64 below;
	Companion c;

	/* TRUNCATE asks over new files before the index of the companion heap is made anew. */
	metapage_read(rel, &meta);
	if (meta.next_row == 0)
		return e;
	companion_open(rel, AccessShareLock, &c);
	directory_read(&c, snapshot, &list, &below);
	companion_close(&c);
	for (int i = 0; i < list.n; i++)
	{
		e.segment_rows += list.units[i].nrows;
		e.segment_bytes += list.units[i].bytes;
	}
	e.nsegments = list.n;
	e.rows = e.segment_rows + (double) (meta.rows_in - meta.rows_out);
	if (list.units)
		pfree(list.units);
	return e;
}

bool
store_largest_segment(Relation rel, Snapshot snapshot, StoreUnit *unit)
{
	UnitList list = {0};
	uint64 below;
	Companion c;

	companion_open(rel, AccessShareLock, &c);
	directory_read(&c, snapshot, &list, &below);
	companion_close(&c);
	for (int i = 0; i < list.n; i++)
		if (i == 0 || list.units[i].nrows > unit->nrows)
			*unit = list.units[i];
	if (list.units)
		pfree(list.units);
	return list.n > 0;
}

/* ---- image sources ---- */

struct UnitSource
{
	Relation rel;
	StoreUnit unit;
	SegmentReader *segment; /* segments */
	RecentReader *recent;   /* recent batches, or */
	const uint8 *image;     /* their bytes */
};

static void
source_read(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	UnitSource *s = ctx;

	if (s->segment)
		segment_read(s->segment, off, len, dst);
	else if (s->recent)
		recent_reader_copy(s->recent, off, len, dst);
	else if (off > s->unit.bytes || len > s->unit.bytes - off)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("read past the end of recent batch %llu of table \"%s\"",
							   (unsigned long long) s->unit.id, RelationGetRelationName(s->rel))));
	else
		memcpy(dst, s->image + off, len);
}

static void
source_corrupt(void *ctx, const char *what)
{
	UnitSource *s = ctx;

	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("%s %llu of table \"%s\" is damaged: %s",
						   s->unit.kind == UNIT_SEGMENT ? "segment" : "recent batch",
						   (unsigned long long) s->unit.id, RelationGetRelationName(s->rel), what)));
}

static UnitSource *
make_source(Relation rel, const StoreUnit *unit, Arena *arena)
{
	UnitSource *s = arena_alloc0(arena, sizeof(UnitSource));

	s->rel = rel;
	s->unit = *unit;
	if (unit->kind == UNIT_SEGMENT)
		s->segment = segment_reader(rel, unit, arena);
	return s;
}

static Image *
open_source(UnitSource *s, Arena *arena)
{
	ImageSource source = {source_read, source_corrupt, s, s->unit.bytes};

	return image_open(&source, arena);
}

Image *
store_open_bytes(Relation rel, const StoreUnit *unit, const uint8 *image, Arena *arena)
{
	UnitSource *s = make_source(rel, unit, arena);

	s->image = image;
	return open_source(s, arena);
}

Image *
store_open_source(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena, UnitSource **source)
{
	*source = make_source(rel, unit, arena);
	if (unit->kind == UNIT_RECENT)
		(*source)->recent = recent_reader(rel, snapshot, unit, arena);
	return open_source(*source, arena);
}

void
store_source_bind(UnitSource *source, Relation rel, Snapshot snapshot)
{
	source->rel = rel;
	if (source->segment)
		segment_reader_bind(source->segment, rel);
	if (source->recent)
		recent_reader_bind(source->recent, rel, snapshot);
}

Image *
store_open(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena)
{
	UnitSource *source;

	return store_open_source(rel, snapshot, unit, arena, &source);
}
