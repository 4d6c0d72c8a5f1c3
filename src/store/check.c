/*
 * check.c
 *	  The checks of one table.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "codec/codec.h"
#include "store/check.h"
#include "store/deleted.h"
#include "store/directory.h"
#include "store/metapage.h"
#include "store/profile.h"
#include "store/segment.h"

void
check_problem(CheckReport *report, const char *fmt, ...)
{
	MemoryContext old = MemoryContextSwitchTo(report->context);
	StringInfoData text;
	int need;

	initStringInfo(&text);
	appendStringInfo(&text, "%s: ", report->table);
	do
	{
		va_list args;

		va_start(args, fmt);
		need = appendStringInfoVA(&text, fmt, args);
		va_end(args);
		if (need)
			enlargeStringInfo(&text, need);
	} while (need);
	report->problems = lappend(report->problems, text.data);
	MemoryContextSwitchTo(old);
}

static bool
is_damage(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INTERNAL_ERROR;
}

void
check_guarded(CheckReport *report, const char *object, void (*check)(void *arg), void *arg)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = AllocSetContextCreate(old, "tempo check", ALLOCSET_DEFAULT_SIZES);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		check(arg);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old);
		CurrentResourceOwner = owner;
		if (!is_damage(error->sqlerrcode))
			ReThrowError(error);
		check_problem(report, "%s: %s", object, error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextDelete(context);
}

typedef struct TableCheck
{
	Relation rel;
	Snapshot snapshot;
	CheckReport *report;
	MetaPage meta;
	UnitList units; /* in report->context */
	uint64 below;
	int nsegments;
	const StoreUnit *unit; /* being checked */
} TableCheck;

/* ---- metapage and lists ---- */

static void
check_metapage(void *arg)
{
	TableCheck *t = arg;
	MetaPage *all = metapage_read_all(t->rel);

	t->meta = *all;
	(void) profile_restore(all, RelationGetDescr(t->rel));
	if (all->natts > RelationGetDescr(t->rel)->natts)
		check_problem(t->report, "metapage has %u columns, the table %d", all->natts,
					  RelationGetDescr(t->rel)->natts);
	if (all->rows_out > all->rows_in)
		check_problem(t->report, "metapage counts more rows merged than came in");
}

static void
read_lists(void *arg)
{
	TableCheck *t = arg;
	UnitList list = {0};
	Companion c;

	companion_open(t->rel, AccessShareLock, &c);
	(void) directory_read(&c, t->snapshot, &list, &t->below);
	t->nsegments = list.n;
	recent_read(&c, t->snapshot, t->below, &list);
	deleted_mark(&c, t->snapshot, list.units, list.n);
	companion_close(&c);
	t->units = list;
	if (list.n)
	{
		t->units.units = MemoryContextAllocHuge(t->report->context, list.n * sizeof(StoreUnit));
		memcpy(t->units.units, list.units, list.n * sizeof(StoreUnit));
	}
}

static int
compare_rows(const void *a, const void *b)
{
	const StoreUnit *x = a;
	const StoreUnit *y = b;

	return (x->first_row > y->first_row) - (x->first_row < y->first_row);
}

