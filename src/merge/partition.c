/*
 * partition.c
 *	  Finding and making the partitions of tempo.spans. partition.h has the rules.
 */
#include "merge/partition.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/timestamp.h"

int partition_max = 400;

void
partition_define_settings(void)
{
	DefineCustomIntVariable("tempo.max_partitions", "Most partitions that are made for tempo.spans.",
							"Spans of a further day are refused. Every query looks at every partition.",
							&partition_max, 400, 1, 10000, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

Oid
partition_parent(void)
{
	Oid schema = get_namespace_oid("tempo", true);
	Oid relid = OidIsValid(schema) ? get_relname_relid("spans", schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"tempo.spans\" does not exist"),
						errhint("Make it with SELECT tempo.init().")));
	return relid;
}

Relation
partition_open_parent(LOCKMODE lockmode)
{
	Relation parent = table_open(partition_parent(), lockmode);
	PartitionKey key;

	if (parent->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		key = RelationGetPartitionKey(parent);
		if (key->strategy == PARTITION_STRATEGY_RANGE && key->partnatts == 1 &&
			key->parttypid[0] == TIMESTAMPTZOID && key->partattrs[0] != 0 &&
			strcmp(NameStr(TupleDescAttr(RelationGetDescr(parent), key->partattrs[0] - 1)->attname),
				   "start_time") == 0)
			return parent;
	}
	ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("\"tempo.spans\" is not partitioned by range of start_time"),
					errhint("Rename it and make the table with SELECT tempo.init().")));
}

static TimestampTz
day_start(UnixDay day)
{
	return ((TimestampTz) day - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * USECS_PER_DAY;
}

void
partition_name(UnixDay day, char *buf)
{
	int y, m, d;

	j2date(day + UNIX_EPOCH_JDATE, &y, &m, &d);
	snprintf(buf, NAMEDATALEN, "spans_%04d%02d%02d", y, m, d);
}

/* Index of the range that holds a time, among bounds. */
static int
find_range(PartitionKey key, PartitionBoundInfo bounds, TimestampTz time)
{
	Datum value = TimestampTzGetDatum(time);
	bool equal;

	return partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1, &value, &equal);
}

Oid
partition_find(Relation parent, UnixDay day)
{
	PartitionDesc desc = RelationGetPartitionDesc(parent, true);
	PartitionKey key = RelationGetPartitionKey(parent);
	char name[NAMEDATALEN];
	int range;
	int index;

	if (desc->nparts == 0)
		return InvalidOid;
	range = find_range(key, desc->boundinfo, day_start(day));
	if (range != find_range(key, desc->boundinfo, day_start(day + 1) - 1))
	{
		partition_name(day, name);
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("a partition of \"tempo.spans\" begins or ends within the day of %s", name),
						errdetail("A day (UTC) has to be within one partition.")));
	}
	index = desc->boundinfo->indexes[range + 1];
	if (index < 0)
		return InvalidOid;
	if (!desc->is_leaf[index])
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("partition \"%s\" of \"tempo.spans\" is itself partitioned",
							   get_rel_name(desc->oids[index]))));
	return desc->oids[index];
}

void
partition_run(const char *command)
{
	int result = SPI_execute(command, false, 0);

	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", command, SPI_result_code_string(result));
}

/* Default privileges of the schema may have granted the new table to somebody: take that back. */
static void
revoke_all(const char *leaf)
{
	char *query = psprintf("SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' "
						   "ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END "
						   "FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a "
						   "WHERE c.oid = %s::pg_catalog.regclass AND a.grantee <> c.relowner",
						   quote_literal_cstr(leaf));
	SPITupleTable *grantees;
	uint64 n;

	if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the privileges of %s", leaf);
	grantees = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
		partition_run(psprintf("REVOKE ALL ON TABLE %s FROM %s CASCADE", leaf,
							   SPI_getvalue(grantees->vals[i], grantees->tupdesc, 1)));
}

char *
partition_bound(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (TIMESTAMP_IS_NOBEGIN(time))
		return "MINVALUE";
	if (TIMESTAMP_IS_NOEND(time))
		return "MAXVALUE";
	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return psprintf("'%04d-%02d-%02d %02d:%02d:%02d.%06d+00'", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour,
					tm.tm_min, tm.tm_sec, fsec);
}

