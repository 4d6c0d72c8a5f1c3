/*
 * rewrite.c
 *	  A table into new files: what VACUUM FULL and tempo_rewrite() do. Only what some snapshot may still see
 *	  goes along; segments and recent batches with deleted rows are written again without them, if every
 *	  snapshot sees those deleted.
 *
 * The table is locked exclusively. Companion tuples keep their transaction ids (rewriteheap), so older
 *snapshots go on to see what they saw. Row numbers of what is copied stay, and what is written again keeps
 *its first. Directory entries change only in where their segment is and what it holds; batches only lose
 *chunks.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/rewriteheap.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "merge/merge.h"
#include "store/metapage.h"
#include "store/segment.h"

/* A deleted row; gone: to every snapshot. */
typedef struct DeletedRow
{
	uint64 row;
	bool gone;
} DeletedRow;

typedef struct RewriteUnit
{
	StoreUnit unit;
	bool again;      /* to be written again, without: */
	uint8 *deleted;  /* one byte a row, 1: deleted; NULL: none is */
	uint32 ndeleted; /* how many */
	uint32 nseen;    /* of them a snapshot may still see */
	bool alive;      /* newer snapshots see it */
} RewriteUnit;

typedef struct Rewrite
{
	Relation old;
	Relation new;
	Companion from;
	Companion to;
	RewriteState state;
	TransactionId oldest;
	RewriteUnit *units; /* by row number */
	uint32 nunits;
	uint32 cap_units;
	DeletedRow *deleted;
	uint64 ndeleted;
	uint64 cap_deleted;
	RewriteCounts counts;
	uint64 next_batch;  /* number behind the last recent batch seen */
	RewriteUnit *batch; /* that one, when its tuples are put */
	MemoryContext context;
	MemoryContext unit_context;
} Rewrite;

/* ---- the old companion heap, tuple by tuple ---- */

typedef void (*TupleVisitor)(Rewrite *w, HeapTuple tup, const CompanionTuple *t, HTSV_Result state);

/* All tuples of some kinds that are not dead to everybody, in order. */
static void
visit_tuples(Rewrite *w, CompanionKind first, CompanionKind last, TupleVisitor visit)
{
	CompanionScan scan;
	CompanionTuple t;

	companion_scan_begin_kinds(&scan, &w->from, SnapshotAny, first, 0, last);
	while (companion_scan_next(&scan, &t))
	{
		Buffer buf;
		HeapTuple tup = companion_scan_tuple(&scan, &buf);
		HTSV_Result state;

		LockBuffer(buf, BUFFER_LOCK_SHARE);
		state = HeapTupleSatisfiesVacuum(tup, w->oldest, buf);
		LockBuffer(buf, BUFFER_LOCK_UNLOCK);
		if (state != HEAPTUPLE_DEAD)
			visit(w, tup, &t, state);
	}
	companion_scan_end(&scan);
}

/* ---- what there is ---- */

static void
add_unit(Rewrite *w, const StoreUnit *unit, HTSV_Result state)
{
	if (w->nunits == w->cap_units)
	{
		w->cap_units = w->cap_units ? w->cap_units * 2 : 64;
		w->units = w->units ? repalloc_huge(w->units, w->cap_units * sizeof(RewriteUnit))
							: palloc(w->cap_units * sizeof(RewriteUnit));
	}
	memset(&w->units[w->nunits], 0, sizeof(RewriteUnit));
	w->units[w->nunits].alive = state == HEAPTUPLE_LIVE || state == HEAPTUPLE_INSERT_IN_PROGRESS;
	w->units[w->nunits++].unit = *unit;
}

