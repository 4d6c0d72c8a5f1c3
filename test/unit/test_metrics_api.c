/*
 * test_metrics_api.c
 *	  Times and steps as the metrics endpoints take them, and series as JSON.
 */
#include "api/metrics.h"
#include "unit.h"

#include <math.h>

#define SECOND UINT64_C(1000000000)

static void
test_times(void)
{
	static const struct
	{
		const char *text;
		uint64_t want; /* 0: refused */
	} cases[] = {{"1700000000", 1700000000 * SECOND},
				 {"5", 5 * SECOND},
				 {"1700000000123456789", UINT64_C(1700000000123456789)},
				 {"17000000001", UINT64_C(17000000001)},
				 {"1700000000.5", 1700000000 * SECOND + SECOND / 2},
				 {"1700000000.1239", 1700000000 * SECOND + 123000000},
				 {"2023-11-14T22:13:20Z", 1700000000 * SECOND},
				 {"2023-11-14t22:13:20z", 1700000000 * SECOND},
				 {"2023-11-14T22:13:20.000000001Z", 1700000000 * SECOND + 1},
				 {"2023-11-14T22:13:20.5Z", 1700000000 * SECOND + SECOND / 2},
				 {"2023-11-15T00:13:20+02:00", 1700000000 * SECOND},
				 {"2023-11-14T14:43:20-07:30", 1700000000 * SECOND},
				 {"2024-02-29T00:00:00Z", UINT64_C(1709164800) * SECOND},
				 {"2000-03-01T00:00:00Z", UINT64_C(951868800) * SECOND},
				 {"1970-01-01T00:00:01Z", SECOND},
				 {"1969-12-31T23:59:59Z", 0},
				 {"2023-13-14T22:13:20Z", 0},
				 {"2023-00-14T22:13:20Z", 0},
				 {"2023-11-14T24:13:20Z", 0},
				 {"2023-11-14T22:13:20", 0},
				 {"2023-11-14", 0},
				 {"9999-12-31T23:59:59Z", 0},
				 {"-5", 0},
				 {"1.2.3", 0},
				 {".", 0},
				 {"18446744073709551616", 0},
				 {"9999999999", UINT64_C(9999999999) * SECOND},
				 {"yesterday", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint64_t ns = 0;
		bool read = metrics_read_time(str_lit(cases[i].text), &ns);

		is_i64(read ? ns : 0, cases[i].want, cases[i].text);
	}
}

static void
test_step_texts(void)
{
	static const struct
	{
		const char *text;
		int64_t want; /* 0: refused */
	} cases[] = {{"60", 60 * (int64_t) SECOND},
				 {"0.5", SECOND / 2},
				 {"1m30s", 90 * (int64_t) SECOND},
				 {"250ms", 250000000},
				 {"-5s", -5 * (int64_t) SECOND},
				 {"-5", -5 * (int64_t) SECOND},
				 {"5 s", 0},
				 {"99999999999999999999", 0},
				 {"x", 0},
				 {"-", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		int64_t ns = 0;
		bool read = metrics_read_step(str_lit(cases[i].text), &ns);

		is_i64(read ? ns : 0, cases[i].want, cases[i].text);
	}
}

static void
is_json(const MetricsSeries *s, bool instant, const char *want, const char *name)
{
	Arena *arena = arena_create(NULL, 0);
	MetricsRange range = {10 * SECOND, 5 * SECOND, 3};
	Buf out;

	buf_init(&out, arena, 256);
	metrics_write_series(s, &range, instant, &out);
	buf_put_u8(&out, 0);
	is_str((char *) out.p, want, name);
	arena_destroy(arena);
}

static void
test_json(void)
{
	MetricsLabel labels[] = {{str_lit("a\"b"), {.type = EVAL_STRING, .s = {"x\ny", 3}}},
							 {str_lit("i"), {.type = EVAL_INT, .i = INT64_C(9007199254740993)}},
							 {str_lit("d"), {.type = EVAL_FLOAT, .d = 0.5}},
							 {str_lit("b"), {.type = EVAL_BOOL, .b = false}},
							 {str_lit("t"), {.type = EVAL_DURATION, .i = 1500000}},
							 {str_lit("status"), {.type = EVAL_STATUS, .i = 2}},
							 {str_lit("n"), {.type = EVAL_NIL}}};
	double values[] = {0, NAN, INFINITY};
	MetricsExemplar exemplar = {.time = 12 * SECOND + 345678901,
								.value = 2.5,
								.trace_id = {[14] = 0x0a, [15] = 0xbc},
								.nlabels = 1,
								.labels = &labels[2]};
	MetricsExemplar without = {.time = 12 * SECOND, .value = NAN};
	MetricsExemplar both[] = {without, exemplar};
	MetricsSeries s = {.nlabels = 7, .labels = labels, .values = values};

	is_json(&s, false,
			"{\"labels\":[{\"key\":\"a\\\"b\",\"value\":{\"stringValue\":\"x\\ny\"}},"
			"{\"key\":\"i\",\"value\":{\"intValue\":\"9007199254740993\"}},"
			"{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"b\",\"value\":{\"boolValue\":false}},"
			"{\"key\":\"t\",\"value\":{\"stringValue\":\"1.5ms\"}},"
			"{\"key\":\"status\",\"value\":{\"stringValue\":\"error\"}},"
			"{\"key\":\"n\",\"value\":{\"stringValue\":\"nil\"}}],"
			"\"samples\":[{\"timestampMs\":\"15000\"},{\"timestampMs\":\"25000\",\"value\":\"Infinity\"}]}",
			"labels, samples");
	s = (MetricsSeries){.values = values, .nexemplars = 2, .exemplars = both};
	is_json(&s, false,
			"{\"labels\":[],\"samples\":[{\"timestampMs\":\"15000\"},{\"timestampMs\":\"25000\",\"value\":"
			"\"Infinity\"}],\"exemplars\":[{\"labels\":[{\"key\":\"trace:id\",\"value\":{\"stringValue\":"
			"\"abc\"}},"
			"{\"key\":\"d\",\"value\":{\"doubleValue\":0.5}}],\"timestampMs\":\"12345\",\"value\":2.5}]}",
			"exemplars");
	is_json(&s, true, "{\"labels\":[]}", "instant, zero");
	values[0] = 12.5;
	is_json(&s, true, "{\"labels\":[],\"value\":12.5}", "instant");
}

int
main(void)
{
	test_times();
	test_step_texts();
	test_json();
	return unit_done();
}
