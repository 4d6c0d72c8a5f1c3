/*
 * delete.c
 *	  DELETE: by row, and around the statement.
 *
 * A merge gives rows other numbers, so none may run between the snapshot of a DELETE and the end of the
 * statement. Its delete locks are therefore taken first, which waits for a merge in progress, and at READ
 * COMMITTED the snapshot is taken anew behind them. In a transaction that keeps its snapshot, rows merged
 * since then cannot be deleted: 40001.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "store/deleted.h"

static bool
sees_row(Relation rel, Snapshot snapshot, uint64 row)
{
	StoreUnit unit;

	return store_find_row(rel, snapshot, row, 0, &unit) && !store_row_deleted(rel, snapshot, row);
}

TM_Result
am_tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck,
				bool wait, TM_FailureData *tmfd, bool changing_part)
{
	TM_Result result = delete_row(rel, tid, cid, wait, tmfd);

	/* Whoever brings one raises on this, which undoes the deletion. */
	if (result == TM_Ok && crosscheck && !sees_row(rel, crosscheck, store_tid_to_row(tid)))
		result = TM_Updated;
	return result;
}

/* Tables of ours that a DELETE anywhere in the statement is for; in order, so that locks are taken in one. */
static List *
targets(const PlannedStmt *stmt)
{
	List *plans = lcons(stmt->planTree, list_copy(stmt->subplans));
	List *tables = NIL;
	ListCell *lc;
	ListCell *rel;

	foreach (lc, plans)
	{
		ModifyTable *plan = lfirst(lc);

		if (plan == NULL || !IsA(plan, ModifyTable) || plan->operation != CMD_DELETE)
			continue;
		foreach (rel, plan->resultRelations)
		{
			Oid relid = rt_fetch(lfirst_int(rel), stmt->rtable)->relid;

			if (am_is_tempo_oid(relid))
				tables = list_append_unique_oid(tables, relid);
		}
	}
	list_free(plans);
	list_sort(tables, list_oid_cmp);
	return tables;
}

static void
renew_snapshot(QueryDesc *query)
{
	CommandId cid = query->snapshot->curcid;

	UnregisterSnapshot(query->snapshot);
	query->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	query->snapshot->curcid = cid;
}

void
am_delete_start(QueryDesc *query)
{
	List *tables = targets(query->plannedstmt);
	ListCell *lc;

	if (tables == NIL)
		return;
	foreach (lc, tables)
		delete_lock_table(lfirst_oid(lc));
	if (!IsolationUsesXactSnapshot())
		renew_snapshot(query);
	list_free(tables);
}

void
am_delete_end(QueryDesc *query)
{
	List *tables = targets(query->plannedstmt);
	ListCell *lc;

	foreach (lc, tables)
		delete_unlock_table(lfirst_oid(lc));
	list_free(tables);
}
