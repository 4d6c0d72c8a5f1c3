/*
 * image_write_trace.c
 *	  The leaves whose values are expressed through other rows: parents as rows of the trace, starts and event
 *	  times as differences, each in the form that takes the fewest bits.
 */
#include "store/image_write.h"

#include <stdlib.h>

/* Sum of the bit widths: what a set of differences costs, give or take. */
static uint64_t
cost(const int64_t *v, uint32_t n)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < n; i++)
		bits += bit_width((uint64_t) v[i]);
	return bits;
}

static void
write_relative(Writer *w, Level level, uint32_t col, Relative relative, const int64_t *v, uint32_t n,
			   const uint32_t *first)
{
	Leaf *leaf = image_new_leaf(w, level, LEAF_COLUMN, col);
	Series s = {.kind = COL_I64, .n = n, .i64 = v, .first = first};

	leaf->relative = (uint8_t) relative;
	if (relative != REL_NONE)
		leaf->flags |= LEAF_RELATIVE;
	image_write_leaf(w, leaf, &s, NULL);
}

/* ---- parents ---- */

/* How many of each vector's references are literals, as first positions. */
static uint32_t *
literal_positions(Writer *w, const int64_t *refs, const uint32_t *first)
{
	uint32_t *pos = arena_alloc(w->arena, ((size_t) w->nvectors + 1) * sizeof(uint32_t));
	uint32_t n = 0;

	for (uint32_t v = 0; v < w->nvectors; v++)
	{
		pos[v] = n;
		for (uint32_t i = first[v]; i < first[v + 1]; i++)
			n += refs[i] == PARENT_LITERAL;
	}
	pos[w->nvectors] = n;
	return pos;
}

static int
compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* Is no id of a trace there twice, and no parent that is not stored as a row? */
static bool
trace_is_plain(const int64_t *ids, const int64_t *parents, const int64_t *refs, uint32_t n, int64_t *sorted)
{
	memcpy(sorted, ids, n * sizeof(int64_t));
	qsort(sorted, n, sizeof(int64_t), compare_ids);
	for (uint32_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1] && sorted[i] != 0)
			return false;
	for (uint32_t i = 0; i < n; i++)
		if (refs[i] == PARENT_LITERAL && bsearch(&parents[i], sorted, n, sizeof(int64_t), compare_ids))
			return false;
	return true;
}

static bool
ids_are_plain(Writer *w, const int64_t *refs)
{
	const uint32_t *first = w->b->trace_first;
	const int64_t *ids = batch_column(w->b, LEVEL_SPAN, SC_SPAN_ID)->i64;
	const int64_t *parents = batch_column(w->b, LEVEL_SPAN, SC_PARENT_ID)->i64;
	int64_t *sorted = arena_alloc(w->arena, ((size_t) batch_nrows(w->b) + 1) * sizeof(int64_t));
	bool plain = true;

	for (uint32_t t = 0; plain && t < w->b->level[LEVEL_TRACE].nrows; t++)
		plain = trace_is_plain(ids + first[t], parents + first[t], refs + first[t], first[t + 1] - first[t],
							   sorted);
	return plain;
}

void
image_write_parents(Writer *w, const uint32_t *first)
{
	uint32_t n = batch_nrows(w->b), nliterals;
	int64_t *refs = arena_alloc(w->arena, (size_t) n * sizeof(int64_t));
	int64_t *literals = arena_alloc(w->arena, (size_t) n * sizeof(int64_t));
	Leaf *leaf;
	Series s = {.kind = COL_I64, .i64 = literals};

	nliterals = image_parent_refs(
		w->b->trace_first, w->b->level[LEVEL_TRACE].nrows, batch_column(w->b, LEVEL_SPAN, SC_SPAN_ID)->i64,
		batch_column(w->b, LEVEL_SPAN, SC_PARENT_ID)->i64, refs, literals, w->arena);
	write_relative(w, LEVEL_SPAN, SC_PARENT_ID, REL_ROWS, refs, n, first);
	leaf = image_new_leaf(w, LEVEL_SPAN, LEAF_PARENTS, 0);
	s.n = nliterals;
	s.first = literal_positions(w, refs, first);
	image_write_leaf(w, leaf, &s, NULL);
	w->parent_refs = refs;
	w->plain_ids = ids_are_plain(w, refs);
}

