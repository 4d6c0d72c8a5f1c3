/*
 * split.c
 *	  Traces that are not whole in one segment. Their ids come from recent batches and from the marks merges
 *	  leave; a mark stands in the younger segment only, so every segment is then asked for every id: by its
 *	  bloom filter when there are few ids, else by going through its trace ids.
 *
 *	  A trace overlaps a time range as a whole, so its parts are looked for in all of time.
 */
#include "traceql/source.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "utils/memutils.h"

#define CHUNK_ROWS 65536 /* a chunk ends with the trace that reaches this */
#define PROBE_COST 20    /* reading the trace ids of a vector costs about so many bloom probes */

typedef struct SplitKey
{
	uint8 id[16];
	int32 tenant;
} SplitKey;

typedef struct SplitTrace
{
	SplitKey key;
	uint64 start; /* over all parts */
	uint64 end;
	uint64 n;  /* rows, then where the next one goes */
	bool seen; /* among the rows kept */
} SplitTrace;

typedef struct SplitRow
{
	SplitTrace *trace;
	uint64 start;
	RowRef ref;
} SplitRow;

struct Split
{
	Source *source;
	MemoryContext context;
	HTAB *traces;
	uint32 ninputs;
	uint32 cap_inputs;
	Batch **inputs;
	uint64 nrows;
	uint64 cap_rows;
	SplitRow *rows;
	uint64 next;
	MemoryContext chunk_context;
};

static SplitTrace *
split_enter(Split *split, int tenant, const uint8 *id)
{
	SplitKey key;
	SplitTrace *trace;
	bool found;

	memset(&key, 0, sizeof(key));
	memcpy(key.id, id, sizeof(key.id));
	key.tenant = tenant;
	trace = hash_search(split->traces, &key, HASH_ENTER, &found);
	if (!found)
	{
		trace->start = PG_UINT64_MAX;
		trace->end = 0;
		trace->n = 0;
		trace->seen = false;
	}
	return trace;
}

static SplitTrace *
split_lookup(const Split *split, int tenant, const uint8 *id)
{
	SplitKey key;

	memset(&key, 0, sizeof(key));
	memcpy(key.id, id, sizeof(key.id));
	key.tenant = tenant;
	return hash_search(split->traces, &key, HASH_FIND, NULL);
}

bool
split_has(const Split *split, int tenant, const uint8 *trace_id)
{
	return split_lookup(split, tenant, trace_id) != NULL;
}

uint64
split_count(const Split *split)
{
	return hash_get_num_entries(split->traces);
}

static uint32
add_input(Split *split, Batch *batch)
{
	if (split->ninputs == split->cap_inputs)
	{
		uint32 cap = split->cap_inputs ? split->cap_inputs * 2 : 64;

		split->inputs = split->inputs ? repalloc_huge(split->inputs, cap * sizeof(Batch *))
									  : MemoryContextAlloc(split->context, cap * sizeof(Batch *));
		split->cap_inputs = cap;
	}
	split->inputs[split->ninputs] = batch;
	return split->ninputs++;
}

static void
add_row(Split *split, SplitTrace *trace, uint32 input, uint32 row, int64 start, int64 duration)
{
	uint64 end = (uint64) start + (uint64) duration;

	if (split->nrows == split->cap_rows)
	{
		uint64 cap = split->cap_rows ? split->cap_rows * 2 : 1024;

		split->rows = split->rows ? repalloc_huge(split->rows, cap * sizeof(SplitRow))
								  : MemoryContextAllocHuge(split->context, cap * sizeof(SplitRow));
		split->cap_rows = cap;
	}
	trace->start = Min(trace->start, (uint64) start);
	trace->end = Max(trace->end, end);
	split->rows[split->nrows++] = (SplitRow){trace, (uint64) start, {input, row}};
}

/* ---- recent batches ---- */

/* Number of each tenant of a column's dictionary among the source's; -1: not asked for. */
static int *
tenant_map(Source *source, const Column *column)
{
	int *map = palloc((column->ndict + 1) * sizeof(int));

	for (uint32 i = 0; i < column->ndict; i++)
		map[i] = !source->tenant || str_eq(column->dict[i], str_lit(source->tenant))
					 ? source_tenant(source, column->dict[i])
					 : -1;
	return map;
}

