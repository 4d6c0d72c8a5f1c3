/*
 * exemplar.c
 *	  Spans shown as examples: the range is cut into parts, and each keeps those of the traces that start
 *first in it, of each trace the first span. As images are read in the order of time, most vectors are known
 *to hold nothing better before anything of them is read. Parts begin at pseudo-random times, so what happens
 *	  at the full minute is not all that is shown.
 *
 *	  What is kept is a function of the spans observed and of where their traces start in the images at hand:
 *	  neither the order of units nor who looks at them matters. In a batch that is not sorted each span stands
 *	  for itself.
 */
#include "traceql/metrics/internal.h"

#include <math.h>
#include <stdlib.h>

static uint64_t
rank_bytes(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ (b << 32 | b >> 32)) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ (x >> 32);
}

static uint64_t
rank_trace(const uint8_t *id)
{
	uint64_t halves[2];

	memcpy(halves, id, sizeof(halves));
	return rank_bytes(halves[0], halves[1]);
}

void
exemplars_init(Leaf *leaf, uint32_t budget)
{
	Exemplars *e = &leaf->exemplars;
	const MetricsRange *range = &leaf->metrics->options.range;
	uint64_t span = range->step * range->n;

	if (budget == 0)
		return;
	e->budget = budget;
	e->nparts = (budget + KEPT_A_PART - 1) / KEPT_A_PART + 1;
	e->width = span / (e->nparts - 1) + 1;
	e->shift = rank_bytes(range->from, span) % e->width;
	e->kept = arena_alloc(leaf->metrics->arena, (size_t) e->nparts * KEPT_A_PART * sizeof(Kept));
	e->n = arena_alloc0(leaf->metrics->arena, e->nparts);
}

/* ---- keeping ---- */

static bool
ranks_before(const Kept *a, const Kept *b)
{
	if (a->trace_start != b->trace_start)
		return a->trace_start < b->trace_start;
	if (a->trace_rank != b->trace_rank)
		return a->trace_rank < b->trace_rank;
	if (a->time != b->time)
		return a->time < b->time;
	return a->span_rank < b->span_rank;
}

/* A trace may have begun before the range. */
static uint32_t
part_of(const Leaf *leaf, uint64_t trace_start)
{
	const Exemplars *e = &leaf->exemplars;
	uint64_t from = leaf->metrics->options.range.from;
	uint64_t part = ((trace_start > from ? trace_start - from - 1 : 0) + e->shift) / e->width;

	return part < e->nparts ? (uint32_t) part : e->nparts - 1;
}

/* Would a trace that starts then be kept in the part? */
static inline bool
part_wants(const Exemplars *e, uint32_t part, uint64_t trace_start)
{
	return e->n[part] < KEPT_A_PART ||
		   trace_start <= e->kept[part * KEPT_A_PART + KEPT_A_PART - 1].trace_start;
}

/* Where a candidate belongs in its part, or -1. */
static int
place_for(const Exemplars *e, uint32_t part, const Kept *k)
{
	const Kept *kept = &e->kept[part * KEPT_A_PART];
	int at = 0;

	while (at < e->n[part] && ranks_before(&kept[at], k))
	{
		if (kept[at].trace_rank == k->trace_rank)
			return -1; /* the trace has one already, that ranks before */
		at++;
	}
	return at < KEPT_A_PART ? at : -1;
}

static void
put_at(Exemplars *e, uint32_t part, int at, const Kept *k)
{
	Kept *kept = &e->kept[part * KEPT_A_PART];
	int last = e->n[part];

	/* One of the same trace makes room, else the one that ranks last. */
	for (int i = at; i < e->n[part]; i++)
		if (kept[i].trace_rank == k->trace_rank)
			last = i;
	if (last == KEPT_A_PART)
		last--;
	else if (last == e->n[part])
		e->n[part]++;
	memmove(&kept[at + 1], &kept[at], (size_t) (last - at) * sizeof(Kept));
	kept[at] = *k;
}

