/*
 * trace_json.c
 *	  A trace as JSON: ResourceSpans > ScopeSpans > spans, ids in base64 as Tempo prints them.
 */
#include "api/trace.h"

#include "api/json_write.h"

static const char *const kind_names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
										 "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
static const char *const status_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};

static int64_t
get_i64(Batch *b, Level level, uint32_t col, uint32_t row)
{
	return batch_column(b, level, col)->i64[row];
}

static Str
get_str(Batch *b, Level level, uint32_t col, uint32_t row)
{
	return column_str(batch_column(b, level, col), row);
}

static void
member_string(Buf *out, bool *first, const char *key, Str s)
{
	if (s.len == 0)
		return;
	json_put_key(out, first, key);
	json_put_string(out, s);
}

static void
member_base64(Buf *out, bool *first, const char *key, Str s)
{
	if (s.len == 0)
		return;
	json_put_key(out, first, key);
	json_put_base64(out, s);
}

static void
member_u32(Buf *out, bool *first, const char *key, int64_t v)
{
	if (v == 0)
		return;
	json_put_key(out, first, key);
	json_put_u64(out, (uint64_t) v);
}

static void
member_time(Buf *out, bool *first, const char *key, uint64_t ns)
{
	if (ns == 0)
		return;
	json_put_key(out, first, key);
	json_put_quoted_u64(out, ns);
}

/* An 8-byte id held as a number; zero is none. */
static void
member_id(Buf *out, bool *first, const char *key, uint64_t id)
{
	char bytes[8];

	if (id == 0)
		return;
	for (int i = 0; i < 8; i++)
		bytes[i] = (char) (id >> (56 - 8 * i));
	member_base64(out, first, key, str_of(bytes, 8));
}

/* Names for the numbers that have one, the number itself for others. */
static void
member_enum(Buf *out, bool *first, const char *key, int64_t v, const char *const *names, int nnames)
{
	if (v == 0)
		return;
	json_put_key(out, first, key);
	if (v > 0 && v < nnames)
		json_put_string(out, str_lit(names[v]));
	else
		json_put_i64(out, v);
}

/* "attributes" from encoded attributes, left out when there are none. */
static void
member_attributes(Buf *out, bool *first, Str attributes)
{
	if (attributes.len <= 1)
		return;
	json_put_key(out, first, "attributes");
	json_put_attributes(out, attributes);
}

static void
member_row_attributes(Batch *b, Level level, uint32_t row, Buf *out, bool *first)
{
	Buf bytes;

	buf_init(&bytes, out->arena, 256);
	batch_attributes(b, level, row, &bytes);
	member_attributes(out, first, str_of((char *) bytes.p, bytes.len));
}

static void
write_event(Batch *b, uint32_t row, uint64_t start, Buf *out)
{
	bool first = true;

	buf_put_u8(out, '{');
	member_time(out, &first, "timeUnixNano", start + (uint64_t) get_i64(b, LEVEL_EVENT, EC_TIME, row));
	member_string(out, &first, "name", get_str(b, LEVEL_EVENT, EC_NAME, row));
	member_row_attributes(b, LEVEL_EVENT, row, out, &first);
	member_u32(out, &first, "droppedAttributesCount", get_i64(b, LEVEL_EVENT, EC_DROPPED, row));
	buf_put_u8(out, '}');
}

static void
write_link(Batch *b, uint32_t row, Buf *out)
{
	bool first = true;

	buf_put_u8(out, '{');
	member_base64(out, &first, "traceId", get_str(b, LEVEL_LINK, LC_TRACE_ID, row));
	member_base64(out, &first, "spanId", get_str(b, LEVEL_LINK, LC_SPAN_ID, row));
	member_string(out, &first, "traceState", get_str(b, LEVEL_LINK, LC_TRACE_STATE, row));
	member_row_attributes(b, LEVEL_LINK, row, out, &first);
	member_u32(out, &first, "droppedAttributesCount", get_i64(b, LEVEL_LINK, LC_DROPPED, row));
	member_u32(out, &first, "flags", get_i64(b, LEVEL_LINK, LC_FLAGS, row));
	buf_put_u8(out, '}');
}

static void
member_events(Batch *b, uint32_t row, uint64_t start, Buf *out, bool *first)
{
	const uint32_t *at = batch_event_first(b);
	bool first_event = true;

	if (at[row] == at[row + 1])
		return;
	json_put_key(out, first, "events");
	buf_put_u8(out, '[');
	for (uint32_t e = at[row]; e < at[row + 1]; e++)
	{
		json_put_comma(out, &first_event);
		write_event(b, e, start, out);
	}
	buf_put_u8(out, ']');
}

static void
member_links(Batch *b, uint32_t row, Buf *out, bool *first)
{
	const uint32_t *at = batch_link_first(b);
	bool first_link = true;

	if (at[row] == at[row + 1])
		return;
	json_put_key(out, first, "links");
	buf_put_u8(out, '[');
	for (uint32_t l = at[row]; l < at[row + 1]; l++)
	{
		json_put_comma(out, &first_link);
		write_link(b, l, out);
	}
	buf_put_u8(out, ']');
}

static void
member_status(Batch *b, uint32_t row, Buf *out, bool *first)
{
	bool first_member = true;

	json_put_key(out, first, "status");
	buf_put_u8(out, '{');
	member_string(out, &first_member, "message", get_str(b, LEVEL_SPAN, SC_STATUS_MESSAGE, row));
	member_enum(out, &first_member, "code", get_i64(b, LEVEL_SPAN, SC_STATUS, row), status_names, 3);
	buf_put_u8(out, '}');
}