static void
take_recent_vector(Split *split, SourceUnit *unit, uint64 first_row, Batch *batch)
{
	Column *id = batch_column(batch, LEVEL_SPAN, SC_TRACE_ID);
	Column *tenant = batch_column(batch, LEVEL_SPAN, SC_TENANT);
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	Column *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION);
	int *map = tenant_map(split->source, tenant);
	uint32 input = add_input(split, batch);

	for (uint32 r = 0; r < batch_nrows(batch); r++)
	{
		int t = map[tenant->codes[r]];

		if (t >= 0 && policy_sees(split->source, unit, first_row + r))
			add_row(split, split_enter(split, t, id->fixed + 16 * (size_t) r), input, r, start->i64[r],
					duration->i64[r]);
	}
	pfree(map);
}

static void
take_recent(Split *split, SourceUnit *unit, Arena *arena)
{
	Image *image = store_open(unit->rel, split->source->snapshot, &unit->unit, arena);

	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		query_check_memory(split->context);
		take_recent_vector(split, unit, image_vector_info(image, v)->first_row,
						   image_vector(image, v, arena));
	}
}

/* ---- segments ---- */

typedef void (*VectorVisitor)(Split *split, SourceUnit *unit, Image *image, uint32 v, Batch *batch,
							  bool *keep);

/* Visit the vectors of a segment; those not kept are forgotten at once. */
static void
visit_vector(Split *split, SourceUnit *unit, Image *image, uint32 v, VectorVisitor visit, bool *kept)
{
	MemoryContext context = AllocSetContextCreate(split->context, "traceql vector", ALLOCSET_DEFAULT_SIZES);
	bool keep = false;

	query_check_memory(split->context);
	visit(split, unit, image, v, image_vector(image, v, store_arena(context)), &keep);
	*kept |= keep;
	if (!keep)
		MemoryContextDelete(context);
}

static void
take_marks(Split *split, SourceUnit *unit, Image *image, uint32 v, Batch *batch, bool *keep)
{
	Column *id = batch_column(batch, LEVEL_TRACE, TC_ID);
	Column *mark = batch_column(batch, LEVEL_TRACE, TC_SPLIT);

	for (uint32 t = 0; t < id->n; t++)
		if (mark->i64[t] || unit->unit.marks_unknown)
			split_enter(split, unit->tenant, id->fixed + 16 * (size_t) t);
}

static void
take_trace(Split *split, SplitTrace *trace, SourceUnit *unit, uint64 first_row, Batch *batch, uint32 t,
		   uint32 input)
{
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	Column *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION);

	for (uint32 r = batch->trace_first[t]; r < batch->trace_first[t + 1]; r++)
		if (policy_sees(split->source, unit, first_row + r))
			add_row(split, trace, input, r, start->i64[r], duration->i64[r]);
}

static void
take_parts(Split *split, SourceUnit *unit, Image *image, uint32 v, Batch *batch, bool *keep)
{
	Column *id = batch_column(batch, LEVEL_TRACE, TC_ID);
	uint32 input = 0;

	for (uint32 t = 0; t < id->n; t++)
	{
		SplitTrace *trace = split_lookup(split, unit->tenant, id->fixed + 16 * (size_t) t);

		if (!trace)
			continue;
		if (!*keep)
			input = add_input(split, batch);
		*keep = true;
		take_trace(split, trace, unit, image_vector_info(image, v)->first_row, batch, t, input);
	}
}

/* Vectors that may hold one of the ids, by bloom filter and vector table. */
static bool *
probe_vectors(Split *split, SourceUnit *unit, Image *image)
{
	bool *wanted = palloc0(image_summary(image)->nvectors + 1);
	HASH_SEQ_STATUS seq;
	SplitTrace *trace;

	hash_seq_init(&seq, split->traces);
	while ((trace = hash_seq_search(&seq)) != NULL)
	{
		int64 v;

		if (trace->key.tenant != unit->tenant || !image_maybe_trace(image, trace->key.id))
			continue;
		v = image_find_trace(image, trace->key.id);
		if (v >= 0)
			wanted[v] = true;
	}
	return wanted;
}

