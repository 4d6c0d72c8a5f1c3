/*
 * internal.h
 *	  What the files of this folder share: the compiled plan, and what a run has observed so far.
 *
 * Every pipeline | function of the query is a leaf with an evaluator of its own (traceql/eval/internal.h);
 * by() attributes, measured attributes and conditions of compare() are slots and filters of its plan.
 *
 * A unit is observed in steps over arrays: rows that pass and their intervals (Picked), the series of each,
 * its measured value, then one loop that adds up. Series are numbered as they are met; a number is resolved
 * once a dictionary entry, not once a span. Counts and sums are doubles in rows of one cell an interval, made
 * when first touched: a series exists when it has a row.
 *
 * What lasts as long as the run hangs off its arena, everything of one unit off the scratch arena.
 */
#ifndef TEMPO_TRACEQL_METRICS_INTERNAL_H
#define TEMPO_TRACEQL_METRICS_INTERNAL_H

#include "traceql/eval/internal.h"
#include "traceql/metrics/metrics.h"

#define METRICS_MAX_BY 5
#define NBUCKETS       64 /* powers of two that an int64 can need */

/* ---- the plan ---- */

typedef enum Fold
{
	FOLD_COUNT, /* rate, count_over_time */
	FOLD_MIN,
	FOLD_MAX,
	FOLD_SUM, /* also avg_over_time */
	FOLD_BUCKETS,
	FOLD_COMPARE
} Fold;

typedef struct LeafPlan
{
	TraceqlPlan *spans; /* the pipeline, and every slot and filter of the leaf */
	const TraceqlMetric *metric;
	Fold fold;
	uint32_t nby;
	Slot *by[METRICS_MAX_BY];
	Slot *measured; /* NULL: nothing is */
	bool seconds;   /* what is measured are nanoseconds, and shown as seconds */
	Filter *selection;
	Str text; /* canonical: leaves of the same text are one */
} LeafPlan;

/* Which leaf a node of the tree stands for. */
typedef struct LeafNode
{
	const TraceqlMetricExpr *node;
	uint32_t leaf;
} LeafNode;

struct MetricsPlan
{
	Arena *arena;
	const TraceqlQuery *query;
	MetricsReading reading;
	bool extrapolate;
	uint32_t nleaves;
	uint32_t cap_leaves;
	LeafPlan *leaves;
	uint32_t nnodes;
	uint32_t cap_nodes;
	LeafNode *nodes;
};

/* ---- a run ---- */

/* A place in a hash table: part of the hash beside the number, so that few strings are compared in vain. */
typedef struct HashSlot
{
	uint32_t hash;
	uint32_t number; /* + 1; 0: empty */
} HashSlot;

/* Distinct values, numbered; number 0 is nil. */
typedef struct ValueTable
{
	uint32_t n;
	uint32_t cap;
	EvalValue *values;
	uint32_t mask;
	HashSlot *table;
} ValueTable;

/* Numbers given to the entries of one dictionary, kept as long as it is the same one. */
typedef struct CodeMap
{
	uint64_t source;
	const Str *dict;
	uint32_t ndict;
	uint32_t cap;
	uint32_t *numbers; /* number + 1; 0: not met yet */
	uint32_t of_null;  /* the same for what is null, in any dictionary */
} CodeMap;

/* Pairs of numbers, numbered. */
typedef struct PairTable
{
	uint32_t n;
	uint32_t cap;
	uint64_t *pairs; /* first << 32 | second */
	uint32_t mask;
	HashSlot *table;
} PairTable;

/* Numbers of the 64-bit values looked up last, by a few bits of a hash. */
#define RECENT_VALUES 256
typedef struct RecentValues
{
	int64_t value[RECENT_VALUES];
	uint32_t number[RECENT_VALUES]; /* number + 1; 0: none */
} RecentValues;

