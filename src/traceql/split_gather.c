/*
 * split_gather.c
 *	  Putting split traces together: those that may match, newest first, in chunks of whole traces.
 *
 *	  A chunk opens the vectors that hold parts of its traces, and closes them again. Where only the newest
 *	  matches are asked for, chunks begin small, and end when what is left is too old to be wanted.
 */
#include "traceql/split.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "utils/memutils.h"

/* Rows of a chunk: it ends with the trace that reaches this. */
#define CHUNK_ROWS       65536
#define FIRST_CHUNK_ROWS 512

static bool
may_match(const SplitRequest *r, const SplitTrace *trace)
{
	if (r->run && (trace->bits & r->need) != r->need)
		return false;
	return (!r->has_from || trace->end >= (uint64) r->from) && (!r->has_to || trace->start <= (uint64) r->to);
}

/* A tenant's traces together, because two of one id must not meet in a chunk; newest first. */
static int
compare_traces(const void *a, const void *b)
{
	const SplitTrace *x = *(SplitTrace *const *) a;
	const SplitTrace *y = *(SplitTrace *const *) b;

	if (x->key.tenant != y->key.tenant)
		return x->key.tenant < y->key.tenant ? -1 : 1;
	if (x->start != y->start)
		return x->start > y->start ? -1 : 1;
	return memcmp(x->key.id, y->key.id, 16);
}

static void
order_traces(Split *split)
{
	HASH_SEQ_STATUS seq;
	SplitTrace *trace;

	split->order = MemoryContextAllocHuge(split->context, (split_count(split) + 1) * sizeof(SplitTrace *));
	hash_seq_init(&seq, split->traces);
	while ((trace = hash_seq_search(&seq)) != NULL)
		if (trace->n > 0 && may_match(&split->request, trace))
			split->order[split->ntraces++] = trace;
	qsort(split->order, split->ntraces, sizeof(SplitTrace *), compare_traces);
}

/* Rows of each trace that may match next to each other; the others go. */
static void
deal_rows(Split *split)
{
	SplitRow *dealt;
	uint64 at = 0;

	for (uint64 t = 0; t < split->ntraces; t++)
	{
		split->order[t]->first = at;
		at += split->order[t]->n;
		split->order[t]->n = 0;
		split->order[t]->kept = true;
	}
	dealt = MemoryContextAllocHuge(split->context, (at + 1) * sizeof(SplitRow));
	for (uint64 i = 0; i < split->nrows; i++)
	{
		SplitTrace *trace = split->rows[i].trace;

		if (trace->kept)
			dealt[trace->first + trace->n++] = split->rows[i];
	}
	if (split->rows)
		pfree(split->rows);
	split->rows = dealt;
	split->nrows = at;
}

void
split_prepare(Split *split)
{
	split->chunk_context = AllocSetContextCreate(split->context, "traceql chunk", ALLOCSET_DEFAULT_SIZES);
	split->chunk_rows = split->request.newest ? FIRST_CHUNK_ROWS : CHUNK_ROWS;
	order_traces(split);
	deal_rows(split);
}

void
split_select(Split *split, const uint8 *ids, uint32 n)
{
	uint64 kept = 0;

	for (uint64 t = 0; t < split->ntraces; t++)
	{
		const uint8 *id = split->order[t]->key.id;
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
			split->order[kept++] = split->order[t];
	}
	split->ntraces = kept;
	split->next = 0;
}

/* ---- chunks ---- */

typedef struct ChunkRow
{
	const SplitTrace *trace;
	uint64 start;
	RowRef ref; /* batch: index into Chunk.inputs */
} ChunkRow;

typedef struct Chunk
{
	Split *split;
	Arena *arena;
	uint32 *number; /* of each input of the split in this chunk, plus one */
	Batch **inputs;
	uint32 ninputs;
	SourceUnit *unit; /* opened last */
	Image *image;
	ChunkRow *rows;
	uint32 nrows;
} Chunk;

/* The traces of the next chunk are order[next .. end). Of a tenant's, older ones than unwanted are too. */
static uint64
chunk_end(Split *split)
{
	const SplitRequest *r = &split->request;
	uint64 end = split->next;
	uint64 rows = 0;

	while (end < split->ntraces && rows < split->chunk_rows)
	{
		const SplitTrace *trace = split->order[end];

		if (end > split->next && trace->key.tenant != split->order[end - 1]->key.tenant)
			break;
		if (r->newest && !r->wanted(r->ctx, trace->start, trace->start, trace->end))
		{
			if (end > split->next)
				break;
			split->next = ++end;
			continue;
		}
		rows += trace->n;
		end++;
	}
	return end;
}

static Batch *
open_input(Chunk *chunk, uint32 i)
{
	SplitInput *input = &chunk->split->inputs[i];

	if (input->batch)
		return input->batch;
	query_check_memory(chunk->split->context);
	if (chunk->unit != input->unit)
		chunk->image =
			store_open(input->unit->rel, chunk->split->source->snapshot, &input->unit->unit, chunk->arena);
	chunk->unit = input->unit;
	return image_vector(chunk->image, input->vector, chunk->arena);
}

