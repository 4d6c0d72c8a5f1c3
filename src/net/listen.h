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
 * Open what addresses ("localhost", "*", "0.0.0.0, ::1") and port name. false: not one socket could be
 * opened, error says why. An address that fails beside one that works is left out (localhost without IPv6).
 */
extern bool listen_open(ListenSet *set, const char *addresses, int port, char *error, size_t error_size);
extern void listen_close(ListenSet *set);

#endif
