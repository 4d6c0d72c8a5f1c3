%code top {
/*
 * grammar.y
 *	  The grammar of TraceQL, with the precedence table that serves field expressions, spansets, scalars
 *	  and metrics arithmetic alike (doc/traceql.md).
 *
 * One conflict is meant, see spansetExpr: after "(" spansetExpr, a ")" closes the spanset expression and
 * never a parenthesised pipeline. So the first operand of pipelines in parentheses must hold a "|", as in
 * Tempo. The parser's stack has a fixed size and lives in yyparse()'s frame.
 */
#include "traceql/lang/parser.h"

#define YYINITDEPTH 3000
#define YYMAXDEPTH  3000
#define YYLLOC_DEFAULT(cur, rhs, n) ((cur) = (n) ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))
}

%code provides {
extern int tqlyylex(TQLYYSTYPE *lval, uint32_t *loc, TraceqlParser *st);
}

%code {
static void tqlyyerror(uint32_t *loc, TraceqlParser *st, const char *msg);
static TraceqlStatic int_value(int64_t i);
static TraceqlStatic bool_value(bool b);
static TraceqlStatic enum_value(TraceqlType type, int64_t number);
static TraceqlStatic word_value(TraceqlParser *st, Str word, uint32_t pos);
static TraceqlStatic metric_operand(TraceqlParser *st, TraceqlStatic value, uint32_t pos);
static TraceqlMetric *measure(TraceqlParser *st, TraceqlMetricFn fn, const TraceqlAttr *attr, uint32_t pos);
static TraceqlMetric *compare(TraceqlParser *st, TraceqlSpanset *filter, int64_t topn, int64_t start,
							  int64_t end, uint32_t pos);
}

%define api.pure full
%define api.prefix {tqlyy}
%define api.location.type {uint32_t}
%define parse.error custom
%define parse.lac full /* so that messages name what may really follow */
%locations
%param {TraceqlParser *st}
%expect 1

%union {
	int64_t number;
	Str str;
	TraceqlStatic value;
	TraceqlOp op;
	TraceqlAggregateFn agg_fn;
	TraceqlMetricFn metric_fn;
	TraceqlAttr *attr;
	TraceqlAttrList *attrs;
	TraceqlNumberList *numbers;
	TraceqlExpr *expr;
	TraceqlSpanset *spanset;
	TraceqlAggregate *agg;
	TraceqlScalar *scalar;
	TraceqlStage *stage;
	TraceqlPipeline *pipeline;
	TraceqlPipelineExpr *pipeline_expr;
	TraceqlMetric *metric;
	TraceqlSecond *second;
	TraceqlMetricExpr *metric_expr;
	TraceqlHint *hint;
	TraceqlQuery *query;
}

/* Order matters to classify() below: what begins a value, words of stages, brackets, operators. */
%token YYEOF 0 "end of query"
%token <attr> ATTRIBUTE "an attribute"
%token <str> IDENTIFIER "an identifier"
%token <str> STRING "a string"
%token <value> INTEGER "an integer"
%token <value> FLOAT "a float"
%token <value> DURATION_LITERAL "a duration"
%token TRUE "`true`" FALSE "`false`" NIL "`nil`"
%token OK "`ok`" ERROR "`error`" UNSET "`unset`"
%token UNSPECIFIED "`unspecified`" INTERNAL "`internal`" SERVER "`server`" CLIENT "`client`"
%token PRODUCER "`producer`" CONSUMER "`consumer`"
%token TRACE_COLON "`trace:`" SPAN_COLON "`span:`" EVENT_COLON "`event:`" LINK_COLON "`link:`"
%token INSTRUMENTATION_COLON "`instrumentation:`"
%token DURATION "`duration`" CHILD_COUNT "`childCount`" NAME_WORD "`name`" STATUS "`status`"
%token STATUS_MESSAGE "`statusMessage`" KIND "`kind`" ROOT_NAME "`rootName`"
%token ROOT_SERVICE_NAME "`rootServiceName`" ROOT_SERVICE "`rootService`" TRACE_DURATION "`traceDuration`"
%token NESTED_SET_LEFT "`nestedSetLeft`" NESTED_SET_RIGHT "`nestedSetRight`"
%token NESTED_SET_PARENT "`nestedSetParent`" PARENT "`parent`" ID "`id`" TRACE_ID "`traceID`"
%token SPAN_ID "`spanID`" PARENT_ID "`parentID`" TIME_SINCE_START "`timeSinceStart`" VERSION "`version`"
%token COUNT "`count`" AVG "`avg`" MAX "`max`" MIN "`min`" SUM "`sum`"
%token BY "`by`" COALESCE "`coalesce`" SELECT "`select`"
%token RATE "`rate`" COUNT_OVER_TIME "`count_over_time`" MIN_OVER_TIME "`min_over_time`"
%token MAX_OVER_TIME "`max_over_time`" AVG_OVER_TIME "`avg_over_time`" SUM_OVER_TIME "`sum_over_time`"
%token QUANTILE_OVER_TIME "`quantile_over_time`" HISTOGRAM_OVER_TIME "`histogram_over_time`"
%token COMPARE "`compare`" TOPK "`topk`" BOTTOMK "`bottomk`" WITH "`with`"
%token '{' "`{`" '}' "`}`" '(' "`(`" ')' "`)`" ',' "`,`"

