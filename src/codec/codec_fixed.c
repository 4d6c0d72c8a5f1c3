/*
 * codec_fixed.c
 *	  Blocks of fixed-width values (trace ids, uuids, floats of odd width ...). Mostly random bytes: what
 *	  can be saved is repeated values (dictionary), the order of sorted ones (split: the leading 8 bytes as
 *	  numbers), and whatever lz4 or zstd finds.
 */
#include "codec/codec_impl.h"
#include "span/intern.h"

#define MIN_COMPRESS_BYTES 64

static bool
all_same(const uint8_t *v, uint32_t n, uint16_t width)
{
	return n < 2 || memcmp(v, v + width, (size_t) (n - 1) * width) == 0;
}

static bool
all_zero(const uint8_t *v, size_t len)
{
	return len == 0 || (v[0] == 0 && memcmp(v, v + 1, len - 1) == 0);
}

static void
put_plain(const uint8_t *v, uint32_t n, uint16_t width, CodecEffort effort, Buf *out)
{
	size_t raw = (size_t) n * width;
	const uint8_t *z;
	size_t got = 0;

	if (raw >= MIN_COMPRESS_BYTES)
		got = effort == CODEC_FAST ? codec_lz4(v, raw, &z) : codec_zstd(v, raw, &z);
	if (got > 0 && got < raw - raw / 10)
	{
		buf_put_u8(out, effort == CODEC_FAST ? FIXED_LZ4 : FIXED_ZSTD);
		buf_put(out, z, got);
		return;
	}
	buf_put_u8(out, FIXED_PLAIN);
	buf_put(out, v, raw);
}

/* Leading 8 bytes as numbers, the rest as fixed values of width - 8. */
static bool
put_split(const uint8_t *v, uint32_t n, uint16_t width, Buf *out)
{
	uint64_t *head = codec_scratch(SCRATCH_FIXED, (size_t) n * (8 + width));
	uint8_t *tail = (uint8_t *) (head + n);
	size_t start = out->len;

	for (uint32_t i = 0; i < n; i++)
	{
		head[i] = load64be(v + (size_t) i * width);
		memcpy(tail + (size_t) i * (width - 8), v + (size_t) i * width + 8, width - 8);
	}
	buf_put_u8(out, FIXED_SPLIT);
	int_put_nested(head, n, CODEC_SMALL, out);
	if (out->len - start > (size_t) n * 8)
	{
		out->len = start;
		return false;
	}
	if (width == 8)
		return true;
	if (all_zero(tail, (size_t) n * (width - 8)))
		buf_put_u8(out, FIXED_ZERO);
	else
		put_plain(tail, n, width - 8, CODEC_SMALL, out);
	return true;
}

/* ---- dictionary ---- */

typedef struct FixedDict
{
	uint32_t *slots; /* entry + 1, 0 free */
	uint32_t mask;
	uint64_t *codes;
	uint32_t *first; /* row of each entry */
	uint32_t n;
} FixedDict;

/* false when more than max entries are needed */
static bool
fixed_dict_build(const uint8_t *v, uint32_t n, uint16_t width, uint32_t max, FixedDict *d)
{
	uint64_t seed = intern_seed();
	uint32_t size = 64;

	while (size < max * 2)
		size *= 2;
	d->mask = size - 1;
	d->slots = codec_scratch(SCRATCH_HASH, (size_t) size * 4 + (size_t) max * 4);
	d->first = d->slots + size;
	d->codes = codec_scratch(SCRATCH_CODES, (size_t) n * 8);
	d->n = 0;
	memset(d->slots, 0, (size_t) size * 4);
	for (uint32_t i = 0; i < n; i++)
	{
		const uint8_t *p = v + (size_t) i * width;
		uint32_t s = intern_hash(str_of((const char *) p, width), seed) & d->mask;

		while (d->slots[s] && memcmp(v + (size_t) d->first[d->slots[s] - 1] * width, p, width) != 0)
			s = (s + 1) & d->mask;
		if (d->slots[s] == 0)
		{
			if (d->n == max)
				return false;
			d->first[d->n++] = i;
			d->slots[s] = d->n;
		}
		d->codes[i] = d->slots[s] - 1;
	}
	return true;
}

