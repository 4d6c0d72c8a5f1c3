/*
 * walk.c
 *	  Going through a source by traces; see walk.h.
 */
#include "traceql/walk.h"

#include "miscadmin.h"
#include "traceql/query.h"
#include "traceql/split.h"
#include "utils/memutils.h"

#define WALK_KEEP (16 * 1024 * 1024)

struct Walk
{
	MemoryContext context;
	Source *source;
	WalkRequest request;
	ReaderCounters counters;
	Split *split; /* NULL: no split traces */
	bool started;
	bool gathering; /* the unit at hand is of split traces */
	uint32 nimages;
	uint32 *order; /* units (segments, then recent batches) by latest start, newest first */
	uint32 next;   /* of those */
	uint64 number; /* counts images opened and batches put together, as names for the run */
	/* the segment at hand */
	Kept *kept; /* NULL: none */
	uint64 kept_number;
	uint32 unit;
	uint32 nread;  /* of its vectors */
	uint32 vector; /* read last */
	bool inside;
	uint32 *bits; /* by trace of the vector read last, to be told to split; NULL: none */
	Arena *arena; /* of the vector at hand */
};

static uint32
segments(const Walk *walk)
{
	return (uint32) walk->source->nsegments;
}

static SourceUnit *
unit_at(const Walk *walk, uint32 u)
{
	Source *source = walk->source;

	return u < segments(walk) ? &source->segments[u] : &source->recent[u - segments(walk)];
}

/* ---- begin and end ---- */

static int
newest_first(const void *a, const void *b, void *arg)
{
	uint32 i = *(const uint32 *) a;
	uint32 j = *(const uint32 *) b;
	uint64 x = unit_at(arg, i)->unit.summary.start_max;
	uint64 y = unit_at(arg, j)->unit.summary.start_max;

	if (x != y)
		return x > y ? -1 : 1;
	return (i > j) - (i < j);
}

Walk *
walk_begin(Source *source, const WalkRequest *request)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql walk", ALLOCSET_DEFAULT_SIZES);
	Walk *walk = MemoryContextAllocZero(context, sizeof(Walk));

	walk->context = context;
	walk->source = source;
	walk->request = *request;
	walk->arena = store_arena(context);
	arena_keep(walk->arena, WALK_KEEP);
	walk->counters.segments = source->nsegments;
	walk->counters.recent = source->nrecent;
	walk->nimages = source->nsegments + source->nrecent;
	walk->order = MemoryContextAllocHuge(context, (walk->nimages + 1) * sizeof(uint32));
	for (uint32 i = 0; i < walk->nimages; i++)
		walk->order[i] = i;
	qsort_arg(walk->order, walk->nimages, sizeof(uint32), newest_first, walk);
	return walk;
}

static void
open_split(Walk *walk)
{
	const WalkRequest *r = &walk->request;
	SplitRequest request = {.has_from = r->has_from,
							.from = r->from,
							.has_to = r->has_to,
							.to = r->to,
							.run = r->run,
							.need = r->need,
							.sources = &walk->number,
							.newest = r->newest,
							.wanted = r->wanted,
							.ctx = r->ctx};

	walk->started = true;
	walk->split = split_open(walk->source, &request);
	if (walk->split)
		walk->counters.split_traces = split_count(walk->split);
}

static void
close_segment(Walk *walk)
{
	if (!walk->kept)
		return;
	arena_reset(walk->arena);
	walk->source->bytes_read += keeper_close(walk->source->keeper, walk->kept);
	walk->kept = NULL;
}

void
walk_end(Walk *walk)
{
	close_segment(walk);
	if (walk->split)
		split_close(walk->split);
	MemoryContextDelete(walk->context);
}

ReaderCounters
walk_counters(const Walk *walk)
{
	ReaderCounters c = walk->counters;

	c.bytes_read = walk->source->bytes_read;
	return c;
}

/* ---- images ---- */

static bool
range_wanted(const Walk *walk, uint64 start_min, uint64 start_max, uint64 end_max)
{
	return walk->request.wanted(walk->request.ctx, start_min, start_max, end_max);
}

