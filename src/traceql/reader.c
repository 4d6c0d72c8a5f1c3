/*
 * reader.c
 *	  Going through a source; see reader.h.
 */
#include "traceql/reader.h"

#include "traceql/split.h"

#include "utils/memutils.h"

#define READER_KEEP (16 * 1024 * 1024)

struct Reader
{
	MemoryContext context;
	Source *source;
	ReaderRequest request;
	ReaderCounters counters;
	bool started;
	Split *split; /* NULL: no traces to gather, or all of them done and nothing to skip */
	bool split_done;
	const SplitSet *elsewhere; /* traces that come gathered, here or in another process; NULL: none do */
	ReaderDeal *deal;          /* NULL: nobody else reads */
	bool (*stop)(void);        /* others may do the rest; NULL: no reason to */
	int nunits;                /* images to read one by one */
	int next;                  /* of those */
	uint64 *sources;           /* counts images, as names for the run */
	uint64 own_sources;        /* when nobody else does */
	uint64 number;             /* of the unit's dictionaries */
	SourceUnit *unit;
	Kept *kept; /* the image at hand */
	Image *image;
	uint32 vector; /* how many of it have been looked at */
	Arena *arena;  /* of the vector at hand */
};

Reader *
reader_begin(Source *source, const ReaderRequest *request)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql reader", ALLOCSET_DEFAULT_SIZES);
	Reader *reader = MemoryContextAllocZero(context, sizeof(Reader));

	reader->context = context;
	reader->source = source;
	reader->request = *request;
	reader->sources = request->sources ? request->sources : &reader->own_sources;
	reader->arena = store_arena(context);
	arena_keep(reader->arena, READER_KEEP);
	reader->nunits = source->nsegments + (request->spans || request->pieces ? source->nrecent : 0);
	reader->counters.segments = source->nsegments;
	reader->counters.recent = source->nrecent;
	return reader;
}

/* ---- images ---- */

static bool
is_segment(const Reader *reader)
{
	return reader->unit->unit.kind == UNIT_SEGMENT;
}

static void
close_image(Reader *reader)
{
	if (!reader->image)
		return;
	arena_reset(reader->arena);
	reader->source->bytes_read += keeper_close(reader->source->keeper, reader->kept);
	reader->image = NULL;
}

static bool
range_wanted(const Reader *reader, uint64 start_min, uint64 start_max, uint64 end_max)
{
	return reader->request.wanted(reader->request.ctx, start_min, start_max, end_max);
}

static bool
unit_wanted(const Reader *reader, const SourceUnit *unit)
{
	const ImageSummary *s = &unit->unit.summary;

	return !unit->unit.has_range || range_wanted(reader, s->start_min, s->start_max, s->end_max);
}

/* false: no row of it is asked for. */
static bool
open_image(Reader *reader, SourceUnit *unit)
{
	reader->unit = unit;
	if (is_segment(reader))
		reader->counters.vectors += unit->unit.summary.nvectors;
	if (!unit_wanted(reader, unit))
		return false;
	reader->kept = keeper_open(reader->source->keeper, unit->rel, reader->source->snapshot, &unit->unit);
	reader->image = reader->kept->image;
	reader->vector = 0;
	reader->number = ++*reader->sources;
	if (is_segment(reader))
	{
		if (source_segment_tenant(reader->source, unit, reader->image) < 0)
		{
			close_image(reader);
			return false;
		}
		reader->counters.segments_read++;
	}
	if (reader->request.image && reader->request.image(reader->request.ctx, unit, reader->image))
	{
		close_image(reader);
		return false;
	}
	return true;
}

static SourceUnit *
unit_at(const Reader *reader, int i)
{
	Source *source = reader->source;

	return i < source->nsegments ? &source->segments[i] : &source->recent[i - source->nsegments];
}

/* ---- sharing ---- */

/* A vector that nobody begins is not worth the opening of its image. */
#define WORTH_JOINING 4

static uint32
vectors_left(const Reader *reader, int unit)
{
	uint32 n = unit_at(reader, unit)->unit.summary.nvectors;
	uint32 next = pg_atomic_read_u32(&reader->deal->vector[unit]);

	return next < n ? n - next : 0;
}

/* The image of which most is left to do; false: none is worth it. */
static bool
join_image(Reader *reader)
{
	uint32 most = WORTH_JOINING - 1;
	ReaderCounters counters = reader->counters;
	int best = -1;

	for (int i = 0; i < reader->nunits; i++)
	{
		uint32 left = vectors_left(reader, i);

		if (left > most && unit_wanted(reader, unit_at(reader, i)))
		{
			most = left;
			best = i;
		}
	}
	if (best < 0)
		return false;
	reader->next = best + 1;
	(void) open_image(reader, unit_at(reader, best));
	reader->counters = counters; /* whoever began it has counted it */
	return true;
}

