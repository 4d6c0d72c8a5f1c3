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

#include "net/budget.h"
#include "worker/export.h"
#include "worker/listeners.h"
#include "worker/loop.h"
#include "worker/worker.h"

#define TICK_MS 100

static Budget budget;
static bool second_passed = true;
static Listener listeners[] = {{PORT_OTLP_GRPC, "grpc", export_grpc_listen, export_grpc_unlisten},
							   {PORT_OTLP_HTTP, "http", export_http_listen, export_http_unlisten}};

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static int turns;

	if (++turns % (1000 / TICK_MS) == 0)
	{
		export_http_tick();
		export_grpc_tick();
		second_passed = true;
	}
}

static void
apply_settings(void)
{
	int connections = worker_max_connections(2);

	budget.limit = (size_t) tempo_receiver_memory * 1024;
	budget.hard = 2 * budget.limit + 2 * (size_t) tempo_grpc_max_message_bytes;
	export_http_limits(tempo_max_request_bytes, connections);
	export_grpc_limits(tempo_grpc_max_message_bytes, connections);
}

static void
update_listeners(void)
{
	listener_update(&listeners[0], tempo_otlp_grpc_port);
	listener_update(&listeners[1], tempo_otlp_http_port);
	listeners_show(listeners, lengthof(listeners));
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

	BackgroundWorkerInitializeConnection(tempo_database, *tempo_ingest_role ? tempo_ingest_role : NULL, 0);
	worker_take_slot(arg);
	export_http_start(loop->base, &budget);
	export_grpc_start(loop->base, &budget);
	apply_settings();
	loop_every(loop, TICK_MS, on_tick, NULL);
	pgstat_report_activity(STATE_IDLE, NULL);

	do
	{
		if (loop->reloaded)
			apply_settings();
		if (loop->reloaded || second_passed)
			update_listeners();
		loop->reloaded = second_passed = false;
		if (export_waiting())
			export_run();
		budget_resume(&budget);
		export_grpc_flush();
	} while (loop_turn(loop, true));
	say_goodbye(loop);
	proc_exit(0);
}
