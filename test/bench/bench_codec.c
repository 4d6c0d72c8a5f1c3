/*
 * bench_codec.c
 *	  Speed of the column encodings on synthetic columns: nanoseconds a value to encode and decode, bits a
 *	  value, and how fast each bit width unpacks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/codec_impl.h"

#define N      4096
#define ROUNDS 400

static uint64_t seed = 7;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void
bench_unpack(void)
{
	static const unsigned widths[] = {1, 2, 4, 5, 6, 8, 10, 12, 16, 20, 27, 32};
	static uint64_t v[N], out64[N];
	static uint32_t out32[N];
	static uint8_t packed[N * 8 + 8];

	printf("width   G values/s to 32 bits   to 64 bits\n");
	for (size_t k = 0; k < sizeof(widths) / sizeof(widths[0]); k++)
	{
		unsigned w = widths[k];
		double t0, t1, t2;

		for (int i = 0; i < N; i++)
			v[i] = rnd() & ((UINT64_C(1) << w) - 1);
		bitpack_u64(v, N, w, 0, packed);
		t0 = cpu_ns();
		for (int r = 0; r < ROUNDS * 10; r++)
			bitunpack_u32(packed, N, w, (uint32_t) r, out32);
		t1 = cpu_ns();
		for (int r = 0; r < ROUNDS * 10; r++)
			bitunpack_u64(packed, N, w, (uint64_t) r, out64);
		t2 = cpu_ns();
		printf("%5u %10.2f %20.2f\n", w, N * ROUNDS * 10 / (t1 - t0), N * ROUNDS * 10 / (t2 - t1));
	}
}

typedef int64_t (*Generator)(int i);

static int64_t
skewed(int i)
{
	return (int64_t) (rnd() % 8 ? rnd() % 4 : rnd() % 60);
}

static int64_t
codes(int i)
{
	return (int64_t) (rnd() % 48);
}

static int64_t
durations(int i)
{
	return (int64_t) (UINT64_C(1000000) << rnd() % 5) + (int64_t) (rnd() % 3000000);
}

static int64_t
serial(int i)
{
	return 1793491200000000000 + i * INT64_C(12345);
}

static int64_t
ids(int i)
{
	return (int64_t) rnd();
}

static void
bench_numbers(const char *name, Generator gen, CodecEffort effort)
{
	static int64_t v[N], back[N];
	Arena *arena = arena_create(NULL, 1 << 20);
	double t0, t1, t2;
	Buf out;

	for (int i = 0; i < N; i++)
		v[i] = gen(i);
	buf_init(&out, arena, N * 9);
	t0 = cpu_ns();
	for (int r = 0; r < ROUNDS; r++)
	{
		out.len = 0;
		codec_encode_i64(v, N, effort, &out);
	}
	t1 = cpu_ns();
	for (int r = 0; r < ROUNDS; r++)
		if (!codec_decode_i64(out.p, out.len, back, N))
			abort();
	t2 = cpu_ns();
	printf("%-10s %-6s %-16s encode %6.2f ns  decode %6.2f ns  %6.2f bits a value\n", name,
		   effort == CODEC_FAST ? "fast" : "small", codec_name(out.p, out.len), (t1 - t0) / ROUNDS / N,
		   (t2 - t1) / ROUNDS / N, out.len * 8.0 / N);
	arena_destroy(arena);
}

int
main(void)
{
	bench_unpack();
	for (CodecEffort e = CODEC_FAST; e <= CODEC_SMALL; e++)
	{
		bench_numbers("codes", codes, e);
		bench_numbers("skewed", skewed, e);
		bench_numbers("durations", durations, e);
		bench_numbers("serial", serial, e);
		bench_numbers("ids", ids, e);
	}
	return 0;
}
