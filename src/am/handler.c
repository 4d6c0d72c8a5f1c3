/*
 * handler.c
 *	  The routine table of access method tempo, and the callbacks of what it does not do. The hooks in
 *	  hooks.c stop such statements earlier, with the statement named; these are for whoever gets past.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "am/am.h"

PG_FUNCTION_INFO_V1(tempo_tableam_handler);

static const TableAmRoutine routine;

bool
am_is_tempo(Relation rel)
{
	return rel->rd_tableam == &routine;
}

Oid
am_oid(void)
{
	return get_table_am_oid("tempo", true);
}

bool
am_is_tempo_oid(Oid relid)
{
	HeapTuple tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid am;

	if (!HeapTupleIsValid(tup))
		return false;
	am = ((Form_pg_class) GETSTRUCT(tup))->relam;
	if (!RELKIND_HAS_TABLE_AM(((Form_pg_class) GETSTRUCT(tup))->relkind))
		am = InvalidOid;
	ReleaseSysCache(tup);
	return OidIsValid(am) && am == am_oid();
}

/* ---- not there ---- */

/*
 * ON CONFLICT DO NOTHING without a target takes this way as soon as the table has an index. None of ours is
 * unique, so there is never a conflict.
 */
static void
tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
						 struct BulkInsertStateData *bistate, uint32 token)
{
	am_tuple_insert(rel, slot, cid, options, bistate);
}

static void
tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded)
{
	if (!succeeded)
		am_refuse(rel, "ON CONFLICT with a target");
}

static TM_Result
tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid, Snapshot snapshot,
			 Snapshot crosscheck, bool wait, TM_FailureData *tmfd, LockTupleMode *mode,
			 TU_UpdateIndexes *update_indexes)
{
	am_refuse(rel, "UPDATE");
}

static TM_Result
tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, CommandId cid,
		   LockTupleMode mode, LockWaitPolicy policy, uint8 flags, TM_FailureData *tmfd)
{
	am_refuse(rel, "locking of rows");
}

static const TableAmRoutine routine = {
	.type = T_TableAmRoutine,
	.slot_callbacks = am_slot_callbacks,

	.scan_begin = am_scan_begin,
	.scan_end = am_scan_end,
	.scan_rescan = am_scan_rescan,
	.scan_getnextslot = am_scan_getnextslot,
	.parallelscan_estimate = am_parallelscan_estimate,
	.parallelscan_initialize = am_parallelscan_initialize,
	.parallelscan_reinitialize = am_parallelscan_reinitialize,

	.index_fetch_begin = am_index_fetch_begin,
	.index_fetch_reset = am_index_fetch_reset,
	.index_fetch_end = am_index_fetch_end,
	.index_fetch_tuple = am_index_fetch_tuple,

	.tuple_fetch_row_version = am_tuple_fetch_row_version,
	.tuple_tid_valid = am_tuple_tid_valid,
	.tuple_get_latest_tid = am_tuple_get_latest_tid,
	.tuple_satisfies_snapshot = am_tuple_satisfies_snapshot,
	.index_delete_tuples = am_index_delete_tuples,

	.tuple_insert = am_tuple_insert,
	.tuple_insert_speculative = tuple_insert_speculative,
	.tuple_complete_speculative = tuple_complete_speculative,
	.multi_insert = am_multi_insert,
	.finish_bulk_insert = am_finish_bulk_insert,
	.tuple_delete = am_tuple_delete,
	.tuple_update = tuple_update,
	.tuple_lock = tuple_lock,

	.relation_set_new_filelocator = am_relation_set_new_filelocator,
	.relation_nontransactional_truncate = am_relation_nontransactional_truncate,
	.relation_copy_data = am_relation_copy_data,
	.relation_copy_for_cluster = am_relation_copy_for_cluster,
	.relation_vacuum = am_relation_vacuum,
	.scan_analyze_next_block = am_analyze_next_block,
	.scan_analyze_next_tuple = am_analyze_next_tuple,
	.index_build_range_scan = am_index_build_range_scan,
	.index_validate_scan = am_index_validate_scan,

	.relation_size = table_block_relation_size,
	.relation_needs_toast_table = am_relation_needs_toast_table,
	.relation_toast_am = am_relation_toast_am,
	.relation_estimate_size = am_relation_estimate_size,

	.scan_bitmap_next_block = am_bitmap_next_block,
	.scan_bitmap_next_tuple = am_bitmap_next_tuple,
	.scan_sample_next_block = am_sample_next_block,
	.scan_sample_next_tuple = am_sample_next_tuple,
};

Datum
tempo_tableam_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&routine);
}
