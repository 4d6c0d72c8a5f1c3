/*
 * value_lists.h
 *	  All values of a column by group, for percentiles: taken in row by row, asked for by rank.
 *
 * Values are kept in chunks, four bytes each where they fit and eight otherwise. Chunks are cut from slabs,
 * which are in a memory context or, for what other processes shall read, in dynamic shared memory. A slab
 * is written by the process that allocated it until that has published its lists; afterwards chunks are
 * linked by the one process that finishes a group.
 */
#ifndef TEMPO_VALUE_LISTS_H
#define TEMPO_VALUE_LISTS_H

#include "postgres.h"
#include "lib/stringinfo.h"
#include "utils/dsa.h"

/* Where slabs come from; one for all lists of a process. */
typedef struct SlabSource
{
	dsa_area *area; /* NULL: context */
	MemoryContext context;
	dsa_pointer last; /* slab allocated last, which leads to those before */
	char *at;         /* free bytes of it */
	char *end;
	uint64 handle; /* of `at` */
	Size size;     /* of the next slab */
} SlabSource;

extern SlabSource *slab_source_create(dsa_area *area, MemoryContext context);
/* Give back the slabs of a process: last as it was published. */
extern void slab_free_shared(dsa_area *area, dsa_pointer last);

typedef struct ValueLists ValueLists;

extern ValueLists *value_lists_create(SlabSource *source, MemoryContext context);
/* values[rows[i]] (rows NULL: values[i]) goes to groups[i]; ngroups: so many exist now. */
extern void value_lists_add(ValueLists *l, const int64 *values, const uint32 *rows, uint32 n,
							const uint32 *groups, uint32 ngroups);
/* There are at least so many groups, some perhaps without values. */
extern void value_lists_reserve(ValueLists *l, uint32 ngroups);
/* Publish the lists of ngroups groups, and add those of another process: group g to map[g], or not at all. */
extern void value_lists_write(ValueLists *l, uint32 ngroups, StringInfo out);
extern void value_lists_merge(ValueLists *l, const char **message, uint32 ngroups, const uint32 *map);
extern uint64 value_lists_count(const ValueLists *l, uint32 group);
/* The values of these ranks (from 0, ascending, below the count). */
extern void value_lists_select(ValueLists *l, uint32 group, const uint64 *ranks, int nranks, int64 *out);

#define VALUE_LISTS_NONE PG_UINT32_MAX

#endif
