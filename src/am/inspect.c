/*
 * inspect.c
 *	  What is stored, as SQL sees it: units of a table, and bytes by column.
 */
#include "postgres.h"

#include "access/table.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "am/am.h"
#include "merge/merge.h"
#include "store/segment.h"
#include "types/types.h"

static List *
readable_tables(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	return merge_tables(relid, AccessShareLock);
}

/* ---- units ---- */

#define UNIT_COLUMNS 19

static Datum
time_datum(uint64 ns)
{
	int16 below;

	return TimestampTzGetDatum(types_unix_ns_time(ns, &below));
}

static uint32
count_deleted(Relation rel, const StoreUnit *u)
{
	uint32 *rows;
	uint32 n;

	if (!u->has_deleted)
		return 0;
	n = store_deleted_rows(rel, GetActiveSnapshot(), u, &rows);
	pfree(rows);
	return n;
}

static void
put_unit(ReturnSetInfo *result, Oid relid, const StoreUnit *u, uint32 deleted)
{
	bool segment = u->kind == UNIT_SEGMENT;
	Datum v[UNIT_COLUMNS] = {
		ObjectIdGetDatum(relid),
		CStringGetTextDatum(segment ? "segment" : "recent batch"),
		Int64GetDatum((int64) u->id),
		Int32GetDatum((int32) u->level),
		Int64GetDatum(u->nrows),
		Int64GetDatum(u->summary.ntraces),
		Int64GetDatum(u->summary.nvectors),
		Int64GetDatum((int64) u->bytes),
		Int64GetDatum(u->block),
		Int64GetDatum(segment ? segment_nblocks(u->bytes) : u->nchunks),
		time_datum(u->summary.start_min),
		time_datum(u->summary.start_max),
		time_datum(u->summary.end_max),
		PointerGetDatum(u->summary.trace_min),
		PointerGetDatum(u->summary.trace_max),
		BoolGetDatum(u->has_split),
		TimestampTzGetDatum(u->made_at),
		Int64GetDatum(deleted),
		Int64GetDatum(u->folded),
	};
	bool isnull[UNIT_COLUMNS] = {false};

	isnull[3] = isnull[5] = isnull[8] = isnull[15] = isnull[18] = !segment;
	for (int i = 10; i <= 14; i++)
		isnull[i] = !u->has_range;
	tuplestore_putvalues(result->setResult, result->setDesc, v, isnull);
}

PG_FUNCTION_INFO_V1(tempo_units);

Datum
tempo_units(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach (lc, readable_tables(PG_GETARG_OID(0)))
	{
		Relation rel = table_open(lfirst_oid(lc), NoLock);
		int n;
		StoreUnit *units = store_units(rel, GetActiveSnapshot(), &n);

		for (int i = 0; i < n; i++)
			put_unit(result, RelationGetRelid(rel), &units[i], count_deleted(rel, &units[i]));
		table_close(rel, NoLock);
	}
	return (Datum) 0;
}

/* ---- bytes by column ---- */

#define LEAF_COLUMNS 6

static void
put_leaves(ReturnSetInfo *result, Oid relid, Image *image)
{
	static const char *levels[NLEVELS] = {"span", "event", "link", "trace"};

	for (uint32 i = 0; i < image_nleaves(image); i++)
	{
		LeafInfo info;
		Datum v[LEAF_COLUMNS];
		bool isnull[LEAF_COLUMNS] = {false};

		image_leaf_info(image, i, &info);
		v[0] = ObjectIdGetDatum(relid);
		v[1] = CStringGetTextDatum(levels[info.level]);
		v[2] = CStringGetTextDatum(info.name);
		v[3] = CStringGetTextDatum(info.encoding);
		v[4] = Int64GetDatum((int64) info.values);
		v[5] = Int64GetDatum((int64) info.bytes);
		tuplestore_putvalues(result->setResult, result->setDesc, v, isnull);
	}
}

PG_FUNCTION_INFO_V1(tempo_leaves);

Datum
tempo_leaves(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach (lc, readable_tables(PG_GETARG_OID(0)))
	{
		Relation rel = table_open(lfirst_oid(lc), NoLock);
		MemoryContext context =
			AllocSetContextCreate(CurrentMemoryContext, "tempo leaves", ALLOCSET_DEFAULT_SIZES);
		Cursor *cur = cursor_create(rel, GetActiveSnapshot(), context);

		for (int u = 0; u < cur->nunits; u++)
			put_leaves(result, RelationGetRelid(rel), cursor_open_unit(cur, u));
		MemoryContextDelete(context);
		table_close(rel, NoLock);
	}
	return (Datum) 0;
}
