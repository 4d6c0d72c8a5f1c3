/*
 * bench_eval.c
 *	  Nanoseconds a span of TraceQL filters over decoded columns: a workload (TEMPO_WORKLOAD or the argument,
 *as for bench_ingest) cut in sorted units like the vectors of a segment.
 */
#include "ingest/otlp.h"
#include "traceql/eval/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define UNIT_ROWS 4096
#define MAX_UNITS 4096

static const char *const queries[] = {
	"{ }",
	"{ false || duration > 100ms }",
	"{ status = error }",
	"{ name =~ \".*a.*\" }",
	"{ resource.service.name = \"frontend\" && status = error }",
	"{ span.http.response.status_code >= 500 }",
	"{ .http.request.method = \"GET\" && duration > 50ms }",
	"{ span.missing = 1 }",
	"{ span.http.response.status_code != nil }",
	"{ duration * 2 > 1s }",
	"{ event:name = \"exception\" }",
	"{ rootName = \"GET /\" && kind = client }",
	"{ status = error } >> { kind = client }",
	"{ } !< { kind = client }",
	"{ kind = server } | count() > 3",
	"{ } | by(resource.service.name) | avg(duration) > 10ms",
};

static uint64_t matched;

static void
count(void *ctx, const MatchTrace *trace)
{
	(void) ctx;
	(void) trace;
}

static bool
want(void *ctx, uint32_t trace, const uint8_t *id, int64_t start)
{
	(void) ctx;
	(void) id;
	(void) start;
	(void) duration;
	matched++;
	return false;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

static uint8_t *
read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	*len = (size_t) ftell(f);
	rewind(f);
	p = malloc(*len + 1);
	if (!p || fread(p, 1, *len, f) != *len)
		exit(1);
	fclose(f);
	return p;
}

static Batch *
decode(Arena *arena, const uint8_t *p, size_t len)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);
	const uint8_t *end = p + len;

	while (end - p > 4)
	{
		size_t size = (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8 | p[3];
		OtlpResult res;

		p += 4;
		if (size > (size_t) (end - p) || !otlp_decode_pb(p, size, NULL, bb, &res))
		{
			fprintf(stderr, "a request is malformed\n");
			exit(1);
		}
		p += size;
	}
	return builder_finish(bb);
}

/* Units of whole traces of about UNIT_ROWS rows. */
static uint32_t
cut(Arena *arena, Batch *all, Batch **units, uint64_t *rows)
{
	uint32_t n;
	uint32_t nunits = 0;
	RowRef *refs = batch_sort(arena, &all, 1, &n);
	const uint8_t *id = batch_column(all, LEVEL_SPAN, SC_TRACE_ID)->fixed;

	for (uint32_t from = 0, to; from < n && nunits < MAX_UNITS; from = to)
	{
		to = n - from > UNIT_ROWS ? from + UNIT_ROWS : n;
		while (to < n &&
			   memcmp(id + 16 * (size_t) refs[to].row, id + 16 * (size_t) refs[to - 1].row, 16) == 0)
			to++;
		units[nunits] = batch_gather(arena, &all, 1, refs + from, to - from);
		batch_make_traces(units[nunits++]);
		*rows = to;
	}
	return nunits;
}

static void
measure(const char *text, Batch **units, uint32_t nunits, uint64_t rows)
{
	Arena *arena = arena_create(NULL, 0);
	Arena *scratch = arena_create(NULL, 1 << 20);
	TraceqlOptions options = {.max_spans = 3};
	MatchSink sink = {NULL, want, count};
	TraceqlError err;
	const char *why;
	TraceqlQuery *query = traceql_parse(arena, str_of(text, strlen(text)), &err);
	TraceqlPlan *plan = query ? traceql_plan(arena, query, &why) : NULL;
	double best = 0;

	if (!plan)
	{
		printf("%-60s refused: %s\n", text, query ? why : err.message);
		return;
	}
	for (int round = 0; round < 3; round++)
	{
		TraceqlRun *run = traceql_run_begin(plan, &options, NULL, arena);
		double t = now();

		matched = 0;
		for (uint32_t i = 0; i < nunits; i++)
		{
			traceql_run_unit(run, &(TraceqlUnit){.batch = units[i], .source = i + 1}, scratch, &sink);
			arena_reset(scratch);
		}
		t = now() - t;
		best = best == 0 || t < best ? t : best;
	}
	printf("%-60s %8.2f ns/span  %8llu traces\n", text, best / (double) rows, (unsigned long long) matched);
	traceql_plan_free(plan);
	arena_destroy(scratch);
	arena_destroy(arena);
}

int
main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("TEMPO_WORKLOAD");
	static Batch *units[MAX_UNITS];
	Arena *arena = arena_create(NULL, 1 << 20);
	uint64_t rows = 0;
	size_t len;
	uint8_t *bytes = path ? read_file(path, &len) : NULL;
	uint32_t nunits;

	if (!bytes)
	{
		printf("bench_eval: skipped, TEMPO_WORKLOAD names no file\n");
		return 0;
	}
	nunits = cut(arena, decode(arena, bytes, len), units, &rows);
	printf("%llu spans in %u units\n", (unsigned long long) rows, nunits);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		measure(queries[i], units, nunits, rows);
	return 0;
}
