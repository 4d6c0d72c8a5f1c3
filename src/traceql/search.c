/*
 * search.c
 *	  The run of a search: units one after the other into the evaluator, answers out one by one.
 */
#include "traceql/search.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "traceql/newest.h"
#include "traceql/source.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

struct TraceqlSearch
{
	MemoryContext context;
	MemoryContext unit_context; /* answers of the unit at hand, when there is no max_traces */
	TraceqlRequest request;
	Arena *arena;
	TraceqlPlan *plan;
	TraceqlRun *run;
	Snapshot snapshot;
	Source *source;
	Split *split;
	TraceqlSearchCounters counters;

	/* where reading is */
	bool started;
	bool split_done;
	int segment; /* next one */
	SourceUnit *unit;
	MemoryContext segment_context;
	Image *image;
	uint32 vector; /* next one */
	uint64 sources;
	Arena *vector_arena;
	Arena *scratch;

	/* answers */
	MatchTrace **queue;
	uint32 nqueue;
	uint32 cap_queue;
	uint32 next;
	Newest *newest; /* with max_traces */
};

static int query_memory = 1024 * 1024;
static int max_trace_spans = 1000000;

void
traceql_define_settings(void)
{
	DefineCustomIntVariable("tempo.query_memory", "Memory one TraceQL search may use.",
							"A search that needs more is an error. 0 is no limit.", &query_memory,
							1024 * 1024, 0, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB | GUC_EXPLAIN, NULL, NULL,
							NULL);
	DefineCustomIntVariable(
		"tempo.max_trace_spans", "Spans of a trace up to which TraceQL works out its structure.",
		"A search that needs the tree of a larger one is an error. 0 is no limit.", &max_trace_spans, 1000000,
		0, INT_MAX, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
}

/* Checked at every vector: everything a search allocates is below its context. */
static void
check_memory(MemoryContext context)
{
	CHECK_FOR_INTERRUPTS();
	if (query_memory > 0 && MemoryContextMemAllocated(context, true) / 1024 > (Size) query_memory)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("TraceQL search needs more memory than tempo.query_memory (%d kB)", query_memory),
				 errhint("Ask for a shorter time range or fewer traces, or set tempo.query_memory higher.")));
}

/* ---- the query ---- */

static void
refuse(const TraceqlRequest *request, const TraceqlError *err)
{
	int code = err->kind == TQL_ERROR_UNSUPPORTED ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_SYNTAX_ERROR;
	char *text = pnstrdup(request->query.p, request->query.len);

	ereport(ERROR, (errcode(code), errmsg("invalid TraceQL query: %s", err->message),
					internalerrposition(
						(int) pg_mbstrlen_with_len(text, (int) Min(err->offset, request->query.len)) + 1),
					internalerrquery(text)));
}

static void
refuse_metrics(const TraceqlQuery *query)
{
	const TraceqlMetricExpr *leaf = query->metrics;

	while (leaf->kind != TQL_METRIC_LEAF)
		leaf = leaf->left->kind == TQL_METRIC_NUMBER ? leaf->right : leaf->left;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("metrics queries cannot be executed yet: %s()", traceql_metric_name(leaf->metric->fn)),
			 errhint("A search has no metrics function behind its pipeline.")));
}

static void
plan_search(TraceqlSearch *search)
{
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(search->arena, search->request.query, &err);
	const char *why;

	if (!query)
		refuse(&search->request, &err);
	if (query->search)
		search->plan = traceql_plan(search->arena, query, &why);
	else if (search->request.allow_metrics && query->metrics->kind == TQL_METRIC_LEAF)
		search->plan = traceql_plan_pipeline(search->arena, query->metrics->pipeline);
	else
		refuse_metrics(query);
}

static void
free_plan(void *plan)
{
	traceql_plan_free(plan);
}

static void
on_interrupt(void *ctx)
{
	CHECK_FOR_INTERRUPTS();
}

static void
on_fail(void *ctx, const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("TraceQL query failed: %s", message)));
}

static void
begin_run(TraceqlSearch *search)
{
	const TraceqlRequest *r = &search->request;
	TraceqlOptions options = {.has_from = r->has_from,
							  .has_to = r->has_to,
							  .from = r->from,
							  .to = r->to,
							  .max_spans = r->max_spans,
							  .max_trace = (uint32) max_trace_spans,
							  .services = r->services,
							  .bare = r->bare,
							  .no_root = r->no_root,
							  .no_span = r->no_span,
							  .details = r->details};
	TraceqlHooks hooks = {.interrupt = on_interrupt, .fail = on_fail};
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	/* Compiled patterns are outside of memory contexts. */
	callback->func = free_plan;
	callback->arg = search->plan;
	MemoryContextRegisterResetCallback(search->context, callback);
	search->run = traceql_run_begin(search->plan, &options, &hooks, search->arena);
}

