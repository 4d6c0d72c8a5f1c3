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
