/*
 * plan.h
 *	  The scan nodes of this folder: TraceQLScan for traceql(), TraceQLMetricsScan for traceql_metrics() and
 *	  traceql_metrics_instant(). See call_scan.h.
 */
#ifndef TEMPO_TRACEQL_PLAN_H
#define TEMPO_TRACEQL_PLAN_H

#include "postgres.h"
#include "traceql/call_scan.h"
#include "traceql/rows.h"
#include "traceql/timeline_rows.h"

/* Settings and hook. Called once, from _PG_init. */
extern void traceql_init(void);

extern CustomScanMethods traceql_node_methods;
extern CustomScanMethods metrics_node_methods;

struct ExplainState;

/* What the query does, stage by stage, and which attributes it reads. (explain.c) */
extern void traceql_explain_query(Str text, struct ExplainState *es);
extern void traceql_explain_read(const ReaderCounters *c, struct ExplainState *es);
extern void traceql_explain_counters(const TraceqlSearchCounters *c, struct ExplainState *es);

#endif
