/*
 * companion.c
 *	  Reading and writing the companion heap.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/toast_internals.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "store/companion.h"

#define SEQ_BITS 30
#define SEQ_MASK ((UINT64CONST(1) << SEQ_BITS) - 1)

static Oid
key_id(CompanionKind kind, uint64 number)
{
	return ((Oid) kind << SEQ_BITS) | (Oid) (number >> SEQ_BITS);
}

static int32
key_seq(uint64 number)
{
	return (int32) (number & SEQ_MASK);
}

void
companion_open(Relation rel, LOCKMODE lock, Companion *c)
{
	int valid;

	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("table \"%s\" has no TOAST table, which access method tempo stores rows in",
							   RelationGetRelationName(rel)),
						errhint("Create a new table USING tempo and copy the rows.")));
	c->heap = table_open(rel->rd_rel->reltoastrelid, lock);
	valid = toast_open_indexes(c->heap, lock, &c->indexes, &c->nindexes);
	c->index = c->indexes[valid];
	c->lock = lock;
}

void
companion_close(Companion *c)
{
	LOCKMODE release = c->lock == AccessShareLock ? c->lock : NoLock;

	toast_close_indexes(c->indexes, c->nindexes, release);
	table_close(c->heap, release);
}

/*
 * Chunks stay out of the first blocks. The free space map is told that those are full: it is a hint only,
 * and directory entries find their place without it.
 */
static void
aim_above(Relation heap, Size len, BlockNumber reserved)
{
	BlockNumber target = RelationGetTargetBlock(heap);
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);

	if (nblocks <= reserved)
	{
		LockRelationForExtension(heap, ExclusiveLock);
		for (nblocks = RelationGetNumberOfBlocks(heap); nblocks <= reserved; nblocks++)
			ReleaseBuffer(ReadBuffer(heap, P_NEW));
		UnlockRelationForExtension(heap, ExclusiveLock);
	}
	for (BlockNumber b = 0; b < reserved; b++)
		if (GetRecordedFreeSpace(heap, b) > 0)
			RecordPageWithFreeSpace(heap, b, 0);
	if (target != InvalidBlockNumber && target >= reserved)
		return;
	target = GetPageWithFreeSpace(heap, len);
	while (target != InvalidBlockNumber && target < reserved)
		target = RecordAndGetPageWithFreeSpace(heap, target, 0, len);
	RelationSetTargetBlock(heap, target != InvalidBlockNumber ? target : nblocks - 1);
}

static bool
block_has_room(Relation heap, BlockNumber block, Size len)
{
	Buffer buf = ReadBuffer(heap, block);
	bool room;

	LockBuffer(buf, BUFFER_LOCK_SHARE);
	room = PageIsNew(BufferGetPage(buf)) || PageGetHeapFreeSpace(BufferGetPage(buf)) >= len;
	UnlockReleaseBuffer(buf);
	return room;
}

static void
aim_low(Relation heap, Size len)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(heap);

	for (BlockNumber b = 0; b < nblocks; b++)
	{
		CHECK_FOR_INTERRUPTS();
		if (block_has_room(heap, b, len))
		{
			RelationSetTargetBlock(heap, b);
			return;
		}
	}
}

HeapTuple
companion_form(Companion *c, CompanionKind kind, uint64 number, const void *head, Size head_len,
			   const void *data, Size len)
{
	bytea *value = palloc(VARHDRSZ + head_len + len);
	Datum values[3];
	bool nulls[3] = {false, false, false};
	HeapTuple tup;

	SET_VARSIZE(value, VARHDRSZ + head_len + len);
	if (head_len > 0)
		memcpy(VARDATA(value), head, head_len);
	if (len > 0)
		memcpy(VARDATA(value) + head_len, data, len);
	values[0] = ObjectIdGetDatum(key_id(kind, number));
	values[1] = Int32GetDatum(key_seq(number));
	values[2] = PointerGetDatum(value);
	tup = heap_form_tuple(RelationGetDescr(c->heap), values, nulls);
	pfree(value);
	return tup;
}

static void
index_tuple(Companion *c, CompanionKind kind, uint64 number, ItemPointer tid, bool check)
{
	Datum key[3] = {ObjectIdGetDatum(key_id(kind, number)), Int32GetDatum(key_seq(number)), (Datum) 0};
	bool nulls[3] = {false, false, true};

	for (int i = 0; i < c->nindexes; i++)
		if (c->indexes[i]->rd_index->indisready)
			index_insert(c->indexes[i], key, nulls, tid, c->heap,
						 check && c->indexes[i]->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
						 false, NULL);
}

void
companion_insert(Companion *c, CompanionKind kind, uint64 number, const void *head, Size head_len,
				 const void *data, Size len, CommandId cid, CompanionPlace place, BlockNumber reserved)
{
	HeapTuple tup = companion_form(c, kind, number, head, head_len, data, len);

	if (place == PLACE_LOW)
		aim_low(c->heap, MAXALIGN(tup->t_len));
	else if (place == PLACE_ABOVE)
		aim_above(c->heap, MAXALIGN(tup->t_len), reserved);
	heap_insert(c->heap, tup, cid, HEAP_INSERT_NO_LOGICAL, NULL);
	if (place == PLACE_LOW)
		RelationSetTargetBlock(c->heap, InvalidBlockNumber);
	index_tuple(c, kind, number, &tup->t_self, true);
	heap_freetuple(tup);
}

