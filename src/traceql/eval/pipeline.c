/*
 * pipeline.c
 *	  Stages and spanset expressions over the sets of a unit. Every stage maps a list of sets to a list of
 *	  sets, in order of traces; a set that becomes empty is dropped. A filter is evaluated once over all
 *	  rows that are in some set, then each set keeps its own.
 *
 *	  Set.origin is the index of the input set of the pipeline or operand at hand that a set stems from:
 *	  operators use it to pair what their two sides made of the same input.
 */
#include "traceql/eval/internal.h"

static SetList expr_run(TraceqlRun *run, const SetExpr *expr, SetList in);

Set *
set_append(TraceqlRun *run, SetList *list, const Set *like)
{
	if (list->n == list->cap)
	{
		uint32_t cap = list->cap ? list->cap * 2 : 64;

		list->sets = arena_grow(run->scratch, list->sets, list->cap * sizeof(Set), cap * sizeof(Set));
		list->cap = cap;
	}
	list->sets[list->n] = *like;
	return &list->sets[list->n++];
}

const uint32_t *
set_rows(TraceqlRun *run, Set *set)
{
	uint32_t first = run->unit.first[set->trace];

	if (!set->rows)
	{
		set->rows = arena_alloc(run->scratch, (set->n + 1) * sizeof(uint32_t));
		for (uint32_t i = 0; i < set->n; i++)
			set->rows[i] = first + i;
	}
	return set->rows;
}

/* ---- filters ---- */

void
sets_mark_rows(TraceqlRun *run, SetList in, uint8_t *mask)
{
	memset(mask, 0, run->unit.nrows);
	for (uint32_t s = 0; s < in.n; s++)
	{
		const Set *set = &in.sets[s];

		if (!set->rows)
			memset(mask + run->unit.first[set->trace], 1, set->n);
		else
			for (uint32_t i = 0; i < set->n; i++)
				mask[set->rows[i]] = 1;
	}
}

/* The rows of a whole trace that hit. */
static uint32_t
pick_whole(const uint8_t *hit, uint32_t first, uint32_t n, uint32_t *out)
{
	const uint8_t *end = hit + first + n;
	uint32_t count = 0;

	for (const uint8_t *p = hit + first; (p = memchr(p, 1, (size_t) (end - p))) != NULL;)
	{
		out[count++] = (uint32_t) (p - hit);
		if (++p == end)
			break;
	}
	return count;
}

static uint32_t
pick_listed(const uint8_t *hit, const uint32_t *rows, uint32_t n, uint32_t *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		if (hit[rows[i]])
			out[count++] = rows[i];
	}
	return count;
}

static SetList
keep_hits(TraceqlRun *run, SetList in, const uint8_t *hit)
{
	uint32_t *rows = arena_alloc(run->scratch, (run->unit.nrows + 1) * sizeof(uint32_t));
	uint32_t left = run->unit.nrows;
	SetList out = {0};

	for (uint32_t s = 0; s < in.n; s++)
	{
		const Set *set = &in.sets[s];
		Set *kept;
		uint32_t n;

		/* Sets may overlap after by() and coalesce(), then more room is needed than there are rows. */
		if (set->n > left)
		{
			left = set->n > run->unit.nrows ? set->n : run->unit.nrows;
			rows = arena_alloc(run->scratch, (left + 1) * sizeof(uint32_t));
		}
		if (set->rows)
			n = pick_listed(hit, set->rows, set->n, rows);
		else
			n = pick_whole(hit, run->unit.first[set->trace], set->n, rows);
		if (n == 0)
			continue;
		kept = set_append(run, &out, set);
		kept->rows = rows;
		kept->n = n;
		rows += n;
		left -= n;
	}
	return out;
}

static SetList
filter_run(TraceqlRun *run, const Filter *filter, SetList in)
{
	uint8_t *mask;
	uint8_t *hit;
	SetList out = {0};

	if (filter->nsimple == 0 && filter->nbound == 0)
		return in;
	if (run->unit.hits[filter->id])
		return keep_hits(run, in, run->unit.hits[filter->id]);
	mask = run_get_bytes(run);
	hit = run_get_bytes(run);
	sets_mark_rows(run, in, mask);
	if (filter_rows(run, filter, mask, hit))
		out = keep_hits(run, in, hit);
	run_put_bytes(run, hit);
	run_put_bytes(run, mask);
	return out;
}

/* ---- operators ---- */

/* The input sets, each its own origin. */
static SetList
operand_input(TraceqlRun *run, SetList in)
{
	SetList out = {.n = in.n, .cap = in.n};

	out.sets = arena_dup(run->scratch, in.sets, in.n * sizeof(Set));
	for (uint32_t i = 0; i < in.n; i++)
		out.sets[i].origin = i;
	return out;
}

/* What one side made of one input: its rows, united when there are several sets. */
static Set
side(TraceqlRun *run, SetList list, uint32_t *at, uint32_t origin, bool one)
{
	Set set = {0};
	uint32_t from = *at;

	while (*at < list.n && list.sets[*at].origin == origin)
	{
		Set *next = &list.sets[(*at)++];

		if (*at - from == 1)
			set = *next;
		else
		{
			const uint32_t *a = set_rows(run, &set);
			const uint32_t *b = set_rows(run, next);
			uint32_t *both = arena_alloc(run->scratch, ((size_t) set.n + next->n + 1) * sizeof(uint32_t));

			set.n = rows_union(a, set.n, b, next->n, both);
			set.rows = both;
			set.several |= one || next->several;
		}
	}
	return set;
}

