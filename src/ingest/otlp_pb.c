/*
 * otlp_pb.c
 *	  OTLP protobuf straight into a batch builder: one walk over the bytes, no message objects.
 *
 * Follows protobuf where requests may be odd: unknown fields are skipped, fields come in any order, of a
 * scalar sent twice the last counts, messages sent twice are merged, enums keep numbers nobody knows.
 * Refused: groups, a known field with another wire type, strings that are not UTF-8, deep nesting.
 * Resource, scope and their schema URLs may follow what they apply to, so those two levels are walked
 * twice; everything below once.
 */
#include "ingest/decode.h"

typedef enum PbWire
{
	PB_VARINT = 0,
	PB_I64 = 1,
	PB_LEN = 2,
	PB_I32 = 5
} PbWire;

/* A field's key as it is on the wire. */
#define PB_TAG(number, wire) ((number) << 3 | (wire))
/* A set of field numbers below 32. */
#define PB_BIT(number) (1u << (number))

typedef struct PbField
{
	const uint8_t *at; /* its first byte */
	uint32_t tag;
	uint64_t u; /* VARINT, I64, I32 */
	Str s;      /* LEN */
} PbField;

typedef struct PbRange
{
	const uint8_t *pos;
	const uint8_t *end;
} PbRange;

static PbRange
range_of(Str s)
{
	PbRange r = {(const uint8_t *) s.p, (const uint8_t *) s.p + s.len};

	return r;
}

/* ---- wire format ---- */

static bool
read_number(PbRange *r, uint64_t *v)
{
	if (r->pos < r->end && *r->pos < 128)
	{
		*v = *r->pos++;
		return true;
	}
	return read_varint(&r->pos, r->end, v);
}

static uint64_t
load_le(const uint8_t *p, int n)
{
	uint64_t v = 0;

	memcpy(&v, p, (size_t) n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static bool
read_fixed(Decoder *d, PbRange *r, PbField *f, int n)
{
	if (r->end - r->pos < n)
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u ends after the message", f->tag >> 3);
	f->u = load_le(r->pos, n);
	r->pos += n;
	return true;
}

static bool
read_bytes(Decoder *d, PbRange *r, PbField *f)
{
	uint64_t len;

	if (!read_number(r, &len))
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u has a bad length", f->tag >> 3);
	if (len > (uint64_t) (r->end - r->pos) || len > UINT32_MAX)
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u ends after the message", f->tag >> 3);
	f->s = str_of((const char *) r->pos, len);
	r->pos += len;
	return true;
}

/* The next field; the range must not be empty. */
static bool
next_field(Decoder *d, PbRange *r, PbField *f)
{
	uint64_t tag;

	f->at = r->pos;
	if (!read_number(r, &tag))
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "bad field key");
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "bad field number");
	f->tag = (uint32_t) tag;
	switch (tag & 7)
	{
		case PB_VARINT:
			if (read_number(r, &f->u))
				return true;
			return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u has a bad number", f->tag >> 3);
		case PB_I64: return read_fixed(d, r, f, 8);
		case PB_LEN: return read_bytes(d, r, f);
		case PB_I32: return read_fixed(d, r, f, 4);
		default:
			return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u has unsupported wire type %u",
							   f->tag >> 3, f->tag & 7);
	}
}

/* The same where it is hot: key and length of one byte each are read in place. */
static inline __attribute__((always_inline)) bool
next_field_fast(Decoder *d, PbRange *r, PbField *f)
{
	const uint8_t *p = r->pos;
	ptrdiff_t left = r->end - p;

	f->at = p;
	if (left >= 2 && p[0] < 128 && p[0] > 7 && p[1] < 128)
	{
		f->tag = p[0];
		if ((p[0] & 7) == PB_LEN && p[1] <= left - 2)
		{
			f->s = str_of((const char *) p + 2, p[1]);
			r->pos = p + 2 + p[1];
			return true;
		}
		if ((p[0] & 7) == PB_VARINT)
		{
			f->u = p[1];
			r->pos = p + 2;
			return true;
		}
	}
	return next_field(d, r, f);
}

/* A field that was not expected like this: fine when its number is unknown. */
static bool
skip_field(Decoder *d, const PbField *f, uint32_t known)
{
	uint32_t number = f->tag >> 3;

	if (number < 32 && (known & PB_BIT(number)))
		return decode_fail(d, OTLP_MALFORMED, f->at, NULL, "field %u has the wrong wire type %u", number,
						   f->tag & 7);
	return true;
}

/* ---- attribute values ---- */

