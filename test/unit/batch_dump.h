/*
 * batch_dump.h
 *	  A span of a batch as bytes that hold every field: two spans are the same when their dumps are.
 */
#ifndef TEMPO_BATCH_DUMP_H
#define TEMPO_BATCH_DUMP_H

#include "span/batch.h"

__attribute__((unused)) static void
dump_column(Batch *b, Level level, uint32_t col, uint32_t row, Buf *out)
{
	Column *c = batch_column(b, level, col);

	buf_put_u8(out, c->nulls != NULL && c->nulls[row]);
	if (c->kind == COL_I64)
		buf_put(out, &c->i64[row], 8);
	else if (c->kind == COL_FIXED)
		buf_put(out, c->fixed + (size_t) c->width * row, c->width);
	else if (c->kind == COL_BYTES)
	{
		Str s = column_str(c, row);

		buf_put_varint(out, s.len);
		buf_put(out, s.p, s.len);
	}
}

__attribute__((unused)) static void
dump_level(Batch *b, Level level, uint32_t row, Buf *out)
{
	for (uint32_t c = 0; c < b->level[level].ncolumns; c++)
		dump_column(b, level, c, row, out);
	if (b->level[level].attrs != NULL)
		batch_attributes(b, level, row, out);
}

/* Everything of one row, its events and links included. */
__attribute__((unused)) static Str
dump_span(Batch *b, uint32_t row, Arena *arena)
{
	Buf out;

	buf_init(&out, arena, 256);
	dump_level(b, LEVEL_SPAN, row, &out);
	if (b->spans)
	{
		const uint32_t *events = batch_event_first(b);
		const uint32_t *links = batch_link_first(b);

		buf_put_varint(&out, events[row + 1] - events[row]);
		for (uint32_t e = events[row]; e < events[row + 1]; e++)
			dump_level(b, LEVEL_EVENT, e, &out);
		buf_put_varint(&out, links[row + 1] - links[row]);
		for (uint32_t l = links[row]; l < links[row + 1]; l++)
			dump_level(b, LEVEL_LINK, l, &out);
	}
	return str_of((const char *) out.p, out.len);
}

/* The first row in which two batches differ, or -1; a different number of rows is a difference. */
__attribute__((unused)) static int64_t
first_difference(Batch *a, Batch *b)
{
	uint32_t n = batch_nrows(a) < batch_nrows(b) ? batch_nrows(a) : batch_nrows(b);
	Arena *arena = arena_create(NULL, 0);
	int64_t found = -1;

	for (uint32_t r = 0; r < n && found < 0; r++)
	{
		arena_reset(arena);
		if (!str_eq(dump_span(a, r, arena), dump_span(b, r, arena)))
			found = r;
	}
	if (found < 0 && batch_nrows(a) != batch_nrows(b))
		found = n;
	arena_destroy(arena);
	return found;
}

#endif
