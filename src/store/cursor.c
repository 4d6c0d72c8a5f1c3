/*
 * cursor.c
 *	  Opening units and vectors one after the other.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "store/cursor.h"

Cursor *
cursor_create(Relation rel, Snapshot snapshot, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Cursor *cur = palloc0(sizeof(Cursor));

	cur->rel = rel;
	cur->snapshot = snapshot;
	cur->context = context;
	cur->units = store_units(rel, snapshot, &cur->nunits);
	cur->first_vector = MemoryContextAllocHuge(context, (cur->nunits + 1) * sizeof(uint64));
	for (int i = 0; i < cur->nunits; i++)
	{
		cur->first_vector[i] = cur->nvectors;
		cur->nvectors += cur->units[i].summary.nvectors;
		cur->nrows += cur->units[i].nrows;
	}
	cur->first_vector[cur->nunits] = cur->nvectors;
	cur->image_context = AllocSetContextCreate(context, "tempo image", ALLOCSET_DEFAULT_SIZES);
	cur->vector_context = AllocSetContextCreate(context, "tempo vector", ALLOCSET_DEFAULT_SIZES);
	cur->unit = -1;
	cur->vector = -1;
	MemoryContextSwitchTo(old);
	return cur;
}

static void
add_counters(ImageCounters *sum, const ImageCounters *c)
{
	sum->bytes_read += c->bytes_read;
	sum->blocks_read += c->blocks_read;
	sum->dicts_read += c->dicts_read;
}

ImageCounters
cursor_counters(const Cursor *cur)
{
	ImageCounters sum = cur->counters;

	if (cur->image)
	{
		ImageCounters now = image_counters(cur->image);

		add_counters(&sum, &now);
	}
	return sum;
}

void
cursor_close(Cursor *cur)
{
	cur->counters = cursor_counters(cur);
	cur->image = NULL;
	cur->batch = NULL;
	cur->unit = -1;
	cur->vector = -1;
	cur->ndeleted = cur->ndead = 0;
	MemoryContextReset(cur->vector_context);
	MemoryContextReset(cur->image_context);
}

int
cursor_unit_of(const Cursor *cur, uint64 vector)
{
	int lo = 0;
	int hi = cur->nunits - 1;

	while (lo < hi)
	{
		int mid = (lo + hi + 1) / 2;

		if (cur->first_vector[mid] <= vector)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static void
damaged_unit(Cursor *cur, const StoreUnit *unit)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("image %llu of table \"%s\" does not have the rows the directory says",
						   (unsigned long long) unit->id, RelationGetRelationName(cur->rel))));
}

Image *
cursor_open_unit(Cursor *cur, int unit)
{
	const StoreUnit *u = &cur->units[unit];
	const ImageSummary *summary;
	MemoryContext old;

	if (cur->unit == unit)
		return cur->image;
	CHECK_FOR_INTERRUPTS();
	cursor_close(cur);
	old = MemoryContextSwitchTo(cur->image_context);
	cur->image = store_open(cur->rel, cur->snapshot, u, store_arena(cur->image_context));
	if (u->has_deleted)
		cur->ndeleted = store_deleted_rows(cur->rel, cur->snapshot, u, &cur->deleted);
	MemoryContextSwitchTo(old);
	cur->unit = unit;
	cur->image_opens++;
	summary = image_summary(cur->image);
	if (summary->nrows != u->nrows || summary->nvectors != u->summary.nvectors)
		damaged_unit(cur, u);
	return cur->image;
}

/* The first of the unit's deleted rows from row on. */
static uint32
first_deleted(const Cursor *cur, uint32 row)
{
	uint32 lo = 0;

	for (uint32 hi = cur->ndeleted; lo < hi;)
	{
		uint32 mid = lo + (hi - lo) / 2;

		if (cur->deleted[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
find_dead(Cursor *cur, const ImageVector *info)
{
	uint32 first = first_deleted(cur, info->first_row);

	cur->dead = cur->deleted + first;
	cur->ndead = first_deleted(cur, info->first_row + info->nrows) - first;
	cur->dead_base = info->first_row;
}

bool
cursor_row_deleted(const Cursor *cur, uint32 row)
{
	uint32 i;

	if (cur->ndead == 0)
		return false;
	row += cur->dead_base;
	i = first_deleted(cur, row);
	return i < cur->ndeleted && cur->deleted[i] == row;
}

uint32
cursor_rows(Cursor *cur, const uint32 **rows)
{
	uint32 *list;
	uint32 n = 0;
	uint32 d = 0;

	*rows = NULL;
	if (cur->ndead == 0)
		return cur->batch_rows;
	list = arena_alloc(cur->batch->arena, ((size_t) cur->batch_rows + 1) * sizeof(uint32));
	for (uint32 row = 0; row < cur->batch_rows; row++)
	{
		if (d < cur->ndead && cur->dead[d] == row + cur->dead_base)
			d++;
		else
			list[n++] = row;
	}
	*rows = list;
	return n;
}

Batch *
cursor_open(Cursor *cur, uint64 vector)
{
	int unit;
	uint32 v;
	MemoryContext old;

	if (cur->vector == (int64) vector)
		return cur->batch;
	CHECK_FOR_INTERRUPTS();
	unit = cursor_unit_of(cur, vector);
	cursor_open_unit(cur, unit);
	v = (uint32) (vector - cur->first_vector[unit]);
	MemoryContextReset(cur->vector_context);
	old = MemoryContextSwitchTo(cur->vector_context);
	cur->batch = image_vector(cur->image, v, store_arena(cur->vector_context));
	MemoryContextSwitchTo(old);
	cur->vector = vector;
	cur->first_row = cur->units[unit].first_row + image_vector_info(cur->image, v)->first_row;
	cur->batch_rows = batch_nrows(cur->batch);
	if (cur->ndeleted)
		find_dead(cur, image_vector_info(cur->image, v));
	return cur->batch;
}
