/*
 * bench_image.c
 *	  Size and CPU of images: bytes a span by leaf, nanoseconds a span to encode (as a recent batch and as a
 *	  segment), to sort, and to decode; what scans of single columns take.
 *
 * usage: bench_image FILE [leaves | columns]. FILE holds OTLP requests behind 4-byte big-endian lengths, or
 *behind varint lengths under zstd (*.zst). Without FILE: TEMPO_WORKLOAD, or nothing to do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <zstd.h>

#include "ingest/otlp.h"
#include "store/image.h"

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* ---- input ---- */

static uint8_t *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	if (f == NULL)
		fail("cannot open the file");
	fseek(f, 0, SEEK_END);
	*len = (size_t) ftell(f);
	rewind(f);
	p = malloc(*len + 1);
	if (fread(p, 1, *len, f) != *len)
		fail("cannot read the file");
	fclose(f);
	return p;
}

static uint8_t *
inflate(uint8_t *z, size_t *len)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	size_t cap = *len * 30 + 1000000;
	ZSTD_inBuffer in = {z, *len, 0};
	ZSTD_outBuffer out = {malloc(cap), cap, 0};

	while (in.pos < in.size)
		if (ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)) || out.pos == out.size)
			fail("cannot decompress the file");
	*len = out.pos;
	return out.dst;
}

static const uint8_t *
next_request(const uint8_t *p, const uint8_t *end, bool varint, size_t *len)
{
	uint64_t n = 0;

	if (varint)
	{
		if (!read_varint(&p, end, &n))
			return NULL;
	}
	else
	{
		if (end - p < 4)
			return NULL;
		n = (uint64_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
		p += 4;
	}
	if (n > (uint64_t) (end - p))
		return NULL;
	*len = n;
	return p;
}

/* ---- images in memory ---- */

static void
read_memory(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	memcpy(dst, (const uint8_t *) ctx + off, len);
}

static void
corrupt(void *ctx, const char *what)
{
	fail(what);
}

static Image *
open_image(const Buf *bytes, Arena *arena)
{
	ImageSource source = {read_memory, corrupt, bytes->p, bytes->len};

	return image_open(&source, arena);
}

static int
by_bytes(const void *a, const void *b)
{
	const LeafInfo *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void
print_leaves(Image *image, size_t len, uint32_t nspans)
{
	uint32_t n = image_nleaves(image);
	LeafInfo *info = calloc(n, sizeof(LeafInfo));
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		image_leaf_info(image, i, &info[i]);
		sum += info[i].bytes;
	}
	qsort(info, n, sizeof(LeafInfo), by_bytes);
	for (uint32_t i = 0; i < n && info[i].bytes; i++)
		printf("  %6.3f bytes/span  %5.2f bits/value  %d %-44s %s\n", (double) info[i].bytes / nspans,
			   info[i].values ? info[i].bytes * 8.0 / info[i].values : 0.0, info[i].level, info[i].name,
			   info[i].encoding);
	printf("  %6.3f bytes/span  everything else\n", (double) (len - sum) / nspans);
	free(info);
}

/* ---- columns one by one, with what they lean on ---- */

typedef enum ScanWhat
{
	SCAN_NOTHING,
	SCAN_COLUMN,
	SCAN_ATTR
} ScanWhat;

#define SCAN_ROUNDS 7

static void
load_attr(Batch *b, uint32_t which, Arena *tmp)
{
	uint32_t *codes = arena_alloc(tmp, ((size_t) batch_nrows(b) + 1) * sizeof(uint32_t));

	if (!image_attr_codes(b, LEVEL_SPAN, which, 1, codes))
		batch_attr_rows(b, LEVEL_SPAN, which);
}

/* ns a span to load the series in all vectors, the best of some rounds. */
static double
scan(Image *image, ScanWhat what, uint32_t which, Arena *tmp)
{
	const ImageSummary *summary = image_summary(image);
	double best = 1e18;

	for (int round = 0; round < SCAN_ROUNDS; round++)
	{
		double t0 = cpu_ns(), t;

		for (uint32_t v = 0; v < summary->nvectors; v++)
		{
			Batch *b = image_vector(image, v, tmp);

			if (what == SCAN_COLUMN)
				batch_column(b, LEVEL_SPAN, which);
			else if (what == SCAN_ATTR)
				load_attr(b, which, tmp);
			arena_reset(tmp);
		}
		t = (cpu_ns() - t0) / summary->nrows;
		best = t < best ? t : best;
	}
	return best;
}

/* The same for an attribute, the image opened anew each time: with what is read once for all vectors. */
static double
scan_anew(const Buf *bytes, uint32_t which, Arena *tmp)
{
	double best = 1e18;

	for (int round = 0; round < SCAN_ROUNDS; round++)
	{
		Arena *arena = arena_create(NULL, 1 << 20);
		double t0 = cpu_ns(), t;
		Image *image = open_image(bytes, arena);
		uint32_t n = image_summary(image)->nrows;

		for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
		{
			load_attr(image_vector(image, v, tmp), which, tmp);
			arena_reset(tmp);
		}
		t = (cpu_ns() - t0) / n;
		best = t < best ? t : best;
		arena_destroy(arena);
	}
	return best;
}

static void
print_scans(Image *image, const Buf *bytes)
{
	static const struct
	{
		uint32_t column;
		const char *name;
	} columns[] = {{SC_RESOURCE, "resource"}, {SC_SERVICE, "service"}, {SC_NAME, "name"},
				   {SC_KIND, "kind"},         {SC_STATUS, "status"},   {SC_START, "start"},
				   {SC_DURATION, "duration"}, {SC_SPAN_ID, "span id"}, {SC_PARENT_ID, "parent"},
				   {SC_TRACE_ID, "trace id"}};
	Arena *tmp = arena_create(NULL, 1 << 20);
	uint32_t n;
	const AttrColumn *attrs = image_attrs(image, LEVEL_SPAN, &n);

	arena_keep(tmp, 1 << 24);
	printf("  %6.2f ns/span  nothing\n", scan(image, SCAN_NOTHING, 0, tmp));
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		printf("  %6.2f ns/span  %s\n", scan(image, SCAN_COLUMN, columns[i].column, tmp), columns[i].name);
	if (attrs)
		printf("  %6.2f ns/span  %.*s, image opened anew\n", scan_anew(bytes, 0, tmp), (int) attrs[0].key.len,
			   attrs[0].key.p);
	for (uint32_t k = 0; attrs && k < n; k++)
		printf("  %6.2f ns/span  %.*s\n", scan(image, SCAN_ATTR, k, tmp), (int) attrs[k].key.len,
			   attrs[k].key.p);
	arena_destroy(tmp);
}

/* ---- */

typedef struct Totals
{
	double decode_otlp, fast, sort, small, read;
	uint64_t fast_bytes;
	uint32_t spans, requests;
} Totals;

static Batch *
decode_request(const uint8_t *p, size_t len, Arena *arena)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);
	OtlpResult res;

	if (!otlp_decode_pb(p, len, NULL, bb, &res))
		fail(res.message);
	return builder_finish(bb);
}

