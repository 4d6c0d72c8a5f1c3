/*
 * query.c
 *	  The query worker: the HTTP socket of Tempo's API. It runs no query.
 *
 * Requests wait in a queue until an executor is idle; answers come back through its queue and are passed on
 * piece by piece. /ready and /api/echo are answered here. When a client goes away its request is cancelled.
 */
#include "postgres.h"

#include <signal.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "net/http1.h"
#include "worker/listeners.h"
#include "worker/loop.h"
#include "worker/query_link.h"
#include "worker/worker.h"

#define TICK_MS      200
#define MAX_UNSENT   (8 * 1024 * 1024) /* an executor waits for a client slower than this much */
#define QUERY_MEMORY (64 * 1024 * 1024)
#define PLAIN_TEXT   "text/plain; charset=utf-8"

/* A request that waits, or that an executor works on. malloc'd: made in callbacks. */
typedef struct Pending
{
	dlist_node node;
	uint64 id;
	Http1Request *req;
	struct Executor *executor; /* NULL: waiting */
} Pending;

typedef struct Executor
{
	int slot;
	dsm_handle handle; /* what is attached, 0 = nothing */
	dsm_segment *seg;
	shm_mq_handle *out; /* requests */
	shm_mq_handle *in;  /* responses */
	Pending *pending;
	char *message; /* the request while its queue has not taken all of it */
	size_t message_len;
	bool begun; /* part of the response is out */
	uint64 left;
} Executor;

static Executor executors[MAX_EXECUTORS];
static dlist_head waiting = DLIST_STATIC_INIT(waiting);
static int nwaiting;
static uint64 last_id;
static bool second_passed = true;
static Http1 *server;
static Budget budget;

/* ---- callbacks: parse and queue, raise nothing ---- */

static bool
any_executor(void)
{
	for (int i = 0; i < MAX_EXECUTORS; i++)
		if (executors[i].handle)
			return true;
	return false;
}

static void
count(int status)
{
	pg_atomic_fetch_add_u64(&my_slot->requests, 1);
	if (status >= 400)
		pg_atomic_fetch_add_u64(&my_slot->refused, 1);
}

static void
answer_text(Http1Request *req, int status, const char *text)
{
	count(status);
	http1_answer(req, status, PLAIN_TEXT, text, strlen(text));
}

static void
on_gone(Http1Request *req)
{
	Pending *p = req->user;

	if (p->executor)
	{
		WorkerSlot *slot = &worker_shared->slots[p->executor->slot];
		uint32 pid = pg_atomic_read_u32(&slot->pid);

		/* Once the answer is under way the rest of it is read and thrown away. */
		if (!p->executor->begun && pid)
		{
			pg_atomic_write_u64(&slot->cancel, p->id);
			kill((pid_t) pid, SIGINT);
		}
		return;
	}
	dlist_delete(&p->node);
	nwaiting--;
	free(p);
	req->user = NULL;
	answer_text(req, 499, "client closed request");
}

static void
enqueue(Http1Request *req)
{
	Pending *p = nwaiting < tempo_query_queue ? calloc(1, sizeof(*p)) : NULL;

	if (p == NULL)
	{
		answer_text(req, 429, "too many requests are waiting");
		return;
	}
	p->id = ++last_id;
	p->req = req;
	req->user = p;
	dlist_push_tail(&waiting, &p->node);
	nwaiting++;
	http1_watch(req, on_gone);
}

static void
on_request(Http1Request *req, void *arg)
{
	pg_atomic_fetch_add_u64(&my_slot->bytes, req->body_len);
	if (req->refused)
		answer_text(req, 429, "too much is waiting");
	else if (req->body_len > LINK_MAX_BODY)
		answer_text(req, 413, "request body too large");
	else if (strcmp(req->path, "/ready") == 0)
		answer_text(req, any_executor() ? 200 : 503,
					any_executor() ? "ready\n" : "no query executor is running\n");
	else if (strcmp(req->path, "/api/echo") == 0)
		answer_text(req, 200, "echo\n");
	else
		enqueue(req);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static int turns;

	if (++turns % (1000 / TICK_MS) == 0)
	{
		http1_tick(server);
		second_passed = true;
	}
}

