/*
 * split.c
 *	  What a query finds out about split traces: which conditions their parts satisfy, and which may be put
 *	  together now.
 */
#include "traceql/split.h"

#include "miscadmin.h"
#include "traceql/image_traces.h"
#include "traceql/query.h"
#include "utils/memutils.h"

static bool
tests(const Split *split)
{
	return split->request.run != NULL && split->request.need != 0;
}

static uint32
segments(const Split *split)
{
	return (uint32) split->source->nsegments;
}

SourceUnit *
split_unit(const Split *split, uint32 u)
{
	Source *source = split->source;

	return u < segments(split) ? &source->segments[u] : &source->recent[u - segments(split)];
}

/* The rows of a part of which the user sees something; of recent batches as listed. */
typedef struct PartRows
{
	const uint32 *rows; /* NULL: from first on */
	uint32 first;
	uint32 n;
} PartRows;

static PartRows
rows_of_part(const SplitPart *part, const Batch *batch, const ImageTraces *listed)
{
	const ImageTrace *trace;

	if (!listed)
		return (PartRows){NULL, batch->trace_first[part->at],
						  batch->trace_first[part->at + 1] - batch->trace_first[part->at]};
	trace = &listed->traces[part->at];
	return (PartRows){listed->rows + trace->first, 0, trace->n};
}

static inline uint32
part_row(const PartRows *rows, uint32 i)
{
	return rows->rows ? rows->rows[i] : rows->first + i;
}

/* ---- where some rows are not there ---- */

/* They have no part in the times of a trace. */
static void
see_part(Split *split, const SplitPart *part, uint64 first_row, Batch *batch, const ImageTraces *listed)
{
	const SourceUnit *unit = split_unit(split, part->unit);
	const int64 *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const int64 *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION)->i64;
	PartRows rows = rows_of_part(part, batch, listed);

	for (uint32 i = 0; i < rows.n; i++)
	{
		uint32 r = part_row(&rows, i);

		if (!source_sees(unit, first_row + r))
			continue;
		split->nrows[part->trace]++;
		split->start[part->trace] = Min(split->start[part->trace], (uint64) start[r]);
		split->end[part->trace] = Max(split->end[part->trace], (uint64) start[r] + (uint64) duration[r]);
	}
}

static void
see_unit(Split *split, uint32 u)
{
	const SplitDirectory *d = split->directory;
	SourceUnit *unit = split_unit(split, u);
	Kept *kept = keeper_open(split->source->keeper, unit->rel, split->source->snapshot, &unit->unit);
	const ImageTraces *listed = unit->unit.kind == UNIT_RECENT ? image_traces(kept, &unit->unit) : NULL;
	Batch *batch = NULL;

	for (uint32 p = d->first_part[u]; p < d->first_part[u + 1]; p++)
	{
		const SplitPart *part = &d->parts[p];

		if (p == d->first_part[u] || part->vector != part[-1].vector)
		{
			query_check_memory(split->source->context);
			arena_reset(split->scratch);
			batch = kept_vector(kept, part->vector, split->scratch);
		}
		see_part(split, part, image_vector_info(kept->image, part->vector)->first_row, batch, listed);
	}
	arena_reset(split->scratch);
	split->source->bytes_read += keeper_close(split->source->keeper, kept);
}

static int
compare_starts(const void *a, const void *b, void *arg)
{
	const Split *split = arg;
	uint32 i = *(const uint32 *) a;
	uint32 j = *(const uint32 *) b;

	if (split->start[i] != split->start[j])
		return split->start[i] > split->start[j] ? -1 : 1;
	return (i > j) - (i < j);
}

static void
see_all(Split *split)
{
	uint32 n = split->directory->ntraces;

	split->start = palloc_extended(n * sizeof(uint64), MCXT_ALLOC_HUGE);
	memset(split->start, 0xFF, n * sizeof(uint64));
	split->end = palloc_extended(n * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	split->nrows = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 u = 0; u < (uint32) (split->source->nsegments + split->source->nrecent); u++)
		see_unit(split, u);
	qsort_arg(split->order, n, sizeof(uint32), compare_starts, split);
}

static bool
any_partial(const Source *source)
{
	for (int i = 0; i < source->nsegments; i++)
		if (source->segments[i].partial)
			return true;
	for (int i = 0; i < source->nrecent; i++)
		if (source->recent[i].partial)
			return true;
	return false;
}

/* ---- opening ---- */

