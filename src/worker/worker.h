/*
 * worker.h
 *	  The background workers: which there are, what they share, what configures them.
 *
 * A static launcher without a database starts the others when tempo.database exists and holds the extension
 * and tempo.spans: receivers (OTLP sockets to spans), one query worker (HTTP socket, runs no query), query
 * executors, a merger, and one for the maintenance of partitions. Each has a fixed slot in shared memory,
 *told by its main argument.
 *
 * Shared memory exists only when the library is in shared_preload_libraries; worker_shared is NULL
 * otherwise. Times and texts of a slot are under its spinlock, counters are atomics written by the owner.
 */
#ifndef TEMPO_WORKER_H
#define TEMPO_WORKER_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/latch.h"
#include "storage/spin.h"

/* ---- settings (settings.c) ---- */

extern char *tempo_database;
extern char *tempo_listen_addresses;
extern int tempo_otlp_grpc_port;
extern int tempo_otlp_http_port;
extern int tempo_http_port;
extern int tempo_receivers;
extern int tempo_query_executors;
extern int tempo_max_connections;
extern int tempo_max_request_bytes;      /* bytes */
extern int tempo_grpc_max_message_bytes; /* bytes */
extern int tempo_receiver_memory;        /* kB */
extern int tempo_query_timeout;          /* ms */
extern int tempo_query_queue;
extern int tempo_merge_interval;       /* ms */
extern int tempo_merge_rate;           /* rows a second, 0: no limit */
extern int tempo_maintenance_interval; /* ms */
extern char *tempo_ingest_role;
extern char *tempo_query_role;

extern void tempo_define_worker_settings(void);

/* ---- shared memory (shared.c) ---- */

typedef enum WorkerKind
{
	WORKER_LAUNCHER,
	WORKER_PROBE, /* short-lived: looks whether the database is ready for the others */
	WORKER_QUERY,
	WORKER_MERGER,
	WORKER_MAINTENANCE,
	WORKER_RECEIVER,
	WORKER_EXECUTOR
} WorkerKind;

#define MAX_RECEIVERS    32
#define MAX_EXECUTORS    64
#define SLOT_RECEIVER    5
#define SLOT_EXECUTOR    (SLOT_RECEIVER + MAX_RECEIVERS)
#define WORKER_SLOTS     (SLOT_EXECUTOR + MAX_EXECUTORS)
#define WORKER_ERROR_LEN 256

typedef struct WorkerSlot
{
	pg_atomic_uint32 pid;  /* 0: not running */
	pg_atomic_uint32 busy; /* executors: a request is being worked on */

	pg_atomic_uint64 requests; /* answered */
	pg_atomic_uint64 refused;  /* of these, with an error */
	pg_atomic_uint64 bytes;    /* of request bodies, as they came */
	pg_atomic_uint64 spans;    /* committed */
	pg_atomic_uint64 rejected; /* spans refused by partial success */

	/* Executors: how the query worker finds and cancels them; see query_link.h. */
	pg_atomic_uint32 link;    /* dsm_handle of the queues, 0 = none */
	pg_atomic_uint64 current; /* request being worked on, 0 = none */
	pg_atomic_uint64 cancel;  /* request to be given up */
	pg_atomic_uint32 help;    /* dsm_handle of another's query to take part in, 0 = none */
	Latch *latch;             /* of the process; what it points to is never freed */

	slock_t mutex; /* for what follows */
	TimestampTz started;
	TimestampTz last_commit;
	TimestampTz caught_up; /* the merger: when it last found nothing left to merge */
	TimestampTz last_error_at;
	char last_error[WORKER_ERROR_LEN];
	char listeners[256];
} WorkerSlot;

/* What the ports are for. */
typedef enum PortUse
{
	PORT_OTLP_GRPC,
	PORT_OTLP_HTTP,
	PORT_HTTP
} PortUse;

#define PORT_COUNT 3

typedef struct WorkerShared
{
	pg_atomic_uint32 all_stopped; /* the launcher: stopped was seen and nobody is left */
	pg_atomic_uint32 stopped;     /* by tempo.stop_workers() */
	pg_atomic_uint32 ready;       /* the database has what workers need */
	Latch *launcher;              /* of the launcher's process, NULL when it does not run; under mutex */
	slock_t mutex;
	pg_atomic_uint32 held_port[PORT_COUNT]; /* by the launcher, for this server alone; 0 = none */
	WorkerSlot slots[WORKER_SLOTS];
} WorkerShared;

extern WorkerShared *worker_shared;

extern void tempo_request_shared_memory(void);
extern WorkerKind worker_kind(int slot);
extern const char *worker_kind_name(WorkerKind kind);

/* This process's slot; NULL in anything but a worker. */
extern WorkerSlot *my_slot;
/* Take the slot named by the main argument until this process ends. */
extern void worker_take_slot(Datum arg);
extern void worker_set_listeners(const char *text);
extern void worker_note_commit(void);
extern void worker_note_error(const char *message);
/* tempo.max_connections, or less when this process, with that many servers, has not the descriptors. */
extern int worker_max_connections(int servers);
/* Wake the launcher: something it decides on has changed. */
extern void worker_wake_launcher(void);

/* The launcher's side and the workers' (port_lock.c). */
extern void port_locks_update(void);
extern bool port_is_held(PortUse use, int port);

/* In a transaction: does this database hold the extension and tempo.spans? (launcher.c) */
extern bool worker_database_ready(void);

/* ---- entry points, by name in the workers' registration ---- */

extern void tempo_register_launcher(void);
extern PGDLLEXPORT void tempo_launcher_main(Datum arg);
extern PGDLLEXPORT void tempo_probe_main(Datum arg);
extern PGDLLEXPORT void tempo_receiver_main(Datum arg);
extern PGDLLEXPORT void tempo_query_main(Datum arg);
extern PGDLLEXPORT void tempo_executor_main(Datum arg);
extern PGDLLEXPORT void tempo_merger_main(Datum arg);
extern PGDLLEXPORT void tempo_maintenance_main(Datum arg);

#endif
