/*
 * column_filter.c
 *	  Conditions on columns.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "exec/column_filter.h"
#include "exec/series.h"
#include "types/types.h"

/* What is known of an entry. */
enum
{
	ENTRY_UNKNOWN,
	ENTRY_FAILS,
	ENTRY_PASSES
};

typedef struct Condition
{
	VectorClause clause;
	Series *series;
	ExprState *value;
	bool none;    /* no row passes */
	bool negated; /* <> */
	/* CLAUSE_RANGE: lo <= v <= lo + width, modulo 2^64 */
	uint64 lo;
	uint64 width;
	/* CLAUSE_ENTRY */
	ExprState *entry;
	TupleTableSlot *slot; /* for one entry */
	Str *wanted;          /* strings to be equal to; NULL: evaluate the expression */
	uint32 nwanted;
	uint8 *state; /* by entry */
	uint32 nstates;
	uint32 max_states;
} Condition;

struct ColumnFilter
{
	PlanState *parent;
	ExprContext *values; /* values of conditions: kept until the next evaluate */
	ExprContext *entries;
	Condition *conditions;
	int n;
	bool possible;
	MemoryContext context;
};

static TupleTableSlot *
make_entry_slot(const VectorClause *clause)
{
	TupleDesc desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "entry", clause->series.type, -1, 0);
	return MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

ColumnFilter *
column_filter_create(PlanState *parent, Relation rel, const ClauseTable *table, List *clauses, Index varno,
					 MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "tempo filter", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	ColumnFilter *f = palloc0(sizeof(ColumnFilter));
	ListCell *lc;

	f->parent = parent;
	f->context = own;
	f->values = CreateExprContext(parent->state);
	f->entries = CreateExprContext(parent->state);
	f->conditions = palloc0(Max(list_length(clauses), 1) * sizeof(Condition));
	foreach (lc, clauses)
	{
		Condition *c = &f->conditions[f->n++];

		if (!clause_recognise(table, varno, lfirst(lc), &c->clause))
			elog(ERROR, "condition is not one on a column");
		c->series = series_create(rel, table, &c->clause.series, own);
		if (c->clause.value)
			c->value = ExecInitExpr(c->clause.value, parent);
		if (c->clause.entry)
		{
			c->entry = ExecInitExpr(c->clause.entry, parent);
			c->slot = make_entry_slot(&c->clause);
		}
	}
	f->possible = true;
	MemoryContextSwitchTo(old);
	return f;
}

void
column_filter_free(ColumnFilter *f)
{
	FreeExprContext(f->values, true);
	FreeExprContext(f->entries, true);
	MemoryContextDelete(f->context);
}

/* ---- values ---- */

static int64
number_of(Datum d, Oid type)
{
	switch (type)
	{
		case INT2OID: return DatumGetInt16(d);
		case INT8OID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID: return DatumGetInt64(d);
		default: return get_typlen(type) == 8 ? DatumGetInt64(d) : DatumGetInt32(d);
	}
}

static void
set_range(Condition *c, uint64 lo, uint64 hi)
{
	c->lo = lo;
	c->width = hi - lo;
}

static void
set_signed(Condition *c, int64 v)
{
	switch (c->clause.strategy)
	{
		case BTLessStrategyNumber:
			c->none = v == PG_INT64_MIN;
			set_range(c, (uint64) PG_INT64_MIN, (uint64) v - 1);
			break;
		case BTLessEqualStrategyNumber: set_range(c, (uint64) PG_INT64_MIN, (uint64) v); break;
		case BTEqualStrategyNumber: set_range(c, (uint64) v, (uint64) v); break;
		case BTGreaterEqualStrategyNumber: set_range(c, (uint64) v, PG_INT64_MAX); break;
		case BTGreaterStrategyNumber:
			c->none = v == PG_INT64_MAX;
			set_range(c, (uint64) v + 1, PG_INT64_MAX);
			break;
	}
}

static void
set_unsigned(Condition *c, uint64 v)
{
	switch (c->clause.strategy)
	{
		case BTLessStrategyNumber:
			c->none = v == 0;
			set_range(c, 0, v - 1);
			break;
		case BTLessEqualStrategyNumber: set_range(c, 0, v); break;
		case BTEqualStrategyNumber: set_range(c, v, v); break;
		case BTGreaterEqualStrategyNumber: set_range(c, v, PG_UINT64_MAX); break;
		case BTGreaterStrategyNumber:
			c->none = v == PG_UINT64_MAX;
			set_range(c, v + 1, PG_UINT64_MAX);
			break;
	}
}

