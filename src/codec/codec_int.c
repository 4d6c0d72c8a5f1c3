/*
 * codec_int.c
 *	  Blocks of numbers: zero, constant, run length, frame of reference, differences, exceptions,
 *	  dictionary, plain; zstd over small codes.
 *
 * One pass over the values estimates the size of each encoding in bits; the smallest is written. All
 * arithmetic wraps, so that every 64-bit pattern survives. "Flat" encodings (ZERO, CONST, FOR, DELTA,
 * PLAIN and zstd over FOR) stand alone; the others hold flat blocks, so nesting ends after one step.
 */
#include "codec/codec_impl.h"

#include <stdlib.h>

/*
 * Flat blocks of at most this width are tried under zstd: they are dictionary codes, mostly. Decoding takes
 * ten times as long then, so it has to save half.
 */
#define ZSTD_MAX_WIDTH  16
#define ZSTD_MIN_VALUES 512
#define ZSTD_MIN_SAVED  2
/* Fewer values are not looked at again. */
#define SECOND_LOOK_VALUES 24
#define DICT_MAX           256

typedef struct IntStats
{
	int64_t min, max;
	int64_t dmin, dmax; /* of differences */
	uint32_t runs;
} IntStats;

static void
int_stats(const uint64_t *v, uint32_t n, IntStats *s)
{
	int64_t min = (int64_t) v[0], max = min, dmin = INT64_MAX, dmax = INT64_MIN;
	uint32_t changes = 0;

	for (uint32_t i = 1; i < n; i++)
	{
		int64_t x = (int64_t) v[i];
		int64_t d = (int64_t) (v[i] - v[i - 1]);

		min = x < min ? x : min;
		max = x > max ? x : max;
		dmin = d < dmin ? d : dmin;
		dmax = d > dmax ? d : dmax;
		changes += d != 0;
	}
	*s = (IntStats){min, max, dmin, dmax, changes + 1};
}

static unsigned
range_width(int64_t min, int64_t max)
{
	return bit_width((uint64_t) max - (uint64_t) min);
}

/* ---- writing ---- */

static void
put_packed(const uint64_t *v, uint32_t n, unsigned width, uint64_t base, Buf *out)
{
	size_t bytes = bitpack_bytes(n, width);

	bitpack_u64(v, n, width, base, buf_reserve(out, bytes + 8));
	out->len += bytes;
}

static void
put_for(const uint64_t *v, uint32_t n, int64_t base, unsigned width, Buf *out)
{
	buf_put_u8(out, INT_FOR);
	buf_put_varint(out, zigzag(base));
	buf_put_u8(out, (uint8_t) width);
	put_packed(v, n, width, (uint64_t) base, out);
}

static void
put_delta(const uint64_t *v, uint32_t n, const IntStats *s, Buf *out)
{
	uint64_t *d = codec_scratch(SCRATCH_PACK, (size_t) n * 8);
	unsigned width = range_width(s->dmin, s->dmax);

	for (uint32_t i = 1; i < n; i++)
		d[i - 1] = v[i] - v[i - 1];
	buf_put_u8(out, INT_DELTA);
	buf_put_varint(out, zigzag((int64_t) v[0]));
	buf_put_varint(out, zigzag(s->dmin));
	buf_put_u8(out, (uint8_t) width);
	put_packed(d, n - 1, width, (uint64_t) s->dmin, out);
}

/* Replace what was written since start by FOR at whole bytes under zstd, when that is much smaller. */
static void
try_zstd(const uint64_t *v, uint32_t n, const IntStats *s, size_t start, Buf *out)
{
	unsigned width = range_width(s->min, s->max) <= 8 ? 8 : 16;
	Buf raw = {NULL, codec_scratch(SCRATCH_ZIN, 32 + (size_t) n * 2), 0, 32 + (size_t) n * 2};
	const uint8_t *z;
	size_t had = out->len - start;
	size_t got;

	put_for(v, n, s->min, width, &raw);
	got = codec_zstd(raw.p, raw.len, &z);
	if (got == 0 || got + 1 + varint_size(raw.len) > had - had / ZSTD_MIN_SAVED)
		return;
	out->len = start;
	buf_put_u8(out, INT_ZSTD);
	buf_put_varint(out, raw.len);
	buf_put(out, z, got);
}

static void
encode_flat(const uint64_t *v, uint32_t n, const IntStats *s, CodecEffort effort, Buf *out)
{
	unsigned width = range_width(s->min, s->max);
	unsigned dwidth = n > 1 ? range_width(s->dmin, s->dmax) : 64;
	size_t start = out->len;

	if (s->min == s->max)
	{
		buf_put_u8(out, s->min ? INT_CONST : INT_ZERO);
		if (s->min)
			buf_put_varint(out, zigzag(s->min));
		return;
	}
	if ((uint64_t) n * width > (uint64_t) n * dwidth + 64)
		put_delta(v, n, s, out);
	else if (width == 64)
	{
		buf_put_u8(out, INT_PLAIN);
		buf_put(out, v, (size_t) n * 8);
	}
	else
		put_for(v, n, s->min, width, out);
	if (effort == CODEC_SMALL && width <= ZSTD_MAX_WIDTH && n >= ZSTD_MIN_VALUES)
		try_zstd(v, n, s, start, out);
}

