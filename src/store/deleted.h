/*
 * deleted.h
 *	  Deleted rows. A deleted row has a companion tuple of kind KIND_DELETED under its row number, without
 *	  data: heap MVCC on that tuple decides who still sees the row. Merges drop the row and the tuple.
 *
 * Locks keep deletes and merges apart, because a merge numbers rows anew (doc/concurrency.md):
 * - the delete lock of a table: Share by a DELETE from before its snapshot to the end of the statement, and
 *   while a unit lock is taken; Exclusive by a merge of the table, to the end of its transaction
 * - unit locks, some units share one, and one for all: Share by a transaction that deleted rows of the unit,
 *to its end. A merge, having the delete lock, leaves out units whose lock somebody held before its snapshot.
 * They come after the lock of the table and its companion, before LockPage.
 */
#ifndef TEMPO_DELETED_H
#define TEMPO_DELETED_H

#include "postgres.h"
#include "access/tableam.h"
#include "store/companion.h"
#include "store/directory.h"

/* ---- reading (deleted.c) ---- */

/* Set has_deleted of the units that have rows whose deletion snapshot sees; reads a tuple or two of each. */
extern void deleted_mark(Companion *c, Snapshot snapshot, StoreUnit *units, int n);
/*
 * Rows of a unit whose deletion snapshot sees, ascending, counted from its first; palloc'd. tids, their
 * tuples, may be NULL. Returns how many.
 */
extern uint32 deleted_read(Companion *c, Snapshot snapshot, const StoreUnit *unit, uint32 **rows,
						   ItemPointerData **tids);

/* How many those are, but no more than max. */
extern uint32 deleted_count(Companion *c, Snapshot snapshot, const StoreUnit *unit, uint32 max);

/* ---- deleting (delete.c) ---- */

extern void delete_lock_table(Oid relid);
extern void delete_unlock_table(Oid relid);
/* For merges: false when wait is false and somebody deletes. */
extern bool delete_lock_out(Oid relid, bool wait);
extern void delete_unlock_out(Oid relid);
/*
 * With delete_lock_out(): unit locks that somebody holds, a bit each. Of units with other locks, a snapshot
 * taken now sees all deletions.
 */
extern uint64 delete_busy(Oid relid);
extern bool delete_unit_busy(uint64 busy, const StoreUnit *unit);
/*
 * Delete a row for this command. TM_Ok; TM_SelfModified, TM_Deleted, TM_BeingModified (without wait) with
 * tmfd. Raises 40001 when a merge has taken the row away since the snapshot.
 */
extern TM_Result delete_row(Relation rel, ItemPointer tid, CommandId cid, bool wait, TM_FailureData *tmfd);

#endif
