/*
 * api.c
 *	  The routes of the query API.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "api/api.h"

typedef struct Route
{
	const char *path;
	void (*handle)(const ApiRequest *req, ApiResponse *res);
} Route;

static void
buildinfo(const ApiRequest *req, ApiResponse *res)
{
	appendStringInfo(&res->body,
					 "{\"version\":\"3.0.0\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\","
					 "\"buildDate\":\"\",\"goVersion\":\"\"}");
}

static const Route routes[] = {{"/api/status/buildinfo", buildinfo}};

void
api_handle(const ApiRequest *req, ApiResponse *res)
{
	for (int i = 0; i < lengthof(routes); i++)
		if (strcmp(routes[i].path, req->path) == 0)
		{
			routes[i].handle(req, res);
			return;
		}
	res->status = 404;
	res->content_type = "text/plain; charset=utf-8";
	appendStringInfo(&res->body, "unknown route %s", req->path);
}
