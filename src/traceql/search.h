/*
 * search.h
 *	  TraceQL searches over tempo.spans: what traceql(), its scan node and the HTTP API call.
 *
 * A search reads segment by segment, vector by vector, one unit of whole traces at a time. Traces that are
 * spread over several images (all those in recent batches, and those that merges found in more than one
 * segment) are left out there, gathered from everywhere, and evaluated in units of their own, so answers
 * do not depend on how spans were scattered.
 *
 * With max_traces the newest traces by start are kept, and images that hold only older ones are not read.
 *
 * Ownership: everything hangs off a context below the one current at traceql_search_begin, which is freed
 * by traceql_search_end or, after an error, with its parent. Relations are opened with AccessShareLock,
 * kept until the end of the transaction; the active snapshot is used and stays registered until the end.
 */
#ifndef TEMPO_TRACEQL_SEARCH_H
#define TEMPO_TRACEQL_SEARCH_H

#include "postgres.h"
#include "traceql/eval/eval.h"
#include "traceql/reader.h"

typedef struct TraceqlRequest
{
	Str query;
	bool allow_metrics; /* of a metrics query the spans it would measure; otherwise it is an error */
	const char *tenant; /* NULL: all */
	bool has_from;      /* traces that overlap [from, to], unix ns, inclusive */
	bool has_to;
	int64 from;
	int64 to;
	uint32 max_traces; /* the newest; 0: all, in no order */
	uint32 max_spans;  /* per spanset; 0: all */
	bool details;      /* MatchSpan: name, service, kind, status */
	bool bare;         /* leave MatchSpan.attrs empty */
	bool no_root;      /* leave out what MatchTrace says of the root */
	bool no_span;      /* leave out id, start and duration of spans */
	bool services;     /* MatchTrace.services */
	/* Without max_traces: called with each trace that matches, of a unit of whole traces; no answers come. */
	void (*visit)(void *ctx, Batch *unit, uint32 trace);
	void *visit_ctx;
} TraceqlRequest;

typedef struct TraceqlSearchCounters
{
	ReaderCounters read;
	uint64 traces_matched;
	uint64 spans_matched;
	uint64 spans_inspected;
	uint64 traces_inspected;
} TraceqlSearchCounters;

typedef struct TraceqlSearch TraceqlSearch;

/*
 * Errors: 53400 more memory than tempo.query_memory, 22000 a trace beyond tempo.max_trace_spans or what
 * the evaluator cannot answer, 42601 the query is refused, 0A000 it cannot be executed yet, 42501 no SELECT
 * on tempo.spans, 42P01 no tempo.spans.
 */
extern TraceqlSearch *traceql_search_begin(const TraceqlRequest *request);
/* The next matching trace, NULL at the end. It lives until the next call. */
extern const MatchTrace *traceql_search_next(TraceqlSearch *search);
extern const TraceqlFacts *traceql_search_facts(const TraceqlSearch *search);
extern TraceqlSearchCounters traceql_search_counters(const TraceqlSearch *search);
extern void traceql_search_end(TraceqlSearch *search);

#endif
