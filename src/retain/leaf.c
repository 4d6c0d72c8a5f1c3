/*
 * leaf.c
 *	  The leaves of tempo.spans: bounds, state, size.
 */
#include "retain/retain.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* On a leaf that is being dropped: whoever finds it detached, after a crash say, may finish that. */
#define MARK "tempo: to be dropped"

static bool
is_marked(Oid relid)
{
	char *comment = GetComment(relid, RelationRelationId, 0);

	return comment && strcmp(comment, MARK) == 0;
}

bool
retain_is_leftover(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) && !get_rel_relispartition(relid) &&
		   is_marked(relid);
}

/* The bound below range i, or above range i - 1. */
static TimestampTz
bound(PartitionBoundInfo info, int i)
{
	if (i < 0 || info->kind[i][0] == PARTITION_RANGE_DATUM_MINVALUE)
		return DT_NOBEGIN;
	if (i >= info->ndatums || info->kind[i][0] == PARTITION_RANGE_DATUM_MAXVALUE)
		return DT_NOEND;
	return DatumGetTimestampTz(info->datums[i][0]);
}

Leaf *
retain_leaves(Relation parent, int *n)
{
	PartitionDesc desc = RelationGetPartitionDesc(parent, false);
	Leaf *leaves = palloc((desc->nparts + 1) * sizeof(Leaf));

	*n = 0;
	for (int i = 0; desc->nparts > 0 && i <= desc->boundinfo->ndatums; i++)
	{
		int index = desc->boundinfo->indexes[i];
		Leaf *leaf = &leaves[*n];

		CHECK_FOR_INTERRUPTS();
		if (index < 0)
			continue;
		leaf->oid = desc->oids[index];
		leaf->from = bound(desc->boundinfo, i - 1);
		leaf->to = bound(desc->boundinfo, i);
		leaf->pending = PartitionHasPendingDetach(leaf->oid);
		leaf->marked = is_marked(leaf->oid);
		++*n;
	}
	return leaves;
}

List *
retain_leftovers(Relation parent)
{
	return retain_marked(parent, MARK);
}

List *
retain_marked(Relation parent, const char *mark)
{
	MemoryContext caller = CurrentMemoryContext;
	List *found = NIL;
	char *query = psprintf(
		"SELECT c.oid FROM pg_catalog.pg_class c "
		"JOIN pg_catalog.pg_description d ON d.objoid OPERATOR(pg_catalog.=) c.oid "
		"AND d.classoid OPERATOR(pg_catalog.=) %u AND d.objsubid OPERATOR(pg_catalog.=) 0 "
		"JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.relam "
		"WHERE d.description OPERATOR(pg_catalog.=) %s AND NOT c.relispartition "
		"AND a.amname OPERATOR(pg_catalog.=) 'tempo' "
		"AND c.relowner OPERATOR(pg_catalog.=) %u AND c.relnamespace OPERATOR(pg_catalog.=) %u",
		RelationRelationId, quote_literal_cstr(mark), parent->rd_rel->relowner, RelationGetNamespace(parent));

	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for partitions that were being dropped");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;
		Oid oid = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		MemoryContext old = MemoryContextSwitchTo(caller);

		found = lappend_oid(found, oid);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return found;
}

void
retain_mark(Oid leaf, bool mark)
{
	/* As COMMENT does. */
	LockRelationOid(leaf, ShareUpdateExclusiveLock);
	CreateComments(leaf, RelationRelationId, 0, mark ? MARK : NULL);
}

int64
retain_bytes(Oid relid)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum size;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0] = (NullableDatum){ObjectIdGetDatum(relid), false};
	size = pg_total_relation_size(fcinfo);
	return fcinfo->isnull ? 0 : DatumGetInt64(size);
}

bool
retain_is_held(Oid parent)
{
	char *query =
		psprintf("SELECT FROM pg_catalog.pg_locks l "
				 "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid "
				 "WHERE l.locktype OPERATOR(pg_catalog.=) 'relation' AND l.granted "
				 "AND l.database OPERATOR(pg_catalog.=) %u AND l.relation OPERATOR(pg_catalog.=) %u "
				 "AND (l.pid IS NULL OR (l.pid OPERATOR(pg_catalog.<>) %d AND "
				 "pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.xact_start "
				 "OPERATOR(pg_catalog.>) %d * '1 ms'::pg_catalog.interval))",
				 MyDatabaseId, parent, MyProcPid, retain_lock_timeout);
	bool held;

	SPI_connect();
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look at the locks");
	held = SPI_processed > 0;
	SPI_finish();
	return held;
}
