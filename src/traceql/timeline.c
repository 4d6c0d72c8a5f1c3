/*
 * timeline.c
 *	  The run of a metrics query; see timeline.h.
 */
#include "traceql/timeline.h"

#include "traceql/parallel.h"
#include "traceql/query.h"
#include "traceql/timeline_impl.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define SCRATCH_KEEP (16 * 1024 * 1024)

typedef struct Running
{
	MemoryContext context;
	Str query;
	uint32 exemplars;
	Source *source;
	Reader *reader;
	uint64 sources; /* names of images for the run, whoever reads them */
	MetricsRange range;
	MetricsPlan *plan;
	MetricsRun *run;
	Arena *scratch;
	MetricsShares *shares; /* NULL: units are dealt out, if anything */
} Running;

/* ---- the query ---- */

static void
free_plan(void *plan)
{
	metrics_plan_free(plan);
}

static void
plan_query(Running *r, Arena *arena)
{
	TraceqlQuery *query =
		query_parse(arena, str_of(arena_dup(arena, r->query.p, r->query.len), r->query.len));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	const char *why;

	r->plan = metrics_plan(arena, query, &why);
	if (!r->plan)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s", why),
						errhint("A metrics query ends in a function over time, such as { } | rate().")));
	/* Compiled patterns are outside of memory contexts. */
	callback->func = free_plan;
	callback->arg = r->plan;
	MemoryContextRegisterResetCallback(r->context, callback);
}

/* ---- the range ---- */

/* Starts of the first and the last span. */
typedef struct Starts
{
	uint64 first;
	uint64 last;
} Starts;

static bool
widens(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max)
{
	const Starts *starts = ctx;

	return start_min < starts->first || start_max > starts->last;
}

static void
widen(Starts *starts, uint64 first, uint64 last)
{
	starts->first = Min(starts->first, first);
	starts->last = Max(starts->last, last);
}

/* Where some spans of a segment are not there, or a recent batch may be of several tenants, spans are looked
 * at. */
static void
read_starts(Running *r, Starts *starts)
{
	ReaderRequest request = {.spans = true, .wanted = widens, .ctx = starts};
	Reader *reader = reader_begin(r->source, &request);
	ReaderUnit unit;

	while (reader_next(reader, &unit))
	{
		const int64 *start = (int64 *) batch_column(unit.batch, LEVEL_SPAN, SC_START)->i64;

		query_check_memory(r->context);
		for (uint32 i = 0; i < batch_nrows(unit.batch); i++)
			if (!unit.rows || unit.rows[i])
				widen(starts, (uint64) start[i], (uint64) start[i]);
	}
	reader_end(reader);
}

static Starts
find_starts(Running *r)
{
	Starts starts = {PG_UINT64_MAX, 0};

	for (int i = 0; i < r->source->nsegments; i++)
	{
		const ImageSummary *s = &r->source->segments[i].unit.summary;

		if (!r->source->segments[i].partial)
			widen(&starts, s->start_min, s->start_max);
	}
	read_starts(r, &starts);
	return starts;
}

/* false: there is no span to begin or end with. */
static bool
complete_range(Running *r, const TimelineRequest *request, uint64 *start, uint64 *end)
{
	Starts starts;

	*start = request->start;
	*end = request->end;
	if (request->has_start && request->has_end)
		return true;
	starts = find_starts(r);
	if (starts.first > starts.last)
		return false;
	/* The start is not part of a range. */
	if (!request->has_start)
		*start = starts.first > 0 ? starts.first - 1 : 0;
	if (!request->has_end)
		*end = Max(starts.last, *start + 1);
	return true;
}

static bool
find_range(Running *r, const TimelineRequest *request)
{
	uint64 start;
	uint64 end;
	uint64 step;

	if (!complete_range(r, request, &start, &end))
		return false;
	if (end <= start)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("end must be greater than start")));
	if (request->instant)
		return metrics_instant(start, end, &r->range);
	step = request->step ? request->step : metrics_default_step(start, end);
	if (!metrics_align(start, end, step, &r->range))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("step is too small for the range: there would be more than %d intervals",
							   METRICS_MAX_INTERVALS)));
	return true;
}