/*
 * The companion heap of a leaf takes a batch at every commit and loses all of them at every merge. Vacuum
 * it by what died, not by a share of what is there, and not for inserts alone.
 */
#define LEAF_OPTIONS                                                                                         \
	"toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 2000, "                \
	"toast.autovacuum_vacuum_insert_threshold = -1"

/* Both bounds as a condition; what has no bound has none. */
static char *
range_condition(TimestampTz from, TimestampTz to)
{
	const char *least =
		TIMESTAMP_IS_NOBEGIN(from) ? "true" : psprintf("start_time >= %s", partition_bound(from));
	const char *most = TIMESTAMP_IS_NOEND(to) ? "true" : psprintf("start_time < %s", partition_bound(to));

	return psprintf("%s AND %s", least, most);
}

void
partition_create_table(const char *parent, const char *leaf, TimestampTz from, TimestampTz to, bool indexes,
					   const char *tablespace)
{
	partition_run(
		psprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED "
				 "INCLUDING STORAGE INCLUDING COMPRESSION %s, "
				 "CONSTRAINT " PARTITION_RANGE_CHECK " CHECK (%s)) "
				 "USING tempo WITH (" LEAF_OPTIONS ") %s %s",
				 leaf, parent, indexes ? "INCLUDING INDEXES" : "", range_condition(from, to),
				 tablespace ? "TABLESPACE" : "", tablespace ? quote_identifier(tablespace) : ""));
	revoke_all(leaf);
}

void
partition_attach(const char *parent, const char *leaf, TimestampTz from, TimestampTz to)
{
	partition_run(psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)", parent, leaf,
						   partition_bound(from), partition_bound(to)));
	/* the bounds say the same from here on */
	partition_run(psprintf("ALTER TABLE %s DROP CONSTRAINT " PARTITION_RANGE_CHECK, leaf));
}

static void
create_leaf(const char *schema, const char *parent, UnixDay day)
{
	char name[NAMEDATALEN];
	char *leaf;

	partition_name(day, name);
	leaf = quote_qualified_identifier(schema, name);
	partition_create_table(parent, leaf, day_start(day), day_start(day + 1), false, NULL);
	partition_attach(parent, leaf, day_start(day), day_start(day + 1));
}

void
partition_act_as(Oid owner, PartitionRights *rights)
{
	GetUserIdAndSecContext(&rights->user, &rights->context);
	rights->nest = NewGUCNestLevel();
	SetUserIdAndSecContext(owner,
						   rights->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
					  0, false);
	SPI_connect();
}

void
partition_act_as_before(const PartitionRights *rights)
{
	SPI_finish();
	AtEOXact_GUC(false, rights->nest);
	SetUserIdAndSecContext(rights->user, rights->context);
}

static void
create_leaves(Oid parentid, Oid owner, const UnixDay *days, int ndays)
{
	char *schema = get_namespace_name(get_rel_namespace(parentid));
	char *parent = quote_qualified_identifier(schema, get_rel_name(parentid));
	PartitionRights rights;

	partition_act_as(owner, &rights);
	for (int i = 0; i < ndays; i++)
	{
		CHECK_FOR_INTERRUPTS();
		create_leaf(schema, parent, days[i]);
	}
	partition_act_as_before(&rights);
}

/* ---- days that cannot be made ---- */

static bool
desc_has_day(Relation parent, PartitionDesc desc, UnixDay day)
{
	return desc->nparts > 0 &&
		   desc->boundinfo
				   ->indexes[find_range(RelationGetPartitionKey(parent), desc->boundinfo, day_start(day)) +
							 1] >= 0;
}

/* DETACH PARTITION CONCURRENTLY was begun and waits for its end. */
static bool
is_leaving(Relation parent, UnixDay day)
{
	return desc_has_day(parent, RelationGetPartitionDesc(parent, false), day) &&
		   !desc_has_day(parent, RelationGetPartitionDesc(parent, true), day);
}

/* With a lock that keeps others from making partitions: otherwise it may be one just made. */
static bool
is_name_taken(Relation parent, UnixDay day)
{
	char name[NAMEDATALEN];

	partition_name(day, name);
	return OidIsValid(get_relname_relid(name, RelationGetNamespace(parent)));
}

