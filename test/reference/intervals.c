/*
 * intervals.c
 *	  Ranges of time cut into intervals that end at multiples of the step since the epoch.
 */
#include "ref.h"

#define SECOND INT64_C(1000000000)

Intervals
range_intervals(int64_t start, int64_t end, int64_t step)
{
	int64_t from = start / step * step - step;
	int64_t to = (end + step - 1) / step * step;

	return (Intervals){from, step, (int) ((to - from) / step)};
}

Intervals
instant_interval(int64_t start, int64_t end)
{
	return (Intervals){start, end - start, 1};
}

int64_t
default_step(int64_t start, int64_t end)
{
	static const int64_t grains[] = {3600, 300, 60, 15, 5, 1};
	int64_t step = (end - start) / 240;

	if (end - start < 60 * SECOND)
	{
		step = step / (SECOND / 20) * (SECOND / 20);
		return step ? step : SECOND / 20;
	}
	for (int i = 0; i < 6; i++)
		if (step > grains[i] * SECOND)
			return step / (grains[i] * SECOND) * (grains[i] * SECOND);
	return SECOND;
}
