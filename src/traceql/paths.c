/*
 * paths.c
 *	  Planning traceql() and traceql_metrics(): the paths and plans of their scan nodes, and the estimate of
 *	  traceql()'s rows.
 */
#include "traceql/plan.h"
#include "traceql/query.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "catalog/pg_class.h"
#include "catalog/namespace.h"

static bool enable_scan = true;
static set_rel_pathlist_hook_type next_hook;

PG_FUNCTION_INFO_V1(tempo_traceql_support);

/* Guesses: spans of a matching trace that match, and the share of spans that match a query. */
#define SPANS_PER_TRACE 5
#define MATCHING_SHARE  0.005

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
					   List *children);

static CustomPathMethods scan_path = {.CustomName = "TraceQLScan", .PlanCustomPath = make_plan};
static CustomPathMethods metrics_path = {.CustomName = "TraceQLMetricsScan", .PlanCustomPath = make_plan};

static const CallNode nodes[] = {
	{tempo_traceql, TRACEQL_NCOLUMNS, &scan_path, &traceql_node_methods},
	{tempo_traceql_metrics, TIMELINE_NCOLUMNS, &metrics_path, &metrics_node_methods},
	{tempo_traceql_metrics_instant, TIMELINE_NCOLUMNS - 1, &metrics_path, &metrics_node_methods},
};

/* ---- which call ---- */

/* Is this a function of ours, and would a call of it reach our code directly (no SET, no SECURITY DEFINER)?
 */
static const CallNode *
node_of(Oid funcid)
{
	FmgrInfo info;

	if (!OidIsValid(get_func_support(funcid)))
		return NULL;
	fmgr_info(funcid, &info);
	for (size_t i = 0; i < lengthof(nodes); i++)
		if (info.fn_addr == nodes[i].function)
			return &nodes[i];
	return NULL;
}

/* The call, if the range-table entry is a single one of ours. */
static FuncExpr *
our_call(RangeTblEntry *rte, const CallNode **node)
{
	RangeTblFunction *function;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	function = linitial_node(RangeTblFunction, rte->functions);
	if (!IsA(function->funcexpr, FuncExpr))
		return NULL;
	*node = node_of(((FuncExpr *) function->funcexpr)->funcid);
	return *node && function->funccolcount == (*node)->ncolumns ? (FuncExpr *) function->funcexpr : NULL;
}

/* ---- path ---- */

static void
cost_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, FuncExpr *call)
{
	QualCost qual;
	QualCost search;

	cost_qual_eval_node(&search, (Node *) call, root);
	cost_qual_eval(&qual,
				   path->path.param_info
					   ? list_concat_copy(rel->baserestrictinfo, path->path.param_info->ppi_clauses)
					   : rel->baserestrictinfo,
				   root);
	path->path.startup_cost = search.startup + qual.startup + rel->reltarget->cost.startup;
	/* Rows come while the search goes on. */
	path->path.total_cost = path->path.startup_cost + search.per_tuple +
							(cpu_tuple_cost + qual.per_tuple) * rel->tuples +
							rel->reltarget->cost.per_tuple * path->path.rows;
}

static void
add_scan(PlannerInfo *root, RelOptInfo *rel, FuncExpr *call, const CallNode *node)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->path.rows = path->path.param_info ? path->path.param_info->ppi_rows : rel->rows;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->methods = node->path;
	cost_path(root, rel, path, call);
	/* It does what the function scan does, and no more. */
	rel->pathlist = NIL;
	add_path(rel, &path->path);
}

static void
pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	const CallNode *node;
	FuncExpr *call;

	if (next_hook)
		next_hook(root, rel, rti, rte);
	if (enable_scan && !IS_DUMMY_REL(rel) && (call = our_call(rte, &node)) != NULL)
		add_scan(root, rel, call, node);
}

/* ---- plan ---- */

/* Every column, then the whole row: what SELECT t and row marks ask for. */
static List *
scan_tlist(RelOptInfo *rel, RangeTblEntry *rte, int ncolumns)
{
	RangeTblFunction *function = linitial_node(RangeTblFunction, rte->functions);
	TupleDesc desc;
	Oid type;
	List *tlist = NIL;
	AttrNumber attno = 1;

	if (get_expr_result_type(function->funcexpr, &type, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != ncolumns)
		elog(ERROR, "a function of TraceQL does not return the columns it should");
	for (; attno <= ncolumns; attno++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
		Var *var = makeVar(rel->relid, attno, att->atttypid, att->atttypmod, att->attcollation, 0);

		tlist = lappend(tlist, makeTargetEntry((Expr *) var, attno, pstrdup(NameStr(att->attname)), false));
	}
	return lappend(tlist,
				   makeTargetEntry((Expr *) makeWholeRowVar(rte, rel->relid, 0, false), attno, NULL, false));
}

/* The plan reads tempo.spans and depends on whose policies apply, though the query does not name it. */
static void
depend_on_spans(PlannerInfo *root)
{
	Oid spans = get_relname_relid("spans", get_namespace_oid("tempo", true));

	if (OidIsValid(spans))
		root->glob->relationOids = lappend_oid(root->glob->relationOids, spans);
	root->glob->dependsOnRole = true;
}

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *children)
{
	CustomScan *scan = makeNode(CustomScan);
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, root);
	const CallNode *node;
	FuncExpr *call = our_call(rte, &node);

	scan->scan.scanrelid = 0;
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->custom_scan_tlist = scan_tlist(rel, rte, node->ncolumns);
	scan->custom_exprs = copyObject(call->args);
	scan->custom_private = list_make2(list_make1_oid(call->funcid), copyObject(rte->eref->colnames));
	scan->flags = path->flags;
	scan->methods = node->scan;
	depend_on_spans(root);
	return &scan->scan.plan;
}

/* ---- estimate ---- */

static double
stored_rows(void)
{
	Oid spans = get_relname_relid("spans", get_namespace_oid("tempo", true));
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(spans));
	double rows = -1;

	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	return rows;
}

static double
estimate_rows(FuncExpr *call)
{
	Node *max_traces = list_length(call->args) > 3 ? list_nth(call->args, 3) : NULL;
	double rows = stored_rows() * MATCHING_SHARE;

	if (rows <= 0)
		rows = 1000;
	if (max_traces && IsA(max_traces, Const) && !((Const *) max_traces)->constisnull)
		rows = Min(rows, (double) DatumGetInt32(((Const *) max_traces)->constvalue) * SPANS_PER_TRACE);
	return Max(rows, 1);
}

/* Also what loads the library before the hook is needed. */
Datum
tempo_traceql_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);
	const CallNode *node;

	if (IsA(request, SupportRequestRows))
	{
		SupportRequestRows *r = (SupportRequestRows *) request;

		if (r->node && IsA(r->node, FuncExpr) && (node = node_of(((FuncExpr *) r->node)->funcid)) != NULL &&
			node->function == tempo_traceql)
		{
			r->rows = estimate_rows((FuncExpr *) r->node);
			PG_RETURN_POINTER(request);
		}
	}
	PG_RETURN_POINTER(NULL);
}

void
traceql_init(void)
{
	DefineCustomBoolVariable("tempo.enable_traceql_scan",
							 "Lets the planner run traceql() and traceql_metrics() as scan nodes.",
							 "Off leaves the function scan, which gives the same rows.", &enable_scan, true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	traceql_define_settings();
	RegisterCustomScanMethods(&traceql_node_methods);
	RegisterCustomScanMethods(&metrics_node_methods);
	next_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = pathlist_hook;
}
