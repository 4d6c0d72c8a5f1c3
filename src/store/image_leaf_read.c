/*
 * image_leaf_read.c
 *	  Parts of a leaf and the values of a leaf in one vector.
 */
#include "store/image_read.h"

static uint64_t
blocks_offset(const Leaf *leaf)
{
	return leaf->offset + leaf->dict_len + leaf->table_len;
}

/* ---- index ---- */

static void
read_zone(Image *image, const uint8_t **p, const uint8_t *end, int64_t **zone)
{
	uint32_t n = image->summary.nvectors;
	const uint8_t *part;
	size_t len;

	*zone = arena_alloc(image->arena, (size_t) n * sizeof(int64_t));
	if (!read_part(p, end, &part, &len) || !codec_decode_i64(part, len, *zone, n))
		image_corrupt(image, "zone map of a column");
}

void
image_need_index(Image *image, Leaf *leaf)
{
	uint32_t n = image->summary.nvectors;
	uint64_t sum = 0;
	const uint8_t *p, *end, *part;
	size_t len;
	int64_t *lengths;
	Str index;

	if (leaf->block != NULL)
		return;
	index = image_fetch_part(image, blocks_offset(leaf) + leaf->blocks_len, leaf->index_len, image->arena);
	p = (const uint8_t *) index.p;
	end = p + index.len;
	lengths = arena_alloc(image->arena, ((size_t) n + 1) * sizeof(int64_t));
	if (!read_part(&p, end, &part, &len) || !codec_decode_i64(part, len, lengths, n))
		image_corrupt(image, "index of a column");
	for (uint32_t v = 0; v < n; v++)
	{
		uint64_t length = (uint64_t) lengths[v];

		if (length > leaf->blocks_len - sum)
			image_corrupt(image, "index of a column");
		lengths[v] = (int64_t) sum;
		sum += length;
	}
	lengths[n] = (int64_t) sum;
	if (leaf->flags & LEAF_ZONES)
	{
		read_zone(image, &p, end, &leaf->zone_min);
		read_zone(image, &p, end, &leaf->zone_max);
	}
	leaf->block = (uint64_t *) lengths;
}

/* The bytes of a leaf in a vector; none at all means that all values are zero or empty. */
Str
image_block(Image *image, Leaf *leaf, uint32_t v, Arena *arena)
{
	uint64_t off = 0, len = leaf->blocks_len;

	if (!leaf_has_blocks(leaf) || len == 0)
		return (Str){"", 0};
	if (image->summary.nvectors > 1)
	{
		image_need_index(image, leaf);
		off = leaf->block[v];
		len = leaf->block[v + 1] - off;
	}
	if (len == 0)
		return (Str){"", 0};
	image->counters.blocks_read++;
	return image_fetch_part(image, blocks_offset(leaf) + off, len, arena);
}

/* ---- dictionary, table, shapes ---- */

void
image_need_dict(Image *image, Leaf *leaf)
{
	Str part;
	bool fine;

	if (leaf->dict != NULL || leaf->numbers != NULL)
		return;
	image->counters.dicts_read++;
	part =
		leaf->dict_len ? image_fetch_part(image, leaf->offset, leaf->dict_len, image->arena) : (Str){"", 0};
	if (leaf->kind == COL_I64)
	{
		int64_t *numbers = arena_alloc(image->arena, ((size_t) leaf->ndict + 1) * sizeof(int64_t));

		fine = codec_decode_i64((const uint8_t *) part.p, part.len, numbers, leaf->ndict);
		leaf->numbers = numbers;
	}
	else
	{
		Str *dict = arena_alloc(image->arena, ((size_t) leaf->ndict + 1) * sizeof(Str));

		fine = codec_decode_bytes((const uint8_t *) part.p, part.len, dict, leaf->ndict, IMAGE_MAX_BYTES,
								  image->arena);
		leaf->dict = dict;
	}
	if (!fine)
		image_corrupt(image, "dictionary of a column");
}

