/*
 * regex.c
 *	  Matching of compiled patterns. Steps are bounded; a pattern that needs more ends the query.
 */
#include "traceql/eval/internal.h"
#include "traceql/lang/regex.h"

#define MATCH_LIMIT 2000000 /* backtracking steps for one subject */
#define HEAP_LIMIT  65536   /* KiB, of the interpreter */

struct Regex
{
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	bool exceeded;
};

Regex *
regex_make(Arena *arena, Str pattern)
{
	Regex *regex = arena_alloc0(arena, sizeof(Regex));

	regex->code = traceql_regex_compile(arena, pattern, NULL, NULL);
	regex->data = regex->code ? pcre2_match_data_create_from_pattern(regex->code, NULL) : NULL;
	regex->context = pcre2_match_context_create(NULL);
	regex->exceeded = !regex->data || !regex->context;
	if (regex->exceeded)
		return regex;
	/* Without JIT the interpreter does the same, slower. */
	(void) pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	pcre2_set_match_limit(regex->context, MATCH_LIMIT);
	pcre2_set_heap_limit(regex->context, HEAP_LIMIT);
	return regex;
}

void
regex_free(Regex *regex)
{
	pcre2_match_context_free(regex->context);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->code);
	memset(regex, 0, sizeof(*regex));
}

bool
regex_exceeded(const Regex *regex)
{
	return regex->exceeded;
}

bool
regex_matches(Regex *regex, Str subject)
{
	PCRE2_SPTR text = (PCRE2_SPTR) (subject.len ? subject.p : "");
	int rc;

	if (regex->exceeded)
		return false;
	rc = pcre2_match(regex->code, text, subject.len, 0, 0, regex->data, regex->context);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(regex->code, text, subject.len, 0, PCRE2_NO_JIT, regex->data, regex->context);
	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		regex->exceeded = true;
	return rc >= 0;
}
