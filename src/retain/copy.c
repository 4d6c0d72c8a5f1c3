/*
 * copy.c
 *	  Making a table hold the segments that other tables hold: what is missing is copied byte by byte, what is
 *	  there no longer is deleted. Segments are known by their directory entries but for the numbers a table
 *	  gives out itself, so that an interrupted copy goes on where it was.
 */
#include "retain/replace.h"

#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/am.h"
#include "store/metapage.h"
#include "store/segment.h"

/* Bytes read at a time, so that a cancel is heard. */
#define PIECE (16 * 1024 * 1024)

/* A segment and where it is. */
typedef struct Found
{
	StoreUnit unit;
	Oid table;
} Found;

typedef struct FoundList
{
	Found *found;
	int n;
	int cap;
} FoundList;

static void
list_segments(MemoryContext context, Oid relid, FoundList *list)
{
	Relation rel = table_open(relid, AccessShareLock);
	UnitList segments = {0};
	uint64 below;
	Companion c;

	companion_open(rel, AccessShareLock, &c);
	directory_read(&c, GetActiveSnapshot(), &segments, &below);
	companion_close(&c);
	table_close(rel, AccessShareLock);
	for (int i = 0; i < segments.n; i++)
	{
		if (list->n == list->cap)
		{
			int cap = Max(64, list->cap * 2);

			list->found = list->found ? repalloc_huge(list->found, cap * sizeof(Found))
									  : MemoryContextAllocHuge(context, cap * sizeof(Found));
			list->cap = cap;
		}
		list->found[list->n++] = (Found){segments.units[i], relid};
	}
}

#define COMPARE(x, y)                                                                                        \
	if ((x) != (y))                                                                                          \
	return (x) < (y) ? -1 : 1

/* 0: one is a copy of the other. */
static int
compare_segments(const void *a, const void *b)
{
	const StoreUnit *x = &((const Found *) a)->unit;
	const StoreUnit *y = &((const Found *) b)->unit;
	int c;

	COMPARE(x->made_at, y->made_at);
	COMPARE(x->tenant, y->tenant);
	COMPARE(x->nrows, y->nrows);
	COMPARE(x->bytes, y->bytes);
	COMPARE(x->level, y->level);
	COMPARE(x->has_split, y->has_split);
	COMPARE(x->marks_unknown, y->marks_unknown);
	COMPARE(x->summary.ntraces, y->summary.ntraces);
	COMPARE(x->summary.nvectors, y->summary.nvectors);
	COMPARE(x->summary.start_min, y->summary.start_min);
	COMPARE(x->summary.start_max, y->summary.start_max);
	COMPARE(x->summary.end_max, y->summary.end_max);
	c = memcmp(x->summary.trace_min, y->summary.trace_min, 16);
	return c ? c : memcmp(x->summary.trace_max, y->summary.trace_max, 16);
}

/* ---- one change each ---- */

static uint8 *
read_image(Relation rel, const StoreUnit *unit)
{
	uint8 *image = MemoryContextAllocHuge(CurrentMemoryContext, unit->bytes);
	SegmentReader *reader = segment_reader(rel, unit, store_arena(CurrentMemoryContext));

	for (uint64 off = 0; off < unit->bytes; off += PIECE)
	{
		CHECK_FOR_INTERRUPTS();
		segment_read(reader, off, (uint32) Min(PIECE, unit->bytes - off), image + off);
	}
	return image;
}

static void
copy_segment(Oid target, const Found *f)
{
	Relation from = table_open(f->table, AccessShareLock);
	Relation to = table_open(target, RowExclusiveLock);
	StoreUnit copy = f->unit;
	uint8 *image = read_image(from, &f->unit);
	Companion c;

	companion_open(to, RowExclusiveLock, &c);
	copy.block = segment_write(to, image, copy.bytes);
	LockPage(to, 0, ShareLock);
	metapage_take_segment(to, copy.nrows, &copy.first_row, &copy.id);
	directory_insert(&c, &copy, 1, GetCurrentCommandId(true));
	UnlockPage(to, 0, ShareLock);
	am_index_segments(to, &copy, 1);
	companion_close(&c);
	table_close(to, NoLock);
	table_close(from, NoLock);
}

static void
delete_segment(Oid target, const Found *f)
{
	Relation to = table_open(target, RowExclusiveLock);
	ItemPointerData tid = f->unit.entry_tid;
	Companion c;

	companion_open(to, RowExclusiveLock, &c);
	companion_delete(&c, &tid);
	companion_close(&c);
	table_close(to, NoLock);
}

/* ---- all of them ---- */

typedef struct Lists
{
	FoundList want;
	FoundList have;
} Lists;

static void
read_lists(Replace *r, Lists *lists)
{
	memset(lists, 0, sizeof(*lists));
	for (int i = 0; i < r->nleaves; i++)
		list_segments(r->context, r->leaves[i], &lists->want);
	list_segments(r->context, r->target, &lists->have);
	if (lists->want.n > 1)
		qsort(lists->want.found, lists->want.n, sizeof(Found), compare_segments);
	if (lists->have.n > 1)
		qsort(lists->have.found, lists->have.n, sizeof(Found), compare_segments);
}

static void
free_lists(Lists *lists)
{
	if (lists->want.found)
		pfree(lists->want.found);
	if (lists->have.found)
		pfree(lists->have.found);
}

uint64
replace_copy(Replace *r)
{
	uint64 changes = 0;
	int w = 0;
	int h = 0;
	Lists lists;

	read_lists(r, &lists);
	replace_next_transaction(r);
	while (w < lists.want.n || h < lists.have.n)
	{
		int c = w == lists.want.n   ? 1
				: h == lists.have.n ? -1
									: compare_segments(&lists.want.found[w], &lists.have.found[h]);

		CHECK_FOR_INTERRUPTS();
		if (c == 0)
		{
			w++;
			h++;
			continue;
		}
		if (c < 0)
			copy_segment(r->target, &lists.want.found[w]);
		else
			delete_segment(r->target, &lists.have.found[h]);
		replace_next_transaction(r);
		changes++;
		if (c < 0)
			replace_throttle(r, lists.want.found[w++].unit.bytes);
		else
			h++;
	}
	free_lists(&lists);
	return changes;
}
