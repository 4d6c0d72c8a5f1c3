/*
 * handle_tags.c
 *	  /api/search/tags, /api/search/tag/NAME/values and their second versions, which know scopes and types.
 *
 * Like searches, they look at the last 15 minutes and whatever is later unless start and end say otherwise.
 */
#include "postgres.h"

#include "store/store.h"

#include "api/handlers.h"
#include "api/json_write.h"
#include "ingest/wire.h"
#include "traceql/lang/tolerant.h"
#include "traceql/tag_search.h"

#define NS_PER_SECOND    UINT64CONST(1000000000)
#define MAX_QUERY_BYTES  (128 * 1024)
#define MAX_VALUES_BYTES 1000000 /* of values as text; what is beyond is left out without a word */
#define API_LLM          "application/vnd.grafana.llm"

/* ---- parameters ---- */

static bool
read_range(ApiCall *call, TagRequest *request)
{
	uint64 start;
	uint64 end;
	bool given;

	if (!api_time_range(call, &given, &start, &end))
		return false;
	request->has_from = true;
	request->has_to = given;
	request->from = (int64) ((given ? start : api_unix_now() - API_DEFAULT_SECONDS) * NS_PER_SECOND);
	request->to = (int64) (end * NS_PER_SECOND);
	return true;
}

static bool
read_request(ApiCall *call, bool filtered, TagRequest *request)
{
	uint64 limit = 0;
	uint64 stale = 0;
	Buf err;

	memset(request, 0, sizeof(*request));
	buf_init(&err, call->arena, 0);
	if (filtered)
		request->filter = params_get(&call->params, "q");
	if (request->filter.len > MAX_QUERY_BYTES)
		api_refuse(call, 400, "TraceQL expression exceeds the configured maximum size of %d bytes: it has %u",
				   MAX_QUERY_BYTES, request->filter.len);
	/* maxStaleValues bounds the work of Tempo's queriers; here there is nothing to bound. */
	else if (!params_u64(&call->params, "limit", PG_UINT32_MAX, &limit, &err) ||
			 !params_u64(&call->params, "maxStaleValues", PG_UINT32_MAX, &stale, &err))
		api_refuse(call, 400, "%.*s", (int) err.len, err.p);
	else if (read_range(call, request))
	{
		request->tenant = call->tenant;
		request->limit = (uint32) limit;
		return true;
	}
	return false;
}

/* Bits by TagScope; of everything when there is no such parameter. */
static bool
read_scopes(ApiCall *call, uint32 *scopes)
{
	Str name = params_get(&call->params, "scope");
	TagScope scope;

	*scopes = TAGS_ALL;
	if (name.p == NULL)
		return true;
	if (!tag_scope_read(name, &scope))
	{
		api_refuse(
			call, 400,
			"invalid scope: %.*s; it must be span, resource, event, link, instrumentation or intrinsic",
			(int) Min(name.len, 60), name.p);
		return false;
	}
	*scopes = 1u << scope;
	return true;
}

/* The tag in /api/search/tag/NAME/values; what the route's * stands for ends in /values. */
static bool
read_tag(ApiCall *call, Str *tag)
{
	static const char tail[] = "/values";
	uint32 n = sizeof(tail) - 1;

	*tag = call->argument;
	if (tag->len > n && memcmp(tag->p + tag->len - n, tail, n) == 0)
	{
		tag->len -= n;
		return true;
	}
	api_refuse(call, 404, "unknown route %s", call->req->path);
	return false;
}

/* ---- metrics ---- */

static void
write_metrics(const TagCounters *c, Buf *out)
{
	bool first = true;

	json_put_raw(out, ",\"metrics\":{");
	if (c->bytes_read > 0)
	{
		json_put_key(out, &first, "inspectedBytes");
		json_put_quoted_u64(out, c->bytes_read);
	}
	json_put_key(out, &first, "totalJobs");
	json_put_u64(out, 1);
	json_put_key(out, &first, "completedJobs");
	json_put_u64(out, 1);
	if (c->units > 0)
	{
		json_put_key(out, &first, "totalBlocks");
		json_put_u64(out, Min(c->units, PG_UINT32_MAX));
	}
	json_put_raw(out, "}}");
}

static void
write_metrics_pb(const TagCounters *c, Buf *out)
{
	size_t at = wire_open(out, 2);

	wire_put_varint(out, 1, (int64) c->bytes_read);
	wire_put_varint(out, 2, 1);
	wire_put_varint(out, 3, 1);
	wire_put_varint(out, 4, (int64) Min(c->units, PG_UINT32_MAX));
	wire_close(out, at);
}

/* ---- names ---- */

/* Names of a scope as one set, the list of intrinsics included; NULL: not asked for. */
static TagSet *
scope_names(ApiCall *call, const TagNames *names, uint32 scopes, TagScope scope, uint32 limit)
{
	TagSet *set;

	if (scope != TAGS_INTRINSIC || !(scopes & 1u << TAGS_INTRINSIC))
		return scope != TAGS_INTRINSIC ? tag_names_set(names, scope) : NULL;
	set = tag_set_create(call->arena, limit, 0);
	for (uint32 i = 0; tag_intrinsic(i); i++)
		tag_set_add_string(set, str_lit(tag_intrinsic(i)));
	tag_set_sort(set);
	return set;
}

