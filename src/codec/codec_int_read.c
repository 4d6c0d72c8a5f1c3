/*
 * codec_int_read.c
 *	  Decoding blocks of numbers. The bytes are hostile: each part is checked against what is left before
 *	  it is touched, and counts against the number of values asked for.
 */
#include "codec/codec_impl.h"

/* Base and width of a packed part, and that its bytes are there. */
static bool
read_packed(const uint8_t **p, const uint8_t *end, uint32_t n, uint64_t *base, unsigned *width)
{
	if (!read_varint(p, end, base) || *p >= end)
		return false;
	*base = (uint64_t) unzigzag(*base);
	*width = *(*p)++;
	return *width <= 64 && (uint64_t) (end - *p) >= bitpack_bytes(n, *width);
}

static bool
decode_delta(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	uint64_t first, base;
	unsigned width;

	if (!read_varint(&p, end, &first) || !read_packed(&p, end, n - 1, &base, &width))
		return false;
	v[0] = (uint64_t) unzigzag(first);
	bitunpack_u64(p, n - 1, width, base, v + 1);
	for (uint32_t i = 1; i < n; i++)
		v[i] += v[i - 1];
	return true;
}

/* Values and lengths of runs into scratch memory; the lengths are sure to sum up to n. */
static bool
read_runs(const uint8_t *p, const uint8_t *end, uint32_t n, uint32_t *runs, uint64_t **values,
		  uint32_t **lengths)
{
	const uint8_t *part;
	size_t len;
	uint64_t sum = 0;

	if (!read_u32(&p, end, runs) || *runs > n || !read_part(&p, end, &part, &len))
		return false;
	*values = codec_scratch(SCRATCH_RUNS, (size_t) *runs * 8);
	*lengths = codec_scratch(SCRATCH_RUN_LENGTHS, (size_t) *runs * 4);
	if (!int_decode_u64(part, len, *values, *runs, 0) ||
		!int_decode_u32(p, (size_t) (end - p), *lengths, *runs, 0))
		return false;
	for (uint32_t i = 0; i < *runs; i++)
		sum += (uint64_t) (*lengths)[i] + 1;
	return sum == n;
}

static bool
decode_rle_u64(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	uint32_t runs;
	uint64_t *values;
	uint32_t *lengths;

	if (!read_runs(p, end, n, &runs, &values, &lengths))
		return false;
	for (uint32_t r = 0; r < runs; r++)
		for (uint64_t k = 0; k <= lengths[r]; k++)
			*v++ = values[r];
	return true;
}

/* Most runs are short: so many values are written at once, where there is room, whatever the length. */
#define SHORT_RUN 8

static bool
decode_rle_u32(const uint8_t *p, const uint8_t *end, uint32_t *v, uint32_t n)
{
	uint32_t runs, r = 0, at = 0;
	uint64_t *values, all = 0;
	uint32_t *lengths;

	if (!read_runs(p, end, n, &runs, &values, &lengths))
		return false;
	for (; r < runs && n - at >= SHORT_RUN; r++)
	{
		uint32_t length = lengths[r] + 1, x = (uint32_t) values[r];

		for (uint32_t k = 0; k < SHORT_RUN; k++)
			v[at + k] = x;
		for (uint32_t k = SHORT_RUN; k < length; k++)
			v[at + k] = x;
		all |= values[r];
		at += length;
	}
	for (; r < runs; r++)
	{
		for (uint32_t k = 0; k <= lengths[r]; k++)
			v[at + k] = (uint32_t) values[r];
		all |= values[r];
		at += lengths[r] + 1;
	}
	return all <= UINT32_MAX;
}

/* Low bits of all values packed, and high bits of some. */
typedef struct Exceptions
{
	uint64_t base;
	unsigned width;
	const uint8_t *packed;
	uint32_t n;
	const uint32_t *pos; /* below the number of values */
	const uint64_t *high;
} Exceptions;

