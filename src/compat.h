/*
 * compat.h
 *	  The only place where the PostgreSQL major version is asked. Each shim says what changed.
 *	  Built and tested on 15 and 17; 16 by its headers only.
 */
#ifndef TEMPO_COMPAT_H
#define TEMPO_COMPAT_H

#include "postgres.h"

#include "nodes/plannodes.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#if PG_VERSION_NUM >= 170000
#include "storage/read_stream.h"
#endif

#if PG_VERSION_NUM < 150000
#error "tempo needs PostgreSQL 15 or newer"
#endif

/* 16 moved permissions from the range table to a list of their own. */
static inline AclMode
compat_required_perms(const PlannedStmt *stmt, const RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return rte->perminfoindex
			   ? list_nth_node(RTEPermissionInfo, stmt->permInfos, rte->perminfoindex - 1)->requiredPerms
			   : 0;
#else
	return rte->requiredPerms;
#endif
}

/* 16 has outer joins in the sets of relations that clauses mention; a path cannot be parameterised by one. */
#if PG_VERSION_NUM >= 160000
#define compat_remove_outer_joins(root, relids) bms_del_members(relids, (root)->outer_join_rels)
#else
#define compat_remove_outer_joins(root, relids) (relids)
#endif

/* 16 made one function of the ownership checks of all kinds of objects. */
#if PG_VERSION_NUM >= 160000
#define pg_class_ownercheck(relid, role)          object_ownercheck(RelationRelationId, relid, role)
#define compat_function_aclcheck(oid, role, mode) object_aclcheck(ProcedureRelationId, oid, role, mode)
#else
#define compat_function_aclcheck(oid, role, mode) pg_proc_aclcheck(oid, role, mode)
#endif

/* 16 renamed the identity of a relation's files, and lets tuple_update say more than yes or no. */
#if PG_VERSION_NUM >= 160000
#define compat_smgr_locator(smgr) (&(smgr)->smgr_rlocator.locator)
#else
#define RelFileLocator               RelFileNode
#define RelFileLocatorEquals         RelFileNodeEquals
#define rd_locator                   rd_node
#define relation_set_new_filelocator relation_set_new_filenode
#define compat_smgr_locator(smgr)    (&(smgr)->smgr_rnode.node)
typedef bool TU_UpdateIndexes;
#endif

/* 16 has index entries for summarising indexes only, a table in the vacuuming of its index, values by copy.
 */
#if PG_VERSION_NUM >= 160000
#define compat_insert_index_tuples(result, slot, estate)                                                     \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, false)
#define compat_vacuum_heap(info, rel) ((info)->heaprel = (rel))
#define compat_tuplesort_getdatum(state, value, isnull)                                                      \
	tuplesort_getdatum(state, true, false, value, isnull, NULL)
#else
#define compat_insert_index_tuples(result, slot, estate)                                                     \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#define compat_vacuum_heap(info, rel)                   ((void) 0)
#define compat_tuplesort_getdatum(state, value, isnull) tuplesort_getdatum(state, true, value, isnull, NULL)
#endif

/* 16 makes the map of a partition's columns when it is asked for. */
#if PG_VERSION_NUM >= 160000
#define compat_root_to_child_map(rel, estate) ExecGetRootToChildMap(rel, estate)
#else
#define compat_root_to_child_map(rel, estate) ((rel)->ri_RootToPartitionMap)
#endif

/* 17 has another random(), so that the name of the first tells its arguments. */
#if PG_VERSION_NUM >= 170000
#define F_RANDOM F_RANDOM_
#endif

/* 17 hands ANALYZE's sample over as a stream of buffers; only the block number matters here. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_ANALYZE_BLOCK_PARAMS ReadStream *stream
#define COMPAT_ANALYZE_BLOCK_ARGS   stream
static inline bool
compat_analyze_block(ReadStream *stream, BlockNumber *block)
{
	Buffer buffer = read_stream_next_buffer(stream, NULL);

	if (!BufferIsValid(buffer))
		return false;
	*block = BufferGetBlockNumber(buffer);
	ReleaseBuffer(buffer);
	return true;
}
#else
#define COMPAT_ANALYZE_BLOCK_PARAMS BlockNumber sampled, BufferAccessStrategy strategy
#define COMPAT_ANALYZE_BLOCK_ARGS   sampled
static inline bool
compat_analyze_block(BlockNumber sampled, BlockNumber *block)
{
	*block = sampled;
	return true;
}
#endif

#endif