static bool
unit_wanted(const Walk *walk, const SourceUnit *unit)
{
	const ImageSummary *s = &unit->unit.summary;

	return !unit->unit.has_range || range_wanted(walk, s->start_min, s->start_max, s->end_max);
}

/* Does everything in the ranges overlap what is asked for? */
static bool
lies_inside(const Walk *walk, uint64 start_min, uint64 start_max)
{
	const WalkRequest *r = &walk->request;

	return (!r->has_from || start_min >= (uint64) r->from) && (!r->has_to || start_max <= (uint64) r->to);
}

/* The directory of the table has a hash of the tenant only, which somebody may have aimed at. */
static bool
tenant_asked(const Walk *walk, SourceUnit *unit)
{
	const ImageTraces *listed = image_traces(walk->kept, &unit->unit);
	const char *tenant = walk->source->tenant;

	unit->tenant = source_tenant(walk->source, listed->tenants[0]);
	return !tenant || str_eq(listed->tenants[0], str_lit(tenant));
}

static void
open_segment(Walk *walk, uint32 u)
{
	SourceUnit *unit = unit_at(walk, u);
	const ImageSummary *s = &unit->unit.summary;

	walk->counters.vectors += s->nvectors;
	if (!unit_wanted(walk, unit))
		return;
	walk->kept = keeper_open(walk->source->keeper, unit->rel, walk->source->snapshot, &unit->unit);
	walk->kept_number = ++walk->number;
	walk->unit = u;
	walk->nread = 0;
	walk->inside = unit->unit.has_range && lies_inside(walk, s->start_min, s->start_max);
	if (!tenant_asked(walk, unit))
	{
		close_segment(walk);
		return;
	}
	walk->counters.segments_read++;
	/* What is there of a vector is not numbered as the directory has it. */
	if (walk->split && unit->partial)
		split_test(walk->split, u);
}

/* The next image: a segment to go through, or a recent batch, which is tested at once. */
static void
open_next(Walk *walk)
{
	uint32 u = walk->order[walk->next++];

	if (u < segments(walk))
		open_segment(walk, u);
	else if (walk->split && unit_wanted(walk, unit_at(walk, u)))
		split_test(walk->split, u);
}

/* ---- vectors ---- */

static void
skip_by_id(const Walk *walk, TraceqlUnit *out)
{
	const SourceUnit *unit = unit_at(walk, walk->unit);
	const SplitSet *ids = split_ids(walk->split);
	Column *id = batch_column(out->batch, LEVEL_TRACE, TC_ID);
	uint8 *skip = arena_alloc0(walk->arena, id->n + 1);

	for (uint32_t t = 0; t < id->n; t++)
		skip[t] = split_set_has(ids, unit->tenant, id->fixed + 16 * (Size) t);
	out->skip = skip;
}

static void
skip_split(Walk *walk, uint32 v, TraceqlUnit *out)
{
	uint32 ntraces = out->batch->level[LEVEL_TRACE].nrows;
	uint8 *skip = arena_alloc0(walk->arena, ntraces + 1);

	if (!split_mark(walk->split, walk->unit, v, skip))
		return;
	out->skip = skip;
	out->bits = arena_alloc0(walk->arena, (ntraces + 1) * sizeof(uint32));
	walk->bits = out->bits;
}

/* The vector as one unit; NULL batch: nothing of it is there. */
static void
make_unit(Walk *walk, uint32 v, TraceqlUnit *out)
{
	const ImageVector *info = image_vector_info(walk->kept->image, v);

	arena_reset(walk->arena);
	*out = (TraceqlUnit){.source = walk->kept_number, .inside = walk->inside};
	out->batch = source_filter(unit_at(walk, walk->unit), info->first_row,
							   kept_vector(walk->kept, v, walk->arena), walk->arena);
}

