/*
 * otlp.h
 *	  OTLP trace requests to batches of spans, and back.
 *
 * A request is taken whole or refused whole: after an error the builder is as it was before the call.
 * What is kept and how: batch.h. Attributes, their order and duplicates included, are kept exactly. Text
 * that becomes a column of type text (names, messages, versions, URLs, trace state) has every NUL byte
 * replaced by U+FFFD, because text cannot hold one; attribute keys and values keep theirs.
 *
 * Strings of the batch point into the body unless the builder copies; the body must then outlive it.
 * Plain C; memory comes from the builder's arena.
 */
#ifndef TEMPO_OTLP_H
#define TEMPO_OTLP_H

#include "span/batch.h"

typedef enum OtlpCode
{
	OTLP_OK,
	OTLP_MALFORMED,  /* not the encoding it claims to be, or a field of the wrong kind */
	OTLP_INVALID_ID, /* trace or span id of the wrong length, or all zero */
	OTLP_TOO_DEEP,   /* attribute values nested deeper than VALUE_MAX_DEPTH */
	OTLP_TOO_LARGE,  /* more attribute columns than a batch may have, or over max_memory */
	OTLP_BATCH_FULL  /* same, but the builder held rows already: finish it and try with an empty one */
} OtlpCode;

/* Zero means no limit. */
typedef struct OtlpLimits
{
	/* Longer attribute keys and string values are cut here, at the start of a character; not inside
	 * arrays and maps. */
	uint32_t max_attribute_bytes;
	/* What a request may add to the builder's arena: a few bytes can stand for a row of many columns. */
	size_t max_memory;
} OtlpLimits;

/*
 * A max_memory that every sensible request stays below: spans take twice their bytes on the wire, spans of
 * nothing but ids 20 times, lists of empty events or links 40 times and more.
 */
static inline size_t
otlp_max_memory(size_t body_len)
{
	return body_len * 32 + ((size_t) 16 << 20);
}

typedef struct OtlpResult
{
	OtlpCode code;
	uint32_t spans;     /* taken; 0 after an error */
	uint32_t truncated; /* attribute keys and values cut */
	size_t offset;      /* of the byte where decoding stopped, after an error; 0 when there is none */
	char message[256];  /* what and where, for the client; empty when OTLP_OK */
} OtlpResult;

/* An ExportTraceServiceRequest (or TracesData: the same bytes). limits may be NULL. */
extern bool otlp_decode_pb(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb,
						   OtlpResult *res);
/* The same in OTLP/JSON. */
extern bool otlp_decode_json(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb,
							 OtlpResult *res);

/*
 * Spans as TracesData in protobuf, appended to out. Neighbouring rows of equal resource share a
 * ResourceSpans, of equal scope a ScopeSpans.
 */
extern void otlp_write_pb(Batch *batch, const uint32_t *rows, uint32_t n, Buf *out);

#endif
