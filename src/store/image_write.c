/*
 * image_write.c
 *	  A batch to an image: cut it in vectors, write the leaves of each level, the bloom filter, the footer,
 *	  and last the header, which is what makes the bytes an image.
 */
#include "store/image_write.h"
#include "span/intern.h"

/* Scratch memory of the codecs, by slot, that is worth keeping for the next batch. */
#define SCRATCH_KEPT (1 << 20)

/* ---- leaves ---- */

static void
write_column(Writer *w, Level level, uint32_t col, bool base)
{
	Column *c = batch_column(w->b, level, col);
	Leaf *leaf = image_new_leaf(w, level, LEAF_COLUMN, col);
	const uint32_t *codes = NULL;
	Series s = {.kind = c->kind,
				.width = c->width,
				.n = c->n,
				.i64 = c->i64,
				.fixed = c->fixed,
				.codes = c->codes,
				.dict = c->dict,
				.ndict = c->ndict,
				.nulls = c->nulls,
				.first = w->first[level]};

	image_write_leaf(w, leaf, &s, base ? &codes : NULL);
	if (codes != NULL && c->nulls == NULL)
		image_add_base(w, level, leaf, codes, leaf->ndict);
}

/* Columns of sorted spans that are expressed through their trace; false: col is not one of them. */
static bool
write_trace_column(Writer *w, uint32_t col)
{
	const uint32_t *first = w->first[LEVEL_SPAN];
	Leaf *leaf;

	if (col != SC_PARENT_ID && batch_column(w->b, LEVEL_SPAN, col)->nulls != NULL)
		return false; /* nothing a span has; kept as in any other column */
	switch (col)
	{
		case SC_TRACE_ID:
			leaf = image_new_leaf(w, LEVEL_SPAN, LEAF_COLUMN, col);
			leaf->kind = COL_FIXED;
			leaf->width = 16;
			leaf->mode = LEAF_FROM_TRACES;
			return true;
		case SC_PARENT_ID:
			if (batch_column(w->b, LEVEL_SPAN, col)->nulls == NULL)
				image_write_parents(w, first);
			else
			{
				write_column(w, LEVEL_SPAN, col, false);
				image_no_parents(w);
			}
			return true;
		case SC_START: image_write_starts(w, first); return true;
		default: return false;
	}
}

static void
write_counts(Writer *w, Level level, LeafWhat what, const uint32_t *child_first, uint32_t n)
{
	int64_t *counts = arena_alloc(w->arena, ((size_t) n + 1) * sizeof(int64_t));
	Series s = {.kind = COL_I64, .n = n, .i64 = counts, .first = w->first[level]};

	for (uint32_t i = 0; i < n; i++)
		counts[i] = child_first[i + 1] - child_first[i];
	image_write_leaf(w, image_new_leaf(w, level, what, 0), &s, NULL);
}

static void
write_level(Writer *w, Level level)
{
	RowSet *rows = &w->b->level[level];

	for (uint32_t i = 0; i < rows->ncolumns; i++)
	{
		uint32_t col = image_column_at(w->b->spans, level, i);

		if (rows->attrs != NULL && i == image_root_columns(level))
			image_write_shapes(w, level);
		if (level == LEVEL_SPAN && w->b->sorted && write_trace_column(w, col))
			continue;
		if (level == LEVEL_EVENT && col == EC_TIME && batch_column(w->b, level, col)->nulls == NULL)
			image_write_event_times(w, w->first[level]);
		else
			write_column(w, level, col, rows->attrs != NULL && i < image_root_columns(level));
	}
	if (level == LEVEL_SPAN && w->b->spans)
	{
		write_counts(w, level, LEAF_EVENT_COUNTS, batch_event_first(w->b), rows->nrows);
		write_counts(w, level, LEAF_LINK_COUNTS, batch_link_first(w->b), rows->nrows);
	}
	if (level == LEVEL_TRACE)
		write_counts(w, level, LEAF_TRACE_ROWS, w->b->trace_first, rows->nrows);
	if (rows->attrs != NULL)
		image_write_attrs(w, level);
}

/* ---- facts about the whole and the vectors ---- */

static void
widen_ids(uint8_t min[16], uint8_t max[16], const uint8_t *id, bool first)
{
	if (first || memcmp(id, min, 16) < 0)
		memcpy(min, id, 16);
	if (first || memcmp(id, max, 16) > 0)
		memcpy(max, id, 16);
}

