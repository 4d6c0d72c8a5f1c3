/*
 * profile.c
 *	  Column roles: detection by name and type, and the cached copy.
 *
 * A table has the span profile when all columns of spans are there with the types tempo.init() gives
 * them; further columns are the user's own. Roles are by attribute number, so renaming is harmless.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "store/metapage.h"
#include "store/profile.h"

typedef struct SpanColumnRule
{
	const char *name;
	Oid type;             /* a type of the server, or */
	const char *typename; /* one of this extension */
	int16 role;
} SpanColumnRule;

static const SpanColumnRule rules[] = {
	{"tenant", TEXTOID, NULL, SC_TENANT},
	{"trace_id", InvalidOid, "trace_id", SC_TRACE_ID},
	{"span_id", InvalidOid, "span_id", SC_SPAN_ID},
	{"parent_span_id", InvalidOid, "span_id", SC_PARENT_ID},
	{"name", TEXTOID, NULL, SC_NAME},
	{"kind", InvalidOid, "span_kind", SC_KIND},
	{"status", InvalidOid, "status_code", SC_STATUS},
	{"status_message", TEXTOID, NULL, SC_STATUS_MESSAGE},
	{"start_time", TIMESTAMPTZOID, NULL, ROLE_START_TIME},
	{"start_ns", INT2OID, NULL, ROLE_START_NS},
	{"duration_ns", INT8OID, NULL, SC_DURATION},
	{"service", TEXTOID, NULL, SC_SERVICE},
	{"attributes", InvalidOid, "attributes", ROLE_ATTRIBUTES},
	{"resource_attributes", InvalidOid, "attributes", SC_RESOURCE},
	{"scope_attributes", InvalidOid, "attributes", SC_SCOPE},
	{"scope_name", TEXTOID, NULL, SC_SCOPE_NAME},
	{"scope_version", TEXTOID, NULL, SC_SCOPE_VERSION},
	{"trace_state", TEXTOID, NULL, SC_TRACE_STATE},
	{"events", InvalidOid, "events", ROLE_EVENTS},
	{"links", InvalidOid, "links", ROLE_LINKS},
	{"flags", INT8OID, NULL, SC_FLAGS},
	{"dropped_attributes_count", INT8OID, NULL, SC_DROPPED_ATTRIBUTES},
	{"dropped_events_count", INT8OID, NULL, SC_DROPPED_EVENTS},
	{"dropped_links_count", INT8OID, NULL, SC_DROPPED_LINKS},
	{"resource_dropped_attributes_count", INT8OID, NULL, SC_RESOURCE_DROPPED},
	{"scope_dropped_attributes_count", INT8OID, NULL, SC_SCOPE_DROPPED},
	{"resource_schema_url", TEXTOID, NULL, SC_RESOURCE_SCHEMA_URL},
	{"scope_schema_url", TEXTOID, NULL, SC_SCOPE_SCHEMA_URL},
};

static bool
is_our_type(Oid type, const char *name, Oid extension)
{
	HeapTuple tup = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	bool same;

	if (!HeapTupleIsValid(tup))
		return false;
	same = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tup))->typname), name) == 0;
	ReleaseSysCache(tup);
	return same && OidIsValid(extension) && getExtensionOfObject(TypeRelationId, type) == extension;
}

/* The role of an attribute if the table turns out to be one of spans. */
static int16
span_role(Form_pg_attribute att, Oid extension)
{
	for (int i = 0; i < lengthof(rules); i++)
	{
		if (strcmp(NameStr(att->attname), rules[i].name) != 0)
			continue;
		if (rules[i].typename ? is_our_type(att->atttypid, rules[i].typename, extension)
							  : att->atttypid == rules[i].type)
			return rules[i].role;
	}
	return ROLE_EXTRA;
}

static TableProfile *
allocate(int natts)
{
	TableProfile *p = palloc(sizeof(TableProfile));

	p->natts = natts;
	p->role = palloc0(Max(natts, 1) * sizeof(int16));
	p->column = palloc0(Max(natts, 1) * sizeof(int16));
	return p;
}

