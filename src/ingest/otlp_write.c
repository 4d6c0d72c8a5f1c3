/*
 * otlp_write.c
 *	  Spans of a batch as OTLP protobuf.
 *
 * Lengths come before what they count, so a message is written first and its length slipped in front.
 * Fields that are zero or empty are left out, as protobuf does; a value that is empty stays an empty
 * message, so that decoding gives back the same batch.
 */
#include "ingest/otlp.h"

#define WIRE_VARINT 0
#define WIRE_I64    1
#define WIRE_LEN    2
#define WIRE_I32    5

static void
put_key(Buf *out, uint32_t number, uint32_t wire)
{
	buf_put_varint(out, number << 3 | wire);
}

static void
put_fixed(Buf *out, uint64_t v, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	buf_put(out, &v, n);
}

static void
put_varint(Buf *out, uint32_t number, int64_t v)
{
	if (v == 0)
		return;
	put_key(out, number, WIRE_VARINT);
	buf_put_varint(out, (uint64_t) v);
}

static void
put_fixed64(Buf *out, uint32_t number, uint64_t v)
{
	if (v == 0)
		return;
	put_key(out, number, WIRE_I64);
	put_fixed(out, v, 8);
}

static void
put_fixed32(Buf *out, uint32_t number, uint32_t v)
{
	if (v == 0)
		return;
	put_key(out, number, WIRE_I32);
	put_fixed(out, v, 4);
}

