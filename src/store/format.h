/*
 * format.h
 *	  On-disk structs of the storage layer around images: the metapage (main fork, block 0), the key of a
 *	  companion tuple, the head of a recent batch, the directory entry of a segment. Image bytes have
 *	  their own definition in image.h. doc/format.md explains; layout_check.c pins sizes and offsets.
 *
 * Numbers are in the machine's byte order, as everything in a PostgreSQL data directory. Structs have no
 * implicit padding. Bytes read from disk are copied out before use, so tuples need no alignment.
 */
#ifndef TEMPO_STORE_FORMAT_H
#define TEMPO_STORE_FORMAT_H

#include "postgres.h"
#include "storage/bufpage.h"

#define STORE_META_MAGIC    0x4f504d54 /* "TMPO" */
#define STORE_META_VERSION  2
#define STORE_META_OLDEST   1      /* is read, too: a table that has never had a deleted row */
#define STORE_BATCH_MAGIC   0x4254 /* "TB" */
#define STORE_SEGMENT_MAGIC 0x5354 /* "TS" */

/* The metapage, after the page header. */
typedef struct MetaPage
{
	uint32 magic;
	uint16 version;
	uint16 flags;        /* META_* */
	uint64 next_row;     /* first row number not given out; row numbers are never reused */
	uint64 next_number;  /* first number of a recent-batch chunk not given out */
	uint64 next_segment; /* first segment id not given out */
	uint64 rows_in;      /* rows ever put in recent batches, aborted ones included */
	uint64 rows_out;     /* rows of recent batches that merges took away; an estimate, see merge.c */
	uint16 natts;
	uint16 reserved;
	uint32 profile_crc;                /* CRC-32C of flags, natts and role */
	int16 role[FLEXIBLE_ARRAY_MEMBER]; /* natts; SpanCol, SpanRole, or under no profile 0 */
} MetaPage;

#define META_SPANS 0x0001 /* the table has the span profile */

/* Key of a companion tuple: 2 bits of kind, 60 bits of number; see companion_key(). */
typedef enum CompanionKind
{
	KIND_RECENT = 0,  /* chunk of a recent batch; a batch has consecutive numbers */
	KIND_SEGMENT = 1, /* directory entry; the number is the segment id */
	KIND_DELETED = 2  /* reserved for delete vectors */
} CompanionKind;

#define COMPANION_NUMBER_BITS 60
#define COMPANION_NUMBER_MAX  ((UINT64CONST(1) << COMPANION_NUMBER_BITS) - 1)

/* Ranges for pruning; zero without the span profile. */
typedef struct StoredRange
{
	uint64 start_min; /* unix ns, unsigned */
	uint64 start_max;
	uint64 end_max;
	uint8 trace_min[16];
	uint8 trace_max[16];
} StoredRange;

/*
 * Start of the first chunk of a recent batch; the image follows. Without STORE_HAS_RANGE the struct ends
 * before range.
 */
typedef struct BatchHead
{
	uint16 magic;
	uint16 flags; /* STORE_* */
	uint32 crc;   /* CRC-32C of the head with this field 0 */
	uint32 nchunks;
	uint32 nrows;
	uint32 nvectors;
	uint32 ntraces;
	uint64 first_row;
	uint32 image_bytes;
	uint32 reserved;
	int64 made_at; /* TimestampTz of the insert */
	StoredRange range;
} BatchHead;

#define STORE_HAS_RANGE     0x0001
#define STORE_HAS_SPLIT     0x0002 /* segments: some trace has TC_SPLIT set */
#define STORE_MARKS_UNKNOWN 0x0004 /* segments: came with an attached partition, any trace may be split */

#define BATCH_HEAD_SHORT    offsetof(BatchHead, range)

/* Directory entry of a segment: the whole tuple. */
typedef struct SegmentEntry
{
	uint16 magic;
	uint16 flags;
	uint32 crc; /* CRC-32C of the entry with this field 0 */
	uint64 id;
	uint64 first_row;
	uint64 bytes; /* image length */
	uint32 first_block;
	uint32 nrows;
	uint32 nvectors;
	uint32 ntraces;
	uint64 tenant; /* codec_hash64 of the tenant */
	uint64 below;  /* every recent batch with a smaller number was merged, or never committed */
	int64 made_at; /* TimestampTz of the merge */
	uint32 level;  /* 1: made of recent batches; n + 1: made of segments up to level n */
	uint32 folded; /* spans left out, here or in what it was made of, because they came twice */
	StoredRange range;
} SegmentEntry;

/* Image bytes of a main-fork page, between the page header and pd_lower. */
#define SEGMENT_PAGE_BYTES (BLCKSZ - MAXALIGN(SizeOfPageHeaderData))

/*
 * Image bytes of a full chunk. Such a tuple leaves less than a hundred bytes of its page, so no directory
 * entry ever shares the page with one and the page is empty once the batch is merged.
 */
#define CHUNK_BYTES (BLCKSZ - 160)

#endif
