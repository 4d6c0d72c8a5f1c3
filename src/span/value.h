/*
 * value.h
 *	  The attribute value format: an OTLP AnyValue, and lists of key and value, as bytes.
 *
 * The same bytes are the payload of the SQL type tempo.attributes, the entries of the resource and
 * scope dictionaries, and what array and map attribute columns hold. All numbers little endian,
 * lengths LEB128 ("varint").
 *
 *	  value      := tag(1 byte) payload
 *	    0 EMPTY   nothing
 *	    1 STRING  varint length, bytes
 *	    2 BOOL    one byte, 0 or 1
 *	    3 INT     8 bytes
 *	    4 DOUBLE  8 bytes, IEEE bits kept as they came (NaN payloads, -0)
 *	    5 ARRAY   varint byte length of what follows, varint count, values
 *	    6 KVLIST  varint byte length of what follows, attributes
 *	    7 BYTES   varint length, bytes
 *	  attributes := varint count, count times { varint key length, key bytes, value }
 *
 * The tags are OTLP's field numbers in AnyValue. Order and duplicates are kept. Nesting deeper than
 * VALUE_MAX_DEPTH is refused by every producer and every reader.
 */
#ifndef TEMPO_VALUE_H
#define TEMPO_VALUE_H

#include "span/arena.h"

#define VALUE_MAX_DEPTH 64

typedef enum ValueType
{
	VALUE_EMPTY = 0,
	VALUE_STRING = 1,
	VALUE_BOOL = 2,
	VALUE_INT = 3,
	VALUE_DOUBLE = 4,
	VALUE_ARRAY = 5,
	VALUE_KVLIST = 6,
	VALUE_BYTES = 7
} ValueType;

#define VALUE_NTYPES 8

/* One value, decoded one level. For ARRAY and KVLIST s is what follows the byte length: count and members. */
typedef struct Value
{
	ValueType type;
	union
	{
		bool b;
		int64_t i;
		double d;
		Str s;
	};
} Value;

typedef struct KeyValue
{
	Str key;
	Value value;
} KeyValue;

/* Walks attributes or an array; strings point into the bytes walked. */
typedef struct ValueIter
{
	const uint8_t *pos;
	const uint8_t *end;
	uint64_t left;
} ValueIter;

/* false: the count does not fit the bytes. */
extern bool value_iter_begin(ValueIter *it, Str bytes);
/* false at the end or when malformed; left is 0 only at a clean end. */
extern bool value_iter_next(ValueIter *it, Value *v);
extern bool value_iter_next_kv(ValueIter *it, KeyValue *kv);

/* Append one value, or one key and value, in the format above. */
extern void value_write(Buf *out, const Value *v);
extern void value_write_kv(Buf *out, Str key, const Value *v);

/* Whole-tree checks of bytes that come from outside: lengths, tags, depth, no trailing bytes. */
extern bool value_attributes_valid(Str bytes);
extern bool value_array_valid(Str bytes);

/* First value of key; false when absent. Assumes valid bytes, but never reads outside them. */
extern bool value_find(Str attributes, Str key, Value *v);

#endif
