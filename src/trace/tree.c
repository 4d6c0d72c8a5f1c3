/*
 * tree.c
 *	  Parents, children and the lines of the drawing. No recursion: a trace may be one long chain.
 */
#include "trace/tree.h"

#include <stdlib.h>

#define KIND_SERVER 2
#define KIND_CLIENT 3

/* ---- spans ---- */

static void
read_spans(Batch *batch, uint32_t row, TraceTree *tree)
{
	const int64_t *id = batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64 + row;
	const int64_t *parent = batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64 + row;
	const int64_t *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64 + row;
	const int64_t *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION)->i64 + row;
	uint64_t first = tree->n ? (uint64_t) start[0] : 0;

	for (uint32_t i = 0; i < tree->n; i++)
	{
		TraceSpan *s = &tree->spans[i];
		uint64_t after = (uint64_t) start[i] - first;

		s->id = (uint64_t) id[i];
		s->parent_id = (uint64_t) parent[i];
		/* so that sums stay within an int64, whatever the clocks said */
		s->start = after < INT64_MAX / 2 ? (int64_t) after : INT64_MAX / 2;
		s->duration = duration[i] < 0 ? 0 : duration[i] < INT64_MAX / 2 ? duration[i] : INT64_MAX / 2;
		s->parent = -1;
		if (s->start + s->duration > tree->duration)
			tree->duration = s->start + s->duration;
	}
}

/* ---- parents ---- */

typedef struct ById
{
	uint64_t id;
	uint32_t rank; /* servers before others */
	uint32_t span;
} ById;

static int
compare_ids(const void *a, const void *b)
{
	const ById *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->span > y->span) - (x->span < y->span);
}

