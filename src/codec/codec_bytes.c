/*
 * codec_bytes.c
 *	  Blocks of byte strings: empty, constant, plain, lz4, zstd, a dictionary of the block, templates.
 *
 * Lengths are a block of numbers in front, the bytes follow one after the other. Strings of a plain block
 * point into the block; all others are laid out in the caller's arena.
 */
#include "codec/codec_impl.h"
#include "span/intern.h"

#define MIN_COMPRESS_BYTES 48

static bool
all_equal(const Str *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (!str_eq(v[0], v[i]))
			return false;
	return true;
}

static void
put_lengths(const Str *v, uint32_t n, CodecEffort effort, Buf *out)
{
	uint64_t *lengths = codec_scratch(SCRATCH_LENGTHS, (size_t) n * 8);

	for (uint32_t i = 0; i < n; i++)
		lengths[i] = v[i].len;
	int_put_nested(lengths, n, effort, out);
}

static uint64_t
total_bytes(const Str *v, uint32_t n)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += v[i].len;
	return total;
}

static void
concatenate(const Str *v, uint32_t n, uint8_t *dst)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i].len)
		{
			memcpy(dst, v[i].p, v[i].len);
			dst += v[i].len;
		}
}

/* Plain, or compressed when that saves a tenth. */
void
bytes_put_raw(const Str *v, uint32_t n, CodecEffort effort, Buf *out)
{
	uint64_t total = total_bytes(v, n);
	const uint8_t *z = NULL;
	size_t got = 0, start = out->len;

	buf_put_u8(out, BYTES_PLAIN);
	put_lengths(v, n, effort, out);
	if (total >= MIN_COMPRESS_BYTES)
	{
		uint8_t *raw = codec_scratch(SCRATCH_TEXT, total);

		concatenate(v, n, raw);
		got = effort == CODEC_FAST ? codec_lz4(raw, total, &z) : codec_zstd(raw, total, &z);
	}
	if (got > 0 && got < total - total / 10)
	{
		out->p[start] = effort == CODEC_FAST ? BYTES_LZ4 : BYTES_ZSTD;
		buf_put_varint(out, total);
		buf_put(out, z, got);
		return;
	}
	concatenate(v, n, buf_reserve(out, total));
	out->len += total;
}

void
bytes_put_nested(const Str *v, uint32_t n, Buf *out)
{
	size_t start = out->len;

	if (n)
		bytes_put_raw(v, n, CODEC_SMALL, out);
	buf_prefix_length(out, start);
}

/* ---- dictionary of the block ---- */

typedef struct BytesDict
{
	uint32_t *slots; /* entry + 1, 0 free */
	uint64_t *codes;
	Str *entries;
	uint32_t n;
} BytesDict;

static bool
bytes_dict_build(const Str *v, uint32_t n, BytesDict *d)
{
	uint32_t max = n - n / 4, size = 64;
	uint64_t seed = intern_seed();

	while (size < max * 2)
		size *= 2;
	d->slots = codec_scratch(SCRATCH_HASH, (size_t) size * 4);
	d->codes = codec_scratch(SCRATCH_CODES, (size_t) n * 8);
	d->entries = codec_scratch(SCRATCH_STRS, (size_t) max * sizeof(Str));
	d->n = 0;
	memset(d->slots, 0, (size_t) size * 4);
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t s = intern_hash(v[i], seed) & (size - 1);

		while (d->slots[s] && !str_eq(d->entries[d->slots[s] - 1], v[i]))
			s = (s + 1) & (size - 1);
		if (d->slots[s] == 0)
		{
			if (d->n == max)
				return false;
			d->entries[d->n++] = v[i];
			d->slots[s] = d->n;
		}
		d->codes[i] = d->slots[s] - 1;
	}
	return true;
}

static bool
put_dict(const Str *v, uint32_t n, Buf *out)
{
	BytesDict d;

	if (n < 8 || !bytes_dict_build(v, n, &d))
		return false;
	buf_put_u8(out, BYTES_DICT);
	buf_put_varint(out, d.n);
	bytes_put_nested(d.entries, d.n, out);
	int_encode_flat(d.codes, n, CODEC_SMALL, out);
	return true;
}

static void
encode(const Str *v, uint32_t n, CodecEffort effort, const CodecWords *words, Buf *out)
{
	uint64_t total;

	if (n == 0)
		return;
	total = total_bytes(v, n);
	if (total > CODEC_MAX_BLOCK_BYTES)
		codec_fail_memory(total);
	if (total == 0)
		buf_put_u8(out, BYTES_EMPTY);
	else if (all_equal(v, n))
	{
		buf_put_u8(out, BYTES_CONST);
		buf_put(out, v[0].p, v[0].len);
	}
	else if (effort == CODEC_FAST)
		bytes_put_raw(v, n, effort, out);
	else if (!put_dict(v, n, out) && !text_encode(v, n, words, out))
		bytes_put_raw(v, n, effort, out);
}

void
codec_encode_bytes(const Str *v, uint32_t n, CodecEffort effort, Buf *out)
{
	encode(v, n, effort, NULL, out);
}