static bool
read_exceptions(const uint8_t *p, const uint8_t *end, uint32_t n, Exceptions *e)
{
	const uint8_t *pos_part, *high_part;
	size_t pos_len, high_len;
	uint64_t *high;
	uint32_t *pos;

	if (!read_varint(&p, end, &e->base) || p >= end)
		return false;
	e->width = *p++;
	e->base = (uint64_t) unzigzag(e->base);
	if (e->width > 63 || !read_u32(&p, end, &e->n) || e->n > n || !read_part(&p, end, &pos_part, &pos_len) ||
		!read_part(&p, end, &high_part, &high_len) || (uint64_t) (end - p) < bitpack_bytes(n, e->width))
		return false;
	pos = codec_scratch(SCRATCH_EXC_POS, (size_t) e->n * 4);
	high = codec_scratch(SCRATCH_EXC_HIGH, (size_t) e->n * 8);
	if (!int_decode_u32(pos_part, pos_len, pos, e->n, 0) ||
		!int_decode_u64(high_part, high_len, high, e->n, 0))
		return false;
	e->packed = p;
	e->pos = pos;
	e->high = high;
	return n <= INT32_MAX && all_below(pos, e->n, n);
}

static bool
decode_pfor(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	Exceptions e;

	if (!read_exceptions(p, end, n, &e))
		return false;
	bitunpack_u64(e.packed, n, e.width, e.base, v);
	for (uint32_t k = 0; k < e.n; k++)
		v[e.pos[k]] += e.high[k] << e.width;
	return true;
}

/* Do base and low bits fit 31 bits each, so that only exceptions need more care? */
static bool
pfor_is_small(const uint8_t *p, const uint8_t *end)
{
	uint64_t base;

	return read_varint(&p, end, &base) && p < end && (uint64_t) unzigzag(base) <= INT32_MAX && *p <= 31;
}

static bool
decode_pfor_u32(const uint8_t *p, const uint8_t *end, uint32_t *v, uint32_t n)
{
	uint64_t all = 0;
	Exceptions e;

	if (!read_exceptions(p, end, n, &e))
		return false;
	bitunpack_u32(e.packed, n, e.width, (uint32_t) e.base, v);
	for (uint32_t k = 0; k < e.n; k++)
	{
		if (e.high[k] > UINT32_MAX)
			return false;
		all |= v[e.pos[k]] + (e.high[k] << e.width);
		v[e.pos[k]] += (uint32_t) (e.high[k] << e.width);
	}
	return all <= UINT32_MAX;
}

static bool
decode_dict(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	const uint8_t *part;
	size_t len;
	uint32_t entries, *codes;
	uint64_t *dict;

	if (!read_u32(&p, end, &entries) || entries == 0 || entries > n || !read_part(&p, end, &part, &len))
		return false;
	dict = codec_scratch(SCRATCH_DICT, (size_t) entries * 8);
	codes = codec_scratch(SCRATCH_CODES, (size_t) n * 4);
	if (!int_decode_u64(part, len, dict, entries, 0) || !int_decode_u32(p, (size_t) (end - p), codes, n, 0))
		return false;
	if (entries > INT32_MAX || !all_below(codes, n, entries))
		return false;
	for (uint32_t i = 0; i < n; i++)
		v[i] = dict[codes[i]];
	return true;
}

/* The block under zstd, in scratch memory. Only FOR may be there. */
static bool
inflate(const uint8_t *p, const uint8_t *end, uint32_t n, const uint8_t **raw, size_t *raw_len)
{
	uint64_t len;
	uint8_t *dst;

	if (!read_varint(&p, end, &len) || len == 0 || len > 32 + (uint64_t) n * 8)
		return false;
	dst = codec_scratch(SCRATCH_ZIN, len);
	if (!codec_unzstd(p, (size_t) (end - p), dst, len) || dst[0] != INT_FOR)
		return false;
	*raw = dst;
	*raw_len = len;
	return true;
}

static bool
decode_compound(IntTag tag, const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	switch (tag)
	{
		case INT_RLE: return decode_rle_u64(p, end, v, n);
		case INT_PFOR: return decode_pfor(p, end, v, n);
		case INT_DICT: return decode_dict(p, end, v, n);
		case INT_LOG: return log_decode(p, (size_t) (end - p), v, n);
		default: return false;
	}
}

