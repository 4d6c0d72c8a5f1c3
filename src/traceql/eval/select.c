/*
 * select.c
 *	  A pipeline as marks on the rows of a unit, for whoever wants the spans and not the answers. When no
 *	  span's fate depends on another span, rows are filtered without regard to traces, so that the unit may
 *	  hold them in pieces and need not be sorted.
 */
#include "traceql/eval/internal.h"

/* ---- what a plan needs ---- */

static bool pipeline_local(const Pipeline *pipeline);

static bool
expr_local(const SetExpr *expr)
{
	if (expr->op != TQL_OP_NONE)
		return false;
	return expr->filter ? true : pipeline_local(expr->pipeline);
}

static bool
pipeline_local(const Pipeline *pipeline)
{
	for (uint32_t i = 0; i < pipeline->nstages; i++)
	{
		const Stage *stage = &pipeline->stages[i];

		if (stage->kind == TQL_STAGE_SCALAR || (stage->kind == TQL_STAGE_SPANSET && !expr_local(stage->set)))
			return false;
	}
	return true;
}

bool
plan_local(const TraceqlPlan *plan)
{
	return !traceql_plan_of_traces(plan) && expr_local(plan->root);
}

/* ---- rows one by one ---- */

/* by() leaves out spans whose expression raises; an attribute alone never does. */
static void
keep_computable(TraceqlRun *run, const Node *expr, uint8_t *kept)
{
	if (expr->kind == NODE_SLOT)
		return;
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		Binding at = {r, ROW_FIRST, ROW_FIRST};

		if (!kept[r])
			continue;
		run_tick(run);
		kept[r] = node_value(run, expr, at).type != EVAL_ERROR;
	}
}

static void
keep_local(TraceqlRun *run, const SetExpr *expr, uint8_t *kept)
{
	if (expr->filter && expr->filter->nsimple == 0 && expr->filter->nbound == 0)
		return;
	if (expr->filter)
	{
		uint8_t *out = run_get_bytes(run);

		filter_rows(run, expr->filter, kept, out);
		memcpy(kept, out, run->unit.nrows);
		run_put_bytes(run, out);
		return;
	}
	for (uint32_t i = 0; i < expr->pipeline->nstages; i++)
	{
		const Stage *stage = &expr->pipeline->stages[i];

		if (stage->kind == TQL_STAGE_SPANSET)
			keep_local(run, stage->set, kept);
		else if (stage->kind == TQL_STAGE_BY)
			keep_computable(run, stage->expr, kept);
	}
}

/* ---- whole traces ---- */

static void
keep_sets(TraceqlRun *run, const uint8_t *skip, uint8_t *kept)
{
	sets_mark_rows(run, pipeline_run(run, run->plan->root, run_all_traces(run, skip)), kept);
}

static void
clear_skipped(const TraceqlRun *run, const uint8_t *skip, uint8_t *kept)
{
	for (uint32_t t = 0; t < run->unit.ntraces; t++)
		if (skip[t])
			memset(kept + run->unit.first[t], 0, run->unit.first[t + 1] - run->unit.first[t]);
}

void
select_rows(TraceqlRun *run, bool local, const uint8_t *skip, const uint8_t *rows, uint8_t *kept)
{
	if (run->plan->facts.nothing)
		memset(kept, 0, run->unit.nrows);
	else if (!local)
		keep_sets(run, skip, kept);
	else
	{
		if (rows)
			memcpy(kept, rows, run->unit.nrows);
		else
			memset(kept, 1, run->unit.nrows);
		if (skip)
			clear_skipped(run, skip, kept);
		keep_local(run, run->plan->root, kept);
	}
	run_check_regexes(run);
}
