/*
 * aggregate_node.c
 *	  Executing the aggregating scan: everything is read at the first row asked for, then groups are given
 *	  out one by one. In a parallel query aggregate_shared.h says who reads and who gives out what.
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "compat.h"
#include "exec/aggregate_node.h"
#include "exec/aggregate_shared.h"
#include "exec/column_filter.h"

typedef struct TempoAggregateState
{
	CustomScanState css;
	List *tables; /* OIDs */
	List *keys;   /* expressions */
	List *aggregates;
	List *clauses;
	Index varno; /* of their Vars */

	/* once run */
	bool done;
	MemoryContext context; /* reset by a rescan */
	AggregateShape shape;
	AggregateParts *parts; /* being filled, or given out */
	uint32 next;           /* group of it */

	/* parallel */
	SharedAggregate *shared;
	dsa_area *area; /* while being executed in parallel */
	bool folded;    /* counters are in shared */

	uint64 counters[AGGREGATE_NCOUNTERS];
} TempoAggregateState;

static Node *create_state(CustomScan *scan);
static void begin_aggregate(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_aggregate(CustomScanState *node);
static void end_aggregate(CustomScanState *node);
static void rescan_aggregate(CustomScanState *node);
static Size estimate_dsm(CustomScanState *node, ParallelContext *pcxt);
static void initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate);
static void shutdown_aggregate(CustomScanState *node);
static void explain_aggregate(CustomScanState *node, List *ancestors, ExplainState *es);

CustomScanMethods aggregate_node_methods = {.CustomName = "TempoAggregate",
											.CreateCustomScanState = create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "TempoAggregate",
	.BeginCustomScan = begin_aggregate,
	.ExecCustomScan = exec_aggregate,
	.EndCustomScan = end_aggregate,
	.ReScanCustomScan = rescan_aggregate,
	.EstimateDSMCustomScan = estimate_dsm,
	.InitializeDSMCustomScan = initialize_dsm,
	.ReInitializeDSMCustomScan = reinitialize_dsm,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = shutdown_aggregate,
	.ExplainCustomScan = explain_aggregate,
};

static Node *
create_state(CustomScan *scan)
{
	TempoAggregateState *s = (TempoAggregateState *) newNode(sizeof(TempoAggregateState), T_CustomScanState);

	s->css.methods = &exec_methods;
	return (Node *) s;
}

static List *
expressions(List *tlist, int first, int n)
{
	List *result = NIL;

	for (int i = first; i < first + n; i++)
		result = lappend(result, list_nth_node(TargetEntry, tlist, i)->expr);
	return result;
}

