/*
 * listen.c
 *	  Names to listening sockets.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"

#define BACKLOG 1024

static int
open_socket(const struct addrinfo *ai)
{
	int one = 1;
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	int saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* Inherited by what is accepted: peers that vanish are noticed, answers are not held back. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
describe(const struct addrinfo *ai, char *dst, size_t size)
{
	char host[48];
	char port[8];

	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
					NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(dst, size, "?");
	else
		snprintf(dst, size, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* false: an address is there but taken or forbidden. */
static bool
open_name(ListenSet *set, const char *name, int port, char *error, size_t error_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list;
	char service[8];
	bool usable = true;
	int rc;

	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(strcmp(name, "*") == 0 ? NULL : name, service, &hints, &list);
	if (rc != 0)
	{
		snprintf(error, error_size, "could not resolve \"%s\": %s", name, gai_strerror(rc));
		return true;
	}
	for (struct addrinfo *ai = list; ai && usable && set->n < LISTEN_MAX; ai = ai->ai_next)
	{
		int fd;

		describe(ai, set->address[set->n], sizeof(set->address[0]));
		fd = open_socket(ai);
		if (fd >= 0)
			set->fd[set->n++] = fd;
		else
		{
			usable = errno != EADDRINUSE && errno != EACCES;
			snprintf(error, error_size, "could not listen on %s: %s", set->address[set->n], strerror(errno));
		}
	}
	freeaddrinfo(list);
	return usable;
}

bool
listen_open(ListenSet *set, const char *addresses, int port, char *error, size_t error_size)
{
	const char *p = addresses;

	set->n = 0;
	snprintf(error, error_size, "no address to listen on");
	while (*p)
	{
		size_t n;
		char name[256];

		p += strspn(p, ", \t");
		n = strcspn(p, ", \t");
		if (n > 0 && n < sizeof(name))
		{
			memcpy(name, p, n);
			name[n] = '\0';
			if (!open_name(set, name, port, error, error_size))
			{
				listen_close(set);
				return false;
			}
		}
		p += n;
	}
	return set->n > 0;
}

void
listen_close(ListenSet *set)
{
	for (int i = 0; i < set->n; i++)
		close(set->fd[i]);
	set->n = 0;
}
