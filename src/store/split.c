/*
 * split.c
 *	  Looking for traces in segments.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "store/split.h"

void
store_trace_finder(TraceFinder *f, Image *image)
{
	f->image = image;
	f->context = AllocSetContextCreate(CurrentMemoryContext, "tempo trace finder", ALLOCSET_DEFAULT_SIZES);
	f->vector = -1;
	f->batch = NULL;
}

static void
look_into(TraceFinder *f, int64 vector)
{
	MemoryContext old;

	if (f->vector == vector)
		return;
	MemoryContextReset(f->context);
	old = MemoryContextSwitchTo(f->context);
	f->batch = image_vector(f->image, (uint32) vector, store_arena(f->context));
	f->vector = vector;
	f->first_row = image_vector_info(f->image, (uint32) vector)->first_row;
	MemoryContextSwitchTo(old);
}

int64
store_find_trace(TraceFinder *f, const uint8 trace_id[16])
{
	int64 v;

	if (!image_maybe_trace(f->image, trace_id))
		return -1;
	v = image_find_trace(f->image, trace_id, 0);
	while (v >= 0)
	{
		int64 t;

		look_into(f, v);
		t = batch_find_trace(f->batch, trace_id);
		if (t >= 0)
			return t;
		v = image_find_trace(f->image, trace_id, (uint32) v + 1);
	}
	return -1;
}
