/*
 * index_insert.c
 *	  Index entries of rows that come past the executor: from receivers, and merged ones under their new
 *	  row numbers.
 *
 * The tuple that makes rows exist (a recent batch, a directory entry) is inserted before their entries, so
 * an entry whose row is nowhere to be found is of a row that is gone. Expressions and predicates of
 * indexes run as the owner of the table: merges and receivers are nobody's own session.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"
#include "am/open_unit.h"

typedef struct IndexWriter
{
	Relation rel;
	EState *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	Oid save_user;
	int save_context;
	int guc_level;
} IndexWriter;

static void
writer_begin(IndexWriter *w, Relation rel)
{
	w->rel = rel;
	GetUserIdAndSecContext(&w->save_user, &w->save_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, w->save_context | SECURITY_RESTRICTED_OPERATION);
	w->guc_level = NewGUCNestLevel();
	w->estate = CreateExecutorState();
	w->result = makeNode(ResultRelInfo);
	InitResultRelInfo(w->result, rel, 1, NULL, 0);
	ExecOpenIndices(w->result, false);
	w->slot = table_slot_create(rel, NULL);
}

static void
writer_end(IndexWriter *w)
{
	ExecDropSingleTupleTableSlot(w->slot);
	ExecCloseIndices(w->result);
	FreeExecutorState(w->estate);
	AtEOXact_GUC(false, w->guc_level);
	SetUserIdAndSecContext(w->save_user, w->save_context);
}

/* Entries of n rows of the vector the reader is attached to, numbered from first_row. */
static void
write_entries(IndexWriter *w, RowReader *reader, uint32 n, uint64 first_row)
{
	for (uint32 row = 0; row < n; row++)
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(w->estate);
		am_slot_store(w->slot, reader, row, first_row + row, RelationGetRelid(w->rel));
		(void) compat_insert_index_tuples(w->result, w->slot, w->estate);
	}
	ExecClearTuple(w->slot);
}

void
am_index_batch(Relation rel, Batch *batch, uint64 first_row)
{
	MemoryContext context;
	MemoryContext old;
	RowReader *reader;
	IndexWriter w;

	if (!rel->rd_rel->relhasindex)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "tempo index entries", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	writer_begin(&w, rel);
	reader = row_reader_create(rel, RelationGetDescr(rel), context);
	row_reader_attach(reader, batch);
	write_entries(&w, reader, batch_nrows(batch), first_row);
	writer_end(&w);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
am_index_segments(Relation rel, const StoreUnit *units, int n)
{
	MemoryContext context;
	MemoryContext old;
	IndexWriter w;

	if (!rel->rd_rel->relhasindex || n == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "tempo index entries", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	writer_begin(&w, rel);
	for (int i = 0; i < n; i++)
	{
		OpenUnit *open = am_open_unit(rel, SnapshotSelf, &units[i], context, false);

		for (uint32 row = 0; row < units[i].nrows; row += open->n)
		{
			(void) am_open_unit_row(open, row);
			write_entries(&w, open->reader, open->n, units[i].first_row + row);
		}
		am_close_unit(open);
	}
	writer_end(&w);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
