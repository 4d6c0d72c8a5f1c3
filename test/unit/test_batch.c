/*
 * test_batch.c
 *	  Building, rolling back, sorting and gathering batches, against rows made up by a generator that can
 *	  be asked again for any of them.
 */
#include "batch_dump.h"
#include "batch_random.h"
#include "unit.h"

#include <stdlib.h>

static BatchBuilder *
new_builder(Arena *a, bool copy)
{
	return builder_create(a, copy, 3, extras);
}

/* The span alone in a batch of its own, dumped: what it must look like in any other batch. */
static Str
reference_dump(uint64_t seed, Arena *a)
{
	BatchBuilder *bb = new_builder(a, false);
	Str dump;

	rnd_span(bb, seed, a, true);
	dump = dump_span(builder_finish(bb), 0, a);
	return dump;
}

static int64_t
wrong_row(Batch *b)
{
	const int64_t *seeds = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64;
	Arena *a = arena_create(NULL, 0);
	int64_t wrong = -1;

	for (uint32_t r = 0; r < batch_nrows(b) && wrong < 0; r++)
	{
		arena_reset(a);
		if (!str_eq(dump_span(b, r, a), reference_dump((uint64_t) seeds[r], a)))
			wrong = r;
	}
	arena_destroy(a);
	return wrong;
}

static Batch *
build(Arena *a, bool copy, uint64_t from, uint64_t to)
{
	Arena *inputs = copy ? arena_create(NULL, 0) : a;
	BatchBuilder *bb = new_builder(a, copy);
	Batch *b;

	for (uint64_t s = from; s < to; s++)
	{
		rnd_span(bb, s, inputs, true);
		if (copy)
			arena_reset(inputs);
	}
	b = builder_finish(bb);
	if (copy)
		arena_destroy(inputs);
	return b;
}

static void
test_hand_made(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Value i = {.type = VALUE_INT, .i = 7};
	Value s = {.type = VALUE_STRING, .s = str_lit("seven")};
	Batch *b;
	AttrColumn *c;

	builder_begin_span(bb);
	builder_end_span(bb);
	builder_begin_span(bb);
	builder_attr(bb, LEVEL_SPAN, str_lit("k"), &i);
	builder_attr(bb, LEVEL_SPAN, str_lit("k"), &s);
	i.i = 8;
	builder_attr(bb, LEVEL_SPAN, str_lit("k"), &i);
	builder_end_span(bb);
	builder_begin_span(bb);
	builder_attr(bb, LEVEL_SPAN, str_lit("k"), &i);
	builder_end_span(bb);
	is_i64(builder_nrows(bb), 3, "three rows");
	b = builder_finish(bb);
	is_i64(batch_nrows(b), 3, "three rows in the batch");
	is_i64(b->level[LEVEL_SPAN].attrs->ncolumns, 3, "(k, int), (k, string), (k, int) again");
	is_i64(b->level[LEVEL_SPAN].attrs->nshapes, 3, "three shapes");
	is_i64(batch_attr_find(b, LEVEL_SPAN, str_lit("k"), VALUE_INT, 1), 2, "the second int is column 2");
	is_i64(batch_attr_find(b, LEVEL_SPAN, str_lit("k"), VALUE_BOOL, 0), -1, "no bool");
	is_i64(batch_attr_find(b, LEVEL_SPAN, str_lit("k"), -1, 1), 1, "any type, from 1 on");
	is_i64(batch_attr_find(b, LEVEL_SPAN, str_lit("k"), -1, 3), -1, "any type, from 3 on");
	is_i64(batch_attr_find(b, LEVEL_TRACE, str_lit("k"), -1, 0), -1, "a level without attributes");
	c = batch_attr_rows(b, LEVEL_SPAN, 0);
	is_i64(c->values.n, 2, "two rows have an int");
	is_i64(attr_position(c, 0), -1, "row 0 has none");
	is_i64(attr_position(c, 2), 1, "row 2 has the second");
	is_i64(attr_value(c, 0).i, 7, "the first is 7");
	is_i64(column_str(batch_column(b, LEVEL_SPAN, SC_RESOURCE), 0).len, 1, "no resource is an empty list");
	is_i64(column_str(batch_column(b, LEVEL_SPAN, SC_NAME), 0).len, 0, "no name is empty");
}