void
codec_encode_bytes_words(const Str *v, uint32_t n, const CodecWords *words, Buf *out)
{
	encode(v, n, CODEC_SMALL, words, out);
}

/* ---- reading ---- */

/* Lengths of n strings, and their sum, which max bounds. */
static bool
read_lengths(const uint8_t **p, const uint8_t *end, uint32_t n, size_t max, uint32_t **lengths, size_t *total)
{
	const uint8_t *part;
	size_t len;
	uint64_t sum = 0;

	*lengths = codec_scratch(SCRATCH_LENGTHS, (size_t) n * 4);
	if (!read_part(p, end, &part, &len) || !int_decode_u32(part, len, *lengths, n, 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
		sum += (*lengths)[i];
	*total = (size_t) sum;
	return sum <= max;
}

static void
cut(const char *bytes, const uint32_t *lengths, uint32_t n, Str *v)
{
	for (uint32_t i = 0; i < n; i++)
	{
		v[i] = (Str){bytes, lengths[i]};
		bytes += lengths[i];
	}
}

bool
bytes_decode_raw(const uint8_t *p, size_t len, Str *v, uint32_t n, size_t max_bytes, Arena *arena)
{
	const uint8_t *end = p + len;
	uint8_t tag, *bytes;
	uint32_t *lengths;
	size_t total;
	uint64_t raw;

	if (n == 0)
		return len == 0;
	if (len == 0)
		return false;
	tag = *p++;
	if (tag < BYTES_PLAIN || tag > BYTES_ZSTD || !read_lengths(&p, end, n, max_bytes, &lengths, &total))
		return false;
	if (tag == BYTES_PLAIN)
	{
		if ((size_t) (end - p) < total)
			return false;
		cut((const char *) p, lengths, n, v);
		return true;
	}
	if (!read_varint(&p, end, &raw) || raw != total)
		return false;
	bytes = arena_alloc(arena, total);
	if (tag == BYTES_LZ4 ? !codec_unlz4(p, (size_t) (end - p), bytes, total)
						 : !codec_unzstd(p, (size_t) (end - p), bytes, total))
		return false;
	cut((const char *) bytes, lengths, n, v);
	return true;
}

static bool
decode_dict(const uint8_t *p, const uint8_t *end, Str *v, uint32_t n, size_t max_bytes, Arena *arena)
{
	const uint8_t *part;
	size_t len;
	uint32_t entries, *codes;
	Str *dict;

	if (!read_u32(&p, end, &entries) || entries > n || !read_part(&p, end, &part, &len))
		return false;
	dict = codec_scratch(SCRATCH_STRS, (size_t) entries * sizeof(Str));
	codes = codec_scratch(SCRATCH_CODES, (size_t) n * 4);
	if (!bytes_decode_raw(part, len, dict, entries, max_bytes, arena) ||
		!int_decode_u32(p, (size_t) (end - p), codes, n, 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (codes[i] >= entries)
			return false;
		v[i] = dict[codes[i]];
	}
	return true;
}

bool
codec_decode_bytes_words(const uint8_t *p, size_t len, const CodecWords *words, Str *v, uint32_t n,
						 size_t max_bytes, Arena *arena)
{
	if (n == 0)
		return len == 0;
	if (len == 0)
		return false;
	switch (*p)
	{
		case BYTES_EMPTY:
		case BYTES_CONST:
			for (uint32_t i = 0; i < n; i++)
				v[i] = str_of((const char *) p + 1, *p == BYTES_CONST ? len - 1 : 0);
			return true;
		case BYTES_DICT: return decode_dict(p + 1, p + len, v, n, max_bytes, arena);
		case BYTES_TEXT: return text_decode(p + 1, p + len, NULL, v, n, max_bytes, arena);
		case BYTES_WORDS: return words != NULL && text_decode(p + 1, p + len, words, v, n, max_bytes, arena);
		default: return bytes_decode_raw(p, len, v, n, max_bytes, arena);
	}
}

bool
codec_decode_bytes(const uint8_t *p, size_t len, Str *v, uint32_t n, size_t max_bytes, Arena *arena)
{
	return codec_decode_bytes_words(p, len, NULL, v, n, max_bytes, arena);
}

const char *
codec_name(const uint8_t *p, size_t len)
{
	static const char *const ints[] = {"zero",       "constant",        "bit-packed", "delta",
									   "run length", "exceptions",      "dictionary", "plain",
									   "log",        "bit-packed zstd", "scaled",     "decimal"};
	static const char *const bytes[] = {"empty", "constant",   "plain",    "lz4",
										"zstd",  "dictionary", "template", "template with words"};
	static const char *const fixed[] = {"zero", "constant", "plain", "split", "dictionary", "lz4", "zstd"};

	if (len == 0)
		return "empty";
	if (*p < INT_END)
		return ints[*p];
	if (*p >= BYTES_EMPTY && *p < BYTES_END)
		return bytes[*p - BYTES_EMPTY];
	if (*p >= FIXED_ZERO && *p < FIXED_END)
		return fixed[*p - FIXED_ZERO];
	return "unknown";
}