%token '|' "`|`" AND "`&&`" OR "`||`"
%token EQ "`=`" NE "`!=`" LT "`<`" LE "`<=`" GT "`>`" GE "`>=`" RE "`=~`" NRE "`!~`"
%token DESC "`>>`" ANCE "`<<`" SIBL "`~`"
%token NOT_CHILD "`!>`" NOT_DESC "`!>>`" NOT_PARENT "`!<`" NOT_ANCE "`!<<`"
%token UNION_CHILD "`&>`" UNION_DESC "`&>>`" UNION_PARENT "`&<`" UNION_ANCE "`&<<`" UNION_SIBL "`&~`"
%token '+' "`+`" '-' "`-`" '*' "`*`" '/' "`/`" '%' "`%`" '^' "`^`" NOT "`!`"

/* Lowest first. && and || are one level. */
%left '|'
%left AND OR
%left EQ NE LT LE GT GE RE NRE DESC ANCE SIBL
	NOT_CHILD NOT_DESC NOT_PARENT NOT_ANCE UNION_CHILD UNION_DESC UNION_PARENT UNION_ANCE UNION_SIBL
%left '+' '-'
%left NOT
%left '*' '/' '%'
%right '^'
%precedence SIGN /* minus in front of a number outside filters */

%type <query> body
%type <hint> hints hintList hint
%type <pipeline> pipeline
%type <stage> firstElem elem scalarFilter
%type <spanset> spansetExpr spansetFilter
%type <pipeline_expr> pipelineExpr
%type <scalar> scalarExpr scalarPipeExpr
%type <value> scalar literal number
%type <agg> aggregate
%type <agg_fn> aggregateFn
%type <op> cmp
%type <metric> metric metricCall
%type <metric_fn> countFn measureFn
%type <second> seconds second
%type <metric_expr> metricExpr
%type <attrs> group attrList
%type <numbers> numberList
%type <expr> fieldExpr
%type <attr> attribute intrinsic

%%

query:
	body hints
		{
			$1->hints = $2;
			st->query = $1;
		}
	;

body:
	pipeline
		{
			$$ = traceql_new_query(st);
			$$->search = traceql_new_pipeline_leaf(st, $1, @1);
		}
	| pipelineExpr
		{
			$$ = traceql_new_query(st);
			$$->search = $1;
		}
	| scalarPipeExpr cmp scalarPipeExpr
		{
			$$ = traceql_new_query(st);
			$$->search = traceql_new_pipeline_leaf(
				st, traceql_pipeline_add(st, NULL, traceql_new_scalar_stage(st, $1, $2, $3, @2)), @1);
		}
	| scalarPipeExpr cmp scalar
		{
			TraceqlScalar *rhs = traceql_new_scalar_literal(st, $3, @3);

			$$ = traceql_new_query(st);
			$$->search = traceql_new_pipeline_leaf(
				st, traceql_pipeline_add(st, NULL, traceql_new_scalar_stage(st, $1, $2, rhs, @2)), @1);
		}
	| pipeline '|' metric seconds
		{
			$$ = traceql_new_query(st);
			$$->metrics = traceql_new_metric_leaf(st, $1, $3, $4, @1);
		}
	| metricExpr seconds
		{
			$$ = traceql_new_query(st);
			$$->metrics = $1;
			$1->seconds = traceql_seconds_add($1->seconds, $2);
		}
	;

/* Several lists are allowed, the last one counts. */
hints:
	%empty { $$ = NULL; }
	| hints WITH '(' hintList ')' { $$ = $4; }
	;

hintList:
	hint
	| hintList ',' hint { $$ = traceql_hints_add($1, $3); }
	;

hint:
	IDENTIFIER EQ literal { $$ = traceql_new_hint(st, $1, $3, @1); }
	;

/* ---- spansets ---- */

pipeline:
	firstElem { $$ = traceql_pipeline_add(st, NULL, $1); }
	| pipeline '|' elem { $$ = traceql_pipeline_add(st, $1, $3); }
	;

