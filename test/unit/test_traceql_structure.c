/*
 * test_traceql_structure.c
 *	  Structural operators on random traces against their definitions, pair by pair: trees, several roots,
 *	  orphans, cycles, shared ids. The tree numbers come from a recursive numbering of its own. Each trace is
 *	  asked as it was built and out of an image, where parents are rows if ids are plain.
 */
#include <stdio.h>
#include <stdlib.h>

#include "traceql/eval/eval.h"
#include "unit.h"

#define SPANS 24

typedef struct Span
{
	int64_t id;
	int64_t parent;
	int64_t kind;
	int left;
	int right;
	int up; /* nestedSetParent */
	bool a;
	bool b;
} Span;

static uint64_t rng_state = 1;

static int
rnd(int n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int) ((rng_state >> 33) % (uint64_t) n);
}

/* plain: no two spans share an id, and none is its own parent. */
static void
make_trace(Span *spans, bool plain)
{
	for (int i = 0; i < SPANS; i++)
	{
		Span *s = &spans[i];

		memset(s, 0, sizeof(*s));
		s->id = 100 + i;
		if (i > 0 && rnd(12) == 0 && !plain)
			s->id = spans[rnd(i)].id;
		s->parent = rnd(6) == 0 ? 0 : rnd(8) == 0 ? 999 : 100 + rnd(rnd(3) ? i + 1 : SPANS);
		if (plain && s->parent == s->id)
			s->parent = i == 0 ? 0 : 100 + rnd(i);
		s->kind = rnd(6);
		s->a = rnd(3) == 0;
		s->b = rnd(3) == 0;
	}
}

/* Does child name this span as its parent, by the rule for shared ids? */
static bool
is_parent(const Span *spans, int p, int child)
{
	int same = 0;
	int64_t wanted = spans[child].kind == 2 ? 3 : 2;

	if (spans[child].parent == 0 || spans[p].id != spans[child].parent)
		return false;
	for (int i = 0; i < SPANS; i++)
		same += spans[i].id == spans[p].id;
	if (same == 1)
		return true;
	if (spans[p].kind != wanted)
		return false;
	for (int i = 0; i < p; i++)
		if (spans[i].id == spans[p].id && spans[i].kind == wanted)
			return false;
	return true;
}

static void
number(Span *spans, int at, int up, int *counter)
{
	spans[at].left = (*counter)++;
	spans[at].up = up;
	for (int i = 0; i < SPANS; i++)
		if (spans[i].left == 0 && is_parent(spans, at, i))
			number(spans, i, spans[at].left, counter);
	spans[at].right = (*counter)++;
}

static void
number_all(Span *spans)
{
	int counter = 1;

	for (int i = 0; i < SPANS; i++)
	{
		int same = 0;

		for (int j = 0; j < SPANS; j++)
			same += spans[i].id == spans[j].id;
		if (same > 2)
			return;
	}
	for (int i = 0; i < SPANS; i++)
		if (spans[i].parent == 0)
			number(spans, i, -1, &counter);
}

static bool
relates(char op, const Span *l, const Span *r)
{
	switch (op)
	{
		case '>': return l->left != 0 && r->up == l->left;
		case '<': return r->left != 0 && l->up == r->left;
		case 'd': return l->left != 0 && r->left != 0 && l->left < r->left && r->left < l->right;
		case 'u': return l->left != 0 && r->left != 0 && r->left < l->left && l->left < r->right;
		default: return l->up == r->up && r->up != 0 && l != r;
	}
}

static void
expect(const Span *spans, char op, char form, bool *hit)
{
	memset(hit, 0, SPANS * sizeof(bool));
	for (int r = 0; r < SPANS; r++)
	{
		bool some = false;

		for (int l = 0; l < SPANS && spans[r].b; l++)
		{
			if (!spans[l].a || !relates(op, &spans[l], &spans[r]))
				continue;
			some = true;
			if (form == '&')
				hit[l] = true;
		}
		if (spans[r].b && some != (form == '!'))
			hit[r] = true;
	}
}

