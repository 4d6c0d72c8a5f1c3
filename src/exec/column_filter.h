/*
 * column_filter.h
 *	  Conditions evaluated on the columns of a vector: which of its rows pass all of them.
 *
 * Conditions are tried in the order given, each on what those before it left, so that a vector is done as
 * soon as no row is left, and columns of later conditions are not read. Values of conditions are evaluated
 * once a (re)scan; a NULL value means that no row passes, as all comparisons are strict.
 */
#ifndef TEMPO_COLUMN_FILTER_H
#define TEMPO_COLUMN_FILTER_H

#include "postgres.h"
#include "executor/executor.h"
#include "plan/clause.h"
#include "store/cursor.h"

typedef struct ColumnFilter ColumnFilter;

/*
 * clauses: all of the kind clause_recognise() knows, their Vars have varno. parent: whose parameters the
 * clauses use. The filter, its memory and what it works out live in a child of context.
 */
extern ColumnFilter *column_filter_create(PlanState *parent, Relation rel, const ClauseTable *table,
										  List *clauses, Index varno, MemoryContext context);
extern void column_filter_free(ColumnFilter *f);
/* Evaluate the values; before the first vector and after every rescan. */
extern void column_filter_evaluate(ColumnFilter *f);
/* false: no row can pass, whatever is read. */
extern bool column_filter_possible(const ColumnFilter *f);
/* Is there a row in the open image, in vector v of it, that may pass? Reads dictionaries and zone maps. */
extern bool column_filter_keeps_image(ColumnFilter *f, Cursor *cur);
extern bool column_filter_keeps_vector(ColumnFilter *f, Cursor *cur, uint32 v);
/*
 * How many rows of the open vector pass, of those not deleted. *rows: their numbers, ascending, until the
 * next vector; NULL when all do.
 */
extern uint32 column_filter_rows(ColumnFilter *f, Cursor *cur, const uint32 **rows);
/* The same as one byte a row of the vector, 1 for those that pass; NULL when all do. */
extern uint32 column_filter_mark(ColumnFilter *f, Cursor *cur, const uint8 **pass);
/* Rows that are marked (left of the open vector's), as column_filter_rows() gives them. */
extern const uint32 *column_filter_list(Cursor *cur, const uint8 *pass, uint32 left);
/* The same for some rows: pass has one byte for each row of the vector, 1 for those in question. */
extern uint32 column_filter_pass(ColumnFilter *f, Cursor *cur, uint8 *pass);
/* Unix nanoseconds (unsigned, inclusive) that conditions on start_time allow. */
extern void column_filter_start_range(const ColumnFilter *f, uint64 *lo, uint64 *hi);

#endif
