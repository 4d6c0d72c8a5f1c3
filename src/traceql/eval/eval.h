/*
 * eval.h
 *	  Evaluation of a TraceQL search over batches of whole traces.
 *
 * A query becomes a plan once (traceql_plan), a plan runs in one process as a run (traceql_run_begin), and
 * a run is fed units one after the other (traceql_run_unit). A unit is a sorted batch that holds whole
 * traces: a vector of a segment, or the gathered batch of the traces that are spread over several images.
 * Every trace of a unit is decided within it, so the order of units does not matter. Answers are delivered
 * trace by trace to a sink.
 *
 * Semantics are those of doc/traceql.md. In short: conditions are evaluated on every span, left to right
 * with short circuit; a comparison of a custom attribute with a literal sees values of the literal's type
 * only; a span whose expression raises (division by zero, ! of a number ...) is dropped.
 *
 * Ownership: a plan lives in the arena it was made in and must be freed with traceql_plan_free (compiled
 * regular expressions are outside). A run lives in its own arena. What a sink is handed lives until it
 * returns: strings point into the unit or its scratch arena.
 */
#ifndef TEMPO_TRACEQL_EVAL_H
#define TEMPO_TRACEQL_EVAL_H

#include "store/image.h"
#include "traceql/lang/ast.h"

/* Types of values during evaluation: those of literals, and two that only data has. */
typedef enum EvalType
{
	EVAL_NIL = TQL_TYPE_NIL,           /* nothing there */
	EVAL_INT = TQL_TYPE_INT,           /* i */
	EVAL_FLOAT = TQL_TYPE_FLOAT,       /* d */
	EVAL_STRING = TQL_TYPE_STRING,     /* s */
	EVAL_BOOL = TQL_TYPE_BOOL,         /* b */
	EVAL_DURATION = TQL_TYPE_DURATION, /* i: nanoseconds */
	EVAL_STATUS = TQL_TYPE_STATUS,     /* i: unset 0, ok 1, error 2 */
	EVAL_KIND = TQL_TYPE_KIND,         /* i: unspecified 0 .. consumer 5 */
	EVAL_ARRAY = TQL_TYPE_DYNAMIC + 1, /* s: as in value.h (count, values), two or more of one type, elem */
	EVAL_OPAQUE /* there, but of no type of the language: bytes, maps, empty and mixed arrays */
} EvalType;

typedef struct EvalValue
{
	uint8_t type; /* EvalType */
	uint8_t elem; /* EVAL_ARRAY: EVAL_INT, FLOAT, STRING or BOOL */
	union
	{
		bool b;
		int64_t i;
		double d;
		Str s;
	};
} EvalValue;

/* A value of value.h as the language sees it: an array of one is that one, an array of mixed types opaque. */
extern EvalValue eval_from_value(const Value *v);

/* Where an attribute shown with a span came from; decides its name where two have the same key. */
typedef enum MatchFrom
{
	MATCH_FROM_SPAN,
	MATCH_FROM_RESOURCE,
	MATCH_FROM_SCOPE,
	MATCH_FROM_EVENT,
	MATCH_FROM_LINK,
	MATCH_FROM_INTRINSIC
} MatchFrom;

typedef struct MatchAttr
{
	MatchFrom from;
	Str key; /* without scope; intrinsics in their canonical spelling */
	EvalValue value;
} MatchAttr;

typedef struct MatchSpan
{
	uint32_t row; /* of the unit */
	uint64_t span_id;
	int64_t start;    /* unix ns */
	int64_t duration; /* ns */
	Str name;
	Str service; /* these three only with options.details */
	int32_t kind;
	int32_t status;
	uint32_t nattrs;
	MatchAttr *attrs; /* what the query mentions and the span has */
} MatchSpan;

typedef struct MatchSpanset
{
	uint32_t matched; /* spans in the set */
	uint32_t nspans;  /* of them in spans: all, or the first max_spans by start time */
	MatchSpan *spans;
	uint32_t nattrs; /* attached by by() and aggregates, in the order of the pipeline */
	MatchAttr *attrs;
} MatchSpanset;

typedef struct MatchService
{
	Str name;
	uint32_t spans;
	uint32_t errors;
} MatchService;

typedef struct MatchTrace
{
	const uint8_t *trace_id; /* 16 bytes */
	int64_t start;           /* unix ns */
	int64_t duration;        /* ns */
	bool has_root;
	Str root_service; /* empty without root */
	Str root_name;
	uint32_t nspans; /* of the whole trace */
	uint32_t nsets;
	MatchSpanset *sets;
	uint32_t nservices; /* 0 unless asked for; over the whole trace */
	MatchService *services;
} MatchTrace;

/* Answers outlive the sink as one piece of memory: how many bytes, and the copy in so many bytes at mem. */
extern size_t match_trace_size(const MatchTrace *trace);
extern MatchTrace *match_trace_copy(const MatchTrace *trace, void *mem);

typedef struct MatchSink
{
	void *ctx;
	/*
	 * May be NULL. false: this match, of a trace of the unit, is not wanted (older than what fills the
	 * limit), do not build it.
	 */
	bool (*want)(void *ctx, uint32_t trace, const uint8_t *trace_id, int64_t start);
	void (*trace)(void *ctx, const MatchTrace *trace);
} MatchSink;

/* What a run may call. Both may be NULL: no interrupts; a failure prints and aborts. */
typedef struct TraceqlHooks
{
	void *ctx;
	void (*interrupt)(void *ctx);                 /* called often; may raise */
	void (*fail)(void *ctx, const char *message); /* the query cannot be answered; must not return */
	void (*room)(void *ctx, size_t bytes);        /* before much memory is taken, may raise; NULL: no limit */
} TraceqlHooks;

