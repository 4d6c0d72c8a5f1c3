/*
 * image_open.c
 *	  Header and footer of an image: read, check, and keep what every other question needs.
 */
#include "store/image_read.h"

#include <stdlib.h>

void
image_corrupt(Image *image, const char *what)
{
	image->source.corrupt(image->source.ctx, what);
	abort();
}

#define MAX_READ (UINT32_C(1) << 30)

const uint8_t *
image_fetch(Image *image, uint64_t off, uint64_t len, Arena *arena)
{
	uint8_t *p;

	if (off > image->source.len || len > image->source.len - off)
		image_corrupt(image, "a part lies outside the image");
	if (image->whole != NULL)
		return image->whole + off;
	image->counters.bytes_read += len;
	p = arena_alloc(arena, len);
	for (uint64_t done = 0; done < len;)
	{
		uint32_t n = len - done < MAX_READ ? (uint32_t) (len - done) : MAX_READ;

		image->source.read(image->source.ctx, off + done, n, p + done);
		done += n;
	}
	return p;
}

Str
image_fetch_part(Image *image, uint64_t off, uint64_t len, Arena *arena)
{
	const uint8_t *p = image_fetch(image, off, len, arena);

	if (len > UINT32_MAX)
		image_corrupt(image, "a part is longer than 4 GB");
	if (image->flags & IMAGE_COMPACT)
		return str_of((const char *) p, len);
	if (len < IMAGE_CRC_BYTES || codec_crc32c(p, len - IMAGE_CRC_BYTES) != load32(p + len - IMAGE_CRC_BYTES))
		image_corrupt(image, "checksum of a block");
	return str_of((const char *) p, len - IMAGE_CRC_BYTES);
}

/* ---- reading the footer ---- */

typedef struct Cursor
{
	Image *image;
	const uint8_t *p, *end;
} Cursor;

static uint64_t
get(Cursor *c)
{
	uint64_t v;

	if (!read_varint(&c->p, c->end, &v))
		image_corrupt(c->image, "footer ends early");
	return v;
}

static uint32_t
get_max(Cursor *c, uint64_t max, const char *what)
{
	uint64_t v = get(c);

	if (v > max || v > UINT32_MAX)
		image_corrupt(c->image, what);
	return (uint32_t) v;
}

static uint8_t
get_u8(Cursor *c)
{
	if (c->p >= c->end)
		image_corrupt(c->image, "footer ends early");
	return *c->p++;
}

static Str
get_bytes(Cursor *c, uint64_t len)
{
	Str s;

	if (len > (uint64_t) (c->end - c->p))
		image_corrupt(c->image, "footer ends early");
	s = str_of((const char *) c->p, len);
	c->p += len;
	return s;
}

/* A count of things of which each takes at least one byte of the footer. */
static uint32_t
get_count(Cursor *c, const char *what)
{
	return get_max(c, (uint64_t) (c->end - c->p), what);
}

/* ---- leaf table ---- */

static Leaf *
new_leaf(Image *im, Level level, LeafWhat what, uint32_t index, ColKind kind, uint16_t width)
{
	Leaf *leaf;

	if (im->nleaves == im->max_leaves)
	{
		uint32_t more = im->max_leaves * 2 + 64;

		im->leaves = arena_grow(im->arena, im->leaves, im->nleaves * sizeof(Leaf), more * sizeof(Leaf));
		im->max_leaves = more;
	}
	leaf = &im->leaves[im->nleaves++];
	memset(leaf, 0, sizeof(*leaf));
	leaf->level = level;
	leaf->what = what;
	leaf->index = index;
	leaf->kind = kind;
	leaf->width = width;
	return leaf;
}

static bool
relative_allowed(const Image *im, const Leaf *leaf)
{
	bool sorted = im->flags & IMAGE_SORTED;

	if (leaf->what != LEAF_COLUMN || leaf->flags & LEAF_NULLS || !(im->flags & IMAGE_SPANS))
		return false;
	if (leaf->level == LEVEL_SPAN && leaf->index == SC_START)
		return sorted && leaf->relative >= REL_PREVIOUS && leaf->relative <= REL_PARENT;
	if (leaf->level == LEVEL_SPAN && leaf->index == SC_PARENT_ID)
		return sorted && leaf->relative == REL_ROWS;
	return leaf->level == LEVEL_EVENT && leaf->index == EC_TIME &&
		   (leaf->relative == REL_PREVIOUS || leaf->relative == REL_END);
}