/* The nanoseconds whose microsecond compares so with t. */
static void
set_start(Condition *c, TimestampTz t)
{
	__int128 us = (__int128) t + UNIX_TO_PG_USECS;
	__int128 lo = 0;
	__int128 hi = PG_UINT64_MAX;
	int strategy = c->clause.strategy;

	if (strategy == BTGreaterStrategyNumber)
		lo = (us + 1) * NSECS_PER_USEC;
	else if (strategy == BTGreaterEqualStrategyNumber || strategy == BTEqualStrategyNumber)
		lo = us * NSECS_PER_USEC;
	if (strategy == BTLessStrategyNumber)
		hi = us * NSECS_PER_USEC - 1;
	else if (strategy == BTLessEqualStrategyNumber || strategy == BTEqualStrategyNumber)
		hi = us * NSECS_PER_USEC + NSECS_PER_USEC - 1;
	lo = Max(lo, 0);
	hi = Min(hi, (__int128) PG_UINT64_MAX);
	c->none = lo > hi;
	if (!c->none)
		set_range(c, (uint64) lo, (uint64) hi);
}

static bool
is_unsigned(const Condition *c)
{
	int role = c->series->column.role;

	return role == SC_SPAN_ID || role == SC_PARENT_ID || role == ROLE_START_TIME;
}

static void
set_number(Condition *c, Datum d)
{
	int64 v = number_of(d, exprType((Node *) c->clause.value));

	if (c->series->column.role == ROLE_START_TIME)
		set_start(c, v);
	else if (is_unsigned(c))
		set_unsigned(c, (uint64) v);
	else
		set_signed(c, v);
	/* not equal to what no row has: all that are not null */
	if (c->negated && c->none)
	{
		c->none = c->negated = false;
		set_range(c, 0, PG_UINT64_MAX);
	}
}

/*
 * Attribute text has escapes where the bytes are not text, so bytes decide only when the value has none.
 * Returns false when it has.
 */
static bool
add_wanted(Condition *c, Datum d)
{
	text *t = DatumGetTextPP(d);
	Str s = str_of(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));

	c->wanted[c->nwanted++] = s;
	return c->clause.series.key == NULL || memchr(s.p, '\\', s.len) == NULL;
}

/* More strings than this to be equal to are left to the expression, which hashes them. */
#define MAX_WANTED 8

static bool
add_wanted_array(Condition *c, Datum d)
{
	ArrayType *array = DatumGetArrayTypeP(d);
	Datum *elements;
	bool *nulls;
	int n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n > MAX_WANTED)
		return false;
	for (int i = 0; i < n; i++)
		if (!nulls[i] && !add_wanted(c, elements[i]))
			return false;
	c->none = c->nwanted == 0;
	return true;
}

static void
set_strings(Condition *c, Datum d)
{
	bool exact;

	c->wanted = palloc(MAX_WANTED * sizeof(Str));
	exact = c->clause.any ? add_wanted_array(c, d) : add_wanted(c, d);
	if (!exact)
		c->wanted = NULL;
}

static void
set_value(ColumnFilter *f, Condition *c)
{
	bool isnull;
	Datum d;

	c->none = false;
	c->negated = c->clause.negated;
	c->wanted = NULL;
	c->nwanted = 0;
	c->nstates = 0;
	if (c->value == NULL)
		return;
	d = ExecEvalExpr(c->value, f->values, &isnull);
	if (isnull)
		c->none = true;
	else if (c->clause.kind == CLAUSE_RANGE)
		set_number(c, d);
	else
		set_strings(c, d);
}

void
column_filter_evaluate(ColumnFilter *f)
{
	MemoryContext old;

	ResetExprContext(f->values);
	old = MemoryContextSwitchTo(f->values->ecxt_per_tuple_memory);
	f->possible = true;
	for (int i = 0; i < f->n && f->possible; i++)
	{
		set_value(f, &f->conditions[i]);
		f->possible = !f->conditions[i].none;
	}
	MemoryContextSwitchTo(old);
}

bool
column_filter_possible(const ColumnFilter *f)
{
	return f->possible;
}

void
column_filter_start_range(const ColumnFilter *f, uint64 *lo, uint64 *hi)
{
	*lo = 0;
	*hi = PG_UINT64_MAX;
	for (int i = 0; i < f->n && f->possible; i++)
	{
		const Condition *c = &f->conditions[i];

		if (c->clause.kind != CLAUSE_RANGE || c->series->column.role != ROLE_START_TIME || c->negated)
			continue;
		*lo = Max(*lo, c->lo);
		*hi = Min(*hi, c->lo + c->width);
	}
}

