/*
 * otlp_json.c
 *	  OTLP/JSON into a batch builder.
 *
 * Takes what the OTLP specification and protobuf's JSON mapping allow: lowerCamelCase and original field
 * names, ids in hexadecimal of either case (and in base64, as some exporters send them), 64-bit numbers as
 * numbers or strings, enums as numbers or names, null for absent, unknown fields, and the names scopes had
 * in old versions. A field given twice is refused: JSON does not say which one counts.
 *
 * Members come in any order, so resource and scope levels are read twice, and attributes of events and
 * links after their other fields. The text has been validated as a whole before any of it is read.
 */
#include "ingest/json_object.h"

#include <stdio.h>

/* ---- attribute values ---- */

/* Places are ValueType. */
static const JsonField any_fields[] = {
	JSON_FIELD("", ""),
	JSON_FIELD("stringValue", "string_value"),
	JSON_FIELD("boolValue", "bool_value"),
	JSON_FIELD("intValue", "int_value"),
	JSON_FIELD("doubleValue", "double_value"),
	JSON_FIELD("arrayValue", "array_value"),
	JSON_FIELD("kvlistValue", "kvlist_value"),
	JSON_FIELD("bytesValue", "bytes_value"),
};
static const JsonTable any_table = JSON_TABLE(any_fields);

enum
{
	KV_KEY,
	KV_VALUE
};
static const JsonField kv_fields[] = {JSON_FIELD("key", "key"), JSON_FIELD("value", "value")};
static const JsonTable kv_table = JSON_TABLE(kv_fields);

static const JsonField values_fields[] = {JSON_FIELD("values", "values")};
static const JsonTable values_table = JSON_TABLE(values_fields);

/* Where an array's or map's members go, in the format of value.h. */
typedef struct Nested
{
	Buf *out;
	uint32_t count;
	int depth;
} Nested;

static bool read_any(Decoder *d, JsonCursor *c, Buf *out, int depth, Value *v);

/* One value as value_write does it. */
static bool
write_any(Decoder *d, JsonCursor *c, Buf *out, int depth)
{
	size_t start;
	Value v;

	buf_put_u8(out, 0);
	start = out->len;
	if (!read_any(d, c, out, depth, &v))
		return false;
	out->p[start - 1] = (uint8_t) v.type;
	if (v.type == VALUE_ARRAY || v.type == VALUE_KVLIST)
		decode_insert_varint(out, start, out->len - start);
	else
	{
		out->len = start - 1;
		value_write(out, &v);
	}
	return true;
}

static bool
array_member(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	Nested *n = arg;

	n->count++;
	return write_any(d, c, n->out, n->depth);
}

/* The key has to be written first: a value in front of it is read when the key is known. */
static bool
map_member(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	Nested *n = arg;
	Str key = {"", 0};
	JsonCursor value = {NULL, NULL};
	JsonObject o;

	n->count++;
	if (!jobj_open(d, &o, c, &kv_table))
		return false;
	while (jobj_next(d, &o))
	{
		if (o.field == KV_KEY)
		{
			if (!jobj_string(d, &o, &key))
				return false;
		}
		else
		{
			value = *c;
			json_skip(c);
		}
	}
	if (decode_failed(d))
		return false;
	buf_put_varint(n->out, key.len);
	buf_put(n->out, key.p, key.len);
	if (value.pos != NULL)
		return write_any(d, &value, n->out, n->depth);
	buf_put_u8(n->out, VALUE_EMPTY);
	return true;
}

/* Count and members, appended to out. */
static bool
read_nested(Decoder *d, JsonObject *any, Buf *out, int depth, Value *v)
{
	Nested n = {.out = out, .depth = depth};
	size_t start = out->len;
	JsonObject o;

	if (depth > VALUE_MAX_DEPTH)
		return decode_fail(d, OTLP_TOO_DEEP, any->at, NULL, "value is nested deeper than %d levels",
						   VALUE_MAX_DEPTH);
	if (!jobj_open(d, &o, any->c, &values_table))
		return false;
	while (jobj_next(d, &o))
		if (!jobj_each(d, &o, v->type == VALUE_ARRAY ? array_member : map_member, &n))
			return false;
	if (decode_failed(d))
		return false;
	decode_insert_varint(out, start, n.count);
	v->s = str_of((const char *) out->p + start, out->len - start);
	return true;
}

