/*
 * codec_scale.c
 *	  Numbers that are multiples: times in microseconds kept as nanoseconds, doubles that were decimals. The
 *	  small whole numbers behind them are a block of numbers of their own.
 */
#include "codec/codec_impl.h"

/* ---- whole multiples ---- */

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b)
	{
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* What all values minus base are multiples of; 1 as soon as that is sure. */
static uint64_t
common_factor(const uint64_t *v, uint32_t n, uint64_t base)
{
	uint64_t g = 0;

	for (uint32_t i = 0; i < n && g != 1; i++)
	{
		uint64_t r = v[i] - base;

		if (g == 0 || r % g != 0)
			g = gcd(r, g);
	}
	return g;
}

bool
scale_encode(const uint64_t *v, uint32_t n, uint64_t base, CodecEffort effort, Buf *out)
{
	uint64_t g = common_factor(v, n, base);
	uint64_t *q;

	if (g < 4)
		return false;
	q = codec_scratch(SCRATCH_SCALE, (size_t) n * 8);
	for (uint32_t i = 0; i < n; i++)
		q[i] = (v[i] - base) / g;
	buf_put_u8(out, INT_SCALED);
	buf_put_varint(out, zigzag((int64_t) base));
	buf_put_varint(out, g);
	int_encode_any(q, n, effort, out);
	return true;
}

bool
scale_decode(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	uint64_t base, g;

	if (!read_varint(&p, end, &base) || !read_varint(&p, end, &g) ||
		!int_decode_u64(p, (size_t) (end - p), v, n, 1))
		return false;
	base = (uint64_t) unzigzag(base);
	for (uint32_t i = 0; i < n; i++)
		v[i] = base + v[i] * g;
	return true;
}

/* ---- doubles that were decimals ---- */

#define MAX_EXPONENT 12
#define SAMPLE       16

static const double power[MAX_EXPONENT + 1] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
											   1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

static inline double
as_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, 8);
	return d;
}

static inline uint64_t
as_bits(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, 8);
	return bits;
}

/* The whole number that makes this double when divided by 10^e; false: none does, bit by bit. */
static inline bool
decimal_of(uint64_t bits, unsigned e, int64_t *whole)
{
	double d = as_double(bits) * power[e];

	if (!(d > -1e15 && d < 1e15))
		return false;
	*whole = (int64_t) (d < 0 ? d - 0.5 : d + 0.5);
	return as_bits((double) *whole / power[e]) == bits;
}

/* Smallest exponent that fits most of a sample, or -1. */
static int
find_exponent(const uint64_t *v, uint32_t n)
{
	uint32_t step = n / SAMPLE ? n / SAMPLE : 1;

	for (unsigned e = 0; e <= MAX_EXPONENT; e++)
	{
		uint32_t fit = 0, seen = 0;
		int64_t whole;

		for (uint32_t i = 0; i < n; i += step, seen++)
			fit += decimal_of(v[i], e, &whole);
		if (fit >= seen - seen / 8)
			return (int) e;
	}
	return -1;
}

bool
decimal_encode(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out)
{
	int e = find_exponent(v, n);
	uint32_t nexc = 0, max = n / 16 + 1;
	uint64_t *whole, *pos, *raw;
	int64_t last = 0;

	if (e < 0)
		return false;
	whole = codec_scratch(SCRATCH_SCALE, (size_t) n * 8);
	pos = codec_scratch(SCRATCH_EXC_POS, (size_t) max * 8);
	raw = codec_scratch(SCRATCH_EXC_HIGH, (size_t) max * 8);
	for (uint32_t i = 0; i < n; i++)
	{
		int64_t w;

		if (decimal_of(v[i], (unsigned) e, &w))
			last = w;
		else if (nexc == max)
			return false;
		else
		{
			pos[nexc] = i;
			raw[nexc++] = v[i];
		}
		whole[i] = (uint64_t) last;
	}
	buf_put_u8(out, INT_DECIMAL);
	buf_put_u8(out, (uint8_t) e);
	buf_put_varint(out, nexc);
	int_put_nested(pos, nexc, effort, out);
	int_put_nested(raw, nexc, effort, out);
	int_encode_any(whole, n, effort, out);
	return true;
}

bool
decimal_decode(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n)
{
	const uint8_t *pos_part, *raw_part;
	size_t pos_len, raw_len;
	uint32_t nexc, *pos;
	uint64_t *raw;
	unsigned e;

	if (p >= end || *p > MAX_EXPONENT)
		return false;
	e = *p++;
	if (!read_u32(&p, end, &nexc) || nexc > n || !read_part(&p, end, &pos_part, &pos_len) ||
		!read_part(&p, end, &raw_part, &raw_len) || !int_decode_u64(p, (size_t) (end - p), v, n, 1))
		return false;
	for (uint32_t i = 0; i < n; i++)
		v[i] = as_bits((double) (int64_t) v[i] / power[e]);
	pos = codec_scratch(SCRATCH_EXC_POS, (size_t) nexc * 4);
	raw = codec_scratch(SCRATCH_EXC_HIGH, (size_t) nexc * 8);
	if (!int_decode_u32(pos_part, pos_len, pos, nexc, 0) || !int_decode_u64(raw_part, raw_len, raw, nexc, 0))
		return false;
	for (uint32_t k = 0; k < nexc; k++)
	{
		if (pos[k] >= n)
			return false;
		v[pos[k]] = raw[k];
	}
	return true;
}