static void
test_build(Arena *a)
{
	Batch *b = build(a, false, 0, 3000);

	is_i64(batch_nrows(b), 3000, "3000 rows");
	is_i64(wrong_row(b), -1, "every row of a batch is what it was alone");
	is_i64(wrong_row(build(a, true, 0, 3000)), -1, "also when strings are copied");
	is_i64(first_difference(b, build(a, true, 0, 3000)), -1, "two equal batches do not differ");
	is_i64(first_difference(b, build(a, true, 0, 2999)), 2999, "a missing row is a difference");
	batch_load_all(b);
}

/* Refused rows leave nothing behind, whatever they were in the middle of. */
static void
test_rollback(Arena *a)
{
	BatchBuilder *bb = new_builder(a, false);
	Batch *b, *plain;

	for (uint64_t s = 0; s < 1500; s++)
	{
		rnd_span(bb, s, a, true);
		if (s % 7 == 0)
		{
			BuilderMark *m = builder_mark(bb);

			for (uint64_t bad = 0; bad < s % 11; bad++)
				rnd_span(bb, 100000 + s * 20 + bad, a, true);
			rnd_span(bb, 900000 + s, a, false);
			builder_rollback(bb, m);
		}
	}
	b = builder_finish(bb);
	plain = build(a, false, 0, 1500);
	is_i64(first_difference(b, plain), -1, "rolled back rows leave no trace in the rows kept");
	is_i64(b->level[LEVEL_EVENT].nrows, plain->level[LEVEL_EVENT].nrows, "nor events");
	is_i64(b->level[LEVEL_SPAN].attrs->ncolumns, plain->level[LEVEL_SPAN].attrs->ncolumns,
		   "nor attribute columns");
	is_i64(b->level[LEVEL_SPAN].attrs->nshapes, plain->level[LEVEL_SPAN].attrs->nshapes, "nor shapes");
	is_i64(b->level[LEVEL_SPAN].columns[SC_NAME].ndict, plain->level[LEVEL_SPAN].columns[SC_NAME].ndict,
		   "nor names");
}

static void
test_shift(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *b;

	for (int i = 0; i < 2; i++)
	{
		builder_begin_span(bb);
		builder_begin_event(bb, 100, str_lit("e"), 0);
		builder_end_event(bb);
		if (i == 1)
			builder_shift_events(bb, -300);
		builder_end_span(bb);
	}
	b = builder_finish(bb);
	is_i64(batch_column(b, LEVEL_EVENT, EC_TIME)->i64[0], 100, "another span's event stays");
	is_i64(batch_column(b, LEVEL_EVENT, EC_TIME)->i64[1], -200, "this span's event moves");
}

static void
test_too_many_columns(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Value v = {.type = VALUE_EMPTY};
	uint32_t n = 0;

	builder_begin_span(bb);
	while (n < BUILDER_MAX_ATTR_COLUMNS + 10 && builder_attr(bb, LEVEL_SPAN, str_lit("same"), &v))
		n++;
	is_i64(n, BUILDER_MAX_ATTR_COLUMNS, "a key repeated without end is refused at the limit");
}

static const uint8_t *
id_of(Batch **in, RowRef x)
{
	return batch_column(in[x.batch], LEVEL_SPAN, SC_TRACE_ID)->fixed + 16 * (size_t) x.row;
}

static uint64_t
start_of(Batch **in, RowRef x)
{
	return (uint64_t) batch_column(in[x.batch], LEVEL_SPAN, SC_START)->i64[x.row];
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* Spans of one trace: by start, input, row. */
static bool
spans_in_order(Batch **in, RowRef x, RowRef y)
{
	if (start_of(in, x) != start_of(in, y))
		return start_of(in, x) < start_of(in, y);
	return x.batch != y.batch ? x.batch < y.batch : x.row < y.row;
}

/* How often the order is not that of batch_sort; a trace in two places counts too. */
static int
out_of_order(Arena *a, Batch **in, const RowRef *refs, uint32_t n)
{
	uint8_t *firsts = arena_alloc(a, 16 * ((size_t) n + 1));
	uint32_t ntraces = 0, from = 0;
	int wrong = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		int c = i ? memcmp(id_of(in, refs[i - 1]), id_of(in, refs[i]), 16) : -1;

		if (c == 0)
		{
			wrong += !spans_in_order(in, refs[i - 1], refs[i]);
			continue;
		}
		if (i && (start_of(in, refs[from]) > start_of(in, refs[i]) ||
				  (start_of(in, refs[from]) == start_of(in, refs[i]) && c > 0)))
			wrong++;
		from = i;
		memcpy(firsts + 16 * (size_t) ntraces++, id_of(in, refs[i]), 16);
	}
	qsort(firsts, ntraces, 16, compare_ids);
	for (uint32_t t = 1; t < ntraces; t++)
		wrong += compare_ids(firsts + 16 * (size_t) (t - 1), firsts + 16 * (size_t) t) == 0;
	return wrong;
}

