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
	uint64 used;                   /* number of the last keeper that asked for a vector */
	MemoryContext vectors_context; /* NULL: no vectors are kept */
	Arena *vectors_arena;
	Batch **vectors;   /* by vector; NULL: not kept */
	Size vectors_size; /* as in all_vectors */
	dlist_node node;   /* of idle, when there are no pins */
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
static int vector_cache = 128 * 1024;

static MemoryContext kept_context;
static HTAB *kept_table;
static dlist_head idle = DLIST_STATIC_INIT(idle); /* longest idle first */
static Size idle_size;
static Size all_vectors; /* bytes of the vectors of all entries */
static uint64 keepers;   /* made so far */

void
kept_define_settings(void)
{
	DefineCustomIntVariable("tempo.image_cache",
							"Memory a process keeps footers and dictionaries of segments in.",
							"0 keeps nothing from one query to the next.", &image_cache, 64 * 1024, 0,
							MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("tempo.vector_cache", "Memory a process keeps decoded columns of segments in.",
							"0 decodes them for every query.", &vector_cache, 128 * 1024, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
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

/* ---- vectors ---- */

static void
drop_vectors(KeptEntry *entry)
{
	if (entry->vectors_context)
		MemoryContextDelete(entry->vectors_context);
	all_vectors -= entry->vectors_size;
	entry->vectors_context = NULL;
	entry->vectors_size = 0;
}

static void
measure_vectors(KeptEntry *entry)
{
	all_vectors -= entry->vectors_size;
	entry->vectors_size =
		entry->vectors_context ? MemoryContextMemAllocated(entry->vectors_context, true) : 0;
	all_vectors += entry->vectors_size;
}

static bool
vectors_fit(void)
{
	return all_vectors <= (Size) vector_cache * 1024;
}

/* Idle images that this query has not asked give up their vectors, as far as need be. */
static bool
make_room_for_vectors(void)
{
	dlist_iter iter;

	dlist_foreach(iter, &idle)
	{
		KeptEntry *entry = dlist_container(KeptEntry, node, iter.cur);

		if (vectors_fit())
			break;
		if (entry->used < keepers)
			drop_vectors(entry);
	}
	return vectors_fit();
}

static void
begin_vectors(KeptEntry *entry)
{
	MemoryContext context =
		AllocSetContextCreate(entry->kept.context, "tempo vectors", ALLOCSET_DEFAULT_SIZES);

	entry->vectors =
		MemoryContextAllocZero(context, image_summary(entry->kept.image)->nvectors * sizeof(Batch *));
	entry->vectors_arena = store_arena(context);
	entry->vectors_context = context;
}

Batch *
kept_vector(Kept *kept, uint32 v, Arena *arena)
{
	KeptEntry *entry = (KeptEntry *) ((char *) kept - offsetof(KeptEntry, kept));

	entry->used = keepers;
	if (!entry->vectors_context || !entry->vectors[v])
	{
		measure_vectors(entry);
		if (vector_cache == 0 || !make_room_for_vectors())
			return image_vector(kept->image, v, arena);
		if (!entry->vectors_context)
			begin_vectors(entry);
		entry->vectors[v] = image_vector(kept->image, v, entry->vectors_arena);
	}
	/* of several users none knows how long the others' arenas live */
	image_vector_scratch(entry->vectors[v], entry->pins == 1 ? arena : NULL);
	return entry->vectors[v];
}

/* A user goes, and its arenas with it. */
static void
forget_scratch(KeptEntry *entry)
{
	if (!entry->vectors_context)
		return;
	for (uint32 v = 0; v < image_summary(entry->kept.image)->nvectors; v++)
		if (entry->vectors[v])
			image_vector_scratch(entry->vectors[v], NULL);
}

/* ---- entries ---- */

static void
delete_entry(KeptEntry *entry)
{
	all_vectors -= entry->vectors_size;
	MemoryContextDelete(entry->kept.context);
}

static void
make_room(void)
{
	while (idle_size > (Size) image_cache * 1024 && !dlist_is_empty(&idle))
	{
		KeptEntry *oldest = dlist_head_element(KeptEntry, node, &idle);

		dlist_delete(&oldest->node);
		idle_size -= oldest->size;
		hash_search(kept_table, &oldest->key, HASH_REMOVE, NULL);
		delete_entry(oldest);
	}
}

static void
unpin(KeptEntry *entry)
{
	forget_scratch(entry);
	if (--entry->pins > 0)
		return;
	if (entry->doubtful)
	{
		delete_entry(entry);
		return;
	}
	measure_vectors(entry);
	if (!make_room_for_vectors())
		drop_vectors(entry);
	entry->size = MemoryContextMemAllocated(entry->kept.context, true) - entry->vectors_size;
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
	keepers++;
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
