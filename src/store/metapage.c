/*
 * metapage.c
 *	  Making, reading and advancing the metapage.
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "port/pg_crc32c.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "utils/memutils.h"
#include "compat.h"
#include "store/metapage.h"

/* Row numbers must fit a TID: 2^32 - 1 synthetic blocks. */
#define MAX_ROW_NUMBER (UINT64CONST(0xFFFFFFFE) * MaxHeapTuplesPerPage)

static Size
metapage_bytes(int natts)
{
	return offsetof(MetaPage, role) + natts * sizeof(int16);
}

/* What the counters do not touch. */
static uint32
profile_crc(const MetaPage *meta)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &meta->flags, sizeof(meta->flags));
	COMP_CRC32C(crc, &meta->natts, sizeof(meta->natts));
	COMP_CRC32C(crc, meta->role, meta->natts * sizeof(int16));
	FIN_CRC32C(crc);
	return crc;
}

static void
fill_page(Page page, const TableProfile *p)
{
	MetaPage *meta = (MetaPage *) PageGetContents(page);

	PageInit(page, BLCKSZ, 0);
	memset(meta, 0, metapage_bytes(p->natts));
	meta->magic = STORE_META_MAGIC;
	meta->version = STORE_META_VERSION;
	meta->flags = p->spans ? META_SPANS : 0;
	meta->next_row = 0;
	meta->next_number = 1;
	meta->next_segment = 1;
	meta->natts = p->natts;
	memcpy(meta->role, p->role, p->natts * sizeof(int16));
	meta->profile_crc = profile_crc(meta);
	((PageHeader) page)->pd_lower = ((char *) meta - (char *) page) + metapage_bytes(p->natts);
}

static void
write_fork(SMgrRelation smgr, ForkNumber fork, bool log, Page page)
{
	if (log)
		log_newpage(compat_smgr_locator(smgr), fork, 0, page, true);
	PageSetChecksumInplace(page, 0);
	smgrextend(smgr, fork, 0, (char *) page, true);
}

/*
 * A file that skips WAL (wal_level = minimal, made by this transaction) must skip all of it: replaying this
 * page over a synced file would take the counters back.
 */
void
metapage_create(SMgrRelation smgr, char persistence, const TableProfile *p)
{
	PGAlignedBlock block;

	fill_page((Page) block.data, p);
	write_fork(smgr, MAIN_FORKNUM, persistence == RELPERSISTENCE_PERMANENT && XLogIsNeeded(),
			   (Page) block.data);
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		fill_page((Page) block.data, p);
		write_fork(smgr, INIT_FORKNUM, true, (Page) block.data);
		smgrimmedsync(smgr, INIT_FORKNUM);
	}
	/* Written past the buffer pool: a checkpoint may already be behind us. */
	if (persistence == RELPERSISTENCE_PERMANENT)
		smgrimmedsync(smgr, MAIN_FORKNUM);
}

static void
damaged_metapage(Relation rel)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("metapage of table \"%s\" is damaged", RelationGetRelationName(rel))));
}

static MetaPage *
checked_contents(Relation rel, Page page)
{
	MetaPage *meta = (MetaPage *) PageGetContents(page);

	if (PageIsNew(page) || meta->magic != STORE_META_MAGIC)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("table \"%s\" has no valid metapage", RelationGetRelationName(rel))));
	if (meta->version < STORE_META_OLDEST || meta->version > STORE_META_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has storage format version %u, this library reads versions %u to %u",
						RelationGetRelationName(rel), meta->version, STORE_META_OLDEST, STORE_META_VERSION)));
	if (meta->natts > MaxHeapAttributeNumber)
		damaged_metapage(rel);
	return meta;
}

void
metapage_read(Relation rel, MetaPage *meta)
{
	Buffer buf = ReadBuffer(rel, 0);

	LockBuffer(buf, BUFFER_LOCK_SHARE);
	memcpy(meta, checked_contents(rel, BufferGetPage(buf)), offsetof(MetaPage, role));
	UnlockReleaseBuffer(buf);
}