TraceqlSearch *
traceql_search_begin(const TraceqlRequest *request)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "traceql search", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	TraceqlSearch *search = palloc0(sizeof(TraceqlSearch));

	search->context = context;
	search->unit_context = AllocSetContextCreate(context, "traceql answers", ALLOCSET_DEFAULT_SIZES);
	search->request = *request;
	search->arena = store_arena(context);
	search->request.query.p = arena_dup(search->arena, request->query.p, request->query.len);
	if (request->tenant)
		search->request.tenant = pstrdup(request->tenant);
	plan_search(search);
	begin_run(search);
	search->scratch = store_arena(context);
	search->vector_arena = store_arena(context);
	search->snapshot = RegisterSnapshot(GetActiveSnapshot());
	search->source = source_open(context, search->snapshot, search->request.tenant);
	search->counters.segments = search->source->nsegments;
	search->counters.recent = search->source->nrecent;
	if (request->max_traces)
		search->newest = newest_create(context, request->max_traces);
	MemoryContextSwitchTo(old);
	return search;
}

/* ---- answers ---- */

/* Could a trace that starts no later than this still be among the newest? */
static bool
new_enough(const TraceqlSearch *search, uint64 start)
{
	return !search->newest || newest_wants(search->newest, start);
}

static bool
want_trace(void *ctx, const uint8_t *trace_id, int64_t start, int64_t duration)
{
	return new_enough(ctx, (uint64) start);
}

static void
push_queue(TraceqlSearch *search, MatchTrace *trace)
{
	if (search->nqueue == search->cap_queue)
	{
		uint32 cap = search->cap_queue ? search->cap_queue * 2 : 64;

		search->queue = search->queue ? repalloc_huge(search->queue, cap * sizeof(MatchTrace *))
									  : MemoryContextAlloc(search->context, cap * sizeof(MatchTrace *));
		search->cap_queue = cap;
	}
	search->queue[search->nqueue++] = trace;
}

static void
take_trace(void *ctx, const MatchTrace *trace)
{
	TraceqlSearch *search = ctx;

	if (search->newest)
		newest_add(search->newest, trace);
	else
		push_queue(search, match_trace_copy(
							   trace, MemoryContextAllocHuge(search->unit_context, match_trace_size(trace))));
}

/* The heap gives the oldest first; answers go newest first. */
static void
queue_newest(TraceqlSearch *search)
{
	MatchTrace *trace;

	while ((trace = newest_pop_oldest(search->newest)) != NULL)
		push_queue(search, trace);
	for (uint32 i = 0, j = search->nqueue; i + 1 < j; i++)
	{
		trace = search->queue[i];
		search->queue[i] = search->queue[--j];
		search->queue[j] = trace;
	}
}

/* ---- units ---- */

static void
run_unit(TraceqlSearch *search, Batch *batch, uint64 source, const uint8 *skip)
{
	MatchSink sink = {search, want_trace, take_trace};

	check_memory(search->context);
	traceql_run_unit(search->run, batch, source, skip, search->scratch, &sink);
	arena_reset(search->scratch);
}

/* Can a range of starts, and ends, hold a trace that is asked for? */
static bool
range_asked(const TraceqlSearch *search, uint64 start_min, uint64 start_max, uint64 end_max)
{
	const TraceqlRequest *r = &search->request;

	if (r->has_to && start_min > (uint64) r->to)
		return false;
	if (r->has_from && end_max < (uint64) r->from)
		return false;
	return new_enough(search, start_max);
}

static void
close_segment(TraceqlSearch *search)
{
	if (!search->image)
		return;
	search->source->bytes_read += image_counters(search->image).bytes_read;
	search->image = NULL;
	arena_reset(search->vector_arena);
	MemoryContextDelete(search->segment_context);
	search->segment_context = NULL;
}