static void
visit_segment(Split *split, SourceUnit *unit, VectorVisitor visit, bool probe)
{
	MemoryContext context = AllocSetContextCreate(split->context, "traceql segment", ALLOCSET_DEFAULT_SIZES);
	Image *image = store_open(unit->rel, split->source->snapshot, &unit->unit, store_arena(context));
	uint32 nvectors = image_summary(image)->nvectors;
	bool *wanted = NULL;
	bool kept = false;

	if (source_segment_tenant(split->source, unit, image) >= 0)
	{
		if (probe && split_count(split) < (uint64) PROBE_COST * nvectors)
			wanted = probe_vectors(split, unit, image);
		for (uint32 v = 0; v < nvectors; v++)
			if (!wanted || wanted[v])
				visit_vector(split, unit, image, v, visit, &kept);
	}
	if (!kept)
	{
		split->source->bytes_read += image_counters(image).bytes_read;
		MemoryContextDelete(context);
	}
}

/* ---- all of them ---- */

static void
keep_overlapping(Split *split, bool has_from, int64 from, bool has_to, int64 to)
{
	uint64 n = 0;

	for (uint64 i = 0; i < split->nrows; i++)
	{
		const SplitTrace *trace = split->rows[i].trace;

		if ((!has_from || trace->end >= (uint64) from) && (!has_to || trace->start <= (uint64) to))
			split->rows[n++] = split->rows[i];
	}
	split->nrows = n;
}

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
	SplitTrace **traces = MemoryContextAllocHuge(split->context, split_count(split) * sizeof(SplitTrace *));

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

static Split *
split_create(Source *source)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql split traces", ALLOCSET_DEFAULT_SIZES);
	Split *split = MemoryContextAllocZero(context, sizeof(Split));
	HASHCTL ctl = {.keysize = sizeof(SplitKey), .entrysize = sizeof(SplitTrace), .hcxt = context};

	split->source = source;
	split->context = context;
	split->traces = hash_create("traceql split traces", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return split;
}

Split *
split_find(Source *source, bool has_from, int64 from, bool has_to, int64 to)
{
	Split *split = split_create(source);
	MemoryContext old = MemoryContextSwitchTo(split->context);
	Arena *arena;

	/* All are needed until the end, and most are small: one arena. */
	arena = store_arena(split->context);
	for (int i = 0; i < source->nrecent; i++)
		take_recent(split, &source->recent[i], arena);
	for (int i = 0; i < source->nsegments; i++)
		if (source->segments[i].unit.has_split)
			visit_segment(split, &source->segments[i], take_marks, false);
	if (split_count(split) > 0)
	{
		for (int i = 0; i < source->nsegments; i++)
			visit_segment(split, &source->segments[i], take_parts, true);
	}
	keep_overlapping(split, has_from, from, has_to, to);
	if (split->nrows)
		sort_rows(split);
	split->chunk_context = AllocSetContextCreate(split->context, "traceql chunk", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	if (split_count(split) > 0)
		return split;
	split_close(split);
	return NULL;
}

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

Batch *
split_next(Split *split)
{
	uint64 end = chunk_end(split);
	uint64 n = end - split->next;
	MemoryContext old;
	Arena *arena;
	RowRef *refs;
	Batch *batch;

	MemoryContextReset(split->chunk_context);
	if (n == 0)
		return NULL;
	CHECK_FOR_INTERRUPTS();
	old = MemoryContextSwitchTo(split->chunk_context);
	arena = store_arena(split->chunk_context);
	refs = arena_alloc(arena, n * sizeof(RowRef));
	for (uint64 i = 0; i < n; i++)
		refs[i] = split->rows[split->next + i].ref;
	batch = batch_gather_lazy(arena, split->inputs, split->ninputs, refs, (uint32) n);
	batch_make_traces(batch);
	split->next = end;
	MemoryContextSwitchTo(old);
	return batch;
}

void
split_close(Split *split)
{
	MemoryContextDelete(split->context);
}