typedef struct AnyValue
{
	Value v;             /* of ARRAY and KVLIST only the type */
	const uint8_t *from; /* first field of the run of equal type that counts */
	const uint8_t *to;
} AnyValue;

#define ANY_KNOWN 0xfe /* 1 to 7 */

static bool
read_any(Decoder *d, Str bytes, AnyValue *any)
{
	PbRange r = range_of(bytes);
	PbField f;

	any->v.type = VALUE_EMPTY;
	any->v.i = 0;
	any->from = any->to = r.end;
	while (r.pos < r.end)
	{
		ValueType before = any->v.type;

		if (!next_field_fast(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(VALUE_STRING, PB_LEN):
				if (!decode_utf8(d, f.s, "string_value"))
					return false;
				any->v.s = f.s;
				break;
			case PB_TAG(VALUE_BOOL, PB_VARINT):
				any->v.i = 0;
				any->v.b = f.u != 0;
				break;
			case PB_TAG(VALUE_INT, PB_VARINT):
			case PB_TAG(VALUE_DOUBLE, PB_I64): any->v.i = (int64_t) f.u; break;
			case PB_TAG(VALUE_BYTES, PB_LEN): any->v.s = f.s; break;
			case PB_TAG(VALUE_ARRAY, PB_LEN):
			case PB_TAG(VALUE_KVLIST, PB_LEN):
				if (before != f.tag >> 3)
					any->from = f.at;
				break;
			default:
				if (!skip_field(d, &f, ANY_KNOWN))
					return false;
				continue;
		}
		any->v.type = f.tag >> 3;
	}
	return true;
}

typedef struct PbKeyValue
{
	Str key;
	AnyValue value;
} PbKeyValue;

/* A message sent in several pieces is their concatenation. */
static Str
join_values(Decoder *d, Str bytes, size_t total)
{
	PbRange r = range_of(bytes);
	char *all = arena_alloc(d->arena, total);
	size_t n = 0;
	PbField f;

	while (r.pos < r.end && next_field(d, &r, &f))
	{
		if (f.tag != PB_TAG(2, PB_LEN))
			continue;
		memcpy(all + n, f.s.p, f.s.len);
		n += f.s.len;
	}
	return str_of(all, n);
}

static bool
read_key_value(Decoder *d, Str bytes, PbKeyValue *kv)
{
	PbRange r = range_of(bytes);
	PbField f;
	Str value = {"", 0};
	size_t total = 0;
	uint32_t values = 0;

	kv->key = str_of("", 0);
	while (r.pos < r.end)
	{
		if (!next_field_fast(d, &r, &f))
			return false;
		if (f.tag == PB_TAG(1, PB_LEN))
			kv->key = f.s;
		else if (f.tag == PB_TAG(2, PB_LEN))
		{
			value = f.s;
			total += f.s.len;
			values++;
		}
		else if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2)))
			return false;
	}
	if (values > 1)
		value = join_values(d, bytes, total);
	return decode_utf8(d, kv->key, "key") && read_any(d, value, &kv->value);
}

static bool write_any(Decoder *d, Buf *out, const AnyValue *any, int depth);

static bool
write_array_member(Decoder *d, Buf *out, Str bytes, int depth)
{
	AnyValue any;

	return read_any(d, bytes, &any) && write_any(d, out, &any, depth);
}

static bool
write_map_member(Decoder *d, Buf *out, Str bytes, int depth)
{
	PbKeyValue kv;

	if (!read_key_value(d, bytes, &kv))
		return false;
	buf_put_varint(out, kv.key.len);
	buf_put(out, kv.key.p, kv.key.len);
	return write_any(d, out, &kv.value, depth);
}

/* The members of one ArrayValue or KeyValueList message. */
static bool
write_members(Decoder *d, Buf *out, Str bytes, ValueType type, int depth, uint64_t *count)
{
	PbRange r = range_of(bytes);
	PbField f;

	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag != PB_TAG(1, PB_LEN))
		{
			if (!skip_field(d, &f, PB_BIT(1)))
				return false;
			continue;
		}
		(*count)++;
		if (!(type == VALUE_ARRAY ? write_array_member : write_map_member)(d, out, f.s, depth))
			return false;
	}
	return true;
}

/* Count and members of an array or map: what value.h puts after the byte length. */
static bool
write_nested(Decoder *d, Buf *out, const AnyValue *any, int depth)
{
	PbRange r = {any->from, any->to};
	size_t start = out->len;
	uint64_t count = 0;
	PbField f;

	if (depth > VALUE_MAX_DEPTH)
		return decode_fail(d, OTLP_TOO_DEEP, any->from, NULL, "value is nested deeper than %d levels",
						   VALUE_MAX_DEPTH);
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag == PB_TAG((uint32_t) any->v.type, PB_LEN) &&
			!write_members(d, out, f.s, any->v.type, depth, &count))
			return false;
	}
	decode_insert_varint(out, start, count);
	return true;
}

