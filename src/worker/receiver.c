/*
 * receiver.c
 *	  A receiver: OTLP over HTTP and gRPC on sockets of its own, spans to tempo.spans.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "net/budget.h"
#include "net/listen.h"
#include "worker/export.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define TICK_MS 100

typedef struct Listeners
{
	char *addresses;
	int grpc_port;
	int http_port;
} Listeners;

static Budget budget;

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static int turns;

	if (++turns % (1000 / TICK_MS) == 0)
	{
		export_http_tick();
		export_grpc_tick();
	}
}

/* Open the sockets of one protocol and append them to text. */
static void
listen_on(const char *protocol, int port, bool (*listen)(int fd), char *text, size_t size)
{
	ListenSet set;
	char error[256];

	if (port == 0)
		return;
	if (!listen_open(&set, tempo_listen_addresses, port, error, sizeof(error)))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE), errmsg("tempo: %s receiver: %s", protocol, error)));
	for (int i = 0; i < set.n; i++)
	{
		if (!listen(set.fd[i]))
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("tempo: could not listen on a socket")));
		snprintf(text + strlen(text), size - strlen(text), "%s%s %s", *text ? ", " : "", protocol,
				 set.address[i]);
	}
}

/* New sockets when their settings changed. Connections stay. */
static void
update_listeners(Listeners *now)
{
	char text[sizeof(my_slot->listeners)] = "";

	if (now->addresses && strcmp(now->addresses, tempo_listen_addresses) == 0 &&
		now->grpc_port == tempo_otlp_grpc_port && now->http_port == tempo_otlp_http_port)
		return;
	export_grpc_unlisten();
	export_http_unlisten();
	listen_on("grpc", tempo_otlp_grpc_port, export_grpc_listen, text, sizeof(text));
	listen_on("http", tempo_otlp_http_port, export_http_listen, text, sizeof(text));
	if (now->addresses)
		pfree(now->addresses);
	now->addresses = MemoryContextStrdup(TopMemoryContext, tempo_listen_addresses);
	now->grpc_port = tempo_otlp_grpc_port;
	now->http_port = tempo_otlp_http_port;
	worker_set_listeners(text);
}

static void
apply_settings(Listeners *listeners)
{
	int connections = worker_max_connections(2);

	budget.limit = (size_t) tempo_receiver_memory * 1024;
	budget.hard = 2 * budget.limit + 2 * (size_t) tempo_grpc_max_message_bytes;
	export_http_limits(tempo_max_request_bytes, connections);
	export_grpc_limits(tempo_grpc_max_message_bytes, connections);
	update_listeners(listeners);
}

/* Clients learn that we leave, and answers that are written already get out. */
static void
say_goodbye(Loop *loop)
{
	export_grpc_unlisten();
	export_http_unlisten();
	export_grpc_goaway();
	event_base_loop(loop->base, EVLOOP_NONBLOCK);
}

void
tempo_receiver_main(Datum arg)
{
	Loop *loop = loop_create();
	Listeners listeners = {0};

	BackgroundWorkerInitializeConnection(tempo_database, *tempo_ingest_role ? tempo_ingest_role : NULL, 0);
	worker_take_slot(arg);
	export_http_start(loop->base, &budget);
	export_grpc_start(loop->base, &budget);
	apply_settings(&listeners);
	loop_every(loop, TICK_MS, on_tick, NULL);
	pgstat_report_activity(STATE_IDLE, NULL);

	while (loop_turn(loop, true))
	{
		if (loop->reloaded)
		{
			loop->reloaded = false;
			apply_settings(&listeners);
		}
		if (export_waiting())
		{
			export_run();
			export_grpc_flush();
		}
		budget_resume(&budget);
		export_grpc_flush();
	}
	say_goodbye(loop);
	proc_exit(0);
}
