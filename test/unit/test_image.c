/*
 * test_image.c
 *	  Images: every batch comes back row by row from its vectors, whatever its shape; reading one column
 *	  reads little else. (What is damaged or of another version: test_image_damage.c.)
 */
#include "image_cases.h"

/* ---- round trips ---- */

static const Encoding encodings[] = {{"fast", CODEC_FAST, IMAGE_VECTOR_ROWS, false},
									 {"fast compact", CODEC_FAST, IMAGE_VECTOR_ROWS, true},
									 {"small", CODEC_SMALL, IMAGE_VECTOR_ROWS, false},
									 {"small, short vectors", CODEC_SMALL, 64, false},
									 {"small compact, short vectors", CODEC_SMALL, 64, true}};

#define NENCODINGS (sizeof(encodings) / sizeof(encodings[0]))

static bool
same_rows(Batch *b, Batch *vector, uint32_t first, Arena *arena)
{
	for (uint32_t i = 0; i < batch_nrows(vector); i++)
		if (!str_eq(dump_span(b, first + i, arena), dump_span(vector, i, arena)))
		{
			printf("# row %u differs\n", first + i);
			return false;
		}
	return true;
}

static bool
same_traces(Batch *b, Batch *vector, uint32_t first_row, uint32_t first_trace)
{
	for (uint32_t t = 0; t < vector->level[LEVEL_TRACE].nrows; t++)
	{
		if (b->trace_first[first_trace + t] != first_row + vector->trace_first[t] ||
			memcmp(batch_column(b, LEVEL_TRACE, TC_ID)->fixed + (first_trace + t) * 16,
				   batch_column(vector, LEVEL_TRACE, TC_ID)->fixed + t * 16, 16) != 0)
			return false;
		for (uint32_t c = TC_START; c < TC_COUNT; c++)
			if (batch_column(b, LEVEL_TRACE, c)->i64[first_trace + t] !=
				batch_column(vector, LEVEL_TRACE, c)->i64[t])
				return false;
	}
	return true;
}

/* Is the value with this code what the column has for its next row? */
static bool
same_value(Image *image, uint32_t which, const Column *c, uint32_t k, uint32_t code)
{
	uint32_t n;
	const Str *strings = image_strings(image, LEVEL_SPAN, LOAD_ATTR, which, &n);
	const int64_t *numbers = strings ? NULL : image_numbers(image, LEVEL_SPAN, LOAD_ATTR, which, &n);

	if (code < 5 || code - 5 >= n)
		return false;
	return strings ? str_eq(strings[code - 5], column_str(c, k)) : numbers[code - 5] == c->i64[k];
}

/* Codes by row of the attribute columns that have them. */
static bool
same_codes(Image *image, uint32_t v, Arena *arena)
{
	Batch *lazy = image_vector(image, v, arena), *b = image_vector(image, v, arena);
	uint32_t n, *codes = arena_alloc(arena, ((size_t) batch_nrows(b) + 1) * sizeof(uint32_t));
	const AttrColumn *attrs = image_attrs(image, LEVEL_SPAN, &n);

	for (uint32_t which = 0; attrs && which < n; which++)
	{
		AttrColumn *a;
		uint32_t k = 0;

		if (!image_attr_codes(lazy, LEVEL_SPAN, which, 5, codes))
			continue;
		a = batch_attr_rows(b, LEVEL_SPAN, which);
		for (uint32_t row = 0; row < batch_nrows(b); row++)
		{
			bool there = k < a->values.n && a->rows[k] == row;

			if (there ? !same_value(image, which, &a->values, k++, codes[row]) : codes[row] != 0)
				return false;
		}
	}
	return true;
}

