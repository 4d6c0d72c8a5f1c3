/*
 * image_info.c
 *	  Questions about an image that need no block: zone maps, dictionaries, and what is stored how.
 */
#include "store/image_read.h"

#include <stdio.h>

Leaf *
image_find_leaf(Image *image, Level level, LoadWhat what, uint32_t which)
{
	LevelLeaves *l = &image->level[level];
	uint32_t number = NO_LEAF;

	if (what == LOAD_COLUMN && which < l->ncolumns)
		number = l->column[which];
	else if (what == LOAD_ATTR && which < l->nattrs)
		number = l->attr[which];
	return number == NO_LEAF ? NULL : &image->leaves[number];
}

static bool
number_range(Image *image, Leaf *leaf, int64_t *min, int64_t *max)
{
	image_need_dict(image, leaf);
	if (leaf->ndict == 0)
		return false;
	*min = *max = leaf->numbers[0];
	for (uint32_t k = 1; k < leaf->ndict; k++)
	{
		*min = leaf->numbers[k] < *min ? leaf->numbers[k] : *min;
		*max = leaf->numbers[k] > *max ? leaf->numbers[k] : *max;
	}
	return true;
}

bool
image_zone(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t v, int64_t *min, int64_t *max)
{
	Leaf *leaf = image_find_leaf(image, level, what, which);

	if (leaf == NULL || leaf->kind != COL_I64 || leaf->relative != REL_NONE || (leaf->flags & LEAF_NULLS))
		return false;
	switch ((LeafMode) leaf->mode)
	{
		case LEAF_ZERO:
		case LEAF_CONST: *min = *max = leaf->number; return true;
		case LEAF_DICT:
		case LEAF_COND: return number_range(image, leaf, min, max);
		case LEAF_BLOCKS:
			if (!(leaf->flags & LEAF_ZONES) || leaf->blocks_len == 0 || image->summary.nvectors == 1)
				return false;
			image_need_index(image, leaf);
			*min = leaf->zone_min[v];
			*max = leaf->zone_max[v];
			return true;
		default: return false;
	}
}

const Str *
image_dictionary(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n)
{
	Leaf *leaf = image_find_leaf(image, level, what, which);

	if (leaf == NULL || leaf->kind != COL_BYTES || !leaf_has_dict(leaf))
		return NULL;
	image_need_dict(image, leaf);
	*n = leaf->ndict;
	return leaf->dict;
}

/* Is it told by the leaf table, and no dictionary either? Sets *n then. */
static bool
told_by_table(const Leaf *leaf, uint32_t *n)
{
	*n = leaf != NULL;
	return leaf == NULL || leaf->mode == LEAF_ZERO || leaf->mode == LEAF_CONST;
}

const Str *
image_strings(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n)
{
	static const Str empty = {"", 0};
	Leaf *leaf = image_find_leaf(image, level, what, which);

	if (leaf != NULL && leaf->kind != COL_BYTES)
		return NULL;
	if (told_by_table(leaf, n))
		return leaf != NULL && leaf->mode == LEAF_CONST ? &leaf->constant : &empty;
	return image_dictionary(image, level, what, which, n);
}

const int64_t *
image_numbers(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n)
{
	static const int64_t zero = 0;
	Leaf *leaf = image_find_leaf(image, level, what, which);

	if (leaf != NULL && (leaf->kind != COL_I64 || leaf->relative != REL_NONE))
		return NULL;
	if (told_by_table(leaf, n))
		return leaf != NULL ? &leaf->number : &zero;
	if (!leaf_has_dict(leaf))
		return NULL;
	image_need_dict(image, leaf);
	*n = leaf->ndict;
	return leaf->numbers;
}

const AttrColumn *
image_attrs(const Image *image, Level level, uint32_t *n)
{
	*n = image->level[level].nattrs;
	return *n ? image->level[level].attrs : NULL;
}

uint32_t
image_attr_values(const Image *image, Level level, uint32_t which)
{
	return image->level[level].values[which];
}

uint32_t
image_attr_distinct(const Image *image, Level level, uint32_t which)
{
	const LevelLeaves *l = &image->level[level];
	const Leaf *leaf = &image->leaves[l->attr[which]];
	uint32_t n;

	if (leaf_has_dict(leaf))
		return leaf->ndict;
	return told_by_table(leaf, &n) ? n : l->values[which];
}

uint64_t
image_attr_bytes(const Image *image, Level level, uint32_t which)
{
	const Leaf *leaf = &image->leaves[image->level[level].attr[which]];

	return leaf->dict_len + leaf->table_len + leaf->blocks_len;
}

/* ---- what is stored how ---- */

