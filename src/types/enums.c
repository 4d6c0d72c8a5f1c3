/*
 * enums.c
 *	  The types tempo.span_kind and tempo.status_code: OTLP's numbers that print as words.
 *
 * OTLP enumerations are open: a number without a word is kept and prints as the number. Input takes the
 * word, OTLP's name for it (SPAN_KIND_SERVER) in any case, or a number. Order is that of the numbers.
 * Stored, compared, hashed and sent as an int4: 02_enums.sql borrows those functions from core.
 */
#include "types/types.h"

#include "utils/builtins.h"

typedef struct EnumWords
{
	const char *type;
	const char *prefix; /* of OTLP's names */
	int n;
	const char *words[6];
} EnumWords;

static const EnumWords span_kinds = {
	"tempo.span_kind",
	"SPAN_KIND_",
	6,
	{"unspecified", "internal", "server", "client", "producer", "consumer"},
};

static const EnumWords status_codes = {"tempo.status_code", "STATUS_CODE_", 3, {"unset", "ok", "error"}};

static int32
parse_enum(const EnumWords *e, const char *str)
{
	size_t prefix = strlen(e->prefix);
	const char *word = pg_strncasecmp(str, e->prefix, prefix) == 0 ? str + prefix : str;

	for (int i = 0; i < e->n; i++)
	{
		if (pg_strcasecmp(word, e->words[i]) == 0)
			return i;
	}
	if (*str != '-' && (*str < '0' || *str > '9'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%.100s\"", e->type, str),
				 errhint("Known words are %s to %s, or give a number.", e->words[0], e->words[e->n - 1])));
	return pg_strtoint32(str);
}

static char *
print_enum(const EnumWords *e, int32 v)
{
	return v >= 0 && v < e->n ? pstrdup(e->words[v]) : psprintf("%d", v);
}

PG_FUNCTION_INFO_V1(tempo_span_kind_in);
Datum
tempo_span_kind_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(parse_enum(&span_kinds, PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(tempo_span_kind_out);
Datum
tempo_span_kind_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(print_enum(&span_kinds, PG_GETARG_INT32(0)));
}

PG_FUNCTION_INFO_V1(tempo_status_code_in);
Datum
tempo_status_code_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(parse_enum(&status_codes, PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(tempo_status_code_out);
Datum
tempo_status_code_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(print_enum(&status_codes, PG_GETARG_INT32(0)));
}
