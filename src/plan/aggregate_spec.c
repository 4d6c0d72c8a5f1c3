/*
 * aggregate_spec.c
 *	  Recognising group keys and aggregates.
 */
#include "postgres.h"

#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "plan/aggregate_spec.h"

/* ---- keys ---- */

/* Types whose values are equal when their bytes are. */
static bool
is_key_type(Oid type, Oid collation)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID: return true;
		case TEXTOID:
		case VARCHAROID: return OidIsValid(collation) && get_collation_isdeterministic(collation);
		default: return false;
	}
}

static bool
is_start_time(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series)
{
	return IsA(node, Var) && clause_is_number(table, varno, node, series) &&
		   table->columns[series->attno - 1].role == ROLE_START_TIME;
}

static bool
is_plain_const(Node *node)
{
	return IsA(node, Const) && !((Const *) node)->constisnull;
}

/*
 * Units whose start is a whole second away from it: then the start depends on the second alone, whatever the
 * time zone.
 */
static bool
is_whole_seconds(Const *unit)
{
	static const char *const units[] = {"second", "minute", "hour",    "day",
										"week",   "month",  "quarter", "year"};
	char *given = TextDatumGetCString(unit->constvalue);

	for (int i = 0; i < lengthof(units); i++)
		if (strcmp(given, units[i]) == 0)
			return true;
	return false;
}

/* date_bin and date_trunc of start_time with constants for the rest. */
static bool
recognise_time(const ClauseTable *table, Index varno, FuncExpr *f, KeySpec *out)
{
	List *args;
	FuncExpr *copy;

	if (!IsA(f, FuncExpr) || list_length(f->args) < 2)
		return false;
	if (f->funcid == F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ)
		out->kind = KEY_BIN;
	else if (f->funcid == F_DATE_TRUNC_TEXT_TIMESTAMPTZ || f->funcid == F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT)
		out->kind = KEY_STEP;
	else
		return false;
	args = f->args;
	if (!is_plain_const(linitial(args)) || !is_start_time(table, varno, lsecond(args), &out->series) ||
		(list_length(args) > 2 && !is_plain_const(lthird(args))))
		return false;
	if (out->kind == KEY_STEP && !is_whole_seconds(linitial(args)))
		return false;
	if (out->kind == KEY_BIN)
	{
		Interval *stride = DatumGetIntervalP(((Const *) linitial(args))->constvalue);

		out->origin = DatumGetTimestampTz(((Const *) lthird(args))->constvalue);
		/* What core refuses, core shall refuse. */
		if (pg_mul_s64_overflow(stride->day, USECS_PER_DAY, &out->stride) ||
			pg_add_s64_overflow(out->stride, stride->time, &out->stride) || stride->month != 0 ||
			out->stride <= 0 || TIMESTAMP_NOT_FINITE(out->origin))
			return false;
	}
	copy = copyObject(f);
	lsecond(copy->args) = makeVar(OUTER_VAR, 1, TIMESTAMPTZOID, -1, InvalidOid, 0);
	out->expr = (Expr *) copy;
	return true;
}

bool
key_recognise(const ClauseTable *table, Index varno, Node *node, KeySpec *out)
{
	bool by_itself;

	memset(out, 0, sizeof(*out));
	out->type = exprType(node);
	get_typlenbyval(out->type, &out->len, &out->byval);
	if (clause_is_number(table, varno, node, &out->series))
	{
		out->kind = KEY_NUMBER;
		return true;
	}
	if (recognise_time(table, varno, (FuncExpr *) node, out))
		return true;
	out->kind = KEY_ENTRY;
	by_itself = clause_is_string(table, varno, node, &out->series);
	if (!is_key_type(out->type, exprCollation(node)))
		return false;
	if (by_itself)
		return true;
	out->expr = clause_over_string(table, varno, node, &out->series);
	return out->expr != NULL;
}

/* ---- aggregates ---- */

