/*
 * accumulate.c
 *	  Counts, sums, extremes and percentiles by group.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "exec/accumulate.h"
#include "exec/column_filter.h"
#include "exec/series.h"
#include "types/types.h"

struct Accumulator
{
	AggregateSpec spec;
	PlanState *parent;
	MemoryContext context;
	Series *series;
	ColumnFilter *filter;
	uint64 bias; /* added before comparing: makes unsigned order signed */
	/* by group */
	uint32 n;
	uint32 max;
	int64 *count;
	__int128 *sum;
	int64 *extreme;
	/* percentiles: all values, and the group of each */
	int64 *values;
	uint32 *groups;
	uint64 nvalues;
	uint64 max_values;
	uint64 *first; /* after finish: values of a group are at [first[g], first[g + 1]) */
	Datum fractions;
	bool no_fractions; /* NULL */
};

/* In the current memory context, which is the accumulator's. */
static void
evaluate_fractions(Accumulator *a)
{
	ExprState *state = ExecInitExpr(a->spec.fractions, a->parent);

	a->fractions = ExecEvalExpr(state, a->parent->ps_ExprContext, &a->no_fractions);
}

/* Type of the elements when the result is an array, else InvalidOid. */
static Oid
result_element(const Accumulator *a)
{
	switch (a->spec.type)
	{
		case FLOAT8ARRAYOID: return FLOAT8OID;
		case INT2ARRAYOID: return INT2OID;
		case INT4ARRAYOID: return INT4OID;
		case INT8ARRAYOID: return INT8OID;
		default: return InvalidOid;
	}
}

static void
check_fraction(double f)
{
	if (f < 0 || f > 1 || isnan(f))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("percentile value %g is not between 0 and 1", f)));
}

Accumulator *
accumulator_create(PlanState *parent, const AggregateSpec *spec, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Accumulator *a = palloc0(sizeof(Accumulator));

	a->spec = *spec;
	a->parent = parent;
	a->context = context;
	if (spec->fractions)
		evaluate_fractions(a);
	MemoryContextSwitchTo(old);
	return a;
}

void
accumulator_table(Accumulator *a, Relation rel, const ClauseTable *table, Index varno, MemoryContext context)
{
	if (!a->spec.rows)
	{
		a->series = series_create(rel, table, &a->spec.series, context);
		a->bias = a->series->column.role == ROLE_START_TIME ? UINT64CONST(1) << 63 : 0;
	}
	if (a->spec.filter != NIL)
	{
		a->filter = column_filter_create(a->parent, rel, table, a->spec.filter, varno, context);
		column_filter_evaluate(a->filter);
	}
}

/* ---- taking in rows ---- */

static void *
grow_array(Accumulator *a, void *array, Size width, uint32 max)
{
	Size old = a->max * width;
	char *p = array ? repalloc_huge(array, max * width) : MemoryContextAllocHuge(a->context, max * width);

	memset(p + old, 0, max * width - old);
	return p;
}

static void
reserve_groups(Accumulator *a, uint32 ngroups)
{
	if (ngroups > a->max)
	{
		uint32 max = Max(ngroups, Max(a->max * 2, 64));

		a->count = grow_array(a, a->count, sizeof(int64), max);
		if (a->spec.kind == AGGREGATE_SUM || a->spec.kind == AGGREGATE_AVG)
			a->sum = grow_array(a, a->sum, sizeof(__int128), max);
		if (a->spec.kind == AGGREGATE_MIN || a->spec.kind == AGGREGATE_MAX)
			a->extreme = grow_array(a, a->extreme, sizeof(int64), max);
		a->max = max;
	}
	a->n = ngroups;
}

