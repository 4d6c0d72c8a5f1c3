/*
 * attributes.c
 *	  The type tempo.attributes: input, output, casts, and the functions that return its parts.
 */
#include "types/types.h"

#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

static const char *const value_type_names[VALUE_NTYPES] = {"empty",  "string", "bool",   "int",
														   "double", "array",  "kvlist", "bytes"};

PG_FUNCTION_INFO_V1(tempo_attributes_in);
Datum
tempo_attributes_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);
	TextCursor cur;
	Buf out;
	Datum result;

	types_parse_begin(&cur, text, strlen(text), "tempo.attributes");
	buf_init(&out, cur.arena, 256);
	types_parse_attributes(&cur, &out, 0);
	result = types_datum(str_of((char *) out.p, out.len));
	types_parse_end(&cur);
	return result;
}

PG_FUNCTION_INFO_V1(tempo_attributes_out);
Datum
tempo_attributes_out(PG_FUNCTION_ARGS)
{
	StringInfoData buf;

	initStringInfo(&buf);
	types_print_attributes(&buf, types_payload(PG_GETARG_DATUM(0)));
	PG_RETURN_CSTRING(buf.data);
}

/*
 * Equality is that of the bytes, so a list must have one form only. Lengths and counts are the one thing
 * that bytes from outside can spell in several ways: write them anew.
 */
static void canonical_members(Buf *out, const Value *v);

static void
canonical_value(Value *v, Arena *arena)
{
	Buf out;

	if (v->type != VALUE_ARRAY && v->type != VALUE_KVLIST)
		return;
	buf_init(&out, arena, v->s.len + 1);
	canonical_members(&out, v);
	v->s = str_of((char *) out.p, out.len);
}

static void
canonical_members(Buf *out, const Value *v)
{
	ValueIter it;
	KeyValue kv;

	check_stack_depth();
	value_iter_begin(&it, v->s);
	buf_put_varint(out, it.left);
	if (v->type == VALUE_ARRAY)
	{
		while (value_iter_next(&it, &kv.value))
		{
			canonical_value(&kv.value, out->arena);
			value_write(out, &kv.value);
		}
		return;
	}
	while (value_iter_next_kv(&it, &kv))
	{
		canonical_value(&kv.value, out->arena);
		value_write_kv(out, kv.key, &kv.value);
	}
}

Str
types_canonical_attributes(Str attributes, Arena *arena)
{
	Value v = {.type = VALUE_KVLIST, .s = attributes};

	canonical_value(&v, arena);
	return v.s;
}

PG_FUNCTION_INFO_V1(tempo_attributes_recv);
Datum
tempo_attributes_recv(PG_FUNCTION_ARGS)
{
	StringInfo msg = (StringInfo) PG_GETARG_POINTER(0);
	int len = msg->len - msg->cursor;
	Str bytes = str_of(pq_getmsgbytes(msg, len), len);
	Arena *arena;
	Datum result;

	if (!value_attributes_valid(bytes))
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("invalid binary representation of type tempo.attributes")));
	arena = types_arena();
	result = types_datum(types_canonical_attributes(bytes, arena));
	arena_destroy(arena);
	return result;
}

/* The payload; serves tempo.events and tempo.links too. */
PG_FUNCTION_INFO_V1(tempo_payload_send);
Datum
tempo_payload_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

PG_FUNCTION_INFO_V1(tempo_attributes_to_jsonb);
Datum
tempo_attributes_to_jsonb(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(types_attributes_jsonb(types_payload(PG_GETARG_DATUM(0))));
}

PG_FUNCTION_INFO_V1(tempo_attributes_from_jsonb);
Datum
tempo_attributes_from_jsonb(PG_FUNCTION_ARGS)
{
	Arena *arena = types_arena();
	Datum result = types_datum(types_jsonb_attributes(PG_GETARG_JSONB_P(0), arena));

	arena_destroy(arena);
	return result;
}

static text *
bare_text(const Value *v)
{
	StringInfoData buf;
	text *result;

	initStringInfo(&buf);
	types_print_bare(&buf, v);
	result = cstring_to_text_with_len(buf.data, buf.len);
	pfree(buf.data);
	return result;
}

static text *
key_text(Str key)
{
	Value v = {.type = VALUE_STRING, .s = key};

	return bare_text(&v);
}

/* Find the value of a key given as text. */
static bool
find_argument(FunctionCallInfo fcinfo, Value *v)
{
	Str attributes = types_payload(PG_GETARG_DATUM(0));
	text *key = PG_GETARG_TEXT_PP(1);

	return value_find(attributes, str_of(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)), v);
}

PG_FUNCTION_INFO_V1(tempo_attributes_get);
Datum
tempo_attributes_get(PG_FUNCTION_ARGS)
{
	Value v;

	if (!find_argument(fcinfo, &v))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(types_value_jsonb(&v));
}

PG_FUNCTION_INFO_V1(tempo_attributes_get_text);
Datum
tempo_attributes_get_text(PG_FUNCTION_ARGS)
{
	Value v;

	if (!find_argument(fcinfo, &v) || v.type == VALUE_EMPTY)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(bare_text(&v));
}

PG_FUNCTION_INFO_V1(tempo_attributes_exists);
Datum
tempo_attributes_exists(PG_FUNCTION_ARGS)
{
	Value v;

	PG_RETURN_BOOL(find_argument(fcinfo, &v));
}

PG_FUNCTION_INFO_V1(tempo_attributes_keys);
Datum
tempo_attributes_keys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ValueIter it;
	KeyValue kv;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	value_iter_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (value_iter_next_kv(&it, &kv))
	{
		Datum key = PointerGetDatum(key_text(kv.key));
		bool null = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &key, &null);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(tempo_attributes_each);
Datum
tempo_attributes_each(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ValueIter it;
	KeyValue kv;

	InitMaterializedSRF(fcinfo, 0);
	value_iter_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	while (value_iter_next_kv(&it, &kv))
	{
		bool nulls[3] = {false, false, false};
		Datum values[3] = {PointerGetDatum(key_text(kv.key)),
						   CStringGetTextDatum(value_type_names[kv.value.type]),
						   JsonbPGetDatum(types_value_jsonb(&kv.value))};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(tempo_attributes_length);
Datum
tempo_attributes_length(PG_FUNCTION_ARGS)
{
	ValueIter it;

	value_iter_begin(&it, types_payload(PG_GETARG_DATUM(0)));
	PG_RETURN_INT32((int32) it.left);
}
