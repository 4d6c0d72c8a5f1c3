/*
 * regex.h
 *	  Regular expressions of =~ and !~: RE2 syntax on PCRE2.
 *
 * A pattern is read by RE2's rules and written anew for PCRE2, so that what RE2 lacks (look-around, back
 * references, atomic groups, recursion, possessive repeats ...) is refused rather than executed, and what
 * the two spell alike but mean differently (\s, \v, "{,2}") means what RE2 says. Groups do not capture.
 * Matching is on the whole subject, "." matches newline, and bytes that are not UTF-8 match nothing.
 */
#ifndef TRACEQL_REGEX_H
#define TRACEQL_REGEX_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include "span/arena.h"

typedef struct TraceqlRegexError
{
	char message[160]; /* why the pattern is refused, without the pattern itself */
	uint32_t offset;   /* byte in the pattern; its length when only PCRE2 objects */
} TraceqlRegexError;

/*
 * The compiled pattern, anchored at both ends, for pcre2_match() with no further options; the caller frees
 * it with pcre2_code_free(). memory NULL means malloc; scratch is used for some bytes. Returns NULL and
 * fills *err (unless err is NULL) when the pattern is refused.
 */
extern pcre2_code *traceql_regex_compile(Arena *scratch, Str pattern, pcre2_general_context *memory,
										 TraceqlRegexError *err);

extern bool traceql_regex_valid(Arena *scratch, Str pattern, TraceqlRegexError *err);

/* Does the whole subject match? 1, 0, or -1 when that takes more than a few steps or the pattern is invalid.
 */
extern int traceql_regex_matches(Arena *scratch, Str pattern, Str subject);

#endif
