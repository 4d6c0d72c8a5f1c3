/*
 * trace_lookup.h
 *	  All spans of one trace, wherever they are stored: segments and recent batches of every partition.
 *
 * Segments are passed over by the trace-id range of their directory entry and by their bloom filter; the
 * index of traces names the vector, of which only the columns that are asked for are decoded.
 */
#ifndef TEMPO_TRACE_LOOKUP_H
#define TEMPO_TRACE_LOOKUP_H

#include "postgres.h"
#include "span/batch.h"

/*
 * One sorted batch of the trace's spans with LEVEL_TRACE made, or NULL when there are none. tenant NULL: of
 * all tenants. from and to (unix ns, unsigned) pass over units that lie outside; spans are not cut. Only
 * spans that the current user may see: 42501 without SELECT on tempo.spans, and the policies of row-level
 * security hold. Needs an active snapshot. Allocated in arena, but strings may stand in images that stay only
 * until the memory context current at the call goes.
 */
extern Batch *trace_lookup(const uint8 trace_id[16], const char *tenant, uint64 from, uint64 to,
						   Arena *arena);

#endif