static Batch *
build(Arena *arena, const Span *spans)
{
	static const uint8_t id[16] = {1};
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;

	for (int i = 0; i < SPANS; i++)
	{
		Value a = {.type = VALUE_BOOL, .b = spans[i].a};
		Value b = {.type = VALUE_BOOL, .b = spans[i].b};

		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_SPAN_ID, spans[i].id);
		builder_set_i64(bb, SC_PARENT_ID, spans[i].parent);
		builder_set_i64(bb, SC_KIND, spans[i].kind);
		builder_set_i64(bb, SC_START, 1000 + i);
		builder_attr(bb, LEVEL_SPAN, str_lit("a"), &a);
		builder_attr(bb, LEVEL_SPAN, str_lit("b"), &b);
		builder_end_span(bb);
	}
	batch = builder_finish(bb);
	batch_make_traces(batch);
	return batch;
}

static void
memory_read(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	memcpy(dst, ((Buf *) ctx)->p + off, len);
}

static void
memory_corrupt(void *ctx, const char *what)
{
	fprintf(stderr, "damaged: %s\n", what);
	abort();
}

/* The batch as a segment's vector has it. */
static Batch *
stored(Arena *arena, Batch *batch)
{
	Buf *bytes = arena_alloc(arena, sizeof(Buf));
	ImageSource source = {memory_read, memory_corrupt, bytes, 0};
	ImageSummary summary;
	Image *image;

	buf_init(bytes, arena, 0);
	image_encode(batch, CODEC_SMALL, bytes, &summary);
	source.len = bytes->len;
	image = image_open(&source, arena);
	image_check(image, arena);
	return image_vector(image, 0, arena);
}

static void
collect(void *ctx, const MatchTrace *trace)
{
	bool *hit = ctx;

	for (uint32_t i = 0; i < trace->sets[0].nspans; i++)
		hit[trace->sets[0].spans[i].row] = true;
}

static bool
agrees(Arena *arena, Batch *batch, const Span *spans, const char *op, char kind, char form)
{
	char text[64];
	bool want[SPANS];
	bool got[SPANS] = {false};
	TraceqlError err;
	const char *why;
	TraceqlOptions options = {.max_spans = 0};
	MatchSink sink = {.ctx = got, .trace = collect};
	TraceqlPlan *plan;

	snprintf(text, sizeof(text), "{ span.a } %s { span.b }", op);
	expect(spans, kind, form, want);
	plan = traceql_plan(arena, traceql_parse(arena, str_lit(text), &err), &why);
	traceql_run_unit(traceql_run_begin(plan, &options, NULL, arena),
					 &(TraceqlUnit){.batch = batch, .source = 1}, arena, &sink);
	traceql_plan_free(plan);
	return memcmp(want, got, sizeof(got)) == 0;
}

int
main(void)
{
	static const struct
	{
		const char *op;
		char kind;
		char form;
	} ops[] = {{">", '>', '='},  {">>", 'd', '='},  {"<", '<', '='},  {"<<", 'u', '='},  {"~", '~', '='},
			   {"!>", '>', '!'}, {"!>>", 'd', '!'}, {"!<", '<', '!'}, {"!<<", 'u', '!'}, {"!~", '~', '!'},
			   {"&>", '>', '&'}, {"&>>", 'd', '&'}, {"&<", '<', '&'}, {"&<<", 'u', '&'}, {"&~", '~', '&'}};

	for (size_t o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	{
		int bad = 0;
		int bad_stored = 0;
		int plain = 0;

		rng_state = 7;
		for (int round = 0; round < 400; round++)
		{
			Arena *arena = arena_create(NULL, 0);
			Span spans[SPANS];
			Batch *batch;

			make_trace(spans, round % 2 == 0);
			number_all(spans);
			batch = build(arena, spans);
			bad += !agrees(arena, batch, spans, ops[o].op, ops[o].kind, ops[o].form);
			batch = stored(arena, batch);
			plain += batch_parent_rows(batch) != NULL;
			bad_stored += !agrees(arena, batch, spans, ops[o].op, ops[o].kind, ops[o].form);
			arena_destroy(arena);
		}
		is_i64(bad, 0, ops[o].op);
		is_i64(bad_stored, 0, ops[o].op);
		ok(plain >= 200 && plain < 300, "ids of %d traces of 400 are plain", plain);
	}
	codec_release();
	return unit_done();
}
