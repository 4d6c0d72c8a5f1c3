/*
 * image_leaf.c
 *	  Writing one leaf: look at its values, choose a mode, write dictionary, table, blocks and index.
 */
#include "store/image_write.h"

/* Uuids that the blocks of a leaf refer to, at most: every reader of a block has to read them all. */
#define MAX_WORDS (1u << 16)
/* Numbers are tried as a dictionary of the image up to this many. */
#define MAX_NUMBERS     4096
#define MIN_COND_VALUES 64

Leaf *
image_new_leaf(Writer *w, Level level, LeafWhat what, uint32_t index)
{
	Leaf *leaf;

	if (w->nleaves == w->max_leaves)
	{
		uint32_t more = w->max_leaves * 2 + 64;

		w->leaves = arena_grow(w->arena, w->leaves, w->nleaves * sizeof(Leaf), more * sizeof(Leaf));
		w->max_leaves = more;
	}
	leaf = &w->leaves[w->nleaves++];
	memset(leaf, 0, sizeof(*leaf));
	leaf->level = level;
	leaf->what = what;
	leaf->index = index;
	return leaf;
}

void
image_add_base(Writer *w, Level level, const Leaf *leaf, const uint32_t *codes, uint32_t ncodes)
{
	if (w->nbases[level] < MAX_BASES && ncodes > 1)
		w->bases[level][w->nbases[level]++] = (CondBase){(uint32_t) (leaf - w->leaves), codes, ncodes};
}

/* ---- parts ---- */

uint64_t
image_seal(Writer *w, size_t start)
{
	uint32_t crc;

	if (w->out->len == start)
		return 0;
	if (!w->compact)
	{
		crc = codec_crc32c(w->out->p + start, w->out->len - start);
		buf_put(w->out, &crc, IMAGE_CRC_BYTES);
	}
	return w->out->len - start;
}

/* Nulls of values [lo, hi): a length, and a block when there are any. */
static bool
put_nulls(Writer *w, const uint8_t *nulls, uint32_t lo, uint32_t hi)
{
	uint32_t *flags = arena_alloc(w->tmp, (size_t) (hi - lo) * sizeof(uint32_t));
	size_t start = w->out->len;
	uint32_t any = 0;

	for (uint32_t i = lo; i < hi; i++)
		any |= flags[i - lo] = nulls[i] != 0;
	if (any)
		codec_encode_u32(flags, hi - lo, w->effort, w->out);
	buf_prefix_length(w->out, start);
	return any;
}

/* Values [lo, hi) of a series without dictionary; nothing when all are zero or empty. */
static void
put_values(Writer *w, const Leaf *leaf, const Series *s, uint32_t lo, uint32_t hi)
{
	uint32_t n = hi - lo;
	size_t start = w->out->len;

	if (s->kind == COL_I64)
		codec_encode_i64(s->i64 + lo, n, w->effort, w->out);
	else if (s->kind == COL_FIXED)
		codec_encode_fixed(s->fixed + (size_t) lo * s->width, n, s->width, w->effort, w->out);
	else
	{
		Str *strs = arena_alloc(w->tmp, (size_t) n * sizeof(Str));

		for (uint32_t i = 0; i < n; i++)
			strs[i] = s->dict[s->codes[lo + i]];
		if (leaf->words != NULL)
			codec_encode_bytes_words(strs, n, leaf->words, w->out);
		else
			codec_encode_bytes(strs, n, w->effort, w->out);
	}
	if (w->out->len == start + 1 &&
		(w->out->p[start] == INT_ZERO || w->out->p[start] == FIXED_ZERO || w->out->p[start] == BYTES_EMPTY))
		w->out->len = start;
}

