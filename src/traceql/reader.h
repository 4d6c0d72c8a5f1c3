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

#include "postgres.h"
#include "port/atomics.h"
#include "traceql/eval/eval.h"
#include "traceql/source.h"
#include "traceql/split_set.h"

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
	/* Counts images, as names for the run; shared by readers one run is fed from. NULL: this is the only one.
	 */
	uint64 *sources;
} ReaderRequest;

typedef struct ReaderUnit
{
	Batch *batch;      /* sorted, with traces, unless it is a recent batch read by spans */
	uint64 source;     /* same number, same dictionaries; never 0 */
	const uint8 *skip; /* by trace, nonzero: comes in another unit; NULL: none does */
	uint64 place;      /* for reader_again(); 0: traces gathered */
	const uint8 *rows; /* by row, 1: of the tenant asked for, and visible; NULL: all are */
	bool bounded;      /* all spans start in [start_min, start_max] */
	uint64 start_min;
	uint64 start_max;
	bool forward; /* by spans: a vector of a segment all of whose spans end after they start */
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

/*
 * What several readers of one source share, in shared memory: who reads what. A reader begins with an image
 * that nobody has begun; when there are none it takes vectors of those that others have not finished.
 */
typedef struct ReaderDeal
{
	uint32 nunits;
	pg_atomic_uint32 share; /* the next that nobody has, where each reads everything */
	pg_atomic_uint32 unit;  /* the next that nobody has begun */
	pg_atomic_uint32 vector[FLEXIBLE_ARRAY_MEMBER]; /* by unit: the next that nobody has */
} ReaderDeal;

typedef struct Reader Reader;

extern Reader *reader_begin(Source *source, const ReaderRequest *request);
/* false: there are no more. */
extern bool reader_next(Reader *reader, ReaderUnit *unit);
/*
 * Sharing, before the first reader_next(), see parallel.h; only without request.image. By traces, the one
 * reader that has found the split traces (reader_prepare; NULL: there are none) also gathers them, after
 * everything else unless request.newest. The others are told which they are with the deal; they stop when
 * stop() says so.
 */
extern const SplitSet *reader_prepare(Reader *reader);
extern Size reader_deal_size(const Reader *reader);
extern void reader_deal_init(const Reader *reader, ReaderDeal *deal);
extern void reader_share(Reader *reader, ReaderDeal *deal);
/* Leave what is dealt to the others: only split traces are read. */
extern void reader_leave(Reader *reader);
extern void reader_follow(Reader *reader, ReaderDeal *deal, const SplitSet *elsewhere, bool (*stop)(void));
/* Rows in images that are wanted. */
extern uint64 reader_rows(const Reader *reader);
extern ReaderCounters reader_counters(const Reader *reader);
extern void reader_counters_add(ReaderCounters *sum, const ReaderCounters *more);
extern void reader_end(Reader *reader);

#endif
