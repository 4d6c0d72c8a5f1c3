/*
 * image_traces.h
 *	  The traces of one image that are not, or may not be, whole in it: all those of a recent batch, and of a
 *	  segment those that its merge marked. Worked out once and kept with the image (kept.h); nothing here
 *	  depends on a snapshot, a query or a user.
 */
#ifndef TEMPO_TRACEQL_IMAGE_TRACES_H
#define TEMPO_TRACEQL_IMAGE_TRACES_H

#include "postgres.h"
#include "store/kept.h"

typedef struct ImageTrace
{
	uint8 id[16];
	uint64 start; /* of what is here of it, unix ns */
	uint64 end;
	uint32 tenant; /* of ImageTraces.tenants */
	uint32 vector;
	uint32 trace; /* segments: of the vector's traces; recent batches: index into ImageTraces.traces */
	uint32 first; /* recent batches: ImageTraces.rows[first .. first + n) */
	uint32 n;
} ImageTrace;

typedef struct ImageTraces
{
	uint32 ntenants;
	Str *tenants;
	uint32 n;
	ImageTrace *traces; /* by vector; of segments, then by id */
	uint32 *rows;       /* recent batches: rows of the vector, ascending within a trace */
} ImageTraces;

extern const ImageTraces *image_traces(Kept *kept, const StoreUnit *unit);

#endif
