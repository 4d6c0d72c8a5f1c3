/*
 * ingest_sql.c
 *	  tempo_ingest() and tempo_ingest_json(): OTLP requests through SQL, the same way as through a socket.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

#include "ingest/otlp.h"
#include "merge/ingest.h"
#include "store/store.h"

typedef bool (*OtlpDecoder)(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb,
							OtlpResult *res);

static void
refuse_request(const OtlpResult *res, int malformed_code)
{
	bool limit = res->code == OTLP_TOO_DEEP || res->code == OTLP_TOO_LARGE || res->code == OTLP_BATCH_FULL;

	ereport(ERROR, (errcode(limit ? ERRCODE_PROGRAM_LIMIT_EXCEEDED : malformed_code),
					errmsg("invalid OTLP trace request"), errdetail("%s", res->message)));
}

static Str
text_argument(const struct varlena *v)
{
	return str_of(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
}

/* Decode, make partitions, store: all in the caller's transaction. */
static int64
ingest(Str body, Str tenant, OtlpDecoder decode, int malformed_code)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "tempo request", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	BatchBuilder *bb = builder_create(store_arena(work), false, 0, NULL);
	OtlpResult decoded;
	IngestResult stored;
	Batch *batch;

	builder_set_tenant(bb, tenant);
	if (!decode((const uint8_t *) body.p, body.len, NULL, bb, &decoded))
		refuse_request(&decoded, malformed_code);
	batch = builder_finish(bb);
	tempo_prepare_partitions(batch);
	tempo_ingest_batch(batch, &stored);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	if (stored.rejected > 0)
		ereport(WARNING,
				(errmsg_plural("%u span rejected", "%u spans rejected", stored.rejected, stored.rejected),
				 errdetail("%s", stored.reason)));
	return stored.accepted;
}

PG_FUNCTION_INFO_V1(tempo_ingest);
Datum
tempo_ingest(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("tempo_ingest()");
	PG_RETURN_INT64(ingest(text_argument(PG_GETARG_VARLENA_PP(0)), text_argument(PG_GETARG_VARLENA_PP(1)),
						   otlp_decode_pb, ERRCODE_INVALID_BINARY_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(tempo_ingest_json);
Datum
tempo_ingest_json(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("tempo_ingest_json()");
	PG_RETURN_INT64(ingest(text_argument(PG_GETARG_VARLENA_PP(0)), text_argument(PG_GETARG_VARLENA_PP(1)),
						   otlp_decode_json, ERRCODE_INVALID_TEXT_REPRESENTATION));
}
