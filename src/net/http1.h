/*
 * http1.h
 *	  An HTTP/1.1 server on libevent's evhttp: connections, limits, requests and answers.
 *
 * evhttp parses and frames; this module adds what it lacks: large reads, one bound on the memory of all
 * connections (budget.h), a limit on connections, a deadline for whole requests, and word that a client
 * went away while its request is being worked on.
 *
 * A request handed to on_request is complete, its body contiguous. It stays valid until it is answered,
 * which has to happen exactly once, in the callback or later, also when the client is gone by then.
 * A server lives as long as its process.
 * Callbacks run inside the event loop and must not raise. No PostgreSQL.
 */
#ifndef TEMPO_HTTP1_H
#define TEMPO_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "net/budget.h"

typedef struct Http1 Http1;
typedef struct Http1Conn Http1Conn;

typedef struct Http1Request
{
	Http1Conn *conn;
	void *ev; /* struct evhttp_request */
	const char *method;
	const char *path;  /* as sent, still percent-encoded */
	const char *query; /* without '?', "" when there is none */
	const uint8_t *body;
	size_t body_len;
	bool refused; /* over the memory bound: answer 429 (or 503) and nothing else */
	bool gone;    /* the client went away */
	void (*on_gone)(struct Http1Request *req); /* set by http1_watch */
	void *user;
} Http1Request;

typedef struct Http1Config
{
	struct event_base *base;
	Budget *budget;
	size_t max_body; /* bodies up to twice this reach on_request, which answers 413; larger ones do not */
	unsigned max_connections;
	void (*on_request)(Http1Request *req, void *arg);
	void *arg;
} Http1Config;

extern Http1 *http1_create(const Http1Config *config); /* NULL: no memory */
extern bool http1_listen(Http1 *http, int fd);         /* takes over the socket */
/* Close listening sockets; connections go on. */
extern void http1_unlisten(Http1 *http);
extern void http1_set_limits(Http1 *http, size_t max_body, unsigned max_connections);
/* Once a second or so: closes connections whose request takes too long to arrive. */
extern void http1_tick(Http1 *http);
extern unsigned http1_connections(const Http1 *http);

extern const char *http1_header(const Http1Request *req, const char *name); /* NULL: absent */
extern void http1_set_header(Http1Request *req, const char *name, const char *value);
/* Call on_gone when the client closes before it is answered. */
extern void http1_watch(Http1Request *req, void (*on_gone)(Http1Request *));

/* Answer and forget the request. content_type NULL: none. */
extern void http1_answer(Http1Request *req, int status, const char *content_type, const void *body,
						 size_t len);

/* The same in pieces: begin, any number of pieces, end. */
extern void http1_begin(Http1Request *req, int status, const char *content_type, size_t len);
extern void http1_piece(Http1Request *req, const void *body, size_t len);
extern size_t http1_unsent(const Http1Request *req); /* bytes waiting for the client to read */
extern void http1_end(Http1Request *req);

#endif
