/*
 * value_jsonb.c
 *	  Attribute values to jsonb and back.
 *
 * What jsonb cannot hold is changed on the way there: bytes become base64 strings; NaN and infinities
 * become strings; -0.0 loses its sign; of duplicate keys the first stays, as for ->; NUL in a string
 * becomes the six characters \u0000, a byte that is not UTF-8 the four characters \xhh. A double keeps
 * its point (1.0), so that the way back makes a double of it again; one that jsonb prints without a
 * point and that fits an int (1e17) comes back as an int.
 */
#include "types/types.h"

#include "common/base64.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* ---- to jsonb ---- */

static void
text_value(JsonbValue *jv, const char *p, int len)
{
	jv->type = jbvString;
	jv->val.string.val = (char *) p;
	jv->val.string.len = len;
}

static void
string_value(JsonbValue *jv, Str s)
{
	Value v = {.type = VALUE_STRING, .s = s};
	StringInfoData buf;

	initStringInfo(&buf);
	types_print_bare(&buf, &v);
	text_value(jv, buf.data, buf.len);
}

static void
base64_value(JsonbValue *jv, Str s)
{
	int room = pg_b64_enc_len((int) Min(s.len, (uint32) MaxAllocSize)) + 1;
	char *out = palloc(room);
	int len = pg_b64_encode(s.p, (int) s.len, out, room);

	if (len < 0)
		elog(ERROR, "could not encode bytes as base64");
	text_value(jv, out, len);
}

static void
numeric_value(JsonbValue *jv, const char *digits)
{
	jv->type = jbvNumeric;
	jv->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
														  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
double_value(JsonbValue *jv, const Value *v)
{
	StringInfoData buf;

	initStringInfo(&buf);
	types_print_value(&buf, v);
	if (v->d != v->d)
		text_value(jv, "NaN", 3);
	else if (strchr(buf.data, 'I') != NULL)
		text_value(jv, buf.data, buf.len);
	else
		numeric_value(jv, buf.data);
}

/* Everything that is not a container. */
static void
scalar_value(JsonbValue *jv, const Value *v)
{
	switch (v->type)
	{
		case VALUE_STRING: string_value(jv, v->s); return;
		case VALUE_BYTES: base64_value(jv, v->s); return;
		case VALUE_DOUBLE: double_value(jv, v); return;
		case VALUE_BOOL:
			jv->type = jbvBool;
			jv->val.boolean = v->b;
			return;
		case VALUE_INT:
			jv->type = jbvNumeric;
			jv->val.numeric = int64_to_numeric(v->i);
			return;
		default: jv->type = jbvNull; return;
	}
}

static void push_value(JsonbParseState **ps, JsonbValue **result, JsonbIteratorToken token, const Value *v);

static JsonbValue *
push_array(JsonbParseState **ps, Str members)
{
	JsonbValue *ignored;
	ValueIter it;
	Value v;

	check_stack_depth();
	pushJsonbValue(ps, WJB_BEGIN_ARRAY, NULL);
	value_iter_begin(&it, members);
	while (value_iter_next(&it, &v))
		push_value(ps, &ignored, WJB_ELEM, &v);
	return pushJsonbValue(ps, WJB_END_ARRAY, NULL);
}

/* All key-value pairs of a list; *n set. */
static KeyValue *
list_pairs(Str attributes, uint32 *n)
{
	ValueIter it;
	KeyValue *pairs;

	*n = 0;
	if (!value_iter_begin(&it, attributes))
		return NULL;
	pairs = MemoryContextAllocHuge(CurrentMemoryContext, (it.left + 1) * sizeof(KeyValue));
	while (value_iter_next_kv(&it, &pairs[*n]))
		++*n;
	return pairs;
}

/* Of equal keys jsonb keeps the last pushed, so push from the end: the first stays. */
static JsonbValue *
push_list(JsonbParseState **ps, Str attributes)
{
	JsonbValue *ignored;
	uint32 n;
	KeyValue *pairs = list_pairs(attributes, &n);

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	pushJsonbValue(ps, WJB_BEGIN_OBJECT, NULL);
	while (n > 0)
	{
		JsonbValue key;

		string_value(&key, pairs[--n].key);
		pushJsonbValue(ps, WJB_KEY, &key);
		push_value(ps, &ignored, WJB_VALUE, &pairs[n].value);
	}
	return pushJsonbValue(ps, WJB_END_OBJECT, NULL);
}

static void
push_value(JsonbParseState **ps, JsonbValue **result, JsonbIteratorToken token, const Value *v)
{
	JsonbValue jv;

	if (v->type == VALUE_ARRAY)
		*result = push_array(ps, v->s);
	else if (v->type == VALUE_KVLIST)
		*result = push_list(ps, v->s);
	else
	{
		scalar_value(&jv, v);
		*result = pushJsonbValue(ps, token, &jv);
	}
}

void
types_push_attributes(JsonbParseState **ps, Str attributes)
{
	push_list(ps, attributes);
}

void
types_push_key(JsonbParseState **ps, const char *key)
{
	JsonbValue jv;

	text_value(&jv, key, (int) strlen(key));
	pushJsonbValue(ps, WJB_KEY, &jv);
}

void
types_push_string(JsonbParseState **ps, Str s)
{
	JsonbValue jv;

	string_value(&jv, s);
	pushJsonbValue(ps, WJB_VALUE, &jv);
}

void
types_push_hex(JsonbParseState **ps, Str s)
{
	JsonbValue jv;
	StringInfoData buf;

	initStringInfo(&buf);
	types_print_hex(&buf, s);
	text_value(&jv, buf.data, buf.len);
	pushJsonbValue(ps, WJB_VALUE, &jv);
}

void
types_push_uint64(JsonbParseState **ps, uint64 v)
{
	JsonbValue jv;
	char digits[24];

	snprintf(digits, sizeof(digits), UINT64_FORMAT, v);
	numeric_value(&jv, digits);
	pushJsonbValue(ps, WJB_VALUE, &jv);
}

Jsonb *
types_attributes_jsonb(Str attributes)
{
	JsonbParseState *ps = NULL;

	return JsonbValueToJsonb(push_list(&ps, attributes));
}

Jsonb *
types_value_jsonb(const Value *v)
{
	JsonbParseState *ps = NULL;
	JsonbValue scalar;
	JsonbValue *whole = &scalar;

	if (v->type == VALUE_ARRAY || v->type == VALUE_KVLIST)
		push_value(&ps, &whole, WJB_VALUE, v);
	else
		scalar_value(&scalar, v);
	return JsonbValueToJsonb(whole);
}

/* ---- from jsonb ---- */

static Str list_of_jsonb(JsonbContainer *c, Arena *arena, int depth);

/* An int if it has no fraction digits and fits, otherwise a double. */
static void
number_of_jsonb(Numeric number, Value *v)
{
	char *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));

	errno = 0;
	v->type = VALUE_INT;
	v->i = strtoll(digits, NULL, 10);
	if (strchr(digits, '.') != NULL || errno == ERANGE)
	{
		v->type = VALUE_DOUBLE;
		v->d = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(number)));
	}
	pfree(digits);
}