static void
put_block(Writer *w, const Leaf *leaf, const Series *s, const uint32_t *codes, uint32_t lo, uint32_t hi)
{
	size_t start = w->out->len;
	bool nulls = false;

	if (hi == lo)
		return;
	if (leaf->flags & LEAF_NULLS)
		nulls = put_nulls(w, s->nulls, lo, hi);
	if (codes != NULL)
	{
		size_t at = w->out->len;

		codec_encode_u32(codes + lo, hi - lo, w->effort, w->out);
		if (w->out->len == at + 1 && w->out->p[at] == INT_ZERO)
			w->out->len = at;
	}
	else if (leaf->mode == LEAF_BLOCKS || leaf->mode == LEAF_WORDS)
		put_values(w, leaf, s, lo, hi);
	if (!nulls && w->out->len == start + 1 && (leaf->flags & LEAF_NULLS))
		w->out->len = start;
}

static void
put_zones(Writer *w, const Series *s)
{
	int64_t *min = arena_alloc0(w->tmp, w->nvectors * sizeof(int64_t));
	int64_t *max = arena_alloc0(w->tmp, w->nvectors * sizeof(int64_t));
	size_t start;

	for (uint32_t v = 0; v < w->nvectors; v++)
		for (uint32_t i = s->first[v]; i < s->first[v + 1]; i++)
		{
			if (i == s->first[v] || s->i64[i] < min[v])
				min[v] = s->i64[i];
			if (i == s->first[v] || s->i64[i] > max[v])
				max[v] = s->i64[i];
		}
	start = w->out->len;
	codec_encode_i64(min, w->nvectors, CODEC_SMALL, w->out);
	buf_prefix_length(w->out, start);
	start = w->out->len;
	codec_encode_i64(max, w->nvectors, CODEC_SMALL, w->out);
	buf_prefix_length(w->out, start);
}

/* All blocks and, with more than one vector, the index. codes NULL: the values themselves. */
static void
put_blocks(Writer *w, Leaf *leaf, const Series *s, const uint32_t *codes)
{
	int64_t *length = arena_alloc(w->tmp, w->nvectors * sizeof(int64_t));
	size_t start = w->out->len;

	for (uint32_t v = 0; v < w->nvectors; v++)
	{
		size_t at = w->out->len;

		put_block(w, leaf, s, codes, s->first[v], s->first[v + 1]);
		length[v] = (int64_t) image_seal(w, at);
	}
	leaf->blocks_len = w->out->len - start;
	if (w->nvectors == 1 || leaf->blocks_len == 0)
	{
		leaf->flags &= ~LEAF_ZONES;
		return;
	}
	start = w->out->len;
	codec_encode_i64(length, w->nvectors, CODEC_SMALL, w->out);
	buf_prefix_length(w->out, start);
	if (leaf->flags & LEAF_ZONES)
		put_zones(w, s);
	leaf->index_len = image_seal(w, start);
}

/* ---- choosing ---- */

/* Zero or the same all over: nothing but the leaf table's entry, and the nulls. */
static bool
write_constant(Writer *w, Leaf *leaf, const Series *s)
{
	static const uint8_t zeros[16];
	bool zero;

	if (s->kind == COL_I64)
	{
		for (uint32_t i = 1; i < s->n; i++)
			if (s->i64[i] != s->i64[0])
				return false;
		leaf->number = s->n ? s->i64[0] : 0;
		zero = leaf->number == 0;
	}
	else if (s->kind == COL_FIXED)
	{
		if (s->n > 1 && memcmp(s->fixed, s->fixed + s->width, (size_t) (s->n - 1) * s->width) != 0)
			return false;
		leaf->constant = str_of((const char *) s->fixed, s->n ? s->width : 0);
		zero = s->n == 0 || (s->width <= sizeof(zeros) && memcmp(s->fixed, zeros, s->width) == 0);
	}
	else if (s->kind == COL_BYTES)
	{
		for (uint32_t i = 1; i < s->n; i++)
			if (s->codes[i] != s->codes[0] && !str_eq(s->dict[s->codes[i]], s->dict[s->codes[0]]))
				return false;
		leaf->constant = s->n ? s->dict[s->codes[0]] : (Str){"", 0};
		zero = leaf->constant.len == 0;
	}
	else
		zero = true;
	leaf->mode = zero ? LEAF_ZERO : LEAF_CONST;
	if (leaf->flags & LEAF_NULLS)
		put_blocks(w, leaf, s, NULL);
	return true;
}

