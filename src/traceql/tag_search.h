/*
 * tag_search.h
 *	  Names of tags and values of a tag over tempo.spans: what traceql_tags(), traceql_tag_values() and the
 *	  HTTP API call.
 *
 * Without a filter, images that lie in the range as a whole answer out of their footers and dictionaries.
 * With one, or where the range or row-level security cuts through an image, only rows that count are looked
 * at. A span counts when it overlaps the range, belongs to the tenant, is visible, and the filter holds;
 * so answers do not depend on how spans are stored.
 *
 * Answers and everything they point to live in the memory context current at the call. Errors are those of
 * search.h, and 22023 for a filter with too many groups joined by ||.
 */
#ifndef TEMPO_TRACEQL_TAG_SEARCH_H
#define TEMPO_TRACEQL_TAG_SEARCH_H

#include "postgres.h"
#include "traceql/tags/collect.h"

typedef struct TagRequest
{
	Str filter;         /* as tolerant.h reads it; len 0: none */
	const char *tenant; /* NULL: all */
	bool has_from;      /* spans that overlap [from, to], unix ns, inclusive */
	bool has_to;
	int64 from;
	int64 to;
	uint32 limit;     /* names in a scope, or values; 0: no limit */
	uint64 max_bytes; /* of values as text; 0: no limit */
} TagRequest;

typedef struct TagCounters
{
	uint64 units; /* segments and recent batches there are */
	uint64 bytes_read;
} TagCounters;

/* scopes: bits by TagScope. The sets in the answer are sorted. */
extern TagNames *tag_search_names(const TagRequest *request, uint32 scopes, TagCounters *counters);
extern TagSet *tag_search_values(const TagRequest *request, const TraceqlAttr *attr, TagCounters *counters);

#endif