static void
vector_times(Writer *w, uint32_t v, ImageVector *info)
{
	const int64_t *start = batch_column(w->b, LEVEL_SPAN, SC_START)->i64;
	const int64_t *duration = batch_column(w->b, LEVEL_SPAN, SC_DURATION)->i64;
	uint64_t min = UINT64_MAX, max = 0, end = 0;

	for (uint32_t i = info->first_row; i < info->first_row + info->nrows; i++)
	{
		uint64_t s = (uint64_t) start[i], e = s + (uint64_t) duration[i];

		min = s < min ? s : min;
		max = s > max ? s : max;
		end = e > end ? e : end;
	}
	info->start_min = (int64_t) min;
	info->start_max = (int64_t) max;
	info->end_max = (int64_t) end;
}

static void
vector_ids(Writer *w, uint32_t v, ImageVector *info)
{
	const uint8_t *id;

	if (w->b->sorted)
	{
		const uint32_t *first = w->first[LEVEL_TRACE] + v;

		id = batch_column(w->b, LEVEL_TRACE, TC_ID)->fixed;
		info->ntraces = first[1] - first[0];
		for (uint32_t t = first[0]; t < first[1]; t++)
			widen_ids(info->trace_min, info->trace_max, id + (size_t) t * 16, t == first[0]);
		return;
	}
	id = batch_column(w->b, LEVEL_SPAN, SC_TRACE_ID)->fixed;
	for (uint32_t i = info->first_row; i < info->first_row + info->nrows; i++)
		if (i == info->first_row || memcmp(id + (size_t) i * 16, id + (size_t) (i - 1) * 16, 16) != 0)
			widen_ids(info->trace_min, info->trace_max, id + (size_t) i * 16, i == info->first_row);
}

static ImageVector *
describe_vectors(Writer *w)
{
	ImageVector *info = arena_alloc0(w->arena, w->nvectors * sizeof(ImageVector));

	for (uint32_t v = 0; v < w->nvectors; v++)
	{
		info[v].first_row = w->first[LEVEL_SPAN][v];
		info[v].nrows = w->first[LEVEL_SPAN][v + 1] - info[v].first_row;
		if (!w->b->spans || info[v].nrows == 0)
			continue;
		vector_times(w, v, &info[v]);
		vector_ids(w, v, &info[v]);
	}
	return info;
}

/* Distinct hashes of trace ids, at most one a row; sorted batches list each trace once. */
static uint64_t *
trace_hashes(Writer *w, uint32_t *n)
{
	bool sorted = w->b->sorted;
	uint32_t rows = w->b->level[sorted ? LEVEL_TRACE : LEVEL_SPAN].nrows;
	const uint8_t *id =
		(sorted ? batch_column(w->b, LEVEL_TRACE, TC_ID) : batch_column(w->b, LEVEL_SPAN, SC_TRACE_ID))
			->fixed;
	uint64_t *hash = arena_alloc(w->arena, ((size_t) rows + 1) * sizeof(uint64_t));
	uint64_t *table = NULL, seed = intern_seed();
	uint32_t mask = 63;

	*n = 0;
	while (mask < rows)
		mask = mask * 2 + 1;
	mask = mask * 2 + 1;
	if (!sorted)
		table = arena_alloc0(w->tmp, ((size_t) mask + 1) * sizeof(uint64_t));
	for (uint32_t i = 0; i < rows; i++)
	{
		uint64_t h = codec_hash64(id + (size_t) i * 16, 16) | 1; /* 0 is a free place */
		uint32_t s = (uint32_t) intern_mix(h, seed) & mask;

		if (!sorted)
		{
			while (table[s] != 0 && table[s] != h)
				s = (s + 1) & mask;
			if (table[s] == h)
				continue;
			table[s] = h;
		}
		hash[(*n)++] = codec_hash64(id + (size_t) i * 16, 16);
	}
	arena_reset(w->tmp);
	return hash;
}

