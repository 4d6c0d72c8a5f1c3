/*
 * tree.c
 *	  Nested-set numbers and child counts of a trace, as section "Between spansets" of doc/traceql.md has
 *them.
 */
#include "ref.h"

#define SERVER 2
#define CLIENT 3

/* How many spans of the trace have this id; the first two of them. */
static int
spans_of_id(const Trace *trace, uint64_t id, Span **found)
{
	int n = 0;

	for (int i = 0; i < trace->n; i++)
		if (trace->spans[i]->id == id && n++ < 2)
			found[n - 1] = trace->spans[i];
	return n;
}

/* Of two spans with one id the server is the parent, and of a server the client. */
static Span *
find_parent(const Trace *trace, const Span *span)
{
	int wanted = span->kind == SERVER ? CLIENT : SERVER;
	Span *found[2];
	int n = span->parent_id ? spans_of_id(trace, span->parent_id, found) : 0;

	if (n == 1)
		return found[0];
	for (int i = 0; i < n; i++)
		if (found[i]->kind == wanted)
			return found[i];
	return NULL;
}

static int64_t
number(const Trace *trace, Span *span, int64_t up, int64_t counter)
{
	span->left = counter++;
	span->up = up;
	for (int i = 0; i < trace->n; i++)
		if (trace->spans[i]->parent == span)
			counter = number(trace, trace->spans[i], span->left, counter);
	span->right = counter++;
	return counter;
}

void
trace_number(Trace *trace)
{
	int64_t counter = 1;
	bool root = false;

	for (int i = 0; i < trace->n; i++)
	{
		Span *found[2];

		if (spans_of_id(trace, trace->spans[i]->id, found) > 2)
			return;
		root |= trace->spans[i]->parent_id == 0;
	}
	for (int i = 0; i < trace->n; i++)
	{
		Span *span = trace->spans[i];

		span->parent = find_parent(trace, span);
		if (span->parent && span->parent != span && root)
			span->parent->children++;
	}
	for (int i = 0; i < trace->n; i++)
		if (trace->spans[i]->parent_id == 0)
			counter = number(trace, trace->spans[i], -1, counter);
}