/* Names of all scopes asked for, each once. */
static TagSet *
names_without_scope(ApiCall *call, const TagNames *names, uint32 scopes, uint32 limit)
{
	TagSet *all = tag_set_create(call->arena, 0, 0);

	for (TagScope scope = 0; scope <= TAGS_INTRINSIC; scope++)
	{
		TagSet *set = scope_names(call, names, scopes, scope, limit);

		for (uint64 i = 0; set && i < tag_set_count(set); i++)
			tag_set_add_string(all, tag_set_value(set, i).s);
	}
	tag_set_sort(all);
	return all;
}

static void
write_names(const TagSet *set, Buf *out)
{
	bool first = true;

	buf_put_u8(out, '[');
	for (uint64 i = 0; i < tag_set_count(set); i++)
	{
		json_put_comma(out, &first);
		json_put_string(out, tag_set_value(set, i).s);
	}
	buf_put_u8(out, ']');
}

static void
write_names_pb(const TagSet *set, uint32 number, Buf *out)
{
	for (uint64 i = 0; i < tag_set_count(set); i++)
		wire_put_bytes_always(out, number, tag_set_value(set, i).s);
}

void
handle_tags_v1(ApiCall *call)
{
	TagRequest request;
	TagCounters counters;
	TagNames *names;
	TagSet *all;
	uint32 scopes;
	Buf out;

	if (!read_request(call, false, &request) || !read_scopes(call, &scopes))
		return;
	if (scopes == TAGS_ALL)
		scopes &= ~(1u << TAGS_INTRINSIC);
	names = tag_search_names(&request, scopes, &counters);
	all = names_without_scope(call, names, scopes, request.limit);
	buf_init(&out, call->arena, 4096);
	if (api_wants_protobuf(call))
	{
		write_names_pb(all, 1, &out);
		write_metrics_pb(&counters, &out);
		api_answer(call, API_PROTOBUF, &out);
		return;
	}
	json_put_raw(&out, "{\"tagNames\":");
	write_names(all, &out);
	write_metrics(&counters, &out);
	api_answer(call, API_JSON, &out);
}

static void
write_scope(TagScope scope, const TagSet *set, bool *first, Buf *out)
{
	json_put_comma(out, first);
	json_put_raw(out, "{\"name\":");
	json_put_string(out, str_lit(tag_scope_name(scope)));
	json_put_raw(out, ",\"tags\":");
	write_names(set, out);
	buf_put_u8(out, '}');
}

static void
write_scope_pb(TagScope scope, const TagSet *set, Buf *out)
{
	size_t at = wire_open(out, 1);

	wire_put_bytes(out, 1, str_lit(tag_scope_name(scope)));
	write_names_pb(set, 2, out);
	wire_close(out, at);
}

void
handle_tags_v2(ApiCall *call)
{
	bool pb = api_wants_protobuf(call);
	TagRequest request;
	TagCounters counters;
	TagNames *names;
	bool first = true;
	uint32 scopes;
	Buf out;

	if (!read_request(call, true, &request) || !read_scopes(call, &scopes))
		return;
	names = tag_search_names(&request, scopes, &counters);
	buf_init(&out, call->arena, 4096);
	if (!pb)
		json_put_raw(&out, "{\"scopes\":[");
	for (TagScope scope = 0; scope <= TAGS_INTRINSIC; scope++)
	{
		TagSet *set = scope_names(call, names, scopes, scope, request.limit);

		if (!set || tag_set_count(set) == 0)
			continue;
		if (pb)
			write_scope_pb(scope, set, &out);
		else
			write_scope(scope, set, &first, &out);
	}
	if (pb)
		write_metrics_pb(&counters, &out);
	else
	{
		buf_put_u8(&out, ']');
		write_metrics(&counters, &out);
	}
	api_answer(call, pb ? API_PROTOBUF : API_JSON, &out);
}

/* ---- values ---- */

static Str
value_text(const TagValue *v, Buf *text)
{
	text->len = 0;
	tag_value_print(v, text);
	return str_of((char *) text->p, text->len);
}

static void
answer_values_v1(ApiCall *call, const TagSet *set, const TagCounters *counters)
{
	bool pb = api_wants_protobuf(call);
	bool first = true;
	Buf out;
	Buf text;

	buf_init(&out, call->arena, 4096);
	buf_init(&text, call->arena, 256);
	if (!pb)
		json_put_raw(&out, "{\"tagValues\":[");
	for (uint64 i = 0; i < tag_set_count(set); i++)
	{
		TagValue v = tag_set_value(set, i);

		if (pb)
			wire_put_bytes_always(&out, 1, value_text(&v, &text));
		else
		{
			json_put_comma(&out, &first);
			json_put_string(&out, value_text(&v, &text));
		}
	}
	if (pb)
		write_metrics_pb(counters, &out);
	else
	{
		buf_put_u8(&out, ']');
		write_metrics(counters, &out);
	}
	api_answer(call, pb ? API_PROTOBUF : API_JSON, &out);
}

