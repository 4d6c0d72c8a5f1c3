/*
 * traceql_fixture.h
 *	  A trace of seven spans that has something of everything the language speaks about, and answers as
 *	  text. Times in ms after FIXTURE_ZERO:
 *
 *	  span parent name       kind     status start dur  service
 *	  A    -      GET /shop  server   unset  0     1000 frontend
 *	  B    A      render     internal ok     10    100  frontend
 *	  C    A      POST /cart client   error  200   500  frontend
 *	  D    C      POST /cart server   error  250   400  api       two events
 *	  E    D      SELECT     client   unset  300   100  db
 *	  F    D      SELECT     client   unset  420   200  db
 *	  G    00ff   orphan     consumer unset  500   50   api       a link to C
 */
#ifndef TEMPO_TRACEQL_FIXTURE_H
#define TEMPO_TRACEQL_FIXTURE_H

#include "traceql/eval/eval.h"

#include <stdio.h>
#include <stdlib.h>

#define FIXTURE_ZERO INT64_C(1000000000000)
#define MS           INT64_C(1000000)

static const uint8_t fixture_trace[16] = {[14] = 0x0a, [15] = 0xbc};

/* Attributes written as "key=value key=value": 12 an int, 0.5 a float, true, 'text', [a,b] strings. */
static Value
fixture_value(Arena *arena, Str text)
{
	Value v = {.type = VALUE_STRING, .s = text};
	char *end;
	Buf b;

	if (text.p[0] == '\'')
		v.s = str_of(text.p + 1, text.len - 2);
	else if (str_eq(text, str_lit("true")))
		v = (Value){.type = VALUE_BOOL, .b = true};
	else if (text.p[0] == '[')
	{
		buf_init(&b, arena, 64);
		buf_put_varint(&b, text.len / 2);
		for (uint32_t i = 1; i + 1 < text.len; i += 2)
			value_write(&b, &(Value){.type = VALUE_STRING, .s = str_of(text.p + i, 1)});
		v = (Value){.type = VALUE_ARRAY, .s = str_of((char *) b.p, b.len)};
	}
	else if (memchr(text.p, '.', text.len))
		v = (Value){.type = VALUE_DOUBLE, .d = strtod(text.p, &end)};
	else
		v = (Value){.type = VALUE_INT, .i = strtoll(text.p, &end, 10)};
	return v;
}

typedef void (*FixturePut)(void *to, Level level, Str key, const Value *v);

static void
fixture_attrs(Arena *arena, const char *text, FixturePut put, void *to, Level level)
{
	while (*text)
	{
		const char *eq = strchr(text, '=');
		const char *end = eq[1] == '\'' ? strchr(eq + 2, '\'') + 1 : eq + 1 + strcspn(eq + 1, " ");
		Value v = fixture_value(arena, str_of(eq + 1, (size_t) (end - eq - 1)));

		put(to, level, str_of(text, (size_t) (eq - text)), &v);
		text = *end ? end + 1 : end;
	}
}

static void
fixture_put_span(void *to, Level level, Str key, const Value *v)
{
	builder_attr(to, level, key, v);
}

typedef struct FixtureList
{
	Buf members;
	uint32_t n;
} FixtureList;

static void
fixture_put_list(void *to, Level level, Str key, const Value *v)
{
	FixtureList *list = to;

	(void) level;
	value_write_kv(&list->members, key, v);
	list->n++;
}

static Str
fixture_list(Arena *arena, const char *text)
{
	FixtureList list = {.n = 0};
	Buf out;

	buf_init(&list.members, arena, 256);
	fixture_attrs(arena, text, fixture_put_list, &list, LEVEL_SPAN);
	buf_init(&out, arena, 256);
	buf_put_varint(&out, list.n);
	buf_put(&out, list.members.p, list.members.len);
	return str_of((char *) out.p, out.len);
}

static void
fixture_service(BatchBuilder *bb, Arena *arena, const char *attrs, const char *service, const char *scope,
				const char *version)
{
	builder_set_resource(bb, fixture_list(arena, attrs), str_lit(service), 0, str_lit(""));
	builder_set_scope(bb, fixture_list(arena, ""), str_lit(scope), str_lit(version), 0, str_lit(""));
}

static void
fixture_span(BatchBuilder *bb, Arena *arena, int id, int parent, const char *name, int kind, int status,
			 int64_t start, int64_t duration, const char *attrs)
{
	builder_begin_span(bb);
	builder_set_trace_id(bb, fixture_trace);
	builder_set_i64(bb, SC_SPAN_ID, id);
	builder_set_i64(bb, SC_PARENT_ID, parent);
	builder_set_i64(bb, SC_START, FIXTURE_ZERO + start * MS);
	builder_set_i64(bb, SC_DURATION, duration * MS);
	builder_set_bytes(bb, SC_NAME, str_lit(name));
	builder_set_i64(bb, SC_KIND, kind);
	builder_set_i64(bb, SC_STATUS, status);
	fixture_attrs(arena, attrs, fixture_put_span, bb, LEVEL_SPAN);
}

