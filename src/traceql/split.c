/*
 * split.c
 *	  Finding split traces. Their ids come from recent batches and from the marks merges leave; a mark stands
 *	  in the younger segment only, so every segment is then asked for every id: by its bloom filter when
 *	  there are few ids, else by going through its trace ids.
 *
 *	  A trace overlaps a time range as a whole, so its parts are looked for in all of time.
 */
#include "traceql/split.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "utils/memutils.h"

#define PROBE_COST 20 /* reading the trace ids of a vector costs about so many bloom probes */

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
		memset((char *) trace + sizeof(SplitKey), 0, sizeof(SplitTrace) - sizeof(SplitKey));
		trace->start = PG_UINT64_MAX;
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

const SplitSet *
split_ids(const Split *split)
{
	return split->set;
}

static void
make_set(Split *split)
{
	HASH_SEQ_STATUS seq;
	SplitTrace *trace;

	split->set = split_set_make(split_count(split));
	hash_seq_init(&seq, split->traces);
	while ((trace = hash_seq_search(&seq)) != NULL)
		split_set_add(split->set, &trace->key);
}

uint64
split_count(const Split *split)
{
	return hash_get_num_entries(split->traces);
}

static uint32
add_input(Split *split, SourceUnit *unit, uint32 vector, Batch *batch)
{
	if (split->ninputs == split->cap_inputs)
	{
		uint32 cap = split->cap_inputs ? split->cap_inputs * 2 : 64;

		split->inputs = split->inputs ? repalloc_huge(split->inputs, cap * sizeof(SplitInput))
									  : MemoryContextAlloc(split->context, cap * sizeof(SplitInput));
		split->cap_inputs = cap;
	}
	split->inputs[split->ninputs] = (SplitInput){unit, vector, batch};
	return split->ninputs++;
}

static void
add_row(Split *split, SplitTrace *trace, uint32 input, uint32 row)
{
	if (split->nrows == split->cap_rows)
	{
		uint64 cap = split->cap_rows ? split->cap_rows * 2 : 1024;

		split->rows = split->rows ? repalloc_huge(split->rows, cap * sizeof(SplitRow))
								  : MemoryContextAllocHuge(split->context, cap * sizeof(SplitRow));
		split->cap_rows = cap;
	}
	trace->n++;
	split->rows[split->nrows++] = (SplitRow){trace, {input, row}};
}

static void
extend(SplitTrace *trace, int64 start, int64 duration)
{
	trace->start = Min(trace->start, (uint64) start);
	trace->end = Max(trace->end, (uint64) start + (uint64) duration);
}

/* Rows from index first on are of one vector: test the query's conditions on them where they are. */
static void
test_rows(Split *split, Batch *batch, uint64 first)
{
	uint32 n = batch_nrows(batch);
	uint8 *mask;
	uint32 *bits;

	if (!split->request.run || split->request.need == 0 || first == split->nrows)
		return;
	mask = arena_alloc0(split->scratch, n + 1);
	bits = arena_alloc(split->scratch, (n + 1) * sizeof(uint32));
	for (uint64 i = first; i < split->nrows; i++)
		mask[split->rows[i].ref.row] = 1;
	traceql_run_need(split->request.run, batch, *split->request.sources, mask, bits, split->scratch);
	for (uint64 i = first; i < split->nrows; i++)
		split->rows[i].trace->bits |= bits[split->rows[i].ref.row];
	arena_reset(split->scratch);
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
take_recent_vector(Split *split, SourceUnit *unit, uint64 first_row, uint32 v, Batch *batch)
{
	Column *id = batch_column(batch, LEVEL_SPAN, SC_TRACE_ID);
	Column *tenant = batch_column(batch, LEVEL_SPAN, SC_TENANT);
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	Column *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION);
	int *map = tenant_map(split->source, tenant);
	uint32 input = add_input(split, unit, v, batch);
	uint64 first = split->nrows;

	for (uint32 r = 0; r < batch_nrows(batch); r++)
	{
		int t = map[tenant->codes[r]];
		SplitTrace *trace;

		if (t < 0 || !source_sees(unit, first_row + r))
			continue;
		trace = split_enter(split, t, id->fixed + 16 * (size_t) r);
		extend(trace, start->i64[r], duration->i64[r]);
		add_row(split, trace, input, r);
	}
	pfree(map);
	test_rows(split, batch, first);
}

static void
take_recent(Split *split, SourceUnit *unit, Arena *arena)
{
	Image *image = store_open(unit->rel, split->source->snapshot, &unit->unit, arena);

	++*split->request.sources;
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		query_check_memory(split->context);
		take_recent_vector(split, unit, image_vector_info(image, v)->first_row, v,
						   image_vector(image, v, arena));
	}
	split->source->bytes_read += image_counters(image).bytes_read;
}

/* ---- segments ---- */

typedef void (*VectorVisitor)(Split *split, SourceUnit *unit, uint64 first_row, uint32 v, Batch *batch);

