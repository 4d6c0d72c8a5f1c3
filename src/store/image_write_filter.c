/*
 * image_write_filter.c
 *	  Filters on the strings of a leaf: a small bloom filter for each vector, so that looking for one of many
 *	  values reads the vectors that have it. image_filter.c is the reader's side.
 */
#include "store/image_write.h"

/* Fewer distinct values than this, and those that most vectors have anyway, need no filter. */
#define MIN_VALUES 256
#define MIN_SPREAD 4
/* Nobody looks for long texts by equality. */
#define MAX_LENGTH  128
#define FILTER_BITS 8

typedef struct Counts
{
	uint32_t *blocks; /* by vector */
	uint32_t *seen;   /* by entry of the dictionary: the last vector it was met in, plus one */
	uint64_t distinct;
	uint64_t in_vectors; /* distinct values of each vector, added up */
	uint64_t bytes;      /* of distinct values */
} Counts;

static void
count_values(Writer *w, const Series *s, Counts *c)
{
	c->blocks = arena_alloc(w->tmp, ((size_t) w->nvectors + 1) * sizeof(uint32_t));
	c->seen = arena_alloc0(w->tmp, ((size_t) s->ndict + 1) * sizeof(uint32_t));
	for (uint32_t v = 0; v < w->nvectors; v++)
	{
		uint32_t n = 0;

		for (uint32_t i = s->first[v]; i < s->first[v + 1]; i++)
		{
			uint32_t code = s->codes[i];

			if (c->seen[code] == v + 1)
				continue;
			c->distinct += c->seen[code] == 0;
			c->bytes += c->seen[code] == 0 ? s->dict[code].len : 0;
			c->seen[code] = v + 1;
			n++;
		}
		c->blocks[v] = n ? bloom_blocks(n, FILTER_BITS) : 0;
		c->in_vectors += n;
	}
}

static bool
worth_it(const Writer *w, const Counts *c)
{
	return c->distinct >= MIN_VALUES && c->distinct * w->nvectors >= MIN_SPREAD * c->in_vectors &&
		   c->bytes <= MAX_LENGTH * c->distinct;
}

static void
put_filter(Writer *w, const Series *s, uint32_t v, uint32_t nblocks)
{
	uint8_t *bloom = buf_reserve(w->out, (size_t) nblocks * 32);

	memset(bloom, 0, (size_t) nblocks * 32);
	for (uint32_t i = s->first[v]; i < s->first[v + 1]; i++)
	{
		Str value = s->dict[s->codes[i]];

		if (i == s->first[v] || s->codes[i] != s->codes[i - 1])
			bloom_add(bloom, nblocks, codec_hash64(value.p, value.len));
	}
	w->out->len += (size_t) nblocks * 32;
}

void
image_write_filter(Writer *w, Leaf *leaf, const Series *s)
{
	size_t start = w->out->len;
	Counts c = {0};

	if (w->compact || w->effort != CODEC_SMALL || w->nvectors < 2 || s->kind != COL_BYTES ||
		s->dict == NULL || leaf->level != LEVEL_SPAN || !leaf_has_blocks(leaf) ||
		(leaf->what != LEAF_ATTR && leaf->what != LEAF_COLUMN))
		return;
	count_values(w, s, &c);
	if (!worth_it(w, &c))
		return;
	leaf->flags |= LEAF_FILTER;
	codec_encode_u32(c.blocks, w->nvectors, CODEC_SMALL, w->out);
	buf_prefix_length(w->out, start);
	for (uint32_t v = 0; v < w->nvectors; v++)
		if (c.blocks[v])
			put_filter(w, s, v, c.blocks[v]);
	leaf->filter_len = image_seal(w, start);
}
