/*
 * compare.c
 *	  compare(): how often each value of each attribute occurs, over time, among the spans that meet the
 *	  condition (the selection) and among the others (the baseline).
 *
 *	  Resources and scopes are counted as wholes and taken apart once, at the end. Attributes of the trace
 *	  (root, children) are counted where the trace is whole, all others wherever the span is found.
 */
#include "traceql/metrics/compare.h"

/* ---- attributes ---- */

uint32_t
compare_attr(Leaf *leaf, Str name)
{
	Compare *c = leaf->compare;
	Arena *arena = leaf->metrics->arena;
	EvalValue value = {.type = EVAL_STRING, .s = name};
	uint32_t number = values_number(arena, &c->names, &value);

	if (number >= c->cap_attrs)
	{
		uint32_t cap = c->cap_attrs ? c->cap_attrs * 2 : 64;

		c->attrs = arena_grow(arena, c->attrs, c->cap_attrs * sizeof(CompareAttr), cap * sizeof(CompareAttr));
		memset(c->attrs + c->cap_attrs, 0, (cap - c->cap_attrs) * sizeof(CompareAttr));
		c->cap_attrs = cap;
	}
	return number;
}

static uint32_t
attr_numbered(Leaf *leaf, const TraceqlAttr *attr)
{
	Buf name;

	buf_init(&name, leaf->metrics->arena, 32);
	traceql_print_attr(attr, &name);
	return compare_attr(leaf, str_of((char *) name.p, name.len));
}

uint32_t
compare_attr_scoped(Leaf *leaf, TraceqlScope scope, Str key)
{
	TraceqlAttr attr = {.scope = scope, .key = key};

	return attr_numbered(leaf, &attr);
}

Tally *
compare_tally(Leaf *leaf, CompareAttr *attr, uint32_t number)
{
	if (number >= attr->cap)
	{
		uint32_t cap = attr->cap ? attr->cap : 8;

		while (cap <= number)
			cap *= 2;
		metrics_room(leaf->metrics, cap * sizeof(Tally));
		attr->tallies =
			arena_grow(leaf->metrics->arena, attr->tallies, attr->cap * sizeof(Tally), cap * sizeof(Tally));
		memset(attr->tallies + attr->cap, 0, (cap - attr->cap) * sizeof(Tally));
		attr->cap = cap;
	}
	return &attr->tallies[number];
}

uint32_t
compare_value(Leaf *leaf, uint32_t attr, const EvalValue *v)
{
	CompareAttr *a = &leaf->compare->attrs[attr];
	uint32_t number = values_number(leaf->metrics->arena, &a->values, v);

	compare_tally(leaf, a, number);
	return number;
}

void
compare_count(Leaf *leaf, Str name, const EvalValue *v, uint32_t cell, double count)
{
	uint32_t attr = compare_attr(leaf, name);
	uint32_t number = compare_value(leaf, attr, v);

	tally_add(leaf->metrics, &leaf->compare->attrs[attr].tallies[number], leaf->compare->ncells, cell, count);
}

/* ---- beginning ---- */

void
compare_init(Leaf *leaf)
{
	static const struct
	{
		TraceqlIntrinsic intrinsic;
		int col; /* -1: not a column */
	} shown[COMPARE_INTRINSICS] = {
		{TQL_NAME, SC_NAME},
		{TQL_STATUS, SC_STATUS},
		{TQL_STATUS_MESSAGE, SC_STATUS_MESSAGE},
		{TQL_KIND, SC_KIND},
		{TQL_INSTRUMENTATION_NAME, SC_SCOPE_NAME},
		{TQL_INSTRUMENTATION_VERSION, SC_SCOPE_VERSION},
		{TQL_ROOT_NAME, SC_NAME},
		{TQL_ROOT_SERVICE_NAME, SC_SERVICE},
		{TQL_CHILD_COUNT, -1},
	};
	Compare *c = arena_alloc0(leaf->metrics->arena, sizeof(Compare));

	leaf->compare = c;
	c->ncells = 2 * leaf->metrics->options.range.n;
	for (int i = 0; i < COMPARE_INTRINSICS; i++)
	{
		TraceqlAttr attr = {.intrinsic = shown[i].intrinsic,
							.key = str_lit(traceql_intrinsic_name(shown[i].intrinsic))};

		c->intrinsics[i] = (CompareIntrinsic){.intrinsic = shown[i].intrinsic, .col = shown[i].col};
		c->intrinsics[i].attr = attr_numbered(leaf, &attr);
	}
}

