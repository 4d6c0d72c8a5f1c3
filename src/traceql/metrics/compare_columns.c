/*
 * compare_columns.c
 *	  Attributes of spans, column by column. Numbers of values are looked up many at a time, so that the
 *	  waits for memory overlap: attributes with as many values as spans are what takes the time.
 */
#include "traceql/metrics/compare.h"

#include "codec/codec.h"

static bool
is_ours(const MetricsRun *run, Str key)
{
	const MetricsShares *shares = run->shares;

	if (!shares)
		return true;
	for (uint32_t i = 0; i < shares->nkeys; i++)
		if (str_eq(shares->keys[i], key))
			return shares->share_of[i] == run->share;
	return codec_hash64(key.p, key.len) % shares->nshares == run->share;
}

/* Columns are looked at anew. */
void
compare_reshare(Leaf *leaf)
{
	leaf->compare->shapes = NULL;
	leaf->compare->source = 0;
}

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
		c->columns[i].attr = compare_attr_scoped(leaf, TQL_SCOPE_SPAN, set->columns[i].key);
		c->columns[i].several = false;
		c->columns[i].ours = is_ours(leaf->metrics, set->columns[i].key);
		c->columns[i].map.source = 0;
		if (c->columns[i].recent)
			memset(c->columns[i].recent, 0, sizeof(RecentValues));
		c->attrs[c->columns[i].attr].column = NOT_SIDED;
	}
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		uint32_t *other = &c->attrs[c->columns[i].attr].column;

		if (*other != NOT_SIDED)
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

/* ---- numbers of the values of a column ---- */

#define PENDING UINT32_MAX

/* Values met for the first time, in scratch. */
typedef struct Unknown
{
	uint32_t n;
	EvalValue *values;
	uint32_t *at; /* which value of the column */
} Unknown;

static void
unknown_add(Unknown *u, const AttrColumn *column, uint32_t i)
{
	Value v;

	if (column->type == VALUE_STRING)
		u->values[u->n] = (EvalValue){.type = EVAL_STRING, .s = column_str(&column->values, i)};
	else
	{
		v = attr_value(column, i);
		u->values[u->n] = eval_from_value(&v);
	}
	u->at[u->n++] = i;
}

static uint32_t *
unknown_numbers(Leaf *leaf, uint32_t attr, const Unknown *u)
{
	CompareAttr *a = &leaf->compare->attrs[attr];
	uint32_t *numbers = arena_alloc(leaf->run->scratch, (u->n + 1) * sizeof(uint32_t));

	values_numbers(leaf->metrics->arena, &a->values, u->values, u->n, numbers);
	compare_tally(leaf, a, a->values.n);
	return numbers;
}

/* A code is looked up once a dictionary. */
static void
number_codes(Leaf *leaf, CompareColumn *column, const AttrColumn *values, const uint8_t *counts, Unknown *u,
			 uint32_t *out)
{
	uint32_t *known;
	uint32_t *numbers;

	codemap_use(leaf->metrics->arena, &column->map, leaf->run->unit.source, &values->values);
	known = column->map.numbers;
	for (uint32_t i = 0; i < values->values.n; i++)
	{
		uint32_t code = values->values.codes[i];

		if (!counts[i] || known[code])
			continue;
		known[code] = PENDING;
		unknown_add(u, values, i);
	}
	numbers = unknown_numbers(leaf, column->attr, u);
	for (uint32_t i = 0; i < u->n; i++)
		known[values->values.codes[u->at[i]]] = numbers[i] + 1;
	for (uint32_t i = 0; i < values->values.n; i++)
		out[i] = known[values->values.codes[i]] - 1;
}

/* Numbers and bools: those met lately are remembered. */
static void
number_numbers(Leaf *leaf, CompareColumn *column, const AttrColumn *values, const uint8_t *counts, Unknown *u,
			   uint32_t *out)
{
	RecentValues *recent;
	uint32_t *numbers;

	if (!column->recent)
		column->recent = arena_alloc0(leaf->metrics->arena, sizeof(RecentValues));
	recent = column->recent;
	for (uint32_t i = 0; i < values->values.n; i++)
	{
		int64_t v = values->values.i64[i];
		uint32_t at = recent_place(v);

		if (!counts[i])
			continue;
		if (recent->number[at] && recent->value[at] == v)
			out[i] = recent->number[at] - 1;
		else
			unknown_add(u, values, i);
	}
	numbers = unknown_numbers(leaf, column->attr, u);
	for (uint32_t i = 0; i < u->n; i++)
	{
		int64_t v = values->values.i64[u->at[i]];

		out[u->at[i]] = numbers[i];
		recent->value[recent_place(v)] = v;
		recent->number[recent_place(v)] = numbers[i] + 1;
	}
}

/* A byte a value: is it of a span that is counted, and the first of its key there? */
static uint8_t *
values_counted(Leaf *leaf, const Sided *s, const AttrSet *set, uint32_t index, const AttrColumn *values)
{
	uint8_t *counts = arena_alloc(leaf->run->scratch, values->values.n + 1);
	bool several = leaf->compare->columns[index].several;

	for (uint32_t i = 0; i < values->values.n; i++)
	{
		uint32_t row = values->rows[i];

		counts[i] = s->cell_of_row[row] != NOT_SIDED &&
					(!several || first_of_key(leaf->compare, &set->shapes[set->shape[row]], index));
	}
	return counts;
}

/* ---- counting ---- */

#define AHEAD 8

