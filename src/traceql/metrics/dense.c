/*
 * dense.c
 *	  The frequent case: spans of one interval counted, by a dictionary's codes or by nothing, whole or by
 *powers of two of their duration. Codes index a small table; series are looked up once for each code that
 *occurs.
 */
#include "traceql/metrics/internal.h"

/* Tables larger than this cost more to empty than they spare. */
#define MAX_CELLS(nrows) (4 * (nrows) + 4096)

/* What spans are grouped by. */
typedef struct Keys
{
	uint32_t n;
	const uint32_t *code; /* by row, or by value of the column; NULL: there is one key */
	const Column *column;
	const AttrColumn *values; /* codes are of its values */
	CodeMap *map;
} Keys;

/* ---- keys ---- */

static bool
keys_of_column(Keys *keys, const Column *column, CodeMap *map)
{
	keys->n = column->ndict;
	keys->code = column->codes;
	keys->column = column;
	keys->map = map;
	return !column->nulls && column->kind == COL_BYTES;
}

static bool
keys_of_intrinsic(Leaf *leaf, const Slot *slot, Keys *keys)
{
	Batch *batch = leaf->run->unit.batch;
	CodeMap *map = &leaf->by[0].map;

	switch (slot->intrinsic)
	{
		case TQL_NAME: return keys_of_column(keys, batch_column(batch, LEVEL_SPAN, SC_NAME), map);
		case TQL_STATUS_MESSAGE:
			return keys_of_column(keys, batch_column(batch, LEVEL_SPAN, SC_STATUS_MESSAGE), map);
		case TQL_INSTRUMENTATION_NAME:
			return keys_of_column(keys, batch_column(batch, LEVEL_SPAN, SC_SCOPE_NAME), map);
		default: return false;
	}
}

/* One column holds all values of the key, strings. */
static bool
keys_of_attribute(Leaf *leaf, const Slot *slot, Keys *keys)
{
	Batch *batch = leaf->run->unit.batch;
	const KeyMap *map = slot_keys(leaf->run, slot)->map;

	if (map->ncolumns != 1 || batch->level[LEVEL_SPAN].attrs->columns[map->columns[0]].type != VALUE_STRING)
		return false;
	keys->values = batch_attr_column(batch, LEVEL_SPAN, map->columns[0]);
	return keys_of_column(keys, &keys->values->values, group_column_map(leaf, &leaf->by[0], 0));
}

static bool
find_keys(Leaf *leaf, Keys *keys)
{
	const Slot *slot = leaf->plan->by[0];

	if (leaf->plan->nby == 0)
		return true;
	switch (slot->kind)
	{
		case SLOT_RESOURCE:
		case SLOT_SCOPE: return keys_of_column(keys, slot_entries(leaf->run, slot), &leaf->by[0].map);
		case SLOT_INTRINSIC: return keys_of_intrinsic(leaf, slot, keys);
		case SLOT_SPAN: return leaf->plan->fold == FOLD_COUNT && keys_of_attribute(leaf, slot, keys);
		default: return false;
	}
}

static uint32_t
series_of(Leaf *leaf, const Keys *keys, uint32_t code)
{
	const Slot *slot = leaf->plan->by[0];
	uint32_t *known = &keys->map->numbers[code];

	if (!*known)
	{
		EvalValue v = {.type = EVAL_STRING, .s = keys->column->dict[code]};

		if (slot->kind == SLOT_RESOURCE || slot->kind == SLOT_SCOPE)
			v = slot_code_value(leaf->run, slot, keys->column, code);
		*known = values_number(leaf->metrics->arena, &leaf->by[0].values, &v) + 1;
	}
	return *known - 1;
}

/* ---- counting ---- */

/* Additions to one cell wait for each other: neighbours, which are often alike, go to different tables. */
#define TABLES 4

static void
count_codes(const uint32_t *code, const uint8_t *hit, uint32_t n, uint32_t *table, uint32_t ncells)
{
	uint32_t *t1 = table + ncells, *t2 = t1 + ncells, *t3 = t2 + ncells;
	uint32_t i = 0;

	for (; i + TABLES <= n; i += TABLES)
	{
		table[code[i]] += hit[i];
		t1[code[i + 1]] += hit[i + 1];
		t2[code[i + 2]] += hit[i + 2];
		t3[code[i + 3]] += hit[i + 3];
	}
	for (; i < n; i++)
		table[code[i]] += hit[i];
	for (uint32_t c = 0; c < ncells; c++)
		table[c] += t1[c] + t2[c] + t3[c];
}

