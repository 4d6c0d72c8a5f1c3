/*
 * otlp_oracle.h
 *	  Reading test data, and comparing a batch with what protobuf-c makes of the same bytes.
 */
#ifndef TEMPO_OTLP_ORACLE_H
#define TEMPO_OTLP_ORACLE_H

#include "ingest/otlp.h"
#include "otlp.pb-c.h"
#include "unit.h"

#include <zstd.h>

/* ---- files ---- */

/* The whole file, or p NULL. */
__attribute__((unused)) static Str
read_whole(const char *path, Arena *a)
{
	FILE *f = fopen(path, "rb");
	Buf b;
	size_t n;

	if (f == NULL)
		return str_of(NULL, 0);
	buf_init(&b, a, 1 << 16);
	while ((n = fread(buf_reserve(&b, 1 << 16), 1, 1 << 16, f)) > 0)
		b.len += n;
	fclose(f);
	return str_of((const char *) b.p, b.len);
}

/* A path below the shared data, or NULL when there is none. */
__attribute__((unused)) static const char *
shared_path(const char *name, Arena *a)
{
	const char *root = getenv("TEMPO_SHARED");
	size_t len;
	char *path;

	if (root == NULL || root[0] == '\0')
		root = "../shared";
	len = strlen(root) + strlen(name) + 2;
	path = arena_alloc(a, len);
	snprintf(path, len, "%s/%s", root, name);
	return path;
}

__attribute__((unused)) static Str
unzstd(Str z, Arena *a)
{
	ZSTD_DStream *s = ZSTD_createDStream();
	ZSTD_inBuffer in = {z.p, z.len, 0};
	Buf out;
	size_t more = 1;

	buf_init(&out, a, 1 << 20);
	while (in.pos < in.size && !ZSTD_isError(more))
	{
		ZSTD_outBuffer o = {buf_reserve(&out, 1 << 20), 1 << 20, 0};

		more = ZSTD_decompressStream(s, &o, &in);
		out.len += o.pos;
	}
	ZSTD_freeDStream(s);
	return str_of((const char *) out.p, out.len);
}

/* ---- protobuf-c's view as the bytes of value.h ---- */

static void oracle_any(Buf *out, const Otlp__AnyValue *any);

static void
oracle_bytes(Buf *out, const void *p, size_t n)
{
	buf_put_varint(out, n);
	buf_put(out, p, n);
}

static void
oracle_attrs(Buf *out, Otlp__KeyValue **kv, size_t n)
{
	buf_put_varint(out, n);
	for (size_t i = 0; i < n; i++)
	{
		oracle_bytes(out, kv[i]->key, strlen(kv[i]->key));
		oracle_any(out, kv[i]->value);
	}
}

static void
oracle_nested(Buf *out, const Otlp__AnyValue *any)
{
	Buf in;

	buf_init(&in, out->arena, 64);
	if (any->value_case == OTLP__ANY_VALUE__VALUE_KVLIST_VALUE)
		oracle_attrs(&in, any->kvlist_value->values, any->kvlist_value->n_values);
	else
	{
		buf_put_varint(&in, any->array_value->n_values);
		for (size_t i = 0; i < any->array_value->n_values; i++)
			oracle_any(&in, any->array_value->values[i]);
	}
	oracle_bytes(out, in.p, in.len);
}

static void
oracle_any(Buf *out, const Otlp__AnyValue *any)
{
	int type = any ? (int) any->value_case : 0;

	buf_put_u8(out, (uint8_t) type);
	switch (type)
	{
		case 1: oracle_bytes(out, any->string_value.data, any->string_value.len); break;
		case 2: buf_put_u8(out, any->bool_value != 0); break;
		case 3: buf_put(out, &any->int_value, 8); break;
		case 4: buf_put(out, &any->double_value, 8); break;
		case 5:
		case 6: oracle_nested(out, any); break;
		case 7: oracle_bytes(out, any->bytes_value.data, any->bytes_value.len); break;
	}
}

/* ---- comparing ---- */

typedef struct Compare
{
	Batch *b;
	Arena *a;
	uint32_t row;
	uint32_t event;
	uint32_t link;
	const char *wrong; /* first field that differs */
} Compare;

static void
differ(Compare *c, bool bad, const char *field)
{
	if (bad && c->wrong == NULL)
		c->wrong = field;
}

static void
same_i64(Compare *c, Level level, uint32_t col, uint32_t row, int64_t want, const char *field)
{
	differ(c, batch_column(c->b, level, col)->i64[row] != want, field);
}

static void
same_bytes(Compare *c, Level level, uint32_t col, uint32_t row, const void *p, size_t n, const char *field)
{
	differ(c, !str_eq(column_str(batch_column(c->b, level, col), row), str_of(p, n)), field);
}

static void
same_text(Compare *c, Level level, uint32_t col, uint32_t row, const char *want, const char *field)
{
	same_bytes(c, level, col, row, want, strlen(want), field);
}

