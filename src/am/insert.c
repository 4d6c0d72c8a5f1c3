/*
 * insert.c
 *	  Every call writes one recent batch: when it returns the rows are stored, nothing is held back.
 *
 * But for rows that come one by one into a new table, from CREATE TABLE AS, REFRESH MATERIALIZED VIEW and
 * rewrites by ALTER TABLE. Nobody looks at those before they say that they are done
 * (table_finish_bulk_insert), so they are collected until then. They belong to the subtransaction that
 * makes the table, and go with it.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "am/am.h"

#define BULK_ROWS  1000
#define BULK_BYTES (8 * 1024 * 1024)

typedef struct BulkRows
{
	struct BulkRows *next;
	MemoryContext context; /* this struct and the slots */
	MemoryContextCallback forget;
	Oid relid;
	CommandId cid;
	int options;
	int n;
	Size bytes;
	TupleTableSlot *slots[BULK_ROWS]; /* made as they are needed */
} BulkRows;

static BulkRows *all_bulk;

void
am_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
				struct BulkInsertStateData *bistate)
{
	MemoryContext context;
	MemoryContext old;
	uint64 first_row;

	if (nslots == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "tempo insert", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	first_row = store_insert_batch_cid(rel, row_write_batch(rel, slots, nslots, store_arena(context)), cid);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	for (int i = 0; i < nslots; i++)
	{
		store_row_to_tid(first_row + i, &slots[i]->tts_tid);
		slots[i]->tts_tableOid = RelationGetRelid(rel);
	}
}

/* ---- rows of new tables ---- */

static void
forget_bulk(void *arg)
{
	for (BulkRows **p = &all_bulk; *p; p = &(*p)->next)
		if (*p == arg)
		{
			*p = (*p)->next;
			return;
		}
}

/* Whoever inserted without saying that it was done must not lose rows silently. */
static void
at_commit(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) && all_bulk)
		elog(ERROR, "rows inserted in bulk into table %u were not finished", all_bulk->relid);
}

static BulkRows *
find_bulk(Oid relid)
{
	BulkRows *b = all_bulk;

	while (b && b->relid != relid)
		b = b->next;
	return b;
}

static BulkRows *
make_bulk(Relation rel, CommandId cid, int options)
{
	static bool registered;
	MemoryContext context =
		AllocSetContextCreate(CurTransactionContext, "tempo bulk insert", ALLOCSET_DEFAULT_SIZES);
	BulkRows *b = MemoryContextAllocZero(context, sizeof(BulkRows));

	if (!registered)
		RegisterXactCallback(at_commit, NULL);
	registered = true;
	b->context = context;
	b->relid = RelationGetRelid(rel);
	b->cid = cid;
	b->options = options;
	b->forget.func = forget_bulk;
	b->forget.arg = b;
	MemoryContextRegisterResetCallback(context, &b->forget);
	b->next = all_bulk;
	all_bulk = b;
	return b;
}

static void
store_bulk(Relation rel, BulkRows *b)
{
	am_multi_insert(rel, b->slots, b->n, b->cid, b->options, NULL);
	for (int i = 0; i < b->n; i++)
		ExecClearTuple(b->slots[i]);
	b->n = 0;
	b->bytes = 0;
}

static void
add_to_bulk(Relation rel, TupleTableSlot *slot, CommandId cid, int options)
{
	BulkRows *b = find_bulk(RelationGetRelid(rel));
	MemoryContext old;
	TupleTableSlot *copy;

	if (b == NULL)
		b = make_bulk(rel, cid, options);
	old = MemoryContextSwitchTo(b->context);
	/* A description of its own, which nobody has to let go of. */
	if (b->slots[b->n] == NULL)
		b->slots[b->n] =
			MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(rel)), am_slot_callbacks(rel));
	copy = ExecCopySlot(b->slots[b->n++], slot);
	MemoryContextSwitchTo(old);
	b->bytes += am_slot_bytes(copy);
	ItemPointerSetInvalid(&slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
	if (b->n == BULK_ROWS || b->bytes >= BULK_BYTES)
		store_bulk(rel, b);
}

void
am_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
				struct BulkInsertStateData *bistate)
{
	/* COPY looks at rows before it is done, for triggers; when it has none it brings many at a time. */
	if (bistate && (options & TABLE_INSERT_SKIP_FSM) && !am_copying())
		add_to_bulk(rel, slot, cid, options);
	else
		am_multi_insert(rel, &slot, 1, cid, options, bistate);
}

void
am_finish_bulk_insert(Relation rel, int options)
{
	BulkRows *b = find_bulk(RelationGetRelid(rel));

	if (b == NULL)
		return;
	store_bulk(rel, b);
	MemoryContextDelete(b->context);
}
