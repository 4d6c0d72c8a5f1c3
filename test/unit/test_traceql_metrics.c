/*
 * test_traceql_metrics.c
 *	  What metrics queries yield on the fixture, over columns and span by span, whole and in pieces.
 */
#include "traceql/metrics/internal.h"
#include "metrics_cases.h"
#include "traceql_fixture.h"
#include "unit.h"

#include <math.h>

#define SEC INT64_C(1000000000)

/* Series by name with their values, "-" where there is no sample. */
static const char *
result_text(Arena *arena, const MetricsResult *result)
{
	Buf out;
	char text[64];

	buf_init(&out, arena, 256);
	for (uint32_t i = 0; i < result->nseries; i++)
	{
		if (i)
			buf_put(&out, " / ", 3);
		metrics_series_name(&result->series[i], &out);
		buf_put(&out, ":", 1);
		for (uint32_t k = 0; k < result->range.n; k++)
		{
			double v = result->series[i].values[k];

			snprintf(text, sizeof(text), isnan(v) ? " -" : " %.10g", v);
			buf_put(&out, text, strlen(text));
		}
	}
	if (result->nseries == 0)
		buf_put(&out, "nothing", 7);
	buf_put_u8(&out, 0);
	return (char *) out.p;
}

typedef enum Layout
{
	WHOLE,   /* one sorted unit */
	ROWWISE, /* the same, span by span */
	LAYOUTS
} Layout;

typedef Batch *(*MakeBatch)(Arena *arena);

static const char *
ask_of(Arena *arena, const char *text, MetricsRange range, Layout layout, MakeBatch make)
{
	MetricsOptions options = {.range = range, .rowwise = layout == ROWWISE};
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, str_lit(text), &err);
	const char *why;
	const char *answer;
	MetricsPlan *plan;
	MetricsRun *run;

	if (!query)
		return err.message;
	plan = metrics_plan(arena, query, &why);
	if (!plan)
		return why;
	run = metrics_run_begin(plan, &options, NULL, arena);
	metrics_run_unit(run, &(MetricsUnit){.batch = make(arena), .source = 1}, arena);
	answer = result_text(arena, metrics_finish(run, arena));
	metrics_plan_free(plan);
	return answer;
}

static const char *
ask(Arena *arena, const char *text, MetricsRange range, Layout layout)
{
	return ask_of(arena, text, range, layout, fixture_batch);
}

static void
run_cases(const MetricCase *cases, size_t n, MetricsRange range)
{
	for (size_t i = 0; i < n; i++)
		for (Layout layout = WHOLE; layout < LAYOUTS; layout++)
		{
			Arena *arena = arena_create(NULL, 0);

			is_str(ask(arena, cases[i].query, range, layout), cases[i].want, cases[i].query);
			arena_destroy(arena);
		}
}

#define RUN(cases, range) run_cases(cases, sizeof(cases) / sizeof(cases[0]), range)

static void
test_fixture(void)
{
	MetricsRange range;

	ok(metrics_align(1000 * SEC, 1030 * SEC, 10 * SEC, &range), "range");
	is_i64(range.n, 4, "intervals");
	is_i64(metrics_time(&range, 0), 1000 * SEC, "first sample");
	RUN(range_cases, range);
}

/* A query of compare() has many series: some of them, and how many there are. */
static void
compare_case(const char *query, const char *series, const char *want)
{
	MetricsRange range = {990 * SEC, 10 * SEC, 4};

	for (Layout layout = WHOLE; layout < LAYOUTS; layout++)
	{
		Arena *arena = arena_create(NULL, 0);
		const char *got = ask(arena, query, range, layout);
		const char *found = strstr(got, series);
		const char *end = found ? strstr(found, " / ") : NULL;
		char line[100] = "nothing";

		if (found)
			snprintf(line, sizeof(line), "%.*s", end ? (int) (end - found) : (int) strlen(found), found);
		if (found)
			memmove(line, line + strlen(series), strlen(line + strlen(series)) + 1);
		ok(strcmp(line, want) == 0, "%s %s", query, series);
		if (strcmp(line, want) != 0)
			printf("# got \"%s\", want \"%s\"\n", line, want);
		arena_destroy(arena);
	}
}

