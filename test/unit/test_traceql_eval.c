/*
 * test_traceql_eval.c
 *	  What queries match on a fixture, evaluated over columns and, as a second opinion, row by row.
 */
#include "traceql_cases.h"
#include "traceql_fixture.h"
#include "unit.h"

#include <setjmp.h>

static jmp_buf failed;

static void
on_fail(void *ctx, const char *message)
{
	(void) ctx;
	(void) message;
	longjmp(failed, 1);
}

/* The answer as text, in the arena. */
static const char *
ask(Arena *arena, const char *text, TraceqlOptions options)
{
	TraceqlHooks hooks = {.fail = on_fail};
	MatchSink sink = {.trace = answer_trace};
	Buf out;
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, str_lit(text), &err);
	TraceqlPlan *plan;
	const char *why;

	if (!query)
		return err.message;
	buf_init(&out, arena, 256);
	sink.ctx = &out;
	plan = traceql_plan(arena, query, &why);
	if (!plan)
		return why;
	if (setjmp(failed) == 0)
		traceql_run_unit(traceql_run_begin(plan, &options, &hooks, arena),
						 &(TraceqlUnit){.batch = fixture_batch(arena), .source = 1}, arena, &sink);
	else
	{
		out.len = 0;
		buf_put(&out, "error", 5);
	}
	traceql_plan_free(plan);
	if (out.len == 0)
		buf_put(&out, "nothing", 7);
	buf_put_u8(&out, 0);
	return (const char *) out.p;
}

static void
run_cases(const Case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		for (int rowwise = 0; rowwise < 2; rowwise++)
		{
			Arena *arena = arena_create(NULL, 0);

			is_str(ask(arena, cases[i].query, (TraceqlOptions){.rowwise = rowwise}), cases[i].want,
				   cases[i].query);
			arena_destroy(arena);
		}
	}
}

#define RUN(cases) run_cases(cases, sizeof(cases) / sizeof(cases[0]))

/* Both bounds count, and it is the trace that must overlap, not the span. */
static void
test_range(void)
{
	static const struct
	{
		const char *query;
		int64_t from;
		int64_t to;
		const char *want;
	} cases[] = {{"{ }", 1001, 1002, "all"},
				 {"{ }", 1002, 1003, "nothing"},
				 {"{ name = \"orphan\" }", 1000, 1001, "G"},
				 {"{ }", 999, 1000, "all"},
				 {"{ }", 998, 999, "nothing"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Arena *arena = arena_create(NULL, 0);
		TraceqlOptions options = {.has_from = true, .has_to = true};

		options.from = cases[i].from * 1000 * MS;
		options.to = cases[i].to * 1000 * MS;
		is_str(ask(arena, cases[i].query, options), cases[i].want, cases[i].query);
		arena_destroy(arena);
	}
}

/* ---- what an answer carries ---- */

static void
describe(void *ctx, const MatchTrace *trace)
{
	Buf *out = ctx;
	char line[200];

	snprintf(line, sizeof(line), "%.*s|%.*s|%d|%d", (int) trace->root_service.len, trace->root_service.p,
			 (int) trace->root_name.len, trace->root_name.p, (int) (trace->duration / MS),
			 (int) trace->nspans);
	buf_put(out, line, strlen(line));
	for (uint32_t i = 0; i < trace->nservices; i++)
	{
		snprintf(line, sizeof(line), " %.*s:%u/%u", (int) trace->services[i].name.len,
				 trace->services[i].name.p, trace->services[i].spans, trace->services[i].errors);
		buf_put(out, line, strlen(line));
	}
	for (uint32_t i = 0; i < trace->sets[0].nspans; i++)
	{
		const MatchSpan *span = &trace->sets[0].spans[i];

		snprintf(line, sizeof(line), " / %d %.*s", (int) span->span_id, (int) span->name.len, span->name.p);
		buf_put(out, line, strlen(line));
		answer_attrs(out, span->attrs, span->nattrs);
	}
}

/* Answers live on as copies in one piece. */
static void
describe_copy(void *ctx, const MatchTrace *trace)
{
	void *mem = malloc(match_trace_size(trace));

	describe(ctx, match_trace_copy(trace, mem));
	free(mem);
}

static void
test_answers(void)
{
	static const Case cases[] = {
		{"{ status = error }",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 3  [status=error] / 4  "
		 "[status=error]"},
		{"{ name = \"SELECT\" }",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 5 SELECT / 6 SELECT"},
		{"{ resource.service.name = \"db\" } | select(span.db.rows, status)",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 5  [service.name=\"db\", db.rows=10, "
		 "status=unset] "
		 "/ 6  [service.name=\"db\", db.rows=0, status=unset]"},
		{"{ .cluster = \"us\" }",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 4  [cluster=\"us\", cluster=\"eu\"]"},
		{"{ duration > 400ms && kind = client }",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 3  [kind=client]"},
		{"{ kind = consumer || event:name = \"retry\" } | select(event.attempt)",
		 "frontend|GET /shop|1000|7 frontend:3/1 api:2/1 db:2/0 / 4  [kind=server, event:name=\"exception\", "
		 "attempt=1] / 7  [kind=consumer]"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Arena *arena = arena_create(NULL, 0);
		TraceqlOptions options = {.services = true};
		TraceqlError err;
		const char *why;
		Buf out;
		MatchSink sink = {.ctx = &out, .trace = describe_copy};
		TraceqlPlan *plan;

		buf_init(&out, arena, 256);
		plan = traceql_plan(arena, traceql_parse(arena, str_lit(cases[i].query), &err), &why);
		traceql_run_unit(traceql_run_begin(plan, &options, NULL, arena),
						 &(TraceqlUnit){.batch = fixture_batch(arena), .source = 1}, arena, &sink);
		buf_put_u8(&out, 0);
		is_str((char *) out.p, cases[i].want, cases[i].query);
		traceql_plan_free(plan);
		arena_destroy(arena);
	}
}

int
main(void)
{
	RUN(filter_cases);
	RUN(structure_cases);
	RUN(pipeline_cases);
	test_range();
	test_answers();
	return unit_done();
}