/* The uuids that the blocks of a leaf refer to; NULL: none. */
static const CodecWords *
need_words(Image *image, Leaf *leaf)
{
	CodecWords *words;
	uint64_t *pairs;
	Str part;

	if (leaf->mode != LEAF_WORDS || leaf->words != NULL)
		return leaf->words;
	image->counters.dicts_read++;
	part = image_fetch_part(image, leaf->offset, leaf->dict_len, image->arena);
	words = arena_alloc0(image->arena, sizeof(CodecWords));
	pairs = arena_alloc(image->arena, ((size_t) leaf->ndict + 1) * sizeof(*words->pairs));
	if (!codec_decode_fixed((const uint8_t *) part.p, part.len, (uint8_t *) pairs, leaf->ndict,
							sizeof(*words->pairs)))
		image_corrupt(image, "words of a column");
	words->n = leaf->ndict;
	words->pairs = (const uint64_t(*)[2]) pairs;
	leaf->words = words;
	return words;
}

/* Counts of codes by code of the base; how many there are in all. */
static uint64_t
make_ranges(Image *image, const Leaf *leaf, const uint32_t *counts, uint32_t n, CondRange *ranges)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < n; b++)
	{
		ranges[b] = (CondRange){(uint32_t) sum, counts[b]};
		sum += counts[b];
		/* each pair was seen in a row at least */
		if (sum > image->level[leaf->level].total)
			image_corrupt(image, "table of a column");
	}
	return sum;
}

/* Grids of more entries than this would take longer to make, and to look at, than they save. */
#define MAX_GRID 8192

/* Lists laid out in rows of one length: one look instead of two. */
static void
make_grid(Image *image, Leaf *leaf, uint32_t nbase)
{
	uint32_t longest = 1;
	unsigned bits;
	size_t n;

	for (uint32_t b = 0; b < nbase; b++)
		longest = leaf->cond[b].n > longest ? leaf->cond[b].n : longest;
	bits = bit_width(longest - 1);
	n = (size_t) nbase << bits;
	if (n > MAX_GRID)
		return;
	leaf->cond_bits = bits;
	leaf->cond_grid = arena_alloc(image->arena, (n + 1) * sizeof(uint32_t));
	memset(leaf->cond_grid, 0xFF, n * sizeof(uint32_t));
	for (uint32_t b = 0; b < nbase; b++)
		memcpy(leaf->cond_grid + ((size_t) b << bits), leaf->cond_codes + leaf->cond[b].first,
			   leaf->cond[b].n * sizeof(uint32_t));
}

void
image_need_table(Image *image, Leaf *leaf)
{
	uint32_t nbase = image->leaves[leaf->base].ndict, *counts, *codes, *only;
	const uint8_t *p, *end, *counts_part;
	CondRange *ranges;
	size_t len;
	uint64_t sum;
	Str part;

	if (leaf->cond != NULL)
		return;
	part = image_fetch_part(image, leaf->offset + leaf->dict_len, leaf->table_len, image->arena);
	p = (const uint8_t *) part.p;
	end = p + part.len;
	counts = arena_alloc(image->arena, ((size_t) nbase + 1) * sizeof(uint32_t));
	if (!read_part(&p, end, &counts_part, &len) || !codec_decode_u32(counts_part, len, counts, nbase))
		image_corrupt(image, "table of a column");
	ranges = arena_alloc(image->arena, ((size_t) nbase + 1) * sizeof(CondRange));
	sum = make_ranges(image, leaf, counts, nbase, ranges);
	/* one more, so that the first of none can be looked at */
	codes = arena_alloc0(image->arena, ((size_t) sum + 1) * sizeof(uint32_t));
	if (!codec_decode_u32(p, (size_t) (end - p), codes, (uint32_t) sum))
		image_corrupt(image, "table of a column");
	for (uint64_t k = 0; k < sum; k++)
		if (codes[k] >= leaf->ndict)
			image_corrupt(image, "table of a column");
	only = counts;
	for (uint32_t b = 0; b < nbase; b++)
		only[b] = ranges[b].n ? codes[ranges[b].first] : UINT32_MAX;
	leaf->cond_only = only;
	leaf->cond_codes = codes;
	leaf->cond = ranges;
	make_grid(image, leaf, nbase);
}

