/*
 * calls.h
 *	  Traces merged into one tree of calls: spans with the same service and name below the same node are one
 *	  node. Two sides are counted apart, so that one tree can hold what is compared. Plain C.
 *
 * Spans whose parent is missing, or whose parents form a circle, stand below a node of their own at the top,
 * one for all traces.
 */
#ifndef TEMPO_TRACE_CALLS_H
#define TEMPO_TRACE_CALLS_H

#include "trace/tree.h"

#define CALL_SIDES 2

/* What the spans of a node add up to. */
typedef struct CallSide
{
	uint64_t traces; /* that have the node */
	uint64_t spans;
	uint64_t errors;
	int64_t total; /* ns, all durations; stays at INT64_MAX */
	uint32_t ndurations;
	uint32_t cap_durations;
	int64_t *durations; /* ns, of every span; ascending once call_durations() has been asked */
	uint64_t last_trace;
} CallSide;

typedef struct CallNode
{
	int32_t parent; /* index, or -1: at the top */
	uint32_t depth;
	TraceTop top; /* TRACE_ORPHAN, TRACE_CIRCLE: no span, a heading; TRACE_BELOW: anything else */
	Str service;
	Str name;
	CallSide side[CALL_SIDES];
	double starts; /* sum over its spans, ns after the start of the trace */
} CallNode;

typedef struct Calls
{
	Arena *arena;
	uint32_t n;
	uint32_t cap;
	CallNode *nodes; /* parents before children */
	uint32_t *slots; /* hash table of index + 1 */
	uint32_t mask;
	uint64_t seed;
	uint64_t ntraces;
} Calls;

/* Everything is allocated in arena; strings are copied when they are new. */
extern Calls *calls_create(Arena *arena);
/* Add a trace of a sorted batch. scratch holds what is made on the way. */
extern void calls_add(Calls *calls, int side, Batch *batch, uint32_t trace, Arena *scratch);
/* Nodes depth first, children by when they start on average: calls->n indexes. */
extern uint32_t *calls_order(const Calls *calls, Arena *arena);
/* The duration that a share q of a side's spans, 0 to 1, does not exceed (nearest rank); -1: no spans. */
extern int64_t call_duration(CallSide *side, double q);

#endif