/* Starts of every third trace, without those of the others. */
static bool
same_starts(Image *image, uint32_t v, Arena *arena)
{
	Batch *lazy = image_vector(image, v, arena), *b = image_vector(image, v, arena);
	uint32_t ntraces = b->level[LEVEL_TRACE].nrows;
	uint8_t *wanted = arena_alloc0(arena, (size_t) ntraces + 1);
	const int64_t *all = batch_column(b, LEVEL_SPAN, SC_START)->i64, *some;

	for (uint32_t t = 0; t < ntraces; t += 3)
		wanted[t] = 1;
	some = image_trace_starts(lazy, wanted);
	for (uint32_t t = 0; t < ntraces; t += 3)
		for (uint32_t row = b->trace_first[t]; row < b->trace_first[t + 1]; row++)
			if (some[row] != all[row])
				return false;
	return true;
}

/* Encode, read back, compare every row of every vector; image_check finds nothing. */
static bool
round_trip(Batch *b, const Encoding *e, size_t *bytes, uint32_t *nvectors)
{
	Arena *arena = arena_create(NULL, 0);
	Memory m;
	volatile bool same = true;

	if (setjmp(m.escape) == 0)
	{
		ImageSummary summary;
		uint32_t traces = 0;
		Image *image;
		Buf out;

		buf_init(&out, arena, 0);
		buf_put(&out, "before", 6);
		encode(b, e, &out, &summary);
		*bytes = out.len - 6;
		image = open_memory(&m, out.p + 6, out.len - 6, arena);
		same =
			memcmp(&summary, image_summary(image), sizeof(summary)) == 0 && summary.nrows == batch_nrows(b);
		*nvectors = summary.nvectors;
		for (uint32_t v = 0; v < summary.nvectors && same; v++)
		{
			Arena *tmp = arena_create(NULL, 0);
			Batch *vector = image_vector(image, v, tmp);

			same = batch_nrows(vector) == image_vector_info(image, v)->nrows && vector->sorted == b->sorted &&
				   same_rows(b, vector, image_vector_info(image, v)->first_row, tmp);
			if (same && b->sorted)
				same = same_traces(b, vector, image_vector_info(image, v)->first_row, traces) &&
					   same_starts(image, v, tmp);
			if (same && b->spans)
				same = same_codes(image, v, tmp);
			traces += vector->level[LEVEL_TRACE].nrows;
			arena_destroy(tmp);
		}
		image_check(image, arena);
	}
	else
	{
		printf("# %s\n", m.what);
		same = false;
	}
	arena_destroy(arena);
	return same;
}

static void
try_all(Batch *b, const char *name)
{
	for (size_t e = 0; e < NENCODINGS; e++)
	{
		size_t bytes = 0;
		uint32_t nvectors = 0;
		bool same = round_trip(b, &encodings[e], &bytes, &nvectors);

		ok(same, "%s, %s: %u rows in %zu bytes, %u vectors", name, encodings[e].name, batch_nrows(b), bytes,
		   nvectors);
	}
}

static void
test_random_spans(void)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 100, 1000};

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
	{
		Arena *arena = arena_create(NULL, 0);
		Batch *b = random_spans(arena, sizes[k]);

		try_all(b, "random spans");
		try_all(sorted(arena, b), "sorted random spans");
		arena_destroy(arena);
	}
}

/* ---- traces as applications make them ---- */

/* No producer makes nulls in columns of the profile, but what is said about nulls holds for them too. */
static void
test_nulls_in_spans(void)
{
	static const uint8_t cols[] = {SC_RESOURCE, SC_NAME, SC_PARENT_ID, SC_START, SC_KIND, SC_TENANT};
	Arena *arena = arena_create(NULL, 0);

	for (size_t k = 0; k < sizeof(cols); k++)
	{
		Batch *b = sorted(arena, trees(arena, 30, 15));
		Column *c = batch_column(b, LEVEL_SPAN, cols[k]);

		for (uint32_t i = 3; i < c->n; i += 7)
			column_set_null(arena, c, i);
		try_all(b, "nulls in a column of the profile");
	}
	arena_destroy(arena);
}

static void
test_trees(void)
{
	Arena *arena = arena_create(NULL, 0);

	try_all(sorted(arena, trees(arena, 60, 15)), "trees");
	try_all(trees(arena, 60, 15), "trees as they came");
	try_all(sorted(arena, trees(arena, 3, 700)), "traces larger than vectors");
	try_all(sorted(arena, trees(arena, 1, 300)), "one trace");
	arena_destroy(arena);
}

