/*
 * test_traceql_metrics_parts.c
 *	  The same series come out however the spans are cut into units and shared among runs: of random traces,
 *	  many queries, in one unit span by span (the reference), in columns, in images, in pieces, and put
 *	  together from partials.
 */
#include "traceql/metrics/metrics.h"
#include "store/image.h"
#include "traceql_fixture.h"
#include "unit.h"

#include <math.h>

#define NTRACES 40
#define NSPANS  600
#define SEC     INT64_C(1000000000)

static uint64_t rng_state = 1;

static int
rnd(int n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int) ((rng_state >> 33) % (uint64_t) n);
}

/* ---- random spans ---- */

typedef struct RandomSpan
{
	int trace;
	int parent;
	int service;
	int name;
	int kind;
	int status;
	int64_t start;
	int64_t duration;
	int a; /* which value of a: absent, int, string, double, bool, array ... */
	int b;
	int c;
	int events;
	int state;
} RandomSpan;

static RandomSpan spans[NSPANS];

static void
make_spans(void)
{
	for (int i = 0; i < NSPANS; i++)
	{
		RandomSpan *s = &spans[i];

		s->trace = rnd(NTRACES) + 1;
		s->parent = rnd(4) ? rnd(i + 1) : 0;
		s->service = rnd(4);
		s->name = rnd(6);
		s->kind = rnd(7);
		s->status = rnd(3);
		s->start = (rnd(50) * 10 + rnd(3) * 5) * SEC + rnd(2);
		s->duration = (int64_t) rnd(1000) * (rnd(3) ? MS : 1000);
		s->a = rnd(9);
		s->b = rnd(40);
		s->c = rnd(12);
		s->events = rnd(3);
		s->state = rnd(4);
	}
}

static void
put_attr(BatchBuilder *bb, const char *key, Value v)
{
	builder_attr(bb, LEVEL_SPAN, str_lit(key), &v);
}

static Value
text_value(Arena *arena, const char *prefix, int n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%s%d", prefix, n);

	return (Value){.type = VALUE_STRING, .s = str_of(arena_dup(arena, text, (size_t) len), (size_t) len)};
}

static Value
array_value(Arena *arena, int n)
{
	Buf b;

	buf_init(&b, arena, 64);
	buf_put_varint(&b, (uint64_t) n);
	for (int i = 0; i < n; i++)
		value_write(&b, &(Value){.type = VALUE_INT, .i = 7 + i});
	return (Value){.type = VALUE_ARRAY, .s = str_of((char *) b.p, b.len)};
}

static void
put_attrs(BatchBuilder *bb, Arena *arena, const RandomSpan *s)
{
	switch (s->a)
	{
		case 0: break;
		case 1: put_attr(bb, "a", text_value(arena, "v", s->b % 3)); break;
		case 2: put_attr(bb, "a", (Value){.type = VALUE_DOUBLE, .d = s->b / 4.0}); break;
		case 3: put_attr(bb, "a", (Value){.type = VALUE_BOOL, .b = s->b % 2}); break;
		case 4: put_attr(bb, "a", array_value(arena, s->b % 4)); break;
		case 5: put_attr(bb, "a", (Value){.type = VALUE_BYTES, .s = str_lit("xy")}); break;
		default: put_attr(bb, "a", (Value){.type = VALUE_INT, .i = s->b - 3}); break;
	}
	if (s->b % 5)
		put_attr(bb, "b", text_value(arena, "b", s->b));
	if (s->b % 7 == 0)
		put_attr(bb, "b", text_value(arena, "again", s->b));
	if (s->c < 10)
		put_attr(bb, "c", (Value){.type = VALUE_DOUBLE, .d = s->c == 9 ? NAN : s->c * 0.1});
	if (s->c % 3 == 0)
		put_attr(bb, "cluster", text_value(arena, "own", s->c));
}