static Str
string_of_jsonb(const JsonbValue *jv, Arena *arena)
{
	return str_of(arena_dup(arena, jv->val.string.val, jv->val.string.len), jv->val.string.len);
}

static void
value_of_jsonb(const JsonbValue *jv, Value *v, Arena *arena, int depth)
{
	v->i = 0;
	switch (jv->type)
	{
		case jbvNull: v->type = VALUE_EMPTY; return;
		case jbvBool:
			v->type = VALUE_BOOL;
			v->b = jv->val.boolean;
			return;
		case jbvNumeric: number_of_jsonb(jv->val.numeric, v); return;
		case jbvString:
			v->type = VALUE_STRING;
			v->s = string_of_jsonb(jv, arena);
			return;
		case jbvBinary:
			v->type = JsonContainerIsArray(jv->val.binary.data) ? VALUE_ARRAY : VALUE_KVLIST;
			v->s = list_of_jsonb(jv->val.binary.data, arena, depth + 1);
			return;
		default: elog(ERROR, "unexpected jsonb value type %d", (int) jv->type);
	}
}

/* Count and members of an object or array. */
static Str
list_of_jsonb(JsonbContainer *c, Arena *arena, int depth)
{
	JsonbIterator *it = JsonbIteratorInit(c);
	JsonbIteratorToken token;
	JsonbValue jv;
	Str key = {NULL, 0};
	Buf out;

	check_stack_depth();
	if (depth > VALUE_MAX_DEPTH)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("jsonb is nested too deep for type tempo.attributes"),
						errdetail("The limit is %d levels.", VALUE_MAX_DEPTH)));
	buf_init(&out, arena, 256);
	buf_put_varint(&out, JsonContainerSize(c));
	while ((token = JsonbIteratorNext(&it, &jv, true)) != WJB_DONE)
	{
		Value v;

		if (token == WJB_KEY)
			key = string_of_jsonb(&jv, arena);
		if (token != WJB_VALUE && token != WJB_ELEM)
			continue;
		value_of_jsonb(&jv, &v, arena, depth);
		if (token == WJB_VALUE)
			value_write_kv(&out, key, &v);
		else
			value_write(&out, &v);
	}
	return str_of((char *) out.p, out.len);
}

Str
types_jsonb_attributes(Jsonb *jb, Arena *arena)
{
	if (!JB_ROOT_IS_OBJECT(jb))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cannot cast jsonb %s to type tempo.attributes",
							   JB_ROOT_IS_SCALAR(jb) ? "scalar" : "array"),
						errdetail("Only an object is a list of keys and values.")));
	return list_of_jsonb(&jb->root, arena, 0);
}
