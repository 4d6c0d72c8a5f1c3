/*
 * http1.c
 *	  evhttp with bounds; see http1.h.
 *
 * evhttp makes its connections itself. Ours (Http1Conn) is made with the bufferevent, in new_bufferevent(),
 * and tied to evhttp's a moment later, in adopt(), when evhttp has put itself into the bufferevent's
 * callbacks; from then on evhttp's close callback ends ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_struct.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "net/http1.h"

#define READ_CHUNK      (256 * 1024)
#define READ_TURN       (1024 * 1024) /* a connection's share of one loop turn */
#define MAX_URI_HEADERS (160 * 1024)
#define IDLE_SECONDS    300
#define REQUEST_SECONDS 120
#define ANY_METHOD                                                                                           \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |               \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

struct Http1Conn
{
	Http1 *http;
	struct bufferevent *bev;
	struct evhttp_connection *evcon;
	struct evbuffer_cb_entry *input_cb;
	struct event *adopt;
	struct event *watch; /* watches for the client's close while a request is worked on */
	Account account;
	Http1Request *request; /* being worked on */
	time_t started;        /* of the request being received, 0 = between requests */
	bool reading;          /* inside on_input's own read */
	Http1Conn *prev;
	Http1Conn *next;
};

struct Http1
{
	Http1Config config;
	struct evhttp *ev;
	Http1Conn *conns;
	Http1Conn **by_fd; /* how a request finds its connection */
	int nfds;
	unsigned nconns;
	struct evhttp_bound_socket *bound[16];
	int nbound;
	bool accepting;
};

static bool accept_failed; /* somewhere in this process since the last tick */

static time_t
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

/* ---- connections ---- */

/* At the limit new connections wait in the kernel's backlog. */
static void
set_accepting(Http1 *http, bool accepting)
{
	if (http->accepting == accepting)
		return;
	http->accepting = accepting;
	for (int i = 0; i < http->nbound; i++)
	{
		struct evconnlistener *l = evhttp_bound_socket_get_listener(http->bound[i]);

		if (accepting)
			evconnlistener_enable(l);
		else
			evconnlistener_disable(l);
	}
}

static void
resume_reading(void *owner)
{
	Http1Conn *c = owner;

	if (c->request == NULL)
		bufferevent_enable(c->bev, EV_READ);
}

/*
 * libevent reads 4 kB at a time. What has arrived beyond that is read here in large pieces, straight into
 * the same buffer.
 */
static size_t
read_more(Http1Conn *c, struct evbuffer *input)
{
	size_t total = 0;

	while (total < READ_TURN)
	{
		struct evbuffer_iovec v;
		ssize_t n;

		if (evbuffer_reserve_space(input, READ_CHUNK, &v, 1) != 1)
			break;
		n = recv(bufferevent_getfd(c->bev), v.iov_base, v.iov_len, MSG_DONTWAIT);
		v.iov_len = n > 0 ? n : 0;
		evbuffer_commit_space(input, &v, 1);
		if (n <= 0)
			break; /* closed or failed: libevent's own next read finds out */
		total += n;
		if (n < READ_CHUNK)
			break;
	}
	return total;
}

static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	Http1Conn *c = arg;
	size_t added = info->n_added;

	if (added == 0 || c->reading)
		return;
	if (c->started == 0 && c->request == NULL)
		c->started = now_seconds();
	if (added >= 4096 && c->request == NULL)
	{
		c->reading = true;
		added += read_more(c, input);
		c->reading = false;
	}
	if (!account_charge(&c->account, added))
		bufferevent_disable(c->bev, EV_READ);
}

static void
free_conn(Http1Conn *c)
{
	if (c->adopt)
		event_free(c->adopt);
	if (c->watch)
		event_free(c->watch);
	account_clear(&c->account);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->http->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->http->nconns--;
	set_accepting(c->http, c->http->nconns < c->http->config.max_connections);
	free(c);
}