const char *
partition_why_missing(Relation parent, UnixDay day)
{
	char name[NAMEDATALEN];

	partition_name(day, name);
	if (is_leaving(parent, day))
		return psprintf("partition %s is being dropped", name);
	if (is_name_taken(parent, day))
		return psprintf("there is no partition %s, and another table has its name", name);
	return psprintf("there is no partition %s, and tempo.max_partitions (%d) allows no further one", name,
					partition_max);
}

static void
check_limit(int without)
{
	if (without > 0)
		ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						errmsg_plural("%d more partition of \"tempo.spans\" would be over the limit",
									  "%d more partitions of \"tempo.spans\" would be over the limit",
									  without, without),
						errhint("The limit is tempo.max_partitions, now %d.", partition_max)));
}

/* The days without a leaf. locked: that others cannot make any; those that cannot be made are left out. */
static int
find_missing(Relation parent, const UnixDay *days, int ndays, bool locked, UnixDay *missing, int *blocked)
{
	int n = 0;

	*blocked = 0;
	for (int i = 0; i < ndays; i++)
	{
		if (OidIsValid(partition_find(parent, days[i])))
			continue;
		if (is_leaving(parent, days[i]) || (locked && is_name_taken(parent, days[i])))
			missing[ndays - ++*blocked] = days[i];
		else
			missing[n++] = days[i];
	}
	return n;
}

static void
check_blocked(Relation parent, const UnixDay *last, int blocked)
{
	if (blocked > 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot make a partition of \"tempo.spans\": %s",
							   partition_why_missing(parent, *last))));
}

int
partition_create_missing(const UnixDay *days, int ndays, int *without)
{
	UnixDay *missing = palloc((Max(ndays, 0) + 1) * sizeof(UnixDay));
	int nmissing;
	int blocked;
	int room;
	Relation parent = partition_open_parent(AccessShareLock);
	Oid parentid = RelationGetRelid(parent);
	Oid owner;

	nmissing = find_missing(parent, days, ndays, false, missing, &blocked);
	table_close(parent, NoLock);
	if (without)
		*without = blocked;
	if (nmissing == 0 && (without || blocked == 0))
		return 0;

	/* somebody else may be making them: wait, then look again */
	parent = partition_open_parent(ShareUpdateExclusiveLock);
	nmissing = find_missing(parent, days, ndays, true, missing, &blocked);
	room = Max(partition_max - RelationGetPartitionDesc(parent, true)->nparts, 0);
	owner = parent->rd_rel->relowner;
	if (without)
		*without = Max(nmissing - room, 0) + blocked;
	else
	{
		check_blocked(parent, &missing[Max(ndays - 1, 0)], blocked);
		check_limit(Max(nmissing - room, 0));
	}
	table_close(parent, NoLock);
	create_leaves(parentid, owner, missing, Min(nmissing, room));
	return Min(nmissing, room);
}

/* A date argument as a day that spans can have. */
static UnixDay
day_argument(DateADT date)
{
	int64 day = (int64) date + POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;

	if (DATE_NOT_FINITE(date) || day < 0 || day > partition_day(PG_UINT64_MAX))
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("date out of range for spans"),
						errdetail("Spans start between 1970-01-01 and 2554-07-21.")));
	return (UnixDay) day;
}

PG_FUNCTION_INFO_V1(tempo_create_partitions);
Datum
tempo_create_partitions(PG_FUNCTION_ARGS)
{
	UnixDay first = day_argument(PG_GETARG_DATEADT(0));
	UnixDay last = day_argument(PG_GETARG_DATEADT(1));
	int ndays = Max(last - first + 1, 0);
	UnixDay *days = palloc(Max(ndays, 1) * sizeof(UnixDay));
	Relation parent = partition_open_parent(AccessShareLock);

	if (!has_privs_of_role(GetUserId(), parent->rd_rel->relowner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(parent));
	table_close(parent, NoLock);
	for (int i = 0; i < ndays; i++)
		days[i] = first + i;
	PG_RETURN_INT32(partition_create_missing(days, ndays, NULL));
}
