/*
 * row_read.c
 *	  Values of SQL rows out of a batch.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/row.h"
#include "span/records.h"
#include "types/types.h"

/* Where an attribute's value comes from. */
typedef enum AttSource
{
	FROM_NOTHING, /* dropped */
	FROM_I64,
	FROM_FIXED,
	FROM_BYTES,
	FROM_PARENT,
	FROM_START_TIME,
	FROM_START_NS,
	FROM_ATTRIBUTES,
	FROM_EVENTS,
	FROM_LINKS
} AttSource;

typedef struct AttReader
{
	AttSource source;
	int16 column;
	int16 attlen;
	/* per vector */
	bool ready;
	bool missing; /* the vector is older than the attribute */
	Column *c;
	Datum *made; /* per dictionary entry: the datum, once made */
} AttReader;

struct RowReader
{
	Relation rel;
	TupleDesc desc;
	AttReader *atts;
	Batch *batch;
	MemoryContext context;
	MemoryContext vector_context;
	MemoryContext row_context;
	Arena *lists; /* attributes, events and links of the row */
	bool lists_used;
	/* row_reader_keys: columns of the keys, for the vector */
	const Str *keys;
	uint8 *wanted;
	Datum no_keys; /* an empty list */
};

static AttSource
plain_source(Form_pg_attribute att)
{
	if (att->attisdropped)
		return FROM_NOTHING;
	if (att->attbyval)
		return FROM_I64;
	return att->attlen > 0 ? FROM_FIXED : FROM_BYTES;
}

static AttSource
source_of(const TableProfile *p, int i, Form_pg_attribute att)
{
	if (att->attisdropped || !p->spans)
		return plain_source(att);
	switch (p->role[i])
	{
		case SC_PARENT_ID: return FROM_PARENT;
		case ROLE_START_TIME: return FROM_START_TIME;
		case ROLE_START_NS: return FROM_START_NS;
		case ROLE_ATTRIBUTES: return FROM_ATTRIBUTES;
		case ROLE_EVENTS: return FROM_EVENTS;
		case ROLE_LINKS: return FROM_LINKS;
		default: return plain_source(att);
	}
}

RowReader *
row_reader_create(Relation rel, TupleDesc desc, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	const TableProfile *p = store_profile(rel);
	RowReader *r = palloc0(sizeof(RowReader));

	if (desc->natts > p->natts)
		elog(ERROR, "table \"%s\" has fewer columns than its rows", RelationGetRelationName(rel));
	r->rel = rel;
	r->desc = desc;
	r->atts = palloc0(Max(r->desc->natts, 1) * sizeof(AttReader));
	for (int i = 0; i < r->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(r->desc, i);

		r->atts[i].source = source_of(p, i, att);
		r->atts[i].column = p->column[i];
		r->atts[i].attlen = att->attlen;
	}
	r->context = AllocSetContextCreate(context, "tempo row reader", ALLOCSET_SMALL_SIZES);
	r->vector_context = AllocSetContextCreate(r->context, "tempo vector values", ALLOCSET_DEFAULT_SIZES);
	r->row_context = AllocSetContextCreate(r->context, "tempo row values", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	return r;
}

void
row_reader_free(RowReader *r)
{
	MemoryContextDelete(r->context);
	pfree(r->atts);
	pfree(r);
}

void
row_reader_attach(RowReader *r, Batch *vector)
{
	r->batch = vector;
	for (int i = 0; i < r->desc->natts; i++)
		r->atts[i].ready = false;
	r->keys = NULL;
	row_reader_begin_row(r);
	MemoryContextReset(r->vector_context);
}

void
row_reader_begin_row(RowReader *r)
{
	MemoryContextReset(r->row_context);
	if (r->lists_used)
		arena_reset(r->lists);
	r->lists_used = false;
}

static ColKind
kind_wanted(AttSource source)
{
	switch (source)
	{
		case FROM_FIXED: return COL_FIXED;
		case FROM_BYTES: return COL_BYTES;
		default: return COL_I64;
	}
}

static void
prepare_column(RowReader *r, AttReader *a)
{
	RowSet *rows = &r->batch->level[LEVEL_SPAN];

	a->missing = (uint32) a->column >= rows->ncolumns;
	a->made = NULL;
	if (a->missing)
		return;
	a->c = batch_column(r->batch, LEVEL_SPAN, a->column);
	if (a->c->kind != kind_wanted(a->source) || (a->c->kind == COL_FIXED && a->c->width != a->attlen))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("column %d of a batch of table \"%s\" is not of the kind the table has",
							   a->column, RelationGetRelationName(r->rel))));
	/* A dictionary much larger than the vector is not worth an array. */
	if (a->source == FROM_BYTES && a->c->ndict / 4 <= a->c->n)
		a->made = MemoryContextAllocZero(r->vector_context, Max(a->c->ndict, 1) * sizeof(Datum));
}

