/*
 * timeline_rows.h
 *	  Rows of traceql_metrics() and traceql_metrics_instant(): one per sample.
 */
#ifndef TEMPO_TRACEQL_TIMELINE_ROWS_H
#define TEMPO_TRACEQL_TIMELINE_ROWS_H

#include "postgres.h"
#include "fmgr.h"
#include "traceql/timeline.h"
#include "utils/tuplestore.h"

/* time, labels, series, value; the instant ones have no time. */
#define TIMELINE_NCOLUMNS 4

extern Datum tempo_traceql_metrics(PG_FUNCTION_ARGS);
extern Datum tempo_traceql_metrics_instant(PG_FUNCTION_ARGS);

/* Run the query that the arguments say and append its samples. NULL: a NULL query, no rows. */
extern Timeline *timeline_rows(const NullableDatum *args, Tuplestorestate *store, TupleDesc desc);
extern Timeline *timeline_rows_instant(const NullableDatum *args, Tuplestorestate *store, TupleDesc desc);

#endif
