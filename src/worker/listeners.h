/*
 * listeners.h
 *	  The listening sockets of a worker, kept as the settings want them.
 *
 * When a port is taken by somebody else the worker goes on without and tries again every few seconds.
 */
#ifndef TEMPO_LISTENERS_H
#define TEMPO_LISTENERS_H

#include "postgres.h"
#include "datatype/timestamp.h"

#include "worker/worker.h"

typedef struct Listener
{
	PortUse use;
	const char *protocol;   /* "grpc" */
	bool (*listen)(int fd); /* takes over a socket */
	void (*unlisten)(void); /* closes all */

	/* owned by listeners.c */
	char *addresses; /* as opened, or tried last */
	int port;
	bool open;
	TimestampTz tried;
	char text[128]; /* "grpc 127.0.0.1:4317" */
} Listener;

/* Open, close or move the sockets to tempo.listen_addresses and port (0: none). Connections stay. */
extern void listener_update(Listener *l, int port);
/* Show what n listeners have open in tempo.status. */
extern void listeners_show(const Listener *l, int n);

#endif
