/*
 * ast.h
 *	  TraceQL as a tree, and the way from text to it: traceql_parse() and the canonical printers.
 *
 * Everything of a query lives in the arena given to traceql_parse() and is never freed singly. A tree is
 * immutable once returned. Strings in it never point into the query text. Every node carries pos, the
 * byte offset in the text where it begins (for binary nodes: where the operator stands).
 *
 * What a caller of a successful traceql_parse() may rely on:
 *	- constant parts are folded: a subtree without a span field is a TQL_STATIC, except one that cannot be
 *	  computed (1 / 0) or was not worth typing (array and nil arithmetic do not exist in the text);
 *	- no TQL_SCOPE_PARENT* and no TQL_PARENT anywhere but in a metric's by() list, which is not checked
 *	  (they have no value on any span);
 *	- the right side of =~ and !~ is a TQL_STATIC string that traceql_regex_compile() accepts;
 *	- the right operand of = and != is never a nil literal: TQL_IS_NIL and TQL_NOT_NIL stand for those;
 *	- a scalar filter is exactly aggregate, comparison, int / float / duration literal;
 *	- literals compared with trace:id and link:traceID have lost their leading zeros;
 *	- no tree is higher than TRACEQL_MAX_DEPTH, so walking one by recursion is safe.
 *
 * doc/traceql.md says what the language means and where it departs from Tempo's.
 */
#ifndef TRACEQL_AST_H
#define TRACEQL_AST_H

#include "span/arena.h"

#define TRACEQL_MAX_TEXT  131072 /* bytes of query text */
#define TRACEQL_MAX_DEPTH 1000   /* height of an expression tree */

/* ---- attributes ---- */

typedef enum TraceqlScope
{
	TQL_SCOPE_NONE, /* .key: the span's, else the resource's; also every intrinsic */
	TQL_SCOPE_SPAN,
	TQL_SCOPE_RESOURCE,
	TQL_SCOPE_EVENT,
	TQL_SCOPE_LINK,
	TQL_SCOPE_INSTRUMENTATION,
	TQL_SCOPE_PARENT, /* parent.key, parent.span.key, parent.resource.key: parsed, not supported */
	TQL_SCOPE_PARENT_SPAN,
	TQL_SCOPE_PARENT_RESOURCE
} TraceqlScope;

typedef enum TraceqlIntrinsic
{
	TQL_NOT_INTRINSIC, /* an attribute: scope and key */
	TQL_DURATION,      /* duration, span:duration */
	TQL_NAME,
	TQL_STATUS,
	TQL_STATUS_MESSAGE,
	TQL_KIND,
	TQL_TRACE_DURATION,
	TQL_ROOT_NAME,
	TQL_ROOT_SERVICE_NAME,
	TQL_NESTED_SET_LEFT,
	TQL_NESTED_SET_RIGHT,
	TQL_NESTED_SET_PARENT,
	TQL_PARENT,    /* parent: parsed, not supported */
	TQL_TRACE_ID,  /* trace:id */
	TQL_SPAN_ID,   /* span:id */
	TQL_PARENT_ID, /* span:parentID */
	TQL_CHILD_COUNT,
	TQL_EVENT_NAME,
	TQL_EVENT_TIME_SINCE_START,
	TQL_LINK_TRACE_ID,
	TQL_LINK_SPAN_ID,
	TQL_INSTRUMENTATION_NAME,
	TQL_INSTRUMENTATION_VERSION
} TraceqlIntrinsic;

#define TQL_NINTRINSICS (TQL_INSTRUMENTATION_VERSION + 1)

typedef struct TraceqlAttr
{
	TraceqlIntrinsic intrinsic;
	TraceqlScope scope;
	Str key; /* without scope and unquoted; of an intrinsic its canonical spelling */
	uint32_t pos;
} TraceqlAttr;

/* ---- literals ---- */

typedef enum TraceqlType
{
	TQL_TYPE_NIL,
	TQL_TYPE_INT,
	TQL_TYPE_FLOAT,
	TQL_TYPE_STRING,
	TQL_TYPE_BOOL,
	TQL_TYPE_DURATION,
	TQL_TYPE_STATUS,
	TQL_TYPE_KIND,
	TQL_TYPE_DYNAMIC /* of expressions only: not known before evaluation */
} TraceqlType;

typedef struct TraceqlStatic
{
	TraceqlType type;
	union
	{
		int64_t i; /* INT; DURATION in ns; STATUS and KIND as OTLP numbers (unset 0, ok 1, error 2;
					  unspecified 0, internal 1, server 2, client 3, producer 4, consumer 5) */
		double f;
		bool b;
		Str s; /* any bytes */
	};
} TraceqlStatic;