/* ---- any table ---- */

static void
test_any_table(void)
{
	static const Column wide[] = {{.kind = COL_FIXED, .width = 4000}};
	static const uint32_t sizes[] = {0, 1, 2, 300, 5000};
	Arena *arena = arena_create(NULL, 0);
	Batch *b;

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
		try_all(any_table(arena, sizes[k]), "a table without the profile");
	try_all(batch_create_plain(arena, 1, wide, 3), "a wide type");
	b = batch_create_plain(arena, 0, NULL, 3);
	try_all(b, "a table without columns");
	arena_destroy(arena);
}

/* ---- words ---- */

static void
test_words(void)
{
	Arena *arena = arena_create(NULL, 0);
	ImageSummary summary;
	LeafInfo info;
	Memory m;
	Buf out;

	try_all(uuid_table(arena, 3000), "texts with uuids in common");
	buf_init(&out, arena, 0);
	image_encode(uuid_table(arena, 3000), CODEC_SMALL, &out, &summary);
	if (setjmp(m.escape) != 0)
	{
		ok(false, "%s", m.what);
		return;
	}
	image_leaf_info(open_memory(&m, out.p, out.len, arena), 0, &info);
	ok(strncmp(info.encoding, "9 words, ", 9) == 0, "uuids in common are kept once");
	ok(out.len < 3000 * 2, "a path takes %.2f bytes", out.len / 3000.0);
	arena_destroy(arena);
}

/* ---- many keys ---- */

static Batch *
many_keys(Arena *arena, uint32_t keys, uint32_t rows)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);
	uint8_t id[16] = {1};

	rng_state = 3;
	for (uint32_t r = 0; r < rows; r++)
	{
		set_service(bb, arena, 0);
		id[15] = (uint8_t) r;
		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		for (uint32_t k = 0; k < keys / rows; k++)
		{
			Value v = rnd_value(arena);

			builder_attr(bb, LEVEL_SPAN, rnd_text(arena, "k", keys), &v);
			if (k % 10 == 0)
				builder_attr(bb, LEVEL_SPAN, str_lit("twice"), &v);
		}
		builder_end_span(bb);
	}
	return builder_finish(bb);
}

static void
test_orders(void)
{
	Arena *arena = arena_create(NULL, 0);
	Batch *b = sorted(arena, shuffled_keys(arena, 1000));
	uint32_t set[5] = {7, 3, 9, 1, 4}, order[5], back[5];
	bool same = true;

	for (int64_t r = 0; r < 120; r++)
		same &= image_permutation_apply(set, r, 5, order) && image_permutation_rank(set, order, 5) == r &&
				image_permutation_apply(set, image_permutation_rank(set, order, 5), 5, back) &&
				memcmp(order, back, sizeof(order)) == 0;
	ok(same, "every permutation of five has its number");
	ok(!image_permutation_apply(set, 120, 5, order), "there is no more");
	try_all(b, "attributes in changing order");
	try_all(sorted(arena, many_keys(arena, 9000, 90)), "many orders and rare keys");
	arena_destroy(arena);
}

static void
test_many_keys(void)
{
	Arena *arena = arena_create(NULL, 0);

	try_all(many_keys(arena, 300, 1), "300 keys in a row");
	try_all(sorted(arena, many_keys(arena, 9000, 90)), "more keys than leaves");
	arena_destroy(arena);
}

/* ---- sizes ---- */

static size_t
encoded_size(Batch *b, CodecEffort effort)
{
	Arena *arena = arena_create(NULL, 0);
	ImageSummary summary;
	size_t len;
	Buf out;

	buf_init(&out, arena, 0);
	image_encode(b, effort, &out, &summary);
	len = out.len;
	arena_destroy(arena);
	return len;
}

