/*
 * h2.c
 *	  nghttp2 sessions on libevent sockets; see h2.h.
 *
 * A connection is closed in two steps: conn_fail() marks it, conn_free() runs at the end of whichever entry
 * point (socket event, flush, tick) noticed. So no callback of nghttp2 ever frees the session it runs in.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/listener.h>
#include <nghttp2/nghttp2.h>

#include "net/h2.h"

#define READ_CHUNK       (256 * 1024)
#define READ_TURN        (1024 * 1024)
#define STREAM_WINDOW    (256 * 1024)
#define CONN_WINDOW      (16 * 1024 * 1024)
#define MAX_STREAMS      128
#define MAX_HEADER_BYTES (16 * 1024)
#define MAX_OUT          (256 * 1024) /* frames waiting in our buffer before nghttp2 is asked for more */
#define STALL_SECONDS    60           /* an incomplete request or an unread answer that does not move */
#define REQUEST_SECONDS  120          /* from a request's first frame to its last */
#define PREFACE_SECONDS  20
#define NLISTENERS       16

struct H2Conn
{
	H2 *h2;
	int fd;
	nghttp2_session *session;
	struct event *read_ev;
	struct event *write_ev;
	struct evbuffer *out;
	H2Stream *streams;
	bool failed;
	bool dirty; /* in h2->dirty */
	bool idle;  /* nothing received yet: not even a preface */
	time_t moved;
	H2Conn *next_dirty;
	H2Conn *prev;
	H2Conn *next;
};

struct H2
{
	H2Config config;
	H2Conn *conns;
	H2Conn *dirty;
	unsigned nconns;
	bool accepting;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	struct evconnlistener *listener[NLISTENERS];
	int nlisteners;
	uint8_t chunk[READ_CHUNK];
};

static const char *const header_names[H2_NHEADERS] = {[H2_METHOD] = ":method",
													  [H2_PATH] = ":path",
													  [H2_CONTENT_TYPE] = "content-type",
													  [H2_GRPC_ENCODING] = "grpc-encoding",
													  [H2_GRPC_TIMEOUT] = "grpc-timeout",
													  [H2_TENANT] = "x-scope-orgid"};

static time_t
now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec;
}

static void
mark_dirty(H2Conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	c->next_dirty = c->h2->dirty;
	c->h2->dirty = c;
}

static void
unmark_dirty(H2Conn *c)
{
	H2Conn **p = &c->h2->dirty;

	while (*p && *p != c)
		p = &(*p)->next_dirty;
	if (*p)
		*p = c->next_dirty;
	c->dirty = false;
}

static void
conn_fail(H2Conn *c)
{
	c->failed = true;
	mark_dirty(c);
}

/* ---- streams ---- */

/* The budget has room again. Only marks: the window update leaves with the next flush. */
static void
resume_stream(void *owner)
{
	H2Stream *s = owner;

	if (s->withheld && !s->conn->failed)
		nghttp2_session_consume_stream(s->conn->session, s->id, s->withheld);
	s->withheld = 0;
	mark_dirty(s->conn);
}

static H2Stream *
stream_new(H2Conn *c, int32_t id)
{
	H2Stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->conn = c;
	s->id = id;
	s->started = now_seconds();
	account_open(&s->account, c->h2->config.budget, resume_stream, s);
	s->next = c->streams;
	if (s->next)
		s->next->prev = s;
	c->streams = s;
	return s;
}

static void
free_trailers(H2Stream *s)
{
	nghttp2_nv *nv = s->trailers;

	for (size_t i = 0; i < s->ntrailers; i++)
	{
		free(nv[i].name);
		free(nv[i].value);
	}
	free(nv);
	s->trailers = NULL;
	s->ntrailers = 0;
}

static void
stream_free(H2Stream *s)
{
	H2 *h2 = s->conn->h2;

	h2->config.on_close(s, h2->config.arg);
	account_clear(&s->account);
	if (s->prev)
		s->prev->next = s->next;
	else
		s->conn->streams = s->next;
	if (s->next)
		s->next->prev = s->prev;
	for (int i = 0; i < H2_NHEADERS; i++)
		free(s->header[i]);
	if (s->out)
		evbuffer_free(s->out);
	free_trailers(s);
	free(s->body);
	free(s);
}

void
h2_release_body(H2Stream *s)
{
	free(s->body);
	s->body = NULL;
	s->body_len = s->body_cap = 0;
	account_clear(&s->account);
}

