/*
 * check.c
 *	  tempo_check(): storage, companion heap by amcheck where that may be used, and every row as SQL sees it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "am/am.h"
#include "merge/merge.h"
#include "merge/partition.h"
#include "store/check.h"

typedef struct CheckArg
{
	Relation rel;
	Snapshot snapshot;
	CheckReport *report;
	const char *schema; /* of amcheck */
	Oid toastrelid;
	Oid index;
} CheckArg;

/* ---- rows ---- */

/* Read every attribute of every row; the units were found sound before. */
static void
read_rows(void *arg)
{
	CheckArg *a = arg;
	TupleTableSlot *slot = table_slot_create(a->rel, NULL);
	TableScanDesc scan = table_beginscan(a->rel, a->snapshot, 0, NULL);
	uint64 rows = 0;
	StoreUnit *units;
	uint64 expected = 0;
	int n;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		rows++;
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	units = store_units(a->rel, a->snapshot, &n);
	for (int i = 0; i < n; i++)
	{
		uint32 *deleted;

		expected += units[i].nrows;
		if (units[i].has_deleted)
			expected -= store_deleted_rows(a->rel, a->snapshot, &units[i], &deleted);
	}
	if (rows != expected)
		check_problem(a->report, "a scan gives " UINT64_FORMAT " rows of " UINT64_FORMAT, rows, expected);
}

/* ---- indexes ---- */

/* Entries of every row that is there. Predicates and expressions run as the table's owner. */
static void
check_entries(void *arg)
{
	CheckArg *a = arg;
	Relation index = index_open(a->index, AccessShareLock);
	Oid save_user;
	int save_context;
	int guc_level = NewGUCNestLevel();
	uint64 missing;

	GetUserIdAndSecContext(&save_user, &save_context);
	SetUserIdAndSecContext(a->rel->rd_rel->relowner, save_context | SECURITY_RESTRICTED_OPERATION);
	missing = am_index_missing(a->rel, index, a->snapshot);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(save_user, save_context);
	if (missing)
		check_problem(a->report, "index \"%s\" lacks entries of " UINT64_FORMAT " rows",
					  RelationGetRelationName(index), missing);
	index_close(index, AccessShareLock);
}

static void
check_indexes(CheckArg *a)
{
	ListCell *lc;

	foreach (lc, RelationGetIndexList(a->rel))
	{
		a->index = lfirst_oid(lc);
		check_guarded(a->report, "index entries", check_entries, a);
	}
}

/* ---- amcheck ---- */

/* Schema of extension amcheck, quoted, if the caller may execute its functions. */
static const char *
usable_amcheck(MemoryContext context)
{
	char *schema = NULL;

	SPI_connect();
	if (SPI_execute("SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e "
					"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
					"JOIN pg_catalog.pg_proc p ON p.pronamespace OPERATOR(pg_catalog.=) n.oid "
					"WHERE e.extname OPERATOR(pg_catalog.=) 'amcheck' "
					"AND p.proname OPERATOR(pg_catalog.=) 'verify_heapam' "
					"AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')",
					true, 1) == SPI_OK_SELECT &&
		SPI_processed == 1)
		schema = MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return schema;
}

static void
run_heap_check(void *arg)
{
	CheckArg *a = arg;
	char *sql =
		psprintf("SELECT blkno, offnum, msg FROM %s.verify_heapam(%u::regclass)", a->schema, a->toastrelid);

	SPI_connect();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "verify_heapam failed");
	for (uint64 i = 0; i < SPI_processed; i++)
		check_problem(a->report, "companion heap, block %s, item %s: %s",
					  SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1),
					  SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
					  SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3));
	SPI_finish();
}

static void
run_index_check(void *arg)
{
	CheckArg *a = arg;
	char *sql = psprintf("SELECT %s.bt_index_check(%u::regclass, true)", a->schema, a->index);

	SPI_connect();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "bt_index_check failed");
	SPI_finish();
}

/* ---- the function ---- */

static void
check_table(Oid relid, Snapshot snapshot, CheckReport *report)
{
	CheckArg a = {table_open(relid, NoLock), snapshot, report};
	int before = list_length(report->problems);

	report->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(a.rel)),
											   RelationGetRelationName(a.rel));
	a.toastrelid = a.rel->rd_rel->reltoastrelid;
	a.schema = usable_amcheck(report->context);
	if (a.schema && OidIsValid(a.toastrelid))
	{
		a.index = toast_get_valid_index(a.toastrelid, AccessShareLock);
		check_guarded(report, "companion heap", run_heap_check, &a);
		check_guarded(report, "companion index", run_index_check, &a);
	}
	store_check(a.rel, snapshot, report);
	if (list_length(report->problems) == before)
		check_guarded(report, "rows", read_rows, &a);
	if (list_length(report->problems) == before)
		check_indexes(&a);
	table_close(a.rel, NoLock);
}

PG_FUNCTION_INFO_V1(tempo_check);

Datum
tempo_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid relid = PG_ARGISNULL(0) ? partition_parent() : PG_GETARG_OID(0);
	CheckReport report = {NULL, NIL, CurrentMemoryContext};
	ListCell *lc;

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach (lc, merge_tables(relid, AccessShareLock))
		check_table(lfirst_oid(lc), GetActiveSnapshot(), &report);
	foreach (lc, report.problems)
	{
		Datum value = CStringGetTextDatum((char *) lfirst(lc));
		bool isnull = false;

		tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}
