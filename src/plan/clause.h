/*
 * clause.h
 *	  Conditions that are evaluated on columns, before rows are formed: what they look like, and what they
 *	  are about. The planner asks which conditions are of that kind, and the executor, given the same
 *	  conditions again, takes them apart.
 *
 * There are two kinds. A range compares a column of numbers with a value. An entry condition may be any
 * expression over one series of strings: a column with a dictionary, or attributes ->> 'key'. It is
 * evaluated by core's own functions, once for each distinct string that a row needs it for, so its meaning,
 * errors included, is what it would be row by row. Both have exactly the rows of the clause they are made
 * from, so that clause need not be evaluated again.
 */
#ifndef TEMPO_CLAUSE_H
#define TEMPO_CLAUSE_H

#include "postgres.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"
#include "store/store.h"

/* A column of the table that clauses are written for, as stored in one relation. */
typedef struct ClauseColumn
{
	AttrNumber attno; /* in the relation; 0: not there */
	int role;         /* SpanCol or SpanRole; ROLE_EXTRA without the span profile */
	Oid type;
	int16 len;
	bool byval;
} ClauseColumn;

typedef struct ClauseTable
{
	int natts;
	ClauseColumn *columns; /* by attribute number - 1 of that table */
} ClauseTable;

/* Columns of rel; when it is a partition, by the attribute numbers of parent (else NULL). */
extern ClauseTable *clause_table(Relation rel, Relation parent);

/* Where values of one kind come from: a column, or with a key, the text under a key of attributes. */
typedef struct ClauseSeries
{
	AttrNumber attno; /* in the table that clauses are written for */
	char *key;        /* of the attributes, or NULL */
	int key_len;
	Oid type; /* of the values */
	Oid collation;
} ClauseSeries;

typedef enum ClauseKind
{
	CLAUSE_RANGE,
	CLAUSE_ENTRY
} ClauseKind;

typedef struct VectorClause
{
	ClauseKind kind;
	ClauseSeries series;
	/* CLAUSE_RANGE: series <strategy> value, or <> when negated */
	int strategy; /* btree */
	bool negated;
	/* both; CLAUSE_ENTRY: only when the clause is string = or <> value, or = ANY (value), byte by byte */
	Expr *value;
	bool any;
	/* CLAUSE_ENTRY: the clause, the series replaced by the first column of the outer tuple */
	Expr *entry;
} VectorClause;

/* Is the expression a series of numbers, of strings? Its Vars have varno. */
extern bool clause_is_number(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series);
extern bool clause_is_string(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series);

/*
 * An expression over one series of strings and nothing else: the expression, the series replaced by the first
 * column of the outer tuple; else NULL.
 */
extern Expr *clause_over_string(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series);

extern bool clause_recognise(const ClauseTable *table, Index varno, Node *clause, VectorClause *out);
/* The same, and security lets it see every row. */
extern bool clause_is_vectorised(const ClauseTable *table, RelOptInfo *rel, RestrictInfo *rinfo);

#endif
