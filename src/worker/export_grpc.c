/*
 * export_grpc.c
 *	  OTLP/gRPC: TraceService/Export as a unary call on HTTP/2. Runs in callbacks: raises nothing.
 */
#include "postgres.h"

#include <stdlib.h>

#include "net/h2.h"
#include "worker/export.h"
#include "worker/worker.h"

#define EXPORT_PATH     "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define PREFIX          5 /* flag and big-endian length before a message */
#define ACCEPT_ENCODING "gzip,deflate,zstd"

static H2 *server;
static size_t max_message;

/* An answer without a message: everything in one header block. */
static void
send_status(H2Stream *s, RpcCode code, const char *message, int retry)
{
	WireBuf text = {0};
	WireBuf details = {0};
	WireBuf encoded = {0};
	char number[8];
	H2Field fields[5] = {{"content-type", "application/grpc"}, {"grpc-status", number}};
	size_t n = 2;

	snprintf(number, sizeof(number), "%d", code);
	status_percent(&text, message);
	wirebuf_put(&text, "", 1);
	if (!text.failed)
		fields[n++] = (H2Field){"grpc-message", (const char *) text.p};
	if (retry)
	{
		status_write_pb(&details, code, message, retry);
		status_base64(&encoded, details.p, details.len);
		wirebuf_put(&encoded, "", 1);
		if (!details.failed && !encoded.failed)
			fields[n++] = (H2Field){"grpc-status-details-bin", (const char *) encoded.p};
	}
	if (code == RPC_UNIMPLEMENTED)
		fields[n++] = (H2Field){"grpc-accept-encoding", ACCEPT_ENCODING};
	h2_begin(s, 200, fields, n, true);
	wirebuf_free(&text);
	wirebuf_free(&details);
	wirebuf_free(&encoded);
}

static void
refuse(H2Stream *s, RpcCode code, const char *message)
{
	export_count(s->body_len, true);
	send_status(s, code, message, 0);
	h2_release_body(s);
}

/* Without RetryInfo RESOURCE_EXHAUSTED means that trying again is of no use. */
static void
refuse_for_now(H2Stream *s)
{
	export_count(s->body_len, true);
	send_status(s, RPC_RESOURCE_EXHAUSTED, "too many bytes are waiting to be stored", RETRY_SECONDS);
	h2_release_body(s);
}

static void
send_success(H2Stream *s, const ExportAnswer *a)
{
	static const H2Field headers[] = {{"content-type", "application/grpc"},
									  {"grpc-accept-encoding", ACCEPT_ENCODING}};
	static const H2Field trailers[] = {{"grpc-status", "0"}};
	WireBuf out = {0};
	uint8 prefix[PREFIX] = {0};

	status_export_pb(&out, a->rejected, a->message);
	if (out.failed)
		wirebuf_free(&out);
	for (int i = 0; i < 4; i++)
		prefix[4 - i] = (uint8) (out.len >> (8 * i));
	h2_begin(s, 200, headers, lengthof(headers), false);
	h2_write(s, prefix, PREFIX);
	if (out.len)
		h2_write(s, out.p, out.len);
	h2_end(s, trailers, lengthof(trailers));
	wirebuf_free(&out);
}

static void
answer_call(ExportCall *call, const ExportAnswer *a)
{
	H2Stream *s = call->transport;

	s->user = NULL;
	if (a->code == RPC_OK)
		send_success(s, a);
	else
		send_status(s, a->too_large ? RPC_RESOURCE_EXHAUSTED : a->code, a->message, 0);
	h2_release_body(s);
}

static uint32
message_length(const H2Stream *s)
{
	const uint8_t *p = s->body;

	return (uint32) p[1] << 24 | (uint32) p[2] << 16 | (uint32) p[3] << 8 | p[4];
}

static bool
is_grpc(const H2Stream *s)
{
	const char *type = s->header[H2_CONTENT_TYPE];
	size_t n = strlen("application/grpc");

	return type && strncasecmp(type, "application/grpc", n) == 0 &&
		   (type[n] == '\0' || type[n] == '+' || type[n] == ';');
}

/* What is wrong with the call before its message is looked at. true: nothing. */
static bool
check_call(H2Stream *s)
{
	static const H2Field plain[] = {{"content-type", "text/plain"}};

	if (s->header[H2_METHOD] == NULL || strcmp(s->header[H2_METHOD], "POST") != 0 || !is_grpc(s))
	{
		export_count(s->body_len, true);
		h2_begin(s, is_grpc(s) ? 405 : 415, plain, lengthof(plain), true);
		h2_release_body(s);
		return false;
	}
	if (s->header[H2_PATH] == NULL || strcmp(s->header[H2_PATH], EXPORT_PATH) != 0)
	{
		refuse(s, RPC_UNIMPLEMENTED, "unknown service or method; traces go to TraceService/Export");
		return false;
	}
	return true;
}