static bool
open_dealt(Reader *reader)
{
	uint32 i;

	/* What is begun is ended: nobody may join for the last vectors of an image. */
	if (reader->stop && reader->stop())
		return false;
	if (pg_atomic_read_u32(&reader->deal->unit) >= (uint32) reader->nunits ||
		(i = pg_atomic_fetch_add_u32(&reader->deal->unit, 1)) >= (uint32) reader->nunits)
		return join_image(reader);
	reader->next = (int) i + 1;
	if (!open_image(reader, unit_at(reader, (int) i)))
		pg_atomic_write_u32(&reader->deal->vector[i], PG_INT32_MAX);
	return true;
}

/* The next vector of the image at hand that is ours; false: there are no more. */
static bool
take_vector(Reader *reader, uint32 *v)
{
	uint32 n = image_summary(reader->image)->nvectors;

	if (reader->deal)
		*v = pg_atomic_fetch_add_u32(&reader->deal->vector[reader->next - 1], 1);
	else
		*v = reader->vector++;
	if (*v >= n)
		return false;
	/* Traces stand by their start: where the newest are asked for, the last vectors come first. */
	if (reader->request.newest)
		*v = n - 1 - *v;
	return true;
}

/* Go to the next image; it may turn out that nothing of it is wanted. false: there are no more. */
static bool
open_next(Reader *reader)
{
	close_image(reader);
	if (reader->deal)
		return open_dealt(reader);
	if (reader->next >= reader->nunits)
		return false;
	(void) open_image(reader, unit_at(reader, reader->next++));
	return true;
}

/* ---- units ---- */

static uint8 *
split_traces(Reader *reader, Batch *batch)
{
	Column *id;
	uint8 *skip;

	if (!reader->elsewhere)
		return NULL;
	id = batch_column(batch, LEVEL_TRACE, TC_ID);
	skip = arena_alloc0(reader->arena, id->n + 1);
	for (uint32_t t = 0; t < id->n; t++)
		skip[t] = split_set_has(reader->elsewhere, reader->unit->tenant, id->fixed + 16 * (size_t) t);
	return skip;
}

/* Rows of the tenant asked for: a recent batch may hold several. NULL: all. */
static uint8 *
tenant_rows(Reader *reader, Batch *batch)
{
	const char *tenant = reader->source->tenant;
	Column *column;
	uint8 *asked;
	uint8 *rows;

	if (!tenant || is_segment(reader))
		return NULL;
	column = batch_column(batch, LEVEL_SPAN, SC_TENANT);
	asked = arena_alloc(reader->arena, column->ndict + 1);
	rows = arena_alloc(reader->arena, column->n + 1);
	for (uint32 i = 0; i < column->ndict; i++)
		asked[i] = str_eq(column->dict[i], str_lit(tenant));
	for (uint32 r = 0; r < column->n; r++)
		rows[r] = asked[column->codes[r]];
	return rows;
}

static uint8 *
visible_rows(Reader *reader, uint64 first_row, Batch *batch)
{
	uint8 *rows = tenant_rows(reader, batch);
	uint32 n = batch_nrows(batch);

	if (!reader->unit->partial)
		return rows;
	if (!rows)
	{
		rows = arena_alloc(reader->arena, n + 1);
		memset(rows, 1, n);
	}
	for (uint32 r = 0; r < n; r++)
		rows[r] &= source_sees(reader->unit, first_row + r);
	return rows;
}

static bool
ends_after_start(Image *image, uint32 v)
{
	int64 min;
	int64 max;

	return image_zone(image, LEVEL_SPAN, LOAD_COLUMN, SC_DURATION, v, &min, &max) && min >= 0;
}

/* A vector of the image at hand; false when it is not wanted. */
static bool
read_vector(Reader *reader, uint32 v, ReaderUnit *out)
{
	const ImageVector *info = image_vector_info(reader->image, v);

	if (!range_wanted(reader, (uint64) info->start_min, (uint64) info->start_max, (uint64) info->end_max))
		return false;
	if (is_segment(reader))
		reader->counters.vectors_read++;
	arena_reset(reader->arena);
	*out = (ReaderUnit){.source = reader->number,
						.place = (uint64) reader->next << 32 | v,
						.bounded = reader->unit->unit.has_range,
						.start_min = (uint64) info->start_min,
						.start_max = (uint64) info->start_max};
	out->batch = kept_vector(reader->kept, v, reader->arena);
	out->forward = reader->request.spans && is_segment(reader) && ends_after_start(reader->image, v);
	if (reader->request.spans || !is_segment(reader))
		out->rows = visible_rows(reader, info->first_row, out->batch);
	else
	{
		out->batch = source_filter(reader->unit, info->first_row, out->batch, reader->arena);
		if (out->batch)
			out->skip = split_traces(reader, out->batch);
	}
	return out->batch != NULL;
}

