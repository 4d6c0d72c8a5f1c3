/*
 * time.c
 *	  Ranges and steps. Steps count from the Unix epoch, so the same step always cuts time at the same
 *	  places, whatever range is asked for.
 */
#include "traceql/metrics/metrics.h"

#define MS                UINT64_C(1000000)
#define SECOND            (1000 * MS)
#define MINUTE            (60 * SECOND)
#define HOUR              (60 * MINUTE)

#define ROUGHLY_INTERVALS 240

static uint64_t
round_down(uint64_t v, uint64_t unit)
{
	return v - v % unit;
}

uint64_t
metrics_default_step(uint64_t start, uint64_t end)
{
	static const uint64_t grains[] = {HOUR, 5 * MINUTE, MINUTE, 15 * SECOND, 5 * SECOND, SECOND};
	uint64_t range = end > start ? end - start : 0;
	uint64_t step = range / ROUGHLY_INTERVALS;

	if (range < MINUTE)
		return step < 50 * MS ? 50 * MS : round_down(step, 50 * MS);
	for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++)
		if (step > grains[i])
			return round_down(step, grains[i]);
	return SECOND;
}

bool
metrics_align(uint64_t start, uint64_t end, uint64_t step, MetricsRange *range)
{
	uint64_t last;

	if (end <= start || step == 0 || end > UINT64_MAX - step)
		return false;
	start = round_down(start, step);
	start -= start >= step ? step : start;
	last = round_down(end + step - 1, step);
	if ((last - start) / step > METRICS_MAX_INTERVALS)
		return false;
	*range = (MetricsRange){start, step, (uint32_t) ((last - start) / step)};
	return true;
}

bool
metrics_instant(uint64_t start, uint64_t end, MetricsRange *range)
{
	*range = (MetricsRange){start, end - start, 1};
	return end > start;
}
