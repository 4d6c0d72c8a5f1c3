/*
 * bench_ingest.c
 *	  Nanoseconds of CPU a span: decoding a workload into batches, protobuf-c's unpacking of the same
 *	  bytes, sorting and gathering them into one batch, and writing protobuf.
 *
 * usage: bench_ingest [FILE [ROUNDS]]: with ROUNDS only decodes, that often, for a profiler. FILE (or
 *TEMPO_WORKLOAD) is what ../shared/bench/workload.py writes: requests behind 4-byte big-endian lengths.
 *Without one it says so and does nothing.
 */
#include "ingest/otlp.h"
#include "otlp.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_REQUESTS 100000
#define ROUNDS       5

typedef struct Requests
{
	Str at[MAX_REQUESTS];
	uint32_t n;
	size_t bytes;
} Requests;

static Requests requests;

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static bool
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t head[4];

	if (f == NULL)
		return false;
	while (requests.n < MAX_REQUESTS && fread(head, 4, 1, f) == 1)
	{
		uint32_t len = (uint32_t) head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
		char *p = malloc(len);

		if (fread(p, 1, len, f) != len)
			break;
		requests.at[requests.n++] = str_of(p, len);
		requests.bytes += len;
	}
	fclose(f);
	return requests.n > 0;
}

/* One batch a request; returns the number of spans. */
static uint32_t
decode_all(Arena *a, Batch **out)
{
	uint32_t spans = 0;

	for (uint32_t i = 0; i < requests.n; i++)
	{
		BatchBuilder *bb = builder_create(a, false, 0, NULL);
		OtlpResult res;

		if (!otlp_decode_pb((const uint8_t *) requests.at[i].p, requests.at[i].len, NULL, bb, &res))
		{
			fprintf(stderr, "%s\n", res.message);
			exit(1);
		}
		spans += res.spans;
		out[i] = builder_finish(bb);
	}
	return spans;
}

static void
unpack_all(void)
{
	for (uint32_t i = 0; i < requests.n; i++)
	{
		Otlp__ExportTraceServiceRequest *r = otlp__export_trace_service_request__unpack(
			NULL, requests.at[i].len, (const uint8_t *) requests.at[i].p);

		otlp__export_trace_service_request__free_unpacked(r, NULL);
	}
}

typedef struct Best
{
	double decode;
	double unpack;
	double sort;
	double gather;
	double write;
	double memory; /* bytes of the decoded batches */
} Best;

static void
keep(double *best, double t)
{
	if (*best == 0 || t < *best)
		*best = t;
}

static uint32_t
round_trip(Best *best)
{
	Arena *a = arena_create(NULL, 1 << 20);
	Batch **batches = malloc(sizeof(Batch *) * requests.n);
	double t = cpu_ns();
	uint32_t spans = decode_all(a, batches);
	uint32_t n, *rows;
	RowRef *refs;
	Batch *merged;
	Buf out;

	keep(&best->decode, cpu_ns() - t);
	best->memory = (double) arena_bytes(a);
	t = cpu_ns();
	refs = batch_sort(a, batches, requests.n, &n);
	keep(&best->sort, cpu_ns() - t);
	t = cpu_ns();
	merged = batch_gather(a, batches, requests.n, refs, n);
	batch_make_traces(merged);
	keep(&best->gather, cpu_ns() - t);
	rows = arena_alloc(a, sizeof(uint32_t) * n);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = i;
	buf_init(&out, a, requests.bytes * 4);
	t = cpu_ns();
	otlp_write_pb(merged, rows, n, &out);
	keep(&best->write, cpu_ns() - t);
	t = cpu_ns();
	unpack_all();
	keep(&best->unpack, cpu_ns() - t);
	arena_destroy(a);
	free(batches);
	return spans;
}

static void
only_decode(int rounds)
{
	Batch **batches = malloc(sizeof(Batch *) * requests.n);

	for (int i = 0; i < rounds; i++)
	{
		Arena *a = arena_create(NULL, 1 << 20);

		decode_all(a, batches);
		arena_destroy(a);
	}
	free(batches);
}

int
main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("TEMPO_WORKLOAD");
	Best best = {0};
	uint32_t spans = 0;

	if (path == NULL || !load(path))
	{
		printf("skipped: give a file of ../shared/bench/workload.py\n");
		return 0;
	}
	if (argc > 2)
	{
		only_decode(atoi(argv[2]));
		return 0;
	}
	for (int i = 0; i < ROUNDS; i++)
		spans = round_trip(&best);
	printf("%u spans in %u requests, %.0f bytes a span; best of %d, ns of CPU a span\n", spans, requests.n,
		   (double) requests.bytes / spans, ROUNDS);
	printf("decode and build   %7.0f, %.0f bytes of memory\n", best.decode / spans, best.memory / spans);
	printf("protobuf-c unpack  %7.0f\n", best.unpack / spans);
	printf("sort               %7.0f\n", best.sort / spans);
	printf("gather             %7.0f\n", best.gather / spans);
	printf("write protobuf     %7.0f\n", best.write / spans);
	return 0;
}