static Batch *
sort_gather(Arena *a, Batch **in, uint32_t nin, RowRef **refs)
{
	uint32_t n;
	Batch *b;

	*refs = batch_sort(a, in, nin, &n);
	b = batch_gather(a, in, nin, *refs, n);
	batch_make_traces(b);
	return b;
}

static void
check_traces(Batch *b)
{
	const RowSet *traces = &b->level[LEVEL_TRACE];
	const int64_t *parents = batch_column(b, LEVEL_SPAN, SC_PARENT_ID)->i64;
	int bad_ids = 0, bad_roots = 0, bad_times = 0;

	for (uint32_t t = 0; t < traces->nrows; t++)
	{
		int64_t root = 0, start = INT64_MAX, end = 0;

		for (uint32_t r = b->trace_first[t]; r < b->trace_first[t + 1]; r++)
		{
			int64_t s = batch_column(b, LEVEL_SPAN, SC_START)->i64[r];
			int64_t d = batch_column(b, LEVEL_SPAN, SC_DURATION)->i64[r];

			bad_ids += memcmp(batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed + 16 * r,
							  traces->columns[TC_ID].fixed + 16 * t, 16) != 0;
			if (parents[r] == 0)
				root = r - b->trace_first[t] + 1;
			start = s < start ? s : start;
			end = s + d > end ? s + d : end;
		}
		bad_roots += root != traces->columns[TC_ROOT].i64[t];
		bad_times +=
			start != traces->columns[TC_START].i64[t] || end - start != traces->columns[TC_DURATION].i64[t];
	}
	is_i64(b->trace_first[traces->nrows], batch_nrows(b), "traces cover all rows");
	is_i64(bad_ids, 0, "every row is in its own trace");
	is_i64(bad_roots, 0, "the last parentless row is the root");
	is_i64(bad_times, 0, "start and duration of traces");
}

static void
test_sort_gather(Arena *a)
{
	Batch *in[40];
	RowRef *refs;
	Batch *b;
	Batch *lazy;

	for (uint64_t i = 0; i < 40; i++)
		in[i] = build(a, false, i * 100, i * 100 + (i == 3 ? 0 : i == 4 ? 1 : 100));
	b = sort_gather(a, in, 40, &refs);
	is_i64(batch_nrows(b), 38 * 100 + 1, "all rows of all inputs");
	is_i64(out_of_order(a, in, refs, batch_nrows(b)), 0, "sorted by trace, start, input and row");
	is_i64(wrong_row(b), -1, "every gathered row is what it was");
	is_i64(b->level[LEVEL_TRACE].nrows, 160, "4 x 40 traces");
	check_traces(b);
	lazy = batch_gather_lazy(a, in, 40, refs, batch_nrows(b));
	ok(!lazy->level[LEVEL_SPAN].columns[SC_NAME].loaded, "columns of a lazy batch are not loaded");
	batch_make_traces(lazy);
	check_traces(lazy);
	is_i64(first_difference(b, lazy), -1, "a lazy batch has the same rows");
}

/* A span of trace 1 with what the rule looks at. */
static void
add_span(BatchBuilder *bb, const char *tenant, int64_t span_id, int64_t start, int64_t duration, int64_t kind)
{
	static const uint8_t id[16] = {1};

	builder_begin_span(bb);
	builder_set_tenant(bb, str_lit(tenant));
	builder_set_trace_id(bb, id);
	builder_set_i64(bb, SC_SPAN_ID, span_id);
	builder_set_i64(bb, SC_START, start);
	builder_set_i64(bb, SC_DURATION, duration);
	builder_set_i64(bb, SC_KIND, kind);
	builder_end_span(bb);
}

static void
test_fold_rule(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *b;
	RowRef *refs;
	uint32_t n;

	add_span(bb, "x", 1, 10, 5, 2);
	add_span(bb, "x", 1, 10, 5, 2);
	add_span(bb, "y", 1, 10, 5, 2);
	add_span(bb, "x", 2, 10, 5, 2);
	add_span(bb, "x", 1, 10, 6, 2);
	add_span(bb, "x", 1, 10, 5, 3);
	add_span(bb, "x", 1, 11, 5, 2);
	add_span(bb, "x", 1, 10, 5, 2);
	b = builder_finish(bb);
	refs = batch_sort(a, &b, 1, &n);
	n = batch_fold(a, &b, refs, n);
	is_i64(n, 6, "two of eight came before");
	ok(refs[0].row == 0 && refs[1].row == 2 && refs[4].row == 5 && refs[5].row == 6,
	   "the first stays, in order");
	ok(batch_same_span(b, 0, b, 7) && !batch_same_span(b, 0, b, 2) && !batch_same_span(b, 0, b, 6),
	   "by tenant and start");
}