static void
prepare(RowReader *r, AttReader *a)
{
	MemoryContext old = MemoryContextSwitchTo(r->vector_context);

	if (a->column >= 0 && a->source != FROM_NOTHING)
		prepare_column(r, a);
	else
		a->missing = false;
	a->ready = true;
	MemoryContextSwitchTo(old);
}

static Datum
bytes_datum(MemoryContext context, Str s, int16 attlen)
{
	char *p;

	if (attlen == -2)
	{
		p = MemoryContextAlloc(context, (Size) s.len + 1);
		memcpy(p, s.p, s.len);
		p[s.len] = '\0';
		return PointerGetDatum(p);
	}
	p = MemoryContextAlloc(context, (Size) s.len + VARHDRSZ);
	SET_VARSIZE(p, s.len + VARHDRSZ);
	if (s.len)
		memcpy(VARDATA(p), s.p, s.len);
	return PointerGetDatum(p);
}

static Datum
dictionary_datum(RowReader *r, AttReader *a, uint32 row)
{
	uint32 code = a->c->codes[row];

	if (a->made == NULL)
		return bytes_datum(r->row_context, a->c->dict[code], a->attlen);
	if (a->made[code] == (Datum) 0)
		a->made[code] = bytes_datum(r->vector_context, a->c->dict[code], a->attlen);
	return a->made[code];
}

/* Fixed-width values are copied when their place in the column may not be aligned for the type. */
static Datum
fixed_datum(RowReader *r, AttReader *a, uint32 row)
{
	uint8 *p = a->c->fixed + (Size) row * a->attlen;
	void *copy;

	if (a->attlen % MAXIMUM_ALIGNOF == 0 || a->attlen < 2)
		return PointerGetDatum(p);
	copy = MemoryContextAlloc(r->row_context, a->attlen);
	memcpy(copy, p, a->attlen);
	return PointerGetDatum(copy);
}

/* ---- lists ---- */

/* A varlena being written; list_end makes it a datum. */
static void
list_begin(RowReader *r, Buf *out)
{
	if (r->lists == NULL)
		r->lists = store_arena(r->context);
	r->lists_used = true;
	buf_init(out, r->lists, 256);
	buf_reserve(out, VARHDRSZ);
	out->len = VARHDRSZ;
}

