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
#include "exec/partial.h"
#include "exec/series.h"
#include "types/types.h"

struct Accumulator
{
	AggregateSpec spec;
	PlanState *parent;
	MemoryContext context;
	Series *series;
	ColumnFilter *filter;
	uint64 bias; /* added before comparing: makes unsigned order signed; 0 before the first table */
	/* by group */
	uint32 n;
	uint32 max;
	int64 *count;
	int128 *sum; /* of core, which palloc aligns well enough: the compiler's own wants 16 bytes */
	int64 *extreme;
	/* percentiles */
	ValueLists *values;
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
accumulator_create(PlanState *parent, const AggregateSpec *spec, SlabSource *source, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Accumulator *a = palloc0(sizeof(Accumulator));

	a->spec = *spec;
	a->parent = parent;
	a->context = context;
	if (spec->fractions)
	{
		evaluate_fractions(a);
		a->values = value_lists_create(source, context);
	}
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
			a->sum = grow_array(a, a->sum, sizeof(int128), max);
		if (a->spec.kind == AGGREGATE_MIN || a->spec.kind == AGGREGATE_MAX)
			a->extreme = grow_array(a, a->extreme, sizeof(int64), max);
		a->max = max;
	}
	a->n = ngroups;
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
		case AGGREGATE_PERCENTILE: value_lists_add(a->values, v, rows, n, groups, a->n); break;
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

bool
accumulator_counts_rows(const Accumulator *a)
{
	return a->spec.kind == AGGREGATE_COUNT && a->spec.rows && a->spec.filter == NIL;
}

void
accumulator_add_count(Accumulator *a, uint32 group, uint32 n, uint32 ngroups)
{
	reserve_groups(a, ngroups);
	a->count[group] += n;
}

void
accumulator_finish(Accumulator *a, uint32 ngroups)
{
	reserve_groups(a, ngroups);
}

/* ---- other processes ---- */

void
accumulator_write(Accumulator *a, uint32 ngroups, StringInfo out)
{
	reserve_groups(a, ngroups);
	if (a->values)
	{
		value_lists_write(a->values, ngroups, out);
		return;
	}
	partial_put_u64(out, a->bias);
	partial_put(out, a->count, (Size) ngroups * sizeof(int64));
	if (a->sum)
		partial_put(out, a->sum, (Size) ngroups * sizeof(int128));
	if (a->extreme)
		partial_put(out, a->extreme, (Size) ngroups * sizeof(int64));
}

static void
merge_extreme(Accumulator *a, uint32 group, int64 count, int64 extreme)
{
	if (count == 0)
		return;
	if (a->count[group] == 0 ||
		(a->spec.kind == AGGREGATE_MIN ? extreme < a->extreme[group] : extreme > a->extreme[group]))
		a->extreme[group] = extreme;
}

void
accumulator_merge(Accumulator *a, const char **message, uint32 ngroups, const uint32 *map)
{
	const int64 *count, *extreme = NULL;
	const int128 *sum = NULL;

	if (a->values)
	{
		value_lists_merge(a->values, message, ngroups, map);
		return;
	}
	a->bias |= partial_get_u64(message);
	count = partial_get(message, (Size) ngroups * sizeof(int64));
	if (a->spec.kind == AGGREGATE_SUM || a->spec.kind == AGGREGATE_AVG)
		sum = partial_get(message, (Size) ngroups * sizeof(int128));
	if (a->spec.kind == AGGREGATE_MIN || a->spec.kind == AGGREGATE_MAX)
		extreme = partial_get(message, (Size) ngroups * sizeof(int64));
	for (uint32 g = 0; g < ngroups; g++)
	{
		if (map[g] == VALUE_LISTS_NONE)
			continue;
		reserve_groups(a, Max(a->n, map[g] + 1));
		if (extreme)
			merge_extreme(a, map[g], count[g], extreme[g]);
		if (sum)
			a->sum[map[g]] += sum[g];
		a->count[map[g]] += count[g];
	}
}

/* ---- percentiles ---- */

/* A percentile is worked out from the values of two ranks, which may be the same. */
typedef struct Position
{
	double fraction;
	uint64 low;
	uint64 high;
	double share; /* of the way from the low value to the high one */
	int64 value[2];
} Position;

/* As orderedsetaggs.c has it. */
static void
find_position(const Accumulator *a, uint64 n, Position *p)
{
	if (a->spec.continuous)
	{
		double at = p->fraction * (double) (n - 1);

		p->low = (uint64) floor(at);
		p->high = (uint64) ceil(at);
		p->share = at - (double) p->low;
	}
	else
	{
		int64 row = (int64) ceil(p->fraction * (double) n);

		p->low = p->high = row > 1 ? (uint64) row - 1 : 0;
	}
}

static int
compare_ranks(const void *a, const void *b)
{
	uint64 x = *(const uint64 *) a, y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

static int64
value_of_rank(const uint64 *ranks, const int64 *values, int n, uint64 rank)
{
	const uint64 *at = bsearch(&rank, ranks, n, sizeof(uint64), compare_ranks);

	return values[at - ranks];
}

/* Values of the ranks of all positions, looked up together. */
static void
find_values(Accumulator *a, uint32 group, Position *positions, int n)
{
	uint64 *ranks = palloc(n * 2 * sizeof(uint64));
	int64 *values = palloc(n * 2 * sizeof(int64));
	uint64 count = value_lists_count(a->values, group);

	for (int i = 0; i < n; i++)
	{
		find_position(a, count, &positions[i]);
		ranks[i * 2] = positions[i].low;
		ranks[i * 2 + 1] = positions[i].high;
	}
	qsort(ranks, n * 2, sizeof(uint64), compare_ranks);
	value_lists_select(a->values, group, ranks, n * 2, values);
	for (int i = 0; i < n; i++)
	{
		positions[i].value[0] = value_of_rank(ranks, values, n * 2, positions[i].low);
		positions[i].value[1] = value_of_rank(ranks, values, n * 2, positions[i].high);
	}
	pfree(ranks);
	pfree(values);
}

static Datum
percentile(const Accumulator *a, const Position *p)
{
	double low, high;

	if (!a->spec.continuous)
		return (Datum) p->value[0];
	low = (double) p->value[0];
	high = (double) p->value[1];
	return Float8GetDatum(p->low == p->high ? low : low + p->share * (high - low));
}

static Datum
percentile_array(Accumulator *a, uint32 group, bool *isnull)
{
	ArrayType *given = DatumGetArrayTypeP(a->fractions);
	Oid element = result_element(a);
	Datum *fractions, *results;
	Position *positions;
	bool *nulls;
	int n, npositions = 0;
	int16 len = element == INT2OID ? 2 : element == INT4OID ? 4 : 8;

	deconstruct_array(given, FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &fractions, &nulls, &n);
	*isnull = false;
	if (n == 0)
		return PointerGetDatum(construct_empty_array(element));
	results = palloc0(n * sizeof(Datum));
	positions = palloc(n * sizeof(Position));
	for (int i = 0; i < n; i++)
		if (!nulls[i])
		{
			positions[npositions].fraction = DatumGetFloat8(fractions[i]);
			check_fraction(positions[npositions++].fraction);
		}
	if (npositions > 0)
		find_values(a, group, positions, npositions);
	for (int i = 0, k = 0; i < n; i++)
		if (!nulls[i])
			results[i] = percentile(a, &positions[k++]);
	return PointerGetDatum(construct_md_array(results, nulls, ARR_NDIM(given), ARR_DIMS(given),
											  ARR_LBOUND(given), element, len, true,
											  len == 2   ? TYPALIGN_SHORT
											  : len == 4 ? TYPALIGN_INT
														 : TYPALIGN_DOUBLE));
}

static Datum
percentile_result(Accumulator *a, uint32 group, bool *isnull)
{
	Position position = {0};

	*isnull = true;
	if (a->no_fractions)
		return (Datum) 0;
	if (!OidIsValid(result_element(a)))
	{
		position.fraction = DatumGetFloat8(a->fractions);
		check_fraction(position.fraction);
	}
	if (value_lists_count(a->values, group) == 0)
		return (Datum) 0;
	if (OidIsValid(result_element(a)))
		return percentile_array(a, group, isnull);
	*isnull = false;
	find_values(a, group, &position, 1);
	return percentile(a, &position);
}

/* ---- results ---- */

static Datum
int128_numeric(int128 v)
{
	char digits[48];
	char *p = digits + sizeof(digits) - 1;
	bool negative = v < 0;
	uint128 u = negative ? -(uint128) v : (uint128) v;

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