static bool
read_split(Reader *reader, ReaderUnit *out)
{
	Batch *batch = reader->split && !reader->split_done ? split_next(reader->split) : NULL;

	if (!batch)
	{
		reader->split_done = true;
		return false;
	}
	*out = (ReaderUnit){.batch = batch, .source = ++*reader->sources};
	return true;
}

static void
find_split(Reader *reader)
{
	const ReaderRequest *r = &reader->request;
	SplitRequest request = {.has_from = r->has_from,
							.from = r->from,
							.has_to = r->has_to,
							.to = r->to,
							.run = r->run,
							.need = r->need,
							.sources = reader->sources,
							.newest = r->newest,
							.wanted = r->wanted,
							.ctx = r->ctx};

	reader->started = true;
	if (r->spans)
		return;
	reader->split = split_find(reader->source, &request);
	if (reader->split)
	{
		reader->counters.split_traces = split_count(reader->split);
		reader->elsewhere = split_ids(reader->split);
	}
}

/*
 * Is it the gathered traces' turn? They come first; where only the newest are asked for, whatever holds the
 * newest comes first, so that most of the rest is too old to be read.
 */
static bool
split_first(const Reader *reader)
{
	uint64 start;

	if (!reader->split || reader->split_done || (reader->deal && !reader->request.newest))
		return false;
	if (!reader->request.newest || reader->next >= reader->nunits || !split_peek(reader->split, &start))
		return true;
	return start > unit_at(reader, reader->next)->unit.summary.start_max;
}

bool
reader_next(Reader *reader, ReaderUnit *out)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	bool found = false;
	uint32 v;

	if (!reader->started)
		find_split(reader);
	while (!found)
	{
		if (reader->image && take_vector(reader, &v))
			found = read_vector(reader, v, out);
		else if (split_first(reader))
			found = read_split(reader, out);
		else if (!open_next(reader) && !(found = read_split(reader, out)))
			break;
	}
	MemoryContextSwitchTo(old);
	return found;
}

/* ---- one of several readers ---- */

const SplitSet *
reader_prepare(Reader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->context);

	if (!reader->started)
		find_split(reader);
	MemoryContextSwitchTo(old);
	return reader->elsewhere;
}

Size
reader_deal_size(const Reader *reader)
{
	return offsetof(ReaderDeal, vector) + reader->nunits * sizeof(pg_atomic_uint32);
}

void
reader_deal_init(const Reader *reader, ReaderDeal *deal)
{
	deal->nunits = (uint32) reader->nunits;
	pg_atomic_init_u32(&deal->share, 1);
	pg_atomic_init_u32(&deal->unit, 0);
	for (int i = 0; i < reader->nunits; i++)
		pg_atomic_init_u32(&deal->vector[i], 0);
}

void
reader_share(Reader *reader, ReaderDeal *deal)
{
	Assert(!reader->request.image && deal->nunits == (uint32) reader->nunits);
	reader->deal = deal;
}

static bool
always(void)
{
	return true;
}

void
reader_leave(Reader *reader)
{
	reader->stop = always;
}

void
reader_follow(Reader *reader, ReaderDeal *deal, const SplitSet *elsewhere, bool (*stop)(void))
{
	reader_share(reader, deal);
	reader->started = true;
	reader->elsewhere = elsewhere;
	reader->stop = stop;
	reader->counters = (ReaderCounters){0};
}

uint64
reader_rows(const Reader *reader)
{
	uint64 rows = 0;

	for (int i = 0; i < reader->nunits; i++)
		if (unit_wanted(reader, unit_at(reader, i)))
			rows += unit_at(reader, i)->unit.nrows;
	return rows;
}

ReaderCounters
reader_counters(const Reader *reader)
{
	ReaderCounters c = reader->counters;

	c.bytes_read = reader->source->bytes_read;
	return c;
}

void
reader_counters_add(ReaderCounters *sum, const ReaderCounters *more)
{
	sum->segments += more->segments;
	sum->segments_read += more->segments_read;
	sum->vectors += more->vectors;
	sum->vectors_read += more->vectors_read;
	sum->recent += more->recent;
	sum->split_traces += more->split_traces;
	sum->bytes_read += more->bytes_read;
}

void
reader_end(Reader *reader)
{
	close_image(reader);
	if (reader->split)
		split_close(reader->split);
	MemoryContextDelete(reader->context);
}
