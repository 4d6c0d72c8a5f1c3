/*
 * h2.h
 *	  An HTTP/2 server (prior knowledge, no TLS) on nghttp2: connections, streams, flow control.
 *
 * Received DATA is kept in the stream until its request is answered; its window is given back only while
 * the budget allows (budget.h), so flow control is the bound on memory. A stream is made when its header
 * block is complete, given to on_request when its body is, and freed after on_close: whoever keeps a pointer
 * forgets it there. Answers are queued; h2_flush() sends them.
 *
 * Callbacks run inside the event loop and must not raise. No PostgreSQL.
 */
#ifndef TEMPO_H2_H
#define TEMPO_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "net/budget.h"

typedef struct H2 H2;
typedef struct H2Conn H2Conn;

/* Request headers that anybody asks for. */
typedef enum H2Header
{
	H2_METHOD,
	H2_PATH,
	H2_CONTENT_TYPE,
	H2_GRPC_ENCODING,
	H2_GRPC_TIMEOUT,
	H2_TENANT, /* x-scope-orgid */
	H2_NHEADERS
} H2Header;

typedef struct H2Stream
{
	H2Conn *conn;
	int32_t id;
	char *header[H2_NHEADERS]; /* NULL: absent */
	uint8_t *body;
	size_t body_len;
	bool complete;
	bool answered;
	bool ended;   /* the client has sent all of it */
	bool discard; /* on_data wanted no more of the body */
	int code;     /* the owner's: why */
	char why[96];
	void *user;

	/* owned by h2.c */
	size_t body_cap;
	size_t withheld; /* window not given back yet */
	size_t header_bytes;
	long started; /* seconds, monotonic */
	Account account;
	struct evbuffer *out;
	bool out_end;
	void *trailers; /* nghttp2_nv array with its strings */
	size_t ntrailers;
	struct H2Stream *prev;
	struct H2Stream *next;
} H2Stream;

typedef struct H2Config
{
	struct event_base *base;
	Budget *budget;
	unsigned max_connections;
	void *arg;
	/* Looks at the body so far. false: throw it and the rest of it away; on_request is called all the same.
	 */
	bool (*on_data)(H2Stream *s, void *arg);
	/* The request is complete. overloaded: answer that and nothing else. */
	void (*on_request)(H2Stream *s, bool overloaded, void *arg);
	/* The stream is about to be freed. */
	void (*on_close)(H2Stream *s, void *arg);
} H2Config;

extern H2 *h2_create(const H2Config *config); /* NULL: no memory */
extern bool h2_listen(H2 *h2, int fd);        /* takes over the socket */
extern void h2_unlisten(H2 *h2);
extern void h2_set_limits(H2 *h2, unsigned max_connections);
/* Serve a connection accepted elsewhere whose first bytes have been read already. */
extern void h2_adopt(H2 *h2, int fd, const uint8_t *bytes, size_t len);
extern void h2_tick(H2 *h2); /* once a second or so: closes connections that stall */
extern unsigned h2_connections(const H2 *h2);
/* Tell every client to go elsewhere; what is complete may still be answered. */
extern void h2_goaway(H2 *h2);
/* Send what answers and windows have queued. May close connections and so call on_close. */
extern void h2_flush(H2 *h2);

/* The request's body is not needed any more: free it and stop counting it. */
extern void h2_release_body(H2Stream *s);

typedef struct H2Field
{
	const char *name;
	const char *value;
} H2Field;

/* Headers of the answer. end: there is no body and there are no trailers. */
extern void h2_begin(H2Stream *s, int status, const H2Field *fields, size_t n, bool end);
extern void h2_write(H2Stream *s, const void *data, size_t len);
extern size_t h2_unsent(const H2Stream *s);
/* Trailers end the answer; with none the last DATA frame does. */
extern void h2_end(H2Stream *s, const H2Field *trailers, size_t n);

#endif