static void
on_close(struct evhttp_connection *evcon, void *arg)
{
	Http1Conn *c = arg;
	int fd = bufferevent_getfd(c->bev);

	(void) evcon;
	if (c->request)
	{
		Http1Request *req = c->request;
		bool told = req->gone;

		/* evhttp has cut its request loose and leaves it to whoever answers it. */
		c->request = NULL;
		req->conn = NULL;
		req->gone = true;
		if (req->on_gone && !told)
			req->on_gone(req);
	}
	if (fd >= 0 && fd < c->http->nfds && c->http->by_fd[fd] == c)
		c->http->by_fd[fd] = NULL;
	evbuffer_remove_cb_entry(bufferevent_get_input(c->bev), c->input_cb);
	free_conn(c);
}

static bool
remember_fd(Http1 *http, int fd, Http1Conn *c)
{
	if (fd >= http->nfds)
	{
		int n = fd + 64;
		Http1Conn **p = realloc(http->by_fd, n * sizeof(*p));

		if (p == NULL)
			return false;
		memset(p + http->nfds, 0, (n - http->nfds) * sizeof(*p));
		http->by_fd = p;
		http->nfds = n;
	}
	http->by_fd[fd] = c;
	return true;
}

static void
adopt(evutil_socket_t fd, short what, void *arg)
{
	Http1Conn *c = arg;
	struct bufferevent *bev = c->bev;
	void *evcon = NULL;

	(void) fd;
	(void) what;
	bufferevent_getcb(bev, NULL, NULL, NULL, &evcon);
	event_free(c->adopt);
	c->adopt = NULL;
	if (evcon == NULL)
		free_conn(c); /* evhttp gave up before it began */
	else
	{
		c->evcon = evcon;
		evhttp_connection_set_closecb(c->evcon, on_close, c);
		if (!remember_fd(c->http, bufferevent_getfd(bev), c))
			bufferevent_trigger_event(bev, BEV_EVENT_READING | BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
	}
	bufferevent_decref(bev);
}

static struct bufferevent *
new_bufferevent(struct event_base *base, void *arg)
{
	Http1 *http = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	Http1Conn *c = calloc(1, sizeof(*c));

	if (bev == NULL || c == NULL)
	{
		free(c);
		return bev; /* without our bounds; its requests are refused in on_evrequest */
	}
	c->http = http;
	c->bev = bev;
	account_open(&c->account, http->config.budget, resume_reading, c);
	c->adopt = event_new(base, -1, 0, adopt, c);
	c->input_cb = c->adopt ? evbuffer_add_cb(bufferevent_get_input(bev), on_input, c) : NULL;
	if (c->input_cb == NULL)
	{
		if (c->adopt)
			event_free(c->adopt);
		free(c);
		return bev;
	}
	bufferevent_incref(bev);
	event_active(c->adopt, EV_TIMEOUT, 1);
	c->next = http->conns;
	if (c->next)
		c->next->prev = c;
	http->conns = c;
	http->nconns++;
	set_accepting(http, http->nconns < http->config.max_connections);
	return bev;
}

/* ---- requests ---- */

static const char *
method_name(enum evhttp_cmd_type type)
{
	switch (type)
	{
		case EVHTTP_REQ_GET: return "GET";
		case EVHTTP_REQ_POST: return "POST";
		case EVHTTP_REQ_HEAD: return "HEAD";
		case EVHTTP_REQ_PUT: return "PUT";
		case EVHTTP_REQ_DELETE: return "DELETE";
		case EVHTTP_REQ_OPTIONS: return "OPTIONS";
		case EVHTTP_REQ_TRACE: return "TRACE";
		case EVHTTP_REQ_CONNECT: return "CONNECT";
		case EVHTTP_REQ_PATCH: return "PATCH";
		default: return "?";
	}
}

static void
on_evrequest(struct evhttp_request *ev, void *arg)
{
	Http1 *http = arg;
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(ev));
	int fd = bufferevent_getfd(bev);
	Http1Conn *c = fd >= 0 && fd < http->nfds ? http->by_fd[fd] : NULL;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(ev);
	struct evbuffer *input = evhttp_request_get_input_buffer(ev);
	Http1Request *req = c ? calloc(1, sizeof(*req)) : NULL;

	if (req == NULL || uri == NULL)
	{
		free(req);
		evhttp_send_error(ev, req ? HTTP_BADREQUEST : HTTP_SERVUNAVAIL, NULL);
		return;
	}
	req->conn = c;
	req->ev = ev;
	req->method = method_name(evhttp_request_get_command(ev));
	req->path = evhttp_uri_get_path(uri) ? evhttp_uri_get_path(uri) : "";
	req->query = evhttp_uri_get_query(uri) ? evhttp_uri_get_query(uri) : "";
	req->body_len = evbuffer_get_length(input);
	req->body = req->body_len ? evbuffer_pullup(input, -1) : (const uint8_t *) "";
	req->refused = !account_complete(&c->account) || req->body == NULL;
	c->request = req;
	c->started = 0;
	http->config.on_request(req, http->config.arg);
}

