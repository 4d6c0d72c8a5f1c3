/*
 * inputs.c
 *	  The inputs of a merge round as batches that all have the columns the table has now.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "merge/merge.h"
#include "store/deleted.h"
#include "store/profile.h"

typedef struct InputReader
{
	Relation rel;
	Companion *companion;
	Snapshot snapshot;
	Arena *arena;
	const TableProfile *profile;
	Column *kinds;
	uint32 ncolumns;
	MergeBatches *out;
	uint64 batches_cap;
	uint64 tids_cap;
} InputReader;

static void
set_all_null(Arena *arena, Column *c, const Column *kind, uint32 nrows)
{
	memset(c, 0, sizeof(*c));
	column_allocate(arena, c, kind->kind, kind->width, nrows);
	c->nulls = arena_alloc(arena, Max(nrows, 1));
	memset(c->nulls, 1, nrows);
	c->loaded = true;
}

/* The column of an attribute added after the batch was written: the missing value in every row. */
static void
set_missing(InputReader *r, Column *c, int attno, uint32 nrows)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(r->rel), attno - 1);
	const Column *kind = &r->kinds[r->profile->column[attno - 1]];
	bool isnull;
	Datum d = getmissingattr(RelationGetDescr(r->rel), attno, &isnull);

	if (isnull)
	{
		set_all_null(r->arena, c, kind, nrows);
		return;
	}
	memset(c, 0, sizeof(*c));
	column_allocate(r->arena, c, kind->kind, kind->width, nrows);
	c->loaded = true;
	if (c->kind == COL_BYTES && nrows > 0)
	{
		c->dict[0] = profile_datum_bytes(d, att);
		c->ndict = 1;
		memset(c->codes, 0, nrows * sizeof(uint32));
	}
	for (uint32 i = 0; i < nrows; i++)
	{
		if (c->kind == COL_I64)
			c->i64[i] = profile_datum_i64(d, att);
		else if (c->kind == COL_FIXED)
			memcpy(c->fixed + (Size) i * c->width, DatumGetPointer(d), c->width);
	}
}

static void
check_kind(InputReader *r, const Column *have, uint32 col)
{
	const Column *want = &r->kinds[col];

	if (have->kind != want->kind || (want->kind == COL_FIXED && have->width != want->width))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("column %u of a batch of table \"%s\" is not of the kind the table has", col,
							   RelationGetRelationName(r->rel))));
}

/* Columns of the user's own: those missing are added, those dropped since are emptied. */
static void
conform(InputReader *r, Batch *b)
{
	RowSet *rows = &b->level[LEVEL_SPAN];
	TupleDesc desc = RelationGetDescr(r->rel);
	uint32 had = rows->ncolumns;

	if (had > r->ncolumns || b->spans != r->profile->spans)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("a batch of table \"%s\" has columns the table never had",
							   RelationGetRelationName(r->rel))));
	if (had < r->ncolumns)
	{
		Column *columns = arena_alloc0(r->arena, r->ncolumns * sizeof(Column));

		memcpy(columns, rows->columns, had * sizeof(Column));
		rows->columns = columns;
		rows->ncolumns = r->ncolumns;
	}
	for (int i = 0; i < desc->natts; i++)
	{
		uint32 col = (uint32) r->profile->column[i];

		if (r->profile->spans && r->profile->role[i] != ROLE_EXTRA)
			continue;
		if (TupleDescAttr(desc, i)->attisdropped)
			set_all_null(r->arena, &rows->columns[col], &r->kinds[col], rows->nrows);
		else if (col >= had)
			set_missing(r, &rows->columns[col], i + 1, rows->nrows);
		else
			check_kind(r, &rows->columns[col], col);
	}
}

/* Room for one more batch. */
static void
grow_batches(InputReader *r)
{
	MergeBatches *out = r->out;
	uint64 cap = Max(64, r->batches_cap * 2);

	out->batches =
		arena_grow(r->arena, out->batches, r->batches_cap * sizeof(Batch *), cap * sizeof(Batch *));
	out->deleted =
		arena_grow(r->arena, out->deleted, r->batches_cap * sizeof(uint8 *), cap * sizeof(uint8 *));
	r->batches_cap = cap;
}

static void
add_batch(InputReader *r, Batch *b, uint8 *deleted)
{
	MergeBatches *out = r->out;

	if (out->n == r->batches_cap)
		grow_batches(r);
	conform(r, b);
	out->deleted[out->n] = deleted;
	out->batches[out->n++] = b;
	out->rows += batch_nrows(b);
}

static ItemPointer
reserve_tids(InputReader *r, uint64 n)
{
	MergeBatches *out = r->out;

	if (out->ntids + n > r->tids_cap)
	{
		uint64 cap = Max(out->ntids + n, r->tids_cap * 2);

		out->tids = arena_grow(r->arena, out->tids, r->tids_cap * sizeof(ItemPointerData),
							   cap * sizeof(ItemPointerData));
		r->tids_cap = cap;
	}
	return out->tids + out->ntids;
}

/* One byte a row of the unit; their tuples go with the unit's. NULL: no row is deleted. */
static uint8 *
read_deleted(InputReader *r, const StoreUnit *unit)
{
	ItemPointerData *tids;
	uint8 *deleted;
	uint32 *rows;
	uint32 n;

	if (!unit->has_deleted)
		return NULL;
	n = deleted_read(r->companion, r->snapshot, unit, &rows, &tids);
	memcpy(reserve_tids(r, n), tids, n * sizeof(ItemPointerData));
	r->out->ntids += n;
	r->out->ndeleted += n;
	deleted = arena_alloc0(r->arena, unit->nrows);
	for (uint32 i = 0; i < n; i++)
		deleted[rows[i]] = 1;
	pfree(rows);
	pfree(tids);
	return deleted;
}

static void
read_unit(InputReader *r, const StoreUnit *unit)
{
	uint8 *deleted = read_deleted(r, unit);
	const uint8 *bytes = NULL;
	Image *image;

	if (unit->kind == UNIT_RECENT)
	{
		bytes = recent_image(r->companion, r->snapshot, unit, r->arena, reserve_tids(r, unit->nchunks));
		r->out->ntids += unit->nchunks;
	}
	else
	{
		*reserve_tids(r, 1) = unit->entry_tid;
		r->out->ntids++;
	}
	image = store_open_bytes(r->rel, unit, bytes, r->arena);
	for (uint32 v = 0; v < image_summary(image)->nvectors; v++)
		add_batch(r, image_vector(image, v, r->arena),
				  deleted ? deleted + image_vector_info(image, v)->first_row : NULL);
}

void
merge_read_inputs(Relation rel, Companion *c, Snapshot snapshot, const MergeInputs *in, Arena *arena,
				  MergeBatches *out)
{
	InputReader r = {rel, c, snapshot, arena, store_profile(rel)};

	memset(out, 0, sizeof(*out));
	r.out = out;
	r.kinds = profile_columns(r.profile, RelationGetDescr(rel));
	r.ncolumns = profile_ncolumns(r.profile, RelationGetDescr(rel));
	for (int i = 0; i < in->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_unit(&r, &in->units[i]);
	}
}