static bool
mode_allowed(const Image *im, const Leaf *leaf)
{
	switch ((LeafMode) leaf->mode)
	{
		case LEAF_ZERO: return leaf->what != LEAF_SHAPES;
		case LEAF_CONST: return leaf->kind != COL_VOID && leaf->what != LEAF_SHAPES;
		case LEAF_BLOCKS: return leaf->kind != COL_VOID && leaf->what != LEAF_SHAPES;
		case LEAF_WORDS: return leaf->kind == COL_BYTES && leaf->what != LEAF_SHAPES;
		case LEAF_DICT:
		case LEAF_COND:
			return (leaf->kind == COL_I64 || leaf->kind == COL_BYTES) && leaf->what != LEAF_OVERFLOW;
		case LEAF_SHARED: return leaf->what == LEAF_ATTR && leaf->kind != COL_VOID && leaf->flags == 0;
		case LEAF_FROM_TRACES:
			return leaf->what == LEAF_COLUMN && leaf->level == LEVEL_SPAN && leaf->index == SC_TRACE_ID &&
				   (im->flags & IMAGE_SORTED) && leaf->flags == 0;
		default: return false;
	}
}

static bool
base_allowed(const Image *im, const Leaf *leaf)
{
	const Leaf *base;
	int depth = 0;

	if (leaf->base >= im->nleaves - 1)
		return false;
	base = &im->leaves[leaf->base];
	if (base->level != leaf->level || base->kind != COL_BYTES || !leaf_has_dict(base) ||
		(base->flags & LEAF_NULLS) || (base->what != LEAF_COLUMN && base->what != LEAF_SHAPES) ||
		(leaf->what != LEAF_COLUMN && leaf->what != LEAF_ATTR && leaf->what != LEAF_SHAPES &&
		 leaf->what != LEAF_ORDERS && leaf->what != LEAF_EVENT_COUNTS && leaf->what != LEAF_LINK_COUNTS))
		return false;
	while (base->mode == LEAF_COND && depth++ < MAX_BASE_DEPTH)
		base = &im->leaves[base->base];
	return depth < MAX_BASE_DEPTH;
}

static void
get_constant(Cursor *c, Leaf *leaf)
{
	if (leaf->kind == COL_I64)
		leaf->number = unzigzag(get(c));
	else
		leaf->constant = get_bytes(c, leaf->kind == COL_FIXED ? leaf->width : get(c));
}

/* The entry of the leaf made last; offsets are counted up as areas follow one another. */
static void
get_entry(Cursor *c, Leaf *leaf, uint64_t *offset)
{
	Image *im = c->image;
	uint8_t head = get_u8(c);

	leaf->mode = head & LEAF_MODE_MASK;
	leaf->flags = head & ~LEAF_MODE_MASK;
	if (leaf->flags & LEAF_RELATIVE)
	{
		leaf->relative = get_u8(c);
		if (!relative_allowed(im, leaf))
			image_corrupt(im, "a column is relative to something it cannot be");
	}
	if (!mode_allowed(im, leaf))
		image_corrupt(im, "a column is stored in a way it cannot be");
	if (leaf->mode == LEAF_CONST)
		get_constant(c, leaf);
	if (leaf->mode == LEAF_COND)
	{
		leaf->base = get_max(c, UINT32_MAX, "number of a column");
		if (!base_allowed(im, leaf))
			image_corrupt(im, "a column leans on one it cannot lean on");
	}
	if (leaf_has_dict(leaf) || leaf->mode == LEAF_WORDS)
	{
		leaf->ndict = get_max(c, im->level[leaf->level].total, "length of a dictionary");
		leaf->dict_len = get(c);
	}
	if (leaf->mode == LEAF_COND)
		leaf->table_len = get(c);
	if (leaf_has_blocks(leaf))
	{
		leaf->blocks_len = get(c);
		if (im->summary.nvectors > 1 && leaf->blocks_len > 0)
			leaf->index_len = get(c);
	}
	if (leaf->flags & LEAF_FILTER)
		leaf->filter_len = get(c);
	leaf->offset = *offset;
	if (leaf->dict_len > im->footer_off || leaf->table_len > im->footer_off ||
		leaf->blocks_len > im->footer_off || leaf->index_len > im->footer_off ||
		leaf->filter_len > im->footer_off)
		image_corrupt(im, "a column is longer than the image");
	*offset += leaf_body_len(leaf) + leaf->filter_len;
	if (*offset > im->footer_off)
		image_corrupt(im, "columns are longer than the image");
}

