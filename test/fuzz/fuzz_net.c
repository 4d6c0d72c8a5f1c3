/*
 * fuzz_net.c
 *	  The HTTP/1.1 and HTTP/2 servers over real sockets, with clients that send whatever they are given and
 *	  leave when they want; and bodies that inflate to whatever they inflate to.
 *
 * Input: a byte of options, a byte that cuts what follows into pieces, then the bytes that each of two
 *clients sends, taking turns. Answers are given at once, after they have sent everything, in pieces, or after
 *they have closed.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/body.h"
#include "net/h2.h"
#include "net/http1.h"
#include "net/listen.h"
#include "net/status.h"

#define HTTP2_BIT    1
#define PREFACE_BIT  2 /* HTTP/2: the client begins properly */
#define LATE_BIT     4
#define PIECES_BIT   8
#define LEAVES_BIT   16
#define TIGHT_BIT    32 /* a memory bound of next to nothing */
#define MAX_PENDING  64
#define PIECE_REPEAT 20

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static Budget budget;
static H2 *h2;
static struct sockaddr_in address[2];
static uint8_t options;

static Http1Request *pending1[MAX_PENDING];
static H2Stream *pending2[MAX_PENDING];
static int npending1;
static int npending2;

/* ---- HTTP/1.1 ---- */

static void
answer1(Http1Request *req)
{
	if (options & PIECES_BIT)
	{
		http1_begin(req, 200, "text/plain", 5 * PIECE_REPEAT);
		for (int i = 0; i < PIECE_REPEAT; i++)
			http1_piece(req, "piece", 5);
		http1_unsent(req);
		http1_end(req);
	}
	else
	{
		http1_set_header(req, "Allow", "POST");
		http1_answer(req, req->refused ? 429 : 200, "text/plain", req->body, req->body_len);
	}
}

static void
gone1(Http1Request *req)
{
	(void) req; /* answered all the same, by answer_late() */
}

static void
on_request1(Http1Request *req, void *arg)
{
	const char *encoding = http1_header(req, "Content-Encoding");
	const char *tenant = http1_header(req, "X-Scope-OrgID");
	uint8_t *plain = NULL;
	size_t len;

	(void) arg;
	if (body_inflate(body_encoding(encoding), req->body, req->body_len, 1 << 20, &plain, &len) == BODY_OK)
		free(plain);
	if (tenant)
		tenant_valid(tenant);
	body_accepts_gzip(http1_header(req, "Accept-Encoding"));
	if ((options & LATE_BIT) && npending1 < MAX_PENDING)
	{
		http1_watch(req, gone1);
		pending1[npending1++] = req;
	}
	else
		answer1(req);
}

/* ---- HTTP/2 ---- */

static void
answer2(H2Stream *s)
{
	static const H2Field fields[] = {{"content-type", "application/grpc"}, {"grpc-status", "0"}};

	if (options & PIECES_BIT)
	{
		h2_begin(s, 200, fields, 1, false);
		for (int i = 0; i < PIECE_REPEAT; i++)
			h2_write(s, "piece", 5);
		h2_unsent(s);
		h2_end(s, fields + 1, 1);
	}
	else
		h2_begin(s, 200, fields, 2, true);
	h2_release_body(s);
}

static bool
on_data2(H2Stream *s, void *arg)
{
	(void) arg;
	return s->body_len < 10000;
}

static void
on_request2(H2Stream *s, bool overloaded, void *arg)
{
	(void) arg;
	if (s->header[H2_GRPC_TIMEOUT])
		status_grpc_timeout(s->header[H2_GRPC_TIMEOUT]);
	if ((options & LATE_BIT) && !overloaded && npending2 < MAX_PENDING)
	{
		s->user = s;
		pending2[npending2++] = s;
	}
	else
		answer2(s);
}

static void
on_close2(H2Stream *s, void *arg)
{
	(void) arg;
	for (int i = 0; i < npending2; i++)
		if (pending2[i] == s)
			pending2[i] = NULL;
}

