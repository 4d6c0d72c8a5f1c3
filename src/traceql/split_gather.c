/*
 * split_gather.c
 *	  Putting split traces together: those released, newest first, in chunks of whole traces.
 *
 *	  A chunk opens the vectors that hold parts of its traces, and closes them again. Where only the newest
 *	  matches are asked for, chunks begin small, and traces too old to be wanted are left out.
 */
#include "traceql/split.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "utils/memutils.h"

/* Rows of a chunk: it ends with the trace that reaches this. */
#define CHUNK_ROWS       65536
#define FIRST_CHUNK_ROWS 512

void
split_gather_begin(Split *split)
{
	split->chunk_context = AllocSetContextCreate(split->context, "traceql chunk", ALLOCSET_DEFAULT_SIZES);
	split->chunk_rows = split->request.newest ? FIRST_CHUNK_ROWS : CHUNK_ROWS;
}

static void
close_chunk(Split *split)
{
	Source *source = split->source;

	while (split->nimages > 0)
		source->bytes_read += keeper_close(source->keeper, split->images[--split->nimages]);
	MemoryContextReset(split->chunk_context);
}

void
split_gather_end(Split *split)
{
	close_chunk(split);
}

void
split_select(Split *split, const uint32 *traces, uint32 n)
{
	memcpy(split->order, traces, n * sizeof(uint32));
	split->seen = split->ntraces;
	split->released = n;
	split->next = 0;
	split->request.newest = false;
}

/* ---- which traces ---- */

typedef struct ChunkRow
{
	uint64 start;
	RowRef ref; /* batch: index into Chunk.inputs */
} ChunkRow;

/* A vector that holds parts of the chunk's traces. */
typedef struct ChunkInput
{
	uint32 unit;
	uint32 vector;
	uint64 first_row;
	const ImageTraces *listed; /* recent batches */
} ChunkInput;

typedef struct Chunk
{
	Split *split;
	Arena *arena;
	uint32 ntraces;
	uint32 *traces; /* of the directory; by id in the end, as the directory is */
	uint32 nparts;
	uint32 *parts;
	uint32 ninputs;
	ChunkInput *inputs;
	Batch **batches;
	uint32 nrows;
	ChunkRow *rows; /* of one trace */
	uint32 nrefs;
	RowRef *refs;
	uint32 *first; /* of each trace: index into refs */
} Chunk;

