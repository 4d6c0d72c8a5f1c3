/*
 * metapage.h
 *	  Block 0 of a table's main fork: counters and the profile. Changed only here, under its buffer lock,
 *	  WAL-logged by GenericXLog. The counters are not transactional: gaps after an abort do no harm.
 */
#ifndef TEMPO_METAPAGE_H
#define TEMPO_METAPAGE_H

#include "postgres.h"
#include "storage/smgr.h"
#include "utils/rel.h"
#include "store/format.h"
#include "store/store.h"

/* Write block 0 of the forks that were just created: main, and init if the table is unlogged. */
extern void metapage_create(SMgrRelation smgr, char persistence, const TableProfile *p);

/* A checked copy of the fixed part of the metapage. */
extern void metapage_read(Relation rel, MetaPage *meta);
/* A checked copy of all of it, palloc'd. */
extern MetaPage *metapage_read_all(Relation rel);

/* Give a new file the counters and the profile of another. */
extern void metapage_copy(Relation from, Relation to);

/* Before a row is deleted: libraries that do not know of deleted rows must refuse the table from now on. */
extern void metapage_allow_deleted(Relation rel);

/* Numbers for a recent batch. The caller holds LockPage(rel, 0) until the tuples are in. */
extern void metapage_take_batch(Relation rel, uint32 nrows, uint32 nchunks, uint64 *first_row,
								uint64 *first_number);
/* Numbers for a segment. */
extern void metapage_take_segment(Relation rel, uint32 nrows, uint64 *first_row, uint64 *id);
/* A merge took rows away; all_in: nothing waits any more of what had come in when rows_in was read. */
extern void metapage_merged(Relation rel, uint64 rows, const uint64 *all_in);

#endif
