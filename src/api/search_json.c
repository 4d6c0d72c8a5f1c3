/*
 * search_json.c
 *	  One matching trace as JSON, in the shape of section 13 of the TraceQL reference: spansets with their
 *	  attributes, spans with the attributes that the query mentions, statistics by service.
 */
#include "api/search.h"

#include "api/json_write.h"

static void
put_duration(int64_t ns, Buf *out)
{
	Buf text;

	buf_init(&text, out->arena, 32);
	traceql_print_duration(ns, &text);
	json_put_string(out, str_of((char *) text.p, text.len));
}

static void
put_string_value(Str s, Buf *out)
{
	Value v = {.type = VALUE_STRING, .s = s};

	json_put_any_value(out, &v);
}

void
search_write_value(const EvalValue *value, Buf *out)
{
	Value v = {.type = VALUE_EMPTY};

	switch (value->type)
	{
		case EVAL_NIL: put_string_value(str_lit("nil"), out); return;
		case EVAL_STATUS: put_string_value(str_lit(traceql_status_name(value->i)), out); return;
		case EVAL_KIND: put_string_value(str_lit(traceql_kind_name(value->i)), out); return;
		case EVAL_STRING: put_string_value(value->s, out); return;
		case EVAL_DURATION:
			json_put_raw(out, "{\"stringValue\":");
			put_duration(value->i, out);
			buf_put_u8(out, '}');
			return;
		case EVAL_INT: v = (Value){.type = VALUE_INT, .i = value->i}; break;
		case EVAL_FLOAT: v = (Value){.type = VALUE_DOUBLE, .d = value->d}; break;
		case EVAL_BOOL: v = (Value){.type = VALUE_BOOL, .b = value->b}; break;
		case EVAL_ARRAY: v = (Value){.type = VALUE_ARRAY, .s = value->s}; break;
		default: break;
	}
	json_put_any_value(out, &v);
}

static void
write_attrs(const MatchAttr *attrs, uint32_t n, Buf *out)
{
	bool first = true;

	buf_put_u8(out, '[');
	for (uint32_t i = 0; i < n; i++)
	{
		json_put_comma(out, &first);
		json_put_raw(out, "{\"key\":");
		json_put_string(out, attrs[i].key);
		json_put_raw(out, ",\"value\":");
		search_write_value(&attrs[i].value, out);
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

static void
put_hex(const uint8_t *p, int n, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < n; i++)
	{
		*text++ = digits[p[i] >> 4];
		*text++ = digits[p[i] & 15];
	}
	*text = '\0';
}

void
search_hex_id(uint64_t span_id, char *text)
{
	uint8_t id[8];

	for (int i = 0; i < 8; i++)
		id[i] = (uint8_t) (span_id >> (56 - 8 * i));
	put_hex(id, 8, text);
}

Str
search_trace_id(const uint8_t trace_id[16], char *text)
{
	size_t zeros = 0;

	put_hex(trace_id, 16, text);
	while (zeros < 31 && text[zeros] == '0')
		zeros++;
	return str_of(text + zeros, 32 - zeros);
}

Str
search_root_service(const MatchTrace *trace)
{
	return trace->root_service.len > 0 ? trace->root_service : str_lit("<root span not yet received>");
}

static void
write_span(const MatchSpan *span, bool name_known, Buf *out)
{
	bool first = false;
	char id[17];

	search_hex_id(span->span_id, id);
	json_put_raw(out, "{\"spanID\":");
	json_put_string(out, str_of(id, 16));
	if (name_known && span->name.len > 0)
	{
		json_put_key(out, &first, "name");
		json_put_string(out, span->name);
	}
	json_put_key(out, &first, "startTimeUnixNano");
	json_put_quoted_u64(out, (uint64_t) span->start);
	if (span->duration != 0)
	{
		json_put_key(out, &first, "durationNanos");
		json_put_quoted_u64(out, (uint64_t) span->duration);
	}
	if (span->nattrs > 0)
	{
		json_put_key(out, &first, "attributes");
		write_attrs(span->attrs, span->nattrs, out);
	}
	buf_put_u8(out, '}');
}

static void
write_spanset(const MatchSpanset *set, bool name_known, Buf *out)
{
	bool first = true;

	json_put_raw(out, "{\"spans\":[");
	for (uint32_t i = 0; i < set->nspans; i++)
	{
		json_put_comma(out, &first);
		write_span(&set->spans[i], name_known, out);
	}
	json_put_raw(out, "],\"matched\":");
	json_put_u64(out, set->matched);
	if (set->nattrs > 0)
	{
		json_put_raw(out, ",\"attributes\":");
		write_attrs(set->attrs, set->nattrs, out);
	}
	buf_put_u8(out, '}');
}

static void
write_services(const MatchTrace *trace, Buf *out)
{
	bool first_service = true;

	json_put_raw(out, ",\"serviceStats\":{");
	for (uint32_t i = 0; i < trace->nservices; i++)
	{
		bool first = true;

		json_put_comma(out, &first_service);
		json_put_string(out, trace->services[i].name);
		json_put_raw(out, ":{");
		if (trace->services[i].spans > 0)
		{
			json_put_key(out, &first, "spanCount");
			json_put_u64(out, trace->services[i].spans);
		}
		if (trace->services[i].errors > 0)
		{
			json_put_key(out, &first, "errorCount");
			json_put_u64(out, trace->services[i].errors);
		}
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, '}');
}

static void
write_spansets(const MatchTrace *trace, bool name_known, Buf *out)
{
	bool first = true;

	if (trace->nsets == 0)
		return;
	json_put_raw(out, ",\"spanSet\":");
	write_spanset(&trace->sets[0], name_known, out);
	json_put_raw(out, ",\"spanSets\":[");
	for (uint32_t i = 0; i < trace->nsets; i++)
	{
		json_put_comma(out, &first);
		write_spanset(&trace->sets[i], name_known, out);
	}
	buf_put_u8(out, ']');
}

void
search_write_trace(const MatchTrace *trace, bool name_known, bool trace_only, Buf *out)
{
	uint64_t ms = (uint64_t) trace->duration / 1000000;
	char id[33];

	json_put_raw(out, "{\"traceID\":");
	json_put_string(out, search_trace_id(trace->trace_id, id));
	json_put_raw(out, ",\"rootServiceName\":");
	json_put_string(out, search_root_service(trace));
	if (trace->root_name.len > 0)
	{
		json_put_raw(out, ",\"rootTraceName\":");
		json_put_string(out, trace->root_name);
	}
	json_put_raw(out, ",\"startTimeUnixNano\":");
	json_put_quoted_u64(out, (uint64_t) trace->start);
	if ((uint32_t) ms != 0)
	{
		json_put_raw(out, ",\"durationMs\":");
		json_put_u64(out, (uint32_t) ms);
	}
	if (!trace_only)
		write_spansets(trace, name_known, out);
	if (trace->nservices > 0)
		write_services(trace, out);
	buf_put_u8(out, '}');
}
