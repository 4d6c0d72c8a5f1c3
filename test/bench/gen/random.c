/*
 * random.c
 *	  xoshiro256++ seeded by splitmix64: the same on every machine.
 */
#include "gen.h"

#include <math.h>

static uint64_t
splitmix(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void
random_seed(Random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t
random_u64(Random *r)
{
	uint64_t *s = r->s;
	uint64_t out = rotl(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

uint64_t
random_range(Random *r, uint64_t low, uint64_t high)
{
	return low + (uint64_t) (((unsigned __int128) random_u64(r) * (high - low + 1)) >> 64);
}

double
random_unit(Random *r)
{
	return (double) (random_u64(r) >> 11) * 0x1p-53;
}

double
random_normal(Random *r)
{
	double u = 1.0 - random_unit(r);
	double v = random_unit(r);

	return sqrt(-2.0 * log(u)) * cos(2 * M_PI * v);
}
