/*
 * image_find.c
 *	  From a trace id to the vector its spans are in: the reader's side of image_write_index.c.
 */
#include "store/image_read.h"

bool
image_maybe_trace(Image *image, const uint8_t trace_id[16])
{
	uint64_t hash;
	Arena *arena;
	const uint8_t *block;
	bool maybe;

	if (image->summary.nrows == 0 || memcmp(trace_id, image->summary.trace_min, 16) < 0 ||
		memcmp(trace_id, image->summary.trace_max, 16) > 0)
		return false;
	if (image->nblocks == 0)
		return image->summary.ntraces > 2 || memcmp(trace_id, image->summary.trace_min, 16) == 0 ||
			   memcmp(trace_id, image->summary.trace_max, 16) == 0;
	hash = codec_hash64(trace_id, 16);
	arena = arena_create_like(image->arena, 256);
	block = image_fetch(image, image->bloom_off + bloom_offset(image->nblocks, hash), 32, arena);
	maybe = bloom_maybe(block, 1, hash);
	arena_destroy(arena);
	return maybe;
}

/* ---- index of traces ---- */

/* Where each bucket starts. */
static void
need_buckets(Image *image)
{
	const TraceIndex *index = &image->index;
	uint64_t left = index->len - index->lengths_len, sum = 0;
	uint32_t *lengths;
	Str part;

	if (image->bucket != NULL)
		return;
	part = image_fetch_part(image, image->index_off + left, index->lengths_len, image->arena);
	lengths = arena_alloc(image->arena, ((size_t) index->nbuckets + 1) * sizeof(uint32_t));
	if (!codec_decode_u32((const uint8_t *) part.p, part.len, lengths, index->nbuckets))
		image_corrupt(image, "index of traces");
	for (uint32_t b = 0; b < index->nbuckets; b++)
	{
		uint32_t length = lengths[b];

		if (length > left - sum)
			image_corrupt(image, "index of traces");
		lengths[b] = (uint32_t) sum;
		sum += length;
	}
	if (sum != left || left > UINT32_MAX)
		image_corrupt(image, "index of traces");
	lengths[index->nbuckets] = (uint32_t) left;
	image->bucket = lengths;
}

typedef struct Bucket
{
	uint32_t n;
	uint32_t *fingerprint; /* ascending */
	uint32_t *vector;
} Bucket;

static void
read_bucket(Image *image, uint32_t b, Arena *arena, Bucket *out)
{
	uint32_t off = image->bucket[b], len = image->bucket[b + 1] - off;
	const uint8_t *p, *end, *block;
	uint64_t n;
	size_t size;
	Str part;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return;
	part = image_fetch_part(image, image->index_off + off, len, arena);
	p = (const uint8_t *) part.p;
	end = p + part.len;
	if (!read_varint(&p, end, &n) || n > image->summary.ntraces)
		image_corrupt(image, "bucket of the index of traces");
	out->n = (uint32_t) n;
	out->fingerprint = arena_alloc(arena, (n + 1) * sizeof(uint32_t));
	out->vector = arena_alloc(arena, (n + 1) * sizeof(uint32_t));
	if (!read_part(&p, end, &block, &size) || !codec_decode_u32(block, size, out->fingerprint, out->n) ||
		!codec_decode_u32(p, (size_t) (end - p), out->vector, out->n))
		image_corrupt(image, "bucket of the index of traces");
	for (uint32_t i = 0; i < out->n; i++)
		if (out->vector[i] >= image->summary.nvectors)
			image_corrupt(image, "vector in the index of traces");
}

static int64_t
find_in_index(Image *image, const uint8_t *trace_id, uint32_t v)
{
	uint64_t hash = codec_hash64(trace_id, 16);
	uint32_t wanted = image_fingerprint(hash);
	Arena *arena = arena_create_like(image->arena, 4096);
	int64_t found = -1;
	Bucket bucket;

	need_buckets(image);
	read_bucket(image, image_bucket(hash, image->index.nbuckets), arena, &bucket);
	for (uint32_t i = 0; i < bucket.n; i++)
		if (bucket.fingerprint[i] == wanted && bucket.vector[i] >= v &&
			(found < 0 || bucket.vector[i] < found))
			found = bucket.vector[i];
	arena_destroy(arena);
	return found;
}

/* ---- without an index ---- */

static bool
in_range(const ImageVector *info, const uint8_t *trace_id)
{
	return memcmp(trace_id, info->trace_min, 16) >= 0 && memcmp(trace_id, info->trace_max, 16) <= 0;
}

int64_t
image_find_trace(Image *image, const uint8_t trace_id[16], uint32_t v)
{
	if (image->index.nbuckets > 0)
		return find_in_index(image, trace_id, v);
	for (; v < image->summary.nvectors && image->summary.nrows > 0; v++)
		if (in_range(&image->vectors[v], trace_id))
			return v;
	return -1;
}