/* Cut the concatenated columns into shapes; a shape names existing columns, each once. */
static void
make_shapes(Image *image, LevelLeaves *l, const uint32_t *counts, uint32_t *columns, AttrShape *shape)
{
	uint32_t *seen = arena_alloc0(image->arena, ((size_t) l->nattrs + 1) * sizeof(uint32_t));

	for (uint32_t s = 0; s < l->nshapes; s++)
	{
		shape[s] = (AttrShape){counts[s], columns};
		for (uint32_t j = 0; j < counts[s]; j++)
		{
			if (columns[j] >= l->nattrs || seen[columns[j]] == s + 1)
				image_corrupt(image, "table of shapes");
			seen[columns[j]] = s + 1;
		}
		columns += counts[s];
	}
}

void
image_need_shapes(Image *image, Level level)
{
	LevelLeaves *l = &image->level[level];
	Leaf *leaf;
	Str part;
	const uint8_t *p, *end, *counts_part;
	uint32_t *counts, *columns;
	AttrShape *shape;
	size_t len;
	uint64_t sum = 0;

	if (l->shape != NULL || l->shapes == NO_LEAF)
		return;
	leaf = &image->leaves[l->shapes];
	image->counters.dicts_read++;
	part = image_fetch_part(image, leaf->offset, leaf->dict_len, image->arena);
	p = (const uint8_t *) part.p;
	end = p + part.len;
	l->nshapes = leaf->ndict;
	counts = arena_alloc(image->arena, ((size_t) l->nshapes + 1) * sizeof(uint32_t));
	if (!read_part(&p, end, &counts_part, &len) || !codec_decode_u32(counts_part, len, counts, l->nshapes))
		image_corrupt(image, "table of shapes");
	for (uint32_t s = 0; s < l->nshapes; s++)
	{
		sum += counts[s];
		if (counts[s] > l->nattrs || sum > IMAGE_MAX_ROWS)
			image_corrupt(image, "table of shapes");
	}
	columns = arena_alloc(image->arena, ((size_t) sum + 1) * sizeof(uint32_t));
	shape = arena_alloc(image->arena, ((size_t) l->nshapes + 1) * sizeof(AttrShape));
	if (!codec_decode_u32(p, (size_t) (end - p), columns, (uint32_t) sum))
		image_corrupt(image, "table of shapes");
	make_shapes(image, l, counts, columns, shape);
	l->shape = shape;
}

/* Columns whose shapes are looked for one by one; who asks for more, wants all. */
#define NAME_ALONE 4

/* The shapes of each column, one list behind the other. */
static void
list_shapes_of_columns(Image *image, LevelLeaves *l)
{
	uint32_t *first = arena_alloc0(image->arena, ((size_t) l->nattrs + 2) * sizeof(uint32_t));
	uint32_t *list, total = 0;

	for (uint32_t s = 0; s < l->nshapes; s++)
		for (uint32_t j = 0; j < l->shape[s].n; j++)
			first[l->shape[s].columns[j] + 2]++;
	for (uint32_t k = 0; k < l->nattrs; k++)
		first[k + 2] = total += first[k + 2];
	list = arena_alloc(image->arena, ((size_t) total + 1) * sizeof(uint32_t));
	for (uint32_t s = 0; s < l->nshapes; s++)
		for (uint32_t j = 0; j < l->shape[s].n; j++)
			list[first[l->shape[s].columns[j] + 1]++] = s;
	l->naming_first = first;
	l->naming_list = list;
}

static void
find_shapes_naming(Image *image, LevelLeaves *l, uint32_t attr, uint8_t *named)
{
	if (l->naming_first == NULL && l->named_alone++ >= NAME_ALONE)
		list_shapes_of_columns(image, l);
	if (l->naming_first != NULL)
	{
		for (uint32_t i = l->naming_first[attr]; i < l->naming_first[attr + 1]; i++)
			named[l->naming_list[i]] = 1;
		return;
	}
	for (uint32_t s = 0; s < l->nshapes; s++)
	{
		const uint32_t *columns = l->shape[s].columns;
		uint8_t found = 0;

		for (uint32_t j = 0; j < l->shape[s].n; j++)
			found |= columns[j] == attr;
		named[s] = found;
	}
}

const uint8_t *
image_shapes_naming(Image *image, Level level, uint32_t attr)
{
	LevelLeaves *l = &image->level[level];

	if (l->naming[attr] == NULL)
	{
		image_need_shapes(image, level);
		l->naming[attr] = arena_alloc0(image->arena, (size_t) l->nshapes + 1);
		find_shapes_naming(image, l, attr, l->naming[attr]);
	}
	return l->naming[attr];
}

