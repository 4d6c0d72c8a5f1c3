/*
 * index_fetch.c
 *	  Rows that indexes point to: index scans, bitmap scans, and what indexes ask about dead entries.
 *
 * Merged rows get new row numbers and index entries of their own (index_insert.c); entries of the old ones
 * stay until VACUUM. A snapshot sees a row under one of its numbers, so which entries count is decided
 * here. Nothing is reported as dead to all: VACUUM removes entries by the range of row numbers
 * (index_vacuum.c), which costs less than looking for each.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"
#include "am/open_unit.h"

typedef struct IndexFetch
{
	IndexFetchTableData base;
	RowFinder *finder;
	bool locked; /* the predicate lock is taken */
} IndexFetch;

IndexFetchTableData *
am_index_fetch_begin(Relation rel)
{
	IndexFetch *f = palloc0(sizeof(IndexFetch));

	f->base.rel = rel;
	f->finder = row_finder_create(rel, CurrentMemoryContext);
	return &f->base;
}

/* What is open stays: the next scan of a nested loop is likely to need it. */
void
am_index_fetch_reset(IndexFetchTableData *data)
{
}

void
am_index_fetch_end(IndexFetchTableData *data)
{
	IndexFetch *f = (IndexFetch *) data;

	row_finder_free(f->finder);
	pfree(f);
}

bool
am_index_fetch_tuple(IndexFetchTableData *data, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
					 bool *call_again, bool *all_dead)
{
	IndexFetch *f = (IndexFetch *) data;

	CHECK_FOR_INTERRUPTS();
	ExecClearTuple(slot);
	*call_again = false;
	if (all_dead)
		*all_dead = false;
	if (!f->locked)
		PredicateLockRelation(data->rel, snapshot);
	f->locked = true;
	if (!row_finder_seek(f->finder, snapshot, store_tid_to_row(tid)))
		return false;
	row_finder_store(f->finder, slot);
	return true;
}

/* Nothing is known to be deletable: see the head of this file. */
TransactionId
am_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	delstate->ndeltids = 0;
	return InvalidTransactionId;
}

/* ---- bitmaps ---- */

/* Row numbers of the block that the bitmap has, or all of them when it has forgotten which. */
bool
am_bitmap_next_block(TableScanDesc sscan, struct TBMIterateResult *tbmres)
{
	BitmapRows *b = am_scan_bitmap(sscan);

	b->first_row = (uint64) tbmres->blockno * MaxHeapTuplesPerPage;
	b->next = 0;
	b->n = tbmres->ntuples >= 0 ? tbmres->ntuples : MaxHeapTuplesPerPage;
	return b->n > 0;
}

bool
am_bitmap_next_tuple(TableScanDesc sscan, struct TBMIterateResult *tbmres, TupleTableSlot *slot)
{
	BitmapRows *b = am_scan_bitmap(sscan);

	ExecClearTuple(slot);
	while (b->next < b->n)
	{
		int i = b->next++;
		OffsetNumber offset = tbmres->ntuples >= 0 ? tbmres->offsets[i] : i + FirstOffsetNumber;

		CHECK_FOR_INTERRUPTS();
		if (!row_finder_seek(b->finder, sscan->rs_snapshot, b->first_row + offset - FirstOffsetNumber))
			continue;
		row_finder_store(b->finder, slot);
		pgstat_count_heap_fetch(sscan->rs_rd);
		return true;
	}
	return false;
}
