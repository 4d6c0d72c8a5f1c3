/*
 * hooks.c
 *	  Hooks on statements. Those that access method tempo cannot run are refused at their start, whether or
 *	  not they would touch a row; DELETE is kept apart from merges; after ATTACH PARTITION the split marks of
 *	  the new partition are void. Hooks call those that were there before them.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "am/am.h"
#include "compat.h"
#include "merge/merge.h"

static ExecutorStart_hook_type next_executor_start;
static ExecutorEnd_hook_type next_executor_end;
static ProcessUtility_hook_type next_process_utility;

static void
refuse_name(const char *name, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("table \"%s\" uses access method tempo, which does not support %s", name, what),
					errhint("Rows of such tables are written once. Remove them by DELETE, TRUNCATE, or by "
							"dropping a partition; keep what changes in a heap table.")));
}

void
am_refuse(Relation rel, const char *what)
{
	refuse_name(RelationGetRelationName(rel), what);
	pg_unreachable();
}

/* The relation if it is ours, or one of its children that is; InvalidOid if none is. */
static Oid
find_tempo(Oid relid, bool children)
{
	Oid found = InvalidOid;
	List *all;
	ListCell *lc;

	if (am_is_tempo_oid(relid))
		return relid;
	if (!children || !has_subclass(relid))
		return InvalidOid;
	all = find_all_inheritors(relid, NoLock, NULL);
	foreach (lc, all)
		if (!OidIsValid(found) && am_is_tempo_oid(lfirst_oid(lc)))
			found = lfirst_oid(lc);
	list_free(all);
	return found;
}

static void
refuse_if_tempo(Oid relid, bool children, const char *what)
{
	Oid found = OidIsValid(relid) ? find_tempo(relid, children) : InvalidOid;

	if (OidIsValid(found))
		refuse_name(get_rel_name(found), what);
}

static const char *
statement_name(CmdType command, AclMode perms)
{
	if (command == CMD_MERGE)
		return "MERGE";
	if (command == CMD_INSERT)
		return "ON CONFLICT DO UPDATE";
	if (command == CMD_UPDATE)
		return "UPDATE";
	return "UPDATE, or locking of rows by SELECT FOR UPDATE or FOR SHARE";
}

/*
 * UPDATE and row locks are known by the permissions they need, wherever in the statement they are. MERGE may
 * need none of those.
 */
static void
check_plan(PlannedStmt *stmt)
{
	ListCell *lc;

	foreach (lc, stmt->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		AclMode perms = compat_required_perms(stmt, rte);

		if (rte->rtekind == RTE_RELATION && (perms & ACL_UPDATE))
			refuse_if_tempo(rte->relid, rte->inh, statement_name(stmt->commandType, perms));
	}
	if (stmt->commandType != CMD_MERGE)
		return;
	foreach (lc, stmt->resultRelations)
		refuse_if_tempo(rt_fetch(lfirst_int(lc), stmt->rtable)->relid, true, "MERGE");
}

static void
prepare_plan(QueryDesc *query)
{
	MemoryContext old = MemoryContextSwitchTo(query->estate->es_query_cxt);

	am_prepare_plan(query->planstate);
	MemoryContextSwitchTo(old);
}

static void
executor_start(QueryDesc *query, int eflags)
{
	check_plan(query->plannedstmt);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		am_delete_start(query);
	if (next_executor_start)
		next_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	prepare_plan(query);
}

static void
executor_end(QueryDesc *query)
{
	if ((query->estate->es_top_eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		am_delete_end(query);
	if (next_executor_end)
		next_executor_end(query);
	else
		standard_ExecutorEnd(query);
}

static Oid
range_var_oid(RangeVar *rv)
{
	return rv ? RangeVarGetRelid(rv, NoLock, true) : InvalidOid;
}

/*
 * A rewrite gives the new table a TOAST relation only if the old one had one, and there is no place for
 * rows without.
 */
static void
check_set_access_method(AlterTableStmt *stmt)
{
	Oid relid = range_var_oid(stmt->relation);
	ListCell *lc;

	foreach (lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		Relation rel;

		if (cmd->subtype != AT_SetAccessMethod || cmd->name == NULL || !OidIsValid(relid) ||
			get_table_am_oid(cmd->name, true) != am_oid() || !OidIsValid(am_oid()))
			continue;
		rel = table_open(relid, AccessShareLock);
		if (RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind) && !OidIsValid(rel->rd_rel->reltoastrelid))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table \"%s\" has no TOAST table, which access method tempo stores rows in",
							RelationGetRelationName(rel)),
					 errhint("Create a new table USING tempo and copy the rows.")));
		table_close(rel, AccessShareLock);
	}
}

/* Indexes that would need a look at other rows while one is inserted, or block numbers of the main fork. */
static void
check_index(const IndexStmt *stmt)
{
	Oid relid = range_var_oid(stmt->relation);

	if (stmt->unique || stmt->primary || stmt->isconstraint || stmt->excludeOpNames)
		refuse_if_tempo(relid, true, "unique indexes and exclusion constraints");
	if (stmt->accessMethod && strcmp(stmt->accessMethod, "brin") == 0)
		refuse_if_tempo(relid, true, "BRIN indexes");
}

static void
check_utility(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt: check_index((IndexStmt *) stmt); break;
		case T_ClusterStmt:
			refuse_if_tempo(range_var_oid(((ClusterStmt *) stmt)->relation), true, "CLUSTER");
			break;
		case T_AlterTableStmt: check_set_access_method((AlterTableStmt *) stmt); break;
		default: break;
	}
}

static bool
attaches_partition(Node *stmt)
{
	ListCell *lc;

	if (!IsA(stmt, AlterTableStmt) || ((AlterTableStmt *) stmt)->objtype != OBJECT_TABLE)
		return false;
	foreach (lc, ((AlterTableStmt *) stmt)->cmds)
		if (lfirst_node(AlterTableCmd, lc)->subtype == AT_AttachPartition)
			return true;
	return false;
}

/* See merge_forget_marks. */
static void
after_attach(AlterTableStmt *stmt)
{
	ListCell *lc;

	foreach (lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_AttachPartition)
			merge_forget_marks(RangeVarGetRelid(castNode(PartitionCmd, cmd->def)->name, NoLock, false));
	}
}

static int copying; /* COPY FROM statements that are running, one within the other */

bool
am_copying(void)
{
	return copying > 0;
}

static void
run_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
			ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	int before = copying;

	if (IsA(pstmt->utilityStmt, CopyStmt) && ((CopyStmt *) pstmt->utilityStmt)->is_from)
		copying++;
	PG_TRY();
	{
		if (next_process_utility)
			next_process_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
		else
			standard_ProcessUtility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	}
	PG_FINALLY();
	{
		copying = before;
	}
	PG_END_TRY();
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	/* Other statements may free their own tree. */
	bool attach = attaches_partition(pstmt->utilityStmt);

	check_utility(pstmt->utilityStmt);
	run_utility(pstmt, query, read_only_tree, context, params, env, dest, qc);
	if (attach)
		after_attach((AlterTableStmt *) pstmt->utilityStmt);
}

void
am_hooks_init(void)
{
	next_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	next_executor_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
	next_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}

void
am_init(void)
{
	am_hooks_init();
}