/* ---- values ---- */

/* Places in the lists of the base's codes, made the codes that are there. */
static bool
look_up_codes(const Leaf *leaf, const uint32_t *base, uint32_t n, uint32_t *codes)
{
	const CondRange *ranges = leaf->cond;
	const uint32_t *table = leaf->cond_codes;
	uint32_t outside = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		CondRange r = ranges[base[i]];
		uint32_t inside = codes[i] < r.n;

		outside |= !inside;
		codes[i] = table[r.first + (inside ? codes[i] : 0)];
	}
	return !outside;
}

static bool
look_up_grid(const Leaf *leaf, const uint32_t *base, uint32_t n, uint32_t *codes)
{
	const uint32_t *grid = leaf->cond_grid;
	unsigned bits = leaf->cond_bits;
	uint32_t mask = (UINT32_C(1) << bits) - 1, places = 0, all = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		places |= codes[i];
		codes[i] = grid[base[i] << bits | (codes[i] & mask)];
		all |= codes[i];
	}
	return all != UINT32_MAX && places <= mask;
}

/* All places are 0: the column is a function of the base. */
static bool
look_up_only(const Leaf *leaf, const uint32_t *base, uint32_t n, uint32_t *codes)
{
	const uint32_t *only = leaf->cond_only;
	uint32_t all = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		codes[i] = only[base[i]];
		all |= codes[i];
	}
	return all != UINT32_MAX;
}

/* Codes of a dictionary leaf: as stored, or through the table of its base. */
static uint32_t *
decode_codes(Vector *vec, Leaf *leaf, Str block, uint32_t n, const uint32_t *base, Arena *arena)
{
	uint32_t *codes = arena_alloc(arena, (size_t) n * sizeof(uint32_t));
	bool fine;

	if (leaf->mode == LEAF_COND)
		image_need_table(vec->image, leaf);
	if (block.len > 0 && !codec_decode_u32((const uint8_t *) block.p, block.len, codes, n))
		image_corrupt(vec->image, "block of codes");
	if (leaf->mode == LEAF_COND)
	{
		if (block.len == 0)
			fine = look_up_only(leaf, base, n, codes);
		else
			fine = leaf->cond_grid ? look_up_grid(leaf, base, n, codes) : look_up_codes(leaf, base, n, codes);
		if (!fine)
			image_corrupt(vec->image, "code outside its table");
		return codes;
	}
	if (block.len == 0)
		memset(codes, 0, (size_t) n * sizeof(uint32_t));
	if (!all_below(codes, n, leaf->ndict))
		image_corrupt(vec->image, "code outside its dictionary");
	return codes;
}

uint32_t *
image_decode_codes(Vector *vec, Leaf *leaf, uint32_t n, const uint32_t *base)
{
	Str block = image_block(vec->image, leaf, vec->v, vec->scratch);

	return decode_codes(vec, leaf, block, n, base, vec->scratch);
}

static void
decode_numbers(Vector *vec, Leaf *leaf, Str block, uint32_t n, const uint32_t *base, Column *c)
{
	int64_t *v = arena_alloc(vec->arena, (size_t) n * sizeof(int64_t));

	if (leaf_has_dict(leaf))
	{
		const uint32_t *codes = decode_codes(vec, leaf, block, n, base, vec->scratch);

		image_need_dict(vec->image, leaf);
		for (uint32_t i = 0; i < n; i++)
			v[i] = leaf->numbers[codes[i]];
	}
	else if (leaf->mode == LEAF_CONST)
		for (uint32_t i = 0; i < n; i++)
			v[i] = leaf->number;
	else if (block.len == 0)
		memset(v, 0, (size_t) n * sizeof(int64_t));
	else if (!codec_decode_i64((const uint8_t *) block.p, block.len, v, n))
		image_corrupt(vec->image, "block of numbers");
	c->i64 = v;
}

int64_t *
image_decode_ranges(Vector *vec, Leaf *leaf, uint32_t n, const CodecRange *ranges, uint32_t nranges)
{
	int64_t *v = arena_alloc(vec->scratch, ((size_t) n + 1) * sizeof(int64_t));
	Str block = image_block(vec->image, leaf, vec->v, vec->scratch);

	if (block.len == 0)
		memset(v, 0, (size_t) n * sizeof(int64_t));
	else if (!codec_decode_i64_ranges((const uint8_t *) block.p, block.len, v, n, ranges, nranges))
		image_corrupt(vec->image, "block of numbers");
	return v;
}