/* ---- executors ---- */

static void
finish(Executor *e)
{
	free(e->pending);
	e->pending = NULL;
	e->begun = false;
}

/* The executor is gone, with what it was working on. */
static void
lose_executor(Executor *e)
{
	Pending *p = e->pending;

	if (p && e->begun)
		http1_end(p->req); /* short of its length: the client sees that it was cut off */
	else if (p)
		answer_text(p->req, 503, "the query executor went away");
	finish(e);
	free(e->message);
	e->message = NULL;
	shm_mq_detach(e->out);
	shm_mq_detach(e->in);
	dsm_detach(e->seg);
	e->handle = 0;
}

static void
attach_executor(Executor *e, dsm_handle handle)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	shm_mq *out;
	shm_mq *in;

	e->seg = dsm_attach(handle);
	MemoryContextSwitchTo(old);
	if (e->seg == NULL)
		return; /* gone already */
	dsm_pin_mapping(e->seg);
	out = link_request_queue(e->seg);
	in = link_response_queue(e->seg);
	if (shm_mq_get_sender(out) != NULL || shm_mq_get_receiver(in) != NULL)
	{
		/* It belonged to a query worker before us; the executor will notice and make a new one. */
		dsm_detach(e->seg);
		return;
	}
	shm_mq_set_sender(out, MyProc);
	shm_mq_set_receiver(in, MyProc);
	old = MemoryContextSwitchTo(TopMemoryContext);
	e->out = shm_mq_attach(out, e->seg, NULL);
	e->in = shm_mq_attach(in, e->seg, NULL);
	MemoryContextSwitchTo(old);
	e->handle = handle;
}

static void
find_executors(void)
{
	for (int i = 0; i < MAX_EXECUTORS; i++)
	{
		Executor *e = &executors[i];
		dsm_handle handle = pg_atomic_read_u32(&worker_shared->slots[SLOT_EXECUTOR + i].link);

		e->slot = SLOT_EXECUTOR + i;
		if (handle && e->handle == 0)
			attach_executor(e, handle);
	}
}

/* ---- requests to executors ---- */

static const char *
header_or_empty(const Http1Request *req, const char *name)
{
	const char *value = http1_header(req, name);

	return value ? value : "";
}

static bool
pack_request(Executor *e, const Pending *p)
{
	const Http1Request *req = p->req;
	LinkRequest head = {.id = p->id, .body_len = req->body_len};
	const char *str[LINK_NSTRINGS] = {[LINK_METHOD] = req->method,
									  [LINK_PATH] = req->path,
									  [LINK_QUERY] = req->query,
									  [LINK_ACCEPT] = header_or_empty(req, "Accept"),
									  [LINK_ACCEPT_ENCODING] = header_or_empty(req, "Accept-Encoding"),
									  [LINK_CONTENT_TYPE] = header_or_empty(req, "Content-Type"),
									  [LINK_TENANT] = header_or_empty(req, "X-Scope-OrgID")};
	size_t len = sizeof(head) + req->body_len;
	char *pos;

	for (int i = 0; i < LINK_NSTRINGS; i++)
		len += strlen(str[i]) + 1;
	e->message = malloc(len);
	if (e->message == NULL)
		return false;
	e->message_len = len;
	memcpy(e->message, &head, sizeof(head));
	pos = e->message + sizeof(head);
	for (int i = 0; i < LINK_NSTRINGS; i++)
	{
		size_t n = strlen(str[i]) + 1;

		memcpy(pos, str[i], n);
		pos += n;
	}
	memcpy(pos, req->body, req->body_len);
	return true;
}

/* Hand over the rest of a message; what does not fit is tried again at the next turn. */
static void
push_message(Executor *e)
{
	shm_mq_result result = shm_mq_send(e->out, e->message_len, e->message, true, true);

	if (result == SHM_MQ_WOULD_BLOCK)
		return;
	free(e->message);
	e->message = NULL;
	if (result == SHM_MQ_DETACHED)
		lose_executor(e);
}

