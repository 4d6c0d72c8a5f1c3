/*
 * paths.c
 *	  Adding custom scan paths, their costs, and making the plan of one.
 *
 * Three kinds: over the whole table, the same as a partial path for parallel workers, and parameterised by
 * a join on the trace id, where bloom filters leave little to read for each outer row.
 */
#include "postgres.h"

#include <math.h>

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/spccache.h"
#include "am/am.h"
#include "compat.h"
#include "exec/scan_node.h"
#include "plan/clause.h"
#include "plan/plan.h"

/* CPU cost of a row compared with core's scan of a heap: no tuple to take apart. */
#define ROW_COST_FACTOR 0.5
/* Cost of a condition evaluated on columns, compared with one evaluated on rows. */
#define VECTOR_COST_FACTOR 0.1

/*
 * Workers for one table pay when there is this much to read, by rows or by pages (as for heaps). Below, a
 * worker's start, and opening segments once more in each, cost more; a parallel append still takes whole
 * partitions in parallel.
 */
#define PARALLEL_ROWS 2000000

bool plan_enable_customscan = true;
bool plan_enable_vector_filter = true;

static set_rel_pathlist_hook_type next_hook;

/* ---- columns ---- */

/* Attributes the scan has to produce, offset by FirstLowInvalidHeapAttributeNumber. */
static Bitmapset *
needed_attributes(RelOptInfo *rel)
{
	Bitmapset *attrs = NULL;
	ListCell *lc;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &attrs);
	foreach (lc, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, rel->relid, &attrs);
	return attrs;
}

/* The slot of a custom scan knows ctid and tableoid only. */
static bool
needs_other_system_columns(Bitmapset *attrs)
{
	for (int i = -1; (i = bms_next_member(attrs, i)) >= 0;)
	{
		int attno = i + FirstLowInvalidHeapAttributeNumber;

		if (attno < 0 && attno != SelfItemPointerAttributeNumber && attno != TableOidAttributeNumber)
			return true;
	}
	return false;
}

/* Bytes a value of a variable-length column takes, when the planner has not looked. */
#define GUESSED_WIDTH 32

double
plan_column_share(RelOptInfo *rel, TupleDesc desc, Bitmapset *attrs)
{
	double all = 0;
	double needed = 0;

	if (bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attrs))
		return 1;
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
		int32 width = att->attlen > 0 ? att->attlen : rel->attr_widths[attno - rel->min_attr];

		if (att->attisdropped)
			continue;
		width = width > 0 ? width : GUESSED_WIDTH;
		all += width;
		if (bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, attrs))
			needed += width;
	}
	return all > 0 ? Min(1, needed / all) : 1;
}

/* ---- costs ---- */

typedef struct ScanShape
{
	double pages;
	double rows_read; /* not pruned */
} ScanShape;

/* The table being planned for. */
typedef struct PlannedTable
{
	PlannerInfo *root;
	RelOptInfo *rel;
	const TableProfile *profile;
	const ClauseTable *columns;
	double share; /* of its column bytes that are needed */
} PlannedTable;

/* What pruning leaves, by the selectivity of the conditions it uses. */
static ScanShape
scan_shape(const PlannedTable *t, List *clauses)
{
	RelOptInfo *rel = t->rel;
	ScanShape s = {rel->pages, rel->tuples};
	List *pruning = NIL;
	ListCell *lc;

	foreach (lc, clauses)
	{
		PruneCondition c;

		if (t->profile->spans &&
			plan_is_prune_clause(t->root, rel, t->profile, lfirst_node(RestrictInfo, lc), &c))
			pruning = lappend(pruning, lfirst(lc));
	}
	if (pruning != NIL)
	{
		double kept = clauselist_selectivity(t->root, pruning, 0, JOIN_INNER, NULL);

		/* Never less than a vector. */
		s.rows_read = Min(rel->tuples, Max(kept * rel->tuples, IMAGE_VECTOR_ROWS));
		s.pages *= rel->tuples > 0 ? s.rows_read / rel->tuples : 1;
	}
	/* Half a page: a scan of nothing is still cheaper than core's. */
	s.pages = Max(0.5, s.pages * t->share);
	return s;
}