static void
take_marks(Split *split, SourceUnit *unit, uint64 first_row, uint32 v, Batch *batch)
{
	Column *id = batch_column(batch, LEVEL_TRACE, TC_ID);
	Column *mark = batch_column(batch, LEVEL_TRACE, TC_SPLIT);

	for (uint32 t = 0; t < id->n; t++)
		if (mark->i64[t] || unit->unit.marks_unknown)
			split_enter(split, unit->tenant, id->fixed + 16 * (size_t) t);
}

/* Rows that are not there have no part in the times of the trace. */
static void
take_visible(Split *split, SplitTrace *trace, SourceUnit *unit, uint64 first_row, Batch *batch, uint32 t,
			 uint32 input)
{
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	Column *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION);

	for (uint32 r = batch->trace_first[t]; r < batch->trace_first[t + 1]; r++)
	{
		if (!source_sees(unit, first_row + r))
			continue;
		extend(trace, start->i64[r], duration->i64[r]);
		add_row(split, trace, input, r);
	}
}

static void
take_trace(Split *split, SplitTrace *trace, Batch *batch, uint32 t, uint32 input)
{
	extend(trace, batch_column(batch, LEVEL_TRACE, TC_START)->i64[t],
		   batch_column(batch, LEVEL_TRACE, TC_DURATION)->i64[t]);
	for (uint32 r = batch->trace_first[t]; r < batch->trace_first[t + 1]; r++)
		add_row(split, trace, input, r);
}

static void
take_parts(Split *split, SourceUnit *unit, uint64 first_row, uint32 v, Batch *batch)
{
	Column *id = batch_column(batch, LEVEL_TRACE, TC_ID);
	uint64 first = split->nrows;
	uint32 input = 0;
	bool any = false;

	for (uint32 t = 0; t < id->n; t++)
	{
		SplitTrace *trace = split_lookup(split, unit->tenant, id->fixed + 16 * (size_t) t);

		if (!trace)
			continue;
		if (!any)
			input = add_input(split, unit, v, NULL);
		any = true;
		if (unit->partial)
			take_visible(split, trace, unit, first_row, batch, t, input);
		else
			take_trace(split, trace, batch, t, input);
	}
	test_rows(split, batch, first);
}

/* Vectors that may hold one of the ids, by bloom filter and index of traces. */
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
		v = image_find_trace(image, trace->key.id, 0);
		for (; v >= 0; v = image_find_trace(image, trace->key.id, (uint32) v + 1))
			wanted[v] = true;
	}
	return wanted;
}

static void
visit_vectors(Split *split, SourceUnit *unit, Image *image, VectorVisitor visit, bool probe)
{
	uint32 nvectors = image_summary(image)->nvectors;
	Arena *arena = store_arena(CurrentMemoryContext);
	bool *wanted = NULL;

	if (probe && split_count(split) < (uint64) PROBE_COST * nvectors)
		wanted = probe_vectors(split, unit, image);
	for (uint32 v = 0; v < nvectors; v++)
	{
		if (wanted && !wanted[v])
			continue;
		query_check_memory(split->context);
		visit(split, unit, image_vector_info(image, v)->first_row, v, image_vector(image, v, arena));
		arena_reset(arena);
	}
}

static void
visit_segment(Split *split, SourceUnit *unit, VectorVisitor visit, bool probe)
{
	MemoryContext context = AllocSetContextCreate(split->context, "traceql segment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Image *image = store_open(unit->rel, split->source->snapshot, &unit->unit, store_arena(context));

	++*split->request.sources;
	if (source_segment_tenant(split->source, unit, image) >= 0)
		visit_vectors(split, unit, image, visit, probe);
	split->source->bytes_read += image_counters(image).bytes_read;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---- all of them ---- */

static Split *
split_create(Source *source, const SplitRequest *request)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql split traces", ALLOCSET_DEFAULT_SIZES);
	Split *split = MemoryContextAllocZero(context, sizeof(Split));
	HASHCTL ctl = {.keysize = sizeof(SplitKey), .entrysize = sizeof(SplitTrace), .hcxt = context};

	split->source = source;
	split->request = *request;
	split->context = context;
	split->scratch = store_arena(context);
	split->traces = hash_create("traceql split traces", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return split;
}

static void
find_parts(Split *split)
{
	Source *source = split->source;
	/* Recent batches are needed until the end, and most are small: one arena. */
	Arena *arena = store_arena(split->context);

	for (int i = 0; i < source->nrecent; i++)
		take_recent(split, &source->recent[i], arena);
	for (int i = 0; i < source->nsegments; i++)
		if (source->segments[i].unit.has_split)
			visit_segment(split, &source->segments[i], take_marks, false);
	if (split_count(split) == 0)
		return;
	for (int i = 0; i < source->nsegments; i++)
		visit_segment(split, &source->segments[i], take_parts, true);
}

Split *
split_find(Source *source, const SplitRequest *request)
{
	Split *split = split_create(source, request);
	MemoryContext old = MemoryContextSwitchTo(split->context);

	find_parts(split);
	make_set(split);
	split_prepare(split);
	MemoryContextSwitchTo(old);
	if (split_count(split) > 0)
		return split;
	split_close(split);
	return NULL;
}

void
split_close(Split *split)
{
	MemoryContextDelete(split->context);
}