/* A flat block on its own; what the other encodings are made of. */
void
int_encode_flat(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out)
{
	IntStats s;

	if (n == 0)
		return;
	int_stats(v, n, &s);
	encode_flat(v, n, &s, effort, out);
}

void
int_put_nested(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out)
{
	size_t start = out->len;

	int_encode_flat(v, n, effort, out);
	buf_prefix_length(out, start);
}

static void
put_rle(const uint64_t *v, uint32_t n, uint32_t runs, CodecEffort effort, Buf *out)
{
	uint64_t *values = codec_scratch(SCRATCH_RUNS, (size_t) runs * 8);
	uint64_t *lengths = codec_scratch(SCRATCH_RUN_LENGTHS, (size_t) runs * 8);
	uint32_t r = 0;

	for (uint32_t i = 0; i < n;)
	{
		uint32_t j = i + 1;

		while (j < n && v[j] == v[i])
			j++;
		values[r] = v[i];
		lengths[r++] = j - i - 1;
		i = j;
	}
	buf_put_u8(out, INT_RLE);
	buf_put_varint(out, runs);
	int_put_nested(values, runs, effort, out);
	int_encode_flat(lengths, runs, effort, out);
}

static void
put_pfor(const uint64_t *v, uint32_t n, int64_t base, unsigned width, uint32_t nexc, CodecEffort effort,
		 Buf *out)
{
	uint64_t *pos = codec_scratch(SCRATCH_EXC_POS, (size_t) nexc * 8);
	uint64_t *high = codec_scratch(SCRATCH_EXC_HIGH, (size_t) nexc * 8);
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t h = width == 64 ? 0 : (v[i] - (uint64_t) base) >> width;

		if (h)
		{
			pos[k] = i;
			high[k++] = h;
		}
	}
	buf_put_u8(out, INT_PFOR);
	buf_put_varint(out, zigzag(base));
	buf_put_u8(out, (uint8_t) width);
	buf_put_varint(out, nexc);
	int_put_nested(pos, nexc, effort, out);
	int_put_nested(high, nexc, effort, out);
	put_packed(v, n, width, (uint64_t) base, out);
}

/* Cheapest width for PFOR and how many values exceed it; returns bits. */
static uint64_t
pfor_estimate(const uint64_t *v, uint32_t n, const IntStats *s, unsigned *width, uint32_t *nexc)
{
	uint32_t count[65] = {0};
	unsigned full = range_width(s->min, s->max);
	unsigned pos_bits = bit_width(n) + 1;
	uint64_t best = UINT64_MAX;
	uint32_t above = 0;

	for (uint32_t i = 0; i < n; i++)
		count[bit_width(v[i] - (uint64_t) s->min)]++;
	for (unsigned w = full; w-- > 0;)
	{
		uint64_t bits;

		above += count[w + 1];
		bits = (uint64_t) n * w + (uint64_t) above * (pos_bits + full - w) + 160;
		if (bits < best)
		{
			best = bits;
			*width = w;
			*nexc = above;
		}
		if (above > n / 4)
			break;
	}
	return best;
}

/* ---- local dictionary ---- */

static int
compare_u64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

#define DICT_SLOTS 1024

static inline uint32_t
dict_slot(uint64_t v)
{
	return (uint32_t) ((v * UINT64_C(0x9E3779B97F4A7C15)) >> 54);
}

/* Distinct values, sorted, at most max; 0 when there are more. table maps a value to its code. */
typedef struct LocalDict
{
	uint64_t value[DICT_SLOTS];
	int32_t code[DICT_SLOTS]; /* -1: free */
	uint64_t entries[DICT_MAX];
	uint32_t n;
} LocalDict;

static bool
dict_add(LocalDict *d, uint64_t v, uint32_t max)
{
	uint32_t s = dict_slot(v);

	while (d->code[s] >= 0 && d->value[s] != v)
		s = (s + 1) % DICT_SLOTS;
	if (d->code[s] >= 0)
		return true;
	if (d->n == max)
		return false;
	d->value[s] = v;
	d->code[s] = 0;
	d->entries[d->n++] = v;
	return true;
}

static uint32_t
dict_code(const LocalDict *d, uint64_t v)
{
	uint32_t s = dict_slot(v);

	while (d->value[s] != v || d->code[s] < 0)
		s = (s + 1) % DICT_SLOTS;
	return (uint32_t) d->code[s];
}