/* Conditions on columns cost a fraction of what they cost row by row. */
static QualCost
quals_cost(const PlannedTable *t, List *quals)
{
	QualCost sum = {0, 0};
	ListCell *lc;

	foreach (lc, quals)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		QualCost one;

		cost_qual_eval_node(&one, (Node *) rinfo, t->root);
		if (plan_enable_vector_filter && clause_is_vectorised(t->columns, t->rel, rinfo))
			one.per_tuple *= VECTOR_COST_FACTOR;
		sum.startup += one.startup;
		sum.per_tuple += one.per_tuple;
	}
	return sum;
}

static void
cost_path(const PlannedTable *t, CustomPath *path, const ScanShape *s, List *quals)
{
	RelOptInfo *rel = t->rel;
	double page_cost;
	double workers = 1;
	QualCost qual = quals_cost(t, quals);
	Cost cpu;

	get_tablespace_page_costs(rel->reltablespace, NULL, &page_cost);
	cpu = s->rows_read * (cpu_tuple_cost * ROW_COST_FACTOR + qual.per_tuple);
	if (path->path.parallel_workers > 0)
	{
		workers = path->path.parallel_workers;
		if (parallel_leader_participation && workers < 4)
			workers += 1.0 - 0.3 * workers;
		path->path.rows = clamp_row_est(path->path.rows / workers);
	}
	path->path.startup_cost = qual.startup + rel->reltarget->cost.startup;
	path->path.total_cost = path->path.startup_cost + page_cost * s->pages + cpu / workers +
							rel->reltarget->cost.per_tuple * path->path.rows;
}

/* ---- paths ---- */

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
					   List *children);
static List *reparameterize(PlannerInfo *root, List *private, RelOptInfo *child);

static const CustomPathMethods path_methods = {
	.CustomName = "TempoScan",
	.PlanCustomPath = make_plan,
	.ReparameterizeCustomPathByChild = reparameterize,
};

/* Nothing in custom_private refers to other relations. */
static List *
reparameterize(PlannerInfo *root, List *private, RelOptInfo *child)
{
	return private;
}

static CustomPath *
make_path(PlannerInfo *root, RelOptInfo *rel, Relids outer, int workers)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, outer);
	path->path.parallel_aware = workers > 0;
	path->path.parallel_safe = rel->consider_parallel;
	path->path.parallel_workers = workers;
	path->path.rows = path->path.param_info ? path->path.param_info->ppi_rows : rel->rows;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	return path;
}

static int
parallel_workers(RelOptInfo *rel, const ScanShape *s)
{
	if (s->rows_read < PARALLEL_ROWS && s->pages < min_parallel_table_scan_size)
		return 0;
	return compute_parallel_worker(rel, Max(s->pages, min_parallel_table_scan_size), -1,
								   max_parallel_workers_per_gather);
}

static void
add_whole_table(const PlannedTable *t)
{
	PlannerInfo *root = t->root;
	RelOptInfo *rel = t->rel;
	CustomPath *path = make_path(root, rel, rel->lateral_relids, 0);
	ScanShape s = scan_shape(t, rel->baserestrictinfo);

	cost_path(t, path, &s, rel->baserestrictinfo);
	add_path(rel, &path->path);
	/* Core prices its parallel scan as a heap's, not as one that decodes every column. */
	rel->partial_pathlist = NIL;
	if (rel->consider_parallel && rel->lateral_relids == NULL)
	{
		int workers = parallel_workers(rel, &s);

		if (workers <= 0)
			return;
		path = make_path(root, rel, NULL, workers);
		cost_path(t, path, &s, rel->baserestrictinfo);
		add_partial_path(rel, &path->path);
	}
}

static void
add_parameterized(const PlannedTable *t, RestrictInfo *join)
{
	PlannerInfo *root = t->root;
	RelOptInfo *rel = t->rel;
	Relids outer = bms_difference(join->clause_relids, bms_make_singleton(rel->relid));
	List *clauses;
	CustomPath *path;
	ScanShape s;

	outer = compat_remove_outer_joins(root, bms_add_members(outer, rel->lateral_relids));
	if (bms_is_empty(outer))
		return;
	path = make_path(root, rel, outer, 0);
	clauses = list_concat_copy(rel->baserestrictinfo, path->path.param_info->ppi_clauses);
	s = scan_shape(t, clauses);
	cost_path(t, path, &s, clauses);
	add_path(rel, &path->path);
}