/* Strings of a megabyte: a vector ends when it has 64 of them. */
static void
test_heavy_rows(void)
{
	static const Column kinds[] = {{.kind = COL_BYTES}};
	Arena *arena = arena_create(NULL, 0);
	uint32_t n = 80, len = 1 << 20, nvectors = 0;
	char *noise = arena_alloc(arena, len + n);
	Batch *b = batch_create_plain(arena, 1, kinds, n);
	size_t bytes;

	for (uint32_t i = 0; i < len + n; i++)
		noise[i] = (char) (rnd(1u << 30) >> 8);
	for (uint32_t i = 0; i < n; i++)
		b->level[LEVEL_SPAN].columns[0].dict[i] = str_of(noise + i, len);
	ok(round_trip(b, &encodings[2], &bytes, &nvectors), "rows of a megabyte come back");
	is_i64(nvectors, 2, "heavy rows make vectors of fewer rows");
	arena_destroy(arena);
}

static void
test_sizes(void)
{
	static const Column kinds[] = {{.kind = COL_I64}, {.kind = COL_BYTES}, {.kind = COL_I64}};
	Arena *arena = arena_create(NULL, 0);
	Batch *b = batch_create_plain(arena, 3, kinds, 1);
	size_t size;

	b->level[LEVEL_SPAN].columns[0].i64[0] = 42;
	b->level[LEVEL_SPAN].columns[1].dict[0] = str_lit("hello");
	size = encoded_size(b, CODEC_FAST);
	ok(size < 60, "a row of three columns takes %zu bytes", size);
	b = trees(arena, 1, 1);
	size = encoded_size(b, CODEC_FAST);
	ok(size < 330, "a span of its own takes %zu bytes", size);
	b = sorted(arena, trees(arena, 2000, 15));
	size = encoded_size(b, CODEC_SMALL);
	ok(size < 30000 * 18, "30000 spans of trees take %.1f bytes each", size / 30000.0);
	arena_destroy(arena);
}

/* ---- reading little ---- */

static void
test_projection(void)
{
	Arena *arena = arena_create(NULL, 0);
	Batch *b = sorted(arena, trees(arena, 2000, 15));
	Memory m;
	ImageSummary summary;
	Image *image;
	Buf out;
	uint64_t opened;
	int64_t min, max;
	uint32_t n;
	bool fits = true;

	buf_init(&out, arena, 0);
	image_encode(b, CODEC_SMALL, &out, &summary);
	if (setjmp(m.escape) != 0)
	{
		ok(false, "%s", m.what);
		return;
	}
	image = open_memory(&m, out.p, out.len, arena);
	opened = image_counters(image).bytes_read;
	ok(opened < out.len / 50, "header and footer are %.2f%% of the image", 100.0 * opened / out.len);
	for (uint32_t v = 0; v < summary.nvectors; v++)
	{
		Batch *vector = image_vector(image, v, arena);
		Column *c = batch_column(vector, LEVEL_SPAN, SC_DURATION);

		if (!image_zone(image, LEVEL_SPAN, LOAD_COLUMN, SC_DURATION, v, &min, &max))
			fits = false;
		for (uint32_t i = 0; i < c->n; i++)
			fits &= c->i64[i] >= min && c->i64[i] <= max;
	}
	ok(fits, "durations lie in their zones");
	ok(image_counters(image).bytes_read - opened < 30000 * 5,
	   "reading durations read %" PRIu64 " of %zu bytes", image_counters(image).bytes_read - opened, out.len);
	ok(image_dictionary(image, LEVEL_SPAN, LOAD_COLUMN, SC_NAME, &n) != NULL && n == 4,
	   "the dictionary of names");
	ok(image_zone(image, LEVEL_SPAN, LOAD_COLUMN, SC_KIND, 0, &min, &max) && min == 1 && max == 4,
	   "the zone of a column with a dictionary");
	ok(!image_zone(image, LEVEL_SPAN, LOAD_COLUMN, SC_START, 0, &min, &max),
	   "starts have no zone of their own");
	ok(image_attrs(image, LEVEL_SPAN, &n) != NULL && n == 3 &&
		   image_attr_values(image, LEVEL_SPAN, 0) == 30000,
	   "attribute columns and how many values they have");
	arena_destroy(arena);
}

