/*
 * attributes_ops.c
 *	  Comparing tempo.attributes: equality and order of the bytes, containment, hashing.
 *
 * Equal means the same bytes: same keys and values of the same types in the same order. Containment
 * ignores order and duplicates, at every level, as for jsonb; types must agree exactly, doubles compare
 * as numbers with NaN equal to NaN.
 */
#include "types/types.h"

#include "common/hashfn.h"
#include "miscadmin.h"

/* Sorts call this many times in one memory context, so copies that detoasting made are freed. */
static int
compare_payloads(Datum a, Datum b)
{
	struct varlena *x = PG_DETOAST_DATUM_PACKED(a);
	struct varlena *y = PG_DETOAST_DATUM_PACKED(b);
	int result = str_cmp(types_varlena_payload(x), types_varlena_payload(y));

	if ((Pointer) x != DatumGetPointer(a))
		pfree(x);
	if ((Pointer) y != DatumGetPointer(b))
		pfree(y);
	return result;
}

PG_FUNCTION_INFO_V1(tempo_payload_cmp);
Datum
tempo_payload_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_payloads(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

#define PAYLOAD_OPERATOR(name, op)                                                                           \
	PG_FUNCTION_INFO_V1(tempo_payload_##name);                                                               \
	Datum tempo_payload_##name(PG_FUNCTION_ARGS)                                                             \
	{                                                                                                        \
		PG_RETURN_BOOL(compare_payloads(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) op 0);                       \
	}

PAYLOAD_OPERATOR(lt, <)
PAYLOAD_OPERATOR(le, <=)
PAYLOAD_OPERATOR(eq, ==)
PAYLOAD_OPERATOR(ne, !=)
PAYLOAD_OPERATOR(ge, >=)
PAYLOAD_OPERATOR(gt, >)

PG_FUNCTION_INFO_V1(tempo_payload_hash);
Datum
tempo_payload_hash(PG_FUNCTION_ARGS)
{
	Str s = types_payload(PG_GETARG_DATUM(0));

	return hash_any((const unsigned char *) s.p, (int) s.len);
}

PG_FUNCTION_INFO_V1(tempo_payload_hash_extended);
Datum
tempo_payload_hash_extended(PG_FUNCTION_ARGS)
{
	Str s = types_payload(PG_GETARG_DATUM(0));

	return hash_any_extended((const unsigned char *) s.p, (int) s.len, PG_GETARG_INT64(1));
}

/* ---- containment ---- */

static bool array_contains(Str a, Str b);

static bool
value_contains(const Value *a, const Value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case VALUE_EMPTY: return true;
		case VALUE_BOOL: return a->b == b->b;
		case VALUE_INT: return a->i == b->i;
		case VALUE_DOUBLE: return a->d == b->d || (a->d != a->d && b->d != b->d);
		case VALUE_STRING:
		case VALUE_BYTES: return str_eq(a->s, b->s);
		case VALUE_ARRAY: return array_contains(a->s, b->s);
		case VALUE_KVLIST: return types_attributes_contain(a->s, b->s);
	}
	return false;
}

static bool
array_has(Str array, const Value *wanted)
{
	ValueIter it;
	Value v;

	CHECK_FOR_INTERRUPTS();
	value_iter_begin(&it, array);
	while (value_iter_next(&it, &v))
	{
		if (value_contains(&v, wanted))
			return true;
	}
	return false;
}

static bool
array_contains(Str a, Str b)
{
	ValueIter it;
	Value v;

	check_stack_depth();
	value_iter_begin(&it, b);
	while (value_iter_next(&it, &v))
	{
		if (!array_has(a, &v))
			return false;
	}
	return true;
}

static bool
list_has(Str attributes, const KeyValue *wanted)
{
	ValueIter it;
	KeyValue kv;

	CHECK_FOR_INTERRUPTS();
	value_iter_begin(&it, attributes);
	while (value_iter_next_kv(&it, &kv))
	{
		if (str_eq(kv.key, wanted->key) && value_contains(&kv.value, &wanted->value))
			return true;
	}
	return false;
}

bool
types_attributes_contain(Str a, Str b)
{
	ValueIter it;
	KeyValue kv;

	check_stack_depth();
	value_iter_begin(&it, b);
	while (value_iter_next_kv(&it, &kv))
	{
		if (!list_has(a, &kv))
			return false;
	}
	return true;
}

PG_FUNCTION_INFO_V1(tempo_attributes_contains);
Datum
tempo_attributes_contains(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(
		types_attributes_contain(types_payload(PG_GETARG_DATUM(0)), types_payload(PG_GETARG_DATUM(1))));
}

PG_FUNCTION_INFO_V1(tempo_attributes_contained);
Datum
tempo_attributes_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(
		types_attributes_contain(types_payload(PG_GETARG_DATUM(1)), types_payload(PG_GETARG_DATUM(0))));
}
