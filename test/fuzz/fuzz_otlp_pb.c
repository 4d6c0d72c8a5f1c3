/*
 * fuzz_otlp_pb.c
 *	  Any bytes as an OTLP protobuf request.
 */
#include "fuzz_otlp.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_decode(otlp_decode_pb, data, size);
}
