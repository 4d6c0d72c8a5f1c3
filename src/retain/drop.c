/*
 * drop.c
 *	  Dropping a partition: at once, or without anybody waiting.
 */
#include "retain/retain.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parser.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "merge/partition.h"
#include "retain/replace.h"

static void
begin(void)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
}

static char *
qualified(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u was dropped concurrently", relid)));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

static Oid
owner_of(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	Oid owner = rel->rd_rel->relowner;

	table_close(rel, NoLock);
	return owner;
}

/* Attached or not. */
static void
drop_table(Oid relid, Oid owner)
{
	PartitionRights rights;
	char *command = psprintf("DROP TABLE %s", qualified(relid));

	partition_act_as(owner, &rights);
	partition_run(command);
	partition_act_as_before(&rights);
}

/*
 * What was found detached and marked may have become something else until we have it locked: a finished copy
 * that took the place of its leaves, a partition that somebody attached again.
 */
static void
drop_leftover(Oid relid, Oid owner)
{
	LockRelationOid(relid, AccessExclusiveLock);
	if (retain_is_leftover(relid) || replace_is_abandoned(relid))
		drop_table(relid, owner);
}

void
retain_drop_now(Oid parent, Oid leaf)
{
	LockRelationOid(parent, AccessExclusiveLock);
	drop_table(leaf, owner_of(parent));
}

/*
 * DETACH ... CONCURRENTLY has two transactions of its own, so it runs as we are: nothing of the owner's
 * making may be evaluated in it, and CHECK constraints are. Nor can it be with a default partition.
 */
static bool
needs_plain_detach(Oid parent, Oid leaf)
{
	Relation rel = table_open(parent, AccessShareLock);
	bool plain = OidIsValid(get_default_oid_from_partdesc(RelationGetPartitionDesc(rel, true)));
	char *query =
		psprintf("SELECT FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_depend d "
				 "ON d.classid OPERATOR(pg_catalog.=) %u AND d.objid OPERATOR(pg_catalog.=) c.oid "
				 "WHERE c.conrelid OPERATOR(pg_catalog.=) %u "
				 "AND d.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY[%u, %u, %u]::pg_catalog.oid[])",
				 ConstraintRelationId, leaf, ProcedureRelationId, OperatorRelationId, TypeRelationId);

	table_close(rel, NoLock);
	if (plain)
		return true;
	SPI_connect();
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look at the constraints of a partition");
	plain = SPI_processed > 0;
	SPI_finish();
	return plain;
}

/* As a statement of its own, not within another. It may commit and begin anew. */
static void
run_top_level(const char *command)
{
	RawStmt *raw = linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT));
	PlannedStmt *stmt = makeNode(PlannedStmt);

	stmt->commandType = CMD_UTILITY;
	stmt->utilityStmt = raw->stmt;
	ProcessUtility(stmt, command, false, PROCESS_UTILITY_TOPLEVEL, NULL, NULL, None_Receiver, NULL);
}

/* In a transaction, which it commits to begin another. */
static void
detach(Oid parent, Oid leaf, const char *how)
{
	/* The statement has to outlast its first transaction. */
	MemoryContextSwitchTo(PortalContext);
	run_top_level(psprintf("ALTER TABLE %s DETACH PARTITION %s %s", qualified(parent), qualified(leaf), how));
	commit();
	begin();
}

/* A leaf that is attached as before must not look as if it were to go. */
static void
forget(Oid leaf)
{
	begin();
	if (get_rel_relispartition(leaf) && !PartitionHasPendingDetach(leaf))
		retain_mark(leaf, false);
	commit();
}

static void
detach_or_forget(Oid parent, Oid leaf)
{
	PG_TRY();
	{
		detach(parent, leaf, "CONCURRENTLY");
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(PortalContext);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		forget(leaf);
		ReThrowError(error);
	}
	PG_END_TRY();
}

void
retain_drop(Oid parent, Oid leaf)
{
	begin();
	if (needs_plain_detach(parent, leaf))
	{
		if (retain_is_held(parent))
			ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
							errmsg("could not drop a partition: a transaction that is open for longer than "
								   "tempo.lock_timeout uses the table")));
		retain_drop_now(parent, leaf);
	}
	else
	{
		retain_mark(leaf, true);
		commit();
		begin();
		detach_or_forget(parent, leaf);
		drop_leftover(leaf, owner_of(parent));
	}
	commit();
}

/*
 * Wait, with no lock held, for those whom FINALIZE would wait for while it keeps others from the leaf and
 * from making partitions.
 */
static void
wait_for_older_snapshots(void)
{
	int n;
	VirtualTransactionId *older = GetCurrentVirtualXIDs(GetActiveSnapshot()->xmin, true, false,
														PROC_IS_AUTOVACUUM | PROC_IN_VACUUM, &n);

	for (int i = 0; i < n; i++)
		VirtualXactLock(older[i], true);
}

void
retain_finish_drop(Oid parent, Oid leaf, bool pending)
{
	begin();
	if (pending)
	{
		wait_for_older_snapshots();
		detach(parent, leaf, "FINALIZE");
	}
	drop_leftover(leaf, owner_of(parent));
	commit();
}
