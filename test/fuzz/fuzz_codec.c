/*
 * fuzz_codec.c
 *	  Blocks of columns from anywhere: decoded as each kind, within bounds; and whatever bytes are values come
 *	  back from a round trip.
 *
 * Input: one byte that chooses what to do, two bytes of n, the rest is the block or the values.
 */
#include <setjmp.h>

#include "tracked_arena.h"

#include "codec/codec.h"

#define MAX_VALUES 5000
#define MAX_BYTES  (1 << 20)

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Words that blocks may refer to. */
static const uint64_t pairs[8][2] = {{1, 2}, {3, 4}, {UINT64_MAX, 0}, {5, UINT64_MAX},
									 {0, 0}, {6, 7}, {8, 9},          {1, 1}};
static const CodecWords some_words = {.n = 8, .pairs = pairs};

static void
decode_strings(const uint8_t *p, size_t len, const CodecWords *words, uint32_t n, Arena *arena)
{
	Str *strs = arena_alloc(arena, n * sizeof(Str));
	uint64_t sum = 0;

	if (codec_decode_bytes_words(p, len, words, strs, n, MAX_BYTES, arena))
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < strs[i].len; k++)
				sum += (uint8_t) strs[i].p[k];
	if (sum == 1) /* the bytes have to be looked at */
		arena_alloc(arena, 1);
}

static void
decode_numbers(const uint8_t *p, size_t len, uint32_t n, Arena *arena)
{
	CodecRange ranges[] = {{n / 4, n / 3}, {n / 2, n}};
	int64_t *v = arena_alloc(arena, n * 8), *some = arena_alloc(arena, n * 8);
	bool fine = codec_decode_i64(p, len, v, n);

	if (codec_decode_i64_ranges(p, len, some, n, ranges, 2) != fine)
		abort();
	for (uint32_t i = n / 2; fine && i < n; i++)
		if (v[i] != some[i])
			abort();
}

static void
decode(int kind, const uint8_t *p, size_t len, uint32_t n, Arena *arena)
{
	codec_name(p, len);
	switch (kind)
	{
		case 0: decode_numbers(p, len, n, arena); break;
		case 1: codec_decode_u32(p, len, arena_alloc(arena, n * 4), n); break;
		case 2: codec_decode_fixed(p, len, arena_alloc(arena, n * 16), n, 16); break;
		case 3: codec_decode_fixed(p, len, arena_alloc(arena, n * 7), n, 7); break;
		default:
			decode_strings(p, len, NULL, n, arena);
			decode_strings(p, len, &some_words, n, arena);
			break;
	}
}

static void
expect(bool fine)
{
	if (!fine)
		abort();
}

static void
round_trip_numbers(const uint8_t *p, uint32_t n, CodecEffort effort, Arena *arena)
{
	int64_t *v = arena_dup(arena, p, n * 8), *back = arena_alloc(arena, n * 8);
	uint32_t *narrow = arena_dup(arena, p, n * 8), *narrow_back = arena_alloc(arena, n * 8);
	Buf out;

	buf_init(&out, arena, 0);
	codec_encode_i64(v, n, effort, &out);
	expect(codec_decode_i64(out.p, out.len, back, n) && memcmp(v, back, n * 8) == 0);
	out.len = 0;
	codec_encode_u32(narrow, n * 2, effort, &out);
	expect(codec_decode_u32(out.p, out.len, narrow_back, n * 2) && memcmp(narrow, narrow_back, n * 8) == 0);
	out.len = 0;
	codec_encode_fixed(p, n, 8, effort, &out);
	expect(codec_decode_fixed(out.p, out.len, (uint8_t *) back, n, 8) && memcmp(p, back, n * 8) == 0);
}

static void
round_trip_words(const Str *v, Str *back, uint32_t n, size_t len, Arena *arena)
{
	uint32_t *codes = arena_alloc(arena, ((size_t) n + 1) * sizeof(uint32_t));
	CodecWords words;
	Buf out;

	for (uint32_t i = 0; i < n; i++)
		codes[i] = i;
	if (!codec_words_collect(v, codes, n, 1000, arena, &words))
		return;
	buf_init(&out, arena, 0);
	codec_encode_bytes_words(v, n, &words, &out);
	expect(codec_decode_bytes_words(out.p, out.len, &words, back, n, len, arena));
	for (uint32_t i = 0; i < n; i++)
		expect(str_eq(v[i], back[i]));
}

/* Lines of the input as strings. */
static void
round_trip_strings(const uint8_t *p, size_t len, CodecEffort effort, Arena *arena)
{
	Str *v = arena_alloc(arena, (len + 1) * sizeof(Str)), *back = arena_alloc(arena, (len + 1) * sizeof(Str));
	const uint8_t *end = p + len;
	uint32_t n = 0;
	Buf out;

	while (p < end)
	{
		const uint8_t *nl = memchr(p, '\n', (size_t) (end - p));
		const uint8_t *stop = nl ? nl : end;

		v[n++] = str_of((const char *) p, (size_t) (stop - p));
		p = stop + 1;
	}
	buf_init(&out, arena, 0);
	codec_encode_bytes(v, n, effort, &out);
	expect(codec_decode_bytes(out.p, out.len, back, n, len, arena));
	for (uint32_t i = 0; i < n; i++)
		expect(str_eq(v[i], back[i]));
	round_trip_words(v, back, n, len, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Tracker tracker;
	jmp_buf escape;
	Arena *arena;
	uint32_t n;

	if (size < 3)
		return 0;
	arena = tracked_arena(&tracker, 64 << 20, &escape);
	n = (data[1] | (uint32_t) data[2] << 8) % MAX_VALUES;
	if (setjmp(escape) == 0)
	{
		if (data[0] & 0x80)
			decode(data[0] % 5, data + 3, size - 3, n, arena);
		else if (data[0] & 0x40)
			round_trip_strings(data + 3, size - 3, data[0] & 1 ? CODEC_SMALL : CODEC_FAST, arena);
		else
			round_trip_numbers(data + 3, (uint32_t) ((size - 3) / 8), data[0] & 1 ? CODEC_SMALL : CODEC_FAST,
							   arena);
	}
	tracked_free(&tracker);
	return 0;
}