firstElem:
	spansetExpr
		{
			$$ = traceql_new_stage(st, TQL_STAGE_SPANSET, @1);
			$$->spanset = $1;
		}
	| scalarFilter
	| BY '(' fieldExpr ')'
		{
			$$ = traceql_new_stage(st, TQL_STAGE_BY, @1);
			$$->by = $3;
		}
	| SELECT '(' attrList ')'
		{
			$$ = traceql_new_stage(st, TQL_STAGE_SELECT, @1);
			$$->select.n = $3->n;
			$$->select.attrs = $3->attrs;
		}
	;

elem:
	firstElem
	| COALESCE '(' ')' { $$ = traceql_new_stage(st, TQL_STAGE_COALESCE, @1); }
	;

/* "(" spansetExpr . ")" against pipeline: spansetExpr . is the one expected conflict; shifting is right. */
spansetExpr:
	'(' spansetExpr ')' { $$ = $2; }
	| spansetExpr AND spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_AND, $1, $3, @2); }
	| spansetExpr OR spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_OR, $1, $3, @2); }
	| spansetExpr GT spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_CHILD, $1, $3, @2); }
	| spansetExpr DESC spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_DESCENDANT, $1, $3, @2); }
	| spansetExpr LT spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_PARENT, $1, $3, @2); }
	| spansetExpr ANCE spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_ANCESTOR, $1, $3, @2); }
	| spansetExpr SIBL spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_SIBLING, $1, $3, @2); }
	| spansetExpr NOT_CHILD spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_NOT_CHILD, $1, $3, @2); }
	| spansetExpr NOT_DESC spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_NOT_DESCENDANT, $1, $3, @2); }
	| spansetExpr NOT_PARENT spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_NOT_PARENT, $1, $3, @2); }
	| spansetExpr NOT_ANCE spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_NOT_ANCESTOR, $1, $3, @2); }
	| spansetExpr NRE spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_NOT_SIBLING, $1, $3, @2); }
	| spansetExpr UNION_CHILD spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_UNION_CHILD, $1, $3, @2); }
	| spansetExpr UNION_DESC spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_UNION_DESCENDANT, $1, $3, @2); }
	| spansetExpr UNION_PARENT spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_UNION_PARENT, $1, $3, @2); }
	| spansetExpr UNION_ANCE spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_UNION_ANCESTOR, $1, $3, @2); }
	| spansetExpr UNION_SIBL spansetExpr { $$ = traceql_new_spanset(st, TQL_OP_UNION_SIBLING, $1, $3, @2); }
	| spansetFilter
	;

spansetFilter:
	'{' '}' { $$ = traceql_new_filter(st, traceql_new_static(st, bool_value(true), @1), @1); }
	| '{' fieldExpr '}' { $$ = traceql_new_filter(st, $2, @1); }
	;

pipelineExpr:
	'(' pipelineExpr ')' { $$ = $2; }
	| pipelineExpr AND pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_AND, $1, $3, @2); }
	| pipelineExpr OR pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_OR, $1, $3, @2); }
	| pipelineExpr GT pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_CHILD, $1, $3, @2); }
	| pipelineExpr DESC pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_DESCENDANT, $1, $3, @2); }
	| pipelineExpr LT pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_PARENT, $1, $3, @2); }
	| pipelineExpr ANCE pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_ANCESTOR, $1, $3, @2); }
	| pipelineExpr SIBL pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_SIBLING, $1, $3, @2); }
	| pipelineExpr NOT_CHILD pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_NOT_CHILD, $1, $3, @2); }
	| pipelineExpr NOT_DESC pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_NOT_DESCENDANT, $1, $3, @2); }
	| pipelineExpr NOT_PARENT pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_NOT_PARENT, $1, $3, @2); }
	| pipelineExpr NOT_ANCE pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_NOT_ANCESTOR, $1, $3, @2); }
	| pipelineExpr NRE pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_NOT_SIBLING, $1, $3, @2); }
	| pipelineExpr UNION_CHILD pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_UNION_CHILD, $1, $3, @2); }
	| pipelineExpr UNION_DESC pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_UNION_DESCENDANT, $1, $3, @2); }
	| pipelineExpr UNION_PARENT pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_UNION_PARENT, $1, $3, @2); }
	| pipelineExpr UNION_ANCE pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_UNION_ANCESTOR, $1, $3, @2); }
	| pipelineExpr UNION_SIBL pipelineExpr { $$ = traceql_new_pipeline_op(st, TQL_OP_UNION_SIBLING, $1, $3, @2); }
	| '(' pipeline ')' { $$ = traceql_new_pipeline_leaf(st, $2, @1); }
	;

/* ---- scalars ---- */

scalarFilter:
	scalarExpr cmp scalarExpr { $$ = traceql_new_scalar_stage(st, $1, $2, $3, @2); }
	| scalarExpr cmp scalar
		{
			$$ = traceql_new_scalar_stage(st, $1, $2, traceql_new_scalar_literal(st, $3, @3), @2);
		}
	| scalar cmp scalarExpr
		{
			$$ = traceql_new_scalar_stage(st, traceql_new_scalar_literal(st, $1, @1), $2, $3, @2);
		}
	;

