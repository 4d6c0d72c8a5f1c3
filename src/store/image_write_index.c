/*
 * image_write_index.c
 *	  What leads from a trace id to its vector: the bloom filter over the ids, and the index of traces, an
 *	  array of buckets by hash. A bucket says of each of its traces 16 more bits of the hash and the vector.
 */
#include "store/image_write.h"

#include <stdlib.h>

typedef struct Entry
{
	uint32_t fingerprint;
	uint32_t vector;
} Entry;

/* Two traces or fewer need no filter: the range of ids says as much. */
uint32_t
image_write_bloom(Writer *w, const uint64_t *hashes, uint32_t n)
{
	uint32_t nblocks = bloom_blocks(n, IMAGE_BLOOM_BITS);
	size_t start = w->out->len;
	uint8_t *bloom;

	if (n <= 2)
		return 0;
	bloom = buf_reserve(w->out, (size_t) nblocks * 32);
	memset(bloom, 0, (size_t) nblocks * 32);
	for (uint32_t i = 0; i < n; i++)
		bloom_add(bloom, nblocks, hashes[i]);
	w->out->len += (size_t) nblocks * 32;
	image_seal(w, start);
	return nblocks;
}

/* ---- index of traces ---- */

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a, *y = b;

	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	return (x->vector > y->vector) - (x->vector < y->vector);
}

/* The traces by bucket; first has nbuckets + 1 places. */
static Entry *
deal_entries(Writer *w, const uint64_t *hashes, uint32_t n, uint32_t nbuckets, uint32_t *first)
{
	const uint32_t *first_trace = w->first[LEVEL_TRACE];
	Entry *entries = arena_alloc(w->tmp, ((size_t) n + 1) * sizeof(Entry));
	uint32_t *next = arena_alloc0(w->tmp, ((size_t) nbuckets + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
		next[image_bucket(hashes[i], nbuckets) + 1]++;
	for (uint32_t b = 0; b < nbuckets; b++)
		next[b + 1] += next[b];
	memcpy(first, next, ((size_t) nbuckets + 1) * sizeof(uint32_t));
	for (uint32_t v = 0; v < w->nvectors; v++)
		for (uint32_t t = first_trace[v]; t < first_trace[v + 1]; t++)
			entries[next[image_bucket(hashes[t], nbuckets)]++] = (Entry){image_fingerprint(hashes[t]), v};
	for (uint32_t b = 0; b < nbuckets; b++)
		qsort(entries + first[b], first[b + 1] - first[b], sizeof(Entry), compare_entries);
	return entries;
}

static void
write_bucket(Writer *w, const Entry *entries, uint32_t n, uint32_t *numbers)
{
	size_t start = w->out->len, block;

	if (n == 0)
		return;
	buf_put_varint(w->out, n);
	for (uint32_t i = 0; i < n; i++)
		numbers[i] = entries[i].fingerprint;
	block = w->out->len;
	codec_encode_u32(numbers, n, w->effort, w->out);
	buf_prefix_length(w->out, block);
	for (uint32_t i = 0; i < n; i++)
		numbers[i] = entries[i].vector;
	codec_encode_u32(numbers, n, w->effort, w->out);
	image_seal(w, start);
}

void
image_write_trace_index(Writer *w, const uint64_t *hashes, uint32_t n, TraceIndex *index)
{
	uint32_t nbuckets = (n + IMAGE_BUCKET_TRACES - 1) / IMAGE_BUCKET_TRACES;
	uint32_t *first = arena_alloc(w->tmp, ((size_t) nbuckets + 1) * sizeof(uint32_t));
	uint32_t *numbers = arena_alloc(w->tmp, ((size_t) n + 1) * sizeof(uint32_t));
	size_t start = w->out->len, lengths;
	Entry *entries;

	memset(index, 0, sizeof(*index));
	if (w->nvectors < 2 || n == 0)
		return;
	entries = deal_entries(w, hashes, n, nbuckets, first);
	for (uint32_t b = 0; b < nbuckets; b++)
	{
		size_t from = w->out->len;

		write_bucket(w, entries + first[b], first[b + 1] - first[b], numbers);
		first[b] = (uint32_t) (w->out->len - from);
	}
	lengths = w->out->len;
	codec_encode_u32(first, nbuckets, w->effort, w->out);
	index->lengths_len = image_seal(w, lengths);
	index->nbuckets = nbuckets;
	index->len = w->out->len - start;
	arena_reset(w->tmp);
}