static int
compare_numbers(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a;
	uint32 y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* Traces from the next one on until they have rows enough. */
static void
choose_traces(Chunk *chunk)
{
	Split *split = chunk->split;
	const SplitRequest *r = &split->request;
	uint64 rows = 0;

	chunk->traces = arena_alloc(chunk->arena, (split->released - split->next + 1) * sizeof(uint32));
	for (; split->next < split->released && rows < split->chunk_rows; split->next++)
	{
		uint32 t = split->order[split->next];

		if (r->newest &&
			!r->wanted(r->ctx, split_start(split, t), split_start(split, t), split_end(split, t)))
			continue;
		rows += split->directory->traces[t].nrows;
		chunk->nparts += split->directory->traces[t].nparts;
		chunk->traces[chunk->ntraces++] = t;
	}
	qsort(chunk->traces, chunk->ntraces, sizeof(uint32), compare_numbers);
	chunk->rows = arena_alloc(chunk->arena, (rows + 1) * sizeof(ChunkRow));
	chunk->refs = arena_alloc(chunk->arena, (rows + 1) * sizeof(RowRef));
}

/* ---- their vectors ---- */

static Batch *
open_recent(Chunk *chunk, ChunkInput *input)
{
	SplitRecent *recent = split_recent(chunk->split, input->unit);

	input->listed = recent->listed;
	input->first_row = image_vector_info(recent->kept->image, input->vector)->first_row;
	return split_recent_batch(chunk->split, recent, input->vector);
}

static Batch *
open_segment(Chunk *chunk, ChunkInput *input)
{
	Split *split = chunk->split;
	SourceUnit *unit = split_unit(split, input->unit);
	Image *image;

	/* Inputs come unit by unit. */
	if (chunk->ninputs == 1 || input[-1].unit != input->unit)
		split->images[split->nimages++] =
			keeper_open(split->source->keeper, unit->rel, split->source->snapshot, &unit->unit);
	image = split->images[split->nimages - 1]->image;
	input->first_row = image_vector_info(image, input->vector)->first_row;
	return image_vector(image, input->vector, chunk->arena);
}

/* Parts are numbered by unit and vector, so that sorted numbers bring each vector once. */
static void
open_inputs(Chunk *chunk)
{
	Split *split = chunk->split;
	const SplitDirectory *d = split->directory;
	uint32 n = 0;

	chunk->parts = arena_alloc(chunk->arena, (chunk->nparts + 1) * sizeof(uint32));
	for (uint32 i = 0; i < chunk->ntraces; i++)
	{
		const SplitTrace *trace = &d->traces[chunk->traces[i]];

		memcpy(chunk->parts + n, d->parts_of + trace->first_part, trace->nparts * sizeof(uint32));
		n += trace->nparts;
	}
	qsort(chunk->parts, chunk->nparts, sizeof(uint32), compare_numbers);
	chunk->inputs = arena_alloc(chunk->arena, (chunk->nparts + 1) * sizeof(ChunkInput));
	chunk->batches = arena_alloc(chunk->arena, (chunk->nparts + 1) * sizeof(Batch *));
	split->images = arena_alloc(chunk->arena, (chunk->nparts + 1) * sizeof(Kept *));
	for (uint32 i = 0; i < chunk->nparts; i++)
	{
		const SplitPart *part = &d->parts[chunk->parts[i]];
		ChunkInput *input = &chunk->inputs[chunk->ninputs];

		if (i > 0 && part->unit == input[-1].unit && part->vector == input[-1].vector)
			continue;
		query_check_memory(split->source->context);
		*input = (ChunkInput){.unit = part->unit, .vector = part->vector};
		chunk->ninputs++;
		chunk->batches[chunk->ninputs - 1] = split_unit(split, part->unit)->unit.kind == UNIT_RECENT
												 ? open_recent(chunk, input)
												 : open_segment(chunk, input);
	}
}

static uint32
find_input(const Chunk *chunk, const SplitPart *part)
{
	uint32 lo = 0;

	for (uint32 hi = chunk->ninputs; lo < hi;)
	{
		uint32 mid = lo + (hi - lo) / 2;
		const ChunkInput *input = &chunk->inputs[mid];

		if (input->unit < part->unit || (input->unit == part->unit && input->vector < part->vector))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- their rows ---- */

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

static void
take_part(Chunk *chunk, const SplitPart *part)
{
	Split *split = chunk->split;
	const SourceUnit *unit = split_unit(split, part->unit);
	uint32 i = find_input(chunk, part);
	const ChunkInput *input = &chunk->inputs[i];
	Batch *batch = chunk->batches[i];
	const int64 *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const uint32 *rows = input->listed ? input->listed->rows + input->listed->traces[part->at].first : NULL;

	for (uint32 k = 0; k < part->n; k++)
	{
		uint32 r = rows ? rows[k] : batch->trace_first[part->at] + k;

		if (source_sees(unit, input->first_row + r))
			chunk->rows[chunk->nrows++] = (ChunkRow){(uint64) start[r], {i, r}};
	}
}

/* The rows of a trace to refs, each span once. */
static void
fold_rows(Chunk *chunk)
{
	RowRef *refs = chunk->refs + chunk->nrefs;

	if (chunk->nrows == 0)
		return;
	qsort(chunk->rows, chunk->nrows, sizeof(ChunkRow), compare_rows);
	for (uint32 i = 0; i < chunk->nrows; i++)
		refs[i] = chunk->rows[i].ref;
	chunk->nrefs += batch_fold(chunk->arena, chunk->batches, refs, chunk->nrows);
}

static void
take_rows(Chunk *chunk)
{
	const SplitDirectory *d = chunk->split->directory;

	chunk->first = arena_alloc(chunk->arena, (chunk->ntraces + 1) * sizeof(uint32));
	for (uint32 i = 0; i < chunk->ntraces; i++)
	{
		const SplitTrace *trace = &d->traces[chunk->traces[i]];

		CHECK_FOR_INTERRUPTS();
		chunk->first[i] = chunk->nrefs;
		chunk->nrows = 0;
		for (uint32 k = 0; k < trace->nparts; k++)
			take_part(chunk, &d->parts[d->parts_of[trace->first_part + k]]);
		fold_rows(chunk);
	}
	chunk->first[chunk->ntraces] = chunk->nrefs;
}

/*
 * What batch_make_traces() would make, out of what is known already: without it no column has to be read.
 * TC_SPLIT is left 0; evaluation finds roots by itself.
 */
static void
set_traces(const Chunk *chunk, Batch *batch)
{
	const Split *split = chunk->split;
	uint32 n = chunk->ntraces;
	RowSet *level = &batch->level[LEVEL_TRACE];

	level->nrows = n;
	level->ncolumns = TC_COUNT;
	level->columns = arena_alloc(batch->arena, TC_COUNT * sizeof(Column));
	for (int c = 0; c < TC_COUNT; c++)
		column_allocate(batch->arena, &level->columns[c], c == TC_ID ? COL_FIXED : COL_I64,
						c == TC_ID ? 16 : 0, n);
	for (uint32 i = 0; i < n; i++)
	{
		uint32 t = chunk->traces[i];

		memcpy(level->columns[TC_ID].fixed + 16 * (Size) i, split->directory->traces[t].id, 16);
		level->columns[TC_ROOT].i64[i] = TRACE_ROOT_UNKNOWN;
		level->columns[TC_START].i64[i] = (int64) split_start(split, t);
		level->columns[TC_DURATION].i64[i] = (int64) (split_end(split, t) - split_start(split, t));
	}
	batch->trace_first = chunk->first;
	batch->sorted = true;
}

static Batch *
gather(Chunk *chunk)
{
	Batch *batch;

	open_inputs(chunk);
	take_rows(chunk);
	batch = batch_gather_lazy(chunk->arena, chunk->batches, chunk->ninputs, chunk->refs, chunk->nrefs);
	set_traces(chunk, batch);
	return batch;
}

bool
split_peek(const Split *split, uint64 *start)
{
	if (split->next >= split->released)
		return false;
	*start = split_start(split, split->order[split->next]);
	return true;
}

Batch *
split_next(Split *split)
{
	Chunk chunk = {.split = split};
	MemoryContext old;
	Batch *batch;

	close_chunk(split);
	query_check_memory(split->source->context);
	old = MemoryContextSwitchTo(split->chunk_context);
	chunk.arena = store_arena(split->chunk_context);
	choose_traces(&chunk);
	batch = chunk.ntraces ? gather(&chunk) : NULL;
	split->chunk = chunk.traces;
	split->nchunk = chunk.ntraces;
	split->chunk_rows = Min(split->chunk_rows * 4, CHUNK_ROWS);
	MemoryContextSwitchTo(old);
	return batch;
}
