/*
 * aggregate.c
 *	  Offering the aggregating scan: for a query over one table, or over the partitions of one, when
 *	  everything it asks for can be computed on columns.
 *
 * It is one node for all partitions, so none of core's plans for single partitions are needed. It is not
 * offered when policies (row-level security) apply: their conditions come first, which ordinary plans see to.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "am/am.h"
#include "compat.h"
#include "exec/aggregate_node.h"
#include "plan/aggregate_spec.h"
#include "plan/plan.h"

/* A key, aggregate or condition of a row, compared with an operator evaluated on a row. */
#define STEP_COST_FACTOR 0.2
/* Percentiles keep the value of each row in memory. */
#define PERCENTILE_BYTES 6

bool plan_enable_aggregate = true;
static int aggregate_memory = 512 * 1024; /* kB */

static create_upper_paths_hook_type next_hook;

/* What is known of the query so far. */
typedef struct AggregateQuery
{
	PlannerInfo *root;
	RelOptInfo *input;
	List *leaves; /* RelOptInfos of the tables to read */
	List *keys;   /* expressions */
	List *aggregates;
	List *clauses;
	Relation parent;
	bool percentiles;
	List *other_keys;     /* those that are neither times nor attributes of spans */
	List *attributes;     /* KeySpecs of those that are of attributes */
	List *attribute_keys; /* the same, as expressions */
	AttrNumber time;      /* column of the keys that are, or 0 */
	int64 time_stride;    /* the shortest of their strides, microseconds */
	List *start_clauses;  /* RestrictInfos on start_time */
	double rows;
	double pages;
	double bins; /* of time */
} AggregateQuery;

/* ---- tables ---- */

static bool
add_leaves(AggregateQuery *q, RelOptInfo *rel)
{
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, q->root);

	if (IS_DUMMY_REL(rel))
		return true;
	if (rte->relkind != RELKIND_PARTITIONED_TABLE)
	{
		q->leaves = lappend(q->leaves, rel);
		return !rte->inh && RELKIND_HAS_TABLE_AM(rte->relkind) && am_is_tempo_oid(rte->relid);
	}
	for (int i = 0; i < rel->nparts; i++)
		if (bms_is_member(i, rel->live_parts) && rel->part_rels[i] && !add_leaves(q, rel->part_rels[i]))
			return false;
	return true;
}

/* ---- what the query asks for ---- */

typedef struct CollectContext
{
	AggregateQuery *q;
	bool failed;
} CollectContext;

/* Aggregates and keys in an expression; nothing else may refer to columns. */
static bool
collect(Node *node, void *context)
{
	CollectContext *c = context;

	if (node == NULL)
		return false;
	if (list_member(c->q->keys, node))
		return false;
	if (IsA(node, Aggref) && ((Aggref *) node)->agglevelsup == 0)
	{
		c->q->aggregates = list_append_unique(c->q->aggregates, node);
		return false;
	}
	if (IsA(node, Var) || IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, PlaceHolderVar))
	{
		c->failed = true;
		return true;
	}
	return expression_tree_walker(node, collect, context);
}

static bool
collect_outputs(AggregateQuery *q, RelOptInfo *output, Node *having)
{
	Query *parse = q->root->parse;
	CollectContext c = {q, false};
	ListCell *lc;

	q->keys = get_sortgrouplist_exprs(parse->groupClause, q->root->processed_tlist);
	(void) collect((Node *) output->reltarget->exprs, &c);
	(void) collect(having, &c);
	foreach (lc, q->keys)
		if (IsA(lfirst(lc), Const) || IsA(lfirst(lc), Param))
			return false;
	return !c.failed;
}

/* Steps of date_trunc are a minute for the estimate: a guess on the low side of what people ask for. */
#define GUESSED_STEP USECS_PER_MINUTE

static bool
keys_can(AggregateQuery *q, const ClauseTable *table)
{
	ListCell *lc;

	q->other_keys = q->attributes = q->attribute_keys = NIL;
	q->time = 0;
	foreach (lc, q->keys)
	{
		KeySpec spec;
		int64 stride;

		if (!key_recognise(table, q->input->relid, lfirst(lc), &spec))
			return false;
		if (spec.series.key)
		{
			KeySpec *copy = palloc(sizeof(KeySpec));

			*copy = spec;
			q->attributes = lappend(q->attributes, copy);
			q->attribute_keys = lappend(q->attribute_keys, lfirst(lc));
			continue;
		}
		if (spec.kind != KEY_BIN && spec.kind != KEY_STEP)
		{
			q->other_keys = lappend(q->other_keys, lfirst(lc));
			continue;
		}
		stride = spec.kind == KEY_BIN ? spec.stride : GUESSED_STEP;
		q->time_stride = q->time ? Min(q->time_stride, stride) : stride;
		q->time = spec.series.attno;
	}
	return true;
}