/* A whole value as value_write does it; depth is that of the list the value is in. */
static bool
write_any(Decoder *d, Buf *out, const AnyValue *any, int depth)
{
	size_t start;

	if (any->v.type != VALUE_ARRAY && any->v.type != VALUE_KVLIST)
	{
		value_write(out, &any->v);
		return true;
	}
	buf_put_u8(out, (uint8_t) any->v.type);
	start = out->len;
	if (!write_nested(d, out, any, depth + 1))
		return false;
	decode_insert_varint(out, start, out->len - start);
	return true;
}

/* Turn an array or map into bytes, in d->nested. */
static bool
finish_any(Decoder *d, AnyValue *any)
{
	if (any->v.type != VALUE_ARRAY && any->v.type != VALUE_KVLIST)
		return true;
	d->nested.len = 0;
	if (!write_nested(d, &d->nested, any, 1))
		return false;
	any->v.s = str_of((const char *) d->nested.p, d->nested.len);
	return true;
}

static bool
take_attribute(Decoder *d, Level level, Str bytes, int64_t index)
{
	PbKeyValue kv;

	decode_push(d, "attributes", index);
	if (!read_key_value(d, bytes, &kv) || !finish_any(d, &kv.value) ||
		!decode_attr(d, level, kv.key, kv.value.v, (const uint8_t *) bytes.p))
		return false;
	decode_pop(d);
	return true;
}

static bool
list_attribute(Decoder *d, Buf *list, uint32_t *count, Str bytes)
{
	PbKeyValue kv;

	decode_push(d, "attributes", *count);
	if (!read_key_value(d, bytes, &kv) || !finish_any(d, &kv.value))
		return false;
	decode_list_put(d, list, count, kv.key, kv.value.v);
	decode_pop(d);
	return true;
}

/* ---- events, links, status ---- */

typedef struct EventFields
{
	uint64_t time;
	Str name;
	uint32_t dropped;
} EventFields;

/* Scalars first, so that the event can begin; then its attributes. */
static bool
read_event(Decoder *d, Str bytes, EventFields *e)
{
	PbRange r = range_of(bytes);
	PbField f;

	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(1, PB_I64): e->time = f.u; break;
			case PB_TAG(2, PB_LEN): e->name = f.s; break;
			case PB_TAG(3, PB_LEN): break;
			case PB_TAG(4, PB_VARINT): e->dropped = (uint32_t) f.u; break;
			default:
				if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2) | PB_BIT(3) | PB_BIT(4)))
					return false;
		}
	}
	return decode_text(d, &e->name, "name");
}

/* Attributes of an event or link, whose other fields have been read. */
static bool
take_attributes(Decoder *d, Level level, Str bytes, uint32_t tag)
{
	PbRange r = range_of(bytes);
	PbField f;
	int64_t index = 0;

	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag == tag && !take_attribute(d, level, f.s, index++))
			return false;
	}
	return true;
}

static bool
take_event(Decoder *d, Str bytes, uint64_t span_start, int64_t index)
{
	EventFields e = {.name = {"", 0}};

	decode_push(d, "events", index);
	if (!decode_room(d, (const uint8_t *) bytes.p) || !read_event(d, bytes, &e))
		return false;
	builder_begin_event(d->bb, (int64_t) (e.time - span_start), e.name, e.dropped);
	if (!take_attributes(d, LEVEL_EVENT, bytes, PB_TAG(3, PB_LEN)))
		return false;
	builder_end_event(d->bb);
	decode_pop(d);
	return true;
}

typedef struct LinkFields
{
	Str trace_id;
	Str span_id;
	Str trace_state;
	uint32_t flags;
	uint32_t dropped;
} LinkFields;

#define LINK_KNOWN 0x7e /* 1 to 6 */

static bool
read_link(Decoder *d, Str bytes, LinkFields *l)
{
	PbRange r = range_of(bytes);
	PbField f;

	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(1, PB_LEN): l->trace_id = f.s; break;
			case PB_TAG(2, PB_LEN): l->span_id = f.s; break;
			case PB_TAG(3, PB_LEN): l->trace_state = f.s; break;
			case PB_TAG(4, PB_LEN): break;
			case PB_TAG(5, PB_VARINT): l->dropped = (uint32_t) f.u; break;
			case PB_TAG(6, PB_I32): l->flags = (uint32_t) f.u; break;
			default:
				if (!skip_field(d, &f, LINK_KNOWN))
					return false;
		}
	}
	return decode_text(d, &l->trace_state, "trace_state");
}

