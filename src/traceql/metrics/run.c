/*
 * run.c
 *	  A run over units: which spans count, in which interval, each with what weight.
 */
#include "traceql/metrics/internal.h"

#include <math.h>

#include "store/image.h"

#define DEFAULT_EXEMPLARS 100
#define MAX_EXEMPLARS     10000

void
metrics_room(MetricsRun *run, size_t bytes)
{
	if (run->hooks.room)
		run->hooks.room(run->hooks.ctx, bytes);
}

/* ---- beginning ---- */

/* The hint may turn exemplars off, ask for so many, or for the default. Divided among the leaves. */
static uint32_t
exemplar_budget(const MetricsRun *run)
{
	const TraceqlStatic *hint = traceql_hint(run->plan->query, "exemplars");
	int64_t budget = run->options.exemplars;

	if (budget == 0)
		return 0;
	if (hint && hint->type == TQL_TYPE_BOOL)
		budget = hint->b ? DEFAULT_EXEMPLARS : 0;
	else if (hint && hint->type == TQL_TYPE_INT && hint->i >= 0)
		budget = hint->i > MAX_EXEMPLARS ? MAX_EXEMPLARS : hint->i;
	return (uint32_t) budget / run->plan->nleaves;
}

static void
begin_leaf(MetricsRun *run, const LeafPlan *plan, Leaf *leaf)
{
	const MetricsRange *range = &run->options.range;
	TraceqlOptions options = {.has_from = true,
							  .has_to = true,
							  .from = (int64_t) range->from,
							  .to = (int64_t) metrics_time(range, range->n - 1),
							  .max_trace = run->options.max_trace,
							  .rowwise = run->options.rowwise};

	leaf->plan = plan;
	leaf->metrics = run;
	leaf->run = traceql_run_begin(plan->spans, &options, &run->hooks, run->arena);
	for (uint32_t i = 0; i < plan->nby; i++)
		values_number(run->arena, &leaf->by[i].values, &(EvalValue){.type = EVAL_NIL});
	if (plan->fold == FOLD_MIN || plan->fold == FOLD_MAX)
		leaf->cells[0].empty = NAN;
	if (plan->fold == FOLD_COMPARE)
		compare_init(leaf);
	else
		exemplars_init(leaf, exemplar_budget(run));
}

MetricsRun *
metrics_run_begin(MetricsPlan *plan, const MetricsOptions *options, const TraceqlHooks *hooks, Arena *arena)
{
	MetricsRun *run = arena_alloc0(arena, sizeof(MetricsRun));

	run->plan = plan;
	run->options = *options;
	if (hooks)
		run->hooks = *hooks;
	run->arena = arena;
	run->leaves = arena_alloc0(arena, plan->nleaves * sizeof(Leaf));
	for (uint32_t i = 0; i < plan->nleaves; i++)
		begin_leaf(run, &plan->leaves[i], &run->leaves[i]);
	return run;
}

const MetricsCounters *
metrics_run_counters(const MetricsRun *run)
{
	return &run->counters;
}

/* What one leaf needs says nothing about another. */
TraceqlRun *
metrics_run_need(MetricsRun *run, uint32_t *need)
{
	if (run->plan->nleaves != 1)
		return NULL;
	*need = run->plan->leaves[0].spans->facts.need;
	return run->leaves[0].run;
}

/* ---- weights ---- */

/* ot=th:T with up to 14 hex digits: spans were kept with probability 1 - T / 2^56. */
static double
weight_of(Str state)
{
	const char *p = memmem(state.p, state.len, "ot=", 3);
	const char *end = state.p + state.len;
	const char *stop;
	uint64_t rejected = 0;
	int digits = 0;

	if (!p || (p > state.p && p[-1] != ',' && p[-1] != ' ' && p[-1] != '\t'))
		return 1;
	stop = memchr(p, ',', (size_t) (end - p));
	end = stop ? stop : end;
	p = memmem(p + 2, (size_t) (end - p - 2), "th:", 3);
	if (!p || (p[-1] != '=' && p[-1] != ';'))
		return 1;
	for (p += 3; p < end && digits < 14; p++, digits++)
	{
		int c = *p | 0x20;
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			break;
		rejected = rejected << 4 | (uint64_t) v;
	}
	if (digits == 0)
		return 1;
	rejected <<= 4 * (14 - digits);
	return ldexp(1, 56) / (ldexp(1, 56) - (double) rejected);
}

static double
weight_of_code(Leaf *leaf, const Column *column, uint32_t code)
{
	CodeMap *map = &leaf->weights_of;

	if (!map->numbers[code])
	{
		leaf->weights[code] = weight_of(column->dict[code]);
		map->numbers[code] = 1;
	}
	return leaf->weights[code];
}

