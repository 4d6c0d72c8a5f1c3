/*
 * prune.c
 *	  Recognising conditions that zone maps and bloom filters can answer.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "plan/plan.h"
#include "types/types.h"

/* Role of the attribute a node is, looking through a relabelling; -1: not a plain column of rel. */
static int
column_role(RelOptInfo *rel, const TableProfile *profile, Node *node)
{
	Var *var = (Var *) node;

	if (node == NULL || !IsA(node, Var) || var->varno != rel->relid || var->varlevelsup != 0 ||
		var->varattno <= 0 || var->varattno > profile->natts)
		return -1;
	return profile->role[var->varattno - 1];
}

static bool
usable_value(PlannerInfo *root, RelOptInfo *rel, Node *value)
{
	return !bms_is_member(rel->relid, pull_varnos(root, value)) && !contain_volatile_functions(value) &&
		   !contain_subplans(value);
}

static int
btree_strategy(Oid opno, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);

	return OidIsValid(entry->btree_opf) ? get_op_opfamily_strategy(opno, entry->btree_opf) : 0;
}

static bool
match_sides(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile, Oid opno, Node *column,
			Node *value, PruneCondition *out)
{
	int role = column_role(rel, profile, column);
	Oid type = exprType(column);

	if ((role != ROLE_START_TIME && role != SC_TRACE_ID) || exprType(value) != type ||
		!usable_value(root, rel, value))
		return false;
	out->kind = role == ROLE_START_TIME ? PRUNE_START : PRUNE_TRACE;
	out->strategy = btree_strategy(opno, type);
	out->value = (Expr *) value;
	return out->strategy != 0 && (out->kind == PRUNE_START || out->strategy == BTEqualStrategyNumber);
}

static bool
match_any(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile, ScalarArrayOpExpr *op,
		  PruneCondition *out)
{
	Node *column = linitial(op->args);
	Node *array = lsecond(op->args);

	if (!op->useOr || column_role(rel, profile, column) != SC_TRACE_ID || !usable_value(root, rel, array) ||
		get_element_type(exprType(array)) != exprType(column))
		return false;
	out->kind = PRUNE_TRACE_ANY;
	out->strategy = btree_strategy(op->opno, exprType(column));
	out->value = (Expr *) array;
	return out->strategy == BTEqualStrategyNumber;
}

bool
plan_is_prune_clause(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile, RestrictInfo *rinfo,
					 PruneCondition *out)
{
	Node *clause = (Node *) rinfo->clause;
	Oid commutator;

	/* What is skipped shows in EXPLAIN: only conditions that may see every row. */
	if (rinfo->security_level > rel->baserestrict_min_security && !rinfo->leakproof)
		return false;
	if (IsA(clause, ScalarArrayOpExpr))
		return match_any(root, rel, profile, (ScalarArrayOpExpr *) clause, out);
	if (!is_opclause(clause) || list_length(((OpExpr *) clause)->args) != 2)
		return false;
	if (match_sides(root, rel, profile, ((OpExpr *) clause)->opno, get_leftop(clause), get_rightop(clause),
					out))
		return true;
	commutator = get_commutator(((OpExpr *) clause)->opno);
	return OidIsValid(commutator) &&
		   match_sides(root, rel, profile, commutator, get_rightop(clause), get_leftop(clause), out);
}

List *
plan_prune_conditions(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile, List *clauses)
{
	List *found = NIL;
	ListCell *lc;

	if (!profile->spans)
		return NIL;
	foreach (lc, clauses)
	{
		PruneCondition c;

		if (IsA(lfirst(lc), RestrictInfo) &&
			plan_is_prune_clause(root, rel, profile, lfirst_node(RestrictInfo, lc), &c))
		{
			PruneCondition *copy = palloc(sizeof(c));

			*copy = c;
			found = lappend(found, copy);
		}
	}
	return found;
}