static bool
take_link(Decoder *d, Str bytes, int64_t index)
{
	LinkFields l = {.trace_id = {"", 0}, .span_id = {"", 0}, .trace_state = {"", 0}};

	decode_push(d, "links", index);
	if (!decode_room(d, (const uint8_t *) bytes.p) || !read_link(d, bytes, &l))
		return false;
	builder_begin_link(d->bb, l.trace_id, l.span_id, l.trace_state, l.flags, l.dropped);
	if (!take_attributes(d, LEVEL_LINK, bytes, PB_TAG(4, PB_LEN)))
		return false;
	builder_end_link(d->bb);
	decode_pop(d);
	return true;
}

static bool
read_status(Decoder *d, Str bytes, SpanFields *span)
{
	PbRange r = range_of(bytes);
	PbField f;

	decode_push(d, "status", -1);
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag == PB_TAG(2, PB_LEN))
			span->status_message = f.s;
		else if (f.tag == PB_TAG(3, PB_VARINT))
			span->status = (int32_t) f.u;
		else if (!skip_field(d, &f, PB_BIT(2) | PB_BIT(3)))
			return false;
	}
	if (!decode_text(d, &span->status_message, "message"))
		return false;
	decode_pop(d);
	return true;
}

/* ---- spans ---- */

typedef struct SpanState
{
	SpanFields f;
	int64_t attributes;
	int64_t events;
	int64_t links;
} SpanState;

#define SPAN_KNOWN 0x1fffe /* 1 to 16 */

static bool
span_field(Decoder *d, SpanState *s, const PbField *f)
{
	switch (f->tag)
	{
		case PB_TAG(1, PB_LEN): s->f.trace_id = f->s; return true;
		case PB_TAG(2, PB_LEN): s->f.span_id = f->s; return true;
		case PB_TAG(3, PB_LEN): s->f.trace_state = f->s; return true;
		case PB_TAG(4, PB_LEN): s->f.parent_id = f->s; return true;
		case PB_TAG(5, PB_LEN): s->f.name = f->s; return true;
		case PB_TAG(6, PB_VARINT): s->f.kind = (int32_t) f->u; return true;
		case PB_TAG(7, PB_I64): decode_set_start(d, &s->f, f->u, s->events > 0); return true;
		case PB_TAG(8, PB_I64): s->f.end = f->u; return true;
		case PB_TAG(9, PB_LEN): return take_attribute(d, LEVEL_SPAN, f->s, s->attributes++);
		case PB_TAG(10, PB_VARINT): s->f.dropped_attributes = (uint32_t) f->u; return true;
		case PB_TAG(11, PB_LEN): return take_event(d, f->s, s->f.start, s->events++);
		case PB_TAG(12, PB_VARINT): s->f.dropped_events = (uint32_t) f->u; return true;
		case PB_TAG(13, PB_LEN): return take_link(d, f->s, s->links++);
		case PB_TAG(14, PB_VARINT): s->f.dropped_links = (uint32_t) f->u; return true;
		case PB_TAG(15, PB_LEN): return read_status(d, f->s, &s->f);
		case PB_TAG(16, PB_I32): s->f.flags = (uint32_t) f->u; return true;
		default: return skip_field(d, f, SPAN_KNOWN);
	}
}

static bool
take_span(Decoder *d, Str bytes)
{
	PbRange r = range_of(bytes);
	SpanState s;
	PbField f;

	memset(&s, 0, sizeof(s));
	if (!decode_begin_span(d, (const uint8_t *) bytes.p))
		return false;
	while (r.pos < r.end)
		if (!next_field_fast(d, &r, &f) || !span_field(d, &s, &f))
			return false;
	return decode_text(d, &s.f.name, "name") && decode_text(d, &s.f.trace_state, "trace_state") &&
		   decode_end_span(d, &s.f, (const uint8_t *) bytes.p);
}

/* ---- scopes and resources ---- */

static bool
read_scope(Decoder *d, Str bytes, uint32_t *count)
{
	PbRange r = range_of(bytes);
	PbField f;

	decode_push(d, "scope", -1);
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(1, PB_LEN): d->scope_name = f.s; break;
			case PB_TAG(2, PB_LEN): d->scope_version = f.s; break;
			case PB_TAG(3, PB_LEN):
				if (!list_attribute(d, &d->scope, count, f.s))
					return false;
				break;
			case PB_TAG(4, PB_VARINT): d->scope_dropped = (uint32_t) f.u; break;
			default:
				if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2) | PB_BIT(3) | PB_BIT(4)))
					return false;
		}
	}
	if (!decode_text(d, &d->scope_name, "name") || !decode_text(d, &d->scope_version, "version"))
		return false;
	decode_pop(d);
	return true;
}

