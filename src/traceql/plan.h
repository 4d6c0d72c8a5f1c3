/*
 * plan.h
 *	  traceql() in FROM as a scan node of its own, TraceQLScan: rows are made as they are asked for, only the
 *	  columns asked for, and EXPLAIN shows what the query does and what was read.
 *
 * The hook acts on a single call without ORDINALITY; everything else runs function.c. Both use the same
 * search. Arguments stand in custom_exprs and are evaluated after every rescan. custom_private is a list of
 * two: OIDs (the function's), and the names of its columns, which a whole-row reference carries.
 */
#ifndef TEMPO_TRACEQL_PLAN_H
#define TEMPO_TRACEQL_PLAN_H

#include "postgres.h"
#include "nodes/extensible.h"
#include "traceql/rows.h"

/* Settings and hook. Called once, from _PG_init. */
extern void traceql_init(void);

extern CustomScanMethods traceql_node_methods;

/* Scan tuple: the columns of traceql(), then the whole row. */
#define TRACEQL_WHOLE_ROW  TRACEQL_NCOLUMNS
#define TRACEQL_NSCANATTRS (TRACEQL_NCOLUMNS + 1)

struct ExplainState;

/* What the query does, stage by stage, and which attributes it reads. (explain.c) */
extern void traceql_explain_query(Str text, struct ExplainState *es);
extern void traceql_explain_counters(const TraceqlSearchCounters *c, struct ExplainState *es);

#endif
