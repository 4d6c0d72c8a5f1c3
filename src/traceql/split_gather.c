/*
 * split_gather.c
 *	  Putting split traces together: rows of those that may match, sorted, in chunks of whole traces.
 */
#include "traceql/split.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "utils/memutils.h"

#define CHUNK_ROWS 65536 /* a chunk ends with the trace that reaches this */

static bool
may_match(const SplitRequest *r, const SplitTrace *trace)
{
	if (r->run && (trace->bits & r->need) != r->need)
		return false;
	return (!r->has_from || trace->end >= (uint64) r->from) && (!r->has_to || trace->start <= (uint64) r->to);
}

static void
keep_candidates(Split *split)
{
	uint64 n = 0;

	for (uint64 i = 0; i < split->nrows; i++)
	{
		if (!may_match(&split->request, split->rows[i].trace))
			continue;
		split->inputs[split->rows[i].ref.batch].used = true;
		split->rows[n++] = split->rows[i];
	}
	split->nrows = n;
}

/* ---- sorting ---- */

static int
compare_traces(const void *a, const void *b)
{
	const SplitKey *x = &(*(SplitTrace *const *) a)->key;
	const SplitKey *y = &(*(SplitTrace *const *) b)->key;
	int c = memcmp(x->id, y->id, 16);

	return c ? c : (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

static int
compare_rows(const void *a, const void *b)
{
	const SplitRow *x = a;
	const SplitRow *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->ref.batch != y->ref.batch)
		return x->ref.batch < y->ref.batch ? -1 : 1;
	return (x->ref.row > y->ref.row) - (x->ref.row < y->ref.row);
}

/* The traces that have rows, by id and tenant. */
static SplitTrace **
sorted_traces(Split *split, uint64 *n)
{
	SplitTrace **traces =
		MemoryContextAllocHuge(split->context, (split_count(split) + 1) * sizeof(SplitTrace *));

	*n = 0;
	for (uint64 i = 0; i < split->nrows; i++)
	{
		SplitTrace *trace = split->rows[i].trace;

		trace->n++;
		if (!trace->seen)
			traces[(*n)++] = trace;
		trace->seen = true;
	}
	qsort(traces, *n, sizeof(SplitTrace *), compare_traces);
	return traces;
}

/* By trace, then by start. Traces are far fewer than rows: sort them, deal the rows out, sort within each. */
static void
sort_rows(Split *split)
{
	SplitRow *sorted = MemoryContextAllocHuge(split->context, (split->nrows + 1) * sizeof(SplitRow));
	uint64 ntraces;
	SplitTrace **traces = sorted_traces(split, &ntraces);
	uint64 at = 0;

	for (uint64 t = 0; t < ntraces; t++)
	{
		uint64 n = traces[t]->n;

		traces[t]->n = at;
		at += n;
	}
	for (uint64 i = 0; i < split->nrows; i++)
		sorted[split->rows[i].trace->n++] = split->rows[i];
	for (uint64 t = 0, from = 0; t < ntraces; from = traces[t++]->n)
	{
		CHECK_FOR_INTERRUPTS();
		qsort(sorted + from, traces[t]->n - from, sizeof(SplitRow), compare_rows);
	}
	pfree(traces);
	pfree(split->rows);
	split->rows = sorted;
}

/* ---- inputs ---- */

/* Vectors of segments again, those with rows kept; the vectors of a segment stand together. */
static void
open_inputs(Split *split)
{
	Arena *arena = store_arena(split->context);
	SourceUnit *unit = NULL;
	Image *image = NULL;

	split->batches = arena_alloc0(arena, (split->ninputs + 1) * sizeof(Batch *));
	for (uint32 i = 0; i < split->ninputs; i++)
	{
		SplitInput *input = &split->inputs[i];

		if (input->used && !input->batch)
		{
			query_check_memory(split->context);
			if (input->unit != unit)
				image = store_open(input->unit->rel, split->source->snapshot, &input->unit->unit, arena);
			unit = input->unit;
			input->batch = image_vector(image, input->vector, arena);
		}
		split->batches[i] = input->batch;
	}
}

static void
read_starts(Split *split)
{
	for (uint64 i = 0; i < split->nrows; i++)
	{
		SplitRow *row = &split->rows[i];

		row->start =
			(uint64) batch_column(split->batches[row->ref.batch], LEVEL_SPAN, SC_START)->i64[row->ref.row];
	}
}

void
split_prepare(Split *split)
{
	keep_candidates(split);
	split->chunk_context = AllocSetContextCreate(split->context, "traceql chunk", ALLOCSET_DEFAULT_SIZES);
	if (split->nrows == 0)
		return;
	open_inputs(split);
	read_starts(split);
	sort_rows(split);
}

/* ---- chunks ---- */

/* Two traces of one id but different tenants are neighbours, and must not be taken for one. */
static uint64
chunk_end(const Split *split)
{
	uint64 end = split->next;

	while (end < split->nrows)
	{
		const SplitTrace *trace = split->rows[end].trace;

		if (end > split->next && trace != split->rows[end - 1].trace &&
			(end - split->next >= CHUNK_ROWS ||
			 memcmp(trace->key.id, split->rows[end - 1].trace->key.id, 16) == 0))
			break;
		end++;
	}
	return end;
}

/* The vectors that rows [from, to) are in, numbered anew in refs. */
static uint32
chunk_inputs(const Split *split, uint64 from, uint64 to, Arena *arena, RowRef *refs, Batch ***inputs)
{
	uint32 *number = arena_alloc0(arena, (split->ninputs + 1) * sizeof(uint32));
	uint32 n = 0;

	*inputs = arena_alloc(arena, (split->ninputs + 1) * sizeof(Batch *));
	for (uint64 i = from; i < to; i++)
	{
		uint32 input = split->rows[i].ref.batch;

		if (number[input] == 0)
		{
			(*inputs)[n] = split->batches[input];
			number[input] = ++n;
		}
		refs[i - from] = (RowRef){number[input] - 1, split->rows[i].ref.row};
	}
	return n;
}

Batch *
split_next(Split *split)
{
	uint64 end = chunk_end(split);
	uint64 n = end - split->next;
	MemoryContext old;
	Arena *arena;
	RowRef *refs;
	Batch **inputs;
	Batch *batch;
	uint32 ninputs;

	MemoryContextReset(split->chunk_context);
	if (n == 0)
		return NULL;
	query_check_memory(split->context);
	old = MemoryContextSwitchTo(split->chunk_context);
	arena = store_arena(split->chunk_context);
	refs = arena_alloc(arena, n * sizeof(RowRef));
	ninputs = chunk_inputs(split, split->next, end, arena, refs, &inputs);
	batch = batch_gather_lazy(arena, inputs, ninputs, refs, (uint32) n);
	batch_make_traces(batch);
	split->next = end;
	MemoryContextSwitchTo(old);
	return batch;
}

void
split_select(Split *split, const uint8 *ids, uint32 n)
{
	uint64 kept = 0;

	for (uint64 i = 0; i < split->nrows; i++)
	{
		const uint8 *id = split->rows[i].trace->key.id;
		uint32 lo = 0;

		for (uint32 hi = n; lo < hi;)
		{
			uint32 mid = lo + (hi - lo) / 2;

			if (memcmp(ids + 16 * (size_t) mid, id, 16) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < n && memcmp(ids + 16 * (size_t) lo, id, 16) == 0)
			split->rows[kept++] = split->rows[i];
	}
	split->nrows = kept;
	split->next = 0;
}