static void
put_span(BatchBuilder *bb, Arena *arena, int i)
{
	static const char *const services[][4] = {{FRONTEND}, {API}, {DB}, {"x=1", "", "lib", "2"}};
	static const char *const states[] = {"", "ot=th:8", "a=b,ot=rv:5;th:c", "ot=th:zz"};
	const RandomSpan *s = &spans[i];
	uint8_t id[16] = {[0] = (uint8_t) (s->trace * 37), [15] = (uint8_t) s->trace};

	builder_set_resource(bb, fixture_list(arena, services[s->service][0]), str_lit(services[s->service][1]),
						 0, str_lit(""));
	builder_set_scope(bb, fixture_list(arena, s->service % 2 ? "lang='c'" : ""),
					  str_lit(services[s->service][2]), str_lit(services[s->service][3]), 0, str_lit(""));
	builder_begin_span(bb);
	builder_set_trace_id(bb, id);
	builder_set_i64(bb, SC_SPAN_ID, i + 1);
	builder_set_i64(bb, SC_PARENT_ID, s->parent);
	builder_set_i64(bb, SC_START, s->start);
	builder_set_i64(bb, SC_DURATION, s->duration);
	builder_set_bytes(bb, SC_NAME, text_value(arena, "op", s->name).s);
	builder_set_i64(bb, SC_KIND, s->kind);
	builder_set_i64(bb, SC_STATUS, s->status);
	builder_set_bytes(bb, SC_TRACE_STATE, str_lit(states[s->state]));
	put_attrs(bb, arena, s);
	for (int e = 0; e < s->events; e++)
	{
		builder_begin_event(bb, e * 5 * MS, text_value(arena, "ev", (s->b + e) % 3).s, 0);
		builder_attr(bb, LEVEL_EVENT, str_lit("n"), &(Value){.type = VALUE_INT, .i = s->b + e});
		builder_end_event(bb);
	}
	builder_end_span(bb);
}

typedef bool (*Choose)(int span, int which);

static Batch *
batch_of(Arena *arena, Choose choose, int which, bool sorted)
{
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;
	RowRef *refs;
	uint32_t n;

	for (int i = 0; i < NSPANS; i++)
		if (choose(i, which))
			put_span(bb, arena, i);
	batch = builder_finish(bb);
	if (!sorted)
		return batch;
	refs = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, refs, n);
	batch_make_traces(batch);
	return batch;
}

/* ---- through an image ---- */

typedef struct Bytes
{
	const uint8_t *p;
	uint64_t len;
} Bytes;

static void
read_bytes(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	memcpy(dst, ((Bytes *) ctx)->p + off, len);
}

static void
corrupt(void *ctx, const char *what)
{
	(void) ctx;
	printf("# corrupt image: %s\n", what);
	abort();
}

static Image *
image_of(Arena *arena, Batch *batch)
{
	Bytes *bytes = arena_alloc(arena, sizeof(Bytes));
	ImageSource source = {read_bytes, corrupt, bytes, 0};
	ImageSummary summary;
	Buf out;

	buf_init(&out, arena, 4096);
	image_encode(batch, CODEC_SMALL, &out, &summary);
	*bytes = (Bytes){out.p, out.len};
	source.len = out.len;
	return image_open(&source, arena);
}

/* ---- choices ---- */

static bool
every(int span, int which)
{
	(void) span;
	(void) which;
	return true;
}

/* Scattered without regard to traces. */
static bool
scattered(int span, int which)
{
	return span * 7 % 5 == which;
}

static bool
by_trace(int span, int which)
{
	return spans[span].trace % 5 == which;
}

/* Intervals are 50 s, and end with their last nanosecond. */
static bool
of_interval(int span, int which)
{
	return (spans[span].start + 50 * SEC - 1) / (50 * SEC) == which;
}

static bool
of_two_intervals(int span, int which)
{
	return of_interval(span, 2 * which) || of_interval(span, 2 * which + 1);
}

/* Traces 1 .. 10 are spread: every other span in the segment, the others in a recent batch. */
static bool
is_spread(int span)
{
	return spans[span].trace <= 10;
}

static bool
in_segment(int span, int which)
{
	(void) which;
	return !is_spread(span) || span % 2;
}

static bool
in_recent(int span, int which)
{
	(void) which;
	return is_spread(span) && span % 2 == 0;
}

static bool
spread(int span, int which)
{
	(void) which;
	return is_spread(span);
}

/* ---- runs ---- */

typedef struct Asked
{
	Arena *arena;
	MetricsPlan *plan;
	MetricsOptions options;
	uint64_t source;
} Asked;

static MetricsRun *
begin(Asked *a)
{
	return metrics_run_begin(a->plan, &a->options, NULL, a->arena);
}

static void
feed(Asked *a, MetricsRun *run, Batch *batch)
{
	metrics_run_unit(run, &(MetricsUnit){.batch = batch, .source = ++a->source}, a->arena);
}