static const char *const span_names[SC_COUNT] = {"tenant",
												 "trace id",
												 "span id",
												 "parent span id",
												 "start",
												 "duration",
												 "name",
												 "kind",
												 "status",
												 "status message",
												 "service",
												 "resource",
												 "resource dropped attributes",
												 "resource schema url",
												 "scope",
												 "scope name",
												 "scope version",
												 "scope dropped attributes",
												 "scope schema url",
												 "trace state",
												 "flags",
												 "dropped attributes",
												 "dropped events",
												 "dropped links"};
static const char *const event_names[EC_COUNT] = {"event time", "event name", "event dropped attributes"};
static const char *const link_names[LC_COUNT] = {"link trace id", "link span id", "link trace state",
												 "link flags", "link dropped attributes"};
static const char *const trace_names[TC_COUNT] = {"trace id", "trace start", "trace duration", "trace root",
												  "trace split"};
static const char *const type_names[VALUE_NTYPES] = {"empty",  "string", "bool",   "int",
													 "double", "array",  "kvlist", "bytes"};

static void
column_name(const Image *image, const Leaf *leaf, char *dst, size_t size)
{
	static const char *const *const names[NLEVELS] = {span_names, event_names, link_names, trace_names};

	if (!(image->flags & IMAGE_SPANS) || (leaf->level == LEVEL_SPAN && leaf->index >= SC_COUNT))
		snprintf(dst, size, "column %u",
				 leaf->index + 1 - (image->flags & IMAGE_SPANS ? (uint32_t) SC_COUNT : 0));
	else
		snprintf(dst, size, "%s", names[leaf->level][leaf->index]);
}

static void
leaf_name(const Image *image, const Leaf *leaf, char *dst, size_t size)
{
	const AttrColumn *a;

	switch (leaf->what)
	{
		case LEAF_COLUMN: column_name(image, leaf, dst, size); break;
		case LEAF_ATTR:
			a = &image->level[leaf->level].attrs[leaf->index];
			snprintf(dst, size, "%.*s (%s)", a->key.len < 80 ? (int) a->key.len : 80, a->key.p,
					 type_names[a->type]);
			break;
		case LEAF_SHAPES: snprintf(dst, size, "attribute shapes"); break;
		case LEAF_ORDERS: snprintf(dst, size, "attribute orders"); break;
		case LEAF_EVENT_COUNTS: snprintf(dst, size, "number of events"); break;
		case LEAF_LINK_COUNTS: snprintf(dst, size, "number of links"); break;
		case LEAF_TRACE_ROWS: snprintf(dst, size, "spans of a trace"); break;
		case LEAF_PARENTS: snprintf(dst, size, "parents outside the trace"); break;
		case LEAF_OVERFLOW: snprintf(dst, size, "rare attributes"); break;
	}
}

/* Encoding of the first block that is there. */
static const char *
block_encoding(Image *image, Leaf *leaf)
{
	Str block = {"", 0};

	for (uint32_t v = 0; v < image->summary.nvectors && block.len == 0; v++)
		block = image_block(image, leaf, v, image->arena);
	return codec_name((const uint8_t *) block.p, block.len);
}

static void
leaf_encoding(Image *image, Leaf *leaf, char *dst, size_t size)
{
	char base[96];

	switch ((LeafMode) leaf->mode)
	{
		case LEAF_ZERO: snprintf(dst, size, "zero"); break;
		case LEAF_CONST: snprintf(dst, size, "constant"); break;
		case LEAF_BLOCKS: snprintf(dst, size, "%s", block_encoding(image, leaf)); break;
		case LEAF_WORDS: snprintf(dst, size, "%u words, %s", leaf->ndict, block_encoding(image, leaf)); break;
		case LEAF_DICT:
			snprintf(dst, size, "dictionary of %u, %s", leaf->ndict, block_encoding(image, leaf));
			break;
		case LEAF_COND:
			leaf_name(image, &image->leaves[leaf->base], base, sizeof(base));
			if (leaf->blocks_len == 0)
				snprintf(dst, size, "map of %.36s", base);
			else
				snprintf(dst, size, "given %.20s, %s", base, block_encoding(image, leaf));
			break;
		case LEAF_SHARED: snprintf(dst, size, "with the rare attributes"); break;
		case LEAF_FROM_TRACES: snprintf(dst, size, "of its trace"); break;
		default: snprintf(dst, size, "unknown"); break;
	}
}

uint32_t
image_nleaves(const Image *image)
{
	return image->nleaves;
}

void
image_leaf_info(Image *image, uint32_t number, LeafInfo *info)
{
	Leaf *leaf = &image->leaves[number];

	memset(info, 0, sizeof(*info));
	info->level = leaf->level;
	leaf_name(image, leaf, info->name, sizeof(info->name));
	leaf_encoding(image, leaf, info->encoding, sizeof(info->encoding));
	info->values = leaf->what == LEAF_ATTR ? image->level[leaf->level].values[leaf->index]
										   : image->level[leaf->level].total;
	info->bytes = leaf_body_len(leaf) + leaf->filter_len;
}
