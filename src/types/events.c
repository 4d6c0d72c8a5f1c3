/*
 * events.c
 *	  The types tempo.events and tempo.links: text, jsonb and rows of the lists of span/records.h.
 *
 * Text is an array of objects with fixed fields, in the style of tempo.attributes:
 *	  [{"time": unix ns, "name": "...", "dropped": 0, "attributes": {...}}]
 *	  [{"trace_id": "hex", "span_id": "hex", "trace_state": "", "flags": 0, "dropped": 0, "attributes":
 *{...}}] Input takes the fields in any order, each once; what is missing is 0 or empty.
 */
#include "types/types.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "span/records.h"

static void
malformed(const char *type)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("malformed value of type %s", type)));
}

/* ---- input ---- */

/* Which of the names the next field is; each may come once (seen is a bit set). */
static int
parse_field(TextCursor *cur, const char *const *names, int nnames, uint32 *seen)
{
	const char *at = cur->pos;
	Str name = types_parse_string(cur);

	for (int i = 0; i < nnames; i++)
	{
		if (!str_eq(name, str_lit(names[i])))
			continue;
		if (*seen & (1u << i))
		{
			cur->pos = at;
			types_parse_error(cur, "Field given twice");
		}
		*seen |= 1u << i;
		types_parse_expect(cur, ':');
		return i;
	}
	cur->pos = at;
	types_parse_error(cur, "Unknown field");
}

static Str
parse_attributes_field(TextCursor *cur)
{
	Buf out;

	buf_init(&out, cur->arena, 64);
	types_parse_attributes(cur, &out, 0);
	return str_of((char *) out.p, out.len);
}

/* A string of hex digits, two a byte. */
static Str
parse_hex_field(TextCursor *cur)
{
	Str hex = types_parse_string(cur);
	uint8 *bytes = arena_alloc(cur->arena, hex.len / 2 + 1);

	for (uint32 i = 0; i < hex.len; i++)
	{
		int digit = types_hex_digit(hex.p[i]);

		if (digit < 0 || hex.len % 2 != 0)
			types_parse_error(cur, "Expected pairs of hexadecimal digits");
		bytes[i / 2] = i % 2 ? bytes[i / 2] | (uint8) digit : (uint8) (digit << 4);
	}
	return str_of((char *) bytes, hex.len / 2);
}

static void
parse_event(TextCursor *cur, Buf *out)
{
	static const char *const names[] = {"time", "name", "dropped", "attributes"};
	EventRecord r = {0};
	uint32 seen = 0;

	types_parse_expect(cur, '{');
	if (!types_parse_take(cur, '}'))
	{
		do
		{
			switch (parse_field(cur, names, lengthof(names), &seen))
			{
				case 0: r.time_ns = types_parse_uint64(cur); break;
				case 1: r.name = types_parse_string(cur); break;
				case 2: r.dropped = types_parse_uint64(cur); break;
				case 3: r.attributes = parse_attributes_field(cur); break;
			}
		} while (types_parse_take(cur, ','));
		types_parse_expect(cur, '}');
	}
	records_write_event(out, &r);
}

static void
parse_link(TextCursor *cur, Buf *out)
{
	static const char *const names[] = {"trace_id", "span_id", "trace_state",
										"flags",    "dropped", "attributes"};
	LinkRecord r = {0};
	uint32 seen = 0;

	types_parse_expect(cur, '{');
	if (!types_parse_take(cur, '}'))
	{
		do
		{
			switch (parse_field(cur, names, lengthof(names), &seen))
			{
				case 0: r.trace_id = parse_hex_field(cur); break;
				case 1: r.span_id = parse_hex_field(cur); break;
				case 2: r.trace_state = types_parse_string(cur); break;
				case 3: r.flags = types_parse_uint64(cur); break;
				case 4: r.dropped = types_parse_uint64(cur); break;
				case 5: r.attributes = parse_attributes_field(cur); break;
			}
		} while (types_parse_take(cur, ','));
		types_parse_expect(cur, '}');
	}
	records_write_link(out, &r);
}

static Datum
parse_records(const char *text, const char *type, void (*parse)(TextCursor *, Buf *))
{
	TextCursor cur;
	Buf records;
	Buf whole;
	uint64 count = 0;
	Datum result;

	types_parse_begin(&cur, text, strlen(text), type);
	buf_init(&records, cur.arena, 256);
	types_parse_expect(&cur, '[');
	if (!types_parse_take(&cur, ']'))
	{
		do
		{
			parse(&cur, &records);
			count++;
		} while (types_parse_take(&cur, ','));
		types_parse_expect(&cur, ']');
	}
	buf_init(&whole, cur.arena, records.len + 10);
	buf_put_varint(&whole, count);
	buf_put(&whole, records.p, records.len);
	result = types_datum(str_of((char *) whole.p, whole.len));
	types_parse_end(&cur);
	return result;
}