static void
feed_image(Asked *a, MetricsRun *run, Batch *batch)
{
	Image *image = image_of(a->arena, batch);

	a->source++;
	for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
	{
		const ImageVector *info = image_vector_info(image, v);

		metrics_run_unit(run,
						 &(MetricsUnit){.batch = image_vector(image, v, a->arena),
										.source = a->source,
										.bounded = true,
										.start_min = (uint64_t) info->start_min,
										.start_max = (uint64_t) info->start_max,
										.forward = batch->sorted},
						 a->arena);
	}
}

/* An image for each interval: whole units count in it. */
static MetricsRun *
by_interval(Asked *a)
{
	MetricsRun *run = begin(a);

	for (int k = 0; k <= 10; k++)
		feed_image(a, run, batch_of(a->arena, of_interval, k, k % 2));
	return run;
}

/* Five runs, each fed its share, put together. */
static MetricsRun *
shared(Asked *a, Choose choose, bool sorted, bool images)
{
	MetricsRun *all = begin(a);

	for (int i = 0; i < 5; i++)
	{
		MetricsRun *run = begin(a);
		Batch *batch = batch_of(a->arena, choose, i, sorted);
		Buf bytes;

		if (images)
			feed_image(a, run, batch);
		else
			feed(a, run, batch);
		buf_init(&bytes, a->arena, 1024);
		metrics_partial_write(run, &bytes);
		if (!metrics_partial_merge(all, str_of((char *) bytes.p, bytes.len)))
			return NULL;
	}
	return all;
}

/* A segment with parts of traces, a recent batch with the rest, and those traces gathered. */
static MetricsRun *
in_pieces(Asked *a)
{
	MetricsRun *run = begin(a);
	Batch *segment = batch_of(a->arena, in_segment, 0, true);
	Column *id = batch_column(segment, LEVEL_TRACE, TC_ID);
	uint8_t *skip = arena_alloc0(a->arena, id->n + 1);

	for (uint32_t t = 0; t < id->n; t++)
		skip[t] = id->fixed[16 * t + 15] <= 10;
	metrics_run_unit(run, &(MetricsUnit){.batch = segment, .source = ++a->source, .skip = skip}, a->arena);
	metrics_run_unit(run,
					 &(MetricsUnit){.batch = batch_of(a->arena, spread, 0, true),
									.source = ++a->source,
									.part = METRICS_GATHERED},
					 a->arena);
	metrics_run_unit(run,
					 &(MetricsUnit){.batch = batch_of(a->arena, in_recent, 0, false),
									.source = ++a->source,
									.part = METRICS_PIECES},
					 a->arena);
	return run;
}

/* An image for two intervals: most traces are in both. */
static MetricsRun *
by_two_intervals(Asked *a)
{
	MetricsRun *run = begin(a);

	for (int k = 0; k <= 5; k++)
		feed_image(a, run, batch_of(a->arena, of_two_intervals, k, true));
	return run;
}

/* ---- answers ---- */

static void
put_text(Buf *out, const char *fmt, double v)
{
	char text[64];

	snprintf(text, sizeof(text), fmt, v);
	buf_put(out, text, strlen(text));
}

static const char *
answer(Asked *a, MetricsRun *run)
{
	const MetricsResult *result = metrics_finish(run, a->arena);
	Buf out;

	buf_init(&out, a->arena, 4096);
	for (uint32_t i = 0; i < result->nseries; i++)
	{
		const MetricsSeries *s = &result->series[i];

		metrics_series_name(s, &out);
		for (uint32_t l = 0; l < s->nlabels; l++)
			put_text(&out, " t%.0f", s->labels[l].value.type);
		for (uint32_t k = 0; k < result->range.n; k++)
			put_text(&out, isnan(s->values[k]) ? " -" : " %.12g", s->values[k]);
		for (uint32_t e = 0; e < s->nexemplars; e++)
		{
			put_text(&out, " [%.0f", s->exemplars[e].trace_id[15]);
			put_text(&out, " %.0f", (double) s->exemplars[e].time);
			put_text(&out, " %.12g", s->exemplars[e].value);
			put_text(&out, " %.0f]", s->exemplars[e].nlabels);
		}
		buf_put_u8(&out, '\n');
	}
	buf_put_u8(&out, 0);
	return (char *) out.p;
}

static void
show_difference(const char *want, const char *got)
{
	while (*want && *want == *got)
	{
		want++;
		got++;
	}
	printf("# want ...%.100s\n# got  ...%.100s\n", want, got);
}

