/*
 * codec_log.c
 *	  Numbers whose magnitudes are alike but whose low bits are noise (durations, gaps between events): the
 *	  leading three bits of each as a bucket number, which compresses, and the rest packed as it is.
 *
 * Values below 4 are their own bucket. Above, with e the position of the leading bit, the bucket is
 * 4 (e - 1) plus the two bits behind the leading one, and e - 2 bits follow.
 */
#include "codec/codec_impl.h"

static inline unsigned
bucket_of(uint64_t r)
{
	unsigned e;

	if (r < 4)
		return (unsigned) r;
	e = bit_width(r) - 1;
	return 4 * (e - 1) + ((unsigned) (r >> (e - 2)) & 3);
}

static inline unsigned
bucket_bits(unsigned b)
{
	return b < 8 ? 0 : b / 4 - 1;
}

static inline uint64_t
bucket_low(unsigned b)
{
	return b < 8 ? b : (uint64_t) (4 + b % 4) << (b / 4 - 1);
}

#define MAX_BUCKET 251

uint64_t
log_estimate(const uint64_t *v, uint32_t n, uint64_t base)
{
	uint32_t count[256] = {0};
	uint64_t bits = 0;
	float entropy = 0, logn = approx_log2(n);

	for (uint32_t i = 0; i < n; i++)
		count[bucket_of(v[i] - base)]++;
	for (unsigned b = 0; b < 256; b++)
		if (count[b])
		{
			bits += (uint64_t) count[b] * bucket_bits(b);
			entropy += (float) count[b] * (logn - approx_log2(count[b]));
			bits += 6; /* its share of the entropy coder's table */
		}
	return bits + (uint64_t) entropy + 160;
}

typedef struct BitWriter
{
	uint8_t *p;
	uint64_t acc;
	unsigned have;
} BitWriter;

/* width < 64 */
static inline void
put_bits(BitWriter *w, uint64_t v, unsigned width)
{
	w->acc |= v << w->have;
	w->have += width;
	if (w->have >= 64)
	{
		memcpy(w->p, &w->acc, 8);
		w->p += 8;
		w->have -= 64;
		w->acc = w->have ? v >> (width - w->have) : 0;
	}
}

static size_t
pack_offsets(const uint64_t *v, uint32_t n, uint64_t base, uint8_t *out)
{
	BitWriter w = {out, 0, 0};
	unsigned rest;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t r = v[i] - base;
		unsigned b = bucket_of(r);

		put_bits(&w, r - bucket_low(b), bucket_bits(b));
	}
	rest = (w.have + 7) / 8;
	memcpy(w.p, &w.acc, rest);
	return (size_t) (w.p - out) + rest;
}

void
log_encode(const uint64_t *v, uint32_t n, uint64_t base, Buf *out)
{
	uint64_t *buckets = codec_scratch(SCRATCH_BUCKETS, (size_t) n * 8);

	for (uint32_t i = 0; i < n; i++)
		buckets[i] = bucket_of(v[i] - base);
	buf_put_u8(out, INT_LOG);
	buf_put_varint(out, zigzag((int64_t) base));
	int_put_nested(buckets, n, CODEC_SMALL, out);
	out->len += pack_offsets(v, n, base, buf_reserve(out, (size_t) n * 8 + 16));
}

/* What a bucket means, by its number. */
typedef struct Bucket
{
	uint64_t low;  /* base included */
	uint64_t mask; /* of the bits that follow */
	uint64_t bits;
} Bucket;

/* A block being read. */
typedef struct LogReader
{
	const uint32_t *buckets;
	const uint8_t *p; /* bits that follow */
	size_t len;
	Bucket table[MAX_BUCKET + 1];
} LogReader;

static void
fill_buckets(Bucket *table, uint64_t base)
{
	for (unsigned b = 0; b <= MAX_BUCKET; b++)
		table[b] = (Bucket){base + bucket_low(b), (UINT64_C(1) << bucket_bits(b)) - 1, bucket_bits(b)};
}

/* bucket_bits() without a branch. */
static inline uint32_t
following_bits(uint32_t b)
{
	return (b >> 2) - (b > 3);
}

