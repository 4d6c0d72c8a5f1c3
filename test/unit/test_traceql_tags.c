/*
 * test_traceql_tags.c
 *	  Bounded sets; names and values of tags out of images and vectors, against going through every row.
 */
#include "batch_random.h"
#include "store/image_impl.h"
#include "traceql/lang/tolerant.h"
#include "traceql/tags/collect.h"
#include "unit.h"

static Arena *arena;

/* ---- sets ---- */

static TagValue
set_value(uint32_t i)
{
	char text[32];
	TagValue v = {.type = i % 3 == 0 ? TAG_STRING : i % 3 == 1 ? TAG_INT : TAG_FLOAT};

	if (v.type == TAG_STRING)
	{
		size_t len = (size_t) sprintf(text, "v%06u", i);

		v.s = str_of(arena_dup(arena, text, len), len);
	}
	else if (v.type == TAG_INT)
		v.i = (int64_t) i - 20000;
	else
		v.d = i / 8.0 - 1000;
	return v;
}

/* As text, values on a line each. */
static const char *
listed(TagSet *set)
{
	Buf out;

	buf_init(&out, arena, 1024);
	tag_set_sort(set);
	for (uint64_t i = 0; i < tag_set_count(set); i++)
	{
		TagValue v = tag_set_value(set, i);

		buf_put(&out, tag_type_name(v.type), strlen(tag_type_name(v.type)));
		buf_put_u8(&out, ':');
		tag_value_print(&v, &out);
		buf_put_u8(&out, '\n');
	}
	buf_put_u8(&out, 0);
	return (char *) out.p;
}

static void
test_order(void)
{
	TagSet *set = tag_set_create(arena, 0, 0);
	const double floats[] = {1.5, -0.0, 0.0, -2, 1e300, 0.0};
	const int64_t ints[] = {5, -3, INT64_MAX, INT64_MIN, 5};

	for (size_t i = 0; i < sizeof(floats) / sizeof(*floats); i++)
		tag_set_add(set, &(TagValue){.type = TAG_FLOAT, .d = floats[i]});
	for (size_t i = 0; i < sizeof(ints) / sizeof(*ints); i++)
		tag_set_add(set, &(TagValue){.type = TAG_INT, .i = ints[i]});
	tag_set_add(set, &(TagValue){.type = TAG_KEYWORD, .s = str_lit("ok")});
	tag_set_add(set, &(TagValue){.type = TAG_BOOL, .b = true});
	tag_set_add(set, &(TagValue){.type = TAG_BOOL, .b = false});
	tag_set_add(set, &(TagValue){.type = TAG_DURATION, .i = 1500000});
	tag_set_add_string(set, str_lit("b"));
	tag_set_add_string(set, str_lit("a"));
	tag_set_add_string(set, str_lit(""));
	tag_set_add_string(set, str_lit("a"));
	is_str(listed(set),
		   "string:\nstring:a\nstring:b\nint:-9223372036854775808\nint:-3\nint:5\nint:9223372036854775807\n"
		   "float:-2.0\nfloat:-0.0\nfloat:0.0\nfloat:1.5\nfloat:1e+300\nbool:false\nbool:true\nduration:1."
		   "5ms\nkeyword:ok\n",
		   "by type, then by value, each once");
}

/* Whatever the order of adding, a bounded set has the first of an unbounded one. */
static void
test_bounds(uint32_t max_values, uint64_t max_bytes)
{
	enum
	{
		N = 40000
	};
	TagSet *all = tag_set_create(arena, 0, 0), *some = tag_set_create(arena, max_values, max_bytes),
		   *others = tag_set_create(arena, max_values, max_bytes);
	uint64_t bytes = 0, n = 0;
	bool same = true;
	Buf text;

	rng_state = 1;
	for (uint32_t i = 0; i < N; i++)
	{
		TagValue up = set_value(i), random = set_value(rnd(N)), down = set_value(N - 1 - i);

		tag_set_add(all, &up);
		tag_set_add(some, &down);
		tag_set_add(others, &random);
		tag_set_add(others, &up);
	}
	tag_set_sort(all);
	tag_set_sort(some);
	tag_set_sort(others);
	buf_init(&text, arena, 64);
	for (; n < tag_set_count(all) && (!max_values || n < max_values); n++)
	{
		TagValue v = tag_set_value(all, n);

		text.len = 0;
		tag_value_print(&v, &text);
		if (max_bytes && (bytes += text.len) > max_bytes)
			break;
	}
	is_i64(tag_set_count(some), n, "as many as fit");
	is_i64(tag_set_count(others), n, "in any order");
	for (uint64_t i = 0; i < n && same; i++)
	{
		TagValue v = tag_set_value(all, i);

		same = tag_set_has(some, &v) && tag_set_has(others, &v);
	}
	ok(same, "the first ones");
	is_i64(tag_set_has(some, &(TagValue){.type = TAG_STRING, .s = str_lit("w")}), n <= N / 3 && n < N,
		   "what would be cut off is as good as there");
}