/* ---- reading ---- */

/* Every span counts by its start alone. */
static bool
starts_wanted(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max)
{
	const MetricsRange *range = &((Running *) ctx)->range;

	return start_max > range->from && start_min <= metrics_time(range, range->n - 1);
}

static void
begin_run(Running *r, Arena *arena)
{
	MetricsOptions options = {
		.range = r->range, .exemplars = r->exemplars, .max_trace = query_max_trace_spans()};
	TraceqlHooks hooks = query_hooks;

	hooks.ctx = r->context;
	hooks.room = query_check_room;
	r->run = metrics_run_begin(r->plan, &options, &hooks, arena);
	r->scratch = store_arena(r->context);
	arena_keep(r->scratch, SCRATCH_KEEP);
}

/* What shares but the first have to do is about spans alone. */
static void
begin_reading(Running *r, uint32 share)
{
	MetricsReading reading = metrics_reading(r->plan);
	ReaderRequest request = {.spans = reading == METRICS_BY_SPANS || share > 0,
							 .pieces = reading == METRICS_BY_BOTH && share == 0,
							 .has_from = true,
							 .has_to = true,
							 .from = (int64) r->range.from,
							 .to = (int64) metrics_time(&r->range, r->range.n - 1),
							 .wanted = starts_wanted,
							 .ctx = r,
							 .sources = &r->sources};

	request.run = metrics_run_need(r->run, &request.need);
	r->reader = reader_begin(r->source, &request);
}

static void
read_units(Running *r, uint32 share)
{
	MetricsReading reading = metrics_reading(r->plan);
	ReaderUnit unit;

	while (reader_next(r->reader, &unit))
	{
		MetricsUnit observed = {.batch = unit.batch,
								.source = unit.source,
								.skip = unit.skip,
								.rows = unit.rows,
								.bounded = unit.bounded,
								.start_min = unit.start_min,
								.start_max = unit.start_max,
								.forward = unit.forward};

		if (share > 0 || (reading == METRICS_BY_BOTH && !unit.batch->sorted))
			observed.part = METRICS_PIECES;
		else if (reading == METRICS_BY_BOTH && unit.place == 0)
			observed.part = METRICS_GATHERED;
		query_check_memory(r->context);
		metrics_run_unit(r->run, &observed, r->scratch);
		arena_reset(r->scratch);
	}
}

/* ---- in several processes ---- */

/* What a worker has to know, then the shares, if any, then the query. */
typedef struct Task
{
	MetricsRange range;
	uint32 exemplars;
	uint32 shares_len;
} Task;

/* What a worker has done, then a partial. */
typedef struct Done
{
	MetricsCounters counters;
	ReaderCounters read;
} Done;

/* Read everything for one share after the other, as long as there is one that nobody has. */
static void
work_on_shares(Running *r, ReaderDeal *deal, ReaderCounters *read)
{
	uint32 share;

	while ((share = parallel_share(deal)) < r->shares->nshares)
	{
		metrics_run_share(r->run, r->shares, share);
		begin_reading(r, share);
		read_units(r, share);
		read->bytes_read = reader_counters(r->reader).bytes_read;
		reader_end(r->reader);
	}
}

static void
work(ParallelWorker *w)
{
	Running r = {.context = w->context, .source = w->source};
	Arena *arena = store_arena(w->context);
	Task task;
	Done done = {{0}};

	memcpy(&task, w->task.p, sizeof(task));
	if (task.shares_len)
		r.shares = timeline_take_shares(str_of(w->task.p + sizeof(task), task.shares_len), arena);
	r.query =
		str_of(w->task.p + sizeof(task) + task.shares_len, w->task.len - sizeof(task) - task.shares_len);
	r.range = task.range;
	r.exemplars = task.exemplars;
	plan_query(&r, arena);
	begin_run(&r, arena);
	if (r.shares)
		work_on_shares(&r, w->deal, &done.read);
	else
	{
		begin_reading(&r, 0);
		parallel_follow(w, r.reader);
		read_units(&r, 0);
		done.read = reader_counters(r.reader);
		reader_end(r.reader);
	}
	done.counters = *metrics_run_counters(r.run);
	buf_put(w->answer, &done, sizeof(done));
	metrics_partial_write(r.run, w->answer);
}

