/*
 * row_write.c
 *	  SQL rows into a batch.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "am/row.h"
#include "span/records.h"
#include "store/profile.h"
#include "types/types.h"

/* ---- tables without the profile ---- */

static void
put_plain(Batch *batch, int column, uint32 row, Datum d, bool isnull, Form_pg_attribute att)
{
	Column *c = &batch->level[LEVEL_SPAN].columns[column];

	if (isnull || att->attisdropped)
		column_set_null(batch->arena, c, row);
	else if (c->kind == COL_I64)
		c->i64[row] = profile_datum_i64(d, att);
	else if (c->kind == COL_FIXED)
		memcpy(c->fixed + (Size) row * c->width, DatumGetPointer(d), c->width);
	else
		c->dict[row] = profile_datum_bytes(d, att);
}

static Batch *
write_plain(TupleDesc desc, const TableProfile *p, TupleTableSlot **slots, int nslots, Arena *arena)
{
	Column *kinds = profile_columns(p, desc);
	Batch *batch = batch_create_plain(arena, profile_ncolumns(p, desc), kinds, nslots);

	for (int row = 0; row < nslots; row++)
	{
		slot_getallattrs(slots[row]);
		for (int i = 0; i < desc->natts; i++)
			put_plain(batch, p->column[i], row, slots[row]->tts_values[i], slots[row]->tts_isnull[i],
					  TupleDescAttr(desc, i));
	}
	pfree(kinds);
	return batch;
}

/* ---- spans ---- */

typedef struct SpanWriter
{
	BatchBuilder *bb;
	TupleDesc desc;
	const TableProfile *p;
	int start_time; /* attribute number - 1, or -1 when dropped */
	int start_ns;
} SpanWriter;

static void
refuse_null(Form_pg_attribute att)
{
	ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("column \"%s\" of a span cannot be null", NameStr(att->attname))));
}

static void
refuse_range(Form_pg_attribute att)
{
	ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					errmsg("column \"%s\" of a span is out of range", NameStr(att->attname))));
}

static uint32
checked_u32(uint64 v, Form_pg_attribute att)
{
	if (v > UINT32_MAX)
		refuse_range(att);
	return (uint32) v;
}

static void
checked_add(bool added)
{
	if (!added)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("more than %d distinct attribute keys and types in one batch of spans",
							   BUILDER_MAX_ATTR_COLUMNS)));
}

/* Not null, and not dropped from the table. */
static Datum
required(SpanWriter *w, TupleTableSlot *slot, int i, const char *name)
{
	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("a table of spans needs column \"%s\"", name)));
	if (slot->tts_isnull[i])
		refuse_null(TupleDescAttr(w->desc, i));
	return slot->tts_values[i];
}

/* Start of a span in unix ns. */
static uint64
span_start(SpanWriter *w, TupleTableSlot *slot)
{
	TimestampTz t = DatumGetTimestampTz(required(w, slot, w->start_time, "start_time"));
	int16 ns = DatumGetInt16(required(w, slot, w->start_ns, "start_ns"));
	uint64 us;

	if (TIMESTAMP_NOT_FINITE(t) || t < -UNIX_TO_PG_USECS)
		refuse_range(TupleDescAttr(w->desc, w->start_time));
	us = (uint64) (t + UNIX_TO_PG_USECS);
	if (us > (UINT64_MAX - NSECS_PER_USEC) / NSECS_PER_USEC)
		refuse_range(TupleDescAttr(w->desc, w->start_time));
	if (ns < 0 || ns >= NSECS_PER_USEC)
		refuse_range(TupleDescAttr(w->desc, w->start_ns));
	return us * NSECS_PER_USEC + ns;
}

static void
put_events(SpanWriter *w, Datum d, uint64 start, Form_pg_attribute att)
{
	RecordIter it;
	EventRecord e;

	if (!records_begin(&it, profile_datum_bytes(d, att)))
		elog(ERROR, "malformed events");
	while (records_next_event(&it, &e))
	{
		builder_begin_event(w->bb, (int64) (e.time_ns - start), e.name, checked_u32(e.dropped, att));
		checked_add(builder_attributes(w->bb, LEVEL_EVENT, e.attributes));
		builder_end_event(w->bb);
	}
}

