/*
 * port_lock.c
 *	  Ports belong to one server at a time.
 *
 * Receivers share a port by SO_REUSEPORT, and so could those of another server of the same user, which then
 * would get half of the requests without anybody noticing. Therefore the launcher holds, for each port, an
 * abstract Unix socket named after it: it exists once in a network namespace and goes away with the process.
 * Workers listen only on ports the launcher has said to hold.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "worker/loop.h"
#include "worker/worker.h"

typedef struct PortLock
{
	int fd;
	char name[sizeof(((struct sockaddr_un *) 0)->sun_path)];
} PortLock;

static PortLock locks[PORT_COUNT] = {{-1}, {-1}, {-1}};

static int
wanted_port(int i)
{
	return i == PORT_OTLP_GRPC   ? tempo_otlp_grpc_port
		   : i == PORT_OTLP_HTTP ? tempo_otlp_http_port
								 : tempo_http_port;
}

static int
bind_name(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* The zero byte in front makes it abstract: no file, no clean-up. */
	strlcpy(sa.sun_path + 1, name, sizeof(sa.sun_path) - 1);
	if (bind(fd, (struct sockaddr *) &sa,
			 offsetof(struct sockaddr_un, sun_path) + 1 + strlen(sa.sun_path + 1)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
complain(int port)
{
	ErrorData edata = {.sqlerrcode = ERRCODE_OBJECT_IN_USE};
	char message[96];

	snprintf(message, sizeof(message), "port %d is held by another server with tempo", port);
	edata.message = message;
	edata.hint =
		"Give each server ports of its own: tempo.otlp_grpc_port, tempo.otlp_http_port, tempo.http_port.";
	work_log(LOG, "not listening", &edata);
}

/* Called by the launcher, again and again. */
void
port_locks_update(void)
{
	for (int i = 0; i < PORT_COUNT; i++)
	{
		PortLock *lock = &locks[i];
		char name[sizeof(lock->name) - 1];
		int port = wanted_port(i);

		snprintf(name, sizeof(name), "tempo:%d:%s", port, tempo_listen_addresses);
		if (lock->fd >= 0 && strcmp(name, lock->name) != 0)
		{
			pg_atomic_write_u32(&worker_shared->held_port[i], 0);
			close(lock->fd);
			lock->fd = -1;
		}
		if (port == 0 || lock->fd >= 0)
			continue;
		lock->fd = bind_name(name);
		if (lock->fd < 0)
			complain(port);
		else
		{
			strlcpy(lock->name, name, sizeof(lock->name));
			pg_atomic_write_u32(&worker_shared->held_port[i], (uint32) port);
		}
	}
}

bool
port_is_held(PortUse use, int port)
{
	return pg_atomic_read_u32(&worker_shared->held_port[use]) == (uint32) port;
}
