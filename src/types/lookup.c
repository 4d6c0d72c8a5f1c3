/*
 * lookup.c
 *	  Which OIDs our types have in this database, and the way from varlena to payload and back.
 */
#include "types/types.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static TempoTypes cached;
static Oid cached_schema;
static bool valid = false;
static bool registered = false;

/* Any change to a type: DROP and CREATE EXTENSION always come with some. */
static void
forget_types(Datum arg, int cacheid, uint32 hashvalue)
{
	valid = false;
}

static Oid
extension_schema(void)
{
	Relation rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid schema = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("tempo"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return schema;
}

static Oid
type_oid(Oid schema, const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(schema));
}

static void
fill_cache(void)
{
	Oid own = get_namespace_oid("tempo", true);

	memset(&cached, 0, sizeof(cached));
	cached_schema = extension_schema();
	if (!OidIsValid(cached_schema) || !OidIsValid(own))
		return;
	cached.trace_id = type_oid(cached_schema, "trace_id");
	cached.span_id = type_oid(cached_schema, "span_id");
	cached.span_kind = type_oid(own, "span_kind");
	cached.status_code = type_oid(own, "status_code");
	cached.attributes = type_oid(own, "attributes");
	cached.events = type_oid(own, "events");
	cached.links = type_oid(own, "links");
}

static void
refresh(void)
{
	if (!registered)
	{
		CacheRegisterSyscacheCallback(TYPEOID, forget_types, (Datum) 0);
		registered = true;
	}
	if (valid)
		return;
	/* set first: an invalidation that arrives while we look must not be lost */
	valid = true;
	fill_cache();
	/* nothing tells us when the extension appears, so do not remember that it is absent */
	if (!OidIsValid(cached.links))
		valid = false;
}

const TempoTypes *
types_oids(void)
{
	refresh();
	return &cached;
}

Oid
types_schema(void)
{
	refresh();
	return cached_schema;
}

static void *
arena_palloc(void *context, size_t size)
{
	return MemoryContextAllocHuge((MemoryContext) context, size);
}

static void
arena_pfree(void *context, void *block)
{
	pfree(block);
}

Arena *
types_arena(void)
{
	ArenaHooks hooks = {arena_palloc, arena_pfree, CurrentMemoryContext};

	return arena_create(&hooks, 8192);
}

Str
types_payload(Datum d)
{
	return types_varlena_payload(PG_DETOAST_DATUM_PACKED(d));
}

Datum
types_datum(Str payload)
{
	size_t len = payload.len ? payload.len : 1;
	struct varlena *v;

	if (len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("attribute value of %zu bytes is too long", len)));
	v = palloc(VARHDRSZ + len);
	SET_VARSIZE(v, VARHDRSZ + len);
	if (payload.len)
		memcpy(VARDATA(v), payload.p, len);
	else
		*VARDATA(v) = 0;
	return PointerGetDatum(v);
}
