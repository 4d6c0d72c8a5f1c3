/*
 * batch_read.c
 *	  Looking into a batch: loading lazily, finding attribute columns and the values of one row.
 */
#include "span/column_build.h"

/* When the rows of more columns than this are asked for, those of all are found in one pass over the shapes.
 */
#define FEW_COLUMNS 8

const uint32_t *
batch_shapes(Batch *b, Level level)
{
	AttrSet *set = b->level[level].attrs;

	if (set->shape == NULL)
		b->load(b, level, LOAD_SHAPES, 0);
	return set->shape;
}

AttrSet *
batch_shape_table(Batch *b, Level level)
{
	AttrSet *set = b->level[level].attrs;

	if (set->shapes_later)
		b->load(b, level, LOAD_SHAPE_TABLE, 0);
	return set;
}

const int32_t *
batch_parent_rows(Batch *b)
{
	if (b->plain_ids && b->parent_row == NULL)
		b->load(b, LEVEL_SPAN, LOAD_PARENTS, 0);
	return b->parent_row;
}

const uint32_t *
batch_event_first(Batch *b)
{
	if (b->event_first == NULL)
		b->load(b, LEVEL_EVENT, LOAD_EVENTS, 0);
	return b->event_first;
}

const uint32_t *
batch_link_first(Batch *b)
{
	if (b->link_first == NULL)
		b->load(b, LEVEL_LINK, LOAD_LINKS, 0);
	return b->link_first;
}

int64_t
batch_find_trace(Batch *b, const uint8_t trace_id[16])
{
	const Column *ids = batch_column(b, LEVEL_TRACE, TC_ID);

	for (uint32_t t = 0; t < ids->n; t++)
		if (memcmp(ids->fixed + 16 * (size_t) t, trace_id, 16) == 0)
			return t;
	return -1;
}

AttrColumn *
batch_attr_column(Batch *b, Level level, uint32_t index)
{
	AttrColumn *c = &b->level[level].attrs->columns[index];

	if (!c->values.loaded)
		b->load(b, level, LOAD_ATTR, index);
	return c;
}

/* One flag per shape: does it name the column? */
static uint8_t *
shapes_naming(Arena *arena, const AttrSet *set, uint32_t column)
{
	uint8_t *named = arena_alloc0(arena, set->nshapes + 1);

	for (uint32_t s = 0; s < set->nshapes; s++)
		for (uint32_t k = 0; k < set->shapes[s].n && !named[s]; k++)
			named[s] = set->shapes[s].columns[k] == column;
	return named;
}

static void
find_rows(Batch *b, Level level, uint32_t index)
{
	AttrSet *set = b->level[level].attrs;
	AttrColumn *c = &set->columns[index];
	const uint32_t *shape = batch_shapes(b, level);
	uint8_t *named = shapes_naming(b->arena, set, index);

	c->rows = arena_alloc(b->arena, sizeof(uint32_t) * ((size_t) c->values.n + 1));
	for (uint32_t row = 0; row < set->nrows && c->nrows < c->values.n; row++)
	{
		c->rows[c->nrows] = row;
		c->nrows += named[shape[row]];
	}
}

/* Sets nrows of all columns; returns the sum. */
static uint64_t
count_rows(AttrSet *set, const uint32_t *shape, Arena *arena)
{
	uint32_t *uses = arena_alloc0(arena, sizeof(uint32_t) * ((size_t) set->nshapes + 1));
	uint64_t total = 0;

	for (uint32_t row = 0; row < set->nrows; row++)
		uses[shape[row]]++;
	for (uint32_t s = 0; s < set->nshapes; s++)
	{
		for (uint32_t k = 0; k < set->shapes[s].n; k++)
			set->columns[set->shapes[s].columns[k]].nrows += uses[s];
		total += (uint64_t) uses[s] * set->shapes[s].n;
	}
	return total;
}

