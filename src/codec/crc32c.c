/*
 * crc32c.c
 *	  CRC-32C (Castagnoli), as iSCSI and PostgreSQL's pages have it: the processor's instruction where it
 *	  exists, eight tables otherwise.
 */
#include "codec/codec_impl.h"

#define POLYNOMIAL 0x82F63B78u

static uint32_t table[8][256];

static void
fill_tables(void)
{
	for (uint32_t i = 0; i < 256; i++)
	{
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = (c >> 1) ^ (c & 1 ? POLYNOMIAL : 0);
		table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 255];
}

static uint32_t
crc_tables(uint32_t c, const uint8_t *p, size_t len)
{
	if (table[0][1] == 0)
		fill_tables();
	for (; len >= 8; p += 8, len -= 8)
	{
		uint64_t v = load64(p) ^ c;

		c = table[7][v & 255] ^ table[6][(v >> 8) & 255] ^ table[5][(v >> 16) & 255] ^
			table[4][(v >> 24) & 255] ^ table[3][(v >> 32) & 255] ^ table[2][(v >> 40) & 255] ^
			table[1][(v >> 48) & 255] ^ table[0][v >> 56];
	}
	while (len--)
		c = (c >> 8) ^ table[0][(c ^ *p++) & 255];
	return c;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc_instruction(uint32_t c, const uint8_t *p, size_t len)
{
	uint64_t wide = c;

	for (; len >= 8; p += 8, len -= 8)
		wide = __builtin_ia32_crc32di(wide, load64(p));
	c = (uint32_t) wide;
	while (len--)
		c = __builtin_ia32_crc32qi(c, *p++);
	return c;
}
#endif

uint32_t
codec_crc32c(const void *p, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_instruction(~0u, p, len);
#endif
	return ~crc_tables(~0u, p, len);
}

uint32_t
codec_crc32c_portable(const void *p, size_t len)
{
	return ~crc_tables(~0u, p, len);
}