static void
fixture_event(BatchBuilder *bb, Arena *arena, int64_t at, const char *name, const char *attrs)
{
	builder_begin_event(bb, at * MS, str_lit(name), 0);
	fixture_attrs(arena, attrs, fixture_put_span, bb, LEVEL_EVENT);
	builder_end_event(bb);
}

#define FRONTEND "service.name='frontend' cluster='eu'", "frontend", "otelhttp", "1.2.0"
#define API      "service.name='api' cluster='eu'", "api", "otelgrpc", "0.9"
#define DB       "service.name='db'", "db", "", ""

static void
fixture_build(BatchBuilder *bb, Arena *arena)
{
	static const char link_id[8] = {[7] = 3};

	fixture_service(bb, arena, FRONTEND);
	fixture_span(bb, arena, 1, 0, "GET /shop", 2, 0, 0, 1000,
				 "http.status_code=200 http.target='/shop' ratio=0.5 beta=true");
	builder_end_span(bb);
	fixture_span(bb, arena, 2, 1, "render", 1, 1, 10, 100, "");
	builder_attr(bb, LEVEL_SPAN, str_lit("my key"), &(Value){.type = VALUE_STRING, .s = str_lit("v")});
	builder_end_span(bb);
	fixture_span(bb, arena, 3, 1, "POST /cart", 3, 2, 200, 500,
				 "http.status_code=500 http.url='http://api/cart'");
	builder_set_bytes(bb, SC_STATUS_MESSAGE, str_lit("boom"));
	builder_end_span(bb);
	fixture_service(bb, arena, API);
	fixture_span(bb, arena, 4, 3, "POST /cart", 2, 2, 250, 400,
				 "http.status_code=500 http.target='/cart' cluster='us' retries=2 tags=[a,b,c]");
	fixture_event(bb, arena, 100, "exception", "type='Timeout' attempt=1");
	fixture_event(bb, arena, 200, "retry", "attempt=2");
	builder_end_span(bb);
	fixture_span(bb, arena, 7, 0xff, "orphan", 5, 0, 500, 50, "");
	builder_begin_link(bb, str_of((const char *) fixture_trace, 16), str_of(link_id, 8), str_lit(""), 0, 0);
	fixture_attrs(arena, "rel='follows'", fixture_put_span, bb, LEVEL_LINK);
	builder_end_link(bb);
	builder_end_span(bb);
	fixture_service(bb, arena, DB);
	fixture_span(bb, arena, 5, 4, "SELECT", 3, 0, 300, 100,
				 "db.rows=10 db.statement='SELECT 1\nFROM t' tags=[a]");
	builder_end_span(bb);
	fixture_span(bb, arena, 6, 4, "SELECT", 3, 0, 420, 200, "db.rows=0 http.status_code='500'");
	builder_end_span(bb);
}

/* The fixture as one unit. */
__attribute__((unused)) static Batch *
fixture_batch(Arena *arena)
{
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch *batch;
	RowRef *refs;
	uint32_t n;

	fixture_build(bb, arena);
	batch = builder_finish(bb);
	refs = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, refs, n);
	batch_make_traces(batch);
	return batch;
}

static void
answer_value(Buf *out, const EvalValue *v)
{
	TraceqlStatic s = {.type = (TraceqlType) v->type};

	if (v->type == EVAL_STRING)
	{
		buf_put(out, "\"", 1);
		buf_put(out, v->s.p, v->s.len);
		buf_put(out, "\"", 1);
		return;
	}
	if (v->type == EVAL_FLOAT)
		s.f = v->d;
	else if (v->type == EVAL_BOOL)
		s.b = v->b;
	else
		s.i = v->i;
	traceql_print_static(&s, out);
}

static void
answer_attrs(Buf *out, const MatchAttr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		buf_put(out, i ? ", " : " [", 2);
		buf_put(out, attrs[i].key.p, attrs[i].key.len);
		buf_put(out, "=", 1);
		answer_value(out, &attrs[i].value);
	}
	if (n)
		buf_put(out, "]", 1);
}

/* Sink: spans by letter, spansets apart by " / ". ctx is a Buf. */
__attribute__((unused)) static void
answer_trace(void *ctx, const MatchTrace *trace)
{
	Buf *out = ctx;

	for (uint32_t s = 0; s < trace->nsets; s++)
	{
		const MatchSpanset *set = &trace->sets[s];

		if (out->len)
			buf_put(out, " / ", 3);
		if (set->nspans == 7)
			buf_put(out, "all", 3);
		else
		{
			uint8_t has[8] = {0};
			const char *gap = "";

			for (uint32_t i = 0; i < set->nspans; i++)
				has[set->spans[i].span_id & 7] = 1;
			for (int i = 1; i < 8; i++)
			{
				if (!has[i])
					continue;
				buf_put(out, gap, strlen(gap));
				buf_put_u8(out, (uint8_t) ('A' + i - 1));
				gap = " ";
			}
		}
		answer_attrs(out, set->attrs, set->nattrs);
	}
}

#endif
