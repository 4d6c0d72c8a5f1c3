/*
 * wire.h
 *	  Writing protobuf messages into a Buf. Fields that are zero or empty are left out, as protobuf does,
 *	  where a function does not say otherwise.
 *
 * Lengths come before what they count, so a message is written first and its length slipped in front.
 */
#ifndef TEMPO_WIRE_H
#define TEMPO_WIRE_H

#include "span/arena.h"
#include "span/value.h"

#define WIRE_VARINT 0
#define WIRE_I64    1
#define WIRE_LEN    2
#define WIRE_I32    5

extern void wire_put_key(Buf *out, uint32_t number, uint32_t wire);
extern void wire_put_varint(Buf *out, uint32_t number, int64_t v);
extern void wire_put_fixed64(Buf *out, uint32_t number, uint64_t v);
extern void wire_put_fixed32(Buf *out, uint32_t number, uint32_t v);
extern void wire_put_bytes(Buf *out, uint32_t number, Str s);
/* Also when empty: members of a oneof are there or not. */
extern void wire_put_bytes_always(Buf *out, uint32_t number, Str s);
/* A span id as the 8 bytes it was. */
extern void wire_put_id(Buf *out, uint32_t number, int64_t id);

/* Begin a message; what wire_open returns goes to wire_close. */
extern size_t wire_open(Buf *out, uint32_t number);
extern void wire_close(Buf *out, size_t start);

/* An OTLP AnyValue, and a repeated KeyValue; depth is that of the value itself, 0 at the top. */
extern void wire_put_any_value(Buf *out, uint32_t number, const Value *v, int depth);
extern void wire_put_attributes(Buf *out, uint32_t number, Str attributes, int depth);

#endif