static void
summarize(Writer *w, const ImageVector *v, uint32_t ntraces, ImageSummary *s)
{
	memset(s, 0, sizeof(*s));
	s->nrows = batch_nrows(w->b);
	s->nvectors = w->nvectors;
	s->ntraces = ntraces;
	for (uint32_t i = 0; i < w->nvectors && w->b->spans && s->nrows; i++, v++)
	{
		if (i == 0 || (uint64_t) v->start_min < s->start_min)
			s->start_min = (uint64_t) v->start_min;
		if ((uint64_t) v->start_max > s->start_max)
			s->start_max = (uint64_t) v->start_max;
		if ((uint64_t) v->end_max > s->end_max)
			s->end_max = (uint64_t) v->end_max;
		widen_ids(s->trace_min, s->trace_max, v->trace_min, i == 0);
		widen_ids(s->trace_min, s->trace_max, v->trace_max, false);
	}
}

/* ---- header ---- */

static void
put_at(uint8_t *p, uint64_t v, int bytes)
{
	memcpy(p, &v, (size_t) bytes);
}

static void
write_header(Writer *w, uint64_t footer_off, uint32_t footer_len)
{
	uint8_t *h = w->out->p + w->start;
	size_t from = w->compact ? IMAGE_HEADER_BYTES : footer_off;
	size_t end = w->out->len - w->start;

	put_at(h, IMAGE_MAGIC, 4);
	h[4] = IMAGE_FORMAT_VERSION;
	h[5] = (uint8_t) ((w->b->spans ? IMAGE_SPANS : 0) | (w->b->sorted ? IMAGE_SORTED : 0) |
					  (w->compact ? IMAGE_COMPACT : 0) | (w->plain_ids ? IMAGE_PLAIN : 0));
	put_at(h + 6, 0, 2);
	put_at(h + 8, footer_off, 8);
	put_at(h + 16, footer_len, 4);
	put_at(h + 20, codec_crc32c(h + from, end - from), 4);
	put_at(h + 24, codec_crc32c(h, 24), 4);
}

/* What the work on one leaf takes, mostly: kept from leaf to leaf, so that it is not paged in each time. */
static size_t
scratch_bytes(uint32_t nrows)
{
	size_t bytes = 8192 + (size_t) nrows * 48;

	return bytes < (16 << 20) ? bytes : (16 << 20);
}

void
image_encode_as(Batch *batch, CodecEffort effort, uint32_t vector_rows, bool compact, Buf *out,
				ImageSummary *summary)
{
	Writer w = {.b = batch,
				.effort = effort,
				.out = out,
				.start = out->len,
				.vector_rows = vector_rows,
				.compact = compact};
	uint64_t *hashes = NULL;
	uint32_t ntraces = 0, nblocks = 0;
	TraceIndex index = {0};
	uint64_t footer_off;
	ImageVector *vectors;
	Buf footer;

	w.arena = arena_create_like(batch->arena, batch_nrows(batch) > 1000 ? 0 : 8192);
	w.tmp = arena_create_like(batch->arena, scratch_bytes(batch_nrows(batch)));
	memset(buf_reserve(out, IMAGE_HEADER_BYTES), 0, IMAGE_HEADER_BYTES);
	out->len += IMAGE_HEADER_BYTES;
	image_make_vectors(&w);
	for (Level level = LEVEL_SPAN; level < NLEVELS; level++)
		if (level == LEVEL_SPAN || batch->level[level].nrows > 0)
			write_level(&w, level);
	vectors = describe_vectors(&w);
	if (batch->spans && batch_nrows(batch) > 0)
	{
		hashes = trace_hashes(&w, &ntraces);
		nblocks = image_write_bloom(&w, hashes, ntraces);
		if (batch->sorted)
			image_write_trace_index(&w, hashes, ntraces, &index);
	}
	summarize(&w, vectors, ntraces, summary);
	footer_off = out->len - w.start;
	buf_init(&footer, w.arena, 1024);
	image_write_footer(&w, vectors, summary, nblocks, &index, &footer);
	buf_put(out, footer.p, footer.len);
	write_header(&w, footer_off, (uint32_t) footer.len);
	arena_destroy(w.tmp);
	arena_destroy(w.arena);
	codec_trim(SCRATCH_KEPT);
}

void
image_encode(Batch *batch, CodecEffort effort, Buf *out, ImageSummary *summary)
{
	image_encode_as(batch, effort, IMAGE_VECTOR_ROWS, batch_nrows(batch) <= IMAGE_COMPACT_ROWS, out, summary);
}
