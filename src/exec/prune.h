/*
 * prune.h
 *	  Deciding from zone maps and bloom filters, before anything else of it is read, that a segment or a
 *	  vector has no row that can satisfy the conditions of a scan.
 */
#ifndef TEMPO_PRUNE_H
#define TEMPO_PRUNE_H

#include "postgres.h"
#include "executor/executor.h"
#include "store/store.h"

typedef struct Pruner
{
	PlanState *parent;
	ExprContext *econtext; /* of its own: values are kept over rows */
	int n;
	int *kinds; /* PruneKind */
	int *strategies;
	ExprState **exprs;

	/* Values, after pruner_evaluate. */
	bool nothing;   /* a value is NULL, or values contradict each other */
	TimestampTz lo; /* start_time within [lo, hi] */
	TimestampTz hi;
	bool by_trace;
	uint8 *traces; /* sorted, 16 bytes each */
	int ntraces;
	/* Of the image asked about last. */
	bool by_vector;
	Bitmapset *vectors; /* those that may hold one of the traces */
} Pruner;

/* exprs and codes as make_plan() in plan/paths.c laid them down. */
extern Pruner *pruner_create(PlanState *parent, List *exprs, List *codes);
/* Evaluate the values; after begin and every rescan. */
extern void pruner_evaluate(Pruner *p);
extern bool pruner_keeps_unit(const Pruner *p, const StoreUnit *unit);
/* The unit is open: bloom filter, index of traces. Then its vectors can be asked about. */
extern bool pruner_keeps_image(Pruner *p, Image *image);
extern bool pruner_keeps_vector(const Pruner *p, const ImageVector *info, uint32 v);

#endif