typedef struct MatchArg
{
	const TableProfile *profile;
} MatchArg;

static bool
is_trace_member(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	const TableProfile *profile = ((MatchArg *) arg)->profile;
	Var *var = (Var *) em->em_expr;

	return IsA(var, Var) && var->varno == rel->relid && var->varattno > 0 &&
		   var->varattno <= profile->natts && profile->role[var->varattno - 1] == SC_TRACE_ID;
}

/* Join clauses on the trace id, written as such or implied. */
static void
add_joins(const PlannedTable *t)
{
	RelOptInfo *rel = t->rel;
	MatchArg arg = {t->profile};
	List *joins = NIL;
	ListCell *lc;

	if (rel->has_eclass_joins)
		joins = generate_implied_equalities_for_column(t->root, rel, is_trace_member, &arg, NULL);
	foreach (lc, list_concat_copy(rel->joininfo, joins))
	{
		RestrictInfo *join = lfirst_node(RestrictInfo, lc);
		PruneCondition c;

		if (plan_is_prune_clause(t->root, rel, t->profile, join, &c) && c.kind == PRUNE_TRACE &&
			join_clause_is_movable_to(join, rel))
			add_parameterized(t, join);
	}
}

static void
plan_table(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte)
{
	Relation relation = table_open(rte->relid, NoLock);
	Bitmapset *attrs = needed_attributes(rel);
	PlannedTable t = {.root = root, .rel = rel, .share = 1};

	t.share = plan_column_share(rel, RelationGetDescr(relation), attrs);
	plan_price_index_paths(rel, t.share);
	/* A sample is the access method's (am/sample.c). */
	if (plan_enable_customscan && rte->tablesample == NULL && !IS_DUMMY_REL(rel) &&
		!needs_other_system_columns(attrs))
	{
		t.profile = store_profile(relation);
		t.columns = clause_table(relation, NULL);
		add_whole_table(&t);
		if (t.profile->spans)
			add_joins(&t);
	}
	table_close(relation, NoLock);
}

static void
pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	if (next_hook)
		next_hook(root, rel, rti, rte);
	if (rte->rtekind == RTE_RELATION && RELKIND_HAS_TABLE_AM(rte->relkind) && am_is_tempo_oid(rte->relid))
		plan_table(root, rel, rte);
}

/* ---- plan ---- */

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *children)
{
	CustomScan *scan = makeNode(CustomScan);
	Relation relation = table_open(planner_rt_fetch(rel->relid, root)->relid, NoLock);
	List *conditions = plan_prune_conditions(root, rel, store_profile(relation), clauses);
	ClauseTable *columns = clause_table(relation, NULL);
	List *vectorised = NIL;
	List *others = NIL;
	ListCell *lc;

	table_close(relation, NoLock);
	foreach (lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);

		if (plan_enable_vector_filter && clause_is_vectorised(columns, rel, rinfo))
			vectorised = lappend(vectorised, rinfo->clause);
		else
			others = lappend(others, rinfo);
	}
	foreach (lc, conditions)
	{
		PruneCondition *c = lfirst(lc);

		scan->custom_exprs = lappend(scan->custom_exprs, copyObject(c->value));
		scan->custom_private = lappend_int(scan->custom_private, c->kind * 8 + c->strategy);
	}
	scan->custom_exprs = list_concat(scan->custom_exprs, copyObject(vectorised));
	scan->scan.scanrelid = rel->relid;
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(others, false);
	scan->flags = path->flags;
	scan->methods = &scan_node_methods;
	return &scan->scan.plan;
}

void
plan_init(void)
{
	DefineCustomBoolVariable("tempo.enable_customscan",
							 "Lets the planner use the column scan of access method tempo.",
							 "Off leaves core's sequential scan, which gives the same rows.",
							 &plan_enable_customscan, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("tempo.enable_vector_filter",
							 "Lets column scans evaluate conditions on columns instead of rows.",
							 "Off evaluates them row by row, with the same result.",
							 &plan_enable_vector_filter, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	RegisterCustomScanMethods(&scan_node_methods);
	plan_aggregate_init();
	plan_insert_init();
	next_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = pathlist_hook;
}