/* Can a trace of the vector satisfy all that a match needs? If not, what its parts of split traces can. */
static bool
may_match(Walk *walk, uint32 v)
{
	uint32 may;

	if (!walk->request.run || walk->request.need == 0)
		return true;
	may = traceql_run_may(walk->request.run, walk->kept->image, walk->kept_number, v);
	if ((may & walk->request.need) == walk->request.need)
		return true;
	if (walk->split && !unit_at(walk, walk->unit)->partial)
		split_ruled(walk->split, walk->unit, v, may);
	return false;
}

static bool
read_vector(Walk *walk, TraceqlUnit *out)
{
	/* Traces stand by their start: the newest are in the last vectors. */
	uint32 v = image_summary(walk->kept->image)->nvectors - ++walk->nread;
	const ImageVector *info = image_vector_info(walk->kept->image, v);

	if (!range_wanted(walk, (uint64) info->start_min, (uint64) info->start_max, (uint64) info->end_max) ||
		!may_match(walk, v))
		return false;
	walk->counters.vectors_read++;
	walk->vector = v;
	make_unit(walk, v, out);
	if (!out->batch)
		return false;
	if (walk->split && unit_at(walk, walk->unit)->partial)
		skip_by_id(walk, out);
	else if (walk->split)
		skip_split(walk, v, out);
	return true;
}

/* The unit at hand has been run: what it says about split traces. */
static void
take_bits(Walk *walk)
{
	if (walk->bits)
		split_tested(walk->split, walk->unit, walk->vector, walk->bits);
	walk->bits = NULL;
}

/* ---- split traces ---- */

/*
 * Those that start after everything that is left to test. With newest only then: most of them are too old
 * to be wanted when something newer has been found.
 */
static bool
read_split(Walk *walk, TraceqlUnit *out)
{
	Batch *batch;
	uint64 start;

	if (!walk->split)
		return false;
	if (walk->next >= walk->nimages)
		split_release_all(walk->split);
	else if (walk->request.newest)
		split_release(walk->split, unit_at(walk, walk->order[walk->next])->unit.summary.start_max);
	batch = split_peek(walk->split, &start) ? split_next(walk->split) : NULL;
	if (!batch)
		return false;
	*out = (TraceqlUnit){.batch = batch, .source = ++walk->number};
	walk->gathering = true;
	return true;
}

/* ---- all of it ---- */

bool
walk_next(Walk *walk, TraceqlUnit *out)
{
	MemoryContext old = MemoryContextSwitchTo(walk->context);
	bool found = false;

	if (!walk->started)
		open_split(walk);
	take_bits(walk);
	walk->gathering = false;
	while (!found)
	{
		query_check_memory(walk->source->context);
		if (walk->kept && walk->nread < image_summary(walk->kept->image)->nvectors)
			found = read_vector(walk, out);
		else
		{
			close_segment(walk);
			found = read_split(walk, out);
			if (!found && walk->next >= walk->nimages)
				break;
			if (!found)
				open_next(walk);
		}
	}
	MemoryContextSwitchTo(old);
	return found;
}

WalkPlace
walk_place(const Walk *walk, uint32 trace)
{
	if (walk->gathering)
		return (WalkPlace){0, walk->split->chunk[trace]};
	return (WalkPlace){walk->unit + 1, walk->vector};
}

void
walk_again(Walk *walk, uint32 image, uint32 vector, TraceqlUnit *out)
{
	MemoryContext old = MemoryContextSwitchTo(walk->context);
	SourceUnit *unit = unit_at(walk, image - 1);

	take_bits(walk);
	if (!walk->kept || walk->unit != image - 1)
	{
		close_segment(walk);
		walk->kept = keeper_open(walk->source->keeper, unit->rel, walk->source->snapshot, &unit->unit);
		walk->kept_number = ++walk->number;
		walk->unit = image - 1;
	}
	walk->vector = vector;
	make_unit(walk, vector, out);
	MemoryContextSwitchTo(old);
}

void
walk_gather(Walk *walk, const uint32 *traces, uint32 n)
{
	take_bits(walk);
	close_segment(walk);
	walk->next = walk->nimages;
	split_select(walk->split, traces, n);
}
