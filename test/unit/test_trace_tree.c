/*
 * test_trace_tree.c
 *	  One trace as a tree, and its critical path: fixed cases drawn as text, and random traces against what
 *	  must hold of any.
 */
#include "trace/calls.h"
#include "unit.h"

#define MS INT64_C(1000000)

static Arena *arena;

typedef struct Span
{
	uint64_t id;
	uint64_t parent;
	int64_t start;
	int64_t duration;
	int kind;
} Span;

static Str
name_of(int kind)
{
	static const char *const names[] = {"k0", "k1", "k2", "k3", "k4", "k5"};

	return str_lit(names[kind]);
}

static Batch *
batch_of(const Span *spans, uint32_t n)
{
	static const uint8_t id[16] = {1};
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;
	RowRef *rows;

	for (uint32_t i = 0; i < n; i++)
	{
		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_SPAN_ID, (int64_t) spans[i].id);
		builder_set_i64(bb, SC_PARENT_ID, (int64_t) spans[i].parent);
		builder_set_i64(bb, SC_START, 1000 + spans[i].start);
		builder_set_i64(bb, SC_DURATION, spans[i].duration);
		builder_set_i64(bb, SC_KIND, spans[i].kind);
		builder_set_bytes(bb, SC_NAME, name_of(spans[i].kind));
		builder_end_span(bb);
	}
	batch = builder_finish(bb);
	rows = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, rows, n);
	batch_make_traces(batch);
	return batch;
}

static TraceTree *
tree_of(const Span *spans, uint32_t n)
{
	return trace_tree_of(batch_of(spans, n), 0, arena);
}

/* Lines as depth and id; headings as ?missing and @. */
static const char *
drawing(const TraceTree *tree)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < tree->nlines; i++)
	{
		const TraceLine *l = &tree->lines[i];

		if (l->span >= 0)
			len += (size_t) sprintf(text + len, "%s%u:%" PRIx64, i ? " " : "", l->depth,
									tree->spans[l->span].id);
		else if (l->top == TRACE_ORPHAN)
			len += (size_t) sprintf(text + len, "%s?%" PRIx64, i ? " " : "", l->id);
		else
			len += (size_t) sprintf(text + len, "%s@", i ? " " : "");
	}
	return text;
}

/* Pieces forwards: from-to:id, - for no span. */
static const char *
path(const TraceTree *tree)
{
	static char text[4096];
	size_t len = 0;
	uint32_t n;
	TracePiece *p = trace_critical_path(tree, arena, &n);

	text[0] = '\0';
	for (uint32_t i = n; i-- > 0;)
	{
		len += (size_t) sprintf(text + len, "%s%" PRId64 "-%" PRId64 ":", len ? " " : "", p[i].from, p[i].to);
		if (p[i].span < 0)
			len += (size_t) sprintf(text + len, "-");
		else
			len += (size_t) sprintf(text + len, "%" PRIx64, tree->spans[p[i].span].id);
	}
	return text;
}

#define TREE(...) tree_of((const Span[]){__VA_ARGS__}, sizeof((const Span[]){__VA_ARGS__}) / sizeof(Span))

static void
test_trees(void)
{
	is_str(drawing(TREE({1, 0, 0, 10})), "0:1", "one span");
	is_str(drawing(TREE({4, 2, 6, 1}, {3, 1, 5, 1}, {2, 1, 1, 8}, {1, 0, 0, 10})), "0:1 1:2 2:4 1:3",
		   "depth first, siblings by start");
	is_str(drawing(TREE({1, 0, 5, 1}, {2, 0, 0, 1}, {3, 1, 6, 1})), "0:2 0:1 1:3", "two roots");
	is_str(drawing(TREE({1, 0, 0, 9}, {2, 0xf, 1, 1}, {3, 0xe, 2, 1}, {4, 0xf, 3, 1}, {5, 4, 4, 1})),
		   "0:1 ?e 1:3 ?f 1:2 1:4 2:5", "orphans below the parent they name");
	is_str(drawing(TREE({1, 2, 0, 1}, {2, 3, 1, 1}, {3, 1, 2, 1}, {4, 2, 3, 1})), "@ 1:1 2:3 3:2 4:4",
		   "a circle");
	is_str(drawing(TREE({1, 1, 0, 1}, {2, 1, 1, 1})), "@ 1:1 2:2", "its own parent");
	is_str(drawing(TREE({1, 0, 0, 9}, {2, 1, 1, 5, 3}, {2, 1, 2, 3, 2}, {3, 2, 3, 1})), "0:1 1:2 2:2 3:3",
		   "server and client share an id");
	is_str(drawing(TREE({1, 0, 0, 9}, {2, 1, 1, 5}, {2, 1, 2, 3}, {3, 2, 3, 1})), "0:1 1:2 2:3 1:2",
		   "others that share one");
	is_str(drawing(TREE({2, 0, 1, 5, 2}, {2, 0, 0, 9, 3})), "0:2 1:2", "shared by roots");
}