cmp:
	EQ { $$ = TQL_OP_EQ; }
	| NE { $$ = TQL_OP_NE; }
	| LT { $$ = TQL_OP_LT; }
	| LE { $$ = TQL_OP_LE; }
	| GT { $$ = TQL_OP_GT; }
	| GE { $$ = TQL_OP_GE; }
	;

scalarExpr:
	'(' scalarExpr ')' { $$ = $2; }
	| scalarExpr '+' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_ADD, $1, $3, @2); }
	| scalarExpr '-' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_SUB, $1, $3, @2); }
	| scalarExpr '*' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MUL, $1, $3, @2); }
	| scalarExpr '/' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_DIV, $1, $3, @2); }
	| scalarExpr '%' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MOD, $1, $3, @2); }
	| scalarExpr '^' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_POW, $1, $3, @2); }
	| scalarExpr '+' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_ADD, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalarExpr '-' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_SUB, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalarExpr '*' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_MUL, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalarExpr '/' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_DIV, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalarExpr '%' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_MOD, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalarExpr '^' scalar { $$ = traceql_new_scalar_arith(st, TQL_OP_POW, $1, traceql_new_scalar_literal(st, $3, @3), @2); }
	| scalar '+' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_ADD, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| scalar '-' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_SUB, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| scalar '*' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MUL, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| scalar '/' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_DIV, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| scalar '%' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MOD, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| scalar '^' scalarExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_POW, traceql_new_scalar_literal(st, $1, @1), $3, @2); }
	| aggregate { $$ = traceql_new_scalar_aggregate(st, $1); }
	;

aggregate:
	COUNT '(' ')' { $$ = traceql_new_aggregate(st, TQL_COUNT, NULL, @1); }
	| aggregateFn '(' fieldExpr ')' { $$ = traceql_new_aggregate(st, $1, $3, @1); }
	;

aggregateFn:
	MAX { $$ = TQL_MAX; }
	| MIN { $$ = TQL_MIN; }
	| AVG { $$ = TQL_AVG; }
	| SUM { $$ = TQL_SUM; }
	;

scalar:
	INTEGER
	| FLOAT
	| DURATION_LITERAL
	| '-' scalar %prec SIGN { $$ = traceql_negate_number($2); }
	| '(' scalar ')' { $$ = $2; }
	| scalar '+' scalar { $$ = traceql_fold_number(st, TQL_OP_ADD, $1, $3, @2); }
	| scalar '-' scalar { $$ = traceql_fold_number(st, TQL_OP_SUB, $1, $3, @2); }
	| scalar '*' scalar { $$ = traceql_fold_number(st, TQL_OP_MUL, $1, $3, @2); }
	| scalar '/' scalar { $$ = traceql_fold_number(st, TQL_OP_DIV, $1, $3, @2); }
	;

/* Parsed, then refused by validation as not yet supported. */
scalarPipeExpr:
	'(' scalarPipeExpr ')' { $$ = $2; }
	| scalarPipeExpr '+' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_ADD, $1, $3, @2); }
	| scalarPipeExpr '-' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_SUB, $1, $3, @2); }
	| scalarPipeExpr '*' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MUL, $1, $3, @2); }
	| scalarPipeExpr '/' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_DIV, $1, $3, @2); }
	| scalarPipeExpr '%' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_MOD, $1, $3, @2); }
	| scalarPipeExpr '^' scalarPipeExpr { $$ = traceql_new_scalar_arith(st, TQL_OP_POW, $1, $3, @2); }
	| '(' pipeline '|' aggregate ')' { $$ = traceql_new_scalar_pipeline(st, $2, $4, @1); }
	;

/* ---- metrics ---- */

metric:
	metricCall
	| metricCall group
		{
			$$ = $1;
			$$->nby = $2->n;
			$$->by = $2->attrs;
		}
	| COMPARE '(' spansetFilter ')' { $$ = compare(st, $3, 10, 0, 0, @1); }
	| COMPARE '(' spansetFilter ',' INTEGER ')' { $$ = compare(st, $3, $5.i, 0, 0, @1); }
	| COMPARE '(' spansetFilter ',' INTEGER ',' INTEGER ',' INTEGER ')'
		{
			$$ = compare(st, $3, $5.i, $7.i, $9.i, @1);
		}
	;

metricCall:
	countFn '(' ')' { $$ = traceql_new_metric(st, $1, @1); }
	| measureFn '(' attribute ')' { $$ = measure(st, $1, $3, @1); }
	| QUANTILE_OVER_TIME '(' attribute ',' numberList ')'
		{
			$$ = measure(st, TQL_QUANTILE_OVER_TIME, $3, @1);
			$$->nquantiles = $5->n;
			$$->quantiles = $5->values;
		}
	;

