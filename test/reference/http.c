/*
 * http.c
 *	  GET over a connection that is kept, to a server on this machine.
 */
#include "ask.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		die("HTTP", "cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* false: the connection is over. */
static bool
read_more(int fd, Out *in)
{
	char bytes[65536];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n > 0)
		out_bytes(in, bytes, (size_t) n);
	return n > 0;
}

/* Head and body; the body's length is in the head. */
static bool
read_response(int fd, int *status, Text *body)
{
	Out in = {0};
	const char *end = NULL, *length;
	size_t start, total;

	while (!end)
	{
		if (!read_more(fd, &in))
			return false;
		end = memmem(in.p, in.n, "\r\n\r\n", 4);
	}
	start = (size_t) (end - in.p) + 4;
	length = strcasestr(in.p, "content-length:");
	if (!length || length > end || sscanf(in.p, "HTTP/1.1 %d", status) != 1)
		die("HTTP", in.p);
	total = start + strtoul(length + 15, NULL, 10);
	while (in.n < total)
		if (!read_more(fd, &in))
			return false;
	*body = (Text){in.p + start, total - start};
	return true;
}

int
http_get(int port, Text path, const char *tenant, Text *body)
{
	static int fd = -1;
	Out request = {0};
	int status;

	out_fmt(&request, "GET ");
	out_text(&request, path);
	out_fmt(&request, " HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Scope-OrgID: %s\r\n\r\n", tenant);
	for (int attempt = 0; attempt < 2; attempt++)
	{
		if (fd < 0)
			fd = connect_to(port);
		if (write(fd, request.p, request.n) == (ssize_t) request.n && read_response(fd, &status, body))
			return status;
		close(fd);
		fd = -1;
	}
	die("HTTP", "the connection is lost");
}

Text
url_escaped(Text t)
{
	Out out = {0};

	for (size_t i = 0; i < t.n; i++)
		out_fmt(&out, "%%%02X", (unsigned char) t.p[i]);
	return out_done(&out);
}