static bool
read_member_value(Decoder *d, JsonObject *o, Buf *out, int depth, Value *v)
{
	switch (v->type)
	{
		case VALUE_EMPTY: break;
		case VALUE_STRING: return jobj_string(d, o, &v->s);
		case VALUE_BOOL:
			if (!jobj_want(d, o, JSON_BOOL))
				return false;
			v->i = 0;
			v->b = json_word(o->c).p[0] == 't';
			break;
		case VALUE_INT: return jobj_i64(d, o, &v->i);
		case VALUE_DOUBLE: return jobj_double(d, o, &v->d);
		case VALUE_ARRAY:
		case VALUE_KVLIST: return read_nested(d, o, out, depth + 1, v);
		case VALUE_BYTES: return jobj_base64(d, o, &v->s);
	}
	return true;
}

/* Members of arrays and maps are appended to out; depth is that of the list the value is in. */
static bool
read_any(Decoder *d, JsonCursor *c, Buf *out, int depth, Value *v)
{
	JsonObject o;

	v->type = VALUE_EMPTY;
	v->i = 0;
	if (!jobj_open(d, &o, c, &any_table))
		return false;
	while (jobj_next(d, &o))
	{
		if (v->type != VALUE_EMPTY)
			return decode_fail(d, OTLP_MALFORMED, o.at, o.name, "second value of one attribute");
		v->type = (ValueType) o.field;
		if (!read_member_value(d, &o, out, depth, v))
			return false;
	}
	return !decode_failed(d);
}

static bool
read_attribute(Decoder *d, JsonCursor *c, Str *key, Value *v)
{
	JsonObject o;

	*key = str_of("", 0);
	v->type = VALUE_EMPTY;
	v->i = 0;
	d->nested.len = 0;
	if (!jobj_open(d, &o, c, &kv_table))
		return false;
	while (jobj_next(d, &o))
		if (!(o.field == KV_KEY ? jobj_string(d, &o, key) : read_any(d, c, &d->nested, 0, v)))
			return false;
	return !decode_failed(d);
}

static bool
take_attribute(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	Level *level = arg;
	Str key;
	Value v;

	return read_attribute(d, c, &key, &v) && decode_attr(d, *level, key, v, c->pos);
}

/* A list of attributes being written. */
typedef struct ListArg
{
	Buf *list;
	uint32_t count;
} ListArg;

static bool
list_attribute(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	ListArg *la = arg;
	Str key;
	Value v;

	if (!read_attribute(d, c, &key, &v))
		return false;
	decode_list_put(d, la->list, &la->count, key, v);
	return true;
}

/* Attributes that were passed over, now that what they belong to has begun. */
static bool
take_later(Decoder *d, JsonCursor *at, Level level)
{
	JsonObject o = {.c = at, .name = "attributes"};

	if (at->pos == NULL)
		return true;
	o.type = json_peek(at);
	return jobj_each(d, &o, take_attribute, &level);
}

/* ---- events, links, status ---- */

enum
{
	EV_TIME,
	EV_NAME,
	EV_ATTRIBUTES,
	EV_DROPPED
};
static const JsonField event_fields[] = {
	JSON_FIELD("timeUnixNano", "time_unix_nano"),
	JSON_FIELD("name", "name"),
	JSON_FIELD("attributes", "attributes"),
	JSON_FIELD("droppedAttributesCount", "dropped_attributes_count"),
};
static const JsonTable event_table = JSON_TABLE(event_fields);

typedef struct EventFields
{
	uint64_t time;
	Str name;
	uint32_t dropped;
	JsonCursor attributes;
} EventFields;

