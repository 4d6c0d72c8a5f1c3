/*
 * critical.c
 *	  The critical path of a trace; tree.h has the rule and where it comes from.
 */
#include "trace/tree.h"

#include <stdlib.h>

/* Many SDKs' clocks tick in milliseconds: starts are as much too early, and one child ends within the next.
 */
#define CLOCK_TICK INT64_C(1000000)

/* A span on the way, walked backwards. The trace itself is one, span -1. */
typedef struct Walk
{
	int32_t span;
	int64_t from; /* what of it counts */
	int64_t to;
	int64_t at; /* everything later is settled */
	uint32_t next;
	uint32_t end; /* of its children in Path.order */
} Walk;

typedef struct Path
{
	const TraceTree *tree;
	uint32_t *order; /* children of each span, then the spans at the top; each by end, last first */
	Walk *stack;
	uint32_t depth;
	TracePiece *pieces;
	uint32_t n;
	uint32_t cap;
	Arena *arena;
} Path;

typedef struct Ending
{
	int64_t end;
	uint32_t span;
} Ending;

static int64_t
end_of(const TraceTree *tree, uint32_t span)
{
	return tree->spans[span].start + tree->spans[span].duration;
}

static int
latest_first(const void *a, const void *b)
{
	const Ending *x = a, *y = b;

	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return (x->span < y->span) - (x->span > y->span);
}

static void
sort_by_end(const TraceTree *tree, uint32_t *spans, uint32_t n, Ending *scratch)
{
	if (n < 2)
		return;
	for (uint32_t i = 0; i < n; i++)
		scratch[i] = (Ending){end_of(tree, spans[i]), spans[i]};
	qsort(scratch, n, sizeof(Ending), latest_first);
	for (uint32_t i = 0; i < n; i++)
		spans[i] = scratch[i].span;
}

/*
 * Returns how many children the trace itself has; they stand behind all others: the spans at the top, and
 * those that outlive their parent, for the time after it.
 */
static uint32_t
order_children(Path *path)
{
	const TraceTree *tree = path->tree;
	uint32_t below = tree->child_first[tree->n];
	Ending *scratch = arena_alloc(path->arena, ((size_t) tree->n + 1) * sizeof(Ending));
	uint32_t ntop = 0;

	path->order = arena_alloc(path->arena, (2 * (size_t) tree->n + 1) * sizeof(uint32_t));
	memcpy(path->order, tree->children, below * sizeof(uint32_t));
	for (uint32_t i = 0; i < tree->n; i++)
	{
		sort_by_end(tree, path->order + tree->child_first[i], tree->child_first[i + 1] - tree->child_first[i],
					scratch);
		if (tree->spans[i].parent < 0 || end_of(tree, i) > end_of(tree, (uint32_t) tree->spans[i].parent))
			path->order[below + ntop++] = i;
	}
	sort_by_end(tree, path->order + below, ntop, scratch);
	return ntop;
}

/* [from, to) is the span's own. */
static void
add_piece(Path *path, int32_t span, int64_t from, int64_t to)
{
	if (from >= to)
		return;
	if (path->n == path->cap)
	{
		uint32_t cap = path->cap ? path->cap * 2 : 64;

		path->pieces = arena_grow(path->arena, path->pieces, path->cap * sizeof(TracePiece),
								  (size_t) cap * sizeof(TracePiece));
		path->cap = cap;
	}
	path->pieces[path->n++] = (TracePiece){span, from, to};
}

static void
enter(Path *path, uint32_t span, int64_t from, int64_t to)
{
	const TraceTree *tree = path->tree;

	path->stack[path->depth++] = (Walk){.span = (int32_t) span,
										.from = from,
										.to = to,
										.at = to,
										.next = tree->child_first[span],
										.end = tree->child_first[span + 1]};
}

static int64_t
begins(const TraceTree *tree, const Walk *w, uint32_t child)
{
	const TraceSpan *s = &tree->spans[child];
	bool after_parent = w->span < 0 && s->parent >= 0 && s->start < end_of(tree, (uint32_t) s->parent);

	return after_parent ? end_of(tree, (uint32_t) s->parent) : s->start;
}

/* Had what ran from..to finished by then, as far as clocks tell? */
static bool
finished(int64_t from, int64_t to, int64_t then)
{
	int64_t over = to - then;

	return over <= 0 || (over < CLOCK_TICK && over <= (to - from) / 2);
}

/* One child more of the span on top of the stack, or its end. */
static void
step(Path *path)
{
	Walk *w = &path->stack[path->depth - 1];
	const TraceTree *tree = path->tree;
	int64_t from, to;
	uint32_t child;

	if (w->next == w->end)
	{
		add_piece(path, w->span, w->from, w->at);
		path->depth--;
		return;
	}
	child = path->order[w->next++];
	from = begins(tree, w, child);
	from = from > w->from ? from : w->from;
	to = end_of(tree, child) < w->to ? end_of(tree, child) : w->to;
	/* outside its parent, or still running when what was waited for began */
	if (from >= to || !finished(from, to, w->at))
		return;
	to = to < w->at ? to : w->at;
	add_piece(path, w->span, to, w->at);
	w->at = from;
	enter(path, child, from, to);
}

TracePiece *
trace_critical_path(const TraceTree *tree, Arena *arena, uint32_t *n)
{
	Path path = {.tree = tree, .arena = arena};
	uint32_t ntop = order_children(&path);
	uint32_t below = tree->child_first[tree->n];

	/* a span stands above its parent or the trace, so once at most */
	path.stack = arena_alloc(arena, ((size_t) tree->n + 2) * sizeof(Walk));
	path.stack[path.depth++] = (Walk){.span = -1,
									  .from = 0,
									  .to = tree->duration,
									  .at = tree->duration,
									  .next = below,
									  .end = below + ntop};
	while (path.depth)
		step(&path);
	*n = path.n;
	return path.pieces;
}
