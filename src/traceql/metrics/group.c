/*
 * group.c
 *	  by(): the number of the series that each picked span belongs to. Values come from the attribute's
 *	  column where there is one: an entry of a dictionary is looked at once.
 */
#include "traceql/metrics/internal.h"

#define ABSENT UINT32_MAX

static Binding
whole_span(uint32_t row)
{
	return (Binding){row, ROW_FIRST, ROW_FIRST};
}

static uint32_t
number_of(Leaf *leaf, Grouping *g, const EvalValue *v)
{
	return values_number(leaf->metrics->arena, &g->values, v);
}

/* ---- by dictionary ---- */

static EvalValue
string_value(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t row)
{
	(void) run;
	(void) slot;
	return (EvalValue){.type = EVAL_STRING, .s = cell_str(column, row)};
}

typedef EvalValue (*RowValue)(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t row);

static void
number_entries(Leaf *leaf, Grouping *g, const Slot *slot, const Column *column, RowValue value,
			   const Picked *p, uint32_t *out)
{
	codemap_use(leaf->metrics->arena, &g->map, leaf->run->unit.source, column);
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t *known = codemap_at(&g->map, column, p->rows[i]);

		if (!*known)
		{
			EvalValue v = value(leaf->run, slot, column, p->rows[i]);

			*known = number_of(leaf, g, &v) + 1;
		}
		out[i] = *known - 1;
	}
}

static void
number_strings(Leaf *leaf, Grouping *g, const Slot *slot, SpanCol col, const Picked *p, uint32_t *out)
{
	number_entries(leaf, g, slot, batch_column(leaf->run->unit.batch, LEVEL_SPAN, col), string_value, p, out);
}

/* kind and status */
static void
number_enum(Leaf *leaf, Grouping *g, SpanCol col, EvalType type, int64_t last, const Picked *p, uint32_t *out)
{
	const int64_t *values = batch_column(leaf->run->unit.batch, LEVEL_SPAN, col)->i64;

	for (uint32_t i = 0; i < p->n; i++)
	{
		int64_t v = values[p->rows[i]];
		EvalValue value = {.type = type, .i = v < 0 || v > last ? 0 : v};

		if (!g->of_number[value.i])
			g->of_number[value.i] = number_of(leaf, g, &value) + 1;
		out[i] = g->of_number[value.i] - 1;
	}
}

/* ---- attributes of spans ---- */

CodeMap *
group_column_map(Leaf *leaf, Grouping *g, uint32_t k)
{
	if (k >= g->nmaps)
	{
		g->maps =
			arena_grow(leaf->metrics->arena, g->maps, g->nmaps * sizeof(CodeMap), (k + 1) * sizeof(CodeMap));
		memset(g->maps + g->nmaps, 0, (k + 1 - g->nmaps) * sizeof(CodeMap));
		g->nmaps = k + 1;
	}
	return &g->maps[k];
}

/* Values of one column, by code or, numbers and bools, by value. */
typedef struct Numbering
{
	const AttrColumn *column;
	CodeMap *map;
	RecentValues *recent;
} Numbering;

static Numbering
numbering_begin(Leaf *leaf, Grouping *g, uint32_t k, const AttrColumn *column)
{
	Numbering n = {column, group_column_map(leaf, g, k), NULL};

	if (!g->recent)
		g->recent = arena_alloc0(leaf->metrics->arena, VALUE_NTYPES * sizeof(RecentValues));
	n.recent = &g->recent[column->type];
	if (column->values.kind == COL_BYTES)
		codemap_use(leaf->metrics->arena, n.map, leaf->run->unit.source, &column->values);
	return n;
}

static inline uint32_t
numbering_next(Leaf *leaf, Grouping *g, const Numbering *n, uint32_t i)
{
	const Column *values = &n->column->values;
	uint32_t forgotten = 0;
	uint32_t *known = &forgotten;

	if (values->kind == COL_BYTES)
		known = &n->map->numbers[values->codes[i]];
	else if (values->kind == COL_I64)
	{
		uint32_t at = recent_place(values->i64[i]);

		known = &n->recent->number[at];
		if (n->recent->value[at] != values->i64[i])
			*known = 0;
		n->recent->value[at] = values->i64[i];
	}
	if (!*known)
	{
		Value v = attr_value(n->column, i);
		EvalValue value = eval_from_value(&v);

		*known = number_of(leaf, g, &value) + 1;
	}
	return *known - 1;
}

/* Numbers of the values of a column at rows that matter, where it holds the first value of the key. */
static void
number_column(Leaf *leaf, Grouping *g, const SlotState *state, uint32_t k, const AttrColumn *column,
			  const uint8_t *hit, uint32_t *by_row)
{
	bool only = state->map->ncolumns == 1;
	Numbering n = numbering_begin(leaf, g, k, column);

	for (uint32_t i = 0; i < column->values.n; i++)
	{
		uint32_t row = column->rows[i];

		if (hit[row] && (only || state->map->first[state->shape[row]] == (int32_t) k))
			by_row[row] = numbering_next(leaf, g, &n, i);
	}
}

