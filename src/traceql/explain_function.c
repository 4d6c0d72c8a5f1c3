/*
 * explain_function.c
 *	  traceql_explain(): what a query does, operator by operator, and what there is to read for it, as lines
 *	  for people; and, when it is run, what it read and found.
 *
 * The operator that runs last stands first, what feeds it below it, as in EXPLAIN.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "traceql/query.h"
#include "traceql/rows.h"
#include "traceql/timeline.h"
#include "traceql/trace_rows.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(tempo_traceql_explain);

typedef struct Lines
{
	ReturnSetInfo *rsi;
	Arena *arena;
} Lines;

static void
put_line(Lines *out, int depth, const char *text)
{
	StringInfoData buf;
	Datum value;
	bool isnull = false;

	initStringInfo(&buf);
	if (depth > 0)
	{
		appendStringInfoSpaces(&buf, depth * 4 - 2);
		appendStringInfoString(&buf, "-> ");
	}
	appendStringInfoString(&buf, text);
	value = PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
	trace_put_row(out->rsi, &value, &isnull);
}

static void put_fact(Lines *out, int depth, const char *fmt, ...) pg_attribute_printf(3, 4);

/* A line about the operator above it. */
static void
put_fact(Lines *out, int depth, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_line(out, 0, psprintf("%*s%s", depth > 0 ? depth * 4 + 1 : 0, "", text));
}

static char *
printed(const Buf *text)
{
	return pnstrdup((const char *) text->p, text->len);
}

/* ---- operators ---- */

typedef struct Names
{
	Buf text;
	uint32 n;
	const TraceqlAttr **seen;
} Names;

static void
take_name(const TraceqlAttr *attr, void *ctx)
{
	Names *names = ctx;

	for (uint32 i = 0; i < names->n; i++)
		if (traceql_attr_eq(names->seen[i], attr))
			return;
	if (names->n)
		buf_put(&names->text, ", ", 2);
	traceql_print_attr(attr, &names->text);
	names->seen = arena_grow(names->text.arena, names->seen, names->n * sizeof(*names->seen),
							 (names->n + 1) * sizeof(*names->seen));
	names->seen[names->n++] = attr;
}

static void
put_reads(Lines *out, int depth, const TraceqlExpr *expr)
{
	Names names = {.n = 0};

	buf_init(&names.text, out->arena, 64);
	traceql_visit_attrs(expr, take_name, &names);
	if (names.n)
		put_fact(out, depth, "reads %s", printed(&names.text));
}

static const char *
relation_of(TraceqlOp op)
{
	switch (op)
	{
		case TQL_OP_AND: return "traces that have spans of both sides; their union";
		case TQL_OP_OR: return "union of both sides";
		case TQL_OP_CHILD: return "spans of the right side whose parent is one of the left";
		case TQL_OP_DESCENDANT: return "spans of the right side below one of the left";
		case TQL_OP_PARENT: return "spans of the right side that are the parent of one of the left";
		case TQL_OP_ANCESTOR: return "spans of the right side above one of the left";
		case TQL_OP_SIBLING: return "spans of the right side that share their parent with one of the left";
		case TQL_OP_NOT_CHILD: return "spans of the right side whose parent is none of the left";
		case TQL_OP_NOT_DESCENDANT: return "spans of the right side below none of the left";
		case TQL_OP_NOT_PARENT: return "spans of the right side that are the parent of none of the left";
		case TQL_OP_NOT_ANCESTOR: return "spans of the right side above none of the left";
		case TQL_OP_NOT_SIBLING:
			return "spans of the right side that share their parent with none of the left";
		case TQL_OP_UNION_CHILD: return "parents of the left side and children of the right, together";
		case TQL_OP_UNION_DESCENDANT: return "spans above of the left side and below of the right, together";
		case TQL_OP_UNION_PARENT: return "children of the left side and parents of the right, together";
		case TQL_OP_UNION_ANCESTOR: return "spans below of the left side and above of the right, together";
		case TQL_OP_UNION_SIBLING: return "siblings of both sides, together";
		default: return "";
	}
}

static void
put_relation(Lines *out, int depth, TraceqlOp op)
{
	put_line(out, depth, psprintf("%s", traceql_op_text(op)));
	put_fact(out, depth, "%s", relation_of(op));
}

