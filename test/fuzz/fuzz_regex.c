/*
 * fuzz_regex.c
 *	  Any bytes as a pattern, up to the first NUL, and what follows as the subject: compiling takes or
 *	  refuses it, and matching ends.
 */
#include <stdlib.h>

#include "traceql/lang/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t n = nul ? (size_t) (nul - data) : size;
	Str pattern = str_of((const char *) data, n);
	Str subject = nul ? str_of((const char *) nul + 1, size - n - 1) : str_of("", 0);
	Arena *arena;
	TraceqlRegexError err = {{0}, 0};

	if (size > 4096)
		return 0;
	arena = arena_create(NULL, 0);
	if (traceql_regex_valid(arena, pattern, &err))
		traceql_regex_matches(arena, pattern, subject);
	else if (err.message[0] == '\0' || err.offset > pattern.len)
		abort();
	arena_destroy(arena);
	return 0;
}