static void
put_links(SpanWriter *w, Datum d, Form_pg_attribute att)
{
	RecordIter it;
	LinkRecord l;

	if (!records_begin(&it, profile_datum_bytes(d, att)))
		elog(ERROR, "malformed links");
	while (records_next_link(&it, &l))
	{
		builder_begin_link(w->bb, l.trace_id, l.span_id, l.trace_state, checked_u32(l.flags, att),
						   checked_u32(l.dropped, att));
		checked_add(builder_attributes(w->bb, LEVEL_LINK, l.attributes));
		builder_end_link(w->bb);
	}
}

/* An attribute with a batch column of its own. */
static void
put_column(SpanWriter *w, int column, Datum d, bool isnull, Form_pg_attribute att, int16 role)
{
	if (isnull && role == SC_PARENT_ID)
		builder_set_i64(w->bb, column, 0);
	else if (isnull && role == SC_TRACE_ID)
		refuse_null(att);
	else if (isnull)
		builder_set_null(w->bb, column);
	else if (role == SC_TRACE_ID)
		builder_set_trace_id(w->bb, DatumGetTraceId(d)->b);
	else if (att->attbyval)
		builder_set_i64(w->bb, column, profile_datum_i64(d, att));
	else if (att->attlen > 0)
		builder_set_fixed(w->bb, column, (const uint8 *) DatumGetPointer(d));
	else
		builder_set_bytes(w->bb, column, profile_datum_bytes(d, att));
}

static void
put_list(SpanWriter *w, int16 role, Datum d, bool isnull, uint64 start, Form_pg_attribute att)
{
	if (isnull)
		refuse_null(att);
	if (role == ROLE_ATTRIBUTES)
		checked_add(builder_attributes(w->bb, LEVEL_SPAN, profile_datum_bytes(d, att)));
	else if (role == ROLE_EVENTS)
		put_events(w, d, start, att);
	else
		put_links(w, d, att);
}

static void
put_span(SpanWriter *w, TupleTableSlot *slot)
{
	uint64 start;

	slot_getallattrs(slot);
	start = span_start(w, slot);
	builder_begin_span(w->bb);
	builder_set_i64(w->bb, SC_START, (int64) start);
	for (int i = 0; i < w->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(w->desc, i);
		int16 role = w->p->role[i];

		if (att->attisdropped || role == ROLE_START_TIME || role == ROLE_START_NS)
			continue;
		if (w->p->column[i] < 0)
			put_list(w, role, slot->tts_values[i], slot->tts_isnull[i], start, att);
		else
			put_column(w, w->p->column[i], slot->tts_values[i], slot->tts_isnull[i], att, role);
	}
	builder_end_span(w->bb);
}

static Batch *
write_spans(TupleDesc desc, const TableProfile *p, TupleTableSlot **slots, int nslots, Arena *arena)
{
	Column *kinds = profile_columns(p, desc);
	uint32 nextra = profile_ncolumns(p, desc) - SC_COUNT;
	SpanWriter w = {builder_create(arena, false, nextra, kinds + SC_COUNT), desc, p, -1, -1};

	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		if (p->role[i] == ROLE_START_TIME)
			w.start_time = i;
		if (p->role[i] == ROLE_START_NS)
			w.start_ns = i;
	}
	for (int row = 0; row < nslots; row++)
		put_span(&w, slots[row]);
	pfree(kinds);
	return builder_finish(w.bb);
}

Batch *
row_write_batch(Relation rel, TupleTableSlot **slots, int nslots, Arena *arena)
{
	const TableProfile *p = store_profile(rel);

	if (p->spans)
		return write_spans(RelationGetDescr(rel), p, slots, nslots, arena);
	return write_plain(RelationGetDescr(rel), p, slots, nslots, arena);
}
