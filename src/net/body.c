/*
 * body.c
 *	  Bounded inflation of request bodies, gzip of answers.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>
#include <zstd.h>

#include "net/body.h"

#define FIRST_GUESS 16384

static const struct
{
	const char *name;
	BodyEncoding encoding;
} encodings[] = {{"identity", BODY_IDENTITY}, {"gzip", BODY_GZIP},    {"x-gzip", BODY_GZIP},
				 {"deflate", BODY_DEFLATE},   {"zlib", BODY_DEFLATE}, {"zstd", BODY_ZSTD}};

BodyEncoding
body_encoding(const char *name)
{
	if (name == NULL || *name == '\0')
		return BODY_IDENTITY;
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
		if (strcasecmp(name, encodings[i].name) == 0)
			return encodings[i].encoding;
	return BODY_UNKNOWN;
}

const char *
body_encoding_name(BodyEncoding encoding)
{
	static const char *const names[] = {"identity", "gzip", "deflate", "zstd"};

	return encoding < BODY_UNKNOWN ? names[encoding] : "unknown";
}

/* An output buffer that doubles up to the limit plus one byte: that byte tells "too large" from "full". */
typedef struct Out
{
	uint8_t *p;
	size_t len;
	size_t cap;
	size_t limit;
} Out;

static BodyResult
out_more(Out *out)
{
	size_t cap = out->cap ? out->cap * 2 : FIRST_GUESS;
	uint8_t *p;

	if (out->len > out->limit)
		return BODY_TOO_LARGE;
	if (out->len < out->cap)
		return BODY_OK;
	if (cap > out->limit + 1)
		cap = out->limit + 1;
	p = realloc(out->p, cap);
	if (p == NULL)
		return BODY_NO_MEMORY;
	out->p = p;
	out->cap = cap;
	return BODY_OK;
}

static BodyResult
out_first(Out *out, size_t guess)
{
	if (guess > out->limit + 1)
		guess = out->limit + 1;
	if (guess < 64)
		guess = 64;
	out->p = malloc(guess);
	out->cap = guess;
	return out->p ? BODY_OK : BODY_NO_MEMORY;
}

/* window_bits as of inflateInit2. A gzip body may have several members; zlib bodies have one. */
static BodyResult
run_zlib(int window_bits, const uint8_t *src, size_t src_len, Out *out)
{
	z_stream z = {0};
	BodyResult result = BODY_OK;
	int rc;

	if (inflateInit2(&z, window_bits) != Z_OK)
		return BODY_NO_MEMORY;
	z.next_in = (Bytef *) src;
	z.avail_in = (uInt) src_len;
	for (;;)
	{
		if ((result = out_more(out)) != BODY_OK)
			break;
		z.next_out = out->p + out->len;
		z.avail_out = (uInt) (out->cap - out->len);
		rc = inflate(&z, Z_NO_FLUSH);
		out->len = z.next_out - out->p;
		if (rc == Z_STREAM_END)
		{
			if (z.avail_in == 0)
				break;
			if (window_bits < 16 || inflateReset(&z) != Z_OK)
			{
				result = BODY_MALFORMED;
				break;
			}
		}
		else if (rc == Z_MEM_ERROR)
			result = BODY_NO_MEMORY;
		else if (rc != Z_OK || (z.avail_in == 0 && z.avail_out > 0))
			result = BODY_MALFORMED;
		if (result != BODY_OK)
			break;
	}
	inflateEnd(&z);
	return result;
}

static BodyResult
run_zstd(const uint8_t *src, size_t src_len, Out *out)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	ZSTD_inBuffer in = {src, src_len, 0};
	BodyResult result = BODY_OK;
	size_t rc = 1;

	if (ctx == NULL)
		return BODY_NO_MEMORY;
	/* A frame may ask for a window of gigabytes before the first byte comes out. */
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, 27);
	while (in.pos < in.size || rc != 0)
	{
		ZSTD_outBuffer o;
		size_t before = in.pos;

		if ((result = out_more(out)) != BODY_OK)
			break;
		o = (ZSTD_outBuffer){out->p + out->len, out->cap - out->len, 0};
		rc = ZSTD_decompressStream(ctx, &o, &in);
		out->len += o.pos;
		if (ZSTD_isError(rc) || (rc != 0 && in.pos == before && o.pos == 0))
		{
			result = BODY_MALFORMED;
			break;
		}
	}
	ZSTD_freeDCtx(ctx);
	return result;
}

/* A zlib header is a multiple of 31 with method 8; anything else sent as "deflate" is a bare stream. */
static bool
has_zlib_header(const uint8_t *src, size_t len)
{
	return len >= 2 && (src[0] & 0x0f) == 8 && ((src[0] << 8) | src[1]) % 31 == 0;
}

static BodyResult
run(BodyEncoding encoding, const uint8_t *src, size_t src_len, Out *out)
{
	switch (encoding)
	{
		case BODY_GZIP: return run_zlib(16 + MAX_WBITS, src, src_len, out);
		case BODY_DEFLATE:
			return run_zlib(has_zlib_header(src, src_len) ? MAX_WBITS : -MAX_WBITS, src, src_len, out);
		case BODY_ZSTD: return run_zstd(src, src_len, out);
		default: return BODY_MALFORMED;
	}
}

BodyResult
body_inflate(BodyEncoding encoding, const uint8_t *src, size_t src_len, size_t limit, uint8_t **dst,
			 size_t *dst_len)
{
	Out out = {.limit = limit};
	BodyResult result;

	/* zlib counts in 32 bits; no request limit is anywhere near. */
	if (src_len > UINT32_MAX / 2 || limit > UINT32_MAX / 2)
		return BODY_TOO_LARGE;
	if (src_len == 0)
		return BODY_MALFORMED;
	result = out_first(&out, src_len * 6);
	if (result == BODY_OK)
		result = run(encoding, src, src_len, &out);
	if (result == BODY_OK && out.len > limit)
		result = BODY_TOO_LARGE;
	if (result != BODY_OK)
	{
		free(out.p);
		return result;
	}
	*dst = out.p;
	*dst_len = out.len;
	return BODY_OK;
}

uint8_t *
body_gzip(const uint8_t *src, size_t src_len, size_t *dst_len)
{
	z_stream z = {0};
	uint8_t *dst;

	if (src_len > UINT32_MAX / 2 || (dst = malloc(src_len)) == NULL)
		return NULL;
	if (deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
	{
		free(dst);
		return NULL;
	}
	z.next_in = (Bytef *) src;
	z.avail_in = (uInt) src_len;
	z.next_out = dst;
	z.avail_out = (uInt) src_len;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
	{
		deflateEnd(&z);
		free(dst);
		return NULL;
	}
	*dst_len = z.total_out;
	deflateEnd(&z);
	return dst;
}

bool
body_accepts_gzip(const char *accept_encoding)
{
	const char *p = accept_encoding;

	while (p && *p)
	{
		size_t n;

		p += strspn(p, " \t,");
		n = strcspn(p, " \t,;");
		if ((n == 4 && strncasecmp(p, "gzip", 4) == 0) || (n == 1 && *p == '*'))
		{
			const char *q = p + n + strspn(p + n, " \t");

			if (*q != ';')
				return true;
			q += 1 + strspn(q + 1, " \t");
			return !(strncasecmp(q, "q=", 2) == 0 && strtod(q + 2, NULL) <= 0);
		}
		p += n;
		p += strcspn(p, ",");
	}
	return false;
}
