/*
 * plan.h
 *	  Planning scans of tables of access method tempo: the custom scan beside core's sequential scan, and
 *	  which conditions can rule out segments and vectors unread.
 *
 * Conditions are used for pruning only; all of them stay in the plan's qual, in the planner's order. So
 * nothing of a row is seen by a condition before those that security needs first.
 */
#ifndef TEMPO_PLAN_H
#define TEMPO_PLAN_H

#include "postgres.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "store/store.h"

/* Setting tempo.enable_customscan, and the hook. Called once, from _PG_init. */
extern void plan_init(void);
extern bool plan_enable_customscan;
extern bool plan_enable_vector_filter;

/* The part of it in aggregate.c, and setting tempo.enable_aggregate. */
extern void plan_aggregate_init(void);
extern bool plan_enable_aggregate;

/* The part of it in insert.c. */
extern void plan_insert_init(void);

/* Share of the table's column bytes that a scan of these attributes (offset as in pull_varattnos) reads. */
extern double plan_column_share(RelOptInfo *rel, TupleDesc desc, Bitmapset *attrs);

/* Add to core's paths by indexes what rows cost that are decoded one by one. (index_cost.c) */
extern void plan_price_index_paths(RelOptInfo *rel, double share);

/*
 * What the largest segment of a table says of an attribute of spans (distinct.c): how many distinct values it
 * has in the whole table, and in how many rows there is one.
 */
typedef struct AttributeEstimate
{
	double distinct;
	double rows;
} AttributeEstimate;
/* tuples: rows of the table. false: there is no segment to ask. */
extern bool plan_attribute_estimate(Relation rel, double tuples, const char *key, int key_len,
									AttributeEstimate *e);

/* What a pruning condition is about. */
typedef enum PruneKind
{
	PRUNE_START,     /* start_time <op> value; strategy: btree */
	PRUNE_TRACE,     /* trace_id = value */
	PRUNE_TRACE_ANY, /* trace_id = ANY (array) */
} PruneKind;

typedef struct PruneCondition
{
	PruneKind kind;
	int strategy;
	Expr *value; /* no columns of the table, nothing volatile: the executor evaluates it once a (re)scan */
} PruneCondition;

/* Pruning conditions among clauses (RestrictInfos) of a table; list of PruneCondition *. */
extern List *plan_prune_conditions(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile,
								   List *clauses);
extern bool plan_is_prune_clause(PlannerInfo *root, RelOptInfo *rel, const TableProfile *profile,
								 RestrictInfo *rinfo, PruneCondition *condition);

#endif