/* Also when empty: members of a oneof are there or not. */
static void
put_bytes_always(Buf *out, uint32_t number, Str s)
{
	put_key(out, number, WIRE_LEN);
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

static void
put_bytes(Buf *out, uint32_t number, Str s)
{
	if (s.len > 0)
		put_bytes_always(out, number, s);
}

/* The id as the 8 bytes it was. */
static void
put_id(Buf *out, uint32_t number, int64_t id)
{
	uint64_t v = (uint64_t) id;

	if (v == 0)
		return;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	put_bytes(out, number, str_of((const char *) &v, 8));
}

/* Begin a message; what open_message returns goes to close_message. */
static size_t
open_message(Buf *out, uint32_t number)
{
	put_key(out, number, WIRE_LEN);
	buf_put_u8(out, 0); /* room for a length below 128 */
	return out->len;
}

static void
close_message(Buf *out, size_t start)
{
	size_t len = out->len - start;
	uint8_t prefix[10];
	size_t n;

	if (len < 128)
	{
		out->p[start - 1] = (uint8_t) len;
		return;
	}
	buf_put_varint(out, len);
	n = out->len - start - len;
	memcpy(prefix, out->p + start + len, n);
	memmove(out->p + start + n - 1, out->p + start, len);
	memcpy(out->p + start - 1, prefix, n);
	out->len--;
}

/* ---- values ---- */

static void put_any(Buf *out, uint32_t number, const Value *v, int depth);

static void
put_key_value(Buf *out, uint32_t number, const KeyValue *kv, int depth)
{
	size_t start = open_message(out, number);

	put_bytes(out, 1, kv->key);
	put_any(out, 2, &kv->value, depth);
	close_message(out, start);
}

static void
put_list(Buf *out, uint32_t number, Str attributes, int depth)
{
	ValueIter it;
	KeyValue kv;

	if (!value_iter_begin(&it, attributes))
		return;
	while (value_iter_next_kv(&it, &kv))
		put_key_value(out, number, &kv, depth);
}

static void
put_array(Buf *out, Str array, int depth)
{
	ValueIter it;
	Value v;

	if (!value_iter_begin(&it, array))
		return;
	while (value_iter_next(&it, &v))
		put_any(out, 1, &v, depth);
}

static void
put_nested(Buf *out, const Value *v, int depth)
{
	size_t start = open_message(out, v->type);

	if (depth > VALUE_MAX_DEPTH)
		; /* no producer makes such values */
	else if (v->type == VALUE_ARRAY)
		put_array(out, v->s, depth);
	else
		put_list(out, 1, v->s, depth);
	close_message(out, start);
}

static void
put_any(Buf *out, uint32_t number, const Value *v, int depth)
{
	size_t start = open_message(out, number);

	switch (v->type)
	{
		case VALUE_EMPTY: break;
		case VALUE_BOOL:
			put_key(out, VALUE_BOOL, WIRE_VARINT);
			buf_put_u8(out, v->b ? 1 : 0);
			break;
		case VALUE_INT:
			put_key(out, VALUE_INT, WIRE_VARINT);
			buf_put_varint(out, (uint64_t) v->i);
			break;
		case VALUE_DOUBLE:
			put_key(out, VALUE_DOUBLE, WIRE_I64);
			put_fixed(out, (uint64_t) v->i, 8);
			break;
		case VALUE_STRING:
		case VALUE_BYTES: put_bytes_always(out, v->type, v->s); break;
		case VALUE_ARRAY:
		case VALUE_KVLIST: put_nested(out, v, depth + 1); break;
	}
	close_message(out, start);
}

/* ---- rows ---- */

typedef struct Writer
{
	Batch *b;
	Buf *out;
	Buf attributes; /* of one row */
} Writer;

static int64_t
get_i64(Writer *w, Level level, uint32_t col, uint32_t row)
{
	return batch_column(w->b, level, col)->i64[row];
}

static Str
get_bytes(Writer *w, Level level, uint32_t col, uint32_t row)
{
	return column_str(batch_column(w->b, level, col), row);
}

static void
put_attributes(Writer *w, Level level, uint32_t row, uint32_t number)
{
	w->attributes.len = 0;
	batch_attributes(w->b, level, row, &w->attributes);
	put_list(w->out, number, str_of((const char *) w->attributes.p, w->attributes.len), 0);
}

static void
put_event(Writer *w, uint32_t event, uint64_t span_start)
{
	size_t start = open_message(w->out, 11);

	put_fixed64(w->out, 1, span_start + (uint64_t) get_i64(w, LEVEL_EVENT, EC_TIME, event));
	put_bytes(w->out, 2, get_bytes(w, LEVEL_EVENT, EC_NAME, event));
	put_attributes(w, LEVEL_EVENT, event, 3);
	put_varint(w->out, 4, get_i64(w, LEVEL_EVENT, EC_DROPPED, event));
	close_message(w->out, start);
}

static void
put_link(Writer *w, uint32_t link)
{
	size_t start = open_message(w->out, 13);

	put_bytes(w->out, 1, get_bytes(w, LEVEL_LINK, LC_TRACE_ID, link));
	put_bytes(w->out, 2, get_bytes(w, LEVEL_LINK, LC_SPAN_ID, link));
	put_bytes(w->out, 3, get_bytes(w, LEVEL_LINK, LC_TRACE_STATE, link));
	put_attributes(w, LEVEL_LINK, link, 4);
	put_varint(w->out, 5, get_i64(w, LEVEL_LINK, LC_DROPPED, link));
	put_fixed32(w->out, 6, (uint32_t) get_i64(w, LEVEL_LINK, LC_FLAGS, link));
	close_message(w->out, start);
}

static void
put_status(Writer *w, uint32_t row)
{
	Str message = get_bytes(w, LEVEL_SPAN, SC_STATUS_MESSAGE, row);
	int64_t code = get_i64(w, LEVEL_SPAN, SC_STATUS, row);
	size_t start;

	if (message.len == 0 && code == 0)
		return;
	start = open_message(w->out, 15);
	put_bytes(w->out, 2, message);
	put_varint(w->out, 3, code);
	close_message(w->out, start);
}

static void
put_children(Writer *w, uint32_t row, uint64_t span_start)
{
	const uint32_t *events = batch_event_first(w->b) + row;
	const uint32_t *links = batch_link_first(w->b) + row;

	for (uint32_t e = events[0]; e < events[1]; e++)
		put_event(w, e, span_start);
	put_varint(w->out, 12, get_i64(w, LEVEL_SPAN, SC_DROPPED_EVENTS, row));
	for (uint32_t l = links[0]; l < links[1]; l++)
		put_link(w, l);
	put_varint(w->out, 14, get_i64(w, LEVEL_SPAN, SC_DROPPED_LINKS, row));
}

static void
put_span(Writer *w, uint32_t row)
{
	size_t start = open_message(w->out, 2);
	const uint8_t *ids = batch_column(w->b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	uint64_t begin = (uint64_t) get_i64(w, LEVEL_SPAN, SC_START, row);

	put_bytes(w->out, 1, str_of((const char *) ids + 16 * (size_t) row, 16));
	put_id(w->out, 2, get_i64(w, LEVEL_SPAN, SC_SPAN_ID, row));
	put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_TRACE_STATE, row));
	put_id(w->out, 4, get_i64(w, LEVEL_SPAN, SC_PARENT_ID, row));
	put_bytes(w->out, 5, get_bytes(w, LEVEL_SPAN, SC_NAME, row));
	put_varint(w->out, 6, get_i64(w, LEVEL_SPAN, SC_KIND, row));
	put_fixed64(w->out, 7, begin);
	put_fixed64(w->out, 8, begin + (uint64_t) get_i64(w, LEVEL_SPAN, SC_DURATION, row));
	put_attributes(w, LEVEL_SPAN, row, 9);
	put_varint(w->out, 10, get_i64(w, LEVEL_SPAN, SC_DROPPED_ATTRIBUTES, row));
	put_children(w, row, begin);
	put_status(w, row);
	put_fixed32(w->out, 16, (uint32_t) get_i64(w, LEVEL_SPAN, SC_FLAGS, row));
	close_message(w->out, start);
}

