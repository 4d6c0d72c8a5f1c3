/*
 * timeline.h
 *	  TraceQL metrics over tempo.spans: what traceql_metrics() and the HTTP API call.
 *
 * Where no span's part depends on other spans, every image is read once as it is, recent batches and parts
 * of scattered traces included, and no trace is put together; otherwise units of whole traces are read as for
 * searches. Images and vectors are left out by the starts of their spans.
 *
 * Everything made on the way hangs off a context that is freed when the answer is there; the answer lives in
 * the context current at the call. Relations stay locked until the end of the transaction.
 */
#ifndef TEMPO_TRACEQL_TIMELINE_H
#define TEMPO_TRACEQL_TIMELINE_H

#include "postgres.h"
#include "traceql/metrics/metrics.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "traceql/reader.h"

typedef struct TimelineRequest
{
	Str query;
	const char *tenant; /* NULL: all */
	bool has_start;     /* unix ns; without: from the first span there is */
	bool has_end;       /* without: to the last */
	uint64 start;
	uint64 end;
	uint64 step;      /* ns; 0: the default for the range */
	bool instant;     /* one interval from start to end, no step */
	uint32 exemplars; /* at most so many; 0: none */
} TimelineRequest;

typedef struct Timeline
{
	MetricsResult *result;
	uint32 workers; /* that took part beside this process */
	MetricsCounters counters;
	ReaderCounters read;
} Timeline;

/*
 * Errors: 42601 the query is refused or is no metrics query, 0A000 it is not supported, 22023 an end that is
 * not behind the start, or more than METRICS_MAX_INTERVALS; 53400, 22000, 42501, 42P01 as for searches.
 */
extern Timeline *timeline_run(const TimelineRequest *request);

/* Where workers begin. */
extern PGDLLEXPORT void tempo_timeline_worker(dsm_segment *seg, shm_toc *toc);

#endif
