/*
 * clause.c
 *	  Recognising conditions that are evaluated on columns.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "compat.h"
#include "plan/clause.h"

ClauseTable *
clause_table(Relation rel, Relation parent)
{
	const TableProfile *profile = store_profile(rel);
	TupleDesc desc = RelationGetDescr(rel);
	TupleDesc named = parent ? RelationGetDescr(parent) : desc;
	ClauseTable *t = palloc0(sizeof(ClauseTable));

	t->natts = named->natts;
	t->columns = palloc0(Max(t->natts, 1) * sizeof(ClauseColumn));
	for (int i = 0; i < t->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(named, i);
		ClauseColumn *c = &t->columns[i];

		if (att->attisdropped)
			continue;
		c->attno = parent ? get_attnum(RelationGetRelid(rel), NameStr(att->attname)) : i + 1;
		if (c->attno <= 0 || c->attno > profile->natts)
		{
			c->attno = 0;
			continue;
		}
		c->role = profile->spans ? profile->role[c->attno - 1] : ROLE_EXTRA;
		c->type = att->atttypid;
		c->len = att->attlen;
		c->byval = att->attbyval;
	}
	return t;
}

/* ---- series ---- */

static const ClauseColumn *
find_column(const ClauseTable *table, Index varno, Node *node)
{
	Var *var = (Var *) node;
	const ClauseColumn *c;

	if (node == NULL || !IsA(node, Var) || var->varno != varno || var->varlevelsup != 0 ||
		var->varattno <= 0 || var->varattno > table->natts)
		return NULL;
	c = &table->columns[var->varattno - 1];
	return c->attno > 0 ? c : NULL;
}

static bool
is_number_column(const ClauseColumn *c)
{
	switch (c->role)
	{
		case SC_SPAN_ID:
		case SC_PARENT_ID:
		case SC_KIND:
		case SC_STATUS:
		case ROLE_START_TIME: return true;
		case ROLE_START_NS: return false;
		default:
			return c->byval && (c->type == INT2OID || c->type == INT4OID || c->type == INT8OID ||
								c->type == TIMESTAMPTZOID || c->type == TIMESTAMPOID || c->type == DATEOID);
	}
}

