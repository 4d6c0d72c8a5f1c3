/*
 * tag_functions.c
 *	  traceql_tags() and traceql_tag_values(): names and values of tags as rows.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "traceql/lang/tolerant.h"
#include "traceql/query.h"
#include "store/store.h"
#include "traceql/tag_search.h"
#include "types/types.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(tempo_traceql_tags);
PG_FUNCTION_INFO_V1(tempo_traceql_tag_values);

/* Keys and values of attributes may hold what text cannot: it shows as it does where attributes are text. */
static Datum
text_datum(Str s)
{
	Value v = {.type = VALUE_STRING, .s = s};
	StringInfoData buf;

	if (s.len == 0 || (!memchr(s.p, 0, s.len) && pg_verifymbstr(s.p, (int) s.len, true)))
		return PointerGetDatum(cstring_to_text_with_len(s.len ? s.p : "", (int) s.len));
	initStringInfo(&buf);
	types_print_bare(&buf, &v);
	return PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
}

static Str
text_arg(const NullableDatum *arg)
{
	text *t = DatumGetTextPP(arg->value);

	return str_of(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

/* filter, start, end, tenant */
static TagRequest
request_args(const NullableDatum *args)
{
	QueryRange range = query_time_range(&args[1], &args[2]);
	TagRequest request = {
		.has_from = range.has_from, .has_to = range.has_to, .from = range.from, .to = range.to};

	if (!args[0].isnull)
		request.filter = text_arg(&args[0]);
	if (!args[3].isnull)
		request.tenant = TextDatumGetCString(args[3].value);
	return request;
}

static void
put_row(ReturnSetInfo *rsi, Str first, Str second)
{
	Datum values[2] = {text_datum(first), text_datum(second)};
	bool nulls[2] = {false, false};

	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(rsi->setResult, rsi->setDesc, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
}

/* ---- names ---- */

static uint32
scopes_arg(const NullableDatum *arg)
{
	TagScope scope;

	if (arg->isnull)
		return TAGS_ALL;
	if (!tag_scope_read(text_arg(arg), &scope))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid scope \"%s\"", TextDatumGetCString(arg->value)),
						errhint("Scopes are span, resource, event, link, instrumentation and intrinsic; NULL "
								"means all.")));
	return 1u << scope;
}

static void
put_names(ReturnSetInfo *rsi, const TagNames *names, uint32 scopes)
{
	for (TagScope scope = 0; scope < TAGS_NSCOPES; scope++)
	{
		TagSet *set = tag_names_set(names, scope);

		for (uint64 i = 0; set && i < tag_set_count(set); i++)
			put_row(rsi, str_lit(tag_scope_name(scope)), tag_set_value(set, i).s);
	}
	for (uint32 i = 0; scopes & 1u << TAGS_INTRINSIC && tag_intrinsic(i); i++)
		put_row(rsi, str_lit(tag_scope_name(TAGS_INTRINSIC)), str_lit(tag_intrinsic(i)));
}

Datum
tempo_traceql_tags(PG_FUNCTION_ARGS)
{
	uint32 scopes = scopes_arg(&fcinfo->args[0]);
	TagRequest request = request_args(&fcinfo->args[1]);
	TagCounters counters;

	InitMaterializedSRF(fcinfo, 0);
	put_names((ReturnSetInfo *) fcinfo->resultinfo, tag_search_names(&request, scopes, &counters), scopes);
	return (Datum) 0;
}

/* ---- values ---- */

static void
put_values(ReturnSetInfo *rsi, const TagSet *set)
{
	Arena *arena = store_arena(CurrentMemoryContext);
	Buf text;

	buf_init(&text, arena, 256);
	for (uint64 i = 0; i < tag_set_count(set); i++)
	{
		TagValue v = tag_set_value(set, i);

		text.len = 0;
		tag_value_print(&v, &text);
		put_row(rsi, str_lit(tag_type_name(v.type)), str_of((char *) text.p, text.len));
	}
	arena_destroy(arena);
}

Datum
tempo_traceql_tag_values(PG_FUNCTION_ARGS)
{
	TagRequest request = request_args(&fcinfo->args[1]);
	TagCounters counters;
	TraceqlAttr attr;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	if (!traceql_read_attr(store_arena(CurrentMemoryContext), text_arg(&fcinfo->args[0]), &attr))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a tag", TextDatumGetCString(PG_GETARG_DATUM(0))),
				 errhint("Tags are spelled as in TraceQL: span.http.method, resource.service.name, .foo, "
						 "name, event:name.")));
	put_values((ReturnSetInfo *) fcinfo->resultinfo, tag_search_values(&request, &attr, &counters));
	return (Datum) 0;
}
