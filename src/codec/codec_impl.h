/*
 * codec_impl.h
 *	  What the files of src/codec share: bit packing, byte compression, scratch memory, wire helpers.
 *
 * Scratch memory belongs to the process, grows and is kept: one slot per use, so that nested encodings
 * never share one. Nothing in it survives a call of the public functions.
 */
#ifndef TEMPO_CODEC_IMPL_H
#define TEMPO_CODEC_IMPL_H

#include "codec/codec.h"

/* First byte of a block of numbers. Stored: never renumber. */
typedef enum IntTag
{
	INT_ZERO = 0,  /* nothing follows: all values are 0 */
	INT_CONST = 1, /* zigzag varint */
	INT_FOR = 2,   /* zigzag varint base, u8 width, values - base bit-packed */
	INT_DELTA = 3, /* zigzag varint first, zigzag varint base, u8 width, n - 1 differences - base packed */
	INT_RLE = 4,   /* varint runs, varint length, block of values, block of lengths - 1 */
	INT_PFOR = 5,  /* FOR header, varint exceptions, varint length, block of positions, block of high bits,
					  packed low bits */
	INT_DICT = 6,  /* varint entries, varint length, block of entries, block of codes */
	INT_PLAIN = 7, /* 8 bytes (4 for u32) a value */
	INT_LOG = 8,   /* zigzag varint base, varint length, block of bucket numbers, offsets in buckets packed */
	INT_ZSTD = 9,  /* varint raw length, another block compressed */
	INT_SCALED = 10,  /* zigzag varint base, varint factor, block of (values - base) / factor */
	INT_DECIMAL = 11, /* u8 exponent, varint exceptions, varint length, block of positions, varint length,
						 block of exceptions, block of whole numbers; value: double(number) / 10^exponent */
	INT_END
} IntTag;

/* First byte of a block of byte strings. */
typedef enum BytesTag
{
	BYTES_EMPTY = 32, /* nothing follows: all are empty */
	BYTES_CONST = 33, /* the bytes */
	BYTES_PLAIN = 34, /* varint length, block of lengths, the bytes */
	BYTES_LZ4 = 35,   /* varint length, block of lengths, varint raw length, compressed bytes */
	BYTES_ZSTD = 36,  /* same */
	BYTES_DICT = 37,  /* varint entries, varint length, block of entries, block of codes */
	BYTES_TEXT = 38,  /* templates with numbers: see codec_text.c */
	BYTES_WORDS = 39, /* the same, with uuids that the column's words hold */
	BYTES_END
} BytesTag;

/* First byte of a block of fixed-width values. */
typedef enum FixedTag
{
	FIXED_ZERO = 64,  /* all bytes are 0 */
	FIXED_CONST = 65, /* one value */
	FIXED_PLAIN = 66, /* the bytes */
	FIXED_SPLIT = 67, /* varint length, block of the first 8 bytes as big-endian numbers, block of the rest */
	FIXED_DICT = 68,  /* varint entries, varint length, block of entries, block of codes */
	FIXED_LZ4 = 69,   /* compressed bytes */
	FIXED_ZSTD = 70,
	FIXED_END
} FixedTag;

/* ---- little-endian access ---- */

static inline uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t
load64be(const uint8_t *p)
{
	return __builtin_bswap64(load64(p));
}

static inline uint64_t
zigzag(int64_t v)
{
	return ((uint64_t) v << 1) ^ (uint64_t) (v >> 63);
}

static inline int64_t
unzigzag(uint64_t v)
{
	return (int64_t) (v >> 1) ^ -(int64_t) (v & 1);
}

static inline unsigned
bit_width(uint64_t v)
{
	return v ? 64 - (unsigned) __builtin_clzll(v) : 0;
}

static inline size_t
varint_size(uint64_t v)
{
	return v ? (bit_width(v) + 6) / 7 : 1;
}