/* The first entry of an id, or NULL. */
static const ById *
find_id(const ById *index, uint32_t n, uint64_t id)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi)
	{
		uint32_t mid = lo + (hi - lo) / 2;

		if (index[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && index[lo].id == id ? &index[lo] : NULL;
}

static int32_t
client_of(const ById *index, uint32_t n, const ById *server, const int64_t *kind)
{
	for (const ById *e = server + 1; e < index + n && e->id == server->id; e++)
		if (kind[e->span] == KIND_CLIENT)
			return (int32_t) e->span;
	return -1;
}

static void
find_parents(Batch *batch, uint32_t row, TraceTree *tree, Arena *arena)
{
	const int64_t *kind = batch_column(batch, LEVEL_SPAN, SC_KIND)->i64 + row;
	ById *index = arena_alloc(arena, ((size_t) tree->n + 1) * sizeof(ById));

	for (uint32_t i = 0; i < tree->n; i++)
		index[i] = (ById){tree->spans[i].id, kind[i] != KIND_SERVER, i};
	qsort(index, tree->n, sizeof(ById), compare_ids);
	for (uint32_t i = 0; i < tree->n; i++)
	{
		TraceSpan *s = &tree->spans[i];
		const ById *own = find_id(index, tree->n, s->id);
		const ById *up = s->parent_id ? find_id(index, tree->n, s->parent_id) : NULL;
		int32_t client = own->span == i && own->rank == 0 ? client_of(index, tree->n, own, kind) : -1;

		if (client >= 0)
			s->parent = client;
		else if (up && up->span != i)
			s->parent = (int32_t) up->span;
		s->top = s->parent >= 0      ? TRACE_BELOW
				 : s->parent_id == 0 ? TRACE_ROOT
				 : up                ? TRACE_CIRCLE
									 : TRACE_ORPHAN;
	}
}

/* Circles are cut above their earliest span. */
static void
cut_circles(TraceTree *tree, Arena *arena)
{
	uint32_t *seen = arena_alloc0(arena, ((size_t) tree->n + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < tree->n; i++)
	{
		int32_t at = (int32_t) i, first;

		while (at >= 0 && seen[at] == 0)
		{
			seen[at] = i + 1;
			at = tree->spans[at].parent;
		}
		if (at < 0 || seen[at] != i + 1)
			continue;
		/* this walk has met itself */
		first = at;
		for (int32_t k = tree->spans[at].parent; k != at; k = tree->spans[k].parent)
			first = k < first ? k : first;
		tree->spans[first].parent = -1;
		tree->spans[first].top = TRACE_CIRCLE;
	}
}

static void
list_children(TraceTree *tree, Arena *arena)
{
	uint32_t *next = arena_alloc(arena, ((size_t) tree->n + 1) * sizeof(uint32_t));

	tree->child_first = arena_alloc0(arena, ((size_t) tree->n + 2) * sizeof(uint32_t));
	tree->children = arena_alloc(arena, ((size_t) tree->n + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < tree->n; i++)
		if (tree->spans[i].parent >= 0)
			tree->child_first[tree->spans[i].parent + 1]++;
	for (uint32_t i = 0; i < tree->n; i++)
		tree->child_first[i + 1] += tree->child_first[i];
	memcpy(next, tree->child_first, tree->n * sizeof(uint32_t));
	for (uint32_t i = 0; i < tree->n; i++)
		if (tree->spans[i].parent >= 0)
			tree->children[next[tree->spans[i].parent]++] = i;
}

/* ---- lines ---- */

/* The span and all below it, depth first. */
static void
draw_span(TraceTree *tree, uint32_t top, uint32_t depth, uint32_t *next)
{
	uint32_t at = top;
	uint32_t base = depth;

	for (;;)
	{
		tree->lines[tree->nlines++] = (TraceLine){.span = (int32_t) at, .depth = depth};
		next[at] = tree->child_first[at];
		while (next[at] == tree->child_first[at + 1])
		{
			if (depth == base)
				return;
			at = (uint32_t) tree->spans[at].parent;
			depth--;
		}
		at = tree->children[next[at]++];
		depth++;
	}
}

typedef struct Heading
{
	TraceTop top;
	uint64_t id;
	uint32_t span;
} Heading;

static int
compare_headings(const void *a, const void *b)
{
	const Heading *x = a, *y = b;

	if (x->top != y->top)
		return x->top < y->top ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->span > y->span) - (x->span < y->span);
}

static void
draw(TraceTree *tree, Arena *arena)
{
	uint32_t *next = arena_alloc(arena, ((size_t) tree->n + 1) * sizeof(uint32_t));
	Heading *tops = arena_alloc(arena, ((size_t) tree->n + 1) * sizeof(Heading));
	uint32_t ntops = 0;

	/* at most a heading for each span */
	tree->lines = arena_alloc(arena, (2 * (size_t) tree->n + 1) * sizeof(TraceLine));
	for (uint32_t i = 0; i < tree->n; i++)
	{
		const TraceSpan *s = &tree->spans[i];

		if (s->top != TRACE_BELOW)
			tops[ntops++] = (Heading){s->top, s->top == TRACE_ORPHAN ? s->parent_id : 0, i};
	}
	qsort(tops, ntops, sizeof(Heading), compare_headings);
	for (uint32_t i = 0; i < ntops; i++)
	{
		const Heading *h = &tops[i];

		if (h->top != TRACE_ROOT && (i == 0 || h[-1].top != h->top || h[-1].id != h->id))
			tree->lines[tree->nlines++] = (TraceLine){.span = -1, .top = h->top, .id = h->id};
		draw_span(tree, h->span, h->top != TRACE_ROOT, next);
	}
}

TraceTree *
trace_tree_of(Batch *batch, uint32_t trace, Arena *arena)
{
	TraceTree *tree = arena_alloc0(arena, sizeof(TraceTree));
	uint32_t row = batch->trace_first[trace];

	tree->n = batch->trace_first[trace + 1] - row;
	tree->spans = arena_alloc0(arena, ((size_t) tree->n + 1) * sizeof(TraceSpan));
	read_spans(batch, row, tree);
	find_parents(batch, row, tree, arena);
	cut_circles(tree, arena);
	list_children(tree, arena);
	draw(tree, arena);
	return tree;
}
