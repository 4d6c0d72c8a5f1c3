/*
 * source.c
 *	  Opening tempo.spans for a search. The scan reads it without a range-table entry, so the checks the
 *	  executor makes are made here; under row-level security it asks a plain query which rows are there.
 */
#include "traceql/source.h"

#include "access/table.h"
#include "am/am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "merge/partition.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"

Oid
source_check_access(void)
{
	Oid parent = partition_parent();
	AclResult acl = pg_class_aclcheck(parent, GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_TABLE, get_rel_name(parent));
	return parent;
}

static void
open_leaf(Source *source, Oid relid)
{
	Relation rel;

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		return;
	rel = table_open(relid, AccessShareLock);
	if (!am_is_tempo(rel) || !store_profile(rel)->spans)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("partition \"%s\" of tempo.spans does not use the tempo access method",
							   RelationGetRelationName(rel))));
	source->rels[source->nrels++] = rel;
}

static void
open_leaves(Source *source, Oid parent)
{
	List *all;
	ListCell *lc;

	/* Nobody exchanges partitions between our finding them and locking them. */
	LockRelationOid(parent, AccessShareLock);
	if (get_rel_relkind(parent) == '\0')
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("table with OID %u was dropped concurrently", parent)));
	all = find_all_inheritors(parent, AccessShareLock, NULL);
	source->rels = palloc(list_length(all) * sizeof(Relation));
	foreach (lc, all)
		open_leaf(source, lfirst_oid(lc));
	list_free(all);
}

static bool
unit_of_tenant(const Source *source, const StoreUnit *unit)
{
	return unit->kind == UNIT_RECENT || !source->tenant ||
		   unit->tenant == codec_hash64(source->tenant, strlen(source->tenant));
}

static void
list_units(Source *source, Relation rel)
{
	int n;
	StoreUnit *units = store_units(rel, source->snapshot, &n);

	if (n == 0)
		return;
	source->segments = source->segments
						   ? repalloc_huge(source->segments, (source->nsegments + n) * sizeof(SourceUnit))
						   : palloc(n * sizeof(SourceUnit));
	source->recent = source->recent
						 ? repalloc_huge(source->recent, (source->nrecent + n) * sizeof(SourceUnit))
						 : palloc(n * sizeof(SourceUnit));
	for (int i = 0; i < n; i++)
	{
		SourceUnit unit = {.rel = rel, .unit = units[i], .tenant = -1};

		if (units[i].nrows == 0 || !unit_of_tenant(source, &units[i]))
			continue;
		if (units[i].kind == UNIT_SEGMENT)
			source->segments[source->nsegments++] = unit;
		else
			source->recent[source->nrecent++] = unit;
	}
	pfree(units);
}

static int
newest_first(const void *a, const void *b)
{
	uint64 x = ((const SourceUnit *) a)->unit.summary.start_max;
	uint64 y = ((const SourceUnit *) b)->unit.summary.start_max;

	return (x < y) - (x > y);
}

/* Of a unit with deleted rows, those that are left. */
static void
mark_left(Source *source, SourceUnit *unit)
{
	uint32 *rows;
	uint32 n = store_deleted_rows(unit->rel, source->snapshot, &unit->unit, &rows);

	unit->visible = palloc_extended(unit->unit.nrows / 8 + 1, MCXT_ALLOC_HUGE);
	memset(unit->visible, 0xFF, unit->unit.nrows / 8 + 1);
	for (uint32 i = 0; i < n; i++)
		unit->visible[rows[i] / 8] &= ~(1 << rows[i] % 8);
	pfree(rows);
}

/* Policies are asked by a plain query, which does not see deleted rows either. */
static void
mark_partial(Source *source, SourceUnit *unit)
{
	CHECK_FOR_INTERRUPTS();
	unit->partial = source->policies || unit->unit.has_deleted;
	if (!source->policies && unit->unit.has_deleted)
		mark_left(source, unit);
}

Source *
source_open(MemoryContext context, Snapshot snapshot, const char *tenant)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Source *source = palloc0(sizeof(Source));
	Oid parent = source_check_access();

	source->context = context;
	source->snapshot = snapshot;
	source->keeper = keeper_create(context);
	source->tenant = tenant;
	open_leaves(source, parent);
	for (int i = 0; i < source->nrels; i++)
	{
		CHECK_FOR_INTERRUPTS();
		list_units(source, source->rels[i]);
	}
	if (source->nsegments)
		qsort(source->segments, source->nsegments, sizeof(SourceUnit), newest_first);
	source->policies = check_enable_rls(parent, InvalidOid, false) == RLS_ENABLED;
	for (int i = 0; i < source->nsegments; i++)
		mark_partial(source, &source->segments[i]);
	for (int i = 0; i < source->nrecent; i++)
		mark_partial(source, &source->recent[i]);
	if (source->policies)
		policy_mark_visible(source);
	MemoryContextSwitchTo(old);
	return source;
}

void
source_close(Source *source)
{
	for (int i = 0; i < source->nrels; i++)
		table_close(source->rels[i], NoLock);
	source->nrels = 0;
}

int
source_tenant(Source *source, Str tenant)
{
	MemoryContext old;
	char *copy;

	for (int i = 0; i < source->ntenants; i++)
		if (str_eq(source->tenants[i], tenant))
			return i;
	old = MemoryContextSwitchTo(source->context);
	copy = palloc(tenant.len + 1);
	memcpy(copy, tenant.p, tenant.len);
	source->tenants = source->tenants ? repalloc(source->tenants, (source->ntenants + 1) * sizeof(Str))
									  : palloc(sizeof(Str));
	source->tenants[source->ntenants] = str_of(copy, tenant.len);
	MemoryContextSwitchTo(old);
	return source->ntenants++;
}

int
source_segment_tenant(Source *source, SourceUnit *unit, Image *image)
{
	MemoryContext context;
	Arena *arena;
	Column *column;

	if (unit->tenant >= 0)
		return unit->tenant;
	context = AllocSetContextCreate(CurrentMemoryContext, "traceql tenant", ALLOCSET_SMALL_SIZES);
	arena = store_arena(context);
	column = batch_column(image_vector(image, 0, arena), LEVEL_SPAN, SC_TENANT);
	/* The directory has a hash only, which somebody may have aimed at. */
	if (!source->tenant || str_eq(column_str(column, 0), str_lit(source->tenant)))
		unit->tenant = source_tenant(source, column_str(column, 0));
	MemoryContextDelete(context);
	return unit->tenant;
}

Batch *
source_filter(const SourceUnit *unit, uint64 first_row, Batch *batch, Arena *arena)
{
	uint32 nrows = batch_nrows(batch);
	RowRef *refs;
	Batch **input;
	uint32 n = 0;

	if (!unit->partial)
		return batch;
	refs = arena_alloc(arena, (nrows + 1) * sizeof(RowRef));
	for (uint32 r = 0; r < nrows; r++)
		if (source_sees(unit, first_row + r))
			refs[n++] = (RowRef){0, r};
	if (n == 0 || n == nrows)
		return n ? batch : NULL;
	input = arena_alloc(arena, sizeof(Batch *));
	*input = batch;
	batch = batch_gather_lazy(arena, input, 1, refs, n);
	batch_make_traces(batch);
	return batch;
}
