/*
 * aggregate_spec.h
 *	  Group keys and aggregates that the scan computes itself. As with conditions (clause.h) the planner asks
 *	  whether it can, and the executor takes the same expressions apart again.
 */
#ifndef TEMPO_AGGREGATE_SPEC_H
#define TEMPO_AGGREGATE_SPEC_H

#include "postgres.h"
#include "nodes/primnodes.h"
#include "plan/clause.h"

typedef enum KeyKind
{
	KEY_NUMBER, /* a column of numbers */
	KEY_ENTRY,  /* a series of strings, or an expression over one */
	KEY_BIN,    /* date_bin(stride, start_time, origin) */
	KEY_STEP    /* date_trunc(unit, start_time) */
} KeyKind;

typedef struct KeySpec
{
	KeyKind kind;
	ClauseSeries series;
	Oid type; /* of the key */
	int16 len;
	bool byval;
	/* the key for one value of the series, which is the first column of the outer tuple; NULL: itself */
	Expr *expr;
	int64 stride; /* KEY_BIN: microseconds */
	int64 origin;
} KeySpec;

extern bool key_recognise(const ClauseTable *table, Index varno, Node *node, KeySpec *out);

typedef enum AggregateKind
{
	AGGREGATE_COUNT, /* of rows, or of values that are not null */
	AGGREGATE_SUM,
	AGGREGATE_AVG,
	AGGREGATE_MIN,
	AGGREGATE_MAX,
	AGGREGATE_PERCENTILE
} AggregateKind;

typedef struct AggregateSpec
{
	AggregateKind kind;
	bool rows; /* count(*): no series */
	bool strings;
	ClauseSeries series;
	Oid type;        /* of the result */
	Expr *fractions; /* percentiles: float8, or an array of them */
	bool continuous;
	List *filter; /* conditions of FILTER, as of clause.h */
} AggregateSpec;

extern bool aggregate_recognise(const ClauseTable *table, Index varno, Aggref *agg, AggregateSpec *out);

#endif
