/*
 * search.c
 *	  The run of a search: units one after the other into the evaluator, answers out one by one.
 */
#include "traceql/search.h"

#include "traceql/newest.h"
#include "traceql/query.h"
#include "traceql/walk.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define SCRATCH_KEEP (16 * 1024 * 1024)

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
	Walk *walk;
	Arena *scratch;

	/* answers */
	MatchTrace **queue;
	uint32 nqueue;
	uint32 cap_queue;
	uint32 next;
	Newest *newest; /* with max_traces */

	/* few newest traces: found first, built when it is known which they are */
	bool recall;
	bool recalling;
	Batch *batch; /* of the unit at hand */
	TraceqlCounters counted;
};

/* Up to so many traces building them twice over, and reading their vectors again, is the lesser work. */
#define RECALL_TRACES 256

/* A match that has not been built. */
typedef struct Hit
{
	WalkPlace place;
	uint8 id[16];
} Hit;

/* ---- the query ---- */

static void
refuse_metrics(const TraceqlQuery *query)
{
	const TraceqlMetricExpr *leaf = query->metrics;

	while (leaf->kind != TQL_METRIC_LEAF)
		leaf = leaf->left->kind == TQL_METRIC_NUMBER ? leaf->right : leaf->left;
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("not a search: %s() makes it a metrics query", traceql_metric_name(leaf->metric->fn)),
			 errhint("Use traceql_metrics().")));
}

