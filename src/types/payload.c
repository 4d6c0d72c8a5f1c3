/*
 * payload.c
 *	  The way from varlena to payload and back, for tempo.attributes, tempo.events and tempo.links.
 */
#include "types/types.h"

#include "utils/memutils.h"

static void *
arena_palloc(void *context, size_t size)
{
	return MemoryContextAllocHuge((MemoryContext) context, size);
}

static void
arena_pfree(void *context, void *block)
{
	pfree(block);
}

Arena *
types_arena(void)
{
	ArenaHooks hooks = {arena_palloc, arena_pfree, CurrentMemoryContext};

	return arena_create(&hooks, 8192);
}

Str
types_payload(Datum d)
{
	return types_varlena_payload(PG_DETOAST_DATUM_PACKED(d));
}

Datum
types_datum(Str payload)
{
	size_t len = payload.len ? payload.len : 1;
	struct varlena *v;

	if (len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("attribute value of %zu bytes is too long", len)));
	v = palloc(VARHDRSZ + len);
	SET_VARSIZE(v, VARHDRSZ + len);
	if (payload.len)
		memcpy(VARDATA(v), payload.p, len);
	else
		*VARDATA(v) = 0;
	return PointerGetDatum(v);
}