static inline uint32_t
recent_place(int64_t v)
{
	return (uint32_t) (((uint64_t) v * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* One attribute of by(). */
typedef struct Grouping
{
	ValueTable values;
	CodeMap map; /* of resources, scopes, names */
	uint32_t nmaps;
	CodeMap *maps;         /* of the attribute's columns */
	RecentValues *recent;  /* those of bools, ints and doubles: by ValueType */
	uint32_t of_number[8]; /* kind and status: number + 1 */
	PairTable joined;      /* (number of what stands before in by(), number of the value) */
} Grouping;

typedef struct Cells
{
	uint32_t cap;
	double **rows; /* NULL: nothing observed */
	double empty;
} Cells;

/* A span kept as an example, see exemplar.c. */
typedef struct Kept
{
	uint64_t trace_start; /* as far as the image at hand knows */
	uint64_t trace_rank;  /* a hash of its id */
	uint64_t span_rank;
	uint64_t time;
	uint8_t trace_id[16];
	uint32_t series;
	uint32_t bucket;
	double value; /* NaN: what is counted, not measured */
	uint32_t nlabels;
	MetricsLabel *labels;
} Kept;

#define KEPT_A_PART 4

typedef struct Exemplars
{
	uint32_t budget; /* 0: none */
	uint32_t nparts; /* of the range */
	uint64_t width;
	uint64_t shift; /* how much of the first part lies before the range */
	Kept *kept;     /* KEPT_A_PART each, in order of rank */
	uint8_t *n;
} Exemplars;

typedef struct Compare Compare;

typedef struct Leaf
{
	const LeafPlan *plan;
	MetricsRun *metrics;
	TraceqlRun *run;
	Grouping by[METRICS_MAX_BY];
	Cells cells[3]; /* SUM: sums, what rounding lost of them, weights. Others: the first only */
	Exemplars exemplars;
	CodeMap weights_of; /* of trace states */
	double *weights;
	Compare *compare;
} Leaf;

struct MetricsRun
{
	MetricsPlan *plan;
	MetricsOptions options;
	TraceqlHooks hooks;
	Arena *arena;
	MetricsCounters counters;
	const MetricsShares *shares; /* NULL: this run does everything */
	uint32_t share;
	Leaf *leaves;
};

/* The spans of a unit that count: passed, and within the range. */
typedef struct Picked
{
	uint32_t n;
	uint8_t *hit; /* by row of the unit: 1 = picked */
	bool one;     /* all of them are in interval same */
	uint32_t same;
	uint32_t *rows;     /* ascending; NULL until picked_list() */
	uint32_t *interval; /* with the rows */
	double *weights;    /* NULL: each counts once */
	uint64_t earliest;  /* starts are not outside of these */
	uint64_t latest;
} Picked;

/* What was measured at each picked span. */
typedef struct Measured
{
	const int64_t *raw;  /* of a float its bits */
	const uint8_t *type; /* EVAL_INT, EVAL_FLOAT, EVAL_DURATION, or EVAL_NIL: nothing */
} Measured;

/* ---- run.c ---- */

/* Fails the query when so much more memory would be too much. */
extern void metrics_room(MetricsRun *run, size_t bytes);

/* Make the list of rows and intervals. */
extern void picked_list(Leaf *leaf, Picked *p);

/* ---- values.c ---- */

extern uint32_t values_number(Arena *arena, ValueTable *t, const EvalValue *v);
/* The same for n values. */
extern void values_numbers(Arena *arena, ValueTable *t, const EvalValue *v, uint32_t n, uint32_t *numbers);
extern uint32_t pairs_number(Arena *arena, PairTable *t, uint32_t a, uint32_t b);
/* Ready the map for a dictionary. */
extern void codemap_use(Arena *arena, CodeMap *map, uint64_t source, const Column *column);
/* Where the number of the value at i is kept. */
static inline uint32_t *
codemap_at(CodeMap *map, const Column *column, uint32_t i)
{
	return column->nulls && column->nulls[i] ? &map->of_null : &map->numbers[column->codes[i]];
}

/* ---- group.c ---- */

/* Map for the values of the k-th column of an attribute. */
extern CodeMap *group_column_map(Leaf *leaf, Grouping *g, uint32_t k);
/* The series of each picked span, in scratch. */
extern uint32_t *group_series(Leaf *leaf, const Picked *p);
extern uint32_t group_series_of(Leaf *leaf, const EvalValue *values);
/* Values of a series, one for each attribute of by(). */
extern void group_values(const Leaf *leaf, uint32_t series, const EvalValue **values);

/* ---- measure.c ---- */

/* Makes the list of rows; leaves spans without a number out where that is cheap to tell. */
extern Measured measure(Leaf *leaf, Picked *p);
static inline double
measured_number(const Measured *m, uint32_t i)
{
	double d;

	if (m->type[i] != EVAL_FLOAT)
		return (double) m->raw[i];
	memcpy(&d, &m->raw[i], sizeof(d));
	return d;
}

/* ---- cells.c ---- */

/* Row i, made when it is not there. */
extern double *cells_row(MetricsRun *run, Cells *cells, uint32_t i);
static inline const double *
cells_look(const Cells *cells, uint32_t i)
{
	return i < cells->cap ? cells->rows[i] : NULL;
}
/* *sum + v into *sum, what rounding lost into *lost. */
extern void cells_add_exactly(double *sum, double *lost, double v);
extern void fold_picked(Leaf *leaf, Picked *p);

/* ---- dense.c ---- */

/* Count spans of one interval by codes, without a list of them; false: not one of the cases it knows. */
extern bool fold_dense(Leaf *leaf, const Picked *p);

/* ---- buckets.c ---- */

/* The power of two that v falls under, 1 .. 63; 0: none, too small. */
static inline uint32_t
bucket_of(int64_t v)
{
	return v < 2 ? 0 : 64 - (uint32_t) __builtin_clzll((uint64_t) v - 1);
}
extern double bucket_bound(const LeafPlan *plan, uint32_t bucket);
/* Quantile q of counts[1 .. NBUCKETS - 1]. */
extern double bucket_quantile(const LeafPlan *plan, const double *counts, double q);

/* ---- exemplar.c ---- */

extern void exemplars_init(Leaf *leaf, uint32_t budget);
/* Could spans of a unit within one interval be kept? */
extern bool exemplars_want(Leaf *leaf, const Picked *p);
extern void exemplars_offer(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m);
/* Take over one that another run kept. */
extern void exemplars_take(Leaf *leaf, const Kept *kept);
/* The final choice, one a trace at most, at most the budget; by time. */
extern uint32_t exemplars_choose(Leaf *leaf, Arena *arena, const Kept ***chosen);

/* ---- compare.c ---- */

extern void compare_init(Leaf *leaf);
extern void compare_observe(Leaf *leaf, Picked *p, const MetricsUnit *unit);
extern void compare_series(Leaf *leaf, Arena *arena, MetricsResult *out);
/* Another share is observed from now on. */
extern void compare_reshare(Leaf *leaf);

/* ---- series.c ---- */

extern MetricsResult *result_make(Arena *arena, const MetricsRange *range);
/* A series without labels and samples behind the last; labels has room for nlabels. */
extern MetricsSeries *result_append(Arena *arena, MetricsResult *result, uint32_t *cap, uint32_t nlabels);
extern void result_drop_empty(MetricsResult *result);
extern MetricsResult *leaf_result(Leaf *leaf, Arena *arena);
/* A copy: the result outlives the run, whose tables hold the strings. */
extern EvalValue label_own_value(Arena *arena, EvalValue v);

/* ---- order.c ---- */

extern void result_sort(MetricsRun *run, Arena *arena, MetricsResult *result);
extern int label_value_compare(const EvalValue *a, const EvalValue *b);

/* ---- second.c, arith.c ---- */

extern void second_apply(MetricsRun *run, Arena *arena, const TraceqlSecond *seconds, MetricsResult *result);
extern MetricsResult *arith_result(MetricsRun *run, Arena *arena, const TraceqlMetricExpr *node);

#endif
