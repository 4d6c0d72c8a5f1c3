/*
 * test_net.c
 *	  The parts of src/net that serve nobody: bodies, answers, tenants, the memory bound, opening sockets.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "net/body.h"
#include "net/budget.h"
#include "net/listen.h"
#include "net/status.h"

/* ---- bodies ---- */

static size_t
deflate_with(int window_bits, const uint8_t *src, size_t len, uint8_t *dst, size_t cap)
{
	z_stream z = {0};

	deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
	z.next_in = (Bytef *) src;
	z.avail_in = len;
	z.next_out = dst;
	z.avail_out = cap;
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static bool
inflates_to(BodyEncoding e, const uint8_t *z, size_t zlen, const uint8_t *want, size_t len)
{
	uint8_t *out = NULL;
	size_t n = 0;
	bool same = body_inflate(e, z, zlen, len, &out, &n) == BODY_OK && n == len && memcmp(out, want, len) == 0;

	free(out);
	return same;
}

static BodyResult
inflate_result(BodyEncoding e, const uint8_t *z, size_t zlen, size_t limit)
{
	uint8_t *out = NULL;
	size_t n;
	BodyResult r = body_inflate(e, z, zlen, limit, &out, &n);

	if (r == BODY_OK)
		free(out);
	return r;
}

static void
test_bodies(void)
{
	enum
	{
		N = 300000
	};
	uint8_t *src = malloc(N);
	uint8_t *z = malloc(2 * N);
	size_t zlen;

	for (int i = 0; i < N; i++)
		src[i] = (uint8_t) ((uint32_t) i * (uint32_t) i >> 7);
	zlen = deflate_with(31, src, N, z, N);
	ok(inflates_to(BODY_GZIP, z, zlen, src, N), "gzip round trip at exactly the limit");
	is_i64(inflate_result(BODY_GZIP, z, zlen, N - 1), BODY_TOO_LARGE, "one byte over the limit is refused");
	is_i64(inflate_result(BODY_GZIP, z, zlen - 1, N), BODY_MALFORMED, "a cut gzip body is malformed");
	is_i64(inflate_result(BODY_GZIP, z, 0, N), BODY_MALFORMED, "an empty gzip body is malformed");
	z[zlen] = 'x';
	is_i64(inflate_result(BODY_GZIP, z, zlen + 1, N), BODY_MALFORMED, "bytes behind gzip are malformed");
	zlen = deflate_with(31, src, N / 2, z, N);
	zlen += deflate_with(31, src + N / 2, N / 2, z + zlen, N);
	ok(inflates_to(BODY_GZIP, z, zlen, src, N), "two gzip members are one body");
	zlen = deflate_with(15, src, N, z, N);
	ok(inflates_to(BODY_DEFLATE, z, zlen, src, N), "zlib round trip");
	zlen = deflate_with(-15, src, N, z, N);
	ok(inflates_to(BODY_DEFLATE, z, zlen, src, N), "bare deflate round trip");
	zlen = ZSTD_compress(z, 2 * N, src, N, 3);
	ok(inflates_to(BODY_ZSTD, z, zlen, src, N), "zstd round trip");
	is_i64(inflate_result(BODY_ZSTD, z, zlen, 1000), BODY_TOO_LARGE, "zstd over the limit is refused");
	is_i64(inflate_result(BODY_ZSTD, z, zlen / 2, N), BODY_MALFORMED, "a cut zstd body is malformed");
	is_i64(inflate_result(BODY_ZSTD, src, N, N), BODY_MALFORMED, "what is not zstd is malformed");
	memset(src, 0, N);
	zlen = deflate_with(31, src, N, z, N);
	ok(zlen < 1000 && inflate_result(BODY_GZIP, z, zlen, 64) == BODY_TOO_LARGE, "a bomb stops at the limit");
	free(src);
	free(z);
}

static void
test_encodings(void)
{
	is_i64(body_encoding(NULL), BODY_IDENTITY, "no encoding");
	is_i64(body_encoding("GZIP"), BODY_GZIP, "gzip in capitals");
	is_i64(body_encoding("br"), BODY_UNKNOWN, "br is not known");
	ok(body_accepts_gzip("br, gzip;q=0.5"), "gzip with a weight");
	ok(!body_accepts_gzip("gzip;q=0"), "gzip refused");
	ok(!body_accepts_gzip("gzipped, deflate"), "something like gzip");
	ok(body_accepts_gzip("*"), "anything");
	ok(!body_accepts_gzip(NULL), "nothing");
}

static void
test_gzip(void)
{
	char text[5000];
	size_t zlen = 0;
	uint8_t *z;

	memset(text, 'a', sizeof(text));
	z = body_gzip((uint8_t *) text, sizeof(text), &zlen);
	ok(z && inflates_to(BODY_GZIP, z, zlen, (uint8_t *) text, sizeof(text)), "gzip of an answer");
	free(z);
	ok(body_gzip((const uint8_t *) "x", 1, &zlen) == NULL, "what does not shrink is left alone");
}

/* ---- answers ---- */

static const char *
text_of(WireBuf *buf)
{
	static char out[512];

	wirebuf_put(buf, "", 1);
	snprintf(out, sizeof(out), "%s", (char *) buf->p);
	wirebuf_free(buf);
	return out;
}

static void
test_answers(void)
{
	WireBuf b = {0};
	static const uint8_t plain[] = {0x08, 3, 0x12, 3, 'b', 'a', 'd'};
	static const uint8_t partial[] = {0x0a, 7, 0x08, 0xac, 0x02, 0x12, 2, 'n', 'o'};

	status_write_pb(&b, RPC_INVALID_ARGUMENT, "bad", 0);
	ok(b.len == sizeof(plain) && memcmp(b.p, plain, b.len) == 0, "Status as protobuf");
	wirebuf_free(&b);
	status_export_pb(&b, 300, "no");
	ok(b.len == sizeof(partial) && memcmp(b.p, partial, b.len) == 0, "partial success as protobuf");
	wirebuf_free(&b);
	status_export_pb(&b, 0, "");
	is_i64(b.len, 0, "full success as protobuf is empty");
	status_write_json(&b, RPC_INVALID_ARGUMENT, "a \"b\"\n\\ \xff", 0);
	is_str(text_of(&b), "{\"code\":3,\"message\":\"a \\\"b\\\"\\u000a\\\\ ?\"}", "Status as JSON");
	status_write_json(&b, RPC_RESOURCE_EXHAUSTED, "later", 2);
	is_str(text_of(&b),
		   "{\"code\":8,\"message\":\"later\",\"details\":[{\"@type\":\"type.googleapis.com/"
		   "google.rpc.RetryInfo\","
		   "\"retryDelay\":\"2s\"}]}",
		   "RetryInfo as JSON");
	status_export_json(&b, 0, "");
	is_str(text_of(&b), "{\"partialSuccess\":{}}", "full success as JSON");
	status_export_json(&b, 2, "old");
	is_str(text_of(&b), "{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"old\"}}",
		   "partial success as JSON");
	status_percent(&b, "100% \xc3\xa4\n");
	is_str(text_of(&b), "100%25 %C3%A4%0A", "grpc-message");
	status_base64(&b, (const uint8_t *) "\x01\x02\x03\x04", 4);
	is_str(text_of(&b), "AQIDBA", "base64 without padding");
}

static void
test_small_rules(void)
{
	char longest[152];

	is_i64(status_grpc_timeout("10S"), 10000000, "seconds");
	is_i64(status_grpc_timeout("9969m"), 9969000, "milliseconds");
	is_i64(status_grpc_timeout("4999953u"), 4999953, "microseconds");
	is_i64(status_grpc_timeout("1500n"), 1, "nanoseconds");
	is_i64(status_grpc_timeout("99999999H"), INT64_C(359999996400000000), "the largest");
	is_i64(status_grpc_timeout("123456789S"), -1, "nine digits");
	is_i64(status_grpc_timeout("S"), -1, "no digits");
	is_i64(status_grpc_timeout("10SS"), -1, "two units");
	memset(longest, 'a', 150);
	longest[150] = '\0';
	ok(tenant_valid(longest), "a tenant of 150 bytes");
	memset(longest, 'a', 151);
	longest[151] = '\0';
	ok(!tenant_valid(longest), "151 bytes are too many");
	ok(tenant_valid("a-B_0.!*'()"), "every kind of character");
	ok(!tenant_valid("a|b") && !tenant_valid("a/b") && !tenant_valid("") && !tenant_valid(".."),
	   "bad tenants");
}

/* ---- the memory bound ---- */

static int resumed;

static void
count_resume(void *owner)
{
	(void) owner;
	resumed++;
}

static void
test_budget(void)
{
	Budget b = {.limit = 100, .hard = 300};
	Account a1;
	Account a2;
	Account a3;

	account_open(&a1, &b, count_resume, NULL);
	account_open(&a2, &b, count_resume, NULL);
	account_open(&a3, &b, count_resume, NULL);
	ok(account_charge(&a1, 60) && account_charge(&a2, 40), "up to the limit everybody reads");
	ok(!account_charge(&a2, 10), "above it the younger one stops");
	ok(account_charge(&a1, 30), "and the oldest goes on");
	budget_resume(&b);
	is_i64(resumed, 0, "nobody is resumed while nothing was given back");
	ok(account_complete(&a1), "a complete request is taken");
	budget_resume(&b);
	is_i64(resumed, 1, "then the next oldest may go on");
	ok(account_charge(&a2, 50), "above the limit too");
	ok(!account_complete(&a2), "but it is refused when the limit is queued before it");
	account_clear(&a2);
	account_clear(&a1);
	is_i64(b.used, 0, "all is given back");
	is_i64(b.queued, 0, "the queue too");
	ok(account_charge(&a3, 1000) && account_complete(&a3), "a request alone is taken whatever its size");
	ok(account_charge(&a1, 10), "the oldest of those that are not complete");
	ok(!account_must_fail(&a1), "may go beyond every limit");
	ok(!account_charge(&a2, 10) && account_must_fail(&a2), "others fail beyond the hard one");
	account_clear(&a1);
	account_clear(&a2);
	account_clear(&a3);
	ok(b.first == NULL && b.last == NULL && b.stopped == 0, "no account is left behind");
}

/* ---- sockets ---- */

/* A listener on a free port of 127.0.0.1 that does not share it. */
static int
take_port(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &a, len) != 0 || listen(fd, 1) != 0 ||
		getsockname(fd, (struct sockaddr *) &a, &len) != 0)
		abort();
	*port = ntohs(a.sin_port);
	return fd;
}

static void
test_listen(void)
{
	ListenSet set;
	char error[256];
	int port;
	int taken = take_port(&port);

	ok(!listen_open(&set, "127.0.0.2, 127.0.0.1", port, error, sizeof(error)),
	   "one address in use is a failure, though another is free");
	is_i64(set.n, 0, "nothing is left open then");
	ok(strstr(error, "127.0.0.1:") && strstr(error, "in use"), "the error names the address: %s", error);
	close(taken);
	ok(listen_open(&set, "127.0.0.2, 127.0.0.1", port, error, sizeof(error)), "both are free now");
	is_i64(set.n, 2, "a socket for each");
	listen_close(&set);
	ok(listen_open(&set, "127.0.0.1, 203.0.113.7", port, error, sizeof(error)) && set.n == 1,
	   "an address that this machine does not have is left out");
	listen_close(&set);
}

int
main(void)
{
	test_bodies();
	test_encodings();
	test_gzip();
	test_answers();
	test_small_rules();
	test_budget();
	test_listen();
	return unit_done();
}