static void
same_attrs(Compare *c, Level level, uint32_t row, Otlp__KeyValue **kv, size_t n, const char *field)
{
	Buf want, got;

	buf_init(&want, c->a, 256);
	buf_init(&got, c->a, 256);
	oracle_attrs(&want, kv, n);
	batch_attributes(c->b, level, row, &got);
	differ(c, got.len != want.len || memcmp(got.p, want.p, got.len) != 0, field);
}

static void
compare_resource(Compare *c, const Otlp__ResourceSpans *rs)
{
	static const Otlp__Resource none = OTLP__RESOURCE__INIT;
	const Otlp__Resource *r = rs->resource ? rs->resource : &none;
	Str service = {"", 0};
	Buf want;

	buf_init(&want, c->a, 256);
	oracle_attrs(&want, r->attributes, r->n_attributes);
	same_bytes(c, LEVEL_SPAN, SC_RESOURCE, c->row, want.p, want.len, "resource");
	for (size_t i = r->n_attributes; i > 0; i--)
	{
		const Otlp__AnyValue *v = r->attributes[i - 1]->value;

		if (strcmp(r->attributes[i - 1]->key, "service.name") != 0)
			continue;
		service = str_of("", 0);
		if (v && v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
			service = str_of((const char *) v->string_value.data, v->string_value.len);
	}
	if (service.len == 0 || memchr(service.p, 0, service.len) == NULL)
		same_bytes(c, LEVEL_SPAN, SC_SERVICE, c->row, service.p, service.len, "service");
	same_i64(c, LEVEL_SPAN, SC_RESOURCE_DROPPED, c->row, r->dropped_attributes_count, "resource dropped");
	same_text(c, LEVEL_SPAN, SC_RESOURCE_SCHEMA_URL, c->row, rs->schema_url, "resource schema_url");
}

static void
compare_scope(Compare *c, const Otlp__ScopeSpans *ss)
{
	static const Otlp__InstrumentationScope none = OTLP__INSTRUMENTATION_SCOPE__INIT;
	const Otlp__InstrumentationScope *s = ss->scope ? ss->scope : &none;
	Buf want;

	buf_init(&want, c->a, 256);
	oracle_attrs(&want, s->attributes, s->n_attributes);
	same_bytes(c, LEVEL_SPAN, SC_SCOPE, c->row, want.p, want.len, "scope");
	same_text(c, LEVEL_SPAN, SC_SCOPE_NAME, c->row, s->name, "scope name");
	same_text(c, LEVEL_SPAN, SC_SCOPE_VERSION, c->row, s->version, "scope version");
	same_i64(c, LEVEL_SPAN, SC_SCOPE_DROPPED, c->row, s->dropped_attributes_count, "scope dropped");
	same_text(c, LEVEL_SPAN, SC_SCOPE_SCHEMA_URL, c->row, ss->schema_url, "scope schema_url");
}

static int64_t
oracle_id(ProtobufCBinaryData id)
{
	uint64_t v = 0;

	for (size_t i = 0; i < id.len; i++)
		v = v << 8 | id.data[i];
	return (int64_t) v;
}

static void
compare_events(Compare *c, const Otlp__Span *s)
{
	const uint32_t *first = batch_event_first(c->b) + c->row;

	differ(c, first[1] - first[0] != s->n_events || first[0] != c->event, "events");
	for (size_t i = 0; i < s->n_events && c->wrong == NULL; i++, c->event++)
	{
		const Otlp__Event *e = s->events[i];

		same_i64(c, LEVEL_EVENT, EC_TIME, c->event, (int64_t) (e->time_unix_nano - s->start_time_unix_nano),
				 "event time");
		same_text(c, LEVEL_EVENT, EC_NAME, c->event, e->name, "event name");
		same_i64(c, LEVEL_EVENT, EC_DROPPED, c->event, e->dropped_attributes_count, "event dropped");
		same_attrs(c, LEVEL_EVENT, c->event, e->attributes, e->n_attributes, "event attributes");
	}
}

static void
compare_links(Compare *c, const Otlp__Span *s)
{
	const uint32_t *first = batch_link_first(c->b) + c->row;

	differ(c, first[1] - first[0] != s->n_links || first[0] != c->link, "links");
	for (size_t i = 0; i < s->n_links && c->wrong == NULL; i++, c->link++)
	{
		const Otlp__Link *l = s->links[i];

		same_bytes(c, LEVEL_LINK, LC_TRACE_ID, c->link, l->trace_id.data, l->trace_id.len, "link trace_id");
		same_bytes(c, LEVEL_LINK, LC_SPAN_ID, c->link, l->span_id.data, l->span_id.len, "link span_id");
		same_text(c, LEVEL_LINK, LC_TRACE_STATE, c->link, l->trace_state, "link trace_state");
		same_i64(c, LEVEL_LINK, LC_FLAGS, c->link, l->flags, "link flags");
		same_i64(c, LEVEL_LINK, LC_DROPPED, c->link, l->dropped_attributes_count, "link dropped");
		same_attrs(c, LEVEL_LINK, c->link, l->attributes, l->n_attributes, "link attributes");
	}
}

static void
compare_span(Compare *c, const Otlp__Span *s)
{
	static const Otlp__Status none = OTLP__STATUS__INIT;
	const Otlp__Status *status = s->status ? s->status : &none;

	differ(c,
		   memcmp(batch_column(c->b, LEVEL_SPAN, SC_TRACE_ID)->fixed + 16 * (size_t) c->row, s->trace_id.data,
				  16) != 0,
		   "trace_id");
	same_i64(c, LEVEL_SPAN, SC_SPAN_ID, c->row, oracle_id(s->span_id), "span_id");
	same_i64(c, LEVEL_SPAN, SC_PARENT_ID, c->row, oracle_id(s->parent_span_id), "parent_span_id");
	same_i64(c, LEVEL_SPAN, SC_START, c->row, (int64_t) s->start_time_unix_nano, "start");
	same_i64(c, LEVEL_SPAN, SC_DURATION, c->row, (int64_t) (s->end_time_unix_nano - s->start_time_unix_nano),
			 "duration");
	same_text(c, LEVEL_SPAN, SC_NAME, c->row, s->name, "name");
	same_i64(c, LEVEL_SPAN, SC_KIND, c->row, s->kind, "kind");
	same_i64(c, LEVEL_SPAN, SC_STATUS, c->row, status->code, "status");
	same_text(c, LEVEL_SPAN, SC_STATUS_MESSAGE, c->row, status->message, "status message");
	same_text(c, LEVEL_SPAN, SC_TRACE_STATE, c->row, s->trace_state, "trace_state");
	same_i64(c, LEVEL_SPAN, SC_FLAGS, c->row, s->flags, "flags");
	same_i64(c, LEVEL_SPAN, SC_DROPPED_ATTRIBUTES, c->row, s->dropped_attributes_count, "dropped attributes");
	same_i64(c, LEVEL_SPAN, SC_DROPPED_EVENTS, c->row, s->dropped_events_count, "dropped events");
	same_i64(c, LEVEL_SPAN, SC_DROPPED_LINKS, c->row, s->dropped_links_count, "dropped links");
	same_attrs(c, LEVEL_SPAN, c->row, s->attributes, s->n_attributes, "attributes");
	compare_events(c, s);
	compare_links(c, s);
}

/* Compare rows from c->row on with one message; c moves on behind them. */
__attribute__((unused)) static void
compare_request(Compare *c, const Otlp__ExportTraceServiceRequest *req)
{
	for (size_t i = 0; i < req->n_resource_spans; i++)
		for (size_t j = 0; j < req->resource_spans[i]->n_scope_spans; j++)
		{
			const Otlp__ScopeSpans *ss = req->resource_spans[i]->scope_spans[j];

			for (size_t k = 0; k < ss->n_spans && c->wrong == NULL; k++)
			{
				differ(c, c->row >= batch_nrows(c->b), "number of spans");
				if (c->wrong != NULL)
					return;
				compare_resource(c, req->resource_spans[i]);
				compare_scope(c, ss);
				compare_span(c, ss->spans[k]);
				if (c->wrong == NULL)
					c->row++;
			}
		}
}

/* Does the message have a span whose ids are not what they must be? */
__attribute__((unused)) static bool
has_bad_id(Str pb)
{
	Otlp__ExportTraceServiceRequest *req =
		otlp__export_trace_service_request__unpack(NULL, pb.len, (const uint8_t *) pb.p);
	bool bad = false;

	for (size_t i = 0; req != NULL && i < req->n_resource_spans; i++)
		for (size_t j = 0; j < req->resource_spans[i]->n_scope_spans; j++)
		{
			const Otlp__ScopeSpans *ss = req->resource_spans[i]->scope_spans[j];

			for (size_t k = 0; k < ss->n_spans; k++)
				bad |= ss->spans[k]->trace_id.len != 16 || ss->spans[k]->span_id.len != 8 ||
					   oracle_id(ss->spans[k]->span_id) == 0;
		}
	if (req != NULL)
		otlp__export_trace_service_request__free_unpacked(req, NULL);
	return bad;
}

/* NULL when the batch holds exactly the spans of the message, else the field that differs. */
__attribute__((unused)) static const char *
differs_from_pb(Batch *b, Str pb, Arena *a)
{
	Compare c = {.b = b, .a = a};
	Otlp__ExportTraceServiceRequest *req =
		otlp__export_trace_service_request__unpack(NULL, pb.len, (const uint8_t *) pb.p);

	if (req == NULL)
		return "protobuf-c cannot read it";
	compare_request(&c, req);
	differ(&c, c.row != batch_nrows(b), "number of spans");
	otlp__export_trace_service_request__free_unpacked(req, NULL);
	return c.wrong;
}

#endif
