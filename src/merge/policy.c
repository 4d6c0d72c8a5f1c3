/*
 * policy.c
 *	  What is merged, and when; the settings; the SQL function and the worker's step.
 *
 * Recent batches are merged in order of their numbers, about tempo.segment_rows rows at a time: when that
 * many wait, or when the oldest has waited for tempo.merge_delay. Age makes small segments. Those of one
 * tenant and of about one size (a factor of 8) are merged again when there are 8 of them, or when together
 * they fill a segment; so a row is rewritten once for each factor of 8, and never once its segment is full.
 * Segments that came with an attached partition are written again for their marks, those with many deleted
 * rows to be rid of them.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "am/am.h"
#include "compat.h"
#include "merge/merge.h"
#include "merge/partition.h"
#include "store/deleted.h"
#include "store/metapage.h"

#define TIER_FACTOR 8

/* A segment of which more than one row in so many is deleted is written again. */
#define DELETED_SHARE 20

/* Deleted rows are counted when a pass over the tables finds nothing else to do, once in so many seconds. */
#define COUNT_DELETED_EVERY 30

int merge_segment_rows;
int merge_delay;

static bool count_deleted; /* in this step */

void
merge_define_settings(void)
{
	DefineCustomIntVariable("tempo.segment_rows", "Rows that a segment is made of when as many wait.",
							"Larger segments are smaller on disk; a merge needs memory in proportion.",
							&merge_segment_rows, 262144, 1000, 4194304, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("tempo.merge_delay", "Time after which recent batches are merged however few.",
							NULL, &merge_delay, 300, 1, 7 * 24 * 3600, PGC_SUSET, GUC_UNIT_S, NULL, NULL,
							NULL);
}

/* ---- choosing ---- */

/* What there is, but for recent batches that somebody is deleting from. */
typedef struct Candidates
{
	UnitList segments;
	bool *busy; /* by segment: somebody is deleting from it */
	UnitList recent;
} Candidates;

static void
list_candidates(Companion *c, Snapshot snapshot, uint64 busy, Candidates *all, uint64 *below)
{
	UnitList recent = {0};
	bool deleted = directory_read(c, snapshot, &all->segments, below);

	recent_read(c, snapshot, *below, &recent);
	if (deleted)
	{
		deleted_mark(c, snapshot, all->segments.units, all->segments.n);
		deleted_mark(c, snapshot, recent.units, recent.n);
	}
	all->busy = palloc(Max(all->segments.n, 1) * sizeof(bool));
	for (int i = 0; i < all->segments.n; i++)
		all->busy[i] = delete_unit_busy(busy, &all->segments.units[i]);
	for (int i = 0; i < recent.n; i++)
		if (!delete_unit_busy(busy, &recent.units[i]))
			unit_list_add(&all->recent, &recent.units[i]);
}

/* Recent batches from the first on, until they make a segment. */
static int
take_recent(const UnitList *recent)
{
	uint64 rows = 0;
	int n = 0;

	while (n < recent->n && rows < (uint64) merge_segment_rows)
		rows += recent->units[n++].nrows;
	return n;
}

static bool
recent_due(const UnitList *recent)
{
	uint64 rows = 0;

	if (recent->n == 0)
		return false;
	for (int i = 0; i < recent->n; i++)
		rows += recent->units[i].nrows;
	return rows >= (uint64) merge_segment_rows ||
		   TimestampDifferenceExceeds(recent->units[0].made_at, GetCurrentTimestamp(), merge_delay * 1000);
}

static int
size_tier(uint32 nrows)
{
	int tier = 0;

	for (; nrows >= TIER_FACTOR; nrows /= TIER_FACTOR)
		tier++;
	return tier;
}

static bool
same_group(const StoreUnit *a, const StoreUnit *b)
{
	return a->tenant == b->tenant && size_tier(a->nrows) == size_tier(b->nrows);
}

/* The chosen segments are the input, the others stay. */
static void
split_segments(const UnitList *segments, const bool *chosen, MergeInputs *in)
{
	in->n = in->nkept = 0;
	in->units = palloc(Max(segments->n, 1) * sizeof(StoreUnit));
	in->kept = palloc(Max(segments->n, 1) * sizeof(StoreUnit));
	for (int i = 0; i < segments->n; i++)
	{
		if (chosen[i])
			in->units[in->n++] = segments->units[i];
		else
			in->kept[in->nkept++] = segments->units[i];
	}
}

/* Small segments like the first, up to a segment's worth. Returns how many; chosen[] is set for them. */
static int
take_group(const Candidates *all, int first, bool *chosen)
{
	const StoreUnit *units = all->segments.units;
	uint64 rows = 0;
	int n = 0;

	memset(chosen, 0, all->segments.n * sizeof(bool));
	for (int i = first; i < all->segments.n && rows < (uint64) merge_segment_rows; i++)
	{
		if (all->busy[i] || !same_group(&units[first], &units[i]))
			continue;
		chosen[i] = true;
		rows += units[i].nrows;
		n++;
	}
	return n >= TIER_FACTOR || (n > 1 && rows >= (uint64) merge_segment_rows) ? n : 0;
}

/* A group of small segments to merge again. */
static bool
choose_small(const Candidates *all, MergeInputs *in)
{
	bool *chosen = palloc(Max(all->segments.n, 1) * sizeof(bool));

	for (int first = 0; first < all->segments.n; first++)
	{
		if (all->busy[first] || all->segments.units[first].nrows >= (uint32) merge_segment_rows / 2 ||
			take_group(all, first, chosen) == 0)
			continue;
		split_segments(&all->segments, chosen, in);
		return true;
	}
	return false;
}

/* Segments whose marks are unknown: writing them again makes the marks. */
static bool
has_no_marks(const StoreUnit *u, void *arg)
{
	return u->marks_unknown;
}

typedef struct DeletedLook
{
	Companion *companion;
	Snapshot snapshot;
	bool any; /* one deleted row is enough */
} DeletedLook;

/* Segments with so many deleted rows that writing them again is cheaper than reading past those. */
static bool
has_many_deleted(const StoreUnit *u, void *arg)
{
	DeletedLook *look = arg;
	uint32 enough = u->nrows / DELETED_SHARE + 1;

	if (!u->has_deleted || look->any)
		return u->has_deleted;
	return deleted_count(look->companion, look->snapshot, u, enough) == enough;
}

/* Segments that are due by themselves, up to a segment's worth. */
static bool
choose_due(const Candidates *all, bool (*due)(const StoreUnit *u, void *arg), void *arg, MergeInputs *in)
{
	bool *chosen = palloc0(Max(all->segments.n, 1) * sizeof(bool));
	uint64 rows = 0;

	for (int i = 0; i < all->segments.n; i++)
	{
		const StoreUnit *u = &all->segments.units[i];

		CHECK_FOR_INTERRUPTS();
		if (all->busy[i] || (rows > 0 && rows + u->nrows > (uint64) merge_segment_rows) || !due(u, arg))
			continue;
		chosen[i] = true;
		rows += u->nrows;
	}
	if (rows > 0)
		split_segments(&all->segments, chosen, in);
	return rows > 0;
}

bool
merge_choose(Companion *c, Snapshot snapshot, uint64 busy, bool all, MergeInputs *in)
{
	Candidates candidates = {{0}};
	DeletedLook look = {c, snapshot, all};

	memset(in, 0, sizeof(*in));
	list_candidates(c, snapshot, busy, &candidates, &in->below);
	if (all ? candidates.recent.n > 0 : recent_due(&candidates.recent))
	{
		in->units = candidates.recent.units;
		in->n = take_recent(&candidates.recent);
		in->kept = candidates.segments.units;
		in->nkept = candidates.segments.n;
		return true;
	}
	if (choose_due(&candidates, has_no_marks, NULL, in))
		return true;
	if ((all || count_deleted) && choose_due(&candidates, has_many_deleted, &look, in))
		return true;
	return choose_small(&candidates, in);
}

/* ---- tables ---- */

List *
merge_tables(Oid relid, LOCKMODE lock)
{
	List *tables = NIL;
	List *all = list_make1_oid(relid);
	char kind;
	ListCell *lc;

	LockRelationOid(relid, lock);
	kind = get_rel_relkind(relid);
	if (kind == '\0')
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u was dropped concurrently", relid)));
	if (kind == RELKIND_PARTITIONED_TABLE)
		all = find_all_inheritors(relid, lock, NULL);
	foreach (lc, all)
		if (am_is_tempo_oid(lfirst_oid(lc)))
			tables = lappend_oid(tables, lfirst_oid(lc));
	if (tables == NIL && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table of access method tempo", get_rel_name(relid))));
	return tables;
}

static uint64
merge_table(Oid relid, bool all, bool one_round)
{
	Relation rel = table_open(relid, NoLock);
	uint64 total = 0;
	uint64 rows;

	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot merge temporary tables of other sessions")));
	do
	{
		rows = merge_round(rel, all);
		total += rows;
	} while (rows > 0 && !one_round);
	table_close(rel, NoLock);
	return total;
}

PG_FUNCTION_INFO_V1(tempo_merge);

Datum
tempo_merge(PG_FUNCTION_ARGS)
{
	Oid relid = PG_ARGISNULL(0) ? partition_parent() : PG_GETARG_OID(0);
	uint64 total = 0;
	ListCell *lc;

	PreventCommandIfReadOnly("tempo_merge()");
	PreventCommandDuringRecovery("tempo_merge()");
	/* It merges what is committed now, and this transaction would then see that. */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("tempo_merge() cannot run in a transaction of isolation level %s",
							   IsolationIsSerializable() ? "serializable" : "repeatable read")));
	if (!pg_class_ownercheck(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	merge_lock(true);
	foreach (lc, merge_tables(relid, RowExclusiveLock))
		total += merge_table(lfirst_oid(lc), true, false);
	PG_RETURN_INT64((int64) total);
}

/* ---- the worker's step ---- */

/* The table merged last: the next step begins after it, so that a busy one does not starve the others. */
static Oid last_merged;

static int
compare_turns(const ListCell *a, const ListCell *b)
{
	/* Unsigned differences: oids after last_merged come first, it comes last. */
	Oid x = lfirst_oid(a) - last_merged - 1;
	Oid y = lfirst_oid(b) - last_merged - 1;

	return (x > y) - (x < y);
}

/* Tables of access method tempo in this database that any session may write, whose turn it is first. */
static List *
all_tables(void)
{
	Relation class = table_open(RelationRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(class, 0, NULL);
	Oid am = am_oid();
	List *tables = NIL;
	HeapTuple tup;

	while (OidIsValid(am) && (tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tup);

		if (form->relam == am && form->relpersistence != RELPERSISTENCE_TEMP &&
			OidIsValid(form->reltoastrelid) && RELKIND_HAS_TABLE_AM(form->relkind))
			tables = lappend_oid(tables, form->oid);
	}
	table_endscan(scan);
	table_close(class, AccessShareLock);
	list_sort(tables, compare_turns);
	return tables;
}

/* One round of a table, unless it is gone or locked against writing. */
static uint64
try_table(Oid relid)
{
	Relation rel;
	uint64 rows;

	if (!ConditionalLockRelationOid(relid, RowExclusiveLock))
		return 0;
	rel = try_table_open(relid, NoLock);
	if (rel == NULL)
		return 0;
	rows = merge_round(rel, false);
	/* Keep the lock only on what was changed. */
	table_close(rel, rows ? NoLock : RowExclusiveLock);
	return rows;
}

uint64
merge_step(void)
{
	static TimestampTz counted;
	TimestampTz now = GetCurrentTimestamp();
	ListCell *lc;

	if (RecoveryInProgress() || !merge_lock(false))
		return 0;
	count_deleted = TimestampDifferenceExceeds(counted, now, COUNT_DELETED_EVERY * 1000);
	foreach (lc, all_tables())
	{
		uint64 rows;

		CHECK_FOR_INTERRUPTS();
		rows = try_table(lfirst_oid(lc));
		if (rows > 0)
		{
			last_merged = lfirst_oid(lc);
			return rows;
		}
	}
	if (count_deleted)
		counted = now;
	return 0;
}

PG_FUNCTION_INFO_V1(tempo_merge_step);

Datum
tempo_merge_step(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("tempo.merge_step()");
	PreventCommandDuringRecovery("tempo.merge_step()");
	PG_RETURN_BOOL(merge_step() > 0);
}
