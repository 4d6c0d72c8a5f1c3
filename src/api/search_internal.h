/* search_internal.h: what the files of the search answer share. */
#ifndef TEMPO_API_SEARCH_INTERNAL_H
#define TEMPO_API_SEARCH_INTERNAL_H

#include "api/search.h"

extern void search_write_trace(const MatchTrace *trace, bool name_known, bool trace_only, Buf *out);

#endif