static bool
event_field(Decoder *d, JsonObject *o, EventFields *e)
{
	switch (o->field)
	{
		case EV_TIME: return jobj_u64(d, o, UINT64_MAX, &e->time);
		case EV_NAME: return jobj_text(d, o, &e->name);
		case EV_DROPPED: return jobj_u32(d, o, &e->dropped);
		default:
			e->attributes = *o->c;
			json_skip(o->c);
			return true;
	}
}

static bool
take_event(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	const uint64_t *span_start = arg;
	EventFields e = {.name = {"", 0}};
	JsonObject o;

	if (!decode_room(d, c->pos) || !jobj_open(d, &o, c, &event_table))
		return false;
	while (jobj_next(d, &o))
		if (!event_field(d, &o, &e))
			return false;
	if (decode_failed(d))
		return false;
	builder_begin_event(d->bb, (int64_t) (e.time - *span_start), e.name, e.dropped);
	if (!take_later(d, &e.attributes, LEVEL_EVENT))
		return false;
	builder_end_event(d->bb);
	return true;
}

enum
{
	LN_TRACE_ID,
	LN_SPAN_ID,
	LN_TRACE_STATE,
	LN_ATTRIBUTES,
	LN_DROPPED,
	LN_FLAGS
};
static const JsonField link_fields[] = {
	JSON_FIELD("traceId", "trace_id"),
	JSON_FIELD("spanId", "span_id"),
	JSON_FIELD("traceState", "trace_state"),
	JSON_FIELD("attributes", "attributes"),
	JSON_FIELD("droppedAttributesCount", "dropped_attributes_count"),
	JSON_FIELD("flags", "flags"),
};
static const JsonTable link_table = JSON_TABLE(link_fields);

typedef struct LinkFields
{
	Str trace_id;
	Str span_id;
	Str trace_state;
	uint32_t flags;
	uint32_t dropped;
	JsonCursor attributes;
} LinkFields;

static bool
link_field(Decoder *d, JsonObject *o, LinkFields *l)
{
	switch (o->field)
	{
		case LN_TRACE_ID: return jobj_id(d, o, 16, &l->trace_id);
		case LN_SPAN_ID: return jobj_id(d, o, 8, &l->span_id);
		case LN_TRACE_STATE: return jobj_text(d, o, &l->trace_state);
		case LN_DROPPED: return jobj_u32(d, o, &l->dropped);
		case LN_FLAGS: return jobj_u32(d, o, &l->flags);
		default:
			l->attributes = *o->c;
			json_skip(o->c);
			return true;
	}
}

static bool
take_link(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	LinkFields l = {.trace_id = {"", 0}, .span_id = {"", 0}, .trace_state = {"", 0}};
	JsonObject o;

	if (!decode_room(d, c->pos) || !jobj_open(d, &o, c, &link_table))
		return false;
	while (jobj_next(d, &o))
		if (!link_field(d, &o, &l))
			return false;
	if (decode_failed(d))
		return false;
	builder_begin_link(d->bb, l.trace_id, l.span_id, l.trace_state, l.flags, l.dropped);
	if (!take_later(d, &l.attributes, LEVEL_LINK))
		return false;
	builder_end_link(d->bb);
	return true;
}

enum
{
	ST_MESSAGE,
	ST_CODE
};
static const JsonField status_fields[] = {JSON_FIELD("message", "message"), JSON_FIELD("code", "code")};
static const JsonTable status_table = JSON_TABLE(status_fields);