void
exemplars_take(Leaf *leaf, const Kept *k)
{
	Exemplars *e = &leaf->exemplars;
	uint32_t part = part_of(leaf, k->trace_start);
	int at = place_for(e, part, k);

	if (at >= 0)
		put_at(e, part, at, k);
}

/* ---- offering ---- */

/* The least start that could be kept in some part of the range [earliest, latest]. */
static bool
range_wanted(const Leaf *leaf, uint64_t earliest, uint64_t latest)
{
	const Exemplars *e = &leaf->exemplars;
	uint64_t from = leaf->metrics->options.range.from;
	uint32_t last = part_of(leaf, latest);

	for (uint32_t part = part_of(leaf, earliest); part <= last; part++)
	{
		uint64_t begins = part > 0 ? from + 1 + part * e->width - e->shift : 0;

		if (part_wants(e, part, earliest > begins ? earliest : begins))
			return true;
	}
	return false;
}

bool
exemplars_want(Leaf *leaf, const Picked *p)
{
	const Unit *unit = &leaf->run->unit;
	const int64_t *start;

	if (!range_wanted(leaf, p->earliest, p->latest))
		return false;
	if (!unit->batch->sorted)
		return true;
	start = batch_column(unit->batch, LEVEL_TRACE, TC_START)->i64;
	for (uint32_t t = 0; t < unit->ntraces; t++)
		if (part_wants(&leaf->exemplars, part_of(leaf, (uint64_t) start[t]), (uint64_t) start[t]) &&
			memchr(p->hit + unit->first[t], 1, unit->first[t + 1] - unit->first[t]))
			return true;
	return false;
}

/* What the query mentions and the span has; the trace's id is there anyway. */
static void
add_labels(Leaf *leaf, uint32_t row, Kept *k)
{
	const TraceqlPlan *plan = leaf->plan->spans;
	Arena *arena = leaf->metrics->arena;

	k->labels = arena_alloc(arena, (plan->nslots + 1) * sizeof(MetricsLabel));
	for (uint32_t i = 0; i < plan->nslots; i++)
	{
		const Slot *slot = plan->slots[i];
		EvalValue v = slot_value(leaf->run, slot, (Binding){row, ROW_FIRST, ROW_FIRST});
		Buf name;

		if (v.type == EVAL_NIL || v.type == EVAL_OPAQUE || slot->intrinsic == TQL_TRACE_ID)
			continue;
		if (v.type == EVAL_STRING || v.type == EVAL_ARRAY)
			v.s.p = arena_dup(arena, v.s.p, v.s.len);
		buf_init(&name, arena, 32);
		traceql_print_attr(slot->attr, &name);
		k->labels[k->nlabels++] = (MetricsLabel){str_of((char *) name.p, name.len), v};
	}
}

static void
offer(Leaf *leaf, const Picked *p, uint32_t i, const uint8_t *id, uint64_t trace_start,
	  const uint32_t *series, const Measured *m)
{
	Batch *batch = leaf->run->unit.batch;
	Exemplars *e = &leaf->exemplars;
	uint32_t row = p->rows[i];
	uint32_t part = part_of(leaf, trace_start);
	Kept k = {.trace_start = trace_start, .series = series[i], .value = NAN};
	int at;

	k.time = (uint64_t) batch_column(batch, LEVEL_SPAN, SC_START)->i64[row];
	k.trace_rank = rank_trace(id);
	k.span_rank = rank_bytes((uint64_t) batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64[row], 0);
	at = place_for(e, part, &k);
	if (at < 0)
		return;
	memcpy(k.trace_id, id, sizeof(k.trace_id));
	if (m->type)
	{
		k.value = measured_number(m, i) / (leaf->plan->seconds ? 1e9 : 1);
		k.bucket = leaf->plan->fold == FOLD_BUCKETS ? bucket_of(m->raw[i]) : 0;
	}
	add_labels(leaf, row, &k);
	put_at(e, part, at, &k);
}

/* Was this span counted? */
static bool
counted(const Leaf *leaf, const Measured *m, uint32_t i)
{
	if (!m->type)
		return true;
	if (leaf->plan->fold == FOLD_BUCKETS)
		return m->type[i] != EVAL_NIL && m->type[i] != EVAL_FLOAT && bucket_of(m->raw[i]) != 0;
	return m->type[i] != EVAL_NIL;
}

