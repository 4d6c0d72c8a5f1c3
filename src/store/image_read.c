/*
 * image_read.c
 *	  A vector of an image as a lazy batch: what is asked for is read, decoded, and what it leans on first.
 */
#include "store/image_read.h"

/* Scratch memory of the codecs, by slot, that is worth keeping for the next vector. */
#define SCRATCH_KEPT (1 << 20)

static uint32_t
vector_rows(const Vector *vec, Level level)
{
	return vec->image->level[level].rows[vec->v];
}

static Leaf *
leaf_at(const Vector *vec, uint32_t number)
{
	return number == NO_LEAF ? NULL : &vec->image->leaves[number];
}

/* ---- bases ---- */

static const uint32_t *shape_codes(Batch *b, Level level);

/* Codes by row of the leaf that another one leans on. */
static const uint32_t *
base_codes(Batch *b, const Leaf *leaf)
{
	const Vector *vec = b->source;
	const Leaf *base = &vec->image->leaves[leaf->base];

	if (base->what == LEAF_SHAPES)
		return shape_codes(b, base->level);
	return batch_column(b, base->level, base->index)->codes;
}

/* Codes of the base by value of a dense series. */
static const uint32_t *
base_codes_at(Batch *b, const Leaf *leaf, const uint32_t *rows, uint32_t n)
{
	const Vector *vec = b->source;
	const uint32_t *by_row = base_codes(b, leaf);
	uint32_t *codes = arena_alloc(vec->scratch, (size_t) n * sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
		codes[i] = by_row[rows[i]];
	return codes;
}

/* A positional leaf: one value for each of n rows. */
static void
decode_rows(Batch *b, Leaf *leaf, uint32_t n, Column *c)
{
	const uint32_t *base = leaf->mode == LEAF_COND && n > 0 ? base_codes(b, leaf) : NULL;

	image_decode_leaf(b->source, leaf, n, base, c);
}

/* ---- columns that lean on the trace ---- */

static void
load_trace_ids(Batch *b, Column *c)
{
	Vector *vec = b->source;
	const uint8_t *id = batch_column(b, LEVEL_TRACE, TC_ID)->fixed;

	c->n = batch_nrows(b);
	c->fixed = arena_alloc(vec->arena, (size_t) c->n * 16);
	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
		for (uint32_t i = b->trace_first[t]; i < b->trace_first[t + 1]; i++)
			memcpy(c->fixed + (size_t) i * 16, id + (size_t) t * 16, 16);
}

/* References to parents by row; those to rows stay within the trace. */
static const int64_t *
parent_refs(Batch *b)
{
	Vector *vec = b->source;
	Leaf *leaf = leaf_at(vec, vec->image->level[LEVEL_SPAN].column[SC_PARENT_ID]);
	Column c = {.kind = COL_I64};

	if (vec->parent_refs != NULL)
		return vec->parent_refs;
	decode_rows(b, leaf, batch_nrows(b), &c);
	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
		for (uint32_t i = b->trace_first[t]; i < b->trace_first[t + 1]; i++)
		{
			int64_t p = image_parent_row(i, c.i64[i]);

			if (c.i64[i] < 0 ||
				(c.i64[i] > PARENT_LITERAL && (p < b->trace_first[t] || p >= b->trace_first[t + 1])))
				image_corrupt(vec->image, "parent outside its trace");
		}
	vec->parent_refs = c.i64;
	return c.i64;
}

static void
load_parent_rows(Batch *b)
{
	Vector *vec = b->source;
	const int64_t *refs = parent_refs(b);
	uint32_t n = batch_nrows(b);
	int32_t *rows = arena_alloc(vec->arena, ((size_t) n + 1) * sizeof(int32_t));

	for (uint32_t i = 0; i < n; i++)
		rows[i] = refs[i] == PARENT_NONE      ? PARENT_ROW_NONE
				  : refs[i] == PARENT_LITERAL ? PARENT_ROW_ELSEWHERE
											  : (int32_t) image_parent_row(i, refs[i]);
	b->parent_row = rows;
}

static void
load_parents(Batch *b, Column *c)
{
	Vector *vec = b->source;
	const int64_t *refs = parent_refs(b);
	const int64_t *ids = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64;
	Column literals = {.kind = COL_I64};
	uint32_t n = 0, k = 0;

	c->n = batch_nrows(b);
	c->i64 = arena_alloc(vec->arena, (size_t) c->n * sizeof(int64_t));
	for (uint32_t i = 0; i < c->n; i++)
		n += refs[i] == PARENT_LITERAL;
	image_decode_leaf(vec, leaf_at(vec, vec->image->parents), n, NULL, &literals);
	for (uint32_t i = 0; i < c->n; i++)
	{
		if (refs[i] == PARENT_NONE)
			c->i64[i] = 0;
		else if (refs[i] == PARENT_LITERAL)
			c->i64[i] = literals.i64[k++];
		else
			c->i64[i] = ids[image_parent_row(i, refs[i])];
	}
}

/* Differences to starts, in place. */
static void
add_starts(Batch *b, Relative relative, int64_t *v)
{
	const int64_t *origin = batch_column(b, LEVEL_TRACE, TC_START)->i64;
	const int64_t *refs = relative == REL_PARENT ? parent_refs(b) : NULL;

	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
	{
		uint32_t first = b->trace_first[t];

		for (uint32_t i = first; i < b->trace_first[t + 1]; i++)
		{
			uint64_t from = (uint64_t) origin[t], d = (uint64_t) v[i];

			if (relative == REL_PREVIOUS && i > first)
				from = (uint64_t) v[i - 1];
			if (relative == REL_PARENT)
			{
				int64_t p = image_parent_row(i, refs[i]);

				d = (uint64_t) unzigzag(d);
				if (p >= first && p < i)
					from = (uint64_t) v[p];
			}
			v[i] = (int64_t) (from + d);
		}
	}
}

/* Differences to the row before or to the trace's start, of the rows of one trace. */
static void
add_starts_of(Relative relative, uint64_t origin, int64_t *v, uint32_t n)
{
	uint64_t from = origin;

	for (uint32_t i = 0; i < n; i++)
	{
		v[i] = (int64_t) (from + (uint64_t) v[i]);
		if (relative == REL_PREVIOUS)
			from = (uint64_t) v[i];
	}
}

const int64_t *
image_trace_starts(Batch *b, const uint8_t *wanted)
{
	Vector *vec = b->source;
	Leaf *leaf = leaf_at(vec, vec->image->level[LEVEL_SPAN].column[SC_START]);
	uint32_t ntraces = b->level[LEVEL_TRACE].nrows, n = 0;
	const int64_t *origin;
	CodecRange *ranges;
	int64_t *v;

	if (b->level[LEVEL_SPAN].columns[SC_START].loaded || leaf == NULL || leaf->mode != LEAF_BLOCKS ||
		(leaf->relative != REL_PREVIOUS && leaf->relative != REL_TRACE))
		return batch_column(b, LEVEL_SPAN, SC_START)->i64;
	ranges = arena_alloc(vec->scratch, ((size_t) ntraces + 1) * sizeof(CodecRange));
	for (uint32_t t = 0; t < ntraces; t++)
		if (wanted[t])
			ranges[n++] = (CodecRange){b->trace_first[t], b->trace_first[t + 1]};
	v = image_decode_ranges(vec, leaf, batch_nrows(b), ranges, n);
	origin = batch_column(b, LEVEL_TRACE, TC_START)->i64;
	for (uint32_t t = 0; t < ntraces; t++)
		if (wanted[t])
			add_starts_of(leaf->relative, (uint64_t) origin[t], v + b->trace_first[t],
						  b->trace_first[t + 1] - b->trace_first[t]);
	return v;
}

static void
add_event_times(Batch *b, Relative relative, int64_t *v)
{
	const uint32_t *first = batch_event_first(b);
	const int64_t *duration = relative == REL_END ? batch_column(b, LEVEL_SPAN, SC_DURATION)->i64 : NULL;

	for (uint32_t row = 0; row < batch_nrows(b); row++)
		for (uint32_t i = first[row]; i < first[row + 1]; i++)
		{
			if (relative == REL_END)
				v[i] = (int64_t) ((uint64_t) duration[row] - (uint64_t) v[i]);
			else if (i > first[row])
				v[i] = (int64_t) ((uint64_t) v[i] + (uint64_t) v[i - 1]);
		}
}

static void
load_column(Batch *b, Level level, uint32_t col)
{
	Vector *vec = b->source;
	Column *c = &b->level[level].columns[col];
	Leaf *leaf = leaf_at(vec, vec->image->level[level].column[col]);
	Leaf none = {.kind = c->kind, .width = c->width, .mode = LEAF_ZERO};

	if (leaf == NULL) /* no rows in the whole image */
		image_decode_leaf(vec, &none, 0, NULL, c);
	else if (leaf->mode == LEAF_FROM_TRACES)
		load_trace_ids(b, c);
	else if (leaf->relative == REL_ROWS)
		load_parents(b, c);
	else
	{
		decode_rows(b, leaf, b->level[level].nrows, c);
		if (leaf->relative == REL_NONE)
			;
		else if (level == LEVEL_SPAN)
			add_starts(b, leaf->relative, c->i64);
		else
			add_event_times(b, leaf->relative, c->i64);
	}
	c->loaded = true;
}

/* ---- attributes ---- */

/* ---- rows whose attributes came in another order than their shape has ---- */

typedef struct Permuted
{
	Vector *vec;
	Level level;
	AttrSet *set;
	uint32_t *slots; /* shape + 1, 0 free */
	uint32_t mask;
	int64_t *rank; /* by shape beyond those of the image */
	uint32_t *of;  /* its shape in the image */
} Permuted;

static void
add_shape(Permuted *p, uint32_t of, int64_t rank)
{
	LevelLeaves *l = &p->vec->image->level[p->level];
	AttrShape *shape = &p->set->shapes[p->set->nshapes];

	shape->n = l->shape[of].n;
	shape->columns = arena_alloc(p->vec->arena, ((size_t) shape->n + 1) * sizeof(uint32_t));
	if (!image_permutation_apply(l->shape[of].columns, rank, shape->n, shape->columns))
		image_corrupt(p->vec->image, "order of attributes");
	p->rank[p->set->nshapes - l->nshapes] = rank;
	p->of[p->set->nshapes - l->nshapes] = of;
	p->set->nshapes++;
}

/* Shape of a row: in the image's table when its order is the usual one, otherwise behind those. */
static uint32_t
permuted_shape(Permuted *p, uint32_t of, int64_t rank)
{
	uint32_t known = p->vec->image->level[p->level].nshapes;
	uint64_t hash = ((uint64_t) rank + of) * UINT64_C(0x9E3779B97F4A7C15);
	uint32_t s = (uint32_t) (hash >> 32) & p->mask;

	if (rank == 0)
		return of;
	while (p->slots[s] != 0)
	{
		uint32_t k = p->slots[s] - 1 - known;

		if (p->rank[k] == rank && p->of[k] == of)
			return p->slots[s] - 1;
		s = (s + 1) & p->mask;
	}
	add_shape(p, of, rank);
	p->slots[s] = p->set->nshapes;
	return p->set->nshapes - 1;
}

/* The table of shapes of this vector: the image's, and each order met. */
static uint32_t *
permute_shapes(Batch *b, Level level, const uint32_t *sets)
{
	Vector *vec = b->source;
	LevelLeaves *l = &vec->image->level[level];
	AttrSet *set = b->level[level].attrs;
	uint32_t n = set->nrows;
	uint32_t *codes = arena_alloc(vec->arena, ((size_t) n + 1) * sizeof(uint32_t));
	Column ranks = {.kind = COL_I64};
	Permuted p = {vec, level, set, .mask = 63};

	decode_rows(b, leaf_at(vec, l->orders), n, &ranks);
	while (p.mask < n * 2)
		p.mask = p.mask * 2 + 1;
	p.slots = arena_alloc0(vec->arena, ((size_t) p.mask + 1) * sizeof(uint32_t));
	p.rank = arena_alloc(vec->arena, ((size_t) n + 1) * sizeof(int64_t));
	p.of = arena_alloc(vec->arena, ((size_t) n + 1) * sizeof(uint32_t));
	set->shapes = arena_alloc(vec->arena, ((size_t) l->nshapes + n + 1) * sizeof(AttrShape));
	memcpy(set->shapes, l->shape, l->nshapes * sizeof(AttrShape));
	set->shapes_shared = false;
	for (uint32_t i = 0; i < n; i++)
		codes[i] = permuted_shape(&p, sets[i], ranks.i64[i]);
	return codes;
}

/* Shape of each row as the image numbers them, whatever the order of its attributes. */
static const uint32_t *
shape_codes(Batch *b, Level level)
{
	Vector *vec = b->source;
	Leaf *leaf = leaf_at(vec, vec->image->level[level].shapes);
	Column c = {.kind = COL_BYTES};

	if (vec->sets[level] != NULL)
		return vec->sets[level];
	if (leaf == NULL)
		c.codes = arena_alloc0(vec->arena, sizeof(uint32_t));
	else
		decode_rows(b, leaf, b->level[level].attrs->nrows, &c);
	vec->sets[level] = c.codes;
	return c.codes;
}

static void
load_shape_table(Batch *b, Level level)
{
	Vector *vec = b->source;
	LevelLeaves *l = &vec->image->level[level];
	AttrSet *set = b->level[level].attrs;

	image_need_shapes(vec->image, level);
	set->nshapes = l->nshapes;
	set->shapes = l->shape;
	set->shapes_later = false;
}

static void
load_shapes(Batch *b, Level level)
{
	Vector *vec = b->source;
	LevelLeaves *l = &vec->image->level[level];
	AttrSet *set = b->level[level].attrs;

	batch_shape_table(b, level);
	shape_codes(b, level);
	/* before the orders: they may lean on the shapes */
	set->shape = vec->sets[level];
	if (l->shapes != NO_LEAF && leaf_at(vec, l->orders)->mode != LEAF_ZERO)
		set->shape = permute_shapes(b, level, vec->sets[level]);
}

/* Columns of a vector that are counted one by one; who asks for more, wants all. */
#define COUNT_ALONE 8

/* Values of each attribute column in this vector. */
static void
count_values(Vector *vec, Level level, uint32_t n)
{
	LevelLeaves *l = &vec->image->level[level];
	uint32_t *count = arena_alloc0(vec->arena, ((size_t) l->nattrs + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < n && l->nshapes > 0; i++)
	{
		const AttrShape *shape = &l->shape[vec->sets[level][i]];

		for (uint32_t j = 0; j < shape->n; j++)
			count[shape->columns[j]]++;
	}
	vec->attr_n[level] = count;
}

/* Values of an attribute column in this vector. */
static uint32_t
attr_values(Batch *b, Level level, uint32_t index)
{
	Vector *vec = b->source;
	LevelLeaves *l = &vec->image->level[level];
	uint32_t n = b->level[level].attrs->nrows, count = 0;
	const uint8_t *named;

	batch_shapes(b, level);
	if (vec->attr_n[level] == NULL && vec->attrs_counted[level]++ < COUNT_ALONE)
	{
		named = image_shapes_naming(vec->image, level, index);
		for (uint32_t i = 0; i < n && l->nshapes > 0; i++)
			count += named[vec->sets[level][i]];
		return count;
	}
	if (vec->attr_n[level] == NULL)
		count_values(vec, level, n);
	return vec->attr_n[level][index];
}

static void
fill_rows(Batch *b, Level level, uint32_t index)
{
	Vector *vec = b->source;
	AttrSet *set = b->level[level].attrs;
	const uint8_t *named = image_shapes_naming(vec->image, level, index);
	uint32_t n = attr_values(b, level, index), k = 0;
	uint32_t *rows = arena_alloc(vec->arena, ((size_t) n + 1) * sizeof(uint32_t));

	for (uint32_t row = 0; k < n; row++)
	{
		rows[k] = row;
		k += named[vec->sets[level][row]];
	}
	set->columns[index].rows = rows;
	set->columns[index].nrows = n;
}

/* Hands out the values of the overflow leaf to all columns that are in it. */
static void
load_overflow(Batch *b, Level level)
{
	Vector *vec = b->source;
	LevelLeaves *l = &vec->image->level[level];
	AttrSet *set = b->level[level].attrs;
	uint32_t *next = arena_alloc0(vec->arena, ((size_t) l->nattrs + 1) * sizeof(uint32_t));
	uint32_t n = 0, i = 0;
	Column all = {.kind = COL_BYTES};

	for (uint32_t k = 0; k < l->nattrs; k++)
		if (vec->image->leaves[l->attr[k]].mode == LEAF_SHARED)
		{
			column_allocate(vec->arena, &set->columns[k].values, l->attrs[k].values.kind, 0,
							attr_values(b, level, k));
			n += attr_values(b, level, k);
		}
	image_decode_leaf(vec, leaf_at(vec, l->overflow), n, NULL, &all);
	for (uint32_t row = 0; row < set->nrows; row++)
	{
		const AttrShape *shape = &set->shapes[set->shape[row]];

		for (uint32_t j = 0; j < shape->n; j++)
		{
			uint32_t k = shape->columns[j];
			Column *c = &set->columns[k].values;
			Str s;

			if (vec->image->leaves[l->attr[k]].mode != LEAF_SHARED)
				continue;
			s = column_str(&all, i++);
			if (c->kind == COL_BYTES)
				c->dict[next[k]++] = s;
			else if (s.len == sizeof(int64_t))
				memcpy(&c->i64[next[k]++], s.p, sizeof(int64_t));
			else
				image_corrupt(vec->image, "width of a number among rare attributes");
		}
	}
	vec->overflow_done[level] = true;
}

static void
load_attr(Batch *b, Level level, uint32_t index)
{
	Vector *vec = b->source;
	AttrColumn *a = &b->level[level].attrs->columns[index];
	Leaf *leaf = leaf_at(vec, vec->image->level[level].attr[index]);
	const uint32_t *base = NULL;
	uint32_t n;

	batch_shapes(b, level);
	n = attr_values(b, level, index);
	if (leaf->mode == LEAF_SHARED)
	{
		if (!vec->overflow_done[level])
			load_overflow(b, level);
		return;
	}
	if (leaf->mode == LEAF_COND && n > 0)
	{
		fill_rows(b, level, index);
		base = base_codes_at(b, leaf, a->rows, n);
	}
	image_decode_leaf(vec, leaf, n, base, &a->values);
	a->values.loaded = true;
}

/* ---- attribute columns as codes by row ---- */

/* The code is the same for all rows of a shape; UINT32_MAX: no row should have it. */
static void
codes_by_shape(const Vector *vec, Level level, const uint32_t *of_shape, uint32_t n, uint32_t *codes)
{
	const uint32_t *sets = vec->sets[level];
	uint32_t all = 0;

	for (uint32_t row = 0; row < n; row++)
	{
		codes[row] = of_shape[sets[row]];
		all |= codes[row];
	}
	if (all == UINT32_MAX)
		image_corrupt(vec->image, "code outside its table");
}

/* The column is a function of its base. */
static void
codes_by_base(Batch *b, const Leaf *leaf, const uint8_t *named, uint32_t first, uint32_t *codes)
{
	const Vector *vec = b->source;
	const uint32_t *sets = vec->sets[leaf->level], *base = base_codes(b, leaf), *only = leaf->cond_only;
	uint32_t n = b->level[leaf->level].attrs->nrows, missing = 0;

	for (uint32_t row = 0; row < n; row++)
	{
		uint32_t there = -(uint32_t) named[sets[row]], code = only[base[row]];

		missing |= there & (code == UINT32_MAX);
		codes[row] = there & (first + code);
	}
	if (missing)
		image_corrupt(vec->image, "code outside its table");
}

/* One code for each row that has a value. */
static void
codes_spread(const Vector *vec, Level level, const uint8_t *named, const uint32_t *dense, uint32_t n,
			 uint32_t first, uint32_t *codes)
{
	const uint32_t *sets = vec->sets[level];

	for (uint32_t row = 0, k = 0; row < n; row++)
	{
		uint32_t there = named[sets[row]];

		codes[row] = -there & (first + dense[k]);
		k += there;
	}
}

static void
decode_attr_codes(Batch *b, Leaf *leaf, const uint8_t *named, uint32_t first, uint32_t *codes)
{
	Vector *vec = b->source;
	uint32_t n = attr_values(b, leaf->level, leaf->index);
	const uint32_t *base = NULL;
	uint32_t *dense = arena_alloc0(vec->scratch, ((size_t) n + 1) * sizeof(uint32_t));

	if (n > 0)
	{
		if (leaf->mode == LEAF_COND)
		{
			if (b->level[leaf->level].attrs->columns[leaf->index].rows == NULL)
				fill_rows(b, leaf->level, leaf->index);
			base = base_codes_at(b, leaf, b->level[leaf->level].attrs->columns[leaf->index].rows, n);
		}
		memcpy(dense, image_decode_codes(vec, leaf, n, base), (size_t) n * sizeof(uint32_t));
	}
	codes_spread(vec, leaf->level, named, dense, b->level[leaf->level].attrs->nrows, first, codes);
}

bool
image_attr_codes(Batch *b, Level level, uint32_t which, uint32_t first, uint32_t *codes)
{
	Vector *vec = b->source;
	Image *image = vec->image;
	Leaf *leaf = leaf_at(vec, image->level[level].attr[which]);
	bool constant = leaf->mode == LEAF_ZERO || leaf->mode == LEAF_CONST, function;
	uint32_t n = b->level[level].attrs->nrows;
	const uint8_t *named;

	if ((leaf->flags & LEAF_NULLS) || (leaf->kind != COL_BYTES && leaf->kind != COL_I64) ||
		(!constant && !leaf_has_dict(leaf)))
		return false;
	batch_shapes(b, level);
	named = image_shapes_naming(image, level, which);
	function = leaf->mode == LEAF_COND && leaf->blocks_len == 0;
	if (function)
		image_need_table(image, leaf);
	if (constant || (function && image->leaves[leaf->base].what == LEAF_SHAPES))
	{
		uint32_t nshapes = image->level[level].nshapes;
		uint32_t *of_shape = arena_alloc0(vec->scratch, ((size_t) nshapes + 1) * sizeof(uint32_t));

		for (uint32_t s = 0; s < nshapes; s++)
		{
			uint32_t code = constant ? 0 : leaf->cond_only[s];

			of_shape[s] = !named[s] ? 0 : code == UINT32_MAX ? UINT32_MAX : first + code;
		}
		codes_by_shape(vec, level, of_shape, n, codes);
	}
	else if (function)
		codes_by_base(b, leaf, named, first, codes);
	else
		decode_attr_codes(b, leaf, named, first, codes);
	return true;
}

/* ---- levels ---- */

/* Counts as first rows; they sum up to total. */
static uint32_t *
load_firsts(Batch *b, uint32_t number, uint32_t n, uint32_t total, const char *what)
{
	Vector *vec = b->source;
	uint32_t *first = arena_alloc0(vec->arena, ((size_t) n + 1) * sizeof(uint32_t));
	Column c = {.kind = COL_I64};
	uint64_t sum = 0;

	if (number == NO_LEAF)
		return first;
	decode_rows(b, leaf_at(vec, number), n, &c);
	for (uint32_t i = 0; i < n; i++)
	{
		first[i] = (uint32_t) sum;
		if (c.i64[i] < 0 || c.i64[i] > total - (int64_t) sum)
			image_corrupt(vec->image, what);
		sum += (uint64_t) c.i64[i];
	}
	first[n] = (uint32_t) sum;
	if (sum != total)
		image_corrupt(vec->image, what);
	return first;
}

static void
load(Batch *b, Level level, LoadWhat what, uint32_t which)
{
	Vector *vec = b->source;

	switch (what)
	{
		case LOAD_COLUMN: load_column(b, level, which); break;
		case LOAD_ATTR: load_attr(b, level, which); break;
		case LOAD_ROWS: fill_rows(b, level, which); break;
		case LOAD_SHAPES: load_shapes(b, level); break;
		case LOAD_SHAPE_TABLE: load_shape_table(b, level); break;
		case LOAD_EVENTS:
			b->event_first = load_firsts(b, vec->image->event_counts, batch_nrows(b),
										 vector_rows(vec, LEVEL_EVENT), "number of events");
			break;
		case LOAD_PARENTS: load_parent_rows(b); break;
		case LOAD_LINKS:
			b->link_first = load_firsts(b, vec->image->link_counts, batch_nrows(b),
										vector_rows(vec, LEVEL_LINK), "number of links");
			break;
	}
}

static AttrSet *
make_attr_set(Vector *vec, Level level)
{
	LevelLeaves *l = &vec->image->level[level];
	AttrSet *set = arena_alloc0(vec->arena, sizeof(AttrSet));

	set->ncolumns = l->nattrs;
	set->columns = arena_alloc(vec->arena, ((size_t) l->nattrs + 1) * sizeof(AttrColumn));
	if (l->nattrs)
		memcpy(set->columns, l->attrs, l->nattrs * sizeof(AttrColumn));
	set->shapes_later = set->shapes_shared = true;
	set->nrows = vector_rows(vec, level);
	return set;
}

static void
make_level(Batch *b, Level level)
{
	Vector *vec = b->source;
	Image *image = vec->image;
	RowSet *rows = &b->level[level];
	bool traces = level == LEVEL_TRACE;

	if (level != LEVEL_SPAN && (!b->spans || (traces && !b->sorted)))
		return;
	rows->nrows = vector_rows(vec, level);
	rows->ncolumns = image->level[level].ncolumns;
	rows->columns = arena_alloc0(vec->arena, ((size_t) rows->ncolumns + 1) * sizeof(Column));
	for (uint32_t col = 0; col < rows->ncolumns; col++)
	{
		Column *c = &rows->columns[col];
		uint32_t number = image->level[level].column[col];

		c->kind = number == NO_LEAF ? image_column_kind(level, col) : image->leaves[number].kind;
		c->width = number != NO_LEAF ? image->leaves[number].width : c->kind == COL_FIXED ? 16 : 0;
		c->n = rows->nrows;
	}
	if (b->spans && !traces)
		rows->attrs = make_attr_set(vec, level);
}

Batch *
image_vector(Image *image, uint32_t v, Arena *arena)
{
	Batch *b = arena_alloc0(arena, sizeof(Batch));
	Vector *vec = arena_alloc0(arena, sizeof(Vector));

	if (v >= image->summary.nvectors)
		image_corrupt(image, "no such vector");
	codec_trim(SCRATCH_KEPT);
	vec->image = image;
	vec->v = v;
	vec->arena = vec->scratch = arena;
	b->arena = arena;
	b->spans = image->flags & IMAGE_SPANS;
	b->sorted = image->flags & IMAGE_SORTED;
	b->plain_ids = image->flags & IMAGE_PLAIN;
	b->load = load;
	b->source = vec;
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
		make_level(b, level);
	/* where orders vary, the table of shapes is not known before the rows are */
	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
		if (image->level[level].orders != NO_LEAF &&
			image->leaves[image->level[level].orders].mode != LEAF_ZERO)
			batch_shapes(b, level);
	if (b->sorted)
		b->trace_first =
			load_firsts(b, image->trace_rows, b->level[LEVEL_TRACE].nrows, batch_nrows(b), "rows of a trace");
	return b;
}

void
image_vector_scratch(Batch *batch, Arena *scratch)
{
	Vector *vec = batch->source;

	vec->scratch = scratch ? scratch : vec->arena;
}
