/*
 * call_scan.c
 *	  Executing a node that takes a function's place; see call_scan.h.
 */
#include "traceql/call_scan.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "compat.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "traceql/source.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

/* Columns of the scan tuple that target list and quals refer to. */
static Bitmapset *
needed_columns(CustomScan *plan, int ncolumns)
{
	Bitmapset *attrs = NULL;
	Bitmapset *needed = NULL;

	pull_varattnos((Node *) plan->scan.plan.targetlist, INDEX_VAR, &attrs);
	pull_varattnos((Node *) plan->scan.plan.qual, INDEX_VAR, &attrs);
	for (int i = -1; (i = bms_next_member(attrs, i)) >= 0;)
		needed = bms_add_member(needed, i + FirstLowInvalidHeapAttributeNumber - 1);
	if (bms_is_member(ncolumns, needed))
		needed = bms_add_range(needed, 0, ncolumns);
	return needed;
}

/* The row type as the query names its columns. */
static TupleDesc
whole_row_desc(TupleDesc scan_desc, int ncolumns, List *names)
{
	TupleDesc desc = CreateTemplateTupleDesc(ncolumns);

	for (int i = 0; i < ncolumns; i++)
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

void
call_scan_begin(CallScan *scan, EState *estate, int eflags)
{
	CustomScan *plan = (CustomScan *) scan->css.ss.ps.plan;
	TupleDesc desc = scan->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	ListCell *lc;

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		check_rights(plan);
	foreach (lc, plan->custom_exprs)
		if (scan->nargs < CALL_SCAN_ARGS)
			scan->args[scan->nargs++] = ExecInitExpr(lfirst(lc), &scan->css.ss.ps);
	scan->arg_context = CreateExprContext(estate);
	scan->ncolumns = desc->natts - 1;
	scan->needed = needed_columns(plan, scan->ncolumns);
	scan->row_desc = whole_row_desc(desc, scan->ncolumns, lsecond_node(List, plan->custom_private));
	scan->mark_slot = ExecInitExtraTupleSlot(estate, scan->row_desc, &TTSOpsVirtual);
	scan->rti = (Index) bms_singleton_member(plan->custom_relids);
}

void
call_scan_args(CallScan *scan, NullableDatum *values)
{
	ResetExprContext(scan->arg_context);
	for (int i = 0; i < scan->nargs; i++)
		values[i].value = ExecEvalExprSwitchContext(scan->args[i], scan->arg_context, &values[i].isnull);
}

TupleTableSlot *
call_scan_store(CallScan *scan, TupleTableSlot *slot)
{
	int whole = scan->ncolumns;

	slot->tts_isnull[whole] = true;
	slot->tts_values[whole] = 0;
	if (bms_is_member(whole, scan->needed))
	{
		HeapTuple tuple = heap_form_tuple(scan->row_desc, slot->tts_values, slot->tts_isnull);

		slot->tts_values[whole] = HeapTupleGetDatum(tuple);
		slot->tts_isnull[whole] = false;
	}
	return ExecStoreVirtualTuple(slot);
}

bool
call_scan_recheck(CallScan *scan, TupleTableSlot *slot)
{
	EPQState *epq = scan->css.ss.ps.state->es_epq_active;
	MemoryContext old;

	ExecClearTuple(slot);
	if (epq->relsubs_done[scan->rti - 1])
		return false;
	epq->relsubs_done[scan->rti - 1] = true;
	if (epq->relsubs_rowmark[scan->rti - 1] == NULL ||
		!EvalPlanQualFetchRowMark(epq, scan->rti, scan->mark_slot))
		return false;
	slot_getallattrs(scan->mark_slot);
	memcpy(slot->tts_values, scan->mark_slot->tts_values, scan->ncolumns * sizeof(Datum));
	memcpy(slot->tts_isnull, scan->mark_slot->tts_isnull, scan->ncolumns * sizeof(bool));
	old = MemoryContextSwitchTo(scan->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	call_scan_store(scan, slot);
	MemoryContextSwitchTo(old);
	return true;
}

bool
call_scan_query(const CallScan *scan, const char **text, int *len)
{
	Node *query = linitial(((CustomScan *) scan->css.ss.ps.plan)->custom_exprs);
	struct varlena *t;

	if (!IsA(query, Const) || ((Const *) query)->constisnull)
		return false;
	t = PG_DETOAST_DATUM_PACKED(((Const *) query)->constvalue);
	*text = VARDATA_ANY(t);
	*len = (int) VARSIZE_ANY_EXHDR(t);
	return true;
}