static uint32_t
get_leaf(Cursor *c, uint64_t *offset, Level level, LeafWhat what, uint32_t index, ColKind kind,
		 uint16_t width)
{
	get_entry(c, new_leaf(c->image, level, what, index, kind, width), offset);
	return c->image->nleaves - 1;
}

static bool
any_shared(const Image *im, const LevelLeaves *l)
{
	for (uint32_t k = 0; k < l->nattrs; k++)
		if (im->leaves[l->attr[k]].mode == LEAF_SHARED)
			return true;
	return false;
}

static void
get_level_leaves(Cursor *c, Level level, const Column *kinds, uint64_t *offset)
{
	Image *im = c->image;
	LevelLeaves *l = &im->level[level];
	bool spans = im->flags & IMAGE_SPANS;
	bool attrs = spans && level != LEVEL_TRACE;

	for (uint32_t i = 0; i < l->ncolumns; i++)
	{
		uint32_t col = image_column_at(spans, level, i);

		if (attrs && i == image_root_columns(level))
		{
			l->shapes = get_leaf(c, offset, level, LEAF_SHAPES, 0, COL_BYTES, 0);
			l->orders = get_leaf(c, offset, level, LEAF_ORDERS, 0, COL_I64, 0);
		}
		l->column[col] = get_leaf(c, offset, level, LEAF_COLUMN, col, kinds[col].kind, kinds[col].width);
		if (level == LEVEL_SPAN && col == SC_PARENT_ID && (im->flags & IMAGE_SORTED))
			im->parents = get_leaf(c, offset, level, LEAF_PARENTS, 0, COL_I64, 0);
	}
	if (level == LEVEL_SPAN && spans)
	{
		im->event_counts = get_leaf(c, offset, level, LEAF_EVENT_COUNTS, 0, COL_I64, 0);
		im->link_counts = get_leaf(c, offset, level, LEAF_LINK_COUNTS, 0, COL_I64, 0);
	}
	if (level == LEVEL_TRACE)
		im->trace_rows = get_leaf(c, offset, level, LEAF_TRACE_ROWS, 0, COL_I64, 0);
	for (uint32_t k = 0; k < l->nattrs; k++)
		l->attr[k] = get_leaf(c, offset, level, LEAF_ATTR, k, l->attrs[k].values.kind, 0);
	if (any_shared(im, l))
		l->overflow = get_leaf(c, offset, level, LEAF_OVERFLOW, 0, COL_BYTES, 0);
}

/* ---- columns and attributes ---- */

/* Kinds of the columns of LEVEL_SPAN: those of the profile, and the others as the footer says. */
static Column *
get_column_kinds(Cursor *c)
{
	Image *im = c->image;
	uint32_t known = im->flags & IMAGE_SPANS ? SC_COUNT : 0;
	uint32_t extra = get_count(c, "number of columns");
	Column *kinds = arena_alloc0(im->arena, ((size_t) known + extra + 1) * sizeof(Column));

	for (uint32_t col = 0; col < known + extra; col++)
	{
		kinds[col].kind = col < known ? image_column_kind(LEVEL_SPAN, col) : get_u8(c);
		if (kinds[col].kind > COL_BYTES)
			image_corrupt(im, "kind of a column");
		if (kinds[col].kind == COL_FIXED)
			kinds[col].width = col < known ? 16 : (uint16_t) get_max(c, UINT16_MAX, "width of a column");
		if (kinds[col].kind == COL_FIXED && kinds[col].width == 0)
			image_corrupt(im, "width of a column");
	}
	im->level[LEVEL_SPAN].ncolumns = known + extra;
	return kinds;
}

