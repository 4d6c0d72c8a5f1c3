/*
 * settings.c
 *	  Settings of the background workers. All can be changed by a reload: the launcher starts and stops
 *	  workers as their number changes, receivers open new sockets without dropping connections.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "worker/worker.h"

char *tempo_database;
char *tempo_listen_addresses;
int tempo_otlp_grpc_port;
int tempo_otlp_http_port;
int tempo_http_port;
int tempo_receivers;
int tempo_query_executors;
int tempo_max_connections;
int tempo_max_request_bytes;
int tempo_grpc_max_message_bytes;
int tempo_receiver_memory;
int tempo_query_timeout;
int tempo_query_queue;
int tempo_merge_interval;
int tempo_merge_rate;
int tempo_maintenance_interval;
char *tempo_ingest_role;
char *tempo_query_role;

static void
define_string(const char *name, const char *what, const char *more, char **var, const char *value)
{
	DefineCustomStringVariable(name, what, more, var, value, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static void
define_int(const char *name, const char *what, const char *more, int *var, int value, int min, int max,
		   int unit)
{
	DefineCustomIntVariable(name, what, more, var, value, min, max, PGC_SIGHUP, unit, NULL, NULL, NULL);
}

static void
define_network(void)
{
	define_string("tempo.listen_addresses", "Addresses the receivers and the query server listen on.",
				  "Comma-separated names or addresses; * means all.", &tempo_listen_addresses, "localhost");
	define_int("tempo.otlp_grpc_port", "TCP port of the OTLP/gRPC receiver.", "0 turns it off.",
			   &tempo_otlp_grpc_port, 4317, 0, 65535, 0);
	define_int("tempo.otlp_http_port", "TCP port of the OTLP/HTTP receiver.", "0 turns it off.",
			   &tempo_otlp_http_port, 4318, 0, 65535, 0);
	define_int("tempo.http_port", "TCP port of the query server.", "0 turns it off.", &tempo_http_port, 3200,
			   0, 65535, 0);
	define_int("tempo.max_connections", "Connections a receiver or the query server serves at a time.",
			   "Per worker and protocol; further clients wait to be accepted.", &tempo_max_connections, 1000,
			   1, 100000, 0);
	define_int("tempo.max_request_bytes", "Largest OTLP/HTTP body, as sent and uncompressed.",
			   "Larger requests are answered 413.", &tempo_max_request_bytes, 20 * 1024 * 1024, 1024,
			   512 * 1024 * 1024, GUC_UNIT_BYTE);
	define_int("tempo.grpc_max_message_bytes", "Largest gRPC message, as sent and uncompressed.",
			   "Larger requests are answered RESOURCE_EXHAUSTED.", &tempo_grpc_max_message_bytes,
			   16 * 1024 * 1024, 1024, 512 * 1024 * 1024, GUC_UNIT_BYTE);
	define_int("tempo.receiver_memory", "Bytes of requests a receiver holds while they wait to be stored.",
			   "Above it clients are slowed down by flow control, then answered 429 or RESOURCE_EXHAUSTED.",
			   &tempo_receiver_memory, 64 * 1024, 64, 64 * 1024 * 1024, GUC_UNIT_KB);
}

void
tempo_define_worker_settings(void)
{
	define_string("tempo.database", "Database that receivers store into and the query server reads.",
				  "Workers start when it exists and holds the extension and tempo.spans.", &tempo_database,
				  "postgres");
	define_network();
	define_int("tempo.receivers", "Number of receiver workers.", NULL, &tempo_receivers, 2, 0, MAX_RECEIVERS,
			   0);
	define_int("tempo.query_executors", "Number of workers that run queries of the query server.", NULL,
			   &tempo_query_executors, 2, 0, MAX_EXECUTORS, 0);
	define_int("tempo.query_timeout", "Longest time a request to the query server may run.",
			   "0 means no limit.", &tempo_query_timeout, 60 * 1000, 0, INT_MAX, GUC_UNIT_MS);
	define_int("tempo.query_queue", "Requests to the query server that may wait for an executor.",
			   "Further requests are answered 429.", &tempo_query_queue, 2000, 1, 100000, 0);
	define_int("tempo.merge_interval", "Pause between looks for recent batches to merge.", NULL,
			   &tempo_merge_interval, 1000, 10, 3600 * 1000, GUC_UNIT_MS);
	define_int("tempo.merge_rate", "Rows a second that the merge worker takes at most.",
			   "It pauses between rounds. 0 means no limit.", &tempo_merge_rate, 0, 0, INT_MAX, 0);
	define_int("tempo.maintenance_interval",
			   "Pause between looks for partitions to drop and statistics to renew.", NULL,
			   &tempo_maintenance_interval, 60 * 1000, 100, 24 * 3600 * 1000, GUC_UNIT_MS);
	define_string(
		"tempo.ingest_role", "Role the receivers store as.",
		"Needs LOGIN. Empty means the bootstrap superuser, to whom row-level security does not apply.",
		&tempo_ingest_role, "");
	define_string(
		"tempo.query_role", "Role the query server reads as.",
		"Needs LOGIN. Empty means the bootstrap superuser, to whom row-level security does not apply.",
		&tempo_query_role, "");
}