/* ---- field expressions ---- */

/* Operators of all levels. A level uses a part of them, see each node. */
typedef enum TraceqlOp
{
	TQL_OP_NONE,
	TQL_OP_ADD,
	TQL_OP_SUB,
	TQL_OP_MUL,
	TQL_OP_DIV,
	TQL_OP_MOD,
	TQL_OP_POW,
	TQL_OP_EQ,
	TQL_OP_NE,
	TQL_OP_LT,
	TQL_OP_LE,
	TQL_OP_GT,
	TQL_OP_GE,
	TQL_OP_RE,
	TQL_OP_NRE,
	TQL_OP_AND,
	TQL_OP_OR,
	TQL_OP_NOT,
	/* between spansets */
	TQL_OP_CHILD,      /*  >  right side is a child of the left */
	TQL_OP_DESCENDANT, /*  >> */
	TQL_OP_PARENT,     /*  <  right side is the parent of the left */
	TQL_OP_ANCESTOR,   /*  << */
	TQL_OP_SIBLING,    /*  ~ */
	TQL_OP_NOT_CHILD,  /* !> */
	TQL_OP_NOT_DESCENDANT,
	TQL_OP_NOT_PARENT,
	TQL_OP_NOT_ANCESTOR,
	TQL_OP_NOT_SIBLING,
	TQL_OP_UNION_CHILD, /* &> */
	TQL_OP_UNION_DESCENDANT,
	TQL_OP_UNION_PARENT,
	TQL_OP_UNION_ANCESTOR,
	TQL_OP_UNION_SIBLING
} TraceqlOp;

typedef enum TraceqlExprKind
{
	TQL_STATIC, /* value */
	TQL_ATTR,   /* attr */
	TQL_UNARY,  /* op SUB or NOT, left */
	TQL_BINARY, /* op ADD .. OR, left, right */
	TQL_IS_NIL, /* left = nil */
	TQL_NOT_NIL /* left != nil */
} TraceqlExprKind;

typedef struct TraceqlExpr TraceqlExpr;
struct TraceqlExpr
{
	TraceqlExprKind kind;
	TraceqlOp op;
	uint32_t pos;
	uint32_t depth; /* height of the tree below and including this node */
	union
	{
		TraceqlStatic value;
		TraceqlAttr attr;
		struct
		{
			TraceqlExpr *left;
			TraceqlExpr *right;
		};
	};
};

/* ---- spansets and pipelines ---- */

typedef struct TraceqlSpanset TraceqlSpanset;
struct TraceqlSpanset
{
	TraceqlOp op; /* NONE: the filter { filter }; AND, OR, CHILD .. UNION_SIBLING: left op right */
	uint32_t pos;
	uint32_t depth;
	union
	{
		TraceqlExpr *filter; /* never NULL: {} is { true } */
		struct
		{
			TraceqlSpanset *left;
			TraceqlSpanset *right;
		};
	};
};

typedef enum TraceqlAggregateFn
{
	TQL_COUNT,
	TQL_MAX,
	TQL_MIN,
	TQL_AVG,
	TQL_SUM
} TraceqlAggregateFn;

typedef struct TraceqlAggregate
{
	TraceqlAggregateFn fn;
	TraceqlExpr *arg; /* NULL for count() */
	uint32_t pos;
} TraceqlAggregate;

typedef struct TraceqlPipeline TraceqlPipeline;

typedef enum TraceqlScalarKind
{
	TQL_SCALAR_AGGREGATE,
	TQL_SCALAR_LITERAL,
	TQL_SCALAR_ARITH,   /* the rest only inside the parser */
	TQL_SCALAR_PIPELINE /* (pipeline | aggregate) */
} TraceqlScalarKind;

typedef struct TraceqlScalar TraceqlScalar;
struct TraceqlScalar
{
	TraceqlScalarKind kind;
	TraceqlOp op; /* ARITH: ADD .. POW */
	uint32_t pos;
	uint32_t depth;
	TraceqlStatic literal;
	TraceqlAggregate aggregate;
	TraceqlPipeline *pipeline;
	TraceqlScalar *left;
	TraceqlScalar *right;
};

typedef enum TraceqlStageKind
{
	TQL_STAGE_SPANSET,  /* spanset */
	TQL_STAGE_SCALAR,   /* scalar.lhs (an aggregate) scalar.cmp scalar.rhs (a literal) */
	TQL_STAGE_BY,       /* by: any expression that mentions a span field */
	TQL_STAGE_COALESCE, /* nothing */
	TQL_STAGE_SELECT    /* select.attrs */
} TraceqlStageKind;

