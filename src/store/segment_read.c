/*
 * segment_read.c
 *	  Bytes of a segment through shared buffers.
 *
 * Readers ask for many small pieces that lie close together, so the pages copied last are kept: a page is
 * touched once however many blocks of a column it holds. Pages are immutable, so copies cannot go stale.
 * The copies are the process's, whichever reader made them, so that readers may stay open by the hundred.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "store/format.h"
#include "store/segment.h"

/* How far ahead of the page being copied the kernel is told. */
#define PREFETCH_BLOCKS 32

/* Pages kept; a page's place follows from its number and its reader's. */
#define CACHE_PAGES 64

struct SegmentReader
{
	Relation rel;
	StoreUnit unit;
	uint64 number; /* no other reader of this process ever had it; not 0 */
};

typedef struct KeptPage
{
	uint64 reader; /* 0: nothing is kept here */
	BlockNumber index;
	uint8 *bytes; /* SEGMENT_PAGE_BYTES, allocated when first used */
} KeptPage;

static KeptPage cache[CACHE_PAGES];
static uint64 readers;

SegmentReader *
segment_reader(Relation rel, const StoreUnit *unit, Arena *arena)
{
	SegmentReader *r = arena_alloc0(arena, sizeof(SegmentReader));

	r->rel = rel;
	r->unit = *unit;
	r->number = ++readers;
	return r;
}

void
segment_reader_bind(SegmentReader *r, Relation rel)
{
	r->rel = rel;
}

static KeptPage *
place_of(const SegmentReader *r, BlockNumber index)
{
	return &cache[(index + r->number * 29) % CACHE_PAGES];
}

static bool
is_kept(const SegmentReader *r, BlockNumber index)
{
	const KeptPage *place = place_of(r, index);

	return place->reader == r->number && place->index == index;
}

/* Bytes of the image on a page of the segment. */
static uint32
page_bytes(const StoreUnit *unit, BlockNumber index)
{
	return (uint32) Min(SEGMENT_PAGE_BYTES, unit->bytes - (uint64) index * SEGMENT_PAGE_BYTES);
}

static void
copy_page(const SegmentReader *r, BlockNumber index, uint8 *dst)
{
	uint32 len = page_bytes(&r->unit, index);
	Buffer buf = ReadBuffer(r->rel, r->unit.block + index);
	Page page = BufferGetPage(buf);
	uint32 used;

	LockBuffer(buf, BUFFER_LOCK_SHARE);
	used = PageIsNew(page) ? 0 : ((PageHeader) page)->pd_lower;
	if (used != MAXALIGN(SizeOfPageHeaderData) + len)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("block %u of table \"%s\" is not the page of segment %llu it should be",
							   r->unit.block + index, RelationGetRelationName(r->rel),
							   (unsigned long long) r->unit.id)));
	memcpy(dst, PageGetContents(page), len);
	UnlockReleaseBuffer(buf);
}

static const uint8 *
kept_page(const SegmentReader *r, BlockNumber index)
{
	KeptPage *place = place_of(r, index);

	if (is_kept(r, index))
		return place->bytes;
	if (place->bytes == NULL)
		place->bytes = MemoryContextAlloc(TopMemoryContext, SEGMENT_PAGE_BYTES);
	place->reader = 0;
	copy_page(r, index, place->bytes);
	place->index = index;
	place->reader = r->number;
	return place->bytes;
}

static void
prefetch(const SegmentReader *r, BlockNumber index, BlockNumber last)
{
	for (; index <= last; index++)
		if (!is_kept(r, index))
			PrefetchBuffer(r->rel, MAIN_FORKNUM, r->unit.block + index);
}

void
segment_read(SegmentReader *r, uint64 off, uint32 len, uint8 *dst)
{
	BlockNumber index = off / SEGMENT_PAGE_BYTES;
	BlockNumber last = (off + Max(len, 1) - 1) / SEGMENT_PAGE_BYTES;
	uint32 skip = off % SEGMENT_PAGE_BYTES;

	if (off > r->unit.bytes || len > r->unit.bytes - off)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("read past the end of segment %llu of table \"%s\"",
							   (unsigned long long) r->unit.id, RelationGetRelationName(r->rel))));
	for (BlockNumber i = 0; len > 0; i++, index++)
	{
		uint32 n = Min(len, SEGMENT_PAGE_BYTES - skip);

		CHECK_FOR_INTERRUPTS();
		if (i % PREFETCH_BLOCKS == 0)
			prefetch(r, index + 1, Min(last, index + PREFETCH_BLOCKS));
		/* Whole pages within a long read are not asked for again. */
		if (n == page_bytes(&r->unit, index) && !is_kept(r, index))
			copy_page(r, index, dst);
		else
			memcpy(dst, kept_page(r, index) + skip, n);
		dst += n;
		len -= n;
		skip = 0;
	}
}
