/*
 * bloom.c
 *	  Split-block bloom filter: a key has one bit in each of the 8 words of one 32-byte block. The high half
 *	  of the hash chooses the block, the low half times eight odd constants chooses the bits.
 */
#include "codec/codec_impl.h"

#define BLOCK_BYTES 32
#define MAX_BLOCKS  (UINT32_C(1) << 26)

static const uint32_t salt[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
								 0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

uint32_t
bloom_blocks(uint32_t nkeys, uint32_t bits_per_key)
{
	uint64_t want = ((uint64_t) nkeys * bits_per_key + BLOCK_BYTES * 8 - 1) / (BLOCK_BYTES * 8);

	if (want > MAX_BLOCKS)
		want = MAX_BLOCKS;
	return want ? (uint32_t) want : 1;
}

uint32_t
bloom_offset(uint32_t nblocks, uint64_t hash)
{
	return (uint32_t) (((hash >> 32) * nblocks) >> 32) * BLOCK_BYTES;
}

void
bloom_add(uint8_t *bloom, uint32_t nblocks, uint64_t hash)
{
	uint8_t *block = bloom + bloom_offset(nblocks, hash);

	for (int i = 0; i < 8; i++)
	{
		uint32_t bit = ((uint32_t) hash * salt[i]) >> 27;

		block[i * 4 + bit / 8] |= (uint8_t) (1 << bit % 8);
	}
}

bool
bloom_maybe(const uint8_t *bloom, uint32_t nblocks, uint64_t hash)
{
	const uint8_t *block = bloom + bloom_offset(nblocks, hash);

	for (int i = 0; i < 8; i++)
	{
		uint32_t bit = ((uint32_t) hash * salt[i]) >> 27;

		if (!(block[i * 4 + bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}
