/*
 * group_key.c
 *	  Numbering key values.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "exec/group_key.h"
#include "exec/number_map.h"
#include "exec/partial.h"
#include "exec/series.h"
#include "types/types.h"

#define NONE NUMBER_MAP_NONE

struct GroupKey
{
	KeySpec spec;
	ExprState *expr;
	ExprContext *econtext;
	TupleTableSlot *slot;
	Series *series;
	MemoryContext context;
	/* distinct values */
	Datum *values;
	uint32 n;
	uint32 max;
	uint32 null; /* number of the null value, or NONE */
	/* values that are datums of variable length: hash table of numbers */
	uint32 *table;
	uint32 mask;
	NumberMap numbers; /* of values that are numbers */
	NumberMap steps;   /* KEY_BIN: of bins; KEY_STEP: of seconds; KEY_ENTRY: of integers of attributes */
	/* KEY_ENTRY: number by entry */
	uint32 *map;
	uint32 nmap;
	uint32 max_map;
};

GroupKey *
group_key_create(PlanState *parent, const KeySpec *spec, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	GroupKey *k = palloc0(sizeof(GroupKey));

	k->spec = *spec;
	k->context = context;
	k->null = NONE;
	k->econtext = CreateExprContext(parent->state);
	if (spec->expr)
	{
		TupleDesc desc = CreateTemplateTupleDesc(1);

		k->expr = ExecInitExpr(spec->expr, parent);
		TupleDescInitEntry(desc, 1, "value", spec->series.type, -1, 0);
		k->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	}
	number_map_init(&k->numbers, context);
	number_map_init(&k->steps, context);
	MemoryContextSwitchTo(old);
	return k;
}

void
group_key_free(GroupKey *k)
{
	FreeExprContext(k->econtext, true);
}

void
group_key_table(GroupKey *k, Relation rel, const ClauseTable *table, MemoryContext context)
{
	k->series = series_create(rel, table, &k->spec.series, context);
	k->nmap = 0;
}

uint32
group_key_count(const GroupKey *k)
{
	return k->n;
}

Datum
group_key_value(const GroupKey *k, uint32 number, bool *isnull)
{
	*isnull = number == k->null;
	return k->values[number];
}

/* ---- distinct values ---- */

static uint32
add_value(GroupKey *k, Datum d)
{
	if (k->n == k->max)
	{
		uint32 max = Max(k->max * 2, 64);

		if (k->n >= PG_INT32_MAX / 2)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many groups")));
		k->values = k->values ? repalloc_huge(k->values, (Size) max * sizeof(Datum))
							  : MemoryContextAllocHuge(k->context, (Size) max * sizeof(Datum));
		k->max = max;
	}
	k->values[k->n] = d;
	return k->n++;
}

static uint32
number_of_null(GroupKey *k)
{
	if (k->null == NONE)
		k->null = add_value(k, (Datum) 0);
	return k->null;
}

static uint32
hash_text(Datum d)
{
	return hash_bytes((const unsigned char *) VARDATA_ANY(d), VARSIZE_ANY_EXHDR(d));
}

