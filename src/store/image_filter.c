/*
 * image_filter.c
 *	  Asking whether a string may be among the values of a vector: the reader's side of
 *	  image_write_filter.c.
 */
#include "store/image_read.h"

static void
need_filter(Image *image, Leaf *leaf)
{
	uint32_t n = image->summary.nvectors, *first;
	const uint8_t *p, *end, *counts;
	uint64_t sum = 0;
	size_t len;
	Str part;

	if (leaf->filter != NULL)
		return;
	part = image_fetch_part(image, leaf->offset + leaf_body_len(leaf), leaf->filter_len, image->arena);
	p = (const uint8_t *) part.p;
	end = p + part.len;
	first = arena_alloc(image->arena, ((size_t) n + 1) * sizeof(uint32_t));
	if (!read_part(&p, end, &counts, &len) || !codec_decode_u32(counts, len, first, n))
		image_corrupt(image, "filter of a column");
	for (uint32_t v = 0; v < n; v++)
	{
		uint32_t blocks = first[v];

		first[v] = (uint32_t) sum;
		sum += blocks;
		if (sum > (uint64_t) (end - p) / 32)
			image_corrupt(image, "filter of a column");
	}
	first[n] = (uint32_t) sum;
	if (sum * 32 != (uint64_t) (end - p))
		image_corrupt(image, "filter of a column");
	leaf->filter_first = first;
	leaf->filter = p;
}

bool
image_has_filter(Image *image, Level level, LoadWhat what, uint32_t which)
{
	Leaf *leaf = image_find_leaf(image, level, what, which);

	return leaf != NULL && (leaf->flags & LEAF_FILTER);
}

bool
image_maybe_string(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t v, Str value,
				   uint64_t hash)
{
	Leaf *leaf = image_find_leaf(image, level, what, which);
	uint32_t blocks;

	if (leaf == NULL || leaf->kind != COL_BYTES || v >= image->summary.nvectors)
		return true;
	if (leaf->mode == LEAF_ZERO)
		return value.len == 0;
	if (leaf->mode == LEAF_CONST)
		return value.len == 0 || str_eq(leaf->constant, value); /* nulls read as empty */
	if (!(leaf->flags & LEAF_FILTER))
		return true;
	need_filter(image, leaf);
	blocks = leaf->filter_first[v + 1] - leaf->filter_first[v];
	return blocks && bloom_maybe(leaf->filter + (size_t) leaf->filter_first[v] * 32, blocks, hash);
}
