/*
 * delete.c
 *	  Deleting rows, and the locks that keep deletes and merges apart.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/predicate.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "compat.h"
#include "store/deleted.h"
#include "store/metapage.h"

/* Fourth kind of advisory lock keys: core's functions use 1 and 2, merges the third. */
#define DELETE_LOCK_CLASS 0x7466

/* Units of a table share so many locks: a transaction that deletes all over takes no more. */
#define UNIT_LOCKS 64
#define ANY_UNIT   (UNIT_LOCKS + 1) /* taken with each of them */

/* ---- locks ---- */

/* lock 0 is the table's, the others are of units. */
static void
set_tag(LOCKTAG *tag, Oid relid, uint32 lock)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, relid, lock, DELETE_LOCK_CLASS);
}

static uint32
unit_lock(const StoreUnit *unit)
{
	return 1 + murmurhash32((uint32) (unit->first_row ^ unit->first_row >> 32)) % UNIT_LOCKS;
}

static bool
take(Oid relid, uint32 lock, LOCKMODE mode, bool wait)
{
	LOCKTAG tag;

	set_tag(&tag, relid, lock);
	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

static void
release(Oid relid, uint32 lock, LOCKMODE mode)
{
	LOCKTAG tag;

	set_tag(&tag, relid, lock);
	LockRelease(&tag, mode, false);
}

void
delete_lock_table(Oid relid)
{
	(void) take(relid, 0, ShareLock, true);
}

void
delete_unlock_table(Oid relid)
{
	release(relid, 0, ShareLock);
}

bool
delete_lock_out(Oid relid, bool wait)
{
	return take(relid, 0, ExclusiveLock, wait);
}

void
delete_unlock_out(Oid relid)
{
	release(relid, 0, ExclusiveLock);
}

/* Nobody can begin to delete while the merge has the table's lock, so what is free stays free. */
static bool
is_free(Oid relid, uint32 lock)
{
	if (!take(relid, lock, ExclusiveLock, false))
		return false;
	release(relid, lock, ExclusiveLock);
	return true;
}

uint64
delete_busy(Oid relid)
{
	uint64 busy = 0;

	if (is_free(relid, ANY_UNIT))
		return 0;
	for (uint32 lock = 1; lock <= UNIT_LOCKS; lock++)
		if (!is_free(relid, lock))
			busy |= UINT64CONST(1) << (lock - 1);
	return busy;
}

bool
delete_unit_busy(uint64 busy, const StoreUnit *unit)
{
	return (busy >> (unit_lock(unit) - 1) & 1) != 0;
}

/* ---- the unit ---- */

/* The unit this command deleted from last: rows come in runs. */
static struct
{
	Oid relid;
	RelFileLocator node;
	TransactionId xid; /* of the subtransaction, which the lock belongs to */
	StoreUnit unit;
} last;

static bool
in_last_unit(Relation rel, uint64 row)
{
	return last.relid == RelationGetRelid(rel) && RelFileLocatorEquals(last.node, rel->rd_locator) &&
		   TransactionIdEquals(last.xid, GetCurrentTransactionId()) && row >= last.unit.first_row &&
		   row - last.unit.first_row < last.unit.nrows;
}

static void
merged_away(Relation rel)
{
	ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					errmsg("could not serialize access due to concurrent merge"),
					errdetail("Rows of table \"%s\" were merged since the transaction took its snapshot.",
							  RelationGetRelationName(rel)),
					errhint("The transaction might succeed if retried.")));
}

/* Take the lock of the unit that holds row, and make sure that it is still there. */
static void
lock_unit(Relation rel, uint64 row)
{
	uint64 hint = 0;
	StoreUnit unit;
	Snapshot now;
	bool found;

	if (in_last_unit(rel, row))
		return;
	if (last.relid == RelationGetRelid(rel) && last.unit.kind == UNIT_RECENT && last.unit.first_row < row)
		hint = last.unit.id;
	delete_lock_table(RelationGetRelid(rel));
	now = RegisterSnapshot(GetLatestSnapshot());
	found = store_find_row(rel, now, row, hint, &unit);
	UnregisterSnapshot(now);
	if (!found)
		merged_away(rel);
	(void) take(RelationGetRelid(rel), ANY_UNIT, ShareLock, true);
	(void) take(RelationGetRelid(rel), unit_lock(&unit), ShareLock, true);
	delete_unlock_table(RelationGetRelid(rel));
	metapage_allow_deleted(rel);
	last.relid = RelationGetRelid(rel);
	last.node = rel->rd_locator;
	last.xid = GetCurrentTransactionId();
	last.unit = unit;
}

/* ---- rows ---- */

/*
 * What stands in the way of deleting the row; TM_Ok if nothing does. wait_for: a transaction whose end
 * decides.
 */
static TM_Result
look(Companion *c, uint64 row, TM_FailureData *tmfd, TransactionId *wait_for)
{
	TM_Result result = TM_Ok;
	SnapshotData dirty;
	CompanionScan scan;
	CompanionTuple t;

	InitDirtySnapshot(dirty);
	*wait_for = InvalidTransactionId;
	companion_scan_begin(&scan, c, &dirty, KIND_DELETED, row, row);
	if (companion_scan_next(&scan, &t))
	{
		HeapTupleHeader header = companion_scan_tuple(&scan, NULL)->t_data;

		tmfd->xmax = HeapTupleHeaderGetXmin(header);
		tmfd->cmax = InvalidCommandId;
		*wait_for = dirty.xmin;
		if (TransactionIdIsCurrentTransactionId(tmfd->xmax))
		{
			tmfd->cmax = HeapTupleHeaderGetCmin(header);
			result = TM_SelfModified;
		}
		else
			result = TransactionIdIsValid(*wait_for) ? TM_BeingModified : TM_Deleted;
	}
	companion_scan_end(&scan);
	return result;
}

static TM_Result
delete_locked(Relation rel, Companion *c, ItemPointer tid, uint64 row, CommandId cid, bool wait,
			  TM_FailureData *tmfd)
{
	for (;;)
	{
		TransactionId other;
		TM_Result result = look(c, row, tmfd, &other);

		if (result != TM_BeingModified)
		{
			if (result == TM_Ok)
				companion_insert(c, KIND_DELETED, row, NULL, 0, NULL, 0, cid, PLACE_ANY, 0);
			return result;
		}
		if (!wait)
			return result;
		XactLockTableWait(other, rel, tid, XLTW_Delete);
	}
}

TM_Result
delete_row(Relation rel, ItemPointer tid, CommandId cid, bool wait, TM_FailureData *tmfd)
{
	uint64 row = store_tid_to_row(tid);
	TM_Result result;
	Companion c;

	lock_unit(rel, row);
	/* Readers hold a predicate lock on the table. */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	companion_open(rel, RowExclusiveLock, &c);
	/* Of two that delete the row, one looks when the other's tuple is there. */
	LockTuple(rel, tid, ExclusiveLock);
	tmfd->ctid = *tid;
	tmfd->traversed = false;
	result = delete_locked(rel, &c, tid, row, cid, wait, tmfd);
	UnlockTuple(rel, tid, ExclusiveLock);
	companion_close(&c);
	if (result == TM_Ok)
		pgstat_count_heap_delete(rel);
	return result;
}
