/*
 * listen.h
 *	  Listening sockets: every address of a comma-separated list, with SO_REUSEPORT.
 *
 * Sockets are opened by the worker that serves them, never before a fork. No PostgreSQL.
 */
#ifndef TEMPO_LISTEN_H
#define TEMPO_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#define LISTEN_MAX 8

typedef struct ListenSet
{
	int n;
	int fd[LISTEN_MAX];
	char address[LISTEN_MAX][64]; /* "127.0.0.1:4318" */
} ListenSet;

/*
 * Open what addresses ("localhost", "*", "0.0.0.0, ::1") and port name. false: nothing is open, error says
 * why: one is in use or forbidden, or none could be opened. An address that this machine does not have is
 * left out beside one that works (localhost without IPv6).
 */
extern bool listen_open(ListenSet *set, const char *addresses, int port, char *error, size_t error_size);
extern void listen_close(ListenSet *set);

#endif
