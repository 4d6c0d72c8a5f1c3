/*
 * send.c
 *	  send --port PORT [--connections 4] FILE: posts the requests of a workload to an OTLP/HTTP receiver.
 *
 * FILE holds protobuf behind 4-byte big-endian lengths. Each connection has one request out at a time; 429
 *and 503 are tried again. A line of JSON says how long it took; anything refused, also in part, is an error.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64
#define MAX_REQUESTS    1000000
#define RETRY_AFTER                                                                                          \
	{                                                                                                        \
		.tv_usec = 100000                                                                                    \
	}

typedef struct Connection
{
	struct evhttp_connection *http;
	struct event *retry;
	const uint8_t *body;
	uint32_t len;
	double sent;
} Connection;

static struct event_base *base;
static Connection connections[MAX_CONNECTIONS];
static const uint8_t *next_request;
static const uint8_t *end_of_file;
static double *answers; /* milliseconds of each request that was taken */
static uint32_t n_answers;
static uint32_t retries;
static uint32_t busy;
static uint16_t port;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
fail(const char *what)
{
	fprintf(stderr, "send: %s\n", what);
	exit(1);
}

static void answered(struct evhttp_request *req, void *arg);

static void
post(Connection *c)
{
	struct evhttp_request *req = evhttp_request_new(answered, c);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char host[32];

	snprintf(host, sizeof(host), "127.0.0.1:%u", port);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "Content-Type", "application/x-protobuf");
	evbuffer_add_reference(evhttp_request_get_output_buffer(req), c->body, c->len, NULL, NULL);
	c->sent = now();
	if (evhttp_make_request(c->http, req, EVHTTP_REQ_POST, "/v1/traces") != 0)
		fail("cannot send");
}

static void
post_next(Connection *c)
{
	if (end_of_file - next_request < 4)
	{
		busy--;
		if (busy == 0)
			event_base_loopbreak(base);
		return;
	}
	c->len =
		(uint32_t) next_request[0] << 24 | next_request[1] << 16 | next_request[2] << 8 | next_request[3];
	c->body = next_request + 4;
	if (c->len > (size_t) (end_of_file - c->body))
		fail("the file is cut off");
	next_request = c->body + c->len;
	post(c);
}

static void
post_again(evutil_socket_t fd, short what, void *arg)
{
	post(arg);
}

static void
answered(struct evhttp_request *req, void *arg)
{
	Connection *c = arg;
	struct timeval wait = RETRY_AFTER;
	int code = req ? evhttp_request_get_response_code(req) : 0;

	if (code == 429 || code == 503)
	{
		retries++;
		event_add(c->retry, &wait);
		return;
	}
	if (code != 200)
	{
		fprintf(stderr, "send: HTTP status %d\n", code);
		exit(1);
	}
	if (evbuffer_get_length(evhttp_request_get_input_buffer(req)) > 0)
		fail("spans were refused (partial success)");
	if (n_answers == MAX_REQUESTS)
		fail("too many requests");
	answers[n_answers++] = (now() - c->sent) * 1e3;
	post_next(c);
}

static void
map_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		fail("cannot read the file");
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		fail("cannot map the file");
	next_request = p;
	end_of_file = next_request + st.st_size;
}

static int
compare_double(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"port", 1, NULL, 'p'}, {"connections", 1, NULL, 'c'}, {0}};
	int c, n = 4;
	double begin;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
	{
		if (c == 'p')
			port = (uint16_t) atoi(optarg);
		else if (c == 'c')
			n = atoi(optarg);
	}
	if (port == 0 || n < 1 || n > MAX_CONNECTIONS || optind + 1 != argc)
		fail("usage: send --port PORT [--connections N] FILE");
	map_file(argv[optind]);
	base = event_base_new();
	answers = malloc(sizeof(double) * MAX_REQUESTS);
	begin = now();
	busy = n;
	for (int i = 0; i < n; i++)
	{
		connections[i].http = evhttp_connection_base_new(base, NULL, "127.0.0.1", port);
		connections[i].retry = event_new(base, -1, 0, post_again, &connections[i]);
		evhttp_connection_set_timeout(connections[i].http, 120);
		post_next(&connections[i]);
	}
	event_base_dispatch(base);
	if (n_answers == 0)
		fail("the file is empty");
	qsort(answers, n_answers, sizeof(double), compare_double);
	printf("{\"requests\": %u, \"retries\": %u, \"seconds\": %.3f, \"p50_ms\": %.1f, \"p99_ms\": %.1f}\n",
		   n_answers, retries, now() - begin, answers[n_answers / 2],
		   answers[(uint64_t) n_answers * 99 / 100]);
	return 0;
}