/* ---- grouping ---- */

static const SpanCol resource_columns[] = {SC_RESOURCE, SC_RESOURCE_DROPPED, SC_RESOURCE_SCHEMA_URL};
static const SpanCol scope_columns[] = {SC_SCOPE, SC_SCOPE_NAME, SC_SCOPE_VERSION, SC_SCOPE_DROPPED,
										SC_SCOPE_SCHEMA_URL};

static bool
same_columns(Batch *b, const SpanCol *cols, size_t ncols, uint32_t x, uint32_t y)
{
	for (size_t i = 0; i < ncols; i++)
	{
		const Column *c = batch_column(b, LEVEL_SPAN, cols[i]);

		if (c->kind == COL_I64 ? c->i64[x] != c->i64[y]
							   : c->codes[x] != c->codes[y] && !str_eq(column_str(c, x), column_str(c, y)))
			return false;
	}
	return true;
}

static bool
same_resource(Batch *b, uint32_t x, uint32_t y)
{
	return same_columns(b, resource_columns, sizeof(resource_columns) / sizeof(resource_columns[0]), x, y);
}

static bool
same_scope(Batch *b, uint32_t x, uint32_t y)
{
	return same_columns(b, scope_columns, sizeof(scope_columns) / sizeof(scope_columns[0]), x, y);
}

static void
put_resource(Writer *w, uint32_t row)
{
	size_t start = open_message(w->out, 1);

	put_list(w->out, 1, get_bytes(w, LEVEL_SPAN, SC_RESOURCE, row), 0);
	put_varint(w->out, 2, get_i64(w, LEVEL_SPAN, SC_RESOURCE_DROPPED, row));
	close_message(w->out, start);
}

static void
put_scope(Writer *w, uint32_t row)
{
	size_t start = open_message(w->out, 1);

	put_bytes(w->out, 1, get_bytes(w, LEVEL_SPAN, SC_SCOPE_NAME, row));
	put_bytes(w->out, 2, get_bytes(w, LEVEL_SPAN, SC_SCOPE_VERSION, row));
	put_list(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_SCOPE, row), 0);
	put_varint(w->out, 4, get_i64(w, LEVEL_SPAN, SC_SCOPE_DROPPED, row));
	close_message(w->out, start);
}

/* Rows of one resource and scope; returns how many. */
static uint32_t
put_scope_spans(Writer *w, const uint32_t *rows, uint32_t n)
{
	size_t start = open_message(w->out, 2);
	uint32_t i;

	put_scope(w, rows[0]);
	for (i = 0; i < n && same_scope(w->b, rows[0], rows[i]) && same_resource(w->b, rows[0], rows[i]); i++)
		put_span(w, rows[i]);
	put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_SCOPE_SCHEMA_URL, rows[0]));
	close_message(w->out, start);
	return i;
}

static uint32_t
put_resource_spans(Writer *w, const uint32_t *rows, uint32_t n)
{
	size_t start = open_message(w->out, 1);
	uint32_t i = 0;

	put_resource(w, rows[0]);
	while (i < n && same_resource(w->b, rows[0], rows[i]))
		i += put_scope_spans(w, rows + i, n - i);
	put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_RESOURCE_SCHEMA_URL, rows[0]));
	close_message(w->out, start);
	return i;
}

void
otlp_write_pb(Batch *batch, const uint32_t *rows, uint32_t n, Buf *out)
{
	Writer w = {.b = batch, .out = out};

	buf_init(&w.attributes, out->arena, 256);
	for (uint32_t i = 0; i < n;)
		i += put_resource_spans(&w, rows + i, n - i);
}
