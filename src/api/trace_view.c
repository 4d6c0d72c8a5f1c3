/*
 * trace_view.c
 *	  Which spans of a stored trace are shown, under which ids and in which order; rules in trace.h.
 */
#include "api/trace.h"

#include <stdlib.h>

#include "codec/codec.h"

#define KIND_SERVER 2
#define KIND_CLIENT 3

typedef struct ViewSpan
{
	uint64_t id;
	int64_t kind;
	uint32_t row;
	uint32_t resource; /* number of its group of equal resources, then scopes */
	uint32_t scope;
} ViewSpan;

static int
by_id_kind_row(const void *a, const void *b)
{
	const ViewSpan *x = a;
	const ViewSpan *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static int
by_group_row(const void *a, const void *b)
{
	const ViewSpan *x = a;
	const ViewSpan *y = b;

	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Drop later copies; spans are sorted by id, kind, row. */
static uint32_t
drop_duplicates(ViewSpan *spans, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || spans[i].id != spans[kept - 1].id || spans[i].kind != spans[kept - 1].kind)
			spans[kept++] = spans[i];
	return kept;
}

static bool
id_in_use(const ViewSpan *spans, uint32_t n, uint64_t id)
{
	uint32_t lo = 0;
	uint32_t hi = n;

	while (lo < hi)
	{
		uint32_t mid = lo + (hi - lo) / 2;

		if (spans[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && spans[lo].id == id;
}

/* An id that no span of the trace has; the same one every time. */
static uint64_t
fresh_id(const ViewSpan *spans, uint32_t n, uint64_t id)
{
	uint64_t fresh = id;

	do
		fresh = codec_hash64(&fresh, sizeof(fresh));
	while (fresh == 0 || id_in_use(spans, n, fresh));
	return fresh;
}

/* A pair of client and server span under one id, at position i of the sorted spans? */
static bool
shared_pair(const ViewSpan *spans, uint32_t n, uint32_t i)
{
	return i + 1 < n && spans[i].id == spans[i + 1].id && spans[i].kind == KIND_SERVER &&
		   spans[i + 1].kind == KIND_CLIENT;
}

/* Spans that name old as parent, and are not the client half itself, hang below the server half. */
static void
move_children(Batch *batch, const ViewSpan *spans, uint32_t n, const ViewSpan *client, uint64_t new_id)
{
	int64_t *parent = batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64;

	for (uint32_t i = 0; i < n; i++)
		if ((uint64_t) parent[spans[i].row] == client->id && spans[i].row != client->row)
			parent[spans[i].row] = (int64_t) new_id;
}

static void
split_shared_ids(Batch *batch, const ViewSpan *spans, uint32_t n)
{
	int64_t *id = batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64;
	int64_t *parent = batch_column(batch, LEVEL_SPAN, SC_PARENT_ID)->i64;

	for (uint32_t i = 0; i < n; i++)
		if (shared_pair(spans, n, i))
		{
			const ViewSpan *server = &spans[i];
			const ViewSpan *client = &spans[i + 1];
			uint64_t new_id = fresh_id(spans, n, server->id);

			move_children(batch, spans, n, client, new_id);
			id[server->row] = (int64_t) new_id;
			parent[server->row] = (int64_t) client->id;
		}
}

/* A hash over columns first..last of a row. */
static uint64_t
hash_columns(Batch *batch, uint32_t row, SpanCol first, SpanCol last)
{
	uint64_t h = 0;

	for (int c = first; c <= (int) last; c++)
	{
		Column *col = batch_column(batch, LEVEL_SPAN, c);
		uint64_t part = col->kind == COL_I64 ? (uint64_t) col->i64[row]
											 : codec_hash64(column_str(col, row).p, column_str(col, row).len);

		h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

typedef struct RowHash
{
	uint64_t hash;
	uint32_t at; /* index into the spans, which are in row order */
} RowHash;

static int
by_hash(const void *a, const void *b)
{
	const RowHash *x = a;
	const RowHash *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/*
 * Give spans with equal columns first..last one number, the index of the first of them, so that groups come
 * in order of appearance. field is the offset of the number in ViewSpan. A clash of hashes only splits a
 * group.
 */
static void
number_groups(Batch *batch, ViewSpan *spans, uint32_t n, SpanCol first, SpanCol last, size_t field)
{
	RowHash *order = arena_alloc(batch->arena, sizeof(RowHash) * (n + 1));
	uint32_t leader = 0;

	for (uint32_t i = 0; i < n; i++)
		order[i] = (RowHash){hash_columns(batch, spans[i].row, first, last), i};
	qsort(order, n, sizeof(RowHash), by_hash);
	for (uint32_t i = 0; i < n; i++)
	{
		if (i == 0 || order[i].hash != order[i - 1].hash ||
			!batch_same_values(batch, first, last, spans[leader].row, spans[order[i].at].row))
			leader = order[i].at;
		*(uint32_t *) ((char *) &spans[order[i].at] + field) = leader;
	}
}

static int
by_row(const void *a, const void *b)
{
	const ViewSpan *x = a;
	const ViewSpan *y = b;

	return x->row < y->row ? -1 : x->row > y->row;
}

uint32_t *
trace_view(Batch *batch, uint32_t *n)
{
	uint32_t nrows = batch_nrows(batch);
	ViewSpan *spans = arena_alloc0(batch->arena, sizeof(ViewSpan) * (nrows + 1));
	uint32_t *rows = arena_alloc(batch->arena, sizeof(uint32_t) * (nrows + 1));
	const int64_t *id = batch_column(batch, LEVEL_SPAN, SC_SPAN_ID)->i64;
	const int64_t *kind = batch_column(batch, LEVEL_SPAN, SC_KIND)->i64;
	uint32_t kept;

	for (uint32_t i = 0; i < nrows; i++)
		spans[i] = (ViewSpan){.id = (uint64_t) id[i], .kind = kind[i], .row = i};
	qsort(spans, nrows, sizeof(ViewSpan), by_id_kind_row);
	kept = drop_duplicates(spans, nrows);
	split_shared_ids(batch, spans, kept);
	qsort(spans, kept, sizeof(ViewSpan), by_row);
	number_groups(batch, spans, kept, SC_RESOURCE, SC_RESOURCE_SCHEMA_URL, offsetof(ViewSpan, resource));
	number_groups(batch, spans, kept, SC_SCOPE, SC_SCOPE_SCHEMA_URL, offsetof(ViewSpan, scope));
	qsort(spans, kept, sizeof(ViewSpan), by_group_row);
	for (uint32_t i = 0; i < kept; i++)
		rows[i] = spans[i].row;
	*n = kept;
	return rows;
}
