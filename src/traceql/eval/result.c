/*
 * result.c
 *	  Surviving sets of a unit, trace by trace, as answers for the sink.
 */
#include "traceql/eval/internal.h"

/* ---- attributes of a span ---- */

static void
show(MatchSpan *span, MatchFrom from, Str key, EvalValue value)
{
	if (value.type == EVAL_NIL || value.type == EVAL_OPAQUE || value.type == EVAL_ERROR)
		return;
	/* .k next to span.k or resource.k mentions one of them twice. */
	for (uint32_t i = 0; i < span->nattrs; i++)
	{
		if (span->attrs[i].from == from && str_eq(span->attrs[i].key, key))
			return;
	}
	span->attrs[span->nattrs++] = (MatchAttr){.from = from, .key = key, .value = value};
}

static MatchFrom
shown_from(const Slot *slot)
{
	switch (slot->kind)
	{
		case SLOT_SPAN: return MATCH_FROM_SPAN;
		case SLOT_RESOURCE: return MATCH_FROM_RESOURCE;
		case SLOT_SCOPE: return MATCH_FROM_SCOPE;
		case SLOT_EVENT: return MATCH_FROM_EVENT;
		case SLOT_LINK: return MATCH_FROM_LINK;
		default: return MATCH_FROM_INTRINSIC;
	}
}

static void
show_mention(TraceqlRun *run, const Mention *mention, MatchSpan *span)
{
	const Slot *slot = mention->slot;
	Binding at = {span->row, ROW_FIRST, ROW_FIRST};

	if (slot->kind == SLOT_ANY)
	{
		show(span, MATCH_FROM_SPAN, slot->key, slot_level_value(run, slot, span->row));
		show(span, MATCH_FROM_RESOURCE, slot->key,
			 slot_entry_value(run, slot, slot_entries(run, slot), span->row));
		return;
	}
	/* Where a condition is about events, a span without any shows none. */
	if (slot->event && !mention->asked)
	{
		const uint32_t *first = batch_event_first(run->unit.batch);

		if (first[span->row] == first[span->row + 1])
			return;
	}
	show(span, shown_from(slot), slot->key, slot_value(run, slot, at));
}

static void
build_span(TraceqlRun *run, uint32_t row, MatchSpan *span)
{
	const TraceqlPlan *plan = run->plan;
	Batch *batch = run->unit.batch;

	*span = (MatchSpan){.row = row};
	if (!run->options.no_span)
	{
		span->span_id = (uint64_t) batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64[row];
		span->start = batch_column(batch, LEVEL_SPAN, SC_START)->i64[row];
		span->duration = batch_column(batch, LEVEL_SPAN, SC_DURATION)->i64[row];
	}
	if (plan->facts.name_known || run->options.details)
		span->name = cell_str(batch_column(batch, LEVEL_SPAN, SC_NAME), row);
	if (run->options.details)
	{
		span->service = cell_str(batch_column(batch, LEVEL_SPAN, SC_SERVICE), row);
		span->kind = (int32_t) batch_column(batch, LEVEL_SPAN, SC_KIND)->i64[row];
		span->status = (int32_t) batch_column(batch, LEVEL_SPAN, SC_STATUS)->i64[row];
	}
	if (run->options.bare)
		return;
	span->attrs = arena_alloc(run->scratch, (2 * plan->nmentions + 1) * sizeof(MatchAttr));
	for (uint32_t m = 0; m < plan->nmentions; m++)
		show_mention(run, &plan->mentions[m], span);
}

static void
build_set(TraceqlRun *run, Set *set, MatchSpanset *out)
{
	const uint32_t *rows = set_rows(run, set);
	uint32_t max = run->options.max_spans;

	*out = (MatchSpanset){.matched = set->n, .nattrs = set->nattrs, .attrs = set->attrs};
	out->nspans = max && max < set->n ? max : set->n;
	out->spans = arena_alloc(run->scratch, (out->nspans + 1) * sizeof(MatchSpan));
	for (uint32_t i = 0; i < out->nspans; i++)
	{
		run_tick(run);
		build_span(run, rows[i], &out->spans[i]);
	}
}

/* ---- the trace ---- */

static MatchService *
service_entry(MatchTrace *trace, Str name)
{
	for (uint32_t i = 0; i < trace->nservices; i++)
	{
		if (str_eq(trace->services[i].name, name))
			return &trace->services[i];
	}
	return NULL;
}

/* Spans and errors by service over the whole trace. */
static void
build_services(TraceqlRun *run, uint32_t t, MatchTrace *trace)
{
	const Unit *unit = &run->unit;
	const Column *service = batch_column(unit->batch, LEVEL_SPAN, SC_SERVICE);
	const int64_t *status = batch_column(unit->batch, LEVEL_SPAN, SC_STATUS)->i64;
	MatchService *last = NULL;
	uint32_t cap = 0;

	for (uint32_t r = unit->first[t]; r < unit->first[t + 1]; r++)
	{
		Str name = cell_str(service, r);

		run_tick(run);
		if (!last || !str_eq(last->name, name))
			last = service_entry(trace, name);
		if (!last)
		{
			if (trace->nservices == cap)
			{
				uint32_t more = cap ? cap * 2 : 8;

				trace->services = arena_grow(run->scratch, trace->services, cap * sizeof(MatchService),
											 more * sizeof(MatchService));
				cap = more;
			}
			last = &trace->services[trace->nservices++];
			*last = (MatchService){.name = name};
		}
		last->spans++;
		last->errors += status[r] == 2;
	}
}

static void
build_trace(TraceqlRun *run, uint32_t t, Set *sets, uint32_t nsets, MatchTrace *trace)
{
	Batch *batch = run->unit.batch;

	*trace = (MatchTrace){.nsets = nsets};
	trace->trace_id = batch_column(batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) t;
	trace->start = batch_column(batch, LEVEL_TRACE, TC_START)->i64[t];
	trace->duration = batch_column(batch, LEVEL_TRACE, TC_DURATION)->i64[t];
	trace->root_service = trace->root_name = str_of("", 0);
	if (!run->options.no_root)
	{
		trace->has_root = unit_root(run, t) >= 0;
		trace->root_service = unit_root_service(run, t);
		trace->root_name = unit_root_name(run, t);
	}
	trace->nspans = run->unit.first[t + 1] - run->unit.first[t];
	if (run->options.services)
		build_services(run, t, trace);
	trace->sets = arena_alloc(run->scratch, nsets * sizeof(MatchSpanset));
	for (uint32_t i = 0; i < nsets; i++)
		build_set(run, &sets[i], &trace->sets[i]);
}

static bool
wanted(TraceqlRun *run, uint32_t t, const MatchSink *sink)
{
	Batch *batch = run->unit.batch;

	return !sink->want ||
		   sink->want(sink->ctx, t, batch_column(batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) t,
					  batch_column(batch, LEVEL_TRACE, TC_START)->i64[t]);
}

void
result_emit(TraceqlRun *run, SetList list, const MatchSink *sink)
{
	for (uint32_t i = 0, n; i < list.n; i += n)
	{
		uint32_t t = list.sets[i].trace;
		MatchTrace trace;

		for (n = 0; i + n < list.n && list.sets[i + n].trace == t; n++)
			run->counters.spans_matched += list.sets[i + n].n;
		run->counters.traces_matched++;
		if (!wanted(run, t, sink))
			continue;
		build_trace(run, t, &list.sets[i], n, &trace);
		sink->trace(sink->ctx, &trace);
	}
}
