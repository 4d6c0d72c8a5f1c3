/*
 * search.h
 *	  The answer of /api/search: the newest matching traces, as JSON. Plain C over what the evaluator
 *delivers.
 *
 * A SearchAnswer is a sink for traceql_run_unit(). It renders each trace when it arrives and keeps the limit
 * newest (by trace start, then by trace id so that the choice does not depend on the order of arrival).
 */
#ifndef TEMPO_API_SEARCH_H
#define TEMPO_API_SEARCH_H

#include "api/params.h"
#include "traceql/eval/eval.h"

typedef struct SearchAnswer SearchAnswer;

/* limit > 0. name_known: see TraceqlFacts. trace_only: leave spansets out (the legacy tags form). */
extern SearchAnswer *search_answer_create(Arena *arena, uint32_t limit, bool name_known, bool trace_only);
extern MatchSink search_answer_sink(SearchAnswer *answer);
/* "traces":[..], newest first: the first member of the response object. */
extern void search_answer_write(SearchAnswer *answer, Buf *out);
/* Start of the oldest trace kept once limit traces are there; false before. Older traces cannot enter. */
extern bool search_answer_full(const SearchAnswer *answer, int64_t *oldest);

/* One value as an OTLP AnyValue in JSON: durations in Go notation, status and kind as words, nil as "nil". */
extern void search_write_value(const EvalValue *value, Buf *out);

/*
 * The older form of search as TraceQL text: every tag on some span of the trace or its resource, and the
 * trace's duration within the bounds (ns, 0: no bound).
 */
extern void search_tags_query(const QueryParams *tags, int64_t min_duration, int64_t max_duration, Buf *out);

#endif
