/*
 * metrics_cases.h
 *	  Metrics queries over the fixture, asked from 1000 s to 1030 s by 10 s, and their series: name, then a
 *	  sample for each of four intervals, "-" where there is none; apart by " / ". "nothing" is no series.
 */
#ifndef TEMPO_METRICS_CASES_H
#define TEMPO_METRICS_CASES_H

typedef struct MetricCase
{
	const char *query;
	const char *want;
} MetricCase;

static const MetricCase range_cases[] = {
	{"{} | count_over_time()", "count_over_time: 1 6 0 0"},
	{"{} | rate()", "rate: 0.1 0.6 0 0"},
	{"{ false } | rate()", "rate: 0 0 0 0"},
	{"{ .missing = 1 } | rate() by (name)", "nothing"},
	{"{ kind = client } | count_over_time() by (resource.service.name)", "db: 0 2 0 0 / frontend: 0 1 0 0"},
	{"{ status = error } > { } | count_over_time()", "count_over_time: 0 3 0 0"},
	{"{} | count() > 7 | rate()", "rate: 0 0 0 0"},
	{"{} | count() > 6 | count_over_time()", "count_over_time: 1 6 0 0"},
	{"{} | max_over_time(duration)", "max_over_time: 1 0.5 - -"},
	{"{} | min_over_time(duration)", "min_over_time: 1 0.05 - -"},
	{"{} | sum_over_time(duration)", "sum_over_time: 1 1.35 - -"},
	{"{} | max_over_time(traceDuration)", "max_over_time: 1 1 - -"},
	{"{} | max_over_time(event:timeSinceStart)", "max_over_time: - 0.1 - -"},
	{"{} | min_over_time(span.http.status_code)", "min_over_time: 200 500 - -"},
	{"{} | sum_over_time(span.db.rows)", "sum_over_time: - 10 - -"},
	{"{} | avg_over_time(span.db.rows)", "avg_over_time: - 5 - -"},
	{"{} | sum_over_time(name)", "nothing"},
	{"{} | sum_over_time(span.tags)", "nothing"},
	{"{} | sum_over_time(event.attempt)", "sum_over_time: - 1 - -"},
	{"{} | avg_over_time(duration) > 300ms", "avg_over_time: 1 - - -"},
	{"{} | avg_over_time(duration)", "avg_over_time: 1 0.225 - -"},
	{"{} | histogram_over_time(duration)",
	 "0.067108864: 0 1 0 0 / 0.134217728: 0 2 0 0 / 0.268435456: 0 1 0 0 / 0.536870912: 0 2 0 0 / "
	 "1.073741824: 1 0 0 0"},
	{"{} | histogram_over_time(span.db.rows)", "16.0: 0 1 0 0"},
	{"{} | histogram_over_time(span.ratio)", "nothing"},
	{"{} | quantile_over_time(duration, .5)", "0.5: 1.073741824 0.134217728 0 0"},
	{"{} | quantile_over_time(duration, .75)", "0.75: 1.073741824 0.3796250625 0 0"},
	{"{} | quantile_over_time(duration, .5, .9)",
	 "0.5: 1.073741824 0.134217728 0 0 / 0.9: 1.073741824 0.536870912 0 0"},
	{"{} | count_over_time() by (span.cluster)", "nil: 1 5 0 0 / us: 0 1 0 0"},
	{"{} | count_over_time() by (span.cluster, resource.cluster)",
	 "eu: 1 3 0 0 / nil: 0 2 0 0 / {span.cluster=\"us\", resource.cluster=\"eu\"}: 0 1 0 0"},
	{"{} | count_over_time() by (.cluster)", "nil: 0 2 0 0 / eu: 1 3 0 0 / us: 0 1 0 0"},
	{"{} | count_over_time() by (span.http.status_code)",
	 "nil: 0 3 0 0 / 200: 1 0 0 0 / 500: 0 2 0 0 / 500: 0 1 0 0"},
	{"{} | count_over_time() by (span.beta)", "nil: 0 6 0 0 / true: 1 0 0 0"},
	{"{} | count_over_time() by (event:name)", ": 1 5 0 0 / exception: 0 1 0 0"},
	{"{} | count_over_time() by (event.type)", "nil: 1 5 0 0 / Timeout: 0 1 0 0"},
	{"{} | count_over_time() by (link.rel)", "nil: 1 5 0 0 / follows: 0 1 0 0"},
	{"{} | count_over_time() by (instrumentation:name)", ": 0 2 0 0 / otelgrpc: 0 2 0 0 / otelhttp: 1 2 0 0"},
	{"{} | count_over_time() by (rootName, rootServiceName)",
	 "{rootName=\"GET /shop\", rootServiceName=\"frontend\"}: 1 6 0 0"},
	{"{} | count_over_time() by (traceDuration)", "1s: 1 6 0 0"},
	{"{} | count_over_time() by (span:childCount)", "0: 0 4 0 0 / 1: 0 1 0 0 / 2: 1 1 0 0"},
	{"{} | count_over_time() by (kind, status) | topk(1)",
	 "{kind=client, status=error}: - - 0 0 / {kind=client, status=unset}: - 2 - - / "
	 "{kind=server, status=unset}: 1 - - -"},
	{"{} | quantile_over_time(duration, .5) by (span.db.rows)",
	 "0.5: 1.073741824 0.134217728 0 0 / {span.db.rows=0, p=0.5}: 0 0.268435456 0 0 / "
	 "{span.db.rows=10, p=0.5}: 0 0.134217728 0 0"},
	{"{} | count_over_time() by (status)", "error: 0 2 0 0 / ok: 0 1 0 0 / unset: 1 3 0 0"},
	{"{} | count_over_time() by (status) > 2", "unset: - 3 - -"},
	{"{} | count_over_time() by (status) = 0", "error: 0 - 0 0 / ok: 0 - 0 0 / unset: - - 0 0"},
	{"{} | count_over_time() by (status) | topk(1)", "error: - - 0 0 / unset: 1 3 - -"},
	{"{} | count_over_time() by (status) | bottomk(1)", "ok: 0 1 - - / unset: - - 0 0"},
	{"{} | count_over_time() by (status) | topk(3)", "error: 0 2 0 0 / ok: 0 1 0 0 / unset: 1 3 0 0"},
	{"{} | count_over_time() by (status) > 0 | topk(1)", "unset: 1 3 - -"},
	{"({ status = error } | count_over_time()) / ({} | count_over_time())",
	 "(count_over_time / count_over_time): 0 0.3333333333 - -"},
	{"({} | count_over_time() by (status)) / ({} | count_over_time())",
	 "error: 0 0.3333333333 - - / ok: 0 0.1666666667 - - / unset: 1 0.5 - -"},
	{"({} | rate() by (status)) / ({} | rate() by (kind))", "nothing"},
	{"({} | count_over_time() by (status, kind)) - ({} | count_over_time() by (kind, status))",
	 "{status=error, kind=client}: 0 0 0 0 / {status=error, kind=server}: 0 0 0 0 / {status=ok, "
	 "kind=internal}: 0 0 0 0 / {status=unset, kind=client}: 0 0 0 0 / {status=unset, kind=consumer}: 0 0 0 "
	 "0 / "
	 "{status=unset, kind=server}: 0 0 0 0"},
	{"100 - ({} | count_over_time())", "count_over_time: 99 94 100 100"},
	{"100/3 * ({} | count_over_time())", "count_over_time: 33 198 0 0"},
	{"({} | count_over_time()) * 2 > 3", "count_over_time: - 12 - -"},
	{"(({} | count_over_time()) + ({} | count_over_time())) / ({} | count_over_time())",
	 "((count_over_time + count_over_time) / count_over_time): 2 2 - -"},
	{"{} | by(name) | count_over_time()", "count_over_time: 1 6 0 0"},
	{"{} | by(1 / span.db.rows) | count_over_time()", "count_over_time: 1 5 0 0"},
	{"{} | select(name) | { kind = client } | count_over_time()", "count_over_time: 0 3 0 0"},
	{"{} | count_over_time() with(sample=0.1, exemplars=false)", "count_over_time: 1 6 0 0"},
	{"{ status = error }", "not a metrics query"},
};

#endif