/* ---- one client ---- */

static void
start(void)
{
	Http1Config config1 = {
		.budget = &budget, .max_body = 100000, .max_connections = 100, .on_request = on_request1};
	H2Config config2 = {.budget = &budget,
						.max_connections = 100,
						.on_data = on_data2,
						.on_request = on_request2,
						.on_close = on_close2};
	Http1 *http1;

	signal(SIGPIPE, SIG_IGN); /* as in every background worker */
	base = event_base_new();
	config1.base = config2.base = base;
	http1 = http1_create(&config1);
	h2 = h2_create(&config2);
	for (int i = 0; i < 2; i++)
	{
		ListenSet set;
		char error[200];
		socklen_t len = sizeof(address[i]);

		if (!listen_open(&set, "127.0.0.1", 0, error, sizeof(error)) ||
			getsockname(set.fd[0], (struct sockaddr *) &address[i], &len) != 0 ||
			!(i == 0 ? http1_listen(http1, set.fd[0]) : h2_listen(h2, set.fd[0])))
			abort();
	}
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	budget_resume(&budget);
	h2_flush(h2);
}

static void
answer_late(void)
{
	for (int i = 0; i < npending1; i++)
		answer1(pending1[i]);
	for (int i = 0; i < npending2; i++)
		if (pending2[i])
			answer2(pending2[i]);
	npending1 = npending2 = 0;
	h2_flush(h2);
}

/* A socket connected from an address whose ports are not used up, or -1: see errno. */
static int
connect_from(uint32_t address_number)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int late = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + address_number % 250);
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late)) != 0 ||
		bind(fd, (struct sockaddr *) &from, sizeof(from)) != 0)
		abort();
	if (connect(fd, (struct sockaddr *) &address[options & HTTP2_BIT], sizeof(address[0])) == 0)
		return fd;
	perror("connect");
	close(fd);
	return -1;
}

static int
open_client(void)
{
	static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	static uint32_t clients;
	int fd = -1;

	/* Some connections do end in TIME_WAIT: the ports of one address last for seconds only. */
	clients++;
	for (int tries = 0; fd < 0; tries++)
	{
		if (tries == 10)
			abort();
		fd = connect_from(clients / 8192);
		if (fd < 0)
			clients += 8192;
	}
	if ((options & HTTP2_BIT) && (options & PREFACE_BIT) &&
		send(fd, preface, sizeof(preface) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		abort();
	return fd;
}

static void
send_all(const int fd[2], const uint8_t *data, size_t size, size_t cut)
{
	static char trash[65536];

	while (size > 0)
	{
		size_t n = size < cut ? size : cut;

		for (int i = 0; i < 2; i++)
		{
			if (send(fd[i], data, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				return;
			turn();
			while (recv(fd[i], trash, sizeof(trash), MSG_DONTWAIT) > 0)
				;
		}
		data += n;
		size -= n;
	}
}

/* A reset, so that no port stays in TIME_WAIT; with a FIN before it, every other time. */
static void
close_client(int fd, bool politely)
{
	struct linger hard = {1, 0};

	if (politely)
	{
		shutdown(fd, SHUT_WR);
		turn();
	}
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	turn();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd[2];

	if (size < 2 || size > 65536)
		return 0;
	if (base == NULL)
		start();
	options = data[0];
	budget.limit = options & TIGHT_BIT ? 100 : 1000000;
	budget.hard = 2 * budget.limit;
	fd[0] = open_client();
	fd[1] = open_client();
	send_all(fd, data + 2, size - 2, data[1] ? data[1] * 7 : 65536);
	if (!(options & LEAVES_BIT))
		answer_late();
	close_client(fd[0], true);
	close_client(fd[1], false);
	answer_late();
	turn();
	turn();
	if (budget.used != 0 || budget.queued != 0 || budget.stopped != 0 || budget.first != NULL)
		abort(); /* something is counted for ever */
	return 0;
}
