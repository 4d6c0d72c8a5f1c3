/*
 * batch_sort.c
 *	  Rows by trace, traces by their start, and the table of traces of rows in that order.
 *
 * Spans of a trace come together soon, so there are far fewer traces than spans: trace ids are numbered
 * by hashing, the traces sorted, the spans dealt out to their traces by counting, and only then sorted by
 * start within each trace, where a handful are left.
 */
#include "span/batch.h"
#include "span/intern.h"

#include <stdlib.h>

typedef struct TraceKey
{
	uint64_t hi; /* the id as two big-endian numbers */
	uint64_t lo;
	uint64_t start; /* the earliest of its spans */
	uint32_t number;
	uint32_t spans;
} TraceKey;

typedef struct TraceTable
{
	TraceKey *keys;
	uint32_t n;
	uint32_t cap;
	uint32_t *slots; /* number + 1, 0 is free */
	uint32_t mask;
	uint64_t seed;
} TraceTable;

typedef struct StartRef
{
	uint64_t start;
	RowRef ref;
} StartRef;

static uint64_t
load_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static uint32_t
free_slot(const TraceTable *t, uint64_t hi, uint64_t lo)
{
	uint32_t i = (uint32_t) intern_mix(hi ^ t->seed, lo ^ 0x9e3779b97f4a7c15ULL) & t->mask;

	while (t->slots[i] != 0 && (t->keys[t->slots[i] - 1].hi != hi || t->keys[t->slots[i] - 1].lo != lo))
		i = (i + 1) & t->mask;
	return i;
}

static void
grow_table(TraceTable *t, Arena *arena)
{
	uint32_t cap = t->cap ? t->cap * 2 : 256;

	t->keys = arena_grow(arena, t->keys, sizeof(TraceKey) * (size_t) t->cap, sizeof(TraceKey) * (size_t) cap);
	t->cap = cap;
	t->mask = cap * 2 - 1;
	t->slots = arena_alloc0(arena, sizeof(uint32_t) * ((size_t) t->mask + 1));
	for (uint32_t i = 0; i < t->n; i++)
		t->slots[free_slot(t, t->keys[i].hi, t->keys[i].lo)] = i + 1;
}

static uint32_t
trace_number(TraceTable *t, Arena *arena, const uint8_t *id)
{
	uint64_t hi = load_be64(id);
	uint64_t lo = load_be64(id + 8);
	uint32_t slot;

	if (t->n == t->cap)
		grow_table(t, arena);
	slot = free_slot(t, hi, lo);
	if (t->slots[slot] == 0)
	{
		TraceKey *k = &t->keys[t->n++];

		k->hi = hi;
		k->lo = lo;
		k->start = UINT64_MAX;
		k->number = t->n - 1;
		k->spans = 0;
		t->slots[slot] = t->n;
	}
	return t->slots[slot] - 1;
}

static int
key_cmp(const void *a, const void *b)
{
	const TraceKey *x = a;
	const TraceKey *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void
insertion_sort_keys(TraceKey *k, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
	{
		TraceKey moving = k[i];
		uint32_t j = i;

		for (; j > 0 && key_cmp(&k[j - 1], &moving) > 0; j--)
			k[j] = k[j - 1];
		k[j] = moving;
	}
}

/* How far down a start minus the least one has to be shifted to be the number of one of 2^bits buckets. */
static int
bucket_shift(const TraceTable *t, int bits, uint64_t *least)
{
	uint64_t most = 0;
	int shift = 0;

	*least = UINT64_MAX;
	for (uint32_t i = 0; i < t->n; i++)
	{
		*least = t->keys[i].start < *least ? t->keys[i].start : *least;
		most = t->keys[i].start > most ? t->keys[i].start : most;
	}
	while (t->n && (most - *least) >> shift >> bits)
		shift++;
	return shift;
}

/* Starts are mostly spread evenly: deal the traces out by time, then few are left in each bucket. */
static TraceKey *
sort_keys(const TraceTable *t, Arena *arena)
{
	int bits = 1, shift;
	uint32_t *end;
	uint64_t least;
	TraceKey *out = arena_alloc(arena, sizeof(TraceKey) * ((size_t) t->n + 1));

	while (bits < 20 && (4u << bits) < t->n)
		bits++;
	shift = bucket_shift(t, bits, &least);
	end = arena_alloc0(arena, sizeof(uint32_t) * ((1u << bits) + 1));
	for (uint32_t i = 0; i < t->n; i++)
		end[((t->keys[i].start - least) >> shift) + 1]++;
	for (uint32_t b = 0; b < 1u << bits; b++)
		end[b + 1] += end[b];
	for (uint32_t i = 0; i < t->n; i++)
		out[end[(t->keys[i].start - least) >> shift]++] = t->keys[i];
	for (uint32_t b = 0; b < 1u << bits; b++)
	{
		uint32_t from = b ? end[b - 1] : 0;

		if (end[b] - from <= 32)
			insertion_sort_keys(out + from, end[b] - from);
		else
			qsort(out + from, end[b] - from, sizeof(TraceKey), key_cmp);
	}
	return out;
}

static int
start_cmp(const void *a, const void *b)
{
	const StartRef *x = a;
	const StartRef *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->ref.batch != y->ref.batch)
		return x->ref.batch < y->ref.batch ? -1 : 1;
	return (x->ref.row > y->ref.row) - (x->ref.row < y->ref.row);
}

