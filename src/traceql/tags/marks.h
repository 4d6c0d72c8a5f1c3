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

/*
 * What was marked stays when source and what are the same as the last time; source 0 never is. true: they
 * are not, nothing is marked.
 */
extern bool marks_use(Marks *m, Arena *arena, uint64_t source, const void *what, uint32_t n);
/* For the entries of a column of a batch of that source. */
extern bool marks_use_dict(Marks *m, Arena *arena, uint64_t source, const Column *column);

/* Dictionaries up to this length are asked entry by entry whether they bring anything new. */
#define MARKS_PROBE 4096

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
