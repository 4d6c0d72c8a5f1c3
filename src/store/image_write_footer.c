/*
 * image_write_footer.c
 *	  The footer: counts, the leaf table, the vector table. doc/format.md has the order of every field.
 */
#include "store/image_write.h"

static void
put_str(Buf *out, Str s)
{
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

static void
put_entry(const Writer *w, const Leaf *leaf, Buf *out)
{
	buf_put_u8(out, leaf->mode | leaf->flags);
	if (leaf->flags & LEAF_RELATIVE)
		buf_put_u8(out, leaf->relative);
	if (leaf->mode == LEAF_CONST)
	{
		if (leaf->kind == COL_I64)
			buf_put_varint(out, zigzag(leaf->number));
		else if (leaf->kind == COL_FIXED)
			buf_put(out, leaf->constant.p, leaf->width);
		else
			put_str(out, leaf->constant);
	}
	if (leaf->mode == LEAF_COND)
		buf_put_varint(out, leaf->base);
	if (leaf_has_dict(leaf) || leaf->mode == LEAF_WORDS)
	{
		buf_put_varint(out, leaf->ndict);
		buf_put_varint(out, leaf->dict_len);
	}
	if (leaf->mode == LEAF_COND)
		buf_put_varint(out, leaf->table_len);
	if (leaf_has_blocks(leaf))
	{
		buf_put_varint(out, leaf->blocks_len);
		if (w->nvectors > 1 && leaf->blocks_len > 0)
			buf_put_varint(out, leaf->index_len);
	}
	if (leaf->flags & LEAF_FILTER)
		buf_put_varint(out, leaf->filter_len);
}

static void
put_attr_names(const Writer *w, Level level, Buf *out)
{
	const AttrSet *set = w->b->level[level].attrs;

	buf_put_varint(out, w->nattrs[level]);
	for (uint32_t k = 0; k < w->nattrs[level]; k++)
	{
		const AttrColumn *c = &set->columns[w->attr_order[level][k]];

		put_str(out, c->key);
		buf_put_varint(out, (uint64_t) c->occurrence * VALUE_NTYPES + c->type);
		buf_put_varint(out, c->values.n);
	}
}

/* Columns that the profile does not know. */
static void
put_column_kinds(const Writer *w, Buf *out)
{
	const RowSet *rows = &w->b->level[LEVEL_SPAN];
	uint32_t known = w->b->spans ? SC_COUNT : 0;

	buf_put_varint(out, rows->ncolumns - known);
	for (uint32_t c = known; c < rows->ncolumns; c++)
	{
		buf_put_u8(out, (uint8_t) rows->columns[c].kind);
		if (rows->columns[c].kind == COL_FIXED)
			buf_put_varint(out, rows->columns[c].width);
	}
}

/* ---- vectors ---- */

static void
put_numbers(Buf *out, const int64_t *v, uint32_t n)
{
	size_t start = out->len;

	codec_encode_i64(v, n, CODEC_SMALL, out);
	buf_prefix_length(out, start);
}

static void
put_level_rows(const Writer *w, Level level, int64_t *tmp, Buf *out)
{
	for (uint32_t v = 0; v < w->nvectors; v++)
		tmp[v] = w->first[level][v + 1] - w->first[level][v];
	put_numbers(out, tmp, w->nvectors);
}

static void
put_vector_spans(const Writer *w, const ImageVector *info, int64_t *tmp, Buf *out)
{
	uint32_t n = w->nvectors;
	uint8_t *ids = arena_alloc(w->arena, (size_t) n * 32);
	size_t start;

	for (uint32_t v = 0; v < n; v++)
		tmp[v] = info[v].start_min;
	put_numbers(out, tmp, n);
	for (uint32_t v = 0; v < n; v++)
		tmp[v] = (int64_t) ((uint64_t) info[v].start_max - (uint64_t) info[v].start_min);
	put_numbers(out, tmp, n);
	for (uint32_t v = 0; v < n; v++)
		tmp[v] = (int64_t) ((uint64_t) info[v].end_max - (uint64_t) info[v].start_max);
	put_numbers(out, tmp, n);
	for (uint32_t v = 0; v < n; v++)
	{
		memcpy(ids + (size_t) v * 32, info[v].trace_min, 16);
		memcpy(ids + (size_t) v * 32 + 16, info[v].trace_max, 16);
	}
	start = out->len;
	codec_encode_fixed(ids, n * 2, 16, CODEC_SMALL, out);
	buf_prefix_length(out, start);
}

static void
put_vectors(const Writer *w, const ImageVector *info, Buf *out)
{
	int64_t *tmp = arena_alloc(w->arena, w->nvectors * sizeof(int64_t));

	put_level_rows(w, LEVEL_SPAN, tmp, out);
	if (!w->b->spans)
		return;
	put_level_rows(w, LEVEL_EVENT, tmp, out);
	put_level_rows(w, LEVEL_LINK, tmp, out);
	if (w->b->sorted)
		put_level_rows(w, LEVEL_TRACE, tmp, out);
	put_vector_spans(w, info, tmp, out);
}

void
image_write_footer(Writer *w, const ImageVector *vectors, const ImageSummary *summary, uint32_t nblocks,
				   const TraceIndex *index, Buf *footer)
{
	const Batch *b = w->b;

	buf_put_varint(footer, summary->nrows);
	buf_put_varint(footer, w->nvectors);
	put_column_kinds(w, footer);
	if (b->spans)
	{
		for (Level level = LEVEL_EVENT; level < NLEVELS; level++)
			buf_put_varint(footer, b->level[level].nrows);
		buf_put_varint(footer, summary->ntraces);
		buf_put_varint(footer, nblocks);
		buf_put_varint(footer, index->nbuckets);
		if (index->nbuckets)
		{
			buf_put_varint(footer, index->len);
			buf_put_varint(footer, index->lengths_len);
		}
		for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
			if (level == LEVEL_SPAN || b->level[level].nrows > 0)
				put_attr_names(w, level, footer);
	}
	for (uint32_t i = 0; i < w->nleaves; i++)
		put_entry(w, &w->leaves[i], footer);
	put_vectors(w, vectors, footer);
}
