/*
 * batch_fold.c
 *	  Spans that came twice. A client that got no answer sends its request again, so: spans of the same tenant
 *	  and trace with equal span id, kind, start and duration are one span, of which the first stays. (Client
 *and server may share an id, so the kind counts.) Everybody who folds, folds by this rule.
 *
 * Rows are in batch_sort order, or of one trace in order of start, so repeats lie in runs of one trace and
 *start. Long runs are sorted, so that a trace full of them costs no more than n log n.
 */
#include "span/batch.h"

#include <stdlib.h>

typedef struct FoldKey
{
	int64_t span_id;
	int64_t duration;
	int64_t kind;
	uint32_t place; /* in the run */
} FoldKey;

/* Runs up to this are compared each with each. */
#define SHORT_RUN 8

static int64_t
number(Batch **inputs, RowRef ref, SpanCol col)
{
	return batch_column(inputs[ref.batch], LEVEL_SPAN, col)->i64[ref.row];
}

static Str
tenant(Batch **inputs, RowRef ref)
{
	return column_str(batch_column(inputs[ref.batch], LEVEL_SPAN, SC_TENANT), ref.row);
}

static const uint8_t *
trace_id(Batch **inputs, RowRef ref)
{
	return batch_column(inputs[ref.batch], LEVEL_SPAN, SC_TRACE_ID)->fixed + 16 * (size_t) ref.row;
}

bool
batch_same_span(Batch *x, uint32_t row_x, Batch *y, uint32_t row_y)
{
	Batch *both[2] = {x, y};
	RowRef a = {0, row_x};
	RowRef b = {1, row_y};

	return number(both, a, SC_SPAN_ID) == number(both, b, SC_SPAN_ID) &&
		   number(both, a, SC_START) == number(both, b, SC_START) &&
		   number(both, a, SC_DURATION) == number(both, b, SC_DURATION) &&
		   number(both, a, SC_KIND) == number(both, b, SC_KIND) &&
		   memcmp(trace_id(both, a), trace_id(both, b), 16) == 0 && str_eq(tenant(both, a), tenant(both, b));
}

static bool
same_row(Batch **inputs, RowRef x, RowRef y)
{
	return batch_same_span(inputs[x.batch], x.row, inputs[y.batch], y.row);
}

static int
compare_keys(const void *a, const void *b)
{
	const FoldKey *x = a;
	const FoldKey *y = b;

	if (x->span_id != y->span_id)
		return x->span_id < y->span_id ? -1 : 1;
	if (x->duration != y->duration)
		return x->duration < y->duration ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static bool
equal_keys(const FoldKey *x, const FoldKey *y)
{
	return x->span_id == y->span_id && x->duration == y->duration && x->kind == y->kind;
}

static void
mark_short(Batch **inputs, const RowRef *run, uint32_t n, uint8_t *again)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t j = 0; j < i && !again[i]; j++)
			again[i] = !again[j] && same_row(inputs, run[i], run[j]);
}

/* Equal keys, maybe of several tenants: those that stand for others come to the front. */
static void
mark_equal(Batch **inputs, const RowRef *run, FoldKey *keys, uint32_t n, uint8_t *again)
{
	uint32_t distinct = 1;

	for (uint32_t i = 1; i < n; i++)
	{
		uint32_t place = keys[i].place;

		for (uint32_t j = 0; j < distinct && !again[place]; j++)
			again[place] = same_row(inputs, run[place], run[keys[j].place]);
		if (!again[place])
			keys[distinct++] = keys[i];
	}
}

static void
mark_long(Arena *scratch, Batch **inputs, const RowRef *run, uint32_t n, uint8_t *again)
{
	FoldKey *keys = arena_alloc(scratch, n * sizeof(FoldKey));
	uint32_t end;

	for (uint32_t i = 0; i < n; i++)
		keys[i] = (FoldKey){number(inputs, run[i], SC_SPAN_ID), number(inputs, run[i], SC_DURATION),
							number(inputs, run[i], SC_KIND), i};
	qsort(keys, n, sizeof(FoldKey), compare_keys);
	for (uint32_t i = 0; i < n; i = end)
	{
		for (end = i + 1; end < n && equal_keys(&keys[i], &keys[end]); end++)
			;
		if (end - i > 1)
			mark_equal(inputs, run, keys + i, end - i, again);
	}
}

/* Takes the repeats out of a run; returns how many rows are left at its start. */
static uint32_t
fold_run(Arena *scratch, Batch **inputs, RowRef *run, uint32_t n)
{
	uint8_t *again = arena_alloc0(scratch, n);
	uint32_t left = 0;

	if (n <= SHORT_RUN)
		mark_short(inputs, run, n, again);
	else
		mark_long(scratch, inputs, run, n, again);
	for (uint32_t i = 0; i < n; i++)
		if (!again[i])
			run[left++] = run[i];
	return left;
}

uint32_t
batch_fold(Arena *scratch, Batch **inputs, RowRef *rows, uint32_t n)
{
	uint32_t left = 0;
	uint32_t end;

	for (uint32_t i = 0; i < n; i = end)
	{
		int64_t start = number(inputs, rows[i], SC_START);
		uint32_t run;

		for (end = i + 1; end < n && number(inputs, rows[end], SC_START) == start &&
						  memcmp(trace_id(inputs, rows[end]), trace_id(inputs, rows[i]), 16) == 0;
			 end++)
			;
		run = end - i > 1 ? fold_run(scratch, inputs, rows + i, end - i) : 1;
		if (left != i)
			memmove(rows + left, rows + i, run * sizeof(RowRef));
		left += run;
	}
	return left;
}