Split *
split_open(Source *source, const SplitRequest *request)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql split traces", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Split *split = palloc0(sizeof(Split));
	uint32 n;

	split->source = source;
	split->request = *request;
	split->context = context;
	split->directory = split_directory(source);
	n = split->directory->ntraces;
	if (n > 0)
	{
		split->scratch = store_arena(context);
		split_gather_begin(split);
		split->order = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE);
		memcpy(split->order, split->directory->newest, n * sizeof(uint32));
		split->ntraces = n;
		split->bits = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		split->tested = palloc_extended(n * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		split->recent = palloc0((source->nrecent + 1) * sizeof(SplitRecent));
		if (any_partial(source))
			see_all(split);
	}
	MemoryContextSwitchTo(old);
	if (n > 0)
		return split;
	split_close(split);
	return NULL;
}

const SplitSet *
split_ids(Split *split)
{
	const SplitDirectory *d = split->directory;
	MemoryContext old = MemoryContextSwitchTo(split->context);

	if (!split->ids)
	{
		split->ids = split_set_make(d->ntraces);
		for (uint32 t = 0; t < d->ntraces; t++)
		{
			SplitKey key;

			memset(&key, 0, sizeof(key));
			memcpy(key.id, d->traces[t].id, sizeof(key.id));
			key.tenant = source_tenant(split->source, d->tenants[d->traces[t].tenant]);
			split_set_add(split->ids, &key);
		}
	}
	MemoryContextSwitchTo(old);
	return split->ids;
}

uint64
split_count(const Split *split)
{
	return split->directory->ntraces;
}

void
split_close(Split *split)
{
	Source *source = split->source;

	if (split->ntraces > 0)
		split_gather_end(split);
	for (int i = source->nrecent - 1; i >= 0 && split->recent; i--)
		if (split->recent[i].kept)
			source->bytes_read += keeper_close(source->keeper, split->recent[i].kept);
	MemoryContextDelete(split->context);
}

/* ---- testing ---- */

/* Parts of a vector: [*from, *to). */
static void
parts_of_vector(const SplitDirectory *d, uint32 unit, uint32 vector, uint32 *from, uint32 *to)
{
	uint32 lo = d->first_part[unit];

	for (uint32 hi = d->first_part[unit + 1]; lo < hi;)
	{
		uint32 mid = lo + (hi - lo) / 2;

		if (d->parts[mid].vector < vector)
			lo = mid + 1;
		else
			hi = mid;
	}
	*from = lo;
	while (lo < d->first_part[unit + 1] && d->parts[lo].vector == vector)
		lo++;
	*to = lo;
}

bool
split_mark(const Split *split, uint32 unit, uint32 vector, uint8 *skip)
{
	uint32 from, to;

	parts_of_vector(split->directory, unit, vector, &from, &to);
	for (uint32 p = from; p < to; p++)
		skip[split->directory->parts[p].at] = 1;
	return to > from;
}

void
split_tested(Split *split, uint32 unit, uint32 vector, const uint32 *bits)
{
	uint32 from, to;

	parts_of_vector(split->directory, unit, vector, &from, &to);
	for (uint32 p = from; p < to; p++)
	{
		const SplitPart *part = &split->directory->parts[p];

		split->bits[part->trace] |= bits[part->at];
		split->tested[part->trace]++;
	}
}

void
split_ruled(Split *split, uint32 unit, uint32 vector, uint32 bits)
{
	uint32 from, to;

	parts_of_vector(split->directory, unit, vector, &from, &to);
	for (uint32 p = from; p < to; p++)
	{
		const SplitPart *part = &split->directory->parts[p];

		split->bits[part->trace] |= bits;
		split->tested[part->trace]++;
	}
}

/* Test the parts of one vector where they stand. */
static void
test_parts(Split *split, uint32 from, uint32 to, uint64 first_row, Batch *batch, const ImageTraces *listed)
{
	const SplitDirectory *d = split->directory;
	const SourceUnit *unit = split_unit(split, d->parts[from].unit);
	uint32 n = batch_nrows(batch);
	uint8 *mask = arena_alloc0(split->scratch, (Size) n + 1);
	uint32 *bits = arena_alloc(split->scratch, ((Size) n + 1) * sizeof(uint32));

	for (uint32 p = from; p < to; p++)
	{
		PartRows rows = rows_of_part(&d->parts[p], batch, listed);

		for (uint32 i = 0; i < rows.n; i++)
			mask[part_row(&rows, i)] = source_sees(unit, first_row + part_row(&rows, i));
	}
	traceql_run_need(split->request.run, batch, *split->request.sources, mask, bits, split->scratch);
	for (uint32 p = from; p < to; p++)
	{
		PartRows rows = rows_of_part(&d->parts[p], batch, listed);

		for (uint32 i = 0; i < rows.n; i++)
			split->bits[d->parts[p].trace] |= bits[part_row(&rows, i)];
		split->tested[d->parts[p].trace]++;
	}
}

