/*
 * query_link.h
 *	  What the query worker and an executor say to each other.
 *
 * The executor makes a DSM segment with two shm_mqs and publishes its handle in its slot; the query worker
 * attaches. Either side may die: the other finds its queues detached, the executor then makes new ones. One
 * request is on its way at a time.
 *
 * A request is one message: LinkRequest, then its strings one after the other, each with its zero byte, then
 * the body. A response is a message LinkResponse with the first bytes of the body, then messages of body
 * bytes until all are there. After every message the executor wakes the query worker with SIGUSR1: it sleeps
 * in epoll, where a latch does not reach it.
 *
 * Cancel: the query worker writes the request's id to slot->cancel and sends SIGINT.
 */
#ifndef TEMPO_QUERY_LINK_H
#define TEMPO_QUERY_LINK_H

#include "postgres.h"
#include "storage/dsm.h"
#include "storage/shm_mq.h"

#define LINK_REQUEST_QUEUE  (64 * 1024)
#define LINK_RESPONSE_QUEUE (512 * 1024)
#define LINK_PIECE          (64 * 1024)
#define LINK_SIZE           (LINK_REQUEST_QUEUE + LINK_RESPONSE_QUEUE)
#define LINK_MAX_BODY       (1024 * 1024) /* of a query request */

typedef enum LinkString
{
	LINK_METHOD,
	LINK_PATH,
	LINK_QUERY,
	LINK_ACCEPT,
	LINK_ACCEPT_ENCODING,
	LINK_CONTENT_TYPE,
	LINK_TENANT,
	LINK_NSTRINGS
} LinkString;

typedef struct LinkRequest
{
	uint64 id;
	uint64 body_len;
} LinkRequest;

typedef struct LinkResponse
{
	uint64 id;
	uint64 body_len; /* in all */
	int32 status;
	bool gzip;
	char content_type[64];
} LinkResponse;

static inline shm_mq *
link_request_queue(dsm_segment *seg)
{
	return (shm_mq *) dsm_segment_address(seg);
}

static inline shm_mq *
link_response_queue(dsm_segment *seg)
{
	return (shm_mq *) ((char *) dsm_segment_address(seg) + LINK_REQUEST_QUEUE);
}

#endif
