/*
 * image_cases.h
 *	  What tests of images share: an image in memory, and batches of all sorts to make images of.
 */
#ifndef TEMPO_TEST_IMAGE_CASES_H
#define TEMPO_TEST_IMAGE_CASES_H

#include <setjmp.h>

#include "batch_dump.h"
#include "batch_random.h"
#include "tracked_arena.h"
#include "unit.h"

#include "store/image_impl.h"

/* ---- an image in memory ---- */

typedef struct Memory
{
	const uint8_t *p;
	size_t len;
	jmp_buf escape;
	const char *what; /* the last thing found wrong */
} Memory;

__attribute__((unused)) static void
memory_read(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	Memory *m = ctx;

	if (off + len > m->len)
	{
		m->what = "read past the end";
		longjmp(m->escape, 1);
	}
	memcpy(dst, m->p + off, len);
}

__attribute__((unused)) static void
memory_corrupt(void *ctx, const char *what)
{
	Memory *m = ctx;

	m->what = what;
	longjmp(m->escape, 1);
}

__attribute__((unused)) static Image *
open_memory(Memory *m, const uint8_t *p, size_t len, Arena *arena)
{
	ImageSource source = {memory_read, memory_corrupt, m, len};

	m->p = p;
	m->len = len;
	return image_open(&source, arena);
}

/* ---- encoding ---- */

typedef struct Encoding
{
	const char *name;
	CodecEffort effort;
	uint32_t vector_rows;
	bool compact;
} Encoding;

__attribute__((unused)) static void
encode(Batch *b, const Encoding *e, Buf *out, ImageSummary *summary)
{
	image_encode_as(b, e->effort, e->vector_rows, e->compact, out, summary);
}

/* ---- batches ---- */

__attribute__((unused)) static Batch *
sorted(Arena *arena, Batch *b)
{
	uint32_t n;
	RowRef *rows = batch_sort(arena, &b, 1, &n);
	Batch *s = batch_gather(arena, &b, 1, rows, n);

	batch_make_traces(s);
	return s;
}

__attribute__((unused)) static Batch *
random_spans(Arena *arena, uint32_t n)
{
	BatchBuilder *bb = builder_create(arena, false, 3, extras);

	for (uint32_t i = 0; i < n; i++)
		rnd_span(bb, i + 1, arena, true);
	return builder_finish(bb);
}

__attribute__((unused)) static void
set_service(BatchBuilder *bb, Arena *arena, uint32_t k)
{
	Value v = {.type = VALUE_STRING, .s = rnd_text(arena, "svc", 1)};
	Buf b;

	v.s.len = 3;
	buf_init(&b, arena, 0);
	buf_put_varint(&b, 2);
	value_write_kv(&b, str_lit("service.name"), &v);
	v = (Value){.type = VALUE_INT, .i = k};
	value_write_kv(&b, str_lit("process.pid"), &v);
	builder_set_resource(bb, str_of((char *) b.p, b.len), str_lit("svc"), 0, str_lit(""));
	builder_set_scope(bb, str_of("\0", 1), str_lit("io.scope"), str_lit("1.0"), 0, str_lit(""));
}

__attribute__((unused)) static void
tree_span(BatchBuilder *bb, Arena *arena, uint32_t trace, uint32_t i, uint32_t n)
{
	static const char *const names[] = {"GET /", "SELECT products", "rpc", "render"};
	uint8_t id[16] = {(uint8_t) (trace * 37), (uint8_t) trace, (uint8_t) (trace >> 8)};
	uint64_t start = UINT64_C(1793491200000000000) + trace * UINT64_C(1000003) + i * UINT64_C(50021);
	uint32_t name = i == 0 ? 0 : 1 + i % 3;
	Value v = {.type = VALUE_STRING, .s = str_lit(name == 1 ? "postgresql" : "http")};

	memset(id + 8, (int) (trace * 11), 8);
	set_service(bb, arena, name * 3 + rnd(2));
	builder_begin_span(bb);
	builder_set_trace_id(bb, id);
	builder_set_i64(bb, SC_SPAN_ID, (int64_t) (trace * UINT64_C(1000003) * UINT64_C(977) + i + 1));
	/* most have a parent here, some elsewhere, one its own, some come before their parent */
	if (i > 0)
	{
		uint32_t p = i % 50 == 13 && i + 1 < n ? i + 1 : i % 20 == 9 ? i : (i - 1) / 2;

		builder_set_i64(bb, SC_PARENT_ID,
						i % 30 == 7 ? (int64_t) rnd(1000000) + 77
									: (int64_t) (trace * UINT64_C(1000003) * UINT64_C(977) + p + 1));
	}
	builder_set_i64(bb, SC_START, (int64_t) start);
	builder_set_i64(bb, SC_DURATION, 100000 + rnd(5000000));
	builder_set_bytes(bb, SC_NAME, str_lit(names[name]));
	builder_set_i64(bb, SC_KIND, name + 1);
	builder_attr(bb, LEVEL_SPAN, str_lit("system"), &v);
	v = (Value){.type = VALUE_INT, .i = 30000 + rnd(30000)};
	builder_attr(bb, LEVEL_SPAN, str_lit("port"), &v);
	v.s = rnd_text(arena, "SELECT * FROM t WHERE id = ", 1000);
	v.type = VALUE_STRING;
	if (name == 1)
		builder_attr(bb, LEVEL_SPAN, str_lit("query"), &v);
	if (rnd(5) == 0)
	{
		builder_begin_event(bb, 100000 + rnd(100), str_lit("exception"), 0);
		builder_attr(bb, LEVEL_EVENT, str_lit("message"), &v);
		builder_end_event(bb);
		builder_begin_event(bb, 200000 + rnd(100), str_lit("log"), 0);
		builder_end_event(bb);
	}
	builder_end_span(bb);
}

