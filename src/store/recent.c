/*
 * recent.c
 *	  Recent batches: an image cut in chunks, the first of which starts with a BatchHead.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "store/directory.h"
#include "store/metapage.h"

/* From so many chunks on, finding the next head through the index is cheaper than reading past them. */
#define SEEK_CHUNKS 4

/* Directory entries that fit a block of the companion heap, with room for dead ones. */
#define ENTRIES_PER_BLOCK 24

Size
recent_head_bytes(bool has_range)
{
	return has_range ? sizeof(BatchHead) : BATCH_HEAD_SHORT;
}

uint32
recent_nchunks(uint64 image_bytes, bool has_range)
{
	return (recent_head_bytes(has_range) + image_bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

static uint32
head_crc(BatchHead head)
{
	pg_crc32c crc;

	head.crc = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &head, recent_head_bytes((head.flags & STORE_HAS_RANGE) != 0));
	FIN_CRC32C(crc);
	return crc;
}

BatchHead
recent_form_head(const StoreUnit *unit)
{
	const ImageSummary *s = &unit->summary;
	BatchHead h = {0};

	h.magic = STORE_BATCH_MAGIC;
	h.flags = unit->has_range ? STORE_HAS_RANGE : 0;
	h.nchunks = unit->nchunks;
	h.nrows = unit->nrows;
	h.nvectors = s->nvectors;
	h.ntraces = s->ntraces;
	h.first_row = unit->first_row;
	h.image_bytes = unit->bytes;
	h.made_at = unit->made_at;
	h.range.start_min = s->start_min;
	h.range.start_max = s->start_max;
	h.range.end_max = s->end_max;
	memcpy(h.range.trace_min, s->trace_min, 16);
	memcpy(h.range.trace_max, s->trace_max, 16);
	h.crc = head_crc(h);
	return h;
}

bool
recent_parse(const CompanionTuple *t, StoreUnit *unit, Size *head_len)
{
	BatchHead h = {0};

	if (t->len < BATCH_HEAD_SHORT)
		return false;
	memcpy(&h, t->data, Min(t->len, sizeof(h)));
	*head_len = recent_head_bytes((h.flags & STORE_HAS_RANGE) != 0);
	if (h.magic != STORE_BATCH_MAGIC || t->len < *head_len || h.crc != head_crc(h) || h.nchunks == 0)
		return false;
	memset(unit, 0, sizeof(*unit));
	unit->kind = UNIT_RECENT;
	unit->id = t->number;
	unit->first_row = h.first_row;
	unit->nrows = h.nrows;
	unit->nchunks = h.nchunks;
	unit->bytes = h.image_bytes;
	unit->made_at = h.made_at;
	unit->has_range = (h.flags & STORE_HAS_RANGE) != 0;
	unit->summary.nrows = h.nrows;
	unit->summary.ntraces = h.ntraces;
	unit->summary.nvectors = h.nvectors;
	if (unit->has_range)
	{
		unit->summary.start_min = h.range.start_min;
		unit->summary.start_max = h.range.start_max;
		unit->summary.end_max = h.range.end_max;
		memcpy(unit->summary.trace_min, h.range.trace_min, 16);
		memcpy(unit->summary.trace_max, h.range.trace_max, 16);
	}
	return true;
}

/*
 * Under an MVCC snapshot a batch is there with all of its chunks or not at all. Other snapshots also see
 * what an abort or a merge left and VACUUM has half removed.
 */
void
recent_read(Companion *c, Snapshot snapshot, uint64 below, UnitList *list)
{
	bool whole = snapshot->snapshot_type == SNAPSHOT_MVCC;
	uint64 next = 0;
	CompanionScan scan;
	CompanionTuple t;

	companion_scan_begin(&scan, c, snapshot, KIND_RECENT, below, COMPANION_NUMBER_MAX);
	while (companion_scan_next(&scan, &t))
	{
		StoreUnit unit;
		Size head_len;

		if (t.number < next)
			continue;
		if (!recent_parse(&t, &unit, &head_len))
		{
			if (!whole)
				continue;
			ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
							errmsg("recent batch %llu has a damaged head", (unsigned long long) t.number)));
		}
		unit_list_add(list, &unit);
		next = unit.id + unit.nchunks;
		if (unit.nchunks >= SEEK_CHUNKS)
			companion_scan_seek(&scan, next);
	}
	companion_scan_end(&scan);
}

void
recent_insert(Companion *c, const StoreUnit *unit, const uint8 *image, CommandId cid, BlockNumber reserved)
{
	BatchHead head = recent_form_head(unit);
	Size skip;
	Size done = 0;

	skip = recent_head_bytes((head.flags & STORE_HAS_RANGE) != 0);
	for (uint32 i = 0; i < unit->nchunks; i++)
	{
		Size len = Min(unit->bytes - done, CHUNK_BYTES - skip);

		CHECK_FOR_INTERRUPTS();
		companion_insert(c, KIND_RECENT, unit->id + i, &head, skip, image + done, len, cid, PLACE_ABOVE,
						 reserved);
		done += len;
		skip = 0;
	}
	Assert(done == unit->bytes);
}

uint64
store_insert_batch_cid(Relation rel, Batch *batch, CommandId cid)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo image", ALLOCSET_DEFAULT_SIZES);
	Buf image;
	StoreUnit unit = {0};
	Companion c;
	MetaPage meta;

	/* Readers hold a predicate lock on the table. */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	buf_init(&image, store_arena(context), 4096);
	image_encode(batch, CODEC_FAST, &image, &unit.summary);
	if (image.len > MaxAllocSize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("rows too large for one batch")));
	unit.nrows = batch_nrows(batch);
	unit.bytes = image.len;
	unit.nchunks = recent_nchunks(unit.bytes, batch->spans);
	unit.has_range = batch->spans;
	unit.made_at = GetCurrentTimestamp();
	companion_open(rel, RowExclusiveLock, &c);
	metapage_read(rel, &meta);
	/* A merge that holds this lock knows that every batch number given out has its tuples. */
	LockPage(rel, 0, ShareLock);
	metapage_take_batch(rel, unit.nrows, unit.nchunks, &unit.first_row, &unit.id);
	recent_insert(&c, &unit, image.p, cid, 1 + meta.next_segment / ENTRIES_PER_BLOCK);
	UnlockPage(rel, 0, ShareLock);
	companion_close(&c);
	/* autoanalyze goes by this */
	pgstat_count_heap_insert(rel, unit.nrows);
	MemoryContextDelete(context);
	return unit.first_row;
}

uint64
store_insert_batch(Relation rel, Batch *batch)
{
	return store_insert_batch_cid(rel, batch, GetCurrentCommandId(true));
}
