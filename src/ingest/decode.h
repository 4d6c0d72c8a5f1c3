/*
 * decode.h
 *	  What the decoders of all encodings share: where they are, errors, and handing spans to the builder.
 *	  Private to src/ingest.
 */
#ifndef TEMPO_INGEST_DECODE_H
#define TEMPO_INGEST_DECODE_H

#include "ingest/otlp.h"
#include "ingest/text.h"

#define DECODE_MAX_PATH 12

/* One step of the way from the request to the field being decoded; index -1: not a list. */
typedef struct PathStep
{
	const char *name;
	int64_t index;
} PathStep;

typedef struct Decoder
{
	const uint8_t *body;
	size_t len;
	OtlpLimits limits;
	BatchBuilder *bb;
	Arena *arena;
	OtlpResult *res;
	bool json; /* name fields as JSON does */
	PathStep path[DECODE_MAX_PATH];
	int depth;
	uint32_t rows_before; /* in the builder when the request began */
	size_t memory_end;    /* arena size that must not be passed */
	Buf resource;         /* attributes in the format of value.h, reused */
	Buf scope;
	Buf nested; /* an array or map, reused */
	/* Given to the builder with the first span, so that it never holds what no span uses. */
	bool resource_pending;
	bool scope_pending;
	Str resource_url;
	uint32_t resource_dropped;
	Str scope_name;
	Str scope_version;
	Str scope_url;
	uint32_t scope_dropped;
} Decoder;

/* The plain fields of a span; ids as sent. */
typedef struct SpanFields
{
	Str trace_id;
	Str span_id;
	Str parent_id;
	Str trace_state;
	Str name;
	Str status_message;
	uint64_t start;
	uint64_t end;
	int32_t kind;
	int32_t status;
	uint32_t flags;
	uint32_t dropped_attributes;
	uint32_t dropped_events;
	uint32_t dropped_links;
} SpanFields;

extern void decode_begin(Decoder *d, const uint8_t *body, size_t len, const OtlpLimits *limits,
						 BatchBuilder *bb, OtlpResult *res);

static inline void
decode_push(Decoder *d, const char *name, int64_t index)
{
	if (d->depth < DECODE_MAX_PATH)
	{
		d->path[d->depth].name = name;
		d->path[d->depth].index = index;
	}
	d->depth++;
}

static inline void
decode_pop(Decoder *d)
{
	d->depth--;
}

/* Record the error, unless there is one already. Always false. field may be NULL. */
extern bool decode_fail(Decoder *d, OtlpCode code, const uint8_t *at, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Text for a text column: valid UTF-8 and NUL replaced, in place. */
extern bool decode_text(Decoder *d, Str *s, const char *field);
/* Text of an attribute: valid UTF-8. */
extern bool decode_utf8(Decoder *d, Str s, const char *field);

/* Attributes of resource and scope: begin, any number of put, end. */
extern void decode_list_begin(Buf *list);
extern void decode_list_put(Decoder *d, Buf *list, uint32_t *count, Str key, Value v);
extern void decode_list_end(Buf *list, uint32_t count);
/* Write v as a varint at a place in the middle. */
extern void decode_insert_varint(Buf *buf, size_t at, uint64_t v);

/* An attribute of the span, event or link begun last, cut as the limits say. */
extern bool decode_attr(Decoder *d, Level level, Str key, Value v, const uint8_t *at);

/* May the request take more memory? To be asked before every row. */
extern bool decode_room(Decoder *d, const uint8_t *at);
/* Start a span, giving the builder resource and scope when they are new. */
extern bool decode_begin_span(Decoder *d, const uint8_t *at);
/* Set the start; events taken before hold their distance to another one and move. */
extern void decode_set_start(Decoder *d, SpanFields *f, uint64_t start, bool any_events);
/* Check the ids, set the columns, end the span. */
extern bool decode_end_span(Decoder *d, SpanFields *f, const uint8_t *at);

#endif
