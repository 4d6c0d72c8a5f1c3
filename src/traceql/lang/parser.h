/*
 * parser.h
 *	  What the files of the parser share: the state of one parse, the constructors the grammar calls, and
 *	  the passes after it. Nothing outside src/traceql/lang includes this; see ast.h for the interface.
 *
 * A failure is recorded once, in st->err, by traceql_fail(); the first one wins. Constructors go on and
 * return usable nodes after it, because the lexer ends the token stream as soon as an error is set.
 */
#ifndef TRACEQL_PARSER_H
#define TRACEQL_PARSER_H

#include "traceql/lang/ast.h"

typedef struct TraceqlParser
{
	Arena *arena;
	Str text;
	TraceqlError *err;
	TraceqlQuery *query; /* set by the grammar's start rule */
	void *scanner;
	/* lexer: the bytes of the current token, and where the attribute being read began */
	uint32_t start;
	uint32_t end;
	uint32_t attr_start;
	TraceqlScope attr_scope;
} TraceqlParser;

/* Lists while they grow. */
typedef struct TraceqlAttrList
{
	uint32_t n;
	uint32_t cap;
	TraceqlAttr *attrs;
} TraceqlAttrList;

typedef struct TraceqlNumberList
{
	uint32_t n;
	uint32_t cap;
	double *values;
} TraceqlNumberList;