void
companion_enter(Companion *c, CompanionKind kind, uint64 number, ItemPointer tid)
{
	index_tuple(c, kind, number, tid, false);
}

void
companion_delete(Companion *c, ItemPointer tid)
{
	simple_heap_delete(c->heap, tid);
}

/* A btree row comparison (chunk_id, chunk_seq) >= or <= (id, seq), in three scan keys. */
static void
set_bound(ScanKey header, ScanKey member, StrategyNumber strategy, Oid id, int32 seq)
{
	ScanKeyEntryInitialize(&member[0], SK_ROW_MEMBER, 1, strategy, InvalidOid, InvalidOid, F_BTOIDCMP,
						   ObjectIdGetDatum(id));
	ScanKeyEntryInitialize(&member[1], SK_ROW_MEMBER | SK_ROW_END, 2, strategy, InvalidOid, InvalidOid,
						   F_BTINT4CMP, Int32GetDatum(seq));
	memset(header, 0, sizeof(*header));
	header->sk_flags = SK_ROW_HEADER;
	header->sk_attno = 1;
	header->sk_strategy = strategy;
	header->sk_argument = PointerGetDatum(member);
}

/*
 * A btree ends a scan by a row comparison only when the first column is past the bound, so where that is the
 * same for all keys each column has keys of its own.
 */
static void
set_plain(CompanionScan *s, Oid id, int32 seq)
{
	ScanKeyInit(&s->plain[0], 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(id));
	ScanKeyInit(&s->plain[2], 2, BTLessEqualStrategyNumber, F_INT4LE, Int32GetDatum(seq));
	s->id = id;
}

static void
begin_scan(CompanionScan *s, Companion *c, Snapshot snapshot, CompanionKind kind, uint64 from,
		   CompanionKind last, uint64 to)
{
	s->companion = c;
	s->kind = kind;
	s->slot = table_slot_create(c->heap, NULL);
	s->one_id = key_id(kind, from) == key_id(last, to);
	s->scan = index_beginscan(c->heap, c->index, snapshot, s->one_id ? 3 : 2, 0);
	if (s->one_id)
		set_plain(s, key_id(last, to), key_seq(to));
	else
		set_bound(&s->bound[1], &s->member[2], BTLessEqualStrategyNumber, key_id(last, to), key_seq(to));
	companion_scan_seek(s, from);
}

void
companion_scan_begin(CompanionScan *s, Companion *c, Snapshot snapshot, CompanionKind kind, uint64 from,
					 uint64 to)
{
	begin_scan(s, c, snapshot, kind, from, kind, to);
}

void
companion_scan_begin_kinds(CompanionScan *s, Companion *c, Snapshot snapshot, CompanionKind kind, uint64 from,
						   CompanionKind last)
{
	begin_scan(s, c, snapshot, kind, from, last, COMPANION_NUMBER_MAX);
}

void
companion_scan_seek(CompanionScan *s, uint64 from)
{
	ExecClearTuple(s->slot);
	if (s->one_id)
	{
		/* Past that id there is nothing: no chunk_seq is that large. */
		int32 seq = key_id(s->kind, from) == s->id ? key_seq(from) : PG_INT32_MAX;

		ScanKeyInit(&s->plain[1], 2, BTGreaterEqualStrategyNumber, F_INT4GE, Int32GetDatum(seq));
		index_rescan(s->scan, s->plain, 3, NULL, 0);
		return;
	}
	set_bound(&s->bound[0], &s->member[0], BTGreaterEqualStrategyNumber, key_id(s->kind, from),
			  key_seq(from));
	index_rescan(s->scan, s->bound, 2, NULL, 0);
}

static void
corrupt_tuple(Companion *c)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("malformed tuple in companion heap \"%s\"", RelationGetRelationName(c->heap))));
}

void
companion_parse(Companion *c, TupleTableSlot *slot, CompanionTuple *t)
{
	bool null[3];
	Datum id = slot_getattr(slot, 1, &null[0]);
	Datum seq = slot_getattr(slot, 2, &null[1]);
	struct varlena *value = (struct varlena *) DatumGetPointer(slot_getattr(slot, 3, &null[2]));

	if (null[0] || null[1] || null[2] || VARATT_IS_EXTERNAL(value) || VARATT_IS_COMPRESSED(value))
		corrupt_tuple(c);
	t->kind = (CompanionKind) (DatumGetObjectId(id) >> SEQ_BITS);
	t->number = ((uint64) (DatumGetObjectId(id) & SEQ_MASK) << SEQ_BITS) | (DatumGetInt32(seq) & SEQ_MASK);
	t->data = (const uint8 *) VARDATA_ANY(value);
	t->len = VARSIZE_ANY_EXHDR(value);
	t->tid = slot->tts_tid;
}

bool
companion_scan_next(CompanionScan *s, CompanionTuple *t)
{
	CHECK_FOR_INTERRUPTS();
	if (!index_getnext_slot(s->scan, ForwardScanDirection, s->slot))
		return false;
	companion_parse(s->companion, s->slot, t);
	return true;
}

HeapTuple
companion_scan_tuple(CompanionScan *s, Buffer *buf)
{
	BufferHeapTupleTableSlot *slot = (BufferHeapTupleTableSlot *) s->slot;

	if (buf)
		*buf = slot->buffer;
	return slot->base.tuple;
}

void
companion_scan_end(CompanionScan *s)
{
	index_endscan(s->scan);
	ExecDropSingleTupleTableSlot(s->slot);
}