countFn:
	RATE { $$ = TQL_RATE; }
	| COUNT_OVER_TIME { $$ = TQL_COUNT_OVER_TIME; }
	;

measureFn:
	MIN_OVER_TIME { $$ = TQL_MIN_OVER_TIME; }
	| MAX_OVER_TIME { $$ = TQL_MAX_OVER_TIME; }
	| AVG_OVER_TIME { $$ = TQL_AVG_OVER_TIME; }
	| SUM_OVER_TIME { $$ = TQL_SUM_OVER_TIME; }
	| HISTOGRAM_OVER_TIME { $$ = TQL_HISTOGRAM_OVER_TIME; }
	;

group:
	BY '(' attrList ')' { $$ = $3; }
	;

number:
	INTEGER
	| FLOAT
	;

numberList:
	number { $$ = traceql_number_list(st, NULL, $1); }
	| numberList ',' number { $$ = traceql_number_list(st, $1, $3); }
	;

seconds:
	%empty { $$ = NULL; }
	| seconds second { $$ = traceql_seconds_add($1, $2); }
	;

second:
	'|' TOPK '(' INTEGER ')'
		{
			$$ = traceql_new_second(st, TQL_SECOND_TOPK, @2);
			$$->n = $4.i;
		}
	| '|' BOTTOMK '(' INTEGER ')'
		{
			$$ = traceql_new_second(st, TQL_SECOND_BOTTOMK, @2);
			$$->n = $4.i;
		}
	| cmp scalar
		{
			$$ = traceql_new_second(st, TQL_SECOND_COMPARE, @1);
			$$->cmp = $1;
			$$->value = $2;
		}
	;

metricExpr:
	'(' metricExpr ')' { $$ = $2; }
	| '(' pipeline '|' metric seconds ')' { $$ = traceql_new_metric_leaf(st, $2, $4, $5, @1); }
	| metricExpr '+' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_ADD, $1, $3, @2); }
	| metricExpr '-' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_SUB, $1, $3, @2); }
	| metricExpr '*' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_MUL, $1, $3, @2); }
	| metricExpr '/' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_DIV, $1, $3, @2); }
	| metricExpr '+' scalar { $$ = traceql_new_metric_arith(st, TQL_OP_ADD, $1, traceql_new_metric_number(st, metric_operand(st, $3, @3), @3), @2); }
	| metricExpr '-' scalar { $$ = traceql_new_metric_arith(st, TQL_OP_SUB, $1, traceql_new_metric_number(st, metric_operand(st, $3, @3), @3), @2); }
	| metricExpr '*' scalar { $$ = traceql_new_metric_arith(st, TQL_OP_MUL, $1, traceql_new_metric_number(st, metric_operand(st, $3, @3), @3), @2); }
	| metricExpr '/' scalar { $$ = traceql_new_metric_arith(st, TQL_OP_DIV, $1, traceql_new_metric_number(st, metric_operand(st, $3, @3), @3), @2); }
	| scalar '+' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_ADD, traceql_new_metric_number(st, metric_operand(st, $1, @1), @1), $3, @2); }
	| scalar '-' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_SUB, traceql_new_metric_number(st, metric_operand(st, $1, @1), @1), $3, @2); }
	| scalar '*' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_MUL, traceql_new_metric_number(st, metric_operand(st, $1, @1), @1), $3, @2); }
	| scalar '/' metricExpr { $$ = traceql_new_metric_arith(st, TQL_OP_DIV, traceql_new_metric_number(st, metric_operand(st, $1, @1), @1), $3, @2); }
	;

/* ---- field expressions ---- */

