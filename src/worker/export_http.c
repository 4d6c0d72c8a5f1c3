/*
 * export_http.c
 *	  OTLP/HTTP: routes, encodings and answers of POST /v1/traces. Runs in callbacks: raises nothing.
 */
#include "postgres.h"

#include <stdlib.h>

#include "net/http1.h"
#include "worker/export.h"
#include "worker/worker.h"

static Http1 *server;
static size_t max_body;

typedef enum ContentType
{
	TYPE_PB,
	TYPE_JSON,
	TYPE_OTHER
} ContentType;

static bool
names_type(const char *value, const char *type)
{
	size_t n = strlen(type);

	return strncasecmp(value, type, n) == 0 && (value[n] == '\0' || strchr("; \t", value[n]) != NULL);
}

static ContentType
content_type(const Http1Request *req)
{
	const char *value = http1_header(req, "Content-Type");

	if (value && names_type(value, "application/x-protobuf"))
		return TYPE_PB;
	if (value && names_type(value, "application/json"))
		return TYPE_JSON;
	return TYPE_OTHER;
}

static void
send_body(Http1Request *req, int status, ContentType type, WireBuf *out)
{
	if (out->failed)
		http1_answer(req, 503, NULL, NULL, 0);
	else
		http1_answer(req, status, type == TYPE_JSON ? "application/json" : "application/x-protobuf", out->p,
					 out->len);
	wirebuf_free(out);
}

/* An error in the request's own encoding, or as text when it has none of ours. */
static void
send_error(Http1Request *req, int status, RpcCode code, const char *message)
{
	ContentType type = content_type(req);
	int retry = status == 429 || status == 503 ? RETRY_SECONDS : 0;
	WireBuf out = {0};

	if (retry)
		http1_set_header(req, "Retry-After", CppAsString2(RETRY_SECONDS));
	if (type == TYPE_OTHER)
	{
		http1_answer(req, status, "text/plain; charset=utf-8", message, strlen(message));
		return;
	}
	if (type == TYPE_JSON)
		status_write_json(&out, code, message, retry);
	else
		status_write_pb(&out, code, message, retry);
	send_body(req, status, type, &out);
}

static void
refuse(Http1Request *req, int status, RpcCode code, const char *message)
{
	export_count(req->body_len, true);
	send_error(req, status, code, message);
}

static void
answer_call(ExportCall *call, const ExportAnswer *a)
{
	Http1Request *req = call->transport;
	WireBuf out = {0};

	if (a->code != RPC_OK)
	{
		send_error(req, a->too_large ? 413 : status_http(a->code), a->code, a->message);
		return;
	}
	if (call->wire == EXPORT_JSON)
		status_export_json(&out, a->rejected, a->message);
	else
		status_export_pb(&out, a->rejected, a->message);
	send_body(req, 200, call->wire == EXPORT_JSON ? TYPE_JSON : TYPE_PB, &out);
}

/* false: refused. */
static bool
check_route(Http1Request *req)
{
	if (strcmp(req->path, "/v1/metrics") == 0 || strcmp(req->path, "/v1/logs") == 0)
		refuse(req, 404, RPC_UNIMPLEMENTED, "only traces are received here: POST /v1/traces");
	else if (strcmp(req->path, "/v1/traces") != 0)
		refuse(req, 404, RPC_UNIMPLEMENTED, "unknown path; traces go to POST /v1/traces");
	else if (strcmp(req->method, "POST") != 0)
	{
		http1_set_header(req, "Allow", "POST");
		refuse(req, 405, RPC_INVALID_ARGUMENT, "only POST is allowed here");
	}
	else if (content_type(req) == TYPE_OTHER)
		refuse(req, 415, RPC_INVALID_ARGUMENT,
			   "unsupported content type; send application/x-protobuf or application/json");
	else
		return true;
	return false;
}

static void
enqueue(Http1Request *req, const char *tenant)
{
	ExportCall *call = export_call_new(tenant);

	if (call == NULL)
	{
		refuse(req, 503, RPC_UNAVAILABLE, "out of memory");
		return;
	}
	call->wire = content_type(req) == TYPE_JSON ? EXPORT_JSON : EXPORT_PB;
	call->encoding = body_encoding(http1_header(req, "Content-Encoding"));
	call->body = req->body;
	call->len = req->body_len;
	call->limit = max_body;
	call->answer = answer_call;
	call->transport = req;
	export_enqueue(call);
}

static void
on_request(Http1Request *req, void *arg)
{
	const char *tenant = http1_header(req, "X-Scope-OrgID");
	char message[128];

	if (!check_route(req))
		return;
	if (req->refused)
		refuse(req, 429, RPC_RESOURCE_EXHAUSTED, "too many bytes are waiting to be stored");
	else if (req->body_len > max_body)
	{
		snprintf(message, sizeof(message), "request body is larger than %zu bytes", max_body);
		refuse(req, 413, RPC_INVALID_ARGUMENT, message);
	}
	else if (body_encoding(http1_header(req, "Content-Encoding")) == BODY_UNKNOWN)
		refuse(req, 400, RPC_INVALID_ARGUMENT,
			   "unsupported Content-Encoding; send gzip, zstd, deflate or identity");
	else if (tenant && *tenant && !tenant_valid(tenant))
		refuse(req, 400, RPC_INVALID_ARGUMENT, "invalid tenant in X-Scope-OrgID");
	else
		enqueue(req, tenant);
}

void
export_http_start(struct event_base *base, struct Budget *budget)
{
	Http1Config config = {.base = base, .budget = budget, .on_request = on_request};

	config.max_body = tempo_max_request_bytes;
	config.max_connections = tempo_max_connections;
	max_body = tempo_max_request_bytes;
	server = http1_create(&config);
	if (server == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("tempo: could not create the HTTP receiver")));
}

bool
export_http_listen(int fd)
{
	return http1_listen(server, fd);
}

void
export_http_unlisten(void)
{
	http1_unlisten(server);
}

void
export_http_limits(size_t body, unsigned max_connections)
{
	max_body = body;
	http1_set_limits(server, body, max_connections);
}

void
export_http_tick(void)
{
	http1_tick(server);
}
