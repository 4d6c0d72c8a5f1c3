/*
 * handle_search.c
 *	  /api/search: parameters, defaults and limits of Tempo's, answered by a TraceQL search.
 *
 * Unlike Tempo's, the answer holds the newest traces that match, and nothing before now is cut off.
 */
#include "postgres.h"

#include "api/handlers.h"
#include "api/json_write.h"
#include "api/search.h"
#include "ingest/wire.h"
#include "traceql/search.h"

#define NS_PER_SECOND UINT64CONST(1000000000)
#define DEFAULT_LIMIT 20
#define MAX_LIMIT     262144
#define DEFAULT_SPSS  3
#define MAX_SPSS      100
#define MAX_RANGE     (168 * 3600)

typedef struct SearchParams
{
	Str query;
	bool trace_only;
	uint64 limit;
	uint64 spss;
	uint64 start; /* unix seconds */
	uint64 end;   /* 0: no end */
} SearchParams;

static bool
refuse_text(ApiCall *call, const Buf *err)
{
	api_refuse(call, 400, "%.*s", (int) err->len, err->p);
	return false;
}

static bool
read_limits(ApiCall *call, SearchParams *p)
{
	Buf err;

	buf_init(&err, call->arena, 0);
	p->limit = DEFAULT_LIMIT;
	p->spss = DEFAULT_SPSS;
	if (!params_u64(&call->params, "limit", PG_UINT32_MAX, &p->limit, &err) ||
		!params_u64(&call->params, "spss", PG_UINT32_MAX, &p->spss, &err))
		return refuse_text(call, &err);
	if (p->limit == 0)
		api_refuse(call, 400, "invalid limit: must be a positive number");
	else if (p->limit > MAX_LIMIT)
		api_refuse(call, 400, "limit " UINT64_FORMAT " exceeds max limit %d", p->limit, MAX_LIMIT);
	else if (p->spss > MAX_SPSS)
		api_refuse(call, 400, "spans per span set exceeds %d. received " UINT64_FORMAT, MAX_SPSS, p->spss);
	else
		return true;
	return false;
}

/* A duration parameter in ns; absent leaves *ns alone. */
static bool
read_duration(ApiCall *call, const char *key, int64 *ns)
{
	Str text = params_get(&call->params, key);

	if (text.p == NULL || (traceql_read_duration(text, ns) && *ns >= 0))
		return true;
	api_refuse(call, 400, "invalid %s: \"%.*s\" is not a duration such as 1h30m", key,
			   (int) Min(text.len, 60), text.p);
	return false;
}

static bool
read_range(ApiCall *call, SearchParams *p)
{
	int64 since = 0;
	bool given;

	if (!read_duration(call, "since", &since))
		return false;
	if (since > 0)
	{
		p->start = api_unix_now() - Min(api_unix_now(), (uint64) since / NS_PER_SECOND);
		p->end = 0;
		return true;
	}
	if (!api_time_range(call, &given, &p->start, &p->end))
		return false;
	if (!given)
		p->start = api_unix_now() - API_DEFAULT_SECONDS;
	else if (p->end - p->start > MAX_RANGE)
	{
		api_refuse(call, 400,
				   "range specified by start and end exceeds 168h0m0s. received start=" UINT64_FORMAT
				   " end=" UINT64_FORMAT,
				   p->start, p->end);
		return false;
	}
	return true;
}

/* Very old clients name tags as parameters of their own. */
static QueryParams
bare_tags(ApiCall *call)
{
	static const char *const known[] = {"limit",       "spss",        "since",
										"minDuration", "maxDuration", "skip_ast_transformations"};
	QueryParams tags = {.arena = call->arena};

	tags.items = arena_alloc(call->arena, sizeof(QueryParam) * (call->params.n + 1));
	for (uint32 i = 0; i < call->params.n; i++)
	{
		bool is_known = call->params.items[i].value.len == 0;

		for (int k = 0; k < lengthof(known); k++)
			is_known |= str_eq(call->params.items[i].key, str_lit(known[k]));
		if (!is_known)
			tags.items[tags.n++] = call->params.items[i];
	}
	return tags;
}