static void
same(Asked *a, MetricsRun *run, const char *want, const char *query, const char *how)
{
	const char *got = run ? answer(a, run) : "refused";

	if (!ok(strcmp(got, want) == 0, "%s: %s", query, how))
		show_difference(want, got);
}

/* Is every exemplar a span there is, of a trace that no other one shows, and are there no more than asked
 * for? */
static bool
sound_exemplars(Asked *a, MetricsRun *run, int operands)
{
	const MetricsResult *result = metrics_finish(run, a->arena);
	int shown[NTRACES + 1] = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; i < result->nseries; i++)
		for (uint32_t e = 0; e < result->series[i].nexemplars; e++)
		{
			const MetricsExemplar *x = &result->series[i].exemplars[e];
			int trace = x->trace_id[15];
			bool found = false;

			for (int s = 0; s < NSPANS; s++)
				found |= spans[s].trace == trace && (uint64_t) spans[s].start == x->time;
			if (!found || ++shown[trace] > operands)
				return false;
			n++;
		}
	return n <= a->options.exemplars;
}

/* Traces in pieces: other spans may be shown as examples. */
static void
test_pieces(Asked *a, const char *text)
{
	int operands = text[0] == '(' ? 2 : 1;
	MetricsRun *run;
	const char *want;

	ok(sound_exemplars(a, shared(a, scattered, false, true), operands), "%s: exemplars, scattered", text);
	ok(sound_exemplars(a, by_interval(a), operands), "%s: exemplars, an image an interval", text);
	a->options.exemplars = 0;
	a->options.rowwise = true;
	run = begin(a);
	feed(a, run, batch_of(a->arena, every, 0, true));
	want = answer(a, run);
	a->options.rowwise = false;
	same(a, shared(a, scattered, false, false), want, text, "scattered");
	same(a, shared(a, scattered, false, true), want, text, "scattered, in images");
	same(a, by_interval(a), want, text, "an image an interval");
	same(a, by_two_intervals(a), want, text, "an image two intervals");
	run = begin(a);
	feed_image(a, run, batch_of(a->arena, every, 0, true));
	same(a, run, want, text, "in an image, without exemplars");
}

static void
test_query(const char *text)
{
	Asked a = {.arena = arena_create(NULL, 0)};
	TraceqlError err;
	const char *why;
	const char *want;
	MetricsRun *run;
	Batch *batch;

	ok(metrics_align(100 * SEC, 400 * SEC, 50 * SEC, &a.options.range), "%s", text);
	a.options.exemplars = 20;
	a.plan = metrics_plan(a.arena, traceql_parse(a.arena, str_lit(text), &err), &why);
	a.options.rowwise = true;
	batch = batch_of(a.arena, every, 0, true);
	run = begin(&a);
	feed(&a, run, batch);
	want = answer(&a, run);
	a.options.rowwise = false;
	run = begin(&a);
	feed(&a, run, batch);
	same(&a, run, want, text, "in columns");
	run = begin(&a);
	feed_image(&a, run, batch);
	same(&a, run, want, text, "in an image");
	same(&a, shared(&a, by_trace, true, true), want, text, "shared by traces, in images");
	if (metrics_reading(a.plan) == METRICS_BY_SPANS)
		test_pieces(&a, text);
	if (metrics_reading(a.plan) == METRICS_BY_BOTH)
		same(&a, in_pieces(&a), want, text, "whole and in pieces");
	metrics_plan_free(a.plan);
	arena_destroy(a.arena);
}

/* ---- damaged partials ---- */

static void
test_damage(const char *text)
{
	Asked a = {.arena = arena_create(NULL, 0)};
	TraceqlError err;
	const char *why;
	MetricsRun *run;
	Buf bytes;
	int taken = 0;

	metrics_align(100 * SEC, 400 * SEC, 50 * SEC, &a.options.range);
	a.options.exemplars = 20;
	a.plan = metrics_plan(a.arena, traceql_parse(a.arena, str_lit(text), &err), &why);
	run = begin(&a);
	feed(&a, run, batch_of(a.arena, every, 0, true));
	buf_init(&bytes, a.arena, 1024);
	metrics_partial_write(run, &bytes);
	for (int i = 0; i < 300; i++)
	{
		uint8_t *copy = malloc(bytes.len);
		size_t len = i < 100 ? (size_t) rnd((int) bytes.len) : bytes.len;

		memcpy(copy, bytes.p, bytes.len);
		for (int k = 0; i >= 100 && k < 3; k++)
			copy[rnd((int) bytes.len)] = (uint8_t) rnd(256);
		run = begin(&a);
		taken += metrics_partial_merge(run, str_of((char *) copy, len)) && i < 100;
		(void) metrics_finish(run, a.arena);
		free(copy);
	}
	ok(taken == 0, "cut short is refused, damage does no harm: %s", text);
	metrics_plan_free(a.plan);
	arena_destroy(a.arena);
}

