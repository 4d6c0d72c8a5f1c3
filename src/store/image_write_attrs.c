/*
 * image_write_attrs.c
 *	  Attributes of a level: the table of shapes with the shape of each row, a leaf for each attribute
 *	  column, and one leaf for the values of the rarest columns together.
 */
#include "store/image_write.h"
#include "span/intern.h"

#include <stdlib.h>

#define DROPPED UINT32_MAX

typedef struct ColumnUse
{
	uint64_t values;
	uint32_t column;
} ColumnUse;

static int
compare_uses(const void *a, const void *b)
{
	const ColumnUse *x = a, *y = b;

	if (x->values != y->values)
		return x->values > y->values ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

/* Image order of the attribute columns that have values: most used first. */
static void
order_columns(Writer *w, Level level, const AttrSet *set, const Coded *shapes)
{
	ColumnUse *use = arena_alloc(w->tmp, ((size_t) set->ncolumns + 1) * sizeof(ColumnUse));
	uint32_t *rows = arena_alloc0(w->tmp, ((size_t) shapes->ndict + 1) * sizeof(uint32_t));
	uint32_t *order = arena_alloc(w->arena, ((size_t) set->ncolumns + 1) * sizeof(uint32_t));
	uint32_t *map = arena_alloc(w->arena, ((size_t) set->ncolumns + 1) * sizeof(uint32_t));
	uint32_t n = 0;

	for (uint32_t i = 0; i < shapes->n; i++)
		rows[shapes->codes[i]]++;
	for (uint32_t c = 0; c < set->ncolumns; c++)
		use[c] = (ColumnUse){0, c};
	for (uint32_t k = 0; k < shapes->ndict; k++)
		for (uint32_t j = 0; j < set->shapes[shapes->kept[k]].n; j++)
			use[set->shapes[shapes->kept[k]].columns[j]].values += rows[k];
	qsort(use, set->ncolumns, sizeof(ColumnUse), compare_uses);
	memset(map, 0xFF, set->ncolumns * sizeof(uint32_t));
	while (n < set->ncolumns && use[n].values > 0)
	{
		order[n] = use[n].column;
		map[use[n].column] = n;
		n++;
	}
	w->attr_order[level] = order;
	w->attr_map[level] = map;
	w->nattrs[level] = n;
}

/* ---- shapes that differ in order only ---- */

/* Shapes as sets of columns, and which permutation of its set each one is. */
typedef struct ShapeSets
{
	uint32_t n;
	uint32_t *first; /* by set: the shape that gives it its order */
	uint32_t *set;   /* by shape */
	int64_t *order;  /* by shape */
} ShapeSets;

static int
compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

/* The columns of a shape, ascending, as bytes: equal for shapes that differ in order only. */
static Str
sorted_columns(const AttrShape *shape, Arena *arena)
{
	uint32_t *columns = arena_dup(arena, shape->columns, shape->n * sizeof(uint32_t));

	qsort(columns, shape->n, sizeof(uint32_t), compare_u32);
	return str_of((const char *) columns, shape->n * sizeof(uint32_t));
}

static void
find_sets(const AttrSet *set, const Coded *shapes, Arena *arena, ShapeSets *out)
{
	Interner in = {0};
	Str *keys = arena_alloc(arena, ((size_t) shapes->ndict + 1) * sizeof(Str));
	uint64_t seed = intern_seed();

	out->n = 0;
	out->first = arena_alloc(arena, ((size_t) shapes->ndict + 1) * sizeof(uint32_t));
	out->set = arena_alloc(arena, ((size_t) shapes->ndict + 1) * sizeof(uint32_t));
	out->order = arena_alloc0(arena, ((size_t) shapes->ndict + 1) * sizeof(int64_t));
	for (uint32_t k = 0; k < shapes->ndict; k++)
	{
		const AttrShape *shape = &set->shapes[shapes->kept[k]];
		Str key = {NULL, 0};
		uint32_t s = INTERN_NONE;

		if (shape->n <= IMAGE_MAX_PERMUTED)
		{
			key = sorted_columns(shape, arena);
			s = intern_lookup(&in, arena, key, intern_hash(key, seed), keys, out->n);
		}
		if (s == INTERN_NONE)
		{
			s = out->n++;
			keys[s] = key;
			out->first[s] = k;
		}
		else
			out->order[k] = image_permutation_rank(set->shapes[shapes->kept[out->first[s]]].columns,
												   shape->columns, shape->n);
		out->set[k] = s;
	}
}

/* Is the table of shapes so long that orders are better kept by row? */
#define MANY_SHAPES 64

static bool
orders_pay(const Coded *shapes, const ShapeSets *sets)
{
	return sets->n <= shapes->ndict / 2 && shapes->ndict > MANY_SHAPES;
}

/* Turn shapes into sets; returns the order of each row, or NULL: shapes stay as they are. */
static int64_t *
split_orders(Writer *w, const AttrSet *set, Coded *shapes)
{
	ShapeSets sets;
	int64_t *order;
	uint32_t *codes, *kept;

	if (shapes->ndict <= MANY_SHAPES || w->effort == CODEC_FAST)
		return NULL;
	find_sets(set, shapes, w->arena, &sets);
	if (!orders_pay(shapes, &sets))
		return NULL;
	order = arena_alloc(w->arena, (size_t) shapes->n * sizeof(int64_t));
	codes = arena_alloc(w->arena, (size_t) shapes->n * sizeof(uint32_t));
	kept = arena_alloc(w->arena, (size_t) sets.n * sizeof(uint32_t));
	for (uint32_t i = 0; i < shapes->n; i++)
	{
		order[i] = sets.order[shapes->codes[i]];
		codes[i] = sets.set[shapes->codes[i]];
	}
	for (uint32_t s = 0; s < sets.n; s++)
		kept[s] = shapes->kept[sets.first[s]];
	shapes->codes = codes;
	shapes->kept = kept;
	shapes->ndict = sets.n;
	return order;
}

/* The table of shapes: how many columns each has, and all of them one after the other. */
static void
put_shape_table(Writer *w, Level level, const AttrSet *set, const Coded *shapes, Buf *part)
{
	uint32_t *counts = arena_alloc(w->tmp, ((size_t) shapes->ndict + 1) * sizeof(uint32_t));
	uint32_t *columns, total = 0, n = 0;

	for (uint32_t k = 0; k < shapes->ndict; k++)
		total += counts[k] = set->shapes[shapes->kept[k]].n;
	columns = arena_alloc(w->tmp, ((size_t) total + 1) * sizeof(uint32_t));
	for (uint32_t k = 0; k < shapes->ndict; k++)
		for (uint32_t j = 0; j < counts[k]; j++)
			columns[n++] = w->attr_map[level][set->shapes[shapes->kept[k]].columns[j]];
	buf_init(part, w->tmp, 64 + (size_t) total);
	codec_encode_u32(counts, shapes->ndict, w->effort, part);
	buf_prefix_length(part, 0);
	codec_encode_u32(columns, total, w->effort, part);
}

static void
write_orders(Writer *w, Level level, const int64_t *order)
{
	Leaf *leaf = image_new_leaf(w, level, LEAF_ORDERS, 0);
	Series s = {
		.kind = COL_I64, .n = order ? w->b->level[level].nrows : 0, .i64 = order, .first = w->first[level]};

	image_write_leaf(w, leaf, &s, NULL);
}

void
image_write_shapes(Writer *w, Level level)
{
	AttrSet *set = w->b->level[level].attrs;
	uint32_t n = w->b->level[level].nrows;
	Leaf *leaf = image_new_leaf(w, level, LEAF_SHAPES, 0);
	Series s = {.kind = COL_BYTES, .n = n, .first = w->first[level]};
	Coded shapes;
	int64_t *order;
	Buf part;

	batch_shapes(w->b, level);
	image_code_bytes(set->shape, n, NULL, set->nshapes, w->effort == CODEC_SMALL, w->arena, &shapes);
	w->shapes[level] = shapes;
	order_columns(w, level, set, &shapes);
	order = split_orders(w, set, &shapes);
	put_shape_table(w, level, set, &shapes, &part);
	image_write_coded(w, leaf, &s, &shapes, &part);
	image_add_base(w, level, leaf, shapes.codes, shapes.ndict);
	write_orders(w, level, order);
}

/* ---- values ---- */

/* First position of each vector in a dense series whose rows ascend. */
static uint32_t *
dense_positions(Writer *w, Level level, const uint32_t *rows, uint32_t n)
{
	uint32_t *pos = arena_alloc(w->tmp, ((size_t) w->nvectors + 1) * sizeof(uint32_t));
	uint32_t v = 0;

	for (uint32_t i = 0; i < n; i++)
		while (v < w->nvectors && rows[i] >= w->first[level][v])
			pos[v++] = i;
	while (v <= w->nvectors)
		pos[v++] = n;
	return pos;
}

static void
write_attr(Writer *w, Level level, uint32_t k)
{
	AttrColumn *c = batch_attr_rows(w->b, level, w->attr_order[level][k]);
	Leaf *leaf = image_new_leaf(w, level, LEAF_ATTR, k);
	Series s = {.kind = c->values.kind,
				.width = c->values.width,
				.n = c->values.n,
				.i64 = c->values.i64,
				.codes = c->values.codes,
				.dict = c->values.dict,
				.ndict = c->values.ndict,
				.rows = c->rows};

	if (k >= IMAGE_MAX_ATTR_LEAVES)
	{
		leaf->kind = s.kind;
		leaf->mode = s.kind == COL_VOID ? LEAF_ZERO : LEAF_SHARED;
		return;
	}
	s.first = dense_positions(w, level, c->rows, c->values.n);
	image_write_leaf(w, leaf, &s, NULL);
}

static Str
shared_value(const AttrColumn *c, uint32_t position)
{
	if (c->values.kind == COL_I64)
		return str_of((const char *) &c->values.i64[position], sizeof(int64_t));
	return column_str(&c->values, position);
}

/* Values of the columns without leaves, in the order of rows and shapes. */
static void
write_overflow(Writer *w, Level level)
{
	uint32_t nattrs = w->nattrs[level], n = 0, total = 0;
	uint32_t *next = arena_alloc0(w->tmp, (size_t) nattrs * sizeof(uint32_t));
	uint32_t *first = arena_alloc(w->arena, ((size_t) w->nvectors + 1) * sizeof(uint32_t));
	uint32_t *codes;
	const Coded *shapes = &w->shapes[level];
	const AttrSet *set = w->b->level[level].attrs;
	Str *values;
	Series s = {.kind = COL_BYTES, .first = first};

	for (uint32_t k = IMAGE_MAX_ATTR_LEAVES; k < nattrs; k++)
		total += set->columns[w->attr_order[level][k]].values.n;
	values = arena_alloc(w->arena, ((size_t) total + 1) * sizeof(Str));
	codes = arena_alloc(w->arena, ((size_t) total + 1) * sizeof(uint32_t));
	for (uint32_t v = 0; v < w->nvectors; v++)
	{
		first[v] = n;
		for (uint32_t row = w->first[level][v]; row < w->first[level][v + 1]; row++)
		{
			const AttrShape *shape = &set->shapes[shapes->kept[shapes->codes[row]]];

			for (uint32_t j = 0; j < shape->n; j++)
			{
				uint32_t k = w->attr_map[level][shape->columns[j]];
				const AttrColumn *c = &set->columns[shape->columns[j]];

				if (k < IMAGE_MAX_ATTR_LEAVES || c->values.kind == COL_VOID || n == total)
					continue;
				codes[n] = n;
				values[n++] = shared_value(c, next[k]++);
			}
		}
	}
	first[w->nvectors] = s.n = s.ndict = n;
	s.codes = codes;
	s.dict = values;
	image_write_leaf(w, image_new_leaf(w, level, LEAF_OVERFLOW, 0), &s, NULL);
}

void
image_write_attrs(Writer *w, Level level)
{
	for (uint32_t k = 0; k < w->nattrs[level]; k++)
		write_attr(w, level, k);
	if (w->nattrs[level] > IMAGE_MAX_ATTR_LEAVES)
		write_overflow(w, level);
}