fieldExpr:
	'(' fieldExpr ')' { $$ = $2; }
	| fieldExpr '+' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_ADD, $1, $3, @2); }
	| fieldExpr '-' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_SUB, $1, $3, @2); }
	| fieldExpr '*' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_MUL, $1, $3, @2); }
	| fieldExpr '/' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_DIV, $1, $3, @2); }
	| fieldExpr '%' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_MOD, $1, $3, @2); }
	| fieldExpr '^' fieldExpr { $$ = traceql_new_binary(st, TQL_OP_POW, $1, $3, @2); }
	| fieldExpr EQ fieldExpr { $$ = traceql_new_binary(st, TQL_OP_EQ, $1, $3, @2); }
	| fieldExpr NE fieldExpr { $$ = traceql_new_binary(st, TQL_OP_NE, $1, $3, @2); }
	| fieldExpr LT fieldExpr { $$ = traceql_new_binary(st, TQL_OP_LT, $1, $3, @2); }
	| fieldExpr LE fieldExpr { $$ = traceql_new_binary(st, TQL_OP_LE, $1, $3, @2); }
	| fieldExpr GT fieldExpr { $$ = traceql_new_binary(st, TQL_OP_GT, $1, $3, @2); }
	| fieldExpr GE fieldExpr { $$ = traceql_new_binary(st, TQL_OP_GE, $1, $3, @2); }
	| fieldExpr RE fieldExpr { $$ = traceql_new_binary(st, TQL_OP_RE, $1, $3, @2); }
	| fieldExpr NRE fieldExpr { $$ = traceql_new_binary(st, TQL_OP_NRE, $1, $3, @2); }
	| fieldExpr AND fieldExpr { $$ = traceql_new_binary(st, TQL_OP_AND, $1, $3, @2); }
	| fieldExpr OR fieldExpr { $$ = traceql_new_binary(st, TQL_OP_OR, $1, $3, @2); }
	| '-' fieldExpr { $$ = traceql_new_unary(st, TQL_OP_SUB, $2, @1); }
	| NOT fieldExpr { $$ = traceql_new_unary(st, TQL_OP_NOT, $2, @1); }
	| fieldExpr EQ NIL %prec EQ { $$ = traceql_new_nil_test(st, TQL_IS_NIL, $1, @2); }
	| fieldExpr NE NIL %prec NE { $$ = traceql_new_nil_test(st, TQL_NOT_NIL, $1, @2); }
	| NIL EQ fieldExpr { $$ = traceql_new_nil_test(st, TQL_IS_NIL, $3, @2); }
	| NIL NE fieldExpr { $$ = traceql_new_nil_test(st, TQL_NOT_NIL, $3, @2); }
	| NIL EQ NIL %prec EQ { $$ = traceql_new_nil_test(st, TQL_IS_NIL, NULL, @2); }
	| NIL NE NIL %prec EQ { $$ = traceql_new_nil_test(st, TQL_NOT_NIL, NULL, @2); }
	| literal { $$ = traceql_new_static(st, $1, @1); }
	| attribute { $$ = traceql_new_attr_expr(st, $1); }
	;

literal:
	STRING
		{
			$$.type = TQL_TYPE_STRING;
			$$.s = $1;
		}
	| INTEGER
	| FLOAT
	| DURATION_LITERAL
	| TRUE { $$ = bool_value(true); }
	| FALSE { $$ = bool_value(false); }
	| UNSET { $$ = enum_value(TQL_TYPE_STATUS, 0); }
	| OK { $$ = enum_value(TQL_TYPE_STATUS, 1); }
	| ERROR { $$ = enum_value(TQL_TYPE_STATUS, 2); }
	| UNSPECIFIED { $$ = enum_value(TQL_TYPE_KIND, 0); }
	| INTERNAL { $$ = enum_value(TQL_TYPE_KIND, 1); }
	| SERVER { $$ = enum_value(TQL_TYPE_KIND, 2); }
	| CLIENT { $$ = enum_value(TQL_TYPE_KIND, 3); }
	| PRODUCER { $$ = enum_value(TQL_TYPE_KIND, 4); }
	| CONSUMER { $$ = enum_value(TQL_TYPE_KIND, 5); }
	| IDENTIFIER { $$ = word_value(st, $1, @1); }
	;

attrList:
	attribute { $$ = traceql_attr_list(st, NULL, $1); }
	| attrList ',' attribute { $$ = traceql_attr_list(st, $1, $3); }
	;

attribute:
	ATTRIBUTE
	| intrinsic
	;