static LocalDict *
dict_build(const uint64_t *v, uint32_t n)
{
	LocalDict *d = codec_scratch(SCRATCH_DICT, sizeof(LocalDict));
	uint32_t max = n / 8 < DICT_MAX ? n / 8 : DICT_MAX;

	d->n = 0;
	memset(d->code, -1, sizeof(d->code));
	for (uint32_t i = 0; i < n; i++)
		if (!dict_add(d, v[i], max))
			return NULL;
	qsort(d->entries, d->n, sizeof(uint64_t), compare_u64);
	for (uint32_t k = 0; k < d->n; k++)
	{
		uint32_t s = dict_slot(d->entries[k]);

		while (d->value[s] != d->entries[k] || d->code[s] < 0)
			s = (s + 1) % DICT_SLOTS;
		d->code[s] = (int32_t) k;
	}
	return d;
}

static void
put_dict(const uint64_t *v, uint32_t n, const LocalDict *d, CodecEffort effort, Buf *out)
{
	uint64_t *codes = codec_scratch(SCRATCH_CODES, (size_t) n * 8);

	for (uint32_t i = 0; i < n; i++)
		codes[i] = dict_code(d, v[i]);
	buf_put_u8(out, INT_DICT);
	buf_put_varint(out, d->n);
	int_put_nested(d->entries, d->n, CODEC_FAST, out);
	int_encode_flat(codes, n, effort, out);
}

/* ---- choosing ---- */

/*
 * The encodings that need a second look at the values. Writes the best of them when it takes fewer than
 * limit bits.
 */
static bool
encode_second_look(const uint64_t *v, uint32_t n, const IntStats *s, uint64_t limit, Buf *out)
{
	unsigned width = range_width(s->min, s->max), pw = 0;
	uint32_t nexc = 0;
	const LocalDict *d = width > 8 ? dict_build(v, n) : NULL;
	uint64_t dict_bits = UINT64_MAX, log_bits = UINT64_MAX;
	uint64_t pfor_bits = pfor_estimate(v, n, s, &pw, &nexc);

	if (d != NULL)
		dict_bits = (uint64_t) n * bit_width(d->n - 1) + (uint64_t) d->n * (width < 24 ? width : 24) + 64;
	if (width > 8 && dict_bits > limit / 2)
		log_bits = log_estimate(v, n, (uint64_t) s->min);
	if (dict_bits < limit && dict_bits <= pfor_bits && dict_bits <= log_bits)
		put_dict(v, n, d, CODEC_SMALL, out);
	else if (log_bits < limit - limit / 32 && log_bits < pfor_bits - pfor_bits / 64)
		log_encode(v, n, (uint64_t) s->min, out);
	else if (pfor_bits < limit - limit / 8)
		put_pfor(v, n, s->min, pw, nexc, CODEC_SMALL, out);
	else
		return false;
	return true;
}

static void
encode_known(const uint64_t *v, uint32_t n, const IntStats *s, CodecEffort effort, Buf *out)
{
	unsigned width = range_width(s->min, s->max);
	unsigned dwidth = n > 1 ? range_width(s->dmin, s->dmax) : 64;
	uint64_t flat_bits = (uint64_t) n * (dwidth < width ? dwidth : width) + 64;
	uint64_t rle_bits = (uint64_t) s->runs * (width + bit_width(n / s->runs) + 2) + 96;
	/* runs of odd lengths take longer to decode than packed values: they have to save a third as well */
	bool rle = s->runs > 1 && rle_bits < flat_bits - flat_bits / 3;

	if (effort == CODEC_SMALL && n >= SECOND_LOOK_VALUES && s->runs > 1 &&
		encode_second_look(v, n, s, rle ? rle_bits : flat_bits, out))
		return;
	if (rle)
		put_rle(v, n, s->runs, effort, out);
	else
		encode_flat(v, n, s, effort, out);
}

void
int_encode_any(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out)
{
	IntStats s;

	int_stats(v, n, &s);
	encode_known(v, n, &s, effort, out);
}

/* Narrower than this, dividing by a common factor or by powers of ten gains little. */
#define SCALE_MIN_WIDTH   12
#define DECIMAL_MIN_WIDTH 44

void
codec_encode_i64(const int64_t *values, uint32_t n, CodecEffort effort, Buf *out)
{
	const uint64_t *v = (const uint64_t *) values;
	unsigned width, dwidth;
	IntStats s;

	if (n == 0)
		return;
	int_stats(v, n, &s);
	width = range_width(s.min, s.max);
	dwidth = n > 1 ? range_width(s.dmin, s.dmax) : 0;
	if (n >= 8 && width >= SCALE_MIN_WIDTH && dwidth > 0)
	{
		if (scale_encode(v, n, (uint64_t) s.min, effort, out))
			return;
		if (effort == CODEC_SMALL && width >= DECIMAL_MIN_WIDTH && decimal_encode(v, n, effort, out))
			return;
	}
	encode_known(v, n, &s, effort, out);
}

void
codec_encode_u32(const uint32_t *v, uint32_t n, CodecEffort effort, Buf *out)
{
	uint64_t *wide = codec_scratch(SCRATCH_WIDEN, (size_t) n * 8);

	if (n == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		wide[i] = v[i];
	int_encode_any(wide, n, effort, out);
}