static void
test_paths(void)
{
	is_str(path(TREE({1, 0, 0, 10})), "0-10:1", "one span");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 2, 3}, {3, 1, 6, 3})), "0-2:1 2-5:2 5-6:1 6-9:3 9-10:1",
		   "one after the other");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 2, 5}, {3, 1, 4, 5})), "0-4:1 4-9:3 9-10:1",
		   "side by side: the last to finish");
	is_str(path(TREE({1, 0, 0, 90 * MS}, {2, 1, 0, 40 * MS + 9}, {3, 1, 40 * MS, 50 * MS})),
		   "0-40000000:2 40000000-90000000:3", "one after the other by a coarse clock");
	is_str(path(TREE({1, 0, 0, 90 * MS}, {2, 1, 0, 41 * MS}, {3, 1, 40 * MS, 50 * MS})),
		   "0-40000000:1 40000000-90000000:3", "too far in each other for that");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 0, 10}, {3, 2, 0, 10})), "0-10:3", "all the same");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 2, 6}, {3, 2, 3, 2}, {4, 2, 6, 1})),
		   "0-2:1 2-3:2 3-5:3 5-6:2 6-7:4 7-8:2 8-10:1", "children of children");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 8, 6})), "0-8:1 8-10:2 10-14:2",
		   "a child that outlives its parent");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 12, 3})), "0-10:1 10-12:- 12-15:2", "one that begins after it");
	is_str(path(TREE({1, 0, 0, 3}, {2, 0xf, 5, 3})), "0-3:1 3-5:- 5-8:2", "an orphan");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 3, 0}, {3, 1, 3, 4})), "0-3:1 3-7:3 7-10:1",
		   "a child without duration");
	is_str(path(TREE({1, 0, 0, 0})), "", "a trace without duration");
	is_str(path(TREE({1, 0, 0, 10}, {2, 1, 5, -3})), "0-10:1", "a negative duration counts as none");
}

static uint64_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Each span in one line, below its parent; pieces tile the trace and lie within their spans. */
static bool
holds(const TraceTree *tree)
{
	uint8_t *drawn = arena_alloc0(arena, tree->n + 1);
	uint32_t n, spans = 0;
	TracePiece *p = trace_critical_path(tree, arena, &n);
	int64_t at = tree->duration;

	for (uint32_t i = 0; i < tree->nlines; i++)
	{
		const TraceLine *l = &tree->lines[i];

		if (l->span < 0)
			continue;
		spans++;
		if (drawn[l->span]++ || (tree->spans[l->span].parent >= 0 && !drawn[tree->spans[l->span].parent]))
			return false;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		const TraceSpan *s = p[i].span < 0 ? NULL : &tree->spans[p[i].span];

		if (p[i].to != at || p[i].from >= p[i].to ||
			(s && (p[i].from < s->start || p[i].to > s->start + s->duration)))
			return false;
		at = p[i].from;
	}
	return spans == tree->n && (at == 0 || tree->duration == 0);
}

static void
test_random(void)
{
	uint64_t seed = 7;
	bool fine = true;

	for (int round = 0; round < 2000 && fine; round++)
	{
		Arena *outer = arena;
		Span spans[40];
		uint32_t n = 1 + next_random(&seed) % 40;

		arena = arena_create(NULL, 0);
		for (uint32_t i = 0; i < n; i++)
			spans[i] = (Span){.id = 1 + next_random(&seed) % 40,
							  .parent = next_random(&seed) % 44,
							  .start = (int64_t) (next_random(&seed) % 50),
							  .duration = (int64_t) (next_random(&seed) % 30) - 2,
							  .kind = (int) (next_random(&seed) % 6)};
		fine = holds(tree_of(spans, n));
		arena_destroy(arena);
		arena = outer;
	}
	ok(fine, "2000 random traces");
}

