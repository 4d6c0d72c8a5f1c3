/*
 * wire.c
 *	  Writing protobuf; see wire.h.
 */
#include "ingest/wire.h"

#define WIRE_VARINT 0
#define WIRE_I64    1
#define WIRE_LEN    2
#define WIRE_I32    5

void
wire_put_key(Buf *out, uint32_t number, uint32_t wire)
{
	buf_put_varint(out, number << 3 | wire);
}

static void
put_fixed(Buf *out, uint64_t v, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	buf_put(out, &v, n);
}

void
wire_put_varint(Buf *out, uint32_t number, int64_t v)
{
	if (v == 0)
		return;
	wire_put_key(out, number, WIRE_VARINT);
	buf_put_varint(out, (uint64_t) v);
}

void
wire_put_fixed64(Buf *out, uint32_t number, uint64_t v)
{
	if (v == 0)
		return;
	wire_put_key(out, number, WIRE_I64);
	put_fixed(out, v, 8);
}

void
wire_put_fixed32(Buf *out, uint32_t number, uint32_t v)
{
	if (v == 0)
		return;
	wire_put_key(out, number, WIRE_I32);
	put_fixed(out, v, 4);
}

/* Also when empty: members of a oneof are there or not. */
void
wire_put_bytes_always(Buf *out, uint32_t number, Str s)
{
	wire_put_key(out, number, WIRE_LEN);
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

void
wire_put_bytes(Buf *out, uint32_t number, Str s)
{
	if (s.len > 0)
		wire_put_bytes_always(out, number, s);
}

/* The id as the 8 bytes it was. */
void
wire_put_id(Buf *out, uint32_t number, int64_t id)
{
	uint64_t v = (uint64_t) id;

	if (v == 0)
		return;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	wire_put_bytes(out, number, str_of((const char *) &v, 8));
}

/* Begin a message; what open_message returns goes to close_message. */
size_t
wire_open(Buf *out, uint32_t number)
{
	wire_put_key(out, number, WIRE_LEN);
	buf_put_u8(out, 0); /* room for a length below 128 */
	return out->len;
}

void
wire_close(Buf *out, size_t start)
{
	size_t len = out->len - start;
	uint8_t prefix[10];
	size_t n;

	if (len < 128)
	{
		out->p[start - 1] = (uint8_t) len;
		return;
	}
	buf_put_varint(out, len);
	n = out->len - start - len;
	memcpy(prefix, out->p + start + len, n);
	memmove(out->p + start + n - 1, out->p + start, len);
	memcpy(out->p + start - 1, prefix, n);
	out->len--;
}

/* ---- values ---- */

static void
put_key_value(Buf *out, uint32_t number, const KeyValue *kv, int depth)
{
	size_t start = wire_open(out, number);

	wire_put_bytes(out, 1, kv->key);
	wire_put_any_value(out, 2, &kv->value, depth);
	wire_close(out, start);
}

void
wire_put_attributes(Buf *out, uint32_t number, Str attributes, int depth)
{
	ValueIter it;
	KeyValue kv;

	if (!value_iter_begin(&it, attributes))
		return;
	while (value_iter_next_kv(&it, &kv))
		put_key_value(out, number, &kv, depth);
}

static void
put_array(Buf *out, Str array, int depth)
{
	ValueIter it;
	Value v;

	if (!value_iter_begin(&it, array))
		return;
	while (value_iter_next(&it, &v))
		wire_put_any_value(out, 1, &v, depth);
}

static void
put_nested(Buf *out, const Value *v, int depth)
{
	size_t start = wire_open(out, v->type);

	if (depth > VALUE_MAX_DEPTH)
		; /* no producer makes such values */
	else if (v->type == VALUE_ARRAY)
		put_array(out, v->s, depth);
	else
		wire_put_attributes(out, 1, v->s, depth);
	wire_close(out, start);
}

void
wire_put_any_value(Buf *out, uint32_t number, const Value *v, int depth)
{
	size_t start = wire_open(out, number);

	switch (v->type)
	{
		case VALUE_EMPTY: break;
		case VALUE_BOOL:
			wire_put_key(out, VALUE_BOOL, WIRE_VARINT);
			buf_put_u8(out, v->b ? 1 : 0);
			break;
		case VALUE_INT:
			wire_put_key(out, VALUE_INT, WIRE_VARINT);
			buf_put_varint(out, (uint64_t) v->i);
			break;
		case VALUE_DOUBLE:
			wire_put_key(out, VALUE_DOUBLE, WIRE_I64);
			put_fixed(out, (uint64_t) v->i, 8);
			break;
		case VALUE_STRING:
		case VALUE_BYTES: wire_put_bytes_always(out, v->type, v->s); break;
		case VALUE_ARRAY:
		case VALUE_KVLIST: put_nested(out, v, depth + 1); break;
	}
	wire_close(out, start);
}
