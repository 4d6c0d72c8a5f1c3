/*
 * tree.c
 *	  Nested-set numbers and child counts of a trace, on demand (section "Tree numbering" of
 *	  doc/traceql.md). Linear in the spans of the trace; no recursion, so depth does not matter.
 */
#include "traceql/eval/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define KIND_SERVER 2
#define KIND_CLIENT 3
#define NOBODY      UINT32_MAX

/* Work space for one trace; spans are numbered from 0 within it. */
typedef struct Numbering
{
	uint32_t n;
	const int64_t *id;
	const int64_t *parent;
	const int64_t *kind;
	uint32_t mask;
	uint32_t *table; /* span id -> span */
	uint32_t *twin;  /* the other span with the same id */
	uint32_t *up;
	uint32_t *down; /* first child */
	uint32_t *next; /* sibling */
	uint32_t *order;
} Numbering;

typedef struct Tie
{
	uint64_t id;
	uint32_t span;
} Tie;

static int
by_id(const void *a, const void *b)
{
	const Tie *x = a;
	const Tie *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->span > y->span) - (x->span < y->span);
}

/*
 * Roots and siblings are visited by start, and by id when they start at the same instant, so that the
 * numbers do not depend on the order spans were stored in.
 */
static void
order_spans(Numbering *w, const int64_t *start, Arena *arena)
{
	Tie *ties = NULL;

	for (uint32_t from = 0, to; from < w->n; from = to)
	{
		w->order[from] = from;
		for (to = from + 1; to < w->n && start[to] == start[from]; to++)
			w->order[to] = to;
		if (to - from == 1)
			continue;
		if (!ties)
			ties = arena_alloc(arena, (w->n - from) * sizeof(Tie));
		for (uint32_t i = from; i < to; i++)
			ties[i - from] = (Tie){(uint64_t) w->id[i], i};
		qsort(ties, to - from, sizeof(Tie), by_id);
		for (uint32_t i = from; i < to; i++)
			w->order[i] = ties[i - from].span;
	}
}

static uint32_t
probe(const Numbering *w, int64_t id)
{
	uint32_t h = (uint32_t) (((uint64_t) id * 0x9e3779b97f4a7c15u) >> 32) & w->mask;

	while (w->table[h] != NOBODY && w->id[w->table[h]] != id)
		h = (h + 1) & w->mask;
	return h;
}

/* false: three spans share an id. */
static bool
index_ids(Numbering *w)
{
	for (uint32_t i = 0; i < w->n; i++)
	{
		uint32_t h;

		w->twin[i] = NOBODY;
		if (w->id[i] == 0)
			continue;
		h = probe(w, w->id[i]);
		if (w->table[h] == NOBODY)
			w->table[h] = i;
		else if (w->twin[w->table[h]] != NOBODY)
			return false;
		else
			w->twin[w->table[h]] = i;
	}
	return true;
}

/* The span that the parent id of i means. Of two with one id, a server's parent is the client half. */
static uint32_t
find_parent(const Numbering *w, uint32_t i)
{
	uint32_t p = w->parent[i] == 0 ? NOBODY : w->table[probe(w, w->parent[i])];
	int64_t wanted = w->kind[i] == KIND_SERVER ? KIND_CLIENT : KIND_SERVER;

	if (p == NOBODY || w->twin[p] == NOBODY)
		return p;
	if (w->kind[p] == wanted)
		return p;
	return w->kind[w->twin[p]] == wanted ? w->twin[p] : NOBODY;
}

static void
link_children(Numbering *w, int32_t *children)
{
	for (uint32_t i = 0; i < w->n; i++)
		w->down[i] = NOBODY;
	for (uint32_t k = w->n; k-- > 0;)
	{
		uint32_t i = w->order[k];
		uint32_t p = find_parent(w, i);

		w->up[i] = p;
		if (p == NOBODY)
			continue;
		w->next[i] = w->down[p];
		w->down[p] = i;
		if (p != i)
			children[p]++;
	}
}

/* Depth first from a root; the counter goes on from root to root. */
static int32_t
number_from(const Numbering *w, uint32_t root, int32_t counter, Tree *tree, uint32_t base)
{
	uint32_t at = root;

	tree->left[base + at] = counter++;
	tree->parent[base + at] = -1;
	for (;;)
	{
		uint32_t to = w->down[at];

		if (to == NOBODY)
		{
			while (tree->right[base + at] = counter++, at != root && w->next[at] == NOBODY)
				at = w->up[at];
			if (at == root)
				return counter;
			to = w->next[at];
		}
		tree->left[base + to] = counter++;
		tree->parent[base + to] = tree->left[base + w->up[to]];
		at = to;
	}
}

static void
number_trace(TraceqlRun *run, Tree *tree, uint32_t base, uint32_t n)
{
	Batch *batch = run->unit.batch;
	Arena *arena = run->scratch;
	Numbering w = {.n = n};
	uint32_t size = 8;
	int32_t counter = 1;

	while (size < 2 * (uint64_t) n && size < (1u << 31))
		size *= 2;
	w.mask = size - 1;
	w.id = batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64 + base;
	w.parent = batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64 + base;
	w.kind = batch_column(batch, LEVEL_SPAN, SC_KIND)->i64 + base;
	w.table = arena_alloc(arena, size * sizeof(uint32_t));
	memset(w.table, 0xff, size * sizeof(uint32_t));
	w.twin = arena_alloc(arena, 5 * (size_t) n * sizeof(uint32_t));
	w.up = w.twin + n;
	w.down = w.up + n;
	w.next = w.down + n;
	w.order = w.next + n;
	order_spans(&w, batch_column(batch, LEVEL_SPAN, SC_START)->i64 + base, arena);
	if (!index_ids(&w))
		return;
	link_children(&w, tree->children + base);
	for (uint32_t k = 0; k < n; k++)
	{
		if (w.parent[w.order[k]] == 0)
			counter = number_from(&w, w.order[k], counter, tree, base);
	}
	/* Without a root nothing is connected, and nobody has children. */
	if (counter == 1)
		memset(tree->children + base, 0, n * sizeof(int32_t));
}

static void
refuse_large(TraceqlRun *run, uint32_t trace, uint32_t n)
{
	const uint8_t *id = batch_column(run->unit.batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) trace;
	char hex[33];
	char message[200];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	snprintf(message, sizeof(message),
			 "trace %s has %u spans, too many to work out its structure (tempo.max_trace_spans is %u)", hex,
			 n, run->options.max_trace);
	run_fail(run, message);
}

void
tree_check_size(TraceqlRun *run, uint32_t trace)
{
	uint32_t n = run->unit.first[trace + 1] - run->unit.first[trace];

	if (run->options.max_trace && n > run->options.max_trace)
		refuse_large(run, trace, n);
}

const Tree *
tree_of(TraceqlRun *run, uint32_t trace)
{
	Unit *unit = &run->unit;
	Tree *tree = &unit->tree;
	uint32_t n = unit->first[trace + 1] - unit->first[trace];

	if (!tree->ready)
	{
		size_t nrows = (size_t) unit->nrows + 1;

		tree->ready = arena_alloc0(run->scratch, unit->ntraces + 1);
		tree->left = arena_alloc0(run->scratch, 4 * nrows * sizeof(int32_t));
		tree->right = tree->left + nrows;
		tree->parent = tree->right + nrows;
		tree->children = tree->parent + nrows;
	}
	if (!tree->ready[trace])
	{
		tree_check_size(run, trace);
		number_trace(run, tree, unit->first[trace], n);
		tree->ready[trace] = 1;
	}
	return tree;
}
