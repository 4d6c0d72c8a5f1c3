/*
 * scan_node.c
 *	  Executing the custom scan.
 *
 * The list of units is read at the first row, so a plan that never runs costs nothing, and again after a
 * rescan only if there is none yet: the snapshot stays. Pruning values are evaluated after every rescan.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/rel.h"
#include "am/am.h"
#include "exec/column_filter.h"
#include "exec/keys.h"
#include "exec/prune.h"
#include "exec/scan_node.h"

/* What EXPLAIN ANALYZE shows. */
typedef enum ScanCounter
{
	COUNT_VECTORS,
	COUNT_BYTES,
	COUNT_BLOCKS,
	COUNT_DICTS,
	COUNT_REMOVED, /* rows that the clauses on columns kept out */
	NCOUNTERS
} ScanCounter;

/* In dynamic shared memory of a parallel query. */
typedef struct SharedScan
{
	pg_atomic_uint64 next; /* first vector of the next run to give out */
	pg_atomic_uint64 counters[NCOUNTERS];
	pg_atomic_uint64 units_read; /* opened past pruning, counted by each process that did */
} SharedScan;

typedef struct TempoScanState
{
	CustomScanState css;
	Pruner *pruner;
	List *clauses; /* evaluated on columns, no longer in the plan's qual */
	ColumnFilter *filter;
	ExprState *recheck;    /* of the clauses, for EvalPlanQual */
	Bitmapset *attrs;      /* needed, offset */
	AttrNumber *qual_atts; /* decoded before the qual */
	int nqual_atts;
	AttrNumber *rest_atts; /* decoded after it */
	int nrest_atts;
	SpanKeys *keys;         /* span attributes are needed of these keys only, or NULL */
	bool keys_in_qual_only; /* all of them when a row passes */
	MemoryContext context;
	Cursor *cursor;
	RowReader *reader;
	bool evaluated;
	int64 vector;       /* open, or -1 */
	uint32 row;         /* the one returned last, of the vector */
	const uint32 *rows; /* of the vector that pass the clauses; NULL: all */
	uint32 nrows;
	uint32 at;   /* next of them */
	int64 next;  /* vector to look at next */
	int64 end;   /* parallel: where the run of vectors of this process ends */
	int decided; /* unit that keep_unit is about, or -1 */
	bool keep_unit;
	bool image_asked; /* the bloom filter was asked about that unit */
	uint64 counters[NCOUNTERS];
	uint64 units_read;
	SharedScan *shared;
	bool folded; /* counters are in shared */
} TempoScanState;

static Node *create_state(CustomScan *scan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec_scan(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void rescan(CustomScanState *node);
static Size estimate_dsm(CustomScanState *node, ParallelContext *pcxt);
static void initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate);
static void initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate);
static void shutdown_scan(CustomScanState *node);
static void explain_scan(CustomScanState *node, List *ancestors, ExplainState *es);

CustomScanMethods scan_node_methods = {.CustomName = "TempoScan", .CreateCustomScanState = create_state};

static const CustomExecMethods exec_methods = {
	.CustomName = "TempoScan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = estimate_dsm,
	.InitializeDSMCustomScan = initialize_dsm,
	.ReInitializeDSMCustomScan = reinitialize_dsm,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = shutdown_scan,
	.ExplainCustomScan = explain_scan,
};

static Node *
create_state(CustomScan *scan)
{
	TempoScanState *s = (TempoScanState *) newNode(sizeof(TempoScanState), T_CustomScanState);

	s->css.methods = &exec_methods;
	return (Node *) s;
}

/* ---- begin and end ---- */

static bool
needs(const Bitmapset *attrs, int attno)
{
	return bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, attrs) ||
		   bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attrs);
}

static void
choose_attributes(TempoScanState *s, CustomScan *plan, TupleDesc desc)
{
	Bitmapset *qual = NULL;

	pull_varattnos((Node *) plan->scan.plan.qual, plan->scan.scanrelid, &qual);
	pull_varattnos((Node *) plan->scan.plan.targetlist, plan->scan.scanrelid, &s->attrs);
	s->attrs = bms_add_members(s->attrs, qual);
	s->qual_atts = palloc(Max(desc->natts, 1) * sizeof(AttrNumber));
	s->rest_atts = palloc((desc->natts + 1) * sizeof(AttrNumber));
	for (int attno = 1; attno <= desc->natts; attno++)
	{
		if (TupleDescAttr(desc, attno - 1)->attisdropped || !needs(s->attrs, attno))
			continue;
		if (needs(qual, attno))
			s->qual_atts[s->nqual_atts++] = attno;
		else
			s->rest_atts[s->nrest_atts++] = attno;
	}
}

