/*
 * codec.h
 *	  Column encodings: arrays of numbers, fixed-width values and byte strings to bytes and back.
 *
 * Plain C over arrays; knows nothing of rows, files or PostgreSQL. Every encoded block says by its first
 * bytes how it was encoded, so readers never need to be told. Encoders look at the data and take the
 * smallest of their set. Decoders treat every byte as hostile: they check each length against what is
 * left, never read outside [p, p + len), never write outside the n values they were given, and return
 * false for anything malformed.
 */
#ifndef TEMPO_CODEC_H
#define TEMPO_CODEC_H

#include "span/arena.h"

/* How hard to try. */
typedef enum CodecEffort
{
	CODEC_FAST, /* recent batches: cheap encodings, lz4 where it shrinks a lot */
	CODEC_SMALL /* segments: all encodings, zstd where it shrinks */
} CodecEffort;

/* Signed 64-bit numbers: constant, run length, frame of reference or delta and bit-packed, plain. */
extern void codec_encode_i64(const int64_t *v, uint32_t n, CodecEffort effort, Buf *out);
extern bool codec_decode_i64(const uint8_t *p, size_t len, int64_t *v, uint32_t n);

/*
 * The same when only values [from, to) of some ranges, ascending and apart, are wanted: others may be left as
 * they are.
 */
typedef struct CodecRange
{
	uint32_t from;
	uint32_t to;
} CodecRange;
extern bool codec_decode_i64_ranges(const uint8_t *p, size_t len, int64_t *v, uint32_t n,
									const CodecRange *ranges, uint32_t nranges);

/* Dictionary codes and other small unsigned numbers. */
extern void codec_encode_u32(const uint32_t *v, uint32_t n, CodecEffort effort, Buf *out);
extern bool codec_decode_u32(const uint8_t *p, size_t len, uint32_t *v, uint32_t n);

/* n values of width bytes each. */
extern void codec_encode_fixed(const uint8_t *v, uint32_t n, uint16_t width, CodecEffort effort, Buf *out);
extern bool codec_decode_fixed(const uint8_t *p, size_t len, uint8_t *v, uint32_t n, uint16_t width);

/*
 * Byte strings. Decoding allocates the bytes in arena (or points into p when stored plain) and fills v.
 * max_bytes bounds what a hostile block may inflate to.
 */
extern void codec_encode_bytes(const Str *v, uint32_t n, CodecEffort effort, Buf *out);
extern bool codec_decode_bytes(const uint8_t *p, size_t len, Str *v, uint32_t n, size_t max_bytes,
							   Arena *arena);

/*
 * Words: uuids that the strings of a column have in common, so that its blocks can refer to them by number.
 * codec_words_collect finds those of the strings dict[codes[0 .. n - 1]], at most max, in memory of arena, or
 * returns false when they would not save anything. Blocks written with words are read with the same words;
 * the reader needs n and pairs only. Without words: NULL.
 */
typedef struct CodecWords
{
	uint32_t n;
	const uint64_t (*pairs)[2]; /* digits 1 to 16, digits 17 to 32 */
	const uint32_t *slots;
	uint32_t mask;
} CodecWords;

extern bool codec_words_collect(const Str *dict, const uint32_t *codes, uint32_t n, uint32_t max,
								Arena *arena, CodecWords *words);
extern void codec_encode_bytes_words(const Str *v, uint32_t n, const CodecWords *words, Buf *out);
extern bool codec_decode_bytes_words(const uint8_t *p, size_t len, const CodecWords *words, Str *v,
									 uint32_t n, size_t max_bytes, Arena *arena);

/* Strings of a block together; more are answered as if memory had run out. */
#define CODEC_MAX_BLOCK_BYTES ((size_t) 3 << 30)

/*
 * Scratch memory is kept between calls. hook is told when it cannot be had, and must not return; without
 * one the program aborts. codec_trim gives back what is larger than keep bytes, codec_release everything.
 */
extern void codec_set_oom(void (*hook)(size_t size));
extern void codec_trim(size_t keep);
extern void codec_release(void);

/* Name of the encoding at the start of a block, for EXPLAIN, tempo_check and tests; never NULL. */
extern const char *codec_name(const uint8_t *p, size_t len);

/*
 * Split-block bloom filter over 64-bit hashes (Putze, Sanders, Singler 2007; the layout of Parquet):
 * 32-byte blocks, 8 words, one bit a word. Any number of blocks from 1 to 2^26.
 */
extern uint32_t bloom_blocks(uint32_t nkeys, uint32_t bits_per_key);
extern void bloom_add(uint8_t *bloom, uint32_t nblocks, uint64_t hash);
extern bool bloom_maybe(const uint8_t *bloom, uint32_t nblocks, uint64_t hash);
/* Byte offset of the block that hash lives in: the only 32 bytes a probe reads. */
extern uint32_t bloom_offset(uint32_t nblocks, uint64_t hash);

/* 64-bit hash of bytes, fixed for all time because it is stored (bloom filters). */
extern uint64_t codec_hash64(const void *p, size_t len);
extern uint32_t codec_crc32c(const void *p, size_t len);
/* The same without the processor's instruction: tests compare the two. */
extern uint32_t codec_crc32c_portable(const void *p, size_t len);

#endif