static void
test_compare(void)
{
	static const char *const all = "{} | compare({ status = error })";
	static const char *const top = "{} | compare({ status = error }, 1)";
	static const char *const window = "{} | compare({ status = error }, 10, 1000200000000, 1000250000000)";

	compare_case(all, "__meta_type=\"selection\", status=error}", ": 0 2 0 0");
	compare_case(all, "__meta_type=\"baseline\", status=unset}", ": 1 3 0 0");
	compare_case(all, "__meta_type=\"baseline\", status=error}", "nothing");
	compare_case(all, "__meta_type=\"baseline_total\", status=nil}", ": 1 4 0 0");
	compare_case(all, "__meta_type=\"baseline_total\", span.http.status_code=nil}", ": 1 1 0 0");
	compare_case(all, "__meta_type=\"baseline\", span.http.status_code=200}", ": 1 0 0 0");
	compare_case(all, "__meta_type=\"baseline\", span.http.status_code=\"500\"}", ": 0 1 0 0");
	compare_case(all, "__meta_type=\"selection\", span.http.status_code=500}", ": 0 2 0 0");
	compare_case(all, "__meta_type=\"selection\", resource.cluster=\"eu\"}", ": 0 2 0 0");
	compare_case(all, "__meta_type=\"baseline_total\", resource.cluster=nil}", ": 1 2 0 0");
	compare_case(all, "__meta_type=\"baseline\", span:childCount=0}", ": 0 4 0 0");
	compare_case(all, "__meta_type=\"selection\", rootName=\"GET /shop\"}", ": 0 2 0 0");
	compare_case(all, "__meta_type=\"selection\", instrumentation:version=\"0.9\"}", ": 0 1 0 0");
	compare_case(all, "__meta_type=\"baseline\", span.\"my key\"=\"v\"}", ": 0 1 0 0");
	compare_case(all, "duration", "nothing");
	compare_case(all, "event", "nothing");
	compare_case(top, "__meta_type=\"baseline\", kind=client}", ": 0 2 0 0");
	compare_case(top, "__meta_type=\"baseline\", kind=server}", "nothing");
	compare_case(top, "__meta_type=\"baseline_total\", kind=nil}", ": 1 4 0 0");
	compare_case(window, "__meta_type=\"selection\", name=\"POST /cart\"}", ": 0 1 0 0");
	compare_case(window, "__meta_type=\"baseline\", name=\"POST /cart\"}", ": 0 1 0 0");
	compare_case("{ name = \"none\" } | compare({ status = error })", "nothing", "");
}

/* Spans start at second i and last i seconds, i = 1 .. 50. */
static Batch *
fifty_spans(Arena *arena)
{
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;
	RowRef *refs;
	uint32_t n;

	fixture_service(bb, arena, DB);
	for (int i = 1; i <= 50; i++)
	{
		uint8_t id[16] = {[15] = (uint8_t) (i % 7 + 1)};

		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_SPAN_ID, i);
		builder_set_i64(bb, SC_START, i * SEC);
		builder_set_i64(bb, SC_DURATION, i * SEC);
		builder_set_bytes(bb, SC_NAME, str_lit(i % 2 ? "odd" : "even"));
		builder_end_span(bb);
	}
	batch = builder_finish(bb);
	refs = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, refs, n);
	batch_make_traces(batch);
	return batch;
}

static const MetricCase fifty_cases[] = {
	{"{} | rate()", "rate: 1 1 1 0.3333333333"},
	{"{} | count_over_time() by (name)", "even: 7 8 7 3 / odd: 8 7 8 2"},
	{"{} | min_over_time(duration)", "min_over_time: 1 16 31 46"},
	{"{} | max_over_time(duration)", "max_over_time: 15 30 45 50"},
	{"{} | avg_over_time(duration)", "avg_over_time: 8 23 38 48"},
	{"{} | sum_over_time(duration)", "sum_over_time: 120 345 570 240"},
	{"{} | histogram_over_time(duration)",
	 "1.073741824: 1 0 0 0 / 2.147483648: 1 0 0 0 / 4.294967296: 2 0 0 0 / 8.589934592: 4 0 0 0 / "
	 "17.179869184: 7 2 0 0 / 34.359738368: 0 13 4 0 / 68.719476736: 0 0 11 5"},
};

/* The worked example: from 1 ns to 50 s by 15 s, not extended. */
static void
test_fifty(void)
{
	for (size_t i = 0; i < sizeof(fifty_cases) / sizeof(fifty_cases[0]); i++)
	{
		Arena *arena = arena_create(NULL, 0);

		is_str(ask_of(arena, fifty_cases[i].query, (MetricsRange){0, 15 * SEC, 4}, WHOLE, fifty_spans),
			   fifty_cases[i].want, fifty_cases[i].query);
		arena_destroy(arena);
	}
}

/* ---- choosing among equals ---- */

