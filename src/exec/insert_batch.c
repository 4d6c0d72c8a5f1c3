/*
 * insert_batch.c
 *	  Executing INSERT in batches: in place of ModifyTable's own loop, over the state it has made.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/value.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"
#include "compat.h"
#include "exec/insert_batch.h"

#define BATCH_ROWS 1000
/* Bytes of values that wait, in all tables together. */
#define BATCH_BYTES (8 * 1024 * 1024)

#define BATCH_MARK  "tempo: in batches"

static ExecutorStart_hook_type next_executor_start;

/* Rows that wait for a table: the one named, or a partition of it. */
typedef struct WaitingRows
{
	ResultRelInfo *rel;
	int n;
	Size bytes;
	TupleTableSlot *slots[BATCH_ROWS]; /* made as they are needed */
} WaitingRows;

typedef struct BatchedInsert
{
	ModifyTableState *node;
	EState *estate;
	TupleTableSlot *row; /* of the table named */
	List *waiting;       /* WaitingRows */
	WaitingRows *last;
	Size bytes;
} BatchedInsert;

/* Only foreign tables have anything in that list, so it is where nobody looks. */
void
insert_batch_mark(ModifyTable *plan)
{
	if (list_length(plan->fdwPrivLists) == 1 && linitial(plan->fdwPrivLists) == NULL)
		linitial(plan->fdwPrivLists) = list_make1(makeString(BATCH_MARK));
}

static bool
is_marked(const ModifyTable *plan)
{
	List *first;

	if (list_length(plan->fdwPrivLists) != 1 || (first = linitial(plan->fdwPrivLists)) == NIL)
		return false;
	return IsA(linitial(first), String) && strcmp(strVal(linitial(first)), BATCH_MARK) == 0;
}

/* ---- storing ---- */

static void
store_waiting(BatchedInsert *b, WaitingRows *w)
{
	EState *estate = b->estate;
	MemoryContext old;

	if (w->n == 0)
		return;
	ResetPerTupleExprContext(estate);
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
	table_multi_insert(w->rel->ri_RelationDesc, w->slots, w->n, estate->es_output_cid, 0, NULL);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < w->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(estate);
		if (w->rel->ri_NumIndices > 0)
			(void) compat_insert_index_tuples(w->rel, w->slots[i], estate);
		ExecClearTuple(w->slots[i]);
	}
	b->bytes -= w->bytes;
	w->bytes = 0;
	w->n = 0;
}

static void
store_all(BatchedInsert *b)
{
	ListCell *lc;

	foreach (lc, b->waiting)
		store_waiting(b, lfirst(lc));
}

/* ---- rows ---- */

/* A trigger made since the statement was planned would be passed over. */
static void
check_target(ResultRelInfo *rel)
{
	TriggerDesc *triggers = rel->ri_TrigDesc;

	if (rel->ri_FdwRoutine ||
		(triggers && (triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
					  triggers->trig_insert_instead_row)))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("table \"%s\" was changed by another transaction while the statement began",
							   RelationGetRelationName(rel->ri_RelationDesc)),
						errhint("Try again.")));
	if (rel->ri_RelationDesc->rd_rel->relhasindex && rel->ri_IndexRelationDescs == NULL)
		ExecOpenIndices(rel, false);
}

static WaitingRows *
waiting_for(BatchedInsert *b, ResultRelInfo *rel)
{
	MemoryContext old;
	ListCell *lc;

	if (b->last && b->last->rel == rel)
		return b->last;
	foreach (lc, b->waiting)
		if (((WaitingRows *) lfirst(lc))->rel == rel)
			return b->last = lfirst(lc);
	check_target(rel);
	old = MemoryContextSwitchTo(b->estate->es_query_cxt);
	b->last = palloc0(sizeof(WaitingRows));
	b->last->rel = rel;
	b->waiting = lappend(b->waiting, b->last);
	MemoryContextSwitchTo(old);
	return b->last;
}

