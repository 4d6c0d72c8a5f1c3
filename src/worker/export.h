/*
 * export.h
 *	  Export requests of OTLP, whatever the transport: queued by callbacks, stored in groups, answered
 *	  after the commit.
 *
 * A transport fills an ExportCall (malloc'd) and enqueues it. It is answered exactly once through
 * call->answer, after which it is freed here; a transport whose client goes away first sets call->gone and
 * forgets the call, which is then dropped unless it is being stored already. The body belongs to the
 * transport and stays until the answer.
 *
 * What waits together is stored by one transaction. When that fails each request is tried alone, so that
 * one that cannot be stored takes no other with it.
 */
#ifndef TEMPO_EXPORT_H
#define TEMPO_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/body.h"
#include "net/status.h"

#define RETRY_SECONDS 1 /* what refused clients are told to wait */

typedef enum ExportWire
{
	EXPORT_PB,
	EXPORT_JSON
} ExportWire;

typedef struct ExportAnswer
{
	RpcCode code;
	const char *message; /* of an error, or of spans rejected; "" otherwise */
	uint32_t rejected;
	bool too_large; /* INVALID_ARGUMENT because of its size: HTTP 413 */
} ExportAnswer;

typedef struct ExportCall
{
	struct ExportCall *next;
	ExportWire wire;
	BodyEncoding encoding;
	char tenant[TENANT_MAX + 1];
	const uint8_t *body;
	size_t len;
	size_t limit;     /* of the body inflated */
	int64_t deadline; /* microseconds, monotonic; 0 = none */
	bool gone;
	void (*answer)(struct ExportCall *call, const ExportAnswer *answer);
	void *transport;

	/* owned by export.c */
	uint8_t *inflated;
	size_t plain_len;
	uint32_t spans;
	bool answered;
} ExportCall;

/* NULL: no memory. tenant NULL or empty: the default. */
extern ExportCall *export_call_new(const char *tenant);
/* Callable from callbacks. */
extern void export_enqueue(ExportCall *call);
extern int64_t export_now(void); /* microseconds, monotonic */

/* Between loop turns: store what waits and answer it. May leave some waiting after a failure. */
extern void export_run(void);
extern bool export_waiting(void);

/* ---- transports ---- */

struct event_base;
struct Budget;

/* OTLP/HTTP (export_http.c). */
extern void export_http_start(struct event_base *base, struct Budget *budget);
extern bool export_http_listen(int fd);
extern void export_http_unlisten(void);
extern void export_http_limits(size_t max_body, unsigned max_connections);
extern void export_http_tick(void);

/* OTLP/gRPC (export_grpc.c). */
extern void export_grpc_start(struct event_base *base, struct Budget *budget);
extern bool export_grpc_listen(int fd);
extern void export_grpc_unlisten(void);
extern void export_grpc_limits(size_t max_message, unsigned max_connections);
extern void export_grpc_tick(void);
extern void export_grpc_flush(void);
extern void export_grpc_goaway(void);

/* Counters of tempo.status, callable from callbacks. */
extern void export_count(size_t bytes, bool refused);

#endif
