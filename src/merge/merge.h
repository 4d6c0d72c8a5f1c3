/*
 * merge.h
 *	  Recent batches into segments, and small segments into larger ones.
 *
 * A merge is a transaction, or part of one: it writes the new segments to the main fork, inserts their
 * directory entries, and deletes the companion tuples of its inputs. Every snapshot sees one side. It works
 * in rounds of about tempo.segment_rows rows, so memory is bounded.
 *
 * One merge runs in a database at a time (merge_lock): that is what makes split marks complete, and what
 * lets one merge extend the main fork alone. Lock order: merge lock, RowExclusive on the table and its
 * companion, delete lock of the table, LockPage(table, 0) for an instant. Inserts and reads are not held up.
 */
#ifndef TEMPO_MERGE_H
#define TEMPO_MERGE_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "store/directory.h"
#include "store/store.h"

/* ---- settings (policy.c) ---- */
extern int merge_segment_rows;
extern int merge_delay; /* seconds */
extern void merge_define_settings(void);

/*
 * For the merge worker, in a transaction of its caller: find a table of this database that has something
 * to merge by the policy and merge one round of it. Returns rows taken; 0: nothing to do, or another merge is
 * running.
 */
extern uint64 merge_step(void);
/* Tables a merge or check of this relation means: itself, or its leaves that use access method tempo. */
extern List *merge_tables(Oid relid, LOCKMODE lock);

/* ---- rounds (merge.c) ---- */

/* Which units of a table go into the next round. */
typedef struct MergeInputs
{
	StoreUnit *units;
	int n;
	uint64 below;    /* as of the snapshot */
	StoreUnit *kept; /* segments that stay, for split marks */
	int nkept;
} MergeInputs;

/* Take the lock for the rest of the transaction; false when wait is false and somebody has it. */
extern bool merge_lock(bool wait);
/* Take it across transactions, until it is let go; an error does not let it go. */
extern void merge_lock_session(void);
extern void merge_unlock_session(void);
/*
 * One round; 0 when by the policy (all = false), or at all (all = true), there is nothing to merge. A DELETE
 * that is running in the table is waited for if all, else it means that there is nothing to do.
 */
extern uint64 merge_round(Relation rel, bool all);

/* ---- choosing (policy.c) ---- */

/* false: nothing to merge. Lists are palloc'd. busy: delete_busy() before the snapshot; those are left out.
 */
extern bool merge_choose(Companion *c, Snapshot snapshot, uint64 busy, bool all, MergeInputs *in);

/* ---- reading inputs (inputs.c) ---- */

typedef struct MergeBatches
{
	Batch **batches;
	uint8 **deleted; /* of each batch: one byte a row, 1: deleted; NULL: none is */
	uint32 n;
	uint64 rows; /* of all batches, deleted ones too */
	uint64 ndeleted;
	ItemPointerData *tids; /* companion tuples to delete */
	uint64 ntids;
} MergeBatches;

extern void merge_read_inputs(Relation rel, Companion *c, Snapshot snapshot, const MergeInputs *in,
							  Arena *arena, MergeBatches *out);

/* ---- new files (rewrite.c) ---- */

typedef struct RewriteCounts
{
	uint64 rows;   /* left in the table */
	uint64 erased; /* deleted ones that are not in the new files */
	uint64 left; /* deleted ones that are, because a snapshot may still see them (and others of their unit) */
} RewriteCounts;

/*
 * Put what anybody may still see of a table into the files of another one, which is new. Both are locked
 * exclusively. oldest, freeze, multi: as for VACUUM FULL of a heap; the last two may be moved ahead.
 */
extern RewriteCounts merge_rewrite(Relation old, Relation new, TransactionId oldest, TransactionId *freeze,
								   MultiXactId *multi);

/* ---- split traces (split.c) ---- */

/*
 * Set TC_SPLIT for the traces of a sorted batch that also occur in other segments of the table or of its
 * siblings under the same partitioned table. Returns whether there is one. again: a byte a row, set to 1 for
 * spans that a segment of the table has, too (and has not deleted).
 */
extern bool merge_mark_split(Relation rel, Snapshot snapshot, uint64 tenant, const StoreUnit *kept, int nkept,
							 Batch *batch, uint8 *again);
/* Set TC_SPLIT of traces that have it in one of the others. Returns whether there is one. */
extern bool merge_copy_marks(Batch **from, uint32 nfrom, Batch *to);

/*
 * A table with segments became a partition: its traces may also be in its new siblings, and neither side
 * has marks for that. Until its segments are merged again, which is due at once, all of its traces count
 * as split. Its leaves, if it is partitioned.
 */
extern void merge_forget_marks(Oid relid);
/*
 * But not those of this table, if it is attached in this transaction: it has the segments of partitions that
 * it takes the place of, and they had all their marks.
 */
extern void merge_keep_marks(Oid relid);

#endif
