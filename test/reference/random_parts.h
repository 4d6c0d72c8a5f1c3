/*
 * random_parts.h
 *	  What the makers of random queries share: the text so far, the productions, samples of the data.
 */
#ifndef TEMPO_REF_RANDOM_PARTS_H
#define TEMPO_REF_RANDOM_PARTS_H

#include "random.h"

#define PRODUCTIONS(P)                                                                                       \
	P(FILTER, "{ expression }")                                                                              \
	P(FILTER_EMPTY, "{}")                                                                                    \
	P(AND, "&&")                                                                                             \
	P(OR, "||")                                                                                              \
	P(NOT, "!( )")                                                                                           \
	P(NOT_FIELD, "! field")                                                                                  \
	P(NEG, "- expression")                                                                                   \
	P(PARENS, "( expression )")                                                                              \
	P(BARE, "field alone")                                                                                   \
	P(TRUTH, "true or false")                                                                                \
	P(FOLDED, "constants")                                                                                   \
	P(EQ, "=")                                                                                               \
	P(NE, "!=")                                                                                              \
	P(LT, "<")                                                                                               \
	P(LE, "<=")                                                                                              \
	P(GT, ">")                                                                                               \
	P(GE, ">=")                                                                                              \
	P(RE, "=~")                                                                                              \
	P(NRE, "!~")                                                                                             \
	P(LITERAL_FIRST, "literal op field")                                                                     \
	P(FIELDS, "field op field")                                                                              \
	P(CHAIN, "a chain of = on one field")                                                                    \
	P(IS_NIL, "= nil")                                                                                       \
	P(NOT_NIL, "!= nil")                                                                                     \
	P(NIL_FIRST, "nil = field")                                                                              \
	P(ADD, "+")                                                                                              \
	P(SUB, "-")                                                                                              \
	P(MUL, "*")                                                                                              \
	P(DIV, "/")                                                                                              \
	P(MOD, "%")                                                                                              \
	P(POW, "^")                                                                                              \
	P(STRING, "\"string\"")                                                                                  \
	P(RAW_STRING, "`string`")                                                                                \
	P(INT, "int")                                                                                            \
	P(INT_END, "minInt, maxInt")                                                                             \
	P(FLOAT, "float")                                                                                        \
	P(DURATION, "duration")                                                                                  \
	P(BOOL, "bool")                                                                                          \
	P(STATUS, "status")                                                                                      \
	P(KIND, "kind")                                                                                          \
	P(WRONG, "a literal of another type")                                                                    \
	P(ANY, ".key")                                                                                           \
	P(SPAN, "span.key")                                                                                      \
	P(RESOURCE, "resource.key")                                                                              \
	P(EVENT, "event.key")                                                                                    \
	P(LINK, "link.key")                                                                                      \
	P(INSTRUMENTATION, "instrumentation.key")                                                                \
	P(QUOTED, "quoted key")                                                                                  \
	P(MISSING, "key that is not there")                                                                      \
	P(INTRINSIC, "intrinsic")                                                                                \
	P(SCOPED_INTRINSIC, "scoped intrinsic")                                                                  \
	P(SET_AND, "spansets &&")                                                                                \
	P(SET_OR, "spansets ||")                                                                                 \
	P(CHILD, "spansets >")                                                                                   \
	P(PARENT, "spansets <")                                                                                  \
	P(DESCENDANT, "spansets >>")                                                                             \
	P(ANCESTOR, "spansets <<")                                                                               \
	P(SIBLING, "spansets ~")                                                                                 \
	P(NOT_CHILD, "spansets !>")                                                                              \
	P(NOT_PARENT, "spansets !<")                                                                             \
	P(NOT_DESCENDANT, "spansets !>>")                                                                        \
	P(NOT_ANCESTOR, "spansets !<<")                                                                          \
	P(NOT_SIBLING, "spansets !~")                                                                            \
	P(BOTH_CHILD, "spansets &>")                                                                             \
	P(BOTH_PARENT, "spansets &<")                                                                            \
	P(BOTH_DESCENDANT, "spansets &>>")                                                                       \
	P(BOTH_ANCESTOR, "spansets &<<")                                                                         \
	P(BOTH_SIBLING, "spansets &~")                                                                           \
	P(SET_PARENS, "( spansets )")                                                                            \
	P(COMBINED, "(pipeline) op (pipeline)")                                                                  \
	P(STAGE_SET, "| spansets")                                                                               \
	P(STAGE_SCALAR, "| aggregate cmp number")                                                                \
	P(STAGE_BY, "| by( )")                                                                                   \
	P(STAGE_COALESCE, "| coalesce()")                                                                        \
	P(STAGE_SELECT, "| select( )")                                                                           \
	P(COUNT, "count()")                                                                                      \
	P(MIN, "min( )")                                                                                         \
	P(MAX, "max( )")                                                                                         \
	P(SUM, "sum( )")                                                                                         \
	P(AVG, "avg( )")                                                                                         \
	P(NUMBER_FOLDED, "aggregate cmp constants")                                                              \
	P(RATE, "rate()")                                                                                        \
	P(COUNT_OVER_TIME, "count_over_time()")                                                                  \
	P(MIN_OVER_TIME, "min_over_time( )")                                                                     \
	P(MAX_OVER_TIME, "max_over_time( )")                                                                     \
	P(AVG_OVER_TIME, "avg_over_time( )")                                                                     \
	P(SUM_OVER_TIME, "sum_over_time( )")                                                                     \
	P(QUANTILE, "quantile_over_time( )")                                                                     \
	P(HISTOGRAM, "histogram_over_time( )")                                                                   \
	P(COMPARE, "compare({ })")                                                                               \
	P(COMPARE_TOP, "compare({ }, n)")                                                                        \
	P(COMPARE_WINDOW, "compare({ }, n, start, end)")                                                         \
	P(GROUP, "metric by( )")                                                                                 \
	P(TOPK, "topk( )")                                                                                       \
	P(BOTTOMK, "bottomk( )")                                                                                 \
	P(SECOND_COMPARE, "metric cmp number")                                                                   \
	P(METRIC_ADD, "metric + metric")                                                                         \
	P(METRIC_SUB, "metric - metric")                                                                         \
	P(METRIC_MUL, "metric * metric")                                                                         \
	P(METRIC_DIV, "metric / metric")                                                                         \
	P(METRIC_NUMBER, "metric op number")                                                                     \
	P(METRIC_NUMBER_FIRST, "number op metric")                                                               \
	P(UNSUPPORTED, "what is read and not supported")                                                         \
	P(HINTS, "with( )")                                                                                      \
	P(COMMENT, "comment")

#define P_ENUM(name, text) P_##name,

enum
{
	PRODUCTIONS(P_ENUM) NPRODUCTIONS
};

/* The query as far as it is written. */
extern Out q;

extern void begin_query(const Data *about);
extern void use(int production);
extern void put(const char *z);
extern void put_use(int production, const char *z);

/* A field as text, and a value that it has somewhere. */
typedef struct Sample
{
	Text text;
	Val value;
} Sample;

extern Sample sample(void);
extern Sample numeric_sample(void);
extern Val literal_for(Val v); /* to compare it with */
extern void put_literal(Val v);
extern const char *comparison(Type type);
extern void put_bool(int depth);
extern void put_arith(int depth);

/* random_search.c */
extern void put_filter(void);
extern void put_set(int depth);
extern void put_pipeline(int depth);

#endif