/* Everything of a ScopeSpans but its spans. */
static bool
read_scope_spans(Decoder *d, Str bytes)
{
	PbRange r = range_of(bytes);
	PbField f;
	uint32_t count = 0;

	decode_list_begin(&d->scope);
	d->scope_name = d->scope_version = d->scope_url = str_of("", 0);
	d->scope_dropped = 0;
	d->scope_pending = true;
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(1, PB_LEN):
				if (!read_scope(d, f.s, &count))
					return false;
				break;
			case PB_TAG(2, PB_LEN): break;
			case PB_TAG(3, PB_LEN): d->scope_url = f.s; break;
			default:
				if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2) | PB_BIT(3)))
					return false;
		}
	}
	decode_list_end(&d->scope, count);
	return decode_text(d, &d->scope_url, "schema_url");
}

static bool
take_scope_spans(Decoder *d, Str bytes, int64_t index)
{
	PbRange r = range_of(bytes);
	PbField f;
	int64_t spans = 0;

	decode_push(d, "scope_spans", index);
	if (!read_scope_spans(d, bytes))
		return false;
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag != PB_TAG(2, PB_LEN))
			continue;
		decode_push(d, "spans", spans++);
		if (!take_span(d, f.s))
			return false;
		decode_pop(d);
	}
	decode_pop(d);
	return true;
}

static bool
read_resource(Decoder *d, Str bytes, uint32_t *count)
{
	PbRange r = range_of(bytes);
	PbField f;

	decode_push(d, "resource", -1);
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag == PB_TAG(1, PB_LEN))
		{
			if (!list_attribute(d, &d->resource, count, f.s))
				return false;
		}
		else if (f.tag == PB_TAG(2, PB_VARINT))
			d->resource_dropped = (uint32_t) f.u;
		else if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2)))
			return false;
	}
	decode_pop(d);
	return true;
}

/* Where some exporters of OTLP 0.15 to 0.19 put the scopes, with the same layout. */
#define OLD_SCOPE_SPANS 1000

/* Everything of a ResourceSpans but what is in its scopes. */
static bool
read_resource_spans(Decoder *d, Str bytes)
{
	PbRange r = range_of(bytes);
	PbField f;
	uint32_t count = 0;

	decode_list_begin(&d->resource);
	d->resource_url = str_of("", 0);
	d->resource_dropped = 0;
	d->resource_pending = true;
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		switch (f.tag)
		{
			case PB_TAG(1, PB_LEN):
				if (!read_resource(d, f.s, &count))
					return false;
				break;
			case PB_TAG(2, PB_LEN): break;
			case PB_TAG(3, PB_LEN): d->resource_url = f.s; break;
			default:
				if (!skip_field(d, &f, PB_BIT(1) | PB_BIT(2) | PB_BIT(3)))
					return false;
		}
	}
	decode_list_end(&d->resource, count);
	return decode_text(d, &d->resource_url, "schema_url");
}

static bool
take_resource_spans(Decoder *d, Str bytes, int64_t index)
{
	PbRange r = range_of(bytes);
	PbField f;
	int64_t scopes = 0;

	decode_push(d, "resource_spans", index);
	if (!read_resource_spans(d, bytes))
		return false;
	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if ((f.tag == PB_TAG(2, PB_LEN) || f.tag == PB_TAG(OLD_SCOPE_SPANS, PB_LEN)) &&
			!take_scope_spans(d, f.s, scopes++))
			return false;
	}
	decode_pop(d);
	return true;
}

static bool
take_request(Decoder *d)
{
	PbRange r = {d->body, d->body + d->len};
	PbField f;
	int64_t resources = 0;

	while (r.pos < r.end)
	{
		if (!next_field(d, &r, &f))
			return false;
		if (f.tag == PB_TAG(1, PB_LEN))
		{
			if (!take_resource_spans(d, f.s, resources++))
				return false;
		}
		else if (!skip_field(d, &f, PB_BIT(1)))
			return false;
	}
	return true;
}

bool
otlp_decode_pb(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb, OtlpResult *res)
{
	BuilderMark *mark = builder_mark(bb);
	Decoder d;

	decode_begin(&d, body, len, limits, bb, res);
	if (!take_request(&d))
	{
		builder_rollback(bb, mark);
		return false;
	}
	res->spans = builder_nrows(bb) - d.rows_before;
	return true;
}