/* Conditions are evaluated in this order: by what their columns cost to read. */
static int
clause_rank(const VectorClause *clause)
{
	if (clause->kind == CLAUSE_RANGE)
		return 0;
	return clause->series.key == NULL ? 1 : 2;
}

static bool
table_can(AggregateQuery *q, const ClauseTable *table)
{
	Index varno = q->input->relid;
	List *ranked[3] = {NIL, NIL, NIL};
	ListCell *lc;

	if (!keys_can(q, table))
		return false;
	foreach (lc, q->aggregates)
	{
		AggregateSpec spec;

		if (!aggregate_recognise(table, varno, lfirst_node(Aggref, lc), &spec))
			return false;
		q->percentiles |= spec.kind == AGGREGATE_PERCENTILE;
	}
	q->start_clauses = NIL;
	foreach (lc, q->input->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		VectorClause clause;

		if (rinfo->pseudoconstant || !clause_recognise(table, varno, (Node *) rinfo->clause, &clause))
			return false;
		ranked[clause_rank(&clause)] = lappend(ranked[clause_rank(&clause)], rinfo->clause);
		if (clause.kind == CLAUSE_RANGE && table->columns[clause.series.attno - 1].role == ROLE_START_TIME)
			q->start_clauses = lappend(q->start_clauses, rinfo);
	}
	q->clauses = list_concat(list_concat(ranked[0], ranked[1]), ranked[2]);
	return true;
}

/* Bins assumed in a table whose times nobody has looked at. */
#define GUESSED_BINS 1000

/* Core takes a bin for each distinct time; what counts is how far the times of a table are apart. */
static double
estimate_bins(const AggregateQuery *q, Oid relid)
{
	char *name = get_attname(planner_rt_fetch(q->input->relid, q->root)->relid, q->time, false);
	HeapTuple stats = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relid),
									  Int16GetDatum(get_attnum(relid, name)), BoolGetDatum(false));
	AttStatsSlot slot;
	double bins = GUESSED_BINS;

	if (!HeapTupleIsValid(stats))
		return bins;
	if (get_attstatsslot(&slot, stats, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES))
	{
		double first = (double) DatumGetTimestampTz(slot.values[0]);
		double last = (double) DatumGetTimestampTz(slot.values[slot.nvalues - 1]);

		bins = (last - first) / (double) q->time_stride + 1;
		free_attstatsslot(&slot);
	}
	ReleaseSysCache(stats);
	return bins;
}

/* Can all tables do it? Adds up what there is to read. */
static bool
tables_can(AggregateQuery *q)
{
	Bitmapset *attrs = NULL;
	ListCell *lc;
	bool can = q->leaves != NIL;

	pull_varattnos((Node *) q->keys, q->input->relid, &attrs);
	pull_varattnos((Node *) q->aggregates, q->input->relid, &attrs);
	foreach (lc, q->input->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, q->input->relid, &attrs);
	foreach (lc, q->leaves)
	{
		RelOptInfo *rel = lfirst(lc);
		Relation relation = table_open(planner_rt_fetch(rel->relid, q->root)->relid, NoLock);

		can = can && table_can(q, clause_table(relation, q->parent));
		if (can && q->time)
			q->bins += estimate_bins(q, RelationGetRelid(relation));
		q->rows += rel->tuples;
		q->pages += rel->pages * plan_column_share(rel, RelationGetDescr(relation), attrs);
		table_close(relation, NoLock);
	}
	return can;
}

/* ---- the path ---- */

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
					   List *children);

static const CustomPathMethods path_methods = {
	.CustomName = "TempoAggregate",
	.PlanCustomPath = make_plan,
};

/* What reading takes, without what groups and rows of the result take. */
typedef struct ReadCost
{
	Cost pages;
	Cost cpu;
	double rows; /* not pruned */
} ReadCost;

static ReadCost
read_cost(const AggregateQuery *q)
{
	double steps = 1 + list_length(q->keys) + list_length(q->aggregates) + list_length(q->clauses);
	double share = 1;
	double page_cost;
	ReadCost c;

	if (q->start_clauses != NIL)
		share = clauselist_selectivity(q->root, q->start_clauses, 0, JOIN_INNER, NULL);
	get_tablespace_page_costs(q->input->reltablespace, NULL, &page_cost);
	c.pages = Max(0.5, q->pages * share) * page_cost;
	c.rows = q->rows * share;
	c.cpu = c.rows * steps * cpu_operator_cost * STEP_COST_FACTOR;
	return c;
}

