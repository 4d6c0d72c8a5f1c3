/*
 * split_directory.c
 *	  Which traces are split and where their parts are; see split.h.
 *
 * Built from the traces that each image lists of itself (image_traces.h): the ids of all of them are looked
 * for in every segment, by bloom filter and vector table, then among the trace ids of a vector. The last
 * directory built is kept: whoever asks next mostly sees the same units.
 */
#include "traceql/split.h"

#include "codec/codec.h"
#include "compat.h"
#include "miscadmin.h"
#include "traceql/image_traces.h"
#include "traceql/query.h"
#include "utils/memutils.h"

/* Larger directories are not kept. */
#define KEEP_BYTES (32 * 1024 * 1024)

/* What a unit was when the directory was built. */
typedef struct UnitKey
{
	RelFileLocator locator;
	uint32 kind;
	uint64 id;
	uint64 first_row;
	uint64 bytes;
	int64 made_at;
} UnitKey;

typedef struct KeptDirectory
{
	SplitDirectory directory;
	uint32 nkeys;
	UnitKey *keys;
	char *tenant; /* NULL: all */
	int users;
	bool replaced;
} KeptDirectory;

static KeptDirectory *last;

typedef struct Building
{
	Source *source;
	SplitDirectory *d;
	uint32 cap_traces;
	uint32 cap_parts;
	uint32 *slots; /* hash table: trace plus one */
	uint64 mask;
	uint32 *by_id; /* traces, once all are known */
} Building;

static SourceUnit *
unit_at(const Source *source, uint32 i)
{
	return i < source->nsegments ? &source->segments[i] : &source->recent[i - source->nsegments];
}

static uint32
count_units(const Source *source)
{
	return source->nsegments + source->nrecent;
}

/* ---- traces ---- */

static uint32
enter_tenant(SplitDirectory *d, Str tenant)
{
	char *copy;

	for (uint32 i = 0; i < d->ntenants; i++)
		if (str_eq(d->tenants[i], tenant))
			return i;
	copy = MemoryContextAlloc(d->context, tenant.len + 1);
	memcpy(copy, tenant.p, tenant.len);
	d->tenants = d->tenants ? repalloc(d->tenants, (d->ntenants + 1) * sizeof(Str))
							: MemoryContextAlloc(d->context, sizeof(Str));
	d->tenants[d->ntenants] = str_of(copy, tenant.len);
	return d->ntenants++;
}

static void
grow_table(Building *b)
{
	if (b->slots)
		pfree(b->slots);
	b->mask = b->mask * 2 + 1;
	b->slots = MemoryContextAllocExtended(CurrentMemoryContext, (b->mask + 1) * sizeof(uint32),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < b->d->ntraces; i++)
	{
		uint64 s = codec_hash64(b->d->traces[i].id, 16) & b->mask;

		while (b->slots[s] != 0)
			s = (s + 1) & b->mask;
		b->slots[s] = i + 1;
	}
}

static uint32
enter_trace(Building *b, uint32 tenant, const uint8 *id)
{
	SplitDirectory *d = b->d;
	uint64 s = codec_hash64(id, 16) & b->mask;
	SplitTrace *trace;

	for (; b->slots[s] != 0; s = (s + 1) & b->mask)
	{
		trace = &d->traces[b->slots[s] - 1];
		if (trace->tenant == tenant && memcmp(trace->id, id, 16) == 0)
			return b->slots[s] - 1;
	}
	if (d->ntraces == b->cap_traces)
	{
		b->cap_traces *= 2;
		d->traces = repalloc_huge(d->traces, b->cap_traces * sizeof(SplitTrace));
	}
	trace = &d->traces[d->ntraces++];
	memset(trace, 0, sizeof(*trace));
	memcpy(trace->id, id, 16);
	trace->tenant = tenant;
	trace->start = PG_UINT64_MAX;
	b->slots[s] = d->ntraces;
	if (d->ntraces * 2 > b->mask)
		grow_table(b);
	return d->ntraces - 1;
}

static void
add_part(Building *b, SplitPart part, uint64 start, uint64 end)
{
	SplitDirectory *d = b->d;
	SplitTrace *trace = &d->traces[part.trace];

	if (d->nparts == b->cap_parts)
	{
		b->cap_parts *= 2;
		d->parts = repalloc_huge(d->parts, b->cap_parts * sizeof(SplitPart));
	}
	d->parts[d->nparts++] = part;
	trace->nparts++;
	trace->nrows += part.n;
	trace->start = Min(trace->start, start);
	trace->end = Max(trace->end, end);
}

