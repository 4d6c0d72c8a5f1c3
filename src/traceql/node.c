/*
 * node.c
 *	  Executing TraceQLScan. The search begins with the first row asked for; rights are checked when the
 *	  executor starts, as for any table.
 */
#include "traceql/plan.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "commands/explain.h"
#include "compat.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "store/store.h"
#include "traceql/source.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

typedef struct TraceqlScanState
{
	CustomScanState css;
	ExprState *args[5];
	ExprContext *arg_context;
	Bitmapset *needed;  /* columns of the scan tuple, from 0 */
	TupleDesc row_desc; /* of a whole row */
	TupleTableSlot *mark_slot;
	Index rti;
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

	s->css.methods = &exec_methods;
	return (Node *) s;
}

/* ---- begin and end ---- */

/* Columns of the scan tuple that target list and quals refer to. */
static Bitmapset *
needed_columns(CustomScan *plan)
{
	Bitmapset *attrs = NULL;
	Bitmapset *needed = NULL;

	pull_varattnos((Node *) plan->scan.plan.targetlist, INDEX_VAR, &attrs);
	pull_varattnos((Node *) plan->scan.plan.qual, INDEX_VAR, &attrs);
	for (int i = -1; (i = bms_next_member(attrs, i)) >= 0;)
		needed = bms_add_member(needed, i + FirstLowInvalidHeapAttributeNumber - 1);
	if (bms_is_member(TRACEQL_WHOLE_ROW, needed))
		needed = bms_add_range(needed, 0, TRACEQL_WHOLE_ROW);
	return needed;
}

/* The row type as the query names its columns. */
static TupleDesc
whole_row_desc(TupleDesc scan_desc, List *names)
{
	TupleDesc desc = CreateTemplateTupleDesc(TRACEQL_NCOLUMNS);

	for (int i = 0; i < TRACEQL_NCOLUMNS; i++)
	{
		Form_pg_attribute att = TupleDescAttr(scan_desc, i);
		const char *name = i < list_length(names) ? strVal(list_nth(names, i)) : NameStr(att->attname);

		TupleDescInitEntry(desc, i + 1, name, att->atttypid, att->atttypmod, 0);
		TupleDescInitEntryCollation(desc, i + 1, att->attcollation);
	}
	return BlessTupleDesc(desc);
}

static void
check_rights(CustomScan *plan)
{
	Oid funcid = linitial_oid((List *) linitial(plan->custom_private)); /* an OidList */

	AclResult acl = compat_function_aclcheck(funcid, GetUserId(), ACL_EXECUTE);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FUNCTION, get_func_name(funcid));
	InvokeFunctionExecuteHook(funcid);
	source_check_access();
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	TraceqlScanState *s = (TraceqlScanState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	ListCell *lc;
	int i = 0;

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		check_rights(plan);
	foreach (lc, plan->custom_exprs)
		if (i < (int) lengthof(s->args))
			s->args[i++] = ExecInitExpr(lfirst(lc), &node->ss.ps);
	s->arg_context = CreateExprContext(estate);
	s->needed = needed_columns(plan);
	s->row_desc = whole_row_desc(node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
								 lsecond_node(List, plan->custom_private));
	s->mark_slot = ExecInitExtraTupleSlot(estate, s->row_desc, &TTSOpsVirtual);
	s->rti = (Index) bms_singleton_member(plan->custom_relids);
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
	NullableDatum values[5];
	TraceqlRequest request;
	MemoryContext old;

	s->started = true;
	ResetExprContext(s->arg_context);
	for (int i = 0; i < 5; i++)
		values[i].value = ExecEvalExprSwitchContext(s->args[i], s->arg_context, &values[i].isnull);
	old = MemoryContextSwitchTo(s->context);
	if (traceql_request_args(values, &request))
	{
		request.details = needs_between(s->needed, TRACEQL_NAME, TRACEQL_STATUS);
		request.no_root = !needs_between(s->needed, TRACEQL_ROOT_SERVICE, TRACEQL_ROOT_NAME);
		request.no_span = !bms_is_member(TRACEQL_SPAN_ID, s->needed) &&
						  !needs_between(s->needed, TRACEQL_START_TIME, TRACEQL_DURATION_NS);
		request.bare = !bms_is_member(TRACEQL_ATTRIBUTES, s->needed);
		s->search = traceql_search_begin(&request);
		row_cursor_begin(&s->cursor, s->search, store_arena(s->context));
	}
	MemoryContextSwitchTo(old);
}

/* Values of the row at hand, or of one handed in, and the whole row when it is asked for. */
static TupleTableSlot *
store_row(TraceqlScanState *s, TupleTableSlot *slot)
{
	slot->tts_isnull[TRACEQL_WHOLE_ROW] = true;
	slot->tts_values[TRACEQL_WHOLE_ROW] = 0;
	if (bms_is_member(TRACEQL_WHOLE_ROW, s->needed))
	{
		HeapTuple tuple = heap_form_tuple(s->row_desc, slot->tts_values, slot->tts_isnull);

		slot->tts_values[TRACEQL_WHOLE_ROW] = HeapTupleGetDatum(tuple);
		slot->tts_isnull[TRACEQL_WHOLE_ROW] = false;
	}
	return ExecStoreVirtualTuple(slot);
}

/* Values live in the per-tuple context, which ExecScan resets before the next row. */
static TupleTableSlot *
next_row(TraceqlScanState *s)
{
	TupleTableSlot *slot = s->css.ss.ss_ScanTupleSlot;
	MemoryContext old;

	ExecClearTuple(slot);
	if (!s->started)
		start_search(s);
	if (!s->search || !row_cursor_next(&s->cursor))
		return slot;
	old = MemoryContextSwitchTo(s->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (int i = 0; i < TRACEQL_NCOLUMNS; i++)
	{
		slot->tts_isnull[i] = true;
		slot->tts_values[i] = 0;
		if (bms_is_member(i, s->needed))
			slot->tts_values[i] = row_cursor_value(&s->cursor, i, &slot->tts_isnull[i]);
	}
	store_row(s, slot);
	MemoryContextSwitchTo(old);
	return slot;
}

/*
 * EvalPlanQual asks for the row it is about: the copy that the row mark carries. ExecScan leaves fetching
 * it to us because the node stands for no relation.
 */
static bool
recheck(TraceqlScanState *s, TupleTableSlot *slot)
{
	EPQState *epq = s->css.ss.ps.state->es_epq_active;
	MemoryContext old;

	ExecClearTuple(slot);
	if (epq->relsubs_done[s->rti - 1])
		return false;
	epq->relsubs_done[s->rti - 1] = true;
	if (epq->relsubs_rowmark[s->rti - 1] == NULL || !EvalPlanQualFetchRowMark(epq, s->rti, s->mark_slot))
		return false;
	slot_getallattrs(s->mark_slot);
	memcpy(slot->tts_values, s->mark_slot->tts_values, TRACEQL_NCOLUMNS * sizeof(Datum));
	memcpy(slot->tts_isnull, s->mark_slot->tts_isnull, TRACEQL_NCOLUMNS * sizeof(bool));
	old = MemoryContextSwitchTo(s->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	store_row(s, slot);
	MemoryContextSwitchTo(old);
	return true;
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
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	Node *query = linitial(plan->custom_exprs);

	if (IsA(query, Const) && !((Const *) query)->constisnull)
	{
		text *t = DatumGetTextPP(((Const *) query)->constvalue);

		traceql_explain_query(str_of(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)), es);
	}
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
