/*
 * compare.h
 *	  What compare() has counted; see compare.c.
 */
#ifndef TEMPO_TRACEQL_METRICS_COMPARE_H
#define TEMPO_TRACEQL_METRICS_COMPARE_H

#include "traceql/metrics/internal.h"

#define COMPARE_INTRINSICS 9
#define COMPARE_CHILDREN   64

typedef struct TallyCell
{
	uint32_t cell;
	bool used;
	double count;
} TallyCell;

/*
 * Counts of one value by cell: side (0 baseline, 1 selection) * intervals + interval. First one cell, then a
 * table of some, then an array of all.
 */
typedef struct Tally
{
	double count; /* of the one cell */
	union
	{
		double *all;
		TallyCell *some;
	};
	uint32_t n;   /* cells used */
	uint32_t cap; /* of the table, a power of two; 0: one cell or none; TALLY_ALL: an array */
	uint32_t cell;
} Tally;

#define TALLY_ALL UINT32_MAX

extern void tally_add_more(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count);

static inline void
tally_add(MetricsRun *run, Tally *t, uint32_t ncells, uint32_t cell, double count)
{
	if (t->cap == TALLY_ALL)
		t->all[cell] += count;
	else
		tally_add_more(run, t, ncells, cell, count);
}

/* Have the place of a cell in the cache soon. */
static inline void
tally_prefetch(const Tally *t, uint32_t cell)
{
	if (t->cap == TALLY_ALL)
		__builtin_prefetch(&t->all[cell], 1);
	else if (t->cap)
		__builtin_prefetch(t->some, 1);
}

/* Walk the cells of a tally that are not zero. */
static inline bool
tally_next(const Tally *t, uint32_t ncells, uint32_t *at, uint32_t *cell, double *count)
{
	uint32_t end = t->cap == TALLY_ALL ? ncells : t->cap ? t->cap : t->n;

	for (; *at < end; ++*at)
	{
		*cell = t->cap == TALLY_ALL ? *at : t->cap ? t->some[*at].cell : t->cell;
		*count = t->cap == TALLY_ALL ? t->all[*at] : t->cap ? t->some[*at].count : t->count;
		if (*count != 0)
		{
			++*at;
			return true;
		}
	}
	return false;
}

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
	bool ours;    /* of the share at hand */
	CodeMap map;
	RecentValues *recent; /* of a column of numbers */
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
	uint32_t of_children[COMPARE_CHILDREN]; /* number + 1 of a count of children */
	uint64_t source;                        /* of columns */
	const AttrShape *shapes;
	uint32_t cap_columns;
	CompareColumn *columns;
};

/* Spans of a unit, each with its cell. */
typedef struct Sided
{
	uint32_t n;
	const uint32_t *rows;
	const uint32_t *cell;
	const double *weights;       /* NULL: each counts once */
	const uint32_t *cell_of_row; /* NOT_SIDED: not one of them */
	/* The cells that occur here are few: their numbers by row, and the cell of each; one more is for no cell.
	 */
	uint32_t nlocal;
	const uint32_t *local_of_row;
	const uint32_t *cell_of_local;
} Sided;

#define NOT_SIDED UINT32_MAX

static inline double
sided_weight(const Sided *s, uint32_t i)
{
	return s->weights ? s->weights[i] : 1;
}

/* ---- compare.c ---- */

/* Number of the attribute of that name; its number indexes attrs. */
extern uint32_t compare_attr(Leaf *leaf, Str name);
extern uint32_t compare_attr_scoped(Leaf *leaf, TraceqlScope scope, Str key);
/* Number of a value of it, with room for its tally. */
extern uint32_t compare_value(Leaf *leaf, uint32_t attr, const EvalValue *v);

/* ---- compare_dense.c ---- */

/*
 * Count codes below ncodes in a table of codes and local cells, and hand each that occurs to add; false: the
 * table would be larger than is worth it. rows: row of each code, NULL: its own.
 */
typedef void (*CompareAdd)(Leaf *leaf, void *ctx, uint32_t code, uint32_t cell, double count);
extern bool compare_dense(Leaf *leaf, const Sided *s, const uint32_t *codes, const uint32_t *rows, uint32_t n,
						  uint32_t ncodes, CompareAdd add, void *ctx);
/* The same of numbers that are near each other: codes are their distances from *base, which is set. */
extern bool compare_dense_numbers(Leaf *leaf, const Sided *s, const int64_t *v, const uint32_t *rows,
								  uint32_t n, CompareAdd add, void *ctx, int64_t *base);

/* ---- compare_columns.c ---- */

/* Count the attributes of the spans themselves. */
extern void compare_columns(Leaf *leaf, const Sided *s);

/* ---- compare_series.c ---- */

/*
 * Of each attribute keep what could be shown, all else as part of its totals: when all there is of it has
 * been observed here.
 */
extern void compare_cut(Leaf *leaf);

/* ---- compare_settle.c ---- */

/* Take resources and scopes apart into attributes. */
extern void compare_settle(Leaf *leaf);
extern Tally *compare_tally(Leaf *leaf, CompareAttr *attr, uint32_t number);
extern void compare_count(Leaf *leaf, Str name, const EvalValue *v, uint32_t cell, double count);

#endif