/* The row that the plan gave, in a slot of the table named; junk columns come last in a plan. */
static void
take_row(BatchedInsert *b, TupleTableSlot *from)
{
	int natts = b->row->tts_tupleDescriptor->natts;

	slot_getsomeattrs(from, natts);
	ExecClearTuple(b->row);
	memcpy(b->row->tts_values, from->tts_values, natts * sizeof(Datum));
	memcpy(b->row->tts_isnull, from->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(b->row);
}

/* The next slot of the batch, with the row as the table has it. */
static TupleTableSlot *
add_row(BatchedInsert *b, WaitingRows *w)
{
	TupleConversionMap *map =
		w->rel->ri_RootResultRelInfo ? compat_root_to_child_map(w->rel, b->estate) : NULL;
	TupleTableSlot *slot = w->slots[w->n];

	if (slot == NULL)
		slot = w->slots[w->n] = table_slot_create(w->rel->ri_RelationDesc, &b->estate->es_tupleTable);
	if (map)
	{
		execute_attr_map_slot(map->attrMap, b->row, slot);
		ExecMaterializeSlot(slot);
	}
	else
		ExecCopySlot(slot, b->row);
	slot->tts_tableOid = RelationGetRelid(w->rel->ri_RelationDesc);
	return slot;
}

static void
check_row(BatchedInsert *b, ResultRelInfo *rel, TupleTableSlot *slot)
{
	TupleConstr *constr = rel->ri_RelationDesc->rd_att->constr;

	if (constr && constr->has_generated_stored)
		ExecComputeStoredGenerated(rel, b->estate, slot, CMD_INSERT);
	if (constr)
		ExecConstraints(rel, slot, b->estate);
	if (rel->ri_RelationDesc->rd_rel->relispartition && rel->ri_RootResultRelInfo == NULL)
		ExecPartitionCheck(rel, slot, b->estate, true);
}

static void
insert_row(BatchedInsert *b, TupleTableSlot *from)
{
	ResultRelInfo *rel = b->node->resultRelInfo;
	WaitingRows *w;
	TupleTableSlot *slot;
	Size bytes;

	take_row(b, from);
	if (b->node->mt_partition_tuple_routing)
		rel = ExecFindPartition(b->node, rel, b->node->mt_partition_tuple_routing, b->row, b->estate);
	w = waiting_for(b, rel);
	slot = add_row(b, w);
	check_row(b, rel, slot);
	bytes = am_slot_bytes(slot);
	w->n++;
	w->bytes += bytes;
	b->bytes += bytes;
	if (w->n == BATCH_ROWS)
		store_waiting(b, w);
	else if (b->bytes >= BATCH_BYTES)
		store_all(b);
}

/* ---- the node ---- */

static TupleTableSlot *
exec_insert(PlanState *state)
{
	ModifyTableState *node = castNode(ModifyTableState, state);
	BatchedInsert b = {.node = node, .estate = node->ps.state};
	TupleTableSlot *from;

	if (node->mt_done)
		return NULL;
	b.row = table_slot_create(node->resultRelInfo->ri_RelationDesc, &b.estate->es_tupleTable);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(b.estate);
		from = ExecProcNode(outerPlanState(node));
		if (TupIsNull(from))
			break;
		insert_row(&b, from);
		if (node->canSetTag)
			b.estate->es_processed++;
	}
	store_all(&b);
	node->mt_done = true;
	return NULL;
}

static bool
is_batched(const PlanState *state)
{
	const ModifyTableState *node = (const ModifyTableState *) state;

	return state && IsA(state, ModifyTableState) && node->operation == CMD_INSERT &&
		   is_marked((const ModifyTable *) state->plan) && node->resultRelInfo->ri_TrigDesc == NULL;
}

static void
executor_start(QueryDesc *query, int eflags)
{
	if (next_executor_start)
		next_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (is_batched(query->planstate))
		ExecSetExecProcNode(query->planstate, exec_insert);
}

void
insert_batch_init(void)
{
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
}