/* Remember what on_request has to answer once the client has sent everything. */
static bool
refuse_later(H2Stream *s, RpcCode code, const char *message)
{
	s->code = code;
	strlcpy(s->why, message, sizeof(s->why));
	return false;
}

static bool
on_data(H2Stream *s, void *arg)
{
	char message[96];

	if (s->body_len < PREFIX)
		return true;
	if (message_length(s) > max_message)
	{
		snprintf(message, sizeof(message), "message of %u bytes is larger than %zu", message_length(s),
				 max_message);
		return refuse_later(s, RPC_RESOURCE_EXHAUSTED, message);
	}
	if (s->body_len - PREFIX > message_length(s))
		return refuse_later(s, RPC_INVALID_ARGUMENT, "more than one message in a unary call");
	return true;
}

static bool
set_deadline(H2Stream *s, ExportCall *call)
{
	int64_t timeout = 0;

	if (s->header[H2_GRPC_TIMEOUT])
	{
		timeout = status_grpc_timeout(s->header[H2_GRPC_TIMEOUT]);
		if (timeout < 0)
			return false;
		call->deadline = export_now() + timeout;
	}
	return true;
}

/* What is wrong with the message, NULL when nothing is; fills the call. */
static const char *
fill_call(H2Stream *s, ExportCall *call)
{
	const char *tenant = s->header[H2_TENANT];
	uint8 flag = s->body[0];

	if (s->body_len - PREFIX != message_length(s))
		return "the message is shorter than its length says";
	if (tenant && *tenant && !tenant_valid(tenant))
		return "invalid tenant in x-scope-orgid";
	if (flag > 1)
		return "unknown message flag";
	call->encoding = flag ? body_encoding(s->header[H2_GRPC_ENCODING]) : BODY_IDENTITY;
	if (flag && call->encoding == BODY_IDENTITY)
		return "compressed message without grpc-encoding";
	if (!set_deadline(s, call))
		return "malformed grpc-timeout";
	call->wire = EXPORT_PB;
	call->body = s->body + PREFIX;
	call->len = s->body_len - PREFIX;
	call->limit = max_message;
	call->answer = answer_call;
	call->transport = s;
	return NULL;
}

static void
enqueue(H2Stream *s)
{
	ExportCall *call = export_call_new(s->header[H2_TENANT]);
	const char *wrong;

	if (call == NULL)
	{
		refuse(s, RPC_UNAVAILABLE, "out of memory");
		return;
	}
	wrong = fill_call(s, call);
	if (wrong || call->encoding == BODY_UNKNOWN)
	{
		refuse(s, wrong ? RPC_INVALID_ARGUMENT : RPC_UNIMPLEMENTED,
			   wrong ? wrong : "unsupported grpc-encoding; send gzip, deflate, zstd or identity");
		free(call);
		return;
	}
	s->user = call;
	export_enqueue(call);
}

static void
on_request(H2Stream *s, bool overloaded, void *arg)
{
	if (!check_call(s))
		return;
	if (overloaded)
		refuse_for_now(s);
	else if (s->discard)
		refuse(s, s->code, s->why);
	else if (s->body_len < PREFIX)
		refuse(s, RPC_INVALID_ARGUMENT, "a unary call needs one message");
	else
		enqueue(s);
}

static void
on_close(H2Stream *s, void *arg)
{
	ExportCall *call = s->user;

	if (call)
		call->gone = true;
}

void
export_grpc_start(struct event_base *base, struct Budget *budget)
{
	H2Config config = {
		.base = base, .budget = budget, .on_data = on_data, .on_request = on_request, .on_close = on_close};

	config.max_connections = tempo_max_connections;
	max_message = tempo_grpc_max_message_bytes;
	server = h2_create(&config);
	if (server == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("tempo: could not create the gRPC receiver")));
}

bool
export_grpc_listen(int fd)
{
	return h2_listen(server, fd);
}

void
export_grpc_unlisten(void)
{
	h2_unlisten(server);
}

void
export_grpc_limits(size_t message, unsigned max_connections)
{
	max_message = message;
	h2_set_limits(server, max_connections);
}

void
export_grpc_tick(void)
{
	h2_tick(server);
}

void
export_grpc_flush(void)
{
	h2_flush(server);
}

void
export_grpc_goaway(void)
{
	h2_goaway(server);
}
