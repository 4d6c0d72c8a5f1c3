/*
 * layout_check.c
 *	  Pins the layout of format.h: a change here is a change of format, and needs a new version.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "store/format.h"

StaticAssertDecl(offsetof(MetaPage, next_row) == 8, "metapage layout");
StaticAssertDecl(offsetof(MetaPage, natts) == 48, "metapage layout");
StaticAssertDecl(offsetof(MetaPage, profile_crc) == 52, "metapage layout");
StaticAssertDecl(offsetof(MetaPage, role) == 56, "metapage layout");
StaticAssertDecl(offsetof(MetaPage, role) + MaxHeapAttributeNumber * sizeof(int16) < BLCKSZ - 64,
				 "the roles of the widest table fit the metapage");

StaticAssertDecl(sizeof(StoredRange) == 56, "range layout");
StaticAssertDecl(BATCH_HEAD_SHORT == 48, "batch head layout");
StaticAssertDecl(sizeof(BatchHead) == 104, "batch head layout");
StaticAssertDecl(offsetof(BatchHead, first_row) == 24, "batch head layout");

StaticAssertDecl(offsetof(SegmentEntry, first_block) == 32, "segment entry layout");
StaticAssertDecl(offsetof(SegmentEntry, below) == 56, "segment entry layout");
StaticAssertDecl(offsetof(SegmentEntry, range) == 80, "segment entry layout");
StaticAssertDecl(sizeof(SegmentEntry) == 136, "segment entry layout");

StaticAssertDecl(CHUNK_BYTES + 12 + MAXALIGN(SizeofHeapTupleHeader) <= MaxHeapTupleSize,
				 "a chunk is a legal heap tuple");
StaticAssertDecl(MaxHeapTupleSize - MAXALIGN(CHUNK_BYTES + 12 + MAXALIGN(SizeofHeapTupleHeader)) <
					 sizeof(SegmentEntry),
				 "no directory entry fits beside a full chunk");
