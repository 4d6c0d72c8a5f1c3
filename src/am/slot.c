/*
 * slot.c
 *	  Tuple slots of the access method: virtual ones that know where their row is and take its values from a
 *	  row reader as they are asked for. A copy as a heap tuple, or into another of our slots, keeps the TID.
 *	  ANALYZE sorts its sample by it.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "executor/tuptable.h"
#include "utils/expandeddatum.h"
#include "am/am.h"

typedef struct RowSlot
{
	VirtualTupleTableSlot base;
	RowReader *reader; /* of the values not taken yet; NULL: there are none */
	uint32 row;
	const bool *needed; /* per attribute, for this slot of a plan; NULL: all are */
} RowSlot;

static TupleTableSlotOps slot_ops;
static bool slot_ops_made;

static void
forget_reader(TupleTableSlot *slot)
{
	((RowSlot *) slot)->reader = NULL;
}

static void
clear(TupleTableSlot *slot)
{
	forget_reader(slot);
	TTSOpsVirtual.clear(slot);
}

static void
get_some_attributes(TupleTableSlot *slot, int natts)
{
	RowSlot *s = (RowSlot *) slot;

	if (s->reader == NULL)
		elog(ERROR, "tuple slot of access method tempo has no row");
	for (int i = slot->tts_nvalid; i < natts; i++)
	{
		if (s->needed && !s->needed[i])
			slot->tts_isnull[i] = true;
		else
			slot->tts_values[i] = row_reader_value(s->reader, i + 1, s->row, &slot->tts_isnull[i]);
	}
	slot->tts_nvalid = natts;
}

static void
materialize(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	TTSOpsVirtual.materialize(slot);
	forget_reader(slot);
}

static HeapTuple
copy_heap_tuple(TupleTableSlot *slot)
{
	HeapTuple tup;

	slot_getallattrs(slot);
	tup = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	tup->t_self = slot->tts_tid;
	tup->t_tableOid = slot->tts_tableOid;
	return tup;
}

static MinimalTuple
copy_minimal_tuple(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	return TTSOpsVirtual.copy_minimal_tuple(slot);
}

static void
copy_slot(TupleTableSlot *dst, TupleTableSlot *src)
{
	slot_getallattrs(src);
	forget_reader(dst);
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
		slot_ops.base_slot_size = sizeof(RowSlot);
		slot_ops.clear = clear;
		slot_ops.getsomeattrs = get_some_attributes;
		slot_ops.materialize = materialize;
		slot_ops.copy_heap_tuple = copy_heap_tuple;
		slot_ops.copy_minimal_tuple = copy_minimal_tuple;
		slot_ops.copyslot = copy_slot;
		slot_ops.getsysattr = get_system_attribute;
		slot_ops_made = true;
	}
	return &slot_ops;
}

void
am_slot_store(TupleTableSlot *slot, RowReader *reader, uint32 row, uint64 number, Oid relid)
{
	RowSlot *s = (RowSlot *) slot;

	ExecClearTuple(slot);
	row_reader_begin_row(reader);
	store_row_to_tid(number, &slot->tts_tid);
	slot->tts_tableOid = relid;
	if (slot->tts_ops != &slot_ops)
	{
		for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
			slot->tts_values[i] = row_reader_value(reader, i + 1, row, &slot->tts_isnull[i]);
		ExecStoreVirtualTuple(slot);
		return;
	}
	s->reader = reader;
	s->row = row;
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	slot->tts_nvalid = 0;
}

void
am_slot_need(TupleTableSlot *slot, const bool *needed)
{
	if (slot->tts_ops == &slot_ops)
		((RowSlot *) slot)->needed = needed;
}

Size
am_slot_bytes(TupleTableSlot *slot)
{
	Size sum = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, i);

		if (slot->tts_isnull[i] || att->attisdropped)
			continue;
		if (att->attlen > 0)
			sum += att->attlen;
		else if (att->attlen == -1)
			sum += toast_raw_datum_size(slot->tts_values[i]);
		else
			sum += strlen(DatumGetCString(slot->tts_values[i])) + 1;
	}
	return sum;
}
