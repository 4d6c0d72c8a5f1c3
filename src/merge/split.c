/*
 * split.c
 *	  Marking the split traces of a segment being written, and finding spans of it that others have already.
 *
 * Looked at: segments of the same tenant, in this table (those that stay) and in its siblings (all that
 * the snapshot sees; the merge lock keeps others from adding some). By the bloom filter, then the index of
 * traces, then the trace table. Other segments are not changed: readers take the union of all marks.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "merge/merge.h"
#include "store/split.h"

/* What a segment being written is compared with: other segments. */
typedef struct Marking
{
	Snapshot snapshot;
	uint64 tenant;
	Batch *batch;
	uint8 *again; /* by row: another segment has the span; NULL: not asked */
	Arena *scratch;
	bool any;
} Marking;

/* A trace in a segment: rows [first, end) of a vector. deleted: a byte a row of the vector, or NULL. */
typedef struct KeptTrace
{
	Batch *batch;
	uint32 first;
	uint32 end;
	const uint8 *deleted;
} KeptTrace;

/* Rows of both by start, those of the segment first: what batch_fold() then takes away is here again. */
static RowRef *
rows_of_both(const KeptTrace *kept, Batch *batch, uint32 row, uint32 end, uint32 *n)
{
	const int64 *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const int64 *kept_start = batch_column(kept->batch, LEVEL_SPAN, SC_START)->i64;
	RowRef *refs =
		palloc_extended((Size) (end - row + kept->end - kept->first) * sizeof(RowRef), MCXT_ALLOC_HUGE);
	uint32 other = kept->first;

	*n = 0;
	while (row < end || other < kept->end)
	{
		if (row == end || (other < kept->end && (uint64) kept_start[other] <= (uint64) start[row]))
		{
			if (!(kept->deleted && kept->deleted[other]))
				refs[(*n)++] = (RowRef){0, other};
			other++;
		}
		else
			refs[(*n)++] = (RowRef){1, row++};
	}
	return refs;
}

static void
find_again(Marking *m, const KeptTrace *kept, uint32 row, uint32 end)
{
	Batch *both[2] = {kept->batch, m->batch};
	uint32 n;
	RowRef *refs = rows_of_both(kept, m->batch, row, end, &n);
	uint32 left = batch_fold(m->scratch, both, refs, n);

	if (left < n)
	{
		uint8 *once = palloc0(end - row);

		for (uint32 i = 0; i < left; i++)
			if (refs[i].batch == 1)
				once[refs[i].row - row] = 1;
		for (uint32 i = row; i < end; i++)
			m->again[i] |= !once[i - row];
		pfree(once);
	}
	pfree(refs);
}

/* Deleted rows of a segment, one byte each; NULL: none is. */
static uint8 *
deleted_bytes(Relation rel, Snapshot snapshot, const StoreUnit *unit)
{
	uint32 *rows;
	uint8 *bytes;
	uint32 n;

	if (!unit->has_deleted)
		return NULL;
	n = store_deleted_rows(rel, snapshot, unit, &rows);
	bytes = palloc0(unit->nrows);
	for (uint32 i = 0; i < n; i++)
		bytes[rows[i]] = 1;
	return bytes;
}

/* Marks traces of the batch that are in this segment too, and spans. */
static void
mark_in(Marking *m, Relation rel, const StoreUnit *unit)
{
	Column *ids = batch_column(m->batch, LEVEL_TRACE, TC_ID);
	Column *split = batch_column(m->batch, LEVEL_TRACE, TC_SPLIT);
	uint8 *deleted = m->again ? deleted_bytes(rel, m->snapshot, unit) : NULL;
	TraceFinder f;

	m->scratch = store_arena(CurrentMemoryContext);
	store_trace_finder(&f, store_open(rel, m->snapshot, unit, store_arena(CurrentMemoryContext)));
	for (uint32 i = 0; i < ids->n; i++)
	{
		int64 t = store_find_trace(&f, ids->fixed + (Size) i * 16);

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		if (t < 0)
			continue;
		split->i64[i] = 1;
		m->any = true;
		if (m->again)
		{
			KeptTrace kept = {f.batch, f.batch->trace_first[t], f.batch->trace_first[t + 1],
							  deleted ? deleted + f.first_row : NULL};

			find_again(m, &kept, m->batch->trace_first[i], m->batch->trace_first[i + 1]);
		}
	}
}