MetaPage *
metapage_read_all(Relation rel)
{
	Buffer buf = ReadBuffer(rel, 0);
	MetaPage *meta;
	MetaPage *copy;

	LockBuffer(buf, BUFFER_LOCK_SHARE);
	meta = checked_contents(rel, BufferGetPage(buf));
	copy = palloc(metapage_bytes(meta->natts));
	memcpy(copy, meta, metapage_bytes(meta->natts));
	UnlockReleaseBuffer(buf);
	if (copy->profile_crc != profile_crc(copy))
		damaged_metapage(rel);
	return copy;
}

typedef struct MetaChange
{
	Buffer buf;
	GenericXLogState *log;
	MetaPage *meta;
} MetaChange;

static void
begin_change(Relation rel, MetaChange *c)
{
	c->buf = ReadBuffer(rel, 0);
	LockBuffer(c->buf, BUFFER_LOCK_EXCLUSIVE);
	checked_contents(rel, BufferGetPage(c->buf));
	c->log = GenericXLogStart(rel);
	c->meta = (MetaPage *) PageGetContents(GenericXLogRegisterBuffer(c->log, c->buf, 0));
}

static void
end_change(MetaChange *c)
{
	GenericXLogFinish(c->log);
	UnlockReleaseBuffer(c->buf);
}

void
metapage_copy(Relation from, Relation to)
{
	MetaPage *meta = metapage_read_all(from);
	Buffer buf = ReadBuffer(to, 0);
	GenericXLogState *log;
	Page page;

	LockBuffer(buf, BUFFER_LOCK_EXCLUSIVE);
	log = GenericXLogStart(to);
	page = GenericXLogRegisterBuffer(log, buf, GENERIC_XLOG_FULL_IMAGE);
	memcpy(PageGetContents(page), meta, metapage_bytes(meta->natts));
	((PageHeader) page)->pd_lower =
		((char *) PageGetContents(page) - (char *) page) + metapage_bytes(meta->natts);
	GenericXLogFinish(log);
	UnlockReleaseBuffer(buf);
	pfree(meta);
}

void
metapage_allow_deleted(Relation rel)
{
	MetaPage meta;
	MetaChange c;

	metapage_read(rel, &meta);
	if (meta.version == STORE_META_VERSION)
		return;
	begin_change(rel, &c);
	c.meta->version = STORE_META_VERSION;
	end_change(&c);
}

static uint64
take_rows(Relation rel, MetaPage *meta, uint32 nrows)
{
	uint64 first = meta->next_row;

	if (first > MAX_ROW_NUMBER - nrows)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("table \"%s\" has used up its row numbers", RelationGetRelationName(rel)),
						errhint("Go on in another partition.")));
	meta->next_row += nrows;
	return first;
}

void
metapage_take_batch(Relation rel, uint32 nrows, uint32 nchunks, uint64 *first_row, uint64 *first_number)
{
	MetaChange c;

	begin_change(rel, &c);
	*first_row = take_rows(rel, c.meta, nrows);
	*first_number = c.meta->next_number;
	if (*first_number > COMPANION_NUMBER_MAX - nchunks)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("table \"%s\" has used up its batch numbers", RelationGetRelationName(rel))));
	c.meta->next_number += nchunks;
	c.meta->rows_in += nrows;
	end_change(&c);
}

void
metapage_take_segment(Relation rel, uint32 nrows, uint64 *first_row, uint64 *id)
{
	MetaChange c;

	begin_change(rel, &c);
	*first_row = take_rows(rel, c.meta, nrows);
	*id = c.meta->next_segment++;
	end_change(&c);
}

void
metapage_merged(Relation rel, uint64 rows, const uint64 *all_in)
{
	MetaChange c;

	begin_change(rel, &c);
	c.meta->rows_out = all_in ? *all_in : Min(c.meta->rows_out + rows, c.meta->rows_in);
	end_change(&c);
}