/* Long runs of one start: against the rule, pair by pair. */
static void
test_fold_runs(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *b;
	RowRef *refs;
	RowRef *all;
	uint32_t n, total;
	uint32_t kept = 0;
	int wrong = 0;

	rng_state = 42;
	for (int i = 0; i < 3000; i++)
		add_span(bb, rnd(2) ? "x" : "y", (int64_t) rnd(40), (int64_t) rnd(3), (int64_t) rnd(3),
				 (int64_t) rnd(2));
	b = builder_finish(bb);
	all = batch_sort(a, &b, 1, &total);
	refs = batch_sort(a, &b, 1, &n);
	n = batch_fold(a, &b, refs, n);
	for (uint32_t i = 0; i < total; i++)
	{
		bool again = false;

		for (uint32_t j = 0; j < i && !again; j++)
			again = batch_same_span(b, all[i].row, b, all[j].row);
		if (again)
			continue;
		if (kept >= n || refs[kept].row != all[i].row)
			wrong++;
		kept++;
	}
	is_i64(kept, n, "as many as there are different ones");
	is_i64(wrong, 0, "the first of each");
}

/* Only what the chosen rows use comes along; the order is the caller's; rows may repeat. */
static void
test_gather_few(Arena *a)
{
	Batch *in[2] = {build(a, false, 0, 500), build(a, false, 500, 1000)};
	RowRef rows[4] = {{1, 3}, {0, 499}, {1, 3}, {1, 0}};
	Batch *b = batch_gather(a, in, 2, rows, 4);
	const int64_t *seeds = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64;

	is_i64(wrong_row(b), -1, "few rows of many");
	ok(seeds[0] == 503 && seeds[1] == 499 && seeds[2] == 503 && seeds[3] == 500, "in the order asked for");
	ok(b->level[LEVEL_SPAN].columns[SC_NAME].ndict <= 3, "only names in use");
	ok(b->level[LEVEL_SPAN].attrs->nshapes <= 3, "only shapes in use");
	b = batch_gather(a, in, 2, rows, 0);
	is_i64(batch_nrows(b), 0, "no rows at all");
	is_i64(b->event_first[0], 0, "and no events");
}

/* Names nearly all different: the dictionary stops looking entries up and stays right. */
static void
test_many_distinct(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *b, *in[1];
	RowRef *refs = arena_alloc(a, sizeof(RowRef) * 20000);
	int wrong = 0;

	for (uint32_t i = 0; i < 20000; i++)
	{
		char name[16];
		int n = snprintf(name, sizeof(name), "%u", i * 2654435761u);

		builder_begin_span(bb);
		builder_set_bytes(bb, SC_NAME, str_of(arena_dup(a, name, (size_t) n), (size_t) n));
		builder_end_span(bb);
		refs[i].batch = 0;
		refs[i].row = 19999 - i;
	}
	in[0] = builder_finish(bb);
	b = batch_gather(a, in, 1, refs, 20000);
	for (uint32_t i = 0; i < 20000; i++)
		wrong += !str_eq(column_str(batch_column(b, LEVEL_SPAN, SC_NAME), i),
						 column_str(batch_column(in[0], LEVEL_SPAN, SC_NAME), 19999 - i));
	is_i64(wrong, 0, "20000 different names, reversed");
}

/* So many keys that the rows of all columns are found at once. */
static void
test_many_keys(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *b;
	int wrong = 0;

	for (uint32_t i = 0; i < 1000; i++)
	{
		Value v = {.type = VALUE_INT, .i = i};
		char *key = arena_alloc(a, 16);

		builder_begin_span(bb);
		snprintf(key, 16, "k%u", i % 100);
		builder_attr(bb, LEVEL_SPAN, str_lit(key), &v);
		builder_attr(bb, LEVEL_SPAN, str_lit("all"), &v);
		builder_end_span(bb);
	}
	b = builder_finish(bb);
	for (uint32_t i = 0; i < 100; i++)
	{
		char key[16];
		AttrColumn *c;

		snprintf(key, sizeof(key), "k%u", i);
		c = batch_attr_rows(b, LEVEL_SPAN,
							(uint32_t) batch_attr_find(b, LEVEL_SPAN, str_lit(key), VALUE_INT, 0));
		wrong += c->values.n != 10;
		for (uint32_t k = 0; k < c->values.n; k++)
			wrong += c->rows[k] != i + 100 * k || c->values.i64[k] != c->rows[k];
	}
	is_i64(wrong, 0, "100 keys of 10 rows each");
	is_i64(batch_attr_rows(b, LEVEL_SPAN, 1)->values.n, 1000, "one key in all rows");
}