static bool
same_text(Datum a, Datum b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		   memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static uint32 *
find_text(GroupKey *k, Datum d)
{
	uint32 at = hash_text(d) & k->mask;

	while (k->table[at] != NONE && !same_text(k->values[k->table[at]], d))
		at = (at + 1) & k->mask;
	return &k->table[at];
}

static void
grow_table(GroupKey *k)
{
	k->mask = k->table ? k->mask * 2 + 1 : 255;
	if (k->table)
		pfree(k->table);
	k->table = MemoryContextAllocHuge(k->context, ((Size) k->mask + 1) * sizeof(uint32));
	memset(k->table, 0xFF, ((Size) k->mask + 1) * sizeof(uint32));
	for (uint32 i = 0; i < k->n; i++)
		if (i != k->null)
			*find_text(k, k->values[i]) = i;
}

/* d: detoasted, in short-lived memory */
static uint32
number_of_text(GroupKey *k, Datum d)
{
	uint32 *at;

	if (k->table == NULL || k->n >= k->mask / 2)
		grow_table(k);
	at = find_text(k, d);
	if (*at == NONE)
	{
		MemoryContext old = MemoryContextSwitchTo(k->context);

		d = datumCopy(d, false, -1);
		*at = add_value(k, d);
		MemoryContextSwitchTo(old);
	}
	return *at;
}

static uint32
number_of_number(GroupKey *k, Datum d)
{
	uint32 *at = number_map_find(&k->numbers, (int64) d);

	if (*at == NONE)
		*at = add_value(k, d);
	return *at;
}

static uint32
number_of_datum(GroupKey *k, Datum d, bool isnull)
{
	if (isnull)
		return number_of_null(k);
	if (k->spec.byval)
		return number_of_number(k, d);
	return number_of_text(k, PointerGetDatum(PG_DETOAST_DATUM_PACKED(d)));
}

/* The number of the key that the expression gives for a value of the series. */
static uint32
evaluate(GroupKey *k, Datum value, bool isnull)
{
	Datum d = value;

	if (k->expr)
	{
		ExecClearTuple(k->slot);
		k->slot->tts_values[0] = value;
		k->slot->tts_isnull[0] = isnull;
		ExecStoreVirtualTuple(k->slot);
		k->econtext->ecxt_outertuple = k->slot;
		d = ExecEvalExpr(k->expr, k->econtext, &isnull);
	}
	return number_of_datum(k, d, isnull);
}

/* ---- values of other processes ---- */

static uint32
hash_value(const GroupKey *k, uint32 number)
{
	if (number == k->null)
		return 0;
	if (k->spec.byval)
		return (uint32) (((uint64) k->values[number] * UINT64CONST(0x9E3779B97F4A7C15)) >> 32);
	return hash_text(k->values[number]);
}

void
group_key_write(const GroupKey *k, StringInfo out)
{
	Size n = k->n;
	uint32 *hash = MemoryContextAllocHuge(k->context, (n + 1) * sizeof(uint32));

	for (uint32 i = 0; i < k->n; i++)
		hash[i] = hash_value(k, i);
	partial_put_u64(out, n);
	partial_put_u64(out, k->null);
	partial_put(out, hash, n * sizeof(uint32));
	pfree(hash);
	if (k->spec.byval)
		partial_put(out, k->values, n * sizeof(Datum));
	else
	{
		uint64 *at = MemoryContextAllocHuge(k->context, (n + 1) * sizeof(uint64));

		at[0] = 0;
		for (uint32 i = 0; i < k->n; i++)
			at[i + 1] = at[i] + (i == k->null ? 0 : TYPEALIGN(PARTIAL_ALIGN, VARSIZE_ANY(k->values[i])));
		partial_put(out, at, (n + 1) * sizeof(uint64));
		for (uint32 i = 0; i < k->n; i++)
			if (i != k->null)
				partial_put(out, DatumGetPointer(k->values[i]), VARSIZE_ANY(k->values[i]));
		pfree(at);
	}
}

void
group_key_read(const GroupKey *k, const char **message, KeyMessage *m)
{
	m->n = (uint32) partial_get_u64(message);
	m->null = (uint32) partial_get_u64(message);
	m->hash = partial_get(message, (Size) m->n * sizeof(uint32));
	if (k->spec.byval)
		m->values = partial_get(message, (Size) m->n * sizeof(Datum));
	else
	{
		m->at = partial_get(message, ((Size) m->n + 1) * sizeof(uint64));
		m->bytes = partial_get(message, m->at[m->n]);
	}
}

uint32
group_key_take(GroupKey *k, const KeyMessage *m, uint32 number)
{
	if (number == m->null)
		return number_of_null(k);
	if (k->spec.byval)
		return number_of_number(k, m->values[number]);
	return number_of_text(k, PointerGetDatum(m->bytes + m->at[number]));
}

static MemoryContext
begin_evaluation(GroupKey *k)
{
	ResetExprContext(k->econtext);
	return MemoryContextSwitchTo(k->econtext->ecxt_per_tuple_memory);
}

/* ---- entries ---- */

static uint32
evaluate_entry(GroupKey *k, uint32 code)
{
	MemoryContext old = begin_evaluation(k);
	bool isnull;
	Datum d = series_entry(k->series, code, &isnull);
	uint32 number = evaluate(k, d, isnull);

	MemoryContextSwitchTo(old);
	return number;
}

/* Every image has entries of its own, but an integer is the same key in all of them. */
static uint32
number_of_entry(GroupKey *k, uint32 code)
{
	uint32 *at;
	int64 v;

	if (!series_entry_int(k->series, code, &v))
		return evaluate_entry(k, code);
	at = number_map_find(&k->steps, v);
	if (*at == NONE)
		*at = evaluate_entry(k, code);
	return *at;
}

static void
prepare_map(GroupKey *k)
{
	Series *s = k->series;
	uint32 kept = Min(s->kept, k->nmap);

	if (s->nentries > k->max_map)
	{
		uint32 max = Max(s->nentries, Max(k->max_map * 2, 1024));

		k->map = k->map ? repalloc_huge(k->map, (Size) max * sizeof(uint32))
						: MemoryContextAllocHuge(k->context, (Size) max * sizeof(uint32));
		k->max_map = max;
	}
	memset(k->map + kept, 0xFF, (Size) (s->nentries - kept) * sizeof(uint32));
	k->nmap = s->nentries;
}

static void
load_entries(GroupKey *k, const uint32 *rows, uint32 n, uint32 *out)
{
	const uint32 *codes = k->series->codes;
	uint32 *map;
	bool unknown = false;

	prepare_map(k);
	map = k->map;
	for (uint32 i = 0; i < n; i++)
	{
		out[i] = map[codes[rows ? rows[i] : i]];
		unknown |= out[i] == NONE;
	}
	for (uint32 i = 0; unknown && i < n; i++)
		if (out[i] == NONE)
		{
			uint32 code = codes[rows ? rows[i] : i];

			if (map[code] == NONE)
				map[code] = number_of_entry(k, code);
			out[i] = map[code];
		}
}

/* ---- numbers ---- */

/* The datum of a number as it is stored. */
static Datum
stored_datum(const GroupKey *k, int64 v)
{
	int16 below;

	if (k->series->column.role == ROLE_START_TIME)
		return TimestampTzGetDatum(types_unix_ns_time((uint64) v, &below));
	return (Datum) v;
}

static void
load_numbers(GroupKey *k, const uint32 *rows, uint32 n, uint32 *out)
{
	const int64 *v = k->series->value;
	const uint8 *nulls = k->series->nulls;

	for (uint32 i = 0; i < n; i++)
	{
		uint32 row = rows ? rows[i] : i;

		out[i] = nulls && nulls[row] ? number_of_null(k) : number_of_number(k, stored_datum(k, v[row]));
	}
}

/* ---- bins and steps of time ---- */

static uint32
evaluate_time(GroupKey *k, TimestampTz t)
{
	MemoryContext old = begin_evaluation(k);
	uint32 number = evaluate(k, TimestampTzGetDatum(t), false);

	MemoryContextSwitchTo(old);
	return number;
}

/* Bins of time, in nanoseconds. */
typedef struct Bins
{
	uint64 origin;
	uint64 stride;
	uint64 near; /* start of a bin close to the times at hand, and its number */
	int64 near_number;
	double per_ns; /* bins a nanosecond */
} Bins;

static void
set_near(Bins *b, uint64 ns)
{
	b->near_number = (int64) ((ns - b->origin) / b->stride);
	b->near = b->origin + (uint64) b->near_number * b->stride;
}

/* Times this close to one another differ by a number that a double holds exactly. */
#define NEAR_NS (INT64CONST(1) << 52)

/* ns: not before the origin. Multiplying is a fraction of dividing; the quotient is off by one at most. */
static inline int64
bin_of(const Bins *b, uint64 ns)
{
	int64 d = (int64) (ns - b->near);
	int64 q;
	int64 rest;

	if (unlikely(d > NEAR_NS || d < -NEAR_NS))
		return (int64) ((ns - b->origin) / b->stride);
	q = (int64) ((double) d * b->per_ns);
	rest = d - q * (int64) b->stride;
	q += rest >= (int64) b->stride;
	q -= rest < 0;
	return b->near_number + q;
}

/* Is the origin where bins can be counted from? */
static bool
bins_make(const KeySpec *spec, Bins *b)
{
	__int128 origin = ((__int128) spec->origin + UNIX_TO_PG_USECS) * NSECS_PER_USEC;
	__int128 stride = (__int128) spec->stride * NSECS_PER_USEC;

	if (origin < 0 || origin > PG_INT64_MAX || stride > PG_INT64_MAX)
		return false;
	b->origin = (uint64) origin;
	b->stride = (uint64) stride;
	b->per_ns = 1.0 / (double) stride;
	return true;
}

/* Before the origin, and where numbers get large: as core does it. Its function also names a new bin. */
static void
load_bins(GroupKey *k, const uint32 *rows, uint32 n, uint32 *out)
{
	const uint64 *v = (const uint64 *) k->series->value;
	Bins bins;
	bool plain = bins_make(&k->spec, &bins);
	bool near = false;
	int16 below;

	for (uint32 i = 0; i < n; i++)
	{
		uint64 ns = v[rows ? rows[i] : i];
		uint32 *at;

		if (!plain || ns < bins.origin)
		{
			out[i] = evaluate_time(k, types_unix_ns_time(ns, &below));
			continue;
		}
		if (!near)
			set_near(&bins, ns);
		near = true;
		at = number_map_find(&k->steps, bin_of(&bins, ns));
		if (*at == NONE)
			*at = evaluate_time(k, types_unix_ns_time(ns, &below));
		out[i] = *at;
	}
}

static void
load_steps(GroupKey *k, const uint32 *rows, uint32 n, uint32 *out)
{
	const uint64 *v = (const uint64 *) k->series->value;
	int16 below;

	for (uint32 i = 0; i < n; i++)
	{
		uint64 ns = v[rows ? rows[i] : i];
		uint32 *at = number_map_find(&k->steps, (int64) (ns / UINT64CONST(1000000000)));

		if (*at == NONE)
			*at = evaluate_time(k, types_unix_ns_time(ns, &below));
		out[i] = *at;
	}
}

/* The one bin that all times of the open vector are in: they need not be read. */
static bool
one_bin(const GroupKey *k, Cursor *cur, int64 *bin, uint64 *ns)
{
	const ImageVector *info =
		image_vector_info(cur->image, (uint32) (cur->vector - (int64) cur->first_vector[cur->unit]));
	Bins bins;

	*ns = (uint64) info->start_min;
	if (!cur->units[cur->unit].has_range || !bins_make(&k->spec, &bins) || *ns < bins.origin ||
		(uint64) info->start_max < *ns)
		return false;
	*bin = (int64) ((*ns - bins.origin) / bins.stride);
	return *bin == (int64) (((uint64) info->start_max - bins.origin) / bins.stride);
}

/* ns: a time in the bin */
static uint32
number_of_bin(GroupKey *k, int64 bin, uint64 ns)
{
	uint32 *at = number_map_find(&k->steps, bin);
	int16 below;

	if (*at == NONE)
		*at = evaluate_time(k, types_unix_ns_time(ns, &below));
	return *at;
}

bool
group_key_one(GroupKey *k, Cursor *cur, uint32 *number)
{
	int64 bin;
	uint64 ns;

	if (k->spec.kind != KEY_BIN || !one_bin(k, cur, &bin, &ns))
		return false;
	*number = number_of_bin(k, bin, ns);
	return true;
}

/* ---- bins by trace ---- */

/* The bins met in a vector. */
typedef struct FewBins
{
	Bins bins;
	int64 bin[GROUP_KEY_FEW_BINS];
	uint64 ns[GROUP_KEY_FEW_BINS]; /* a time in each */
	uint32 n;
} FewBins;

/* Place of a time's bin, or GROUP_KEY_FEW_BINS: there are more. */
static inline uint32
few_bins_find(FewBins *f, uint64 ns)
{
	int64 bin = bin_of(&f->bins, ns);

	for (uint32 i = 0; i < f->n; i++)
		if (f->bin[i] == bin)
			return i;
	if (f->n == GROUP_KEY_FEW_BINS)
		return GROUP_KEY_FEW_BINS;
	f->bin[f->n] = bin;
	f->ns[f->n] = ns;
	return f->n++;
}

/* Is no span of the open vector after the end of its trace, as those that end before they start might be? */
static bool
spans_end_after_start(Cursor *cur)
{
	int64 min, max;

	return image_zone(cur->image, LEVEL_SPAN, LOAD_COLUMN, SC_DURATION,
					  (uint32) (cur->vector - (int64) cur->first_vector[cur->unit]), &min, &max) &&
		   min >= 0;
}

/* Bins of traces that lie in one; wanted: those that do not. Returns how many, or -1: too many bins. */
static int64
bins_of_traces(FewBins *f, Batch *b, uint32 *local, uint8 *wanted)
{
	const uint64 *start = (const uint64 *) batch_column(b, LEVEL_TRACE, TC_START)->i64;
	const uint64 *duration = (const uint64 *) batch_column(b, LEVEL_TRACE, TC_DURATION)->i64;
	int64 left = 0;

	for (uint32 t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
	{
		uint64 end = start[t] + duration[t];
		uint32 bin;

		if (start[t] < f->bins.origin)
			return -1;
		wanted[t] = end < start[t] || bin_of(&f->bins, end) != bin_of(&f->bins, start[t]);
		left += wanted[t];
		if (wanted[t])
			continue;
		bin = few_bins_find(f, start[t]);
		if (bin == GROUP_KEY_FEW_BINS)
			return -1;
		for (uint32 row = b->trace_first[t]; row < b->trace_first[t + 1]; row++)
			local[row] = bin;
	}
	return left;
}

/* Bins of the rows of the other traces. */
static bool
bins_of_rows(FewBins *f, Batch *b, uint32 *local, const uint8 *wanted)
{
	const uint64 *start = (const uint64 *) image_trace_starts(b, wanted);

	for (uint32 t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
		for (uint32 row = b->trace_first[t]; wanted[t] && row < b->trace_first[t + 1]; row++)
		{
			if (start[row] < f->bins.origin)
				return false;
			local[row] = few_bins_find(f, start[row]);
			if (local[row] == GROUP_KEY_FEW_BINS)
				return false;
		}
	return true;
}

const uint32 *
group_key_bins(GroupKey *k, Cursor *cur, uint32 *numbers, uint32 *nbins)
{
	Batch *b = cur->batch;
	FewBins f = {.n = 0};
	uint32 *local;
	uint8 *wanted;
	int64 left;

	if (k->spec.kind != KEY_BIN || !b->sorted || b->level[LEVEL_TRACE].nrows == 0 ||
		!bins_make(&k->spec, &f.bins) || !spans_end_after_start(cur))
		return NULL;
	set_near(&f.bins, Max((uint64) batch_column(b, LEVEL_TRACE, TC_START)->i64[0], f.bins.origin));
	local = arena_alloc(b->arena, ((size_t) cur->batch_rows + 1) * sizeof(uint32));
	wanted = arena_alloc(b->arena, (size_t) b->level[LEVEL_TRACE].nrows + 1);
	left = bins_of_traces(&f, b, local, wanted);
	if (left < 0 || (left > 0 && !bins_of_rows(&f, b, local, wanted)))
		return NULL;
	for (uint32 i = 0; i < f.n; i++)
		numbers[i] = number_of_bin(k, f.bin[i], f.ns[i]);
	*nbins = f.n;
	return local;
}

const uint32 *
group_key_codes(GroupKey *k, Cursor *cur, uint32 *ncodes)
{
	if (k->spec.kind != KEY_ENTRY)
		return NULL;
	series_load(k->series, cur);
	prepare_map(k);
	*ncodes = k->series->nentries;
	return k->series->codes;
}

uint32
group_key_of_code(GroupKey *k, uint32 code)
{
	if (k->map[code] == NONE)
		k->map[code] = number_of_entry(k, code);
	return k->map[code];
}

void
group_key_load(GroupKey *k, Cursor *cur, const uint32 *rows, uint32 n, uint32 *out)
{
	uint32 one;

	if (group_key_one(k, cur, &one))
	{
		for (uint32 i = 0; i < n; i++)
			out[i] = one;
		return;
	}
	series_load(k->series, cur);
	switch (k->spec.kind)
	{
		case KEY_NUMBER: load_numbers(k, rows, n, out); break;
		case KEY_ENTRY: load_entries(k, rows, n, out); break;
		case KEY_BIN: load_bins(k, rows, n, out); break;
		case KEY_STEP: load_steps(k, rows, n, out); break;
	}
}
