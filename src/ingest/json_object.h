/*
 * json_object.h
 *	  Reading the members of JSON objects as protobuf's JSON mapping wants them. Private to src/ingest.
 *
 * A reader steps through an object with jobj_next, which stops at known members that are not null, and
 * takes the value with the function of its type. Every function that reads returns false after an error,
 * and the decoder then has it. A member given twice is an error: JSON does not say which one counts.
 */
#ifndef TEMPO_INGEST_JSON_OBJECT_H
#define TEMPO_INGEST_JSON_OBJECT_H

#include "ingest/decode.h"
#include "ingest/json.h"

/* A message's fields in both spellings; at most 32. A field's number is its place. */
typedef struct JsonField
{
	Str camel;
	Str snake;
} JsonField;

#define JSON_FIELD(camel, snake)                                                                             \
	{                                                                                                        \
		{camel, sizeof(camel) - 1},                                                                          \
		{                                                                                                    \
			snake, sizeof(snake) - 1                                                                         \
		}                                                                                                    \
	}

typedef struct JsonTable
{
	const JsonField *fields;
	uint32_t n;
} JsonTable;

#define JSON_TABLE(f)                                                                                        \
	{                                                                                                        \
		(f), sizeof(f) / sizeof((f)[0])                                                                      \
	}

typedef struct JsonObject
{
	JsonCursor *c;
	const JsonTable *table;
	uint32_t members; /* of any name, met so far */
	uint32_t known;   /* of those: with a name in the table, null or not */
	uint32_t seen;    /* bit by field */
	uint32_t field;   /* where jobj_next stopped */
	const char *name;
	const uint8_t *at;
	JsonType type; /* of the value */
} JsonObject;

extern bool jobj_open(Decoder *d, JsonObject *o, JsonCursor *c, const JsonTable *table);
/* To the next known member that is not null; false at the end as well as after an error. */
extern bool jobj_next(Decoder *d, JsonObject *o);

/* The value must be of this type. */
extern bool jobj_want(Decoder *d, JsonObject *o, JsonType type);
extern bool jobj_string(Decoder *d, JsonObject *o, Str *s);
/* A string for a text column. */
extern bool jobj_text(Decoder *d, JsonObject *o, Str *s);
/* Integers, as numbers or strings; u64 at most max. */
extern bool jobj_u64(Decoder *d, JsonObject *o, uint64_t max, uint64_t *v);
extern bool jobj_u32(Decoder *d, JsonObject *o, uint32_t *v);
extern bool jobj_i64(Decoder *d, JsonObject *o, int64_t *v);
/* A number, or as a string: also NaN and the infinities. */
extern bool jobj_double(Decoder *d, JsonObject *o, double *v);
/* A number, or one of the names, whose place is their number. */
extern bool jobj_enum(Decoder *d, JsonObject *o, const char *const *names, int n, int32_t *v);
/* An id of len bytes in hexadecimal, or in base64 when it cannot be hexadecimal; other lengths are left to
 * the caller to refuse. */
extern bool jobj_id(Decoder *d, JsonObject *o, uint32_t len, Str *id);
extern bool jobj_base64(Decoder *d, JsonObject *o, Str *s);

/* Calls f for each element of an array; the path then names the element. */
typedef bool (*JsonElement)(Decoder *d, JsonCursor *c, int64_t index, void *arg);
extern bool jobj_each(Decoder *d, JsonObject *o, JsonElement f, void *arg);

static inline bool
decode_failed(const Decoder *d)
{
	return d->res->code != OTLP_OK;
}

#endif
