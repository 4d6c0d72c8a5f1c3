/*
 * buckets.c
 *	  Powers of two, and quantiles estimated from counts of them: exponential interpolation within a bucket.
 */
#include "traceql/metrics/internal.h"

#include <math.h>

double
bucket_bound(const LeafPlan *plan, uint32_t bucket)
{
	double bound = ldexp(1, (int) bucket);

	return plan->seconds ? bound / 1e9 : bound;
}

/* Between the bound before (half of this one, when it is the first) and this one. */
static double
interpolate(const LeafPlan *plan, uint32_t before, uint32_t bucket, double part)
{
	double hi = log2(bucket_bound(plan, bucket));
	double lo = before ? log2(bucket_bound(plan, before)) : hi - 1;

	return exp2(lo + (hi - lo) * part);
}

double
bucket_quantile(const LeafPlan *plan, const double *counts, double q)
{
	double total = 0;
	double below = 0;
	double wanted;
	uint32_t before = 0;

	for (uint32_t b = 1; b < NBUCKETS; b++)
		total += counts[b];
	if (total == 0)
		return 0;
	wanted = fmax(1, ceil(q * total));
	for (uint32_t b = 1; b < NBUCKETS; b++)
	{
		if (counts[b] == 0)
			continue;
		if (below + counts[b] > wanted)
			return interpolate(plan, before, b, (wanted - below) / counts[b]);
		below += counts[b];
		before = b;
		if (below == wanted)
			break;
	}
	return bucket_bound(plan, before);
}
