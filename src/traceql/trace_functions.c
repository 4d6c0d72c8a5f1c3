/*
 * trace_functions.c
 *	  tempo_trace_tree() and tempo_critical_path(): one trace for people to read.
 */
#include "postgres.h"

#include <math.h>

#include "trace/tree.h"
#include "traceql/trace_rows.h"
#include "types/types.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(tempo_trace_tree);
PG_FUNCTION_INFO_V1(tempo_critical_path);

#define BAR_CELLS 40 /* of a bar */

#define BLOCK     "\xe2\x96\x88" /* a full one */
#define SLIM      "\xe2\x96\x8f" /* an eighth, for what takes less than half a cell */

typedef struct OneTrace
{
	ReturnSetInfo *rsi;
	Batch *batch;
	TraceTree *tree;
	Arena *arena;
} OneTrace;

/* false: NULL, or there is no such trace. */
static bool
read_tree(FunctionCallInfo fcinfo, OneTrace *trace)
{
	InitMaterializedSRF(fcinfo, 0);
	trace->rsi = (ReturnSetInfo *) fcinfo->resultinfo;
	trace->arena = store_arena(CurrentMemoryContext);
	trace->batch = trace_argument(fcinfo, 0, 1, trace->arena);
	if (trace->batch)
		trace->tree = trace_tree_of(trace->batch, 0, trace->arena);
	return trace->batch != NULL;
}

static Datum
column_datum(OneTrace *trace, SpanCol col, uint32 row)
{
	return str_datum(column_str(batch_column(trace->batch, LEVEL_SPAN, col), row));
}

static Datum
status_datum(OneTrace *trace, uint32 row)
{
	return StatusCodeGetDatum((int32) batch_column(trace->batch, LEVEL_SPAN, SC_STATUS)->i64[row]);
}

/* ---- the tree ---- */

typedef enum TreeColumn
{
	TREE_DEPTH,
	TREE_NAME,
	TREE_SERVICE,
	TREE_START,
	TREE_DURATION,
	TREE_BAR,
	TREE_STATUS,
	TREE_SPAN_ID,
	TREE_NCOLUMNS
} TreeColumn;

static Datum
bar_datum(const TraceTree *tree, const TraceSpan *span)
{
	double cell = tree->duration > 0 ? (double) tree->duration / BAR_CELLS : 1;
	int from = (int) Min((double) span->start / cell, BAR_CELLS - 1);
	int to = (int) rint((double) (span->start + span->duration) / cell);
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, from);
	if ((double) span->duration < cell / 2)
		appendStringInfoString(&buf, SLIM);
	else
		for (int i = from; i < Min(Max(to, from + 1), BAR_CELLS); i++)
			appendStringInfoString(&buf, BLOCK);
	return PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
}

static void
put_heading(OneTrace *trace, const TraceLine *line)
{
	Datum values[TREE_NCOLUMNS] = {0};
	bool nulls[TREE_NCOLUMNS];

	memset(nulls, true, sizeof(nulls));
	nulls[TREE_DEPTH] = nulls[TREE_NAME] = false;
	values[TREE_DEPTH] = Int32GetDatum(0);
	values[TREE_NAME] =
		str_datum(str_lit(line->top == TRACE_ORPHAN ? "(parent not received)" : "(parents form a circle)"));
	if (line->top == TRACE_ORPHAN)
	{
		nulls[TREE_SPAN_ID] = false;
		values[TREE_SPAN_ID] = SpanIdGetDatum(line->id);
	}
	trace_put_row(trace->rsi, values, nulls);
}

static void
put_span(OneTrace *trace, const TraceLine *line)
{
	const TraceSpan *span = &trace->tree->spans[line->span];
	uint32 row = (uint32) line->span;
	Datum values[TREE_NCOLUMNS];
	bool nulls[TREE_NCOLUMNS] = {false};

	values[TREE_DEPTH] = Int32GetDatum((int32) line->depth);
	values[TREE_NAME] =
		indented_datum(line->depth, column_str(batch_column(trace->batch, LEVEL_SPAN, SC_NAME), row));
	values[TREE_SERVICE] = column_datum(trace, SC_SERVICE, row);
	values[TREE_START] = ms_datum(span->start);
	values[TREE_DURATION] = ms_datum(span->duration);
	values[TREE_BAR] = bar_datum(trace->tree, span);
	values[TREE_STATUS] = status_datum(trace, row);
	values[TREE_SPAN_ID] = SpanIdGetDatum(span->id);
	trace_put_row(trace->rsi, values, nulls);
}

Datum
tempo_trace_tree(PG_FUNCTION_ARGS)
{
	OneTrace trace;

	if (!read_tree(fcinfo, &trace))
		return (Datum) 0;
	for (uint32 i = 0; i < trace.tree->nlines; i++)
	{
		const TraceLine *line = &trace.tree->lines[i];

		if (line->span < 0)
			put_heading(&trace, line);
		else
			put_span(&trace, line);
	}
	return (Datum) 0;
}

/* ---- the critical path ---- */

typedef enum PathColumn
{
	PATH_NAME,
	PATH_SERVICE,
	PATH_START,
	PATH_DURATION,
	PATH_CRITICAL,
	PATH_PERCENT,
	PATH_STATUS,
	PATH_SPAN_ID,
	PATH_NCOLUMNS
} PathColumn;

static void
put_share(OneTrace *trace, int32 span, int64 first, int64 critical)
{
	const TraceTree *tree = trace->tree;
	const TraceSpan *s = span < 0 ? NULL : &tree->spans[span];
	Datum values[PATH_NCOLUMNS] = {0};
	bool nulls[PATH_NCOLUMNS] = {false};

	values[PATH_START] = ms_datum(s ? s->start : first);
	values[PATH_CRITICAL] = ms_datum(critical);
	values[PATH_PERCENT] =
		NumericGetDatum(int64_div_fast_to_numeric(llrint(1000.0 * critical / tree->duration), 1));
	if (!s)
	{
		values[PATH_NAME] = str_datum(str_lit("(no span)"));
		nulls[PATH_SERVICE] = nulls[PATH_DURATION] = nulls[PATH_STATUS] = nulls[PATH_SPAN_ID] = true;
	}
	else
	{
		values[PATH_NAME] = column_datum(trace, SC_NAME, (uint32) span);
		values[PATH_SERVICE] = column_datum(trace, SC_SERVICE, (uint32) span);
		values[PATH_DURATION] = ms_datum(s->duration);
		values[PATH_STATUS] = status_datum(trace, (uint32) span);
		values[PATH_SPAN_ID] = SpanIdGetDatum(s->id);
	}
	trace_put_row(trace->rsi, values, nulls);
}

Datum
tempo_critical_path(PG_FUNCTION_ARGS)
{
	OneTrace trace;
	TracePiece *pieces;
	int64 *critical;
	uint32 n;

	if (!read_tree(fcinfo, &trace))
		return (Datum) 0;
	pieces = trace_critical_path(trace.tree, trace.arena, &n);
	critical = arena_alloc0(trace.arena, ((size_t) trace.tree->n + 1) * sizeof(int64));
	for (uint32 i = 0; i < n; i++)
		critical[pieces[i].span + 1] += pieces[i].to - pieces[i].from;
	/* Pieces come backwards; a span stands where its first one is. */
	for (uint32 i = n; i-- > 0;)
	{
		int64 *share = &critical[pieces[i].span + 1];

		if (*share)
			put_share(&trace, pieces[i].span, pieces[i].from, *share);
		*share = 0;
	}
	return (Datum) 0;
}