static void
get_attr_names(Cursor *c, Level level)
{
	Image *im = c->image;
	LevelLeaves *l = &im->level[level];

	l->nattrs = get_count(c, "number of attribute columns");
	l->attrs = arena_alloc0(im->arena, ((size_t) l->nattrs + 1) * sizeof(AttrColumn));
	l->attr = arena_alloc0(im->arena, ((size_t) l->nattrs + 1) * sizeof(uint32_t));
	l->values = arena_alloc0(im->arena, ((size_t) l->nattrs + 1) * sizeof(uint32_t));
	l->naming = arena_alloc0(im->arena, ((size_t) l->nattrs + 1) * sizeof(uint8_t *));
	for (uint32_t k = 0; k < l->nattrs; k++)
	{
		uint64_t what;

		l->attrs[k].key = get_bytes(c, get(c));
		what = get_max(c, (uint64_t) UINT16_MAX * VALUE_NTYPES + 7, "type of an attribute");
		l->attrs[k].type = what % VALUE_NTYPES;
		l->attrs[k].occurrence = (uint16_t) (what / VALUE_NTYPES);
		l->attrs[k].values.kind = image_attr_kind(l->attrs[k].type);
		l->values[k] = get_max(c, l->total, "values of an attribute");
	}
}

static const Column *
level_kinds(Image *im, Level level)
{
	uint32_t n = im->level[level].ncolumns = image_level_columns(level);
	Column *kinds = arena_alloc0(im->arena, n * sizeof(Column));

	for (uint32_t col = 0; col < n; col++)
	{
		kinds[col].kind = image_column_kind(level, col);
		kinds[col].width = kinds[col].kind == COL_FIXED ? 16 : 0;
	}
	return kinds;
}

static void
prepare_level(Image *im, Level level)
{
	LevelLeaves *l = &im->level[level];

	l->column = arena_alloc(im->arena, ((size_t) l->ncolumns + 1) * sizeof(uint32_t));
	memset(l->column, 0xFF, l->ncolumns * sizeof(uint32_t));
	l->shapes = l->orders = l->overflow = NO_LEAF;
	l->rows = arena_alloc0(im->arena, (size_t) im->summary.nvectors * sizeof(uint32_t));
}

/* ---- vectors ---- */

/* nvectors numbers; the caller checks what they say. */
static int64_t *
get_numbers(Cursor *c)
{
	Str part = get_bytes(c, get(c));
	uint32_t n = c->image->summary.nvectors;
	int64_t *v = arena_alloc(c->image->arena, (size_t) n * sizeof(int64_t));

	if (!codec_decode_i64((const uint8_t *) part.p, part.len, v, n))
		image_corrupt(c->image, "table of vectors");
	return v;
}

static void
get_level_rows(Cursor *c, Level level)
{
	LevelLeaves *l = &c->image->level[level];
	int64_t *rows = get_numbers(c);
	uint64_t sum = 0;

	for (uint32_t v = 0; v < c->image->summary.nvectors; v++)
	{
		if (rows[v] < 0 || rows[v] > IMAGE_MAX_ROWS)
			image_corrupt(c->image, "rows of a vector");
		l->rows[v] = (uint32_t) rows[v];
		sum += l->rows[v];
	}
	if (sum != l->total)
		image_corrupt(c->image, "rows of the vectors do not sum up");
}