static uint64_t
sum_bits(const uint32_t *buckets, uint32_t n)
{
	uint64_t sum = 0;

	while (n > 0)
	{
		uint32_t some = n < 4096 ? n : 4096, bits = 0;

		for (uint32_t i = 0; i < some; i++)
			bits += following_bits(buckets[i]);
		sum += bits;
		buckets += some;
		n -= some;
	}
	return sum;
}

/* Header and buckets; they exist, and the bits they need are there. */
static bool
log_open(const uint8_t *p, size_t len, uint32_t n, LogReader *r)
{
	const uint8_t *end = p + len, *part;
	uint32_t *buckets = codec_scratch(SCRATCH_BUCKETS, (size_t) n * 4);
	size_t part_len;
	uint64_t base;

	if (!read_varint(&p, end, &base) || !read_part(&p, end, &part, &part_len) ||
		!int_decode_u32(part, part_len, buckets, n, 0))
		return false;
	r->buckets = buckets;
	r->p = p;
	r->len = (size_t) (end - p);
	fill_buckets(r->table, (uint64_t) unzigzag(base));
	return all_below(buckets, n, MAX_BUCKET + 1) && sum_bits(buckets, n) <= (uint64_t) r->len * 8;
}

/* Bits [bit, bit + width) of p, width < 64, when nine bytes can be read there. */
static inline uint64_t
get_bits(const uint8_t *p, uint64_t bit, unsigned width)
{
	const uint8_t *q = p + (bit >> 3);
	unsigned shift = bit & 7;
	uint64_t x = load64(q) >> shift;

	if (shift + width > 64)
		x |= (uint64_t) q[8] << (64 - shift);
	return x & ((UINT64_C(1) << width) - 1);
}

static uint64_t
get_bits_near_end(const uint8_t *p, size_t len, uint64_t bit, unsigned width)
{
	uint8_t pad[16] = {0};
	size_t at = bit >> 3;

	memcpy(pad, p + at, len - at < 9 ? len - at : 9);
	return get_bits(pad, bit & 7, width);
}

/* Values [from, to), whose bits begin at *at, as far as eight bytes can be read at a time; returns where it
 * ended. */
static uint32_t
decode_middle(const LogReader *r, uint32_t from, uint32_t to, uint64_t *v, uint64_t *at)
{
	const Bucket *table = r->table;
	const uint32_t *buckets = r->buckets;
	const uint8_t *p = r->p;
	uint64_t bit = *at, safe = r->len >= 9 ? ((uint64_t) r->len - 9) * 8 : 0;
	uint32_t i;

	for (i = from; i < to && bit < safe; i++)
	{
		const Bucket *b = &table[buckets[i]];
		uint64_t x = load64(p + (bit >> 3)) >> (bit & 7);

		if (__builtin_expect(b->bits > 57, 0))
			x = get_bits(p, bit, (unsigned) b->bits);
		v[i] = b->low + (x & b->mask);
		bit += b->bits;
	}
	*at = bit;
	return i;
}

/* Values [from, to); *bit is where their bits begin, and then where they end. */
static void
log_values(const LogReader *r, uint32_t from, uint32_t to, uint64_t *v, uint64_t *bit)
{
	for (uint32_t i = decode_middle(r, from, to, v, bit); i < to; i++)
	{
		const Bucket *b = &r->table[r->buckets[i]];
		uint64_t x = b->bits ? get_bits_near_end(r->p, r->len, *bit, (unsigned) b->bits) : 0;

		v[i] = b->low + x;
		*bit += b->bits;
	}
}

bool
log_decode(const uint8_t *p, size_t len, uint64_t *v, uint32_t n)
{
	uint64_t bit = 0;
	LogReader r;

	if (!log_open(p, len, n, &r))
		return false;
	log_values(&r, 0, n, v, &bit);
	return true;
}

bool
log_decode_ranges(const uint8_t *p, size_t len, uint64_t *v, uint32_t n, const CodecRange *ranges,
				  uint32_t nranges)
{
	uint64_t bit = 0;
	uint32_t done = 0;
	LogReader r;

	if (!log_open(p, len, n, &r))
		return false;
	for (uint32_t k = 0; k < nranges; k++)
	{
		bit += sum_bits(r.buckets + done, ranges[k].from - done);
		log_values(&r, ranges[k].from, ranges[k].to, v, &bit);
		done = ranges[k].to;
	}
	return true;
}
