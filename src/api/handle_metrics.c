/*
 * handle_metrics.c
 *	  /api/metrics/query_range and /api/metrics/query: parameters, defaults and limits of Tempo's, answered by
 *	  a TraceQL metrics query. Unlike Tempo's, nothing before now is cut off.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "api/handlers.h"
#include "api/json_write.h"
#include "api/metrics.h"
#include "traceql/timeline.h"

#define NS_PER_SECOND    UINT64CONST(1000000000)
#define DEFAULT_SINCE    (3600 * NS_PER_SECOND)
#define MAX_RANGE        (24 * 3600 * NS_PER_SECOND)
#define MAX_INTERVALS    10000
#define MAX_EXEMPLARS    100
#define POSTGRES_TO_UNIX (((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * USECS_PER_SEC)

typedef struct MetricsParams
{
	TimelineRequest request;
	uint64 max_series; /* 0: no limit */
} MetricsParams;

static uint64
unix_now(void)
{
	return (uint64) (GetCurrentTimestamp() + POSTGRES_TO_UNIX) * 1000;
}

static bool
read_query(ApiCall *call, MetricsParams *p)
{
	p->request.query = params_get(&call->params, "q");
	if (p->request.query.p == NULL)
		p->request.query = params_get(&call->params, "query");
	if (p->request.query.p == NULL)
		p->request.query = str_lit("");
	return api_check_query(call, p->request.query);
}

/* false: refused. */
static bool
read_time(ApiCall *call, const char *key, uint64 *ns)
{
	Str text = params_get(&call->params, key);

	if (text.p == NULL || metrics_read_time(text, ns))
		return true;
	api_refuse(call, 400, "invalid %s: \"%.*s\" is neither unix time nor RFC 3339", key,
			   (int) Min(text.len, 60), text.p);
	return false;
}

static bool
read_range(ApiCall *call, MetricsParams *p)
{
	Str since = params_get(&call->params, "since");
	int64 back = (int64) DEFAULT_SINCE;
	char limit[32];

	if (since.p != NULL && (!traceql_read_duration(since, &back) || back < 0))
	{
		api_refuse(call, 400, "invalid since: \"%.*s\" is not a duration such as 1h30m",
				   (int) Min(since.len, 60), since.p);
		return false;
	}
	p->request.has_start = p->request.has_end = true;
	p->request.end = unix_now();
	if (!read_time(call, "end", &p->request.end))
		return false;
	p->request.start = p->request.end - Min(p->request.end, (uint64) back);
	if (!read_time(call, "start", &p->request.start))
		return false;
	if (p->request.end <= p->request.start)
		api_refuse(call, 400, "end must be greater than start");
	else if (p->request.end - p->request.start > MAX_RANGE)
	{
		snprintf(limit, sizeof(limit), "%dh0m0s", (int) (MAX_RANGE / NS_PER_SECOND / 3600));
		api_refuse(call, 400, "metrics query time range exceeds the maximum allowed duration of %s", limit);
	}
	else
		return true;
	return false;
}

static char *
duration_text(ApiCall *call, uint64 ns)
{
	Buf text;

	buf_init(&text, call->arena, 32);
	traceql_print_duration((int64) ns, &text);
	buf_put_u8(&text, '\0');
	return (char *) text.p;
}

static bool
read_step(ApiCall *call, MetricsParams *p)
{
	uint64 range = p->request.end - p->request.start;
	Str text = params_get(&call->params, "step");
	int64 step = 0;

	if (text.p == NULL)
		return true;
	if (!metrics_read_step(text, &step))
		api_refuse(call, 400, "invalid step: \"%.*s\" is neither seconds nor a duration such as 1m30s",
				   (int) Min(text.len, 60), text.p);
	else if (step <= 0)
		api_refuse(call, 400, "step must be positive");
	else if (range / (uint64) step > MAX_INTERVALS)
		api_refuse(call, 400, "step of %s is too small, minimum step for given range is %s",
				   duration_text(call, (uint64) step), duration_text(call, range / MAX_INTERVALS));
	else
	{
		p->request.step = (uint64) step;
		return true;
	}
	return false;
}

static bool
read_counts(ApiCall *call, MetricsParams *p)
{
	uint64 exemplars = 0;
	Buf err;

	buf_init(&err, call->arena, 0);
	if (!params_u64(&call->params, "exemplars", PG_UINT32_MAX, &exemplars, &err) ||
		!params_u64(&call->params, "maxSeries", PG_UINT32_MAX, &p->max_series, &err))
	{
		api_refuse(call, 400, "%.*s", (int) err.len, err.p);
		return false;
	}
	p->request.exemplars = exemplars == 0 ? MAX_EXEMPLARS : (uint32) Min(exemplars, MAX_EXEMPLARS);
	return true;
}

static void
write_answer(const Timeline *timeline, const MetricsParams *p, Buf *out)
{
	const MetricsResult *result = timeline->result;
	ApiSearchMetrics metrics = {.read = timeline->read, .spans = timeline->counters.spans};
	bool partial = p->max_series > 0 && result->nseries >= p->max_series;
	uint32 n = partial ? (uint32) p->max_series : result->nseries;
	bool first = true;

	json_put_raw(out, "{\"series\":[");
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		json_put_comma(out, &first);
		metrics_write_series(&result->series[i], &result->range, p->request.instant, out);
	}
	buf_put_u8(out, ']');
	api_write_metrics(&metrics, out);
	if (partial)
	{
		json_put_raw(out,
					 ",\"status\":\"PARTIAL\",\"message\":\"the answer is partial: it has more series than "
					 "the limit of ");
		json_put_u64(out, p->max_series);
		json_put_raw(out, " that was asked for\"");
	}
	buf_put_u8(out, '}');
}

static void
answer(ApiCall *call, MetricsParams *p)
{
	Buf out;

	p->request.tenant = call->tenant;
	buf_init(&out, call->arena, 64 * 1024);
	write_answer(timeline_run(&p->request), p, &out);
	api_answer(call, API_JSON, &out);
}

void
handle_metrics_range(ApiCall *call)
{
	MetricsParams p = {0};

	if (read_query(call, &p) && read_range(call, &p) && read_step(call, &p) && read_counts(call, &p))
		answer(call, &p);
}

void
handle_metrics_instant(ApiCall *call)
{
	MetricsParams p = {.request.instant = true};

	if (read_query(call, &p) && read_range(call, &p) && read_counts(call, &p))
	{
		p.request.exemplars = 0;
		answer(call, &p);
	}
}
