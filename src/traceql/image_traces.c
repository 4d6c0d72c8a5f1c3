/*
 * image_traces.c
 *	  Listing the traces of an image that are put together from several; see image_traces.h.
 */
#include "traceql/image_traces.h"

#include "miscadmin.h"
#include "span/intern.h"
#include "utils/memutils.h"

typedef struct Listing
{
	MemoryContext context; /* of the result */
	ImageTraces *out;
	uint32 cap;
} Listing;

static ImageTrace *
add_trace(Listing *l)
{
	ImageTraces *out = l->out;

	if (out->n == l->cap)
	{
		uint32 cap = l->cap ? l->cap * 2 : 64;

		out->traces = out->traces ? repalloc_huge(out->traces, cap * sizeof(ImageTrace))
								  : MemoryContextAllocHuge(l->context, cap * sizeof(ImageTrace));
		l->cap = cap;
	}
	memset(&out->traces[out->n], 0, sizeof(ImageTrace));
	return &out->traces[out->n++];
}

/* ---- segments ---- */

static void
list_marked(Listing *l, Batch *batch, uint32 v, bool all)
{
	Column *id = batch_column(batch, LEVEL_TRACE, TC_ID);
	Column *mark = batch_column(batch, LEVEL_TRACE, TC_SPLIT);

	for (uint32 t = 0; t < id->n; t++)
	{
		ImageTrace *trace;

		if (!all && !mark->i64[t])
			continue;
		trace = add_trace(l);
		memcpy(trace->id, id->fixed + 16 * (Size) t, 16);
		trace->start = (uint64) batch_column(batch, LEVEL_TRACE, TC_START)->i64[t];
		trace->end = trace->start + (uint64) batch_column(batch, LEVEL_TRACE, TC_DURATION)->i64[t];
		trace->vector = v;
		trace->trace = t;
	}
}

static void
list_segment(Listing *l, Image *image, bool all, Arena *arena)
{
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
	{
		CHECK_FOR_INTERRUPTS();
		list_marked(l, image_vector(image, v, arena), v, all);
		arena_reset(arena);
	}
}

/* The tenant all rows of a segment have. */
static void
take_tenant(Listing *l, Image *image, Arena *arena)
{
	Str tenant = column_str(batch_column(image_vector(image, 0, arena), LEVEL_SPAN, SC_TENANT), 0);
	char *copy = MemoryContextAlloc(l->context, tenant.len + 1);

	memcpy(copy, tenant.p, tenant.len);
	l->out->tenants = MemoryContextAlloc(l->context, sizeof(Str));
	l->out->tenants[0] = str_of(copy, tenant.len);
	l->out->ntenants = 1;
	arena_reset(arena);
}

/* ---- recent batches ---- */

/* Traces of one vector while they are listed: a hash table of indexes into ImageTraces.traces, plus one. */
typedef struct Probe
{
	uint32 *slots;
	uint32 mask;
	uint64 seed;
} Probe;

static uint32
find_or_add(Listing *l, Probe *p, uint32 vector, uint32 tenant, const uint8 *id)
{
	uint32 s = intern_hash(str_of((const char *) id, 16), p->seed) & p->mask;
	ImageTrace *trace;

	for (; p->slots[s] != 0; s = (s + 1) & p->mask)
	{
		trace = &l->out->traces[p->slots[s] - 1];
		if (trace->tenant == tenant && memcmp(trace->id, id, 16) == 0)
			return p->slots[s] - 1;
	}
	trace = add_trace(l);
	memcpy(trace->id, id, 16);
	trace->start = PG_UINT64_MAX;
	trace->tenant = tenant;
	trace->vector = vector;
	trace->trace = l->out->n - 1;
	p->slots[s] = l->out->n;
	return l->out->n - 1;
}

/* Rows of each trace next to each other, behind those of earlier vectors. */
static void
deal_rows(Listing *l, const uint32 *of_row, uint32 nrows, uint32 from, uint32 base)
{
	uint32 at = base;

	for (uint32 t = from; t < l->out->n; t++)
	{
		l->out->traces[t].first = at;
		at += l->out->traces[t].n;
		l->out->traces[t].n = 0;
	}
	for (uint32 r = 0; r < nrows; r++)
	{
		ImageTrace *trace = &l->out->traces[of_row[r]];

		l->out->rows[trace->first + trace->n++] = r;
	}
}

