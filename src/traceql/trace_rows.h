/*
 * trace_rows.h
 *	  What the functions that show traces to people share: their arguments, and values of their rows.
 */
#ifndef TEMPO_TRACE_ROWS_H
#define TEMPO_TRACE_ROWS_H

#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "span/batch.h"
#include "store/store.h"

/*
 * The trace that an argument (trace_id) and another (tenant, may be NULL) name, as a sorted batch of one
 * trace in arena. NULL: a NULL id, or there is no such trace. 22023 when several tenants have one.
 */
extern Batch *trace_argument(FunctionCallInfo fcinfo, int id, int tenant, Arena *arena);

extern Datum str_datum(Str s);
/* Nanoseconds as milliseconds: numeric. */
extern Datum ms_datum(int64 ns);
/* Text indented by depth, down to a limit. */
extern Datum indented_datum(uint32 depth, Str name);
/* A row for the result; hears cancel. */
extern void trace_put_row(ReturnSetInfo *rsi, Datum *values, bool *nulls);

#endif