static void
weigh(Leaf *leaf, Picked *p)
{
	TraceqlRun *run = leaf->run;
	const Column *state = batch_column(run->unit.batch, LEVEL_SPAN, SC_TRACE_STATE);
	uint32_t cap = leaf->weights_of.cap;

	codemap_use(leaf->metrics->arena, &leaf->weights_of, run->unit.source, state);
	if (leaf->weights_of.cap > cap)
		leaf->weights = arena_alloc(leaf->metrics->arena, leaf->weights_of.cap * sizeof(double));
	picked_list(leaf, p);
	p->weights = arena_alloc(run->scratch, (p->n + 1) * sizeof(double));
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t row = p->rows[i];

		p->weights[i] =
			state->nulls && state->nulls[row] ? 1 : weight_of_code(leaf, state, state->codes[row]);
	}
}

/* ---- units ---- */

static uint32_t
count_hits(const uint8_t *hit, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t r = 0; r < n; r++)
		sum += hit[r];
	return sum;
}

/* Is the whole unit within one interval? Then nobody needs to know the starts. */
static bool
one_interval(const MetricsRange *range, const MetricsUnit *unit, uint32_t *k)
{
	uint64_t first = unit->start_min - range->from - 1;
	uint64_t last = unit->start_max - range->from - 1;

	if (!unit->bounded || first > last || last >= range->step * range->n)
		return false;
	*k = (uint32_t) (first / range->step);
	return *k == last / range->step;
}

/* Rows that hit and start within the range. Spans near each other mostly fall into the same interval. */
static void
pick_by_start(Leaf *leaf, Picked *p)
{
	TraceqlRun *run = leaf->run;
	const MetricsRange *range = &leaf->metrics->options.range;
	const int64_t *start = batch_column(run->unit.batch, LEVEL_SPAN, SC_START)->i64;
	uint64_t span = range->step * range->n;
	uint64_t base = 0 - range->step; /* of interval k; of none yet */
	uint64_t least = UINT64_MAX;
	uint64_t greatest = 0;
	uint32_t k = 0;

	p->rows = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	p->interval = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		uint64_t at = (uint64_t) start[r] - range->from - 1;

		if (!p->hit[r])
			continue;
		if (at >= span)
		{
			p->hit[r] = 0;
			continue;
		}
		if (at - base >= range->step)
		{
			k = (uint32_t) (at / range->step);
			base = k * range->step;
		}
		least = at < least ? at : least;
		greatest = at > greatest ? at : greatest;
		p->rows[p->n] = r;
		p->interval[p->n++] = k;
	}
	p->earliest = range->from + 1 + least;
	p->latest = range->from + 1 + greatest;
}

/* ---- units over few intervals ---- */

#define FEW_INTERVALS 4
#define OUTSIDE       UINT8_MAX

static inline uint64_t
interval_of(const MetricsRange *range, uint64_t start)
{
	return (start - range->from - 1) / range->step;
}

/* The intervals a unit touches; 0: too many, or traces do not tell. */
static uint32_t
few_intervals(const MetricsRange *range, const MetricsUnit *unit, uint32_t *first)
{
	uint64_t end = metrics_time(range, range->n - 1);
	uint64_t least = unit->start_min > range->from ? unit->start_min : range->from + 1;
	uint64_t greatest = unit->start_max < end ? unit->start_max : end;

	if (!unit->bounded || !unit->forward || !unit->batch->sorted || least > greatest)
		return 0;
	*first = (uint32_t) interval_of(range, least);
	return interval_of(range, greatest) - *first < FEW_INTERVALS
			   ? (uint32_t) (interval_of(range, greatest) - *first) + 1
			   : 0;
}

static inline uint8_t
local_interval(const MetricsRange *range, uint64_t start, uint32_t first)
{
	uint64_t k =
		start - range->from - 1 < range->step * range->n ? interval_of(range, start) - first : OUTSIDE;

	return k < FEW_INTERVALS ? (uint8_t) k : OUTSIDE;
}

/* By row, how many intervals behind the first. Starts are read of traces only that begin and end in different
 * ones. */
static const uint8_t *
local_intervals(Leaf *leaf, const uint8_t *hit, uint32_t first)
{
	TraceqlRun *run = leaf->run;
	const Unit *unit = &run->unit;
	const MetricsRange *range = &leaf->metrics->options.range;
	const uint64_t *from = (uint64_t *) batch_column(unit->batch, LEVEL_TRACE, TC_START)->i64;
	const uint64_t *lasts = (uint64_t *) batch_column(unit->batch, LEVEL_TRACE, TC_DURATION)->i64;
	uint8_t *local = arena_alloc0(run->scratch, unit->nrows + 1);
	uint8_t *wanted = arena_alloc0(run->scratch, unit->ntraces + 1);
	const int64_t *start;
	bool any = false;

	for (uint32_t t = 0; t < unit->ntraces; t++)
	{
		uint32_t row = unit->first[t];
		uint32_t n = unit->first[t + 1] - row;
		uint8_t k = local_interval(range, from[t], first);

		if (from[t] + lasts[t] < from[t] || k == OUTSIDE ||
			k != local_interval(range, from[t] + lasts[t], first))
			any |= wanted[t] = memchr(hit + row, 1, n) != NULL;
		else
			memset(local + row, k, n);
	}
	if (!any)
		return local;
	start = image_trace_starts(unit->batch, wanted);
	for (uint32_t t = 0; t < unit->ntraces; t++)
		for (uint32_t row = unit->first[t]; wanted[t] && row < unit->first[t + 1]; row++)
			local[row] = local_interval(range, (uint64_t) start[row], first);
	return local;
}

