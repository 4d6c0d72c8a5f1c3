/*
 * api.c
 *	  The routes of the query API, and what their handlers share.
 */
#include "postgres.h"

#include "store/store.h"
#include "utils/timestamp.h"

#include "api/api.h"
#include "api/handlers.h"
#include "api/json_write.h"

#define MAX_QUERY_BYTES (128 * 1024)

typedef struct Route
{
	const char *path; /* a * at the end stands for the rest of the path, the argument */
	void (*handle)(ApiCall *call);
} Route;

/* Versions of Grafana up to 12 read the version to know what they may ask for. */
static void
handle_buildinfo(ApiCall *call)
{
	appendStringInfoString(&call->res->body, "{\"version\":\"3.0.3\",\"revision\":\"\",\"branch\":\"\","
											 "\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}");
}

static const Route routes[] = {{"/api/search", handle_search},
							   {"/api/metrics/query_range", handle_metrics_range},
							   {"/api/metrics/query", handle_metrics_instant},
							   {"/api/v2/traces/*", handle_trace_v2},
							   {"/api/traces/*", handle_trace_v1},
							   {"/api/search/tags", handle_tags_v1},
							   {"/api/v2/search/tags", handle_tags_v2},
							   {"/api/search/tag/*", handle_tag_values_v1},
							   {"/api/v2/search/tag/*", handle_tag_values_v2},
							   {"/api/status/buildinfo", handle_buildinfo}};

/* Routes of Tempo that exist but are not answered here yet: said by name, so that nobody suspects a typo. */
static const char *const later[] = {"/api/overrides", "/api/mcp"};

void
api_refuse(ApiCall *call, int status, const char *fmt, ...)
{
	int missing = 1;

	call->res->status = status;
	call->res->content_type = API_TEXT;
	resetStringInfo(&call->res->body);
	while (missing > 0)
	{
		va_list args;

		va_start(args, fmt);
		missing = appendStringInfoVA(&call->res->body, fmt, args);
		va_end(args);
		if (missing > 0)
			enlargeStringInfo(&call->res->body, missing);
	}
}

void
api_answer(ApiCall *call, const char *content_type, const Buf *body)
{
	call->res->content_type = content_type;
	appendBinaryStringInfo(&call->res->body, (const char *) body->p, (int) body->len);
}

bool
api_wants_protobuf(const ApiCall *call)
{
	return strstr(call->req->accept, API_PROTOBUF) != NULL;
}

bool
api_time_range(ApiCall *call, bool *given, uint64 *start, uint64 *end)
{
	Buf err;

	*start = *end = 0;
	*given = params_has(&call->params, "start") || params_has(&call->params, "end");
	buf_init(&err, call->arena, 0);
	if (!params_u64(&call->params, "start", PG_UINT32_MAX, start, &err) ||
		!params_u64(&call->params, "end", PG_UINT32_MAX, end, &err))
		api_refuse(call, 400, "%.*s", (int) err.len, err.p);
	else if (*given && *end <= *start)
		api_refuse(call, 400,
				   "http parameter start must be before end. received start=" UINT64_FORMAT
				   " end=" UINT64_FORMAT,
				   *start, *end);
	else
		return true;
	return false;
}

uint64
api_unix_now(void)
{
	return (uint64) (GetCurrentTimestamp() / USECS_PER_SEC +
					 (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY);
}

bool
api_check_query(ApiCall *call, Str query)
{
	if (query.len <= MAX_QUERY_BYTES)
		return true;
	api_refuse(call, 400, "TraceQL expression exceeds the configured maximum size of %d bytes: it has %u",
			   MAX_QUERY_BYTES, query.len);
	return false;
}

/* The fields that strict clients know. */
void
api_write_metrics(const ApiSearchMetrics *m, Buf *out)
{
	bool first = true;

	json_put_raw(out, ",\"metrics\":{");
	if (m->traces > 0)
	{
		json_put_key(out, &first, "inspectedTraces");
		json_put_u64(out, Min(m->traces, PG_UINT32_MAX));
	}
	if (m->read.bytes_read > 0)
	{
		json_put_key(out, &first, "inspectedBytes");
		json_put_quoted_u64(out, m->read.bytes_read);
	}
	if (m->read.segments + m->read.recent > 0)
	{
		json_put_key(out, &first, "totalBlocks");
		json_put_u64(out, m->read.segments + m->read.recent);
	}
	json_put_key(out, &first, "completedJobs");
	json_put_raw(out, "1");
	json_put_key(out, &first, "totalJobs");
	json_put_raw(out, "1");
	if (m->spans > 0)
	{
		json_put_key(out, &first, "inspectedSpans");
		json_put_quoted_u64(out, m->spans);
	}
	buf_put_u8(out, '}');
}

/* Tenant names as Tempo allows them. */
static bool
read_tenant(ApiCall *call)
{
	const char *tenant = call->req->tenant;

	call->tenant = pstrdup(tenant[0] != '\0' ? tenant : "single-tenant");
	if (strchr(tenant, '|') != NULL)
		api_refuse(call, 501, "queries over several tenants are not supported: X-Scope-OrgID must name one");
	else if (strlen(tenant) > 150 || strcmp(tenant, ".") == 0 || strcmp(tenant, "..") == 0 ||
			 tenant[strspn(tenant,
						   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!-_.*'()")] != '\0')
		api_refuse(call, 400,
				   "X-Scope-OrgID is not a valid tenant: 1 to 150 letters, digits or characters of !-_.*'()");
	else
		return true;
	return false;
}

/* Does the path match? Sets the argument, decoded; false in *ok when it cannot be. */
static bool
route_matches(const Route *route, ApiCall *call, bool *ok)
{
	size_t n = strlen(route->path);
	const char *path = call->req->path;

	*ok = true;
	if (route->path[n - 1] != '*')
		return strcmp(path, route->path) == 0;
	if (strncmp(path, route->path, n - 1) != 0 || path[n - 1] == '\0')
		return false;
	*ok = params_decode(call->arena, str_lit(path + n - 1), false, &call->argument);
	return true;
}

static void
refuse_unknown(ApiCall *call)
{
	for (int i = 0; i < lengthof(later); i++)
		if (strncmp(call->req->path, later[i], strlen(later[i])) == 0)
		{
			api_refuse(call, 501, "%s is not supported by this version of tempo", call->req->path);
			return;
		}
	api_refuse(call, 404, "unknown route %s", call->req->path);
}

void
api_handle(const ApiRequest *req, ApiResponse *res)
{
	ApiCall call = {.req = req, .res = res, .arena = store_arena(CurrentMemoryContext)};
	bool ok = true;

	for (int i = 0; i < lengthof(routes); i++)
		if (route_matches(&routes[i], &call, &ok))
		{
			if (!ok || !params_parse(call.arena, str_lit(req->query), &call.params))
				api_refuse(&call, 400, "invalid URL escape");
			else if (read_tenant(&call))
				routes[i].handle(&call);
			return;
		}
	refuse_unknown(&call);
}
