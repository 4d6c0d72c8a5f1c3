/*
 * test_image_damage.c
 *	  Images that are not what this version writes: damaged ones end in the corrupt callback or in some batch,
 *	  never out of bounds (the sanitizers watch); newer versions are refused, older ones read.
 */
#include "image_cases.h"

/* ---- damage ---- */

/* Open and decode everything; true when something was found wrong. */
static bool
survives(const uint8_t *p, size_t len)
{
	Tracker tracker;
	Memory m;
	Arena *arena = tracked_arena(&tracker, (size_t) 1 << 31, &m.escape);
	volatile bool wrong = false;

	if (setjmp(m.escape) == 0)
	{
		Image *image = open_memory(&m, p, len, arena);

		image_maybe_trace(image, (const uint8_t *) "0123456789abcdef");
		image_find_trace(image, (const uint8_t *) "0123456789abcdef", 0);
		for (uint32_t i = 0; i < image_nleaves(image); i++)
		{
			LeafInfo info;

			image_leaf_info(image, i, &info);
		}
		image_check(image, arena);
	}
	else
		wrong = true;
	tracked_free(&tracker);
	return wrong;
}

/* Make the checksums of a damaged compact image right again. */
static void
repair(uint8_t *p, size_t len)
{
	uint64_t end = load64(p + 8) + load32(p + 16);
	uint32_t crc;

	if (end >= IMAGE_HEADER_BYTES && end <= len)
	{
		crc = codec_crc32c(p + IMAGE_HEADER_BYTES, end - IMAGE_HEADER_BYTES);
		memcpy(p + 20, &crc, 4);
	}
	crc = codec_crc32c(p, 24);
	memcpy(p + 24, &crc, 4);
}

static void
damage(Batch *b, const Encoding *e, const char *name)
{
	static const uint8_t masks[] = {1, 0xff};
	Arena *arena = arena_create(NULL, 0);
	ImageSummary summary;
	uint32_t missed = 0, opened = 0;
	uint8_t *copy;
	Buf out;

	buf_init(&out, arena, 0);
	encode(b, e, &out, &summary);
	copy = malloc(out.len);
	for (size_t len = 0; len < out.len; len++)
	{
		memcpy(copy, out.p, len);
		missed += !survives(copy, len);
	}
	is_i64(missed, 0, "every shorter image is refused");
	for (size_t at = 0; at < out.len; at++)
		for (size_t k = 0; k < sizeof(masks); k++)
		{
			memcpy(copy, out.p, out.len);
			copy[at] ^= masks[k];
			missed += !survives(copy, out.len);
			if (!e->compact)
				continue;
			repair(copy, out.len);
			opened += !survives(copy, out.len);
		}
	is_i64(missed, 0, "every changed byte is noticed");
	if (e->compact)
		ok(true, "%s: with checksums made right, %u of %zu changes decode to something", name, opened,
		   out.len * sizeof(masks));
	free(copy);
	arena_destroy(arena);
}

static void
test_damage(void)
{
	Arena *arena = arena_create(NULL, 0);
	static const Encoding compact = {"", CODEC_SMALL, 40, true};
	static const Encoding fast = {"", CODEC_FAST, 40, true};
	static const Encoding sealed = {"", CODEC_SMALL, 40, false};

	damage(sorted(arena, trees(arena, 12, 10)), &compact, "trees");
	damage(sorted(arena, trees(arena, 5, 10)), &sealed, "sealed trees");
	damage(sorted(arena, random_spans(arena, 30)), &compact, "random spans");
	damage(random_spans(arena, 5), &fast, "spans as they came");
	damage(any_table(arena, 60), &compact, "any table");
	damage(uuid_table(arena, 120), &compact, "texts with uuids in common");
	damage(sorted(arena, shuffled_keys(arena, 100)), &compact, "attributes in changing order");
	arena_destroy(arena);
}

static void
test_versions(void)
{
	Arena *arena = arena_create(NULL, 0);
	ImageSummary summary;
	Memory m;
	Buf out;

	buf_init(&out, arena, 0);
	image_encode(trees(arena, 1, 1), CODEC_FAST, &out, &summary);
	out.p[4] = IMAGE_FORMAT_VERSION + 1;
	repair(out.p, out.len);
	if (setjmp(m.escape) == 0)
	{
		open_memory(&m, out.p, out.len, arena);
		ok(false, "a newer version is refused");
	}
	else
		is_str(m.what, "unknown format version", "a newer version is refused");
	arena_destroy(arena);
}

/* ---- what version 1 wrote ---- */

#define OLD_IMAGE "test/unit/data/segment_v1.image"
#define OLD_SPANS 400

static uint8_t *
read_file(const char *path, Arena *arena, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = arena_alloc(arena, 1 << 20);

	*len = f ? fread(p, 1, 1 << 20, f) : 0;
	if (f)
		fclose(f);
	return p;
}

/* Rows of a vector that are the random span their id is the seed of; seen has a place a span. */
static uint32_t
rows_right(Batch *vector, Batch *spans, uint8_t *seen, Arena *arena)
{
	const int64_t *id = batch_column(vector, LEVEL_SPAN, SC_SPAN_ID)->i64;
	uint32_t right = 0;

	for (uint32_t r = 0; r < batch_nrows(vector); r++)
	{
		bool known = id[r] >= 1 && id[r] <= OLD_SPANS && !seen[id[r] - 1];

		right += known && str_eq(dump_span(vector, r, arena), dump_span(spans, (uint32_t) id[r] - 1, arena));
		if (known)
			seen[id[r] - 1] = 1;
	}
	return right;
}

static void
test_old_version(void)
{
	Arena *arena = arena_create(NULL, 0);
	Batch *spans = random_spans(arena, OLD_SPANS);
	uint8_t *seen = arena_alloc0(arena, OLD_SPANS);
	volatile uint32_t right = 0, traces = 0, found = 0;
	size_t len;
	uint8_t *p = read_file(OLD_IMAGE, arena, &len);
	Image *image;
	Memory m;

	if (setjmp(m.escape) != 0)
	{
		ok(false, "version 1: %s", m.what);
		return;
	}
	image = open_memory(&m, p, len, arena);
	for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *vector = image_vector(image, v, arena);
		const Column *ids = batch_column(vector, LEVEL_TRACE, TC_ID);

		right += rows_right(vector, spans, seen, arena);
		traces += ids->n;
		for (uint32_t t = 0; t < ids->n; t++)
			found += image_find_trace(image, ids->fixed + 16 * (size_t) t, 0) == v;
	}
	is_i64(right, OLD_SPANS, "version 1: every span");
	is_i64(traces, image_summary(image)->ntraces, "version 1: every trace");
	is_i64(found, traces, "version 1: traces are found in their vectors");
	image_check(image, arena);
	arena_destroy(arena);
}

int
main(void)
{
	test_versions();
	test_old_version();
	test_damage();
	codec_release();
	return unit_done();
}
