/*
 * test_traceql_agree.c
 *	  Random queries over random spans: evaluation by column and by dictionary gives what evaluation row by
 *	  row gives, also when dictionaries and shapes are carried over from unit to unit.
 */
#include "traceql/eval/eval.h"
#include "unit.h"

#include <stdarg.h>

#define UNITS 3
#define SPANS 120

static uint64_t rng_state = 1;

static int
rnd(int n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (int) ((rng_state >> 33) % (uint64_t) n);
}

static const char *
pick(const char *const *list, int n)
{
	return list[rnd(n)];
}

#define PICK(list) pick(list, sizeof(list) / sizeof(list[0]))

/* ---- data ---- */

static const char *const keys[] = {"a", "b", "odd key", "service.name"};
static const char *const words[] = {"x", "y", "z", "", "x.y"};

static Value
some_value(Arena *arena)
{
	Value v = {.type = VALUE_EMPTY};
	int n;
	Buf b;

	switch (rnd(10))
	{
		case 0: return (Value){.type = VALUE_BOOL, .b = rnd(2)};
		case 1: return (Value){.type = VALUE_DOUBLE, .d = rnd(4) / 2.0};
		case 2: return v;
		case 3: return (Value){.type = VALUE_BYTES, .s = str_lit("x")};
		case 4:
		case 5:
			buf_init(&b, arena, 64);
			n = rnd(4);
			buf_put_varint(&b, (uint64_t) n);
			for (int i = 0; i < n; i++)
			{
				Value item = rnd(8) ? (Value){.type = VALUE_STRING, .s = str_lit(PICK(words))}
									: (Value){.type = VALUE_INT, .i = rnd(3)};

				value_write(&b, &item);
			}
			return (Value){.type = VALUE_ARRAY, .s = str_of((char *) b.p, b.len)};
		case 6:
		case 7: return (Value){.type = VALUE_INT, .i = rnd(5) - 1};
		default: return (Value){.type = VALUE_STRING, .s = str_lit(PICK(words))};
	}
}

static void
some_attrs(BatchBuilder *bb, Arena *arena, Level level)
{
	for (int n = rnd(4); n > 0; n--)
	{
		Value v = some_value(arena);

		builder_attr(bb, level, str_lit(PICK(keys)), &v);
	}
}

static Str
some_list(Arena *arena)
{
	int n = rnd(3);
	Buf b;

	buf_init(&b, arena, 128);
	buf_put_varint(&b, (uint64_t) n);
	while (n-- > 0)
	{
		Value v = some_value(arena);

		value_write_kv(&b, str_lit(PICK(keys)), &v);
	}
	return str_of((char *) b.p, b.len);
}

static void
some_span(BatchBuilder *bb, Arena *arena, int number)
{
	uint8_t id[16] = {[15] = (uint8_t) (1 + rnd(20))};

	if (rnd(4) == 0)
		builder_set_resource(bb, some_list(arena), str_lit(PICK(words)), 0, str_lit(""));
	if (rnd(4) == 0)
		builder_set_scope(bb, some_list(arena), str_lit(PICK(words)), str_lit(PICK(words)), 0, str_lit(""));
	builder_begin_span(bb);
	builder_set_trace_id(bb, id);
	builder_set_i64(bb, SC_SPAN_ID, 1 + number);
	builder_set_i64(bb, SC_PARENT_ID, rnd(3) ? 1 + rnd(SPANS) : 0);
	builder_set_i64(bb, SC_START, 1000 + rnd(1000));
	builder_set_i64(bb, SC_DURATION, rnd(5) * 500000000LL);
	builder_set_bytes(bb, SC_NAME, str_lit(PICK(words)));
	builder_set_bytes(bb, SC_STATUS_MESSAGE, str_lit(PICK(words)));
	builder_set_i64(bb, SC_KIND, rnd(8));
	builder_set_i64(bb, SC_STATUS, rnd(4));
	some_attrs(bb, arena, LEVEL_SPAN);
	for (int n = rnd(3); n > 0; n--)
	{
		builder_begin_event(bb, rnd(3) * 1000000, str_lit(PICK(words)), 0);
		some_attrs(bb, arena, LEVEL_EVENT);
		builder_end_event(bb);
	}
	if (rnd(4) == 0)
	{
		builder_begin_link(bb, str_of((char *) id, 16), str_of((char *) id, 8), str_lit(""), 0, 0);
		some_attrs(bb, arena, LEVEL_LINK);
		builder_end_link(bb);
	}
	builder_end_span(bb);
}

