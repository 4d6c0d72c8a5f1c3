/*
 * trace.h
 *	  One whole trace as Tempo answers it: duplicates dropped, shared span ids told apart, spans grouped by
 *	  resource and scope, printed as JSON. Plain C over a Batch that holds the spans of one trace.
 *
 * Rules: a span stored twice (same span id and kind) is shown once, the first stored. Where a client and a
 * server span share one id, as Zipkin's clients send them, the server span gets a new id, becomes a child of
 * the client span, and spans that named the shared id as parent move below the server span.
 */
#ifndef TEMPO_API_TRACE_H
#define TEMPO_API_TRACE_H

#include "span/batch.h"

/*
 * Applies the rules above to the batch in place (span and parent ids) and returns the rows to show in the
 * order to show them; *n set. New ids depend on the trace and the old id alone, so answers repeat.
 */
extern uint32_t *trace_view(Batch *batch, uint32_t *n);

/* {"<key>":[ResourceSpans..]}; key is resourceSpans (v2) or batches (v1). No rows: {}. */
extern void trace_write_json(Batch *batch, const uint32_t *rows, uint32_t n, const char *key, Buf *out);

#endif