/* A parentless span that links to its own trace as a child is no root. */
static void
test_linked_root(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	uint8_t id[16] = {1};
	Value child = {.type = VALUE_STRING, .s = str_lit("child_of")};
	Value follows = {.type = VALUE_STRING, .s = str_lit("follows_from")};
	Batch *b;

	for (int i = 0; i < 3; i++)
	{
		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		if (i > 0)
		{
			builder_begin_link(bb, str_of((char *) id, 16), str_lit("12345678"), str_lit(""), 0, 0);
			builder_attr(bb, LEVEL_LINK, str_lit("opentracing.ref_type"), i == 1 ? &follows : &child);
			builder_end_link(bb);
		}
		builder_end_span(bb);
	}
	b = builder_finish(bb);
	batch_make_traces(b);
	is_i64(b->level[LEVEL_TRACE].columns[TC_ROOT].i64[0], 2, "a child by link is not the root");
}

/* Ids that all begin alike, and one trace with very many spans. */
static void
test_sort_skewed(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Batch *in[1];
	RowRef *refs;
	uint32_t n;

	rng_state = 5;
	for (uint32_t i = 0; i < 5000; i++)
	{
		uint8_t id[16] = {0};

		if (i % 2)
			id[12] = (uint8_t) rnd(256), id[13] = (uint8_t) rnd(256);
		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_START, (int64_t) ((uint64_t) rnd(1000) << 54));
		builder_end_span(bb);
	}
	in[0] = builder_finish(bb);
	refs = batch_sort(a, in, 1, &n);
	is_i64(n, 5000, "skewed ids: all rows");
	is_i64(out_of_order(a, in, refs, n), 0, "skewed ids: in order, start times beyond 2^63 last");
}

static void
test_plain(Arena *a)
{
	Column kinds[3] = {{.kind = COL_I64}, {.kind = COL_BYTES}, {.kind = COL_FIXED, .width = 2}};
	Batch *in[2] = {batch_create_plain(a, 3, kinds, 3), batch_create_plain(a, 3, kinds, 2)};
	RowRef rows[4] = {{1, 1}, {0, 0}, {0, 2}, {1, 0}};
	Batch *b;

	for (int i = 0; i < 2; i++)
	{
		Column *c = in[i]->level[LEVEL_SPAN].columns;

		for (uint32_t r = 0; r < batch_nrows(in[i]); r++)
		{
			c[0].i64[r] = i * 10 + r;
			c[1].dict[r] = str_lit(r == 0 ? "zero" : "more");
			memcpy(c[2].fixed + 2 * r, r == 0 ? "00" : "++", 2);
		}
	}
	column_set_null(a, &in[0]->level[LEVEL_SPAN].columns[0], 2);
	b = batch_gather(a, in, 2, rows, 4);
	ok(!b->spans && b->event_first == NULL, "a plain batch has no events");
	is_i64(batch_column(b, LEVEL_SPAN, 0)->i64[0], 11, "row 0 is row 1 of input 1");
	ok(batch_column(b, LEVEL_SPAN, 0)->nulls[2] && !batch_column(b, LEVEL_SPAN, 0)->nulls[1],
	   "nulls come along");
	is_i64(batch_column(b, LEVEL_SPAN, 1)->ndict, 2, "equal strings become one");
	ok(str_eq(column_str(batch_column(b, LEVEL_SPAN, 1), 3), str_lit("zero")), "strings");
	ok(memcmp(batch_column(b, LEVEL_SPAN, 2)->fixed, "++00++00", 8) == 0, "fixed width");
	batch_load_all(b);
}

typedef void (*TestFunc)(Arena *a);

int
main(void)
{
	static const TestFunc tests[] = {
		test_hand_made,     test_build,       test_rollback,         test_shift,
		test_sort_gather,   test_gather_few,  test_too_many_columns, test_linked_root,
		test_many_distinct, test_sort_skewed, test_many_keys,        test_plain,
		test_fold_rule,     test_fold_runs};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		Arena *a = arena_create(NULL, 0);

		tests[i](a);
		arena_destroy(a);
	}
	return unit_done();
}
