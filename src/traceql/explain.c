/*
 * explain.c
 *	  TraceQLScan in EXPLAIN: the operators of the query, the attributes it reads, and what reading took.
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
explain_attributes(const TraceqlPlan *plan, Arena *arena)
{
	List *names = NIL;
	const TraceqlAttr *attr;

	for (uint32 i = 0; (attr = traceql_plan_attribute(plan, i)) != NULL; i++)
	{
		Buf text;

		buf_init(&text, arena, 64);
		traceql_print_attr(attr, &text);
		names = lappend(names, as_cstring(&text));
	}
	return names;
}

void
traceql_explain_query(Str text, struct ExplainState *es)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql explain", ALLOCSET_DEFAULT_SIZES);
	Arena *arena = store_arena(context);
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, text, &err);
	const char *why;
	Buf printed;

	/* A refused query raises when it runs. */
	if (query && query->search)
	{
		TraceqlPlan *plan = traceql_plan(arena, query, &why);

		buf_init(&printed, arena, 256);
		traceql_print_query(query, &printed);
		ExplainPropertyText("TraceQL", as_cstring(&printed), es);
		if (query->search->op == TQL_OP_NONE)
			ExplainPropertyList("Operators", explain_stages(query->search->pipeline, arena), es);
		if (traceql_plan_attribute(plan, 0))
			ExplainPropertyList("Attributes", explain_attributes(plan, arena), es);
		traceql_plan_free(plan);
	}
	MemoryContextDelete(context);
}

void
traceql_explain_counters(const TraceqlSearchCounters *c, struct ExplainState *es)
{
	ExplainPropertyInteger("Segments", NULL, (int64) c->read.segments, es);
	ExplainPropertyInteger("Segments Read", NULL, (int64) c->read.segments_read, es);
	ExplainPropertyInteger("Vectors", NULL, (int64) c->read.vectors, es);
	ExplainPropertyInteger("Vectors Read", NULL, (int64) c->read.vectors_read, es);
	ExplainPropertyInteger("Recent Batches", NULL, (int64) c->read.recent, es);
	ExplainPropertyInteger("Split Traces", NULL, (int64) c->read.split_traces, es);
	ExplainPropertyInteger("Traces Inspected", NULL, (int64) c->traces_inspected, es);
	ExplainPropertyInteger("Traces Matched", NULL, (int64) c->traces_matched, es);
	ExplainPropertyInteger("Spans Inspected", NULL, (int64) c->spans_inspected, es);
	ExplainPropertyInteger("Spans Matched", NULL, (int64) c->spans_matched, es);
	ExplainPropertyInteger("Bytes Read", NULL, (int64) c->read.bytes_read, es);
}
