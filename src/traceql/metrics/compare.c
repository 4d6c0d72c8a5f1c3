/*
 * compare.c
 *	  compare(): how often each value of each attribute occurs, over time, among the spans that meet the
 *	  condition (the selection) and among the others (the baseline).
 *
 *	  A cell is a side and an interval. Most values occur in few cells, so tallies are small tables until
 *	  they are full enough to be arrays. Resources and scopes are tallied as wholes and taken apart once, at
 *	  the end (compare_settle).
 */
#include "traceql/metrics/compare.h"

#include <math.h>
#include <stdlib.h>

#define NONE UINT32_MAX

/* ---- tallies ---- */

static TallyCell *
tally_find(TallyCell *cells, uint32_t cap, uint32_t cell)
{
	uint32_t at = (cell * UINT32_C(0x9e3779b1)) & (cap - 1);

	while (cells[at].used && cells[at].cell != cell)
		at = (at + 1) & (cap - 1);
	return &cells[at];
}

static void
tally_to_array(MetricsRun *run, Tally *t, uint32_t ncells)
{
	metrics_room(run, ncells * sizeof(double));
	t->all = arena_alloc0(run->arena, ncells * sizeof(double));
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->some[i].used)
			t->all[t->some[i].cell] = t->some[i].count;
}

static void
tally_grow(MetricsRun *run, Tally *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : 2;
	TallyCell *cells = arena_alloc0(run->arena, cap * sizeof(TallyCell));

	metrics_room(run, cap * sizeof(TallyCell));
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->some[i].used)
			*tally_find(cells, cap, t->some[i].cell) = t->some[i];
	t->some = cells;
	t->cap = cap;
}

static void
tally_add_slowly(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count)
{
	TallyCell *at;

	if (t->n * 2 >= t->cap)
	{
		/* A table cell is twice as large as one of an array, and the table half empty. */
		if (t->cap * 4 >= ncells)
		{
			tally_to_array(run, t, ncells);
			t->all[cell] += count;
			return;
		}
		tally_grow(run, t);
	}
	at = tally_find(t->some, t->cap, cell);
	t->n += !at->used;
	at->used = true;
	at->cell = cell;
	at->count += count;
}

static inline void
tally_add(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count)
{
	if (t->all)
		t->all[cell] += count;
	else
		tally_add_slowly(run, t, ncells, cell, count);
}

/* ---- attributes ---- */

static uint32_t
attr_named(Leaf *leaf, Str name)
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
	return attr_named(leaf, str_of((char *) name.p, name.len));
}

static uint32_t
attr_scoped(Leaf *leaf, TraceqlScope scope, Str key)
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

static uint32_t
value_of(Leaf *leaf, uint32_t attr, const EvalValue *v)
{
	CompareAttr *a = &leaf->compare->attrs[attr];
	uint32_t number = values_number(leaf->metrics->arena, &a->values, v);

	compare_tally(leaf, a, number);
	return number;
}

void
compare_count(Leaf *leaf, Str name, const EvalValue *v, uint32_t cell, double count)
{
	uint32_t attr = attr_named(leaf, name);
	uint32_t number = value_of(leaf, attr, v);

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

/* The spans picked, each with its cell. */
typedef struct Sided
{
	const Picked *p;
	uint32_t *cell;
	uint32_t *cell_of_row; /* NONE: not picked */
} Sided;

static double
weight(const Picked *p, uint32_t i)
{
	return p->weights ? p->weights[i] : 1;
}

static bool
in_window(const TraceqlMetric *metric, int64_t start)
{
	return (metric->start == 0 && metric->end == 0) ||
		   ((uint64_t) start > (uint64_t) metric->start && (uint64_t) start <= (uint64_t) metric->end);
}

static Sided
take_sides(Leaf *leaf, const Picked *p)
{
	TraceqlRun *run = leaf->run;
	const int64_t *start = batch_column(run->unit.batch, LEVEL_SPAN, SC_START)->i64;
	uint8_t *selected = run_get_bytes(run);
	Sided s = {.p = p};

	filter_rows(run, leaf->plan->selection, p->hit, selected);
	s.cell = arena_alloc(run->scratch, (p->n + 1) * sizeof(uint32_t));
	s.cell_of_row = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	memset(s.cell_of_row, 0xff, run->unit.nrows * sizeof(uint32_t));
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t row = p->rows[i];
		bool side = selected[row] && in_window(leaf->plan->metric, start[row]);

		s.cell[i] = s.cell_of_row[row] = side * leaf->metrics->options.range.n + p->interval[i];
	}
	run_put_bytes(run, selected);
	return s;
}

