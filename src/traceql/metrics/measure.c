/*
 * measure.c
 *	  The measured attribute at each picked span: numbers only, everything else counts as nothing there.
 */
#include "traceql/metrics/internal.h"

typedef struct Filled
{
	int64_t *raw;
	uint8_t *type;
} Filled;

static inline void
set_value(Filled *to, uint32_t i, const EvalValue *v)
{
	bool number = eval_is_number(v) && !(v->type == EVAL_FLOAT && v->d != v->d);

	to->type[i] = number ? v->type : EVAL_NIL;
	to->raw[i] = number ? v->i : 0;
}

static Filled
room(TraceqlRun *run, uint32_t n)
{
	Filled f;

	f.raw = arena_alloc(run->scratch, (n + 1) * sizeof(int64_t));
	f.type = arena_alloc(run->scratch, n + 1);
	return f;
}

static void
measure_rowwise(TraceqlRun *run, const Slot *slot, const Picked *p, Filled *to)
{
	for (uint32_t i = 0; i < p->n; i++)
	{
		EvalValue v = slot_value(run, slot, (Binding){p->rows[i], ROW_FIRST, ROW_FIRST});

		run_tick(run);
		set_value(to, i, &v);
	}
}

static void
measure_duration(TraceqlRun *run, const Picked *p, Filled *to)
{
	const int64_t *v = batch_column(run->unit.batch, LEVEL_SPAN, SC_DURATION)->i64;

	memset(to->type, EVAL_DURATION, p->n);
	for (uint32_t i = 0; i < p->n; i++)
		to->raw[i] = v[p->rows[i]];
}

static inline void
set_at(const AttrColumn *column, uint32_t i, Filled *to, uint32_t at)
{
	EvalValue value = {.type = EVAL_INT};
	Value v;

	if (column->type == VALUE_INT)
		value.i = column->values.i64[i];
	else
	{
		v = attr_value(column, i);
		value = eval_from_value(&v);
	}
	set_value(to, at, &value);
}

/* Into arrays by row of the unit: the values of one column where it holds the first value of the key. */
static void
fill_column(const SlotState *state, uint32_t k, const AttrColumn *column, Filled *by_row)
{
	bool only = state->map->ncolumns == 1;

	for (uint32_t i = 0; i < column->values.n; i++)
	{
		uint32_t row = column->rows[i];

		if (only || state->map->first[state->shape[row]] == (int32_t) k)
			set_at(column, i, by_row, row);
	}
}

/* Columns that can hold a number; an array of one is that one. */
static bool
may_be_number(uint8_t type)
{
	return type == VALUE_INT || type == VALUE_DOUBLE || type == VALUE_ARRAY;
}

/* Keep the picked spans that have a number; weights go with them. */
static void
narrow(Picked *p, const Filled *by_row, Filled *to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t row = p->rows[i];

		if (by_row->type[row] == EVAL_NIL)
		{
			p->hit[row] = 0;
			continue;
		}
		to->type[n] = by_row->type[row];
		to->raw[n] = by_row->raw[row];
		p->rows[n] = row;
		p->interval[n] = p->interval[i];
		if (p->weights)
			p->weights[n] = p->weights[i];
		n++;
	}
	p->n = n;
}

static void
measure_span(TraceqlRun *run, const Slot *slot, Picked *p, Filled *to)
{
	SlotState *state = slot_keys(run, slot);
	const AttrSet *set = run->unit.batch->level[LEVEL_SPAN].attrs;
	Filled by_row;

	if (!state->map->ncolumns)
	{
		p->n = 0;
		return;
	}
	if (state->map->ncolumns > 1)
		(void) slot_shapes(run, slot);
	by_row = room(run, run->unit.nrows);
	memset(by_row.type, EVAL_NIL, run->unit.nrows);
	for (uint32_t k = 0; k < state->map->ncolumns; k++)
	{
		uint32_t index = state->map->columns[k];

		if (may_be_number(set->columns[index].type))
			fill_column(state, k, batch_attr_rows(run->unit.batch, LEVEL_SPAN, index), &by_row);
	}
	narrow(p, &by_row, to);
}

/*
 * Spans of one interval that have not been listed: those with a value are, straight from the column. false:
 * it is not one column that holds all values of the key.
 */
static bool
list_measured(Leaf *leaf, Picked *p, Filled *to)
{
	TraceqlRun *run = leaf->run;
	const KeyMap *map = slot_keys(run, leaf->plan->measured)->map;
	const AttrColumn *column;
	uint32_t n = 0;

	if (map->ncolumns != 1 ||
		!may_be_number(run->unit.batch->level[LEVEL_SPAN].attrs->columns[map->columns[0]].type))
		return false;
	column = batch_attr_rows(run->unit.batch, LEVEL_SPAN, map->columns[0]);
	*to = room(run, column->values.n);
	p->rows = arena_alloc(run->scratch, (column->values.n + 1) * sizeof(uint32_t));
	p->interval = arena_alloc(run->scratch, (column->values.n + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < column->values.n; i++)
	{
		set_at(column, i, to, n);
		p->rows[n] = column->rows[i];
		p->interval[n] = p->same;
		n += p->hit[column->rows[i]] && to->type[n] != EVAL_NIL;
	}
	memset(p->hit, 0, run->unit.nrows);
	for (uint32_t i = 0; i < n; i++)
		p->hit[p->rows[i]] = 1;
	p->n = n;
	return true;
}

Measured
measure(Leaf *leaf, Picked *p)
{
	TraceqlRun *run = leaf->run;
	const Slot *slot = leaf->plan->measured;
	Filled to;

	if (slot->kind == SLOT_SPAN && p->one && !p->rows && !leaf->metrics->options.rowwise &&
		list_measured(leaf, p, &to))
		return (Measured){to.raw, to.type};
	picked_list(leaf, p);
	to = room(run, p->n);
	if (slot->kind == SLOT_INTRINSIC && slot->intrinsic == TQL_DURATION && !leaf->metrics->options.rowwise)
		measure_duration(run, p, &to);
	else if (slot->kind == SLOT_SPAN && !leaf->metrics->options.rowwise)
		measure_span(run, slot, p, &to);
	else
		measure_rowwise(run, slot, p, &to);
	return (Measured){to.raw, to.type};
}