/* Reads a varint that must fit 32 bits. */
static inline bool
read_u32(const uint8_t **pos, const uint8_t *end, uint32_t *v)
{
	uint64_t x;

	if (!read_varint(pos, end, &x) || x > UINT32_MAX)
		return false;
	*v = (uint32_t) x;
	return true;
}

/* Reads a varint length of a part that must lie before end; *part gets its start, *pos moves behind it. */
static inline bool
read_part(const uint8_t **pos, const uint8_t *end, const uint8_t **part, size_t *len)
{
	uint64_t x;

	if (!read_varint(pos, end, &x) || x > (uint64_t) (end - *pos))
		return false;
	*part = *pos;
	*len = (size_t) x;
	*pos += x;
	return true;
}

/* log2 to four digits, for estimates of entropy. */
static inline float
approx_log2(uint32_t x)
{
	union
	{
		float f;
		uint32_t i;
	} u = {.f = (float) x};
	int e = (int) (u.i >> 23) - 127;

	u.i = (u.i & 0x7fffff) | 0x3f800000;
	return (float) e +
		   (-2.7868e+00f +
			(5.0466e+00f +
			 (-3.4925e+00f + (1.5939e+00f + (-4.0490e-01f + 4.3428e-02f * u.f) * u.f) * u.f) * u.f) *
				u.f);
}

/* What was written since start gets its length in front. */
static inline void
buf_prefix_length(Buf *out, size_t start)
{
	size_t len = out->len - start;
	size_t head = varint_size(len);

	/* as much as buf_put_varint asks for: were it to grow the buffer, it would not carry the part along */
	buf_reserve(out, 10);
	memmove(out->p + start + head, out->p + start, len);
	out->len = start;
	buf_put_varint(out, len);
	out->len = start + head + len;
}

/* Are all values below limit, which is at most 2^31? Differences, because their signs come cheap. */
static inline bool
all_below(const uint32_t *v, uint32_t n, uint32_t limit)
{
	uint32_t signs = 0;

	for (uint32_t i = 0; i < n; i++)
		signs |= v[i] | (limit - 1 - v[i]);
	return n == 0 || (limit > 0 && signs >> 31 == 0);
}

/* ---- bitpack.c ---- */

static inline uint64_t
bitpack_bytes(uint32_t n, unsigned width)
{
	return ((uint64_t) n * width + 7) / 8;
}

/* Value i at bits [i * width, (i + 1) * width), least significant first; out has bitpack_bytes. */
extern void bitpack_u64(const uint64_t *v, uint32_t n, unsigned width, uint64_t base, uint8_t *out);
/* p has bitpack_bytes; nothing beyond is read. base is added. */
extern void bitunpack_u64(const uint8_t *p, uint32_t n, unsigned width, uint64_t base, uint64_t *out);
extern void bitunpack_u32(const uint8_t *p, uint32_t n, unsigned width, uint32_t base, uint32_t *out);

/* ---- compress.c ---- */

typedef enum ScratchSlot
{
	SCRATCH_WIDEN, /* u32 as u64 */
	SCRATCH_WIDEN_NESTED,
	SCRATCH_RUNS,
	SCRATCH_RUN_LENGTHS,
	SCRATCH_BUCKETS,
	SCRATCH_SCALE,
	SCRATCH_EXC_POS,
	SCRATCH_EXC_HIGH,
	SCRATCH_DICT,
	SCRATCH_CODES,
	SCRATCH_HASH,
	SCRATCH_PACK,
	SCRATCH_ZIN,
	SCRATCH_ZOUT,
	SCRATCH_LENGTHS,
	SCRATCH_STRS,
	SCRATCH_TEXT,
	SCRATCH_TEXT_COLLECT,
	SCRATCH_WORDS,
	SCRATCH_FIXED,
	SCRATCH_NSLOTS
} ScratchSlot;

