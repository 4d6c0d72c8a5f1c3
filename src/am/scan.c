/*
 * scan.c
 *	  Sequential and parallel scans: every row, every column, in the order of row positions. The plain
 *	  reference that the custom scan is tested against.
 *
 * Everything a scan allocates is in a context of its own: rows may be asked for in a context that is reset
 * between them.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "am/open_unit.h"
#include "am/scan.h"

typedef struct TempoParallelScanDesc
{
	ParallelTableScanDescData base;
	pg_atomic_uint64 next; /* vector to give out */
} TempoParallelScanDesc;

TableScanDesc
am_scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key,
			  ParallelTableScanDesc pscan, uint32 flags)
{
	TempoScanDesc *scan = palloc0(sizeof(TempoScanDesc));

	if (nkeys > 0)
		elog(ERROR, "access method tempo does not take scan keys");
	RelationIncrementReferenceCount(rel);
	scan->base.rs_rd = rel;
	scan->base.rs_snapshot = snapshot;
	scan->base.rs_flags = flags;
	scan->base.rs_parallel = pscan;
	scan->context = AllocSetContextCreate(CurrentMemoryContext, "tempo scan", ALLOCSET_DEFAULT_SIZES);
	scan->vector = -1;
	scan->sample_block = -1;
	scan->run = -1;
	if (flags & SO_TYPE_ANALYZE)
		scan->base.rs_snapshot = scan->analyze_snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN | SO_TYPE_BITMAPSCAN))
		PredicateLockRelation(rel, snapshot);
	return &scan->base;
}

void
am_scan_start(TempoScanDesc *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	scan->cursor = cursor_create(scan->base.rs_rd, scan->base.rs_snapshot, scan->context);
	scan->started = true;
	MemoryContextSwitchTo(old);
	if (scan->base.rs_flags & SO_TYPE_SEQSCAN)
		pgstat_count_heap_scan(scan->base.rs_rd);
}

void
am_scan_end(TableScanDesc sscan)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;

	MemoryContextDelete(scan->context);
	if (scan->analyze_snapshot)
		UnregisterSnapshot(scan->analyze_snapshot);
	if (sscan->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(sscan->rs_snapshot);
	RelationDecrementReferenceCount(sscan->rs_rd);
	pfree(scan);
}

void
am_scan_rescan(TableScanDesc sscan, struct ScanKeyData *key, bool set_params, bool allow_strat,
			   bool allow_sync, bool allow_pagemode)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;

	scan->vector = -1;
	scan->row = 0;
	scan->sample_block = -1;
}

void
am_scan_ready_reader(TempoScanDesc *scan, TupleTableSlot *slot)
{
	if (scan->reader == NULL)
		scan->reader = row_reader_create(scan->base.rs_rd, slot->tts_tupleDescriptor, scan->context);
}

/* Opens a vector for reading; its batch may already be the open one. */
static void
open_vector(TempoScanDesc *scan, uint64 vector)
{
	Batch *batch = cursor_open(scan->cursor, vector);

	scan->vector = (int64) vector;
	row_reader_attach(scan->reader, batch);
}

/* The next vector in this direction, or false. Workers of a parallel scan share a counter. */
static bool
next_vector(TempoScanDesc *scan, ScanDirection direction)
{
	TempoParallelScanDesc *shared = (TempoParallelScanDesc *) scan->base.rs_parallel;
	int64 n = (int64) scan->cursor->nvectors;
	int64 v;

	if (shared)
		v = (int64) pg_atomic_fetch_add_u64(&shared->next, 1);
	else
		v = scan->vector + (ScanDirectionIsBackward(direction) ? -1 : 1);
	if (v < 0 || v >= n)
	{
		scan->ended_last = shared == NULL || v == n;
		scan->vector = Max(-1, Min(v, n));
		return false;
	}
	open_vector(scan, v);
	scan->row = ScanDirectionIsBackward(direction) ? (int64) scan->cursor->batch_rows - 1 : 0;
	return true;
}

