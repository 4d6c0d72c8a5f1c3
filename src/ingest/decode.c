/*
 * decode.c
 *	  Shared by the decoders, see decode.h.
 */
#include "ingest/decode.h"

#include <stdarg.h>
#include <stdio.h>

void
decode_begin(Decoder *d, const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb,
			 OtlpResult *res)
{
	memset(d, 0, sizeof(*d));
	memset(res, 0, sizeof(*res));
	d->body = body;
	d->len = len;
	if (limits != NULL)
		d->limits = *limits;
	d->bb = bb;
	d->arena = builder_arena(bb);
	d->res = res;
	d->rows_before = builder_nrows(bb);
	d->memory_end = d->limits.max_memory ? arena_bytes(d->arena) + d->limits.max_memory : SIZE_MAX;
	buf_init(&d->resource, d->arena, 1024);
	buf_init(&d->scope, d->arena, 64);
	buf_init(&d->nested, d->arena, 64);
}

/* ---- errors ---- */

__attribute__((format(printf, 3, 4))) static size_t
append(char *out, size_t at, const char *fmt, ...)
{
	size_t room = sizeof(((OtlpResult *) 0)->message);
	va_list args;
	int n;

	if (at >= room - 1)
		return at;
	va_start(args, fmt);
	n = vsnprintf(out + at, room - at, fmt, args);
	va_end(args);
	return n < 0 ? at : at + (size_t) n;
}

static size_t
append_path(const Decoder *d, char *out, const char *field)
{
	int depth = d->depth < DECODE_MAX_PATH ? d->depth : DECODE_MAX_PATH;
	size_t at = 0;

	for (int i = 0; i < depth; i++)
	{
		at = append(out, at, "%s%s", i ? "." : "", d->path[i].name);
		if (d->path[i].index >= 0)
			at = append(out, at, "[%lld]", (long long) d->path[i].index);
	}
	if (field != NULL)
		at = append(out, at, "%s%s", at ? "." : "", field);
	return at ? append(out, at, ": ") : 0;
}

bool
decode_fail(Decoder *d, OtlpCode code, const uint8_t *at, const char *field, const char *fmt, ...)
{
	OtlpResult *res = d->res;
	size_t used;
	va_list args;

	if (res->code != OTLP_OK)
		return false;
	res->code = code;
	/* at is elsewhere when a message had to be put together from pieces */
	res->offset = at >= d->body && at <= d->body + d->len ? (size_t) (at - d->body) : 0;
	used = append_path(d, res->message, field);
	if (used < sizeof(res->message))
	{
		va_start(args, fmt);
		vsnprintf(res->message + used, sizeof(res->message) - used, fmt, args);
		va_end(args);
	}
	return false;
}

static const uint8_t *
bytes_of(Str s)
{
	return (const uint8_t *) s.p;
}

bool
decode_text(Decoder *d, Str *s, const char *field)
{
	TextClass class = text_classify(*s);

	if (class == TEXT_PLAIN)
		return true;
	if (class == TEXT_INVALID)
		return decode_fail(d, OTLP_MALFORMED, bytes_of(*s), field, "string is not valid UTF-8");
	*s = text_replace_nul(*s, d->arena);
	return true;
}

bool
decode_utf8(Decoder *d, Str s, const char *field)
{
	if (text_classify(s) == TEXT_INVALID)
		return decode_fail(d, OTLP_MALFORMED, bytes_of(s), field, "string is not valid UTF-8");
	return true;
}

/* ---- attributes ---- */

static void
cut(Decoder *d, Str *s)
{
	if (s->len > d->limits.max_attribute_bytes)
	{
		*s = text_cut(*s, d->limits.max_attribute_bytes);
		d->res->truncated++;
	}
}

static void
cut_attribute(Decoder *d, Str *key, Value *v)
{
	if (d->limits.max_attribute_bytes == 0)
		return;
	cut(d, key);
	if (v->type == VALUE_STRING)
		cut(d, &v->s);
}

void
decode_list_begin(Buf *list)
{
	list->len = 0;
}

void
decode_list_put(Decoder *d, Buf *list, uint32_t *count, Str key, Value v)
{
	cut_attribute(d, &key, &v);
	value_write_kv(list, key, &v);
	(*count)++;
}

void
decode_insert_varint(Buf *buf, size_t at, uint64_t v)
{
	size_t tail = buf->len - at;
	size_t n;

	buf_put_varint(buf, v);
	n = buf->len - at - tail;
	if (tail > 0)
	{
		uint8_t bytes[10];

		memcpy(bytes, buf->p + at + tail, n);
		memmove(buf->p + at + n, buf->p + at, tail);
		memcpy(buf->p + at, bytes, n);
	}
}

void
decode_list_end(Buf *list, uint32_t count)
{
	decode_insert_varint(list, 0, count);
}