/* ABSENT where the span has no such key. */
static void
number_attribute(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	TraceqlRun *run = leaf->run;
	SlotState *state = slot_keys(run, slot);
	uint32_t *by_row;

	if (!state->map->ncolumns)
	{
		memset(out, 0xff, p->n * sizeof(uint32_t));
		return;
	}
	if (state->map->ncolumns > 1)
		(void) slot_shapes(run, slot);
	by_row = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	memset(by_row, 0xff, run->unit.nrows * sizeof(uint32_t));
	for (uint32_t k = 0; k < state->map->ncolumns; k++)
		number_column(leaf, g, state, k, batch_attr_rows(run->unit.batch, LEVEL_SPAN, state->map->columns[k]),
					  p->hit, by_row);
	for (uint32_t i = 0; i < p->n; i++)
		out[i] = by_row[p->rows[i]];
}

/* The span's, else the resource's. */
static void
number_any(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	uint32_t *of_resource = arena_alloc(leaf->run->scratch, (p->n + 1) * sizeof(uint32_t));

	number_attribute(leaf, g, slot, p, out);
	number_entries(leaf, g, slot, slot_entries(leaf->run, slot), slot_entry_value, p, of_resource);
	for (uint32_t i = 0; i < p->n; i++)
		out[i] = out[i] == ABSENT ? of_resource[i] : out[i];
}

static void
number_span(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	number_attribute(leaf, g, slot, p, out);
	for (uint32_t i = 0; i < p->n; i++)
		out[i] = out[i] == ABSENT ? 0 : out[i];
}

/* ---- all kinds ---- */

static void
number_rowwise(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	for (uint32_t i = 0; i < p->n; i++)
	{
		EvalValue v = slot_value(leaf->run, slot, whole_span(p->rows[i]));

		run_tick(leaf->run);
		out[i] = number_of(leaf, g, &v);
	}
}

static void
number_intrinsic(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	switch (slot->intrinsic)
	{
		case TQL_NAME: number_strings(leaf, g, slot, SC_NAME, p, out); break;
		case TQL_STATUS_MESSAGE: number_strings(leaf, g, slot, SC_STATUS_MESSAGE, p, out); break;
		case TQL_INSTRUMENTATION_NAME: number_strings(leaf, g, slot, SC_SCOPE_NAME, p, out); break;
		case TQL_INSTRUMENTATION_VERSION: number_strings(leaf, g, slot, SC_SCOPE_VERSION, p, out); break;
		case TQL_STATUS: number_enum(leaf, g, SC_STATUS, EVAL_STATUS, 2, p, out); break;
		case TQL_KIND: number_enum(leaf, g, SC_KIND, EVAL_KIND, 5, p, out); break;
		default: number_rowwise(leaf, g, slot, p, out); break;
	}
}

static void
number_values(Leaf *leaf, Grouping *g, const Slot *slot, const Picked *p, uint32_t *out)
{
	if (leaf->metrics->options.rowwise)
		number_rowwise(leaf, g, slot, p, out);
	else if (slot->kind == SLOT_RESOURCE || slot->kind == SLOT_SCOPE)
		number_entries(leaf, g, slot, slot_entries(leaf->run, slot), slot_entry_value, p, out);
	else if (slot->kind == SLOT_SPAN)
		number_span(leaf, g, slot, p, out);
	else if (slot->kind == SLOT_ANY)
		number_any(leaf, g, slot, p, out);
	else if (slot->kind == SLOT_INTRINSIC)
		number_intrinsic(leaf, g, slot, p, out);
	else
		number_rowwise(leaf, g, slot, p, out);
}

/* Neighbours mostly have the same values. */
static void
join(Leaf *leaf, Grouping *g, const uint32_t *values, uint32_t n, uint32_t *series)
{
	uint32_t a = 0;
	uint32_t b = ABSENT;
	uint32_t number = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		if (series[i] != a || values[i] != b)
		{
			a = series[i];
			b = values[i];
			number = pairs_number(leaf->metrics->arena, &g->joined, a, b);
		}
		series[i] = number;
	}
}

uint32_t *
group_series(Leaf *leaf, const Picked *p)
{
	Arena *scratch = leaf->run->scratch;
	uint32_t *series = arena_alloc0(scratch, (p->n + 1) * sizeof(uint32_t));
	uint32_t *values = NULL;

	for (uint32_t i = 0; i < leaf->plan->nby; i++)
	{
		if (i == 0)
		{
			number_values(leaf, &leaf->by[0], leaf->plan->by[0], p, series);
			continue;
		}
		if (!values)
			values = arena_alloc(scratch, (p->n + 1) * sizeof(uint32_t));
		number_values(leaf, &leaf->by[i], leaf->plan->by[i], p, values);
		join(leaf, &leaf->by[i], values, p->n, series);
	}
	return series;
}

uint32_t
group_series_of(Leaf *leaf, const EvalValue *values)
{
	uint32_t series = 0;

	for (uint32_t i = 0; i < leaf->plan->nby; i++)
	{
		uint32_t number = number_of(leaf, &leaf->by[i], &values[i]);

		series = i == 0 ? number : pairs_number(leaf->metrics->arena, &leaf->by[i].joined, series, number);
	}
	return series;
}

void
group_values(const Leaf *leaf, uint32_t series, const EvalValue **values)
{
	for (uint32_t i = leaf->plan->nby; i-- > 0;)
	{
		const Grouping *g = &leaf->by[i];
		uint32_t number = series;

		if (i > 0)
		{
			number = (uint32_t) g->joined.pairs[series];
			series = (uint32_t) (g->joined.pairs[series] >> 32);
		}
		values[i] = &g->values.values[number];
	}
}
