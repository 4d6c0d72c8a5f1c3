/*
 * split.c
 *	  Reading split marks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "store/split.h"

void
store_split_traces(Image *image, Arena *arena, Buf *ids)
{
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *b = image_vector(image, v, arena);
		Column *split = batch_column(b, LEVEL_TRACE, TC_SPLIT);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < split->n; i++)
			if (split->i64[i])
				buf_put(ids, batch_column(b, LEVEL_TRACE, TC_ID)->fixed + (Size) i * 16, 16);
	}
}

void
store_all_traces(Image *image, Arena *arena, Buf *ids)
{
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *b = image_vector(image, v, arena);
		Column *id = batch_column(b, LEVEL_SPAN, SC_TRACE_ID);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < id->n; i++)
			if (i == 0 || memcmp(id->fixed + (Size) i * 16, id->fixed + (Size) (i - 1) * 16, 16) != 0)
				buf_put(ids, id->fixed + (Size) i * 16, 16);
	}
}

void
store_trace_finder(TraceFinder *f, Image *image)
{
	f->image = image;
	f->context = AllocSetContextCreate(CurrentMemoryContext, "tempo trace finder", ALLOCSET_DEFAULT_SIZES);
	f->vector = -1;
	f->ids = NULL;
}

static void
look_into(TraceFinder *f, int64 vector)
{
	MemoryContext old;

	if (f->vector == vector)
		return;
	MemoryContextReset(f->context);
	old = MemoryContextSwitchTo(f->context);
	f->ids =
		batch_column(image_vector(f->image, (uint32) vector, store_arena(f->context)), LEVEL_TRACE, TC_ID);
	f->vector = vector;
	MemoryContextSwitchTo(old);
}

bool
store_has_trace(TraceFinder *f, const uint8 trace_id[16])
{
	int64 v;
	uint32 lo = 0;
	uint32 hi;

	if (!image_maybe_trace(f->image, trace_id))
		return false;
	v = image_find_trace(f->image, trace_id);
	if (v < 0)
		return false;
	look_into(f, v);
	hi = f->ids->n;
	while (lo < hi)
	{
		uint32 mid = lo + (hi - lo) / 2;
		int c = memcmp(f->ids->fixed + (Size) mid * 16, trace_id, 16);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void
add_table(Relation rel, Snapshot snapshot, MemoryContext context, Buf *ids)
{
	Cursor *cur = cursor_create(rel, snapshot, context);

	for (int u = 0; u < cur->nunits; u++)
	{
		const StoreUnit *unit = &cur->units[u];
		Image *image;

		if (!unit->has_range || (unit->kind == UNIT_SEGMENT && !unit->has_split))
			continue;
		image = cursor_open_unit(cur, u);
		if (unit->kind == UNIT_SEGMENT)
			store_split_traces(image, store_arena(cur->vector_context), ids);
		else
			store_all_traces(image, store_arena(cur->vector_context), ids);
	}
	cursor_close(cur);
}

const uint8 *
store_split_set(Relation *rels, int nrels, Snapshot snapshot, Arena *arena, uint64 *n)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo split set", ALLOCSET_DEFAULT_SIZES);
	Buf ids;
	uint64 out = 0;

	buf_init(&ids, arena, 1024);
	for (int i = 0; i < nrels; i++)
		add_table(rels[i], snapshot, context, &ids);
	MemoryContextDelete(context);
	qsort(ids.p, ids.len / 16, 16, compare_ids);
	for (uint64 i = 0; i < ids.len / 16; i++)
		if (out == 0 || memcmp(ids.p + (out - 1) * 16, ids.p + i * 16, 16) != 0)
			memmove(ids.p + out++ * 16, ids.p + i * 16, 16);
	*n = out;
	return ids.p;
}
