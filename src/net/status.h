/*
 * status.h
 *	  What an OTLP receiver answers: google.rpc.Status, ExportTraceServiceResponse, gRPC's escapes, and the
 *	  rules for tenant names.
 *
 * Writers append to a WireBuf, a malloc'd buffer that goes quiet when memory runs out (failed is set and
 * the bytes must not be used). No PostgreSQL: callable from socket callbacks.
 */
#ifndef TEMPO_STATUS_H
#define TEMPO_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* gRPC's canonical codes. */
typedef enum RpcCode
{
	RPC_OK = 0,
	RPC_CANCELLED = 1,
	RPC_UNKNOWN = 2,
	RPC_INVALID_ARGUMENT = 3,
	RPC_DEADLINE_EXCEEDED = 4,
	RPC_NOT_FOUND = 5,
	RPC_PERMISSION_DENIED = 7,
	RPC_RESOURCE_EXHAUSTED = 8,
	RPC_UNIMPLEMENTED = 12,
	RPC_INTERNAL = 13,
	RPC_UNAVAILABLE = 14
} RpcCode;

typedef struct WireBuf
{
	uint8_t *p;
	size_t len;
	size_t cap;
	bool failed;
} WireBuf;

extern void wirebuf_put(WireBuf *buf, const void *src, size_t n);
extern void wirebuf_free(WireBuf *buf);

/* The HTTP status of a code, as OTLP/HTTP receivers answer it. */
extern int status_http(RpcCode code);

/* google.rpc.Status; retry_seconds > 0 adds a google.rpc.RetryInfo to its details. */
extern void status_write_pb(WireBuf *out, RpcCode code, const char *message, int retry_seconds);
extern void status_write_json(WireBuf *out, RpcCode code, const char *message, int retry_seconds);

/* ExportTraceServiceResponse; rejected == 0 and no message: everything was taken. */
extern void status_export_pb(WireBuf *out, uint64_t rejected, const char *message);
extern void status_export_json(WireBuf *out, uint64_t rejected, const char *message);

/* grpc-message: bytes outside printable ASCII, and '%', as %XX. */
extern void status_percent(WireBuf *out, const char *message);
/* Base64 without padding, for -bin metadata. */
extern void status_base64(WireBuf *out, const uint8_t *src, size_t n);

/* grpc-timeout ("10S", "9969m", "4999953u") in microseconds; -1 when malformed. */
extern int64_t status_grpc_timeout(const char *value);

#define TENANT_MAX     150
#define TENANT_DEFAULT "single-tenant"

/* 1-150 bytes of A-Z a-z 0-9 ! - _ . * ' ( ), not "." or "..". */
extern bool tenant_valid(const char *name);

#endif
