/*
 * otlp_write.c
 *	  Spans of a batch as OTLP protobuf.
 *
 * Fields that are zero or empty are left out, as protobuf does; a value that is empty stays an empty
 * message, so that decoding gives back the same batch.
 */
#include "ingest/otlp.h"
#include "ingest/wire.h"

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
	wire_put_attributes(w->out, number, str_of((const char *) w->attributes.p, w->attributes.len), 0);
}

static void
put_event(Writer *w, uint32_t event, uint64_t span_start)
{
	size_t start = wire_open(w->out, 11);

	wire_put_fixed64(w->out, 1, span_start + (uint64_t) get_i64(w, LEVEL_EVENT, EC_TIME, event));
	wire_put_bytes(w->out, 2, get_bytes(w, LEVEL_EVENT, EC_NAME, event));
	put_attributes(w, LEVEL_EVENT, event, 3);
	wire_put_varint(w->out, 4, get_i64(w, LEVEL_EVENT, EC_DROPPED, event));
	wire_close(w->out, start);
}

static void
put_link(Writer *w, uint32_t link)
{
	size_t start = wire_open(w->out, 13);

	wire_put_bytes(w->out, 1, get_bytes(w, LEVEL_LINK, LC_TRACE_ID, link));
	wire_put_bytes(w->out, 2, get_bytes(w, LEVEL_LINK, LC_SPAN_ID, link));
	wire_put_bytes(w->out, 3, get_bytes(w, LEVEL_LINK, LC_TRACE_STATE, link));
	put_attributes(w, LEVEL_LINK, link, 4);
	wire_put_varint(w->out, 5, get_i64(w, LEVEL_LINK, LC_DROPPED, link));
	wire_put_fixed32(w->out, 6, (uint32_t) get_i64(w, LEVEL_LINK, LC_FLAGS, link));
	wire_close(w->out, start);
}

static void
put_status(Writer *w, uint32_t row)
{
	Str message = get_bytes(w, LEVEL_SPAN, SC_STATUS_MESSAGE, row);
	int64_t code = get_i64(w, LEVEL_SPAN, SC_STATUS, row);
	size_t start;

	if (message.len == 0 && code == 0)
		return;
	start = wire_open(w->out, 15);
	wire_put_bytes(w->out, 2, message);
	wire_put_varint(w->out, 3, code);
	wire_close(w->out, start);
}

static void
put_children(Writer *w, uint32_t row, uint64_t span_start)
{
	const uint32_t *events = batch_event_first(w->b) + row;
	const uint32_t *links = batch_link_first(w->b) + row;

	for (uint32_t e = events[0]; e < events[1]; e++)
		put_event(w, e, span_start);
	wire_put_varint(w->out, 12, get_i64(w, LEVEL_SPAN, SC_DROPPED_EVENTS, row));
	for (uint32_t l = links[0]; l < links[1]; l++)
		put_link(w, l);
	wire_put_varint(w->out, 14, get_i64(w, LEVEL_SPAN, SC_DROPPED_LINKS, row));
}

static void
put_span(Writer *w, uint32_t row)
{
	size_t start = wire_open(w->out, 2);
	const uint8_t *ids = batch_column(w->b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	uint64_t begin = (uint64_t) get_i64(w, LEVEL_SPAN, SC_START, row);

	wire_put_bytes(w->out, 1, str_of((const char *) ids + 16 * (size_t) row, 16));
	wire_put_id(w->out, 2, get_i64(w, LEVEL_SPAN, SC_SPAN_ID, row));
	wire_put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_TRACE_STATE, row));
	wire_put_id(w->out, 4, get_i64(w, LEVEL_SPAN, SC_PARENT_ID, row));
	wire_put_bytes(w->out, 5, get_bytes(w, LEVEL_SPAN, SC_NAME, row));
	wire_put_varint(w->out, 6, get_i64(w, LEVEL_SPAN, SC_KIND, row));
	wire_put_fixed64(w->out, 7, begin);
	wire_put_fixed64(w->out, 8, begin + (uint64_t) get_i64(w, LEVEL_SPAN, SC_DURATION, row));
	put_attributes(w, LEVEL_SPAN, row, 9);
	wire_put_varint(w->out, 10, get_i64(w, LEVEL_SPAN, SC_DROPPED_ATTRIBUTES, row));
	put_children(w, row, begin);
	put_status(w, row);
	wire_put_fixed32(w->out, 16, (uint32_t) get_i64(w, LEVEL_SPAN, SC_FLAGS, row));
	wire_close(w->out, start);
}

/* ---- grouping ---- */

static bool
same_resource(Batch *b, uint32_t x, uint32_t y)
{
	return batch_same_values(b, SC_RESOURCE, SC_RESOURCE_SCHEMA_URL, x, y);
}

static bool
same_scope(Batch *b, uint32_t x, uint32_t y)
{
	return batch_same_values(b, SC_SCOPE, SC_SCOPE_SCHEMA_URL, x, y);
}

static void
put_resource(Writer *w, uint32_t row)
{
	size_t start = wire_open(w->out, 1);

	wire_put_attributes(w->out, 1, get_bytes(w, LEVEL_SPAN, SC_RESOURCE, row), 0);
	wire_put_varint(w->out, 2, get_i64(w, LEVEL_SPAN, SC_RESOURCE_DROPPED, row));
	wire_close(w->out, start);
}

static void
put_scope(Writer *w, uint32_t row)
{
	size_t start = wire_open(w->out, 1);

	wire_put_bytes(w->out, 1, get_bytes(w, LEVEL_SPAN, SC_SCOPE_NAME, row));
	wire_put_bytes(w->out, 2, get_bytes(w, LEVEL_SPAN, SC_SCOPE_VERSION, row));
	wire_put_attributes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_SCOPE, row), 0);
	wire_put_varint(w->out, 4, get_i64(w, LEVEL_SPAN, SC_SCOPE_DROPPED, row));
	wire_close(w->out, start);
}

/* Rows of one resource and scope; returns how many. */
static uint32_t
put_scope_spans(Writer *w, const uint32_t *rows, uint32_t n)
{
	size_t start = wire_open(w->out, 2);
	uint32_t i;

	put_scope(w, rows[0]);
	for (i = 0; i < n && same_scope(w->b, rows[0], rows[i]) && same_resource(w->b, rows[0], rows[i]); i++)
		put_span(w, rows[i]);
	wire_put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_SCOPE_SCHEMA_URL, rows[0]));
	wire_close(w->out, start);
	return i;
}

static uint32_t
put_resource_spans(Writer *w, const uint32_t *rows, uint32_t n)
{
	size_t start = wire_open(w->out, 1);
	uint32_t i = 0;

	put_resource(w, rows[0]);
	while (i < n && same_resource(w->b, rows[0], rows[i]))
		i += put_scope_spans(w, rows + i, n - i);
	wire_put_bytes(w->out, 3, get_bytes(w, LEVEL_SPAN, SC_RESOURCE_SCHEMA_URL, rows[0]));
	wire_close(w->out, start);
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
