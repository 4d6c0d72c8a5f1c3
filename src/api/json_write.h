/*
 * json_write.h
 *	  JSON as protobuf's Go JSON mapping prints it, which is what Tempo's clients expect: 64-bit integers as
 *	  strings, bytes in base64, NaN and infinities as strings, zero-valued fields left out by the caller.
 *
 * Plain C. Every function appends to a Buf. Strings that are not UTF-8 come out with U+FFFD in place of
 * each bad byte, so the output is always valid JSON.
 */
#ifndef TEMPO_API_JSON_WRITE_H
#define TEMPO_API_JSON_WRITE_H

#include "span/arena.h"
#include "span/value.h"

extern void json_put_raw(Buf *out, const char *text);
extern void json_put_string(Buf *out, Str s);
/* "123": how 64-bit numbers are sent. */
extern void json_put_quoted_i64(Buf *out, int64_t v);
extern void json_put_quoted_u64(Buf *out, uint64_t v);
extern void json_put_u64(Buf *out, uint64_t v);
extern void json_put_i64(Buf *out, int64_t v);
/* Shortest text that reads back as the same number; "NaN", "Infinity", "-Infinity" in quotes. */
extern void json_put_double(Buf *out, double v);
extern void json_put_base64(Buf *out, Str bytes);
/* {"stringValue":"x"}: an OTLP AnyValue; {} for an empty one. */
extern void json_put_any_value(Buf *out, const Value *v);
/* [{"key":..,"value":{..}},..]: attributes in the format of span/value.h. */
extern void json_put_attributes(Buf *out, Str attributes);

/*
 * Members of an object or elements of an array: writes the comma when needed.
 *
 *	  bool first = true;
 *	  json_put_key(out, &first, "name"); json_put_string(out, name);
 */
extern void json_put_key(Buf *out, bool *first, const char *key);
extern void json_put_comma(Buf *out, bool *first);

#endif