/* Numbers of whole entries of a dictionary, as the values of an attribute. */
static void
count_codes(Leaf *leaf, const Sided *s, const Column *column, CodeMap *map, uint32_t attr)
{
	CompareAttr *a = &leaf->compare->attrs[attr];

	codemap_use(leaf->metrics->arena, map, leaf->run->unit.source, column);
	for (uint32_t i = 0; i < s->p->n; i++)
	{
		uint32_t *known = codemap_at(map, column, s->p->rows[i]);

		if (!*known)
		{
			EvalValue v = {.type = EVAL_STRING, .s = cell_str(column, s->p->rows[i])};

			*known = value_of(leaf, attr, &v) + 1;
		}
		tally_add(leaf->metrics, &a->tallies[*known - 1], leaf->compare->ncells, s->cell[i], weight(s->p, i));
	}
}

static void
count_enum(Leaf *leaf, const Sided *s, CompareIntrinsic *in, EvalType type, int64_t last)
{
	const int64_t *values = batch_column(leaf->run->unit.batch, LEVEL_SPAN, in->col)->i64;
	uint32_t number[8];

	for (int64_t i = 0; i <= last; i++)
	{
		EvalValue v = {.type = type, .i = i};

		number[i] = value_of(leaf, in->attr, &v);
	}
	for (uint32_t i = 0; i < s->p->n; i++)
	{
		int64_t v = values[s->p->rows[i]];

		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number[v < 0 || v > last ? 0 : v]],
				  leaf->compare->ncells, s->cell[i], weight(s->p, i));
	}
}

static uint32_t
number_of_root(Leaf *leaf, CompareIntrinsic *in, const Column *column, uint32_t trace)
{
	int64_t root = unit_root(leaf->run, trace);
	EvalValue v = {.type = EVAL_STRING, .s = str_of("", 0)};
	uint32_t *known;

	if (root < 0)
		return value_of(leaf, in->attr, &v);
	known = codemap_at(&in->map, column, (uint32_t) root);
	if (!*known)
	{
		v.s = cell_str(column, (uint32_t) root);
		*known = value_of(leaf, in->attr, &v) + 1;
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
	uint32_t trace = NONE;
	uint32_t number = 0;

	codemap_use(leaf->metrics->arena, &in->map, run->unit.source, column);
	for (uint32_t i = 0; i < s->p->n; i++)
	{
		if (trace_of[s->p->rows[i]] != trace)
		{
			trace = trace_of[s->p->rows[i]];
			number = number_of_root(leaf, in, column, trace);
		}
		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number], leaf->compare->ncells,
				  s->cell[i], weight(s->p, i));
	}
}

