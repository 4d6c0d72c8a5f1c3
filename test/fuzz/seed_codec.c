/*
 * seed_codec.c
 *	  Seeds for fuzz_codec: a block of every encoding, and values for round trips.
 */
#include <stdio.h>
#include <stdlib.h>

#include "batch_random.h"
#include "codec/codec.h"

#define N 200

static void
write_seed(const char *dir, const char *name, int index, uint8_t what, const void *p, size_t len)
{
	char path[2048];
	uint8_t head[3] = {what, N & 255, N >> 8};
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%d", dir, name, index);
	f = fopen(path, "wb");
	if (f == NULL)
		exit(1);
	fwrite(head, 1, 3, f);
	fwrite(p, 1, len, f);
	fclose(f);
}

static int64_t
number(int kind, int i)
{
	double d = (double) rnd(1000) / 100;
	int64_t v;

	switch (kind)
	{
		case 0: return 0;
		case 1: return -12345;
		case 2: return rnd(50);
		case 3: return INT64_C(1793491200000000000) + i * 977;
		case 4: return i / 20;
		case 5: return i % 40 == 7 ? (int64_t) rnd(1u << 30) << 20 : rnd(100);
		case 6: return (int64_t) rnd(4) * INT64_C(0x123456789abd) + 1;
		case 7: return (int64_t) rnd(1u << 31) << rnd(30);
		case 8: return (int64_t) rnd(1u << 31) * 1000;
		default: memcpy(&v, &d, 8); return v;
	}
}

static void
seed_numbers(const char *dir, Arena *a)
{
	for (int kind = 0; kind < 10; kind++)
	{
		int64_t v[N];
		Buf out;

		for (int i = 0; i < N; i++)
			v[i] = number(kind, i);
		buf_init(&out, a, 0);
		codec_encode_i64(v, N, CODEC_SMALL, &out);
		write_seed(dir, "numbers", kind, 0x80 + 2, out.p, out.len); /* 0x82 % 5 is 0: codec_decode_i64 */
		write_seed(dir, "codes", kind, 0x80 + 3, out.p, out.len);
		write_seed(dir, "values", kind, 1, v, sizeof(v));
		out.len = 0;
		codec_encode_fixed((const uint8_t *) v, N / 2, 16, CODEC_SMALL, &out);
		write_seed(dir, "fixed", kind, 0x80 + 4, out.p, out.len);
	}
}

static void
seed_strings(const char *dir, Arena *a)
{
	static const char *const prefixes[] = {"", "same", "/api/user/", "10.0.", "SELECT * FROM t WHERE id = "};
	static const uint32_t ranges[] = {1, 1, 50, 100000, 1u << 30};

	for (int kind = 0; kind < 25; kind++)
	{
		Str v[N];
		Buf out, lines;

		buf_init(&out, a, 0);
		buf_init(&lines, a, 0);
		for (int i = 0; i < N; i++)
		{
			v[i] = rnd_text(a, prefixes[kind % 5], ranges[kind / 5]);
			buf_put(&lines, v[i].p, v[i].len);
			buf_put_u8(&lines, '\n');
		}
		codec_encode_bytes(v, N, kind & 1 ? CODEC_SMALL : CODEC_FAST, &out);
		write_seed(dir, "strings", kind, 0x80 + 1, out.p, out.len);
		write_seed(dir, "lines", kind, 0x41, lines.p, lines.len);
	}
}

/* A path with one of the words that fuzz_codec knows, and a uuid of its own now and then. */
static void
seed_words(const char *dir, Arena *a)
{
	Str v[N];
	uint32_t codes[N];
	CodecWords words;
	Buf out, lines;

	buf_init(&out, a, 0);
	buf_init(&lines, a, 0);
	for (int i = 0; i < N; i++)
	{
		char text[128];
		uint64_t half = i % 5 ? rnd(7) + 1 : (uint64_t) rnd(1u << 30) << 32;
		int len = snprintf(text, sizeof(text), "/item/%08x-%04x-%04x-%04x-%012x/%d", (unsigned) (half >> 32),
						   0, (unsigned) half, 0, (unsigned) half + 1, i);

		v[i] = str_of(arena_dup(a, text, (size_t) len), (size_t) len);
		codes[i] = (uint32_t) i;
		buf_put(&lines, v[i].p, v[i].len);
		buf_put_u8(&lines, '\n');
	}
	if (!codec_words_collect(v, codes, N, 8, a, &words))
		exit(1);
	codec_encode_bytes_words(v, N, &words, &out);
	write_seed(dir, "words", 0, 0x80 + 1, out.p, out.len);
	write_seed(dir, "word-lines", 0, 0x41, lines.p, lines.len);
}

int
main(int argc, char **argv)
{
	Arena *a = arena_create(NULL, 0);

	if (argc != 2)
		return 1;
	seed_numbers(argv[1], a);
	seed_strings(argv[1], a);
	seed_words(argv[1], a);
	return 0;
}
