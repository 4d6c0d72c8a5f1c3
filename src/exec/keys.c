/*
 * keys.c
 *	  Finding the keys.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "exec/keys.h"
#include "span/value.h"
#include "store/store.h"
#include "types/types.h"

typedef struct FindContext
{
	Index varno;
	SpanKeys *keys;
	int cap;
	bool other; /* looked at in another way */
} FindContext;

AttrNumber
span_keys_attribute(Relation rel)
{
	const TableProfile *p = store_profile(rel);

	for (int i = 0; p->spans && i < p->natts; i++)
		if (p->role[i] == ROLE_ATTRIBUTES && !TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			return i + 1;
	return InvalidAttrNumber;
}

static void
add_key(FindContext *f, Str key)
{
	SpanKeys *k = f->keys;

	for (int i = 0; i < k->n; i++)
		if (str_eq(k->keys[i], key))
			return;
	if (k->n == f->cap)
	{
		f->cap = f->cap ? f->cap * 2 : 4;
		k->keys = k->keys ? repalloc(k->keys, f->cap * sizeof(Str)) : palloc(f->cap * sizeof(Str));
	}
	k->keys[k->n++] = key;
}

static void
add_keys_of_list(FindContext *f, Str attributes)
{
	ValueIter it;
	KeyValue kv;

	if (!value_iter_begin(&it, attributes))
		return;
	while (value_iter_next_kv(&it, &kv))
		add_key(f, kv.key);
}

static bool
is_column(const FindContext *f, Node *node)
{
	Var *var = (Var *) node;

	return IsA(node, Var) && var->varno == f->varno && var->varlevelsup == 0 &&
		   var->varattno == f->keys->attno;
}

/* Name of one of this extension's functions in schema tempo; NULL for others. */
static const char *
our_function(Oid funcid)
{
	if (get_func_namespace(funcid) != get_namespace_oid("tempo", true) ||
		getExtensionOfObject(ProcedureRelationId, funcid) != get_extension_oid("tempo", true))
		return NULL;
	return get_func_name(funcid);
}

/* Is this a look at the column by constant keys? Then they are added. */
static bool
looks_by_key(FindContext *f, Oid funcid, List *args)
{
	const char *name;
	Const *arg;

	if (list_length(args) != 2 || !is_column(f, linitial(args)) || !IsA(lsecond(args), Const))
		return false;
	arg = lsecond_node(Const, args);
	name = our_function(funcid);
	if (name == NULL || arg->constisnull)
		return false;
	if (arg->consttype == TEXTOID &&
		(strcmp(name, "get") == 0 || strcmp(name, "get_text") == 0 || strcmp(name, "has_key") == 0))
	{
		struct varlena *key = PG_DETOAST_DATUM_PACKED(arg->constvalue);

		add_key(f, str_of(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)));
		return true;
	}
	if (strcmp(name, "contains") != 0)
		return false;
	add_keys_of_list(f, types_payload(arg->constvalue));
	return true;
}

static bool
find_walker(Node *node, void *context)
{
	FindContext *f = context;

	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && looks_by_key(f, ((OpExpr *) node)->opfuncid, ((OpExpr *) node)->args))
		return false;
	if (IsA(node, FuncExpr) && looks_by_key(f, ((FuncExpr *) node)->funcid, ((FuncExpr *) node)->args))
		return false;
	if (IsA(node, Var) && ((Var *) node)->varno == f->varno &&
		(((Var *) node)->varattno == 0 || is_column(f, node)))
	{
		f->other = true;
		return true;
	}
	return expression_tree_walker(node, find_walker, context);
}

SpanKeys *
span_keys_find(Node *expressions, Index varno, AttrNumber attno)
{
	FindContext f = {varno, palloc0(sizeof(SpanKeys)), 0, false};

	f.keys->attno = attno;
	(void) find_walker(expressions, &f);
	return f.other ? NULL : f.keys;
}