__attribute__((unused)) static Batch *
trees(Arena *arena, uint32_t ntraces, uint32_t spans)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);

	rng_state = 99;
	for (uint32_t t = 0; t < ntraces; t++)
		for (uint32_t i = 0; i < spans; i++)
			tree_span(bb, arena, t, i, spans);
	return builder_finish(bb);
}

__attribute__((unused)) static Batch *
any_table(Arena *arena, uint32_t n)
{
	static const Column kinds[] = {{.kind = COL_I64},   {.kind = COL_BYTES}, {.kind = COL_FIXED, .width = 16},
								   {.kind = COL_I64},   {.kind = COL_BYTES}, {.kind = COL_BYTES},
								   {.kind = COL_I64},   {.kind = COL_I64},   {.kind = COL_FIXED, .width = 12},
								   {.kind = COL_BYTES}, {.kind = COL_I64}};
	Batch *b = batch_create_plain(arena, 11, kinds, n);
	Column *c = b->level[LEVEL_SPAN].columns;

	rng_state = 5;
	for (uint32_t i = 0; i < n; i++)
	{
		c[0].i64[i] = i;
		c[1].dict[i] = rnd_text(arena, "text ", 10);
		memcpy(c[2].fixed + i * 16, &(uint64_t[2]){i * 77, i}, 16);
		c[3].i64[i] = i % 2 ? INT64_MIN : INT64_MAX;
		c[4].dict[i] = rnd_text(arena, "unique ", 1u << 30);
		column_set_null(arena, &c[5], i);
		if (i % 3 == 0)
			column_set_null(arena, &c[6], i);
		else
			c[6].i64[i] = 7;
		memcpy(&c[7].i64[i], &(double){i % 5 ? i / 3.0 : 0.0 / 0.0}, 8);
		c[8].fixed[i * 12] = (uint8_t) i;
		if (i % 7 == 0)
			column_set_null(arena, &c[9], i);
		else
			c[9].dict[i] = str_of("\0\1binary\xff", 9);
		c[10].i64[i] = -1;
	}
	return b;
}

/* Paths with one of nine uuids in each, and nulls. */
__attribute__((unused)) static Batch *
uuid_table(Arena *arena, uint32_t n)
{
	static const Column kinds[] = {{.kind = COL_BYTES}};
	Batch *b = batch_create_plain(arena, 1, kinds, n);
	Column *c = b->level[LEVEL_SPAN].columns;

	rng_state = 6;
	for (uint32_t i = 0; i < n; i++)
	{
		char text[80];
		int len = snprintf(text, sizeof(text), "/item/6a0f34b1-0000-4000-8000-%012x/%u", rnd(9), i);

		if (i % 50 == 49)
			column_set_null(arena, c, i);
		else
			c->dict[i] = str_of(arena_dup(arena, text, (size_t) len), (size_t) len);
	}
	return b;
}

/* The same twelve attributes on every span, in an order that changes. */
__attribute__((unused)) static Batch *
shuffled_keys(Arena *arena, uint32_t rows)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);
	uint32_t order[12];

	rng_state = 8;
	for (uint32_t k = 0; k < 12; k++)
		order[k] = k;
	for (uint32_t r = 0; r < rows; r++)
	{
		uint8_t id[16] = {1, [15] = (uint8_t) (r / 20)};

		set_service(bb, arena, 0);
		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_START, r);
		for (uint32_t k = 0; k < 12; k++)
		{
			uint32_t swap = rnd(12), was = order[k];

			order[k] = order[swap];
			order[swap] = was;
		}
		for (uint32_t k = 0; k < 12 - r % 3; k++)
		{
			char key[8];
			Value v = {.type = VALUE_INT, .i = rnd(5)};

			snprintf(key, sizeof(key), "k%u", order[k]);
			builder_attr(bb, LEVEL_SPAN, str_of(arena_dup(arena, key, strlen(key)), strlen(key)), &v);
		}
		builder_end_span(bb);
	}
	return builder_finish(bb);
}

#endif
