/*
 * params.h
 *	  The query string of an API request: decoded parameters, and typed reading of them with Tempo's rules
 *	  (an empty parameter counts as absent). Durations are read by traceql_read_duration().
 *
 * Plain C. Parameters live in the arena they were parsed into. The typed readers return false and put one
 * sentence for the client into err when the text is not what it should be.
 */
#ifndef TEMPO_API_PARAMS_H
#define TEMPO_API_PARAMS_H

#include "span/arena.h"

typedef struct QueryParam
{
	Str key;
	Str value;
} QueryParam;

typedef struct QueryParams
{
	QueryParam *items;
	uint32_t n;
	Arena *arena;
} QueryParams;

/* Splits at & and decodes %XX and +. false: a malformed escape. */
extern bool params_parse(Arena *arena, Str query_string, QueryParams *params);
/* Decodes one path or query component. */
extern bool params_decode(Arena *arena, Str text, bool plus_is_space, Str *out);
/* First non-empty value, or an empty Str with p NULL. */
extern Str params_get(const QueryParams *params, const char *key);
extern bool params_has(const QueryParams *params, const char *key);

/* Unsigned decimal number of at most max; absent leaves *v alone. */
extern bool params_u64(const QueryParams *params, const char *key, uint64_t max, uint64_t *v, Buf *err);

/* logfmt: k=v k2="v 2" k3. Repeated keys are an error. */
extern bool parse_logfmt(Arena *arena, Str text, QueryParams *out, Buf *err);

#endif