intrinsic:
	DURATION { $$ = traceql_new_intrinsic(st, TQL_DURATION, @1); }
	| NAME_WORD { $$ = traceql_new_intrinsic(st, TQL_NAME, @1); }
	| STATUS { $$ = traceql_new_intrinsic(st, TQL_STATUS, @1); }
	| STATUS_MESSAGE { $$ = traceql_new_intrinsic(st, TQL_STATUS_MESSAGE, @1); }
	| KIND { $$ = traceql_new_intrinsic(st, TQL_KIND, @1); }
	| TRACE_DURATION { $$ = traceql_new_intrinsic(st, TQL_TRACE_DURATION, @1); }
	| ROOT_NAME { $$ = traceql_new_intrinsic(st, TQL_ROOT_NAME, @1); }
	| ROOT_SERVICE_NAME { $$ = traceql_new_intrinsic(st, TQL_ROOT_SERVICE_NAME, @1); }
	| NESTED_SET_LEFT { $$ = traceql_new_intrinsic(st, TQL_NESTED_SET_LEFT, @1); }
	| NESTED_SET_RIGHT { $$ = traceql_new_intrinsic(st, TQL_NESTED_SET_RIGHT, @1); }
	| NESTED_SET_PARENT { $$ = traceql_new_intrinsic(st, TQL_NESTED_SET_PARENT, @1); }
	| PARENT { $$ = traceql_new_intrinsic(st, TQL_PARENT, @1); }
	| TRACE_COLON DURATION { $$ = traceql_new_intrinsic(st, TQL_TRACE_DURATION, @1); }
	| TRACE_COLON ROOT_NAME { $$ = traceql_new_intrinsic(st, TQL_ROOT_NAME, @1); }
	| TRACE_COLON ROOT_SERVICE { $$ = traceql_new_intrinsic(st, TQL_ROOT_SERVICE_NAME, @1); }
	| TRACE_COLON ID { $$ = traceql_new_intrinsic(st, TQL_TRACE_ID, @1); }
	| SPAN_COLON DURATION { $$ = traceql_new_intrinsic(st, TQL_DURATION, @1); }
	| SPAN_COLON NAME_WORD { $$ = traceql_new_intrinsic(st, TQL_NAME, @1); }
	| SPAN_COLON STATUS { $$ = traceql_new_intrinsic(st, TQL_STATUS, @1); }
	| SPAN_COLON STATUS_MESSAGE { $$ = traceql_new_intrinsic(st, TQL_STATUS_MESSAGE, @1); }
	| SPAN_COLON KIND { $$ = traceql_new_intrinsic(st, TQL_KIND, @1); }
	| SPAN_COLON ID { $$ = traceql_new_intrinsic(st, TQL_SPAN_ID, @1); }
	| SPAN_COLON PARENT_ID { $$ = traceql_new_intrinsic(st, TQL_PARENT_ID, @1); }
	| SPAN_COLON CHILD_COUNT { $$ = traceql_new_intrinsic(st, TQL_CHILD_COUNT, @1); }
	| EVENT_COLON NAME_WORD { $$ = traceql_new_intrinsic(st, TQL_EVENT_NAME, @1); }
	| EVENT_COLON TIME_SINCE_START { $$ = traceql_new_intrinsic(st, TQL_EVENT_TIME_SINCE_START, @1); }
	| LINK_COLON TRACE_ID { $$ = traceql_new_intrinsic(st, TQL_LINK_TRACE_ID, @1); }
	| LINK_COLON SPAN_ID { $$ = traceql_new_intrinsic(st, TQL_LINK_SPAN_ID, @1); }
	| INSTRUMENTATION_COLON NAME_WORD { $$ = traceql_new_intrinsic(st, TQL_INSTRUMENTATION_NAME, @1); }
	| INSTRUMENTATION_COLON VERSION { $$ = traceql_new_intrinsic(st, TQL_INSTRUMENTATION_VERSION, @1); }
	;

%%

static TraceqlStatic
int_value(int64_t i)
{
	return enum_value(TQL_TYPE_INT, i);
}

static TraceqlStatic
bool_value(bool b)
{
	TraceqlStatic v = {.type = TQL_TYPE_BOOL};

	v.b = b;
	return v;
}

static TraceqlStatic
enum_value(TraceqlType type, int64_t number)
{
	TraceqlStatic v = {.type = type};

	v.i = number;
	return v;
}

/* The two words that are constants; any other is what a beginner writes for an attribute. */
static TraceqlStatic
word_value(TraceqlParser *st, Str word, uint32_t pos)
{
	if (str_eq(word, str_lit("minInt")))
		return int_value(INT64_MIN);
	if (!str_eq(word, str_lit("maxInt")))
		traceql_fail(st, TQL_ERROR_PARSE, pos,
					 "unknown identifier: %s; an attribute is written with a scope, as in .key or span.key",
					 traceql_quote_source(st, pos, pos + word.len));
	return int_value(INT64_MAX);
}

static TraceqlStatic
metric_operand(TraceqlParser *st, TraceqlStatic value, uint32_t pos)
{
	if (value.type == TQL_TYPE_DURATION)
		traceql_fail(st, TQL_ERROR_PARSE, pos, "a duration cannot take part in metrics arithmetic; write seconds");
	return value;
}

static TraceqlMetric *
measure(TraceqlParser *st, TraceqlMetricFn fn, const TraceqlAttr *attr, uint32_t pos)
{
	TraceqlMetric *m = traceql_new_metric(st, fn, pos);

	m->attr = *attr;
	return m;
}

static TraceqlMetric *
compare(TraceqlParser *st, TraceqlSpanset *filter, int64_t topn, int64_t start, int64_t end, uint32_t pos)
{
	TraceqlMetric *m = traceql_new_metric(st, TQL_COMPARE, pos);

	m->filter = filter->filter;
	m->topn = topn;
	m->start = start;
	m->end = end;
	return m;
}

/* ---- what was expected, in few words ---- */

#define MAX_ALTERNATIVES 4

typedef enum Category
{
	CAT_OPERATOR,
	CAT_VALUE,
	CAT_STAGE,
	CAT_SELF, /* named as it is */
	NCATEGORIES
} Category;

