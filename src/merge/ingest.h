/*
 * ingest.h
 *	  From a batch of decoded spans to the partitions of tempo.spans. Receivers and tempo_ingest() both
 *	  come through here.
 *
 * What is checked, since neither the executor nor its triggers are in this path: the current user has
 * INSERT on tempo.spans, no policy of row-level security applies to them (that is an error), times are
 * between tempo.retention and tempo.max_future, text columns hold valid UTF-8 without NUL. CHECK
 * constraints and triggers that users add to tempo.spans are not run; doc/limits.md says so.
 *
 * What a commit stores: one recent batch for each day and tenant. Strings of the batch handed in must
 * stay until tempo_ingest_batch returns.
 */
#ifndef TEMPO_INGEST_H
#define TEMPO_INGEST_H

#include "postgres.h"
#include "utils/rel.h"
#include "span/batch.h"

typedef struct IngestResult
{
	uint32 accepted;
	uint32 rejected;
	char reason[256]; /* of the first span rejected; empty when there is none */
} IngestResult;

/* Settings: tempo.retention, tempo.max_future. Called once, from _PG_init. */
extern void ingest_define_settings(void);

/* Minutes; 0: nothing is too old. */
extern int ingest_retention;
/* Minutes; -1: nothing is too far in the future. */
extern int ingest_max_future;

/*
 * Make the partitions the batch needs. Outside of a transaction (workers): in one of its own, and days
 * beyond tempo.max_partitions are left out, so that their spans are rejected and the others are not.
 * Within a transaction: in that one, and too many partitions are an error.
 */
extern void tempo_prepare_partitions(Batch *batch);

/*
 * The batch with the columns that the leaf has beyond those of spans, filled with their defaults; the batch
 * itself if there are none. (ingest_defaults.c)
 */
extern Batch *ingest_add_columns(Relation leaf, Batch *batch);

/* Store the batch in this transaction. Spans that cannot be taken are counted in res, others are stored. */
extern void tempo_ingest_batch(Batch *batch, IngestResult *res);

#endif