static const char *const status_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
static const char *const kind_names[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
										 "SPAN_KIND_CLIENT",      "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};

static bool
read_status(Decoder *d, JsonCursor *c, SpanFields *f)
{
	JsonObject o;

	decode_push(d, "status", -1);
	if (!jobj_open(d, &o, c, &status_table))
		return false;
	while (jobj_next(d, &o))
		if (!(o.field == ST_MESSAGE ? jobj_text(d, &o, &f->status_message)
									: jobj_enum(d, &o, status_names, 3, &f->status)))
			return false;
	decode_pop(d);
	return !decode_failed(d);
}

/* ---- spans ---- */

enum
{
	SP_TRACE_ID,
	SP_SPAN_ID,
	SP_TRACE_STATE,
	SP_PARENT_ID,
	SP_NAME,
	SP_KIND,
	SP_START,
	SP_END,
	SP_ATTRIBUTES,
	SP_DROPPED_ATTRIBUTES,
	SP_EVENTS,
	SP_DROPPED_EVENTS,
	SP_LINKS,
	SP_DROPPED_LINKS,
	SP_STATUS,
	SP_FLAGS
};
static const JsonField span_fields[] = {
	JSON_FIELD("traceId", "trace_id"),
	JSON_FIELD("spanId", "span_id"),
	JSON_FIELD("traceState", "trace_state"),
	JSON_FIELD("parentSpanId", "parent_span_id"),
	JSON_FIELD("name", "name"),
	JSON_FIELD("kind", "kind"),
	JSON_FIELD("startTimeUnixNano", "start_time_unix_nano"),
	JSON_FIELD("endTimeUnixNano", "end_time_unix_nano"),
	JSON_FIELD("attributes", "attributes"),
	JSON_FIELD("droppedAttributesCount", "dropped_attributes_count"),
	JSON_FIELD("events", "events"),
	JSON_FIELD("droppedEventsCount", "dropped_events_count"),
	JSON_FIELD("links", "links"),
	JSON_FIELD("droppedLinksCount", "dropped_links_count"),
	JSON_FIELD("status", "status"),
	JSON_FIELD("flags", "flags"),
};
static const JsonTable span_table = JSON_TABLE(span_fields);

static bool
read_start(Decoder *d, JsonObject *o, SpanFields *f)
{
	uint64_t start;

	if (!jobj_u64(d, o, UINT64_MAX, &start))
		return false;
	decode_set_start(d, f, start, (o->seen & 1u << SP_EVENTS) != 0);
	return true;
}

static bool
span_field(Decoder *d, JsonObject *o, SpanFields *f)
{
	Level level = LEVEL_SPAN;

	switch (o->field)
	{
		case SP_TRACE_ID: return jobj_id(d, o, 16, &f->trace_id);
		case SP_SPAN_ID: return jobj_id(d, o, 8, &f->span_id);
		case SP_TRACE_STATE: return jobj_text(d, o, &f->trace_state);
		case SP_PARENT_ID: return jobj_id(d, o, 8, &f->parent_id);
		case SP_NAME: return jobj_text(d, o, &f->name);
		case SP_KIND: return jobj_enum(d, o, kind_names, 6, &f->kind);
		case SP_START: return read_start(d, o, f);
		case SP_END: return jobj_u64(d, o, UINT64_MAX, &f->end);
		case SP_ATTRIBUTES: return jobj_each(d, o, take_attribute, &level);
		case SP_DROPPED_ATTRIBUTES: return jobj_u32(d, o, &f->dropped_attributes);
		case SP_EVENTS: return jobj_each(d, o, take_event, &f->start);
		case SP_DROPPED_EVENTS: return jobj_u32(d, o, &f->dropped_events);
		case SP_LINKS: return jobj_each(d, o, take_link, NULL);
		case SP_DROPPED_LINKS: return jobj_u32(d, o, &f->dropped_links);
		case SP_STATUS: return read_status(d, o->c, f);
		default: return jobj_u32(d, o, &f->flags);
	}
}

static bool
take_span(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	const uint8_t *at = c->pos;
	SpanFields f;
	JsonObject o;

	memset(&f, 0, sizeof(f));
	if (!jobj_open(d, &o, c, &span_table))
		return false;
	if (!decode_begin_span(d, at))
		return false;
	while (jobj_next(d, &o))
		if (!span_field(d, &o, &f))
			return false;
	return !decode_failed(d) && decode_end_span(d, &f, at);
}

/* ---- scopes and resources ---- */

enum
{
	SC_FIELD_NAME,
	SC_FIELD_VERSION,
	SC_FIELD_ATTRIBUTES,
	SC_FIELD_DROPPED
};
static const JsonField scope_fields[] = {
	JSON_FIELD("name", "name"),
	JSON_FIELD("version", "version"),
	JSON_FIELD("attributes", "attributes"),
	JSON_FIELD("droppedAttributesCount", "dropped_attributes_count"),
};
static const JsonTable scope_table = JSON_TABLE(scope_fields);

static bool
scope_field(Decoder *d, JsonObject *o, ListArg *list)
{
	switch (o->field)
	{
		case SC_FIELD_NAME: return jobj_text(d, o, &d->scope_name);
		case SC_FIELD_VERSION: return jobj_text(d, o, &d->scope_version);
		case SC_FIELD_ATTRIBUTES: return jobj_each(d, o, list_attribute, list);
		default: return jobj_u32(d, o, &d->scope_dropped);
	}
}

static bool
read_scope(Decoder *d, JsonCursor *c, ListArg *list)
{
	JsonObject o;

	decode_push(d, "scope", -1);
	if (!jobj_open(d, &o, c, &scope_table))
		return false;
	while (jobj_next(d, &o))
		if (!scope_field(d, &o, list))
			return false;
	decode_pop(d);
	return !decode_failed(d);
}

enum
{
	SS_SCOPE,
	SS_SPANS,
	SS_SCHEMA_URL,
	SS_OLD_SCOPE
};
static const JsonField scope_spans_fields[] = {
	JSON_FIELD("scope", "scope"),
	JSON_FIELD("spans", "spans"),
	JSON_FIELD("schemaUrl", "schema_url"),
	JSON_FIELD("instrumentationLibrary", "instrumentation_library"),
};
static const JsonTable scope_spans_table = JSON_TABLE(scope_spans_fields);

static bool
scope_spans_field(Decoder *d, JsonObject *o, ListArg *list)
{
	switch (o->field)
	{
		case SS_SCOPE:
		case SS_OLD_SCOPE: return read_scope(d, o->c, list);
		case SS_SCHEMA_URL: return jobj_text(d, o, &d->scope_url);
		default: json_skip(o->c); return true;
	}
}

/* Everything of a ScopeSpans but its spans. */
static bool
read_scope_spans(Decoder *d, JsonCursor c)
{
	ListArg list = {.list = &d->scope};
	JsonObject o;

	decode_list_begin(&d->scope);
	d->scope_name = d->scope_version = d->scope_url = str_of("", 0);
	d->scope_dropped = 0;
	d->scope_pending = true;
	if (!jobj_open(d, &o, &c, &scope_spans_table))
		return false;
	while (jobj_next(d, &o))
		if (!scope_spans_field(d, &o, &list))
			return false;
	if ((o.seen & 1u << SS_SCOPE) && (o.seen & 1u << SS_OLD_SCOPE))
		return decode_fail(d, OTLP_MALFORMED, c.pos, "scope", "given twice");
	decode_list_end(&d->scope, list.count);
	return !decode_failed(d);
}

/* The one member that holds a list, the others passed over. */
static bool
take_list(Decoder *d, JsonCursor *c, const JsonTable *table, uint32_t fields, JsonElement f)
{
	JsonObject o;

	if (!jobj_open(d, &o, c, table))
		return false;
	while (jobj_next(d, &o))
	{
		if (!(fields & 1u << o.field))
			json_skip(c);
		else if (!jobj_each(d, &o, f, NULL))
			return false;
	}
	return !decode_failed(d);
}

static bool
take_scope_spans(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	return read_scope_spans(d, *c) && take_list(d, c, &scope_spans_table, 1u << SS_SPANS, take_span);
}

enum
{
	RE_ATTRIBUTES,
	RE_DROPPED
};
static const JsonField resource_fields[] = {
	JSON_FIELD("attributes", "attributes"),
	JSON_FIELD("droppedAttributesCount", "dropped_attributes_count"),
};
static const JsonTable resource_table = JSON_TABLE(resource_fields);

static bool
read_resource(Decoder *d, JsonCursor *c, ListArg *list)
{
	JsonObject o;

	decode_push(d, "resource", -1);
	if (!jobj_open(d, &o, c, &resource_table))
		return false;
	while (jobj_next(d, &o))
		if (!(o.field == RE_ATTRIBUTES ? jobj_each(d, &o, list_attribute, list)
									   : jobj_u32(d, &o, &d->resource_dropped)))
			return false;
	decode_pop(d);
	return !decode_failed(d);
}

enum
{
	RS_RESOURCE,
	RS_SCOPE_SPANS,
	RS_SCHEMA_URL,
	RS_OLD_SCOPE_SPANS
};
static const JsonField resource_spans_fields[] = {
	JSON_FIELD("resource", "resource"),
	JSON_FIELD("scopeSpans", "scope_spans"),
	JSON_FIELD("schemaUrl", "schema_url"),
	JSON_FIELD("instrumentationLibrarySpans", "instrumentation_library_spans"),
};
static const JsonTable resource_spans_table = JSON_TABLE(resource_spans_fields);

static bool
resource_spans_field(Decoder *d, JsonObject *o, ListArg *list)
{
	switch (o->field)
	{
		case RS_RESOURCE: return read_resource(d, o->c, list);
		case RS_SCHEMA_URL: return jobj_text(d, o, &d->resource_url);
		default: json_skip(o->c); return true;
	}
}

/* Everything of a ResourceSpans but what is in its scopes. */
static bool
read_resource_spans(Decoder *d, JsonCursor c)
{
	ListArg list = {.list = &d->resource};
	JsonObject o;

	decode_list_begin(&d->resource);
	d->resource_url = str_of("", 0);
	d->resource_dropped = 0;
	d->resource_pending = true;
	if (!jobj_open(d, &o, &c, &resource_spans_table))
		return false;
	while (jobj_next(d, &o))
		if (!resource_spans_field(d, &o, &list))
			return false;
	decode_list_end(&d->resource, list.count);
	return !decode_failed(d);
}

static bool
take_resource_spans(Decoder *d, JsonCursor *c, int64_t index, void *arg)
{
	return read_resource_spans(d, *c) &&
		   take_list(d, c, &resource_spans_table, 1u << RS_SCOPE_SPANS | 1u << RS_OLD_SCOPE_SPANS,
					 take_scope_spans);
}

static const JsonField request_fields[] = {JSON_FIELD("resourceSpans", "resource_spans")};
static const JsonTable request_table = JSON_TABLE(request_fields);

/* Where decoding stopped, for people. */
static void
add_position(Decoder *d)
{
	OtlpResult *res = d->res;
	size_t used = strlen(res->message);
	uint64_t line = 1;
	size_t bol = 0;

	for (size_t i = 0; i < res->offset; i++)
	{
		if (d->body[i] == '\n')
		{
			line++;
			bol = i + 1;
		}
	}
	snprintf(res->message + used, sizeof(res->message) - used, " at line %llu, column %llu",
			 (unsigned long long) line, (unsigned long long) (res->offset - bol + 1));
}

static bool
take_request(Decoder *d)
{
	JsonIndex index;
	JsonCursor c = {d->body, &index};
	JsonError error;
	JsonObject o;

	if (!json_validate(d->body, d->len, d->arena, &index, &error))
		return decode_fail(d, error.too_deep ? OTLP_TOO_DEEP : OTLP_MALFORMED, error.at, NULL, "%s",
						   error.what);
	if (!jobj_open(d, &o, &c, &request_table))
		return false;
	while (jobj_next(d, &o))
		if (!jobj_each(d, &o, take_resource_spans, NULL))
			return false;
	/* unknown members are skipped, but a document of nothing else was meant for somebody else */
	if (o.known == 0 && o.members > 0)
		return decode_fail(d, OTLP_MALFORMED, d->body, NULL, "no \"resourceSpans\" in the document");
	return !decode_failed(d);
}

bool
otlp_decode_json(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb, OtlpResult *res)
{
	BuilderMark *mark = builder_mark(bb);
	Decoder d;

	decode_begin(&d, body, len, limits, bb, res);
	d.json = true;
	if (!take_request(&d))
	{
		builder_rollback(bb, mark);
		add_position(&d);
		return false;
	}
	res->spans = builder_nrows(bb) - d.rows_before;
	return true;
}