/* The hits of one of the intervals. */
static Picked
pick_local(Leaf *leaf, const MetricsUnit *unit, const uint8_t *hit, const uint8_t *local, uint32_t first,
		   uint8_t k)
{
	const MetricsRange *range = &leaf->metrics->options.range;
	uint64_t end = metrics_time(range, first + k);
	Picked p = {.hit = run_get_bytes(leaf->run), .one = true, .same = first + k};

	for (uint32_t r = 0; r < leaf->run->unit.nrows; r++)
		p.hit[r] = hit[r] & (local[r] == k);
	p.n = count_hits(p.hit, leaf->run->unit.nrows);
	/* A trace may have begun before. */
	p.earliest = unit->start_min;
	p.latest = end < unit->start_max ? end : unit->start_max;
	return p;
}

static Picked
pick(Leaf *leaf, const MetricsUnit *unit, uint8_t *hit)
{
	Picked p = {.hit = hit};

	p.one = one_interval(&leaf->metrics->options.range, unit, &p.same);
	if (p.one)
	{
		p.n = count_hits(hit, leaf->run->unit.nrows);
		p.earliest = unit->start_min;
		p.latest = unit->start_max;
	}
	else
		pick_by_start(leaf, &p);
	return p;
}

void
picked_list(Leaf *leaf, Picked *p)
{
	TraceqlRun *run = leaf->run;
	uint32_t n = 0;

	if (p->rows)
		return;
	p->rows = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	p->interval = arena_alloc(run->scratch, (p->n + 1) * sizeof(uint32_t));
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		p->rows[n] = r;
		n += p->hit[r];
	}
	for (uint32_t i = 0; i < p->n; i++)
		p->interval[i] = p->same;
}

static void
observe_picked(Leaf *leaf, const MetricsUnit *unit, Picked *p)
{
	MetricsRun *metrics = leaf->metrics;

	if (p->n == 0)
		return;
	if (unit->part != METRICS_GATHERED && metrics->share == 0)
		metrics->counters.observed += p->n;
	if (metrics->plan->extrapolate)
		weigh(leaf, p);
	if (leaf->plan->fold == FOLD_COMPARE)
		compare_observe(leaf, p, unit);
	else
		fold_picked(leaf, p);
}

/* Interval by interval: each is one that needs no list of spans. */
static void
observe_intervals(Leaf *leaf, const MetricsUnit *unit, const uint8_t *hit, uint32_t first, uint32_t n)
{
	const uint8_t *local = local_intervals(leaf, hit, first);

	for (uint32_t k = 0; k < n; k++)
	{
		Picked p = pick_local(leaf, unit, hit, local, first, (uint8_t) k);

		observe_picked(leaf, unit, &p);
		run_put_bytes(leaf->run, p.hit);
	}
}

static void
observe_leaf(Leaf *leaf, const MetricsUnit *unit, Arena *scratch)
{
	MetricsRun *metrics = leaf->metrics;
	TraceqlRun *run = leaf->run;
	bool by_traces = metrics->plan->reading == METRICS_BY_TRACES;
	uint32_t first;
	uint32_t n;
	uint8_t *hit;
	Picked p;

	traceql_unit_begin(run, unit->batch, unit->source, scratch);
	hit = run_get_bytes(run);
	select_rows(run, plan_local(leaf->plan->spans), by_traces ? unit->skip : NULL, unit->rows, hit);
	if (!memchr(hit, 1, run->unit.nrows))
		return;
	n = leaf->plan->fold == FOLD_COMPARE ? 0 : few_intervals(&metrics->options.range, unit, &first);
	if (n > 1)
	{
		observe_intervals(leaf, unit, hit, first, n);
		return;
	}
	p = pick(leaf, unit, hit);
	observe_picked(leaf, unit, &p);
}

void
metrics_run_share(MetricsRun *run, const MetricsShares *shares, uint32_t share)
{
	run->shares = shares;
	run->share = share;
	compare_reshare(&run->leaves[0]);
}

void
metrics_run_unit(MetricsRun *run, const MetricsUnit *unit, Arena *scratch)
{
	if (run->hooks.interrupt)
		run->hooks.interrupt(run->hooks.ctx);
	run->counters.units += run->share == 0;
	if (unit->part != METRICS_GATHERED && run->share == 0)
		run->counters.spans += batch_nrows(unit->batch);
	for (uint32_t i = 0; i < run->plan->nleaves; i++)
		observe_leaf(&run->leaves[i], unit, scratch);
}