static void
put_dictionary(Writer *w, Leaf *leaf, const Coded *c)
{
	size_t start = w->out->len;

	leaf->ndict = c->ndict;
	if (c->numbers)
		codec_encode_i64(c->numbers, c->ndict, w->effort, w->out);
	else if (c->dict)
		codec_encode_bytes(c->dict, c->ndict, w->effort, w->out);
	leaf->dict_len = image_seal(w, start);
}

static void
put_table(Writer *w, Leaf *leaf, const CondBase *base, const Cond *cond)
{
	size_t start = w->out->len;

	codec_encode_u32(cond->count, base->ncodes, CODEC_SMALL, w->out);
	buf_prefix_length(w->out, start);
	codec_encode_u32(cond->codes, cond->npairs, CODEC_SMALL, w->out);
	leaf->table_len = image_seal(w, start);
}

/* Dictionary, then codes or places in a table of another leaf. cond NULL: codes. */
static void
write_coded(Writer *w, Leaf *leaf, const Series *s, const Coded *c, const Cond *cond)
{
	if (cond == NULL)
	{
		leaf->mode = LEAF_DICT;
		put_blocks(w, leaf, s, c->codes);
		return;
	}
	leaf->mode = LEAF_COND;
	leaf->base = w->bases[leaf->level][cond->base].leaf;
	put_table(w, leaf, &w->bases[leaf->level][cond->base], cond);
	put_blocks(w, leaf, s, cond->ranks);
}

static bool
choose_cond(Writer *w, const Leaf *leaf, const Series *s, const Coded *c, uint64_t limit, Cond *cond)
{
	/* these are not one value a row, nor do they know their rows */
	if (leaf->what == LEAF_PARENTS || leaf->what == LEAF_OVERFLOW)
		return false;
	if (w->effort == CODEC_FAST || s->n < MIN_COND_VALUES || s->nulls != NULL || w->nbases[leaf->level] == 0)
		return false;
	return image_cond_choose(w->bases[leaf->level], w->nbases[leaf->level], c, s->rows, limit, w->tmp, cond);
}

static unsigned
number_width(const int64_t *v, uint32_t n)
{
	int64_t min = v[0], max = v[0];

	for (uint32_t i = 1; i < n; i++)
	{
		min = v[i] < min ? v[i] : min;
		max = v[i] > max ? v[i] : max;
	}
	return bit_width((uint64_t) max - (uint64_t) min);
}

/* A dictionary for numbers pays when they are few and far apart, or follow another leaf. */
static bool
write_numbers_coded(Writer *w, Leaf *leaf, const Series *s)
{
	uint32_t max = s->n / 16 < MAX_NUMBERS ? s->n / 16 : MAX_NUMBERS;
	unsigned width;
	uint64_t dict_bits, flat_bits;
	Coded c;
	Cond cond;
	bool conditional;

	if (w->effort == CODEC_FAST || max < 2 || !image_code_numbers(s->i64, s->n, max, w->tmp, &c))
		return false;
	width = number_width(s->i64, s->n);
	flat_bits = (uint64_t) s->n * width;
	dict_bits = image_code_entropy(&c, w->tmp) + (uint64_t) c.ndict * (width < 24 ? width : 24);
	conditional =
		choose_cond(w, leaf, s, &c, (dict_bits < flat_bits ? dict_bits : flat_bits) * 15 / 16, &cond);
	if (!conditional && (width <= 8 || dict_bits > flat_bits * 3 / 4))
		return false;
	put_dictionary(w, leaf, &c);
	write_coded(w, leaf, s, &c, conditional ? &cond : NULL);
	return true;
}

