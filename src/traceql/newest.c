/*
 * newest.c
 *	  A heap of bounded size.
 */
#include "traceql/newest.h"

#include "utils/memutils.h"

Newest *
newest_create(MemoryContext context, uint32 max)
{
	Newest *newest = MemoryContextAllocZero(context, sizeof(Newest));

	newest->context = context;
	newest->max = max;
	return newest;
}

bool
newest_wants(const Newest *newest, uint64 start)
{
	return newest->n < newest->max || start >= newest->heap[0].start;
}

static bool
is_older(const NewestItem *a, const NewestItem *b)
{
	if (a->start != b->start)
		return a->start < b->start;
	return memcmp(a->id, b->id, sizeof(a->id)) > 0;
}

static NewestItem
make_item(uint64 start, const uint8 *id, void *what)
{
	NewestItem item = {.start = start, .what = what};

	memcpy(item.id, id, sizeof(item.id));
	return item;
}

bool
newest_wants_trace(const Newest *newest, uint64 start, const uint8 *id)
{
	NewestItem item = make_item(start, id, NULL);

	return newest->n < newest->max || is_older(&newest->heap[0], &item);
}

/* Let the thing at i sink below those older than it. */
static void
sift_down(Newest *newest, uint32 i)
{
	NewestItem moved = newest->heap[i];

	for (uint64 child = 2 * (uint64) i + 1; child < newest->n; child = 2 * (uint64) i + 1)
	{
		if (child + 1 < newest->n && is_older(&newest->heap[child + 1], &newest->heap[child]))
			child++;
		if (!is_older(&newest->heap[child], &moved))
			break;
		newest->heap[i] = newest->heap[child];
		i = (uint32) child;
	}
	newest->heap[i] = moved;
}

static void
sift_up(Newest *newest, uint32 i)
{
	NewestItem moved = newest->heap[i];

	while (i > 0 && is_older(&moved, &newest->heap[(i - 1) / 2]))
	{
		newest->heap[i] = newest->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	newest->heap[i] = moved;
}

void *
newest_pop_oldest(Newest *newest)
{
	void *oldest;

	if (newest->n == 0)
		return NULL;
	oldest = newest->heap[0].what;
	newest->heap[0] = newest->heap[--newest->n];
	if (newest->n)
		sift_down(newest, 0);
	return oldest;
}

void
newest_add(Newest *newest, uint64 start, const uint8 *id, void *what)
{
	if (newest->n == newest->max)
		pfree(newest_pop_oldest(newest));
	if (newest->n == newest->cap)
	{
		uint32 cap = Min(newest->max, newest->cap ? newest->cap * 2 : 64);

		newest->heap = newest->heap ? repalloc_huge(newest->heap, cap * sizeof(NewestItem))
									: MemoryContextAlloc(newest->context, cap * sizeof(NewestItem));
		newest->cap = cap;
	}
	newest->heap[newest->n] = make_item(start, id, what);
	sift_up(newest, newest->n++);
}
