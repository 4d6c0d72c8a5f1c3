/*
 * handle_trace.c
 *	  /api/traces/{id} and /api/v2/traces/{id}.
 */
#include "postgres.h"

#include "api/handlers.h"
#include "api/json_write.h"
#include "api/trace.h"
#include "traceql/trace_lookup.h"
#include "ingest/otlp.h"

#define NS_PER_SECOND UINT64CONST(1000000000)

typedef struct TraceAnswer
{
	Batch *batch; /* NULL: not found */
	uint32 *rows;
	uint32 nrows;
} TraceAnswer;

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to 32 hex digits, shorter ones padded with zeros on the left. */
static bool
parse_trace_id(ApiCall *call, uint8 id[16])
{
	Str s = call->argument;

	memset(id, 0, 16);
	for (uint32 i = 0; i < s.len; i++)
		if (hex_value(s.p[i]) < 0)
		{
			api_refuse(call, 400, "invalid trace id: \"%c\" at position %u is not a hexadecimal digit",
					   s.p[i], i + 1);
			return false;
		}
	if (s.len == 0 || s.len > 32)
	{
		api_refuse(call, 400, "invalid trace id: it has %u digits, and 1 to 32 are possible", s.len);
		return false;
	}
	for (uint32 i = 0; i < s.len; i++)
	{
		uint32 nibble = 32 - s.len + i;

		id[nibble / 2] |= (uint8) (hex_value(s.p[i]) << (nibble % 2 == 0 ? 4 : 0));
	}
	return true;
}

/* Read the trace that the request names. false: refused already. */
static bool
read_trace(ApiCall *call, TraceAnswer *answer)
{
	uint8 id[16];
	bool limited;
	uint64 start;
	uint64 end;

	if (!parse_trace_id(call, id) || !api_time_range(call, &limited, &start, &end))
		return false;
	answer->rows = NULL;
	answer->nrows = 0;
	answer->batch = trace_lookup(id, call->tenant, limited ? start * NS_PER_SECOND : 0,
								 limited ? end * NS_PER_SECOND : PG_UINT64_MAX, call->arena);
	if (answer->batch != NULL)
		answer->rows = trace_view(answer->batch, &answer->nrows);
	return true;
}

static void
write_protobuf(const TraceAnswer *answer, Buf *out)
{
	if (answer->batch != NULL)
		otlp_write_pb(answer->batch, answer->rows, answer->nrows, out);
}

void
handle_trace_v1(ApiCall *call)
{
	TraceAnswer answer;
	Buf out;

	if (!read_trace(call, &answer))
		return;
	if (answer.batch == NULL)
	{
		call->res->status = 404;
		call->res->content_type = API_TEXT;
		return;
	}
	buf_init(&out, call->arena, 64 * 1024);
	if (api_wants_protobuf(call))
		write_protobuf(&answer, &out);
	else
		trace_write_json(answer.batch, answer.rows, answer.nrows, "batches", &out);
	api_answer(call, api_wants_protobuf(call) ? API_PROTOBUF : API_JSON, &out);
}

/* TraceByIDResponse: trace = 1 is there even when empty, which Grafana relies on; metrics = 2 too. */
static void
write_v2_protobuf(const TraceAnswer *answer, Buf *out)
{
	Buf trace;

	buf_init(&trace, out->arena, 64 * 1024);
	write_protobuf(answer, &trace);
	buf_put_u8(out, 0x0a);
	buf_put_varint(out, trace.len);
	buf_put(out, trace.p, trace.len);
	buf_put(out, "\x12\x00", 2);
}

static void
write_v2_json(const TraceAnswer *answer, Buf *out)
{
	json_put_raw(out, "{\"trace\":");
	if (answer->batch != NULL)
		trace_write_json(answer->batch, answer->rows, answer->nrows, "resourceSpans", out);
	else
		json_put_raw(out, "{}");
	json_put_raw(out, ",\"metrics\":{}}");
}

void
handle_trace_v2(ApiCall *call)
{
	TraceAnswer answer;
	Buf out;

	if (!read_trace(call, &answer))
		return;
	buf_init(&out, call->arena, 64 * 1024);
	if (api_wants_protobuf(call))
		write_v2_protobuf(&answer, &out);
	else
		write_v2_json(&answer, &out);
	api_answer(call, api_wants_protobuf(call) ? API_PROTOBUF : API_JSON, &out);
}