static bool
read_tags(ApiCall *call, SearchParams *p)
{
	QueryParams tags = {.arena = call->arena};
	int64 min_duration = 0;
	int64 max_duration = 0;
	Buf text;

	buf_init(&text, call->arena, 256);
	if (!read_duration(call, "minDuration", &min_duration) ||
		!read_duration(call, "maxDuration", &max_duration))
		return false;
	if (max_duration > 0 && max_duration < min_duration)
	{
		api_refuse(call, 400, "invalid maxDuration: it must not be less than minDuration");
		return false;
	}
	if (params_has(&call->params, "tags"))
	{
		if (!parse_logfmt(call->arena, params_get(&call->params, "tags"), &tags, &text))
			return refuse_text(call, &text);
	}
	else if (!params_has(&call->params, "start") && !params_has(&call->params, "end"))
		tags = bare_tags(call);
	search_tags_query(&tags, min_duration, max_duration, &text);
	p->query = str_of((char *) text.p, text.len);
	p->trace_only = true;
	return true;
}

static bool
read_query(ApiCall *call, SearchParams *p)
{
	p->query = params_get(&call->params, "q");
	if (p->query.p == NULL)
		return read_tags(call, p);
	if (params_has(&call->params, "tags"))
		api_refuse(call, 400, "invalid request: can't specify tags and q in the same query");
	else
		return api_check_query(call, p->query);
	return false;
}

/* SearchMetrics in protobuf, field 2 of the response. */
static void
write_metrics_pb(const TraceqlSearchCounters *c, Buf *out)
{
	size_t at = wire_open(out, 2);

	wire_put_varint(out, 1, (int64) Min(c->traces_inspected, PG_UINT32_MAX));
	wire_put_varint(out, 2, (int64) c->read.bytes_read);
	wire_put_varint(out, 3, (int64) (c->read.segments + c->read.recent));
	wire_put_varint(out, 4, 1);
	wire_put_varint(out, 5, 1);
	wire_put_varint(out, 7, (int64) c->spans_inspected);
	wire_close(out, at);
}

static TraceqlSearch *
begin_search(ApiCall *call, const SearchParams *p)
{
	TraceqlRequest request = {.query = p->query,
							  .allow_metrics = true,
							  .tenant = call->tenant,
							  .has_from = true,
							  .has_to = p->end > 0,
							  .from = (int64) (p->start * NS_PER_SECOND),
							  .to = (int64) (p->end * NS_PER_SECOND),
							  .max_traces = (uint32) p->limit,
							  .max_spans = p->spss > 0 ? (uint32) p->spss : DEFAULT_SPSS,
							  .services = true};

	return traceql_search_begin(&request);
}

static void
write_json(TraceqlSearch *search, bool trace_only, Buf *out)
{
	bool name_known = traceql_search_facts(search)->name_known;
	TraceqlSearchCounters counters;
	ApiSearchMetrics metrics;
	const MatchTrace *trace;
	bool first = true;

	json_put_raw(out, "{\"traces\":[");
	while ((trace = traceql_search_next(search)) != NULL)
	{
		json_put_comma(out, &first);
		search_write_trace(trace, name_known, trace_only, out);
	}
	buf_put_u8(out, ']');
	counters = traceql_search_counters(search);
	metrics = (ApiSearchMetrics){counters.read, counters.traces_inspected, counters.spans_inspected};
	api_write_metrics(&metrics, out);
	buf_put_u8(out, '}');
}

static void
write_pb(TraceqlSearch *search, bool trace_only, Buf *out)
{
	bool name_known = traceql_search_facts(search)->name_known;
	TraceqlSearchCounters counters;
	const MatchTrace *trace;

	while ((trace = traceql_search_next(search)) != NULL)
		search_write_trace_pb(trace, name_known, trace_only, out);
	counters = traceql_search_counters(search);
	write_metrics_pb(&counters, out);
}

void
handle_search(ApiCall *call)
{
	SearchParams p = {0};
	TraceqlSearch *search;
	Buf out;

	if (!read_query(call, &p) || !read_limits(call, &p) || !read_range(call, &p))
		return;
	buf_init(&out, call->arena, 64 * 1024);
	search = begin_search(call, &p);
	if (api_wants_protobuf(call))
		write_pb(search, p.trace_only, &out);
	else
		write_json(search, p.trace_only, &out);
	traceql_search_end(search);
	api_answer(call, api_wants_protobuf(call) ? API_PROTOBUF : API_JSON, &out);
}
