/*
 * run.c
 *	  A run over units: state that lasts, state of one unit, interrupts and failures.
 */
#include "traceql/eval/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define TICKS_PER_INTERRUPT 1024

void
run_tick(TraceqlRun *run)
{
	if (++run->ticks % TICKS_PER_INTERRUPT == 0 && run->hooks.interrupt)
		run->hooks.interrupt(run->hooks.ctx);
}

void
run_fail(TraceqlRun *run, const char *message)
{
	if (run->hooks.fail)
		run->hooks.fail(run->hooks.ctx, message);
	fprintf(stderr, "traceql: %s\n", message);
	abort();
}

uint8_t *
run_get_bytes(TraceqlRun *run)
{
	Unit *unit = &run->unit;

	if (unit->nspare)
		return unit->spare[--unit->nspare];
	return arena_alloc(run->scratch, unit->nrows + 1);
}

void
run_put_bytes(TraceqlRun *run, uint8_t *bytes)
{
	Unit *unit = &run->unit;

	if (unit->nspare == unit->cap_spare)
	{
		uint32_t cap = unit->cap_spare ? unit->cap_spare * 2 : 16;

		unit->spare = arena_grow(run->scratch, unit->spare, unit->cap_spare * sizeof(uint8_t *),
								 cap * sizeof(uint8_t *));
		unit->cap_spare = cap;
	}
	unit->spare[unit->nspare++] = bytes;
}

TraceqlRun *
traceql_run_begin(TraceqlPlan *plan, const TraceqlOptions *options, const TraceqlHooks *hooks, Arena *arena)
{
	TraceqlRun *run = arena_alloc0(arena, sizeof(TraceqlRun));

	run->plan = plan;
	run->options = *options;
	if (hooks)
		run->hooks = *hooks;
	run->arena = arena;
	run->decisions = arena_alloc0(arena, (plan->nnodes + 1) * sizeof(DictCache));
	run->entries = arena_alloc0(arena, (plan->nslots + 1) * sizeof(DictCache));
	run->may = prune_nodes(arena, plan->nnodes);
	run->keys = arena_alloc0(arena, (plan->nslots + 1) * sizeof(KeyMap));
	return run;
}

const TraceqlCounters *
traceql_run_counters(const TraceqlRun *run)
{
	return &run->counters;
}

void
unit_begin(TraceqlRun *run, Batch *batch, uint64_t source)
{
	Unit *unit = &run->unit;

	memset(unit, 0, sizeof(*unit));
	unit->batch = batch;
	unit->source = source;
	unit->number = ++run->units;
	unit->nrows = batch_nrows(batch);
	unit->ntraces = batch->level[LEVEL_TRACE].nrows;
	unit->first = batch->trace_first;
	unit->slots = arena_alloc0(run->scratch, (run->plan->nslots + 1) * sizeof(SlotState));
	unit->hits = arena_alloc0(run->scratch, (run->plan->nfilters + 1) * sizeof(uint8_t *));
}

void
run_check_regexes(TraceqlRun *run)
{
	for (uint32_t i = 0; i < run->plan->nregexes; i++)
	{
		if (regex_exceeded(run->plan->regexes[i]))
			run_fail(run, "a regular expression takes too many steps");
	}
}

void
traceql_run_unit(TraceqlRun *run, const TraceqlUnit *unit, Arena *scratch, const MatchSink *sink)
{
	SetList sets;

	run->scratch = scratch;
	unit_begin(run, unit->batch, unit->source);
	run->counters.units++;
	if (!run->plan->facts.nothing)
	{
		sets = run_candidates(run, unit);
		if (sets.n)
			sets = pipeline_run(run, run->plan->root, sets);
		run_check_regexes(run);
		result_emit(run, sets, sink);
	}
	memset(&run->unit, 0, sizeof(run->unit));
}

/* ---- span by span ---- */

void
traceql_unit_begin(TraceqlRun *run, Batch *batch, uint64_t source, Arena *scratch)
{
	run->scratch = scratch;
	unit_begin(run, batch, source);
	run->counters.units++;
	run->counters.rows += run->unit.nrows;
}

uint32_t
traceql_unit_filter(TraceqlRun *run, uint8_t *rows)
{
	const SetExpr *root = run->plan->root;
	uint8_t *kept = run_get_bytes(run);
	uint32_t n = filter_rows(run, root->filter, rows, kept);

	run_check_regexes(run);
	memcpy(rows, kept, run->unit.nrows);
	run_put_bytes(run, kept);
	return n;
}

EvalValue
traceql_unit_value(TraceqlRun *run, uint32_t value, uint32_t row)
{
	const Slot *slot = run->plan->slots[value];
	Binding at = {.row = row, .event = ROW_FIRST, .link = ROW_FIRST};

	return slot_value(run, slot, at);
}
