/*
 * ddl.c
 *	  Files and facts about them: create, truncate, copy, vacuum, size.
 *
 * Core does the companion heap: it is the table's TOAST relation, so it is made, truncated, moved,
 * vacuumed and dropped with the table.
 */
#include "postgres.h"

#include "access/multixact.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/heap.h"
#include "catalog/pg_am.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "commands/vacuum.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "storage/smgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "store/metapage.h"
#include "store/profile.h"

/* Spans are UTF-8 on the wire, and are stored as they came. */
static void
require_utf8(void)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tempo needs a database with encoding UTF8, not %s", GetDatabaseEncodingName()),
				 errhint("CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.")));
}

void
am_relation_set_new_filelocator(Relation rel, const RelFileLocator *newrnode, char persistence,
								TransactionId *freeze_xid, MultiXactId *minmulti)
{
	SMgrRelation smgr;

	require_utf8();
	/* No transaction ids in the main fork; the companion heap has its own horizon. */
	*freeze_xid = InvalidTransactionId;
	*minmulti = InvalidMultiXactId;
	smgr = RelationCreateStorage(*newrnode, persistence, true);
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		smgrcreate(smgr, INIT_FORKNUM, false);
		log_smgrcreate(newrnode, INIT_FORKNUM);
	}
	metapage_create(smgr, persistence, profile_detect(RelationGetDescr(rel)));
	smgrclose(smgr);
}

/*
 * The metapage stays: numbers are not used again even for an emptied file. Core empties the companion heap
 * after building the indexes anew, which must not find rows there.
 */
void
am_relation_nontransactional_truncate(Relation rel)
{
	Relation companion = table_open(rel->rd_rel->reltoastrelid, AccessExclusiveLock);

	heap_truncate_one_rel(companion);
	table_close(companion, NoLock);
	RelationTruncate(rel, 1);
}

void
am_relation_copy_data(Relation rel, const RelFileLocator *newrnode)
{
	char persistence = rel->rd_rel->relpersistence;
	SMgrRelation dst;

	/* The copy goes around the buffer pool. */
	FlushRelationBuffers(rel);
	dst = RelationCreateStorage(*newrnode, persistence, true);
	RelationCopyStorage(RelationGetSmgr(rel), dst, MAIN_FORKNUM, persistence);
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		smgrcreate(dst, INIT_FORKNUM, false);
		log_smgrcreate(newrnode, INIT_FORKNUM);
		RelationCopyStorage(RelationGetSmgr(rel), dst, INIT_FORKNUM, persistence);
	}
	RelationDropStorage(rel);
	smgrclose(dst);
}

/*
 * Indexes and statistics. Nothing may be written transactionally here: other backends ignore the transaction
 * id of a running VACUUM. Merging is the merge worker's, dead batch tuples are vacuumed with the TOAST
 * relation.
 */
void
am_relation_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
	StoreEstimate e = store_estimate(rel, GetActiveSnapshot());
	TransactionId frozen = InvalidTransactionId;
	MultiXactId multi = InvalidMultiXactId;

	/* VACUUM FULL gives it the horizon of its companion; there is nothing in it that could be older. */
	if (TransactionIdIsValid(rel->rd_rel->relfrozenxid))
	{
		frozen = GetOldestNonRemovableTransactionId(rel);
		multi = GetOldestMultiXactId();
	}
	am_vacuum_indexes(rel, params, e.rows, strategy);
	vac_update_relstats(rel, RelationGetNumberOfBlocks(rel), e.rows, 0, rel->rd_rel->relhasindex, frozen,
						multi, NULL, NULL, false);
	pgstat_report_vacuum(RelationGetRelid(rel), rel->rd_rel->relisshared, (PgStat_Counter) e.rows, 0);
}

bool
am_relation_needs_toast_table(Relation rel)
{
	return true;
}

Oid
am_relation_toast_am(Relation rel)
{
	return HEAP_TABLE_AM_OID;
}

/* Pages are what a sequential scan would read: segments, and the companion heap for recent batches. */
void
am_relation_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
						  double *allvisfrac)
{
	StoreEstimate e = {0};

	*pages = RelationGetNumberOfBlocks(rel);
	*allvisfrac = 0;
	if (ActiveSnapshotSet() && OidIsValid(rel->rd_rel->reltoastrelid))
	{
		e = store_estimate(rel, GetActiveSnapshot());
		*pages += (BlockNumber) ((e.rows - e.segment_rows) / 64);
		*tuples = e.rows;
	}
	else
		*tuples = Max(rel->rd_rel->reltuples, 0);
}