static void
put_spanset(Lines *out, int depth, const TraceqlSpanset *set)
{
	Buf text;

	check_stack_depth();
	if (set->op != TQL_OP_NONE)
	{
		put_relation(out, depth, set->op);
		put_spanset(out, depth + 1, set->left);
		put_spanset(out, depth + 1, set->right);
		return;
	}
	buf_init(&text, out->arena, 64);
	traceql_print_spanset(set, &text);
	put_line(out, depth, printed(&text));
	put_reads(out, depth, set->filter);
}

static const char *
stage_does(const TraceqlStage *stage)
{
	switch (stage->kind)
	{
		case TQL_STAGE_SCALAR: return "keeps spansets for which it holds, and attaches its value";
		case TQL_STAGE_BY: return "divides spansets by the value";
		case TQL_STAGE_COALESCE: return "makes one spanset of a trace again";
		case TQL_STAGE_SELECT: return "shows these attributes as well";
		default: return "";
	}
}

static void
put_stage(Lines *out, int depth, const TraceqlStage *stage)
{
	Buf text;

	buf_init(&text, out->arena, 64);
	traceql_print_stage(stage, &text);
	put_line(out, depth, printed(&text));
	put_fact(out, depth, "%s", stage_does(stage));
	if (stage->kind == TQL_STAGE_BY)
		put_reads(out, depth, stage->by);
	if (stage->kind == TQL_STAGE_SCALAR && stage->scalar.lhs->aggregate.arg)
		put_reads(out, depth, stage->scalar.lhs->aggregate.arg);
}

/* The last stage first. */
static void
put_stages(Lines *out, int depth, const TraceqlPipeline *pipeline)
{
	const TraceqlStage **stages = palloc(pipeline->nstages * sizeof(*stages));
	uint32 n = 0;

	for (const TraceqlStage *s = pipeline->first; s; s = s->next)
		stages[n++] = s;
	while (n-- > 0)
	{
		if (stages[n]->kind == TQL_STAGE_SPANSET)
			put_spanset(out, depth, stages[n]->spanset);
		else
			put_stage(out, depth, stages[n]);
		depth++;
	}
}

static void
put_pipelines(Lines *out, int depth, const TraceqlPipelineExpr *expr)
{
	check_stack_depth();
	if (expr->op == TQL_OP_NONE)
	{
		put_stages(out, depth, expr->pipeline);
		return;
	}
	put_relation(out, depth, expr->op);
	put_pipelines(out, depth + 1, expr->left);
	put_pipelines(out, depth + 1, expr->right);
}

/* ---- metrics ---- */

static int
put_seconds(Lines *out, int depth, const TraceqlSecond *second)
{
	if (!second)
		return depth;
	/* the last one is on top */
	if (second->next)
		depth = put_seconds(out, depth, second->next);
	if (second->kind == TQL_SECOND_COMPARE)
		put_line(out, depth, psprintf("keep samples %s a number", traceql_op_text(second->cmp)));
	else
		put_line(out, depth,
				 psprintf("%s(" INT64_FORMAT ") of each interval",
						  second->kind == TQL_SECOND_TOPK ? "topk" : "bottomk", second->n));
	return depth + 1;
}

static void
put_metrics(Lines *out, int depth, const TraceqlMetricExpr *expr)
{
	Buf text;

	check_stack_depth();
	depth = put_seconds(out, depth, expr->seconds);
	buf_init(&text, out->arena, 64);
	if (expr->kind == TQL_METRIC_NUMBER)
	{
		traceql_print_static(&expr->number, &text);
		put_line(out, depth, printed(&text));
	}
	else if (expr->kind == TQL_METRIC_ARITH)
	{
		put_line(out, depth, psprintf("%s of series with the same labels", traceql_op_text(expr->op)));
		put_metrics(out, depth + 1, expr->left);
		put_metrics(out, depth + 1, expr->right);
	}
	else
	{
		traceql_print_metric(expr->metric, &text);
		put_line(out, depth, printed(&text));
		put_stages(out, depth + 1, expr->pipeline);
	}
}

/* ---- what there is to read ---- */

typedef struct Stock
{
	int units;
	int kept; /* by the range of time */
	uint64 vectors;
	uint64 spans;
	uint64 bytes;
} Stock;

static bool
in_range(const TraceqlRequest *r, const ImageSummary *s)
{
	return (!r->has_from || s->end_max >= (uint64) r->from) && (!r->has_to || s->start_min <= (uint64) r->to);
}

static Stock
take_stock(const TraceqlRequest *r, const SourceUnit *units, int n)
{
	Stock stock = {.units = n};

	for (int i = 0; i < n; i++)
	{
		const StoreUnit *u = &units[i].unit;

		if (u->has_range && !in_range(r, &u->summary))
			continue;
		stock.kept++;
		stock.vectors += u->summary.nvectors;
		stock.spans += u->nrows;
		stock.bytes += u->bytes;
	}
	return stock;
}