/* Number in ImageTraces.tenants of each tenant of a vector's dictionary. */
static uint32 *
map_tenants(Listing *l, const Column *column, Arena *arena)
{
	ImageTraces *out = l->out;
	uint32 *map = arena_alloc(arena, (column->ndict + 1) * sizeof(uint32));

	for (uint32 i = 0; i < column->ndict; i++)
	{
		uint32 t = 0;
		char *copy;

		while (t < out->ntenants && !str_eq(out->tenants[t], column->dict[i]))
			t++;
		map[i] = t;
		if (t < out->ntenants)
			continue;
		copy = MemoryContextAlloc(l->context, column->dict[i].len + 1);
		memcpy(copy, column->dict[i].p, column->dict[i].len);
		out->tenants = out->tenants ? repalloc(out->tenants, (t + 1) * sizeof(Str))
									: MemoryContextAlloc(l->context, sizeof(Str));
		out->tenants[out->ntenants++] = str_of(copy, column->dict[i].len);
	}
	return map;
}

static void
list_recent_vector(Listing *l, Batch *batch, uint32 v, uint32 base, Arena *arena)
{
	uint32 nrows = batch_nrows(batch);
	const uint8 *id = batch_column(batch, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	const int64 *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const int64 *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION)->i64;
	Column *tenant = batch_column(batch, LEVEL_SPAN, SC_TENANT);
	const uint32 *tenants = map_tenants(l, tenant, arena);
	uint32 *of_row = arena_alloc(arena, ((Size) nrows + 1) * sizeof(uint32));
	Probe p = {.mask = 63, .seed = intern_seed()};
	uint32 from = l->out->n;

	while (p.mask < 2 * (uint64) nrows)
		p.mask = p.mask * 2 + 1;
	p.slots = arena_alloc0(arena, ((Size) p.mask + 1) * sizeof(uint32));
	for (uint32 r = 0; r < nrows; r++)
	{
		const uint8 *row_id = id + 16 * (Size) r;
		ImageTrace *trace;

		/* Spans of a trace mostly come one after the other. */
		if (r > 0 && memcmp(row_id, row_id - 16, 16) == 0 && tenant->codes[r] == tenant->codes[r - 1])
			of_row[r] = of_row[r - 1];
		else
			of_row[r] = find_or_add(l, &p, v, tenants[tenant->codes[r]], row_id);
		trace = &l->out->traces[of_row[r]];
		trace->start = Min(trace->start, (uint64) start[r]);
		trace->end = Max(trace->end, (uint64) start[r] + (uint64) duration[r]);
		trace->n++;
	}
	deal_rows(l, of_row, nrows, from, base);
}

static void
list_recent(Listing *l, Image *image, Arena *arena)
{
	const ImageSummary *s = image_summary(image);

	l->out->rows = MemoryContextAllocHuge(l->context, ((Size) s->nrows + 1) * sizeof(uint32));
	for (uint32 v = 0; v < s->nvectors; v++)
	{
		CHECK_FOR_INTERRUPTS();
		list_recent_vector(l, image_vector(image, v, arena), v, image_vector_info(image, v)->first_row,
						   arena);
		arena_reset(arena);
	}
}

/* ---- all ---- */

const ImageTraces *
image_traces(Kept *kept, const StoreUnit *unit)
{
	Listing l = {.context = kept->context};
	MemoryContext scratch;
	Arena *arena;

	if (kept->facts)
		return kept->facts;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "tempo image traces", ALLOCSET_DEFAULT_SIZES);
	arena = store_arena(scratch);
	l.out = MemoryContextAllocZero(l.context, sizeof(ImageTraces));
	if (unit->kind == UNIT_RECENT)
		list_recent(&l, kept->image, arena);
	else
	{
		take_tenant(&l, kept->image, arena);
		if (unit->has_split)
			list_segment(&l, kept->image, unit->marks_unknown, arena);
	}
	MemoryContextDelete(scratch);
	kept->facts = l.out;
	return l.out;
}
