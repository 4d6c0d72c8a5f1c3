/*
 * test_reference.c
 *	  The reference evaluator of test/reference, which the engine is compared with, gives the answers of the
 *	  fixture that the engine's own tests have.
 */
#include "reference/ref.h"

#include "metrics_cases.h"
#include "traceql_cases.h"
#include "unit.h"
#include "verdict_cases.h"

#include <math.h>

#define SEC INT64_C(1000000000)

/* The fixture of traceql_fixture.h as requests: starts and ends in ms after 1000 s. */
#define SPAN(id, parent, name, kind, status, start, end, rest)                                               \
	"{\"traceId\":\"00000000000000000000000000000abc\",\"spanId\":\"000000000000000" id                      \
	"\",\"parentSpanId\":\"" parent "\",\"name\":\"" name "\",\"kind\":" kind ",\"status\":{" status         \
	"},\"startTimeUnixNano\":\"1000" start "000000\",\"endTimeUnixNano\":\"100" end "000000\"," rest "}"
#define STR(key, value)   "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INT(key, value)   "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define ATTRS(list)       "\"attributes\":[" list "]"
#define ARRAY(key, items) "{\"key\":\"" key "\",\"value\":{\"arrayValue\":{\"values\":[" items "]}}}"
#define ITEM(value)       "{\"stringValue\":\"" value "\"}"
#define REQUEST(resource, scope, spans)                                                                      \
	"{\"resourceSpans\":[{\"resource\":{" ATTRS(resource) "},\"scopeSpans\":[{\"scope\":{" scope             \
														  "},\"spans\":[" spans "]}]}]}"

static const char *const requests[] = {
	REQUEST(
		STR("service.name", "frontend") "," STR("cluster", "eu"),
		"\"name\":\"otelhttp\",\"version\":\"1.2.0\"",
		SPAN("1", "", "GET /shop", "2", "", "000", "1000",
			 ATTRS(INT("http.status_code", "200") "," STR(
				 "http.target",
				 "/shop") ","
						  "{\"key\":\"ratio\",\"value\":{\"doubleValue\":0."
						  "5}},"
						  "{\"key\":\"beta\",\"value\":{\"boolValue\":true}"
						  "}")) "," SPAN("2", "0000000000000001", "render", "1", "\"code\":1", "010", "0110",
										 ATTRS(STR("my key",
												   "v"))) "," SPAN("3",
																   "00000000000000"
																   "01",
																   "POST /cart", "3",
																   "\"code\":2,"
																   "\"message\":"
																   "\"boom\"",
																   "200", "0700",
																   ATTRS(INT(
																	   "http."
																	   "status_"
																	   "code",
																	   "500") "," STR("http.url",
																					  "http://api/cart")))),
	REQUEST(
		STR("service.name", "api") "," STR("cluster", "eu"), "\"name\":\"otelgrpc\",\"version\":\"0.9\"",
		SPAN(
			"4",
			"0000000000000003", "POST /cart", "2", "\"code\":2", "250", "0650",
			ATTRS(
				INT("http.status_code", "500") "," STR("http.target", "/cart") "," STR("cluster", "us") "," INT(
					"retries",
					"2") "," ARRAY("tags",
								   ITEM("a") "," ITEM("b") "," ITEM(
									   "c"))) ","
											  "\"events\":[{\"name\":\"exception\",\"timeUnixNano\":"
											  "\"1000350000000\"," ATTRS(STR("type", "Timeout") "," INT(
												  "attempt",
												  "1")) "},"
														"{\"name\":\"retry\",\"timeUnixNano\":"
														"\"1000450000000\"," ATTRS(INT(
															"attempt",
															"2")) "}]") "," SPAN("7", "00000000000000ff",
																				 "orphan", "5",
																				 "", "500", "0550",
																				 "\"links\":[{\"traceId\":"
																				 "\"0000000000000000000000000"
																				 "0000abc\",\"spanId\":"
																				 "\"0000000000000003\""
																				 "," ATTRS(
																					 STR("rel",
																						 "follows")) "}]")),
	REQUEST(STR("service.name", "db"), "",
			SPAN("5", "0000000000000004", "SELECT", "3", "", "300", "0400",
				 ATTRS(INT("db.rows", "10") "," STR("db.statement", "SELECT 1\\nFROM t") "," ARRAY(
					 "tags", ITEM("a")))) "," SPAN("6", "0000000000000004", "SELECT", "3", "", "420", "0620",
												   ATTRS(INT("db.rows", "0") "," STR("http.status_code",
																					 "500")))),
};

static void
load(Data *data)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ok(data_add_request(data, requests[i], strlen(requests[i])), "request %zu is OTLP/JSON", i);
	data_finish(data);
	ok(data->ntraces == 1 && data->nspans == 7, "one trace of seven spans");
}