/* kind::integer and the like are the same number. */
static Node *
strip_relabel(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

bool
clause_is_number(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series)
{
	Node *inner = strip_relabel(node);
	const ClauseColumn *c = find_column(table, varno, inner);

	if (c == NULL || !is_number_column(c))
		return false;
	if (inner != node && c->role != SC_KIND && c->role != SC_STATUS)
		return false;
	*series = (ClauseSeries){.attno = ((Var *) inner)->varattno, .type = exprType(node)};
	return true;
}

static bool
is_string_column(const ClauseColumn *c)
{
	return c->len == -1 && c->role != ROLE_ATTRIBUTES && c->role != ROLE_EVENTS && c->role != ROLE_LINKS;
}

/* attributes ->> 'key' */
static bool
is_attribute_text(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series)
{
	OpExpr *op = (OpExpr *) node;
	const ClauseColumn *c;
	Const *key;
	text *t;
	char *function;

	if (!IsA(node, OpExpr) || list_length(op->args) != 2)
		return false;
	c = find_column(table, varno, linitial(op->args));
	key = lsecond(op->args);
	if (c == NULL || c->role != ROLE_ATTRIBUTES || !IsA(key, Const) || key->constisnull ||
		key->consttype != TEXTOID)
		return false;
	set_opfuncid(op);
	function = get_func_name(op->opfuncid);
	if (function == NULL || strcmp(function, "get_text") != 0 ||
		get_func_namespace(op->opfuncid) != get_namespace_oid("tempo", true))
		return false;
	t = DatumGetTextPP(key->constvalue);
	*series = (ClauseSeries){.attno = ((Var *) linitial(op->args))->varattno,
							 .key = text_to_cstring(t),
							 .key_len = VARSIZE_ANY_EXHDR(t),
							 .type = TEXTOID,
							 .collation = op->opcollid};
	return true;
}

bool
clause_is_string(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series)
{
	const ClauseColumn *c = find_column(table, varno, node);

	if (c == NULL)
		return is_attribute_text(table, varno, node, series);
	if (!is_string_column(c))
		return false;
	*series = (ClauseSeries){.attno = ((Var *) node)->varattno,
							 .type = ((Var *) node)->vartype,
							 .collation = ((Var *) node)->varcollid};
	return true;
}

/* ---- ranges ---- */

static bool
usable_value(Index varno, Node *value)
{
	return !contain_var_clause(value) && !contain_volatile_functions(value) && !contain_subplans(value);
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* Strategy of the operator for the type, negated for <>; 0: it has none. */
static int
number_strategy(Oid opno, Oid type, bool *negated)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	int strategy;

	*negated = false;
	if (!OidIsValid(entry->btree_opf))
		return 0;
	strategy = get_op_opfamily_strategy(opno, entry->btree_opf);
	if (strategy == 0 && OidIsValid(opno = get_negator(opno)) &&
		get_op_opfamily_strategy(opno, entry->btree_opf) == BTEqualStrategyNumber)
	{
		*negated = true;
		strategy = BTEqualStrategyNumber;
	}
	return strategy;
}

static bool
match_range(const ClauseTable *table, Index varno, Oid opno, Node *column, Node *value, VectorClause *out)
{
	Oid type = exprType(value);

	if (!OidIsValid(opno) || !clause_is_number(table, varno, column, &out->series) ||
		!usable_value(varno, value))
		return false;
	if (type != out->series.type && !(is_integer(type) && is_integer(out->series.type)))
		return false;
	out->kind = CLAUSE_RANGE;
	out->value = (Expr *) value;
	out->strategy = number_strategy(opno, out->series.type, &out->negated);
	return out->strategy != 0;
}

static bool
recognise_range(const ClauseTable *table, Index varno, Node *clause, VectorClause *out)
{
	OpExpr *op = (OpExpr *) clause;

	if (!is_opclause(clause) || list_length(op->args) != 2)
		return false;
	return match_range(table, varno, op->opno, linitial(op->args), lsecond(op->args), out) ||
		   match_range(table, varno, get_commutator(op->opno), lsecond(op->args), linitial(op->args), out);
}

/* ---- entries ---- */

typedef struct ReplaceContext
{
	const ClauseTable *table;
	Index varno;
	ClauseSeries series;
	bool found;
	bool failed;
} ReplaceContext;

static bool
same_series(const ClauseSeries *a, const ClauseSeries *b)
{
	if (a->attno != b->attno || (a->key == NULL) != (b->key == NULL))
		return false;
	return a->key == NULL || (a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0);
}

static Node *
replace_series(Node *node, ReplaceContext *context)
{
	ClauseSeries series;

	if (node == NULL || context->failed)
		return node;
	if (clause_is_string(context->table, context->varno, node, &series))
	{
		if (context->found && !same_series(&series, &context->series))
			context->failed = true;
		context->found = true;
		context->series = series;
		return (Node *) makeVar(OUTER_VAR, 1, series.type, exprTypmod(node), exprCollation(node), 0);
	}
	if (IsA(node, Var) || IsA(node, Query) || IsA(node, SubPlan) || IsA(node, AlternativeSubPlan))
		context->failed = true;
	return expression_tree_mutator(node, replace_series, context);
}

static bool
is_first_outer(Node *node)
{
	node = strip_relabel(node);
	return IsA(node, Var) && ((Var *) node)->varno == OUTER_VAR;
}

/* Equality that is decided by the bytes alone, with a value that is one for the whole scan. */
static void
find_equality(Index varno, VectorClause *out)
{
	Node *node = (Node *) out->entry;
	List *args;
	Oid opno, collation, type = out->series.type;

	if (IsA(node, OpExpr))
	{
		args = ((OpExpr *) node)->args;
		opno = ((OpExpr *) node)->opno;
		collation = ((OpExpr *) node)->inputcollid;
	}
	else if (IsA(node, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) node)->useOr)
	{
		args = ((ScalarArrayOpExpr *) node)->args;
		opno = ((ScalarArrayOpExpr *) node)->opno;
		collation = ((ScalarArrayOpExpr *) node)->inputcollid;
		out->any = true;
	}
	else
		return;
	if (type != TEXTOID && type != VARCHAROID)
		return;
	if (list_length(args) != 2 || !is_first_outer(linitial(args)) || !usable_value(varno, lsecond(args)) ||
		exprType(lsecond(args)) != (out->any ? TEXTARRAYOID : TEXTOID) || !OidIsValid(collation) ||
		!get_collation_isdeterministic(collation))
		return;
	if (number_strategy(opno, TEXTOID, &out->negated) != BTEqualStrategyNumber || (out->any && out->negated))
		return;
	out->value = lsecond(args);
}

Expr *
clause_over_string(const ClauseTable *table, Index varno, Node *node, ClauseSeries *series)
{
	ReplaceContext context = {.table = table, .varno = varno};
	Node *replaced;

	if (contain_volatile_functions(node) || contain_subplans(node))
		return NULL;
	replaced = replace_series(node, &context);
	if (!context.found || context.failed)
		return NULL;
	*series = context.series;
	return (Expr *) replaced;
}

static bool
recognise_entry(const ClauseTable *table, Index varno, Node *clause, VectorClause *out)
{
	out->entry = clause_over_string(table, varno, clause, &out->series);
	if (out->entry == NULL)
		return false;
	out->kind = CLAUSE_ENTRY;
	find_equality(varno, out);
	return true;
}

bool
clause_recognise(const ClauseTable *table, Index varno, Node *clause, VectorClause *out)
{
	memset(out, 0, sizeof(*out));
	if (recognise_range(table, varno, clause, out))
		return true;
	memset(out, 0, sizeof(*out));
	return recognise_entry(table, varno, clause, out);
}

bool
clause_is_vectorised(const ClauseTable *table, RelOptInfo *rel, RestrictInfo *rinfo)
{
	VectorClause c;

	if (rinfo->pseudoconstant ||
		(rinfo->security_level > rel->baserestrict_min_security && !rinfo->leakproof))
		return false;
	return clause_recognise(table, rel->relid, (Node *) rinfo->clause, &c);
}