static void
sort_starts(StartRef *s, uint32_t n)
{
	if (n > 48)
	{
		qsort(s, n, sizeof(StartRef), start_cmp);
		return;
	}
	/* they come in (input, row) order, so a stable sort by start alone is enough */
	for (uint32_t i = 1; i < n; i++)
	{
		StartRef moving = s[i];
		uint32_t j = i;

		for (; j > 0 && s[j - 1].start > moving.start; j--)
			s[j] = s[j - 1];
		s[j] = moving;
	}
}

static uint32_t
total_rows(Batch **inputs, uint32_t ninputs)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ninputs; i++)
		n += batch_nrows(inputs[i]);
	return n;
}

/* Number the traces; of[i] is the trace of the i-th row of all inputs. */
static void
number_traces(TraceTable *t, Arena *arena, Batch **inputs, uint32_t ninputs, uint32_t *of)
{
	for (uint32_t b = 0; b < ninputs; b++)
	{
		const uint8_t *ids = batch_column(inputs[b], LEVEL_SPAN, SC_TRACE_ID)->fixed;
		const int64_t *starts = batch_column(inputs[b], LEVEL_SPAN, SC_START)->i64;
		uint32_t n = batch_nrows(inputs[b]);

		for (uint32_t r = 0; r < n; r++)
		{
			uint32_t trace = trace_number(t, arena, ids + 16 * (size_t) r);
			TraceKey *k = &t->keys[trace];

			*of++ = trace;
			k->spans++;
			k->start = (uint64_t) starts[r] < k->start ? (uint64_t) starts[r] : k->start;
		}
	}
}

/* Put every row at its trace's place; place[] is by trace number and is advanced. */
static void
deal_rows(Batch **inputs, uint32_t ninputs, const uint32_t *of, uint32_t *place, StartRef *out)
{
	for (uint32_t b = 0; b < ninputs; b++)
	{
		const int64_t *starts = batch_column(inputs[b], LEVEL_SPAN, SC_START)->i64;
		uint32_t n = batch_nrows(inputs[b]);

		for (uint32_t r = 0; r < n; r++)
		{
			StartRef *s = &out[place[*of++]++];

			s->start = (uint64_t) starts[r];
			s->ref.batch = b;
			s->ref.row = r;
		}
	}
}

RowRef *
batch_sort(Arena *arena, Batch **inputs, uint32_t ninputs, uint32_t *nrows)
{
	Arena *scratch = arena_create_like(arena, 0);
	TraceTable t = {.seed = intern_seed()};
	uint32_t n = total_rows(inputs, ninputs);
	uint32_t *of = arena_alloc(scratch, sizeof(uint32_t) * ((size_t) n + 1));
	StartRef *dealt = arena_alloc(scratch, sizeof(StartRef) * ((size_t) n + 1));
	RowRef *out = arena_alloc(arena, sizeof(RowRef) * ((size_t) n + 1));
	TraceKey *sorted;
	uint32_t *place;
	uint32_t at = 0;

	number_traces(&t, scratch, inputs, ninputs, of);
	sorted = sort_keys(&t, scratch);
	place = arena_alloc(scratch, sizeof(uint32_t) * ((size_t) t.n + 1));
	for (uint32_t i = 0; i < t.n; at += sorted[i].spans, i++)
		place[sorted[i].number] = at;
	deal_rows(inputs, ninputs, of, place, dealt);
	at = 0;
	for (uint32_t i = 0; i < t.n; at += sorted[i].spans, i++)
		sort_starts(dealt + at, sorted[i].spans);
	for (uint32_t i = 0; i < n; i++)
		out[i] = dealt[i].ref;
	arena_destroy(scratch);
	*nrows = n;
	return out;
}

