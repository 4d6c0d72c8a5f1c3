/*
 * search_pb.c
 *	  A matching trace as protobuf: an element of SearchResponse.traces.
 */
#include "api/search.h"

#include "ingest/wire.h"

static void
put_string_value(Buf *out, uint32_t number, Str s)
{
	Value v = {.type = VALUE_STRING, .s = s};

	wire_put_any_value(out, number, &v, 0);
}

static void
put_duration_value(Buf *out, uint32_t number, int64_t ns)
{
	Buf text;

	buf_init(&text, out->arena, 32);
	traceql_print_duration(ns, &text);
	put_string_value(out, number, str_of((char *) text.p, text.len));
}

static void
put_value(Buf *out, uint32_t number, const EvalValue *value)
{
	Value v = {.type = VALUE_EMPTY};

	switch (value->type)
	{
		case EVAL_NIL: put_string_value(out, number, str_lit("nil")); return;
		case EVAL_STATUS: put_string_value(out, number, str_lit(traceql_status_name(value->i))); return;
		case EVAL_KIND: put_string_value(out, number, str_lit(traceql_kind_name(value->i))); return;
		case EVAL_STRING: put_string_value(out, number, value->s); return;
		case EVAL_DURATION: put_duration_value(out, number, value->i); return;
		case EVAL_INT: v = (Value){.type = VALUE_INT, .i = value->i}; break;
		case EVAL_FLOAT: v = (Value){.type = VALUE_DOUBLE, .d = value->d}; break;
		case EVAL_BOOL: v = (Value){.type = VALUE_BOOL, .b = value->b}; break;
		case EVAL_ARRAY: v = (Value){.type = VALUE_ARRAY, .s = value->s}; break;
		default: break;
	}
	wire_put_any_value(out, number, &v, 0);
}

static void
put_attrs(Buf *out, uint32_t number, const MatchAttr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		size_t at = wire_open(out, number);

		wire_put_bytes(out, 1, attrs[i].key);
		put_value(out, 2, &attrs[i].value);
		wire_close(out, at);
	}
}

static void
put_span(Buf *out, uint32_t number, const MatchSpan *span, bool name_known)
{
	size_t at = wire_open(out, number);
	char id[17];

	search_hex_id(span->span_id, id);
	wire_put_bytes(out, 1, str_of(id, 16));
	if (name_known)
		wire_put_bytes(out, 2, span->name);
	wire_put_varint(out, 3, span->start);
	wire_put_varint(out, 4, span->duration);
	put_attrs(out, 5, span->attrs, span->nattrs);
	wire_close(out, at);
}

static void
put_spanset(Buf *out, uint32_t number, const MatchSpanset *set, bool name_known)
{
	size_t at = wire_open(out, number);

	for (uint32_t i = 0; i < set->nspans; i++)
		put_span(out, 1, &set->spans[i], name_known);
	wire_put_varint(out, 2, set->matched);
	put_attrs(out, 3, set->attrs, set->nattrs);
	wire_close(out, at);
}

/* serviceStats: a map from name to counts. */
static void
put_service(Buf *out, uint32_t number, const MatchService *service)
{
	size_t at = wire_open(out, number);
	size_t stats;

	wire_put_bytes(out, 1, service->name);
	stats = wire_open(out, 2);
	wire_put_varint(out, 1, service->spans);
	wire_put_varint(out, 2, service->errors);
	wire_close(out, stats);
	wire_close(out, at);
}

void
search_write_trace_pb(const MatchTrace *trace, bool name_known, bool trace_only, Buf *out)
{
	size_t at = wire_open(out, 1);
	char id[33];

	wire_put_bytes(out, 1, search_trace_id(trace->trace_id, id));
	wire_put_bytes(out, 2, search_root_service(trace));
	wire_put_bytes(out, 3, trace->root_name);
	wire_put_varint(out, 4, trace->start);
	wire_put_varint(out, 5, (uint32_t) ((uint64_t) trace->duration / 1000000));
	if (!trace_only && trace->nsets > 0)
		put_spanset(out, 6, &trace->sets[0], name_known);
	for (uint32_t i = 0; !trace_only && i < trace->nsets; i++)
		put_spanset(out, 7, &trace->sets[i], name_known);
	for (uint32_t i = 0; i < trace->nservices; i++)
		put_service(out, 8, &trace->services[i]);
	wire_close(out, at);
}