/* ---- what images list of themselves ---- */

/* Number of each tenant of an image; -1: not asked for. */
static int64 *
map_tenants(Building *b, const ImageTraces *listed)
{
	const char *asked = b->source->tenant;
	int64 *map = palloc((listed->ntenants + 1) * sizeof(int64));

	for (uint32 i = 0; i < listed->ntenants; i++)
	{
		map[i] = -1;
		if (!asked || str_eq(listed->tenants[i], str_lit(asked)))
			map[i] = enter_tenant(b->d, listed->tenants[i]);
	}
	return map;
}

static void
enter_listed(Building *b, uint32 unit)
{
	Source *source = b->source;
	SourceUnit *u = unit_at(source, unit);
	Kept *kept = keeper_open(source->keeper, u->rel, source->snapshot, &u->unit);
	const ImageTraces *listed = image_traces(kept, &u->unit);
	int64 *map = map_tenants(b, listed);

	for (uint32 i = 0; i < listed->n; i++)
	{
		const ImageTrace *t = &listed->traces[i];
		uint32 trace;

		if (map[t->tenant] < 0)
			continue;
		trace = enter_trace(b, (uint32) map[t->tenant], t->id);
		/* Segments are asked for every id later, these among them. */
		if (u->unit.kind == UNIT_RECENT)
			add_part(b, (SplitPart){trace, unit, t->vector, t->trace, t->n}, t->start, t->end);
	}
	pfree(map);
	source->bytes_read += keeper_close(source->keeper, kept);
	query_check_memory(source->context);
}

/* ---- looking for ids in segments ---- */