void
split_test(Split *split, uint32 u)
{
	const SplitDirectory *d = split->directory;
	SourceUnit *unit = split_unit(split, u);
	SplitRecent *recent = unit->unit.kind == UNIT_RECENT ? split_recent(split, u) : NULL;
	Kept *kept;

	if (!tests(split) || d->first_part[u] == d->first_part[u + 1])
		return;
	kept = recent ? recent->kept
				  : keeper_open(split->source->keeper, unit->rel, split->source->snapshot, &unit->unit);
	++*split->request.sources;
	for (uint32 p = d->first_part[u], end; p < d->first_part[u + 1]; p = end)
	{
		uint32 v = d->parts[p].vector;
		Batch *batch = recent ? split_recent_batch(split, recent, v) : kept_vector(kept, v, split->scratch);

		query_check_memory(split->source->context);
		for (end = p + 1; end < d->first_part[u + 1] && d->parts[end].vector == v; end++)
			;
		test_parts(split, p, end, image_vector_info(kept->image, v)->first_row, batch,
				   recent ? recent->listed : NULL);
		arena_reset(split->scratch);
	}
	if (!recent)
		split->source->bytes_read += keeper_close(split->source->keeper, kept);
}

/* ---- recent batches ---- */

SplitRecent *
split_recent(Split *split, uint32 u)
{
	SplitRecent *recent = &split->recent[u - segments(split)];
	SourceUnit *unit = split_unit(split, u);

	if (recent->kept)
		return recent;
	recent->kept = keeper_open(split->source->keeper, unit->rel, split->source->snapshot, &unit->unit);
	recent->listed = image_traces(recent->kept, &unit->unit);
	recent->batches = MemoryContextAllocZero(
		split->context, (image_summary(recent->kept->image)->nvectors + 1) * sizeof(Batch *));
	return recent;
}

Batch *
split_recent_batch(Split *split, SplitRecent *recent, uint32 vector)
{
	if (!recent->batches[vector])
		recent->batches[vector] = kept_vector(recent->kept, vector, store_arena(split->context));
	return recent->batches[vector];
}

/* ---- releasing ---- */

uint64
split_start(const Split *split, uint32 trace)
{
	return split->start ? split->start[trace] : split->directory->traces[trace].start;
}

uint64
split_end(const Split *split, uint32 trace)
{
	return split->end ? split->end[trace] : split->directory->traces[trace].end;
}

/* Parts that nobody tested may satisfy anything. */
static bool
may_match(const Split *split, uint32 trace)
{
	const SplitRequest *r = &split->request;

	if (split->nrows && split->nrows[trace] == 0)
		return false;
	if (tests(split) && split->tested[trace] == split->directory->traces[trace].nparts &&
		(split->bits[trace] & r->need) != r->need)
		return false;
	return (!r->has_from || split_end(split, trace) >= (uint64) r->from) &&
		   (!r->has_to || split_start(split, trace) <= (uint64) r->to);
}

/* Those that cannot match are left out from here on. */
void
split_release(Split *split, uint64 start)
{
	uint32 kept = split->released;
	uint32 i = split->seen;

	for (; i < split->ntraces && split_start(split, split->order[i]) > start; i++)
		if (may_match(split, split->order[i]))
			split->order[kept++] = split->order[i];
	split->seen = i;
	split->released = kept;
}

void
split_release_all(Split *split)
{
	uint32 kept = split->released;

	for (uint32 i = split->seen; i < split->ntraces; i++)
		if (may_match(split, split->order[i]))
			split->order[kept++] = split->order[i];
	split->seen = split->ntraces;
	split->released = kept;
}

Split *
split_find(Source *source, const SplitRequest *request)
{
	Split *split = split_open(source, request);

	if (!split)
		return NULL;
	for (uint32 u = 0; u < (uint32) (source->nsegments + source->nrecent); u++)
		split_test(split, u);
	split_release_all(split);
	return split;
}
