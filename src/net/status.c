/*
 * status.c
 *	  The few protobuf and JSON messages a receiver writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/status.h"

void
wirebuf_put(WireBuf *buf, const void *src, size_t n)
{
	if (n == 0 || buf->failed)
		return;
	if (buf->cap - buf->len < n)
	{
		size_t cap = (buf->len + n) * 2 + 64;
		uint8_t *p = realloc(buf->p, cap);

		if (p == NULL)
		{
			buf->failed = true;
			return;
		}
		buf->p = p;
		buf->cap = cap;
	}
	memcpy(buf->p + buf->len, src, n);
	buf->len += n;
}

void
wirebuf_free(WireBuf *buf)
{
	free(buf->p);
	memset(buf, 0, sizeof(*buf));
}

static void
put_text(WireBuf *buf, const char *text)
{
	wirebuf_put(buf, text, strlen(text));
}

static void
put_varint(WireBuf *buf, uint64_t v)
{
	uint8_t b[10];
	size_t n = 0;

	do
	{
		b[n] = (v & 0x7f) | (v > 0x7f ? 0x80 : 0);
		v >>= 7;
	} while (b[n++] & 0x80);
	wirebuf_put(buf, b, n);
}

static void
put_bytes_field(WireBuf *buf, int field, const void *src, size_t n)
{
	put_varint(buf, (uint64_t) field << 3 | 2);
	put_varint(buf, n);
	wirebuf_put(buf, src, n);
}

int
status_http(RpcCode code)
{
	switch (code)
	{
		case RPC_OK: return 200;
		case RPC_INVALID_ARGUMENT: return 400;
		case RPC_PERMISSION_DENIED: return 403;
		case RPC_UNIMPLEMENTED:
		case RPC_NOT_FOUND: return 404;
		case RPC_RESOURCE_EXHAUSTED: return 429;
		case RPC_CANCELLED:
		case RPC_DEADLINE_EXCEEDED:
		case RPC_UNAVAILABLE: return 503;
		default: return 500;
	}
}

void
status_write_pb(WireBuf *out, RpcCode code, const char *message, int retry_seconds)
{
	put_varint(out, 1 << 3);
	put_varint(out, code);
	put_bytes_field(out, 2, message, strlen(message));
	if (retry_seconds > 0)
	{
		static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
		WireBuf duration = {0};
		WireBuf info = {0};
		WireBuf any = {0};

		put_varint(&duration, 1 << 3);
		put_varint(&duration, retry_seconds);
		put_bytes_field(&info, 1, duration.p, duration.len);
		put_bytes_field(&any, 1, type, sizeof(type) - 1);
		put_bytes_field(&any, 2, info.p, info.len);
		put_bytes_field(out, 3, any.p, any.len);
		out->failed |= duration.failed | info.failed | any.failed;
		wirebuf_free(&duration);
		wirebuf_free(&info);
		wirebuf_free(&any);
	}
}

/* Bytes that are not ASCII are replaced: a message may quote a piece of the request, cut anywhere. */
static void
put_json_string(WireBuf *out, const char *text)
{
	put_text(out, "\"");
	for (const unsigned char *p = (const unsigned char *) text; *p; p++)
	{
		char esc[8];

		if (*p == '"' || *p == '\\')
		{
			esc[0] = '\\';
			esc[1] = *p;
			wirebuf_put(out, esc, 2);
		}
		else if (*p < 0x20)
			wirebuf_put(out, esc, snprintf(esc, sizeof(esc), "\\u%04x", *p));
		else
			wirebuf_put(out, *p < 0x80 ? (const char *) p : "?", 1);
	}
	put_text(out, "\"");
}

void
status_write_json(WireBuf *out, RpcCode code, const char *message, int retry_seconds)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"code\":%d,\"message\":", code);
	put_text(out, text);
	put_json_string(out, message);
	if (retry_seconds > 0)
	{
		snprintf(text, sizeof(text),
				 ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
				 "\"retryDelay\":\"%ds\"}]",
				 retry_seconds);
		put_text(out, text);
	}
	put_text(out, "}");
}

void
status_export_pb(WireBuf *out, uint64_t rejected, const char *message)
{
	WireBuf partial = {0};

	if (rejected == 0 && (message == NULL || *message == '\0'))
		return;
	if (rejected)
	{
		put_varint(&partial, 1 << 3);
		put_varint(&partial, rejected);
	}
	if (message)
		put_bytes_field(&partial, 2, message, strlen(message));
	put_bytes_field(out, 1, partial.p, partial.len);
	out->failed |= partial.failed;
	wirebuf_free(&partial);
}

void
status_export_json(WireBuf *out, uint64_t rejected, const char *message)
{
	char text[96];

	if (rejected == 0 && (message == NULL || *message == '\0'))
	{
		put_text(out, "{\"partialSuccess\":{}}");
		return;
	}
	snprintf(text, sizeof(text), "{\"partialSuccess\":{\"rejectedSpans\":\"%llu\",\"errorMessage\":",
			 (unsigned long long) rejected);
	put_text(out, text);
	put_json_string(out, message ? message : "");
	put_text(out, "}}");
}

void
status_percent(WireBuf *out, const char *message)
{
	for (const unsigned char *p = (const unsigned char *) message; *p; p++)
	{
		char esc[4];

		if (*p >= 0x20 && *p < 0x7f && *p != '%')
			wirebuf_put(out, p, 1);
		else
			wirebuf_put(out, esc, snprintf(esc, sizeof(esc), "%%%02X", *p));
	}
}

void
status_base64(WireBuf *out, const uint8_t *src, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3)
	{
		size_t left = n - i;
		uint32_t v = src[i] << 16 | (left > 1 ? src[i + 1] << 8 : 0) | (left > 2 ? src[i + 2] : 0);
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};

		wirebuf_put(out, four, left > 2 ? 4 : left + 1);
	}
}

int64_t
status_grpc_timeout(const char *value)
{
	static const struct
	{
		char unit;
		int64_t us;
	} units[] = {{'H', 3600000000}, {'M', 60000000}, {'S', 1000000}, {'m', 1000}, {'u', 1}};
	int64_t n = 0;
	int digits = 0;

	for (; *value >= '0' && *value <= '9'; value++, digits++)
	{
		if (digits == 8)
			return -1;
		n = n * 10 + (*value - '0');
	}
	if (digits == 0 || value[0] == '\0' || value[1] != '\0')
		return -1;
	if (value[0] == 'n')
		return n / 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == value[0])
			return n * units[i].us;
	return -1;
}

bool
tenant_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > TENANT_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!-_.*'()") == n;
}
