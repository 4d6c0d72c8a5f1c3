/*
 * body.h
 *	  Compressed bodies: names of encodings, bounded inflation, gzip of answers.
 *
 * Inflation never produces more than the limit given, whatever the input claims, and never reads outside
 * the input. Memory is malloc'd and belongs to the caller. No PostgreSQL: callable from socket callbacks.
 */
#ifndef TEMPO_BODY_H
#define TEMPO_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum BodyEncoding
{
	BODY_IDENTITY,
	BODY_GZIP,    /* RFC 1952, also several members one after the other */
	BODY_DEFLATE, /* RFC 1950 (zlib); bare RFC 1951 is taken too, as browsers of old sent it */
	BODY_ZSTD,
	BODY_UNKNOWN
} BodyEncoding;

/* A Content-Encoding or grpc-encoding value; NULL and empty mean identity. Case does not matter. */
extern BodyEncoding body_encoding(const char *name);
extern const char *body_encoding_name(BodyEncoding encoding);

typedef enum BodyResult
{
	BODY_OK,
	BODY_MALFORMED,
	BODY_TOO_LARGE,
	BODY_NO_MEMORY
} BodyResult;

/* Inflate src; on BODY_OK *dst (to be freed, never NULL) has *dst_len bytes, at most limit. */
extern BodyResult body_inflate(BodyEncoding encoding, const uint8_t *src, size_t src_len, size_t limit,
							   uint8_t **dst, size_t *dst_len);

/* gzip at the fastest level. NULL: no memory, or not smaller than src. */
extern uint8_t *body_gzip(const uint8_t *src, size_t src_len, size_t *dst_len);

/* Whether an Accept-Encoding value allows gzip (q=0 refuses it). NULL: no. */
extern bool body_accepts_gzip(const char *accept_encoding);

#endif
