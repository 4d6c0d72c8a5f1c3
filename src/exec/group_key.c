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
	NumberMap steps;   /* KEY_BIN: of bins; KEY_STEP: of seconds */
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
number_of_entry(GroupKey *k, uint32 code)
{
	MemoryContext old = begin_evaluation(k);
	bool isnull;
	Datum d = series_entry(k->series, code, &isnull);
	uint32 number = evaluate(k, d, isnull);

	MemoryContextSwitchTo(old);
	return number;
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

bool
group_key_one(GroupKey *k, Cursor *cur, uint32 *number)
{
	int64 bin;
	uint64 ns;
	uint32 *at;
	int16 below;

	if (k->spec.kind != KEY_BIN || !one_bin(k, cur, &bin, &ns))
		return false;
	at = number_map_find(&k->steps, bin);
	if (*at == NONE)
		*at = evaluate_time(k, types_unix_ns_time(ns, &below));
	*number = *at;
	return true;
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