void
image_no_parents(Writer *w)
{
	Series none = {.kind = COL_I64};

	image_write_leaf(w, image_new_leaf(w, LEVEL_SPAN, LEAF_PARENTS, 0), &none, NULL);
	w->parent_refs = arena_alloc0(w->arena, ((size_t) batch_nrows(w->b) + 1) * sizeof(int64_t));
}

/* ---- starts ---- */

static void
start_differences(Writer *w, Relative relative, int64_t *out)
{
	Batch *b = w->b;
	const int64_t *start = batch_column(b, LEVEL_SPAN, SC_START)->i64;

	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
	{
		uint32_t first = b->trace_first[t];
		uint64_t origin = (uint64_t) batch_column(b, LEVEL_TRACE, TC_START)->i64[t];

		for (uint32_t i = first; i < b->trace_first[t + 1]; i++)
		{
			int64_t p = image_parent_row(i, w->parent_refs[i]);
			uint64_t from = origin;

			if (relative == REL_PREVIOUS && i > first)
				from = (uint64_t) start[i - 1];
			if (relative == REL_PARENT && p >= first && p < i)
				from = (uint64_t) start[p];
			out[i] = (int64_t) ((uint64_t) start[i] - from);
			if (relative == REL_PARENT)
				out[i] = (int64_t) zigzag(out[i]);
		}
	}
}

void
image_write_starts(Writer *w, const uint32_t *first)
{
	static const Relative kinds[] = {REL_PREVIOUS, REL_TRACE, REL_PARENT};
	uint32_t n = batch_nrows(w->b);
	int64_t *best = arena_alloc(w->arena, (size_t) n * sizeof(int64_t));
	int64_t *v = arena_alloc(w->arena, (size_t) n * sizeof(int64_t));
	uint64_t best_cost = UINT64_MAX;
	Relative relative = REL_NONE;

	for (int k = 0; k < 3; k++)
	{
		uint64_t c;

		start_differences(w, kinds[k], v);
		c = cost(v, n);
		if (c < best_cost)
		{
			int64_t *swap = best;

			best = v;
			v = swap;
			best_cost = c;
			relative = kinds[k];
		}
	}
	write_relative(w, LEVEL_SPAN, SC_START, relative, best, n, first);
}

/* ---- event times ---- */

static void
event_differences(Writer *w, Relative relative, int64_t *out)
{
	Batch *b = w->b;
	const int64_t *offset = batch_column(b, LEVEL_EVENT, EC_TIME)->i64;
	const int64_t *duration = batch_column(b, LEVEL_SPAN, SC_DURATION)->i64;
	const uint32_t *event_first = batch_event_first(b);

	for (uint32_t row = 0; row < batch_nrows(b); row++)
		for (uint32_t i = event_first[row]; i < event_first[row + 1]; i++)
		{
			uint64_t t = (uint64_t) offset[i];

			if (relative == REL_PREVIOUS && i > event_first[row])
				t -= (uint64_t) offset[i - 1];
			if (relative == REL_END)
				t = (uint64_t) duration[row] - t;
			out[i] = (int64_t) t;
		}
}

void
image_write_event_times(Writer *w, const uint32_t *first)
{
	static const Relative kinds[] = {REL_PREVIOUS, REL_END};
	const int64_t *plain = batch_column(w->b, LEVEL_EVENT, EC_TIME)->i64;
	uint32_t n = w->b->level[LEVEL_EVENT].nrows;
	int64_t *v[2];
	const int64_t *best = plain;
	uint64_t best_cost = cost(plain, n);
	Relative relative = REL_NONE;

	for (int k = 0; k < 2 && w->effort == CODEC_SMALL; k++)
	{
		uint64_t c;

		v[k] = arena_alloc(w->arena, (size_t) n * sizeof(int64_t));
		event_differences(w, kinds[k], v[k]);
		c = cost(v[k], n);
		if (c < best_cost)
		{
			best = v[k];
			best_cost = c;
			relative = kinds[k];
		}
	}
	write_relative(w, LEVEL_EVENT, EC_TIME, relative, best, n, first);
}
