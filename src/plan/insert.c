/*
 * insert.c
 *	  Which INSERT statements may store their rows in batches: see exec/insert_batch.h.
 *
 * A row that is stored is visible to later commands of the same transaction, and a function may run such a
 * command between two rows. So statements that call volatile functions are left alone, but for some that
 * are known not to look at tables.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "am/am.h"
#include "compat.h"
#include "exec/insert_batch.h"
#include "plan/plan.h"

static planner_hook_type next_planner;

static bool
looks_at_tables(Oid function, void *arg)
{
	switch (function)
	{
		case F_NEXTVAL:
		case F_RANDOM:
		case F_CLOCK_TIMESTAMP:
		case F_GEN_RANDOM_UUID: return false;
		default: return func_volatile(function) == PROVOLATILE_VOLATILE;
	}
}

static bool
may_look_at_tables(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, looks_at_tables, arg))
		return true;
	if (IsA(node, NextValueExpr))
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, may_look_at_tables, arg, 0);
	return expression_tree_walker(node, may_look_at_tables, arg);
}

static bool
has_triggers(Oid relid)
{
	HeapTuple tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool has;

	if (!HeapTupleIsValid(tup))
		return true;
	has = ((Form_pg_class) GETSTRUCT(tup))->relhastriggers;
	ReleaseSysCache(tup);
	return has;
}

/* The tables rows may go to, the one named first; NIL if one of them is not ours or has triggers. */
static List *
targets(Oid relid)
{
	List *all = find_all_inheritors(relid, NoLock, NULL);
	ListCell *lc;
	bool ours = false;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		all = list_make1_oid(relid);
	foreach (lc, all)
	{
		if (has_triggers(lfirst_oid(lc)))
			return NIL;
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_PARTITIONED_TABLE)
			continue;
		if (!am_is_tempo_oid(lfirst_oid(lc)))
			return NIL;
		ours = true;
	}
	return ours ? all : NIL;
}

/* Tables of a statement whose rows may be stored in batches, or NIL. Single rows gain nothing. */
static List *
batched_targets(Query *parse)
{
	RangeTblEntry *rte;

	if (parse->commandType != CMD_INSERT || parse->returningList || parse->onConflict ||
		parse->hasModifyingCTE || parse->withCheckOptions || parse->jointree->fromlist == NIL)
		return NIL;
	rte = rt_fetch(parse->resultRelation, parse->rtable);
	if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE)
		return NIL;
	if (rte->relkind == RELKIND_RELATION && !am_is_tempo_oid(rte->relid))
		return NIL;
	return may_look_at_tables((Node *) parse, NULL) ? NIL : targets(rte->relid);
}

static PlannedStmt *
planner_with_batches(Query *parse, const char *query, int options, ParamListInfo params)
{
	List *tables = batched_targets(parse);
	PlannedStmt *stmt = next_planner ? next_planner(parse, query, options, params)
									 : standard_planner(parse, query, options, params);

	if (tables == NIL || !IsA(stmt->planTree, ModifyTable))
		return stmt;
	insert_batch_mark((ModifyTable *) stmt->planTree);
	/* Planned anew when a partition gets a trigger. */
	stmt->relationOids = list_concat_unique_oid(stmt->relationOids, tables);
	return stmt;
}

void
plan_insert_init(void)
{
	insert_batch_init();
	next_planner = planner_hook;
	planner_hook = planner_with_batches;
}
