/*
 * aggregate_node.c
 *	  Executing the aggregating scan: everything is read at the first row asked for, then groups are given
 *	  out one by one.
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
#include "exec/accumulate.h"
#include "exec/aggregate_node.h"
#include "exec/column_filter.h"
#include "exec/group_key.h"
#include "exec/groups.h"

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
	GroupKey **group_keys;
	Accumulator **accumulators;
	int nkeys;
	int naggregates;
	Groups *groups;
	uint32 ngroups;
	uint32 next;
	uint32 *numbers;
	bool any_rows;

	/* EXPLAIN ANALYZE */
	uint64 units;
	uint64 units_read;
	uint64 vectors;
	uint64 vectors_read;
	uint64 rows_removed;
	uint64 bytes;
} TempoAggregateState;

static Node *create_state(CustomScan *scan);
static void begin_aggregate(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_aggregate(CustomScanState *node);
static void end_aggregate(CustomScanState *node);
static void rescan_aggregate(CustomScanState *node);
static void explain_aggregate(CustomScanState *node, List *ancestors, ExplainState *es);

CustomScanMethods aggregate_node_methods = {.CustomName = "TempoAggregate",
											.CreateCustomScanState = create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "TempoAggregate",
	.BeginCustomScan = begin_aggregate,
	.ExecCustomScan = exec_aggregate,
	.EndCustomScan = end_aggregate,
	.ReScanCustomScan = rescan_aggregate,
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

	s->tables = linitial(plan->custom_private);
	s->nkeys = intVal(lsecond(plan->custom_private));
	s->naggregates = intVal(lthird(plan->custom_private));
	s->keys = expressions(tlist, 0, s->nkeys);
	s->aggregates = expressions(tlist, s->nkeys, s->naggregates);
	s->clauses =
		expressions(tlist, s->nkeys + s->naggregates, list_length(tlist) - s->nkeys - s->naggregates);
	/* No columns at all: count(*). */
	s->varno = bms_is_empty(varnos) ? 0 : bms_singleton_member(varnos);
	s->context = AllocSetContextCreate(estate->es_query_cxt, "tempo aggregate", ALLOCSET_DEFAULT_SIZES);
}

static void
forget(TempoAggregateState *s)
{
	for (int k = 0; s->group_keys && k < s->nkeys; k++)
		group_key_free(s->group_keys[k]);
	s->group_keys = NULL;
	s->done = false;
	s->next = 0;
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

/* Keys and aggregates by what the first table says; the others have the same columns. */
static void
make_parts(TempoAggregateState *s, const ClauseTable *table)
{
	int i = 0;
	ListCell *lc;

	s->group_keys = palloc0(Max(s->nkeys, 1) * sizeof(GroupKey *));
	s->accumulators = palloc0(Max(s->naggregates, 1) * sizeof(Accumulator *));
	s->numbers = palloc0(Max(s->nkeys, 1) * sizeof(uint32));
	s->groups = groups_create(s->nkeys, s->context);
	foreach (lc, s->keys)
	{
		KeySpec spec;

		if (!key_recognise(table, s->varno, lfirst(lc), &spec))
			elog(ERROR, "group key is not one of columns");
		s->group_keys[i++] = group_key_create(&s->css.ss.ps, &spec, s->context);
	}
	i = 0;
	foreach (lc, s->aggregates)
	{
		AggregateSpec spec;

		if (!aggregate_recognise(table, s->varno, lfirst_node(Aggref, lc), &spec))
			elog(ERROR, "aggregate is not one of columns");
		s->accumulators[i++] = accumulator_create(&s->css.ss.ps, &spec, s->context);
	}
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
	MemoryContext context;
} TableRead;

static void
read_rows(TempoAggregateState *s, TableRead *t, const uint32 *rows, uint32 n)
{
	Arena *arena = t->cursor->batch->arena;
	uint32 *groups = arena_alloc0(arena, ((size_t) n + 1) * sizeof(uint32));
	uint32 *numbers = NULL;

	for (int k = 0; k < s->nkeys; k++)
	{
		if (k == 1)
			numbers = arena_alloc(arena, ((size_t) n + 1) * sizeof(uint32));
		group_key_load(s->group_keys[k], t->cursor, rows, n, k == 0 ? groups : numbers);
		if (k == 0)
			groups_set_first(s->groups, group_key_count(s->group_keys[0]));
		else
			groups_combine(s->groups, k, groups, numbers, n, group_key_count(s->group_keys[k]));
	}
	s->ngroups = groups_count(s->groups);
	for (int a = 0; a < s->naggregates; a++)
		accumulator_add(s->accumulators[a], t->cursor, rows, n, groups, s->ngroups);
}

static void
read_vector(TempoAggregateState *s, TableRead *t, uint64 vector, uint32 v)
{
	const uint32 *rows;
	uint32 n;

	if (!column_filter_keeps_vector(t->filter, t->cursor, v))
		return;
	cursor_open(t->cursor, vector);
	s->vectors_read++;
	n = column_filter_rows(t->filter, t->cursor, &rows);
	s->rows_removed += t->cursor->batch_rows - t->cursor->ndead - n;
	if (n > 0)
		read_rows(s, t, rows, n);
}

static void
read_unit(TempoAggregateState *s, TableRead *t, int unit)
{
	Cursor *cur = t->cursor;
	const StoreUnit *u = &cur->units[unit];

	if (u->has_range && (u->summary.start_min > t->start_max || u->summary.start_max < t->start_min))
		return;
	cursor_open_unit(cur, unit);
	if (!column_filter_keeps_image(t->filter, cur))
		return;
	s->units_read++;
	for (uint64 v = cur->first_vector[unit]; v < cur->first_vector[unit + 1]; v++)
	{
		CHECK_FOR_INTERRUPTS();
		read_vector(s, t, v, (uint32) (v - cur->first_vector[unit]));
	}
}

static void
begin_table(TempoAggregateState *s, TableRead *t)
{
	column_filter_evaluate(t->filter);
	column_filter_start_range(t->filter, &t->start_min, &t->start_max);
	for (int k = 0; k < s->nkeys; k++)
		group_key_table(s->group_keys[k], t->rel, t->columns, t->context);
	for (int a = 0; a < s->naggregates; a++)
		accumulator_table(s->accumulators[a], t->rel, t->columns, s->varno, t->context);
}

static void
read_units(TempoAggregateState *s, TableRead *t)
{
	Cursor *cur = t->cursor;

	s->units += cur->nunits;
	s->vectors += cur->nvectors;
	for (int unit = 0; unit < cur->nunits && column_filter_possible(t->filter); unit++)
		read_unit(s, t, unit);
	s->bytes += cursor_counters(cur).bytes_read;
	cursor_close(cur);
}

static void
read_table(TempoAggregateState *s, Oid relid, Relation parent)
{
	Snapshot snapshot = s->css.ss.ps.state->es_snapshot;
	TableRead t = {.rel = table_open(relid, AccessShareLock)};
	MemoryContext old;

	t.context = AllocSetContextCreate(s->context, "tempo aggregate table", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(t.context);
	t.columns = clause_table(t.rel, parent);
	MemoryContextSwitchTo(s->context);
	if (s->group_keys == NULL)
		make_parts(s, t.columns);
	MemoryContextSwitchTo(t.context);
	t.cursor = cursor_create(t.rel, snapshot, t.context);
	t.filter = column_filter_create(&s->css.ss.ps, t.rel, t.columns, s->clauses, s->varno, t.context);
	PredicateLockRelation(t.rel, snapshot);
	pgstat_count_heap_scan(t.rel);
	begin_table(s, &t);
	read_units(s, &t);
	for (int a = 0; a < s->naggregates; a++)
		accumulator_end_table(s->accumulators[a]);
	column_filter_free(t.filter);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(t.context);
	table_close(t.rel, NoLock);
}

static void
read_all(TempoAggregateState *s)
{
	MemoryContext old = MemoryContextSwitchTo(s->context);
	Oid first = linitial_oid(s->tables);
	Relation parent = table_open(first, AccessShareLock);
	bool partitioned = parent->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	ListCell *lc;

	s->ngroups = 0;
	foreach (lc, s->tables)
		if (!partitioned || lfirst_oid(lc) != first)
			read_table(s, lfirst_oid(lc), partitioned ? parent : NULL);
	table_close(parent, NoLock);
	/* Without keys there is one group, whether there are rows or not. */
	if (s->nkeys == 0)
		s->ngroups = 1;
	for (int a = 0; a < s->naggregates; a++)
		accumulator_finish(s->accumulators[a], s->ngroups);
	s->done = true;
	MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

static TupleTableSlot *
next_group(TempoAggregateState *s)
{
	TupleTableSlot *slot = s->css.ss.ss_ScanTupleSlot;
	uint32 group;
	MemoryContext old;

	ExecClearTuple(slot);
	if (!s->done)
		read_all(s);
	if (s->next >= s->ngroups)
		return slot;
	group = s->next++;
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	groups_keys(s->groups, group, s->numbers);
	for (int k = 0; k < s->nkeys; k++)
		slot->tts_values[k] = group_key_value(s->group_keys[k], s->numbers[k], &slot->tts_isnull[k]);
	old = MemoryContextSwitchTo(s->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (int a = 0; a < s->naggregates; a++)
		slot->tts_values[s->nkeys + a] =
			accumulator_result(s->accumulators[a], group, &slot->tts_isnull[s->nkeys + a]);
	MemoryContextSwitchTo(old);
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
		ExplainPropertyInteger("Rows Removed by Vector Filter", NULL, (int64) s->rows_removed, es);
	ExplainPropertyInteger("Segments and Batches", NULL, (int64) s->units, es);
	ExplainPropertyInteger("Segments and Batches Read", NULL, (int64) s->units_read, es);
	ExplainPropertyInteger("Vectors", NULL, (int64) s->vectors, es);
	ExplainPropertyInteger("Vectors Read", NULL, (int64) s->vectors_read, es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) s->bytes, es);
}
