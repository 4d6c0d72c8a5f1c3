/*
 * slot.c
 *	  Virtual tuple slots that know where their row is: a copy as a heap tuple, or into another of our
 *	  slots, keeps the TID. ANALYZE sorts its sample by it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/tuptable.h"
#include "am/am.h"

static TupleTableSlotOps slot_ops;
static bool slot_ops_made;

static HeapTuple
copy_heap_tuple(TupleTableSlot *slot)
{
	HeapTuple tup = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);

	tup->t_self = slot->tts_tid;
	tup->t_tableOid = slot->tts_tableOid;
	return tup;
}

static void
copy_slot(TupleTableSlot *dst, TupleTableSlot *src)
{
	TTSOpsVirtual.copyslot(dst, src);
	dst->tts_tid = src->tts_tid;
	dst->tts_tableOid = src->tts_tableOid;
}

static Datum
get_system_attribute(TupleTableSlot *slot, int attnum, bool *isnull)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("access method tempo has no transaction ids of single rows"),
					errhint("Of the system columns, ctid and tableoid are there.")));
	return (Datum) 0;
}

const TupleTableSlotOps *
am_slot_callbacks(Relation rel)
{
	if (!slot_ops_made)
	{
		slot_ops = TTSOpsVirtual;
		slot_ops.copy_heap_tuple = copy_heap_tuple;
		slot_ops.copyslot = copy_slot;
		slot_ops.getsysattr = get_system_attribute;
		slot_ops_made = true;
	}
	return &slot_ops;
}