static int
compare_blocks(const void *a, const void *b)
{
	const StoreUnit *x = a;
	const StoreUnit *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

static void
check_row_ranges(TableCheck *t)
{
	StoreUnit *u = palloc(Max(t->units.n, 1) * sizeof(StoreUnit));

	if (t->units.n > 0)
		memcpy(u, t->units.units, t->units.n * sizeof(StoreUnit));
	qsort(u, t->units.n, sizeof(StoreUnit), compare_rows);
	for (int i = 0; i < t->units.n; i++)
	{
		if (u[i].first_row + u[i].nrows > t->meta.next_row)
			check_problem(t->report, "unit %llu has row numbers not given out yet",
						  (unsigned long long) u[i].id);
		if (i > 0 && u[i - 1].first_row + u[i - 1].nrows > u[i].first_row)
			check_problem(t->report, "units %llu and %llu share row numbers",
						  (unsigned long long) u[i - 1].id, (unsigned long long) u[i].id);
	}
	pfree(u);
}

static void
check_blocks(TableCheck *t)
{
	StoreUnit *u = palloc(Max(t->nsegments, 1) * sizeof(StoreUnit));
	BlockNumber nblocks = RelationGetNumberOfBlocks(t->rel);
	BlockNumber end = 1;

	if (t->nsegments > 0)
		memcpy(u, t->units.units, t->nsegments * sizeof(StoreUnit));
	qsort(u, t->nsegments, sizeof(StoreUnit), compare_blocks);
	for (int i = 0; i < t->nsegments; i++)
	{
		if (u[i].block < end)
			check_problem(t->report, "segment %llu overlaps another, or the metapage",
						  (unsigned long long) u[i].id);
		end = u[i].block + segment_nblocks(u[i].bytes);
		if (u[i].block > nblocks || segment_nblocks(u[i].bytes) > nblocks - u[i].block)
			check_problem(t->report, "segment %llu reaches beyond the end of the file",
						  (unsigned long long) u[i].id);
		if (u[i].id >= t->meta.next_segment)
			check_problem(t->report, "segment id %llu is not given out yet", (unsigned long long) u[i].id);
	}
	pfree(u);
}

/* ---- units ---- */

static void
check_summary(TableCheck *t, const ImageSummary *have)
{
	const ImageSummary *want = &t->unit->summary;
	unsigned long long id = t->unit->id;

	if (have->nrows != t->unit->nrows || have->nvectors != want->nvectors || have->ntraces != want->ntraces)
		check_problem(t->report, "unit %llu: image and directory count differently", id);
	if (t->unit->has_range &&
		(have->start_min != want->start_min || have->start_max != want->start_max ||
		 have->end_max != want->end_max || memcmp(have->trace_min, want->trace_min, 16) != 0 ||
		 memcmp(have->trace_max, want->trace_max, 16) != 0))
		check_problem(t->report, "unit %llu: image and directory have different ranges", id);
}

static void
check_tenant(TableCheck *t, Batch *b)
{
	Column *c = batch_column(b, LEVEL_SPAN, SC_TENANT);

	for (uint32 i = 0; i < c->n; i++)
	{
		Str s = column_str(c, i);

		if (codec_hash64(s.p, s.len) != t->unit->tenant)
		{
			check_problem(t->report, "segment %llu has spans of another tenant",
						  (unsigned long long) t->unit->id);
			return;
		}
	}
}

static bool
any_split(Batch *b)
{
	Column *c = batch_column(b, LEVEL_TRACE, TC_SPLIT);

	for (uint32 i = 0; i < c->n; i++)
		if (c->i64[i])
			return true;
	return false;
}

/* What columns of the user's own must look like; the span columns are image_check's. */
static void
check_columns(TableCheck *t, Batch *b)
{
	const TableProfile *p = store_profile(t->rel);
	TupleDesc desc = RelationGetDescr(t->rel);

	if (b->spans != p->spans || b->level[LEVEL_SPAN].ncolumns > profile_ncolumns(p, desc))
		check_problem(t->report, "unit %llu has columns the table never had",
					  (unsigned long long) t->unit->id);
	for (int i = 0; i < desc->natts; i++)
	{
		Column want = profile_plain_column(TupleDescAttr(desc, i));
		uint32 col = (uint32) p->column[i];
		const Column *have;

		if (TupleDescAttr(desc, i)->attisdropped || (p->spans && p->role[i] != ROLE_EXTRA) ||
			col >= b->level[LEVEL_SPAN].ncolumns)
			continue;
		have = batch_column(b, LEVEL_SPAN, col);
		if (have->kind != want.kind || (want.kind == COL_FIXED && have->width != want.width))
			check_problem(t->report, "unit %llu: column %u is not of the kind the table has",
						  (unsigned long long) t->unit->id, col);
	}
}

static void
check_vectors(TableCheck *t, Image *image)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo check vector", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	bool split = false;

	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *b;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		b = image_vector(image, v, store_arena(context));
		check_columns(t, b);
		if (t->unit->kind == UNIT_SEGMENT && b->spans)
		{
			check_tenant(t, b);
			split |= any_split(b);
		}
	}
	if (!t->unit->marks_unknown && split != t->unit->has_split)
		check_problem(t->report, "segment %llu: the directory is wrong about split traces",
					  (unsigned long long) t->unit->id);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
check_unit(void *arg)
{
	TableCheck *t = arg;
	Arena *arena = store_arena(CurrentMemoryContext);
	Image *image = store_open(t->rel, t->snapshot, t->unit, arena);

	if (t->unit->kind == UNIT_RECENT && t->unit->id + t->unit->nchunks > t->meta.next_number)
		check_problem(t->report, "recent batch %llu has numbers not given out yet",
					  (unsigned long long) t->unit->id);
	check_summary(t, image_summary(image));
	image_check(image, arena);
	check_vectors(t, image);
}