static void
add_deleted(Rewrite *w, HeapTuple tup, uint64 row)
{
	HeapTupleHeader header = tup->t_data;

	if (w->ndeleted == w->cap_deleted)
	{
		w->cap_deleted = w->cap_deleted ? w->cap_deleted * 2 : 1024;
		w->deleted = w->deleted ? repalloc_huge(w->deleted, w->cap_deleted * sizeof(DeletedRow))
								: palloc(w->cap_deleted * sizeof(DeletedRow));
	}
	w->deleted[w->ndeleted].row = row;
	/* Such a transaction has ended; had it not committed, the tuple would be dead. */
	w->deleted[w->ndeleted++].gone = HeapTupleHeaderXminFrozen(header) ||
									 TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(header), w->oldest);
}

static void
take_stock(Rewrite *w, HeapTuple tup, const CompanionTuple *t, HTSV_Result state)
{
	StoreUnit unit;
	Size head_len;
	uint64 below;

	switch (t->kind)
	{
		case KIND_SEGMENT:
			directory_parse(&w->from, t, &unit, &below);
			add_unit(w, &unit, state);
			break;
		case KIND_RECENT:
			/* A batch that is not dead has all of its chunks. */
			if (t->number < w->next_batch)
				break;
			if (!recent_parse(t, &unit, &head_len))
				ereport(ERROR,
						(errcode(ERRCODE_DATA_CORRUPTED),
						 errmsg("recent batch %llu has a damaged head", (unsigned long long) t->number)));
			add_unit(w, &unit, state);
			w->next_batch = unit.id + unit.nchunks;
			break;
		case KIND_DELETED: add_deleted(w, tup, t->number); break;
	}
}

static int
compare_units(const void *a, const void *b)
{
	uint64 x = ((const RewriteUnit *) a)->unit.first_row;
	uint64 y = ((const RewriteUnit *) b)->unit.first_row;

	return (x > y) - (x < y);
}

static RewriteUnit *
unit_of_row(Rewrite *w, uint64 row)
{
	uint32 lo = 0;

	for (uint32 hi = w->nunits; lo < hi;)
	{
		uint32 mid = lo + (hi - lo) / 2;

		if (w->units[mid].unit.first_row + w->units[mid].unit.nrows > row)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo < w->nunits && w->units[lo].unit.first_row <= row ? &w->units[lo] : NULL;
}

static void
corrupt_unit(Rewrite *w, uint64 id)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("segment or recent batch %llu of table \"%s\" is not what it was",
						   (unsigned long long) id, RelationGetRelationName(w->old))));
}

static RewriteUnit *
unit_at(Rewrite *w, const StoreUnit *unit)
{
	RewriteUnit *u = unit_of_row(w, unit->first_row);

	if (u == NULL || u->unit.kind != unit->kind || u->unit.id != unit->id)
		corrupt_unit(w, unit->id);
	return u;
}

/* Values of dropped columns go, too. */
static bool
has_dropped_columns(Relation rel)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		if (TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			return true;
	return false;
}