static void
find_all_rows(Batch *b, Level level)
{
	AttrSet *set = b->level[level].attrs;
	const uint32_t *shape = batch_shapes(b, level);
	uint32_t *rows;

	for (uint32_t i = 0; i < set->ncolumns; i++)
		set->columns[i].nrows = 0;
	rows = arena_alloc(b->arena, sizeof(uint32_t) * (count_rows(set, shape, b->arena) + 1));
	for (uint32_t i = 0; i < set->ncolumns; i++)
	{
		set->columns[i].rows = rows;
		rows += set->columns[i].nrows;
		set->columns[i].nrows = 0;
	}
	for (uint32_t row = 0; row < set->nrows; row++)
	{
		const AttrShape *s = &set->shapes[shape[row]];

		for (uint32_t k = 0; k < s->n; k++)
		{
			AttrColumn *c = &set->columns[s->columns[k]];

			c->rows[c->nrows++] = row;
		}
	}
}

AttrColumn *
batch_attr_rows(Batch *b, Level level, uint32_t index)
{
	AttrColumn *c = batch_attr_column(b, level, index);

	if (c->rows == NULL && b->level[level].attrs->nfound++ >= FEW_COLUMNS)
		find_all_rows(b, level);
	if (c->rows == NULL && b->load)
		b->load(b, level, LOAD_ROWS, index);
	if (c->rows == NULL)
		find_rows(b, level, index);
	if (c->values.n > c->nrows)
		c->values.n = c->nrows; /* never more values than rows, whatever the producer did */
	return c;
}

static bool
attr_is(const AttrColumn *c, Str key, int type, uint32_t occurrence)
{
	return (int) c->type == type && c->occurrence == occurrence && str_eq(c->key, key);
}

int
batch_attr_find(const Batch *b, Level level, Str key, int type, uint32_t occurrence)
{
	const AttrSet *set = b->level[level].attrs;

	if (set == NULL)
		return -1;
	for (uint32_t i = type < 0 ? occurrence : 0; i < set->ncolumns; i++)
		if (type < 0 ? str_eq(set->columns[i].key, key) : attr_is(&set->columns[i], key, type, occurrence))
			return (int) i;
	return -1;
}

