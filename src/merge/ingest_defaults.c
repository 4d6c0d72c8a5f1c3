/*
 * ingest_defaults.c
 *	  Columns that a user added to tempo.spans, for spans that come without the executor: their defaults.
 *
 * A default that is not volatile is evaluated once a batch. Without a default a column is null, which is
 * an error when it must not be.
 */
#include "merge/ingest.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "store/profile.h"

static void
allocate_values(Arena *arena, Column *c, uint32 nrows)
{
	c->n = nrows;
	c->loaded = true;
	if (c->kind == COL_I64)
		c->i64 = arena_alloc0(arena, (size_t) nrows * sizeof(int64_t));
	else if (c->kind == COL_FIXED)
		c->fixed = arena_alloc0(arena, (size_t) nrows * c->width);
	else
	{
		c->codes = arena_alloc0(arena, (size_t) nrows * sizeof(uint32_t));
		c->dict = arena_alloc0(arena, (size_t) nrows * sizeof(Str));
		c->ndict = nrows > 0 ? 1 : 0;
	}
}

/* own: the row has a dictionary entry to itself, otherwise all share the one the first row made. */
static void
set_value(Arena *arena, Column *c, uint32 row, bool own, Datum d, Form_pg_attribute att)
{
	if (c->kind == COL_I64)
		c->i64[row] = profile_datum_i64(d, att);
	else if (c->kind == COL_FIXED)
		memcpy(c->fixed + (size_t) row * c->width, DatumGetPointer(d), c->width);
	else
	{
		c->codes[row] = own ? row : 0;
		c->ndict = c->codes[row] + 1;
		if (own || row == 0)
		{
			Str s = profile_datum_bytes(d, att);

			c->dict[c->codes[row]] = str_of(arena_dup(arena, s.p, s.len), s.len);
		}
	}
}

static void
set_null(Relation leaf, Arena *arena, Column *c, uint32 row, Form_pg_attribute att)
{
	if (att->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of relation \"%s\" violates not-null constraint",
						NameStr(att->attname), RelationGetRelationName(leaf)),
				 errdetail("Spans that are ingested bring no value for a column that was added, and it "
						   "has no default.")));
	column_set_null(arena, c, row);
}

static void
refuse_computed(Relation leaf, Form_pg_attribute att)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("cannot ingest spans into column \"%s\" of relation \"%s\"", NameStr(att->attname),
						   RelationGetRelationName(leaf)),
					errdetail("Generated columns, and domains with constraints and no default, are not "
							  "computed for spans that are ingested.")));
}

/* The default of a column, or NULL. */
static Expr *
column_default(Relation leaf, Form_pg_attribute att)
{
	Expr *expr;

	if (att->attgenerated)
		refuse_computed(leaf, att);
	expr = (Expr *) build_column_default(leaf, att->attnum);
	if (expr == NULL && DomainHasConstraints(att->atttypid))
		refuse_computed(leaf, att);
	return expr;
}

static void
fill_with_default(Relation leaf, Batch *batch, Column *c, Form_pg_attribute att)
{
	Expr *expr = att->attisdropped ? NULL : column_default(leaf, att);
	bool each = expr != NULL && contain_volatile_functions((Node *) expr);
	EState *estate = CreateExecutorState();
	ExprContext *econtext = GetPerTupleExprContext(estate);
	ExprState *state = expr ? ExecPrepareExpr(expr, estate) : NULL;
	Datum d = (Datum) 0;
	bool isnull = true;

	for (uint32 row = 0; row < batch_nrows(batch); row++)
	{
		if (state && (each || row == 0))
		{
			CHECK_FOR_INTERRUPTS();
			/* a value for all rows must outlive the first */
			ResetExprContext(econtext);
			d = ExecEvalExprSwitchContext(state, econtext, &isnull);
		}
		if (isnull)
			set_null(leaf, batch->arena, c, row, att);
		else
			set_value(batch->arena, c, row, each, d, att);
	}
	FreeExecutorState(estate);
}

Batch *
ingest_add_columns(Relation leaf, Batch *batch)
{
	TupleDesc desc = RelationGetDescr(leaf);
	const TableProfile *p = store_profile(leaf);
	uint32 ncolumns = profile_ncolumns(p, desc);
	RowSet *rows;
	Column *columns;

	if (ncolumns <= batch->level[LEVEL_SPAN].ncolumns)
		return batch;
	columns = profile_columns(p, desc);
	batch = arena_dup(batch->arena, batch, sizeof(Batch));
	rows = &batch->level[LEVEL_SPAN];
	memcpy(columns, rows->columns, rows->ncolumns * sizeof(Column));
	rows->columns = arena_dup(batch->arena, columns, ncolumns * sizeof(Column));
	for (int i = 0; i < p->natts; i++)
	{
		Column *c = &rows->columns[Max(p->column[i], 0)];

		if (p->role[i] != ROLE_EXTRA || p->column[i] < (int) rows->ncolumns)
			continue;
		allocate_values(batch->arena, c, rows->nrows);
		fill_with_default(leaf, batch, c, TupleDescAttr(desc, i));
	}
	rows->ncolumns = ncolumns;
	pfree(columns);
	return batch;
}
