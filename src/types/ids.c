/*
 * ids.c
 *	  The types trace_id and span_id: input, output, comparison, hashing, casts.
 *
 * Both print as all their lower-case hex digits and read fewer digits as a number, so that ids cut of
 * their leading zeros (as Jaeger and Zipkin print them) are found. Order is that of the bytes.
 *
 * What is not here is borrowed from core by 01_ids.sql: a trace_id is stored, compared, hashed and sent
 * as a uuid, a span_id is stored, hashed and sent as an int8; only its order is unsigned.
 */
#include "types/types.h"

#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"

/* Hex digits to nbytes bytes, left-padded with zeros. */
static void
parse_hex_id(const char *str, int nbytes, uint8 *out, const char *type)
{
	size_t len = strlen(str);
	int shift = 0;

	if (len == 0 || len > (size_t) nbytes * 2)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("invalid input syntax for type %s: \"%.100s\"", type, str),
						errdetail("Expected 1 to %d hexadecimal digits.", nbytes * 2)));
	memset(out, 0, nbytes);
	for (const char *p = str + len; p > str; shift ^= 4)
	{
		int digit = types_hex_digit(*--p);

		if (digit < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
							errmsg("invalid input syntax for type %s: \"%s\"", type, str),
							errdetail("Expected 1 to %d hexadecimal digits.", nbytes * 2)));
		out[nbytes - 1 - (str + len - 1 - p) / 2] |= (uint8) (digit << shift);
	}
}

static char *
print_hex_id(const uint8 *id, int nbytes)
{
	char *out = palloc(nbytes * 2 + 1);

	hex_encode((const char *) id, nbytes, out);
	out[nbytes * 2] = '\0';
	return out;
}

static const uint8 *
check_bytea(bytea *in, int len, const char *type)
{
	if (VARSIZE_ANY_EXHDR(in) != len)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("cannot cast %d bytes to type %s", (int) VARSIZE_ANY_EXHDR(in), type),
						errdetail("Exactly %d bytes are needed.", len)));
	return (const uint8 *) VARDATA_ANY(in);
}

/* ---- trace_id ---- */

PG_FUNCTION_INFO_V1(tempo_trace_id_in);
Datum
tempo_trace_id_in(PG_FUNCTION_ARGS)
{
	TraceId *id = palloc(sizeof(TraceId));

	parse_hex_id(PG_GETARG_CSTRING(0), TRACE_ID_BYTES, id->b, "trace_id");
	PG_RETURN_POINTER(id);
}

PG_FUNCTION_INFO_V1(tempo_trace_id_out);
Datum
tempo_trace_id_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(print_hex_id(PG_GETARG_TRACE_ID(0)->b, TRACE_ID_BYTES));
}

PG_FUNCTION_INFO_V1(tempo_trace_id_from_bytea);
Datum
tempo_trace_id_from_bytea(PG_FUNCTION_ARGS)
{
	TraceId *id = palloc(sizeof(TraceId));

	memcpy(id->b, check_bytea(PG_GETARG_BYTEA_PP(0), TRACE_ID_BYTES, "trace_id"), TRACE_ID_BYTES);
	PG_RETURN_POINTER(id);
}

/* ---- span_id ---- */

PG_FUNCTION_INFO_V1(tempo_span_id_in);
Datum
tempo_span_id_in(PG_FUNCTION_ARGS)
{
	uint64 wire;

	parse_hex_id(PG_GETARG_CSTRING(0), SPAN_ID_BYTES, (uint8 *) &wire, "span_id");
	return SpanIdGetDatum(pg_ntoh64(wire));
}

PG_FUNCTION_INFO_V1(tempo_span_id_out);
Datum
tempo_span_id_out(PG_FUNCTION_ARGS)
{
	uint64 wire = pg_hton64(PG_GETARG_SPAN_ID(0));

	PG_RETURN_CSTRING(print_hex_id((uint8 *) &wire, SPAN_ID_BYTES));
}

PG_FUNCTION_INFO_V1(tempo_span_id_from_bytea);
Datum
tempo_span_id_from_bytea(PG_FUNCTION_ARGS)
{
	uint64 wire;

	memcpy(&wire, check_bytea(PG_GETARG_BYTEA_PP(0), SPAN_ID_BYTES, "span_id"), SPAN_ID_BYTES);
	return SpanIdGetDatum(pg_ntoh64(wire));
}

static inline int
compare_span_ids(Datum a, Datum b)
{
	uint64 x = DatumGetSpanId(a);
	uint64 y = DatumGetSpanId(b);

	return (x > y) - (x < y);
}

PG_FUNCTION_INFO_V1(tempo_span_id_cmp);
Datum
tempo_span_id_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_span_ids(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

#define SPAN_ID_OPERATOR(name, op)                                                                           \
	PG_FUNCTION_INFO_V1(tempo_span_id_##name);                                                               \
	Datum tempo_span_id_##name(PG_FUNCTION_ARGS)                                                             \
	{                                                                                                        \
		PG_RETURN_BOOL(PG_GETARG_SPAN_ID(0) op PG_GETARG_SPAN_ID(1));                                        \
	}

SPAN_ID_OPERATOR(lt, <)
SPAN_ID_OPERATOR(le, <=)
SPAN_ID_OPERATOR(ge, >=)
SPAN_ID_OPERATOR(gt, >)

static int
span_id_sort_compare(Datum a, Datum b, SortSupport ssup)
{
	return compare_span_ids(a, b);
}

PG_FUNCTION_INFO_V1(tempo_span_id_sortsupport);
Datum
tempo_span_id_sortsupport(PG_FUNCTION_ARGS)
{
	((SortSupport) PG_GETARG_POINTER(0))->comparator = span_id_sort_compare;
	PG_RETURN_VOID();
}