static const char *const queries[] = {
	"{} | rate()",
	"{} | count_over_time() by (name)",
	"{} | count_over_time() by (resource.service.name, name, kind)",
	"{} | count_over_time() by (span.a)",
	"{} | count_over_time() by (.a, .b)",
	"{} | count_over_time() by (.cluster)",
	"{} | count_over_time() by (span.b, resource.cluster, status, kind, instrumentation:name)",
	"{} | count_over_time() by (instrumentation.lang, instrumentation:version, statusMessage)",
	"{} | count_over_time() by (event:name)",
	"{} | count_over_time() by (event.n)",
	"{} | count_over_time() by (span.b)",
	"{ kind = client } | count_over_time() by (span.cluster)",
	"{ kind = server || status = error } | quantile_over_time(duration, .5) by (name)",
	"{ span.c > .3 } | histogram_over_time(duration) by (resource.service.name)",
	"{} | histogram_over_time(duration)",
	"{ name = \"op1\" } | rate() by (instrumentation:name)",
	"{} | count_over_time() by (duration)",
	"{} | count_over_time() by (rootName)",
	"{} | count_over_time() by (rootServiceName, span:childCount)",
	"{} | count_over_time() by (trace:id)",
	"{} | count_over_time() by (span:id)",
	"{ span.a > 3 } | count_over_time() by (span.a)",
	"{ span.b != nil && kind = server } | rate() by (span.b)",
	"{ status = error || span.a = \"v1\" } | count_over_time() by (status)",
	"{} | min_over_time(duration) by (name)",
	"{} | max_over_time(span.a) by (kind)",
	"{} | min_over_time(.a)",
	"{} | sum_over_time(span.c) by (name)",
	"{} | avg_over_time(span.c)",
	"{} | avg_over_time(duration) by (span.a)",
	"{} | sum_over_time(duration)",
	"{} | sum_over_time(event:timeSinceStart) by (name)",
	"{} | max_over_time(traceDuration)",
	"{} | histogram_over_time(duration) by (name)",
	"{} | histogram_over_time(span.a)",
	"{} | quantile_over_time(duration, 0, .5, .9, 1) by (kind)",
	"{} | quantile_over_time(span.a, .5)",
	"{} | quantile_over_time(event.n, .9) by (status)",
	"{ kind = server } > { } | count_over_time() by (name)",
	"{ status = error } >> { } | avg_over_time(duration)",
	"{} | by(name) | count() > 1 | rate() by (name)",
	"{} | avg(duration) > 300ms | count_over_time()",
	"{ nestedSetParent < 0 } | count_over_time() by (name)",
	"{} | count_over_time() by (name) | topk(2)",
	"{} | count_over_time() by (span.a) | bottomk(3) > 0",
	"({ status = error } | rate() by (name)) / ({} | rate() by (name))",
	"({} | count_over_time() by (kind)) * 2 - ({} > {} | count_over_time() by (kind))",
	"{} | count_over_time() by (name) with(extrapolate=true)",
	"{} | avg_over_time(duration) with(extrapolate=true)",
	"{} | quantile_over_time(duration, .5) with(extrapolate=true)",
	"{} | compare({ status = error })",
	"{ kind = server } | compare({ span.a > 5 }, 3)",
	"{} | compare({ name = \"op1\" }, 2, 200000000000, 300000000000)",
	"{} | compare({ status = error }) with(extrapolate=true)",
	"{ status = error } >> { } | compare({ rootName = \"op1\" }, 1000)",
};

int
main(void)
{
	for (int round = 0; round < 3; round++)
	{
		make_spans();
		for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
			test_query(queries[i]);
	}
	test_damage("{} | count_over_time() by (.a, .b)");
	test_damage("{} | avg_over_time(duration) by (name)");
	test_damage("{} | histogram_over_time(duration)");
	test_damage("{} | compare({ status = error })");
	test_damage("({} | rate()) / ({} | rate() by (kind))");
	return unit_done();
}
