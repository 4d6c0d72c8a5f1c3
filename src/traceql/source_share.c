/*
 * source_share.c
 *	  A source as bytes for other processes under the same snapshot.
 *
 *	  Head | relations | tenants | units | bitmaps of visible rows, each part MAXALIGNed. Strings are a length
 *	  and bytes. Written and read by one version of the library within one query, so nothing is checked.
 */
#include "traceql/source.h"

#include "access/table.h"
#include "storage/lmgr.h"

typedef struct Head
{
	int32 nrels;
	int32 ntenants;
	int32 nsegments;
	int32 nrecent;
	bool policies;
	bool has_tenant; /* the one asked for stands behind the others */
} Head;

typedef struct SharedUnit
{
	int32 rel;
	int32 tenant;
	bool partial;
	bool visible; /* has a bitmap */
	StoreUnit unit;
} SharedUnit;

static SourceUnit *
unit_at(const Source *source, int i)
{
	return i < source->nsegments ? &source->segments[i] : &source->recent[i - source->nsegments];
}

static Size
string_size(Size len)
{
	return MAXALIGN(sizeof(uint32) + len + 1);
}

static Size
bitmap_size(const SourceUnit *unit)
{
	return unit->visible ? MAXALIGN(unit->unit.nrows / 8 + 1) : 0;
}

Size
source_share_size(const Source *source)
{
	int nunits = source->nsegments + source->nrecent;
	Size size = MAXALIGN(sizeof(Head)) + MAXALIGN(source->nrels * sizeof(Oid)) +
				MAXALIGN(nunits * sizeof(SharedUnit));

	for (int i = 0; i < source->ntenants; i++)
		size += string_size(source->tenants[i].len);
	if (source->tenant)
		size += string_size(strlen(source->tenant));
	for (int i = 0; i < nunits; i++)
		size += bitmap_size(unit_at(source, i));
	return size;
}

static char *
put_string(char *at, Str s)
{
	memcpy(at, &s.len, sizeof(uint32));
	memcpy(at + sizeof(uint32), s.p, s.len);
	at[sizeof(uint32) + s.len] = '\0';
	return at + string_size(s.len);
}

static int
rel_number(const Source *source, Relation rel)
{
	for (int i = 0; i < source->nrels; i++)
		if (source->rels[i] == rel)
			return i;
	elog(ERROR, "unit of a relation that is not open");
}

static void
put_units(const Source *source, SharedUnit *units, char *bitmaps)
{
	for (int i = 0; i < source->nsegments + source->nrecent; i++)
	{
		const SourceUnit *unit = unit_at(source, i);

		units[i] = (SharedUnit){rel_number(source, unit->rel), unit->tenant, unit->partial,
								unit->visible != NULL, unit->unit};
		if (unit->visible)
			memcpy(bitmaps, unit->visible, unit->unit.nrows / 8 + 1);
		bitmaps += bitmap_size(unit);
	}
}

void
source_share_write(const Source *source, char *at)
{
	int nunits = source->nsegments + source->nrecent;
	Oid *rels;

	*(Head *) at = (Head){source->nrels,   source->ntenants, source->nsegments,
						  source->nrecent, source->policies, source->tenant != NULL};
	at += MAXALIGN(sizeof(Head));
	rels = (Oid *) at;
	for (int i = 0; i < source->nrels; i++)
		rels[i] = RelationGetRelid(source->rels[i]);
	at += MAXALIGN(source->nrels * sizeof(Oid));
	for (int i = 0; i < source->ntenants; i++)
		at = put_string(at, source->tenants[i]);
	if (source->tenant)
		at = put_string(at, str_lit(source->tenant));
	put_units(source, (SharedUnit *) at, at + MAXALIGN(nunits * sizeof(SharedUnit)));
}

/* ---- in the other process ---- */

static char *
take_string(char *at, Str *s)
{
	memcpy(&s->len, at, sizeof(uint32));
	s->p = at + sizeof(uint32);
	return at + string_size(s->len);
}

static char *
take_tenants(Source *source, const Head *head, char *at)
{
	Str asked;

	source->ntenants = head->ntenants;
	source->tenants = palloc((head->ntenants + 1) * sizeof(Str));
	for (int i = 0; i < head->ntenants; i++)
		at = take_string(at, &source->tenants[i]);
	if (head->has_tenant)
	{
		at = take_string(at, &asked);
		source->tenant = asked.p;
	}
	return at;
}

static void
take_units(Source *source, const Head *head, char *at)
{
	int nunits = head->nsegments + head->nrecent;
	SharedUnit *units = (SharedUnit *) at;
	char *bitmaps = at + MAXALIGN(nunits * sizeof(SharedUnit));

	source->nsegments = head->nsegments;
	source->nrecent = head->nrecent;
	source->segments = MemoryContextAllocHuge(source->context, (nunits + 1) * sizeof(SourceUnit));
	source->recent = source->segments + head->nsegments;
	for (int i = 0; i < nunits; i++)
	{
		source->segments[i] = (SourceUnit){source->rels[units[i].rel], units[i].unit, units[i].tenant,
										   units[i].partial, units[i].visible ? (uint8 *) bitmaps : NULL};
		bitmaps += bitmap_size(&source->segments[i]);
	}
}

static bool
lock_relation(Oid relid)
{
	Relation rel;
	Oid toast;
	List *indexes;
	ListCell *lc;
	bool locked = true;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = table_open(relid, NoLock);
	toast = rel->rd_rel->reltoastrelid;
	table_close(rel, NoLock);
	if (!ConditionalLockRelationOid(toast, AccessShareLock))
		return false;
	rel = table_open(toast, NoLock);
	indexes = RelationGetIndexList(rel);
	table_close(rel, NoLock);
	foreach (lc, indexes)
		locked = locked && ConditionalLockRelationOid(lfirst_oid(lc), AccessShareLock);
	list_free(indexes);
	return locked;
}

bool
source_share_lock(const char *at)
{
	const Head *head = (const Head *) at;
	const Oid *rels = (const Oid *) (at + MAXALIGN(sizeof(Head)));

	for (int i = 0; i < head->nrels; i++)
		if (!lock_relation(rels[i]))
			return false;
	return true;
}

Source *
source_attach(MemoryContext context, Snapshot snapshot, char *at)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Source *source = palloc0(sizeof(Source));
	const Head *head = (Head *) at;
	Oid *rels;

	source->context = context;
	source->snapshot = snapshot;
	source->keeper = keeper_create(context);
	source->policies = head->policies;
	rels = (Oid *) (at + MAXALIGN(sizeof(Head)));
	source->rels = palloc((head->nrels + 1) * sizeof(Relation));
	for (source->nrels = 0; source->nrels < head->nrels; source->nrels++)
		source->rels[source->nrels] = table_open(rels[source->nrels], AccessShareLock);
	at = take_tenants(source, head, (char *) rels + MAXALIGN(head->nrels * sizeof(Oid)));
	take_units(source, head, at);
	MemoryContextSwitchTo(old);
	return source;
}
