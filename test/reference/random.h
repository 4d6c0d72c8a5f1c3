/*
 * random.h
 *	  Random traces and random queries about them. The same seed makes the same of both everywhere.
 */
#ifndef TEMPO_REF_RANDOM_H
#define TEMPO_REF_RANDOM_H

#include "ref.h"

extern void random_seed(uint64_t seed);
extern int rnd(int n);         /* 0 .. n - 1 */
extern bool chance(int of100); /* true so many times of a hundred */

/* Requests in OTLP/JSON, in the order they are to be sent. */
typedef struct Requests
{
	int n;
	Text *json;
} Requests;

/*
 * Traces of every odd shape: orphans, several roots and none, shared span ids, circles, arrays, keys of
 * several types or of none, 64-bit ids; whole, or scattered over the requests. scale: 1 some hundred spans.
 * They start within half an hour of the instant given, in Unix seconds.
 */
extern Requests random_traces(int scale, int64_t from);

/* A query about these spans, with values that occur in them. */
extern Text random_search(const Data *data);
extern Text random_metrics(const Data *data);

/* How often each production of the grammar was used. */
typedef struct Production
{
	const char *name;
	long n;
} Production;

extern const Production *random_productions(int *n);

#endif
