/*
 * scan.c
 *	  Sequential and parallel scans, and what ANALYZE samples: every row, every column, in the order of
 *	  row positions. The plain reference that the custom scan is tested against.
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

typedef struct TempoScanDesc
{
	TableScanDescData base;
	MemoryContext context;
	Cursor *cursor;
	RowReader *reader;
	Snapshot analyze_snapshot; /* registered here: ANALYZE brings none */
	bool started;
	int64 vector; /* being read; -1 before the first, nvectors after the last */
	int64 row;    /* within it */
	bool ended_last;
	bool with_deleted;
	/* ANALYZE */
	uint64 nblocks;
	uint64 place; /* next one of the sample that the block stands for, and where that ends */
	uint64 place_end;
	uint64 vector_position; /* of the first row of the open vector */
	BitmapRows bitmap;
} TempoScanDesc;

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
	if (flags & SO_TYPE_ANALYZE)
		scan->base.rs_snapshot = scan->analyze_snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN | SO_TYPE_BITMAPSCAN))
		PredicateLockRelation(rel, snapshot);
	return &scan->base;
}

/* The list of units is read with the first row, so that planning a scan costs nothing. */
static void
start(TempoScanDesc *scan)
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
}

/* The reader is made for the slots that come. */
static void
ready_reader(TempoScanDesc *scan, TupleTableSlot *slot)
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

static void
store_row(TempoScanDesc *scan, TupleTableSlot *slot)
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
		start(scan);
	old = MemoryContextSwitchTo(scan->context);
	ready_reader(scan, slot);
	found = !ScanDirectionIsNoMovement(direction) && advance(scan, direction);
	if (found)
		store_row(scan, slot);
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

/* ---- ANALYZE: block b of n stands for slice b of n of a sample of the rows ---- */

/*
 * Reading every column of a large table for a sample of some thousand rows costs too much, so of more than
 * SAMPLE_RUNS * RUN_ROWS rows only these many are offered: rows at a stride within stretches of about a
 * vector, the stretches spread evenly. A stride, because neighbours are of one trace. Each row stands for
 * as many as were passed over, so the table's row count comes out exact.
 */
#define SAMPLE_RUNS 256
#define RUN_ROWS    256

static uint64
sample_size(const TempoScanDesc *scan)
{
	return Min(scan->cursor->nrows, (uint64) SAMPLE_RUNS * RUN_ROWS);
}

/* Row position of a place in the sample. Grows with the place. */
static uint64
sampled_position(const TempoScanDesc *scan, uint64 place)
{
	uint64 spacing = scan->cursor->nrows / SAMPLE_RUNS;
	uint64 stride = Min(spacing, IMAGE_VECTOR_ROWS) / RUN_ROWS;

	if (scan->cursor->nrows <= (uint64) SAMPLE_RUNS * RUN_ROWS)
		return place;
	return place / RUN_ROWS * spacing + place % RUN_ROWS * Max(stride, 1);
}

bool
am_analyze_next_block(TableScanDesc sscan, COMPAT_ANALYZE_BLOCK_PARAMS)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	BlockNumber block;

	if (!compat_analyze_block(COMPAT_ANALYZE_BLOCK_ARGS, &block))
		return false;
	if (!scan->started)
	{
		start(scan);
		scan->nblocks = RelationGetNumberOfBlocks(sscan->rs_rd);
	}
	if (block >= scan->nblocks)
		return false;
	scan->place = sample_size(scan) * block / scan->nblocks;
	scan->place_end = sample_size(scan) * (block + 1) / scan->nblocks;
	return true;
}

/* Make the row at a position the current one. */
static void
seek_position(TempoScanDesc *scan, uint64 position)
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

bool
am_analyze_next_tuple(TableScanDesc sscan, TransactionId oldest_xmin, double *live, double *dead,
					  TupleTableSlot *slot)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	double weight;
	bool found = false;
	MemoryContext old;

	ExecClearTuple(slot);
	if (scan->place >= scan->place_end)
		return false;
	weight = (double) scan->cursor->nrows / sample_size(scan);
	old = MemoryContextSwitchTo(scan->context);
	ready_reader(scan, slot);
	while (!found && scan->place < scan->place_end)
	{
		seek_position(scan, sampled_position(scan, scan->place++));
		found = !cursor_row_deleted(scan->cursor, (uint32) scan->row);
		*(found ? live : dead) += weight;
	}
	if (found)
		store_row(scan, slot);
	MemoryContextSwitchTo(old);
	return found;
}