static bool
put_dict(const uint8_t *v, uint32_t n, uint16_t width, CodecEffort effort, Buf *out)
{
	FixedDict d;
	uint8_t *entries;

	if (n < 4 || !fixed_dict_build(v, n, width, n - n / 4, &d) ||
		(uint64_t) d.n * width + bitpack_bytes(n, bit_width(d.n)) > (uint64_t) n * width)
		return false;
	entries = codec_scratch(SCRATCH_FIXED, (size_t) d.n * width);
	for (uint32_t k = 0; k < d.n; k++)
		memcpy(entries + (size_t) k * width, v + (size_t) d.first[k] * width, width);
	buf_put_u8(out, FIXED_DICT);
	buf_put_varint(out, d.n);
	buf_put(out, entries, (size_t) d.n * width);
	int_encode_flat(d.codes, n, effort, out);
	return true;
}

void
codec_encode_fixed(const uint8_t *v, uint32_t n, uint16_t width, CodecEffort effort, Buf *out)
{
	if (n == 0)
		return;
	if (all_zero(v, (size_t) n * width))
		buf_put_u8(out, FIXED_ZERO);
	else if (all_same(v, n, width))
	{
		buf_put_u8(out, FIXED_CONST);
		buf_put(out, v, width);
	}
	else if (!put_dict(v, n, width, effort, out) &&
			 !(effort == CODEC_SMALL && width >= 8 && put_split(v, n, width, out)))
		put_plain(v, n, width, effort, out);
}

/* ---- reading ---- */

static bool
decode_dict(const uint8_t *p, const uint8_t *end, uint8_t *v, uint32_t n, uint16_t width)
{
	uint32_t entries, *codes;
	const uint8_t *dict;

	if (!read_u32(&p, end, &entries) || entries > n || (uint64_t) entries * width > (uint64_t) (end - p))
		return false;
	dict = p;
	p += (size_t) entries * width;
	codes = codec_scratch(SCRATCH_CODES, (size_t) n * 4);
	if (!int_decode_u32(p, (size_t) (end - p), codes, n, 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (codes[i] >= entries)
			return false;
		memcpy(v + (size_t) i * width, dict + (size_t) codes[i] * width, width);
	}
	return true;
}

static bool
decode_flat(const uint8_t *p, const uint8_t *end, uint8_t *v, size_t raw)
{
	if (p >= end)
		return false;
	switch (*p++)
	{
		case FIXED_ZERO: memset(v, 0, raw); return true;
		case FIXED_PLAIN:
			if ((size_t) (end - p) < raw)
				return false;
			memcpy(v, p, raw);
			return true;
		case FIXED_LZ4: return codec_unlz4(p, (size_t) (end - p), v, raw);
		case FIXED_ZSTD: return codec_unzstd(p, (size_t) (end - p), v, raw);
		default: return false;
	}
}

static bool
decode_split(const uint8_t *p, const uint8_t *end, uint8_t *v, uint32_t n, uint16_t width)
{
	const uint8_t *part;
	size_t len;
	uint64_t *head;
	uint8_t *tail;

	if (width < 8 || !read_part(&p, end, &part, &len))
		return false;
	head = codec_scratch(SCRATCH_FIXED, (size_t) n * (8 + width));
	tail = (uint8_t *) (head + n);
	if (!int_decode_u64(part, len, head, n, 0))
		return false;
	if (width > 8 && !decode_flat(p, end, tail, (size_t) n * (width - 8)))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t be = __builtin_bswap64(head[i]);

		memcpy(v + (size_t) i * width, &be, 8);
		memcpy(v + (size_t) i * width + 8, tail + (size_t) i * (width - 8), width - 8);
	}
	return true;
}

bool
codec_decode_fixed(const uint8_t *p, size_t len, uint8_t *v, uint32_t n, uint16_t width)
{
	const uint8_t *end = p + len;

	if (n == 0)
		return len == 0;
	if (len == 0)
		return false;
	switch (*p)
	{
		case FIXED_CONST:
			if (len < (size_t) 1 + width)
				return false;
			for (uint32_t i = 0; i < n; i++)
				memcpy(v + (size_t) i * width, p + 1, width);
			return true;
		case FIXED_DICT: return decode_dict(p + 1, end, v, n, width);
		case FIXED_SPLIT: return decode_split(p + 1, end, v, n, width);
		default: return decode_flat(p, end, v, (size_t) n * width);
	}
}