/* Tells the hook; does not return. */
extern void codec_fail_memory(size_t size) __attribute__((noreturn));

/* Memory of a slot, at least size bytes; the previous content is gone. */
extern void *codec_scratch(ScratchSlot slot, size_t size);

/* Compressed size, 0 when it failed; *out points to scratch memory, valid until the next call of these. */
extern size_t codec_lz4(const uint8_t *src, size_t len, const uint8_t **out);
extern size_t codec_zstd(const uint8_t *src, size_t len, const uint8_t **out);
/* Exactly raw bytes must come out. */
extern bool codec_unlz4(const uint8_t *src, size_t len, uint8_t *dst, size_t raw);
extern bool codec_unzstd(const uint8_t *src, size_t len, uint8_t *dst, size_t raw);

/* ---- codec_int.c, codec_log.c: pieces of each other ---- */

/* As codec_decode_i64, but nested blocks may not nest further than depth. */
extern bool int_decode_u64(const uint8_t *p, size_t len, uint64_t *v, uint32_t n, int depth);
extern bool int_decode_u32(const uint8_t *p, size_t len, uint32_t *v, uint32_t n, int depth);

/* A flat block of n numbers; the second writes its length in front. */
extern void int_encode_flat(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out);
extern void int_put_nested(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out);

/* Bits a LOG block of these values would take, from their histogram of buckets. */
extern uint64_t log_estimate(const uint64_t *v, uint32_t n, uint64_t base);
extern void log_encode(const uint64_t *v, uint32_t n, uint64_t base, Buf *out);
extern bool log_decode(const uint8_t *p, size_t len, uint64_t *v, uint32_t n);
extern bool log_decode_ranges(const uint8_t *p, size_t len, uint64_t *v, uint32_t n, const CodecRange *ranges,
							  uint32_t nranges);

/* Any encoding but those of codec_scale.c. */
extern void int_encode_any(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out);

/* ---- codec_scale.c ---- */

/* Values that are base plus multiples of one factor; false, and nothing written, when they are not. */
extern bool scale_encode(const uint64_t *v, uint32_t n, uint64_t base, CodecEffort effort, Buf *out);
extern bool scale_decode(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n);
/* Bits of doubles that, most of them, are short decimals. */
extern bool decimal_encode(const uint64_t *v, uint32_t n, CodecEffort effort, Buf *out);
extern bool decimal_decode(const uint8_t *p, const uint8_t *end, uint64_t *v, uint32_t n);

/* ---- codec_bytes.c ---- */

/* Plain, lz4 or zstd. The second writes its length in front; no strings are no bytes. */
extern void bytes_put_raw(const Str *v, uint32_t n, CodecEffort effort, Buf *out);
extern void bytes_put_nested(const Str *v, uint32_t n, Buf *out);
extern bool bytes_decode_raw(const uint8_t *p, size_t len, Str *v, uint32_t n, size_t max_bytes,
							 Arena *arena);

/* ---- codec_text.c ---- */

/*
 * Strings that follow few templates with numbers in them, as templates or raw, whichever is smaller. false:
 * they do not, and nothing was written. words may be NULL.
 */
extern bool text_encode(const Str *v, uint32_t n, const CodecWords *words, Buf *out);
/* words NULL: those of a BYTES_TEXT block, which has none. */
extern bool text_decode(const uint8_t *p, const uint8_t *end, const CodecWords *words, Str *v, uint32_t n,
						size_t max_bytes, Arena *arena);

/* ---- codec_words.c ---- */

#define UUID_TEXT  36 /* characters */
#define WORD_BYTES 16

/* A uuid in lower case at p: its two halves. false: there is none. */
extern bool uuid_read(const uint8_t *p, const uint8_t *end, uint64_t half[2]);
/* Number of a word, from 1; 0: it is none. Only what codec_words_collect made can be asked. */
extern uint32_t words_find(const CodecWords *words, const uint64_t half[2]);

#endif