/* ---- skipping ---- */

static bool
is_wanted(const Condition *c, Str s)
{
	for (uint32 i = 0; i < c->nwanted; i++)
		if (str_eq(c->wanted[i], s))
			return true;
	return false;
}

static bool
in_dictionaries(const Condition *c, Image *image)
{
	SeriesDictionary dicts[4];
	int n = series_dictionaries(c->series, image, dicts, lengthof(dicts));

	for (int d = 0; d < n; d++)
		for (uint32 k = 0; k < dicts[d].n; k++)
			if (is_wanted(c, dicts[d].entries[k]))
				return true;
	return n < 0;
}

bool
column_filter_keeps_image(ColumnFilter *f, Cursor *cur)
{
	if (!f->possible)
		return false;
	for (int i = 0; i < f->n; i++)
	{
		const Condition *c = &f->conditions[i];

		if (c->wanted && !c->negated && !in_dictionaries(c, cur->image))
			return false;
	}
	return true;
}

/* Zone maps compare signed. */
static bool
zone_meets(const Condition *c, Image *image, uint32 v)
{
	int64 min, max;

	if (c->negated || is_unsigned(c) || c->series->stored < 0 ||
		!image_zone(image, LEVEL_SPAN, LOAD_COLUMN, c->series->stored, v, &min, &max))
		return true;
	return max >= (int64) c->lo && min <= (int64) (c->lo + c->width);
}

static const ImageVector *
open_vector_info(const Cursor *cur)
{
	return image_vector_info(cur->image, (uint32) (cur->vector - (int64) cur->first_vector[cur->unit]));
}

/* Do all values of the open vector lie in the range? Then the column need not be read. */
static bool
range_covers(const Condition *c, Cursor *cur)
{
	const ImageVector *info = open_vector_info(cur);
	int64 min, max;

	if (c->negated)
		return false;
	if (c->series->column.role == ROLE_START_TIME)
		return cur->units[cur->unit].has_range && (uint64) info->start_min - c->lo <= c->width &&
			   (uint64) info->start_max - c->lo <= c->width;
	/* Where zones are known there are no nulls. */
	return !is_unsigned(c) &&
		   image_zone(cur->image, LEVEL_SPAN, LOAD_COLUMN, c->series->stored,
					  (uint32) (cur->vector - (int64) cur->first_vector[cur->unit]), &min, &max) &&
		   (uint64) min - c->lo <= c->width && (uint64) max - c->lo <= c->width;
}

bool
column_filter_keeps_vector(ColumnFilter *f, Cursor *cur, uint32 v)
{
	const ImageVector *info = image_vector_info(cur->image, v);
	uint64 lo, hi;

	if (cur->units[cur->unit].has_range)
	{
		column_filter_start_range(f, &lo, &hi);
		if ((uint64) info->start_min > hi || (uint64) info->start_max < lo)
			return false;
	}
	for (int i = 0; i < f->n; i++)
		if (f->conditions[i].clause.kind == CLAUSE_RANGE && !zone_meets(&f->conditions[i], cur->image, v))
			return false;
	return true;
}

/* ---- rows ---- */

static void
select_range(const Condition *c, uint8 *pass)
{
	const int64 *v = c->series->value;
	const uint8 *nulls = c->series->nulls;
	uint64 lo = c->lo, width = c->width;
	uint8 want = !c->negated;
	uint32 n = c->series->n;

	for (uint32 i = 0; i < n; i++)
		pass[i] &= ((uint64) v[i] - lo <= width) == want;
	if (nulls)
		for (uint32 i = 0; i < n; i++)
			pass[i] &= !nulls[i];
}

static bool
evaluate_entry(ColumnFilter *f, Condition *c, uint32 code)
{
	TupleTableSlot *slot = c->slot;
	MemoryContext old;
	bool isnull;
	Datum d;

	ResetExprContext(f->entries);
	old = MemoryContextSwitchTo(f->entries->ecxt_per_tuple_memory);
	ExecClearTuple(slot);
	slot->tts_values[0] = series_entry(c->series, code, &slot->tts_isnull[0]);
	ExecStoreVirtualTuple(slot);
	f->entries->ecxt_outertuple = slot;
	d = ExecEvalExpr(c->entry, f->entries, &isnull);
	MemoryContextSwitchTo(old);
	return !isnull && DatumGetBool(d);
}

