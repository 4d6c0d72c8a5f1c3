/*
 * time.c
 *	  tempo.unix_nano(): nanoseconds for views that subtract times.
 */
#include "types/types.h"

#include "common/int.h"

PG_FUNCTION_INFO_V1(tempo_unix_nano);
Datum
tempo_unix_nano(PG_FUNCTION_ARGS)
{
	int64 us;
	int64 ns;

	if (pg_add_s64_overflow(PG_GETARG_TIMESTAMPTZ(0), UNIX_TO_PG_USECS, &us) ||
		pg_mul_s64_overflow(us, NSECS_PER_USEC, &ns) || pg_add_s64_overflow(ns, PG_GETARG_INT16(1), &ns))
		ns = PG_GETARG_TIMESTAMPTZ(0) < 0 ? 0 : PG_INT64_MAX;
	else if (pg_add_s64_overflow(ns, PG_GETARG_INT64(2), &ns))
		ns = PG_GETARG_INT64(2) < 0 ? 0 : PG_INT64_MAX;
	PG_RETURN_INT64(Max(ns, 0));
}
