/*
 * node.c
 *	  Executing TraceQLScan. The search begins with the first row asked for; rights are checked when the
 *	  executor starts, as for any table.
 */
#include "traceql/plan.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "store/store.h"
#include "utils/memutils.h"

typedef struct TraceqlScanState
{
	CallScan scan;
	MemoryContext context; /* of the search */
	TraceqlSearch *search;
	bool started;
	RowCursor cursor;
	TraceqlSearchCounters counters; /* of searches ended */
} TraceqlScanState;

static Node *create_state(CustomScan *scan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);
static void explain_scan(CustomScanState *node, List *ancestors, ExplainState *es);

CustomScanMethods traceql_node_methods = {.CustomName = "TraceQLScan", .CreateCustomScanState = create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "TraceQLScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain_scan,
};

static Node *
create_state(CustomScan *scan)
{
	TraceqlScanState *s = (TraceqlScanState *) newNode(sizeof(TraceqlScanState), T_CustomScanState);

	s->scan.css.methods = &exec_methods;
	return (Node *) s;
}

/* ---- begin and end ---- */

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	TraceqlScanState *s = (TraceqlScanState *) node;

	call_scan_begin(&s->scan, estate, eflags);
	s->context = AllocSetContextCreate(estate->es_query_cxt, "traceql scan", ALLOCSET_DEFAULT_SIZES);
}

static void
add_counters(TraceqlSearchCounters *to, const TraceqlSearchCounters *from)
{
	uint64 *a = (uint64 *) to;
	const uint64 *b = (const uint64 *) from;

	/* the struct is counters only */
	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64); i++)
		a[i] += b[i];
}

static void
end_search(TraceqlScanState *s)
{
	if (s->search)
	{
		TraceqlSearchCounters c = traceql_search_counters(s->search);

		add_counters(&s->counters, &c);
		traceql_search_end(s->search);
		s->search = NULL;
		MemoryContextReset(s->context);
	}
	s->started = false;
}

static void
end_scan(CustomScanState *node)
{
	end_search((TraceqlScanState *) node);
}

static void
rescan(CustomScanState *node)
{
	ExecScanReScan(&node->ss);
	end_search((TraceqlScanState *) node);
}

/* ---- rows ---- */

static bool
needs_between(const Bitmapset *needed, TraceqlColumn from, TraceqlColumn to)
{
	for (int i = from; i <= (int) to; i++)
		if (bms_is_member(i, needed))
			return true;
	return false;
}

/* Begin the search of the present arguments; a NULL query begins none. */
static void
start_search(TraceqlScanState *s)
{
	NullableDatum values[CALL_SCAN_ARGS];
	TraceqlRequest request;
	MemoryContext old;

	s->started = true;
	call_scan_args(&s->scan, values);
	old = MemoryContextSwitchTo(s->context);
	if (traceql_request_args(values, &request))
	{
		request.details = needs_between(s->scan.needed, TRACEQL_NAME, TRACEQL_STATUS);
		request.no_root = !needs_between(s->scan.needed, TRACEQL_ROOT_SERVICE, TRACEQL_ROOT_NAME);
		request.no_span = !bms_is_member(TRACEQL_SPAN_ID, s->scan.needed) &&
						  !needs_between(s->scan.needed, TRACEQL_START_TIME, TRACEQL_DURATION_NS);
		request.bare = !bms_is_member(TRACEQL_ATTRIBUTES, s->scan.needed);
		s->search = traceql_search_begin(&request);
		row_cursor_begin(&s->cursor, s->search, store_arena(s->context));
	}
	MemoryContextSwitchTo(old);
}

/* Values live in the per-tuple context, which ExecScan resets before the next row. */
static TupleTableSlot *
next_row(TraceqlScanState *s)
{
	TupleTableSlot *slot = s->scan.css.ss.ss_ScanTupleSlot;
	MemoryContext old;

	ExecClearTuple(slot);
	if (!s->started)
		start_search(s);
	if (!s->search || !row_cursor_next(&s->cursor))
		return slot;
	old = MemoryContextSwitchTo(s->scan.css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (int i = 0; i < TRACEQL_NCOLUMNS; i++)
	{
		slot->tts_isnull[i] = true;
		slot->tts_values[i] = 0;
		if (bms_is_member(i, s->scan.needed))
			slot->tts_values[i] = row_cursor_value(&s->cursor, i, &slot->tts_isnull[i]);
	}
	call_scan_store(&s->scan, slot);
	MemoryContextSwitchTo(old);
	return slot;
}

static bool
recheck(TraceqlScanState *s, TupleTableSlot *slot)
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
	TraceqlScanState *s = (TraceqlScanState *) node;
	const char *text;
	int len;

	if (call_scan_query(&s->scan, &text, &len))
		traceql_explain_query(str_of(text, (size_t) len), es);
	if (es->analyze)
	{
		TraceqlSearchCounters all = s->counters;

		if (s->search)
		{
			TraceqlSearchCounters c = traceql_search_counters(s->search);

			add_counters(&all, &c);
		}
		traceql_explain_counters(&all, es);
	}
}
