/*
 * region.c
 *	  Arenas whose blocks come from a memory context, and what codecs do without memory.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "store/store.h"

/* palloc aligns to 8 bytes, arenas promise 16: the chunk's own address is kept just before the block. */
static void *
region_alloc(void *ctx, size_t size)
{
	char *chunk = MemoryContextAllocExtended((MemoryContext) ctx, size + 24, MCXT_ALLOC_HUGE);
	char *block = (char *) TYPEALIGN(16, chunk + sizeof(char *));

	memcpy(block - sizeof(char *), &chunk, sizeof(char *));
	return block;
}

static void
region_release(void *ctx, void *block)
{
	char *chunk;

	memcpy(&chunk, (char *) block - sizeof(char *), sizeof(char *));
	pfree(chunk);
}

Arena *
store_arena(MemoryContext context)
{
	ArenaHooks hooks = {region_alloc, region_release, context};

	return arena_create(&hooks, 0);
}

static void
codec_oom(size_t size)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
					errdetail("Failed on request of size %zu in a column encoding.", size)));
}

void
store_init(void)
{
	codec_set_oom(codec_oom);
}