/* ---- one unit ---- */

static bool
in_window(const TraceqlMetric *metric, int64_t start)
{
	return (uint64_t) start > (uint64_t) metric->start && (uint64_t) start <= (uint64_t) metric->end;
}

/* Intervals of a unit are next to each other: local numbers count them from the first, side by side. */
static void
number_cells(Leaf *leaf, const Picked *p, Sided *s)
{
	TraceqlRun *run = leaf->run;
	uint32_t n = leaf->metrics->options.range.n;
	uint32_t first = UINT32_MAX;
	uint32_t last = 0;
	uint32_t width;
	uint32_t *local = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	uint32_t *cell;

	for (uint32_t i = 0; i < p->n; i++)
	{
		first = p->interval[i] < first ? p->interval[i] : first;
		last = p->interval[i] > last ? p->interval[i] : last;
	}
	width = last - first + 1;
	s->nlocal = 2 * width;
	cell = arena_alloc(run->scratch, (size_t) s->nlocal * sizeof(uint32_t));
	for (uint32_t k = 0; k < s->nlocal; k++)
		cell[k] = first + k % width + (k < width ? 0 : n);
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		uint32_t c = s->cell_of_row[r];

		local[r] = c == NOT_SIDED ? s->nlocal : c < n ? c - first : c - n - first + width;
	}
	s->local_of_row = local;
	s->cell_of_local = cell;
}

static Sided
take_sides(Leaf *leaf, const Picked *p)
{
	TraceqlRun *run = leaf->run;
	const TraceqlMetric *metric = leaf->plan->metric;
	bool windowed = metric->start != 0 || metric->end != 0;
	const int64_t *start = windowed ? batch_column(run->unit.batch, LEVEL_SPAN, SC_START)->i64 : NULL;
	uint32_t *cell = arena_alloc(run->scratch, (p->n + 1) * sizeof(uint32_t));
	uint32_t *cell_of_row = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	uint8_t *selected = run_get_bytes(run);
	Sided s = {p->n, p->rows, cell, p->weights, cell_of_row, 0, NULL, NULL};

	filter_rows(run, leaf->plan->selection, p->hit, selected);
	memset(cell_of_row, 0xff, run->unit.nrows * sizeof(uint32_t));
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t row = p->rows[i];
		bool side = selected[row] && (!windowed || in_window(metric, start[row]));

		cell[i] = cell_of_row[row] = side * leaf->metrics->options.range.n + p->interval[i];
	}
	run_put_bytes(run, selected);
	number_cells(leaf, p, &s);
	return s;
}

/* Those of traces that are whole here. */
static Sided
take_whole(Leaf *leaf, const Sided *s, const uint8_t *skip)
{
	TraceqlRun *run = leaf->run;
	const uint32_t *trace_of = unit_trace_of(run);
	uint32_t *rows = arena_alloc(run->scratch, (s->n + 1) * sizeof(uint32_t));
	uint32_t *cell = arena_alloc(run->scratch, (s->n + 1) * sizeof(uint32_t));
	double *weights = s->weights ? arena_alloc(run->scratch, (s->n + 1) * sizeof(double)) : NULL;
	Sided out = {.rows = rows, .cell = cell, .weights = weights};

	for (uint32_t i = 0; i < s->n; i++)
	{
		if (skip[trace_of[s->rows[i]]])
			continue;
		rows[out.n] = s->rows[i];
		cell[out.n] = s->cell[i];
		if (weights)
			weights[out.n] = s->weights[i];
		out.n++;
	}
	return out;
}

/* A column whose entries are values of a set of them. */
typedef struct Entries
{
	const Column *column;
	CodeMap *map;
	CompareAttr *set;
} Entries;

static void
add_entry(Leaf *leaf, void *ctx, uint32_t code, uint32_t cell, double count)
{
	Entries *e = ctx;
	uint32_t *known = &e->map->numbers[code];

	if (!*known)
	{
		EvalValue v = {.type = EVAL_STRING, .s = e->column->dict[code]};

		*known = values_number(leaf->metrics->arena, &e->set->values, &v) + 1;
		compare_tally(leaf, e->set, *known - 1);
	}
	tally_add(leaf->metrics, &e->set->tallies[*known - 1], leaf->compare->ncells, cell, count);
}

