/*
 * marks.c
 *	  See marks.h.
 */
#include "traceql/tags/marks.h"

bool
marks_use(Marks *m, Arena *arena, uint64_t source, const void *what, uint32_t n)
{
	if (source != 0 && m->source == source && m->what == what && m->n == n)
		return false;
	if (m->cap < n)
	{
		m->cap = n > 2 * m->cap ? n : 2 * m->cap;
		m->marks = arena_alloc(arena, m->cap);
	}
	if (n)
		memset(m->marks, 0, n);
	m->source = source;
	m->what = what;
	m->n = n;
	m->left = n;
	return true;
}

bool
marks_use_dict(Marks *m, Arena *arena, uint64_t source, const Column *column)
{
	return marks_use(m, arena, column->dict_shared ? source : 0, column->dict, column->ndict);
}

const uint8_t *
marks_child_rows(Batch *batch, Level level, const uint8_t *rows, Arena *scratch)
{
	const uint32_t *first;
	uint8_t *child;

	if (level == LEVEL_SPAN || !rows)
		return rows;
	first = level == LEVEL_EVENT ? batch_event_first(batch) : batch_link_first(batch);
	child = arena_alloc(scratch, (size_t) batch->level[level].nrows + 1);
	for (uint32_t r = 0; r < batch_nrows(batch); r++)
		if (first[r + 1] > first[r])
			memset(child + first[r], rows[r], first[r + 1] - first[r]);
	return child;
}
