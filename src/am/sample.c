/*
 * sample.c
 *	  Samples of the rows: for ANALYZE, and TABLESAMPLE.
 *
 * Both think in blocks. There are none here that hold rows of their own, so a block stands for a stretch
 * of row positions: all rows in the order of a sequential scan, deleted ones included.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/tsmapi.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"
#include "am/scan.h"

/* ---- ANALYZE: block b of n stands for slice b of n of a sample of the rows ---- */

/*
 * Reading every column of a large table for a sample of some thousand rows costs too much, so of more than
 * ANALYZE_SAMPLE_RUNS * ANALYZE_RUN_ROWS rows only these many are offered: random ones of stretches of about
 * a vector, the stretches spread evenly. Not neighbours, which are of one trace, nor at a stride, which meets
 * each trace as often: how many values there are is told by how often random rows have the same. Each row
 * stands for as many as were passed over, so the table's row count comes out exact.
 */
void (*am_analyze_hook)(void);

static uint64
sample_size(const TempoScanDesc *scan)
{
	return Min(scan->cursor->nrows, (uint64) ANALYZE_SAMPLE_RUNS * ANALYZE_RUN_ROWS);
}

/* ANALYZE_RUN_ROWS different offsets below length, ascending. */
static void
choose_run(TempoScanDesc *scan, uint32 length)
{
	uint32 chosen = 0;

	for (uint32 i = 0; chosen < ANALYZE_RUN_ROWS; i++)
		if (pg_prng_uint64_range(&pg_global_prng_state, 1, length - i) <= ANALYZE_RUN_ROWS - chosen)
			scan->run_offset[chosen++] = i;
}

/* Row position of a place in the sample. Grows with the place. */
static uint64
sampled_position(TempoScanDesc *scan, uint64 place)
{
	uint64 spacing = scan->cursor->nrows / ANALYZE_SAMPLE_RUNS;
	int64 run = (int64) (place / ANALYZE_RUN_ROWS);

	if (scan->cursor->nrows <= (uint64) ANALYZE_SAMPLE_RUNS * ANALYZE_RUN_ROWS)
		return place;
	if (scan->run != run)
		choose_run(scan, (uint32) Min(spacing, IMAGE_VECTOR_ROWS));
	scan->run = run;
	return run * spacing + scan->run_offset[place % ANALYZE_RUN_ROWS];
}

bool
am_analyze_next_block(TableScanDesc sscan, COMPAT_ANALYZE_BLOCK_PARAMS)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	BlockNumber block;

	if (am_analyze_hook)
		am_analyze_hook();
	if (!compat_analyze_block(COMPAT_ANALYZE_BLOCK_ARGS, &block))
		return false;
	if (!scan->started)
	{
		am_scan_start(scan);
		scan->nblocks = RelationGetNumberOfBlocks(sscan->rs_rd);
	}
	if (block >= scan->nblocks)
		return false;
	scan->place = sample_size(scan) * block / scan->nblocks;
	scan->place_end = sample_size(scan) * (block + 1) / scan->nblocks;
	return true;
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
	am_scan_ready_reader(scan, slot);
	while (!found && scan->place < scan->place_end)
	{
		am_scan_seek(scan, sampled_position(scan, scan->place++));
		found = !cursor_row_deleted(scan->cursor, (uint32) scan->row);
		*(found ? live : dead) += weight;
	}
	if (found)
		am_scan_store_row(scan, slot);
	MemoryContextSwitchTo(old);
	return found;
}

/* ---- TABLESAMPLE ---- */

/*
 * Rows of a block: as few as a page of a heap may have while the table is small, for an even sample; up to a
 * vector's worth in large tables, where SYSTEM then reads few vectors. By the number of rows, so that
 * REPEATABLE is while the table stays as it is.
 */
#define SAMPLE_BLOCK_MIN 64
#define SAMPLE_BLOCKS    8192

static BlockNumber
count_sample_blocks(TempoScanDesc *scan)
{
	uint64 nrows = scan->cursor->nrows;

	scan->sample_rows = Max(SAMPLE_BLOCK_MIN, Min(nrows / SAMPLE_BLOCKS, IMAGE_VECTOR_ROWS));
	return (BlockNumber) ((nrows + scan->sample_rows - 1) / scan->sample_rows);
}

bool
am_sample_next_block(TableScanDesc sscan, struct SampleScanState *state)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	TsmRoutine *tsm = state->tsmroutine;
	BlockNumber nblocks;
	BlockNumber block;

	CHECK_FOR_INTERRUPTS();
	if (!scan->started)
		am_scan_start(scan);
	nblocks = count_sample_blocks(scan);
	if (nblocks == 0)
		return false;
	block = tsm->NextSampleBlock ? tsm->NextSampleBlock(state, nblocks) : scan->sample_block + 1;
	if (!BlockNumberIsValid(block) || block >= nblocks)
	{
		scan->sample_block = -1;
		return false;
	}
	scan->sample_block = block;
	return true;
}

bool
am_sample_next_tuple(TableScanDesc sscan, struct SampleScanState *state, TupleTableSlot *slot)
{
	TempoScanDesc *scan = (TempoScanDesc *) sscan;
	uint64 first = (uint64) scan->sample_block * scan->sample_rows;
	OffsetNumber max = (OffsetNumber) Min(scan->cursor->nrows - first, scan->sample_rows);
	OffsetNumber offset;
	bool found = false;
	MemoryContext old;

	ExecClearTuple(slot);
	while (!found)
	{
		offset = state->tsmroutine->NextSampleTuple(state, (BlockNumber) scan->sample_block, max);
		if (offset == InvalidOffsetNumber)
			break;
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(scan->context);
		am_scan_ready_reader(scan, slot);
		am_scan_seek(scan, first + offset - FirstOffsetNumber);
		found = !cursor_row_deleted(scan->cursor, (uint32) scan->row);
		if (found)
			am_scan_store_row(scan, slot);
		MemoryContextSwitchTo(old);
	}
	if (found)
		pgstat_count_heap_getnext(sscan->rs_rd);
	return found;
}
