/*
 * test_value.c
 *	  The attribute value format: what is written is read back, and no malformed bytes are believed.
 */
#include "span/value.h"
#include "unit.h"

#include <math.h>

static Arena *arena;

static Str
buf_str(const Buf *b)
{
	return str_of((const char *) b->p, b->len);
}

static Value
int_value(int64_t i)
{
	Value v = {.type = VALUE_INT, .i = i};

	return v;
}

static Value
bytes_value(ValueType type, Str s)
{
	Value v = {.type = type, .s = s};

	return v;
}

/* {"s":"str\0x", "b":true, "i":-5, "d":NaN with payload, "e":empty, "a":[1,[ ]], "m":{"k":2}, "x":bytes,
 * "s":""} */
static Str
sample(void)
{
	Buf inner, array, map, all;
	uint64_t nan_bits = 0x7ff8000000000123ULL;
	Value b = {.type = VALUE_BOOL, .b = true};
	Value d = {.type = VALUE_DOUBLE};
	Value e = {.type = VALUE_EMPTY};
	Value v;

	buf_init(&inner, arena, 0);
	buf_put_varint(&inner, 0);
	buf_init(&array, arena, 0);
	buf_put_varint(&array, 2);
	v = int_value(1);
	value_write(&array, &v);
	v = bytes_value(VALUE_ARRAY, buf_str(&inner));
	value_write(&array, &v);
	buf_init(&map, arena, 0);
	buf_put_varint(&map, 1);
	v = int_value(2);
	value_write_kv(&map, str_lit("k"), &v);

	memcpy(&d.d, &nan_bits, 8);
	buf_init(&all, arena, 0);
	buf_put_varint(&all, 9);
	v = bytes_value(VALUE_STRING, str_of("str\0x", 5));
	value_write_kv(&all, str_lit("s"), &v);
	value_write_kv(&all, str_lit("b"), &b);
	v = int_value(-5);
	value_write_kv(&all, str_lit("i"), &v);
	value_write_kv(&all, str_lit("d"), &d);
	value_write_kv(&all, str_lit("e"), &e);
	v = bytes_value(VALUE_ARRAY, buf_str(&array));
	value_write_kv(&all, str_lit("a"), &v);
	v = bytes_value(VALUE_KVLIST, buf_str(&map));
	value_write_kv(&all, str_lit("m"), &v);
	v = bytes_value(VALUE_BYTES, str_of("\xff\x00", 2));
	value_write_kv(&all, str_lit("x"), &v);
	v = bytes_value(VALUE_STRING, str_of("", 0));
	value_write_kv(&all, str_lit("s"), &v);
	return buf_str(&all);
}

static void
test_round_trip(void)
{
	Str s = sample();
	ValueIter it;
	KeyValue kv;
	Value v;
	Buf again;
	uint64_t bits;
	int n = 0;

	ok(value_attributes_valid(s), "a list of every type is valid");
	buf_init(&again, arena, 0);
	buf_put_varint(&again, 9);
	value_iter_begin(&it, s);
	for (; value_iter_next_kv(&it, &kv); n++)
		value_write_kv(&again, kv.key, &kv.value);
	is_i64(n, 9, "nine entries, the duplicate key included");
	ok(it.left == 0, "the walk ends cleanly");
	ok(str_eq(buf_str(&again), s), "reading and writing again gives the same bytes");
	ok(value_find(s, str_lit("s"), &v) && str_eq(v.s, str_of("str\0x", 5)),
	   "the first of two equal keys is found, NUL and all");
	ok(value_find(s, str_lit("d"), &v) && v.type == VALUE_DOUBLE && isnan(v.d), "NaN is there");
	memcpy(&bits, &v.d, 8);
	ok(bits == 0x7ff8000000000123ULL, "NaN keeps its payload");
	ok(value_find(s, str_lit("e"), &v) && v.type == VALUE_EMPTY, "an empty value is not an absent one");
	ok(!value_find(s, str_lit("zz"), &v), "an absent key is not found");
	ok(value_find(s, str_lit("b"), &v) && v.type == VALUE_BOOL && v.b, "bool");
	ok(value_find(s, str_lit("i"), &v) && v.i == -5, "negative int");
}