static void
decode_fixed(Vector *vec, Leaf *leaf, Str block, uint32_t n, Column *c)
{
	uint8_t *v = arena_alloc(vec->arena, (size_t) n * leaf->width);

	if (leaf->mode == LEAF_CONST)
		for (uint32_t i = 0; i < n; i++)
			memcpy(v + (size_t) i * leaf->width, leaf->constant.p, leaf->width);
	else if (block.len == 0)
		memset(v, 0, (size_t) n * leaf->width);
	else if (!codec_decode_fixed((const uint8_t *) block.p, block.len, v, n, leaf->width))
		image_corrupt(vec->image, "block of fixed-width values");
	c->fixed = v;
}

static void
decode_strings(Vector *vec, Leaf *leaf, Str block, uint32_t n, const uint32_t *base, Column *c)
{
	if (leaf_has_dict(leaf))
	{
		c->codes = decode_codes(vec, leaf, block, n, base, vec->arena);
		c->ndict = leaf->ndict;
		if (leaf->what == LEAF_SHAPES)
			return;
		image_need_dict(vec->image, leaf);
		c->dict = leaf->dict;
		c->dict_shared = true;
		return;
	}
	c->codes = arena_alloc(vec->arena, (size_t) n * sizeof(uint32_t));
	if ((leaf->mode != LEAF_BLOCKS && leaf->mode != LEAF_WORDS) || block.len == 0)
	{
		memset(c->codes, 0, (size_t) n * sizeof(uint32_t));
		c->dict = arena_alloc(vec->arena, sizeof(Str));
		c->dict[0] = leaf->mode == LEAF_CONST ? leaf->constant : (Str){"", 0};
		c->ndict = 1;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		c->codes[i] = i;
	c->dict = arena_alloc(vec->arena, (size_t) n * sizeof(Str));
	c->ndict = n;
	if (!codec_decode_bytes_words((const uint8_t *) block.p, block.len, need_words(vec->image, leaf), c->dict,
								  n, IMAGE_MAX_BYTES, vec->arena))
		image_corrupt(vec->image, "block of strings");
}

/* The nulls in front of a block; the rest of the block is returned. */
static Str
decode_nulls(Vector *vec, Str block, uint32_t n, Column *c)
{
	const uint8_t *p = (const uint8_t *) block.p, *end = p + block.len, *part;
	uint32_t *flags;
	size_t len;

	if (block.len == 0)
		return block;
	if (!read_part(&p, end, &part, &len))
		image_corrupt(vec->image, "block of nulls");
	if (len > 0)
	{
		flags = arena_alloc(vec->scratch, (size_t) n * sizeof(uint32_t));
		if (!codec_decode_u32(part, len, flags, n))
			image_corrupt(vec->image, "block of nulls");
		c->nulls = arena_alloc(vec->arena, n);
		for (uint32_t i = 0; i < n; i++)
			c->nulls[i] = flags[i] != 0;
	}
	return str_of((const char *) p, (size_t) (end - p));
}

void
image_decode_leaf(Vector *vec, Leaf *leaf, uint32_t n, const uint32_t *base, Column *c)
{
	/* strings may stay where they are in the block */
	bool stays = c->kind == COL_BYTES && !leaf_has_dict(leaf);
	Str block = image_block(vec->image, leaf, vec->v, stays ? vec->arena : vec->scratch);

	c->n = n;
	if (leaf->flags & LEAF_NULLS)
		block = decode_nulls(vec, block, n, c);
	/* a column whose other values are all the same has nulls only */
	if (block.len > 0 && !leaf_has_dict(leaf) && leaf->mode != LEAF_BLOCKS && leaf->mode != LEAF_WORDS)
		image_corrupt(vec->image, "a constant column has values");
	switch (c->kind)
	{
		case COL_VOID: break;
		case COL_I64: decode_numbers(vec, leaf, block, n, base, c); break;
		case COL_FIXED: decode_fixed(vec, leaf, block, n, c); break;
		case COL_BYTES: decode_strings(vec, leaf, block, n, base, c); break;
	}
}