static int
compare_inputs(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* Open the vectors in order, so that every image is opened once. */
static void
open_inputs(Chunk *chunk, uint64 end)
{
	Split *split = chunk->split;
	uint32 *wanted = arena_alloc(chunk->arena, (split->ninputs + 1) * sizeof(uint32));

	chunk->number = arena_alloc0(chunk->arena, (split->ninputs + 1) * sizeof(uint32));
	chunk->inputs = arena_alloc(chunk->arena, (split->ninputs + 1) * sizeof(Batch *));
	for (uint64 t = split->next; t < end; t++)
	{
		for (uint64 i = 0; i < split->order[t]->n; i++)
		{
			uint32 input = split->rows[split->order[t]->first + i].ref.batch;

			if (chunk->number[input] == 0)
				wanted[chunk->ninputs++] = input;
			chunk->number[input] = 1;
		}
	}
	qsort(wanted, chunk->ninputs, sizeof(uint32), compare_inputs);
	for (uint32 k = 0; k < chunk->ninputs; k++)
	{
		chunk->number[wanted[k]] = k + 1;
		chunk->inputs[k] = open_input(chunk, wanted[k]);
	}
}

/* By trace, then by start. */
static int
compare_rows(const void *a, const void *b)
{
	const ChunkRow *x = a;
	const ChunkRow *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->ref.batch != y->ref.batch)
		return x->ref.batch < y->ref.batch ? -1 : 1;
	return (x->ref.row > y->ref.row) - (x->ref.row < y->ref.row);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp((*(SplitTrace *const *) a)->key.id, (*(SplitTrace *const *) b)->key.id, 16);
}

static void
take_rows(Chunk *chunk, const SplitTrace *trace)
{
	Split *split = chunk->split;
	ChunkRow *rows = chunk->rows + chunk->nrows;

	CHECK_FOR_INTERRUPTS();
	for (uint64 i = 0; i < trace->n; i++)
	{
		RowRef ref = split->rows[trace->first + i].ref;
		uint32 input = chunk->number[ref.batch] - 1;

		rows[i].trace = trace;
		rows[i].start = (uint64) batch_column(chunk->inputs[input], LEVEL_SPAN, SC_START)->i64[ref.row];
		rows[i].ref = (RowRef){input, ref.row};
	}
	qsort(rows, trace->n, sizeof(ChunkRow), compare_rows);
	chunk->nrows += (uint32) trace->n;
}

/*
 * What batch_make_traces() would make, out of what is known already: without it no column has to be read.
 * TC_ROOT and TC_SPLIT are left 0; evaluation finds roots by itself.
 */
static void
set_traces(Split *split, uint64 end, Batch *batch)
{
	uint32 n = (uint32) (end - split->next);
	RowSet *level = &batch->level[LEVEL_TRACE];
	uint32 row = 0;

	level->nrows = n;
	level->ncolumns = TC_COUNT;
	level->columns = arena_alloc(batch->arena, TC_COUNT * sizeof(Column));
	for (int c = 0; c < TC_COUNT; c++)
		column_allocate(batch->arena, &level->columns[c], c == TC_ID ? COL_FIXED : COL_I64,
						c == TC_ID ? 16 : 0, n);
	batch->trace_first = arena_alloc(batch->arena, (n + 1) * sizeof(uint32));
	for (uint32 t = 0; t < n; t++)
	{
		const SplitTrace *trace = split->order[split->next + t];

		memcpy(level->columns[TC_ID].fixed + 16 * (size_t) t, trace->key.id, 16);
		level->columns[TC_START].i64[t] = (int64) trace->start;
		level->columns[TC_DURATION].i64[t] = (int64) (trace->end - trace->start);
		batch->trace_first[t] = row;
		row += (uint32) trace->n;
	}
	batch->trace_first[n] = row;
	batch->sorted = true;
}

static Batch *
make_chunk(Split *split, uint64 end)
{
	Chunk chunk = {.split = split, .arena = store_arena(split->chunk_context)};
	uint64 rows = 0;
	RowRef *refs;
	Batch *batch;

	for (uint64 t = split->next; t < end; t++)
		rows += split->order[t]->n;
	open_inputs(&chunk, end);
	chunk.rows = arena_alloc(chunk.arena, (rows + 1) * sizeof(ChunkRow));
	qsort(split->order + split->next, end - split->next, sizeof(SplitTrace *), compare_ids);
	for (uint64 t = split->next; t < end; t++)
		take_rows(&chunk, split->order[t]);
	refs = arena_alloc(chunk.arena, (rows + 1) * sizeof(RowRef));
	for (uint32 i = 0; i < chunk.nrows; i++)
		refs[i] = chunk.rows[i].ref;
	batch = batch_gather_lazy(chunk.arena, chunk.inputs, chunk.ninputs, refs, chunk.nrows);
	set_traces(split, end, batch);
	return batch;
}

bool
split_peek(const Split *split, uint64 *start)
{
	if (split->next >= split->ntraces)
		return false;
	*start = split->order[split->next]->start;
	return true;
}

Batch *
split_next(Split *split)
{
	MemoryContext old;
	Batch *batch;
	uint64 end;

	MemoryContextReset(split->chunk_context);
	query_check_memory(split->context);
	end = chunk_end(split);
	if (end == split->next)
		return NULL;
	old = MemoryContextSwitchTo(split->chunk_context);
	batch = make_chunk(split, end);
	split->next = end;
	split->chunk_rows = Min(split->chunk_rows * 4, CHUNK_ROWS);
	MemoryContextSwitchTo(old);
	return batch;
}