static Batch *
some_unit(Arena *arena, bool lazy)
{
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);
	Batch **batch = arena_alloc(arena, sizeof(Batch *));
	RowRef *refs;
	Batch *unit;
	uint32_t n;

	builder_set_resource(bb, some_list(arena), str_lit("x"), 0, str_lit(""));
	for (int i = 0; i < SPANS; i++)
		some_span(bb, arena, i);
	*batch = builder_finish(bb);
	refs = batch_sort(arena, batch, 1, &n);
	unit = lazy ? batch_gather_lazy(arena, batch, 1, refs, n) : batch_gather(arena, batch, 1, refs, n);
	batch_make_traces(unit);
	return unit;
}

/* ---- queries ---- */

typedef struct Text
{
	char p[4096];
	size_t len;
} Text;

__attribute__((format(printf, 2, 3))) static void
add(Text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->len += (size_t) vsnprintf(t->p + t->len, sizeof(t->p) - t->len, fmt, args);
	va_end(args);
}

static const char *const scopes[] = {".", ".", "span.", "resource.", "instrumentation.", "event.", "link."};
static const char *const names[] = {"a", "b", "\"odd key\"", "service.name"};
static const char *const orders[] = {"=", "!=", "<", "<=", ">", ">="};
static const char *const texts[] = {"\"x\"", "\"y\"", "\"\"", "\"x.y\""};
static const char *const numbers[] = {"0", "1", "2", "0.5", "1.0", "-1", "500ms"};
static const char *const strings[] = {"name",       "statusMessage", "rootName", "instrumentation:name",
									  "event:name", "span:id",       "trace:id", "rootServiceName"};
static const char *const ints[] = {
	"duration",        "traceDuration",  "nestedSetLeft",       "nestedSetParent",
	"span:childCount", "nestedSetRight", "event:timeSinceStart"};

static void
some_condition(Text *t)
{
	const char *scope = PICK(scopes);
	const char *name = PICK(names);

	switch (rnd(12))
	{
		case 0: add(t, "%s%s %s %s", scope, name, PICK(orders), PICK(numbers)); break;
		case 1:
		case 2: add(t, "%s%s %s %s", scope, name, PICK(orders), PICK(texts)); break;
		case 3: add(t, "%s%s %s \"[xz]?.*\"", scope, name, rnd(2) ? "=~" : "!~"); break;
		case 4: add(t, "%s %s %s", PICK(numbers), PICK(orders), PICK(ints)); break;
		case 5: add(t, "%s %s %s", PICK(strings), PICK(orders), PICK(texts)); break;
		case 6: add(t, "%sa %s %sb", scope, PICK(orders), PICK(scopes)); break;
		case 7: add(t, "%sa %s nil", scope, rnd(2) ? "=" : "!="); break;
		case 8: add(t, "%sb %s true", scope, rnd(2) ? "=" : "!="); break;
		case 9: add(t, "(%sa + %s) %s %sb", scope, PICK(numbers), PICK(orders), PICK(scopes)); break;
		case 10:
			add(t, "%s %s %s", rnd(2) ? "status" : "kind", rnd(2) ? "=" : "!=", rnd(2) ? "nil" : "nil");
			break;
		default: add(t, "%s%s", scope, name); break;
	}
}

static void
some_expr(Text *t, int depth)
{
	if (depth == 0)
		some_condition(t);
	else if (rnd(5) == 0)
	{
		add(t, "!(");
		some_expr(t, depth - 1);
		add(t, ")");
	}
	else
	{
		add(t, "(");
		some_expr(t, depth - 1);
		add(t, rnd(2) ? " && " : " || ");
		some_expr(t, rnd(depth));
		add(t, ")");
	}
}

