/*
 * kept.c
 *	  A table of open images with least-recently-used eviction; see kept.h.
 *
 * An entry in use has pins, one for each keeper_open, which its keepers remember. A keeper whose context
 * goes away with pins left belonged to a query that failed.
 */
#include "store/kept.h"

#include "lib/ilist.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "compat.h"
#include "store/directory.h"

typedef struct KeptKey
{
	RelFileLocator locator;
	uint32 kind;
	uint64 id;
	uint64 first_row;
	uint64 bytes;
	int64 made_at;
} KeptKey;

typedef struct KeptEntry
{
	KeptKey key;
	Kept kept;
	UnitSource *source;
	int pins;
	bool doubtful; /* a user failed: in the table no more, and not to be used again */
	Size size;
	uint64 footer_bytes;
	uint64 bytes_told;
	dlist_node node; /* of idle, when there are no pins */
} KeptEntry;

typedef struct KeptSlot
{
	KeptKey key;
	KeptEntry *entry; /* in its image's context */
} KeptSlot;

struct Keeper
{
	MemoryContextCallback callback;
	MemoryContext context;
	bool finished;
	int npins;
	int cap;
	KeptEntry **pins;
};

static int image_cache = 64 * 1024;

static MemoryContext kept_context;
static HTAB *kept_table;
static dlist_head idle = DLIST_STATIC_INIT(idle); /* longest idle first */
static Size idle_size;

void
kept_define_settings(void)
{
	DefineCustomIntVariable("tempo.image_cache",
							"Memory a process keeps footers and dictionaries of segments in.",
							"0 keeps nothing from one query to the next.", &image_cache, 64 * 1024, 0,
							MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

static void
make_table(void)
{
	HASHCTL ctl = {.keysize = sizeof(KeptKey), .entrysize = sizeof(KeptSlot)};

	if (kept_table)
		return;
	if (!kept_context)
		kept_context = AllocSetContextCreate(TopMemoryContext, "tempo images", ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = kept_context;
	kept_table = hash_create("tempo images", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static KeptKey
key_of(Relation rel, const StoreUnit *unit)
{
	KeptKey key;

	memset(&key, 0, sizeof(key));
	key.locator = rel->rd_locator;
	key.kind = unit->kind;
	key.id = unit->id;
	key.first_row = unit->first_row;
	key.bytes = unit->bytes;
	key.made_at = unit->made_at;
	return key;
}

/* ---- entries ---- */

static void
make_room(void)
{
	while (idle_size > (Size) image_cache * 1024 && !dlist_is_empty(&idle))
	{
		KeptEntry *oldest = dlist_head_element(KeptEntry, node, &idle);

		dlist_delete(&oldest->node);
		idle_size -= oldest->size;
		hash_search(kept_table, &oldest->key, HASH_REMOVE, NULL);
		MemoryContextDelete(oldest->kept.context);
	}
}

static void
unpin(KeptEntry *entry)
{
	if (--entry->pins > 0)
		return;
	if (entry->doubtful)
	{
		MemoryContextDelete(entry->kept.context);
		return;
	}
	entry->size = MemoryContextMemAllocated(entry->kept.context, true);
	idle_size += entry->size;
	dlist_push_tail(&idle, &entry->node);
	make_room();
}

/* The table learns of it when nothing can fail any more. */
static KeptEntry *
open_entry(const KeptKey *key, Relation rel, Snapshot snapshot, const StoreUnit *unit)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "tempo image", ALLOCSET_DEFAULT_SIZES);
	KeptEntry *entry = MemoryContextAllocZero(context, sizeof(KeptEntry));
	KeptSlot *slot;

	entry->key = *key;
	entry->kept.context = context;
	entry->kept.image = store_open_source(rel, snapshot, unit, store_arena(context), &entry->source);
	entry->footer_bytes = image_counters(entry->kept.image).bytes_read;
	slot = hash_search(kept_table, key, HASH_ENTER, NULL);
	slot->entry = entry;
	MemoryContextSetParent(context, kept_context);
	return entry;
}

static KeptEntry *
find_entry(const KeptKey *key, Relation rel, Snapshot snapshot)
{
	KeptSlot *slot = hash_search(kept_table, key, HASH_FIND, NULL);

	if (!slot)
		return NULL;
	if (slot->entry->pins == 0)
	{
		dlist_delete(&slot->entry->node);
		idle_size -= slot->entry->size;
	}
	store_source_bind(slot->entry->source, rel, snapshot);
	slot->entry->bytes_told -= slot->entry->footer_bytes;
	return slot->entry;
}

/* ---- keepers ---- */

/* Images left open: the query failed, unless it said that it was done with them. */
static void
abandon(void *arg)
{
	Keeper *keeper = arg;

	while (keeper->npins > 0)
	{
		KeptEntry *entry = keeper->pins[--keeper->npins];

		if (!keeper->finished && !entry->doubtful)
		{
			hash_search(kept_table, &entry->key, HASH_REMOVE, NULL);
			entry->doubtful = true;
		}
		unpin(entry);
	}
}

Keeper *
keeper_create(MemoryContext context)
{
	Keeper *keeper = MemoryContextAllocZero(context, sizeof(Keeper));

	make_table();
	keeper->context = context;
	keeper->cap = 8;
	keeper->pins = MemoryContextAlloc(context, keeper->cap * sizeof(KeptEntry *));
	keeper->callback.func = abandon;
	keeper->callback.arg = keeper;
	MemoryContextRegisterResetCallback(context, &keeper->callback);
	return keeper;
}

Kept *
keeper_open(Keeper *keeper, Relation rel, Snapshot snapshot, const StoreUnit *unit)
{
	KeptKey key = key_of(rel, unit);
	KeptEntry *entry;

	if (keeper->npins == keeper->cap)
	{
		keeper->pins = repalloc(keeper->pins, 2 * keeper->cap * sizeof(KeptEntry *));
		keeper->cap *= 2;
	}
	entry = find_entry(&key, rel, snapshot);
	if (!entry)
		entry = open_entry(&key, rel, snapshot, unit);
	entry->pins++;
	keeper->pins[keeper->npins++] = entry;
	return &entry->kept;
}

void
keeper_finish(Keeper *keeper)
{
	keeper->finished = true;
}

uint64
keeper_close(Keeper *keeper, Kept *kept)
{
	for (int i = keeper->npins - 1; i >= 0; i--)
	{
		KeptEntry *entry = keeper->pins[i];
		uint64 bytes;

		if (&entry->kept != kept)
			continue;
		bytes = image_counters(kept->image).bytes_read - entry->bytes_told;
		entry->bytes_told += bytes;
		keeper->pins[i] = keeper->pins[--keeper->npins];
		unpin(entry);
		return bytes;
	}
	elog(ERROR, "image is not open");
	return 0; /* keep compiler quiet */
}