static void
get_vector_spans(Cursor *c)
{
	Image *im = c->image;
	uint32_t n = im->summary.nvectors;
	int64_t *start_min = get_numbers(c), *start_max = get_numbers(c), *end_max = get_numbers(c);
	Str part = get_bytes(c, get(c));
	uint8_t *ids = arena_alloc(im->arena, (size_t) n * 32);

	if (!codec_decode_fixed((const uint8_t *) part.p, part.len, ids, n * 2, 16))
		image_corrupt(im, "table of vectors");
	for (uint32_t v = 0; v < n; v++)
	{
		ImageVector *info = &im->vectors[v];

		info->start_min = start_min[v];
		info->start_max = (int64_t) ((uint64_t) start_min[v] + (uint64_t) start_max[v]);
		info->end_max = (int64_t) ((uint64_t) info->start_max + (uint64_t) end_max[v]);
		memcpy(info->trace_min, ids + (size_t) v * 32, 16);
		memcpy(info->trace_max, ids + (size_t) v * 32 + 16, 16);
	}
}

static void
summarize(Image *im)
{
	ImageSummary *s = &im->summary;

	for (uint32_t v = 0; v < s->nvectors && s->nrows > 0; v++)
	{
		const ImageVector *info = &im->vectors[v];

		if (v == 0 || (uint64_t) info->start_min < s->start_min)
			s->start_min = (uint64_t) info->start_min;
		if ((uint64_t) info->start_max > s->start_max)
			s->start_max = (uint64_t) info->start_max;
		if ((uint64_t) info->end_max > s->end_max)
			s->end_max = (uint64_t) info->end_max;
		if (v == 0 || memcmp(info->trace_min, s->trace_min, 16) < 0)
			memcpy(s->trace_min, info->trace_min, 16);
		if (v == 0 || memcmp(info->trace_max, s->trace_max, 16) > 0)
			memcpy(s->trace_max, info->trace_max, 16);
	}
}

static void
get_vectors(Cursor *c)
{
	Image *im = c->image;
	uint32_t first = 0;

	im->vectors = arena_alloc0(im->arena, (size_t) im->summary.nvectors * sizeof(ImageVector));
	get_level_rows(c, LEVEL_SPAN);
	if (im->flags & IMAGE_SPANS)
	{
		get_level_rows(c, LEVEL_EVENT);
		get_level_rows(c, LEVEL_LINK);
		if (im->flags & IMAGE_SORTED)
			get_level_rows(c, LEVEL_TRACE);
		get_vector_spans(c);
		summarize(im);
	}
	for (uint32_t v = 0; v < im->summary.nvectors; v++)
	{
		im->vectors[v].first_row = first;
		im->vectors[v].nrows = im->level[LEVEL_SPAN].rows[v];
		im->vectors[v].ntraces = im->level[LEVEL_TRACE].rows[v];
		first += im->vectors[v].nrows;
	}
}

/* ---- the whole ---- */

static void
get_trace_index(Cursor *c)
{
	TraceIndex *index = &c->image->index;

	index->nbuckets = get_max(c, c->image->summary.ntraces, "index of traces");
	if (index->nbuckets == 0)
		return;
	index->len = get(c);
	index->lengths_len = get(c);
	if (index->len > c->image->footer_off || index->lengths_len > index->len)
		image_corrupt(c->image, "index of traces");
}

static void
get_span_counts(Cursor *c)
{
	Image *im = c->image;

	for (Level level = LEVEL_EVENT; level < NLEVELS; level++)
		im->level[level].total = get_max(c, UINT32_MAX, "rows of a level");
	if (im->level[LEVEL_TRACE].total > im->summary.nrows ||
		(im->level[LEVEL_TRACE].total > 0 && !(im->flags & IMAGE_SORTED)))
		image_corrupt(im, "number of traces");
	im->summary.ntraces = get_max(c, im->summary.nrows, "number of traces");
	im->nblocks = get_max(c, im->footer_off / 32, "length of the bloom filter");
	if (im->version > 1)
		get_trace_index(c);
}