/* parse.c: record an error at a byte offset unless there is one. */
extern void traceql_fail(TraceqlParser *st, TraceqlErrorKind kind, uint32_t pos, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Printed text of a node, cut at a readable length; NUL-terminated in the arena. */
extern const char *traceql_excerpt(TraceqlParser *st, const TraceqlExpr *expr);
/* Source bytes, cut at a readable length, control characters replaced. */
extern const char *traceql_quote_source(TraceqlParser *st, uint32_t from, uint32_t to);

/* grammar.y, lexer.l */
extern int tqlyyparse(TraceqlParser *st);
extern void traceql_lexer_begin(TraceqlParser *st);

/* literal.c: text of tokens to values. false: *why says what is wrong. */
extern bool traceql_read_number(Arena *arena, Str text, TraceqlStatic *out, const char **why);
extern bool traceql_read_string(Arena *arena, Str quoted, Str *out, const char **why);
/* An attribute name with its quoted stretches, which the lexer has checked. */
extern Str traceql_read_name(Arena *arena, Str text);

/* build.c */
extern TraceqlAttr *traceql_new_attr(TraceqlParser *st, TraceqlScope scope, Str key, uint32_t pos);
extern TraceqlAttr *traceql_new_intrinsic(TraceqlParser *st, TraceqlIntrinsic intrinsic, uint32_t pos);
extern TraceqlAttrList *traceql_attr_list(TraceqlParser *st, TraceqlAttrList *list, const TraceqlAttr *attr);
extern TraceqlNumberList *traceql_number_list(TraceqlParser *st, TraceqlNumberList *list,
											  TraceqlStatic number);
extern TraceqlExpr *traceql_new_static(TraceqlParser *st, TraceqlStatic value, uint32_t pos);
extern TraceqlExpr *traceql_new_attr_expr(TraceqlParser *st, const TraceqlAttr *attr);
extern TraceqlExpr *traceql_new_unary(TraceqlParser *st, TraceqlOp op, TraceqlExpr *operand, uint32_t pos);
extern TraceqlExpr *traceql_new_binary(TraceqlParser *st, TraceqlOp op, TraceqlExpr *left, TraceqlExpr *right,
									   uint32_t pos);
/* operand NULL is the literal nil */
extern TraceqlExpr *traceql_new_nil_test(TraceqlParser *st, TraceqlExprKind kind, TraceqlExpr *operand,
										 uint32_t pos);
extern TraceqlSpanset *traceql_new_filter(TraceqlParser *st, TraceqlExpr *filter, uint32_t pos);
extern TraceqlSpanset *traceql_new_spanset(TraceqlParser *st, TraceqlOp op, TraceqlSpanset *left,
										   TraceqlSpanset *right, uint32_t pos);
extern TraceqlAggregate *traceql_new_aggregate(TraceqlParser *st, TraceqlAggregateFn fn, TraceqlExpr *arg,
											   uint32_t pos);
extern TraceqlScalar *traceql_new_scalar_aggregate(TraceqlParser *st, const TraceqlAggregate *agg);
extern TraceqlScalar *traceql_new_scalar_literal(TraceqlParser *st, TraceqlStatic value, uint32_t pos);
extern TraceqlScalar *traceql_new_scalar_pipeline(TraceqlParser *st, TraceqlPipeline *pipeline,
												  const TraceqlAggregate *agg, uint32_t pos);
extern TraceqlScalar *traceql_new_scalar_arith(TraceqlParser *st, TraceqlOp op, TraceqlScalar *left,
											   TraceqlScalar *right, uint32_t pos);
/* Constant arithmetic outside filters, where durations take a sign only and 1/0 is an error. */
extern TraceqlStatic traceql_fold_number(TraceqlParser *st, TraceqlOp op, TraceqlStatic a, TraceqlStatic b,
										 uint32_t pos);
extern TraceqlStatic traceql_negate_number(TraceqlStatic a);
extern TraceqlStage *traceql_new_stage(TraceqlParser *st, TraceqlStageKind kind, uint32_t pos);
extern TraceqlStage *traceql_new_scalar_stage(TraceqlParser *st, TraceqlScalar *lhs, TraceqlOp cmp,
											  TraceqlScalar *rhs, uint32_t pos);
extern TraceqlPipeline *traceql_pipeline_add(TraceqlParser *st, TraceqlPipeline *pipeline,
											 TraceqlStage *stage);
extern TraceqlPipelineExpr *traceql_new_pipeline_leaf(TraceqlParser *st, TraceqlPipeline *pipeline,
													  uint32_t pos);
extern TraceqlPipelineExpr *traceql_new_pipeline_op(TraceqlParser *st, TraceqlOp op,
													TraceqlPipelineExpr *left, TraceqlPipelineExpr *right,
													uint32_t pos);
extern TraceqlMetric *traceql_new_metric(TraceqlParser *st, TraceqlMetricFn fn, uint32_t pos);
extern TraceqlSecond *traceql_new_second(TraceqlParser *st, TraceqlSecondKind kind, uint32_t pos);
extern TraceqlSecond *traceql_seconds_add(TraceqlSecond *list, TraceqlSecond *more);
extern TraceqlMetricExpr *traceql_new_metric_leaf(TraceqlParser *st, TraceqlPipeline *pipeline,
												  TraceqlMetric *metric, TraceqlSecond *seconds,
												  uint32_t pos);
extern TraceqlMetricExpr *traceql_new_metric_number(TraceqlParser *st, TraceqlStatic number, uint32_t pos);
extern TraceqlMetricExpr *traceql_new_metric_arith(TraceqlParser *st, TraceqlOp op, TraceqlMetricExpr *left,
												   TraceqlMetricExpr *right, uint32_t pos);
extern TraceqlHint *traceql_new_hint(TraceqlParser *st, Str name, TraceqlStatic value, uint32_t pos);
extern TraceqlHint *traceql_hints_add(TraceqlHint *list, TraceqlHint *hint);
extern TraceqlQuery *traceql_new_query(TraceqlParser *st);

/* types.c: would validation accept it, and if not, why. */
typedef enum TraceqlTypeFault
{
	TQL_FAULT_NONE,
	TQL_FAULT_MISMATCH,  /* operand types do not go together */
	TQL_FAULT_OPERATION, /* an operand's type does not know the operator */
	TQL_FAULT_REGEX_ARG, /* right side of a regex is not a string literal */
	TQL_FAULT_REGEX      /* it does not compile */
} TraceqlTypeFault;

extern TraceqlTypeFault traceql_check_binary(Arena *scratch, TraceqlOp op, const TraceqlExpr *left,
											 const TraceqlExpr *right);
extern bool traceql_check_unary(TraceqlOp op, TraceqlType type);
extern bool traceql_type_is_number(TraceqlType type);
extern bool traceql_op_is_arith(TraceqlOp op);
extern bool traceql_op_is_cmp(TraceqlOp op); /* = != < <= > >= */

/* fold.c: the value of an operation on literals; false when it must stay. */
extern bool traceql_fold_binary(Arena *arena, TraceqlOp op, const TraceqlExpr *left, const TraceqlExpr *right,
								TraceqlStatic *out);
extern bool traceql_fold_unary(TraceqlOp op, const TraceqlStatic *operand, TraceqlStatic *out);

/* validate.c: records the first error. */
extern void traceql_validate(TraceqlParser *st, TraceqlQuery *query);

#endif
