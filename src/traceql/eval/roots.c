/*
 * roots.c
 *	  Which span of a trace is its root. Of several, the one that starts last, and of those that start at
 *	  the same instant the one with the largest id: the same whatever order the spans were stored in. Traces
 *	  that were whole when they were stored know theirs.
 */
#include "traceql/eval/internal.h"

/* A parentless span may still be a child: OpenTracing said so by a link. */
static bool
linked_as_child(TraceqlRun *run, uint32_t trace, uint32_t row)
{
	Batch *batch = run->unit.batch;
	const uint32_t *first = batch_link_first(batch);
	const uint8_t *id = batch_column(batch, LEVEL_TRACE, TC_ID)->fixed + 16 * (size_t) trace;

	for (uint32_t l = first[row]; l < first[row + 1]; l++)
	{
		Str to = cell_str(batch_column(batch, LEVEL_LINK, LC_TRACE_ID), l);
		Buf attributes;
		Value v;

		if (to.len != 16 || memcmp(to.p, id, 16) != 0)
			continue;
		buf_init(&attributes, run->scratch, 256);
		batch_attributes(batch, LEVEL_LINK, l, &attributes);
		if (value_find(str_of((char *) attributes.p, attributes.len), str_lit("opentracing.ref_type"), &v) &&
			v.type == VALUE_STRING && str_eq(v.s, str_lit("child_of")))
			return true;
	}
	return false;
}

static int64_t
find_root(TraceqlRun *run, uint32_t trace)
{
	Batch *batch = run->unit.batch;
	const int64_t *parent = batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64;
	const int64_t *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const int64_t *id = batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64;
	int64_t root = -1;

	for (uint32_t row = run->unit.first[trace + 1]; row-- > run->unit.first[trace];)
	{
		if (root >= 0 && start[row] != start[root])
			break;
		if (parent[row] == 0 && (root < 0 || (uint64_t) id[row] > (uint64_t) id[root]) &&
			!linked_as_child(run, trace, row))
			root = row;
	}
	return root;
}

int64_t
unit_root(TraceqlRun *run, uint32_t trace)
{
	Unit *unit = &run->unit;

	if (!unit->root)
	{
		unit->root = arena_alloc(run->scratch, (unit->ntraces + 1) * sizeof(int64_t));
		for (uint32_t t = 0; t < unit->ntraces; t++)
			unit->root[t] = -2;
	}
	if (unit->root[trace] == -2)
	{
		int64_t known = batch_column(unit->batch, LEVEL_TRACE, TC_ROOT)->i64[trace];

		if (known == TRACE_ROOT_UNKNOWN)
			unit->root[trace] = find_root(run, trace);
		else
			unit->root[trace] = known > 0 ? unit->first[trace] + known - 1 : -1;
	}
	return unit->root[trace];
}

static Str
of_root(TraceqlRun *run, uint32_t trace, SpanCol col)
{
	int64_t root = unit_root(run, trace);

	if (root < 0)
		return str_of("", 0);
	return cell_str(batch_column(run->unit.batch, LEVEL_SPAN, col), (uint32_t) root);
}

Str
unit_root_service(TraceqlRun *run, uint32_t trace)
{
	return of_root(run, trace, SC_SERVICE);
}

Str
unit_root_name(TraceqlRun *run, uint32_t trace)
{
	return of_root(run, trace, SC_NAME);
}
