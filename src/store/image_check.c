/*
 * image_check.c
 *	  Everything a reader of an image relies on, verified by decoding everything.
 */
#include "store/image_read.h"

#include <stdlib.h>

static void
check_attrs(Image *image, Batch *b, Level level, uint64_t *values)
{
	AttrSet *set = b->level[level].attrs;

	for (uint32_t k = 0; k < set->ncolumns; k++)
	{
		AttrColumn *a = batch_attr_rows(b, level, k);

		values[k] += a->values.n;
		for (uint32_t i = 0; i < a->values.n; i++)
			if ((a->type == VALUE_ARRAY && !value_array_valid(column_str(&a->values, i))) ||
				(a->type == VALUE_KVLIST && !value_attributes_valid(column_str(&a->values, i))) ||
				(a->type == VALUE_BOOL && (uint64_t) a->values.i64[i] > 1))
				image_corrupt(image, "malformed attribute value");
	}
}

static void
check_zones(Image *image, Batch *b, Level level, uint32_t v)
{
	for (uint32_t col = 0; col < b->level[level].ncolumns; col++)
	{
		const Column *c = batch_column(b, level, col);
		int64_t min, max;

		if (c->kind != COL_I64 || !image_zone(image, level, LOAD_COLUMN, col, v, &min, &max))
			continue;
		for (uint32_t i = 0; i < c->n; i++)
			if (c->i64[i] < min || c->i64[i] > max)
				image_corrupt(image, "value outside its zone map");
	}
}

static void
check_strings(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t v, const Column *c)
{
	for (uint32_t i = 0; i < c->n && c->kind == COL_BYTES; i++)
	{
		Str value = c->nulls && c->nulls[i] ? (Str){"", 0} : column_str(c, i);

		if ((i == 0 || c->codes[i] != c->codes[i - 1]) &&
			!image_maybe_string(image, level, what, which, v, value, codec_hash64(value.p, value.len)))
			image_corrupt(image, "value missing from the filter of its vector");
	}
}

static void
check_filters(Image *image, Batch *b, Level level, uint32_t v)
{
	AttrSet *set = b->level[level].attrs;

	for (uint32_t col = 0; col < b->level[level].ncolumns; col++)
		check_strings(image, level, LOAD_COLUMN, col, v, batch_column(b, level, col));
	for (uint32_t k = 0; set != NULL && k < set->ncolumns; k++)
		check_strings(image, level, LOAD_ATTR, k, v, &batch_attr_column(b, level, k)->values);
}

