/*
 * replace.h
 *	  Partitions replaced by one table that holds the same segments: days by a month, or a partition by its
 *	  copy in another tablespace.
 *
 * No snapshot may see a row twice or not at all, whenever it was taken and whenever it looks; nobody waits
 *for longer than tempo.lock_timeout; a crash at any point leaves what was there and a table that is not
 *attached, which the next attempt goes on with. In this order, each step in transactions of its own:
 *
 *	  1. make the table, not attached; merge what waits in the leaves; copy their segments (copy.c)
 *	  2. wait until every snapshot sees all of the copy. The copy's companion heap is vacuumed and frozen:
 *frozen tuples are seen by all, and replaying that ends the queries of standbys that are too old
 *	  3. take the merge lock, lock writers out of the leaves, copy what has come since, wait as in 2
 *	  4. in one transaction: lock the parent, detach and drop the leaves, attach the table
 *
 * Step 4 is MVCC-safe because by then the rows in the leaves and those in the copy are seen by everybody: by
 * transactions that have used the parent before, which hold it locked, and by those that have not.
 *
 * The lock on the copy, held throughout, keeps a second attempt and the merge worker away. An error lets go
 *of all locks.
 */
#ifndef TEMPO_REPLACE_H
#define TEMPO_REPLACE_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "retain/retain.h"
#include "store/directory.h"

struct Replace
{
	MemoryContext context; /* lives as long as this */
	Oid parent;
	Oid owner;
	Oid *leaves;
	int nleaves;
	TimestampTz from; /* of the table that takes their place */
	TimestampTz to;
	char *name;       /* of that table, in the end */
	char *tablespace; /* NULL: the default one */
	bool patient;     /* wait for old snapshots; otherwise they are a reason to give up (55P03) */
	Oid target;
	uint64 copied; /* bytes in this throttled stretch */
	TimestampTz copying_since;
};

/*
 * Do it all. In a transaction, without a snapshot, that it commits, to begin others: SPI is connected
 * non-atomically. Raises when it cannot be done now (55P03), or not at all.
 */
extern void replace_leaves(Replace *r);

/* Tables of attempts that nobody will go on with: the first of their leaves is no partition any more. */
extern List *replace_abandoned(Relation parent);
extern bool replace_is_abandoned(Oid relid);

/* ---- parts of it ---- */

/* Commit; begin another with a snapshot. */
extern void replace_next_transaction(Replace *r);
/* Sleep as tempo.maintenance_rate has it after so many bytes. */
extern void replace_throttle(Replace *r, uint64 bytes);

/* Make the target hold what the leaves hold in segments; returns how many changes that took (copy.c). */
extern uint64 replace_copy(Replace *r);

/* Does every snapshot see all of the table? Vacuums and freezes its companion heap (settle.c). */
extern bool replace_settled(Oid relid);

/* Raises when the segments of the leaf would not mean the same in the target (settle.c). */
extern void replace_check_columns(Oid leaf, Oid target);

#endif