static uint32_t
combine(TraceqlRun *run, TraceqlOp op, uint32_t trace, Set *a, Set *b, uint32_t *out)
{
	static const uint32_t none[1];
	const uint32_t *ra = a->n ? set_rows(run, a) : none;
	const uint32_t *rb = b->n ? set_rows(run, b) : none;

	if (op == TQL_OP_AND && (a->n == 0 || b->n == 0))
		return 0;
	if (op == TQL_OP_AND || op == TQL_OP_OR)
		return rows_union(ra, a->n, rb, b->n, out);
	return b->n ? structure_rows(run, op, trace, ra, a->n, rb, b->n, out) : 0;
}

/* Can the operator give something when its left side gave nothing for any input? */
static bool
needs_left(TraceqlOp op)
{
	return op != TQL_OP_OR && !(op >= TQL_OP_NOT_CHILD && op <= TQL_OP_NOT_SIBLING);
}

/*
 * Several sets on a side are an error only where the operator could give something: traces that were left
 * out beforehand, because they lack a condition of the query, must not make a difference.
 */
static bool
fails(TraceqlOp op, const Set *a, const Set *b)
{
	return (a->several || b->several) && (a->n || !needs_left(op)) && (b->n || op == TQL_OP_OR);
}

/* Inputs that the left side left something of. */
static SetList
with_origin_in(TraceqlRun *run, SetList in, SetList left)
{
	SetList out = {0};
	uint32_t last = UINT32_MAX;

	for (uint32_t i = 0; i < left.n; i++)
	{
		if (left.sets[i].origin != last)
			set_append(run, &out, &in.sets[left.sets[i].origin]);
		last = left.sets[i].origin;
	}
	return out;
}

static SetList
operator_run(TraceqlRun *run, const SetExpr *expr, SetList in)
{
	bool one = expr->op != TQL_OP_AND && expr->op != TQL_OP_OR;
	SetList inputs = operand_input(run, in);
	SetList left = expr_run(run, expr->left, inputs);
	SetList right;
	SetList out = {0};
	uint32_t l = 0;
	uint32_t r = 0;

	right = expr_run(run, expr->right, needs_left(expr->op) ? with_origin_in(run, inputs, left) : inputs);
	for (uint32_t i = 0; i < in.n; i++)
	{
		Set a = side(run, left, &l, i, one);
		Set b = side(run, right, &r, i, one);
		bool several = fails(expr->op, &a, &b);
		Set *made;
		uint32_t *rows;
		uint32_t n;

		if (a.n == 0 && b.n == 0)
			continue;
		rows = arena_alloc(run->scratch, ((size_t) a.n + b.n + 1) * sizeof(uint32_t));
		n = combine(run, several ? TQL_OP_OR : expr->op, in.sets[i].trace, &a, &b, rows);
		if (n == 0)
			continue;
		made = set_append(run, &out, &in.sets[i]);
		made->rows = rows;
		made->n = n;
		made->several = several;
	}
	return out;
}

/* ---- pipelines ---- */

static SetList
stages_run(TraceqlRun *run, const Pipeline *pipeline, SetList list)
{
	for (uint32_t i = 0; i < pipeline->nstages && list.n; i++)
	{
		const Stage *stage = &pipeline->stages[i];

		switch (stage->kind)
		{
			case TQL_STAGE_SPANSET: list = expr_run(run, stage->set, list); break;
			case TQL_STAGE_SCALAR: list = stage_scalar(run, stage, list); break;
			case TQL_STAGE_BY: list = stage_by(run, stage, list); break;
			case TQL_STAGE_COALESCE: list = stage_coalesce(run, list); break;
			case TQL_STAGE_SELECT: break;
		}
	}
	return list;
}

/* A pipeline within an expression: sets that come out belong to the input they were made from. */
static SetList
pipeline_nested(TraceqlRun *run, const Pipeline *pipeline, SetList in)
{
	SetList out = stages_run(run, pipeline, operand_input(run, in));

	for (uint32_t i = 0; i < out.n; i++)
		out.sets[i].origin = in.sets[out.sets[i].origin].origin;
	return out;
}

static SetList
expr_run(TraceqlRun *run, const SetExpr *expr, SetList in)
{
	if (in.n == 0)
		return in;
	if (expr->op != TQL_OP_NONE)
		return operator_run(run, expr, in);
	if (expr->pipeline)
		return pipeline_nested(run, expr->pipeline, in);
	return filter_run(run, expr->filter, in);
}

SetList
pipeline_run(TraceqlRun *run, const SetExpr *root, SetList in)
{
	SetList out = expr_run(run, root, in);

	for (uint32_t i = 0; i < out.n; i++)
		if (out.sets[i].several)
			run_fail(run, "a structural operator needs one spanset a trace on each side; add coalesce() "
						  "behind by()");
	return out;
}