static bool
recognise_function(Oid function, AggregateSpec *out)
{
	switch (function)
	{
		case F_COUNT_:
			out->kind = AGGREGATE_COUNT;
			out->rows = true;
			return true;
		case F_COUNT_ANY: out->kind = AGGREGATE_COUNT; return true;
		case F_SUM_INT2:
		case F_SUM_INT4:
		case F_SUM_INT8: out->kind = AGGREGATE_SUM; return true;
		case F_AVG_INT2:
		case F_AVG_INT4:
		case F_AVG_INT8: out->kind = AGGREGATE_AVG; return true;
		case F_MIN_INT2:
		case F_MIN_INT4:
		case F_MIN_INT8:
		case F_MIN_DATE:
		case F_MIN_TIMESTAMP:
		case F_MIN_TIMESTAMPTZ: out->kind = AGGREGATE_MIN; return true;
		case F_MAX_INT2:
		case F_MAX_INT4:
		case F_MAX_INT8:
		case F_MAX_DATE:
		case F_MAX_TIMESTAMP:
		case F_MAX_TIMESTAMPTZ: out->kind = AGGREGATE_MAX; return true;
		case F_PERCENTILE_CONT_FLOAT8_FLOAT8:
		case F_PERCENTILE_CONT__FLOAT8_FLOAT8:
			out->kind = AGGREGATE_PERCENTILE;
			out->continuous = true;
			return true;
		case F_PERCENTILE_DISC_FLOAT8_ANYELEMENT:
		case F_PERCENTILE_DISC__FLOAT8_ANYELEMENT: out->kind = AGGREGATE_PERCENTILE; return true;
		default: return false;
	}
}

static bool
recognise_filter(const ClauseTable *table, Index varno, Expr *filter, AggregateSpec *out)
{
	ListCell *lc;

	out->filter = make_ands_implicit(filter);
	foreach (lc, out->filter)
	{
		VectorClause c;

		if (!clause_recognise(table, varno, lfirst(lc), &c))
			return false;
	}
	return true;
}

static bool
is_integer_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* Ascending percentiles of a column of integers, at fractions that are the same for all rows. */
static bool
recognise_percentile(const ClauseTable *table, Index varno, Aggref *agg, AggregateSpec *out)
{
	SortGroupClause *order = linitial_node(SortGroupClause, agg->aggorder);
	Node *value = (Node *) linitial_node(TargetEntry, agg->args)->expr;
	Node *fractions = linitial(agg->aggdirectargs);
	Oid sorted = exprType(value);

	if (out->continuous)
	{
		FuncExpr *cast = (FuncExpr *) value;

		if (!IsA(cast, FuncExpr) ||
			(cast->funcid != F_FLOAT8_INT8 && cast->funcid != F_FLOAT8_INT4 && cast->funcid != F_FLOAT8_INT2))
			return false;
		value = linitial(cast->args);
	}
	if (order->sortop != lookup_type_cache(sorted, TYPECACHE_LT_OPR)->lt_opr ||
		contain_var_clause(fractions) || contain_volatile_functions(fractions) || contain_subplans(fractions))
		return false;
	out->fractions = (Expr *) fractions;
	return clause_is_number(table, varno, value, &out->series) && is_integer_type(out->series.type);
}

static bool
recognise_argument(const ClauseTable *table, Index varno, Node *arg, AggregateSpec *out)
{
	if (out->kind == AGGREGATE_COUNT && clause_is_string(table, varno, arg, &out->series))
	{
		out->strings = true;
		return true;
	}
	if (!clause_is_number(table, varno, arg, &out->series))
		return false;
	return out->kind == AGGREGATE_COUNT || out->kind == AGGREGATE_MIN || out->kind == AGGREGATE_MAX ||
		   is_integer_type(out->series.type);
}

bool
aggregate_recognise(const ClauseTable *table, Index varno, Aggref *agg, AggregateSpec *out)
{
	memset(out, 0, sizeof(*out));
	if (agg->agglevelsup != 0 || agg->aggsplit != AGGSPLIT_SIMPLE || agg->aggdistinct != NIL ||
		agg->aggvariadic || !recognise_function(agg->aggfnoid, out))
		return false;
	out->type = agg->aggtype;
	if (!recognise_filter(table, varno, agg->aggfilter, out))
		return false;
	if (out->kind == AGGREGATE_PERCENTILE)
		return recognise_percentile(table, varno, agg, out);
	if (agg->aggkind != AGGKIND_NORMAL || agg->aggorder != NIL)
		return false;
	if (out->rows)
		return true;
	return recognise_argument(table, varno, (Node *) linitial_node(TargetEntry, agg->args)->expr, out);
}
