/*
 * calls.c
 *	  Merging traces into a tree of calls.
 */
#include "trace/calls.h"

#include <math.h>
#include <stdlib.h>

#include "span/intern.h"

#define STATUS_ERROR 2

Calls *
calls_create(Arena *arena)
{
	Calls *calls = arena_alloc0(arena, sizeof(Calls));

	calls->arena = arena;
	calls->seed = intern_seed();
	return calls;
}

/* ---- nodes ---- */

static uint32_t
hash_node(const Calls *calls, int32_t parent, TraceTop top, Str service, Str name)
{
	uint64_t h = intern_mix(calls->seed ^ (uint32_t) parent, 0x9e3779b97f4a7c15ULL + top);

	h = intern_mix(h ^ 0xe7037ed1a0b428dbULL, intern_hash(service, calls->seed) | UINT64_C(1) << 63);
	return (uint32_t) intern_mix(h ^ calls->seed, intern_hash(name, calls->seed) | UINT64_C(1) << 63);
}

static bool
is_node(const CallNode *node, int32_t parent, TraceTop top, Str service, Str name)
{
	return node->parent == parent && node->top == top && str_eq(node->name, name) &&
		   str_eq(node->service, service);
}

/* The slot of a node, or the free one it would take. */
static uint32_t
find_slot(const Calls *calls, int32_t parent, TraceTop top, Str service, Str name)
{
	uint32_t i = hash_node(calls, parent, top, service, name) & calls->mask;

	while (calls->slots[i] != 0 && !is_node(&calls->nodes[calls->slots[i] - 1], parent, top, service, name))
		i = (i + 1) & calls->mask;
	return i;
}

