/*
 * source.h
 *	  What a search reads: the leaves of tempo.spans, the segments and recent batches a snapshot sees in
 *	  them, and the traces that are not whole in one segment.
 */
#ifndef TEMPO_TRACEQL_SOURCE_H
#define TEMPO_TRACEQL_SOURCE_H

#include "postgres.h"
#include "store/kept.h"

typedef struct SourceUnit
{
	Relation rel;
	StoreUnit unit;
	int tenant;     /* index into Source.tenants; -1 not known yet */
	bool partial;   /* some rows are not there: under policies, or because they were deleted */
	uint8 *visible; /* if partial: a bit a row; NULL: none */
} SourceUnit;

typedef struct Source
{
	MemoryContext context;
	Snapshot snapshot;
	Keeper *keeper;
	const char *tenant; /* NULL: all */
	int nrels;
	Relation *rels;
	int nsegments;
	SourceUnit *segments; /* newest first */
	int nrecent;
	SourceUnit *recent;
	bool policies; /* row-level security applies: only rows marked visible are there */
	int ntenants;
	Str *tenants;
	uint64 bytes_read; /* of images closed */
} Source;

/* Checks SELECT and row-level security, opens the leaves, lists what the snapshot sees. */
extern Source *source_open(MemoryContext context, Snapshot snapshot, const char *tenant);
/* SELECT on tempo.spans; its OID. */
extern Oid source_check_access(void);
extern void source_close(Source *source);
/* Number of a tenant among those met. */
extern int source_tenant(Source *source, Str tenant);
/* The tenant of a segment, read from its first row; -1 when it is not the one asked for. */
extern int source_segment_tenant(Source *source, SourceUnit *unit, Image *image);

/* Is a row of a unit, counted from its first, there: not deleted, and visible to the user? */
static inline bool
source_sees(const SourceUnit *unit, uint64 row)
{
	return !unit->partial || (unit->visible && (unit->visible[row / 8] >> row % 8 & 1));
}
/*
 * The rows of a vector that are there, its first row is the unit's row first_row: the batch itself when it is
 * all of them, NULL when there are none.
 */
extern Batch *source_filter(const SourceUnit *unit, uint64 first_row, Batch *batch, Arena *arena);

/* ---- source_share.c ---- */

/* Bytes that describe an opened source, for other processes under the same snapshot; at is MAXALIGNed. */
extern Size source_share_size(const Source *source);
extern void source_share_write(const Source *source, char *at);
/*
 * Lock everything that reading it takes, if that needs no waiting; otherwise false, and some of it may be
 * locked. For processes that are not in the lock group of whoever waits for them.
 */
extern bool source_share_lock(const char *at);
/*
 * The source that such bytes describe: rights were checked, and units listed, where they were written.
 * Bitmaps of visible rows stay where they are.
 */
extern Source *source_attach(MemoryContext context, Snapshot snapshot, char *at);

/* ---- policy.c ---- */

/*
 * Mark the rows that the policies on tempo.spans let the current user see, under the source's snapshot, by
 * a plain query. They decide before anything of a row is looked at here, and before traces are grouped.
 */
extern void policy_mark_visible(Source *source);

#endif