PG_FUNCTION_INFO_V1(tempo_events_in);
Datum
tempo_events_in(PG_FUNCTION_ARGS)
{
	return parse_records(PG_GETARG_CSTRING(0), "tempo.events", parse_event);
}

PG_FUNCTION_INFO_V1(tempo_links_in);
Datum
tempo_links_in(PG_FUNCTION_ARGS)
{
	return parse_records(PG_GETARG_CSTRING(0), "tempo.links", parse_link);
}

/* ---- binary input: checked, then written anew so that a list has one form only ---- */

static Str
binary_argument(FunctionCallInfo fcinfo)
{
	StringInfo msg = (StringInfo) PG_GETARG_POINTER(0);
	int len = msg->len - msg->cursor;

	return str_of(pq_getmsgbytes(msg, len), len);
}

static void
bad_binary(const char *type)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("invalid binary representation of type %s", type)));
}

PG_FUNCTION_INFO_V1(tempo_events_recv);
Datum
tempo_events_recv(PG_FUNCTION_ARGS)
{
	Str bytes = binary_argument(fcinfo);
	Arena *arena = types_arena();
	RecordIter it;
	EventRecord r;
	Buf out;
	Datum result;

	if (!records_events_valid(bytes))
		bad_binary("tempo.events");
	buf_init(&out, arena, bytes.len + 1);
	records_begin(&it, bytes);
	buf_put_varint(&out, it.left);
	while (records_next_event(&it, &r))
	{
		r.attributes = types_canonical_attributes(r.attributes, arena);
		records_write_event(&out, &r);
	}
	result = types_datum(str_of((char *) out.p, out.len));
	arena_destroy(arena);
	return result;
}

PG_FUNCTION_INFO_V1(tempo_links_recv);
Datum
tempo_links_recv(PG_FUNCTION_ARGS)
{
	Str bytes = binary_argument(fcinfo);
	Arena *arena = types_arena();
	RecordIter it;
	LinkRecord r;
	Buf out;
	Datum result;

	if (!records_links_valid(bytes))
		bad_binary("tempo.links");
	buf_init(&out, arena, bytes.len + 1);
	records_begin(&it, bytes);
	buf_put_varint(&out, it.left);
	while (records_next_link(&it, &r))
	{
		r.attributes = types_canonical_attributes(r.attributes, arena);
		records_write_link(&out, &r);
	}
	result = types_datum(str_of((char *) out.p, out.len));
	arena_destroy(arena);
	return result;
}

/* ---- output ---- */

static void
print_hex_field(StringInfo out, const char *name, Str id)
{
	appendStringInfo(out, "\"%s\": \"", name);
	types_print_hex(out, id);
	appendStringInfoChar(out, '"');
}

static void
print_dropped_and_attributes(StringInfo out, uint64 dropped, Str attributes)
{
	appendStringInfo(out, ", \"dropped\": " UINT64_FORMAT ", \"attributes\": ", dropped);
	types_print_attributes(out, attributes);
	appendStringInfoChar(out, '}');
}

PG_FUNCTION_INFO_V1(tempo_events_out);
Datum
tempo_events_out(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	RecordIter it;
	EventRecord r;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_event(&it, &r))
	{
		appendStringInfo(&buf, "%s{\"time\": " UINT64_FORMAT ", \"name\": ", buf.len > 1 ? ", " : "",
						 (uint64) r.time_ns);
		types_print_string(&buf, r.name);
		print_dropped_and_attributes(&buf, r.dropped, r.attributes);
	}
	if (it.left != 0)
		malformed("tempo.events");
	appendStringInfoChar(&buf, ']');
	PG_RETURN_CSTRING(buf.data);
}

PG_FUNCTION_INFO_V1(tempo_links_out);
Datum
tempo_links_out(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	RecordIter it;
	LinkRecord r;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_link(&it, &r))
	{
		appendStringInfoString(&buf, buf.len > 1 ? ", {" : "{");
		print_hex_field(&buf, "trace_id", r.trace_id);
		appendStringInfoString(&buf, ", ");
		print_hex_field(&buf, "span_id", r.span_id);
		appendStringInfoString(&buf, ", \"trace_state\": ");
		types_print_string(&buf, r.trace_state);
		appendStringInfo(&buf, ", \"flags\": " UINT64_FORMAT, (uint64) r.flags);
		print_dropped_and_attributes(&buf, r.dropped, r.attributes);
	}
	if (it.left != 0)
		malformed("tempo.links");
	appendStringInfoChar(&buf, ']');
	PG_RETURN_CSTRING(buf.data);
}