static void
test_nested_walk(void)
{
	ValueIter it;
	Value v;
	bool found = value_find(sample(), str_lit("a"), &v);

	ok(found && v.type == VALUE_ARRAY && value_array_valid(v.s), "an array is found and valid");
	ok(value_iter_begin(&it, v.s) && it.left == 2, "it has two members");
	ok(value_iter_next(&it, &v) && v.type == VALUE_INT && v.i == 1, "the first is 1");
	ok(value_iter_next(&it, &v) && v.type == VALUE_ARRAY, "the second is an array");
	ok(value_iter_begin(&it, v.s) && it.left == 0 && !value_iter_next(&it, &v) && it.left == 0,
	   "which is empty");
}

/* Every prefix is refused; every single-byte change is either refused or walks inside the bytes. */
static void
test_damage(void)
{
	Str s = sample();
	int prefixes = 0;
	int entries = 0;

	for (uint32_t n = 0; n < s.len; n++)
		prefixes += value_attributes_valid(str_of(arena_dup(arena, s.p, n), n));
	is_i64(prefixes, 0, "no proper prefix is valid");
	for (uint32_t i = 0; i < s.len; i++)
		for (int x = 1; x < 256; x += 7)
		{
			char *copy = malloc(s.len);
			ValueIter it;
			KeyValue kv;

			memcpy(copy, s.p, s.len);
			copy[i] ^= (char) x;
			value_attributes_valid(str_of(copy, s.len));
			value_iter_begin(&it, str_of(copy, s.len));
			while (value_iter_next_kv(&it, &kv))
				entries++;
			free(copy);
		}
	ok(entries > 0, "changed bytes are walked without leaving them");
}

static void
test_refused(void)
{
	ok(!value_attributes_valid(str_of("", 0)), "no bytes are no list");
	ok(value_attributes_valid(str_of("\0", 1)), "a count of nothing is an empty list");
	ok(!value_attributes_valid(str_of("\0x", 2)), "trailing bytes");
	ok(!value_attributes_valid(str_of("\x01\x01k\x08", 4)), "unknown tag");
	ok(!value_attributes_valid(str_of("\x01\x01k\x02\x02", 5)), "a bool that is neither 0 nor 1");
	ok(!value_attributes_valid(str_of("\x01\x01k\x01\xff\xff\xff\xff\x0f", 9)), "a length beyond the end");
	ok(!value_attributes_valid(str_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10)),
	   "a count beyond the end");
	ok(!value_array_valid(str_of("\x02\x00", 2)), "an array with a member missing");
}

/* depth arrays in each other, as the value of one attribute. */
static Str
nested(int depth)
{
	Buf in, list;
	Value v = {.type = VALUE_EMPTY};

	buf_init(&in, arena, 0);
	buf_put_varint(&in, 0);
	for (int i = 1; i < depth; i++)
	{
		Buf outer;

		v = bytes_value(VALUE_ARRAY, buf_str(&in));
		buf_init(&outer, arena, 0);
		buf_put_varint(&outer, 1);
		value_write(&outer, &v);
		in = outer;
	}
	v = bytes_value(VALUE_ARRAY, buf_str(&in));
	buf_init(&list, arena, 0);
	buf_put_varint(&list, 1);
	value_write_kv(&list, str_lit("deep"), &v);
	return buf_str(&list);
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_round_trip();
	test_nested_walk();
	test_damage();
	test_refused();
	ok(value_attributes_valid(nested(VALUE_MAX_DEPTH)), "nesting up to the limit");
	ok(!value_attributes_valid(nested(VALUE_MAX_DEPTH + 1)), "and not beyond");
	ok(!value_attributes_valid(nested(5000)), "nor far beyond");
	arena_destroy(arena);
	return unit_done();
}
