/*
 * am.h
 *	  The table access method "tempo": its callbacks, one file a concern, and the hooks that refuse what
 *	  it cannot do at the start of a statement. Callbacks are thin; rows are converted in row_*.c and
 *	  stored by store/.
 */
#ifndef TEMPO_AM_H
#define TEMPO_AM_H

#include "postgres.h"
#include "access/tableam.h"
#include "executor/execdesc.h"
#include "compat.h"
#include "store/cursor.h"
#include "am/row.h"

/* Called once from _PG_init. */
extern void am_init(void);
/* Is this relation stored by us? */
extern bool am_is_tempo(Relation rel);
/* Same, without opening it; false for what has no storage. */
extern bool am_is_tempo_oid(Oid relid);
/* The access method, or InvalidOid before the extension is created. */
extern Oid am_oid(void);

/* ---- slot.c: slots that keep the TID and take values as they are asked for ---- */
extern const TupleTableSlotOps *am_slot_callbacks(Relation rel);
/*
 * Store a row of the vector a reader is attached to; number makes its TID. The slot has to be cleared,
 * stored or materialized before the reader goes elsewhere.
 */
extern void am_slot_store(TupleTableSlot *slot, RowReader *reader, uint32 row, uint64 number, Oid relid);
/* Bytes of the values, those elsewhere and compressed ones as they will be when they are read. */
extern Size am_slot_bytes(TupleTableSlot *slot);
/* Leave attributes null that nobody will look at; per attribute number - 1, as long as the slot lives. */
extern void am_slot_need(TupleTableSlot *slot, const bool *needed);

/* ---- scan.c ---- */
extern TableScanDesc am_scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key,
								   ParallelTableScanDesc pscan, uint32 flags);
extern void am_scan_end(TableScanDesc scan);
extern void am_scan_rescan(TableScanDesc scan, struct ScanKeyData *key, bool set_params, bool allow_strat,
						   bool allow_sync, bool allow_pagemode);
extern bool am_scan_getnextslot(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
extern Size am_parallelscan_estimate(Relation rel);
extern Size am_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan);
extern void am_parallelscan_reinitialize(Relation rel, ParallelTableScanDesc pscan);
/* ---- sample.c ---- */
/* Called with each block that ANALYZE in this process looks at; may raise. NULL: nothing is called. */
extern void (*am_analyze_hook)(void);
extern bool am_analyze_next_block(TableScanDesc scan, COMPAT_ANALYZE_BLOCK_PARAMS);
extern bool am_analyze_next_tuple(TableScanDesc scan, TransactionId oldest_xmin, double *live, double *dead,
								  TupleTableSlot *slot);
extern bool am_sample_next_block(TableScanDesc scan, struct SampleScanState *state);
extern bool am_sample_next_tuple(TableScanDesc scan, struct SampleScanState *state, TupleTableSlot *slot);

struct PlanState;

/* Of a bitmap scan: the block at hand and how far it has been read. */
typedef struct BitmapRows
{
	struct RowFinder *finder;
	uint64 first_row; /* of the block */
	int next;
	int n;
} BitmapRows;
extern BitmapRows *am_scan_bitmap(TableScanDesc scan);
/* Give deleted rows too, before the first row; and is the one just given deleted? */
extern void am_scan_with_deleted(TableScanDesc scan);
extern bool am_scan_at_deleted(TableScanDesc scan);
/* After the last row: true in exactly one of the processes of a parallel scan. */
extern bool am_scan_ended_last(TableScanDesc scan);

/* ---- fetch.c: one row by its TID ---- */
extern bool am_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot,
									   TupleTableSlot *slot);
extern bool am_tuple_tid_valid(TableScanDesc scan, ItemPointer tid);
extern void am_tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid);
extern bool am_tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot);

/* ---- insert.c ---- */
extern void am_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
							struct BulkInsertStateData *bistate);
extern void am_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
							struct BulkInsertStateData *bistate);

extern void am_finish_bulk_insert(Relation rel, int options);

/* ---- delete.c ---- */
extern TM_Result am_tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot,
								 Snapshot crosscheck, bool wait, TM_FailureData *tmfd, bool changing_part);
/* Around a statement: take and let go the delete locks of the tables it deletes from. */
extern void am_delete_start(QueryDesc *query);
extern void am_delete_end(QueryDesc *query);

/* ---- index_fetch.c: rows that indexes point to ---- */
extern IndexFetchTableData *am_index_fetch_begin(Relation rel);
extern void am_index_fetch_reset(IndexFetchTableData *data);
extern void am_index_fetch_end(IndexFetchTableData *data);
extern bool am_index_fetch_tuple(IndexFetchTableData *data, ItemPointer tid, Snapshot snapshot,
								 TupleTableSlot *slot, bool *call_again, bool *all_dead);
extern TransactionId am_index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate);
extern bool am_bitmap_next_block(TableScanDesc scan, struct TBMIterateResult *tbmres);
extern bool am_bitmap_next_tuple(TableScanDesc scan, struct TBMIterateResult *tbmres, TupleTableSlot *slot);

/* ---- plan_state.c ---- */
/* Prepare core's scans of our tables in a plan about to run. */
extern void am_prepare_plan(struct PlanState *state);

/* ---- index_build.c ---- */
extern double am_index_build_range_scan(Relation rel, Relation index, struct IndexInfo *info, bool allow_sync,
										bool anyvisible, bool progress, BlockNumber start,
										BlockNumber nblocks, IndexBuildCallback callback, void *state,
										TableScanDesc scan);
extern void am_index_validate_scan(Relation rel, Relation index, struct IndexInfo *info, Snapshot snapshot,
								   struct ValidateIndexState *state);

/* For tempo_check: how many rows that the snapshot sees have no entry in an index that can be read whole. */
extern uint64 am_index_missing(Relation rel, Relation index, Snapshot snapshot);

/* ---- index_insert.c: entries of rows that come past the executor; nothing without indexes ---- */
/* Rows of a batch just stored, numbered from first_row. */
extern void am_index_batch(Relation rel, Batch *batch, uint64 first_row);
/* Rows of segments just entered in the directory. */
extern void am_index_segments(Relation rel, const StoreUnit *units, int n);

/* ---- index_vacuum.c ---- */
/* Remove entries of rows that are gone; rows: how many there are. */
extern void am_vacuum_indexes(Relation rel, struct VacuumParams *params, double rows,
							  BufferAccessStrategy strategy);

/* ---- ddl.c ---- */
extern void am_relation_set_new_filelocator(Relation rel, const RelFileLocator *newrnode, char persistence,
											TransactionId *freeze_xid, MultiXactId *minmulti);
extern void am_relation_nontransactional_truncate(Relation rel);
extern void am_relation_copy_data(Relation rel, const RelFileLocator *newrnode);
/* rewrite.c */
extern void am_relation_copy_for_cluster(Relation old, Relation new, Relation index, bool use_sort,
										 TransactionId oldest_xmin, TransactionId *xid_cutoff,
										 MultiXactId *multi_cutoff, double *ntuples, double *vacuumed,
										 double *recently_dead);
extern void am_relation_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy);
extern bool am_relation_needs_toast_table(Relation rel);
extern Oid am_relation_toast_am(Relation rel);
extern void am_relation_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
									  double *allvisfrac);

/* ---- hooks.c ---- */
extern void am_refuse(Relation rel, const char *what) pg_attribute_noreturn();
extern void am_hooks_init(void);
/* Is a COPY FROM statement running? */
extern bool am_copying(void);

#endif
