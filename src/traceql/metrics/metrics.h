/*
 * metrics.h
 *	  Evaluation of TraceQL metrics: spans counted and measured over intervals of time.
 *
 * A query becomes a plan once (metrics_plan), a plan runs in one process as a run (metrics_run_begin), and
 * a run is fed units one after the other (metrics_run_unit). What it has then is a partial: it can be written
 * as bytes (metrics_partial_write) and taken into another run of the same query (metrics_partial_merge), in
 * any order, so several workers may share the units. metrics_finish makes series of it: second stages and
 * arithmetic happen there, on totals.
 *
 * metrics_reading() says what units have to be: where no span's part in the answer depends on other spans,
 * they need neither be sorted nor hold whole traces; otherwise they must, as for searches (eval/eval.h).
 *
 * Semantics are those of doc/traceql.md. A span is placed by its start alone. Nothing is sampled.
 *
 * Ownership: a plan lives in the arena it was made in and must be freed with metrics_plan_free. A run lives
 * in its own arena. A result lives in the arena given to metrics_finish.
 */
#ifndef TEMPO_TRACEQL_METRICS_H
#define TEMPO_TRACEQL_METRICS_H

#include "traceql/eval/eval.h"

/* Interval k < n is (from + k * step, from + (k + 1) * step], unix ns; its samples carry the right edge. */
typedef struct MetricsRange
{
	uint64_t from;
	uint64_t step;
	uint32_t n;
} MetricsRange;

#define METRICS_MAX_INTERVALS 1000000

/* ---- time.c ---- */

/* The step when none is given: about 240 intervals, on a round number. */
extern uint64_t metrics_default_step(uint64_t start, uint64_t end);
/*
 * Intervals of a range query: start rounded down and end up to a multiple of step, one step more in front.
 * false: end is not behind start, step is 0, or there would be more than METRICS_MAX_INTERVALS.
 */
extern bool metrics_align(uint64_t start, uint64_t end, uint64_t step, MetricsRange *range);
/* One interval: (start, end]. */
extern bool metrics_instant(uint64_t start, uint64_t end, MetricsRange *range);

static inline uint64_t
metrics_time(const MetricsRange *range, uint32_t k)
{
	return range->from + (uint64_t) (k + 1) * range->step;
}

/* ---- plan.c, run.c ---- */

typedef struct MetricsPlan MetricsPlan;
typedef struct MetricsRun MetricsRun;

typedef struct MetricsOptions
{
	MetricsRange range;
	uint32_t exemplars; /* at most so many; a hint of the query overrides. 0: none, whatever the hint */
	uint32_t max_trace; /* as in TraceqlOptions */
	bool rowwise;       /* span by span: the executable reference the vectorised code is tested against */
} MetricsOptions;

/* NULL with *why set: the query is a search. The tree must outlive the plan. */
extern MetricsPlan *metrics_plan(Arena *arena, const TraceqlQuery *query, const char **why);
extern void metrics_plan_free(MetricsPlan *plan);

typedef enum MetricsReading
{
	METRICS_BY_SPANS,  /* every span in some unit */
	METRICS_BY_TRACES, /* every trace whole in some unit */
	METRICS_BY_BOTH    /* both: whole traces where they are, others in pieces and once more gathered */
} MetricsReading;
extern MetricsReading metrics_reading(const MetricsPlan *plan);
/* Can it be shared by attribute? */
extern bool metrics_shares_attributes(const MetricsPlan *plan);
/* Work on a span, as a multiple of what counting it takes. */
extern double metrics_plan_cost(const MetricsPlan *plan);
/* Attributes and intrinsics the query speaks of, leaf by leaf; NULL past the last. */
extern const TraceqlAttr *metrics_plan_attribute(const MetricsPlan *plan, uint32_t i);

extern MetricsRun *metrics_run_begin(MetricsPlan *plan, const MetricsOptions *options,
									 const TraceqlHooks *hooks, Arena *arena);