#define MAX_BATCHES 4096

/* Every request as a recent batch, encoded and opened again as a merge would. */
static uint32_t
take_requests(const uint8_t *p, size_t len, bool varint, Arena *arena, Batch **batches, Totals *t)
{
	const uint8_t *end = p + len;
	uint32_t n = 0;
	size_t size;

	while (n < MAX_BATCHES && (p = next_request(p, end, varint, &size)) != NULL)
	{
		Arena *tmp = arena_create(NULL, 1 << 20);
		Buf *bytes = arena_alloc(arena, sizeof(Buf));
		ImageSummary summary;
		double t0 = cpu_ns(), t1, t2;
		Batch *b = decode_request(p, size, tmp);

		t1 = cpu_ns();
		buf_init(bytes, arena, 1 << 16);
		image_encode(b, CODEC_FAST, bytes, &summary);
		t2 = cpu_ns();
		t->decode_otlp += t1 - t0;
		t->fast += t2 - t1;
		t->fast_bytes += bytes->len;
		t->spans += batch_nrows(b);
		t->requests++;
		arena_destroy(tmp);
		batches[n++] = image_vector(open_image(bytes, arena), 0, arena);
		p += size;
	}
	return n;
}

static void
bench_file(const char *path, const char *more)
{
	static Batch *batches[MAX_BATCHES];
	Arena *arena = arena_create(NULL, 1 << 20), *tmp = arena_create(NULL, 1 << 20);
	bool zstd = strstr(path, ".zst") != NULL;
	Totals t = {0};
	ImageSummary summary;
	size_t len;
	uint8_t *p = slurp(path, &len);
	uint32_t n, nrows;
	double t0, t1, t2, t3;
	RowRef *rows;
	Batch *all;
	Image *image;
	Buf out;

	if (zstd)
		p = inflate(p, &len);
	n = take_requests(p, len, zstd, arena, batches, &t);
	t0 = cpu_ns();
	rows = batch_sort(arena, batches, n, &nrows);
	all = batch_gather(arena, batches, n, rows, nrows);
	batch_make_traces(all);
	t1 = cpu_ns();
	buf_init(&out, arena, 1 << 20);
	image_encode(all, CODEC_SMALL, &out, &summary);
	t2 = cpu_ns();
	image = open_image(&out, arena);
	for (uint32_t v = 0; v < summary.nvectors; v++)
	{
		batch_load_all(image_vector(image, v, tmp));
		arena_reset(tmp);
	}
	t3 = cpu_ns();
	printf("%s: %u spans, %u traces, %u requests, %u vectors\n", path, t.spans, summary.ntraces, t.requests,
		   summary.nvectors);
	printf("  decode OTLP %.0f ns/span, encode fast %.0f (%.1f bytes/span), read back, sort and gather %.0f, "
		   "encode small %.0f, decode all %.0f\n",
		   t.decode_otlp / t.spans, t.fast / t.spans, (double) t.fast_bytes / t.spans, (t1 - t0) / t.spans,
		   (t2 - t1) / t.spans, (t3 - t2) / t.spans);
	printf("  segment %.2f bytes/span\n", (double) out.len / t.spans);
	if (strcmp(more, "leaves") == 0)
		print_leaves(image, out.len, t.spans);
	if (strcmp(more, "columns") == 0)
		print_scans(image, &out);
	arena_destroy(tmp);
	arena_destroy(arena);
	free(p);
}

int
main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("TEMPO_WORKLOAD");

	if (path == NULL)
		printf("no file to measure\n");
	else
		bench_file(path, argc > 2 ? argv[2] : "");
	return 0;
}