/* Cells by code, then bucket; code NULL: all 0. */
static void
count_buckets(const uint32_t *code, const int64_t *v, const uint8_t *hit, uint32_t n, uint32_t *table,
			  uint32_t ncells)
{
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t cell = (code ? code[i] * NBUCKETS : 0) + bucket_of(v[i]);

		table[(i % TABLES) * ncells + cell] += hit[i];
	}
	for (uint32_t t = 1; t < TABLES; t++)
		for (uint32_t c = 0; c < ncells; c++)
			table[c] += table[t * ncells + c];
}

/* A byte a value: is its row picked? *n: how many values. */
static const uint8_t *
hits_of_values(Leaf *leaf, const Picked *p, uint32_t *n)
{
	TraceqlRun *run = leaf->run;
	const KeyMap *map = slot_keys(run, leaf->plan->by[0])->map;
	const AttrColumn *values = batch_attr_rows(run->unit.batch, LEVEL_SPAN, map->columns[0]);
	uint8_t *hit = arena_alloc(run->scratch, values->values.n + 1);

	*n = values->values.n;
	for (uint32_t i = 0; i < *n; i++)
		hit[i] = p->hit[values->rows[i]];
	return hit;
}

static void
add_counts(Leaf *leaf, const Picked *p, const Keys *keys, const uint32_t *table, uint32_t ncells)
{
	bool buckets = leaf->plan->fold == FOLD_BUCKETS;

	for (uint32_t c = 0; c < ncells; c++)
	{
		uint32_t code = buckets ? c / NBUCKETS : c;
		uint32_t cell;

		if (table[c] == 0 || (buckets && c % NBUCKETS == 0))
			continue;
		cell = keys->code ? series_of(leaf, keys, code) : 0;
		if (buckets)
			cell = cell * NBUCKETS + c % NBUCKETS;
		cells_row(leaf->metrics, &leaf->cells[0], cell)[p->same] += table[c];
	}
}

static void
count_by_attribute(Leaf *leaf, const Picked *p, const Keys *keys, uint32_t *table)
{
	uint32_t n = keys->column->n;
	uint32_t with = 0;
	const uint8_t *hit = p->hit;

	/* Where every row counts, nobody needs to know which rows have a value. */
	if (p->n < leaf->run->unit.nrows || n > p->n)
		hit = hits_of_values(leaf, p, &n);
	count_codes(keys->code, hit, n, table, keys->n);
	for (uint32_t c = 0; c < keys->n; c++)
		with += table[c];
	add_counts(leaf, p, keys, table, keys->n);
	/* Series 0 is nil. */
	if (with < p->n)
		cells_row(leaf->metrics, &leaf->cells[0], 0)[p->same] += p->n - with;
}

static bool
known_case(Leaf *leaf, const Picked *p)
{
	const LeafPlan *plan = leaf->plan;

	if (!p->one || p->weights || plan->nby > 1 || leaf->metrics->options.rowwise)
		return false;
	if (leaf->exemplars.budget && exemplars_want(leaf, p))
		return false;
	if (plan->fold == FOLD_BUCKETS)
		return plan->measured->kind == SLOT_INTRINSIC && plan->measured->intrinsic == TQL_DURATION;
	return plan->fold == FOLD_COUNT;
}

bool
fold_dense(Leaf *leaf, const Picked *p)
{
	TraceqlRun *run = leaf->run;
	bool buckets = leaf->plan->fold == FOLD_BUCKETS;
	uint32_t nrows = run->unit.nrows;
	Keys keys = {.n = 1};
	uint32_t ncells;
	uint32_t *table;

	if (!known_case(leaf, p) || !find_keys(leaf, &keys) ||
		keys.n > MAX_CELLS(nrows) / (buckets ? NBUCKETS : 1))
		return false;
	if (!buckets && !keys.code)
	{
		cells_row(leaf->metrics, &leaf->cells[0], 0)[p->same] += p->n;
		return true;
	}
	if (keys.code)
		codemap_use(leaf->metrics->arena, keys.map, run->unit.source, keys.column);
	ncells = keys.n * (buckets ? NBUCKETS : 1);
	table = arena_alloc0(run->scratch, (size_t) TABLES * (ncells + 1) * sizeof(uint32_t));
	if (keys.values)
		count_by_attribute(leaf, p, &keys, table);
	else if (buckets)
	{
		count_buckets(keys.code, batch_column(run->unit.batch, LEVEL_SPAN, SC_DURATION)->i64, p->hit, nrows,
					  table, ncells);
		add_counts(leaf, p, &keys, table, ncells);
	}
	else
	{
		count_codes(keys.code, p->hit, nrows, table, ncells);
		add_counts(leaf, p, &keys, table, ncells);
	}
	return true;
}