/* ---- images ---- */

static void
memory_read(void *ctx, uint64_t off, uint32_t len, uint8_t *dst)
{
	memcpy(dst, (const uint8_t *) ctx + off, len);
}

static void
memory_corrupt(void *ctx, const char *what)
{
	fprintf(stderr, "corrupt: %s\n", what);
	abort();
}

static Image *
image_of(Batch *batch, bool compact)
{
	ImageSummary summary;
	Buf out;

	buf_init(&out, arena, 1 << 16);
	image_encode_as(batch, CODEC_SMALL, 64, compact, &out, &summary);
	return image_open(&(ImageSource){memory_read, memory_corrupt, out.p, out.len}, arena);
}

static Batch *
random_spans(uint32_t n, bool sort)
{
	BatchBuilder *bb = builder_create(arena, true, 3, extras);
	Batch *batch;
	RowRef *rows;

	for (uint32_t i = 0; i < n; i++)
		rnd_span(bb, i + 1, arena, true);
	batch = builder_finish(bb);
	if (!sort)
		return batch;
	rows = batch_sort(arena, &batch, 1, &n);
	batch = batch_gather(arena, &batch, 1, rows, n);
	batch_make_traces(batch);
	return batch;
}

/* ---- row by row ---- */

static void
add_value(TagSet *set, const EvalValue *e)
{
	ValueIter it;
	Value item;

	switch (e->type)
	{
		case EVAL_STRING: tag_set_add_string(set, e->s); break;
		case EVAL_INT: tag_set_add(set, &(TagValue){.type = TAG_INT, .i = e->i}); break;
		case EVAL_FLOAT: tag_set_add(set, &(TagValue){.type = TAG_FLOAT, .d = e->d}); break;
		case EVAL_BOOL: tag_set_add(set, &(TagValue){.type = TAG_BOOL, .b = e->b}); break;
		case EVAL_ARRAY:
			value_iter_begin(&it, e->s);
			while (value_iter_next(&it, &item))
			{
				EvalValue element = eval_from_value(&item);

				add_value(set, &element);
			}
			break;
		default: break;
	}
}

/* Keys into names; values of key, when there is one, into values. */
static void
add_attributes(Str attributes, Str key, TagSet *names, TagSet *values)
{
	ValueIter it;
	KeyValue kv;

	value_iter_begin(&it, attributes);
	while (value_iter_next_kv(&it, &kv))
	{
		EvalValue e = eval_from_value(&kv.value);

		tag_set_add_string(names, kv.key);
		if (str_eq(kv.key, key))
			add_value(values, &e);
	}
}

static void
add_row(Batch *batch, Level level, uint32_t row, Str key, TagSet *names, TagSet *values)
{
	Buf attributes;

	buf_init(&attributes, arena, 256);
	batch_attributes(batch, level, row, &attributes);
	add_attributes(str_of((char *) attributes.p, attributes.len), key, names, values);
}

/* What each row that counts has at a level; LEVEL_TRACE stands for its resource. */
static void
scan(Batch *batch, const uint8_t *rows, Level level, Str key, TagSet *names, TagSet *values)
{
	for (uint32_t r = 0; r < batch_nrows(batch); r++)
	{
		const uint32_t *first = level == LEVEL_EVENT ? batch_event_first(batch) : batch_link_first(batch);

		if (rows && !rows[r])
			continue;
		if (level == LEVEL_SPAN)
			add_row(batch, level, r, key, names, values);
		else if (level == LEVEL_TRACE)
			add_attributes(column_str(batch_column(batch, LEVEL_SPAN, SC_RESOURCE), r), key, names, values);
		else
			for (uint32_t i = first[r]; i < first[r + 1]; i++)
				add_row(batch, level, i, key, names, values);
	}
}