/* Batch columns follow from the roles alone. */
static void
set_columns(TableProfile *p)
{
	int nextra = 0;

	for (int i = 0; i < p->natts; i++)
	{
		int16 role = p->role[i];

		if (!p->spans)
			p->column[i] = i;
		else if (role < SC_COUNT)
			p->column[i] = role;
		else if (role == ROLE_START_TIME || role == ROLE_START_NS)
			p->column[i] = SC_START;
		else if (role == ROLE_EXTRA)
			p->column[i] = SC_COUNT + nextra++;
		else
			p->column[i] = -1;
	}
}

TableProfile *
profile_detect(TupleDesc desc)
{
	TableProfile *p = allocate(desc->natts);
	Oid extension = get_extension_oid("tempo", true);
	int found = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		p->role[i] = att->attisdropped ? ROLE_EXTRA : span_role(att, extension);
		if (p->role[i] != ROLE_EXTRA)
			found++;
	}
	p->spans = found == lengthof(rules);
	if (!p->spans)
		memset(p->role, 0, desc->natts * sizeof(int16));
	set_columns(p);
	return p;
}

TableProfile *
profile_restore(const MetaPage *meta, TupleDesc desc)
{
	TableProfile *p = allocate(desc->natts);

	p->spans = (meta->flags & META_SPANS) != 0;
	for (int i = 0; i < desc->natts; i++)
	{
		p->role[i] = i < meta->natts ? meta->role[i] : ROLE_EXTRA;
		if (p->role[i] < 0 || p->role[i] >= ROLE_COUNT)
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("damaged column roles in a metapage")));
	}
	set_columns(p);
	return p;
}

Column
profile_plain_column(Form_pg_attribute att)
{
	Column c = {0};

	if (att->attisdropped || att->attbyval)
		c.kind = COL_I64;
	else if (att->attlen > 0)
	{
		c.kind = COL_FIXED;
		c.width = att->attlen;
	}
	else
		c.kind = COL_BYTES;
	return c;
}

int64
profile_datum_i64(Datum d, Form_pg_attribute att)
{
	switch (att->attlen)
	{
		case 1: return (int8) DatumGetChar(d);
		case 2: return DatumGetInt16(d);
		case 4: return DatumGetInt32(d);
		default: return DatumGetInt64(d);
	}
}

Str
profile_datum_bytes(Datum d, Form_pg_attribute att)
{
	struct varlena *v;

	if (att->attlen == -2)
		return str_lit(DatumGetCString(d));
	v = PG_DETOAST_DATUM_PACKED(d);
	return str_of(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

uint32
profile_ncolumns(const TableProfile *p, TupleDesc desc)
{
	uint32 n = p->spans ? SC_COUNT : desc->natts;

	for (int i = 0; p->spans && i < p->natts; i++)
		n = Max(n, p->column[i] + 1);
	return n;
}

Column *
profile_columns(const TableProfile *p, TupleDesc desc)
{
	Column *kinds = palloc0(profile_ncolumns(p, desc) * sizeof(Column));

	for (int i = 0; i < p->natts; i++)
		if (!p->spans || p->role[i] == ROLE_EXTRA)
			kinds[p->column[i]] = profile_plain_column(TupleDescAttr(desc, i));
	return kinds;
}

/*
 * The cache is one flat chunk in rd_amcache, as relcache frees it with pfree. Callers get a copy: an
 * invalidation may free the chunk while they work.
 */
const TableProfile *
store_profile(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	TableProfile *p;

	if (rel->rd_amcache == NULL)
	{
		MetaPage *meta = metapage_read_all(rel);
		Size bytes = offsetof(MetaPage, role) + meta->natts * sizeof(int16);
		void *copy = MemoryContextAlloc(CacheMemoryContext, bytes);

		memcpy(copy, meta, bytes);
		rel->rd_amcache = copy;
		pfree(meta);
	}
	p = profile_restore((MetaPage *) rel->rd_amcache, desc);
	return p;
}