/* Names that stand for something else, and values that no span stores. */
static TagSet *
values_v1(ApiCall *call, const TagRequest *request, Str tag, TagCounters *counters)
{
	static const struct
	{
		const char *name;
		const char *tag;
	} aliases[] = {
		{"root.name", "rootName"}, {"root.service.name", "rootServiceName"}, {"status.code", "status"}};
	TraceqlAttr attr = {.scope = TQL_SCOPE_NONE, .key = tag};
	TraceqlAttr known;

	for (int i = 0; i < lengthof(aliases); i++)
		if (str_eq(tag, str_lit(aliases[i].name)))
			tag = str_lit(aliases[i].tag);
	if (str_eq(tag, str_lit("error")))
	{
		TagSet *set = tag_set_create(call->arena, 0, 0);

		memset(counters, 0, sizeof(*counters));
		tag_set_add_string(set, str_lit("true"));
		tag_set_sort(set);
		return set;
	}
	if (traceql_read_attr(call->arena, tag, &known) && known.intrinsic != TQL_NOT_INTRINSIC)
		attr = known;
	return tag_search_values(request, &attr, counters);
}

void
handle_tag_values_v1(ApiCall *call)
{
	TagRequest request;
	TagCounters counters;
	TagSet *set;
	Str tag;

	if (!read_tag(call, &tag) || !read_request(call, false, &request))
		return;
	request.max_bytes = MAX_VALUES_BYTES;
	set = values_v1(call, &request, tag, &counters);
	answer_values_v1(call, set, &counters);
}

static void
write_value_pb(const TagValue *v, Buf *text, Buf *out)
{
	size_t at = wire_open(out, 1);

	wire_put_bytes(out, 1, str_lit(tag_type_name(v->type)));
	wire_put_bytes(out, 2, value_text(v, text));
	wire_close(out, at);
}

static void
write_value(const TagValue *v, bool *first, Buf *text, Buf *out)
{
	json_put_comma(out, first);
	json_put_raw(out, "{\"type\":");
	json_put_string(out, str_lit(tag_type_name(v->type)));
	json_put_raw(out, ",\"value\":");
	json_put_string(out, value_text(v, text));
	buf_put_u8(out, '}');
}

/* {"tagValues":{"string":[..],"int":[..]},..}: the compact form, values by type. */
static void
write_values_by_type(const TagSet *set, Buf *text, Buf *out)
{
	uint64 n = tag_set_count(set);

	json_put_raw(out, "{\"tagValues\":{");
	for (uint64 i = 0; i < n; i++)
	{
		TagValue v = tag_set_value(set, i);
		bool same = i > 0 && tag_set_value(set, i - 1).type == v.type;

		if (same)
			buf_put_u8(out, ',');
		else
		{
			json_put_raw(out, i > 0 ? "]," : "");
			json_put_string(out, str_lit(tag_type_name(v.type)));
			json_put_raw(out, ":[");
		}
		json_put_string(out, value_text(&v, text));
	}
	json_put_raw(out, n > 0 ? "]}" : "}");
}

static void
answer_values_v2(ApiCall *call, const TagSet *set, const TagCounters *counters)
{
	bool pb = api_wants_protobuf(call);
	bool llm = !pb && strstr(call->req->accept, API_LLM) && !strstr(call->req->accept, API_JSON);
	bool first = true;
	Buf out;
	Buf text;

	buf_init(&out, call->arena, 4096);
	buf_init(&text, call->arena, 256);
	if (llm)
		write_values_by_type(set, &text, &out);
	else if (!pb)
		json_put_raw(&out, "{\"tagValues\":[");
	for (uint64 i = 0; i < tag_set_count(set) && !llm; i++)
	{
		TagValue v = tag_set_value(set, i);

		if (pb)
			write_value_pb(&v, &text, &out);
		else
			write_value(&v, &first, &text, &out);
	}
	if (!pb && !llm)
		buf_put_u8(&out, ']');
	if (pb)
		write_metrics_pb(counters, &out);
	else
		write_metrics(counters, &out);
	api_answer(call, pb ? API_PROTOBUF : llm ? API_LLM "+json" : API_JSON, &out);
}

void
handle_tag_values_v2(ApiCall *call)
{
	TagRequest request;
	TagCounters counters;
	TraceqlAttr attr;
	TagSet *set;
	Str tag;

	if (!read_tag(call, &tag))
		return;
	if (!traceql_read_attr(call->arena, tag, &attr))
	{
		api_refuse(call, 400, "please provide a valid tagName");
		return;
	}
	if (!read_request(call, true, &request))
		return;
	request.max_bytes = MAX_VALUES_BYTES;
	set = tag_search_values(&request, &attr, &counters);
	answer_values_v2(call, set, &counters);
}
