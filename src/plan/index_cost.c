/*
 * index_cost.c
 *	  What core does not know about the cost of a row found by an index: the vector it is in has to be opened
 *	  and the columns asked for decoded, for that one row or for all that are found in it in a row.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "utils/lsyscache.h"
#include "plan/plan.h"

/*
 * Cost of a vector, in rows of it that core's scan of a heap would read: opening it, and decoding all of
 * its columns. Measured against the column scan.
 */
#define VECTOR_OPEN_SHARE   0.25
#define VECTOR_DECODE_SHARE 1.25

/* Entries of one key come in the order of row numbers. Others may lead anywhere. */
static bool
is_equality(const IndexPath *path)
{
	ListCell *lc;

	if (path->indexinfo->relam != BTREE_AM_OID)
		return path->indexinfo->relam == HASH_AM_OID;
	foreach (lc, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);
		OpExpr *op = (OpExpr *) clause->rinfo->clause;

		if (!IsA(op, OpExpr) ||
			get_op_opfamily_strategy(op->opno, path->indexinfo->opfamily[clause->indexcol]) !=
				BTEqualStrategyNumber)
			return false;
	}
	return path->indexclauses != NIL;
}

/* How many vectors are opened for so many rows, when each is opened once. */
static double
distinct_vectors(const RelOptInfo *rel, double rows)
{
	double vectors = Max(1, rel->tuples / IMAGE_VECTOR_ROWS);

	return vectors * (1 - pow(1 - 1 / vectors, rows));
}

static double
vectors_opened(RelOptInfo *rel, Path *path)
{
	Selectivity selectivity;
	Cost ignored;

	if (IsA(path, IndexPath))
	{
		double rows = ((IndexPath *) path)->indexselectivity * rel->tuples;

		return is_equality((IndexPath *) path) ? distinct_vectors(rel, rows) : rows;
	}
	cost_bitmap_tree_node(((BitmapHeapPath *) path)->bitmapqual, &ignored, &selectivity);
	return distinct_vectors(rel, selectivity * rel->tuples);
}

void
plan_price_index_paths(RelOptInfo *rel, double share)
{
	Cost vector = IMAGE_VECTOR_ROWS * cpu_tuple_cost * (VECTOR_OPEN_SHARE + VECTOR_DECODE_SHARE * share);
	List *paths = rel->pathlist;
	ListCell *lc;

	if (rel->indexlist == NIL)
		return;
	/* Added again, because they are kept in the order of their costs. */
	rel->pathlist = NIL;
	foreach (lc, paths)
	{
		Path *path = lfirst(lc);

		/* An index-only scan decodes nothing: it asks whether the row is there. */
		if (path->pathtype == T_IndexScan || path->pathtype == T_BitmapHeapScan)
			path->total_cost += vector * vectors_opened(rel, path);
		add_path(rel, path);
	}
	list_free(paths);
}