typedef struct TraceqlOptions
{
	/* A trace is considered when it overlaps [from, to], unix ns, both inclusive. */
	bool has_from;
	bool has_to;
	int64_t from;
	int64_t to;
	uint32_t max_spans; /* per spanset in answers; 0: all */
	uint32_t max_trace; /* spans of a trace that structure is worked out for; more fail. 0: no limit */
	bool services;      /* fill MatchTrace.services */
	bool details; /* fill MatchSpan.name even when the query does not mention name, service, kind, status */
	bool bare;    /* leave MatchSpan.attrs empty */
	bool no_root; /* leave out what MatchTrace says of the root */
	bool no_span; /* leave out id, start and duration of spans */
	bool rowwise; /* evaluate row by row: the executable reference the vectorised code is tested against */
} TraceqlOptions;

typedef struct TraceqlCounters
{
	uint64_t units;
	uint64_t rows;
	uint64_t traces;         /* considered */
	uint64_t traces_matched; /* before want() */
	uint64_t spans_matched;
} TraceqlCounters;

typedef struct TraceqlPlan TraceqlPlan;
typedef struct TraceqlRun TraceqlRun;

/* Facts for whoever reads storage for a plan. */
typedef struct TraceqlFacts
{
	bool nothing;     /* { false }: the answer is empty whatever is stored */
	bool name_known;  /* answers carry span names (13.3) */
	bool most_recent; /* hint */
	uint32_t need;    /* bits of traceql_run_need; 0: nothing can be told from single spans */
} TraceqlFacts;

/*
 * Compile a search. The tree must outlive the plan. NULL with *why set: a part of the query that is not a
 * search.
 */
extern TraceqlPlan *traceql_plan(Arena *arena, const TraceqlQuery *query, const char **why);
/* The pipeline of a metrics query, as a search for the spans it measures. */
extern TraceqlPlan *traceql_plan_pipeline(Arena *arena, const TraceqlPipeline *pipeline);

/* { filter } by itself: for runs that are asked span by span. NULL is the filter that is true. */
extern TraceqlPlan *traceql_plan_filter(Arena *arena, const TraceqlExpr *filter);
/* Also make the values of an attribute known to traceql_unit_value(); returns its number. */
extern uint32_t traceql_plan_value(TraceqlPlan *plan, const TraceqlAttr *attr);
/* Does it speak of what only a whole trace tells: root, duration, tree? */
extern bool traceql_plan_of_traces(const TraceqlPlan *plan);

extern const TraceqlFacts *traceql_plan_facts(const TraceqlPlan *plan);
/* Attributes and intrinsics the query speaks of, each once; NULL past the last. */
extern const TraceqlAttr *traceql_plan_attribute(const TraceqlPlan *plan, uint32_t i);
extern void traceql_plan_free(TraceqlPlan *plan);

/* The plan must outlive the run. arena holds what lasts as long as the run (decisions on dictionaries). */
extern TraceqlRun *traceql_run_begin(TraceqlPlan *plan, const TraceqlOptions *options,
									 const TraceqlHooks *hooks, Arena *arena);
typedef struct TraceqlUnit
{
	Batch *batch;
	/*
	 * Names the dictionaries: units of one image share it (not 0), so that decisions on dictionary entries
	 * are made once an image.
	 */
	uint64_t source;
	const uint8_t *skip; /* a byte a trace, nonzero: no answer is wanted of it; NULL: of all */
	/*
	 * By trace, zeroed by the caller; may be NULL. Of traces skipped, the conditions of facts.need that some
	 * span here satisfies, or might: conditions are not tested for their sake alone.
	 */
	uint32_t *bits;
	bool inside; /* all traces are known to overlap the range of the options */
} TraceqlUnit;

/*
 * Evaluate one unit. scratch holds everything made on the way; the caller resets it afterwards.
 */
extern void traceql_run_unit(TraceqlRun *run, const TraceqlUnit *unit, Arena *scratch, const MatchSink *sink);
/*
 * Which conditions of the query each row of mask satisfies, as bits of facts.need; a trace can only match
 * when its spans together have all of them. The batch need not be sorted nor hold whole traces.
 */
extern void traceql_run_need(TraceqlRun *run, Batch *batch, uint64_t source, const uint8_t *mask,
							 uint32_t *bits, Arena *scratch);
/*
 * Which conditions some row of a vector may satisfy, as bits of facts.need, by what its image tells without
 * reading blocks. source is that of units of the image.
 */
extern uint32_t traceql_run_may(TraceqlRun *run, Image *image, uint64_t source, uint32_t v);
extern const TraceqlCounters *traceql_run_counters(const TraceqlRun *run);

/* ---- span by span ---- */

/*
 * Begin a unit without running the plan over it. Unless traceql_plan_of_traces(), the batch need not be
 * sorted nor hold whole traces. Everything handed out lives in the unit and scratch; the next unit ends it.
 */
extern void traceql_unit_begin(TraceqlRun *run, Batch *unit, uint64_t source, Arena *scratch);
/* For plans of traceql_plan_filter(): of rows, 1 or 0 each, zero those it drops; returns how many are left.
 */
extern uint32_t traceql_unit_filter(TraceqlRun *run, uint8_t *rows);
/* Value of an attribute of traceql_plan_value() at a row; of an event or link: the first that has it. */
extern EvalValue traceql_unit_value(TraceqlRun *run, uint32_t value, uint32_t row);

#endif
