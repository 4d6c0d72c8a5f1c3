/*
 * plan_state.c
 *	  Core's scans of our tables, when a plan is about to run.
 *
 * A bitmap scan would prefetch blocks of the main fork by the block numbers in TIDs, which are not such
 * blocks and may lie in files that do not exist: prefetching is turned off. Slots of scans are told which
 * attributes the plan looks at, so that the others before them are not decoded. Without that they would
 * be, with the same result.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/rel.h"
#include "am/am.h"

/* Expressions over the scan's tuple beside target list and qual, or NULL. */
static List *
other_expressions(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return list_concat_copy(((IndexScan *) plan)->indexqualorig,
									((IndexScan *) plan)->indexorderbyorig);
		case T_BitmapHeapScan: return list_copy(((BitmapHeapScan *) plan)->bitmapqualorig);
		default: return NIL;
	}
}

static void
tell_slot(ScanState *state)
{
	Scan *plan = (Scan *) state->ps.plan;
	TupleDesc desc = RelationGetDescr(state->ss_currentRelation);
	List *others = other_expressions(&plan->plan);
	Bitmapset *attrs = NULL;
	bool *needed;

	pull_varattnos((Node *) plan->plan.targetlist, plan->scanrelid, &attrs);
	pull_varattnos((Node *) plan->plan.qual, plan->scanrelid, &attrs);
	pull_varattnos((Node *) others, plan->scanrelid, &attrs);
	if (!bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, attrs))
	{
		needed = palloc(Max(desc->natts, 1) * sizeof(bool));
		for (int i = 0; i < desc->natts; i++)
			needed[i] = bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, attrs);
		am_slot_need(state->ss_ScanTupleSlot, needed);
	}
	bms_free(attrs);
}

static bool
prepare(PlanState *state, void *context)
{
	ScanState *scan = (ScanState *) state;

	switch (nodeTag(state))
	{
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_BitmapHeapScanState:
			if (scan->ss_currentRelation == NULL || !am_is_tempo(scan->ss_currentRelation))
				break;
			tell_slot(scan);
			if (IsA(state, BitmapHeapScanState))
				((BitmapHeapScanState *) state)->prefetch_maximum = 0;
			break;
		default: break;
	}
	return planstate_tree_walker(state, prepare, context);
}

void
am_prepare_plan(PlanState *state)
{
	if (state)
		(void) prepare(state, NULL);
}