static Category
classify(yysymbol_kind_t sym)
{
	if (sym >= YYSYMBOL_AND && sym <= YYSYMBOL_NOT)
		return CAT_OPERATOR;
	if (sym >= YYSYMBOL_ATTRIBUTE && sym <= YYSYMBOL_VERSION)
		return CAT_VALUE;
	if (sym >= YYSYMBOL_COUNT && sym <= YYSYMBOL_BOTTOMK)
		return CAT_STAGE;
	return CAT_SELF;
}

static bool
holds(const yysymbol_kind_t *syms, int n, yysymbol_kind_t sym)
{
	for (int i = 0; i < n; i++)
		if (syms[i] == sym)
			return true;
	return false;
}

static const char *
category_name(Category cat, const yysymbol_kind_t *syms, int n)
{
	bool attribute = holds(syms, n, YYSYMBOL_ATTRIBUTE);

	switch (cat)
	{
		case CAT_OPERATOR: return "an operator";
		case CAT_STAGE: return holds(syms, n, YYSYMBOL_BY) ? "a pipeline stage" : "an aggregate";
		default: break;
	}
	if (attribute)
		return holds(syms, n, YYSYMBOL_INTEGER) ? "a value" : "an attribute";
	if (holds(syms, n, YYSYMBOL_STRING))
		return "a literal";
	return holds(syms, n, YYSYMBOL_INTEGER) ? "a number" : "the name of an intrinsic";
}

/* Goes without saying where a value is expected. */
static bool
may_precede_value(yysymbol_kind_t sym)
{
	const char *name = yysymbol_name(sym);

	return strcmp(name, "`-`") == 0 || strcmp(name, "`!`") == 0 || strcmp(name, "`(`") == 0;
}

/* Names of at most MAX_ALTERNATIVES things that cover every expected token; 0 when that takes more. */
static int
summarise(const yysymbol_kind_t *syms, int n, const char **names)
{
	int per_category[NCATEGORIES] = {0};
	bool named[NCATEGORIES] = {false};
	int out = 0;

	for (int i = 0; i < n; i++)
		per_category[classify(syms[i])]++;
	for (int i = 0; i < n; i++)
	{
		Category cat = classify(syms[i]);
		bool grouped = n > MAX_ALTERNATIVES && cat != CAT_SELF && per_category[cat] > 1;

		if (n > MAX_ALTERNATIVES && per_category[CAT_VALUE] > 1 && may_precede_value(syms[i]))
			continue;
		if (grouped && named[cat])
			continue;
		if (out == MAX_ALTERNATIVES)
			return 0;
		named[cat] = true;
		names[out++] = grouped ? category_name(cat, syms, n) : yysymbol_name(syms[i]);
	}
	return out;
}

static void
put_text(Buf *out, const char *z)
{
	buf_put(out, z, strlen(z));
}

/* What people write by habit of other languages. */
static const char *
advice(Str word)
{
	static const char *const pairs[][2] = {
		{"and", "; write && for and"}, {"AND", "; write && for AND"}, {"or", "; write || for or"},
		{"OR", "; write || for OR"},   {"not", "; write ! for not"},  {"NOT", "; write ! for NOT"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (str_eq(word, str_lit(pairs[i][0])))
			return pairs[i][1];
	return "";
}

static int
yyreport_syntax_error(const yypcontext_t *ctx, TraceqlParser *st)
{
	yysymbol_kind_t expected[YYNTOKENS];
	const char *names[MAX_ALTERNATIVES];
	int n = yypcontext_expected_tokens(ctx, expected, YYNTOKENS);
	bool at_end = yypcontext_token(ctx) == YYSYMBOL_YYEOF;
	const char *found = at_end ? "end of query" : traceql_quote_source(st, st->start, st->end);
	Buf list;

	n = n > 0 ? summarise(expected, n, names) : 0;
	buf_init(&list, st->arena, 128);
	for (int i = 0; i < n; i++)
	{
		const char *sep = i == 0 ? ", expecting " : i == n - 1 ? " or " : ", ";

		put_text(&list, sep);
		put_text(&list, names[i]);
	}
	if (!at_end)
		put_text(&list, advice(str_of(st->text.p + st->start, st->end - st->start)));
	buf_put_u8(&list, 0);
	traceql_fail(st, TQL_ERROR_PARSE, *yypcontext_location(ctx), "syntax error: unexpected %s%s", found,
				 (char *) list.p);
	return 0;
}

/* Called for a full stack only: syntax errors go through the function above. */
static void
tqlyyerror(uint32_t *loc, TraceqlParser *st, const char *msg)
{
	traceql_fail(st, TQL_ERROR_PARSE, *loc, "the query is nested too deeply");
}