static bool
body_append(H2Stream *s, const uint8_t *data, size_t len)
{
	if (s->body_cap - s->body_len < len)
	{
		size_t cap = s->body_cap ? s->body_cap * 2 : 16384;
		uint8_t *p;

		while (cap - s->body_len < len)
			cap *= 2;
		p = realloc(s->body, cap);
		if (p == NULL)
			return false;
		s->body = p;
		s->body_cap = cap;
	}
	memcpy(s->body + s->body_len, data, len);
	s->body_len += len;
	return true;
}

/* ---- nghttp2 callbacks: what came in ---- */

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	H2Stream *s;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = stream_new(user, frame->hd.stream_id);
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		  const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	H2Stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void) flags;
	(void) user;
	if (s == NULL || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s->header_bytes += name_len + value_len + 32;
	if (s->header_bytes > MAX_HEADER_BYTES)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	for (int i = 0; i < H2_NHEADERS; i++)
		if (s->header[i] == NULL && strlen(header_names[i]) == name_len &&
			memcmp(header_names[i], name, name_len) == 0)
			s->header[i] = strndup((const char *) value, value_len);
	return 0;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
			  void *user)
{
	H2Conn *c = user;
	H2 *h2 = c->h2;
	H2Stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void) flags;
	/* The connection's window always returns: streams are what is held back. */
	nghttp2_session_consume_connection(session, len);
	if (s == NULL || s->answered || s->discard)
	{
		nghttp2_session_consume_stream(session, id, len);
		return 0;
	}
	if (account_must_fail(&s->account) || !body_append(s, data, len))
	{
		h2_release_body(s);
		s->complete = true;
		h2->config.on_request(s, true, h2->config.arg);
		return 0;
	}
	s->withheld += len;
	if (account_charge(&s->account, len))
	{
		nghttp2_session_consume_stream(session, id, s->withheld);
		s->withheld = 0;
	}
	if (!h2->config.on_data(s, h2->config.arg))
	{
		s->discard = true;
		h2_release_body(s);
		nghttp2_session_consume_stream(session, id, s->withheld);
		s->withheld = 0;
	}
	return 0;
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	H2Conn *c = user;
	H2Stream *s;

	if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (s)
		s->ended = true;
	if (s && !s->complete && !s->answered)
	{
		s->complete = true;
		c->h2->config.on_request(s, !account_complete(&s->account), c->h2->config.arg);
	}
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
	H2Stream *s = nghttp2_session_get_stream_user_data(session, id);

	(void) error;
	(void) user;
	if (s)
	{
		nghttp2_session_set_stream_user_data(session, id, NULL);
		stream_free(s);
	}
	return 0;
}

/*
 * An answer to half a request: the client need not send the rest. Only now, because nghttp2 drops what waits
 * to be sent on a stream that is to be reset.
 */
static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	H2Stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void) user;
	if (s && s->answered && !s->ended && frame->hd.type == NGHTTP2_HEADERS &&
		(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	return 0;
}

/* ---- answers ---- */

static ssize_t
read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
			nghttp2_data_source *source, void *user)
{
	H2Stream *s = source->ptr;
	int n = s->out ? evbuffer_remove(s->out, buf, len) : 0;

	(void) user;
	if (n < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if ((s->out && evbuffer_get_length(s->out) > 0) || (n > 0 && !s->out_end))
		return n;
	if (!s->out_end)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->ntrailers)
	{
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, s->trailers, s->ntrailers);
	}
	return n;
}