static void
mark_in_all(Marking *m, Relation rel, const StoreUnit *units, int n)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo split marks", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < n; i++)
	{
		if (units[i].tenant == m->tenant && units[i].has_range)
			mark_in(m, rel, &units[i]);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* The other leaves of the partitioned table this one is a leaf of. */
static List *
siblings(Relation rel)
{
	List *ancestors;
	List *leaves;

	if (!rel->rd_rel->relispartition)
		return NIL;
	ancestors = get_partition_ancestors(RelationGetRelid(rel));
	/* It is being detached: snapshots that see it as a partition see nothing we write. */
	if (ancestors == NIL)
		return NIL;
	leaves = find_all_inheritors(llast_oid(ancestors), AccessShareLock, NULL);
	return list_delete_oid(leaves, RelationGetRelid(rel));
}

static void
mark_in_table(Marking *m, Oid relid)
{
	Relation rel;
	Companion c;
	UnitList segments = {0};
	uint64 below;

	if (!am_is_tempo_oid(relid))
		return;
	rel = table_open(relid, NoLock);
	companion_open(rel, AccessShareLock, &c);
	directory_read(&c, m->snapshot, &segments, &below);
	companion_close(&c);
	mark_in_all(m, rel, segments.units, segments.n);
	table_close(rel, NoLock);
}

bool
merge_mark_split(Relation rel, Snapshot snapshot, uint64 tenant, const StoreUnit *kept, int nkept,
				 Batch *batch, uint8 *again)
{
	Marking m = {snapshot, tenant, batch, again};
	ListCell *lc;

	mark_in_all(&m, rel, kept, nkept);
	/* A span of the same start is in the same partition. */
	m.again = NULL;
	foreach (lc, siblings(rel))
		mark_in_table(&m, lfirst_oid(lc));
	return m.any;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* Ids of the traces that are marked as split; *n. */
static uint8 *
split_ids(Batch **batches, uint32 nbatches, uint32 *n)
{
	uint32 cap = 1;
	uint8 *ids;

	*n = 0;
	for (uint32 b = 0; b < nbatches; b++)
		cap += batches[b]->level[LEVEL_TRACE].nrows;
	ids = palloc_extended((Size) cap * 16, MCXT_ALLOC_HUGE);
	for (uint32 b = 0; b < nbatches; b++)
	{
		Column *id = batch_column(batches[b], LEVEL_TRACE, TC_ID);
		Column *split = batch_column(batches[b], LEVEL_TRACE, TC_SPLIT);

		for (uint32 t = 0; t < id->n; t++)
			if (split->i64[t])
				memcpy(ids + 16 * (Size) (*n)++, id->fixed + 16 * (Size) t, 16);
	}
	qsort(ids, *n, 16, compare_ids);
	return ids;
}

bool
merge_copy_marks(Batch **from, uint32 nfrom, Batch *to)
{
	Column *id = batch_column(to, LEVEL_TRACE, TC_ID);
	Column *split = batch_column(to, LEVEL_TRACE, TC_SPLIT);
	bool any = false;
	uint32 n;
	uint8 *ids = split_ids(from, nfrom, &n);

	for (uint32 t = 0; t < id->n; t++)
	{
		split->i64[t] = n > 0 && bsearch(id->fixed + 16 * (Size) t, ids, n, 16, compare_ids) != NULL;
		any |= split->i64[t] != 0;
	}
	pfree(ids);
	return any;
}

static void
forget_marks(Relation rel)
{
	UnitList segments = {0};
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	Companion c;
	uint64 below;

	companion_open(rel, RowExclusiveLock, &c);
	directory_read(&c, snapshot, &segments, &below);
	for (int i = 0; i < segments.n; i++)
	{
		StoreUnit *u = &segments.units[i];

		if (u->marks_unknown || !u->has_range)
			continue;
		u->marks_unknown = u->has_split = true;
		companion_delete(&c, &u->entry_tid);
		directory_insert(&c, u, below, GetCurrentCommandId(true));
	}
	companion_close(&c);
	UnregisterSnapshot(snapshot);
}

static Oid keep_marks;
static FullTransactionId keep_marks_in;

void
merge_keep_marks(Oid relid)
{
	keep_marks = relid;
	keep_marks_in = GetTopFullTransactionId();
}

void
merge_forget_marks(Oid relid)
{
	ListCell *lc;

	if (relid == keep_marks && FullTransactionIdEquals(keep_marks_in, GetTopFullTransactionIdIfAny()))
		return;
	CommandCounterIncrement();
	foreach (lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation rel;

		if (!am_is_tempo_oid(lfirst_oid(lc)))
			continue;
		rel = table_open(lfirst_oid(lc), RowExclusiveLock);
		forget_marks(rel);
		table_close(rel, NoLock);
	}
}
