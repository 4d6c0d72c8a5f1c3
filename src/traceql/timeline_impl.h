/*
 * timeline_impl.h
 *	  Shares of compare() for processes that each read everything (timeline_shares.c).
 */
#ifndef TEMPO_TRACEQL_TIMELINE_IMPL_H
#define TEMPO_TRACEQL_TIMELINE_IMPL_H

#include "traceql/timeline.h"

/* About equal work each, as far as the newest segment tells. */
extern MetricsShares *timeline_make_shares(Source *source, uint32 nshares, Arena *arena);
/* As bytes for a worker, and back. Keys of what was taken point into the bytes. */
extern void timeline_put_shares(const MetricsShares *shares, Buf *out);
extern MetricsShares *timeline_take_shares(Str bytes, Arena *arena);

#endif