/* ---- filters ---- */

#define FILTER_TRACES 900

/* Three spans a trace: one with a session of the trace's own, all with one of three colours. */
static Batch *
session_spans(Arena *arena)
{
	BatchBuilder *bb = builder_create(arena, true, 0, NULL);

	for (uint32_t i = 0; i < 3 * FILTER_TRACES; i++)
	{
		uint8_t id[16] = {(uint8_t) (i / 3), (uint8_t) (i / 3 >> 8), 1};
		char text[40];
		Value v = {.type = VALUE_STRING};

		builder_begin_span(bb);
		builder_set_trace_id(bb, id);
		builder_set_i64(bb, SC_SPAN_ID, i + 1);
		builder_set_i64(bb, SC_START, 1000000000LL + 1000LL * i);
		snprintf(text, sizeof(text), "session %u", i / 3);
		v.s = str_lit(text);
		if (i % 3 == 0)
			builder_attr(bb, LEVEL_SPAN, str_lit("session"), &v);
		snprintf(text, sizeof(text), "colour %u", i % 3);
		v.s = str_lit(text);
		builder_attr(bb, LEVEL_SPAN, str_lit("colour"), &v);
		builder_end_span(bb);
	}
	return builder_finish(bb);
}

static uint32_t
attr_of_image(Image *image, const char *key)
{
	uint32_t n;
	const AttrColumn *attrs = image_attrs(image, LEVEL_SPAN, &n);

	for (uint32_t k = 0; k < n; k++)
		if (str_eq(attrs[k].key, str_lit(key)))
			return k;
	return UINT32_MAX;
}

/* How many vectors may have it. */
static uint32_t
vectors_of(Image *image, uint32_t attr, const char *format, uint32_t i)
{
	char text[40];
	uint32_t n = 0;

	snprintf(text, sizeof(text), format, i);
	for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
		n += image_maybe_string(image, LEVEL_SPAN, LOAD_ATTR, attr, v, str_lit(text),
								codec_hash64(text, strlen(text)));
	return n;
}

static void
test_filters(void)
{
	Arena *arena = arena_create(NULL, 0);
	Batch *b = sorted(arena, session_spans(arena));
	Memory m;
	ImageSummary summary;
	Image *image;
	uint32_t session, colour, there = 0, elsewhere = 0, absent = 0;
	uint64_t opened;
	Buf out;

	buf_init(&out, arena, 0);
	image_encode_as(b, CODEC_SMALL, 90, false, &out, &summary);
	if (setjmp(m.escape) != 0)
	{
		ok(false, "%s", m.what);
		return;
	}
	image = open_memory(&m, out.p, out.len, arena);
	session = attr_of_image(image, "session");
	colour = attr_of_image(image, "colour");
	ok(summary.nvectors == 3 * FILTER_TRACES / 90, "vectors of 30 traces");
	ok(image_has_filter(image, LEVEL_SPAN, LOAD_ATTR, session) &&
		   !image_has_filter(image, LEVEL_SPAN, LOAD_ATTR, colour) &&
		   !image_has_filter(image, LEVEL_SPAN, LOAD_COLUMN, SC_NAME),
	   "many strings of few vectors have a filter, others do not");
	opened = image_counters(image).blocks_read;
	for (uint32_t i = 0; i < FILTER_TRACES; i++)
	{
		uint32_t n = vectors_of(image, session, "session %u", i);

		there += n > 0;
		elsewhere += n - 1;
		absent += vectors_of(image, session, "nobody %u", i);
	}
	is_i64(there, FILTER_TRACES, "every value is found");
	ok(elsewhere < 30 * FILTER_TRACES / 10 && absent < 30 * FILTER_TRACES / 10,
	   "%u and %u of 27000 vectors named without need", elsewhere, absent);
	is_i64(vectors_of(image, colour, "colour %u", 9), summary.nvectors, "without a filter any vector may");
	is_i64(image_counters(image).blocks_read - opened, 0, "no block was read");
	image_check(image, arena);
	arena_destroy(arena);
}

