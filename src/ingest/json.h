/*
 * json.h
 *	  Strict JSON, read in place: a check of the whole text first, then cursors that may rely on it.
 *
 * Why not PostgreSQL's parser: it refuses \u0000 and turns escapes into the database's encoding, both of
 * which OTLP must not lose to; it recurses without a limit of its own outside the server; and it reports
 * no byte offset. Nothing is allocated here but for strings that hold escapes.
 */
#ifndef TEMPO_INGEST_JSON_H
#define TEMPO_INGEST_JSON_H

#include "span/arena.h"

/* Containers in each other; 64 levels of OTLP values take four each, and the request around them. */
#define JSON_MAX_DEPTH 320

typedef enum JsonType
{
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
} JsonType;

typedef struct JsonError
{
	const uint8_t *at;
	const char *what;
	bool too_deep;
} JsonError;

/*
 * Where large containers near the root end, in the order they begin: the check finds them anyway, and
 * readers that come back for what they have passed over need not look for their ends again.
 */
typedef struct JsonIndex
{
	struct JsonExtent
	{
		const uint8_t *begin;
		const uint8_t *end;
	} * extents;
	uint32_t n;
	uint32_t cap;
	Arena *arena;
} JsonIndex;

/* One value and nothing else but white space: RFC 8259, UTF-8, no lone surrogates. Fills the index. */
extern bool json_validate(const uint8_t *text, size_t len, Arena *arena, JsonIndex *index, JsonError *error);

/* A place in validated text. */
typedef struct JsonCursor
{
	const uint8_t *pos;
	const JsonIndex *index;
} JsonCursor;

/* Type of the value here, white space skipped. */
extern JsonType json_peek(JsonCursor *c);
extern const char *json_type_name(JsonType type);
/* Step into an array or object. */
extern void json_enter(JsonCursor *c);
/* Is there another member? When not, steps out. To be called after json_enter and after every value. */
extern bool json_more(JsonCursor *c);
/* The name of an object's member; the cursor is then at its value. */
extern Str json_name(JsonCursor *c, Arena *arena);
/* A string's value, escapes resolved; without escapes it points into the text. */
extern Str json_string(JsonCursor *c, Arena *arena);
/* The text of a number, true, false or null. */
extern Str json_word(JsonCursor *c);
extern void json_skip(JsonCursor *c);

/* An exact integer from decimal text: digits, fraction and exponent, if the result is whole and fits. */
extern bool json_integer(Str text, bool *negative, uint64_t *magnitude);
/* A finite double from the text of a JSON number. */
extern bool json_double(Str text, Arena *arena, double *v);

#endif