PG_FUNCTION_INFO_V1(tempo_records_length);
Datum
tempo_records_length(PG_FUNCTION_ARGS)
{
	RecordIter it;

	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	PG_RETURN_INT32((int32) it.left);
}

/* ---- jsonb ---- */

PG_FUNCTION_INFO_V1(tempo_events_to_jsonb);
Datum
tempo_events_to_jsonb(PG_FUNCTION_ARGS)
{
	JsonbParseState *ps = NULL;
	RecordIter it;
	EventRecord r;

	pushJsonbValue(&ps, WJB_BEGIN_ARRAY, NULL);
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_event(&it, &r))
	{
		pushJsonbValue(&ps, WJB_BEGIN_OBJECT, NULL);
		types_push_key(&ps, "time");
		types_push_uint64(&ps, r.time_ns);
		types_push_key(&ps, "name");
		types_push_string(&ps, r.name);
		types_push_key(&ps, "dropped");
		types_push_uint64(&ps, r.dropped);
		types_push_key(&ps, "attributes");
		types_push_attributes(&ps, r.attributes);
		pushJsonbValue(&ps, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&ps, WJB_END_ARRAY, NULL)));
}

PG_FUNCTION_INFO_V1(tempo_links_to_jsonb);
Datum
tempo_links_to_jsonb(PG_FUNCTION_ARGS)
{
	JsonbParseState *ps = NULL;
	RecordIter it;
	LinkRecord r;

	pushJsonbValue(&ps, WJB_BEGIN_ARRAY, NULL);
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_link(&it, &r))
	{
		pushJsonbValue(&ps, WJB_BEGIN_OBJECT, NULL);
		types_push_key(&ps, "trace_id");
		types_push_hex(&ps, r.trace_id);
		types_push_key(&ps, "span_id");
		types_push_hex(&ps, r.span_id);
		types_push_key(&ps, "trace_state");
		types_push_string(&ps, r.trace_state);
		types_push_key(&ps, "flags");
		types_push_uint64(&ps, r.flags);
		types_push_key(&ps, "dropped");
		types_push_uint64(&ps, r.dropped);
		types_push_key(&ps, "attributes");
		types_push_attributes(&ps, r.attributes);
		pushJsonbValue(&ps, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&ps, WJB_END_ARRAY, NULL)));
}

/* ---- rows ---- */

static Datum
string_datum(Str s)
{
	Value v = {.type = VALUE_STRING, .s = s};
	StringInfoData buf;

	initStringInfo(&buf);
	types_print_bare(&buf, &v);
	return PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
}

/* Counts are 32 bits on the wire; what does not fit bigint cannot have come from there. */
static Datum
count_datum(uint64 v)
{
	return Int64GetDatum((int64) Min(v, (uint64) PG_INT64_MAX));
}

PG_FUNCTION_INFO_V1(tempo_each_event);
Datum
tempo_each_event(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RecordIter it;
	EventRecord r;

	InitMaterializedSRF(fcinfo, 0);
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_event(&it, &r))
	{
		bool nulls[5] = {false};
		int16 below;
		Datum values[5] = {TimestampTzGetDatum(types_unix_ns_time(r.time_ns, &below))};

		CHECK_FOR_INTERRUPTS();
		values[1] = Int16GetDatum(below);
		values[2] = string_datum(r.name);
		values[3] = types_datum(r.attributes);
		values[4] = count_datum(r.dropped);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The id when it has the right length, otherwise null: a link may carry anything. */
static Datum
link_id_datum(Str id, uint32 length, bool *null)
{
	*null = id.len != length;
	if (*null)
		return (Datum) 0;
	if (length == TRACE_ID_BYTES)
		return PointerGetDatum(memcpy(palloc(TRACE_ID_BYTES), id.p, TRACE_ID_BYTES));
	return SpanIdGetDatum(types_span_id((const uint8 *) id.p));
}

PG_FUNCTION_INFO_V1(tempo_each_link);
Datum
tempo_each_link(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RecordIter it;
	LinkRecord r;

	InitMaterializedSRF(fcinfo, 0);
	records_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (records_next_link(&it, &r))
	{
		bool nulls[6] = {false};
		Datum values[6];

		CHECK_FOR_INTERRUPTS();
		values[0] = link_id_datum(r.trace_id, TRACE_ID_BYTES, &nulls[0]);
		values[1] = link_id_datum(r.span_id, SPAN_ID_BYTES, &nulls[1]);
		values[2] = string_datum(r.trace_state);
		values[3] = types_datum(r.attributes);
		values[4] = count_datum(r.flags);
		values[5] = count_datum(r.dropped);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