static void
count_children(Leaf *leaf, const Sided *s, CompareIntrinsic *in)
{
	const uint32_t *trace_of = unit_trace_of(leaf->run);

	for (uint32_t i = 0; i < s->p->n; i++)
	{
		uint32_t row = s->p->rows[i];
		EvalValue v = {.type = EVAL_INT, .i = tree_of(leaf->run, trace_of[row])->children[row]};
		uint32_t number = value_of(leaf, in->attr, &v);

		tally_add(leaf->metrics, &leaf->compare->attrs[in->attr].tallies[number], leaf->compare->ncells,
				  s->cell[i], weight(s->p, i));
	}
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

/* Resources, scopes: each whole entry is a value. */
static void
count_entries(Leaf *leaf, const Sided *s, SpanCol col, CompareEntries *entries)
{
	const Column *column = batch_column(leaf->run->unit.batch, LEVEL_SPAN, col);

	codemap_use(leaf->metrics->arena, &entries->map, leaf->run->unit.source, column);
	for (uint32_t i = 0; i < s->p->n; i++)
	{
		uint32_t *known = codemap_at(&entries->map, column, s->p->rows[i]);

		if (!*known)
		{
			EvalValue v = {.type = EVAL_STRING, .s = cell_str(column, s->p->rows[i])};

			*known = values_number(leaf->metrics->arena, &entries->set.values, &v) + 1;
			compare_tally(leaf, &entries->set, *known - 1);
		}
		tally_add(leaf->metrics, &entries->set.tallies[*known - 1], leaf->compare->ncells, s->cell[i],
				  weight(s->p, i));
	}
}

/* ---- attributes of spans ---- */

static void
use_columns(Leaf *leaf, const AttrSet *set)
{
	Compare *c = leaf->compare;
	Arena *arena = leaf->metrics->arena;

	if (c->source == leaf->run->unit.source && c->shapes == set->shapes && set->shapes_shared)
		return;
	if (c->cap_columns < set->ncolumns)
	{
		uint32_t cap = set->ncolumns > 2 * c->cap_columns ? set->ncolumns : 2 * c->cap_columns;

		c->columns = arena_grow(arena, c->columns, c->cap_columns * sizeof(CompareColumn),
								cap * sizeof(CompareColumn));
		memset(c->columns + c->cap_columns, 0, (cap - c->cap_columns) * sizeof(CompareColumn));
		c->cap_columns = cap;
	}
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		c->columns[i].attr = attr_scoped(leaf, TQL_SCOPE_SPAN, set->columns[i].key);
		c->columns[i].several = false;
		c->columns[i].map.source = 0;
		c->attrs[c->columns[i].attr].column = NONE;
	}
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		uint32_t *other = &c->attrs[c->columns[i].attr].column;

		if (*other != NONE)
			c->columns[i].several = c->columns[*other].several = true;
		*other = i;
	}
	c->source = leaf->run->unit.source;
	c->shapes = set->shapes;
}

/* Is this column the first of its key in a row of that shape? */
static bool
first_of_key(const Compare *c, const AttrShape *shape, uint32_t column)
{
	for (uint32_t k = 0; k < shape->n; k++)
		if (c->columns[shape->columns[k]].attr == c->columns[column].attr)
			return shape->columns[k] == column;
	return false;
}

static uint32_t
number_value(Leaf *leaf, CompareColumn *column, const AttrColumn *values, uint32_t i)
{
	Value v = attr_value(values, i);
	EvalValue value = eval_from_value(&v);

	return value_of(leaf, column->attr, &value);
}

static void
count_column(Leaf *leaf, const Sided *s, const AttrSet *set, uint32_t index, const double *weight_of_row)
{
	CompareColumn *column = &leaf->compare->columns[index];
	CompareAttr *attr = &leaf->compare->attrs[column->attr];
	const AttrColumn *values = batch_attr_rows(leaf->run->unit.batch, LEVEL_SPAN, index);
	bool coded = values->values.kind == COL_BYTES;
	int64_t last = 0;
	uint32_t number = NONE;

	if (coded)
		codemap_use(leaf->metrics->arena, &column->map, leaf->run->unit.source, &values->values);
	for (uint32_t i = 0; i < values->values.n; i++)
	{
		uint32_t row = values->rows[i];
		uint32_t *known = coded ? &column->map.numbers[values->values.codes[i]] : NULL;

		if (s->cell_of_row[row] == NONE ||
			(column->several && !first_of_key(leaf->compare, &set->shapes[set->shape[row]], index)))
			continue;
		if (coded)
		{
			if (!*known)
				*known = number_value(leaf, column, values, i) + 1;
			number = *known - 1;
		}
		else if (number == NONE || values->values.kind != COL_I64 || values->values.i64[i] != last)
		{
			number = number_value(leaf, column, values, i);
			last = values->values.kind == COL_I64 ? values->values.i64[i] : 0;
		}
		tally_add(leaf->metrics, &attr->tallies[number], leaf->compare->ncells, s->cell_of_row[row],
				  weight_of_row ? weight_of_row[row] : 1);
	}
}

