/*
 * ref.h
 *	  The reference evaluator of TraceQL: what a query answers, worked out in the plainest way from spans that
 *	  lie unpacked in memory. Tests compare the engine with it, and it shares no code with the engine: its own
 *	  reader of OTLP/JSON, lexer, parser, type rules and evaluation, written from the description of the
 *	  language. Everything is slow on purpose: no indexes, no rewriting, sets are lists of pointers.
 *
 * Memory comes from one pool and goes all at once: ref_mark() and ref_release() around a query.
 *
 * Parse errors leave by longjmp, see ref_parse(); everything else returns.
 */
#ifndef TEMPO_REF_H
#define TEMPO_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- pool.c: memory and text ---- */

typedef struct Text
{
	const char *p;
	size_t n;
} Text;

/* Text that grows. */
typedef struct Out
{
	char *p;
	size_t n;
	size_t cap;
} Out;

extern void *ref_alloc(size_t bytes); /* zeroed */
extern size_t ref_mark(void);
extern void ref_release(size_t mark);
extern Text text_of(const char *z);
extern Text text_copy(const char *p, size_t n);
extern bool text_is(Text t, const char *z);
extern bool text_same(Text a, Text b);
extern int text_cmp(Text a, Text b);
extern void out_bytes(Out *out, const char *p, size_t n);
extern void out_text(Out *out, Text t);
extern void out_fmt(Out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern void out_utf8(Out *out, uint32_t code);
extern Text out_done(Out *out);

/* ---- values ---- */

typedef enum Type
{
	T_NIL,
	T_INT,      /* i */
	T_FLOAT,    /* d */
	T_STRING,   /* s */
	T_BOOL,     /* i */
	T_DURATION, /* i, ns */
	T_STATUS,   /* i: unset 0, ok 1, error 2 */
	T_KIND,     /* i: unspecified 0 .. consumer 5 */
	T_ARRAY,    /* items, two or more of one type */
	T_OPAQUE,   /* there, but of no type of the language; also what an event is where there is none */
	T_ERROR,    /* evaluation failed */
	T_DYNAMIC   /* of an expression: known at run time only */
} Type;

typedef struct Val
{
	Type type;
	int64_t i;
	double d;
	Text s;
	int n;
	struct Val *items;
} Val;

typedef enum Op
{
	OP_NONE,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_RE,
	OP_NRE,
	OP_AND,
	OP_OR,
	OP_NOT,
	OP_NEG,
	OP_IS_NIL,
	OP_NOT_NIL
} Op;

/* ---- json.c ---- */

typedef enum JsonType
{
	J_NULL,
	J_BOOL,
	J_INT,
	J_FLOAT,
	J_STRING,
	J_ARRAY,
	J_OBJECT
} JsonType;

/* Arrays and objects are lists of children; those of objects have keys. */
typedef struct Json
{
	JsonType type;
	Text key;
	Text s;
	int64_t i;
	double d;
	struct Json *first;
	struct Json *next;
} Json;

/* NULL when malformed. Also takes what tempo.attributes adds: NaN, Infinity, -Infinity, x"00ff". */
extern Json *json_parse(const char *text, size_t n);
extern Json *json_get(const Json *object, const char *key);

/* ---- load.c, tree.c: spans ---- */

typedef struct Attr
{
	Text key;
	Val value;
} Attr;

typedef struct Attrs
{
	int n;
	Attr *a;
} Attrs;

typedef struct Event
{
	Text name;
	int64_t since; /* ns after the start of the span */
	Attrs attrs;
} Event;

typedef struct Link
{
	Text trace_id; /* hex, 32 digits */
	Text span_id;  /* hex, 16 digits */
	Attrs attrs;
} Link;

typedef struct Span
{
	struct Trace *trace;
	uint64_t id;
	uint64_t parent_id; /* 0: none */
	Text name;
	int kind;
	int status;
	Text message;
	Text trace_state;
	int64_t start; /* unix ns */
	int64_t duration;
	Attrs attrs;
	Attrs *resource;
	Attrs *scope;
	Text scope_name;
	Text scope_version;
	int nevents;
	Event *events;
	int nlinks;
	Link *links;
	/* the tree; all 0 when not connected to a root */
	int64_t left;
	int64_t right;
	int64_t up;
	int64_t children;
	struct Span *parent; /* while numbering */
} Span;

typedef struct Trace
{
	Text id; /* hex, 32 digits */
	int n;
	Span **spans; /* by start, then id */
	int64_t start;
	int64_t duration;
	Span *root; /* NULL: none */
} Trace;

typedef struct Data
{
	int nspans;
	int cap;
	Span **spans;
	int ntraces;
	Trace **traces;
} Data;

/* One OTLP/JSON request; false when it is none. */
extern bool data_add_request(Data *data, const char *json, size_t n);
/* Before data_finish(): forgets spans, and traces that have none left. */
extern void data_remove(Data *data, bool (*removed)(const Span *span));
/* After the last: traces, roots, numbering. */
extern void data_finish(Data *data);
extern void trace_number(Trace *trace);
/* An AnyValue of OTLP. */
extern void json_value(const Json *any, Val *v);
extern const Val *attrs_find(const Attrs *attrs, Text key);

/* ---- the query ---- */

typedef enum Scope
{
	S_ANY,
	S_SPAN,
	S_RESOURCE,
	S_EVENT,
	S_LINK,
	S_INSTRUMENTATION,
	S_PARENT,
	S_INTRINSIC
} Scope;

typedef enum Intrinsic
{
	I_DURATION,
	I_NAME,
	I_STATUS,
	I_STATUS_MESSAGE,
	I_KIND,
	I_TRACE_DURATION,
	I_ROOT_NAME,
	I_ROOT_SERVICE,
	I_LEFT,
	I_RIGHT,
	I_UP,
	I_PARENT,
	I_TRACE_ID,
	I_SPAN_ID,
	I_PARENT_ID,
	I_CHILDREN,
	I_EVENT_NAME,
	I_EVENT_SINCE,
	I_LINK_TRACE,
	I_LINK_SPAN,
	I_SCOPE_NAME,
	I_SCOPE_VERSION,
	I_COUNT
} Intrinsic;

typedef struct Field
{
	Scope scope;
	Intrinsic intrinsic;
	Text key;
} Field;

typedef enum ExprKind
{
	X_VALUE,
	X_FIELD,
	X_UNARY, /* OP_NOT, OP_NEG, OP_IS_NIL, OP_NOT_NIL of left */
	X_BINARY
} ExprKind;

typedef struct Expr
{
	ExprKind kind;
	Op op;
	struct Expr *left;
	struct Expr *right;
	Val value;
	Field field;
	void *regex;
} Expr;

typedef enum SetOp
{
	SET_FILTER, /* a leaf: filter, or the pipeline in parentheses */
	SET_AND,
	SET_OR,
	SET_CHILD,      /* > */
	SET_PARENT,     /* < */
	SET_DESCENDANT, /* >> */
	SET_ANCESTOR,   /* << */
	SET_SIBLING     /* ~ */
} SetOp;

typedef struct SetExpr
{
	SetOp op;
	bool negated;
	bool both; /* the union form */
	struct SetExpr *left;
	struct SetExpr *right;
	Expr *filter;
	struct Pipeline *pipeline;
} SetExpr;

typedef enum StageKind
{
	STAGE_SET,
	STAGE_SCALAR,
	STAGE_BY,
	STAGE_COALESCE,
	STAGE_SELECT
} StageKind;

typedef enum Aggregate
{
	AGG_COUNT,
	AGG_MIN,
	AGG_MAX,
	AGG_SUM,
	AGG_AVG
} Aggregate;

/* Scalar arithmetic, kept only to say what is unsupported. */
typedef struct Scalar
{
	Op op; /* OP_NONE: a leaf */
	struct Scalar *left;
	struct Scalar *right;
	bool literal;
	Val value;
	Aggregate aggregate;
	Expr *expr;
} Scalar;

typedef struct Stage
{
	StageKind kind;
	SetExpr *set;
	Scalar *left; /* STAGE_SCALAR: left op right */
	Scalar *right;
	Op op;
	Expr *expr;
	int nfields;
	Field *fields;
	struct Stage *next;
} Stage;

typedef struct Pipeline
{
	Stage *first;
	int n;
} Pipeline;

typedef enum Function
{
	FN_RATE,
	FN_COUNT,
	FN_MIN,
	FN_MAX,
	FN_AVG,
	FN_SUM,
	FN_QUANTILE,
	FN_HISTOGRAM,
	FN_COMPARE
} Function;

/* topk(n), bottomk(n), or a comparison with a number. */
typedef struct Second
{
	int topk; /* 1 topk, -1 bottomk, 0 comparison */
	int64_t n;
	Op op;
	double value;
	struct Second *next;
} Second;

#define REF_MAX_QUANTILES 16

typedef struct Metric
{
	Pipeline *pipeline;
	Function fn;
	Field field;
	int nby;
	Field *by;
	int nq;
	double q[REF_MAX_QUANTILES];
	Expr *selection; /* compare() */
	int64_t top;
	int64_t from;
	int64_t to;
} Metric;

/* Arithmetic between metrics. A leaf is a metric or a number; second stages apply after the operation. */
typedef struct Calc
{
	Op op; /* OP_NONE: a leaf */
	struct Calc *left;
	struct Calc *right;
	Metric *metric;
	Val number;
	Second *second;
} Calc;

typedef struct Hint
{
	Text name;
	Val value;
	struct Hint *next;
} Hint;

typedef struct Query
{
	SetExpr *search; /* a pipeline, or pipelines combined; NULL for metrics */
	Calc *metrics;
	Hint *hints;
	bool unsupported; /* comparison of pipelines */
} Query;

typedef enum Verdict
{
	QUERY_VALID,
	QUERY_BAD,        /* does not parse, or breaks a type rule */
	QUERY_UNSUPPORTED /* has a meaning that Tempo does not support */
} Verdict;

/* lex.c */
typedef enum TokenKind
{
	TK_END,
	TK_PUNCT, /* { } ( ) , and operators; text says which */
	TK_WORD,
	TK_VALUE,
	TK_FIELD /* prefix and name */
} TokenKind;

typedef struct Token
{
	TokenKind kind;
	Text text;
	Val value;
	Field field;
} Token;

/* Tokens of the whole text, ended by TK_END. NULL: not even words. */
extern Token *lex(Text query);
extern bool is_reserved(Text word);
extern int word_kind(Text word, Val *value); /* 1: a literal of the language (true, error, client, maxInt) */
extern bool intrinsic_word(Text word, Intrinsic *out);

/* parse.c: a query, with constants folded. The verdict covers grammar and types. */
extern Verdict ref_parse(Text text, Query *query);
/* fields.c */
extern Field *ref_fields(const Query *query, int *n); /* all that are mentioned, each once */

/* check.c */
extern Type expr_type(const Expr *e);
extern bool types_fit(Op op, Type a, Type b);
extern bool unary_fits(Op op, Type t);
extern bool expr_mentions(const Expr *e, Scope scope); /* S_EVENT, S_LINK; S_ANY: any field at all */
extern Verdict check_query(const Query *query);

/* print.c: canonical text */
extern Text print_expr(const Expr *e);
extern Text print_field(const Field *f);
extern Text print_duration(int64_t ns);
extern Text print_label(const Scalar *aggregate);
extern const char *intrinsic_name(Intrinsic i);
extern const char *status_word(int64_t i);
extern const char *kind_word(int64_t i);

/* value.c */
extern bool is_number(const Val *v);
extern double number_of(const Val *v);
extern Val value_compare(Op op, const Val *a, const Val *b, void *regex, bool strict);
extern Val value_arith(Op op, const Val *a, const Val *b);
extern Val value_negated(const Val *v);
extern bool value_same(const Val *a, const Val *b);
extern int value_order(const Val *a, const Val *b);
extern void *regex_compile(Text pattern); /* NULL: invalid */
extern bool regex_match(void *regex, Text s);

/* eval.c */
typedef struct At
{
	const Span *span;
	int event; /* index, AT_NONE, or AT_FIRST */
	int link;
} At;

#define AT_NONE  (-1)
#define AT_FIRST (-2)

extern Val eval_expr(const Expr *e, At at);
extern Val eval_field(const Field *f, At at);
extern Val eval_span(const Expr *e, const Span *span); /* one value a span */
extern bool filter_keeps(const Expr *filter, const Span *span);

/* pipeline.c */
typedef struct SetAttr
{
	Text key;
	Val value;
} SetAttr;

typedef struct Spanset
{
	int n;
	const Span **spans;
	int nattrs;
	SetAttr *attrs;
	bool several; /* what a structural operator would give if it took several spansets a side */
	struct Spanset *next;
} Spanset;

/* The spansets of a trace that survive. *error: for one of them a structural operator met several. */
extern Spanset *run_search(const SetExpr *search, const Trace *trace, bool *error);

/* search.c */
typedef struct Range
{
	bool bounded;
	int64_t from; /* unix ns, both ends included */
	int64_t to;
	int limit; /* newest so many traces; 0: all */
} Range;

/* An attribute shown with a span: all the query mentions and the span has. */
typedef struct Shown
{
	const char *scope; /* "" for intrinsics */
	Text key;
	Val value;
} Shown;

#define REF_MAX_SHOWN 128

extern int shown_attributes(const Query *query, const Span *span, Shown *shown);
extern Text span_service(const Span *span);

/* A row of an answer, see answer.c. */
typedef struct Row
{
	Text trace;
	int set;
	Text set_attrs; /* canonical */
	Text rest;      /* canonical: everything else of the row, span id first */
} Row;

/* The rows of a trace, as traceql() has them, or as the HTTP API has them (api.c). Returns the end. */
typedef Row *(*SearchRows)(const Query *query, const Trace *trace, const Spanset *sets, Row *rows);
extern Row *sql_rows(const Query *query, const Trace *trace, const Spanset *sets, Row *rows);
extern Row *api_rows(const Query *query, const Trace *trace, const Spanset *sets, Row *rows);

/* What the query matches, in the canonical form of answer.c; false: it cannot be answered. */
extern bool search_answer(const Data *data, const Query *query, Range range, SearchRows rows_of,
						  Text *answer);

/* ---- metrics ---- */

/* Interval k is (from + k * step, from + (k + 1) * step], unix ns. */
typedef struct Intervals
{
	int64_t from;
	int64_t step;
	int n;
} Intervals;

#define REF_MAX_LABELS 12

typedef struct Label
{
	Text name;
	Val value; /* T_NIL: shown as nil */
} Label;

typedef struct Series
{
	int nlabels;
	Label labels[REF_MAX_LABELS];
	double *values; /* by interval; NaN: no sample */
} Series;

typedef struct Result
{
	Intervals at;
	int n;
	int cap;
	Series *series;
} Result;

/* intervals.c: of a range query, of an instant one, and the step when none is given */
extern Intervals range_intervals(int64_t start, int64_t end, int64_t step);
extern Intervals instant_interval(int64_t start, int64_t end);
extern int64_t default_step(int64_t start, int64_t end);

/* metrics.c: false when it cannot be answered */
extern bool run_metrics(const Data *data, const Query *query, Intervals at, Result *result);
extern Series *result_add(Result *result);
extern void result_drop_empty(Result *result);
extern void add_label(Series *s, Text name, Val value);
extern double span_weight(const Span *span, const Query *query);

/* compare.c, second.c, arithmetic.c */
extern void run_compare(const Metric *m, const Query *query, const Span **spans, int n, Result *result);
extern void apply_seconds(const Second *seconds, Result *result);
extern void combine_results(Op op, const Result *left, const Result *right, Result *out);
extern void combine_number(Op op, const Val *number, bool first, Result *result);

/* ---- answer.c: rows in any order, put into one canonical text ---- */

/* One sample; series is its labels and its name. */
typedef struct Point
{
	Text series;
	int64_t time; /* unix us; 0 in instant queries */
	double value;
} Point;

extern Text series_name(const Series *s);
extern Text answer_of_rows(Row *rows, int n);
extern Text answer_of_samples(Point *samples, int n);
/* labels: how a series is written. */
typedef Text (*SeriesText)(const Series *s);
extern Text sql_series_text(const Series *s);
extern Text api_series_text(const Series *s);
extern Text answer_of_result(const Result *result, bool instant, SeriesText text_of_series);
/* api.c: what the HTTP API answered */
extern Text api_search_text(const Json *answer);
extern Text api_metrics_text(const Json *answer, bool instant);
/* The same, but for the last digits of floats. */
extern bool answers_agree(Text a, Text b);
/* key=value with keys sorted and numbers in one form. */
extern Text canonical_attrs(const SetAttr *attrs, int n);
extern Text canonical_value(const Val *v);
/* Labels as traceql_metrics() shows them: words for durations, numbers without their type. */
extern Text canonical_labels(const SetAttr *attrs, int n);

#endif
