/*
 * fuzz_image.c
 *	  Images from anywhere: opened and decoded whole, or refused by way of the corrupt callback. Inputs are
 *	  compact images, whose checksums are made right first, so that damage reaches the decoders.
 */
#include <setjmp.h>

#include "tracked_arena.h"

#include "store/image_impl.h"

/* Memory an image may ask for before the run is cut short, as a memory limit would in the server. */
#define MEMORY_LIMIT (48 << 20)

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input
{
	uint8_t *p;
	size_t len;
	jmp_buf escape;
} Input;

static void
input_read(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	Input *in = ctx;

	if (off > in->len || len > in->len - off)
		abort(); /* the reader checks before it asks */
	memcpy(dst, in->p + off, len);
}

static void
input_corrupt(void *ctx, const char *what)
{
	longjmp(((Input *) ctx)->escape, 1);
}

static void
repair(uint8_t *p, size_t len)
{
	uint32_t magic = IMAGE_MAGIC, footer_len, crc;
	uint64_t footer_off;

	memcpy(p, &magic, 4);
	if (p[4] != 1)
		p[4] = IMAGE_FORMAT_VERSION;
	p[5] |= IMAGE_COMPACT;
	footer_off = load64(p + 8);
	footer_len = load32(p + 16);
	if (footer_off >= IMAGE_HEADER_BYTES && footer_off <= len && footer_len <= len - footer_off)
	{
		crc = codec_crc32c(p + IMAGE_HEADER_BYTES, footer_off + footer_len - IMAGE_HEADER_BYTES);
		memcpy(p + 20, &crc, 4);
	}
	crc = codec_crc32c(p, 24);
	memcpy(p + 24, &crc, 4);
}

/* What scans read in ways of their own. */
static void
read_vector(Image *image, Arena *arena)
{
	Batch *b = image_vector(image, 0, arena);
	uint32_t n, *codes = arena_alloc(arena, ((size_t) batch_nrows(b) + 1) * sizeof(uint32_t));
	const AttrColumn *attrs = image_attrs(image, LEVEL_SPAN, &n);
	uint8_t *wanted = arena_alloc(arena, (size_t) b->level[LEVEL_TRACE].nrows + 1);

	for (uint32_t k = 0; attrs && b->spans && k < n && k < 64; k++)
		image_attr_codes(b, LEVEL_SPAN, k, 1, codes);
	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
		wanted[t] = t % 2;
	if (b->sorted)
		image_trace_starts(b, wanted);
}

static void
read_everything(Image *image, Arena *arena)
{
	uint8_t id[16] = {1, 2, 3};
	int64_t min, max;
	uint32_t n;

	image_maybe_trace(image, id);
	image_find_trace(image, id, 0);
	for (uint32_t i = 0; i < image_nleaves(image); i++)
	{
		LeafInfo info;

		image_leaf_info(image, i, &info);
	}
	image_zone(image, LEVEL_SPAN, LOAD_COLUMN, SC_DURATION, 0, &min, &max);
	image_dictionary(image, LEVEL_SPAN, LOAD_COLUMN, SC_NAME, &n);
	read_vector(image, arena);
	image_check(image, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Tracker tracker;
	Input in;
	Arena *arena;

	if (size < IMAGE_HEADER_BYTES)
		return 0;
	in.p = malloc(size);
	in.len = size;
	memcpy(in.p, data, size);
	repair(in.p, size);
	arena = tracked_arena(&tracker, MEMORY_LIMIT, &in.escape);
	if (setjmp(in.escape) == 0)
	{
		ImageSource source = {input_read, input_corrupt, &in, size};

		read_everything(image_open(&source, arena), arena);
	}
	tracked_free(&tracker);
	free(in.p);
	return 0;
}
