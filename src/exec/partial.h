/*
 * partial.h
 *	  Bytes that processes of a parallel aggregate hand to one another through shared memory: arrays, each
 *	  aligned, written and read in the same order by the same program.
 */
#ifndef TEMPO_PARTIAL_H
#define TEMPO_PARTIAL_H

#include "postgres.h"
#include "lib/stringinfo.h"

/* As __int128 needs it. */
#define PARTIAL_ALIGN 16

static inline void
partial_put(StringInfo out, const void *p, Size size)
{
	static const char zeros[PARTIAL_ALIGN];

	while (size > 0)
	{
		int n = (int) Min(size, (Size) 1 << 28);

		appendBinaryStringInfo(out, p, n);
		p = (const char *) p + n;
		size -= n;
	}
	appendBinaryStringInfo(out, zeros, (int) (TYPEALIGN(PARTIAL_ALIGN, out->len) - out->len));
}

static inline void
partial_put_u64(StringInfo out, uint64 v)
{
	partial_put(out, &v, sizeof(v));
}

/* The next array of this size; *at moves behind it. */
static inline const void *
partial_get(const char **at, Size size)
{
	const char *p = *at;

	*at += TYPEALIGN(PARTIAL_ALIGN, size);
	return p;
}

static inline uint64
partial_get_u64(const char **at)
{
	uint64 v;

	memcpy(&v, partial_get(at, sizeof(v)), sizeof(v));
	return v;
}

#endif
