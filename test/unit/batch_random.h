/*
 * batch_random.h
 *	  Made-up spans with everything a span can have; each can be made again from its number.
 */
#ifndef TEMPO_BATCH_RANDOM_H
#define TEMPO_BATCH_RANDOM_H

#include <stdio.h>

#include "span/batch.h"

static uint64_t rng_state;

__attribute__((unused)) static uint32_t
rnd(uint32_t n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t) (rng_state >> 33) % n;
}

__attribute__((unused)) static Str
rnd_text(Arena *a, const char *prefix, uint32_t n)
{
	char buf[64];
	int len = snprintf(buf, sizeof(buf), "%s%u", prefix, rnd(n));

	return str_of(arena_dup(a, buf, (size_t) len), (size_t) len);
}

__attribute__((unused)) static Value
rnd_value(Arena *a)
{
	Value v = {.type = (ValueType) rnd(VALUE_NTYPES)};
	Buf b;

	switch (v.type)
	{
		case VALUE_EMPTY: v.i = 0; break;
		case VALUE_BOOL: v.i = 0, v.b = rnd(2); break;
		case VALUE_INT: v.i = (int64_t) rnd(1000) - 500; break;
		case VALUE_DOUBLE: v.d = rnd(1000) / 8.0; break;
		case VALUE_STRING:
		case VALUE_BYTES: v.s = rnd_text(a, "v", rnd(2) ? 5 : 100000); break;
		case VALUE_ARRAY:
			buf_init(&b, a, 0);
			buf_put(&b, "\x01\x03", 2);
			buf_put(&b, &(uint64_t){rnd(3)}, 8);
			v.s = str_of((char *) b.p, b.len);
			break;
		case VALUE_KVLIST: v.s = str_of("\x01\x01k\x00", 4); break;
	}
	return v;
}

__attribute__((unused)) static void
rnd_attrs(BatchBuilder *bb, Level level, Arena *a)
{
	uint32_t n = rnd(6);

	for (uint32_t i = 0; i < n; i++)
	{
		Value v = rnd_value(a);

		builder_attr(bb, level, rnd_text(a, "key.", 12), &v);
	}
}

__attribute__((unused)) static void
rnd_event(BatchBuilder *bb, Arena *a)
{
	builder_begin_event(bb, rnd(1000000), rnd_text(a, "event", 4), rnd(2));
	rnd_attrs(bb, LEVEL_EVENT, a);
	builder_end_event(bb);
}

__attribute__((unused)) static void
rnd_link(BatchBuilder *bb, Arena *a)
{
	builder_begin_link(bb, rnd_text(a, "trace", 1000), rnd_text(a, "span", 1000), rnd_text(a, "st", 2),
					   rnd(3), rnd(2));
	rnd_attrs(bb, LEVEL_LINK, a);
	builder_end_link(bb);
}

__attribute__((unused)) static void
rnd_resource(BatchBuilder *bb, Arena *a)
{
	Buf b;
	Value v = {.type = VALUE_STRING, .s = rnd_text(a, "svc", 5)};

	buf_init(&b, a, 0);
	buf_put_varint(&b, 1);
	value_write_kv(&b, str_lit("service.name"), &v);
	builder_set_resource(bb, str_of((char *) b.p, b.len), v.s, rnd(2), rnd_text(a, "url", 2));
	builder_set_scope(bb, str_of("\0", 1), rnd_text(a, "scope", 3), rnd_text(a, "1.", 2), rnd(2),
					  rnd_text(a, "surl", 2));
}

/* The span that `seed` stands for. */
__attribute__((unused)) static void
rnd_span(BatchBuilder *bb, uint64_t seed, Arena *a, bool finish)
{
	uint8_t id[16] = {0};
	uint32_t n;

	rng_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	rnd(2);
	id[0] = (uint8_t) rnd(4);
	id[15] = (uint8_t) rnd(40);
	rnd_resource(bb, a);
	builder_begin_span(bb);
	builder_set_trace_id(bb, id);
	builder_set_i64(bb, SC_SPAN_ID, (int64_t) seed);
	builder_set_i64(bb, SC_PARENT_ID, rnd(3));
	builder_set_i64(bb, SC_START, 1000 + rnd(50));
	builder_set_i64(bb, SC_DURATION, rnd(100));
	builder_set_bytes(bb, SC_NAME, rnd_text(a, "op", rnd(2) ? 3 : 100000));
	if (rnd(3) == 0)
		builder_set_bytes(bb, SC_STATUS_MESSAGE, rnd_text(a, "msg", 3));
	if (rnd(3) == 0)
		builder_set_i64(bb, SC_COUNT, rnd(100));
	if (rnd(3) == 0)
		builder_set_bytes(bb, SC_COUNT + 1, rnd_text(a, "extra", 9));
	if (rnd(3) == 0)
		builder_set_fixed(bb, SC_COUNT + 2, (const uint8_t *) "abc");
	rnd_attrs(bb, LEVEL_SPAN, a);
	for (n = rnd(3); n > 0; n--)
		rnd_event(bb, a);
	rnd_attrs(bb, LEVEL_SPAN, a);
	for (n = rnd(3); n > 0; n--)
		rnd_link(bb, a);
	if (finish)
		builder_end_span(bb);
}

/* Columns behind those of the profile, as a user may add them. */
__attribute__((unused)) static const Column extras[3] = {
	{.kind = COL_I64}, {.kind = COL_BYTES}, {.kind = COL_FIXED, .width = 3}};

#endif
