/*
 * need.c
 *	  What a trace must have to match, as far as single spans can tell: clauses, each of which some span of
 *	  the trace has to satisfy. Spans of a trace that is spread over images are tested where they are, and
 *	  only traces that satisfy every clause need to be put together.
 *
 *	  From the query: A && B and the structural operators need a span for each side, the negated ones for
 *	  the right side, A || B one for either. Conditions on what only a whole trace knows (its root, duration,
 *	  tree) are left out, which only makes a clause weaker. Later stages of a pipeline never add spans.
 */
#include "traceql/eval/internal.h"

#include <stdlib.h>

typedef struct Clauses
{
	uint32_t n;
	Clause clauses[NEED_CLAUSES];
} Clauses;

static void need_of(TraceqlPlan *plan, const SetExpr *expr, Clauses *out);

static bool
needs_trace(const Node *node)
{
	if (node->kind == NODE_SLOT)
		return node->slot->kind == SLOT_INTRINSIC &&
			   (slot_of_trace(node->slot) || node->slot->intrinsic == TQL_NESTED_SET_LEFT ||
				node->slot->intrinsic == TQL_NESTED_SET_RIGHT ||
				node->slot->intrinsic == TQL_NESTED_SET_PARENT || node->slot->intrinsic == TQL_CHILD_COUNT);
	if (node->left && needs_trace(node->left))
		return true;
	if (node->right && needs_trace(node->right))
		return true;
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		if (needs_trace(node->items[i]))
			return true;
	}
	return false;
}

static uint32_t
without_trace(TraceqlPlan *plan, Node **nodes, uint32_t n, Node ***out)
{
	uint32_t kept = 0;

	*out = arena_alloc(plan->arena, (n + 1) * sizeof(Node *));
	for (uint32_t i = 0; i < n; i++)
	{
		if (!needs_trace(nodes[i]))
			(*out)[kept++] = nodes[i];
	}
	return kept;
}

static void
need_of_filter(TraceqlPlan *plan, Filter *filter, Clauses *out)
{
	Filter *weak = arena_alloc0(plan->arena, sizeof(Filter));

	weak->id = plan->nfilters++;
	weak->nsimple = without_trace(plan, filter->simple, filter->nsimple, &weak->simple);
	weak->nbound = without_trace(plan, filter->bound, filter->nbound, &weak->bound);
	for (uint32_t i = 0; i < weak->nbound; i++)
	{
		weak->event |= weak->bound[i]->event;
		weak->link |= weak->bound[i]->link;
	}
	if (weak->nsimple + weak->nbound == 0)
		return;
	/* Nothing left out: what is found out about the one holds for the other. */
	if (weak->nsimple == filter->nsimple && weak->nbound == filter->nbound)
		weak = filter;
	out->clauses[0].n = 1;
	out->clauses[0].filters[0] = weak;
	out->n = 1;
}

static void
add_clauses(Clauses *to, const Clauses *from)
{
	for (uint32_t i = 0; i < from->n && to->n < NEED_CLAUSES; i++)
		to->clauses[to->n++] = from->clauses[i];
}

/* One of the clauses of each side, or nothing when a side has none. */
static void
either(const Clauses *a, const Clauses *b, Clauses *out)
{
	const Clause *x = &a->clauses[0];
	const Clause *y = &b->clauses[0];
	Clause *both = &out->clauses[0];

	if (a->n == 0 || b->n == 0 || x->n + y->n > NEED_FILTERS)
		return;
	memcpy(both->filters, x->filters, x->n * sizeof(Filter *));
	memcpy(both->filters + x->n, y->filters, y->n * sizeof(Filter *));
	both->n = x->n + y->n;
	out->n = 1;
}

static void
need_of_pipeline(TraceqlPlan *plan, const Pipeline *pipeline, Clauses *out)
{
	for (uint32_t i = 0; i < pipeline->nstages; i++)
	{
		Clauses *stage;

		if (pipeline->stages[i].kind != TQL_STAGE_SPANSET)
			continue;
		stage = arena_alloc0(plan->arena, sizeof(Clauses));
		need_of(plan, pipeline->stages[i].set, stage);
		add_clauses(out, stage);
	}
}

static void
need_of(TraceqlPlan *plan, const SetExpr *expr, Clauses *out)
{
	Clauses *left;
	Clauses *right;

	if (expr->filter)
	{
		need_of_filter(plan, expr->filter, out);
		return;
	}
	if (expr->pipeline)
	{
		need_of_pipeline(plan, expr->pipeline, out);
		return;
	}
	left = arena_alloc0(plan->arena, sizeof(Clauses));
	right = arena_alloc0(plan->arena, sizeof(Clauses));
	need_of(plan, expr->right, right);
	if (expr->op >= TQL_OP_NOT_CHILD && expr->op <= TQL_OP_NOT_SIBLING)
	{
		add_clauses(out, right);
		return;
	}
	need_of(plan, expr->left, left);
	if (expr->op == TQL_OP_OR)
		either(left, right, out);
	else
	{
		add_clauses(out, right);
		add_clauses(out, left);
	}
}

static uint32_t
clause_cost(const Clause *clause)
{
	uint32_t cost = 0;

	for (uint32_t f = 0; f < clause->n; f++)
	{
		const Filter *filter = clause->filters[f];

		for (uint32_t i = 0; i < filter->nsimple; i++)
			cost += filter->simple[i]->cost + 1;
		cost += 100 * filter->nbound;
	}
	return cost;
}

static int
by_cost(const void *a, const void *b)
{
	uint32_t x = clause_cost(a);
	uint32_t y = clause_cost(b);

	return (x > y) - (x < y);
}

void
need_compile(TraceqlPlan *plan)
{
	Clauses *all = arena_alloc0(plan->arena, sizeof(Clauses));

	need_of(plan, plan->root, all);
	if (all->n)
		qsort(all->clauses, all->n, sizeof(Clause), by_cost);
	plan->nneed = all->n;
	plan->need = all->clauses;
	plan->facts.need = all->n ? (uint32_t) ((UINT64_C(1) << all->n) - 1) : 0;
}

void
traceql_run_need(TraceqlRun *run, Batch *batch, uint64_t source, const uint8_t *mask, uint32_t *bits,
				 Arena *scratch)
{
	uint32_t n = batch_nrows(batch);
	uint8_t *hit;

	run->scratch = scratch;
	unit_begin(run, batch, source);
	hit = run_get_bytes(run);
	memset(bits, 0, n * sizeof(uint32_t));
	for (uint32_t c = 0; c < run->plan->nneed; c++)
	{
		for (uint32_t f = 0; f < run->plan->need[c].n; f++)
		{
			if (filter_rows(run, run->plan->need[c].filters[f], mask, hit) == 0)
				continue;
			for (uint32_t r = 0; r < n; r++)
				bits[r] |= (uint32_t) hit[r] << c;
		}
	}
	run_check_regexes(run);
	memset(&run->unit, 0, sizeof(run->unit));
}
