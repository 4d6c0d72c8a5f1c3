/*
 * marks.h
 *	  A byte for each thing that has been dealt with: entries of a dictionary, columns of an image.
 */
#ifndef TRACEQL_TAGS_MARKS_H
#define TRACEQL_TAGS_MARKS_H

#include "span/batch.h"

typedef struct Marks
{
	uint64_t source;
	const void *what; /* the dictionary, or whatever the marks are about */
	uint32_t n;
	uint32_t cap;
	uint32_t left; /* not marked yet */
	uint8_t *marks;
} Marks;

/* What was marked stays when source and what are the same as the last time; source 0 never is. */
extern void marks_use(Marks *m, Arena *arena, uint64_t source, const void *what, uint32_t n);
/* For the entries of a column of a batch of that source. */
extern void marks_use_dict(Marks *m, Arena *arena, uint64_t source, const Column *column);

/* true the first time. */
static inline bool
marks_set(Marks *m, uint32_t i)
{
	if (m->marks[i])
		return false;
	m->marks[i] = 1;
	m->left--;
	return true;
}

/* Rows of events or links that belong to rows of spans; NULL: all. */
extern const uint8_t *marks_child_rows(Batch *batch, Level level, const uint8_t *rows, Arena *scratch);

#endif