/* ---- companion heap ---- */

static uint64
count_kind(TableCheck *t, Companion *c, CompanionKind kind, uint64 from, uint64 to)
{
	CompanionScan scan;
	CompanionTuple tuple;
	uint64 n = 0;

	if (from > to)
		return 0;
	companion_scan_begin(&scan, c, t->snapshot, kind, from, to);
	while (companion_scan_next(&scan, &tuple))
		n++;
	companion_scan_end(&scan);
	return n;
}

static uint64
count_heap(TableCheck *t, Companion *c)
{
	TupleTableSlot *slot = table_slot_create(c->heap, NULL);
	TableScanDesc scan = table_beginscan(c->heap, t->snapshot, 0, NULL);
	uint64 n = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return n;
}

/* Tuples of deleted rows: each of a row that is there. */
static uint64
check_deleted(TableCheck *t, Companion *c)
{
	uint64 all = count_kind(t, c, KIND_DELETED, 0, COMPANION_NUMBER_MAX);
	uint64 of_units = 0;
	CompanionScan scan;
	CompanionTuple tuple;

	for (int i = 0; i < t->units.n; i++)
		if (t->units.units[i].has_deleted)
			of_units += deleted_count(c, t->snapshot, &t->units.units[i], PG_UINT32_MAX);
	if (of_units != all)
		check_problem(t->report, "%llu deleted rows are of no segment or recent batch",
					  (unsigned long long) (all - of_units));
	companion_scan_begin(&scan, c, t->snapshot, KIND_DELETED, 0, COMPANION_NUMBER_MAX);
	for (uint64 last = 0, n = 0; companion_scan_next(&scan, &tuple); last = tuple.number, n++)
	{
		if (tuple.len != 0)
			check_problem(t->report, "the tuple of deleted row %llu has data",
						  (unsigned long long) tuple.number);
		if (n > 0 && tuple.number == last)
			check_problem(t->report, "row %llu is deleted twice", (unsigned long long) tuple.number);
	}
	companion_scan_end(&scan);
	return all;
}

/* Every tuple is reached through the index, and belongs to a batch, is a directory entry or a deleted row. */
static void
check_companion(void *arg)
{
	TableCheck *t = arg;
	uint64 expected = t->nsegments;
	uint64 hidden;
	uint64 chunks;
	uint64 deleted;
	Companion c;

	companion_open(t->rel, AccessShareLock, &c);
	for (int i = t->nsegments; i < t->units.n; i++)
		expected += t->units.units[i].nchunks;
	hidden = count_kind(t, &c, KIND_RECENT, 0, t->below - 1);
	chunks = count_kind(t, &c, KIND_RECENT, t->below, COMPANION_NUMBER_MAX);
	if (hidden)
		check_problem(t->report, "%llu chunks of recent batches are where readers do not look",
					  (unsigned long long) hidden);
	if (chunks + t->nsegments != expected)
		check_problem(t->report, "recent batches have %llu chunks, %llu are there",
					  (unsigned long long) (expected - t->nsegments), (unsigned long long) chunks);
	deleted = check_deleted(t, &c);
	if (count_heap(t, &c) != expected + hidden + deleted)
		check_problem(t->report, "companion heap has tuples that its index does not lead to");
	if (t->below > t->meta.next_number)
		check_problem(t->report, "the directory is ahead of the numbers given out");
	companion_close(&c);
}

void
store_check(Relation rel, Snapshot snapshot, CheckReport *report)
{
	TableCheck t = {rel, snapshot, report};
	int before = list_length(report->problems);

	check_guarded(report, "metapage", check_metapage, &t);
	check_guarded(report, "directory", read_lists, &t);
	/* Without these nothing else can be read. */
	if (list_length(report->problems) > before)
		return;
	check_row_ranges(&t);
	check_blocks(&t);
	check_guarded(report, "companion heap", check_companion, &t);
	for (int i = 0; i < t.units.n; i++)
	{
		char object[64];

		CHECK_FOR_INTERRUPTS();
		t.unit = &t.units.units[i];
		snprintf(object, sizeof(object), "%s %llu", i < t.nsegments ? "segment" : "recent batch",
				 (unsigned long long) t.unit->id);
		check_guarded(report, object, check_unit, &t);
	}
}
