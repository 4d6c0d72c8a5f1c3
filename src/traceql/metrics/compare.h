/*
 * compare.h
 *	  What compare() has counted; see compare.c.
 */
#ifndef TEMPO_TRACEQL_METRICS_COMPARE_H
#define TEMPO_TRACEQL_METRICS_COMPARE_H

#include "traceql/metrics/internal.h"

#define COMPARE_INTRINSICS 9

typedef struct TallyCell
{
	uint32_t cell;
	bool used;
	double count;
} TallyCell;

/* Counts of one value by cell: side (0 baseline, 1 selection) * intervals + interval. */
typedef struct Tally
{
	double *all; /* an array of all cells, or NULL */
	uint32_t n;
	uint32_t cap; /* power of two */
	TallyCell *some;
} Tally;

typedef struct CompareAttr
{
	ValueTable values; /* number 0: there, but of no type; counts in totals only */
	uint32_t cap;
	Tally *tallies;  /* by number */
	uint32_t column; /* while columns are looked at: the last one of this key */
} CompareAttr;

typedef struct CompareColumn
{
	uint32_t attr;
	bool several; /* another column has the same key */
	CodeMap map;
} CompareColumn;

typedef struct CompareIntrinsic
{
	TraceqlIntrinsic intrinsic;
	int col;
	uint32_t attr;
	CodeMap map;
} CompareIntrinsic;

/* Resources or scopes, each entry a value. */
typedef struct CompareEntries
{
	CodeMap map;
	CompareAttr set;
} CompareEntries;

struct Compare
{
	uint32_t ncells;
	ValueTable names; /* of attributes; their numbers index attrs */
	uint32_t cap_attrs;
	CompareAttr *attrs;
	CompareIntrinsic intrinsics[COMPARE_INTRINSICS];
	CompareEntries resources;
	CompareEntries scopes;
	uint64_t source; /* of columns */
	const AttrShape *shapes;
	uint32_t cap_columns;
	CompareColumn *columns;
};

/* Take resources and scopes apart into attributes. */
extern void compare_settle(Leaf *leaf);
extern Tally *compare_tally(Leaf *leaf, CompareAttr *attr, uint32_t number);
extern void compare_count(Leaf *leaf, Str name, const EvalValue *v, uint32_t cell, double count);

#endif