/* A unit with a deleted row that a snapshot may still see stays as it is. */
static void
decide(Rewrite *w)
{
	bool all = has_dropped_columns(w->old);

	qsort(w->units, w->nunits, sizeof(RewriteUnit), compare_units);
	for (uint64 i = 0; i < w->ndeleted; i++)
	{
		RewriteUnit *u = unit_of_row(w, w->deleted[i].row);

		if (u == NULL)
			continue;
		if (u->deleted == NULL)
			u->deleted =
				MemoryContextAllocExtended(w->context, u->unit.nrows, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		u->deleted[w->deleted[i].row - u->unit.first_row] = 1;
		u->ndeleted++;
		u->nseen += !w->deleted[i].gone;
	}
	for (uint32 i = 0; i < w->nunits; i++)
	{
		RewriteUnit *u = &w->units[i];

		u->again = u->nseen == 0 && (all || u->ndeleted > 0);
		w->counts.left += u->nseen;
		if (u->alive)
		{
			w->counts.rows += u->unit.nrows - u->ndeleted;
			w->counts.erased += u->again ? u->ndeleted : 0;
		}
	}
}

/* ---- writing a unit again ---- */

/* The rows that are left, in the order they are to stand in. */
static RowRef *
rows_left(const RewriteUnit *u, const MergeBatches *in, Arena *arena, uint32 *n)
{
	RowRef *refs;
	uint32 *first = arena_alloc(arena, (in->n + 1) * sizeof(uint32));
	uint32 total = 0;
	uint32 left = 0;

	for (uint32 b = 0; b < in->n; b++)
	{
		first[b] = total;
		total += batch_nrows(in->batches[b]);
	}
	if (u->unit.kind == UNIT_SEGMENT && in->batches[0]->spans)
		refs = batch_sort(arena, in->batches, in->n, &total);
	else
	{
		refs = arena_alloc(arena, (Size) (total + 1) * sizeof(RowRef));
		for (uint32 b = 0, i = 0; b < in->n; b++)
			for (uint32 row = 0; row < batch_nrows(in->batches[b]); row++)
				refs[i++] = (RowRef){b, row};
	}
	for (uint32 i = 0; i < total; i++)
		if (u->deleted == NULL || !u->deleted[first[refs[i].batch] + refs[i].row])
			refs[left++] = refs[i];
	*n = left;
	return refs;
}

/* The image of what is left of a unit, and what the unit then is. false: nothing is left. */
static bool
encode_again(Rewrite *w, RewriteUnit *u, Arena *arena, Buf *image, StoreUnit *unit)
{
	MergeInputs inputs = {.units = unit, .n = 1};
	MergeBatches in;
	RowRef *refs;
	Batch *batch;
	uint32 n;

	*unit = u->unit;
	unit->has_deleted = false;
	merge_read_inputs(w->old, &w->from, SnapshotAny, &inputs, arena, &in);
	if (in.rows != unit->nrows)
		corrupt_unit(w, unit->id);
	refs = rows_left(u, &in, arena, &n);
	if (n == 0)
		return false;
	batch = batch_gather(arena, in.batches, in.n, refs, n);
	if (unit->kind == UNIT_SEGMENT && batch->spans)
	{
		batch_make_traces(batch);
		unit->has_split = merge_copy_marks(in.batches, in.n, batch) || unit->marks_unknown;
	}
	buf_init(image, arena, 64 * 1024);
	image_encode(batch, unit->kind == UNIT_SEGMENT ? CODEC_SMALL : CODEC_FAST, image, &unit->summary);
	unit->nrows = n;
	unit->bytes = image->len;
	return true;
}

/* ---- tuples of the new companion heap ---- */

static void
put(Rewrite *w, HeapTuple old, HeapTuple tup, CompanionKind kind, uint64 number)
{
	rewrite_heap_tuple(w->state, old, tup);
	companion_enter(&w->to, kind, number, &tup->t_self);
	heap_freetuple(tup);
}

static void
put_segment(Rewrite *w, HeapTuple tup, const CompanionTuple *t)
{
	Arena *arena = store_arena(CurrentMemoryContext);
	SegmentEntry entry;
	StoreUnit unit;
	RewriteUnit *u;
	uint64 below;
	Buf image;

	directory_parse(&w->from, t, &unit, &below);
	u = unit_at(w, &unit);
	if (!u->again)
		unit.block = segment_copy(w->old, &unit, w->new);
	else if (encode_again(w, u, arena, &image, &unit))
		unit.block = segment_write(w->new, image.p, image.len);
	else
		return;
	entry = directory_form(&unit, below);
	put(w, tup, companion_form(&w->to, KIND_SEGMENT, unit.id, &entry, sizeof(entry), NULL, 0), KIND_SEGMENT,
		unit.id);
}

/* The chunks of a recent batch written again: all in the place of its first, whose transaction ids are
 * theirs. */
static void
put_batch(Rewrite *w, HeapTuple tup, RewriteUnit *u)
{
	StoreUnit unit;
	BatchHead head;
	Size done = 0;
	Size skip;
	Buf image;

	if (!encode_again(w, u, store_arena(CurrentMemoryContext), &image, &unit))
		return;
	unit.nchunks = recent_nchunks(unit.bytes, unit.has_range);
	/* The numbers behind are another batch's. */
	if (unit.nchunks > u->unit.nchunks)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("recent batch %llu does not fit its place without the deleted rows",
							   (unsigned long long) unit.id),
						errhint("Merge the table first.")));
	head = recent_form_head(&unit);
	skip = recent_head_bytes(unit.has_range);
	for (uint32 i = 0; i < unit.nchunks; i++)
	{
		Size len = Min(unit.bytes - done, CHUNK_BYTES - skip);

		put(w, tup, companion_form(&w->to, KIND_RECENT, unit.id + i, &head, skip, image.p + done, len),
			KIND_RECENT, unit.id + i);
		done += len;
		skip = 0;
	}
}

