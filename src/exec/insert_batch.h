/*
 * insert_batch.h
 *	  INSERT of many rows stores them in batches, as COPY does, instead of row by row.
 *
 * The planner marks statements for which nobody can tell the difference (plan/insert.c): no triggers, no
 * RETURNING, no ON CONFLICT, no policies, and no function that could look at the table meanwhile. The rows of
 * a batch wait within the execution of the node, in the slots of the statement: nothing is held back when
 * it returns, and an error or a subtransaction elsewhere cannot get between a row and its batch.
 */
#ifndef TEMPO_INSERT_BATCH_H
#define TEMPO_INSERT_BATCH_H

#include "postgres.h"
#include "nodes/plannodes.h"

/* Mark a plan: its rows may be stored in batches. */
extern void insert_batch_mark(ModifyTable *plan);
/* Once, from _PG_init, by the planner's part: the hook that executes marked plans. */
extern void insert_batch_init(void);

#endif