static void
check_times(Image *image, Batch *b, const ImageVector *info)
{
	const int64_t *start = batch_column(b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *duration = batch_column(b, LEVEL_SPAN, SC_DURATION)->i64;

	for (uint32_t i = 0; i < batch_nrows(b); i++)
		if ((uint64_t) start[i] < (uint64_t) info->start_min ||
			(uint64_t) start[i] > (uint64_t) info->start_max ||
			(uint64_t) start[i] + (uint64_t) duration[i] > (uint64_t) info->end_max)
			image_corrupt(image, "time outside the range of its vector");
}

static void
check_ids(Image *image, Batch *b, const ImageVector *info)
{
	const uint8_t *id = batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed;

	for (uint32_t i = 0; i < batch_nrows(b); i++, id += 16)
		if (memcmp(id, info->trace_min, 16) < 0 || memcmp(id, info->trace_max, 16) > 0 ||
			!image_maybe_trace(image, id))
			image_corrupt(image, "trace id outside the range or the bloom filter");
}

/* A trace starts with its first span and ends with the last to end. */
static void
check_trace_times(Image *image, Batch *b, uint32_t t)
{
	const int64_t *start = batch_column(b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *duration = batch_column(b, LEVEL_SPAN, SC_DURATION)->i64;
	uint64_t from = (uint64_t) start[b->trace_first[t]], last = 0;

	for (uint32_t i = b->trace_first[t]; i < b->trace_first[t + 1]; i++)
	{
		uint64_t end = (uint64_t) start[i] + (uint64_t) duration[i];

		last = end > last ? end : last;
	}
	if ((uint64_t) batch_column(b, LEVEL_TRACE, TC_START)->i64[t] != from ||
		(uint64_t) batch_column(b, LEVEL_TRACE, TC_DURATION)->i64[t] != last - from)
		image_corrupt(image, "start or duration of a trace");
}

static int
compare_ids(const void *x, const void *y)
{
	return memcmp(x, y, 16);
}

/* Every trace is there once, and the index leads to this vector. */
static void
check_trace_ids(Image *image, Batch *b, uint32_t v)
{
	const uint8_t *id = batch_column(b, LEVEL_TRACE, TC_ID)->fixed;
	uint32_t n = b->level[LEVEL_TRACE].nrows;
	uint8_t *sorted = arena_dup(b->arena, id, (size_t) n * 16);

	for (uint32_t t = 0; t < n; t++)
		if (image_find_trace(image, id + (size_t) t * 16, v) != v)
			image_corrupt(image, "trace missing from the index of traces");
	qsort(sorted, n, 16, compare_ids);
	for (uint32_t t = 1; t < n; t++)
		if (memcmp(sorted + (size_t) (t - 1) * 16, sorted + (size_t) t * 16, 16) == 0)
			image_corrupt(image, "spans of a trace apart");
}

static int
compare_numbers(const void *x, const void *y)
{
	int64_t a = *(const int64_t *) x;
	int64_t b = *(const int64_t *) y;

	return (a > b) - (a < b);
}

/* Plain span ids: each once in its trace, and parents that are no rows are not there. */
static void
check_plain(Image *image, Batch *b, uint32_t t)
{
	const int64_t *ids = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64 + b->trace_first[t];
	const int64_t *parents = batch_column(b, LEVEL_SPAN, SC_PARENT_ID)->i64 + b->trace_first[t];
	const int32_t *rows = batch_parent_rows(b) + b->trace_first[t];
	uint32_t n = b->trace_first[t + 1] - b->trace_first[t];
	int64_t *sorted = arena_dup(b->arena, ids, n * sizeof(int64_t));

	qsort(sorted, n, sizeof(int64_t), compare_numbers);
	for (uint32_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1] && sorted[i] != 0)
			image_corrupt(image, "span ids are not plain");
	for (uint32_t i = 0; i < n; i++)
		if (rows[i] == PARENT_ROW_ELSEWHERE &&
			bsearch(&parents[i], sorted, n, sizeof(int64_t), compare_numbers))
			image_corrupt(image, "span ids are not plain");
}

/* Rows of a trace are together and in order of start, and the traces say what their spans say. */
static void
check_sorted(Image *image, Batch *b, uint32_t v)
{
	const int64_t *start = batch_column(b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *root = batch_column(b, LEVEL_TRACE, TC_ROOT)->i64;

	for (uint32_t t = 0; t < b->level[LEVEL_TRACE].nrows; t++)
	{
		uint32_t first = b->trace_first[t], end = b->trace_first[t + 1];

		if (end == first)
			image_corrupt(image, "trace without spans");
		for (uint32_t i = first + 1; i < end; i++)
			if ((uint64_t) start[i] < (uint64_t) start[i - 1])
				image_corrupt(image, "spans of a trace out of order");
		if (root[t] < 0 || root[t] > end - first)
			image_corrupt(image, "root outside its trace");
		check_trace_times(image, b, t);
		if (b->plain_ids)
			check_plain(image, b, t);
	}
	check_trace_ids(image, b, v);
}

static void
check_bloom(Image *image, Arena *arena)
{
	uint64_t len = (uint64_t) image->nblocks * 32;

	if (image->nblocks && !(image->flags & IMAGE_COMPACT))
		image_fetch_part(image, image->bloom_off, len + IMAGE_CRC_BYTES, arena);
}

static void
check_vector(Image *image, uint32_t v, Arena *arena, uint64_t *values[NLEVELS])
{
	Batch *b = image_vector(image, v, arena);
	const ImageVector *info = &image->vectors[v];

	batch_load_all(b);
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
	{
		if (b->level[level].attrs != NULL)
			check_attrs(image, b, level, values[level]);
		check_zones(image, b, level, v);
		check_filters(image, b, level, v);
	}
	if (!b->spans || batch_nrows(b) == 0)
		return;
	check_times(image, b, info);
	check_ids(image, b, info);
	if (b->sorted)
		check_sorted(image, b, v);
}

void
image_check(Image *image, Arena *arena)
{
	uint64_t *values[NLEVELS];

	check_bloom(image, arena);
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
		values[level] = arena_alloc0(arena, ((size_t) image->level[level].nattrs + 1) * sizeof(uint64_t));
	for (uint32_t v = 0; v < image->summary.nvectors; v++)
	{
		Arena *tmp = arena_create_like(arena, 0);

		check_vector(image, v, tmp, values);
		arena_destroy(tmp);
	}
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
		for (uint32_t k = 0; k < image->level[level].nattrs; k++)
			if (values[level][k] != image->level[level].values[k])
				image_corrupt(image, "number of values of an attribute");
}