/* One span for each of seven values of x, all at one time. */
static Batch *
seven_values(Arena *arena)
{
	static const Value values[] = {{.type = VALUE_INT, .i = 5},      {.type = VALUE_STRING, .s = {"a", 1}},
								   {.type = VALUE_BOOL, .b = false}, {.type = VALUE_INT, .i = -1},
								   {.type = VALUE_DOUBLE, .d = 0.5}, {.type = VALUE_BOOL, .b = true}};
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);

	fixture_service(bb, arena, DB);
	for (int i = 0; i < 7; i++)
	{
		fixture_span(bb, arena, i + 1, 0, "x", 1, 0, 0, 100, "");
		if (i < 6)
			builder_attr(bb, LEVEL_SPAN, str_lit("x"), &values[i]);
		builder_end_span(bb);
	}
	return builder_finish(bb);
}

/* Texts after what has none, bools before floats before ints, larger bits first; bottomk keeps the later. */
static const MetricCase tie_cases[] = {
	{"{} | count_over_time() by (span.x) | topk(1)", "true: 1"},
	{"{} | count_over_time() by (span.x) | topk(2)", "false: 1 / true: 1"},
	{"{} | count_over_time() by (span.x) | topk(3)", "0.5: 1 / false: 1 / true: 1"},
	{"{} | count_over_time() by (span.x) | topk(4)", "-1: 1 / 0.5: 1 / false: 1 / true: 1"},
	{"{} | count_over_time() by (span.x) | topk(5)", "-1: 1 / 5: 1 / 0.5: 1 / false: 1 / true: 1"},
	{"{} | count_over_time() by (span.x) | topk(6)", "-1: 1 / 5: 1 / 0.5: 1 / a: 1 / false: 1 / true: 1"},
	{"{} | count_over_time() by (span.x) | bottomk(1)", "nil: 1"},
	{"{} | count_over_time() by (span.x) | bottomk(2)", "nil: 1 / a: 1"},
	{"{} | quantile_over_time(duration, .95, 1) | topk(1)", "1.0: 0.134217728"},
	{"{} | quantile_over_time(duration, .95, 1) | bottomk(1)", "0.95: 0.134217728"},
};

static void
test_ties(void)
{
	for (size_t i = 0; i < sizeof(tie_cases) / sizeof(tie_cases[0]); i++)
	{
		Arena *arena = arena_create(NULL, 0);

		is_str(ask_of(arena, tie_cases[i].query, (MetricsRange){990 * SEC, 20 * SEC, 1}, WHOLE, seven_values),
			   tie_cases[i].want, tie_cases[i].query);
		arena_destroy(arena);
	}
}

/* Spans of arrays, which have no text, and of a value without a type, all at one time. */
static Batch *
arrays(Arena *arena)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;
	RowRef *refs;
	uint32_t n;

	fixture_service(bb, arena, DB);
	for (int i = 0; i < 4; i++)
	{
		/* [true, true], [true, false], [false, true] */
		char bytes[] = {2, VALUE_BOOL, i < 2, VALUE_BOOL, i != 1};
		Value v = {.type = VALUE_ARRAY, .s = str_of(arena_dup(arena, bytes, sizeof(bytes)), sizeof(bytes))};

		fixture_span(bb, arena, i + 1, 0, names[i], 1, 0, 0, 100, "");
		if (i == 3)
			v = (Value){.type = VALUE_EMPTY};
		builder_attr(bb, LEVEL_SPAN, i == 3 ? str_lit("none") : str_lit("x"), &v);
		builder_end_span(bb);
	}
	batch = builder_finish(bb);
	refs = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, refs, n);
	batch_make_traces(batch);
	return batch;
}