typedef struct TraceqlStage TraceqlStage;
struct TraceqlStage
{
	TraceqlStageKind kind;
	uint32_t pos;
	TraceqlStage *next;
	union
	{
		TraceqlSpanset *spanset;
		struct
		{
			TraceqlScalar *lhs;
			TraceqlOp cmp; /* EQ .. GE */
			TraceqlScalar *rhs;
		} scalar;
		TraceqlExpr *by;
		struct
		{
			uint32_t n;
			TraceqlAttr *attrs;
		} select;
	};
};

struct TraceqlPipeline
{
	uint32_t nstages; /* at least 1 */
	TraceqlStage *first;
	TraceqlStage *last;
};

/* A pipeline, or pipelines in parentheses combined by spanset operators. */
typedef struct TraceqlPipelineExpr TraceqlPipelineExpr;
struct TraceqlPipelineExpr
{
	TraceqlOp op; /* NONE: pipeline; otherwise as in TraceqlSpanset: left op right */
	uint32_t pos;
	uint32_t depth;
	union
	{
		TraceqlPipeline *pipeline;
		struct
		{
			TraceqlPipelineExpr *left;
			TraceqlPipelineExpr *right;
		};
	};
};

/* ---- metrics ---- */

typedef enum TraceqlMetricFn
{
	TQL_RATE,
	TQL_COUNT_OVER_TIME,
	TQL_MIN_OVER_TIME,
	TQL_MAX_OVER_TIME,
	TQL_AVG_OVER_TIME,
	TQL_SUM_OVER_TIME,
	TQL_QUANTILE_OVER_TIME,
	TQL_HISTOGRAM_OVER_TIME,
	TQL_COMPARE
} TraceqlMetricFn;

typedef struct TraceqlMetric
{
	TraceqlMetricFn fn;
	uint32_t pos;
	TraceqlAttr attr; /* what is measured: MIN .. HISTOGRAM_OVER_TIME */
	uint32_t nquantiles;
	double *quantiles; /* QUANTILE_OVER_TIME, in the order given, each in [0, 1] */
	uint32_t nby;
	TraceqlAttr *by;
	/* COMPARE */
	TraceqlExpr *filter;
	int64_t topn;  /* 1 .. 1000, 10 when not given */
	int64_t start; /* unix ns, both 0: no window */
	int64_t end;
} TraceqlMetric;

typedef enum TraceqlSecondKind
{
	TQL_SECOND_TOPK,    /* n */
	TQL_SECOND_BOTTOMK, /* n */
	TQL_SECOND_COMPARE  /* cmp value: keep samples that hold; a duration means its seconds */
} TraceqlSecondKind;

typedef struct TraceqlSecond TraceqlSecond;
struct TraceqlSecond
{
	TraceqlSecondKind kind;
	uint32_t pos;
	TraceqlSecond *next;
	TraceqlSecond *last; /* of the list; kept in its first member only */
	int64_t n;
	TraceqlOp cmp;       /* EQ .. GE */
	TraceqlStatic value; /* INT, FLOAT or DURATION */
};

typedef enum TraceqlMetricExprKind
{
	TQL_METRIC_LEAF,   /* pipeline | metric */
	TQL_METRIC_NUMBER, /* number */
	TQL_METRIC_ARITH   /* left op right; at most one of them is a NUMBER */
} TraceqlMetricExprKind;

typedef struct TraceqlMetricExpr TraceqlMetricExpr;
struct TraceqlMetricExpr
{
	TraceqlMetricExprKind kind;
	TraceqlOp op; /* ARITH: ADD, SUB, MUL, DIV */
	uint32_t pos;
	uint32_t depth;
	TraceqlPipeline *pipeline;
	TraceqlMetric *metric;
	TraceqlStatic number; /* INT or FLOAT */
	TraceqlMetricExpr *left;
	TraceqlMetricExpr *right;
	TraceqlSecond *seconds; /* applied left to right to what the node yields; never on a NUMBER */
};

/* ---- queries ---- */

typedef struct TraceqlHint TraceqlHint;
struct TraceqlHint
{
	TraceqlHint *next;
	TraceqlHint *last; /* of the list; kept in its first member only */
	Str name;
	TraceqlStatic value;
	uint32_t pos;
};

typedef struct TraceqlQuery
{
	TraceqlPipelineExpr *search; /* set for a search, else NULL */
	TraceqlMetricExpr *metrics;  /* set for a metrics query, else NULL */
	TraceqlHint *hints;
} TraceqlQuery;

