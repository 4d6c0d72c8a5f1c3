/*
 * segment_read.c
 *	  Bytes of a segment through shared buffers.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "store/format.h"
#include "store/segment.h"

/* How far ahead of the page being copied the kernel is told. */
#define PREFETCH_BLOCKS 32

static void
copy_from_page(Relation rel, const StoreUnit *unit, BlockNumber index, uint32 skip, uint32 len, uint8 *dst)
{
	Buffer buf = ReadBuffer(rel, unit->block + index);
	Page page = BufferGetPage(buf);
	uint32 used;

	LockBuffer(buf, BUFFER_LOCK_SHARE);
	used = PageIsNew(page) ? 0 : ((PageHeader) page)->pd_lower;
	if (used > BLCKSZ || used < MAXALIGN(SizeOfPageHeaderData) + skip + len)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("block %u of table \"%s\" is not the page of segment %llu it should be",
						unit->block + index, RelationGetRelationName(rel), (unsigned long long) unit->id)));
	memcpy(dst, PageGetContents(page) + skip, len);
	UnlockReleaseBuffer(buf);
}

void
segment_read(Relation rel, const StoreUnit *unit, uint64 off, uint32 len, uint8 *dst)
{
	BlockNumber index = off / SEGMENT_PAGE_BYTES;
	BlockNumber last = (off + Max(len, 1) - 1) / SEGMENT_PAGE_BYTES;
	BlockNumber ahead = index + 1;
	uint32 skip = off % SEGMENT_PAGE_BYTES;

	if (off > unit->bytes || len > unit->bytes - off)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("read past the end of segment %llu of table \"%s\"",
							   (unsigned long long) unit->id, RelationGetRelationName(rel))));
	while (len > 0)
	{
		uint32 n = Min(len, SEGMENT_PAGE_BYTES - skip);

		CHECK_FOR_INTERRUPTS();
		for (; ahead <= last && ahead <= index + PREFETCH_BLOCKS; ahead++)
			PrefetchBuffer(rel, MAIN_FORKNUM, unit->block + ahead);
		copy_from_page(rel, unit, index, skip, n, dst);
		dst += n;
		len -= n;
		skip = 0;
		index++;
	}
}
