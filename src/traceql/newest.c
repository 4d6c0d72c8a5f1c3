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

static uint64
start_of(const Newest *newest, uint32 i)
{
	return (uint64) newest->heap[i]->start;
}

bool
newest_wants(const Newest *newest, uint64 start)
{
	return newest->n < newest->max || start > start_of(newest, 0);
}

/* Let the trace at i sink below those older than it. */
static void
sift_down(Newest *newest, uint32 i)
{
	MatchTrace *moved = newest->heap[i];

	for (uint64 child = 2 * (uint64) i + 1; child < newest->n; child = 2 * (uint64) i + 1)
	{
		if (child + 1 < newest->n && start_of(newest, child + 1) < start_of(newest, child))
			child++;
		if ((uint64) moved->start <= start_of(newest, child))
			break;
		newest->heap[i] = newest->heap[child];
		i = (uint32) child;
	}
	newest->heap[i] = moved;
}

static void
sift_up(Newest *newest, uint32 i)
{
	MatchTrace *moved = newest->heap[i];

	while (i > 0 && start_of(newest, (i - 1) / 2) > (uint64) moved->start)
	{
		newest->heap[i] = newest->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	newest->heap[i] = moved;
}

MatchTrace *
newest_pop_oldest(Newest *newest)
{
	MatchTrace *oldest;

	if (newest->n == 0)
		return NULL;
	oldest = newest->heap[0];
	newest->heap[0] = newest->heap[--newest->n];
	if (newest->n)
		sift_down(newest, 0);
	return oldest;
}

void
newest_add(Newest *newest, const MatchTrace *trace)
{
	if (!newest_wants(newest, (uint64) trace->start))
		return;
	if (newest->n == newest->max)
		pfree(newest_pop_oldest(newest));
	if (newest->n == newest->cap)
	{
		uint32 cap = Min(newest->max, newest->cap ? newest->cap * 2 : 64);

		newest->heap = newest->heap ? repalloc_huge(newest->heap, cap * sizeof(MatchTrace *))
									: MemoryContextAlloc(newest->context, cap * sizeof(MatchTrace *));
		newest->cap = cap;
	}
	newest->heap[newest->n] =
		match_trace_copy(trace, MemoryContextAllocHuge(newest->context, match_trace_size(trace)));
	sift_up(newest, newest->n++);
}