int64_t
attr_position(const AttrColumn *c, uint32_t row)
{
	uint32_t lo = 0;
	uint32_t hi = c->values.n;

	while (lo < hi)
	{
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->rows[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->values.n && c->rows[lo] == row ? (int64_t) lo : -1;
}

Value
attr_value(const AttrColumn *c, uint32_t position)
{
	Value v = {.type = c->type, .i = 0};

	switch (v.type)
	{
		case VALUE_EMPTY: break;
		case VALUE_BOOL: v.b = c->values.i64[position] != 0; break;
		case VALUE_INT:
		case VALUE_DOUBLE: v.i = c->values.i64[position]; break;
		case VALUE_STRING:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
		case VALUE_BYTES: v.s = column_str(&c->values, position); break;
	}
	return v;
}

void
attr_find_values(Arena *arena, const AttrSet *set, const uint32_t *shape, uint32_t **value_first,
				 uint32_t **value_at)
{
	uint32_t *next = arena_alloc0(arena, sizeof(uint32_t) * ((size_t) set->ncolumns + 1));
	uint32_t *first = arena_alloc(arena, sizeof(uint32_t) * ((size_t) set->nrows + 1));
	uint32_t *at;
	uint32_t total = 0;

	for (uint32_t r = 0; r < set->nrows; r++)
	{
		first[r] = total;
		total += set->shapes[shape[r]].n;
	}
	*value_first = first;
	*value_at = at = arena_alloc(arena, sizeof(uint32_t) * ((size_t) total + 1));
	for (uint32_t r = 0; r < set->nrows; r++)
	{
		const AttrShape *s = &set->shapes[shape[r]];

		for (uint32_t k = 0; k < s->n; k++)
			*at++ = next[s->columns[k]]++;
	}
}

/* Where the values of a row's attributes are in their columns, in the order of its shape. */
static const uint32_t *
value_positions(Batch *b, Level level, uint32_t row)
{
	AttrSet *set = b->level[level].attrs;

	if (set->value_at == NULL)
		attr_find_values(b->arena, set, batch_shapes(b, level), &set->value_first, &set->value_at);
	return set->value_at + set->value_first[row];
}

static void
put_attribute(Batch *b, Level level, uint32_t column, uint32_t at, Buf *out)
{
	AttrColumn *c = batch_attr_column(b, level, column);
	Value v = {.type = VALUE_EMPTY, .i = 0};

	if (at < c->values.n) /* always, unless the producer broke its word */
		v = attr_value(c, at);
	value_write_kv(out, c->key, &v);
}

static const AttrShape *
shape_of(Batch *b, Level level, uint32_t row)
{
	/* first, because it fills shapes */
	uint32_t shape = batch_shapes(b, level)[row];

	return &b->level[level].attrs->shapes[shape];
}

void
batch_attributes(Batch *b, Level level, uint32_t row, Buf *out)
{
	const AttrShape *shape = shape_of(b, level, row);
	const uint32_t *at = value_positions(b, level, row);

	buf_put_varint(out, shape->n);
	for (uint32_t k = 0; k < shape->n; k++)
		put_attribute(b, level, shape->columns[k], at[k], out);
}

void
batch_some_attributes(Batch *b, Level level, uint32_t row, const uint8_t *wanted, Buf *out)
{
	const AttrShape *shape = shape_of(b, level, row);
	const uint32_t *at;
	uint32_t n = 0;

	for (uint32_t k = 0; k < shape->n; k++)
		n += wanted[shape->columns[k]];
	buf_put_varint(out, n);
	if (n == 0)
		return;
	at = value_positions(b, level, row);
	for (uint32_t k = 0; k < shape->n; k++)
		if (wanted[shape->columns[k]])
			put_attribute(b, level, shape->columns[k], at[k], out);
}

static void
load_attrs(Batch *b, Level level)
{
	batch_shapes(b, level);
	for (uint32_t i = 0; i < b->level[level].attrs->ncolumns; i++)
		batch_attr_column(b, level, i);
}

bool
batch_same_values(Batch *b, uint32_t first, uint32_t last, uint32_t x, uint32_t y)
{
	for (uint32_t i = first; i <= last; i++)
	{
		const Column *c = batch_column(b, LEVEL_SPAN, i);

		if (c->kind == COL_I64 ? c->i64[x] != c->i64[y]
							   : c->codes[x] != c->codes[y] && !str_eq(column_str(c, x), column_str(c, y)))
			return false;
	}
	return true;
}

void
batch_load_all(Batch *b)
{
	for (int level = 0; level < NLEVELS; level++)
	{
		for (uint32_t i = 0; i < b->level[level].ncolumns; i++)
			batch_column(b, level, i);
		if (b->level[level].attrs != NULL)
			load_attrs(b, level);
	}
	if (b->spans)
	{
		batch_event_first(b);
		batch_link_first(b);
	}
}

Batch *
batch_create_plain(Arena *arena, uint32_t ncolumns, const Column *kinds, uint32_t nrows)
{
	Batch *b = arena_alloc0(arena, sizeof(Batch));
	RowSet *rows = &b->level[LEVEL_SPAN];

	b->arena = arena;
	rows->nrows = nrows;
	rows->ncolumns = ncolumns;
	rows->columns = arena_alloc0(arena, sizeof(Column) * ((size_t) ncolumns + 1));
	for (uint32_t i = 0; i < ncolumns; i++)
		column_allocate(arena, &rows->columns[i], kinds[i].kind, kinds[i].width, nrows);
	return b;
}

void
column_allocate(Arena *arena, Column *c, ColKind kind, uint16_t width, uint32_t n)
{
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->width = width;
	c->loaded = true;
	c->n = n;
	if (kind == COL_I64)
		c->i64 = arena_alloc0(arena, sizeof(int64_t) * (size_t) n);
	else if (kind == COL_FIXED)
		c->fixed = arena_alloc0(arena, (size_t) width * n);
	else if (kind == COL_BYTES)
	{
		c->codes = arena_alloc(arena, sizeof(uint32_t) * (size_t) n);
		c->dict = arena_alloc0(arena, sizeof(Str) * (size_t) n);
		c->ndict = n;
		for (uint32_t i = 0; i < n; i++)
			c->codes[i] = i;
	}
}

void
column_set_null(Arena *arena, Column *c, uint32_t i)
{
	if (c->nulls == NULL)
		c->nulls = arena_alloc0(arena, c->n);
	c->nulls[i] = 1;
}