static void
set_nv(nghttp2_nv *nv, const char *name, const char *value)
{
	*nv =
		(nghttp2_nv){(uint8_t *) name, (uint8_t *) value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

void
h2_begin(H2Stream *s, int status, const H2Field *fields, size_t n, bool end)
{
	nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = read_answer};
	nghttp2_nv nv[16];
	char code[8];

	if (n > 15)
		n = 15;
	snprintf(code, sizeof(code), "%d", status);
	set_nv(&nv[0], ":status", code);
	for (size_t i = 0; i < n; i++)
		set_nv(&nv[i + 1], fields[i].name, fields[i].value);
	s->answered = true;
	nghttp2_submit_response(s->conn->session, s->id, nv, n + 1, end ? NULL : &provider);
	mark_dirty(s->conn);
}

void
h2_write(H2Stream *s, const void *data, size_t len)
{
	if (s->out == NULL)
		s->out = evbuffer_new();
	if (s->out == NULL || evbuffer_add(s->out, data, len) != 0)
		conn_fail(s->conn);
	else if (!s->conn->failed)
		nghttp2_session_resume_data(s->conn->session, s->id);
	mark_dirty(s->conn);
}

size_t
h2_unsent(const H2Stream *s)
{
	return s->out ? evbuffer_get_length(s->out) : 0;
}

void
h2_end(H2Stream *s, const H2Field *trailers, size_t n)
{
	nghttp2_nv *nv = n ? calloc(n, sizeof(*nv)) : NULL;

	for (size_t i = 0; nv && i < n; i++)
	{
		char *name = strdup(trailers[i].name);
		char *value = strdup(trailers[i].value);

		if (name == NULL || value == NULL)
		{
			free(name);
			free(value);
			break;
		}
		set_nv(&nv[i], name, value);
		s->ntrailers = i + 1;
	}
	s->trailers = nv;
	s->out_end = true;
	if (s->ntrailers < n)
		conn_fail(s->conn);
	else
		nghttp2_session_resume_data(s->conn->session, s->id);
	mark_dirty(s->conn);
}

/* ---- connections ---- */

static void
set_accepting(H2 *h2, bool accepting)
{
	if (h2->accepting == accepting)
		return;
	h2->accepting = accepting;
	for (int i = 0; i < h2->nlisteners; i++)
	{
		if (accepting)
			evconnlistener_enable(h2->listener[i]);
		else
			evconnlistener_disable(h2->listener[i]);
	}
}

static void
conn_free(H2Conn *c)
{
	H2 *h2 = c->h2;

	while (c->streams)
		stream_free(c->streams);
	if (c->session)
		nghttp2_session_del(c->session);
	if (c->read_ev)
		event_free(c->read_ev);
	if (c->write_ev)
		event_free(c->write_ev);
	if (c->out)
		evbuffer_free(c->out);
	close(c->fd);
	if (c->prev)
		c->prev->next = c->next;
	else
		h2->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
	h2->nconns--;
	set_accepting(h2, h2->nconns < h2->config.max_connections);
}

/* Move frames from nghttp2 to our buffer to the socket, until one of them has no more. */
static void
conn_send(H2Conn *c)
{
	while (!c->failed)
	{
		const uint8_t *data;
		ssize_t n = 0;
		int written;

		while (evbuffer_get_length(c->out) < MAX_OUT && (n = nghttp2_session_mem_send(c->session, &data)) > 0)
			if (evbuffer_add(c->out, data, n) != 0)
				n = NGHTTP2_ERR_NOMEM;
		if (n < 0)
			c->failed = true;
		if (evbuffer_get_length(c->out) == 0)
			break;
		written = evbuffer_write(c->out, c->fd);
		if (written > 0)
			c->moved = now_seconds();
		else if (written == 0 || (errno != EAGAIN && errno != EINTR))
			c->failed = true;
		else
		{
			event_add(c->write_ev, NULL);
			return;
		}
	}
	if (!nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session) &&
		evbuffer_get_length(c->out) == 0)
		c->failed = true; /* over: GOAWAY is out and every stream is done */
}

void
h2_flush(H2 *h2)
{
	while (h2->dirty)
	{
		H2Conn *c = h2->dirty;

		if (!c->failed)
			conn_send(c);
		unmark_dirty(c);
		if (c->failed)
			conn_free(c);
	}
}

static bool
conn_feed(H2Conn *c, const uint8_t *data, size_t len)
{
	c->idle = false;
	c->moved = now_seconds();
	return nghttp2_session_mem_recv(c->session, data, len) == (ssize_t) len;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	H2Conn *c = arg;
	H2 *h2 = c->h2;
	size_t total = 0;

	(void) what;
	while (total < READ_TURN)
	{
		ssize_t n = recv(fd, h2->chunk, sizeof(h2->chunk), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0 || !conn_feed(c, h2->chunk, n))
		{
			/* A protocol error leaves a GOAWAY to be sent before the end. */
			if (n > 0)
				conn_send(c);
			conn_fail(c);
			break;
		}
		total += n;
		if (n < (ssize_t) sizeof(h2->chunk))
			break;
	}
	mark_dirty(c);
	h2_flush(h2);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	H2Conn *c = arg;

	(void) fd;
	(void) what;
	mark_dirty(c);
	h2_flush(c->h2);
}

