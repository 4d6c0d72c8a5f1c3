/*
 * rows.h
 *	  Rows of traceql(): one per matched span, made from the answers of a search.
 */
#ifndef TEMPO_TRACEQL_ROWS_H
#define TEMPO_TRACEQL_ROWS_H

#include "postgres.h"
#include "fmgr.h"
#include "traceql/search.h"

/* Columns of traceql(), in order. */
typedef enum TraceqlColumn
{
	TRACEQL_TRACE_ID,
	TRACEQL_SPAN_ID,
	TRACEQL_ROOT_SERVICE,
	TRACEQL_ROOT_NAME,
	TRACEQL_TRACE_START,
	TRACEQL_TRACE_DURATION,
	TRACEQL_NAME,
	TRACEQL_SERVICE,
	TRACEQL_KIND,
	TRACEQL_STATUS,
	TRACEQL_START_TIME,
	TRACEQL_START_NS,
	TRACEQL_DURATION_NS,
	TRACEQL_ATTRIBUTES,
	TRACEQL_SPANSET,
	TRACEQL_SPANSET_ATTRIBUTES,
	TRACEQL_NCOLUMNS
} TraceqlColumn;

/* Walks the spans of the traces of a search. */
typedef struct RowCursor
{
	TraceqlSearch *search;
	const MatchTrace *trace; /* NULL before the first and after the last */
	uint32 set;
	uint32 span;
	Arena *arena; /* attributes of the row at hand */
} RowCursor;

extern Datum tempo_traceql(PG_FUNCTION_ARGS);

extern void row_cursor_begin(RowCursor *cursor, TraceqlSearch *search, Arena *arena);
/* Go to the next row; false at the end. */
extern bool row_cursor_next(RowCursor *cursor);
/* A column of the row; by-reference values are palloc'd in the current context. */
extern Datum row_cursor_value(RowCursor *cursor, TraceqlColumn column, bool *isnull);

/* The arguments of traceql(query, start_time, end_time, max_traces, tenant). false: a NULL query, no rows. */
extern bool traceql_request_args(const NullableDatum *args, TraceqlRequest *request);

#endif