static void
read_footer(Cursor *c)
{
	Image *im = c->image;
	bool spans = im->flags & IMAGE_SPANS;
	uint64_t offset = IMAGE_HEADER_BYTES, bloom = 0;
	const Column *kinds;

	im->summary.nrows = im->level[LEVEL_SPAN].total = get_max(c, UINT32_MAX, "number of rows");
	im->summary.nvectors = get_max(c, (uint64_t) im->summary.nrows + 1, "number of vectors");
	if (im->summary.nvectors == 0 || im->summary.nvectors > IMAGE_MAX_VECTORS + (uint64_t) (c->end - c->p))
		image_corrupt(im, "number of vectors");
	kinds = get_column_kinds(c);
	if (spans)
		get_span_counts(c);
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
	{
		if (level != LEVEL_SPAN)
			im->level[level].ncolumns = image_level_columns(level);
		prepare_level(im, level);
		if (spans && level <= LEVEL_LINK && (level == LEVEL_SPAN || im->level[level].total > 0))
			get_attr_names(c, level);
	}
	im->event_counts = im->link_counts = im->trace_rows = im->parents = NO_LEAF;
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
		if (level == LEVEL_SPAN || im->level[level].total > 0)
			get_level_leaves(c, level, level == LEVEL_SPAN ? kinds : level_kinds(im, level), &offset);
	if (im->nblocks)
		bloom = (uint64_t) im->nblocks * 32 + (im->flags & IMAGE_COMPACT ? 0 : IMAGE_CRC_BYTES);
	im->bloom_off = offset;
	im->index_off = offset + bloom;
	if (offset + bloom + im->index.len != im->footer_off)
		image_corrupt(im, "columns do not fill the image");
	get_vectors(c);
	if (c->p != c->end)
		image_corrupt(im, "bytes behind the footer");
}

static uint64_t
read_header(Image *im, uint32_t *footer_crc)
{
	uint8_t h[IMAGE_HEADER_BYTES];
	uint64_t footer_len;

	if (im->source.len < IMAGE_HEADER_BYTES)
		image_corrupt(im, "too short for an image");
	im->source.read(im->source.ctx, 0, IMAGE_HEADER_BYTES, h);
	im->counters.bytes_read += IMAGE_HEADER_BYTES;
	if (load32(h) != IMAGE_MAGIC)
		image_corrupt(im, "not an image");
	if (codec_crc32c(h, 24) != load32(h + 24))
		image_corrupt(im, "checksum of the header");
	im->version = h[4];
	if (im->version < 1 || im->version > IMAGE_FORMAT_VERSION)
		image_corrupt(im, "unknown format version");
	im->flags = h[5];
	if ((im->flags & ~IMAGE_FLAGS) || h[6] || h[7] ||
		((im->flags & IMAGE_SORTED) && !(im->flags & IMAGE_SPANS)) ||
		((im->flags & IMAGE_PLAIN) && !(im->flags & IMAGE_SORTED)))
		image_corrupt(im, "unknown flags");
	im->footer_off = load64(h + 8);
	footer_len = load32(h + 16);
	*footer_crc = load32(h + 20);
	if (im->footer_off < IMAGE_HEADER_BYTES || im->footer_off > im->source.len ||
		footer_len > im->source.len - im->footer_off)
		image_corrupt(im, "footer lies outside the image");
	return footer_len;
}

Image *
image_open(const ImageSource *source, Arena *arena)
{
	Image *im = arena_alloc0(arena, sizeof(Image));
	Cursor c = {.image = im};
	uint64_t footer_len, from;
	uint32_t crc;
	const uint8_t *p;

	im->source = *source;
	im->arena = arena;
	footer_len = read_header(im, &crc);
	from = im->flags & IMAGE_COMPACT ? IMAGE_HEADER_BYTES : im->footer_off;
	p = image_fetch(im, from, im->footer_off + footer_len - from, arena);
	if (codec_crc32c(p, im->footer_off + footer_len - from) != crc)
		image_corrupt(im, "checksum of the footer");
	if (im->flags & IMAGE_COMPACT)
		im->whole = p - IMAGE_HEADER_BYTES;
	im->source.len = im->footer_off + footer_len;
	c.p = p + (im->footer_off - from);
	c.end = c.p + footer_len;
	read_footer(&c);
	return im;
}

/* ---- what is known without decoding ---- */

const ImageSummary *
image_summary(const Image *image)
{
	return &image->summary;
}

const ImageVector *
image_vector_info(const Image *image, uint32_t v)
{
	return &image->vectors[v];
}

ImageCounters
image_counters(const Image *image)
{
	return image->counters;
}