static void
test_arrays(void)
{
	static const MetricCase cases[] = {
		{"{ span.x != nil } | count_over_time() by (span.x, name) | topk(1)",
		 "{span.x=[...], name=\"c\"}: 1"},
		{"{ span.x != nil } | count_over_time() by (span.x, name) | bottomk(1)",
		 "{span.x=[...], name=\"a\"}: 1"},
	};
	MetricsRange range = {990 * SEC, 20 * SEC, 1};
	Arena *arena = arena_create(NULL, 0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(ask_of(arena, cases[i].query, range, WHOLE, arrays), cases[i].want, cases[i].query);
	ok(strstr(ask_of(arena, "{} | compare({ true })", range, WHOLE, arrays),
			  "{__meta_type=\"selection_total\", span.none=nil}: 1"),
	   "a value without a type counts, also when there are no others");
	arena_destroy(arena);
}

/* ---- quantiles ---- */

static void
test_quantiles(void)
{
	static const struct
	{
		bool seconds;
		uint32_t bucket[2];
		double count[2];
		double q;
		double want;
	} cases[] = {{true, {35, 36}, {4, 11}, .5, 44.20946926289348},
				 {true, {35, 36}, {8, 22}, .5, 42.83828931515888},
				 {true, {34, 35}, {4, 26}, .5, 23.03449508051292},
				 {true, {36, 1}, {10, 0}, .5, 48.592007999616804},
				 {true, {8, 9}, {2, 2}, .5, 0.000000256},
				 {true, {9, 1}, {1, 0}, 0, 0.000000512},
				 {true, {9, 1}, {1, 0}, 1, 0.000000512},
				 {false, {3, 5}, {1, 3}, 1, 32},
				 {false, {3, 5}, {1, 3}, 0, 8},
				 {false, {3, 5}, {0, 0}, .5, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		LeafPlan plan = {.seconds = cases[i].seconds};
		double counts[NBUCKETS] = {0};
		double got;

		for (int b = 0; b < 2; b++)
			counts[cases[i].bucket[b]] += cases[i].count[b];
		got = bucket_quantile(&plan, counts, cases[i].q);
		if (!ok(fabs(got - cases[i].want) <= 1e-13 * fabs(cases[i].want), "quantile %d", (int) i))
			printf("# got %.17g, want %.17g\n", got, cases[i].want);
	}
}

static void
test_buckets(void)
{
	static const struct
	{
		int64_t v;
		uint32_t bucket;
	} cases[] = {{INT64_MIN, 0}, {-1, 0}, {0, 0},     {1, 0},     {2, 1},         {3, 2},
				 {4, 2},         {5, 3},  {1024, 10}, {1025, 11}, {INT64_MAX, 63}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_i64(bucket_of(cases[i].v), cases[i].bucket, "bucket");
}

/* ---- time ---- */

static void
test_steps(void)
{
	static const struct
	{
		uint64_t range;
		uint64_t step_ms;
	} cases[] = {{59, 200},        {60, 1000},        {300, 1000},        {900, 3000},        {1800, 5000},
				 {3600, 15000},    {10800, 45000},    {21600, 60000},     {43200, 180000},    {86400, 300000},
				 {172800, 600000}, {604800, 2400000}, {1209600, 3600000}, {2592000, 10800000}};
	char name[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		snprintf(name, sizeof(name), "default step of %d s", (int) cases[i].range);
		is_i64(metrics_default_step(1, 1 + cases[i].range * SEC), cases[i].step_ms * MS, name);
	}
	is_i64(metrics_default_step(5, 6), 50 * MS, "default step of next to nothing");
}

static void
test_alignment(void)
{
	MetricsRange r;

	ok(metrics_align(100 * SEC, 160 * SEC, 30 * SEC, &r) && r.from == 60 * SEC && r.n == 4,
	   "100 .. 160 by 30");
	ok(metrics_align(1003 * SEC, 1007 * SEC, 10 * SEC, &r) && metrics_time(&r, 0) == 1000 * SEC && r.n == 2,
	   "1003 .. 1007 by 10");
	ok(metrics_align(1000 * SEC, 1010 * SEC, 10 * SEC, &r) && r.n == 2, "edges stay");
	ok(metrics_align(3, 5, 10, &r) && r.from == 0 && r.n == 1, "not before the epoch");
	ok(!metrics_align(5, 5, 10, &r) && !metrics_align(6, 5, 10, &r), "end not behind start");
	ok(!metrics_align(0, UINT64_MAX, 10, &r) && !metrics_align(0, 10, 0, &r), "no such range");
	ok(!metrics_align(0, UINT64_C(2000000) * SEC, SEC, &r), "too many intervals");
	ok(metrics_instant(5, 25, &r) && r.n == 1 && metrics_time(&r, 0) == 25, "instant");
	ok(!metrics_instant(5, 5, &r), "empty instant");
}

static void
test_instant(void)
{
	static const MetricCase cases[] = {{"{} | count_over_time()", "count_over_time: 6"},
									   {"{} | rate()", "rate: 0.2"}};
	MetricsRange range;

	ok(metrics_instant(1000 * SEC, 1030 * SEC, &range), "instant range");
	RUN(cases, range);
}

int
main(void)
{
	test_fixture();
	test_instant();
	test_compare();
	test_fifty();
	test_ties();
	test_arrays();
	test_quantiles();
	test_buckets();
	test_steps();
	test_alignment();
	return unit_done();
}
