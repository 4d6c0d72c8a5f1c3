/*
 * settle.c
 *	  Whether a copy may take the place of what it was made of.
 */
#include "retain/replace.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

/* VACUUM (FREEZE) of a companion heap, within this transaction. */
static void
freeze(Relation heap)
{
	VacuumParams params = {0};

	params.index_cleanup = VACOPTVALUE_ENABLED;
	params.truncate = VACOPTVALUE_DISABLED;
	params.log_min_duration = -1;
	params.nworkers = -1;
	table_relation_vacuum(heap, &params, GetAccessStrategy(BAS_VACUUM));
}

static bool
is_frozen(Relation heap)
{
	TableScanDesc scan = table_beginscan(heap, SnapshotAny, 0, NULL);
	bool frozen = true;
	HeapTuple tuple;

	while (frozen && (tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		frozen = HeapTupleHeaderXminFrozen(tuple->t_data) && (tuple->t_data->t_infomask & HEAP_XMAX_INVALID);
	}
	table_endscan(scan);
	return frozen;
}

bool
replace_settled(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	Relation heap = table_open(rel->rd_rel->reltoastrelid, ShareUpdateExclusiveLock);
	bool settled;

	freeze(heap);
	settled = is_frozen(heap);
	table_close(heap, NoLock);
	table_close(rel, NoLock);
	return settled;
}

/* ---- columns ---- */

static bool
same_column(Relation a, Relation b, int i)
{
	Form_pg_attribute x = TupleDescAttr(RelationGetDescr(a), i);
	Form_pg_attribute y = TupleDescAttr(RelationGetDescr(b), i);
	const TableProfile *p = store_profile(a);
	const TableProfile *q = store_profile(b);

	/* A value that older rows are given lies in the catalog, with the table. */
	return !x->attisdropped && !y->attisdropped && !x->atthasmissing && x->atttypid == y->atttypid &&
		   strcmp(NameStr(x->attname), NameStr(y->attname)) == 0 && p->role[i] == q->role[i] &&
		   p->column[i] == q->column[i];
}

static bool
same_columns(Relation a, Relation b)
{
	if (RelationGetDescr(a)->natts != RelationGetDescr(b)->natts ||
		store_profile(a)->spans != store_profile(b)->spans)
		return false;
	for (int i = 0; i < RelationGetDescr(a)->natts; i++)
		if (!same_column(a, b, i))
			return false;
	return true;
}

/* Those of the parent are made anew. */
static bool
has_own_index(Relation leaf)
{
	ListCell *lc;

	foreach (lc, RelationGetIndexList(leaf))
		if (!get_rel_relispartition(lfirst_oid(lc)))
			return true;
	return false;
}

void
replace_check_columns(Oid leaf, Oid target)
{
	Relation a = table_open(leaf, AccessShareLock);
	Relation b = table_open(target, AccessShareLock);

	if (!same_columns(a, b))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot copy the segments of partition \"%s\"", RelationGetRelationName(a)),
						errdetail("Columns of tempo.spans were added or dropped after it was made.")));
	if (has_own_index(a))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot copy the segments of partition \"%s\"", RelationGetRelationName(a)),
						errdetail("It has an index that is not one of tempo.spans.")));
	if (a->rd_rel->relpersistence != b->rd_rel->relpersistence)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot copy the segments of partition \"%s\"", RelationGetRelationName(a)),
						errdetail("It is not a permanent table.")));
	table_close(b, NoLock);
	table_close(a, NoLock);
}
