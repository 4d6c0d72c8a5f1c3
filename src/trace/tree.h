/*
 * tree.h
 *	  One trace as a tree, for people: who called whom in which order, and which spans its duration is made
 *	  of. Plain C.
 *
 * Unlike the numbering that TraceQL's structural operators use (eval/tree.c), nothing is left out here:
 * spans whose parent is missing, and those whose parents form a circle, stand at the top beside the roots.
 * Of spans with one id the server's is the parent of those that name it, and the client's is the parent of
 * the server's, as with Zipkin's shared ids.
 */
#ifndef TEMPO_TRACE_TREE_H
#define TEMPO_TRACE_TREE_H

#include "span/batch.h"

typedef enum TraceTop
{
	TRACE_BELOW,  /* has a parent here */
	TRACE_ROOT,   /* names none */
	TRACE_ORPHAN, /* names one that is not here */
	TRACE_CIRCLE  /* would be its own ancestor */
} TraceTop;

typedef struct TraceSpan
{
	uint64_t id;
	uint64_t parent_id;
	int64_t start;    /* ns after the start of the trace */
	int64_t duration; /* ns, never negative */
	int32_t parent;   /* index, or -1 */
	TraceTop top;
} TraceSpan;

/* A line of the drawing: a span, or a heading above spans without parents. */
typedef struct TraceLine
{
	int32_t span; /* index, or -1: a heading */
	TraceTop top; /* of the heading's spans */
	uint64_t id;  /* ORPHAN: the parent they name */
	uint32_t depth;
} TraceLine;

typedef struct TraceTree
{
	uint32_t n; /* spans of the trace, in the order of the batch: by start */
	TraceSpan *spans;
	uint32_t *child_first; /* n + 1, into children */
	uint32_t *children;    /* by start */
	int64_t duration;      /* of the trace */
	uint32_t nlines;
	TraceLine *lines; /* roots, then headings with their spans */
} TraceTree;

/* A trace of a sorted batch, by its number in LEVEL_TRACE. Everything is allocated in arena. */
extern TraceTree *trace_tree_of(Batch *batch, uint32_t trace, Arena *arena);

/* A stretch of the critical path. */
typedef struct TracePiece
{
	int32_t span; /* index, or -1: no span */
	int64_t from; /* ns after the start of the trace */
	int64_t to;
} TracePiece;

/*
 * The critical path, backwards in time: pieces that cover the trace from its end to its start without gaps
 * or overlaps. *n is their number. Pieces are not empty, unless the whole trace is.
 *
 * The rule is that of CRISP (Zhang, Ramanathan et al., "CRISP: Critical Path Analysis of Large-Scale
 * Microservice Architectures", USENIX ATC 2022) and of Jaeger's trace view: from the end of a span, the child
 * that finishes last is what it waited for; before the start of that one, the child that had finished last by
 * then, and so on; what lies between is the span's own. Children are cut at the ends of their parent. A
 * child that ends less than a millisecond, and less than half of itself, after the start of the next had
 * finished: clocks that tick in milliseconds look like that. The spans at the top are children of the trace,
 * and so are those that outlive their parent, from its end on, which is more than those two say: they look
 * at the time of the root alone.
 */
extern TracePiece *trace_critical_path(const TraceTree *tree, Arena *arena, uint32_t *n);

#endif
