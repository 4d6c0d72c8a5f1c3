/*
 * explain.c
 *	  The scan nodes in EXPLAIN: the operators of the query, the attributes it reads, and what reading took.
 */
#include "traceql/plan.h"

#include "commands/explain.h"
#include "store/store.h"
#include "utils/memutils.h"

static char *
as_cstring(const Buf *text)
{
	return pnstrdup((const char *) text->p, text->len);
}

static List *
explain_stages(const TraceqlPipeline *pipeline, Arena *arena)
{
	List *stages = NIL;

	for (const TraceqlStage *stage = pipeline->first; stage; stage = stage->next)
	{
		Buf text;

		buf_init(&text, arena, 64);
		traceql_print_stage(stage, &text);
		stages = lappend(stages, as_cstring(&text));
	}
	return stages;
}

static List *
add_attribute(List *names, const TraceqlAttr *attr, Arena *arena)
{
	Buf text;
	char *name;
	ListCell *lc;

	buf_init(&text, arena, 64);
	traceql_print_attr(attr, &text);
	name = as_cstring(&text);
	foreach (lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return names;
	return lappend(names, name);
}

static void
explain_search(const TraceqlQuery *query, Arena *arena, ExplainState *es)
{
	const char *why;
	TraceqlPlan *plan = traceql_plan(arena, query, &why);
	const TraceqlAttr *attr;
	List *names = NIL;

	if (query->search->op == TQL_OP_NONE)
		ExplainPropertyList("Operators", explain_stages(query->search->pipeline, arena), es);
	for (uint32 i = 0; (attr = traceql_plan_attribute(plan, i)) != NULL; i++)
		names = add_attribute(names, attr, arena);
	if (names)
		ExplainPropertyList("Attributes", names, es);
	traceql_plan_free(plan);
}

static void
explain_metrics(const TraceqlQuery *query, Arena *arena, ExplainState *es)
{
	static const char *const reading[] = {"spans", "whole traces", "spans and whole traces"};
	const char *why;
	MetricsPlan *plan = metrics_plan(arena, query, &why);
	const TraceqlAttr *attr;
	List *names = NIL;

	ExplainPropertyText("Reads", reading[metrics_reading(plan)], es);
	for (uint32 i = 0; (attr = metrics_plan_attribute(plan, i)) != NULL; i++)
		names = add_attribute(names, attr, arena);
	if (names)
		ExplainPropertyList("Attributes", names, es);
	metrics_plan_free(plan);
}

void
traceql_explain_query(Str text, struct ExplainState *es)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql explain", ALLOCSET_DEFAULT_SIZES);
	Arena *arena = store_arena(context);
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, text, &err);
	Buf printed;

	/* A refused query raises when it runs. */
	if (query)
	{
		buf_init(&printed, arena, 256);
		traceql_print_query(query, &printed);
		ExplainPropertyText("TraceQL", as_cstring(&printed), es);
	}
	if (query && query->search)
		explain_search(query, arena, es);
	if (query && query->metrics)
		explain_metrics(query, arena, es);
	MemoryContextDelete(context);
}

void
traceql_explain_read(const ReaderCounters *c, struct ExplainState *es)
{
	ExplainPropertyInteger("Segments", NULL, (int64) c->segments, es);
	ExplainPropertyInteger("Segments Read", NULL, (int64) c->segments_read, es);
	ExplainPropertyInteger("Vectors", NULL, (int64) c->vectors, es);
	ExplainPropertyInteger("Vectors Read", NULL, (int64) c->vectors_read, es);
	ExplainPropertyInteger("Recent Batches", NULL, (int64) c->recent, es);
	ExplainPropertyInteger("Split Traces", NULL, (int64) c->split_traces, es);
}

void
traceql_explain_counters(const TraceqlSearchCounters *c, struct ExplainState *es)
{
	traceql_explain_read(&c->read, es);
	ExplainPropertyInteger("Traces Inspected", NULL, (int64) c->traces_inspected, es);
	ExplainPropertyInteger("Traces Matched", NULL, (int64) c->traces_matched, es);
	ExplainPropertyInteger("Spans Inspected", NULL, (int64) c->spans_inspected, es);
	ExplainPropertyInteger("Spans Matched", NULL, (int64) c->spans_matched, es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) c->read.bytes_read, es);
}
