/*
 * merge.c
 *	  One round of a merge.
 *
 * Order within a round: read inputs under one snapshot, write segments, delete the inputs' companion
 * tuples, then find out below which number no recent batch is left (the fence), then insert the directory
 * entries, which carry that number, then the index entries of the rows under their new numbers. Readers that
 *see the entries start looking for recent batches there.
 */
#include "postgres.h"

#include "access/xact.h"
#include "codec/codec.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "am/am.h"
#include "merge/merge.h"
#include "store/deleted.h"
#include "store/metapage.h"
#include "store/segment.h"

/* Third kind of advisory lock keys: core's functions use 1 and 2. */
#define MERGE_LOCK_CLASS 0x7465

static LOCKTAG
merge_lock_tag(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, MERGE_LOCK_CLASS);
	return tag;
}

bool
merge_lock(bool wait)
{
	LOCKTAG tag = merge_lock_tag();

	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
merge_lock_session(void)
{
	LOCKTAG tag = merge_lock_tag();

	(void) LockAcquire(&tag, ExclusiveLock, true, false);
}

void
merge_unlock_session(void)
{
	LOCKTAG tag = merge_lock_tag();

	LockRelease(&tag, ExclusiveLock, true);
}

typedef struct Round
{
	Relation rel;
	Companion companion;
	Snapshot snapshot;
	MemoryContext context;
	Arena *arena;
	MergeInputs in;
	MergeBatches batches;
	uint32 level;
	UnitList made;
	uint32 *credit; /* spans folded into segments that stay, by number in in.kept; NULL: none */
} Round;

/* ---- tenants ---- */

typedef struct Tenants
{
	Str *names;
	uint32 n;
	uint32 cap;
	uint32 **by_code; /* per batch: tenant of each dictionary entry */
} Tenants;

static uint32
tenant_index(Arena *arena, Tenants *t, Str name)
{
	for (uint32 i = 0; i < t->n; i++)
		if (str_eq(t->names[i], name))
			return i;
	if (t->n == t->cap)
	{
		t->names = arena_grow(arena, t->names, t->cap * sizeof(Str), Max(8, t->cap * 2) * sizeof(Str));
		t->cap = Max(8, t->cap * 2);
	}
	t->names[t->n] = name;
	return t->n++;
}

static void
find_tenants(Round *r, Tenants *t)
{
	memset(t, 0, sizeof(*t));
	t->by_code = arena_alloc(r->arena, Max(r->batches.n, 1) * sizeof(uint32 *));
	for (uint32 i = 0; i < r->batches.n; i++)
	{
		Column *c = batch_column(r->batches.batches[i], LEVEL_SPAN, SC_TENANT);

		CHECK_FOR_INTERRUPTS();
		t->by_code[i] = arena_alloc(r->arena, Max(c->ndict, 1) * sizeof(uint32));
		for (uint32 d = 0; d < c->ndict; d++)
			t->by_code[i][d] = tenant_index(r->arena, t, c->dict[d]);
	}
}

/* Reorder refs by tenant, keeping their order within one; ends[i] is where tenant i ends. */
static RowRef *
split_by_tenant(Round *r, const Tenants *t, RowRef *refs, uint32 n, uint32 *ends)
{
	RowRef *out = arena_alloc(r->arena, Max(n, 1) * sizeof(RowRef));
	uint32 *next = arena_alloc0(r->arena, (t->n + 1) * sizeof(uint32));

#define TENANT_OF(ref)                                                                                       \
	t->by_code[(ref).batch]                                                                                  \
			  [r->batches.batches[(ref).batch]->level[LEVEL_SPAN].columns[SC_TENANT].codes[(ref).row]]
	for (uint32 i = 0; i < n; i++)
		next[TENANT_OF(refs[i]) + 1]++;
	for (uint32 i = 0; i < t->n; i++)
		next[i + 1] += next[i];
	for (uint32 i = 0; i < n; i++)
		out[next[TENANT_OF(refs[i])]++] = refs[i];
#undef TENANT_OF
	memcpy(ends, next, t->n * sizeof(uint32));
	return out;
}

/* ---- segments ---- */

static void
write_batch(Round *r, Batch *batch, StoreUnit *unit)
{
	Buf image;

	buf_init(&image, batch->arena, 1024 * 1024);
	image_encode(batch, CODEC_SMALL, &image, &unit->summary);
	CHECK_FOR_INTERRUPTS();
	unit->bytes = image.len;
	unit->made_at = GetCurrentTimestamp();
	unit->block = segment_write(r->rel, image.p, image.len);
	unit_list_add(&r->made, unit);
}

/* Spans of a new segment that other segments have already go: they came twice. */
static Batch *
drop_again(Batch *batch, const uint8 *again, bool *has_split)
{
	uint32 n = batch_nrows(batch);
	RowRef *refs = arena_alloc(batch->arena, (Size) (n + 1) * sizeof(RowRef));
	uint32 left = 0;
	Batch *rest;

	for (uint32 i = 0; i < n; i++)
		if (!again[i])
			refs[left++] = (RowRef){0, i};
	if (left == n)
		return batch;
	rest = batch_gather(batch->arena, &batch, 1, refs, left);
	batch_make_traces(rest);
	*has_split = merge_copy_marks(&batch, 1, rest);
	return rest;
}

/* Of what the inputs of a tenant had left out before. */
static uint32
folded_before(const Round *r, uint64 tenant)
{
	uint32 folded = 0;

	for (int i = 0; i < r->in.n; i++)
		if (r->in.units[i].kind == UNIT_SEGMENT && r->in.units[i].tenant == tenant)
			folded += r->in.units[i].folded;
	return folded;
}

/* All spans of a tenant came twice: a segment that stays counts them. */
static void
credit_kept(Round *r, const StoreUnit *unit)
{
	if (r->credit == NULL)
		r->credit = arena_alloc0(r->arena, (Size) (r->in.nkept + 1) * sizeof(uint32));
	for (int i = r->in.nkept - 1; i >= 0; i--)
	{
		if (r->in.kept[i].tenant != unit->tenant)
			continue;
		r->credit[i] += unit->folded;
		return;
	}
}

static void
write_one(Round *r, const RowRef *refs, uint32 n, uint64 tenant, uint32 folded)
{
	MemoryContext context = AllocSetContextCreate(r->context, "tempo new segment", ALLOCSET_DEFAULT_SIZES);
	Arena *arena = store_arena(context);
	Batch *batch = batch_gather(arena, r->batches.batches, r->batches.n, refs, n);
	StoreUnit unit = {0};

	CHECK_FOR_INTERRUPTS();
	unit.kind = UNIT_SEGMENT;
	unit.tenant = tenant;
	unit.level = r->level;
	unit.has_range = batch->spans;
	if (batch->spans)
	{
		uint8 *again = arena_alloc0(arena, n);

		batch_make_traces(batch);
		unit.has_split = merge_mark_split(r->rel, r->snapshot, tenant, r->in.kept, r->in.nkept, batch, again);
		batch = drop_again(batch, again, &unit.has_split);
		unit.folded = folded + (n - batch_nrows(batch));
	}
	unit.nrows = batch_nrows(batch);
	if (unit.nrows > 0)
		write_batch(r, batch, &unit);
	else if (unit.folded > 0)
		credit_kept(r, &unit);
	MemoryContextDelete(context);
}

/* Takes deleted rows out of refs. */
static uint32
drop_deleted(const MergeBatches *b, RowRef *refs, uint32 n)
{
	uint32 left = 0;

	if (b->ndeleted == 0)
		return n;
	for (uint32 i = 0; i < n; i++)
		if (b->deleted[refs[i].batch] == NULL || !b->deleted[refs[i].batch][refs[i].row])
			refs[left++] = refs[i];
	return left;
}

/* The spans of a tenant, in batch_sort order. */
static void
write_tenant(Round *r, RowRef *refs, uint32 n, Str name)
{
	uint64 tenant = codec_hash64(name.p, name.len);
	uint32 once = batch_fold(r->arena, r->batches.batches, refs, n);

	write_one(r, refs, once, tenant, folded_before(r, tenant) + (n - once));
}

static void
write_spans(Round *r)
{
	uint32 n;
	RowRef *refs = batch_sort(r->arena, r->batches.batches, r->batches.n, &n);
	uint32 *ends;
	Tenants tenants;

	n = drop_deleted(&r->batches, refs, n);
	find_tenants(r, &tenants);
	ends = arena_alloc(r->arena, (tenants.n + 1) * sizeof(uint32));
	refs = split_by_tenant(r, &tenants, refs, n, ends);
	for (uint32 t = 0, from = 0; t < tenants.n; from = ends[t++])
		if (ends[t] > from)
			write_tenant(r, refs + from, ends[t] - from, tenants.names[t]);
}

/* Rows of other tables keep their order. */
static void
write_plain(Round *r)
{
	RowRef *refs = arena_alloc(r->arena, r->batches.rows * sizeof(RowRef));
	uint32 n = 0;

	for (uint32 b = 0; b < r->batches.n; b++)
		for (uint32 row = 0; row < batch_nrows(r->batches.batches[b]); row++)
			refs[n++] = (RowRef){b, row};
	n = drop_deleted(&r->batches, refs, n);
	if (n > 0)
		write_one(r, refs, n, 0, 0);
}

/* ---- companion ---- */

static void
delete_inputs(Round *r)
{
	for (uint64 i = 0; i < r->batches.ntids; i++)
	{
		CHECK_FOR_INTERRUPTS();
		companion_delete(&r->companion, &r->batches.tids[i]);
	}
}

/*
 * The smallest number that a recent batch not merged, or not yet decided, may have. Writers hold the page
 * lock from taking a number until their tuples are in, so once this fence is passed every number below
 * next_number has its tuples; a look that sees uncommitted ones finds what is left.
 */
static uint64
find_below(Round *r, MetaPage *fence)
{
	CompanionScan scan;
	CompanionTuple t;
	SnapshotData dirty;
	uint64 below;

	LockPage(r->rel, 0, ExclusiveLock);
	metapage_read(r->rel, fence);
	UnlockPage(r->rel, 0, ExclusiveLock);
	InitDirtySnapshot(dirty);
	companion_scan_begin(&scan, &r->companion, &dirty, KIND_RECENT, r->in.below, fence->next_number - 1);
	below = companion_scan_next(&scan, &t) ? t.number : fence->next_number;
	companion_scan_end(&scan);
	return below;
}

static uint64
recent_rows(const MergeInputs *in)
{
	uint64 rows = 0;

	for (int i = 0; i < in->n; i++)
		if (in->units[i].kind == UNIT_RECENT)
			rows += in->units[i].nrows;
	return rows;
}

/* What was folded into segments that stay. */
static void
enter_credit(Round *r, uint64 below, CommandId cid)
{
	for (int i = 0; i < r->in.nkept && r->credit; i++)
	{
		StoreUnit *kept = &r->in.kept[i];

		if (r->credit[i] == 0)
			continue;
		kept->folded += r->credit[i];
		companion_delete(&r->companion, &kept->entry_tid);
		directory_insert(&r->companion, kept, below, cid);
	}
}

static void
enter_segments(Round *r)
{
	MetaPage fence;
	uint64 below = find_below(r, &fence);
	CommandId cid = GetCurrentCommandId(true);

	/* Locked as inserts do it: whoever passes the fence finds the tuples of all numbers given out. */
	LockPage(r->rel, 0, ShareLock);
	for (int i = 0; i < r->made.n; i++)
	{
		StoreUnit *u = &r->made.units[i];

		metapage_take_segment(r->rel, u->nrows, &u->first_row, &u->id);
		directory_insert(&r->companion, u, below, cid);
	}
	enter_credit(r, below, cid);
	UnlockPage(r->rel, 0, ShareLock);
	am_index_segments(r->rel, r->made.units, r->made.n);
	metapage_merged(r->rel, recent_rows(&r->in), below == fence.next_number ? &fence.rows_in : NULL);
}

static void
run(Round *r)
{
	for (int i = 0; i < r->in.n; i++)
		r->level = Max(r->level, r->in.units[i].kind == UNIT_SEGMENT ? r->in.units[i].level + 1 : 1);
	merge_read_inputs(r->rel, &r->companion, r->snapshot, &r->in, r->arena, &r->batches);
	if (r->batches.rows == 0)
		elog(ERROR, "nothing to merge in table \"%s\"", RelationGetRelationName(r->rel));
	if (r->batches.batches[0]->spans)
		write_spans(r);
	else
		write_plain(r);
	delete_inputs(r);
	enter_segments(r);
}

uint64
merge_round(Relation rel, bool all)
{
	Round r = {rel};
	MemoryContext old;
	uint64 rows = 0;
	uint64 busy;
	bool due;

	r.context = AllocSetContextCreate(CurrentMemoryContext, "tempo merge", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(r.context);
	/* Before the snapshot: what was deleted is then seen as deleted. */
	if (!delete_lock_out(RelationGetRelid(rel), all))
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(r.context);
		return 0;
	}
	busy = delete_busy(RelationGetRelid(rel));
	r.snapshot = RegisterSnapshot(GetLatestSnapshot());
	companion_open(rel, AccessShareLock, &r.companion);
	due = merge_choose(&r.companion, r.snapshot, busy, all, &r.in);
	companion_close(&r.companion);
	if (due)
	{
		r.arena = store_arena(r.context);
		companion_open(rel, RowExclusiveLock, &r.companion);
		run(&r);
		companion_close(&r.companion);
		rows = r.batches.rows;
		/* The next round must see this one. */
		CommandCounterIncrement();
	}
	else
		delete_unlock_out(RelationGetRelid(rel));
	UnregisterSnapshot(r.snapshot);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(r.context);
	return rows;
}