const char *
http1_header(const Http1Request *req, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(req->ev), name);
}

void
http1_set_header(Http1Request *req, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(req->ev), name, value);
}

/*
 * Something to read while a request is worked on: the end, or the next request come early. In the second
 * case nobody watches any more; EV_CLOSED would do that, but a reset is not reported to it and would have
 * the loop spin.
 */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	Http1Conn *c = arg;
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	(void) what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		event_add(c->watch, NULL);
	else if (n <= 0 && c->request && !c->request->gone)
	{
		c->request->gone = true;
		if (c->request->on_gone)
			c->request->on_gone(c->request);
	}
}

void
http1_watch(Http1Request *req, void (*on_gone)(Http1Request *))
{
	Http1Conn *c = req->conn;

	req->on_gone = on_gone;
	if (c == NULL)
		return;
	if (c->watch == NULL)
		c->watch = event_new(c->http->config.base, bufferevent_getfd(c->bev), EV_READ, on_readable, c);
	if (c->watch)
		event_add(c->watch, NULL);
}

/* ---- answers ---- */

static const char *
reason(int status)
{
	switch (status)
	{
		case 200: return "OK";
		case 400: return "Bad Request";
		case 401: return "Unauthorized";
		case 403: return "Forbidden";
		case 404: return "Not Found";
		case 405: return "Method Not Allowed";
		case 413: return "Payload Too Large";
		case 415: return "Unsupported Media Type";
		case 422: return "Unprocessable Entity";
		case 429: return "Too Many Requests";
		case 499: return "Client Closed Request";
		case 500: return "Internal Server Error";
		case 501: return "Not Implemented";
		case 503: return "Service Unavailable";
		case 504: return "Gateway Timeout";
		default: return "Status";
	}
}

/* Cut the request loose from its connection, before evhttp may free or reuse that. */
static struct evhttp_request *
release(Http1Request *req)
{
	struct evhttp_request *ev = req->ev;
	Http1Conn *c = req->conn;
	size_t ahead; /* of the next request, sent without waiting for this answer */

	if (c)
	{
		if (c->watch)
			event_del(c->watch);
		account_clear(&c->account);
		c->request = NULL;
		ahead = evbuffer_get_length(bufferevent_get_input(c->bev));
		c->started = ahead ? now_seconds() : 0;
		account_charge(&c->account, ahead);
	}
	free(req);
	return ev;
}

static void
put_content_type(Http1Request *req, const char *content_type)
{
	if (content_type)
		http1_set_header(req, "Content-Type", content_type);
}

void
http1_answer(Http1Request *req, int status, const char *content_type, const void *body, size_t len)
{
	struct evbuffer *out = len ? evbuffer_new() : NULL;
	struct evhttp_request *ev;

	put_content_type(req, content_type);
	if (out)
		evbuffer_add(out, body, len);
	ev = release(req);
	evhttp_send_reply(ev, status, reason(status), out);
	if (out)
		evbuffer_free(out);
}