static bool
next_place(TempoScanDesc *scan, ScanDirection direction)
{
	bool inside = scan->vector >= 0 && scan->vector < (int64) scan->cursor->nvectors;

	if (inside)
	{
		scan->row += ScanDirectionIsBackward(direction) ? -1 : 1;
		if (scan->row >= 0 && scan->row < scan->cursor->batch_rows)
			return true;
	}
	else if (ScanDirectionIsBackward(direction) && scan->vector < 0)
		return false;
	do
	{
		if (!next_vector(scan, direction))
			return false;
	} while (scan->cursor->batch_rows == 0);
	return true;
}

static bool
advance(TempoScanDesc *scan, ScanDirection direction)
{
	do
	{
		if (!next_place(scan, direction))
			return false;
	} while (!scan->with_deleted && cursor_row_deleted(scan->cursor, (uint32) scan->row));
	return true;
}

void
am_scan_store_row(TempoScanDesc *scan, TupleTableSlot *slot)
{
	am_slot_store(slot, scan->reader, (uint32) scan->row, scan->cursor->first_row + scan->row,
				  RelationGetRelid(scan->base.rs_rd));
}

bool
am_scan_getnextslot(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	MemoryContext old;
	bool found;

	CHECK_FOR_INTERRUPTS();
	ExecClearTuple(slot);
	if (!scan->started)
		am_scan_start(scan);
	old = MemoryContextSwitchTo(scan->context);
	am_scan_ready_reader(scan, slot);
	found = !ScanDirectionIsNoMovement(direction) && advance(scan, direction);
	if (found)
		am_scan_store_row(scan, slot);
	MemoryContextSwitchTo(old);
	if (found)
		pgstat_count_heap_getnext(sscan->rs_rd);
	return found;
}

void
am_scan_with_deleted(TableScanDesc sscan)
{
	((TempoScanDesc *) sscan)->with_deleted = true;
}

bool
am_scan_at_deleted(TableScanDesc sscan)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;

	return cursor_row_deleted(scan->cursor, (uint32) scan->row);
}

bool
am_scan_ended_last(TableScanDesc sscan)
{
	return ((TempoScanDesc *) sscan)->ended_last;
}

BitmapRows *
am_scan_bitmap(TableScanDesc sscan)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;

	if (scan->bitmap.finder == NULL)
		scan->bitmap.finder = row_finder_create(sscan->rs_rd, scan->context);
	return &scan->bitmap;
}

/* ---- by position ---- */

void
am_scan_seek(TempoScanDesc *scan, uint64 position)
{
	Cursor *cur = scan->cursor;
	uint64 before = 0;
	int unit = 0;
	uint32 v = 0;
	uint32 row;

	if (scan->vector < 0 || position < scan->vector_position ||
		position - scan->vector_position >= cur->batch_rows)
	{
		while (position - before >= cur->units[unit].nrows)
			before += cur->units[unit++].nrows;
		row = (uint32) (position - before);
		cursor_open_unit(cur, unit);
		while (row >= image_vector_info(cur->image, v)->first_row + image_vector_info(cur->image, v)->nrows)
			v++;
		open_vector(scan, cur->first_vector[unit] + v);
		scan->vector_position = before + image_vector_info(cur->image, v)->first_row;
	}
	scan->row = position - scan->vector_position;
}

/* ---- parallel ---- */

Size
am_parallelscan_estimate(Relation rel)
{
	return sizeof(TempoParallelScanDesc);
}

Size
am_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan)
{
	TempoParallelScanDesc *shared = (TempoParallelScanDesc *) pscan;

	pscan->phs_relid = RelationGetRelid(rel);
	pscan->phs_syncscan = false;
	pg_atomic_init_u64(&shared->next, 0);
	return sizeof(TempoParallelScanDesc);
}

void
am_parallelscan_reinitialize(Relation rel, ParallelTableScanDesc pscan)
{
	pg_atomic_write_u64(&((TempoParallelScanDesc *) pscan)->next, 0);
}
