/*
 * rewrite.c
 *	  VACUUM FULL, and tempo_rewrite(): the table in new files, the old ones gone with the commit.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "commands/cluster.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "am/am.h"
#include "merge/merge.h"

/* Rows deleted but not erased by the last rewrite of this backend. */
static uint64 rows_not_erased;

void
am_relation_copy_for_cluster(Relation old, Relation new, Relation index, bool use_sort,
							 TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
							 double *ntuples, double *vacuumed, double *recently_dead)
{
	RewriteCounts counts;

	if (index)
		am_refuse(old, "CLUSTER");
	counts = merge_rewrite(old, new, oldest_xmin, xid_cutoff, multi_cutoff);
	*ntuples = (double) counts.rows;
	*vacuumed = (double) counts.erased;
	*recently_dead = (double) counts.left;
	rows_not_erased = counts.left;
}

static int64
total_size(Oid relid)
{
	return DatumGetInt64(DirectFunctionCall1(pg_total_relation_size, ObjectIdGetDatum(relid)));
}

/* One table, not all partitions: each is locked against readers. */
static void
check_rewritable(Oid relid)
{
	if (!pg_class_ownercheck(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is a partitioned table", get_rel_name(relid)),
						errhint("Rewrite its partitions one by one.")));
	if (!am_is_tempo_oid(relid))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table of access method tempo", get_rel_name(relid))));
}

PG_FUNCTION_INFO_V1(tempo_rewrite);

Datum
tempo_rewrite(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	ClusterParams params = {0};
	int64 before;

	PreventCommandIfReadOnly("tempo_rewrite()");
	PreventCommandDuringRecovery("tempo_rewrite()");
	LockRelationOid(relid, AccessExclusiveLock);
	check_rewritable(relid);
	before = total_size(relid);
	rows_not_erased = 0;
	cluster_rel(relid, InvalidOid, &params);
	if (rows_not_erased > 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("table \"%s\" cannot be rewritten without its deleted rows", get_rel_name(relid)),
			 errdetail(
				 "Transactions that are older than the deletion may still see some of them: " UINT64_FORMAT
				 ".",
				 rows_not_erased),
			 errhint("Call tempo_rewrite() again when those have ended, in a transaction of its own.")));
	PG_RETURN_INT64(before - total_size(relid));
}