static bool
decide_entry(ColumnFilter *f, Condition *c, uint32 code)
{
	Str bytes;

	if (c->wanted == NULL || !series_entry_bytes(c->series, code, &bytes))
		return evaluate_entry(f, c, code);
	return is_wanted(c, bytes) != c->negated;
}

/* The state of each entry, unknown for new ones. */
static void
prepare_states(ColumnFilter *f, Condition *c)
{
	Series *s = c->series;
	uint32 kept = Min(s->kept, c->nstates);

	if (s->nentries > c->max_states)
	{
		uint32 max = Max(s->nentries, Max(c->max_states * 2, 1024));

		c->state = c->state ? repalloc_huge(c->state, max) : MemoryContextAllocHuge(f->context, max);
		c->max_states = max;
	}
	memset(c->state + kept, ENTRY_UNKNOWN, s->nentries - kept);
	c->nstates = s->nentries;
}

/* States of the rows' entries; false: that of a row still in question is unknown. */
static bool
row_states(const Condition *c, const uint8 *pass, uint8 *states)
{
	const uint32 *codes = c->series->codes;
	uint32 n = c->series->n;
	uint8 unknown = 0;

	for (uint32 i = 0; i < n; i++)
		states[i] = c->state[codes[i]];
	for (uint32 i = 0; i < n; i++)
		unknown |= pass[i] & (states[i] == ENTRY_UNKNOWN);
	return !unknown;
}

static void
select_entries(ColumnFilter *f, Condition *c, Arena *arena, uint8 *pass)
{
	const uint32 *codes = c->series->codes;
	uint32 n = c->series->n;
	uint8 *states = arena_alloc(arena, (size_t) n + 1);
	uint8 *state;

	prepare_states(f, c);
	state = c->state;
	if (!row_states(c, pass, states))
	{
		/* Only what a row still in question has: nothing is evaluated that a row scan would not. */
		for (uint32 i = 0; i < n; i++)
			if (pass[i] && state[codes[i]] == ENTRY_UNKNOWN)
				state[codes[i]] = decide_entry(f, c, codes[i]) ? ENTRY_PASSES : ENTRY_FAILS;
		(void) row_states(c, pass, states);
	}
	for (uint32 i = 0; i < n; i++)
		pass[i] &= states[i] == ENTRY_PASSES;
}

static uint32
count_passing(const uint8 *pass, uint32 n)
{
	uint32 count = 0;

	for (uint32 i = 0; i < n; i++)
		count += pass[i];
	return count;
}

uint32
column_filter_pass(ColumnFilter *f, Cursor *cur, uint8 *pass)
{
	uint32 n = cur->batch_rows;
	uint32 left = count_passing(pass, n);

	if (!f->possible)
	{
		memset(pass, 0, n);
		return 0;
	}
	for (int i = 0; i < f->n && left > 0; i++)
	{
		Condition *c = &f->conditions[i];

		if (c->clause.kind == CLAUSE_RANGE && range_covers(c, cur))
			continue;
		series_load(c->series, cur);
		if (c->clause.kind == CLAUSE_RANGE)
			select_range(c, pass);
		else
			select_entries(f, c, cur->batch->arena, pass);
		left = count_passing(pass, n);
	}
	return left;
}

uint32
column_filter_mark(ColumnFilter *f, Cursor *cur, const uint8 **pass)
{
	uint32 n = cur->batch_rows;
	uint32 left;
	uint8 *marks;

	*pass = NULL;
	if (f->possible && f->n == 0 && cur->ndead == 0)
		return n;
	marks = arena_alloc(cur->batch->arena, (size_t) n + 1);
	memset(marks, 1, n);
	for (uint32 i = 0; i < cur->ndead; i++)
		marks[cur->dead[i] - cur->dead_base] = 0;
	left = column_filter_pass(f, cur, marks);
	if (left < n)
		*pass = marks;
	return left;
}

const uint32 *
column_filter_list(Cursor *cur, const uint8 *pass, uint32 left)
{
	uint32 *list;

	if (pass == NULL)
		return NULL;
	list = arena_alloc(cur->batch->arena, ((size_t) left + 1) * sizeof(uint32));
	for (uint32 i = 0, k = 0; k < left; i++)
	{
		list[k] = i;
		k += pass[i];
	}
	return list;
}

uint32
column_filter_rows(ColumnFilter *f, Cursor *cur, const uint32 **rows)
{
	const uint8 *pass;
	uint32 left = column_filter_mark(f, cur, &pass);

	*rows = left > 0 ? column_filter_list(cur, pass, left) : NULL;
	return left;
}
