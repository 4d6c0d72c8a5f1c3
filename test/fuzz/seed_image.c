/*
 * seed_image.c
 *	  Seeds for fuzz_image: small compact images of made-up spans and of the first spans of each recording.
 */
#include "seed_otlp.h"

#include "batch_random.h"
#include "store/image_impl.h"

static void
write_image(const char *dir, const char *name, Batch *b, CodecEffort effort, Arena *a)
{
	ImageSummary summary;
	char file[128];
	Buf out;

	buf_init(&out, a, 4096);
	image_encode_as(b, effort, 16, true, &out, &summary);
	snprintf(file, sizeof(file), "%s-%d-%d", name, b->sorted, effort);
	write_seed(dir, file, str_of((const char *) out.p, out.len));
}

/* As a recent batch, and sorted as a segment of several vectors. */
static void
write_images(const char *dir, const char *name, Batch *b, uint32_t max, Arena *a)
{
	uint32_t n;
	RowRef *rows = batch_sort(a, &b, 1, &n);
	Batch *s = batch_gather(a, &b, 1, rows, n < max ? n : max);

	write_image(dir, name, s, CODEC_FAST, a);
	batch_make_traces(s);
	write_image(dir, name, s, CODEC_SMALL, a);
}

static void
seed_recording(const char *dir, const char *name, Arena *a)
{
	char path[256];
	Str z, all;
	const uint8_t *pos;
	uint64_t len;
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	OtlpResult res;

	snprintf(path, sizeof(path), "data/%s.otlp.zst", name);
	z = read_whole(shared_path(path, a), a);
	if (z.p == NULL)
		return;
	all = unzstd(z, a);
	pos = (const uint8_t *) all.p;
	if (!read_varint(&pos, pos + all.len, &len) || !otlp_decode_pb(pos, len, NULL, bb, &res))
		exit(1);
	write_images(dir, name, builder_finish(bb), 60, a);
}

static Batch *
plain_table(Arena *a)
{
	static const Column kinds[] = {
		{.kind = COL_I64}, {.kind = COL_BYTES}, {.kind = COL_FIXED, .width = 16}, {.kind = COL_I64}};
	Batch *b = batch_create_plain(a, 4, kinds, 50);
	Column *c = b->level[LEVEL_SPAN].columns;

	for (uint32_t i = 0; i < 50; i++)
	{
		c[0].i64[i] = i * i;
		c[1].dict[i] = rnd_text(a, "text ", 20);
		c[2].fixed[i * 16 + 3] = (uint8_t) rnd(256);
		if (i % 3 == 0)
			column_set_null(a, &c[3], i);
	}
	return b;
}

/* Texts with uuids in common. */
static Batch *
words_table(Arena *a)
{
	static const Column kinds[] = {{.kind = COL_BYTES}};
	Batch *b = batch_create_plain(a, 1, kinds, 200);

	for (uint32_t i = 0; i < 200; i++)
	{
		char text[64];
		int len = snprintf(text, sizeof(text), "/item/00000000-0000-4000-8000-%012x/%u", rnd(9), i);

		b->level[LEVEL_SPAN].columns[0].dict[i] = str_of(arena_dup(a, text, (size_t) len), (size_t) len);
	}
	return b;
}

int
main(int argc, char **argv)
{
	Arena *a = arena_create(NULL, 0);
	BatchBuilder *bb = builder_create(a, false, 3, extras);

	if (argc != 2)
		return 1;
	for (uint64_t s = 0; s < 40; s++)
		rnd_span(bb, s, a, true);
	write_images(argv[1], "random", builder_finish(bb), 40, a);
	write_image(argv[1], "table", plain_table(a), CODEC_SMALL, a);
	write_image(argv[1], "words", words_table(a), CODEC_SMALL, a);
	seed_recording(argv[1], "hotrod", a);
	seed_recording(argv[1], "bookinfo-istio", a);
	seed_recording(argv[1], "mixed-real-small", a);
	seed_recording(argv[1], "nezha-trainticket-100k", a);
	return 0;
}