static void
test_large(void)
{
	enum
	{
		N = 200000
	};
	Span *spans = arena_alloc0(arena, N * sizeof(Span));
	const TraceTree *tree;

	for (uint32_t i = 0; i < N; i++)
		spans[i] = (Span){.id = i + 1, .parent = i, .start = i, .duration = 2 * (N - i)};
	tree = tree_of(spans, N);
	ok(holds(tree) && tree->lines[N - 1].depth == N - 1, "a chain of %d spans", N);
	spans[0].parent = N;
	tree = tree_of(spans, N);
	ok(holds(tree) && tree->nlines == N + 1, "a circle of as many");
	for (uint32_t i = 0; i < N; i++)
		spans[i].parent = N + i + 1;
	ok(holds(tree_of(spans, N)), "as many orphans");
	for (uint32_t i = 0; i < N; i++)
		spans[i] = (Span){.id = i + 1, .parent = i != 0, .start = i, .duration = INT64_MAX};
	ok(holds(tree_of(spans, N)), "durations without end");
}

/* ---- merged ---- */

/* Nodes in order: depth, name, spans of either side, median of both; headings as (). */
static const char *
merged(const Calls *calls)
{
	static char text[4096];
	uint32_t *order = calls_order(calls, arena);
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < calls->n; i++)
	{
		CallNode *node = &calls->nodes[order[i]];

		len += (size_t) sprintf(text + len, "%s%u:%s%" PRIu64 "/%" PRIu64 "~%" PRId64 "/%" PRId64,
								i ? " " : "", node->depth, node->top != TRACE_BELOW ? "()" : node->name.p,
								node->side[0].spans, node->side[1].spans, call_duration(&node->side[0], 0.5),
								call_duration(&node->side[1], 0.5));
	}
	return text;
}

/* Spans are named by their kind. */
static const char *
merge_two(const Span *a, uint32_t na, const Span *b, uint32_t nb)
{
	Calls *calls = calls_create(arena);

	calls_add(calls, 0, batch_of(a, na), 0, arena);
	calls_add(calls, 1, batch_of(b, nb), 0, arena);
	return merged(calls);
}

#define MERGE(a, b) merge_two(a, sizeof(a) / sizeof(Span), b, sizeof(b) / sizeof(Span))

static void
test_merged(void)
{
	static const Span one[] = {{.id = 1, .duration = 90},
							   {.id = 2, .parent = 1, .start = 5, .duration = 30, .kind = 1},
							   {.id = 3, .parent = 1, .start = 40, .duration = 10, .kind = 1},
							   {.id = 4, .parent = 3, .start = 41, .duration = 1, .kind = 2}};
	static const Span other[] = {{.id = 1, .duration = 50},
								 {.id = 2, .parent = 1, .start = 1, .duration = 7, .kind = 2},
								 {.id = 4, .parent = 9, .start = 2, .duration = 8, .kind = 3},
								 {.id = 5, .parent = 8, .start = 3, .duration = 9, .kind = 3}};

	is_str(MERGE(one, one), "0:k01/1~90/90 1:k12/2~10/10 2:k21/1~1/1", "a trace with itself");
	is_str(MERGE(one, other),
		   "0:k01/1~90/50 1:k20/1~-1/7 1:k12/0~10/-1 2:k21/0~1/-1 0:()0/0~-1/-1 1:k30/2~-1/8",
		   "children by their start, orphans of one kind together");
}

static void
test_merged_large(void)
{
	enum
	{
		N = 100000
	};
	Span *spans = arena_alloc0(arena, N * sizeof(Span));
	Calls *calls = calls_create(arena);
	uint64_t count = 0;

	for (uint32_t i = 0; i < N; i++)
		spans[i] = (Span){.id = i + 1, .parent = i, .start = i, .duration = INT64_MAX};
	for (int side = 0; side < CALL_SIDES; side++)
		calls_add(calls, side, batch_of(spans, N), 0, arena);
	is_i64(calls->n, N, "a chain: as many nodes as spans");
	is_i64(calls->nodes[calls_order(calls, arena)[N - 1]].depth, N - 1, "the last is the deepest");
	for (uint32_t i = 0; i < N; i++)
		spans[i] = (Span){.id = i + 1, .parent = i != 0, .start = i, .duration = INT64_MAX};
	calls = calls_create(arena);
	calls_add(calls, 0, batch_of(spans, N), 0, arena);
	for (uint32_t i = 0; i < calls->n; i++)
		count += calls->nodes[i].side[0].spans;
	ok(calls->n == 2 && count == N, "siblings are one node");
	ok(calls->nodes[1].side[0].total > 0, "durations without end add up to something");
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_trees();
	test_paths();
	test_random();
	test_large();
	test_merged();
	test_merged_large();
	arena_destroy(arena);
	return unit_done();
}
