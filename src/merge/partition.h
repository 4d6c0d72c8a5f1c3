/*
 * partition.h
 *	  The partitions of tempo.spans: one a day of start time (UTC), made when its first span comes.
 *
 * Days are counted from 1970-01-01. A day's spans all go to one leaf: the day's own, or a larger one that
 * somebody merged or attached. A leaf that covers part of a day only is refused.
 *
 * A leaf is made as a table of its own with a CHECK, then attached: readers do not wait. It belongs to
 * the parent's owner and is granted to nobody, because who may read a leaf reads around the policies of
 * the parent.
 *
 * A day whose partition is being dropped, or whose name another relation has, cannot be made for now:
 * its spans are rejected, the others are not.
 *
 * Lock order: ShareUpdateExclusive on the parent (it conflicts with itself, so creators queue up, and
 * ATTACH needs it anyway), then the new leaf. Both are held until the transaction ends. Writers hold
 * RowExclusive on the parent while they use a leaf, which keeps DETACH away.
 */
#ifndef TEMPO_PARTITION_H
#define TEMPO_PARTITION_H

#include "postgres.h"
#include "utils/rel.h"

#define NS_PER_DAY UINT64CONST(86400000000000)

typedef int32 UnixDay;

static inline UnixDay
partition_day(uint64 unix_ns)
{
	return (UnixDay) (unix_ns / NS_PER_DAY);
}

/* Settings: tempo.max_partitions. Called once, from _PG_init. */
extern void partition_define_settings(void);

/* OID of tempo.spans; raises with a hint at tempo.init() when it is not there. */
extern Oid partition_parent(void);
/* Open it; raises when it is not partitioned the way tempo.init() does it. */
extern Relation partition_open_parent(LOCKMODE lockmode);

/* The leaf that has the day, or InvalidOid. parent must be open and locked. */
extern Oid partition_find(Relation parent, UnixDay day);

/*
 * Make the leaves that are missing for these days (sorted, each once), in this transaction. Returns how
 * many were made; *without: how many days have none because tempo.max_partitions is reached or the day
 * cannot be made now, which is an error if without is NULL. The caller must not have tempo.spans open.
 */
extern int partition_create_missing(const UnixDay *days, int ndays, int *without);
/* Why there is no leaf for the day; parent is open and locked. */
extern const char *partition_why_missing(Relation parent, UnixDay day);

/* tempo.spans_YYYYMMDD, without the schema; buf has NAMEDATALEN bytes. */
extern void partition_name(UnixDay day, char *buf);
extern int partition_max;

/*
 * In a transaction of its own with an active snapshot: ANALYZE tempo.spans as a whole if its rows have
 * changed enough since, but not within pause_ms of the last time. Raises 55P03 when others wait for its lock.
 * Returns whether it was due. (statistics.c)
 */
extern bool partition_analyze(int pause_ms);

/* ---- statements about partitions ---- */

/* Who we are and what is set, while statements run with the rights of the owner of tempo.spans. */
typedef struct PartitionRights
{
	Oid user;
	int context;
	int nest;
} PartitionRights;

/* With nothing of the caller's search_path; connects SPI. An error restores everything with its transaction.
 */
extern void partition_act_as(Oid owner, PartitionRights *rights);
extern void partition_act_as_before(const PartitionRights *rights);
/* Run a statement; raises when it fails. */
extern void partition_run(const char *command);

/*
 * As the owner, with names qualified and quoted: make a table that can be a partition for that range, with
 * the indexes of the parent or without, in the default tablespace if NULL; make it one, without reading it,
 * which makes the indexes it lacks. Readers wait for neither.
 */
extern void partition_create_table(const char *parent, const char *leaf, TimestampTz from, TimestampTz to,
								   bool indexes, const char *tablespace);
extern void partition_attach(const char *parent, const char *leaf, TimestampTz from, TimestampTz to);
/* A bound as it is written in SQL, read the same under every DateStyle and time zone. */
extern char *partition_bound(TimestampTz time);
/* The constraint that spares reading a table that is attached. */
#define PARTITION_RANGE_CHECK "tempo_day"

#endif