/* ---- the table of traces ---- */

/*
 * A parentless span is no root when it carries a link that says it is the child of a span of its own
 * trace: the way some OpenTracing bridges report the parent.
 */
static bool
linked_to_parent(Batch *b, const AttrColumn *ref_type, uint32_t row)
{
	const uint32_t *first = batch_link_first(b);
	const Column *link_ids = batch_column(b, LEVEL_LINK, LC_TRACE_ID);
	const uint8_t *ids = batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	Str id = str_of((const char *) ids + 16 * (size_t) row, 16);

	for (uint32_t k = first[row]; k < first[row + 1]; k++)
	{
		int64_t at = attr_position(ref_type, k);

		if (at >= 0 && str_eq(column_str(&ref_type->values, (uint32_t) at), str_lit("child_of")) &&
			str_eq(column_str(link_ids, k), id))
			return true;
	}
	return false;
}

/*
 * Row after the root within the rows [from, to), 0 when there is none. Of several the one that starts last
 * counts, and of those that start at the same instant the one with the largest id: the same whatever order
 * the spans came in.
 */
static uint32_t
find_root(Batch *b, const AttrColumn *ref_type, uint32_t from, uint32_t to)
{
	const int64_t *parents = batch_column(b, LEVEL_SPAN, SC_PARENT_ID)->i64;
	const int64_t *starts = batch_column(b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *ids = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64;
	uint32_t root = 0;

	for (uint32_t r = to; r > from; r--)
	{
		if (root && starts[r - 1] != starts[from + root - 1])
			break;
		if (parents[r - 1] == 0 && (!root || (uint64_t) ids[r - 1] > (uint64_t) ids[from + root - 1]) &&
			(ref_type == NULL || !linked_to_parent(b, ref_type, r - 1)))
			root = r - from;
	}
	return root;
}

static uint32_t
mark_traces(Batch *b)
{
	const uint8_t *ids = batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	uint32_t n = batch_nrows(b);
	uint32_t ntraces = 0;

	b->trace_first = arena_alloc(b->arena, sizeof(uint32_t) * ((size_t) n + 1));
	for (uint32_t r = 0; r < n; r++)
		if (r == 0 || memcmp(ids + 16 * (size_t) r, ids + 16 * (size_t) (r - 1), 16) != 0)
			b->trace_first[ntraces++] = r;
	b->trace_first[ntraces] = n;
	return ntraces;
}

static void
describe_trace(Batch *b, const AttrColumn *ref_type, uint32_t t)
{
	Column *out = b->level[LEVEL_TRACE].columns;
	const int64_t *starts = batch_column(b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *durations = batch_column(b, LEVEL_SPAN, SC_DURATION)->i64;
	const uint8_t *ids = batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	uint32_t from = b->trace_first[t];
	uint32_t to = b->trace_first[t + 1];
	uint64_t first = (uint64_t) starts[from];
	uint64_t last = 0;

	for (uint32_t r = from; r < to; r++)
	{
		uint64_t end = (uint64_t) starts[r] + (uint64_t) durations[r];

		if (end > last)
			last = end;
	}
	memcpy(out[TC_ID].fixed + 16 * (size_t) t, ids + 16 * (size_t) from, 16);
	out[TC_START].i64[t] = (int64_t) first;
	out[TC_DURATION].i64[t] = (int64_t) (last - first);
	out[TC_ROOT].i64[t] = find_root(b, ref_type, from, to);
}

void
batch_make_traces(Batch *b)
{
	RowSet *rows = &b->level[LEVEL_TRACE];
	const AttrColumn *ref_type;
	int ref;

	(void) batch_link_first(b);
	ref = batch_attr_find(b, LEVEL_LINK, str_lit("opentracing.ref_type"), VALUE_STRING, 0);
	ref_type = ref < 0 ? NULL : batch_attr_rows(b, LEVEL_LINK, (uint32_t) ref);
	rows->nrows = mark_traces(b);
	rows->ncolumns = TC_COUNT;
	rows->columns = arena_alloc(b->arena, sizeof(Column) * TC_COUNT);
	for (int c = 0; c < TC_COUNT; c++)
		column_allocate(b->arena, &rows->columns[c], c == TC_ID ? COL_FIXED : COL_I64, c == TC_ID ? 16 : 0,
						rows->nrows);
	for (uint32_t t = 0; t < rows->nrows; t++)
		describe_trace(b, ref_type, t);
	b->sorted = true;
}