static void
plan_search(TraceqlSearch *search)
{
	TraceqlQuery *query = query_parse(search->arena, search->request.query);
	const char *why;

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
begin_run(TraceqlSearch *search)
{
	const TraceqlRequest *r = &search->request;
	TraceqlOptions options = {.has_from = r->has_from,
							  .has_to = r->has_to,
							  .from = r->from,
							  .to = r->to,
							  .max_spans = r->max_spans,
							  .max_trace = query_max_trace_spans(),
							  .services = r->services,
							  .bare = r->bare,
							  .no_root = r->no_root,
							  .no_span = r->no_span,
							  .details = r->details};
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	/* Compiled patterns are outside of memory contexts. */
	callback->func = free_plan;
	callback->arg = search->plan;
	MemoryContextRegisterResetCallback(search->context, callback);
	search->run = traceql_run_begin(search->plan, &options, &query_hooks, search->arena);
}

/* ---- answers ---- */

/* Could a trace that starts no later than this still be among the newest? */
static bool
new_enough(const TraceqlSearch *search, uint64 start)
{
	return !search->newest || newest_wants(search->newest, start);
}

static bool
want_trace(void *ctx, uint32_t trace, const uint8_t *trace_id, int64_t start)
{
	TraceqlSearch *search = ctx;
	Hit *hit;

	if (search->request.visit)
	{
		search->request.visit(search->request.visit_ctx, search->batch, trace);
		return false;
	}
	if (search->recalling || !search->newest)
		return true;
	if (!newest_wants_trace(search->newest, (uint64) start, trace_id))
		return false;
	if (!search->recall)
		return true;
	hit = MemoryContextAlloc(search->context, sizeof(Hit));
	hit->place = walk_place(search->walk, trace);
	memcpy(hit->id, trace_id, sizeof(hit->id));
	newest_add(search->newest, (uint64) start, trace_id, hit);
	return false;
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
	MemoryContext context = search->newest ? search->context : search->unit_context;
	MatchTrace *copy = match_trace_copy(trace, MemoryContextAllocHuge(context, match_trace_size(trace)));

	if (search->newest && !search->recalling)
		newest_add(search->newest, (uint64) copy->start, copy->trace_id, copy);
	else
		push_queue(search, copy);
}

static int
newest_first(const void *a, const void *b)
{
	const MatchTrace *x = *(MatchTrace *const *) a;
	const MatchTrace *y = *(MatchTrace *const *) b;

	if (x->start != y->start)
		return (uint64) x->start > (uint64) y->start ? -1 : 1;
	return memcmp(x->trace_id, y->trace_id, 16);
}

static void
queue_newest(TraceqlSearch *search)
{
	MatchTrace *trace;

	while ((trace = newest_pop_oldest(search->newest)) != NULL)
		push_queue(search, trace);
	if (search->nqueue)
		qsort(search->queue, search->nqueue, sizeof(MatchTrace *), newest_first);
}

/* ---- units ---- */

/* Can a range of starts, and ends, hold a trace that is asked for? */
static bool
range_asked(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max)
{
	const TraceqlSearch *search = ctx;
	const TraceqlRequest *r = &search->request;

	if (r->has_to && start_min > (uint64) r->to)
		return false;
	if (r->has_from && end_max < (uint64) r->from)
		return false;
	return new_enough(search, start_max);
}

static void
begin_reading(TraceqlSearch *search)
{
	const TraceqlRequest *r = &search->request;
	WalkRequest request = {.has_from = r->has_from,
						   .has_to = r->has_to,
						   .from = r->from,
						   .to = r->to,
						   .wanted = range_asked,
						   .ctx = search,
						   .run = search->run,
						   .need = traceql_plan_facts(search->plan)->need,
						   .newest = r->max_traces > 0};

	search->source = source_open(search->context, search->snapshot, r->tenant);
	search->walk = walk_begin(search->source, &request);
}

static void
run_unit(TraceqlSearch *search, const TraceqlUnit *unit)
{
	MatchSink sink = {search, want_trace, take_trace};

	query_check_memory(search->context);
	search->batch = unit->batch;
	traceql_run_unit(search->run, unit, search->scratch, &sink);
	arena_reset(search->scratch);
}

static bool
run_next(TraceqlSearch *search)
{
	TraceqlUnit unit;

	if (traceql_plan_facts(search->plan)->nothing || !walk_next(search->walk, &unit))
		return false;
	run_unit(search, &unit);
	return true;
}

/* ---- building the newest ---- */

/* By place; traces of a vector then by id, as they are there. */
static int
compare_hits(const void *a, const void *b)
{
	const Hit *x = *(Hit *const *) a;
	const Hit *y = *(Hit *const *) b;

	if (x->place.image != y->place.image)
		return x->place.image < y->place.image ? -1 : 1;
	if (x->place.at != y->place.at)
		return x->place.at < y->place.at ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

static void
recall_gathered(TraceqlSearch *search, Hit **hits, uint32 n)
{
	uint32 *traces = palloc(n * sizeof(uint32));
	TraceqlUnit unit;

	for (uint32 i = 0; i < n; i++)
		traces[i] = hits[i]->place.at;
	walk_gather(search->walk, traces, n);
	while (walk_next(search->walk, &unit))
		run_unit(search, &unit);
	pfree(traces);
}

/* The hits of one vector: everything else in it is skipped. */
static void
recall_vector(TraceqlSearch *search, Hit **hits, uint32 n)
{
	TraceqlUnit unit;
	uint32 ntraces;
	uint8 *skip;

	walk_again(search->walk, hits[0]->place.image, hits[0]->place.at, &unit);
	ntraces = unit.batch->level[LEVEL_TRACE].nrows;
	skip = palloc(ntraces + 1);
	memset(skip, 1, ntraces);
	for (uint32 h = 0; h < n; h++)
	{
		int64 t = batch_find_trace(unit.batch, hits[h]->id);

		if (t >= 0)
			skip[t] = 0;
	}
	unit.skip = skip;
	run_unit(search, &unit);
	pfree(skip);
}

static bool
same_unit(const Hit *a, const Hit *b)
{
	return a->place.image == b->place.image && (a->place.image == 0 || a->place.at == b->place.at);
}

/* Build the hits that were kept, reading only the units they are in. */
static void
recall(TraceqlSearch *search)
{
	uint32 n = search->newest->n;
	Hit **hits = palloc((n + 1) * sizeof(Hit *));

	search->counted = *traceql_run_counters(search->run);
	search->recalling = true;
	for (uint32 i = 0; i < n; i++)
		hits[i] = newest_pop_oldest(search->newest);
	qsort(hits, n, sizeof(Hit *), compare_hits);
	for (uint32 from = 0, to; from < n; from = to)
	{
		for (to = from + 1; to < n && same_unit(hits[from], hits[to]); to++)
			;
		/* Traces put together come first. */
		if (hits[from]->place.image == 0)
			recall_gathered(search, hits + from, to - from);
		else
			recall_vector(search, hits + from, to - from);
	}
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
	arena_keep(search->scratch, SCRATCH_KEEP);
	search->snapshot = RegisterSnapshot(GetActiveSnapshot());
	begin_reading(search);
	if (request->max_traces)
		search->newest = newest_create(context, request->max_traces);
	search->recall = request->max_traces > 0 && request->max_traces <= RECALL_TRACES;
	MemoryContextSwitchTo(old);
	return search;
}

const MatchTrace *
traceql_search_next(TraceqlSearch *search)
{
	MemoryContext old = MemoryContextSwitchTo(search->context);

	if (search->newest && search->next == 0 && search->nqueue == 0)
	{
		while (run_next(search))
			;
		if (search->recall)
			recall(search);
		queue_newest(search);
		search->nqueue = Min(search->nqueue, search->request.max_traces);
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
	const TraceqlCounters *run = search->recalling ? &search->counted : traceql_run_counters(search->run);
	TraceqlSearchCounters c = {.read = walk_counters(search->walk)};

	c.traces_matched = run->traces_matched;
	c.spans_matched = run->spans_matched;
	c.spans_inspected = run->rows;
	c.traces_inspected = run->traces;
	return c;
}

void
traceql_search_end(TraceqlSearch *search)
{
	walk_end(search->walk);
	source_close(search->source);
	UnregisterSnapshot(search->snapshot);
	MemoryContextDelete(search->context);
}