typedef enum TraceqlErrorKind
{
	TQL_ERROR_NONE,
	TQL_ERROR_PARSE,      /* the text is not a query */
	TQL_ERROR_VALIDATION, /* it parses but has no meaning */
	TQL_ERROR_UNSUPPORTED /* it has a meaning that is not yet supported; the message ends so */
} TraceqlErrorKind;

typedef struct TraceqlError
{
	TraceqlErrorKind kind;
	const char *message; /* whole sentence with line and column, in the arena; no newline */
	uint32_t offset;     /* byte offset of the offending token or node */
	uint32_t line;       /* 1-based */
	uint32_t column;     /* 1-based, in characters */
} TraceqlError;

/*
 * Lex, parse, fold and validate. Returns NULL and fills *err when text is refused; never raises, except
 * through the arena's own hooks. text need not be terminated and may hold any bytes.
 */
extern TraceqlQuery *traceql_parse(Arena *arena, Str text, TraceqlError *err);

/* The value of a hint of the last with(), NULL when not given. */
extern const TraceqlStatic *traceql_hint(const TraceqlQuery *query, const char *name);

/* ---- facts about nodes ---- */

/* Type for the purposes of validation: a custom attribute is DYNAMIC, arithmetic has its left operand's. */
extern TraceqlType traceql_expr_type(const TraceqlExpr *expr);
extern TraceqlType traceql_attr_type(const TraceqlAttr *attr);
/* Canonical spelling: "duration", "span:id". */
extern const char *traceql_intrinsic_name(TraceqlIntrinsic intrinsic);
/* "int", "duration" ... for messages. */
extern const char *traceql_type_name(TraceqlType type);
/* "unset", "ok", "error"; NULL for other numbers. */
extern const char *traceql_status_name(int64_t status);
extern const char *traceql_kind_name(int64_t kind);
/* "+", ">>" ... */
extern const char *traceql_op_text(TraceqlOp op);
extern const char *traceql_aggregate_name(TraceqlAggregateFn fn);
extern const char *traceql_metric_name(TraceqlMetricFn fn);
/* Same scope and key, or same intrinsic. */
extern bool traceql_attr_eq(const TraceqlAttr *a, const TraceqlAttr *b);
/* Same type and same value; floats by their bits. */
extern bool traceql_static_eq(const TraceqlStatic *a, const TraceqlStatic *b);

/* Calls visit for every attribute mentioned in the expression, left to right, repeats included. */
typedef void (*TraceqlAttrVisitor)(const TraceqlAttr *attr, void *ctx);
extern void traceql_visit_attrs(const TraceqlExpr *expr, TraceqlAttrVisitor visit, void *ctx);

/*
 * Int, float and duration arithmetic as evaluation does it (ADD .. POW): int with int stays int and wraps,
 * anything else is computed as float with durations in ns. false: not numbers, or int division by zero.
 */
extern bool traceql_arith(TraceqlOp op, const TraceqlStatic *a, const TraceqlStatic *b, TraceqlStatic *out);

/* ---- canonical text ---- */

/*
 * Each appends to out. An operand that is itself an operation is in parentheses, operators have a space on
 * each side, keys are quoted only when they must be. The printed text of a whole query parses to the same
 * tree. These are the names of labels and of attributes attached to spansets.
 */
extern void traceql_print_attr(const TraceqlAttr *attr, Buf *out);
extern void traceql_print_static(const TraceqlStatic *value, Buf *out);
extern void traceql_print_expr(const TraceqlExpr *expr, Buf *out);          /* (.a + .b) > 2 */
extern void traceql_print_spanset(const TraceqlSpanset *spanset, Buf *out); /* { .a } >> { .b } */
extern void traceql_print_aggregate(const TraceqlAggregate *agg, Buf *out); /* avg(duration) */
extern void traceql_print_stage(const TraceqlStage *stage, Buf *out);       /* by(.a), count() > 2 */
extern void traceql_print_pipeline(const TraceqlPipeline *pipeline, Buf *out);
extern void traceql_print_metric(const TraceqlMetric *metric, Buf *out);
extern void traceql_print_query(const TraceqlQuery *query, Buf *out);

/* Go notation: 1m30s, 250ms, 1.5s, 2µs, 0s, -3ns. */
extern void traceql_print_duration(int64_t ns, Buf *out);
/* Shortest digits that read back the same, always with a point or an exponent: 2.0, 1e+09; +Inf, NaN. */
extern void traceql_print_float(double value, Buf *out);

/* Reads a duration literal without sign as the language does (1h30m, 1d12h, 1.5s). false: not one. */
extern bool traceql_read_duration(Str text, int64_t *ns);

#endif