static bool
count_entries_dense(Leaf *leaf, const Sided *s, const Column *column, CodeMap *map, CompareAttr *set)
{
	Entries e = {column, map, set};

	return !column->nulls &&
		   compare_dense(leaf, s, column->codes, NULL, leaf->run->unit.nrows, column->ndict, add_entry, &e);
}

/* Numbers of whole entries of a dictionary, as the values of an attribute. */
static void
count_codes(Leaf *leaf, const Sided *s, const Column *column, CodeMap *map, uint32_t attr)
{
	CompareAttr *a = &leaf->compare->attrs[attr];

	codemap_use(leaf->metrics->arena, map, leaf->run->unit.source, column);
	if (count_entries_dense(leaf, s, column, map, a))
		return;
	for (uint32_t i = 0; i < s->n; i++)
	{
		uint32_t *known = codemap_at(map, column, s->rows[i]);

		if (!*known)
		{
			EvalValue v = {.type = EVAL_STRING, .s = cell_str(column, s->rows[i])};

			*known = compare_value(leaf, attr, &v) + 1;
		}
		tally_add(leaf->metrics, &a->tallies[*known - 1], leaf->compare->ncells, s->cell[i],
				  sided_weight(s, i));
	}
}

typedef struct EnumNumbers
{
	CompareAttr *attr;
	uint32_t *number;
	int64_t base;
	int64_t last;
} EnumNumbers;

static void
add_enum(Leaf *leaf, void *ctx, uint32_t code, uint32_t cell, double count)
{
	EnumNumbers *e = ctx;
	int64_t v = (int64_t) ((uint64_t) e->base + code);

	tally_add(leaf->metrics, &e->attr->tallies[e->number[v < 0 || v > e->last ? 0 : v]],
			  leaf->compare->ncells, cell, count);
}

static void
count_enum(Leaf *leaf, const Sided *s, CompareIntrinsic *in, EvalType type, int64_t last)
{
	const int64_t *values = batch_column(leaf->run->unit.batch, LEVEL_SPAN, in->col)->i64;
	uint32_t number[8];
	EnumNumbers e = {.number = number, .last = last};

	for (int64_t i = 0; i <= last; i++)
	{
		EvalValue v = {.type = type, .i = i};

		number[i] = compare_value(leaf, in->attr, &v);
	}
	e.attr = &leaf->compare->attrs[in->attr];
	if (compare_dense_numbers(leaf, s, values, NULL, leaf->run->unit.nrows, add_enum, &e, &e.base))
		return;
	for (uint32_t i = 0; i < s->n; i++)
	{
		int64_t v = values[s->rows[i]];

		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number[v < 0 || v > last ? 0 : v]],
				  leaf->compare->ncells, s->cell[i], sided_weight(s, i));
	}
}

static uint32_t
number_of_root(Leaf *leaf, CompareIntrinsic *in, const Column *column, uint32_t trace)
{
	int64_t root = unit_root(leaf->run, trace);
	EvalValue v = {.type = EVAL_STRING, .s = str_of("", 0)};
	uint32_t *known;

	if (root < 0)
		return compare_value(leaf, in->attr, &v);
	known = codemap_at(&in->map, column, (uint32_t) root);
	if (!*known)
	{
		v.s = cell_str(column, (uint32_t) root);
		*known = compare_value(leaf, in->attr, &v) + 1;
	}
	return *known - 1;
}

/* Name or service of the root: one value a trace. */
static void
count_roots(Leaf *leaf, const Sided *s, CompareIntrinsic *in)
{
	TraceqlRun *run = leaf->run;
	const uint32_t *trace_of = unit_trace_of(run);
	const Column *column = batch_column(run->unit.batch, LEVEL_SPAN, in->col);
	uint32_t i = 0;

	codemap_use(leaf->metrics->arena, &in->map, run->unit.source, column);
	while (i < s->n)
	{
		uint32_t trace = trace_of[s->rows[i]];
		uint32_t number = number_of_root(leaf, in, column, trace);
		uint32_t cell = s->cell[i];
		double sum = 0;

		for (; i < s->n && trace_of[s->rows[i]] == trace && s->cell[i] == cell; i++)
			sum += sided_weight(s, i);
		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number], leaf->compare->ncells, cell,
				  sum);
	}
}

