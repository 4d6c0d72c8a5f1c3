/*
 * recent_read.c
 *	  Bytes of recent batches: all at once for merges, by the chunk for queries, which want few columns.
 *
 * A chunk is found through the companion's index. After a few of them, or when a read spans many, the rest
 * comes in one go: whoever wants that much is likely to want all.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/directory.h"

/* Chunks fetched by ones and twos before the rest is read. */
#define FEW_CHUNKS 6

static void
incomplete_batch(const StoreUnit *unit)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("recent batch %llu is incomplete", (unsigned long long) unit->id)));
}

/* Bytes of the image before chunk i. */
static uint64
chunk_start(const StoreUnit *unit, uint32 i)
{
	uint64 off = (uint64) i * CHUNK_BYTES;

	return i == 0 ? 0 : Min(off - recent_head_bytes(unit->has_range), unit->bytes);
}

static uint32
chunk_of(const StoreUnit *unit, uint64 off)
{
	return (uint32) ((off + recent_head_bytes(unit->has_range)) / CHUNK_BYTES);
}

/* Copies the image bytes of a chunk to their place; false if it is not that chunk. */
static bool
place_chunk(const StoreUnit *unit, uint32 i, const CompanionTuple *t, uint8 *image)
{
	uint64 start = chunk_start(unit, i);
	Size skip = 0;

	if (i == 0)
	{
		StoreUnit head;

		if (!recent_parse(t, &head, &skip) || head.bytes != unit->bytes || head.has_range != unit->has_range)
			return false;
	}
	if (t->len - skip != chunk_start(unit, i + 1) - start)
		return false;
	memcpy(image + start, t->data + skip, t->len - skip);
	return true;
}

/* Chunks [from, to] of the batch to their places in image; tids (one a chunk) may be NULL. false: not all
 * there. */
static bool
read_chunks(Companion *c, Snapshot snapshot, const StoreUnit *unit, uint32 from, uint32 to, uint8 *image,
			ItemPointer tids)
{
	uint32 i = from;
	CompanionScan scan;
	CompanionTuple t;

	companion_scan_begin(&scan, c, snapshot, KIND_RECENT, unit->id + from, unit->id + to);
	while (i <= to && companion_scan_next(&scan, &t) && t.number == unit->id + i &&
		   place_chunk(unit, i, &t, image))
	{
		if (tids)
			tids[i - from] = t.tid;
		i++;
	}
	companion_scan_end(&scan);
	return i == to + 1;
}

/* A head whose numbers do not fit each other must not size anything. */
static uint8 *
allocate_image(const StoreUnit *unit, Arena *arena)
{
	if (unit->nchunks != recent_nchunks(unit->bytes, unit->has_range))
		incomplete_batch(unit);
	return arena_alloc(arena, Max(unit->bytes, 1));
}

uint8 *
recent_image(Companion *c, Snapshot snapshot, const StoreUnit *unit, Arena *arena, ItemPointer tids)
{
	uint8 *image = allocate_image(unit, arena);

	if (!read_chunks(c, snapshot, unit, 0, unit->nchunks - 1, image, tids))
		incomplete_batch(unit);
	return image;
}

uint8 *
recent_image_if_whole(Companion *c, Snapshot snapshot, const StoreUnit *unit, Arena *arena)
{
	uint8 *image = allocate_image(unit, arena);

	return read_chunks(c, snapshot, unit, 0, unit->nchunks - 1, image, NULL) ? image : NULL;
}

/* ---- by the chunk ---- */

struct RecentReader
{
	Relation rel;
	Snapshot snapshot;
	StoreUnit unit;
	uint8 *image;
	bool *have; /* per chunk */
	uint32 fetched;
};

RecentReader *
recent_reader(Relation rel, Snapshot snapshot, const StoreUnit *unit, Arena *arena)
{
	RecentReader *r = arena_alloc0(arena, sizeof(RecentReader));

	r->rel = rel;
	r->snapshot = snapshot;
	r->unit = *unit;
	r->image = allocate_image(unit, arena);
	r->have = arena_alloc0(arena, unit->nchunks * sizeof(bool));
	return r;
}

void
recent_reader_bind(RecentReader *r, Relation rel, Snapshot snapshot)
{
	r->rel = rel;
	r->snapshot = snapshot;
}

static void
fetch(RecentReader *r, uint32 from, uint32 to)
{
	Companion c;

	companion_open(r->rel, AccessShareLock, &c);
	if (!read_chunks(&c, r->snapshot, &r->unit, from, to, r->image, NULL))
		incomplete_batch(&r->unit);
	companion_close(&c);
	memset(r->have + from, true, to - from + 1);
	r->fetched += to - from + 1;
}

static bool
all_here(const RecentReader *r, uint32 from, uint32 to)
{
	for (uint32 i = from; i <= to; i++)
		if (!r->have[i])
			return false;
	return true;
}

void
recent_reader_copy(RecentReader *r, uint64 off, uint32 len, uint8 *dst)
{
	uint32 from;
	uint32 to;

	if (off > r->unit.bytes || len > r->unit.bytes - off)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("read past the end of recent batch %llu of table \"%s\"",
							   (unsigned long long) r->unit.id, RelationGetRelationName(r->rel))));
	if (len == 0)
		return;
	from = chunk_of(&r->unit, off);
	to = chunk_of(&r->unit, off + len - 1);
	if (!all_here(r, from, to))
	{
		if (r->fetched + (to - from + 1) > FEW_CHUNKS || r->unit.nchunks <= FEW_CHUNKS)
			fetch(r, 0, r->unit.nchunks - 1);
		else
			fetch(r, from, to);
	}
	memcpy(dst, r->image + off, len);
}
