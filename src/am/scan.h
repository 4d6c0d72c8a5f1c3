/*
 * scan.h
 *	  A scan of a table by the access method's callbacks, and steps of it that samples share.
 */
#ifndef TEMPO_SCAN_H
#define TEMPO_SCAN_H

#include "postgres.h"
#include "access/relscan.h"
#include "am/am.h"

/* See sample.c. */
#define ANALYZE_SAMPLE_RUNS 512
#define ANALYZE_RUN_ROWS    128

typedef struct TempoScanDesc
{
	TableScanDescData base;
	MemoryContext context;
	Cursor *cursor;
	RowReader *reader;
	Snapshot analyze_snapshot; /* registered here: ANALYZE brings none */
	bool started;
	int64 vector; /* being read; -1 before the first, nvectors after the last */
	int64 row;    /* within it */
	bool ended_last;
	bool with_deleted;
	/* sample.c */
	uint64 nblocks;
	uint64 place; /* next one of the sample that the block stands for, and where that ends */
	uint64 place_end;
	int64 run; /* that run_offset is of; -1 before the first */
	uint32 run_offset[ANALYZE_RUN_ROWS];
	uint64 vector_position; /* of the first row of the open vector */
	int64 sample_block;     /* TABLESAMPLE: the one at hand; -1 before the first */
	uint32 sample_rows;     /* of a block */
	BitmapRows bitmap;
} TempoScanDesc;

/* Read the list of units. Done with the first row, so that planning a scan costs nothing. */
extern void am_scan_start(TempoScanDesc *scan);
/* Make the reader, for the slots that come. */
extern void am_scan_ready_reader(TempoScanDesc *scan, TupleTableSlot *slot);
/* Make the row at a position (below cursor->nrows) the current one. */
extern void am_scan_seek(TempoScanDesc *scan, uint64 position);
/* The current row. */
extern void am_scan_store_row(TempoScanDesc *scan, TupleTableSlot *slot);

#endif