/* Do the strings repeat enough for a dictionary of the whole image? */
static bool
strings_repeat(Writer *w, const Coded *c)
{
	uint64_t each, code_bytes;

	if (c->bytes > IMAGE_MAX_BYTES)
		return false;
	if (w->effort == CODEC_FAST)
		return c->ndict <= c->n - c->n / 4;
	if (c->ndict <= c->n / 8 || c->ndict <= 16)
		return true;
	if (c->ndict > c->n - c->n / 4 || c->bytes > IMAGE_MAX_BYTES / 16)
		return false;
	/* a string compresses to a quarter, or so; its code is paid for every time */
	each = c->bytes / c->ndict / 4 + 2;
	code_bytes = bitpack_bytes(c->n, bit_width(c->ndict));
	return (uint64_t) c->ndict * each + code_bytes < (uint64_t) c->n * each * 7 / 8;
}

/* Strings as blocks; uuids that they have in common go in front of them, once. */
static void
write_strings(Writer *w, Leaf *leaf, const Series *s)
{
	uint32_t total = w->b->level[leaf->level].nrows;
	CodecWords words;
	size_t start = w->out->len;

	leaf->mode = LEAF_BLOCKS;
	if (w->effort == CODEC_SMALL && leaf->what != LEAF_OVERFLOW &&
		codec_words_collect(s->dict, s->codes, s->n, total < MAX_WORDS ? total : MAX_WORDS, w->tmp, &words))
	{
		leaf->mode = LEAF_WORDS;
		leaf->words = &words;
		leaf->ndict = words.n;
		codec_encode_fixed((const uint8_t *) words.pairs, words.n, sizeof(*words.pairs), CODEC_FAST, w->out);
		leaf->dict_len = image_seal(w, start);
	}
	put_blocks(w, leaf, s, NULL);
	leaf->words = NULL;
}

static void
write_bytes(Writer *w, Leaf *leaf, const Series *s, const uint32_t **keep_codes)
{
	Arena *arena = keep_codes ? w->arena : w->tmp;
	Coded c;
	Cond cond;
	bool conditional;

	image_code_bytes(s->codes, s->n, s->dict, s->ndict, w->effort == CODEC_SMALL, arena, &c);
	if (leaf->what == LEAF_OVERFLOW || !strings_repeat(w, &c))
	{
		write_strings(w, leaf, s);
		return;
	}
	conditional = choose_cond(w, leaf, s, &c, image_code_entropy(&c, w->tmp) * 15 / 16, &cond);
	put_dictionary(w, leaf, &c);
	write_coded(w, leaf, s, &c, conditional ? &cond : NULL);
	if (keep_codes)
		*keep_codes = c.codes;
}

void
image_write_leaf(Writer *w, Leaf *leaf, const Series *s, const uint32_t **keep_codes)
{
	leaf->kind = s->kind;
	leaf->width = s->width;
	if (s->nulls != NULL)
		leaf->flags |= LEAF_NULLS;
	if (!write_constant(w, leaf, s))
	{
		if (s->kind == COL_BYTES)
			write_bytes(w, leaf, s, keep_codes);
		else if (s->kind != COL_I64 || !write_numbers_coded(w, leaf, s))
		{
			leaf->mode = LEAF_BLOCKS;
			if (s->kind == COL_I64 && leaf->relative == REL_NONE)
				leaf->flags |= LEAF_ZONES;
			put_blocks(w, leaf, s, NULL);
		}
	}
	image_write_filter(w, leaf, s);
	arena_reset(w->tmp);
}

void
image_write_coded(Writer *w, Leaf *leaf, const Series *s, Coded *c, const Buf *dict_part)
{
	size_t start = w->out->len;
	Cond cond;
	bool conditional = choose_cond(w, leaf, s, c, image_code_entropy(c, w->tmp) * 15 / 16, &cond);

	leaf->kind = COL_BYTES;
	leaf->ndict = c->ndict;
	buf_put(w->out, dict_part->p, dict_part->len);
	leaf->dict_len = image_seal(w, start);
	write_coded(w, leaf, s, c, conditional ? &cond : NULL);
	arena_reset(w->tmp);
}
