/*
 * intern.c
 *	  Growth of the tables of intern.h, and their seed.
 */
#include "span/intern.h"

#include <sys/random.h>
#include <time.h>

#define INTERN_MIN_SLOTS 16

static void
place(Interner *in, uint64_t slot)
{
	uint32_t i = (uint32_t) (slot >> 32) & in->mask;

	while (in->slots[i] != 0)
		i = (i + 1) & in->mask;
	in->slots[i] = slot;
	in->used++;
}

void
intern_grow(Interner *in, Arena *arena, uint32_t ndict)
{
	uint64_t *old = in->slots;
	uint32_t nold = old ? in->mask + 1 : 0;
	uint32_t n = nold ? nold * 4 : INTERN_MIN_SLOTS;

	in->slots = arena_alloc0(arena, sizeof(uint64_t) * (size_t) n);
	in->mask = n - 1;
	in->used = 0;
	for (uint32_t i = 0; i < nold; i++)
		if (old[i] != 0 && (uint32_t) old[i] - 1 < ndict)
			place(in, old[i]);
}

uint64_t
intern_seed(void)
{
	static uint64_t seed = 0;

	if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t) time(NULL) * 0x9e3779b97f4a7c15ULL ^ (uint64_t) (uintptr_t) &seed;
	return seed | 1;
}
