/*
 * seed_otlp_json.c
 *	  Seeds for fuzz_otlp_json: JSON documents.
 */
#include "seed_otlp.h"

int
main(int argc, char **argv)
{
	Arena *a = arena_create(NULL, 0);

	if (argc != 2)
		return 2;
	write_seed(argv[1], "small",
			   str_lit("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
					   "\"0123456789abcdef0123456789abcdef\",\"spanId\":\"0123456789abcdef\",\"attributes\":"
					   "[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":[{\"doubleValue\":\"NaN\"}]}}}]"
					   "}]}]}]}"));
	copy_seeds(argv[1], "data/payloads/otlp-json", true, a);
	copy_seeds(argv[1], "data/exporters", true, a);
	arena_destroy(a);
	return 0;
}