/* workers 0: one process does it all. */
static void
set_costs(const AggregateQuery *q, CustomPath *path, double groups, List *having, int workers)
{
	PathTarget *target = path->path.pathtarget;
	ReadCost read = read_cost(q);
	double processes = workers;
	QualCost having_cost;

	cost_qual_eval(&having_cost, having, q->root);
	if (parallel_leader_participation && workers < 4)
		processes += 1.0 - 0.3 * workers;
	if (workers == 0)
		processes = 1;
	path->path.rows = groups;
	path->path.startup_cost = read.pages + read.cpu / processes + target->cost.startup + having_cost.startup;
	/* Each process makes groups of its own, and then some of those of all. */
	if (workers > 0)
		path->path.startup_cost += groups * cpu_tuple_cost;
	path->path.total_cost =
		path->path.startup_cost +
		groups * (cpu_tuple_cost + target->cost.per_tuple + having_cost.per_tuple) / processes;
	if (having != NIL)
		path->path.rows =
			clamp_row_est(groups * clauselist_selectivity(q->root, having, 0, JOIN_INNER, NULL));
}

static List *
table_oids(const AggregateQuery *q)
{
	List *oids = NIL;
	ListCell *lc;

	if (q->parent)
		oids = list_make1_oid(RelationGetRelid(q->parent));
	foreach (lc, q->leaves)
		oids = lappend_oid(oids, planner_rt_fetch(((RelOptInfo *) lfirst(lc))->relid, q->root)->relid);
	return oids;
}

/* The table with the most rows speaks for all. */
static Oid
largest_table(const AggregateQuery *q)
{
	const RelOptInfo *largest = linitial(q->leaves);
	ListCell *lc;

	foreach (lc, q->leaves)
		if (((RelOptInfo *) lfirst(lc))->tuples > largest->tuples)
			largest = lfirst(lc);
	return planner_rt_fetch(largest->relid, q->root)->relid;
}

/* Groups that rows without any of the attributes make, at a guess. */
#define GROUPS_WITHOUT 1000

/* Combinations of values of the attributes; *most: rows that have one of them. */
static double
estimate_attributes(const AggregateQuery *q, double *most)
{
	Relation rel = table_open(largest_table(q), NoLock);
	double kept = q->rows > 0 ? q->input->rows / q->rows : 1;
	double combinations = 1;
	ListCell *lc, *expr;

	forboth(lc, q->attributes, expr, q->attribute_keys)
	{
		const KeySpec *key = lfirst(lc);
		List *keys = list_make1(lfirst(expr));
		AttributeEstimate e;

		/* Nothing merged yet: what core thinks. */
		if (!plan_attribute_estimate(rel, q->rows, key->series.key, key->series.key_len, &e))
			e = (AttributeEstimate){estimate_num_groups(q->root, keys, Max(q->rows, 1), NULL, NULL), q->rows};
		/* and none at all */
		combinations *= e.distinct + 1;
		*most = Min(*most, e.rows * kept + GROUPS_WITHOUT);
	}
	table_close(rel, NoLock);
	return combinations;
}

static double
estimate_groups(const AggregateQuery *q)
{
	double groups = 1;
	double most = Max(q->input->rows, 1);

	if (q->other_keys != NIL)
		groups = estimate_num_groups(q->root, q->other_keys, most, NULL, NULL);
	if (q->attributes != NIL)
		groups *= estimate_attributes(q, &most);
	if (q->time)
		groups *= q->bins;
	return clamp_row_est(Min(groups, most));
}

/* Groups, and values of percentiles, that are expected to fit into memory. */
static bool
fits_memory(const AggregateQuery *q, double groups)
{
	double bytes = groups * (list_length(q->keys) * 16 + list_length(q->aggregates) * 24 + 32);

	if (q->percentiles)
		bytes += q->rows * PERCENTILE_BYTES;
	return bytes <= Max((double) get_hash_memory_limit(), aggregate_memory * 1024.0);
}

static CustomPath *
make_path(const AggregateQuery *q, RelOptInfo *output, List *having, double groups, int workers)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = output;
	path->path.pathtarget = output->reltarget;
	path->path.parallel_aware = workers > 0;
	path->path.parallel_safe = output->consider_parallel;
	path->path.parallel_workers = workers;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = &path_methods;
	path->custom_private = list_make5(table_oids(q), q->keys, q->aggregates, q->clauses, having);
	set_costs(q, path, groups, having, workers);
	return path;
}

/* Rows that keep one process busy for some ten times as long as another takes to start. */
#define ROWS_PER_WORKER 1000000

/* No size at all to begin at asks for as many as there may be, as for core's scans. */
static int
parallel_workers(const AggregateQuery *q)
{
	double workers = read_cost(q).rows / ROWS_PER_WORKER;

	if (min_parallel_table_scan_size == 0)
		return max_parallel_workers_per_gather;
	return (int) Min(workers, (double) max_parallel_workers_per_gather);
}