typedef enum MetricsPart
{
	METRICS_ALL,     /* all there is to these spans; by both, of traces in skip only what is the spans' own */
	METRICS_PIECES,  /* by both: only what is the spans' own, the traces come gathered */
	METRICS_GATHERED /* by both: only what is about traces, the spans come in pieces */
} MetricsPart;

typedef struct MetricsUnit
{
	Batch *batch;
	uint64_t source;     /* as in traceql_run_unit */
	const uint8_t *skip; /* NULL, or by trace: nonzero ones are not whole here; left out when by traces */
	const uint8_t *rows; /* NULL, or by row: zero ones are left out, others are 1; not when by traces */
	MetricsPart part;
	bool bounded; /* all spans start in [start_min, start_max], unix ns */
	uint64_t start_min;
	uint64_t start_max;
	/* batch is sorted and as image_vector() made it, and no span ends before it starts: traces bound starts.
	 */
	bool forward;
} MetricsUnit;

/*
 * compare() may be shared among runs by attribute, each of which is fed everything: there is nothing to merge
 * then but what is shown. Share 0 also has what is about traces; for other shares units are METRICS_PIECES,
 * of spans in any order. share_of has the share of each key of spans in keys; those it does not know go by a
 * hash.
 */
typedef struct MetricsShares
{
	uint32_t nshares;
	uint32_t columns; /* share of intrinsics of spans, of resources and scopes */
	uint32_t nkeys;
	Str *keys;
	uint32_t *share_of;
} MetricsShares;

/* Before the first unit, and again when all units were observed for the share before. */
extern void metrics_run_share(MetricsRun *run, const MetricsShares *shares, uint32_t share);

/* Observe one unit. scratch is the caller's to empty afterwards. */
extern void metrics_run_unit(MetricsRun *run, const MetricsUnit *unit, Arena *scratch);

/*
 * What a trace must have to be counted at all: bits for traceql_run_need() of the run returned. NULL: nothing
 * can be told.
 */
extern TraceqlRun *metrics_run_need(MetricsRun *run, uint32_t *need);

typedef struct MetricsCounters
{
	uint64_t units;
	uint64_t spans;    /* looked at */
	uint64_t observed; /* passed, and within the range */
} MetricsCounters;
extern const MetricsCounters *metrics_run_counters(const MetricsRun *run);

/* ---- partial.c ---- */

/* Append what the run has observed. Nothing more may be observed afterwards. */
extern void metrics_partial_write(MetricsRun *run, Buf *out);
/* Take such bytes in. false: they are not a partial of this query, or damaged; then the run is of no use. */
extern bool metrics_partial_merge(MetricsRun *run, Str bytes);

/* ---- series.c and what follows it ---- */

typedef struct MetricsLabel
{
	Str name;
	EvalValue value; /* NIL: shown as the string nil */
} MetricsLabel;

typedef struct MetricsExemplar
{
	uint64_t time; /* start of the span, unix ns */
	double value;  /* NaN: none */
	uint32_t interval;
	uint8_t trace_id[16];
	uint32_t nlabels; /* what the query mentions and the span has */
	MetricsLabel *labels;
} MetricsExemplar;

typedef struct MetricsSeries
{
	uint32_t nlabels;
	MetricsLabel *labels;
	double *values; /* by interval; NaN: no sample */
	uint32_t nexemplars;
	MetricsExemplar *exemplars; /* by time */
} MetricsSeries;

typedef struct MetricsResult
{
	MetricsRange range;
	uint32_t nseries;
	MetricsSeries *series; /* fewer labels first, then by labels; each has a sample */
} MetricsResult;

extern MetricsResult *metrics_finish(MetricsRun *run, Arena *arena);

/* The series for people: the value of its only label, or {a="x", b=2}. Appends to out. */
extern void metrics_series_name(const MetricsSeries *series, Buf *out);

#endif
