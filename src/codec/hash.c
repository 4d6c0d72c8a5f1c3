/*
 * hash.c
 *	  XXH64 with seed 0 (Yann Collet, 2014; github.com/Cyan4973/xxHash, doc/xxhash_spec.md), written from the
 *	  specification. Stored in bloom filters: must never change.
 */
#include "codec/codec_impl.h"

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t
rotl(uint64_t v, int r)
{
	return (v << r) | (v >> (64 - r));
}

static inline uint64_t
lane(uint64_t acc, uint64_t input)
{
	return rotl(acc + input * P2, 31) * P1;
}

static inline uint64_t
merge(uint64_t acc, uint64_t v)
{
	return (acc ^ lane(0, v)) * P1 + P4;
}

static const uint8_t *
stripes(const uint8_t *p, const uint8_t *end, uint64_t *h)
{
	uint64_t a = P1 + P2, b = P2, c = 0, d = 0 - P1;

	for (; end - p >= 32; p += 32)
	{
		a = lane(a, load64(p));
		b = lane(b, load64(p + 8));
		c = lane(c, load64(p + 16));
		d = lane(d, load64(p + 24));
	}
	*h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
	*h = merge(merge(merge(merge(*h, a), b), c), d);
	return p;
}

uint64_t
codec_hash64(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	const uint8_t *end = p + len;
	uint64_t h = P5;

	if (len >= 32)
		p = stripes(p, end, &h);
	h += len;
	for (; end - p >= 8; p += 8)
		h = rotl(h ^ lane(0, load64(p)), 27) * P1 + P4;
	if (end - p >= 4)
	{
		h = rotl(h ^ load32(p) * P1, 23) * P2 + P3;
		p += 4;
	}
	while (p < end)
		h = rotl(h ^ *p++ * P5, 11) * P1;
	h = (h ^ (h >> 33)) * P2;
	h = (h ^ (h >> 29)) * P3;
	return h ^ (h >> 32);
}