static void
put_chunk(Rewrite *w, HeapTuple tup, const CompanionTuple *t)
{
	StoreUnit unit;
	Size head_len;

	if (t->number >= w->next_batch)
	{
		if (!recent_parse(t, &unit, &head_len))
			corrupt_unit(w, t->number);
		w->batch = unit_at(w, &unit);
		w->next_batch = unit.id + unit.nchunks;
		if (w->batch->again)
			put_batch(w, tup, w->batch);
	}
	if (!w->batch->again)
		put(w, tup, heap_copytuple(tup), t->kind, t->number);
}

static void
put_deleted(Rewrite *w, HeapTuple tup, const CompanionTuple *t)
{
	RewriteUnit *u = unit_of_row(w, t->number);

	if (u != NULL && !u->again)
		put(w, tup, heap_copytuple(tup), t->kind, t->number);
}

static void
put_tuple(Rewrite *w, HeapTuple tup, const CompanionTuple *t, HTSV_Result state)
{
	MemoryContext old = MemoryContextSwitchTo(w->unit_context);

	switch (t->kind)
	{
		case KIND_SEGMENT: put_segment(w, tup, t); break;
		case KIND_RECENT: put_chunk(w, tup, t); break;
		case KIND_DELETED: put_deleted(w, tup, t); break;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->unit_context);
}

/* ---- all of it ---- */

/* The directory first, so that it is low in the heap: see companion.h. */
static void
copy_tuples(Rewrite *w, TransactionId freeze, MultiXactId multi)
{
	w->state = begin_heap_rewrite(w->from.heap, w->to.heap, w->oldest, freeze, multi);
	visit_tuples(w, KIND_SEGMENT, KIND_DELETED, put_tuple);
	w->next_batch = 0;
	visit_tuples(w, KIND_RECENT, KIND_RECENT, put_tuple);
	end_heap_rewrite(w->state);
}

RewriteCounts
merge_rewrite(Relation old, Relation new, TransactionId oldest, TransactionId *freeze, MultiXactId *multi)
{
	Rewrite w = {.old = old, .new = new, .oldest = oldest};
	MemoryContext outer;

	w.context = AllocSetContextCreate(CurrentMemoryContext, "tempo rewrite", ALLOCSET_DEFAULT_SIZES);
	w.unit_context = AllocSetContextCreate(w.context, "tempo rewrite unit", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(w.context);
	companion_open(old, AccessExclusiveLock, &w.from);
	companion_open(new, AccessExclusiveLock, &w.to);
	/* Nothing in the old heap is older than this. */
	if (TransactionIdPrecedes(*freeze, w.from.heap->rd_rel->relfrozenxid))
		*freeze = w.from.heap->rd_rel->relfrozenxid;
	if (MultiXactIdPrecedes(*multi, w.from.heap->rd_rel->relminmxid))
		*multi = w.from.heap->rd_rel->relminmxid;
	visit_tuples(&w, KIND_RECENT, KIND_DELETED, take_stock);
	decide(&w);
	metapage_copy(old, new);
	copy_tuples(&w, *freeze, *multi);
	companion_close(&w.to);
	companion_close(&w.from);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(w.context);
	return w.counts;
}
