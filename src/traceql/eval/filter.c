/*
 * filter.c
 *	  { a && b && ... } over the rows of a unit. A span is kept when every conjunct is true; conjuncts that
 *	  speak of events or links must be true for one choice of an event and a link.
 */
#include "traceql/eval/internal.h"

static uint32_t
count_ones(const uint8_t *bytes, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum;
}

static uint32_t
keep_true(uint8_t *kept, const uint8_t *truth, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		kept[i] &= truth[i] == TRI_TRUE;
	return count_ones(kept, n);
}

static bool
all_true(TraceqlRun *run, const Filter *filter, Binding at)
{
	run_tick(run);
	for (uint32_t i = 0; i < filter->nbound; i++)
	{
		if (node_truth(run, filter->bound[i], at) != TRI_TRUE)
			return false;
	}
	return true;
}

/* The events (links) a span offers; none at all offers that there is none. */
static void
choices(const uint32_t *first, uint32_t row, uint32_t *from, uint32_t *to)
{
	*from = first ? first[row] : ROW_NONE;
	*to = first ? first[row + 1] : ROW_NONE;
	if (*from == *to)
	{
		*from = ROW_NONE;
		*to = 0; /* ROW_NONE + 1 */
	}
}

static bool
some_binding(TraceqlRun *run, const Filter *filter, const uint32_t *events, const uint32_t *links,
			 uint32_t row)
{
	Binding at = {.row = row};
	uint32_t e0, e1, l0, l1;

	choices(events, row, &e0, &e1);
	choices(links, row, &l0, &l1);
	for (at.event = e0; at.event != e1; at.event++)
		for (at.link = l0; at.link != l1; at.link++)
			if (all_true(run, filter, at))
				return true;
	return false;
}

static uint32_t
keep_bound(TraceqlRun *run, const Filter *filter, uint8_t *kept)
{
	Batch *batch = run->unit.batch;
	const uint32_t *events = filter->event ? batch_event_first(batch) : NULL;
	const uint32_t *links = filter->link ? batch_link_first(batch) : NULL;
	uint32_t left = 0;

	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		if (kept[r])
			left += kept[r] = some_binding(run, filter, events, links, r);
	}
	return left;
}

uint32_t
filter_rows(TraceqlRun *run, const Filter *filter, const uint8_t *mask, uint8_t *out)
{
	uint32_t n = run->unit.nrows;
	uint32_t left;
	uint8_t *truth;

	memcpy(out, mask, n);
	left = count_ones(out, n);
	truth = run_get_bytes(run);
	for (uint32_t i = 0; i < filter->nsimple && left; i++)
	{
		vector_truth(run, filter->simple[i], out, truth);
		left = keep_true(out, truth, n);
	}
	run_put_bytes(run, truth);
	if (left && filter->nbound)
		left = keep_bound(run, filter, out);
	return left;
}