/* Open the next segment worth reading. false: there is none. */
static bool
open_segment(TraceqlSearch *search)
{
	Source *source = search->source;

	close_segment(search);
	while (search->segment < source->nsegments)
	{
		SourceUnit *unit = &source->segments[search->segment++];
		const ImageSummary *s = &unit->unit.summary;

		search->counters.vectors += s->nvectors;
		if (!range_asked(search, s->start_min, s->start_max, s->end_max))
			continue;
		search->unit = unit;
		search->segment_context =
			AllocSetContextCreate(search->context, "traceql segment", ALLOCSET_DEFAULT_SIZES);
		search->image =
			store_open(unit->rel, search->snapshot, &unit->unit, store_arena(search->segment_context));
		search->vector = 0;
		search->sources++;
		if (source_segment_tenant(source, unit, search->image) < 0)
		{
			close_segment(search);
			continue;
		}
		search->counters.segments_read++;
		return true;
	}
	return false;
}

static uint8 *
split_traces(TraceqlSearch *search, Batch *batch)
{
	Column *id;
	uint8 *skip;

	if (!search->split)
		return NULL;
	id = batch_column(batch, LEVEL_TRACE, TC_ID);
	skip = arena_alloc0(search->scratch, id->n + 1);
	for (uint32 t = 0; t < id->n; t++)
		skip[t] = split_has(search->split, search->unit->tenant, id->fixed + 16 * (size_t) t);
	return skip;
}

static void
run_vector(TraceqlSearch *search)
{
	uint32 v = search->vector++;
	const ImageVector *info = image_vector_info(search->image, v);
	Batch *batch;

	if (!range_asked(search, (uint64) info->start_min, (uint64) info->start_max, (uint64) info->end_max))
		return;
	search->counters.vectors_read++;
	batch = image_vector(search->image, v, search->vector_arena);
	batch = policy_filter(search->source, search->unit, info->first_row, batch, search->vector_arena);
	if (batch)
		run_unit(search, batch, search->sources, split_traces(search, batch));
	arena_reset(search->vector_arena);
}

/* One more unit of split traces; false when there are no more. */
static bool
run_split(TraceqlSearch *search)
{
	Batch *batch = search->split && !search->split_done ? split_next(search->split) : NULL;

	if (!batch)
	{
		search->split_done = true;
		return false;
	}
	run_unit(search, batch, ++search->sources, NULL);
	return true;
}

static bool
run_segment(TraceqlSearch *search)
{
	while (!search->image || search->vector >= image_summary(search->image)->nvectors)
		if (!open_segment(search))
			return false;
	run_vector(search);
	return true;
}

/* Split traces are the newest as a rule, so they come first. */
static bool
run_next(TraceqlSearch *search)
{
	const TraceqlRequest *r = &search->request;

	if (traceql_plan_facts(search->plan)->nothing)
		return false;
	if (!search->started)
	{
		search->started = true;
		search->split = split_find(search->source, check_memory, r->has_from, r->from, r->has_to, r->to);
		if (search->split)
			search->counters.split_traces = split_count(search->split);
	}
	return run_split(search) || run_segment(search);
}

const MatchTrace *
traceql_search_next(TraceqlSearch *search)
{
	MemoryContext old = MemoryContextSwitchTo(search->context);

	if (search->newest && search->next == 0 && search->nqueue == 0)
	{
		while (run_next(search))
			;
		queue_newest(search);
	}
	while (!search->newest && search->next == search->nqueue)
	{
		search->next = search->nqueue = 0;
		MemoryContextReset(search->unit_context);
		if (!run_next(search))
			break;
	}
	MemoryContextSwitchTo(old);
	return search->next < search->nqueue ? search->queue[search->next++] : NULL;
}

const TraceqlFacts *
traceql_search_facts(const TraceqlSearch *search)
{
	return traceql_plan_facts(search->plan);
}

TraceqlSearchCounters
traceql_search_counters(const TraceqlSearch *search)
{
	TraceqlSearchCounters c = search->counters;
	const TraceqlCounters *run = traceql_run_counters(search->run);

	c.bytes_read = search->source->bytes_read;
	if (search->image)
		c.bytes_read += image_counters(search->image).bytes_read;
	c.traces_matched = run->traces_matched;
	c.spans_matched = run->spans_matched;
	c.spans_inspected = run->rows;
	c.traces_inspected = run->traces;
	return c;
}

void
traceql_search_end(TraceqlSearch *search)
{
	close_segment(search);
	if (search->split)
		split_close(search->split);
	source_close(search->source);
	UnregisterSnapshot(search->snapshot);
	MemoryContextDelete(search->context);
}
