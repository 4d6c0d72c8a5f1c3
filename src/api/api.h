/*
 * api.h
 *	  Tempo's HTTP API: a request in, a response out, run by a query executor inside a transaction.
 *
 * api_handle() runs in a read-only transaction with an active snapshot and a statement timeout, also on a
 * hot standby: it must not write. It answers by filling the response; an error raised instead becomes a
 * plain-text answer whose status follows from its SQLSTATE (executor.c). Strings of the request live as long
 * as the call; what the response points to must be static or in the context response->body was made in.
 */
#ifndef TEMPO_API_H
#define TEMPO_API_H

#include "postgres.h"
#include "lib/stringinfo.h"

typedef struct ApiRequest
{
	const char *method; /* "GET" */
	const char *path;   /* as sent, percent-encoded: "/api/v2/traces/1f" */
	const char *query;  /* as sent, without '?'; "" when absent */
	const char *accept; /* "" when absent, as all that follow */
	const char *content_type;
	const char *tenant; /* X-Scope-OrgID as sent */
	const char *body;
	size_t body_len;
} ApiRequest;

typedef struct ApiResponse
{
	int status;               /* 200 */
	const char *content_type; /* "application/json" */
	StringInfoData body;      /* empty */
} ApiResponse;

extern void api_handle(const ApiRequest *req, ApiResponse *res);

#endif
