/*
 * groups.h
 *	  Numbers of groups: one for each combination of key numbers that occurs, counted from 0.
 *
 * Keys are combined one after the other: a step maps (group of the keys so far, number of the next key) to
 * a group. While the product of the two is small a step is a table, afterwards a hash table.
 */
#ifndef TEMPO_GROUPS_H
#define TEMPO_GROUPS_H

#include "postgres.h"

typedef struct Groups Groups;

extern Groups *groups_create(int nkeys, MemoryContext context);
/*
 * Combine: groups has, for n rows, the groups of the keys before step (at first the numbers of key 0), and
 * gets those that include key `step` with these numbers. npairs: how many groups and key numbers there
 * are so far.
 */
extern void groups_combine(Groups *g, int step, uint32 *groups, const uint32 *numbers, uint32 n,
						   uint32 nnumbers);
/* Key 0 has so many numbers now. */
extern void groups_set_first(Groups *g, uint32 nnumbers);
extern uint32 groups_count(const Groups *g);
/* Key numbers of a group; numbers has one entry a key. */
extern void groups_keys(const Groups *g, uint32 group, uint32 *numbers);

#endif