/* First of the picked spans at or behind a row. */
static uint32_t
picked_from(const Picked *p, uint32_t row)
{
	uint32_t lo = 0;
	uint32_t hi = p->n;

	while (lo < hi)
	{
		uint32_t mid = lo + (hi - lo) / 2;

		if (p->rows[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Whole traces at once: few of them start early enough. */
static void
offer_traces(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	const Unit *unit = &leaf->run->unit;
	const int64_t *start = batch_column(unit->batch, LEVEL_TRACE, TC_START)->i64;

	for (uint32_t t = 0; t < unit->ntraces; t++)
	{
		uint64_t at = (uint64_t) start[t];

		if (!part_wants(&leaf->exemplars, part_of(leaf, at), at))
			continue;
		for (uint32_t i = picked_from(p, unit->first[t]); i < p->n && p->rows[i] < unit->first[t + 1]; i++)
			if (counted(leaf, m, i))
				offer(leaf, p, i, batch_column(unit->batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) t, at,
					  series, m);
	}
}

void
exemplars_offer(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	Batch *batch = leaf->run->unit.batch;
	const int64_t *start;

	if (batch->sorted)
	{
		offer_traces(leaf, p, series, m);
		return;
	}
	start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t row = p->rows[i];
		uint64_t at = (uint64_t) start[row];

		if (part_wants(&leaf->exemplars, part_of(leaf, at), at) && counted(leaf, m, i))
			offer(leaf, p, i, batch_column(batch, LEVEL_SPAN, SC_TRACE_ID)->fixed + 16 * (size_t) row, at,
				  series, m);
	}
}

/* ---- choosing ---- */

static int
by_rank(const void *a, const void *b)
{
	const Kept *x = *(const Kept *const *) a;
	const Kept *y = *(const Kept *const *) b;

	return ranks_before(x, y) ? -1 : ranks_before(y, x);
}

static int
by_trace(const void *a, const void *b)
{
	const Kept *x = *(const Kept *const *) a;
	const Kept *y = *(const Kept *const *) b;
	int order = memcmp(x->trace_id, y->trace_id, sizeof(x->trace_id));

	return order ? order : by_rank(a, b);
}

static int
by_time(const void *a, const void *b)
{
	const Kept *x = *(const Kept *const *) a;
	const Kept *y = *(const Kept *const *) b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return by_rank(a, b);
}

/* Parts of a trace may have been met as traces of their own. */
static uint32_t
drop_second_spans(const Kept **all, uint32_t n)
{
	uint32_t left = 0;

	qsort(all, n, sizeof(Kept *), by_trace);
	for (uint32_t i = 0; i < n; i++)
		if (left == 0 || memcmp(all[left - 1]->trace_id, all[i]->trace_id, 16) != 0)
			all[left++] = all[i];
	return left;
}

/* More than asked for: leave out at even distances, so that they stay spread over the range. */
static uint32_t
thin_out(const Kept **all, uint32_t n, uint32_t budget)
{
	if (n <= budget)
		return n;
	for (uint32_t i = 0; i < budget; i++)
		all[i] = all[(uint64_t) i * n / budget];
	return budget;
}

uint32_t
exemplars_choose(Leaf *leaf, Arena *arena, const Kept ***chosen)
{
	const Exemplars *e = &leaf->exemplars;
	const Kept **all = arena_alloc(arena, ((size_t) e->nparts * KEPT_A_PART + 1) * sizeof(Kept *));
	uint32_t n = 0;

	for (uint32_t part = 0; part < e->nparts; part++)
		for (uint32_t i = 0; i < e->n[part]; i++)
			all[n++] = &e->kept[part * KEPT_A_PART + i];
	n = drop_second_spans(all, n);
	qsort(all, n, sizeof(Kept *), by_time);
	n = thin_out(all, n, e->budget);
	*chosen = all;
	return n;
}
