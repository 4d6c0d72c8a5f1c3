/*
 * call_functions.c
 *	  tempo_structure() and tempo_trace_diff(): traces merged into one tree of calls.
 */
#include "postgres.h"

#include "trace/calls.h"
#include "traceql/query.h"
#include "traceql/rows.h"
#include "traceql/trace_rows.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(tempo_structure);
PG_FUNCTION_INFO_V1(tempo_trace_diff);

static Str
node_name(const CallNode *node)
{
	if (node->top == TRACE_ORPHAN)
		return str_lit("(parent not received)");
	return node->top == TRACE_CIRCLE ? str_lit("(parents form a circle)") : node->name;
}

static bool
is_heading(const CallNode *node)
{
	return node->top != TRACE_BELOW;
}

/* ---- structure ---- */

typedef enum StructureColumn
{
	STRUCTURE_DEPTH,
	STRUCTURE_NAME,
	STRUCTURE_SERVICE,
	STRUCTURE_TRACES,
	STRUCTURE_SPANS,
	STRUCTURE_ERRORS,
	STRUCTURE_P50,
	STRUCTURE_P90,
	STRUCTURE_P99,
	STRUCTURE_MAX,
	STRUCTURE_TOTAL,
	STRUCTURE_NCOLUMNS
} StructureColumn;

typedef struct Structure
{
	MemoryContext context;
	Calls *calls;
	Arena *scratch;
} Structure;

static void
take_trace(void *ctx, Batch *batch, uint32 trace)
{
	Structure *s = ctx;

	query_check_memory(s->context);
	calls_add(s->calls, 0, batch, trace, s->scratch);
	arena_reset(s->scratch);
}

static void
put_structure(ReturnSetInfo *rsi, CallNode *node)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 1};
	CallSide *side = &node->side[0];
	Datum values[STRUCTURE_NCOLUMNS] = {0};
	bool nulls[STRUCTURE_NCOLUMNS] = {false};

	values[STRUCTURE_DEPTH] = Int32GetDatum((int32) node->depth);
	values[STRUCTURE_NAME] = indented_datum(node->depth, node_name(node));
	values[STRUCTURE_TRACES] = Int64GetDatum((int64) side->traces);
	if (is_heading(node))
		memset(nulls + STRUCTURE_SPANS, true, STRUCTURE_NCOLUMNS - STRUCTURE_SPANS);
	else
	{
		values[STRUCTURE_SPANS] = Int64GetDatum((int64) side->spans);
		values[STRUCTURE_ERRORS] = Int64GetDatum((int64) side->errors);
		for (int q = 0; q < (int) lengthof(quantiles); q++)
			values[STRUCTURE_P50 + q] = ms_datum(call_duration(side, quantiles[q]));
		values[STRUCTURE_TOTAL] = ms_datum(side->total);
	}
	nulls[STRUCTURE_SERVICE] = is_heading(node);
	if (!is_heading(node))
		values[STRUCTURE_SERVICE] = str_datum(node->service);
	trace_put_row(rsi, values, nulls);
}

/* Arguments as traceql() has them, but no max_traces. */
static bool
structure_request(FunctionCallInfo fcinfo, TraceqlRequest *request)
{
	NullableDatum args[5];

	for (int i = 0; i < 3; i++)
		args[i] = fcinfo->args[i];
	args[3] = (NullableDatum){.isnull = true};
	args[4] = fcinfo->args[3];
	return traceql_request_args(args, request);
}

Datum
tempo_structure(PG_FUNCTION_ARGS)
{
	Structure s = {.context = CurrentMemoryContext};
	ReturnSetInfo *rsi = (ReturnSetInfo *) fcinfo->resultinfo;
	TraceqlRequest request;
	TraceqlSearch *search;
	uint32 *order;

	InitMaterializedSRF(fcinfo, 0);
	if (!structure_request(fcinfo, &request))
		return (Datum) 0;
	s.calls = calls_create(store_arena(s.context));
	s.scratch = store_arena(s.context);
	request.visit = take_trace;
	request.visit_ctx = &s;
	search = traceql_search_begin(&request);
	traceql_search_next(search);
	order = calls_order(s.calls, s.calls->arena);
	for (uint32 i = 0; i < s.calls->n; i++)
		put_structure(rsi, &s.calls->nodes[order[i]]);
	traceql_search_end(search);
	return (Datum) 0;
}

/* ---- difference ---- */

typedef enum DiffColumn
{
	DIFF_CHANGE,
	DIFF_DEPTH,
	DIFF_NAME,
	DIFF_SERVICE,
	DIFF_SPANS_A,
	DIFF_SPANS_B,
	DIFF_ERRORS_A,
	DIFF_ERRORS_B,
	DIFF_MS_A,
	DIFF_MS_B,
	DIFF_DELTA,
	DIFF_NCOLUMNS
} DiffColumn;

static const char *
change_of(const CallSide *a, const CallSide *b)
{
	if (a->traces == 0)
		return "added";
	if (b->traces == 0)
		return "removed";
	return a->spans != b->spans || a->errors != b->errors ? "changed" : NULL;
}

static void
put_diff(ReturnSetInfo *rsi, const CallNode *node)
{
	const CallSide *a = &node->side[0], *b = &node->side[1];
	const char *change = change_of(a, b);
	Datum values[DIFF_NCOLUMNS] = {0};
	bool nulls[DIFF_NCOLUMNS] = {false};

	nulls[DIFF_CHANGE] = change == NULL;
	if (change)
		values[DIFF_CHANGE] = CStringGetTextDatum(change);
	values[DIFF_DEPTH] = Int32GetDatum((int32) node->depth);
	values[DIFF_NAME] = indented_datum(node->depth, node_name(node));
	if (is_heading(node))
		memset(nulls + DIFF_SERVICE, true, DIFF_NCOLUMNS - DIFF_SERVICE);
	else
	{
		values[DIFF_SERVICE] = str_datum(node->service);
		values[DIFF_SPANS_A] = Int64GetDatum((int64) a->spans);
		values[DIFF_SPANS_B] = Int64GetDatum((int64) b->spans);
		values[DIFF_ERRORS_A] = Int64GetDatum((int64) a->errors);
		values[DIFF_ERRORS_B] = Int64GetDatum((int64) b->errors);
		values[DIFF_MS_A] = ms_datum(a->total);
		values[DIFF_MS_B] = ms_datum(b->total);
		values[DIFF_DELTA] = ms_datum(b->total - a->total);
		nulls[DIFF_MS_A] = a->spans == 0;
		nulls[DIFF_MS_B] = b->spans == 0;
	}
	trace_put_row(rsi, values, nulls);
}

Datum
tempo_trace_diff(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsi = (ReturnSetInfo *) fcinfo->resultinfo;
	Arena *arena = store_arena(CurrentMemoryContext);
	Calls *calls = calls_create(arena);
	uint32 *order;

	InitMaterializedSRF(fcinfo, 0);
	for (int side = 0; side < CALL_SIDES; side++)
	{
		Batch *batch = trace_argument(fcinfo, side, 2, arena);

		if (batch)
			calls_add(calls, side, batch, 0, arena);
	}
	order = calls_order(calls, arena);
	for (uint32 i = 0; i < calls->n; i++)
		put_diff(rsi, &calls->nodes[order[i]]);
	return (Datum) 0;
}
