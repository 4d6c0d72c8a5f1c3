/*
 * value.c
 *	  Reading, writing and checking the attribute value format of value.h.
 *
 * Readers are safe on any bytes: every length is compared with what is left before it is used.
 */
#include "span/value.h"

static uint64_t
load_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static void
put_u64(Buf *out, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	buf_put(out, &v, 8);
}

/* A varint length and that many bytes, within [*pos, end). */
static bool
read_counted(const uint8_t **pos, const uint8_t *end, Str *s)
{
	uint64_t len;

	if (!read_varint(pos, end, &len) || len > (uint64_t) (end - *pos) || len > UINT32_MAX)
		return false;
	*s = str_of((const char *) *pos, len);
	*pos += len;
	return true;
}

static bool
read_fixed64(const uint8_t **pos, const uint8_t *end, uint64_t *v)
{
	if (end - *pos < 8)
		return false;
	*v = load_u64(*pos);
	*pos += 8;
	return true;
}

static bool
read_bool(const uint8_t **pos, const uint8_t *end, bool *b)
{
	if (*pos >= end || **pos > 1)
		return false;
	*b = *(*pos)++;
	return true;
}

static bool
read_value(const uint8_t **pos, const uint8_t *end, Value *v)
{
	uint64_t bits;

	if (*pos >= end)
		return false;
	v->type = *(*pos)++;
	switch (v->type)
	{
		case VALUE_EMPTY: v->i = 0; return true;
		case VALUE_BOOL: v->i = 0; return read_bool(pos, end, &v->b);
		case VALUE_INT:
		case VALUE_DOUBLE:
			if (!read_fixed64(pos, end, &bits))
				return false;
			v->i = (int64_t) bits; /* the same bits are v->d */
			return true;
		case VALUE_STRING:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
		case VALUE_BYTES: return read_counted(pos, end, &v->s);
	}
	return false;
}

bool
value_iter_begin(ValueIter *it, Str bytes)
{
	it->pos = (const uint8_t *) bytes.p;
	it->end = it->pos + bytes.len;
	it->left = 0;
	if (!read_varint(&it->pos, it->end, &it->left) || it->left > (uint64_t) (it->end - it->pos))
	{
		it->left = 1; /* not a clean end */
		it->pos = it->end;
		return false;
	}
	return true;
}

bool
value_iter_next(ValueIter *it, Value *v)
{
	if (it->left == 0 || !read_value(&it->pos, it->end, v))
		return false;
	it->left--;
	return true;
}

bool
value_iter_next_kv(ValueIter *it, KeyValue *kv)
{
	if (it->left == 0 || !read_counted(&it->pos, it->end, &kv->key) ||
		!read_value(&it->pos, it->end, &kv->value))
		return false;
	it->left--;
	return true;
}

static void
put_counted(Buf *out, Str s)
{
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

void
value_write(Buf *out, const Value *v)
{
	buf_put_u8(out, (uint8_t) v->type);
	switch (v->type)
	{
		case VALUE_EMPTY: break;
		case VALUE_BOOL: buf_put_u8(out, v->b ? 1 : 0); break;
		case VALUE_INT:
		case VALUE_DOUBLE: put_u64(out, (uint64_t) v->i); break;
		case VALUE_STRING:
		case VALUE_ARRAY:
		case VALUE_KVLIST:
		case VALUE_BYTES: put_counted(out, v->s); break;
	}
}

void
value_write_kv(Buf *out, Str key, const Value *v)
{
	put_counted(out, key);
	value_write(out, v);
}

static bool attributes_valid(Str bytes, int depth);

static bool array_valid(Str bytes, int depth);

static bool
nested_valid(const Value *v, int depth)
{
	if (v->type == VALUE_ARRAY)
		return array_valid(v->s, depth + 1);
	if (v->type == VALUE_KVLIST)
		return attributes_valid(v->s, depth + 1);
	return true;
}

static bool
array_valid(Str bytes, int depth)
{
	ValueIter it;
	Value v;

	if (depth > VALUE_MAX_DEPTH || !value_iter_begin(&it, bytes))
		return false;
	while (value_iter_next(&it, &v))
		if (!nested_valid(&v, depth))
			return false;
	return it.left == 0 && it.pos == it.end;
}

static bool
attributes_valid(Str bytes, int depth)
{
	ValueIter it;
	KeyValue kv;

	if (depth > VALUE_MAX_DEPTH || !value_iter_begin(&it, bytes))
		return false;
	while (value_iter_next_kv(&it, &kv))
		if (!nested_valid(&kv.value, depth))
			return false;
	return it.left == 0 && it.pos == it.end;
}

bool
value_attributes_valid(Str bytes)
{
	return attributes_valid(bytes, 0);
}

bool
value_array_valid(Str bytes)
{
	return array_valid(bytes, 1);
}

bool
value_find(Str attributes, Str key, Value *v)
{
	ValueIter it;
	KeyValue kv;

	if (!value_iter_begin(&it, attributes))
		return false;
	while (value_iter_next_kv(&it, &kv))
	{
		if (str_eq(kv.key, key))
		{
			*v = kv.value;
			return true;
		}
	}
	return false;
}