static void
put_stock(Lines *out, const char *what, const Stock *s)
{
	put_fact(out, 0,
			 "%s: %d of %d by time, " UINT64_FORMAT " spans in " UINT64_FORMAT " vectors, " UINT64_FORMAT
			 " kB",
			 what, s->kept, s->units, s->spans, s->vectors, (s->bytes + 1023) / 1024);
}

static void
put_source(Lines *out, const TraceqlRequest *r)
{
	Source *source = source_open(CurrentMemoryContext, GetActiveSnapshot(), r->tenant);
	Stock segments = take_stock(r, source->segments, source->nsegments);
	Stock recent = take_stock(r, source->recent, source->nrecent);

	put_fact(out, 0, "Partitions: %d", source->nrels);
	put_stock(out, "Segments", &segments);
	put_stock(out, "Recent batches", &recent);
	if (source->policies)
		put_fact(out, 0, "Row-level security: a plain query says first which rows there are");
	source_close(source);
}

/* ---- running ---- */

static void
put_read(Lines *out, const ReaderCounters *read, double ms)
{
	put_fact(out, 0,
			 "Read: " UINT64_FORMAT " of " UINT64_FORMAT " segments, " UINT64_FORMAT " of " UINT64_FORMAT
			 " vectors, " UINT64_FORMAT " kB; " UINT64_FORMAT " split traces",
			 read->segments_read, read->segments, read->vectors_read, read->vectors,
			 (read->bytes_read + 1023) / 1024, read->split_traces);
	put_fact(out, 0, "Execution Time: %.3f ms", ms);
}

static double
elapsed_ms(const instr_time *start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	return INSTR_TIME_GET_MILLISEC(now);
}

static void
run_search(Lines *out, const TraceqlRequest *request)
{
	TraceqlSearch *search;
	TraceqlSearchCounters c;
	instr_time start;

	INSTR_TIME_SET_CURRENT(start);
	search = traceql_search_begin(request);
	while (traceql_search_next(search))
		CHECK_FOR_INTERRUPTS();
	c = traceql_search_counters(search);
	put_fact(out, 0, "Inspected: " UINT64_FORMAT " spans of " UINT64_FORMAT " traces", c.spans_inspected,
			 c.traces_inspected);
	put_fact(out, 0, "Matched: " UINT64_FORMAT " spans of " UINT64_FORMAT " traces", c.spans_matched,
			 c.traces_matched);
	traceql_search_end(search);
	put_read(out, &c.read, elapsed_ms(&start));
}

static void
run_metrics(Lines *out, const TraceqlRequest *r)
{
	TimelineRequest request = {.query = r->query,
							   .tenant = r->tenant,
							   .has_start = r->has_from,
							   .start = (uint64) r->from,
							   .has_end = r->has_to,
							   .end = (uint64) r->to};
	instr_time start;
	Timeline *timeline;

	INSTR_TIME_SET_CURRENT(start);
	timeline = timeline_run(&request);
	put_fact(out, 0, "Workers: %u", timeline->workers);
	put_read(out, &timeline->read, elapsed_ms(&start));
}

Datum
tempo_traceql_explain(PG_FUNCTION_ARGS)
{
	Lines out = {.rsi = (ReturnSetInfo *) fcinfo->resultinfo, .arena = store_arena(CurrentMemoryContext)};
	TraceqlRequest request;
	TraceqlQuery *query;
	Buf text;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!traceql_request_args(fcinfo->args, &request))
		return (Datum) 0;
	source_check_access();
	query = query_parse(out.arena, request.query);
	buf_init(&text, out.arena, 256);
	traceql_print_query(query, &text);
	put_line(&out, 0, psprintf("TraceQL %s: %s", query->search ? "search" : "metrics", printed(&text)));
	if (request.max_traces && query->search)
		put_fact(&out, 0, "Limit: the newest %u traces", request.max_traces);
	if (query->search)
		put_pipelines(&out, 1, query->search);
	else
		put_metrics(&out, 1, query->metrics);
	put_source(&out, &request);
	if (PG_ARGISNULL(5) || !PG_GETARG_BOOL(5))
		return (Datum) 0;
	if (query->search)
		run_search(&out, &request);
	else
		run_metrics(&out, &request);
	return (Datum) 0;
}