/* Neighbours that fall into one cell of one value are added up first. */
static void
add_numbered(Leaf *leaf, const Sided *s, const AttrColumn *values, const uint8_t *counts,
			 const uint32_t *number, const double *weight_of_row, Tally *tallies)
{
	uint32_t ncells = leaf->compare->ncells;
	uint32_t n = values->values.n;
	uint64_t last = UINT64_MAX;
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t row = values->rows[i];
		uint32_t cell = s->cell_of_row[row];

		if (i + 2 * AHEAD < n)
			__builtin_prefetch(&tallies[number[i + 2 * AHEAD]], 1);
		if (i + AHEAD < n && counts[i + AHEAD])
			tally_prefetch(&tallies[number[i + AHEAD]], s->cell_of_row[values->rows[i + AHEAD]]);
		if (!counts[i])
			continue;
		if (((uint64_t) number[i] << 32 | cell) != last)
		{
			if (sum != 0)
				tally_add(leaf->metrics, &tallies[last >> 32], ncells, (uint32_t) last, sum);
			last = (uint64_t) number[i] << 32 | cell;
			sum = 0;
		}
		sum += weight_of_row ? weight_of_row[row] : 1;
	}
	if (sum != 0)
		tally_add(leaf->metrics, &tallies[last >> 32], ncells, (uint32_t) last, sum);
}

/* ---- few different values ---- */

typedef struct Few
{
	CompareColumn *column;
	const AttrColumn *values;
	CompareAttr *attr;
	int64_t base;
} Few;

static void
add_number(Leaf *leaf, const Few *f, uint32_t number, uint32_t cell, double count)
{
	tally_add(leaf->metrics, compare_tally(leaf, f->attr, number), leaf->compare->ncells, cell, count);
}

static void
add_code(Leaf *leaf, void *ctx, uint32_t code, uint32_t cell, double count)
{
	Few *f = ctx;
	uint32_t *known = &f->column->map.numbers[code];

	if (!*known)
	{
		Value v = {.type = f->values->type, .s = f->values->values.dict[code]};
		EvalValue value = eval_from_value(&v);

		*known = values_number(leaf->metrics->arena, &f->attr->values, &value) + 1;
	}
	add_number(leaf, f, *known - 1, cell, count);
}

static void
add_int(Leaf *leaf, void *ctx, uint32_t code, uint32_t cell, double count)
{
	Few *f = ctx;
	int64_t i = (int64_t) ((uint64_t) f->base + code);
	EvalValue value = f->values->type == VALUE_BOOL ? (EvalValue){.type = EVAL_BOOL, .b = i != 0}
													: (EvalValue){.type = EVAL_INT, .i = i};

	add_number(leaf, f, values_number(leaf->metrics->arena, &f->attr->values, &value), cell, count);
}

/* false: there are many, or it is not known how many. */
static bool
count_few(Leaf *leaf, const Sided *s, CompareColumn *column, const AttrColumn *values)
{
	const Column *c = &values->values;
	Few f = {column, values, &leaf->compare->attrs[column->attr], 0};

	if (column->several)
		return false;
	if (c->kind == COL_BYTES && c->dict_shared)
	{
		codemap_use(leaf->metrics->arena, &column->map, leaf->run->unit.source, c);
		return compare_dense(leaf, s, c->codes, values->rows, c->n, c->ndict, add_code, &f);
	}
	return (values->type == VALUE_INT || values->type == VALUE_BOOL) &&
		   compare_dense_numbers(leaf, s, c->i64, values->rows, c->n, add_int, &f, &f.base);
}

/* ---- all of a column ---- */

static void
count_column(Leaf *leaf, const Sided *s, const AttrSet *set, uint32_t index, const double *weight_of_row)
{
	Compare *c = leaf->compare;
	Arena *scratch = leaf->run->scratch;
	CompareColumn *column = &c->columns[index];
	const AttrColumn *values = batch_attr_rows(leaf->run->unit.batch, LEVEL_SPAN, index);
	uint32_t n = values->values.n;
	uint8_t *counts;
	uint32_t *number;
	Unknown u = {0};

	if (n == 0 || count_few(leaf, s, column, values))
		return;
	counts = values_counted(leaf, s, set, index, values);
	number = arena_alloc0(scratch, (n + 1) * sizeof(uint32_t));
	u.values = arena_alloc(scratch, (n + 1) * sizeof(EvalValue));
	u.at = arena_alloc(scratch, (n + 1) * sizeof(uint32_t));
	if (values->values.kind == COL_BYTES)
		number_codes(leaf, column, values, counts, &u, number);
	else if (values->values.kind == COL_I64)
		number_numbers(leaf, column, values, counts, &u, number);
	/* Values without a type count as number 0, which has to be known even when there are no others. */
	(void) compare_value(leaf, column->attr, &(EvalValue){.type = EVAL_NIL});
	add_numbered(leaf, s, values, counts, number, weight_of_row, c->attrs[column->attr].tallies);
}

static double *
weights_by_row(Leaf *leaf, const Sided *s)
{
	double *weights = arena_alloc(leaf->run->scratch, (leaf->run->unit.nrows + 1) * sizeof(double));

	for (uint32_t i = 0; i < s->n; i++)
		weights[s->rows[i]] = s->weights[i];
	return weights;
}

void
compare_columns(Leaf *leaf, const Sided *s)
{
	TraceqlRun *run = leaf->run;
	const AttrSet *set = run->unit.batch->level[LEVEL_SPAN].attrs;
	const double *weights = s->weights ? weights_by_row(leaf, s) : NULL;

	batch_shapes(run->unit.batch, LEVEL_SPAN);
	use_columns(leaf, set);
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		run_tick(run);
		if (leaf->compare->columns[i].ours)
			count_column(leaf, s, set, i, weights);
	}
}
