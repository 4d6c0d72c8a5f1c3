/*
 * candidates.c
 *	  The traces of a unit that can match, before any of them is looked at as a whole: for every condition
 *	  that a match needs (need.c) some span has to satisfy it. Conditions are tested over all rows, cheap
 *	  ones first, and only as long as some trace is left; what they told is used again by the pipeline.
 *
 *	  On the way, parts of traces that are whole elsewhere say which conditions they satisfy.
 */
#include "traceql/eval/internal.h"

enum
{
	TRACE_OUT = 0,
	TRACE_IN = 1,
	TRACE_PART = 2
};

typedef struct Candidates
{
	const TraceqlUnit *unit;
	uint8_t *state; /* by trace */
	uint32_t n;     /* traces in */
	uint8_t *rows;  /* of traces in, and of parts */
} Candidates;

/* Does the trace overlap the range asked for? Bounds and times are unsigned nanoseconds. */
static bool
in_range(const TraceqlRun *run, int64_t start, int64_t duration)
{
	const TraceqlOptions *o = &run->options;

	if (o->has_to && (uint64_t) start > (uint64_t) o->to)
		return false;
	return !o->has_from || (uint64_t) start + (uint64_t) duration >= (uint64_t) o->from;
}

static void
choose_asked(TraceqlRun *run, Candidates *c)
{
	Unit *unit = &run->unit;
	bool ranged = (run->options.has_from || run->options.has_to) && !c->unit->inside;
	Column *start = ranged ? batch_column(unit->batch, LEVEL_TRACE, TC_START) : NULL;
	Column *duration = ranged ? batch_column(unit->batch, LEVEL_TRACE, TC_DURATION) : NULL;

	for (uint32_t t = 0; t < unit->ntraces; t++)
	{
		c->state[t] = TRACE_OUT;
		if (c->unit->skip && c->unit->skip[t])
			c->state[t] = c->unit->bits ? TRACE_PART : TRACE_OUT;
		else if (!ranged || in_range(run, start->i64[t], duration->i64[t]))
		{
			c->state[t] = TRACE_IN;
			c->n++;
			run->counters.rows += unit->first[t + 1] - unit->first[t];
		}
	}
	run->counters.traces += c->n;
}

static SetList
list_in(TraceqlRun *run, const Candidates *c)
{
	const uint32_t *first = run->unit.first;
	SetList list = {.cap = c->n};

	list.sets = arena_alloc(run->scratch, (list.cap + 1) * sizeof(Set));
	for (uint32_t t = 0; t < run->unit.ntraces; t++)
		if (c->state[t] == TRACE_IN)
			list.sets[list.n++] = (Set){.trace = t, .n = first[t + 1] - first[t]};
	return list;
}

/* ---- conditions ---- */

static void
mark_rows(const TraceqlRun *run, Candidates *c)
{
	const uint32_t *first = run->unit.first;

	for (uint32_t t = 0; t < run->unit.ntraces; t++)
		memset(c->rows + first[t], c->state[t] != TRACE_OUT, first[t + 1] - first[t]);
}

/* hit[t] = 1 for the traces that have a row that hits. */
static void
find_traces(const TraceqlRun *run, const uint8_t *hits, uint8_t *hit)
{
	const uint32_t *first = run->unit.first;
	uint32_t n = run->unit.nrows;
	uint32_t t = 0;

	for (uint32_t r = 0; r < n; r = first[t + 1])
	{
		const uint8_t *found = memchr(hits + r, 1, n - r);

		if (!found)
			return;
		r = (uint32_t) (found - hits);
		while (first[t + 1] <= r)
			t++;
		hit[t] = 1;
	}
}

static void
test_clause(TraceqlRun *run, Candidates *c, const Clause *clause, uint8_t *hit)
{
	memset(hit, 0, run->unit.ntraces);
	for (uint32_t f = 0; f < clause->n; f++)
	{
		const Filter *filter = clause->filters[f];
		uint8_t *hits = run->unit.hits[filter->id];

		if (!hits)
		{
			hits = run_get_bytes(run);
			(void) filter_rows(run, filter, c->rows, hits);
			run->unit.hits[filter->id] = hits;
		}
		find_traces(run, hits, hit);
	}
}

/* Traces without a hit are out, and their rows with them; parts say what they have. */
static void
drop_traces(TraceqlRun *run, Candidates *c, uint32_t clause, const uint8_t *hit)
{
	const uint32_t *first = run->unit.first;

	for (uint32_t t = 0; t < run->unit.ntraces; t++)
	{
		if (c->state[t] == TRACE_PART)
			c->unit->bits[t] |= (uint32_t) hit[t] << clause;
		else if (c->state[t] == TRACE_IN && !hit[t])
		{
			c->state[t] = TRACE_OUT;
			c->n--;
			memset(c->rows + first[t], 0, first[t + 1] - first[t]);
		}
	}
}

/* Nobody asked whether parts satisfy these. */
static void
leave_open(TraceqlRun *run, Candidates *c, uint32_t clauses)
{
	for (uint32_t t = 0; t < run->unit.ntraces; t++)
		if (c->state[t] == TRACE_PART)
			c->unit->bits[t] |= clauses;
}

static void
test_clauses(TraceqlRun *run, Candidates *c)
{
	const TraceqlPlan *plan = run->plan;
	uint8_t *hit = arena_alloc(run->scratch, run->unit.ntraces + 1);
	uint32_t i;

	c->rows = run_get_bytes(run);
	mark_rows(run, c);
	for (i = 0; i < plan->nneed && c->n > 0; i++)
	{
		test_clause(run, c, &plan->need[i], hit);
		drop_traces(run, c, i, hit);
	}
	if (i < plan->nneed && c->unit->bits)
		leave_open(run, c, plan->facts.need & ~(uint32_t) ((UINT64_C(1) << i) - 1));
	run_put_bytes(run, c->rows);
}

SetList
run_candidates(TraceqlRun *run, const TraceqlUnit *unit)
{
	Candidates c = {.unit = unit, .state = arena_alloc(run->scratch, run->unit.ntraces + 1)};

	choose_asked(run, &c);
	if (run->plan->nneed)
		test_clauses(run, &c);
	return list_in(run, &c);
}

SetList
run_all_traces(TraceqlRun *run, const uint8_t *skip)
{
	TraceqlUnit unit = {.skip = skip};
	Candidates c = {.unit = &unit, .state = arena_alloc(run->scratch, run->unit.ntraces + 1)};

	choose_asked(run, &c);
	return list_in(run, &c);
}
