/*
 * timeline_functions.c
 *	  traceql_metrics() and traceql_metrics_instant(): samples of series as rows.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/store.h"
#include "traceql/query.h"
#include "traceql/timeline_rows.h"
#include "types/types.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(tempo_traceql_metrics);
PG_FUNCTION_INFO_V1(tempo_traceql_metrics_instant);

/* ---- arguments ---- */

static void
range_args(const NullableDatum *args, TimelineRequest *request)
{
	QueryRange range = query_time_range(&args[0], &args[1]);

	request->has_start = range.has_from;
	request->start = (uint64) range.from;
	request->has_end = range.has_to;
	/* An end of metrics is a point, not the microsecond behind it. */
	request->end = (uint64) range.to - (uint64) range.to % NSECS_PER_USEC;
}

static uint64
step_arg(const NullableDatum *arg)
{
	const Interval *step;
	int64 ns;
	int64 us;

	if (arg->isnull)
		return 0;
	step = DatumGetIntervalP(arg->value);
	if (step->month != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("step must not be given in months or years, which differ in length")));
	if (pg_mul_s64_overflow(step->day, USECS_PER_DAY, &us) || pg_add_s64_overflow(us, step->time, &us) ||
		pg_mul_s64_overflow(us, NSECS_PER_USEC, &ns) || ns <= 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("step must be positive")));
	return (uint64) ns;
}

static void
query_args(const NullableDatum *query, const NullableDatum *tenant, TimelineRequest *request)
{
	text *t = DatumGetTextPP(query->value);

	request->query = str_of(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
	if (!tenant->isnull)
		request->tenant = TextDatumGetCString(tenant->value);
}

/* ---- labels ---- */

static Value
label_value(const EvalValue *v, Arena *arena)
{
	Buf text;

	switch (v->type)
	{
		case EVAL_STRING: return (Value){.type = VALUE_STRING, .s = v->s};
		case EVAL_INT: return (Value){.type = VALUE_INT, .i = v->i};
		case EVAL_FLOAT: return (Value){.type = VALUE_DOUBLE, .d = v->d};
		case EVAL_BOOL: return (Value){.type = VALUE_BOOL, .b = v->b};
		case EVAL_ARRAY: return (Value){.type = VALUE_ARRAY, .s = v->s};
		case EVAL_STATUS: return (Value){.type = VALUE_STRING, .s = str_lit(traceql_status_name(v->i))};
		case EVAL_KIND: return (Value){.type = VALUE_STRING, .s = str_lit(traceql_kind_name(v->i))};
		case EVAL_DURATION:
			buf_init(&text, arena, 32);
			traceql_print_duration(v->i, &text);
			return (Value){.type = VALUE_STRING, .s = str_of((char *) text.p, text.len)};
		default: return (Value){.type = VALUE_EMPTY};
	}
}

static Datum
labels_datum(const MetricsSeries *s, Arena *arena)
{
	Buf out;

	buf_init(&out, arena, 128);
	buf_put_varint(&out, s->nlabels);
	for (uint32 i = 0; i < s->nlabels; i++)
	{
		Value v = label_value(&s->labels[i].value, arena);

		value_write_kv(&out, s->labels[i].name, &v);
	}
	return PointerGetDatum(types_attributes_jsonb(str_of((char *) out.p, out.len)));
}

static Datum
name_datum(const MetricsSeries *s, Arena *arena)
{
	StringInfoData text;
	Value v = {.type = VALUE_STRING};
	Buf name;

	buf_init(&name, arena, 64);
	metrics_series_name(s, &name);
	v.s = str_of((char *) name.p, name.len);
	initStringInfo(&text);
	types_print_bare(&text, &v);
	return PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
}

/* ---- rows ---- */

static Datum
time_datum(uint64 ns)
{
	int16 below;

	return TimestampTzGetDatum(types_unix_ns_time(ns, &below));
}

/* Intervals that have ended, so that no span of theirs is still to come. */
static uint32
complete_intervals(const MetricsRange *range)
{
	uint64 now = (uint64) (GetCurrentStatementStartTimestamp() + UNIX_TO_PG_USECS) * NSECS_PER_USEC;
	uint32 n = range->n;

	while (n > 0 && metrics_time(range, n - 1) > now)
		n--;
	return n;
}

static void
put_series(Tuplestorestate *store, TupleDesc desc, const MetricsResult *result, const MetricsSeries *s,
		   uint32 n, bool timed, Arena *arena)
{
	Datum values[TIMELINE_NCOLUMNS] = {0, labels_datum(s, arena), name_datum(s, arena), 0};
	bool nulls[TIMELINE_NCOLUMNS] = {false};

	for (uint32 k = 0; k < n; k++)
	{
		CHECK_FOR_INTERRUPTS();
		if (isnan(s->values[k]))
			continue;
		values[0] = time_datum(metrics_time(&result->range, k));
		values[3] = Float8GetDatum(s->values[k]);
		tuplestore_putvalues(store, desc, timed ? values : values + 1, nulls);
	}
}

static void
put_result(Tuplestorestate *store, TupleDesc desc, const MetricsResult *result, uint32 n, bool timed)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql metrics series", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (uint32 i = 0; i < result->nseries; i++)
	{
		put_series(store, desc, result, &result->series[i], n, timed, store_arena(context));
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Timeline *
timeline_rows(const NullableDatum *args, Tuplestorestate *store, TupleDesc desc)
{
	TimelineRequest request = {0};
	Timeline *timeline;
	bool complete_only = !args[5].isnull && DatumGetBool(args[5].value);

	if (args[0].isnull)
		return NULL;
	query_args(&args[0], &args[4], &request);
	range_args(&args[1], &request);
	request.step = step_arg(&args[3]);
	timeline = timeline_run(&request);
	put_result(store, desc, timeline->result,
			   complete_only ? complete_intervals(&timeline->result->range) : timeline->result->range.n,
			   true);
	return timeline;
}

Timeline *
timeline_rows_instant(const NullableDatum *args, Tuplestorestate *store, TupleDesc desc)
{
	TimelineRequest request = {.instant = true};
	Timeline *timeline;

	if (args[0].isnull)
		return NULL;
	query_args(&args[0], &args[3], &request);
	range_args(&args[1], &request);
	timeline = timeline_run(&request);
	put_result(store, desc, timeline->result, 1, false);
	return timeline;
}

Datum
tempo_traceql_metrics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsi = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	(void) timeline_rows(fcinfo->args, rsi->setResult, rsi->setDesc);
	return (Datum) 0;
}

Datum
tempo_traceql_metrics_instant(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsi = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	(void) timeline_rows_instant(fcinfo->args, rsi->setResult, rsi->setDesc);
	return (Datum) 0;
}