void
tempo_timeline_worker(dsm_segment *seg, shm_toc *toc)
{
	parallel_work(seg, toc, work);
}

static Parallel *
begin_workers(Running *r, Arena *arena)
{
	Task task = {.range = r->range, .exemplars = r->exemplars};
	ParallelJob job = {.entry = "tempo_timeline_worker", .run = work, .row_cost = metrics_plan_cost(r->plan)};
	Buf shares;
	Buf buf;
	int wanted = parallel_wanted(r->reader, job.row_cost);

	if (wanted == 0)
		return NULL;
	buf_init(&shares, arena, 1024);
	if (metrics_shares_attributes(r->plan))
	{
		job.whole = true;
		r->shares = timeline_make_shares(r->source, (uint32) wanted + 1, arena);
		timeline_put_shares(r->shares, &shares);
	}
	task.shares_len = shares.len;
	buf_init(&buf, arena, sizeof(task) + shares.len + r->query.len);
	buf_put(&buf, &task, sizeof(task));
	buf_put(&buf, shares.p, shares.len);
	buf_put(&buf, r->query.p, r->query.len);
	job.task = str_of((char *) buf.p, buf.len);
	return parallel_begin(r->source, r->reader, &job);
}

static void
take_answer(Running *r, Str answer, Timeline *out)
{
	Done done;

	out->workers++;
	memcpy(&done, answer.p, sizeof(done));
	out->counters.units += done.counters.units;
	out->counters.spans += done.counters.spans;
	out->counters.observed += done.counters.observed;
	reader_counters_add(&out->read, &done.read);
	query_check_memory(r->context);
	if (!metrics_partial_merge(r->run, str_of(answer.p + sizeof(done), answer.len - sizeof(done))))
		elog(ERROR, "malformed partial result of a metrics query");
}

/* ---- all of it ---- */

static void
observe(Running *r, Arena *arena, Timeline *out)
{
	Parallel *parallel;
	Str answer;

	begin_reading(r, 0);
	parallel = begin_workers(r, arena);
	if (parallel && r->shares)
		metrics_run_share(r->run, r->shares, 0);
	read_units(r, 0);
	out->read = reader_counters(r->reader);
	reader_end(r->reader);
	if (parallel && r->shares)
		work_on_shares(r, parallel_deal(parallel), &out->read);
	out->counters = *metrics_run_counters(r->run);
	if (parallel)
	{
		while (parallel_next(parallel, &answer))
			take_answer(r, answer, out);
		parallel_end(parallel);
	}
}

static void
run(Running *r, const TimelineRequest *request, Snapshot snapshot, Timeline *out, MemoryContext out_context)
{
	Arena *arena = store_arena(r->context);

	plan_query(r, arena);
	r->source = source_open(r->context, snapshot, request->tenant);
	out->result = MemoryContextAllocZero(out_context, sizeof(MetricsResult));
	if (find_range(r, request))
	{
		begin_run(r, arena);
		observe(r, arena, out);
		out->result = metrics_finish(r->run, store_arena(out_context));
	}
	source_close(r->source);
}

Timeline *
timeline_run(const TimelineRequest *request)
{
	MemoryContext old = CurrentMemoryContext;
	Timeline *out = palloc0(sizeof(Timeline));
	Running r = {.query = request->query, .exemplars = request->exemplars};
	Snapshot snapshot = RegisterSnapshot(GetActiveSnapshot());

	r.context = AllocSetContextCreate(old, "traceql metrics", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(r.context);
	run(&r, request, snapshot, out, old);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(r.context);
	UnregisterSnapshot(snapshot);
	return out;
}
