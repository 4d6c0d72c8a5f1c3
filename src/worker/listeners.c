/*
 * listeners.c
 *	  Settings to listening sockets; see listeners.h.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "net/listen.h"
#include "worker/listeners.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define RETRY_MS 5000

static bool
is_current(const Listener *l, int port)
{
	return l->addresses && l->port == port && strcmp(l->addresses, tempo_listen_addresses) == 0;
}

static void
report(const Listener *l, const char *error)
{
	ErrorData edata = {.sqlerrcode = ERRCODE_CONNECTION_FAILURE};
	char message[320];

	snprintf(message, sizeof(message), "%s: %s", l->protocol, error);
	edata.message = message;
	edata.hint = "Another server may use the port; tempo tries again every few seconds.";
	work_log(LOG, "not listening", &edata);
}

static void
open_sockets(Listener *l)
{
	ListenSet set;
	char error[256];

	l->tried = GetCurrentTimestamp();
	l->open = listen_open(&set, l->addresses, l->port, error, sizeof(error));
	if (!l->open)
	{
		report(l, error);
		return;
	}
	for (int i = 0; i < set.n; i++)
	{
		size_t len = strlen(l->text);

		if (!l->listen(set.fd[i]))
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("tempo: could not listen on a socket")));
		snprintf(l->text + len, sizeof(l->text) - len, "%s%s %s", len ? ", " : "", l->protocol,
				 set.address[i]);
	}
}

void
listener_update(Listener *l, int port)
{
	if (is_current(l, port) &&
		(l->open || port == 0 || !TimestampDifferenceExceeds(l->tried, GetCurrentTimestamp(), RETRY_MS)))
		return;
	l->unlisten();
	l->open = false;
	l->text[0] = '\0';
	if (!is_current(l, port))
	{
		if (l->addresses)
			pfree(l->addresses);
		l->addresses = MemoryContextStrdup(TopMemoryContext, tempo_listen_addresses);
		l->port = port;
		l->tried = 0;
	}
	/* Until the launcher holds the port nothing is tried; it says why when it cannot. */
	if (port != 0 && port_is_held(l->use, port))
		open_sockets(l);
}

void
listeners_show(const Listener *l, int n)
{
	char text[sizeof(my_slot->listeners)] = "";

	for (int i = 0; i < n; i++)
	{
		size_t len = strlen(text);

		if (l[i].text[0])
			snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "", l[i].text);
	}
	worker_set_listeners(text);
}
