/*
 * exemplar.c
 *	  Spans shown as examples: the range is cut into parts, and each keeps the two whose traces rank lowest.
 *	  Ranks are hashes of ids, as good as random, but the same whatever order spans come in and however the
 *	  units are shared: what is kept is a function of the spans observed alone.
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
	e->nparts = (budget + KEPT_A_PART - 1) / KEPT_A_PART;
	e->width = span / e->nparts + 1;
	e->kept = arena_alloc(leaf->metrics->arena, (size_t) e->nparts * KEPT_A_PART * sizeof(Kept));
	e->n = arena_alloc0(leaf->metrics->arena, e->nparts);
}

/* ---- keeping ---- */

static bool
ranks_before(const Kept *a, const Kept *b)
{
	if (a->trace_rank != b->trace_rank)
		return a->trace_rank < b->trace_rank;
	if (a->span_rank != b->span_rank)
		return a->span_rank < b->span_rank;
	return a->time < b->time;
}

static uint32_t
part_of(const Leaf *leaf, uint64_t time)
{
	return (uint32_t) ((time - leaf->metrics->options.range.from - 1) / leaf->exemplars.width);
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
	uint32_t part = part_of(leaf, k->time);
	int at = part < e->nparts ? place_for(e, part, k) : -1;

	if (at >= 0)
		put_at(e, part, at, k);
}

/* ---- offering ---- */

/* No trace of this rank or beyond is kept any more in the parts that these spans fall in. */
static uint64_t
rank_limit(const Leaf *leaf, const Picked *p)
{
	const Exemplars *e = &leaf->exemplars;
	uint32_t from = part_of(leaf, p->earliest);
	uint32_t to = part_of(leaf, p->latest);
	uint64_t limit = 0;

	for (uint32_t part = from; part <= to; part++)
	{
		if (e->n[part] < KEPT_A_PART)
			return UINT64_MAX;
		if (e->kept[part * KEPT_A_PART + KEPT_A_PART - 1].trace_rank > limit)
			limit = e->kept[part * KEPT_A_PART + KEPT_A_PART - 1].trace_rank;
	}
	return limit;
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
offer(Leaf *leaf, const Picked *p, uint32_t i, const uint8_t *id, uint64_t rank, const uint32_t *series,
	  const Measured *m)
{
	Batch *batch = leaf->run->unit.batch;
	Exemplars *e = &leaf->exemplars;
	uint32_t row = p->rows[i];
	Kept k = {.trace_rank = rank, .series = series[i], .value = NAN};
	uint32_t part;
	int at;

	k.time = (uint64_t) batch_column(batch, LEVEL_SPAN, SC_START)->i64[row];
	part = part_of(leaf, k.time);
	if (e->n[part] == KEPT_A_PART && rank > e->kept[part * KEPT_A_PART + KEPT_A_PART - 1].trace_rank)
		return;
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

/* Whole traces at once: few of them rank low enough. */
static void
offer_traces(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m, uint64_t limit)
{
	const Unit *unit = &leaf->run->unit;
	const uint8_t *ids = batch_column(unit->batch, LEVEL_TRACE, TC_ID)->fixed;

	for (uint32_t t = 0; t < unit->ntraces; t++)
	{
		uint64_t rank = rank_trace(ids + 16 * (size_t) t);

		if (rank > limit)
			continue;
		for (uint32_t i = picked_from(p, unit->first[t]); i < p->n && p->rows[i] < unit->first[t + 1]; i++)
			if (counted(leaf, m, i))
				offer(leaf, p, i, ids + 16 * (size_t) t, rank, series, m);
	}
}

void
exemplars_offer(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	Batch *batch = leaf->run->unit.batch;
	uint64_t limit = rank_limit(leaf, p);
	const uint8_t *ids;

	if (batch->sorted)
	{
		offer_traces(leaf, p, series, m, limit);
		return;
	}
	ids = batch_column(batch, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	for (uint32_t i = 0; i < p->n; i++)
	{
		const uint8_t *id = ids + 16 * (size_t) p->rows[i];
		uint64_t rank = rank_trace(id);

		if (rank <= limit && counted(leaf, m, i))
			offer(leaf, p, i, id, rank, series, m);
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
by_time(const void *a, const void *b)
{
	const Kept *x = *(const Kept *const *) a;
	const Kept *y = *(const Kept *const *) b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return by_rank(a, b);
}

uint32_t
exemplars_choose(Leaf *leaf, Arena *arena, const Kept ***chosen)
{
	const Exemplars *e = &leaf->exemplars;
	const Kept **all = arena_alloc(arena, ((size_t) e->nparts * KEPT_A_PART + 1) * sizeof(Kept *));
	uint32_t n = 0;
	uint32_t left = 0;

	for (uint32_t part = 0; part < e->nparts; part++)
		for (uint32_t i = 0; i < e->n[part]; i++)
			all[n++] = &e->kept[part * KEPT_A_PART + i];
	qsort(all, n, sizeof(Kept *), by_rank);
	for (uint32_t i = 0; i < n && left < e->budget; i++)
		if (left == 0 || memcmp(all[left - 1]->trace_id, all[i]->trace_id, 16) != 0)
			all[left++] = all[i];
	qsort(all, left, sizeof(Kept *), by_time);
	*chosen = all;
	return left;
}
