/*
 * timeline_node.c
 *	  Executing TraceQLMetricsScan: the query runs with the first row asked for, its samples wait in a
 *tuplestore.
 */
#include "traceql/plan.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct MetricsScanState
{
	CallScan scan;
	MemoryContext context;
	Tuplestorestate *store; /* NULL: not run yet */
	TupleTableSlot *row;    /* out of it */
	/* of the runs so far */
	uint64 workers;
	uint64 series;
	MetricsCounters counters;
	ReaderCounters read;
} MetricsScanState;

static Node *create_state(CustomScan *scan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);
static void explain_scan(CustomScanState *node, List *ancestors, ExplainState *es);

CustomScanMethods metrics_node_methods = {.CustomName = "TraceQLMetricsScan",
										  .CreateCustomScanState = create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "TraceQLMetricsScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain_scan,
};

static Node *
create_state(CustomScan *scan)
{
	MetricsScanState *s = (MetricsScanState *) newNode(sizeof(MetricsScanState), T_CustomScanState);

	s->scan.css.methods = &exec_methods;
	return (Node *) s;
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	MetricsScanState *s = (MetricsScanState *) node;

	call_scan_begin(&s->scan, estate, eflags);
	s->row = ExecInitExtraTupleSlot(estate, s->scan.row_desc, &TTSOpsMinimalTuple);
	s->context = AllocSetContextCreate(estate->es_query_cxt, "traceql metrics scan", ALLOCSET_DEFAULT_SIZES);
}

static void
forget_rows(MetricsScanState *s)
{
	if (!s->store)
		return;
	ExecClearTuple(s->row);
	tuplestore_end(s->store);
	s->store = NULL;
	MemoryContextReset(s->context);
}

static void
end_scan(CustomScanState *node)
{
	forget_rows((MetricsScanState *) node);
}

static void
rescan(CustomScanState *node)
{
	ExecScanReScan(&node->ss);
	forget_rows((MetricsScanState *) node);
}

/* ---- rows ---- */

static void
note_run(MetricsScanState *s, const Timeline *timeline)
{
	s->workers += timeline->workers;
	s->series += timeline->result->nseries;
	s->counters.spans += timeline->counters.spans;
	s->counters.observed += timeline->counters.observed;
	reader_counters_add(&s->read, &timeline->read);
}

/* What the query leaves behind goes before its rows are read, but for those. */
static void
run(MetricsScanState *s)
{
	NullableDatum args[CALL_SCAN_ARGS];
	MemoryContext old;
	MemoryContext answer;
	Timeline *timeline;
	bool timed = s->scan.ncolumns == TIMELINE_NCOLUMNS;

	call_scan_args(&s->scan, args);
	old = MemoryContextSwitchTo(s->context);
	s->store = tuplestore_begin_heap(false, false, work_mem);
	answer = AllocSetContextCreate(s->context, "traceql metrics answer", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(answer);
	timeline = timed ? timeline_rows(args, s->store, s->scan.row_desc)
					 : timeline_rows_instant(args, s->store, s->scan.row_desc);
	if (timeline)
		note_run(s, timeline);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(answer);
}

static TupleTableSlot *
next_row(MetricsScanState *s)
{
	TupleTableSlot *slot = s->scan.css.ss.ss_ScanTupleSlot;
	MemoryContext old;

	ExecClearTuple(slot);
	if (!s->store)
		run(s);
	if (!tuplestore_gettupleslot(s->store, true, false, s->row))
		return slot;
	slot_getallattrs(s->row);
	memcpy(slot->tts_values, s->row->tts_values, s->scan.ncolumns * sizeof(Datum));
	memcpy(slot->tts_isnull, s->row->tts_isnull, s->scan.ncolumns * sizeof(bool));
	old = MemoryContextSwitchTo(s->scan.css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	call_scan_store(&s->scan, slot);
	MemoryContextSwitchTo(old);
	return slot;
}

static bool
recheck(MetricsScanState *s, TupleTableSlot *slot)
{
	return call_scan_recheck(&s->scan, slot);
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	return ExecScan(&node->ss, (ExecScanAccessMtd) next_row, (ExecScanRecheckMtd) recheck);
}

/* ---- EXPLAIN ---- */

static void
explain_scan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	MetricsScanState *s = (MetricsScanState *) node;
	const char *text;
	int len;

	if (call_scan_query(&s->scan, &text, &len))
		traceql_explain_query(str_of(text, (size_t) len), es);
	if (!es->analyze)
		return;
	ExplainPropertyInteger("Workers Launched", NULL, (int64) s->workers, es);
	traceql_explain_read(&s->read, es);
	ExplainPropertyInteger("Spans Inspected", NULL, (int64) s->counters.spans, es);
	ExplainPropertyInteger("Spans Counted", NULL, (int64) s->counters.observed, es);
	ExplainPropertyInteger("Series", NULL, (int64) s->series, es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) s->read.bytes_read, es);
}