static void
reserve_values(Accumulator *a, uint64 wanted)
{
	uint64 max;

	if (wanted <= a->max_values)
		return;
	max = Max(wanted, a->max_values * 2);
	a->values = a->values ? repalloc_huge(a->values, max * sizeof(int64))
						  : MemoryContextAllocHuge(a->context, max * sizeof(int64));
	a->groups = a->groups ? repalloc_huge(a->groups, max * sizeof(uint32))
						  : MemoryContextAllocHuge(a->context, max * sizeof(uint32));
	a->max_values = max;
}

static inline void
take_extreme(Accumulator *a, uint32 group, int64 v)
{
	int64 biased = (int64) ((uint64) v ^ a->bias);

	if (a->count[group]++ == 0)
		a->extreme[group] = biased;
	else if (a->spec.kind == AGGREGATE_MIN ? biased < a->extreme[group] : biased > a->extreme[group])
		a->extreme[group] = biased;
}

/* Rows without nulls and conditions: the common case. */
static void
add_all(Accumulator *a, const uint32 *rows, uint32 n, const uint32 *groups)
{
	const int64 *v = a->series ? a->series->value : NULL;

	switch (a->spec.kind)
	{
		case AGGREGATE_COUNT:
			for (uint32 i = 0; i < n; i++)
				a->count[groups[i]]++;
			break;
		case AGGREGATE_SUM:
		case AGGREGATE_AVG:
			for (uint32 i = 0; i < n; i++)
			{
				a->count[groups[i]]++;
				a->sum[groups[i]] += v[rows ? rows[i] : i];
			}
			break;
		case AGGREGATE_MIN:
		case AGGREGATE_MAX:
			for (uint32 i = 0; i < n; i++)
				take_extreme(a, groups[i], v[rows ? rows[i] : i]);
			break;
		case AGGREGATE_PERCENTILE:
			reserve_values(a, a->nvalues + n);
			for (uint32 i = 0; i < n; i++)
				a->values[a->nvalues + i] = v[rows ? rows[i] : i];
			memcpy(a->groups + a->nvalues, groups, n * sizeof(uint32));
			a->nvalues += n;
			break;
	}
}

/* Which rows count: not null, and the conditions of FILTER hold. */
static void
mark_nulls(Accumulator *a, uint8 *pass, uint32 n)
{
	const Series *s = a->series;

	if (s == NULL)
		return;
	if (!a->spec.strings)
	{
		for (uint32 row = 0; s->nulls && row < n; row++)
			pass[row] &= !s->nulls[row];
		return;
	}
	for (uint32 row = 0; row < n; row++)
		if (pass[row])
			pass[row] = !series_entry_null(s, s->codes[row]);
}

