/*
 * search.h
 *	  The plain-C parts of /api/search: a matching trace as JSON, and the older form of search as TraceQL.
 */
#ifndef TEMPO_API_SEARCH_H
#define TEMPO_API_SEARCH_H

#include "api/params.h"
#include "traceql/eval/eval.h"

/*
 * One element of "traces". name_known: whether spans show their names (TraceqlFacts). trace_only leaves the
 * spansets out, as the older form of search does.
 */
extern void search_write_trace(const MatchTrace *trace, bool name_known, bool trace_only, Buf *out);

/* The same as protobuf: field 1 of a SearchResponse. */
extern void search_write_trace_pb(const MatchTrace *trace, bool name_known, bool trace_only, Buf *out);

/* How ids are shown: a span's 16 hex digits into text[17], a trace's without leading zeros into text[33]. */
extern void search_hex_id(uint64_t span_id, char *text);
extern Str search_trace_id(const uint8_t trace_id[16], char *text);
/* The root's service, or the words that clients show when there is none. */
extern Str search_root_service(const MatchTrace *trace);

/* One value as an OTLP AnyValue: durations in Go notation, status and kind as words, nil as "nil". */
extern void search_write_value(const EvalValue *value, Buf *out);

/*
 * The older form of search as TraceQL text: every tag on some span of the trace or its resource, and the
 * trace's duration within the bounds (ns, 0: no bound).
 */
extern void search_tags_query(const QueryParams *tags, int64_t min_duration, int64_t max_duration, Buf *out);

#endif
