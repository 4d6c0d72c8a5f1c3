/*
 * reader.h
 *	  The units of a source one after the other: what searches and metrics are fed with. Segments are read
 *	  vector by vector; what a range of times rules out is not read.
 *
 * By traces, every unit holds whole traces: those that are spread over several images come first, gathered,
 * and are skipped where their parts stand. By spans, every image is read as it is, recent batches included,
 * so a trace may come in pieces. Either way each span asked for comes exactly once.
 *
 * Under row-level security only visible rows come, whole traces are then whole as far as they are visible.
 *
 * Ownership: a reader hangs off a context below the one current at reader_begin. A unit lives until the
 * next call.
 */
#ifndef TEMPO_TRACEQL_READER_H
#define TEMPO_TRACEQL_READER_H

#include "traceql/eval/eval.h"
#include "traceql/source.h"

typedef struct ReaderRequest
{
	bool spans;    /* by spans, not by traces */
	bool pieces;   /* by traces, but recent batches come as they are as well */
	bool has_from; /* traces gathered are those that overlap [from, to], unix ns, inclusive */
	bool has_to;
	int64 from;
	int64 to;
	/* Is anything wanted of spans that start in [start_min, start_max] and end by end_max? */
	bool (*wanted)(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max);
	/* May be NULL. Sees each image that is wanted first; true: its vectors need not be read. */
	bool (*image)(void *ctx, const SourceUnit *unit, Image *image);
	void *ctx;
	/* By traces: what parts of traces spread over images are tested for first; run NULL: for nothing. */
	TraceqlRun *run;
	uint32 need;
	bool newest; /* by traces: wanted() is about the newest, more and more of them */
} ReaderRequest;

typedef struct ReaderUnit
{
	Batch *batch;      /* sorted, with traces, unless it is a recent batch read by spans */
	uint64 source;     /* same number, same dictionaries; never 0 */
	const uint8 *skip; /* by trace, nonzero: comes in another unit; NULL: none does */
	uint64 place;      /* for reader_again(); 0: traces gathered */
	const uint8 *rows; /* by row, 1: of the tenant asked for, and visible; NULL: all are */
} ReaderUnit;

typedef struct ReaderCounters
{
	uint64 segments;
	uint64 segments_read;
	uint64 vectors;
	uint64 vectors_read;
	uint64 recent;       /* recent batches */
	uint64 split_traces; /* gathered from several images */
	uint64 bytes_read;
} ReaderCounters;

typedef struct Reader Reader;

extern Reader *reader_begin(Source *source, const ReaderRequest *request);
/* false: there are no more. */
extern bool reader_next(Reader *reader, ReaderUnit *unit);
/* Read the vector at a place once more. skip is not set. */
extern void reader_again(Reader *reader, uint64 place, ReaderUnit *unit);
/* Of the traces gathered from several images, let reader_next() give these again: n ids of 16 bytes, sorted.
 */
extern void reader_gather_again(Reader *reader, const uint8 *ids, uint32 n);
extern ReaderCounters reader_counters(const Reader *reader);
extern void reader_end(Reader *reader);

#endif