static void
dispatch(void)
{
	for (int i = 0; i < MAX_EXECUTORS && !dlist_is_empty(&waiting); i++)
	{
		Executor *e = &executors[i];
		Pending *p;

		if (e->handle == 0 || e->pending)
			continue;
		p = dlist_container(Pending, node, dlist_pop_head_node(&waiting));
		nwaiting--;
		p->executor = e;
		e->pending = p;
		if (pack_request(e, p))
			push_message(e);
		else
		{
			answer_text(p->req, 503, "out of memory");
			finish(e);
		}
	}
}

/* ---- responses ---- */

static void
begin_response(Executor *e, const LinkResponse *head, const char *body, size_t len)
{
	Http1Request *req = e->pending->req;

	count(head->status);
	if (head->gzip)
	{
		http1_set_header(req, "Content-Encoding", "gzip");
		http1_set_header(req, "Vary", "Accept-Encoding");
	}
	if (len == head->body_len)
	{
		http1_answer(req, head->status, head->content_type, body, len);
		finish(e);
		return;
	}
	e->begun = true;
	e->left = head->body_len - len;
	http1_begin(req, head->status, head->content_type, head->body_len);
	http1_piece(req, body, len);
}

static void
on_message(Executor *e, const char *msg, size_t len)
{
	LinkResponse head;

	if (e->begun)
	{
		http1_piece(e->pending->req, msg, len);
		e->left -= Min(len, e->left);
		if (e->left == 0)
		{
			http1_end(e->pending->req);
			finish(e);
		}
		return;
	}
	if (len < sizeof(head))
		return;
	memcpy(&head, msg, sizeof(head));
	if (e->pending && head.id == e->pending->id)
		begin_response(e, &head, msg + sizeof(head), len - sizeof(head));
}

static void
receive(Executor *e)
{
	while (e->handle)
	{
		Size len;
		void *msg;
		shm_mq_result result;

		if (e->begun && http1_unsent(e->pending->req) > MAX_UNSENT)
			return;
		result = shm_mq_receive(e->in, &len, &msg, true);
		if (result == SHM_MQ_WOULD_BLOCK)
			return;
		if (result == SHM_MQ_DETACHED)
			lose_executor(e);
		else
			on_message(e, msg, len);
	}
}

/* ---- the worker ---- */

static bool
add_socket(int fd)
{
	return http1_listen(server, fd);
}

static void
close_sockets(void)
{
	http1_unlisten(server);
}

static void
update_listener(void)
{
	static Listener listener = {PORT_HTTP, "http", add_socket, close_sockets};

	listener_update(&listener, tempo_http_port);
	listeners_show(&listener, 1);
}

static void
make_server(Loop *loop)
{
	Http1Config config = {.base = loop->base, .budget = &budget, .on_request = on_request};

	budget.limit = QUERY_MEMORY;
	budget.hard = 2 * QUERY_MEMORY;
	config.max_body = LINK_MAX_BODY;
	config.max_connections = worker_max_connections(1);
	server = http1_create(&config);
	if (server == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("tempo: could not create the query server")));
}

/* Whatever the executors have said, and what they can be told. */
static void
serve_executors(void)
{
	find_executors();
	for (int i = 0; i < MAX_EXECUTORS; i++)
	{
		if (executors[i].handle && executors[i].message)
			push_message(&executors[i]);
		receive(&executors[i]);
	}
	dispatch();
}

void
tempo_query_main(Datum arg)
{
	Loop *loop = loop_create();

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	worker_take_slot(arg);
	make_server(loop);
	loop_every(loop, TICK_MS, on_tick, NULL);
	do
	{
		if (loop->reloaded)
			http1_set_limits(server, LINK_MAX_BODY, worker_max_connections(1));
		if (loop->reloaded || second_passed)
			update_listener();
		loop->reloaded = second_passed = false;
		serve_executors();
		budget_resume(&budget);
	} while (loop_turn(loop, true));
	proc_exit(0);
}