static void
begin_aggregate(CustomScanState *node, EState *estate, int eflags)
{
	TempoAggregateState *s = (TempoAggregateState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List *tlist = plan->custom_scan_tlist;
	Relids varnos = pull_varnos(NULL, (Node *) tlist);
	int nkeys, naggregates;

	s->tables = linitial(plan->custom_private);
	nkeys = intVal(lsecond(plan->custom_private));
	naggregates = intVal(lthird(plan->custom_private));
	s->keys = expressions(tlist, 0, nkeys);
	s->aggregates = expressions(tlist, nkeys, naggregates);
	s->clauses = expressions(tlist, nkeys + naggregates, list_length(tlist) - nkeys - naggregates);
	/* No columns at all: count(*). */
	s->varno = bms_is_empty(varnos) ? 0 : bms_singleton_member(varnos);
	s->context = AllocSetContextCreate(estate->es_query_cxt, "tempo aggregate", ALLOCSET_DEFAULT_SIZES);
}

static void
drop_parts(TempoAggregateState *s)
{
	if (s->parts)
	{
		MemoryContext context = s->parts->context;

		aggregate_parts_free(s->parts);
		s->parts = NULL;
		MemoryContextDelete(context);
	}
	s->next = 0;
}

static void
forget(TempoAggregateState *s)
{
	drop_parts(s);
	s->done = false;
	MemoryContextReset(s->context);
}

static void
end_aggregate(CustomScanState *node)
{
	TempoAggregateState *s = (TempoAggregateState *) node;

	forget(s);
	MemoryContextDelete(s->context);
}

static void
rescan_aggregate(CustomScanState *node)
{
	ExecScanReScan(&node->ss);
	forget((TempoAggregateState *) node);
}

/* ---- reading ---- */

static void
new_parts(TempoAggregateState *s)
{
	MemoryContext context = AllocSetContextCreate(s->context, "tempo groups", ALLOCSET_DEFAULT_SIZES);

	s->parts = aggregate_parts_create(&s->css.ss.ps, &s->shape, s->area, context);
}

/* One table being read. */
typedef struct TableRead
{
	Relation rel;
	ClauseTable *columns;
	Cursor *cursor;
	ColumnFilter *filter;
	uint64 start_min;
	uint64 start_max;
	int decided; /* unit that keep is about, or -1 */
	bool keep;
	MemoryContext context;
} TableRead;

static void
read_vector(TempoAggregateState *s, TableRead *t, uint64 vector, uint32 v)
{
	const uint8 *pass;
	uint32 n;

	if (!column_filter_keeps_vector(t->filter, t->cursor, v))
		return;
	cursor_open(t->cursor, vector);
	s->counters[AGGREGATE_VECTORS_READ]++;
	n = column_filter_mark(t->filter, t->cursor, &pass);
	s->counters[AGGREGATE_ROWS_REMOVED] += t->cursor->batch_rows - t->cursor->ndead - n;
	if (n > 0)
		aggregate_rows(s->parts, t->cursor, pass, n);
}

/* Decided when the first vector of a unit is met; vectors come in order. */
static bool
keep_unit(TempoAggregateState *s, TableRead *t, int unit)
{
	Cursor *cur = t->cursor;
	const StoreUnit *u = &cur->units[unit];

	if (t->decided == unit)
		return t->keep;
	t->decided = unit;
	t->keep = !u->has_range || (u->summary.start_min <= t->start_max && u->summary.start_max >= t->start_min);
	if (t->keep)
	{
		cursor_open_unit(cur, unit);
		t->keep = column_filter_keeps_image(t->filter, cur);
	}
	if (t->keep)
		s->counters[AGGREGATE_UNITS_READ]++;
	return t->keep;
}

/* Vectors [from, to) of the table. */
static void
read_run(TempoAggregateState *s, TableRead *t, uint64 from, uint64 to)
{
	Cursor *cur = t->cursor;

	for (uint64 v = from; v < to;)
	{
		int unit = cursor_unit_of(cur, v);
		uint64 end = Min(to, cur->first_vector[unit + 1]);

		CHECK_FOR_INTERRUPTS();
		for (; v < end && keep_unit(s, t, unit); v++)
		{
			cursor_open_unit(cur, unit);
			read_vector(s, t, v, (uint32) (v - cur->first_vector[unit]));
		}
		v = end;
	}
}

static void
begin_table(TempoAggregateState *s, TableRead *t)
{
	column_filter_evaluate(t->filter);
	column_filter_start_range(t->filter, &t->start_min, &t->start_max);
	for (int k = 0; k < s->shape.nkeys; k++)
		group_key_table(s->parts->keys[k], t->rel, t->columns, t->context);
	for (int a = 0; a < s->shape.naggregates; a++)
		accumulator_table(s->parts->accumulators[a], t->rel, t->columns, s->varno, t->context);
}

static bool
is_parallel(const TempoAggregateState *s)
{
	return s->area != NULL;
}

/* What there is, once for all processes. */
static void
count_table(TempoAggregateState *s, const Cursor *cur)
{
	s->counters[AGGREGATE_UNITS] += cur->nunits;
	s->counters[AGGREGATE_VECTORS] += cur->nvectors;
}

static void
read_runs(TempoAggregateState *s, TableRead *t, int table)
{
	uint64 from = 0;
	uint64 to = t->cursor->nvectors;

	if (!is_parallel(s))
	{
		count_table(s, t->cursor);
		if (column_filter_possible(t->filter))
			read_run(s, t, from, to);
		return;
	}
	while (column_filter_possible(t->filter) &&
		   shared_aggregate_take(s->shared, table, t->cursor->nvectors, &from, &to))
	{
		if (from == 0)
			count_table(s, t->cursor);
		read_run(s, t, from, to);
	}
}

static void
read_table(TempoAggregateState *s, int table, Oid relid, Relation parent)
{
	Snapshot snapshot = s->css.ss.ps.state->es_snapshot;
	TableRead t = {.rel = table_open(relid, AccessShareLock), .decided = -1};
	MemoryContext old;

	t.context = AllocSetContextCreate(s->context, "tempo aggregate table", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(t.context);
	t.columns = clause_table(t.rel, parent);
	t.cursor = cursor_create(t.rel, snapshot, t.context);
	t.filter = column_filter_create(&s->css.ss.ps, t.rel, t.columns, s->clauses, s->varno, t.context);
	PredicateLockRelation(t.rel, snapshot);
	pgstat_count_heap_scan(t.rel);
	begin_table(s, &t);
	read_runs(s, &t, table);
	s->counters[AGGREGATE_BYTES] += cursor_counters(t.cursor).bytes_read;
	cursor_close(t.cursor);
	for (int a = 0; a < s->shape.naggregates; a++)
		accumulator_end_table(s->parts->accumulators[a]);
	column_filter_free(t.filter);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(t.context);
	table_close(t.rel, NoLock);
}

/* The tables, without the one they are partitions of, which comes first and is NULL if there is none. */
static List *
open_parent(TempoAggregateState *s, Relation *parent)
{
	*parent = table_open(linitial_oid(s->tables), AccessShareLock);
	if ((*parent)->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		return list_copy_tail(s->tables, 1);
	table_close(*parent, NoLock);
	*parent = NULL;
	return s->tables;
}

/* What keys and aggregates are, by what the first table says; the others have the same columns. */
static void
find_shape(TempoAggregateState *s, Oid relid, Relation parent)
{
	Relation rel = table_open(relid, AccessShareLock);

	aggregate_shape(clause_table(rel, parent), s->varno, s->keys, s->aggregates, &s->shape);
	table_close(rel, NoLock);
}

/* Processes begin at different tables, so that each opens few. */
static void
read_tables(TempoAggregateState *s, List *tables, Relation parent)
{
	int n = list_length(tables);
	int first = 0;

	new_parts(s);
	if (is_parallel(s))
		first =
			(int) ((int64) shared_aggregate_number(s->shared) * n / shared_aggregate_processes(s->shared));
	for (int i = 0; i < n; i++)
	{
		int table = (first + i) % n;

		if (!is_parallel(s) || !shared_aggregate_taken(s->shared, table))
			read_table(s, table, list_nth_oid(tables, table), parent);
	}
}

static void
read_all(TempoAggregateState *s)
{
	MemoryContext old = MemoryContextSwitchTo(s->context);
	Relation parent;
	List *tables = open_parent(s, &parent);

	/* Without dynamic shared memory there are no workers, and the leader is alone. */
	s->area = s->shared ? s->css.ss.ps.state->es_query_dsa : NULL;
	find_shape(s, linitial_oid(tables), parent);
	if (!is_parallel(s))
	{
		read_tables(s, tables, parent);
		aggregate_parts_finish(s->parts);
	}
	else if (shared_aggregate_join(s->shared))
	{
		read_tables(s, tables, parent);
		shared_aggregate_publish(s->shared, s->area, s->parts);
		drop_parts(s);
	}
	if (parent)
		table_close(parent, NoLock);
	s->done = true;
	MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

/* Parallel: the next part of the groups that this process gives out. */
static bool
next_part(TempoAggregateState *s)
{
	uint32 part, nparts;

	drop_parts(s);
	if (!is_parallel(s) || !shared_aggregate_next_part(s->shared, &s->shape, &part, &nparts))
		return false;
	new_parts(s);
	shared_aggregate_merge(s->shared, s->area, s->parts, part, nparts);
	return true;
}

static void
fill_group(TempoAggregateState *s, uint32 group, TupleTableSlot *slot)
{
	AggregateParts *p = s->parts;
	int nkeys = s->shape.nkeys;
	MemoryContext old;

	groups_keys(p->groups, group, p->numbers);
	for (int k = 0; k < nkeys; k++)
		slot->tts_values[k] = group_key_value(p->keys[k], p->numbers[k], &slot->tts_isnull[k]);
	old = MemoryContextSwitchTo(s->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (int a = 0; a < s->shape.naggregates; a++)
		slot->tts_values[nkeys + a] =
			accumulator_result(p->accumulators[a], group, &slot->tts_isnull[nkeys + a]);
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
next_group(TempoAggregateState *s)
{
	TupleTableSlot *slot = s->css.ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (!s->done)
		read_all(s);
	while (s->parts == NULL || s->next >= s->parts->ngroups)
		if (!next_part(s))
			return slot;
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	fill_group(s, s->next++, slot);
	return ExecStoreVirtualTuple(slot);
}

/* Nothing of a row that could have changed: rows of the node are groups. */
static bool
recheck_group(TempoAggregateState *s, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_aggregate(CustomScanState *node)
{
	return ExecScan(&node->ss, (ExecScanAccessMtd) next_group, (ExecScanRecheckMtd) recheck_group);
}

/* ---- parallel ---- */

static Size
estimate_dsm(CustomScanState *node, ParallelContext *pcxt)
{
	return shared_aggregate_size(pcxt->nworkers + 1, list_length(((TempoAggregateState *) node)->tables));
}

static void
initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	TempoAggregateState *s = (TempoAggregateState *) node;

	s->shared = coordinate;
	shared_aggregate_init(s->shared, pcxt->nworkers + 1, list_length(s->tables));
}

static void
reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	shared_aggregate_reset(coordinate, node->ss.ps.state->es_query_dsa);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	((TempoAggregateState *) node)->shared = coordinate;
}

/* The leader takes over what workers counted; shared memory is gone when EXPLAIN prints. */
static void
shutdown_aggregate(CustomScanState *node)
{
	TempoAggregateState *s = (TempoAggregateState *) node;

	if (s->shared == NULL || s->folded)
		return;
	s->folded = true;
	if (IsParallelWorker())
		shared_aggregate_add_counters(s->shared, s->counters);
	else
		shared_aggregate_sum_counters(s->shared, s->counters);
}

/* ---- EXPLAIN ---- */

static void
explain_expressions(TempoAggregateState *s, const char *label, List *list, List *ancestors, ExplainState *es)
{
	List *context = set_deparse_context_plan(es->deparse_cxt, s->css.ss.ps.plan, ancestors);
	List *texts = NIL;
	ListCell *lc;

	foreach (lc, list)
		texts = lappend(texts, deparse_expression(lfirst(lc), context, false, false));
	if (texts != NIL)
		ExplainPropertyList(label, texts, es);
}

static void
explain_tables(TempoAggregateState *s, ExplainState *es)
{
	List *names = NIL;
	ListCell *lc;

	foreach (lc, s->tables)
		names = lappend(names, get_rel_name(lfirst_oid(lc)));
	ExplainPropertyText("Table", linitial(names), es);
	if (list_length(names) > 1)
		ExplainPropertyInteger("Partitions", NULL, list_length(names) - 1, es);
}

static void
explain_aggregate(CustomScanState *node, List *ancestors, ExplainState *es)
{
	TempoAggregateState *s = (TempoAggregateState *) node;

	explain_tables(s, es);
	explain_expressions(s, "Group Key", s->keys, ancestors, es);
	explain_expressions(s, "Aggregates", s->aggregates, ancestors, es);
	if (s->clauses != NIL)
		explain_expressions(s, "Vector Filter", list_make1(make_ands_explicit(s->clauses)), ancestors, es);
	if (!es->analyze)
		return;
	if (s->clauses != NIL)
		ExplainPropertyInteger("Rows Removed by Vector Filter", NULL,
							   (int64) s->counters[AGGREGATE_ROWS_REMOVED], es);
	ExplainPropertyInteger("Segments and Batches", NULL, (int64) s->counters[AGGREGATE_UNITS], es);
	ExplainPropertyInteger("Segments and Batches Read", NULL, (int64) s->counters[AGGREGATE_UNITS_READ], es);
	ExplainPropertyInteger("Vectors", NULL, (int64) s->counters[AGGREGATE_VECTORS], es);
	ExplainPropertyInteger("Vectors Read", NULL, (int64) s->counters[AGGREGATE_VECTORS_READ], es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) s->counters[AGGREGATE_BYTES], es);
}