void
http1_begin(Http1Request *req, int status, const char *content_type, size_t len)
{
	char length[24];

	put_content_type(req, content_type);
	evutil_snprintf(length, sizeof(length), "%zu", len);
	http1_set_header(req, "Content-Length", length);
	if (req->conn && req->conn->watch)
		event_del(req->conn->watch); /* while it writes, evhttp sees the end itself */
	evhttp_send_reply_start(req->ev, status, reason(status));
}

void
http1_piece(Http1Request *req, const void *body, size_t len)
{
	struct evbuffer *out = evbuffer_new();

	if (out == NULL)
		return;
	evbuffer_add(out, body, len);
	evhttp_send_reply_chunk(req->ev, out);
	evbuffer_free(out);
}

size_t
http1_unsent(const Http1Request *req)
{
	return req->conn ? evbuffer_get_length(bufferevent_get_output(req->conn->bev)) : 0;
}

void
http1_end(Http1Request *req)
{
	evhttp_send_reply_end(release(req));
}

/* ---- the server ---- */

Http1 *
http1_create(const Http1Config *config)
{
	Http1 *http = calloc(1, sizeof(*http));

	if (http == NULL || (http->ev = evhttp_new(config->base)) == NULL)
	{
		free(http);
		return NULL;
	}
	http->config = *config;
	http->accepting = true;
	evhttp_set_max_headers_size(http->ev, MAX_URI_HEADERS);
	evhttp_set_timeout(http->ev, IDLE_SECONDS);
	evhttp_set_flags(http->ev, EVHTTP_SERVER_LINGERING_CLOSE);
	evhttp_set_allowed_methods(http->ev, ANY_METHOD);
	evhttp_set_default_content_type(http->ev, NULL);
	evhttp_set_bevcb(http->ev, new_bufferevent, http);
	evhttp_set_gencb(http->ev, on_evrequest, http);
	http1_set_limits(http, config->max_body, config->max_connections);
	return http;
}

/* Out of descriptors or memory: stop accepting until the next tick instead of spinning. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	(void) arg; /* evhttp's */
	evconnlistener_disable(l);
	accept_failed = true;
}

bool
http1_listen(Http1 *http, int fd)
{
	struct evconnlistener *l;

	if (http->nbound == sizeof(http->bound) / sizeof(http->bound[0]))
		return false;
	l = evconnlistener_new(http->config.base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
						   fd);
	if (l == NULL)
		return false;
	http->bound[http->nbound] = evhttp_bind_listener(http->ev, l);
	if (http->bound[http->nbound] == NULL)
	{
		evconnlistener_free(l);
		return false;
	}
	evconnlistener_set_error_cb(l, on_accept_error);
	http->nbound++;
	return true;
}

void
http1_unlisten(Http1 *http)
{
	for (int i = 0; i < http->nbound; i++)
		evhttp_del_accept_socket(http->ev, http->bound[i]);
	http->nbound = 0;
	http->accepting = true;
}

void
http1_set_limits(Http1 *http, size_t max_body, unsigned max_connections)
{
	http->config.max_body = max_body;
	http->config.max_connections = max_connections;
	/* Up to twice the limit is read to be refused properly; beyond, evhttp's own 413 is good enough. */
	evhttp_set_max_body_size(http->ev, (ev_ssize_t) max_body * 2);
	set_accepting(http, http->nconns < max_connections);
}

void
http1_tick(Http1 *http)
{
	time_t limit = now_seconds() - REQUEST_SECONDS;

	if (accept_failed)
	{
		accept_failed = http->accepting = false;
		set_accepting(http, http->nconns < http->config.max_connections);
	}

	for (Http1Conn *c = http->conns; c; c = c->next)
		if (c->started && c->started < limit && !c->request && !c->account.stopped)
			bufferevent_trigger_event(c->bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT,
									  BEV_TRIG_DEFER_CALLBACKS);
}

unsigned
http1_connections(const Http1 *http)
{
	return http->nconns;
}