static void
count_attributes(Leaf *leaf, const Sided *s)
{
	TraceqlRun *run = leaf->run;
	const AttrSet *set = run->unit.batch->level[LEVEL_SPAN].attrs;
	double *weights = NULL;

	batch_shapes(run->unit.batch, LEVEL_SPAN);
	use_columns(leaf, set);
	if (s->p->weights)
	{
		weights = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(double));
		for (uint32_t i = 0; i < s->p->n; i++)
			weights[s->p->rows[i]] = s->p->weights[i];
	}
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		run_tick(run);
		count_column(leaf, s, set, i, weights);
	}
}

void
compare_observe(Leaf *leaf, const Picked *p)
{
	Compare *c = leaf->compare;
	Sided s = take_sides(leaf, p);

	for (int i = 0; i < COMPARE_INTRINSICS; i++)
		count_intrinsic(leaf, &s, &c->intrinsics[i]);
	count_entries(leaf, &s, SC_RESOURCE, &c->resources);
	count_entries(leaf, &s, SC_SCOPE, &c->scopes);
	count_attributes(leaf, &s);
}

/* ---- taking entries apart ---- */

static void
add_tally(Leaf *leaf, const Tally *from, uint32_t attr, const EvalValue *v)
{
	uint32_t number = value_of(leaf, attr, v);
	uint32_t ncells = leaf->compare->ncells;
	Tally *to = &leaf->compare->attrs[attr].tallies[number];

	for (uint32_t i = 0; from->all && i < ncells; i++)
		if (from->all[i] != 0)
			tally_add(leaf->metrics, to, ncells, i, from->all[i]);
	for (uint32_t i = 0; !from->all && i < from->cap; i++)
		if (from->some[i].used)
			tally_add(leaf->metrics, to, ncells, from->some[i].cell, from->some[i].count);
}

static bool
key_before(Str attributes, const KeyValue *kv, uint64_t position)
{
	ValueIter it;
	KeyValue other;

	if (!value_iter_begin(&it, attributes))
		return false;
	for (uint64_t i = 0; i < position && value_iter_next_kv(&it, &other); i++)
		if (str_eq(other.key, kv->key))
			return true;
	return false;
}

/* Each attribute of the entry; of a key that is there twice, the first. */
static void
take_apart(Leaf *leaf, const Tally *tally, Str attributes, TraceqlScope scope)
{
	bool service = scope != TQL_SCOPE_RESOURCE;
	ValueIter it;
	KeyValue kv;

	if (attributes.len && value_iter_begin(&it, attributes))
	{
		for (uint64_t i = 0; value_iter_next_kv(&it, &kv); i++)
		{
			EvalValue v = eval_from_value(&kv.value);

			service |= str_eq(kv.key, str_lit("service.name"));
			if (!key_before(attributes, &kv, i))
				add_tally(leaf, tally, attr_scoped(leaf, scope, kv.key), &v);
		}
	}
	if (!service)
		add_tally(leaf, tally, attr_scoped(leaf, scope, str_lit("service.name")),
				  &(EvalValue){.type = EVAL_STRING, .s = str_of("", 0)});
}

static void
settle_entries(Leaf *leaf, CompareEntries *entries, TraceqlScope scope)
{
	for (uint32_t i = 1; i < entries->set.values.n; i++)
	{
		run_tick(leaf->run);
		take_apart(leaf, &entries->set.tallies[i], entries->set.values.values[i].s, scope);
	}
	memset(entries, 0, sizeof(*entries));
}

void
compare_settle(Leaf *leaf)
{
	settle_entries(leaf, &leaf->compare->resources, TQL_SCOPE_RESOURCE);
	settle_entries(leaf, &leaf->compare->scopes, TQL_SCOPE_INSTRUMENTATION);
}
