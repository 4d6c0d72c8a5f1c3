/*
 * check.h
 *	  Verifying a table's storage: everything readers rely on, from the metapage to the last value.
 *
 * Problems are collected as text. What raises while being read is checked in a subtransaction of its own
 * and becomes a problem too, unless it is not about damage (cancel, out of memory), which is raised again.
 */
#ifndef TEMPO_CHECK_H
#define TEMPO_CHECK_H

#include "postgres.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "store/store.h"

typedef struct CheckReport
{
	const char *table;
	List *problems; /* char * */
	MemoryContext context;
} CheckReport;

extern void check_problem(CheckReport *report, const char *fmt, ...) pg_attribute_printf(2, 3);

/* Run check(arg) so that damage it meets becomes a problem. */
extern void check_guarded(CheckReport *report, const char *object, void (*check)(void *arg), void *arg);

/* Metapage, directory, every segment and recent batch that the snapshot sees, companion heap and index. */
extern void store_check(Relation rel, Snapshot snapshot, CheckReport *report);

#endif