static bool
conn_start(H2Conn *c)
{
	H2 *h2 = c->h2;
	nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_STREAMS},
										 {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
										 {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MAX_HEADER_BYTES}};

	c->out = evbuffer_new();
	c->read_ev = event_new(h2->config.base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_ev = event_new(h2->config.base, c->fd, EV_WRITE, on_writable, c);
	if (c->out == NULL || c->read_ev == NULL || c->write_ev == NULL ||
		nghttp2_session_server_new2(&c->session, h2->callbacks, c, h2->option) != 0)
		return false;
	return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 3) == 0 &&
		   nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW) == 0 &&
		   event_add(c->read_ev, NULL) == 0;
}

void
h2_adopt(H2 *h2, int fd, const uint8_t *bytes, size_t len)
{
	H2Conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
	{
		close(fd);
		return;
	}
	c->h2 = h2;
	c->fd = fd;
	c->idle = true;
	c->moved = now_seconds();
	c->next = h2->conns;
	if (c->next)
		c->next->prev = c;
	h2->conns = c;
	h2->nconns++;
	set_accepting(h2, h2->nconns < h2->config.max_connections);
	if (!conn_start(c) || (len && !conn_feed(c, bytes, len)))
		conn_fail(c);
	mark_dirty(c);
	h2_flush(h2);
}

/* Out of descriptors or memory: stop accepting until the next tick instead of spinning. */
static void
on_accept_error(struct evconnlistener *l, void *arg)
{
	evconnlistener_disable(l);
	((H2 *) arg)->accepting = false;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	(void) l;
	(void) sa;
	(void) len;
	h2_adopt(arg, fd, NULL, 0);
}

/* ---- the server ---- */

static bool
make_nghttp2(H2 *h2)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&h2->callbacks) != 0 || nghttp2_option_new(&h2->option) != 0)
		return false;
	cb = h2->callbacks;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_option_set_no_auto_window_update(h2->option, 1);
	nghttp2_option_set_peer_max_concurrent_streams(h2->option, MAX_STREAMS);
	return true;
}

H2 *
h2_create(const H2Config *config)
{
	H2 *h2 = calloc(1, sizeof(*h2));

	if (h2 == NULL || !make_nghttp2(h2))
	{
		free(h2);
		return NULL;
	}
	h2->config = *config;
	h2->accepting = true;
	return h2;
}

bool
h2_listen(H2 *h2, int fd)
{
	struct evconnlistener *l;

	if (h2->nlisteners == NLISTENERS)
		return false;
	l = evconnlistener_new(h2->config.base, on_accept, h2, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
						   fd);
	if (l == NULL)
		return false;
	evconnlistener_set_error_cb(l, on_accept_error);
	h2->listener[h2->nlisteners++] = l;
	return true;
}

void
h2_unlisten(H2 *h2)
{
	for (int i = 0; i < h2->nlisteners; i++)
		evconnlistener_free(h2->listener[i]);
	h2->nlisteners = 0;
	h2->accepting = true;
}

void
h2_set_limits(H2 *h2, unsigned max_connections)
{
	h2->config.max_connections = max_connections;
	set_accepting(h2, h2->nconns < max_connections);
}

unsigned
h2_connections(const H2 *h2)
{
	return h2->nconns;
}

/* Whether the client has let an answer lie, or a request unfinished, for too long. */
static bool
is_stalled(const H2Conn *c, time_t now)
{
	bool still = now - c->moved > STALL_SECONDS;

	if (still && evbuffer_get_length(c->out) > 0)
		return true;
	for (const H2Stream *s = c->streams; s; s = s->next)
		if ((still && s->answered) ||
			(!s->complete && !s->account.stopped && (still || now - s->started > REQUEST_SECONDS)))
			return true;
	return false;
}

void
h2_tick(H2 *h2)
{
	time_t now = now_seconds();

	for (H2Conn *c = h2->conns; c; c = c->next)
		if ((c->idle && now - c->moved > PREFACE_SECONDS) || is_stalled(c, now))
			conn_fail(c);
	set_accepting(h2, h2->nconns < h2->config.max_connections);
	h2_flush(h2);
}

void
h2_goaway(H2 *h2)
{
	for (H2Conn *c = h2->conns; c; c = c->next)
	{
		if (!c->failed)
			nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
								  nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL,
								  0);
		mark_dirty(c);
	}
	h2_flush(h2);
}