static void
write_span(Batch *b, uint32_t row, Buf *out)
{
	uint64_t start = (uint64_t) get_i64(b, LEVEL_SPAN, SC_START, row);
	Column *trace_id = batch_column(b, LEVEL_SPAN, SC_TRACE_ID);
	bool first = true;

	buf_put_u8(out, '{');
	member_base64(out, &first, "traceId", str_of((char *) trace_id->fixed + (size_t) 16 * row, 16));
	member_id(out, &first, "spanId", (uint64_t) get_i64(b, LEVEL_SPAN, SC_SPAN_ID, row));
	member_string(out, &first, "traceState", get_str(b, LEVEL_SPAN, SC_TRACE_STATE, row));
	member_id(out, &first, "parentSpanId", (uint64_t) get_i64(b, LEVEL_SPAN, SC_PARENT_ID, row));
	member_u32(out, &first, "flags", get_i64(b, LEVEL_SPAN, SC_FLAGS, row));
	member_string(out, &first, "name", get_str(b, LEVEL_SPAN, SC_NAME, row));
	member_enum(out, &first, "kind", get_i64(b, LEVEL_SPAN, SC_KIND, row), kind_names, 6);
	member_time(out, &first, "startTimeUnixNano", start);
	member_time(out, &first, "endTimeUnixNano", start + (uint64_t) get_i64(b, LEVEL_SPAN, SC_DURATION, row));
	member_row_attributes(b, LEVEL_SPAN, row, out, &first);
	member_u32(out, &first, "droppedAttributesCount", get_i64(b, LEVEL_SPAN, SC_DROPPED_ATTRIBUTES, row));
	member_events(b, row, start, out, &first);
	member_u32(out, &first, "droppedEventsCount", get_i64(b, LEVEL_SPAN, SC_DROPPED_EVENTS, row));
	member_links(b, row, out, &first);
	member_u32(out, &first, "droppedLinksCount", get_i64(b, LEVEL_SPAN, SC_DROPPED_LINKS, row));
	member_status(b, row, out, &first);
	buf_put_u8(out, '}');
}

static void
write_resource(Batch *b, uint32_t row, Buf *out)
{
	bool first = true;

	json_put_raw(out, "{\"resource\":{");
	member_attributes(out, &first, get_str(b, LEVEL_SPAN, SC_RESOURCE, row));
	member_u32(out, &first, "droppedAttributesCount", get_i64(b, LEVEL_SPAN, SC_RESOURCE_DROPPED, row));
	json_put_raw(out, "},\"scopeSpans\":[");
}

static void
write_scope(Batch *b, uint32_t row, Buf *out)
{
	bool first = true;

	json_put_raw(out, "{\"scope\":{");
	member_string(out, &first, "name", get_str(b, LEVEL_SPAN, SC_SCOPE_NAME, row));
	member_string(out, &first, "version", get_str(b, LEVEL_SPAN, SC_SCOPE_VERSION, row));
	member_attributes(out, &first, get_str(b, LEVEL_SPAN, SC_SCOPE, row));
	member_u32(out, &first, "droppedAttributesCount", get_i64(b, LEVEL_SPAN, SC_SCOPE_DROPPED, row));
	json_put_raw(out, "},\"spans\":[");
}

/* ],"schemaUrl":".."}: the end of a ScopeSpans or ResourceSpans, whose members so far are not empty. */
static void
end_group(Batch *b, uint32_t row, uint32_t url_column, Buf *out)
{
	bool first = false;

	buf_put_u8(out, ']');
	member_string(out, &first, "schemaUrl", get_str(b, LEVEL_SPAN, url_column, row));
	buf_put_u8(out, '}');
}

void
trace_write_json(Batch *b, const uint32_t *rows, uint32_t n, const char *key, Buf *out)
{
	bool first = true;

	buf_put_u8(out, '{');
	if (n > 0)
	{
		json_put_key(out, &first, key);
		buf_put_u8(out, '[');
	}
	for (uint32_t i = 0; i < n; i++)
	{
		bool new_resource =
			i == 0 || !batch_same_values(b, SC_RESOURCE, SC_RESOURCE_SCHEMA_URL, rows[i - 1], rows[i]);
		bool new_scope =
			new_resource || !batch_same_values(b, SC_SCOPE, SC_SCOPE_SCHEMA_URL, rows[i - 1], rows[i]);

		if (i > 0 && new_scope)
			end_group(b, rows[i - 1], SC_SCOPE_SCHEMA_URL, out);
		if (i > 0 && new_resource)
			end_group(b, rows[i - 1], SC_RESOURCE_SCHEMA_URL, out);
		if (i > 0)
			buf_put_u8(out, ',');
		if (new_resource)
			write_resource(b, rows[i], out);
		if (new_scope)
			write_scope(b, rows[i], out);
		write_span(b, rows[i], out);
	}
	if (n > 0)
	{
		end_group(b, rows[n - 1], SC_SCOPE_SCHEMA_URL, out);
		end_group(b, rows[n - 1], SC_RESOURCE_SCHEMA_URL, out);
		buf_put_u8(out, ']');
	}
	buf_put_u8(out, '}');
}
