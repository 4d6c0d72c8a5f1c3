/*
 * insert.c
 *	  Every call writes one recent batch: when it returns the rows are stored, nothing is held back.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"

void
am_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
				struct BulkInsertStateData *bistate)
{
	MemoryContext context;
	MemoryContext old;
	uint64 first_row;

	if (nslots == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "tempo insert", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	first_row = store_insert_batch_cid(rel, row_write_batch(rel, slots, nslots, store_arena(context)), cid);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	for (int i = 0; i < nslots; i++)
	{
		store_row_to_tid(first_row + i, &slots[i]->tts_tid);
		slots[i]->tts_tableOid = RelationGetRelid(rel);
	}
}

void
am_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
				struct BulkInsertStateData *bistate)
{
	am_multi_insert(rel, &slot, 1, cid, options, bistate);
}