static uint32_t
number_of_children(Leaf *leaf, CompareIntrinsic *in, int32_t n)
{
	EvalValue v = {.type = EVAL_INT, .i = n};
	uint32_t *known = n >= 0 && n < COMPARE_CHILDREN ? &leaf->compare->of_children[n] : NULL;
	uint32_t number;

	if (known && *known)
		return *known - 1;
	number = compare_value(leaf, in->attr, &v);
	if (known)
		*known = number + 1;
	return number;
}

static void
count_children(Leaf *leaf, const Sided *s, CompareIntrinsic *in)
{
	const uint32_t *trace_of = unit_trace_of(leaf->run);

	for (uint32_t i = 0; i < s->n; i++)
	{
		uint32_t row = s->rows[i];
		uint32_t number = number_of_children(leaf, in, tree_of(leaf->run, trace_of[row])->children[row]);

		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number], leaf->compare->ncells,
				  s->cell[i], sided_weight(s, i));
	}
}

static bool
is_of_trace(const CompareIntrinsic *in)
{
	return in->intrinsic == TQL_ROOT_NAME || in->intrinsic == TQL_ROOT_SERVICE_NAME ||
		   in->intrinsic == TQL_CHILD_COUNT;
}

static void
count_intrinsic(Leaf *leaf, const Sided *s, CompareIntrinsic *in)
{
	switch (in->intrinsic)
	{
		case TQL_STATUS: count_enum(leaf, s, in, EVAL_STATUS, 2); break;
		case TQL_KIND: count_enum(leaf, s, in, EVAL_KIND, 5); break;
		case TQL_ROOT_NAME:
		case TQL_ROOT_SERVICE_NAME: count_roots(leaf, s, in); break;
		case TQL_CHILD_COUNT: count_children(leaf, s, in); break;
		default:
			count_codes(leaf, s, batch_column(leaf->run->unit.batch, LEVEL_SPAN, in->col), &in->map,
						in->attr);
			break;
	}
}

static void
count_intrinsics(Leaf *leaf, const Sided *s, bool of_traces)
{
	for (int i = 0; i < COMPARE_INTRINSICS; i++)
	{
		CompareIntrinsic *in = &leaf->compare->intrinsics[i];

		if (is_of_trace(in) == of_traces)
			count_intrinsic(leaf, s, in);
	}
}

/* Resources, scopes: each whole entry is a value. */
static void
count_entries(Leaf *leaf, const Sided *s, SpanCol col, CompareEntries *entries)
{
	const Column *column = batch_column(leaf->run->unit.batch, LEVEL_SPAN, col);

	codemap_use(leaf->metrics->arena, &entries->map, leaf->run->unit.source, column);
	if (count_entries_dense(leaf, s, column, &entries->map, &entries->set))
		return;
	for (uint32_t i = 0; i < s->n; i++)
	{
		uint32_t *known = codemap_at(&entries->map, column, s->rows[i]);

		if (!*known)
		{
			EvalValue v = {.type = EVAL_STRING, .s = cell_str(column, s->rows[i])};

			*known = values_number(leaf->metrics->arena, &entries->set.values, &v) + 1;
			compare_tally(leaf, &entries->set, *known - 1);
		}
		tally_add(leaf->metrics, &entries->set.tallies[*known - 1], leaf->compare->ncells, s->cell[i],
				  sided_weight(s, i));
	}
}

void
compare_observe(Leaf *leaf, Picked *p, const MetricsUnit *unit)
{
	const MetricsRun *run = leaf->metrics;
	Sided s;

	picked_list(leaf, p);
	s = take_sides(leaf, p);
	if (unit->part != METRICS_GATHERED && (!run->shares || run->share == run->shares->columns))
	{
		count_intrinsics(leaf, &s, false);
		count_entries(leaf, &s, SC_RESOURCE, &leaf->compare->resources);
		count_entries(leaf, &s, SC_SCOPE, &leaf->compare->scopes);
	}
	if (unit->part != METRICS_GATHERED)
		compare_columns(leaf, &s);
	if (unit->part != METRICS_PIECES)
	{
		if (unit->skip)
			s = take_whole(leaf, &s, unit->skip);
		count_intrinsics(leaf, &s, true);
	}
}
