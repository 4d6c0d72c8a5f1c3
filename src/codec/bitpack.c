/*
 * bitpack.c
 *	  Fixed-width bit packing: value i of width w at bits [i * w, (i + 1) * w), little endian.
 *
 * Eight values of width w are exactly w bytes, so every group of eight starts on a byte and its shifts
 * are constants of the width: one function a width, from one template. A group reads up to 8 bytes past
 * its first value's end, so the last groups are unpacked from a padded copy.
 */
#include "codec/codec_impl.h"

#define GROUP 8

static inline __attribute__((always_inline)) uint64_t
width_mask(unsigned w)
{
	return w == 64 ? ~UINT64_C(0) : (UINT64_C(1) << w) - 1;
}

/* Value k of a group of width w at p. Beyond 57 bits a value may straddle nine bytes. */
static inline __attribute__((always_inline)) uint64_t
group_value(const uint8_t *p, unsigned k, unsigned w)
{
	unsigned bit = k * w;
	uint64_t v = load64(p + (bit >> 3)) >> (bit & 7);

	if ((bit & 7) + w > 64)
		v |= (uint64_t) p[(bit >> 3) + 8] << (64 - (bit & 7));
	return v & width_mask(w);
}

static inline __attribute__((always_inline)) void
groups_u64(const uint8_t *p, uint32_t ngroups, uint64_t base, uint64_t *out, unsigned w)
{
	for (uint32_t g = 0; g < ngroups; g++, p += w, out += GROUP)
	{
#pragma GCC unroll 8
		for (unsigned k = 0; k < GROUP; k++)
			out[k] = base + group_value(p, k, w);
	}
}

static inline __attribute__((always_inline)) void
groups_u32(const uint8_t *p, uint32_t ngroups, uint32_t base, uint32_t *out, unsigned w)
{
	for (uint32_t g = 0; g < ngroups; g++, p += w, out += GROUP)
	{
#pragma GCC unroll 8
		for (unsigned k = 0; k < GROUP; k++)
			out[k] = base + (uint32_t) group_value(p, k, w);
	}
}

typedef void (*GroupsU64)(const uint8_t *p, uint32_t ngroups, uint64_t base, uint64_t *out);
typedef void (*GroupsU32)(const uint8_t *p, uint32_t ngroups, uint32_t base, uint32_t *out);

/* clang-format off */
#define WIDTHS_32(X) \
	X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) \
	X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)
#define WIDTHS_64(X) \
	X(33) X(34) X(35) X(36) X(37) X(38) X(39) X(40) X(41) X(42) X(43) X(44) X(45) X(46) X(47) X(48) \
	X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63) X(64)
/* clang-format on */

#define DEFINE_U64(w)                                                                                        \
	static void u64_##w(const uint8_t *p, uint32_t n, uint64_t base, uint64_t *out)                          \
	{                                                                                                        \
		groups_u64(p, n, base, out, w);                                                                      \
	}
#define DEFINE_U32(w)                                                                                        \
	static void u32_##w(const uint8_t *p, uint32_t n, uint32_t base, uint32_t *out)                          \
	{                                                                                                        \
		groups_u32(p, n, base, out, w);                                                                      \
	}
#define NAME_U64(w) u64_##w,
#define NAME_U32(w) u32_##w,

WIDTHS_32(DEFINE_U64)
WIDTHS_64(DEFINE_U64)
WIDTHS_32(DEFINE_U32)

static const GroupsU64 unpack64[65] = {NULL, WIDTHS_32(NAME_U64) WIDTHS_64(NAME_U64)};
static const GroupsU32 unpack32[33] = {NULL, WIDTHS_32(NAME_U32)};

/* How many of the groups can be read in place: those that leave 9 bytes to read behind their last start. */
static uint32_t
safe_groups(uint32_t n, unsigned width)
{
	uint64_t bytes = bitpack_bytes(n, width);
	uint64_t slack = (7 * width >> 3) + 9;

	return bytes < slack ? 0 : (uint32_t) ((bytes - slack) / width + 1);
}

void
bitunpack_u64(const uint8_t *p, uint32_t n, unsigned width, uint64_t base, uint64_t *out)
{
	uint32_t whole, done;

	if (width == 0)
	{
		for (uint32_t i = 0; i < n; i++)
			out[i] = base;
		return;
	}
	whole = safe_groups(n, width);
	if (whole > n / GROUP)
		whole = n / GROUP;
	unpack64[width](p, whole, base, out);
	for (done = whole * GROUP; done < n; done += GROUP)
	{
		uint8_t pad[64 + 16] = {0};
		uint64_t tmp[GROUP];
		uint32_t left = n - done < GROUP ? n - done : GROUP;

		memcpy(pad, p + (uint64_t) (done / GROUP) * width, bitpack_bytes(left, width));
		unpack64[width](pad, 1, base, tmp);
		memcpy(out + done, tmp, left * sizeof(uint64_t));
	}
}

void
bitunpack_u32(const uint8_t *p, uint32_t n, unsigned width, uint32_t base, uint32_t *out)
{
	uint32_t whole, done;

	if (width == 0)
	{
		for (uint32_t i = 0; i < n; i++)
			out[i] = base;
		return;
	}
	whole = safe_groups(n, width);
	if (whole > n / GROUP)
		whole = n / GROUP;
	unpack32[width](p, whole, base, out);
	for (done = whole * GROUP; done < n; done += GROUP)
	{
		uint8_t pad[32 + 16] = {0};
		uint32_t tmp[GROUP];
		uint32_t left = n - done < GROUP ? n - done : GROUP;

		memcpy(pad, p + (uint64_t) (done / GROUP) * width, bitpack_bytes(left, width));
		unpack32[width](pad, 1, base, tmp);
		memcpy(out + done, tmp, left * sizeof(uint32_t));
	}
}

void
bitpack_u64(const uint64_t *v, uint32_t n, unsigned width, uint64_t base, uint8_t *out)
{
	uint64_t acc = 0;
	unsigned have = 0;

	if (width == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t x = (v[i] - base) & width_mask(width);

		acc |= x << have;
		have += width;
		if (have >= 64)
		{
			memcpy(out, &acc, 8);
			out += 8;
			have -= 64;
			acc = have ? x >> (width - have) : 0;
		}
	}
	if (have)
		memcpy(out, &acc, (have + 7) / 8);
}