/* ---- answers as the cases have them ---- */

static void
put_value(Out *out, const Val *v)
{
	if (v->type == T_STRING)
		out_fmt(out, "\"%.*s\"", (int) v->s.n, v->s.p);
	else
		out_text(out, print_expr(&(Expr){.kind = X_VALUE, .value = *v}));
}

static void
put_set(Out *out, const Spanset *s, int all)
{
	char letters[8] = {0};

	for (int i = 0; i < s->n; i++)
		letters[s->spans[i]->id - 1] = (char) ('A' + s->spans[i]->id - 1);
	if (s->n == all)
		out_fmt(out, "all");
	for (int i = 0, n = 0; i < 7 && s->n < all; i++)
		if (letters[i])
			out_fmt(out, n++ ? " %c" : "%c", letters[i]);
	for (int i = 0; i < s->nattrs; i++)
	{
		out_fmt(out, i ? ", " : " [");
		out_text(out, s->attrs[i].key);
		out_fmt(out, "=");
		put_value(out, &s->attrs[i].value);
	}
	out_fmt(out, s->nattrs ? "]" : "");
}

static Text
search_text(const Data *data, const char *text)
{
	bool error = false;
	Query query;
	Out out = {0};
	Spanset *sets;

	if (ref_parse(text_of(text), &query) != QUERY_VALID || !query.search)
		return text_of("refused");
	sets = run_search(query.search, data->traces[0], &error);
	for (const Spanset *s = sets; s; s = s->next)
	{
		put_set(&out, s, data->nspans);
		out_fmt(&out, s->next ? " / " : "");
	}
	return error ? text_of("error") : sets ? out_done(&out) : text_of("nothing");
}

static void
put_series(Out *out, const Series *s, int n)
{
	out_text(out, series_name(s));
	out_fmt(out, ":");
	for (int k = 0; k < n; k++)
		out_fmt(out, isnan(s->values[k]) ? " -" : " %.10g", s->values[k]);
}

static Text
metrics_text(const Data *data, const char *text)
{
	Query query;
	Result result;
	Out out = {0};

	if (ref_parse(text_of(text), &query) != QUERY_VALID || !query.metrics)
		return text_of("not a metrics query");
	if (!run_metrics(data, &query, range_intervals(1000 * SEC, 1030 * SEC, 10 * SEC), &result))
		return text_of("error");
	for (int i = 0; i < result.n; i++)
	{
		out_fmt(&out, i ? " / " : "");
		put_series(&out, &result.series[i], result.at.n);
	}
	return result.n ? out_done(&out) : text_of("nothing");
}

/* ---- in any order ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The parts between " / " in order. */
static const char *
ordered(const char *text)
{
	char *copy = (char *) text_copy(text, strlen(text)).p;
	char *parts[64];
	Out out = {0};
	int n = 0;

	for (char *p = copy; p && n < 64;)
	{
		char *next = strstr(p, " / ");

		parts[n++] = p;
		if (next)
			*next = 0;
		p = next ? next + 3 : NULL;
	}
	qsort(parts, (size_t) n, sizeof(char *), by_text);
	for (int i = 0; i < n; i++)
		out_fmt(&out, i ? " / %s" : "%s", parts[i]);
	return out_done(&out).p;
}

static void
check(Text got, const char *want, const char *query)
{
	bool same = strcmp(ordered(got.p), ordered(want)) == 0;

	ok(same, "%s", query);
	if (!same)
		printf("# got \"%s\", want \"%s\"\n", got.p, want);
}

static void
run_cases(const Data *data, const Case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		/* a pattern that the engine gives up on */
		if (strcmp(cases[i].want, "error") != 0 || !strstr(cases[i].query, "=~"))
			check(search_text(data, cases[i].query), cases[i].want, cases[i].query);
}

#define RUN(data, cases) run_cases(data, cases, sizeof(cases) / sizeof(cases[0]))

static void
test_verdicts(void)
{
	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++)
	{
		CaseVerdict case_verdict = verdict_cases[i].verdict;
		Verdict want = case_verdict == VALID         ? QUERY_VALID
					   : case_verdict == UNSUPPORTED ? QUERY_UNSUPPORTED
													 : QUERY_BAD;
		Query query;

		ok(ref_parse(text_of(verdict_cases[i].query), &query) == want, "%s", verdict_cases[i].query);
	}
}

int
main(void)
{
	Data data = {0};

	test_verdicts();
	load(&data);
	RUN(&data, filter_cases);
	RUN(&data, structure_cases);
	RUN(&data, pipeline_cases);
	for (size_t i = 0; i < sizeof(range_cases) / sizeof(range_cases[0]); i++)
		check(metrics_text(&data, range_cases[i].query), range_cases[i].want, range_cases[i].query);
	return unit_done();
}