/* Rows of other requests may be what makes the batch too large. */
static OtlpCode
too_large(const Decoder *d)
{
	return d->rows_before > 0 ? OTLP_BATCH_FULL : OTLP_TOO_LARGE;
}

bool
decode_room(Decoder *d, const uint8_t *at)
{
	if (arena_bytes(d->arena) <= d->memory_end)
		return true;
	return decode_fail(d, too_large(d), at, NULL, "request takes more than %zu bytes of memory",
					   d->limits.max_memory);
}

bool
decode_attr(Decoder *d, Level level, Str key, Value v, const uint8_t *at)
{
	cut_attribute(d, &key, &v);
	if (builder_attr(d->bb, level, key, &v))
		return true;
	return decode_fail(d, too_large(d), at, NULL, "more than %d different attributes in one batch",
					   BUILDER_MAX_ATTR_COLUMNS);
}

/* ---- spans ---- */

static Str
buf_str(const Buf *b)
{
	return str_of((const char *) b->p, b->len);
}

static Str
service_name(Decoder *d)
{
	Value v;

	if (!value_find(buf_str(&d->resource), str_lit("service.name"), &v) || v.type != VALUE_STRING)
		return str_of("", 0);
	/* the list is reused by the next resource */
	v.s.p = arena_dup(d->arena, v.s.p, v.s.len);
	return text_classify(v.s) == TEXT_NUL ? text_replace_nul(v.s, d->arena) : v.s;
}

bool
decode_begin_span(Decoder *d, const uint8_t *at)
{
	if (!decode_room(d, at))
		return false;
	if (d->resource_pending)
		builder_set_resource(d->bb, buf_str(&d->resource), service_name(d), d->resource_dropped,
							 d->resource_url);
	if (d->scope_pending)
		builder_set_scope(d->bb, buf_str(&d->scope), d->scope_name, d->scope_version, d->scope_dropped,
						  d->scope_url);
	d->resource_pending = d->scope_pending = false;
	builder_begin_span(d->bb);
	return true;
}

static int64_t
id_number(Str id)
{
	uint64_t v;

	memcpy(&v, id.p, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return (int64_t) v;
}

static bool
is_zero(Str id)
{
	for (uint32_t i = 0; i < id.len; i++)
		if (id.p[i] != 0)
			return false;
	return true;
}

static bool
check_id(Decoder *d, Str id, uint32_t len, const char *field, const uint8_t *at)
{
	if (id.len != len)
		return decode_fail(d, OTLP_INVALID_ID, at, field, "got %u bytes, expected %u", id.len, len);
	if (is_zero(id))
		return decode_fail(d, OTLP_INVALID_ID, at, field, "id is all zero");
	return true;
}

static bool
check_parent(Decoder *d, Str id, const uint8_t *at)
{
	if (id.len != 0 && id.len != 8)
		return decode_fail(d, OTLP_INVALID_ID, at, d->json ? "parentSpanId" : "parent_span_id",
						   "got %u bytes, expected 8 or none", id.len);
	return true;
}

void
decode_set_start(Decoder *d, SpanFields *f, uint64_t start, bool any_events)
{
	if (any_events)
		builder_shift_events(d->bb, (int64_t) (f->start - start));
	f->start = start;
}

bool
decode_end_span(Decoder *d, SpanFields *f, const uint8_t *at)
{
	BatchBuilder *bb = d->bb;

	if (!check_id(d, f->trace_id, 16, d->json ? "traceId" : "trace_id", at) ||
		!check_id(d, f->span_id, 8, d->json ? "spanId" : "span_id", at) || !check_parent(d, f->parent_id, at))
		return false;
	builder_set_trace_id(bb, (const uint8_t *) f->trace_id.p);
	builder_set_i64(bb, SC_SPAN_ID, id_number(f->span_id));
	builder_set_i64(bb, SC_PARENT_ID, f->parent_id.len ? id_number(f->parent_id) : 0);
	builder_set_i64(bb, SC_START, (int64_t) f->start);
	builder_set_i64(bb, SC_DURATION, (int64_t) (f->end - f->start));
	builder_set_bytes(bb, SC_NAME, f->name);
	builder_set_i64(bb, SC_KIND, f->kind);
	builder_set_i64(bb, SC_STATUS, f->status);
	builder_set_bytes(bb, SC_STATUS_MESSAGE, f->status_message);
	builder_set_bytes(bb, SC_TRACE_STATE, f->trace_state);
	builder_set_i64(bb, SC_FLAGS, f->flags);
	builder_set_i64(bb, SC_DROPPED_ATTRIBUTES, f->dropped_attributes);
	builder_set_i64(bb, SC_DROPPED_EVENTS, f->dropped_events);
	builder_set_i64(bb, SC_DROPPED_LINKS, f->dropped_links);
	builder_end_span(bb);
	return true;
}