bool
int_decode_u64(const uint8_t *p, size_t len, uint64_t *v, uint32_t n, int depth)
{
	const uint8_t *end = p + len;
	uint64_t base;
	unsigned width;
	IntTag tag;

	if (n == 0)
		return len == 0;
	if (len == 0)
		return false;
	tag = *p++;
	switch (tag)
	{
		case INT_ZERO: memset(v, 0, (size_t) n * 8); return true;
		case INT_CONST:
			if (!read_varint(&p, end, &base))
				return false;
			bitunpack_u64(p, n, 0, (uint64_t) unzigzag(base), v);
			return true;
		case INT_FOR:
			if (!read_packed(&p, end, n, &base, &width))
				return false;
			bitunpack_u64(p, n, width, base, v);
			return true;
		case INT_DELTA: return decode_delta(p, end, v, n);
		case INT_PLAIN:
			if ((uint64_t) (end - p) < (uint64_t) n * 8)
				return false;
			memcpy(v, p, (size_t) n * 8);
			return true;
		case INT_ZSTD: return inflate(p, end, n, &p, &len) && int_decode_u64(p, len, v, n, 0);
		default: return depth > 0 && decode_compound(tag, p, end, v, n);
	}
}

/* FOR whose values all fit 32 bits: base + 2^width - 1 does. */
static bool
decode_for_u32(const uint8_t *p, const uint8_t *end, uint32_t *v, uint32_t n)
{
	uint64_t base;
	unsigned width;

	if (!read_packed(&p, end, n, &base, &width) || width > 32 || base > UINT32_MAX)
		return false;
	bitunpack_u32(p, n, width, (uint32_t) base, v);
	if (base + ((UINT64_C(1) << width) - 1) <= UINT32_MAX)
		return true;
	/* near the top of the range: sums that wrapped are below the base */
	for (uint32_t i = 0; i < n; i++)
		if (v[i] < base)
			return false;
	return true;
}

static bool
decode_narrow(const uint8_t *p, size_t len, uint32_t *v, uint32_t n, int depth)
{
	uint64_t *wide = codec_scratch(depth ? SCRATCH_WIDEN : SCRATCH_WIDEN_NESTED, (size_t) n * 8);
	uint64_t all = 0;

	if (!int_decode_u64(p, len, wide, n, depth))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		all |= wide[i];
		v[i] = (uint32_t) wide[i];
	}
	return all <= UINT32_MAX;
}

bool
int_decode_u32(const uint8_t *p, size_t len, uint32_t *v, uint32_t n, int depth)
{
	const uint8_t *end = p + len;

	if (n == 0)
		return len == 0;
	if (len == 0)
		return false;
	switch (*p)
	{
		case INT_ZERO: memset(v, 0, (size_t) n * 4); return true;
		case INT_FOR: return decode_for_u32(p + 1, end, v, n);
		case INT_ZSTD: p++; return inflate(p, end, n, &p, &len) && decode_for_u32(p + 1, p + len, v, n);
		case INT_RLE: return depth > 0 && decode_rle_u32(p + 1, end, v, n);
		case INT_PFOR:
			if (depth > 0 && pfor_is_small(p + 1, end))
				return decode_pfor_u32(p + 1, end, v, n);
			return decode_narrow(p, len, v, n, depth);
		default: return decode_narrow(p, len, v, n, depth);
	}
}

bool
codec_decode_i64(const uint8_t *p, size_t len, int64_t *v, uint32_t n)
{
	if (n > 0 && len > 0 && *p == INT_SCALED)
		return scale_decode(p + 1, p + len, (uint64_t *) v, n);
	if (n > 0 && len > 0 && *p == INT_DECIMAL)
		return decimal_decode(p + 1, p + len, (uint64_t *) v, n);
	return int_decode_u64(p, len, (uint64_t *) v, n, 1);
}

bool
codec_decode_i64_ranges(const uint8_t *p, size_t len, int64_t *v, uint32_t n, const CodecRange *ranges,
						uint32_t nranges)
{
	/* others unpack about as fast as one could skip */
	if (n > 0 && len > 0 && *p == INT_LOG)
		return log_decode_ranges(p + 1, len - 1, (uint64_t *) v, n, ranges, nranges);
	return codec_decode_i64(p, len, v, n);
}

bool
codec_decode_u32(const uint8_t *p, size_t len, uint32_t *v, uint32_t n)
{
	return int_decode_u32(p, len, v, n, 1);
}
