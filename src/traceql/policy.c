/*
 * policy.c
 *	  Row-level security: which rows of tempo.spans are there for the current user. A plain query over the
 *	  table answers that, with whatever policies say, and its TIDs become a bitmap for each unit.
 */
#include "traceql/source.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define FETCH_ROWS 10000

/* ---- from a row to its unit ---- */

typedef struct RowRange
{
	Oid relid;
	uint64 first_row;
	SourceUnit *unit;
} RowRange;

static int
compare_ranges(const void *a, const void *b)
{
	const RowRange *x = a;
	const RowRange *y = b;

	if (x->relid != y->relid)
		return x->relid < y->relid ? -1 : 1;
	return (x->first_row > y->first_row) - (x->first_row < y->first_row);
}

static RowRange *
list_ranges(Source *source, int *n)
{
	RowRange *ranges = palloc((source->nsegments + source->nrecent + 1) * sizeof(RowRange));

	*n = 0;
	for (int i = 0; i < source->nsegments + source->nrecent; i++)
	{
		SourceUnit *unit =
			i < source->nsegments ? &source->segments[i] : &source->recent[i - source->nsegments];

		ranges[(*n)++] = (RowRange){RelationGetRelid(unit->rel), unit->unit.first_row, unit};
	}
	qsort(ranges, *n, sizeof(RowRange), compare_ranges);
	return ranges;
}

/* The last range that begins at or before the row, if the row is within. */
static SourceUnit *
find_unit(const RowRange *ranges, int n, Oid relid, uint64 row)
{
	RowRange key = {relid, row, NULL};
	int lo = 0;

	while (n > 0)
	{
		int half = n / 2;

		if (compare_ranges(&ranges[lo + half], &key) <= 0)
		{
			lo += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	if (lo == 0 || ranges[lo - 1].relid != relid ||
		row - ranges[lo - 1].first_row >= ranges[lo - 1].unit->unit.nrows)
		return NULL;
	return ranges[lo - 1].unit;
}

/* ---- marking ---- */

static void
mark_row(Source *source, SourceUnit *unit, uint64 row)
{
	if (!unit->visible)
		unit->visible = MemoryContextAllocZero(source->context, unit->unit.nrows / 8 + 1);
	unit->visible[row / 8] |= 1 << row % 8;
}

static void
mark_fetched(Source *source, const RowRange *ranges, int nranges)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;
		HeapTuple tuple = SPI_tuptable->vals[i];
		Oid relid = DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
		ItemPointer tid =
			(ItemPointer) DatumGetPointer(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
		uint64 row = store_tid_to_row(tid);
		SourceUnit *unit = find_unit(ranges, nranges, relid, row);

		/* Units of other tenants are not listed. */
		if (unit)
			mark_row(source, unit, row - unit->unit.first_row);
	}
}

static Portal
open_query(const Source *source)
{
	Oid types[1] = {TEXTOID};
	Datum values[1];
	SPIPlanPtr plan;

	if (!source->tenant)
		plan = SPI_prepare("SELECT tableoid, ctid FROM tempo.spans", 0, NULL);
	else
	{
		values[0] = CStringGetTextDatum(source->tenant);
		plan = SPI_prepare("SELECT tableoid, ctid FROM tempo.spans WHERE tenant OPERATOR(pg_catalog.=) $1", 1,
						   types);
	}
	if (!plan)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	/* Read only: under the active snapshot, which is the source's. */
	return SPI_cursor_open(NULL, plan, values, NULL, true);
}

void
policy_mark_visible(Source *source)
{
	Portal portal;
	RowRange *ranges;
	int nranges;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	ranges = list_ranges(source, &nranges);
	portal = open_query(source);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		mark_fetched(source, ranges, nranges);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
}