/*
 * Span attributes of which only some keys are looked at are read of these alone. When the rows that pass
 * the qual need all of them, they are read again for those.
 */
static void
choose_keys(TempoScanState *s, CustomScan *plan)
{
	AttrNumber attno = span_keys_attribute(s->css.ss.ss_currentRelation);
	SpanKeys *qual;

	if (attno == InvalidAttrNumber || !needs(s->attrs, attno))
		return;
	s->keys = span_keys_find((Node *) list_concat_copy(plan->scan.plan.qual, plan->scan.plan.targetlist),
							 plan->scan.scanrelid, attno);
	if (s->keys)
		return;
	qual = span_keys_find((Node *) plan->scan.plan.qual, plan->scan.scanrelid, attno);
	if (qual == NULL || qual->n == 0)
		return;
	s->keys = qual;
	s->rest_atts[s->nrest_atts++] = attno;
	s->keys_in_qual_only = true;
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	TempoScanState *s = (TempoScanState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	s->clauses = list_copy_tail(plan->custom_exprs, list_length(plan->custom_private));
	choose_attributes(s, plan, RelationGetDescr(node->ss.ss_currentRelation));
	choose_keys(s, plan);
	s->pruner = pruner_create(&node->ss.ps, plan->custom_exprs, plan->custom_private);
	if (estate->es_epq_active)
		s->recheck = ExecInitQual(s->clauses, &node->ss.ps);
	s->vector = s->decided = -1;
	/* Attributes that nobody needs stay null in the slot. */
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	memset(slot->tts_values, 0, slot->tts_tupleDescriptor->natts * sizeof(Datum));
	s->context = AllocSetContextCreate(estate->es_query_cxt, "tempo custom scan", ALLOCSET_DEFAULT_SIZES);
}

static ColumnFilter *
make_filter(TempoScanState *s)
{
	Relation rel = s->css.ss.ss_currentRelation;
	Index varno = ((Scan *) s->css.ss.ps.plan)->scanrelid;

	if (s->clauses == NIL)
		return NULL;
	return column_filter_create(&s->css.ss.ps, rel, clause_table(rel, NULL), s->clauses, varno, s->context);
}

static void
open_cursor(TempoScanState *s)
{
	Relation rel = s->css.ss.ss_currentRelation;
	Snapshot snapshot = s->css.ss.ps.state->es_snapshot;

	if (s->cursor == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(s->context);

		s->cursor = cursor_create(rel, snapshot, s->context);
		s->reader = row_reader_create(rel, s->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, s->context);
		MemoryContextSwitchTo(old);
		s->filter = make_filter(s);
		PredicateLockRelation(rel, snapshot);
	}
	pruner_evaluate(s->pruner);
	if (s->filter)
		column_filter_evaluate(s->filter);
	s->evaluated = true;
	pgstat_count_heap_scan(rel);
}

static void
end_scan(CustomScanState *node)
{
	TempoScanState *s = (TempoScanState *) node;

	if (s->context)
		MemoryContextDelete(s->context);
}

static void
rescan(CustomScanState *node)
{
	TempoScanState *s = (TempoScanState *) node;

	ExecScanReScan(&node->ss);
	s->evaluated = false;
	s->vector = s->decided = -1;
	s->next = s->end = 0;
}

/* ---- rows ---- */

/* Is anything of this unit wanted? Asked once a unit, as vectors come in order. */
static bool
keep_unit(TempoScanState *s, int unit)
{
	if (s->decided != unit)
	{
		s->decided = unit;
		s->image_asked = false;
		s->keep_unit = pruner_keeps_unit(s->pruner, &s->cursor->units[unit]);
	}
	if (s->keep_unit && !s->image_asked)
	{
		s->image_asked = true;
		s->keep_unit = pruner_keeps_image(s->pruner, cursor_open_unit(s->cursor, unit)) &&
					   (s->filter == NULL || column_filter_keeps_image(s->filter, s->cursor));
		if (s->keep_unit)
			s->units_read++;
	}
	return s->keep_unit;
}

/*
 * Processes of a parallel scan take runs of neighbouring vectors: blocks of a column lie together, and a
 * page should be read by one of them.
 */
#define RUN_VECTORS 16

/* Number of the next vector to look at, or -1. */
static int64
take_vector(TempoScanState *s)
{
	int64 nvectors = (int64) s->cursor->nvectors;

	if (s->shared && s->next >= s->end)
	{
		int64 run = Max(1, Min(RUN_VECTORS, nvectors / 64));

		s->next = (int64) pg_atomic_fetch_add_u64(&s->shared->next, run);
		s->end = s->next + run;
	}
	return s->next < nvectors ? s->next++ : -1;
}

static bool
keep_vector(TempoScanState *s, int unit, uint32 v)
{
	Cursor *cur = s->cursor;

	if (cur->units[unit].has_range && !pruner_keeps_vector(s->pruner, image_vector_info(cur->image, v), v))
		return false;
	return s->filter == NULL || column_filter_keeps_vector(s->filter, cur, v);
}

/* false: no row passes; nothing but what the clauses are about has been read. */
static bool
open_vector(TempoScanState *s, int64 v)
{
	Batch *batch = cursor_open(s->cursor, v);

	s->counters[COUNT_VECTORS]++;
	s->at = 0;
	s->rows = NULL;
	if (s->filter)
	{
		s->nrows = column_filter_rows(s->filter, s->cursor, &s->rows);
		s->counters[COUNT_REMOVED] += s->cursor->batch_rows - s->cursor->ndead - s->nrows;
	}
	else
		s->nrows = cursor_rows(s->cursor, &s->rows);
	if (s->nrows == 0)
		return false;
	row_reader_attach(s->reader, batch);
	s->vector = v;
	return true;
}

static bool
next_vector(TempoScanState *s)
{
	Cursor *cur = s->cursor;

	for (;;)
	{
		int64 v = take_vector(s);
		int unit;

		CHECK_FOR_INTERRUPTS();
		s->vector = -1;
		if (v < 0)
			return false;
		unit = cursor_unit_of(cur, v);
		if (!keep_unit(s, unit))
		{
			/* The rest of the unit too. */
			s->next = Max(s->next, (int64) cur->first_vector[unit + 1]);
			continue;
		}
		cursor_open_unit(cur, unit);
		if (!keep_vector(s, unit, (uint32) (v - cur->first_vector[unit])))
			continue;
		if (open_vector(s, v))
			return true;
	}
}

static bool
next_row(TempoScanState *s)
{
	if (!s->evaluated)
		open_cursor(s);
	if (s->pruner->nothing || (s->filter && !column_filter_possible(s->filter)))
		return false;
	while (s->vector < 0 || s->at >= s->nrows)
		if (!next_vector(s))
			return false;
	s->row = s->rows ? s->rows[s->at] : s->at;
	s->at++;
	return true;
}

static void
fill(TempoScanState *s, TupleTableSlot *slot, const AttrNumber *atts, int natts, const SpanKeys *keys)
{
	for (int i = 0; i < natts; i++)
	{
		bool *isnull = &slot->tts_isnull[atts[i] - 1];
		Datum *value = &slot->tts_values[atts[i] - 1];

		if (keys && atts[i] == keys->attno)
		{
			*value = row_reader_keys(s->reader, s->row, keys->keys, keys->n);
			*isnull = false;
		}
		else
			*value = row_reader_value(s->reader, atts[i], s->row, isnull);
	}
}

static void
fill_rest(TempoScanState *s, TupleTableSlot *slot)
{
	fill(s, slot, s->rest_atts, s->nrest_atts, s->keys_in_qual_only ? NULL : s->keys);
}

static void
start_row(TempoScanState *s, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	row_reader_begin_row(s->reader);
	store_row_to_tid(s->cursor->first_row + s->row, &slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(s->css.ss.ss_currentRelation);
	fill(s, slot, s->qual_atts, s->nqual_atts, s->keys);
	ExecStoreVirtualTuple(slot);
}

/* For EvalPlanQual, which goes through ExecScan: a row with everything needed. */
static TupleTableSlot *
fetch_whole_row(TempoScanState *s)
{
	TupleTableSlot *slot = s->css.ss.ss_ScanTupleSlot;

	if (!next_row(s))
		return ExecClearTuple(slot);
	start_row(s, slot);
	fill_rest(s, slot);
	return slot;
}

/* The plan's qual is evaluated by ExecScan, for the replacement row too; the other clauses are not in it. */
static bool
recheck(TempoScanState *s, TupleTableSlot *slot)
{
	ExprContext *econtext = s->css.ss.ps.ps_ExprContext;

	econtext->ecxt_scantuple = slot;
	return ExecQual(s->recheck, econtext);
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	TempoScanState *s = (TempoScanState *) node;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ExprState *qual = node->ss.ps.qual;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	if (node->ss.ps.state->es_epq_active)
		return ExecScan(&node->ss, (ExecScanAccessMtd) fetch_whole_row, (ExecScanRecheckMtd) recheck);
	while (next_row(s))
	{
		ResetExprContext(econtext);
		start_row(s, slot);
		econtext->ecxt_scantuple = slot;
		if (!ExecQual(qual, econtext))
		{
			InstrCountFiltered1(node, 1);
			continue;
		}
		fill_rest(s, slot);
		pgstat_count_heap_getnext(node->ss.ss_currentRelation);
		return projection ? ExecProject(projection) : slot;
	}
	ExecClearTuple(slot);
	return projection ? ExecClearTuple(projection->pi_state.resultslot) : slot;
}

/* ---- parallel ---- */

static Size
estimate_dsm(CustomScanState *node, ParallelContext *pcxt)
{
	return sizeof(SharedScan);
}

static void
initialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	TempoScanState *s = (TempoScanState *) node;
	SharedScan *shared = coordinate;

	pg_atomic_init_u64(&shared->next, 0);
	pg_atomic_init_u64(&shared->units_read, 0);
	for (int i = 0; i < NCOUNTERS; i++)
		pg_atomic_init_u64(&shared->counters[i], 0);
	s->shared = shared;
}

static void
reinitialize_dsm(CustomScanState *node, ParallelContext *pcxt, void *coordinate)
{
	pg_atomic_write_u64(&((SharedScan *) coordinate)->next, 0);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	((TempoScanState *) node)->shared = coordinate;
}

static void
count_bytes(TempoScanState *s)
{
	ImageCounters c;

	if (s->cursor == NULL)
		return;
	c = cursor_counters(s->cursor);
	s->counters[COUNT_BYTES] = c.bytes_read;
	s->counters[COUNT_BLOCKS] = c.blocks_read;
	s->counters[COUNT_DICTS] = c.dicts_read;
}

/* The leader takes over what workers counted; shared memory is gone when EXPLAIN prints. */
static void
shutdown_scan(CustomScanState *node)
{
	TempoScanState *s = (TempoScanState *) node;

	if (s->shared == NULL || s->folded)
		return;
	s->folded = true;
	count_bytes(s);
	if (IsParallelWorker())
	{
		for (int i = 0; i < NCOUNTERS; i++)
			pg_atomic_fetch_add_u64(&s->shared->counters[i], s->counters[i]);
		pg_atomic_fetch_add_u64(&s->shared->units_read, s->units_read);
		return;
	}
	for (int i = 0; i < NCOUNTERS; i++)
		s->counters[i] += pg_atomic_read_u64(&s->shared->counters[i]);
	s->units_read += pg_atomic_read_u64(&s->shared->units_read);
}

/* ---- EXPLAIN ---- */

static void
explain_columns(TempoScanState *s, ExplainState *es)
{
	TupleDesc desc = RelationGetDescr(s->css.ss.ss_currentRelation);
	Bitmapset *attrs = bms_copy(s->attrs);
	List *names = NIL;

	pull_varattnos((Node *) s->clauses, ((Scan *) s->css.ss.ps.plan)->scanrelid, &attrs);

	for (int attno = 1; attno <= desc->natts; attno++)
		if (!TupleDescAttr(desc, attno - 1)->attisdropped && needs(attrs, attno))
			names = lappend(names, NameStr(TupleDescAttr(desc, attno - 1)->attname));
	ExplainPropertyList("Columns", names, es);
	if (s->keys == NULL)
		return;
	names = NIL;
	for (int i = 0; i < s->keys->n; i++)
		names = lappend(names, pnstrdup(s->keys->keys[i].p, s->keys->keys[i].len));
	ExplainPropertyList(s->keys_in_qual_only ? "Filter Keys" : "Keys", names, es);
}

static void
explain_clauses(TempoScanState *s, List *ancestors, ExplainState *es)
{
	List *context;

	if (s->clauses == NIL)
		return;
	context = set_deparse_context_plan(es->deparse_cxt, s->css.ss.ps.plan, ancestors);
	ExplainPropertyText(
		"Vector Filter",
		deparse_expression((Node *) make_ands_explicit(s->clauses), context, es->verbose, false), es);
}

static void
explain_scan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	TempoScanState *s = (TempoScanState *) node;
	int nsegments = 0;

	explain_columns(s, es);
	explain_clauses(s, ancestors, es);
	if (!es->analyze || s->cursor == NULL)
		return;
	if (!s->folded)
		count_bytes(s);
	if (s->clauses != NIL)
		ExplainPropertyInteger("Rows Removed by Vector Filter", NULL, (int64) s->counters[COUNT_REMOVED], es);
	for (int i = 0; i < s->cursor->nunits; i++)
		nsegments += s->cursor->units[i].kind == UNIT_SEGMENT;
	ExplainPropertyInteger("Segments", NULL, nsegments, es);
	ExplainPropertyInteger("Recent Batches", NULL, s->cursor->nunits - nsegments, es);
	ExplainPropertyInteger("Segments and Batches Read", NULL, (int64) s->units_read, es);
	ExplainPropertyInteger("Vectors", NULL, (int64) s->cursor->nvectors, es);
	ExplainPropertyInteger("Vectors Read", NULL, (int64) s->counters[COUNT_VECTORS], es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) s->counters[COUNT_BYTES], es);
}