static Datum
list_end(Buf *out)
{
	if (out->len > MaxAllocSize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value too large for one row")));
	SET_VARSIZE(out->p, out->len);
	return PointerGetDatum(out->p);
}

static Datum
attributes_datum(RowReader *r, uint32 row)
{
	Buf out;

	list_begin(r, &out);
	batch_attributes(r->batch, LEVEL_SPAN, row, &out);
	return list_end(&out);
}

/* Which columns of the vector's attributes have one of the keys. */
static void
find_keys(RowReader *r, const Str *keys, int nkeys)
{
	const AttrSet *set = r->batch->level[LEVEL_SPAN].attrs;

	r->wanted = MemoryContextAllocZero(r->vector_context, Max(set->ncolumns, 1));
	for (uint32 c = 0; c < set->ncolumns; c++)
		for (int k = 0; k < nkeys; k++)
			if (str_eq(set->columns[c].key, keys[k]))
				r->wanted[c] = 1;
	r->keys = keys;
	r->no_keys = bytes_datum(r->vector_context, str_of("", 1), -1);
}

static bool
has_wanted(RowReader *r, uint32 row)
{
	const AttrSet *set = r->batch->level[LEVEL_SPAN].attrs;
	const uint32 *shapes = batch_shapes(r->batch, LEVEL_SPAN);
	const AttrShape *shape = &set->shapes[shapes[row]];

	for (uint32 i = 0; i < shape->n; i++)
		if (r->wanted[shape->columns[i]])
			return true;
	return false;
}

Datum
row_reader_keys(RowReader *r, uint32 row, const Str *keys, int nkeys)
{
	Buf out;

	if (r->keys != keys)
		find_keys(r, keys, nkeys);
	if (!has_wanted(r, row))
		return r->no_keys;
	list_begin(r, &out);
	batch_some_attributes(r->batch, LEVEL_SPAN, row, r->wanted, &out);
	return list_end(&out);
}

/* Attributes of an event or link in a buffer of their own: records are written to the other. */
static Str
member_attributes(RowReader *r, Level level, uint32 row, Buf *attrs)
{
	attrs->len = 0;
	batch_attributes(r->batch, level, row, attrs);
	return str_of((const char *) attrs->p, attrs->len);
}

static Datum
events_datum(RowReader *r, uint32 row)
{
	const uint32 *first = batch_event_first(r->batch);
	uint64 start = (uint64) batch_column(r->batch, LEVEL_SPAN, SC_START)->i64[row];
	Buf out;
	Buf attrs;

	list_begin(r, &out);
	buf_init(&attrs, r->lists, 256);
	buf_put_varint(&out, first[row + 1] - first[row]);
	for (uint32 i = first[row]; i < first[row + 1]; i++)
	{
		EventRecord e;

		e.time_ns = start + (uint64) batch_column(r->batch, LEVEL_EVENT, EC_TIME)->i64[i];
		e.name = column_str(batch_column(r->batch, LEVEL_EVENT, EC_NAME), i);
		e.dropped = batch_column(r->batch, LEVEL_EVENT, EC_DROPPED)->i64[i];
		e.attributes = member_attributes(r, LEVEL_EVENT, i, &attrs);
		records_write_event(&out, &e);
	}
	return list_end(&out);
}

static Datum
links_datum(RowReader *r, uint32 row)
{
	const uint32 *first = batch_link_first(r->batch);
	Buf out;
	Buf attrs;

	list_begin(r, &out);
	buf_init(&attrs, r->lists, 256);
	buf_put_varint(&out, first[row + 1] - first[row]);
	for (uint32 i = first[row]; i < first[row + 1]; i++)
	{
		LinkRecord l;

		l.trace_id = column_str(batch_column(r->batch, LEVEL_LINK, LC_TRACE_ID), i);
		l.span_id = column_str(batch_column(r->batch, LEVEL_LINK, LC_SPAN_ID), i);
		l.trace_state = column_str(batch_column(r->batch, LEVEL_LINK, LC_TRACE_STATE), i);
		l.flags = batch_column(r->batch, LEVEL_LINK, LC_FLAGS)->i64[i];
		l.dropped = batch_column(r->batch, LEVEL_LINK, LC_DROPPED)->i64[i];
		l.attributes = member_attributes(r, LEVEL_LINK, i, &attrs);
		records_write_link(&out, &l);
	}
	return list_end(&out);
}

static Datum
start_time_datum(int64 ns)
{
	int16 below;

	return TimestampTzGetDatum(types_unix_ns_time((uint64) ns, &below));
}

static Datum
start_ns_datum(int64 ns)
{
	int16 below;

	(void) types_unix_ns_time((uint64) ns, &below);
	return Int16GetDatum(below);
}

Datum
row_reader_value(RowReader *r, AttrNumber attno, uint32 row, bool *isnull)
{
	AttReader *a = &r->atts[attno - 1];

	if (!a->ready)
		prepare(r, a);
	if (a->missing)
		return getmissingattr(r->desc, attno, isnull);
	*isnull = a->source == FROM_NOTHING || (a->column >= 0 && a->c->nulls && a->c->nulls[row]);
	if (*isnull)
		return (Datum) 0;
	switch (a->source)
	{
		case FROM_NOTHING: break;
		case FROM_I64: return (Datum) a->c->i64[row];
		case FROM_FIXED: return fixed_datum(r, a, row);
		case FROM_BYTES: return dictionary_datum(r, a, row);
		case FROM_PARENT: *isnull = a->c->i64[row] == 0; return SpanIdGetDatum(a->c->i64[row]);
		case FROM_START_TIME: return start_time_datum(a->c->i64[row]);
		case FROM_START_NS: return start_ns_datum(a->c->i64[row]);
		case FROM_ATTRIBUTES: return attributes_datum(r, row);
		case FROM_EVENTS: return events_datum(r, row);
		case FROM_LINKS: return links_datum(r, row);
	}
	return (Datum) 0;
}
