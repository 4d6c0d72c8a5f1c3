/*
 * image_shape.c
 *	  Orders of the attributes of a row. Some clients send the same attributes in another order each time
 *	  (maps without order). A table of shapes would then be as long as the image, so a shape is kept as a set
 *	  of columns in one order, and the row says which permutation of it was sent, as a number: 0 is the order
 *	  of the set itself.
 *
 * The number is in mixed radix: digit i, of radix n - i and least significant first, says which of the
 * columns not used yet comes next.
 */
#include "store/image_impl.h"

int64_t
image_permutation_rank(const uint32_t *set, const uint32_t *order, uint32_t n)
{
	uint32_t left[IMAGE_MAX_PERMUTED];
	uint64_t rank = 0, weight = 1;

	memcpy(left, set, n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t d = 0;

		while (left[d] != order[i])
			d++;
		memmove(left + d, left + d + 1, (n - i - d - 1) * sizeof(uint32_t));
		rank += d * weight;
		weight *= n - i;
	}
	return (int64_t) rank;
}

bool
image_permutation_apply(const uint32_t *set, int64_t rank, uint32_t n, uint32_t *order)
{
	uint32_t left[IMAGE_MAX_PERMUTED];
	uint64_t r = (uint64_t) rank;

	if (n > IMAGE_MAX_PERMUTED || rank < 0)
		return false;
	memcpy(left, set, n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t d = (uint32_t) (r % (n - i));

		r /= n - i;
		order[i] = left[d];
		memmove(left + d, left + d + 1, (n - i - d - 1) * sizeof(uint32_t));
	}
	return r == 0;
}
