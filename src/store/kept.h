/*
 * kept.h
 *	  Images that stay open in a process from query to query: footers, indexes and dictionaries are then read
 *	  and checked once, not by every query, and columns that queries ask for again are decoded once. Nothing
 *	  of any answer is kept.
 *
 * What a query may see is decided by the directory and its snapshot as ever; only then an image is looked
 * for here, by the file, the unit's number, when it was made and how long it is, and none of that is ever
 * used again for other bytes. Images nobody uses make room for others when all together hold more than
 * tempo.image_cache. Vectors have a bound of their own, tempo.vector_cache: a query that needs more than
 *there is room for keeps the first ones it meets, so that going round and round over too much does not keep
 *nothing; images that no longer are asked for give theirs up first. An image whose user failed is forgotten,
 *as it may be half read.
 *
 * Ownership: a Keeper belongs to one query and hangs off a memory context, whose end also ends it. Kept
 * images are shared by the keepers of the process; what their users derive from the bytes of an image, and
 * from nothing else, may be put in its context and found again through facts.
 */
#ifndef TEMPO_KEPT_H
#define TEMPO_KEPT_H

#include "postgres.h"
#include "store/store.h"

typedef struct Kept
{
	Image *image;
	MemoryContext context;
	void *facts; /* NULL until somebody puts something there */
} Kept;

typedef struct Keeper Keeper;

/* Settings tempo.image_cache and tempo.vector_cache. Called once, from _PG_init. */
extern void kept_define_settings(void);

extern Keeper *keeper_create(MemoryContext context);
/* The unit's image. rel and snapshot, which sees the unit, stay until keeper_close. */
extern Kept *keeper_open(Keeper *keeper, Relation rel, Snapshot snapshot, const StoreUnit *unit);
/*
 * A lazy batch over a vector. Where tempo.vector_cache has room it stays with the image, with all that is
 * loaded by and by, and is not to be written to; otherwise it is made in arena. Lives as long as both.
 */
extern Batch *kept_vector(Kept *kept, uint32 v, Arena *arena);
/* Returns the bytes looked at: read from storage since somebody closed it last, and the footer again. */
extern uint64 keeper_close(Keeper *keeper, Kept *kept);
/*
 * All reading is done, but what was read points into images: those that are open stay until the keeper's
 * context goes, which is no failure then.
 */
extern void keeper_finish(Keeper *keeper);

#endif
