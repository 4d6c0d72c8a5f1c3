/*
 * rows.c
 *	  Matched spans as SQL values.
 */
#include "traceql/rows.h"

#include "traceql/lang/ast.h"
#include "traceql/query.h"
#include "types/types.h"
#include "utils/builtins.h"

void
row_cursor_begin(RowCursor *cursor, TraceqlSearch *search, Arena *arena)
{
	memset(cursor, 0, sizeof(*cursor));
	cursor->search = search;
	cursor->arena = arena;
}

bool
row_cursor_next(RowCursor *cursor)
{
	if (cursor->trace)
		cursor->span++;
	for (;;)
	{
		if (cursor->trace && cursor->set < cursor->trace->nsets)
		{
			if (cursor->span < cursor->trace->sets[cursor->set].nspans)
				return true;
			cursor->set++;
			cursor->span = 0;
			continue;
		}
		cursor->trace = traceql_search_next(cursor->search);
		cursor->set = 0;
		cursor->span = 0;
		if (!cursor->trace)
			return false;
	}
}

/* ---- attributes ---- */

static Value
attr_as_value(const EvalValue *v)
{
	Value out = {.type = VALUE_EMPTY};

	switch (v->type)
	{
		case EVAL_STRING: return (Value){.type = VALUE_STRING, .s = v->s};
		case EVAL_INT:
		case EVAL_DURATION: return (Value){.type = VALUE_INT, .i = v->i};
		case EVAL_FLOAT: return (Value){.type = VALUE_DOUBLE, .d = v->d};
		case EVAL_BOOL: return (Value){.type = VALUE_BOOL, .b = v->b};
		case EVAL_ARRAY: return (Value){.type = VALUE_ARRAY, .s = v->s};
		case EVAL_STATUS: return (Value){.type = VALUE_STRING, .s = str_lit(traceql_status_name(v->i))};
		case EVAL_KIND: return (Value){.type = VALUE_STRING, .s = str_lit(traceql_kind_name(v->i))};
		default: return out;
	}
}

static const char *
scope_prefix(MatchFrom from)
{
	switch (from)
	{
		case MATCH_FROM_SPAN: return "span.";
		case MATCH_FROM_RESOURCE: return "resource.";
		case MATCH_FROM_SCOPE: return "instrumentation.";
		case MATCH_FROM_EVENT: return "event.";
		case MATCH_FROM_LINK: return "link.";
		default: return "";
	}
}

/* The key alone, or with its scope where another attribute shown has the same key. */
static Str
attr_name(Arena *arena, const MatchAttr *attrs, uint32 n, uint32 i)
{
	const char *prefix = scope_prefix(attrs[i].from);
	size_t len = strlen(prefix);
	char *name;

	for (uint32 k = 0; k < n; k++)
	{
		if (k == i || !str_eq(attrs[k].key, attrs[i].key))
			continue;
		name = arena_alloc(arena, len + attrs[i].key.len + 1);
		memcpy(name, prefix, len);
		memcpy(name + len, attrs[i].key.p, attrs[i].key.len);
		return str_of(name, len + attrs[i].key.len);
	}
	return attrs[i].key;
}

static Datum
attributes_datum(RowCursor *cursor, const MatchAttr *attrs, uint32 n)
{
	Buf out;

	arena_reset(cursor->arena);
	buf_init(&out, cursor->arena, 256);
	buf_put_varint(&out, n);
	for (uint32 i = 0; i < n; i++)
	{
		Value v = attr_as_value(&attrs[i].value);

		value_write_kv(&out, attr_name(cursor->arena, attrs, n, i), &v);
	}
	return types_datum(str_of((const char *) out.p, out.len));
}

/* ---- columns ---- */

static Datum
text_datum(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.p ? s.p : "", (int) s.len));
}

static Datum
time_datum(int64 ns)
{
	int16 below;

	return TimestampTzGetDatum(types_unix_ns_time((uint64) ns, &below));
}

static Datum
trace_id_datum(const uint8 *id)
{
	TraceId *copy = palloc(sizeof(TraceId));

	memcpy(copy->b, id, TRACE_ID_BYTES);
	return PointerGetDatum(copy);
}

Datum
row_cursor_value(RowCursor *cursor, TraceqlColumn column, bool *isnull)
{
	const MatchTrace *trace = cursor->trace;
	const MatchSpanset *set = &trace->sets[cursor->set];
	const MatchSpan *span = &set->spans[cursor->span];

	*isnull = false;
	switch (column)
	{
		case TRACEQL_TRACE_ID: return trace_id_datum(trace->trace_id);
		case TRACEQL_SPAN_ID: return SpanIdGetDatum(span->span_id);
		case TRACEQL_ROOT_SERVICE:
			*isnull = !trace->has_root;
			return *isnull ? 0 : text_datum(trace->root_service);
		case TRACEQL_ROOT_NAME: *isnull = !trace->has_root; return *isnull ? 0 : text_datum(trace->root_name);
		case TRACEQL_TRACE_START: return time_datum(trace->start);
		case TRACEQL_TRACE_DURATION: return Int64GetDatum(trace->duration);
		case TRACEQL_NAME: return text_datum(span->name);
		case TRACEQL_SERVICE: return text_datum(span->service);
		case TRACEQL_KIND: return SpanKindGetDatum(span->kind);
		case TRACEQL_STATUS: return StatusCodeGetDatum(span->status);
		case TRACEQL_START_TIME: return time_datum(span->start);
		case TRACEQL_START_NS: return Int16GetDatum((int16) ((uint64) span->start % NSECS_PER_USEC));
		case TRACEQL_DURATION_NS: return Int64GetDatum(span->duration);
		case TRACEQL_ATTRIBUTES: return attributes_datum(cursor, span->attrs, span->nattrs);
		case TRACEQL_SPANSET: return Int32GetDatum((int32) cursor->set + 1);
		case TRACEQL_SPANSET_ATTRIBUTES: return attributes_datum(cursor, set->attrs, set->nattrs);
		case TRACEQL_NCOLUMNS: break;
	}
	*isnull = true;
	return 0;
}

/* ---- arguments ---- */

bool
traceql_request_args(const NullableDatum *args, TraceqlRequest *request)
{
	QueryRange range;
	text *query;

	memset(request, 0, sizeof(*request));
	if (args[0].isnull)
		return false;
	query = DatumGetTextPP(args[0].value);
	request->query = str_of(VARDATA_ANY(query), VARSIZE_ANY_EXHDR(query));
	range = query_time_range(&args[1], &args[2]);
	request->has_from = range.has_from;
	request->has_to = range.has_to;
	request->from = range.from;
	request->to = range.to;
	if (!args[3].isnull)
	{
		int32 n = DatumGetInt32(args[3].value);

		if (n < 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("max_traces must be greater than zero"), errhint("NULL means all.")));
		request->max_traces = (uint32) n;
	}
	if (!args[4].isnull)
		request->tenant = TextDatumGetCString(args[4].value);
	request->details = true;
	return true;
}