static void
add_aggregate_paths(const AggregateQuery *q, RelOptInfo *output, List *having)
{
	double groups = estimate_groups(q);
	CustomPath *path;
	int workers = output->consider_parallel ? parallel_workers(q) : 0;

	if (!fits_memory(q, groups))
		return;
	path = make_path(q, output, having, groups, 0);
	add_path(output, &path->path);
	if (workers > 0)
	{
		double rows = path->path.rows;

		path = make_path(q, output, having, groups, workers);
		add_path(output,
				 (Path *) create_gather_path(q->root, output, &path->path, output->reltarget, NULL, &rows));
	}
}

static bool
is_plain_query(PlannerInfo *root, RelOptInfo *input)
{
	Query *parse = root->parse;
	RangeTblEntry *rte;

	if (!plan_enable_aggregate || !plan_enable_customscan || !plan_enable_vector_filter)
		return false;
	if (parse->groupingSets != NIL || parse->hasTargetSRFs || parse->rowMarks != NIL ||
		(!parse->hasAggs && parse->groupClause == NIL))
		return false;
	if (input->reloptkind != RELOPT_BASEREL || input->rtekind != RTE_RELATION || IS_DUMMY_REL(input) ||
		input->lateral_relids != NULL || root->qual_security_level > 0)
		return false;
	rte = planner_rt_fetch(input->relid, root);
	return rte->tablesample == NULL && rte->securityQuals == NIL;
}

static void
plan_aggregate(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, GroupPathExtraData *extra)
{
	AggregateQuery q = {.root = root, .input = input};
	RangeTblEntry *rte = planner_rt_fetch(input->relid, root);

	if (!add_leaves(&q, input) || q.leaves == NIL ||
		!collect_outputs(&q, output, extra ? extra->havingQual : NULL))
		return;
	if (rte->relkind == RELKIND_PARTITIONED_TABLE)
		q.parent = table_open(rte->relid, NoLock);
	if (tables_can(&q))
		add_aggregate_paths(&q, output, extra ? (List *) extra->havingQual : NIL);
	if (q.parent)
		table_close(q.parent, NoLock);
}

static void
upper_paths_hook(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output,
				 void *extra)
{
	if (next_hook)
		next_hook(root, stage, input, output, extra);
	if (stage == UPPERREL_GROUP_AGG && is_plain_query(root, input))
		plan_aggregate(root, input, output, extra);
}

/* ---- the plan ---- */

static bool
find_params(Node *node, void *context)
{
	List **params = context;

	if (node == NULL)
		return false;
	if (IsA(node, Param))
		*params = list_append_unique(*params, node);
	return expression_tree_walker(node, find_params, context);
}

static void
append_entries(List **tlist, List *expressions, bool junk)
{
	ListCell *lc;

	foreach (lc, expressions)
		*tlist =
			lappend(*tlist, makeTargetEntry(copyObject(lfirst(lc)), list_length(*tlist) + 1, NULL, junk));
}

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *children)
{
	CustomScan *scan = makeNode(CustomScan);
	List *tables = linitial(path->custom_private);
	List *keys = lsecond(path->custom_private);
	List *aggregates = lthird(path->custom_private);
	List *having = list_nth(path->custom_private, 4);

	append_entries(&scan->custom_scan_tlist, keys, false);
	append_entries(&scan->custom_scan_tlist, aggregates, false);
	append_entries(&scan->custom_scan_tlist, lfourth(path->custom_private), true);
	(void) find_params((Node *) scan->custom_scan_tlist, &scan->custom_exprs);
	scan->custom_exprs = copyObject(scan->custom_exprs);
	scan->custom_private =
		list_make3(tables, makeInteger(list_length(keys)), makeInteger(list_length(aggregates)));
	scan->scan.scanrelid = 0;
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = copyObject(having);
	scan->flags = path->flags;
	scan->methods = &aggregate_node_methods;
	return &scan->scan.plan;
}

void
plan_aggregate_init(void)
{
	DefineCustomBoolVariable("tempo.enable_aggregate",
							 "Lets the planner compute GROUP BY and aggregates inside the column scan.",
							 "Off leaves them to core's nodes, with the same result.", &plan_enable_aggregate,
							 true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"tempo.aggregate_memory", "Memory that aggregates inside the column scan may be expected to take.",
		"Those that may need more, and more than hash tables may have, are left to core's nodes.",
		&aggregate_memory, 512 * 1024, 64, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB | GUC_EXPLAIN, NULL, NULL,
		NULL);
	RegisterCustomScanMethods(&aggregate_node_methods);
	next_hook = create_upper_paths_hook;
	create_upper_paths_hook = upper_paths_hook;
}