static int
compare_traces(const void *a, const void *b, void *arg)
{
	const SplitTrace *traces = ((const SplitDirectory *) arg)->traces;
	const SplitTrace *x = &traces[*(const uint32 *) a];
	const SplitTrace *y = &traces[*(const uint32 *) b];
	int c = memcmp(x->id, y->id, 16);

	return c ? c : (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

/* Put the traces in order of ids; parts so far are renumbered. */
static void
sort_traces(Building *b)
{
	SplitDirectory *d = b->d;
	uint32 *order = palloc_extended(((Size) d->ntraces + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	uint32 *place = palloc_extended(((Size) d->ntraces + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	SplitTrace *sorted = MemoryContextAllocHuge(d->context, ((Size) d->ntraces + 1) * sizeof(SplitTrace));

	for (uint32 i = 0; i < d->ntraces; i++)
		order[i] = i;
	qsort_arg(order, d->ntraces, sizeof(uint32), compare_traces, d);
	for (uint32 i = 0; i < d->ntraces; i++)
	{
		sorted[i] = d->traces[order[i]];
		place[order[i]] = i;
	}
	for (uint32 p = 0; p < d->nparts; p++)
		d->parts[p].trace = place[d->parts[p].trace];
	pfree(d->traces);
	d->traces = sorted;
	pfree(order);
	pfree(place);
}

/* A trace that a vector may hold. */
typedef struct Question
{
	uint32 vector;
	uint32 trace;
} Question;

typedef struct Asking
{
	Building *b;
	uint32 unit;
	Image *image;
	Arena *arena; /* of a vector */
	uint32 n;
	uint32 cap;
	Question *questions;
} Asking;

static int
compare_questions(const void *a, const void *b)
{
	const Question *x = a;
	const Question *y = b;

	if (x->vector != y->vector)
		return x->vector < y->vector ? -1 : 1;
	return (x->trace > y->trace) - (x->trace < y->trace);
}

/* Ask the first vector from v on that may hold a trace. */
static void
add_question(Asking *a, uint32 trace, uint32 v)
{
	int64 vector = image_find_trace(a->image, a->b->d->traces[trace].id, v);

	if (vector < 0)
		return;
	if (a->n == a->cap)
	{
		a->cap *= 2;
		a->questions = repalloc_huge(a->questions, a->cap * sizeof(Question));
	}
	a->questions[a->n++] = (Question){(uint32) vector, trace};
}

static void
answer(Asking *a, Batch *batch, const Question *q)
{
	int64 t = batch_find_trace(batch, a->b->d->traces[q->trace].id);
	uint64 start;

	if (t < 0)
	{
		add_question(a, q->trace, q->vector + 1);
		return;
	}
	start = (uint64) batch_column(batch, LEVEL_TRACE, TC_START)->i64[t];
	add_part(a->b,
			 (SplitPart){q->trace, a->unit, q->vector, (uint32) t,
						 batch->trace_first[t + 1] - batch->trace_first[t]},
			 start, start + (uint64) batch_column(batch, LEVEL_TRACE, TC_DURATION)->i64[t]);
}

/* Answers to questions so far; those that go on to another vector are left. */
static void
answer_all(Asking *a)
{
	Question *asked = a->questions;
	uint32 n = a->n;
	Batch *batch = NULL;

	qsort(asked, n, sizeof(Question), compare_questions);
	a->n = 0;
	a->questions = palloc_extended(a->cap * sizeof(Question), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		if (i == 0 || asked[i].vector != asked[i - 1].vector)
		{
			CHECK_FOR_INTERRUPTS();
			arena_reset(a->arena);
			batch = image_vector(a->image, asked[i].vector, a->arena);
		}
		answer(a, batch, &asked[i]);
	}
	pfree(asked);
}

static int
compare_places(const void *a, const void *b)
{
	const SplitPart *x = a;
	const SplitPart *y = b;

	if (x->vector != y->vector)
		return x->vector < y->vector ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static void
ask_image(Asking *a, uint32 tenant)
{
	SplitDirectory *d = a->b->d;
	uint32 first = d->nparts;

	for (uint32 i = 0; i < d->ntraces; i++)
		if (d->traces[i].tenant == tenant && image_maybe_trace(a->image, d->traces[i].id))
			add_question(a, i, 0);
	while (a->n > 0)
		answer_all(a);
	qsort(d->parts + first, d->nparts - first, sizeof(SplitPart), compare_places);
}

static void
ask_segment(Building *b, uint32 unit)
{
	Source *source = b->source;
	SourceUnit *u = unit_at(source, unit);
	Kept *kept = keeper_open(source->keeper, u->rel, source->snapshot, &u->unit);
	const ImageTraces *listed = image_traces(kept, &u->unit);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql split traces", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Asking a = {.b = b, .unit = unit, .image = kept->image, .arena = store_arena(context), .cap = 64};

	/* The directory of the table has a hash of the tenant only, which somebody may have aimed at. */
	if (!source->tenant || str_eq(listed->tenants[0], str_lit(source->tenant)))
	{
		a.questions = palloc(a.cap * sizeof(Question));
		ask_image(&a, enter_tenant(b->d, listed->tenants[0]));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	source->bytes_read += keeper_close(source->keeper, kept);
	query_check_memory(source->context);
}

/* ---- orders ---- */

static int
compare_starts(const void *a, const void *b, void *arg)
{
	const SplitTrace *traces = ((const SplitDirectory *) arg)->traces;
	uint32 i = *(const uint32 *) a;
	uint32 j = *(const uint32 *) b;

	if (traces[i].start != traces[j].start)
		return traces[i].start > traces[j].start ? -1 : 1;
	return (i > j) - (i < j);
}

static uint32 *
alloc_numbers(SplitDirectory *d, Size n)
{
	return MemoryContextAllocExtended(d->context, (n + 1) * sizeof(uint32),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Parts were added unit by unit, recent batches behind segments. */
static void
index_parts(SplitDirectory *d, uint32 nunits)
{
	uint32 at = 0;

	d->first_part = alloc_numbers(d, nunits + 1);
	d->parts_of = alloc_numbers(d, d->nparts);
	for (uint32 u = 0; u <= nunits; u++)
	{
		while (at < d->nparts && d->parts[at].unit < u)
			at++;
		d->first_part[u] = at;
	}
	at = 0;
	for (uint32 t = 0; t < d->ntraces; t++)
	{
		d->traces[t].first_part = at;
		at += d->traces[t].nparts;
		d->traces[t].nparts = 0;
	}
	for (uint32 p = 0; p < d->nparts; p++)
	{
		SplitTrace *trace = &d->traces[d->parts[p].trace];

		d->parts_of[trace->first_part + trace->nparts++] = p;
	}
}

/* Segments' parts before those of recent batches, which were there first. */
static void
rotate_parts(SplitDirectory *d, uint32 nrecent)
{
	uint32 nsegment = d->nparts - nrecent;
	SplitPart *rotated = MemoryContextAllocHuge(d->context, ((Size) d->nparts + 1) * sizeof(SplitPart));

	memcpy(rotated, d->parts + nrecent, nsegment * sizeof(SplitPart));
	memcpy(rotated + nsegment, d->parts, nrecent * sizeof(SplitPart));
	pfree(d->parts);
	d->parts = rotated;
}

static void
build(Source *source, SplitDirectory *d)
{
	Building b = {.source = source, .d = d, .cap_traces = 256, .cap_parts = 256, .mask = 255};
	uint32 nrecent;

	d->traces = MemoryContextAlloc(d->context, b.cap_traces * sizeof(SplitTrace));
	d->parts = MemoryContextAlloc(d->context, b.cap_parts * sizeof(SplitPart));
	grow_table(&b);
	for (uint32 u = 0; u < count_units(source); u++)
		if (u >= source->nsegments || source->segments[u].unit.has_split)
			enter_listed(&b, u);
	sort_traces(&b);
	nrecent = d->nparts;
	for (uint32 u = 0; u < source->nsegments && d->ntraces > 0; u++)
		ask_segment(&b, u);
	rotate_parts(d, nrecent);
	index_parts(d, count_units(source));
	d->newest = alloc_numbers(d, d->ntraces);
	for (uint32 t = 0; t < d->ntraces; t++)
		d->newest[t] = t;
	qsort_arg(d->newest, d->ntraces, sizeof(uint32), compare_starts, d);
	pfree(b.slots);
}

/* ---- keeping ---- */

static void
key_of(const SourceUnit *unit, UnitKey *key)
{
	memset(key, 0, sizeof(*key));
	key->locator = unit->rel->rd_locator;
	key->kind = unit->unit.kind;
	key->id = unit->unit.id;
	key->first_row = unit->unit.first_row;
	key->bytes = unit->unit.bytes;
	key->made_at = unit->unit.made_at;
}

static bool
same_units(const KeptDirectory *kept, const Source *source)
{
	if (kept->nkeys != count_units(source) || (kept->tenant != NULL) != (source->tenant != NULL) ||
		(kept->tenant && strcmp(kept->tenant, source->tenant) != 0))
		return false;
	for (uint32 u = 0; u < kept->nkeys; u++)
	{
		UnitKey key;

		key_of(unit_at(source, u), &key);
		if (memcmp(&key, &kept->keys[u], sizeof(key)) != 0)
			return false;
	}
	return true;
}

static void
release(KeptDirectory *kept)
{
	if (--kept->users == 0 && kept->replaced)
		MemoryContextDelete(kept->directory.context);
}

static void
on_source_end(void *arg)
{
	release(arg);
}

static void
use(Source *source, KeptDirectory *kept)
{
	MemoryContextCallback *callback = MemoryContextAlloc(source->context, sizeof(MemoryContextCallback));

	callback->func = on_source_end;
	callback->arg = kept;
	MemoryContextRegisterResetCallback(source->context, callback);
	kept->users++;
}

static void
replace_last(KeptDirectory *kept)
{
	KeptDirectory *old = last;

	last = kept;
	if (!old)
		return;
	old->replaced = true;
	old->users++;
	release(old);
}

static KeptDirectory *
make_directory(Source *source)
{
	MemoryContext context =
		AllocSetContextCreate(source->context, "traceql split directory", ALLOCSET_DEFAULT_SIZES);
	KeptDirectory *kept = MemoryContextAllocZero(context, sizeof(KeptDirectory));

	kept->directory.context = context;
	build(source, &kept->directory);
	kept->nkeys = count_units(source);
	kept->keys = MemoryContextAllocHuge(context, (kept->nkeys + 1) * sizeof(UnitKey));
	for (uint32 u = 0; u < kept->nkeys; u++)
		key_of(unit_at(source, u), &kept->keys[u]);
	kept->tenant = source->tenant ? MemoryContextStrdup(context, source->tenant) : NULL;
	return kept;
}

const SplitDirectory *
split_directory(Source *source)
{
	KeptDirectory *kept = last;

	if (kept && same_units(kept, source))
	{
		use(source, kept);
		return &kept->directory;
	}
	kept = make_directory(source);
	if (MemoryContextMemAllocated(kept->directory.context, true) > KEEP_BYTES)
		return &kept->directory;
	use(source, kept);
	MemoryContextSetParent(kept->directory.context, TopMemoryContext);
	replace_last(kept);
	return &kept->directory;
}

int64
split_directory_find(const SplitDirectory *d, Str tenant, const uint8 *trace_id)
{
	uint32 lo = 0;

	for (uint32 hi = d->ntraces; lo < hi;)
	{
		uint32 mid = lo + (hi - lo) / 2;

		if (memcmp(d->traces[mid].id, trace_id, 16) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < d->ntraces && memcmp(d->traces[lo].id, trace_id, 16) == 0; lo++)
		if (str_eq(d->tenants[d->traces[lo].tenant], tenant))
			return lo;
	return -1;
}
