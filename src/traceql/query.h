/*
 * query.h
 *	  What everything that runs a TraceQL query in the server shares: settings, limits, errors.
 */
#ifndef TEMPO_TRACEQL_QUERY_H
#define TEMPO_TRACEQL_QUERY_H

#include "postgres.h"
#include "port/atomics.h"
#include "traceql/eval/eval.h"

/* Settings tempo.query_memory and tempo.max_trace_spans. Called once, from _PG_init. */
extern void traceql_define_settings(void);

/* Hears cancel, and raises (53400) when context and what is below hold more than tempo.query_memory. */
extern void query_check_memory(MemoryContext context);
/* The same before so many bytes more are taken; a TraceqlHooks.room whose ctx is the context. */
extern void query_check_room(void *context, size_t bytes);
/*
 * From now on the limit is on what n processes hold together, each of which keeps its number in its place;
 * held NULL: there is only this one again. over, when not NULL: nonzero ends the query.
 */
extern void query_share_memory(pg_atomic_uint64 *held, int n, int mine, pg_atomic_uint32 *over);
extern uint32 query_max_trace_spans(void);

/* Times as SQL arguments give them, as unix nanoseconds, both inclusive. */
typedef struct QueryRange
{
	bool has_from;
	bool has_to;
	int64 from;
	int64 to;
} QueryRange;

/* timestamptz; NULL or infinite: no bound. The end means all of its microsecond. */
extern QueryRange query_time_range(const NullableDatum *start, const NullableDatum *end);

/* The tree of a query; raises 42601 or 0A000 with the position in the text when it is refused. */
extern TraceqlQuery *query_parse(Arena *arena, Str text);

/* Interrupts, and failures of evaluation as 22000. */
extern const TraceqlHooks query_hooks;

#endif
