/*
 * search_answer.c
 *	  Keeping the newest traces: a heap with the oldest kept trace on top.
 *
 * A trace that was kept and later pushed out leaves its text behind; texts live in two arenas, and when the
 * dead ones outweigh the living the living are moved to the other and the first is emptied. So memory is
 * bounded by twice what the answer needs.
 */
#include "api/search.h"
#include "api/search_internal.h"

#include <stdlib.h>

#include "api/json_write.h"

typedef struct Kept
{
	int64_t start;
	uint8_t trace_id[16];
	Str text;
} Kept;

struct SearchAnswer
{
	Arena *arena;     /* the heap's array; the answer itself */
	Arena *texts;     /* rendered traces */
	uint64_t live;    /* bytes of texts in use */
	uint64_t written; /* bytes of texts since texts was emptied */
	bool name_known;
	bool trace_only;
	uint32_t limit;
	uint32_t n;
	uint32_t cap;
	Kept *heap;
};

#define MIN_COMPACT (UINT64_C(4) << 20)

SearchAnswer *
search_answer_create(Arena *arena, uint32_t limit, bool name_known, bool trace_only)
{
	SearchAnswer *a = arena_alloc0(arena, sizeof(SearchAnswer));

	a->arena = arena;
	a->texts = arena_create_like(arena, 0);
	a->limit = limit;
	a->name_known = name_known;
	a->trace_only = trace_only;
	a->cap = limit < 64 ? limit : 64;
	a->heap = arena_alloc(arena, sizeof(Kept) * a->cap);
	return a;
}

/* Does x come before y in the answer? Newest first. */
static bool
newer(int64_t start, const uint8_t *id, const Kept *y)
{
	if (start != y->start)
		return (uint64_t) start > (uint64_t) y->start;
	return memcmp(id, y->trace_id, 16) < 0;
}

/* Heap order: the parent is not newer than its children. */
static void
sift_up(Kept *heap, uint32_t i)
{
	while (i > 0 && newer(heap[(i - 1) / 2].start, heap[(i - 1) / 2].trace_id, &heap[i]))
	{
		Kept t = heap[i];

		heap[i] = heap[(i - 1) / 2];
		heap[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

static void
sift_down(Kept *heap, uint32_t n)
{
	for (uint32_t i = 0;;)
	{
		uint32_t oldest = i;
		Kept t = heap[i];

		for (uint32_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
			if (newer(heap[oldest].start, heap[oldest].trace_id, &heap[c]))
				oldest = c;
		if (oldest == i)
			return;
		heap[i] = heap[oldest];
		heap[oldest] = t;
		i = oldest;
	}
}

static void
compact_texts(SearchAnswer *a)
{
	Arena *fresh;

	if (a->written < MIN_COMPACT || a->written < 2 * a->live)
		return;
	fresh = arena_create_like(a->arena, 0);
	for (uint32_t i = 0; i < a->n; i++)
		a->heap[i].text.p = arena_dup(fresh, a->heap[i].text.p, a->heap[i].text.len);
	arena_destroy(a->texts);
	a->texts = fresh;
	a->written = a->live;
}

static bool
want(void *ctx, const uint8_t *trace_id, int64_t start, int64_t duration)
{
	const SearchAnswer *a = ctx;

	(void) duration;
	return a->n < a->limit || newer(start, trace_id, &a->heap[0]);
}

static void
take_trace(void *ctx, const MatchTrace *trace)
{
	SearchAnswer *a = ctx;
	Kept k = {.start = trace->start};
	Buf text;

	if (!want(ctx, trace->trace_id, trace->start, trace->duration))
		return;
	compact_texts(a);
	buf_init(&text, a->texts, 1024);
	search_write_trace(trace, a->name_known, a->trace_only, &text);
	memcpy(k.trace_id, trace->trace_id, 16);
	k.text = str_of((char *) text.p, text.len);
	a->live += text.len;
	a->written += text.cap;
	if (a->n == a->limit)
	{
		a->live -= a->heap[0].text.len;
		a->heap[0] = k;
		sift_down(a->heap, a->n);
		return;
	}
	if (a->n == a->cap)
	{
		a->heap = arena_grow(a->arena, a->heap, sizeof(Kept) * a->cap, sizeof(Kept) * a->cap * 2);
		a->cap *= 2;
	}
	a->heap[a->n] = k;
	sift_up(a->heap, a->n++);
}

MatchSink
search_answer_sink(SearchAnswer *answer)
{
	return (MatchSink){.ctx = answer, .want = want, .trace = take_trace};
}

bool
search_answer_full(const SearchAnswer *a, int64_t *oldest)
{
	if (a->n < a->limit)
		return false;
	*oldest = a->heap[0].start;
	return true;
}

static int
newest_first(const void *x, const void *y)
{
	const Kept *a = x;
	const Kept *b = y;

	return newer(a->start, a->trace_id, b) ? -1 : 1;
}

void
search_answer_write(SearchAnswer *a, Buf *out)
{
	bool first = true;

	qsort(a->heap, a->n, sizeof(Kept), newest_first);
	json_put_raw(out, "\"traces\":[");
	for (uint32_t i = 0; i < a->n; i++)
	{
		json_put_comma(out, &first);
		buf_put(out, a->heap[i].text.p, a->heap[i].text.len);
	}
	buf_put_u8(out, ']');
}
