/*
 * trace_rows.c
 *	  Arguments and values of the functions that show traces to people.
 */
#include "traceql/trace_rows.h"

#include "miscadmin.h"
#include "traceql/trace_lookup.h"
#include "types/types.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

/* Levels beyond which lines are not indented any further. */
#define MAX_INDENT 100

/* Ids are unique within a tenant only. */
static void
check_one_tenant(Batch *batch)
{
	Column *tenant = batch_column(batch, LEVEL_SPAN, SC_TENANT);

	for (uint32 r = 1; r < tenant->n; r++)
		if (!str_eq(column_str(tenant, r), column_str(tenant, 0)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("several tenants have a trace with this id"), errhint("Name one of them.")));
}

Batch *
trace_argument(FunctionCallInfo fcinfo, int id, int tenant, Arena *arena)
{
	char *name = PG_ARGISNULL(tenant) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(tenant));
	Batch *batch;

	if (PG_ARGISNULL(id))
		return NULL;
	batch = trace_lookup(((TraceId *) PG_GETARG_POINTER(id))->b, name, 0, PG_UINT64_MAX, arena);
	if (batch && !name)
		check_one_tenant(batch);
	return batch;
}

Datum
str_datum(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.len ? s.p : "", (int) s.len));
}

Datum
ms_datum(int64 ns)
{
	return NumericGetDatum(int64_div_fast_to_numeric(ns, 6));
}

Datum
indented_datum(uint32 depth, Str name)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoSpaces(&buf, (int) (2 * Min(depth, MAX_INDENT)));
	appendBinaryStringInfo(&buf, name.len ? name.p : "", (int) name.len);
	return PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
}

void
trace_put_row(ReturnSetInfo *rsi, Datum *values, bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(rsi->setResult, rsi->setDesc, values, nulls);
}
