/*
 * fuzz_otlp.h
 *	  What has to hold for any bytes, whatever the encoding: a refused request leaves nothing behind and is
 *	  refused again; a taken one survives the way through protobuf, sorting and gathering.
 */
#include "../unit/batch_dump.h"
#include "ingest/otlp.h"

#include <stdlib.h>

typedef bool (*DecodeFunc)(const uint8_t *body, size_t len, const OtlpLimits *limits, BatchBuilder *bb,
						   OtlpResult *res);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static uint32_t *
all_rows(Arena *a, uint32_t n)
{
	uint32_t *rows = arena_alloc(a, sizeof(uint32_t) * ((size_t) n + 1));

	for (uint32_t i = 0; i < n; i++)
		rows[i] = i;
	return rows;
}

static void
check_written(Arena *a, Batch *b)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	OtlpResult res;
	Buf out;

	buf_init(&out, a, 1024);
	otlp_write_pb(b, all_rows(a, batch_nrows(b)), batch_nrows(b), &out);
	must(otlp_decode_pb(out.p, out.len, NULL, bb, &res));
	must(first_difference(b, builder_finish(bb)) < 0);
}

static void
check_sorted(Arena *a, Batch *b)
{
	uint32_t n;
	RowRef *refs = batch_sort(a, &b, 1, &n);
	Batch *sorted = batch_gather(a, &b, 1, refs, n);
	uint32_t *rows = all_rows(a, n);
	RowRef *back = arena_alloc(a, sizeof(RowRef) * ((size_t) n + 1));

	batch_make_traces(sorted);
	for (uint32_t i = 0; i < n; i++)
	{
		back[refs[i].row].batch = 0;
		back[refs[i].row].row = rows[i];
	}
	must(first_difference(b, batch_gather(a, &sorted, 1, back, n)) < 0);
}

static int
fuzz_decode(DecodeFunc decode, const uint8_t *data, size_t size)
{
	Arena *a = arena_create(NULL, 0);
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	OtlpResult res, again;
	bool taken = decode(data, size, NULL, bb, &res);

	if (!taken)
	{
		must(res.code != OTLP_OK && res.message[0] != '\0' && res.offset <= size);
		must(builder_nrows(bb) == 0);
		must(!decode(data, size, NULL, bb, &again) && memcmp(&res, &again, sizeof(res)) == 0);
	}
	else
	{
		Batch *b = builder_finish(bb);

		must(res.spans == batch_nrows(b));
		check_written(a, b);
		check_sorted(a, b);
	}
	arena_destroy(a);
	return 0;
}
