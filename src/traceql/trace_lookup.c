/*
 * trace_lookup.c
 *	  Finding the spans of one trace; see trace_lookup.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "traceql/source.h"
#include "traceql/trace_lookup.h"

/* Rows found so far; inputs[i] is the batch that refs with batch = i point into. */
typedef struct Found
{
	Source *source;
	Arena *arena;
	const uint8 *trace_id;
	Batch **inputs;
	uint32 ninputs;
	uint32 inputs_cap;
	RowRef *refs;
	uint32 nrefs;
	uint32 refs_cap;
} Found;

static void
add_input(Found *f, Batch *batch)
{
	if (f->ninputs == f->inputs_cap)
	{
		uint32 cap = f->inputs_cap ? f->inputs_cap * 2 : 16;

		f->inputs = arena_grow(f->arena, f->inputs, sizeof(Batch *) * f->inputs_cap, sizeof(Batch *) * cap);
		f->inputs_cap = cap;
	}
	f->inputs[f->ninputs++] = batch;
}

static void
add_row(Found *f, uint32 row)
{
	if (f->nrefs == f->refs_cap)
	{
		uint32 cap = f->refs_cap ? f->refs_cap * 2 : 64;

		f->refs = arena_grow(f->arena, f->refs, sizeof(RowRef) * f->refs_cap, sizeof(RowRef) * cap);
		f->refs_cap = cap;
	}
	f->refs[f->nrefs++] = (RowRef){.batch = f->ninputs - 1, .row = row};
}

/* Is the row of the tenant asked about, not deleted, and one the user may see? */
static bool
row_asked(Found *f, const SourceUnit *unit, uint64 first_row, Batch *batch, uint32 row)
{
	const char *tenant = f->source->tenant;

	return (!tenant ||
			str_eq(column_str(batch_column(batch, LEVEL_SPAN, SC_TENANT), row), str_lit(tenant))) &&
		   source_sees(unit, first_row + row);
}

/* The trace's rows in a vector that may hold it; false: it does not. */
static bool
collect_vector(Found *f, const SourceUnit *unit, Image *image, uint32 v)
{
	Batch *batch = image_vector(image, v, f->arena);
	uint64 first_row = image_vector_info(image, v)->first_row;
	int64 t = batch_find_trace(batch, f->trace_id);

	if (t < 0)
		return false;
	add_input(f, batch);
	for (uint32 row = batch->trace_first[t]; row < batch->trace_first[t + 1]; row++)
		if (row_asked(f, unit, first_row, batch, row))
			add_row(f, row);
	return true;
}

static void
collect_sorted(Found *f, const SourceUnit *unit, Image *image)
{
	int64 v = image_find_trace(image, f->trace_id, 0);

	while (v >= 0 && !collect_vector(f, unit, image, (uint32) v))
		v = image_find_trace(image, f->trace_id, (uint32) v + 1);
}

static void
collect_unsorted(Found *f, const SourceUnit *unit, Image *image)
{
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *batch = image_vector(image, v, f->arena);
		const uint8 *ids = batch_column(batch, LEVEL_SPAN, SC_TRACE_ID)->fixed;
		uint64 first_row = image_vector_info(image, v)->first_row;
		bool added = false;

		CHECK_FOR_INTERRUPTS();
		for (uint32 row = 0; row < batch_nrows(batch); row++)
			if (memcmp(ids + 16 * (size_t) row, f->trace_id, 16) == 0 &&
				row_asked(f, unit, first_row, batch, row))
			{
				if (!added)
					add_input(f, batch);
				added = true;
				add_row(f, row);
			}
	}
}

static bool
unit_may_hold(const StoreUnit *unit, const uint8 *trace_id, uint64 from, uint64 to)
{
	const ImageSummary *s = &unit->summary;

	return memcmp(s->trace_min, trace_id, 16) <= 0 && memcmp(s->trace_max, trace_id, 16) >= 0 &&
		   s->start_min <= to && s->end_max >= from;
}

static void
collect_units(Found *f, SourceUnit *units, int n, uint64 from, uint64 to)
{
	for (int i = 0; i < n; i++)
	{
		const StoreUnit *unit = &units[i].unit;
		Kept *kept;

		CHECK_FOR_INTERRUPTS();
		if (!unit_may_hold(unit, f->trace_id, from, to))
			continue;
		kept = keeper_open(f->source->keeper, units[i].rel, f->source->snapshot, unit);
		if (!image_maybe_trace(kept->image, f->trace_id))
		{
			keeper_close(f->source->keeper, kept);
			continue;
		}
		if (unit->kind == UNIT_SEGMENT)
			collect_sorted(f, &units[i], kept->image);
		else
			collect_unsorted(f, &units[i], kept->image);
	}
}

/* The rows found as one batch in batch_sort order. */
static Batch *
assemble(Found *f)
{
	Batch *batch;
	RowRef *order;
	uint32 n;

	if (f->nrefs == 0)
		return NULL;
	batch = batch_gather(f->arena, f->inputs, f->ninputs, f->refs, f->nrefs);
	order = batch_sort(f->arena, &batch, 1, &n);
	n = batch_fold(f->arena, &batch, order, n);
	batch = batch_gather(f->arena, &batch, 1, order, n);
	batch_make_traces(batch);
	return batch;
}

Batch *
trace_lookup(const uint8 trace_id[16], const char *tenant, uint64 from, uint64 to, Arena *arena)
{
	Source *source = source_open(CurrentMemoryContext, GetActiveSnapshot(), tenant);
	Found f = {.source = source, .arena = arena, .trace_id = trace_id};
	Batch *batch;

	collect_units(&f, source->segments, source->nsegments, from, to);
	collect_units(&f, source->recent, source->nrecent, from, to);
	/* Images are read on demand: relations stay open until the rows are copied. */
	batch = assemble(&f);
	keeper_finish(source->keeper);
	source_close(source);
	return batch;
}
