/*
 * tolerant.h
 *	  Half-typed queries, as autocompletion sends them: the filter they ask for, and names of tags. Neither
 *	  ever fails for what the text says: what cannot be used counts as not there.
 */
#ifndef TRACEQL_TOLERANT_H
#define TRACEQL_TOLERANT_H

#include "traceql/lang/ast.h"

/* More groups joined by || than this are refused by those who call. */
#define TRACEQL_MAX_GROUPS 100

/*
 * The filter of a query that may be half typed: one { ... } and nothing else, its closing brace optional.
 * Comparisons that are incomplete, of wrong types or unsupported are taken for true, as are bare
 * attributes. NULL: every span. groups: how many alternatives || makes when everything is multiplied out.
 */
extern const TraceqlExpr *traceql_tolerant_filter(Arena *arena, Str text, uint32_t *groups);

/* The literal that a filter says attr must equal, whatever else it says; NULL: none. */
extern const TraceqlStatic *traceql_pinned(const TraceqlExpr *filter, const TraceqlAttr *attr);

/* One attribute or intrinsic, as a query spells it: span.foo, .foo, name, event:name. false: not one. */
extern bool traceql_read_attr(Arena *arena, Str text, TraceqlAttr *attr);

#endif