/* What tempo says about how a column is stored. */
static void
test_leaf_info(void)
{
	Arena *arena = arena_create(NULL, 0);
	Memory m;
	ImageSummary summary;
	Image *image;
	uint64_t sum = 0;
	bool mapped = false, ports = false;
	Buf out;

	buf_init(&out, arena, 0);
	image_encode(sorted(arena, trees(arena, 500, 15)), CODEC_SMALL, &out, &summary);
	if (setjmp(m.escape) != 0)
	{
		ok(false, "%s", m.what);
		return;
	}
	image = open_memory(&m, out.p, out.len, arena);
	for (uint32_t i = 0; i < image_nleaves(image); i++)
	{
		LeafInfo info;

		image_leaf_info(image, i, &info);
		sum += info.bytes;
		mapped |= strcmp(info.name, "kind") == 0 && strncmp(info.encoding, "map of ", 7) == 0;
		ports |= strcmp(info.name, "port (int)") == 0 && info.values == 7500 &&
				 strcmp(info.encoding, "bit-packed") == 0;
	}
	ok(mapped, "kind is a map of another column");
	ok(ports, "ports are bit-packed");
	ok(sum < out.len && sum > out.len * 9 / 10, "leaves are %.1f%% of the image", 100.0 * sum / out.len);
	arena_destroy(arena);
}

static bool
vector_holds(const Image *image, int64_t v, uint32_t row)
{
	const ImageVector *info = v < 0 ? NULL : image_vector_info(image, (uint32_t) v);

	return info && row >= info->first_row && row < info->first_row + info->nrows;
}

static uint32_t
own_vector(const Image *image, uint32_t row)
{
	uint32_t v = 0;

	while (!vector_holds(image, v, row))
		v++;
	return v;
}

static void
test_finding(void)
{
	Arena *arena = arena_create(NULL, 0);
	Batch *b = sorted(arena, trees(arena, 500, 15));
	const uint8_t *ids = batch_column(b, LEVEL_TRACE, TC_ID)->fixed;
	Encoding e = {"", CODEC_SMALL, 100, false};
	Memory m;
	ImageSummary summary;
	Image *image;
	Buf out;
	uint32_t found = 0, right = 0, more = 0, wrong = 0, wrong_index = 0;

	buf_init(&out, arena, 0);
	encode(b, &e, &out, &summary);
	if (setjmp(m.escape) != 0)
	{
		ok(false, "%s", m.what);
		return;
	}
	image = open_memory(&m, out.p, out.len, arena);
	for (uint32_t t = 0; t < 500; t++)
	{
		uint8_t other[16];

		found += image_maybe_trace(image, ids + t * 16);
		right += vector_holds(image, image_find_trace(image, ids + t * 16, 0), b->trace_first[t]);
		more += image_find_trace(image, ids + t * 16, own_vector(image, b->trace_first[t]) + 1) >= 0;
		memcpy(other, ids + t * 16, 16);
		other[15] ^= 0x55;
		wrong += image_maybe_trace(image, other);
		wrong_index += image_find_trace(image, other, 0) >= 0;
	}
	is_i64(found, 500, "the filter knows every trace");
	ok(right >= 495, "%u of 500 traces are in the first vector found", right);
	ok(more < 25, "%u of 500 traces might be in a second vector", more);
	ok(wrong < 25, "%u of 500 other ids pass the filter", wrong);
	ok(wrong_index < 25, "%u of 500 other ids are in the index", wrong_index);
	arena_destroy(arena);
}

int
main(void)
{
	test_random_spans();
	test_trees();
	test_nulls_in_spans();
	test_any_table();
	test_words();
	test_many_keys();
	test_orders();
	test_heavy_rows();
	test_sizes();
	test_projection();
	test_filters();
	test_leaf_info();
	test_finding();
	codec_release();
	return unit_done();
}