/* ---- comparing ---- */

typedef struct Case
{
	const char *tag;
	Level level;
	const char *key;
} Case;

static const Case cases[] = {{"span.key.3", LEVEL_SPAN, "key.3"},
							 {"event.key.0", LEVEL_EVENT, "key.0"},
							 {"link.key.7", LEVEL_LINK, "key.7"},
							 {"resource.service.name", LEVEL_TRACE, "service.name"},
							 {"span.none", LEVEL_SPAN, "none"}};
static const TagScope scope_of[NLEVELS] = {TAGS_SPAN, TAGS_EVENT, TAGS_LINK, TAGS_RESOURCE};

static uint8_t *
random_rows(uint32_t n, uint32_t one_in)
{
	uint8_t *rows = arena_alloc(arena, n + 1);

	for (uint32_t i = 0; i < n; i++)
		rows[i] = rnd(one_in) == 0;
	return rows;
}

/* one_in 0: all rows, and no mask. */
static void
compare(Image *image, uint32_t one_in, const Case *c)
{
	TagNames *names = tag_names_create(arena, TAGS_ALL, 0);
	TagSet *want_names = tag_set_create(arena, 0, 0), *want = tag_set_create(arena, 0, 0);
	TagValues *values;
	TraceqlAttr attr;

	traceql_read_attr(arena, str_lit(c->tag), &attr);
	values = tag_values_create(arena, &attr, 0, 0);
	for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
	{
		Batch *batch = image_vector(image, v, arena);
		uint8_t *rows = one_in ? random_rows(batch_nrows(batch), one_in) : NULL;

		scan(batch, rows, c->level, str_lit(c->key), want_names, want);
		if (!tag_names_exhausted(names, 1))
			tag_names_batch(names, batch, 1, rows, arena);
		if (!tag_values_exhausted(values, 1))
			tag_values_batch(values, batch, 1, rows, arena);
	}
	is_str(listed(tag_values_set(values)), listed(want), c->tag);
	is_str(listed(tag_names_set(names, scope_of[c->level])), listed(want_names), "names of its scope");
	ok(one_in || (tag_names_covered(names, image) &&
				  (!tag_values_image(values, image) || tag_values_covered(values, image))),
	   "all rows cover the image");
}

static void
compare_whole(Image *image, const Case *c)
{
	TagNames *names = tag_names_create(arena, TAGS_ALL, 0);
	TagSet *want_names = tag_set_create(arena, 0, 0), *want = tag_set_create(arena, 0, 0);
	TagValues *values;
	TraceqlAttr attr;

	traceql_read_attr(arena, str_lit(c->tag), &attr);
	values = tag_values_create(arena, &attr, 0, 0);
	for (uint32_t v = 0; v < image_summary(image)->nvectors; v++)
		scan(image_vector(image, v, arena), NULL, c->level, str_lit(c->key), want_names, want);
	if (tag_names_image(names, image))
		is_str(listed(tag_names_set(names, scope_of[c->level])), listed(want_names),
			   "names of a whole image");
	if (tag_values_image(values, image))
		is_str(listed(tag_values_set(values)), listed(want), "values of a whole image");
}

static void
test_images(void)
{
	for (int round = 0; round < 8; round++)
	{
		Arena *outer = arena;
		Image *image;

		arena = arena_create(NULL, 0);
		image = image_of(random_spans(round < 4 ? 30 : 700, round & 1), round & 2);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		{
			compare_whole(image, &cases[i]);
			compare(image, 0, &cases[i]);
			compare(image, 2, &cases[i]);
			compare(image, 60, &cases[i]);
		}
		arena_destroy(arena);
		arena = outer;
	}
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_order();
	test_bounds(10, 0);
	test_bounds(5000, 0);
	test_bounds(0, 30000);
	test_bounds(0, 200000);
	test_bounds(20000, 100000);
	test_images();
	arena_destroy(arena);
	return unit_done();
}
