/*
 * function.c
 *	  traceql() as an ordinary set-returning function: the rows go into a tuplestore.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/store.h"
#include "traceql/rows.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(tempo_traceql);

static void
put_rows(ReturnSetInfo *rsi, TraceqlSearch *search)
{
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql row", ALLOCSET_DEFAULT_SIZES);
	RowCursor cursor;
	Datum values[TRACEQL_NCOLUMNS];
	bool nulls[TRACEQL_NCOLUMNS];

	row_cursor_begin(&cursor, search, store_arena(CurrentMemoryContext));
	while (row_cursor_next(&cursor))
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < TRACEQL_NCOLUMNS; i++)
			values[i] = row_cursor_value(&cursor, i, &nulls[i]);
		tuplestore_putvalues(rsi->setResult, rsi->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
}

Datum
tempo_traceql(PG_FUNCTION_ARGS)
{
	TraceqlRequest request;
	TraceqlSearch *search;

	InitMaterializedSRF(fcinfo, 0);
	if (!traceql_request_args(fcinfo->args, &request))
		return (Datum) 0;
	search = traceql_search_begin(&request);
	put_rows((ReturnSetInfo *) fcinfo->resultinfo, search);
	traceql_search_end(search);
	return (Datum) 0;
}
