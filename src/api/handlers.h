/*
 * handlers.h
 *	  What the handlers of the API's routes share.
 *
 * A handler fills the response; for a bad request it calls api_refuse() and returns. Handlers run in the
 * memory context of the request, and their arenas take blocks from it, so nothing is freed by hand.
 */
#ifndef TEMPO_API_HANDLERS_H
#define TEMPO_API_HANDLERS_H

#include "api/api.h"
#include "api/params.h"
#include "traceql/reader.h"

#define API_JSON     "application/json"
#define API_PROTOBUF "application/protobuf"
#define API_TEXT     "text/plain; charset=utf-8"

/* One request being answered. */
typedef struct ApiCall
{
	const ApiRequest *req;
	ApiResponse *res;
	Arena *arena;
	QueryParams params;
	char *tenant;
	Str argument; /* what the route's * stands for, decoded */
} ApiCall;

/* Answer status with a plain-text body. */
extern void api_refuse(ApiCall *call, int status, const char *fmt, ...) pg_attribute_printf(3, 4);
/* The buffer becomes the body. */
extern void api_answer(ApiCall *call, const char *content_type, const Buf *body);
/* Does the Accept header ask for protobuf? The first of the known types found in it wins. */
extern bool api_wants_protobuf(const ApiCall *call);
/*
 * start and end in unix seconds. Both absent leaves *given false. false: refused already. Only one of
 * them, or end <= start, is refused.
 */
extern bool api_time_range(ApiCall *call, bool *given, uint64 *start, uint64 *end);

/* Where ranges begin that are not given: so many seconds ago. */
#define API_DEFAULT_SECONDS (15 * 60)
extern uint64 api_unix_now(void);

/* false: refused already, the query text is too long. */
extern bool api_check_query(ApiCall *call, Str query);

/* What answering took, for clients that show it. */
typedef struct ApiSearchMetrics
{
	ReaderCounters read;
	uint64 traces;
	uint64 spans;
} ApiSearchMetrics;
/* Appends ,"metrics":{...}. */
extern void api_write_metrics(const ApiSearchMetrics *metrics, Buf *out);

extern void handle_metrics_range(ApiCall *call);
extern void handle_metrics_instant(ApiCall *call);
extern void handle_trace_v1(ApiCall *call);
extern void handle_trace_v2(ApiCall *call);
extern void handle_search(ApiCall *call);
extern void handle_tags_v1(ApiCall *call);
extern void handle_tags_v2(ApiCall *call);
extern void handle_tag_values_v1(ApiCall *call);
extern void handle_tag_values_v2(ApiCall *call);

#endif