static void
some_query(Text *t)
{
	static const char *const ops[] = {"&&", "||", ">", "<", ">>", "<<", "~", "!>", "!>>", "&>", "&~"};
	static const char *const tails[] = {"",
										"",
										" | count() > 1",
										" | by(.a)",
										" | by(.a) | count() > 1",
										" | max(.a) >= 0",
										" | select(.a, event.a, span:id)"};

	add(t, "{ ");
	some_expr(t, rnd(4));
	add(t, " }");
	for (int n = rnd(3); n > 0; n--)
	{
		add(t, " %s { ", PICK(ops));
		some_expr(t, rnd(2));
		add(t, " }");
	}
	add(t, "%s", PICK(tails));
}

/* ---- answers ---- */

static void
put_attrs(Buf *out, const MatchAttr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		const EvalValue *v = &attrs[i].value;

		buf_put(out, &attrs[i].from, sizeof(attrs[i].from));
		buf_put(out, attrs[i].key.p, attrs[i].key.len);
		buf_put_u8(out, v->type);
		if (v->type == EVAL_STRING || v->type == EVAL_ARRAY)
			buf_put(out, v->s.p, v->s.len);
		else if (v->type == EVAL_BOOL)
			buf_put_u8(out, v->b);
		else if (v->type != EVAL_NIL)
			buf_put(out, &v->i, 8);
	}
}

static void
put_trace(void *ctx, const MatchTrace *trace)
{
	Buf *out = ctx;

	buf_put(out, trace->trace_id, 16);
	for (uint32_t s = 0; s < trace->nsets; s++)
	{
		buf_put(out, &trace->sets[s].matched, 4);
		put_attrs(out, trace->sets[s].attrs, trace->sets[s].nattrs);
		for (uint32_t i = 0; i < trace->sets[s].nspans; i++)
		{
			buf_put(out, &trace->sets[s].spans[i].span_id, 8);
			put_attrs(out, trace->sets[s].spans[i].attrs, trace->sets[s].spans[i].nattrs);
		}
	}
}

static Buf
answer(Arena *arena, const TraceqlQuery *query, Batch **units, bool rowwise, bool apart)
{
	TraceqlOptions options = {.rowwise = rowwise};
	const char *why;
	TraceqlPlan *plan = traceql_plan(arena, query, &why);
	TraceqlRun *run = traceql_run_begin(plan, &options, NULL, arena);
	MatchSink sink = {.trace = put_trace};
	Buf out;

	buf_init(&out, arena, 4096);
	sink.ctx = &out;
	/*
	 * The first unit again: what is remembered of it must not have been taken for another's. The last two
	 * have one source unless they are apart, as what is left of two vectors of an image has, and yet columns
	 * of their own.
	 */
	for (int u = 0; u <= UNITS; u++)
		traceql_run_unit(run,
						 &(TraceqlUnit){.batch = units[u % UNITS],
										.source = (uint64_t) (apart ? 1 + u : 1 + (u % UNITS > 0))},
						 arena, &sink);
	traceql_plan_free(plan);
	return out;
}

int
main(void)
{
	Arena *data = arena_create(NULL, 0);
	Batch *units[UNITS];
	int asked = 0, answered = 0, differ = 0;

	for (int u = 0; u < UNITS; u++)
		units[u] = some_unit(data, u == 1);
	for (int i = 0; i < 6000; i++)
	{
		Arena *arena = arena_create(NULL, 0);
		Text text = {.len = 0};
		TraceqlError err;
		TraceqlQuery *query;

		some_query(&text);
		query = traceql_parse(arena, str_of(text.p, text.len), &err);
		if (query)
		{
			Buf fast = answer(arena, query, units, false, false);
			Buf slow = answer(arena, query, units, true, true);

			asked++;
			answered += slow.len > 0;
			if (fast.len != slow.len || memcmp(fast.p, slow.p, slow.len) != 0)
			{
				differ++;
				printf("# differs: %s\n", text.p);
			}
		}
		arena_destroy(arena);
	}
	ok(asked > 2000 && answered > 1000, "%d queries asked, %d with an answer", asked, answered);
	is_i64(differ, 0, "columns and rows agree");
	arena_destroy(data);
	return unit_done();
}
