/*
 * segment_write.c
 *	  Appending an image to the main fork.
 *
 * The relation is extended under the extension lock for the whole image, so its pages are contiguous. Pages
 * are logged as full images by core, a stretch at a time, before the ring of the bulk-write strategy comes
 * round. Nothing refers to the pages until the directory entry commits, so it does not matter when they
 * reach the disk, and an abort leaves dead bytes only.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "store/format.h"
#include "store/segment.h"

#define STRETCH_BLOCKS 512
#define COPY_BYTES     (SEGMENT_PAGE_BYTES * 1024)

BlockNumber
segment_nblocks(uint64 bytes)
{
	return (BlockNumber) ((bytes + SEGMENT_PAGE_BYTES - 1) / SEGMENT_PAGE_BYTES);
}

static BlockNumber
append_page(Relation rel, const uint8 *data, Size len, BufferAccessStrategy strategy)
{
	Buffer buf = ReadBufferExtended(rel, MAIN_FORKNUM, P_NEW, RBM_ZERO_AND_LOCK, strategy);
	BlockNumber block = BufferGetBlockNumber(buf);
	Page page = BufferGetPage(buf);

	PageInit(page, BLCKSZ, 0);
	memcpy(PageGetContents(page), data, len);
	((PageHeader) page)->pd_lower = MAXALIGN(SizeOfPageHeaderData) + len;
	MarkBufferDirty(buf);
	UnlockReleaseBuffer(buf);
	return block;
}

static void
append_image(Relation rel, const uint8 *image, uint64 bytes, BlockNumber first, BufferAccessStrategy strategy)
{
	BlockNumber nblocks = segment_nblocks(bytes);
	BlockNumber logged = 0;

	for (BlockNumber i = 0; i < nblocks; i++)
	{
		uint64 off = (uint64) i * SEGMENT_PAGE_BYTES;
		BlockNumber block = append_page(rel, image + off, Min(bytes - off, SEGMENT_PAGE_BYTES), strategy);

		CHECK_FOR_INTERRUPTS();
		if (block != first + i)
			elog(ERROR, "segment page %u of table \"%s\" landed on block %u", first + i,
				 RelationGetRelationName(rel), block);
		if (!RelationNeedsWAL(rel) || (i + 1 - logged < STRETCH_BLOCKS && i + 1 < nblocks))
			continue;
		log_newpage_range(rel, MAIN_FORKNUM, first + logged, first + i + 1, true);
		logged = i + 1;
	}
}

BlockNumber
segment_write(Relation rel, const uint8 *image, uint64 bytes)
{
	BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKWRITE);
	BlockNumber first;

	LockRelationForExtension(rel, ExclusiveLock);
	first = RelationGetNumberOfBlocks(rel);
	if (segment_nblocks(bytes) > MaxBlockNumber - first)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("table \"%s\" is full", RelationGetRelationName(rel))));
	append_image(rel, image, bytes, first, strategy);
	UnlockRelationForExtension(rel, ExclusiveLock);
	FreeAccessStrategy(strategy);
	return first;
}

BlockNumber
segment_copy(Relation from, const StoreUnit *unit, Relation to)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo segment copy", ALLOCSET_DEFAULT_SIZES);
	Arena *arena = store_arena(context);
	uint8 *image = arena_alloc(arena, unit->bytes + 1);
	SegmentReader *reader = segment_reader(from, unit, arena);
	BlockNumber first;

	/* No read is longer than 4 GB. */
	for (uint64 done = 0; done < unit->bytes;)
	{
		uint32 n = (uint32) Min(unit->bytes - done, COPY_BYTES);

		segment_read(reader, done, n, image + done);
		done += n;
	}
	first = segment_write(to, image, unit->bytes);
	MemoryContextDelete(context);
	return first;
}
