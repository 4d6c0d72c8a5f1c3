/*
 * metrics.h
 *	  The plain-C parts of the metrics endpoints: times and steps as they take them, series as JSON.
 */
#ifndef TEMPO_API_METRICS_H
#define TEMPO_API_METRICS_H

#include "traceql/metrics/metrics.h"

/*
 * A point in time as unix ns: up to 10 digits are seconds, more nanoseconds, a number with a point seconds
 * to the millisecond; otherwise RFC 3339. false: none of these, or out of range.
 */
extern bool metrics_read_time(Str text, uint64_t *ns);
/* A step: seconds as a decimal number, or a duration such as 1m30s; in ns. false: neither. May be negative.
 */
extern bool metrics_read_step(Str text, int64_t *ns);

/* One element of "series". */
extern void metrics_write_series(const MetricsSeries *s, const MetricsRange *range, bool instant, Buf *out);

#endif