void
accumulator_add(Accumulator *a, Cursor *cur, const uint32 *rows, uint32 n, const uint32 *groups,
				uint32 ngroups)
{
	uint32 all = cur->batch_rows;
	uint32 kept = 0;
	uint8 *pass;
	uint32 *kept_rows, *kept_groups;

	reserve_groups(a, ngroups);
	if (a->filter == NULL && a->series)
		series_load(a->series, cur);
	if (a->filter == NULL && (a->series == NULL || (!a->spec.strings && a->series->nulls == NULL)))
	{
		add_all(a, rows, n, groups);
		return;
	}
	pass = arena_alloc0(cur->batch->arena, (size_t) all + 1);
	kept_rows = arena_alloc(cur->batch->arena, ((size_t) n + 1) * sizeof(uint32));
	kept_groups = arena_alloc(cur->batch->arena, ((size_t) n + 1) * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		pass[rows ? rows[i] : i] = 1;
	if (a->filter && column_filter_pass(a->filter, cur, pass) == 0)
		return;
	if (a->series)
		series_load(a->series, cur);
	mark_nulls(a, pass, all);
	for (uint32 i = 0; i < n; i++)
	{
		kept_rows[kept] = rows ? rows[i] : i;
		kept_groups[kept] = groups[i];
		kept += pass[kept_rows[kept]];
	}
	add_all(a, kept_rows, kept, kept_groups);
}

/* ---- percentiles ---- */

/* Bring the values of each group together. */
static void
gather_values(Accumulator *a)
{
	uint64 *next = MemoryContextAllocHuge(a->context, ((Size) a->n + 1) * sizeof(uint64));
	int64 *sorted = MemoryContextAllocHuge(a->context, Max(a->nvalues, 1) * sizeof(int64));

	a->first = MemoryContextAllocHuge(a->context, ((Size) a->n + 2) * sizeof(uint64));
	memset(a->first, 0, ((Size) a->n + 2) * sizeof(uint64));
	for (uint64 i = 0; i < a->nvalues; i++)
		a->first[a->groups[i] + 1]++;
	for (uint32 g = 0; g < a->n; g++)
		a->first[g + 1] += a->first[g];
	memcpy(next, a->first, (Size) a->n * sizeof(uint64));
	for (uint64 i = 0; i < a->nvalues; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		sorted[next[a->groups[i]]++] = a->values[i];
	}
	pfree(next);
	if (a->values)
	{
		pfree(a->values);
		pfree(a->groups);
	}
	a->values = sorted;
	a->groups = NULL;
}

void
accumulator_finish(Accumulator *a, uint32 ngroups)
{
	reserve_groups(a, ngroups);
	if (a->spec.kind == AGGREGATE_PERCENTILE)
		gather_values(a);
}

static int64
median_of_three(int64 a, int64 b, int64 c)
{
	return a < b ? (b < c ? b : Max(a, c)) : (a < c ? a : Max(b, c));
}

/* Bring the values less than the pivot to the front; returns how many. No branch depends on a value. */
static uint64
partition_values(int64 *v, uint64 n, int64 pivot)
{
	uint64 less = 0;

	for (uint64 i = 0; i < n; i++)
	{
		int64 x = v[i];

		v[i] = v[less];
		v[less] = x;
		less += x < pivot;
	}
	return less;
}

/*
 * The k-th value in order: afterwards it is at k, none before it is greater, none behind it less. Values up
 * to `from` are in their place as far as that goes (from <= k).
 */
static int64
select_value(int64 *v, uint64 n, uint64 k, uint64 from)
{
	uint64 lo = from;
	uint64 hi = n;

	while (hi - lo > 1)
	{
		int64 pivot = median_of_three(v[lo], v[lo + (hi - lo) / 2], v[hi - 1]);
		uint64 less = lo + partition_values(v + lo, hi - lo, pivot);
		uint64 equal;

		CHECK_FOR_INTERRUPTS();
		if (k < less)
		{
			hi = less;
			continue;
		}
		/* The pivot is the least of the rest: those equal to it come next. */
		equal = pivot == PG_INT64_MAX ? hi : less + partition_values(v + less, hi - less, pivot + 1);
		if (k < equal)
			return pivot;
		lo = equal;
	}
	return v[k];
}

/* Percentiles are mostly asked for in ascending order: what lies below the last one need not be moved again.
 */
static int64
next_value(int64 *v, uint64 n, uint64 k, uint64 *from)
{
	int64 value = select_value(v, n, k, *from <= k ? *from : 0);

	*from = k;
	return value;
}

/* As orderedsetaggs.c has it. */
static Datum
percentile(const Accumulator *a, uint32 group, double fraction, uint64 *from)
{
	int64 *v = a->values + a->first[group];
	uint64 n = a->first[group + 1] - a->first[group];

	if (a->spec.continuous)
	{
		int64 first = (int64) floor(fraction * (n - 1));
		int64 second = (int64) ceil(fraction * (n - 1));
		double lo = (double) next_value(v, n, (uint64) first, from);
		double hi;

		if (first == second)
			return Float8GetDatum(lo);
		hi = (double) next_value(v, n, (uint64) second, from);
		return Float8GetDatum(lo + ((fraction * (n - 1) - first) * (hi - lo)));
	}
	else
	{
		int64 row = (int64) ceil(fraction * n);

		return (Datum) next_value(v, n, row > 1 ? (uint64) row - 1 : 0, from);
	}
}

static Datum
percentile_array(const Accumulator *a, uint32 group, bool *isnull)
{
	ArrayType *given = DatumGetArrayTypeP(a->fractions);
	Oid element = result_element(a);
	Datum *fractions;
	bool *nulls;
	int n;
	Datum *results;
	uint64 from = 0;
	int16 len = element == INT2OID ? 2 : element == INT4OID ? 4 : 8;

	deconstruct_array(given, FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &fractions, &nulls, &n);
	*isnull = false;
	if (n == 0)
		return PointerGetDatum(construct_empty_array(element));
	results = palloc0(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			check_fraction(DatumGetFloat8(fractions[i]));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			results[i] = percentile(a, group, DatumGetFloat8(fractions[i]), &from);
	return PointerGetDatum(construct_md_array(results, nulls, ARR_NDIM(given), ARR_DIMS(given),
											  ARR_LBOUND(given), element, len, true,
											  len == 2   ? TYPALIGN_SHORT
											  : len == 4 ? TYPALIGN_INT
														 : TYPALIGN_DOUBLE));
}

static Datum
percentile_result(const Accumulator *a, uint32 group, bool *isnull)
{
	double fraction = 0;
	uint64 from = 0;

	*isnull = true;
	if (a->no_fractions)
		return (Datum) 0;
	if (!OidIsValid(result_element(a)))
	{
		fraction = DatumGetFloat8(a->fractions);
		check_fraction(fraction);
	}
	if (a->first[group + 1] == a->first[group])
		return (Datum) 0;
	if (OidIsValid(result_element(a)))
		return percentile_array(a, group, isnull);
	*isnull = false;
	return percentile(a, group, fraction, &from);
}

/* ---- results ---- */

static Datum
int128_numeric(__int128 v)
{
	char digits[48];
	char *p = digits + sizeof(digits) - 1;
	bool negative = v < 0;
	unsigned __int128 u = negative ? -(unsigned __int128) v : (unsigned __int128) v;

	if (v >= PG_INT64_MIN && v <= PG_INT64_MAX)
		return NumericGetDatum(int64_to_numeric((int64) v));
	*p = '\0';
	do
		*--p = '0' + (char) (u % 10);
	while ((u /= 10) != 0);
	if (negative)
		*--p = '-';
	return DirectFunctionCall3(numeric_in, CStringGetDatum(p), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

static Datum
extreme_datum(const Accumulator *a, uint32 group)
{
	uint64 v = (uint64) a->extreme[group] ^ a->bias;
	int16 below;

	return a->bias ? TimestampTzGetDatum(types_unix_ns_time(v, &below)) : (Datum) v;
}

Datum
accumulator_result(Accumulator *a, uint32 group, bool *isnull)
{
	if (a->spec.kind == AGGREGATE_PERCENTILE)
		return percentile_result(a, group, isnull);
	*isnull = a->spec.kind != AGGREGATE_COUNT && a->count[group] == 0;
	if (*isnull)
		return (Datum) 0;
	switch (a->spec.kind)
	{
		case AGGREGATE_SUM:
			return a->spec.type == INT8OID ? Int64GetDatum((int64) a->sum[group])
										   : int128_numeric(a->sum[group]);
		case AGGREGATE_AVG:
			return DirectFunctionCall2(numeric_div, int128_numeric(a->sum[group]),
									   NumericGetDatum(int64_to_numeric(a->count[group])));
		case AGGREGATE_MIN:
		case AGGREGATE_MAX: return extreme_datum(a, group);
		default: return Int64GetDatum(a->count[group]);
	}
}

void
accumulator_end_table(Accumulator *a)
{
	if (a->filter)
		column_filter_free(a->filter);
	a->filter = NULL;
	a->series = NULL;
}