static void
grow(Calls *calls)
{
	uint32_t cap = calls->cap ? calls->cap * 2 : 64;

	calls->nodes = arena_grow(calls->arena, calls->nodes, calls->cap * sizeof(CallNode),
							  (size_t) cap * sizeof(CallNode));
	calls->cap = cap;
	calls->mask = cap * 2 - 1;
	calls->slots = arena_alloc0(calls->arena, ((size_t) calls->mask + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < calls->n; i++)
	{
		const CallNode *c = &calls->nodes[i];

		calls->slots[find_slot(calls, c->parent, c->top, c->service, c->name)] = i + 1;
	}
}

static Str
copy(Arena *arena, Str s)
{
	return str_of(s.len ? arena_dup(arena, s.p, s.len) : "", s.len);
}

static int32_t
node_at(Calls *calls, int32_t parent, TraceTop top, Str service, Str name)
{
	uint32_t slot;
	CallNode *node;

	if (calls->n == calls->cap)
		grow(calls);
	slot = find_slot(calls, parent, top, service, name);
	if (calls->slots[slot] != 0)
		return (int32_t) calls->slots[slot] - 1;
	node = &calls->nodes[calls->n++];
	*node = (CallNode){.parent = parent, .top = top};
	node->depth = parent < 0 ? 0 : calls->nodes[parent].depth + 1;
	node->service = copy(calls->arena, service);
	node->name = copy(calls->arena, name);
	calls->slots[slot] = calls->n;
	return (int32_t) calls->n - 1;
}

/* ---- adding ---- */

static void
keep_duration(Calls *calls, CallSide *side, int64_t duration)
{
	if (side->ndurations == side->cap_durations)
	{
		uint32_t cap = side->cap_durations ? side->cap_durations * 2 : 4;

		side->durations = arena_grow(calls->arena, side->durations, side->cap_durations * sizeof(int64_t),
									 (size_t) cap * sizeof(int64_t));
		side->cap_durations = cap;
	}
	side->durations[side->ndurations++] = duration;
}

static void
count_trace(Calls *calls, CallSide *side)
{
	side->traces += side->last_trace != calls->ntraces;
	side->last_trace = calls->ntraces;
}

static void
count_span(Calls *calls, CallNode *node, int side, const TraceSpan *span, bool error)
{
	CallSide *s = &node->side[side];

	count_trace(calls, s);
	s->spans++;
	s->errors += error;
	s->total = span->duration > INT64_MAX - s->total ? INT64_MAX : s->total + span->duration;
	node->starts += (double) span->start;
	keep_duration(calls, s, span->duration);
}

void
calls_add(Calls *calls, int side, Batch *batch, uint32_t trace, Arena *scratch)
{
	TraceTree *tree = trace_tree_of(batch, trace, scratch);
	const Column *service = batch_column(batch, LEVEL_SPAN, SC_SERVICE);
	const Column *name = batch_column(batch, LEVEL_SPAN, SC_NAME);
	const int64_t *status = batch_column(batch, LEVEL_SPAN, SC_STATUS)->i64;
	int32_t *node_of = arena_alloc(scratch, ((size_t) tree->n + 1) * sizeof(int32_t));
	int32_t heading = -1;

	calls->ntraces++;
	for (uint32_t i = 0; i < tree->nlines; i++)
	{
		const TraceLine *line = &tree->lines[i];
		const TraceSpan *span;
		uint32_t row;
		int32_t parent;

		if (line->span < 0)
		{
			heading = node_at(calls, -1, line->top, str_lit(""), str_lit(""));
			count_trace(calls, &calls->nodes[heading].side[side]);
			continue;
		}
		span = &tree->spans[line->span];
		row = batch->trace_first[trace] + (uint32_t) line->span;
		parent = span->parent >= 0 ? node_of[span->parent] : span->top == TRACE_ROOT ? -1 : heading;
		node_of[line->span] =
			node_at(calls, parent, TRACE_BELOW, column_str(service, row), column_str(name, row));
		count_span(calls, &calls->nodes[node_of[line->span]], side, span, status[row] == STATUS_ERROR);
	}
}

/* ---- reading ---- */

static double
mean_start(const CallNode *node)
{
	uint64_t spans = node->side[0].spans + node->side[1].spans;

	return spans ? node->starts / (double) spans : HUGE_VAL;
}

typedef struct Sibling
{
	uint32_t node;
	int32_t parent;
	double start;
} Sibling;

static int
compare_siblings(const void *a, const void *b)
{
	const Sibling *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

uint32_t *
calls_order(const Calls *calls, Arena *arena)
{
	Sibling *sorted = arena_alloc(arena, ((size_t) calls->n + 1) * sizeof(Sibling));
	uint32_t *first = arena_alloc0(arena, ((size_t) calls->n + 3) * sizeof(uint32_t));
	uint32_t *stack = arena_alloc(arena, ((size_t) calls->n + 1) * sizeof(uint32_t));
	uint32_t *out = arena_alloc(arena, ((size_t) calls->n + 1) * sizeof(uint32_t));
	uint32_t nstack = 0, nout = 0;

	/* children of node p are sorted[first[p + 1] .. first[p + 2]); of the top, p is -1 */
	for (uint32_t i = 0; i < calls->n; i++)
	{
		sorted[i] = (Sibling){i, calls->nodes[i].parent, mean_start(&calls->nodes[i])};
		first[calls->nodes[i].parent + 2]++;
	}
	for (uint32_t i = 0; i <= calls->n; i++)
		first[i + 1] += first[i];
	qsort(sorted, calls->n, sizeof(Sibling), compare_siblings);
	for (uint32_t k = first[1]; k-- > first[0];)
		stack[nstack++] = sorted[k].node;
	while (nstack > 0)
	{
		uint32_t at = stack[--nstack];

		out[nout++] = at;
		for (uint32_t k = first[at + 2]; k-- > first[at + 1];)
			stack[nstack++] = sorted[k].node;
	}
	return out;
}

static int
compare_durations(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

int64_t
call_duration(CallSide *side, double q)
{
	double rank = ceil(q * side->ndurations);

	if (side->ndurations == 0)
		return -1;
	if (side->cap_durations != 0)
	{
		/* sorted once: nothing is added afterwards */
		qsort(side->durations, side->ndurations, sizeof(int64_t), compare_durations);
		side->cap_durations = 0;
	}
	return side->durations[rank < 1 ? 0 : (uint32_t) rank - 1];
}
