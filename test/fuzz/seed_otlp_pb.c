/*
 * seed_otlp_pb.c
 *	  Seeds for fuzz_otlp_pb: protobuf documents, and a few spans of each recording.
 */
#include "seed_otlp.h"

/* The first spans of a recording, written anew. */
static void
seed_recording(const char *dir, const char *name, Arena *a)
{
	char path[256];
	uint32_t rows[3] = {0, 100, 200};
	Str z, all;
	const uint8_t *pos;
	uint64_t len;
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	OtlpResult res;
	Batch *b;
	Buf out;

	snprintf(path, sizeof(path), "data/%s.otlp.zst", name);
	z = read_whole(shared_path(path, a), a);
	if (z.p == NULL)
		return;
	all = unzstd(z, a);
	pos = (const uint8_t *) all.p;
	if (!read_varint(&pos, pos + all.len, &len) || !otlp_decode_pb(pos, len, NULL, bb, &res))
		exit(1);
	b = builder_finish(bb);
	buf_init(&out, a, 4096);
	otlp_write_pb(b, rows, batch_nrows(b) > 200 ? 3 : 1, &out);
	write_seed(dir, name, str_of((const char *) out.p, out.len));
}

int
main(int argc, char **argv)
{
	Arena *a = arena_create(NULL, 0);

	if (argc != 2)
		return 2;
	write_seed(argv[1], "small",
			   str_of("\x0a\x28\x12\x26\x12\x24\x0a\x10"
					  "0123456789abcdef\x12\x08"
					  "01234567\x4a\x06\x0a\x01k\x12\x01\x2a",
					  42));
	copy_seeds(argv[1], "data/payloads/otlp-pb", false, a);
	copy_seeds(argv[1], "data/exporters", false, a);
	seed_recording(argv[1], "mixed-real-small", a);
	seed_recording(argv[1], "bookinfo-istio", a);
	seed_recording(argv[1], "hotrod", a);
	seed_recording(argv[1], "nezha-trainticket-100k", a);
	arena_destroy(a);
	return 0;
}
