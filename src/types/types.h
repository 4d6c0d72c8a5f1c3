/*
 * types.h
 *	  The SQL types of the extension as C sees them.
 *
 *	  trace_id            16 bytes as on the wire, by reference, any alignment (TraceId)
 *	  span_id             by value: the 8 bytes read as a big-endian number, compared unsigned
 *	  tempo.span_kind     by value, 4 bytes: the OTLP number (unknown numbers are kept)
 *	  tempo.status_code   same
 *	  tempo.attributes    varlena: exactly the "attributes" bytes of span/value.h
 *	  tempo.events        varlena: span/records.h
 *	  tempo.links         varlena: span/records.h
 *
 * trace_id and span_id live in the schema the extension was created in, the others in schema tempo.
 *
 * Ownership: everything returned is palloc'd in the current memory context. A Str taken from a varlena
 * points into the detoasted datum and lives as long as that.
 */
#ifndef TEMPO_TYPES_H
#define TEMPO_TYPES_H

#include "postgres.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "span/arena.h"
#include "span/value.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES  8

typedef struct TraceId
{
	uint8 b[TRACE_ID_BYTES];
} TraceId;

#define DatumGetTraceId(d)    ((TraceId *) DatumGetPointer(d))
#define PG_GETARG_TRACE_ID(n) DatumGetTraceId(PG_GETARG_DATUM(n))
#define DatumGetSpanId(d)     ((uint64) DatumGetInt64(d))
#define SpanIdGetDatum(v)     Int64GetDatum((int64) (v))
#define PG_GETARG_SPAN_ID(n)  DatumGetSpanId(PG_GETARG_DATUM(n))
#define DatumGetSpanKind(d)   DatumGetInt32(d)
#define SpanKindGetDatum(v)   Int32GetDatum(v)
#define DatumGetStatusCode(d) DatumGetInt32(d)
#define StatusCodeGetDatum(v) Int32GetDatum(v)

/* ---- varlena and payload (payload.c) ---- */

/* An arena of palloc'd blocks in the current context: freed with it at the latest. */
extern Arena *types_arena(void);
/*
 * Payload of a detoasted tempo.attributes, events or links. Never without bytes: what is not there at all
 * reads as an empty list.
 */
static inline Str
types_varlena_payload(const struct varlena *v)
{
	if (VARSIZE_ANY_EXHDR(v) == 0)
		return str_of("\0", 1);
	return str_of(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

/* The same, detoasted in the current context. */
extern Str types_payload(Datum d);
/* A datum of any of the three. No bytes at all mean an empty list. */
extern Datum types_datum(Str payload);

/* The one way to spell these valid bytes: lengths and counts as short as they go. (attributes.c) */
extern Str types_canonical_attributes(Str attributes, Arena *arena);

/* ---- text of values (value_print.c, value_parse.c) ---- */

/* The exact text form; reading it back gives the same bytes. */
extern void types_print_attributes(StringInfo out, Str attributes);
extern void types_print_value(StringInfo out, const Value *v);
extern void types_print_string(StringInfo out, Str s);
/* What ->> gives: strings bare, other values as above. Bytes that text cannot hold are escaped. */
extern void types_print_bare(StringInfo out, const Value *v);
extern void types_print_hex(StringInfo out, Str s);

/* A cursor over the text form of attributes, events or links. */
typedef struct TextCursor
{
	const char *start;
	const char *pos;
	const char *end;
	const char *type; /* for messages */
	Arena *arena;     /* strings and nested values */
} TextCursor;

extern void types_parse_begin(TextCursor *cur, const char *text, size_t len, const char *type);
/* Append "attributes" bytes of one { } to out. */
extern void types_parse_attributes(TextCursor *cur, Buf *out, int depth);
extern Str types_parse_string(TextCursor *cur);
/* A number without sign, point or exponent. */
extern uint64 types_parse_uint64(TextCursor *cur);
/* Skip white space; if c comes next, take it. */
extern bool types_parse_take(TextCursor *cur, char c);
extern void types_parse_expect(TextCursor *cur, char c);
/* Frees the arena; raises unless only white space is left. */
extern void types_parse_end(TextCursor *cur);
extern void types_parse_error(TextCursor *cur, const char *detail) pg_attribute_noreturn();

/* ---- jsonb (value_jsonb.c) ---- */

/* The first of several values under one key counts, as for ->. */
extern Jsonb *types_attributes_jsonb(Str attributes);
extern Jsonb *types_value_jsonb(const Value *v);
/* "attributes" bytes in arena; raises unless an object. */
extern Str types_jsonb_attributes(Jsonb *jb, Arena *arena);
/* Push a key, or the value of the key pushed last, of an object being built. */
extern void types_push_key(JsonbParseState **ps, const char *key);
extern void types_push_attributes(JsonbParseState **ps, Str attributes);
extern void types_push_string(JsonbParseState **ps, Str s);
extern void types_push_hex(JsonbParseState **ps, Str s);
extern void types_push_uint64(JsonbParseState **ps, uint64 v);

/* ---- the rules of @> (attributes_ops.c) ---- */

/* Is everything in b also in a? Types must agree exactly: an int never equals a double. */
extern bool types_attributes_contain(Str a, Str b);

/* ---- ids and time ---- */

/* The number a span_id is, from its bytes on the wire. */
static inline uint64
types_span_id(const uint8 *wire)
{
	uint64 id;

	memcpy(&id, wire, SPAN_ID_BYTES);
	return pg_ntoh64(id);
}

#define NSECS_PER_USEC   1000
#define UNIX_TO_PG_USECS (((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* Unix nanoseconds (unsigned) to a timestamp and the 0..999 nanoseconds below it. */
static inline TimestampTz
types_unix_ns_time(uint64 ns, int16 *below)
{
	*below = (int16) (ns % NSECS_PER_USEC);
	return (TimestampTz) (ns / NSECS_PER_USEC) - UNIX_TO_PG_USECS;
}

static inline int
types_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
