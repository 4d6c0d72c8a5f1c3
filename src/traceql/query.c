/*
 * query.c
 *	  Settings, limits and errors of TraceQL queries; see query.h.
 */
#include "traceql/query.h"

#include <limits.h>

#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "types/types.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static int query_memory = 1024 * 1024;
static int max_trace_spans = 1000000;

void
traceql_define_settings(void)
{
	DefineCustomIntVariable("tempo.query_memory", "Memory one TraceQL query may use.",
							"A query that needs more is an error. 0 is no limit.", &query_memory, 1024 * 1024,
							0, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB | GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"tempo.max_trace_spans", "Spans of a trace up to which TraceQL works out its structure.",
		"A query that needs the tree of a larger one is an error. 0 is no limit.", &max_trace_spans, 1000000,
		0, INT_MAX, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
}

/* By process of a parallel query; NULL: not one. */
static pg_atomic_uint64 *memory_held;
static int memory_processes;
static int memory_mine;
static pg_atomic_uint32 *query_over;

void
query_share_memory(pg_atomic_uint64 *held, int n, int mine, pg_atomic_uint32 *over)
{
	query_over = over;
	memory_held = held;
	memory_processes = n;
	memory_mine = mine;
}

static Size
held_by_all(Size mine)
{
	Size sum = mine;

	if (!memory_held)
		return mine;
	pg_atomic_write_u64(&memory_held[memory_mine], mine);
	for (int i = 0; i < memory_processes; i++)
		if (i != memory_mine)
			sum += pg_atomic_read_u64(&memory_held[i]);
	return sum;
}

void
query_check_room(void *context, size_t bytes)
{
	CHECK_FOR_INTERRUPTS();
	if (query_over && pg_atomic_read_u32(query_over))
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("the query this was a part of has ended")));
	if (query_memory > 0 &&
		(held_by_all(MemoryContextMemAllocated(context, true)) + bytes) / 1024 > (Size) query_memory)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("TraceQL query needs more memory than tempo.query_memory (%d kB)", query_memory),
				 errhint("Ask for a shorter time range, or fewer traces or series, or set tempo.query_memory "
						 "higher.")));
}

void
query_check_memory(MemoryContext context)
{
	query_check_room(context, 0);
}

uint32
query_max_trace_spans(void)
{
	return (uint32) max_trace_spans;
}

static void
refuse(Str query, const TraceqlError *err)
{
	int code = err->kind == TQL_ERROR_UNSUPPORTED ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_SYNTAX_ERROR;
	char *text = pnstrdup(query.p, query.len);

	ereport(ERROR,
			(errcode(code), errmsg("invalid TraceQL query: %s", err->message),
			 internalerrposition((int) pg_mbstrlen_with_len(text, (int) Min(err->offset, query.len)) + 1),
			 internalerrquery(text)));
}

TraceqlQuery *
query_parse(Arena *arena, Str text)
{
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, text, &err);

	if (!query)
		refuse(text, &err);
	return query;
}

static void
on_interrupt(void *ctx)
{
	CHECK_FOR_INTERRUPTS();
}

static void
on_fail(void *ctx, const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("TraceQL query failed: %s", message)));
}

const TraceqlHooks query_hooks = {.interrupt = on_interrupt, .fail = on_fail};

/* ---- times ---- */

/* false: before 1970 or infinite; what that means is the caller's business. */
static bool
unix_ns(TimestampTz t, int64 *ns)
{
	int64 us;

	if (TIMESTAMP_NOT_FINITE(t) || pg_add_s64_overflow(t, UNIX_TO_PG_USECS, &us) || us < 0 ||
		(uint64) us > PG_UINT64_MAX / NSECS_PER_USEC)
		return false;
	*ns = (int64) ((uint64) us * NSECS_PER_USEC);
	return true;
}

QueryRange
query_time_range(const NullableDatum *start, const NullableDatum *end)
{
	TimestampTz from = start->isnull ? DT_NOBEGIN : DatumGetTimestampTz(start->value);
	TimestampTz to = end->isnull ? DT_NOEND : DatumGetTimestampTz(end->value);
	QueryRange range = {0};

	range.has_from = unix_ns(from, &range.from);
	range.has_to = unix_ns(to, &range.to);
	/* A bound before everything or behind everything: no bound, or nothing at all. */
	if (!range.has_from && from > 0)
	{
		range.has_from = true;
		range.from = -1;
	}
	if (!range.has_to && to < 0)
	{
		range.has_to = true;
		range.to = 0;
	}
	/* Microseconds are all an argument can say: the end means all of its microsecond. */
	else if (range.has_to && (uint64) range.to <= PG_UINT64_MAX - (NSECS_PER_USEC - 1))
		range.to += NSECS_PER_USEC - 1;
	return range;
}
