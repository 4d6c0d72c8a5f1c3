/*
 * load.c
 *	  OTLP/JSON requests into spans, and spans into traces.
 */
#include "ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- attributes ---- */

static bool
is_scalar(const Json *any)
{
	const Json *j = any->first;

	return j && (text_is(j->key, "stringValue") || text_is(j->key, "intValue") ||
				 text_is(j->key, "doubleValue") || text_is(j->key, "boolValue"));
}

/* An array of one is that one; empty and mixed ones, and arrays of anything else, have no type. */
static Val
array_value(const Json *values)
{
	Val v = {.type = T_ARRAY};
	int n = 0;

	for (const Json *j = values ? values->first : NULL; j; j = j->next)
		n++;
	v.items = ref_alloc((size_t) (n + 1) * sizeof(Val));
	for (const Json *j = values ? values->first : NULL; j; j = j->next)
	{
		json_value(j, &v.items[v.n]);
		if (!is_scalar(j) || v.items[v.n].type != v.items[0].type)
			return (Val){.type = T_OPAQUE};
		v.n++;
	}
	if (v.n == 0)
		return (Val){.type = T_OPAQUE};
	return v.n == 1 ? v.items[0] : v;
}

static double
double_value(const Json *j)
{
	if (j->type != J_STRING)
		return j->type == J_INT ? (double) j->i : j->d;
	if (text_is(j->s, "NaN"))
		return NAN;
	return text_is(j->s, "-Infinity") ? -INFINITY : INFINITY;
}

/* An AnyValue. */
void
json_value(const Json *any, Val *v)
{
	const Json *j = any->first;

	*v = (Val){.type = T_OPAQUE};
	if (!j)
		return;
	if (text_is(j->key, "stringValue"))
		*v = (Val){.type = T_STRING, .s = j->s};
	else if (text_is(j->key, "intValue"))
		*v = (Val){.type = T_INT, .i = j->type == J_STRING ? strtoll(j->s.p, NULL, 10) : j->i};
	else if (text_is(j->key, "doubleValue"))
		*v = (Val){.type = T_FLOAT, .d = double_value(j)};
	else if (text_is(j->key, "boolValue"))
		*v = (Val){.type = T_BOOL, .i = j->i};
	else if (text_is(j->key, "arrayValue"))
		*v = array_value(json_get(j, "values"));
}

static Attrs
read_attrs(const Json *list)
{
	Attrs out = {0};

	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		out.n++;
	out.a = ref_alloc((size_t) (out.n + 1) * sizeof(Attr));
	out.n = 0;
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
	{
		const Json *key = json_get(j, "key");
		const Json *value = json_get(j, "value");
		Attr *a = &out.a[out.n++];

		a->key = key ? key->s : text_of("");
		a->value.type = T_OPAQUE;
		if (value)
			json_value(value, &a->value);
	}
	return out;
}

const Val *
attrs_find(const Attrs *attrs, Text key)
{
	for (int i = 0; i < attrs->n; i++)
		if (text_same(attrs->a[i].key, key))
			return &attrs->a[i].value;
	return NULL;
}

/* ---- spans ---- */

static Text
get_text(const Json *object, const char *key)
{
	const Json *j = json_get(object, key);

	return j ? j->s : text_of("");
}

static int64_t
get_int(const Json *object, const char *key)
{
	const Json *j = json_get(object, key);

	if (!j)
		return 0;
	return j->type == J_STRING ? (int64_t) strtoull(j->s.p, NULL, 10) : j->i;
}

static Text
lower(Text t)
{
	char *copy = (char *) text_copy(t.p, t.n).p;

	for (size_t i = 0; i < t.n; i++)
		if (copy[i] >= 'A' && copy[i] <= 'F')
			copy[i] = (char) (copy[i] + 32);
	return (Text){copy, t.n};
}

static void
read_events(Span *span, const Json *list)
{
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		span->nevents++;
	span->events = ref_alloc((size_t) (span->nevents + 1) * sizeof(Event));
	span->nevents = 0;
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		span->events[span->nevents++] = (Event){.name = get_text(j, "name"),
												.since = get_int(j, "timeUnixNano") - span->start,
												.attrs = read_attrs(json_get(j, "attributes"))};
}

static void
read_links(Span *span, const Json *list)
{
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		span->nlinks++;
	span->links = ref_alloc((size_t) (span->nlinks + 1) * sizeof(Link));
	span->nlinks = 0;
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		span->links[span->nlinks++] = (Link){.trace_id = lower(get_text(j, "traceId")),
											 .span_id = lower(get_text(j, "spanId")),
											 .attrs = read_attrs(json_get(j, "attributes"))};
}

static Span *
read_span(const Json *j, Text *trace_id)
{
	Span *span = ref_alloc(sizeof(Span));
	const Json *status = json_get(j, "status");

	*trace_id = lower(get_text(j, "traceId"));
	span->id = strtoull(get_text(j, "spanId").p, NULL, 16);
	span->parent_id = strtoull(get_text(j, "parentSpanId").p, NULL, 16);
	span->name = get_text(j, "name");
	span->kind = (int) get_int(j, "kind");
	span->status = (int) get_int(status, "code");
	span->message = get_text(status, "message");
	span->trace_state = get_text(j, "traceState");
	span->start = get_int(j, "startTimeUnixNano");
	span->duration = get_int(j, "endTimeUnixNano") - span->start;
	span->attrs = read_attrs(json_get(j, "attributes"));
	read_events(span, json_get(j, "events"));
	read_links(span, json_get(j, "links"));
	return span;
}

static void
add_span(Data *data, Span *span, Text trace_id)
{
	Trace *trace = NULL;

	for (int t = data->ntraces; t-- > 0 && !trace;)
		if (text_same(data->traces[t]->id, trace_id))
			trace = data->traces[t];
	if (data->nspans == data->cap)
	{
		data->cap = data->cap ? 2 * data->cap : 64;
		data->spans = realloc(data->spans, (size_t) data->cap * sizeof(Span *));
		data->traces = realloc(data->traces, (size_t) data->cap * sizeof(Trace *));
	}
	if (!trace)
	{
		trace = ref_alloc(sizeof(Trace));
		trace->id = trace_id;
		data->traces[data->ntraces++] = trace;
	}
	span->trace = trace;
	data->spans[data->nspans++] = span;
}

bool
data_add_request(Data *data, const char *json, size_t n)
{
	Json *request = json_parse(json, n);
	Json *rss = json_get(request, "resourceSpans");

	if (!request)
		return false;
	for (Json *rs = rss ? rss->first : NULL; rs; rs = rs->next)
	{
		Attrs *resource = ref_alloc(sizeof(Attrs));
		Json *sss = json_get(rs, "scopeSpans");

		*resource = read_attrs(json_get(json_get(rs, "resource"), "attributes"));
		for (Json *ss = sss ? sss->first : NULL; ss; ss = ss->next)
		{
			Json *scope = json_get(ss, "scope");
			Json *spans = json_get(ss, "spans");
			Attrs *scope_attrs = ref_alloc(sizeof(Attrs));

			*scope_attrs = read_attrs(json_get(scope, "attributes"));
			for (Json *j = spans ? spans->first : NULL; j; j = j->next)
			{
				Text trace_id;
				Span *span = read_span(j, &trace_id);

				span->resource = resource;
				span->scope = scope_attrs;
				span->scope_name = get_text(scope, "name");
				span->scope_version = get_text(scope, "version");
				add_span(data, span, trace_id);
			}
		}
	}
	return true;
}

/* ---- traces ---- */

static int
by_start(const void *a, const void *b)
{
	const Span *x = *(Span *const *) a;
	const Span *y = *(Span *const *) b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

/* OpenTracing says by a link that a span without parent is a child all the same. */
static bool
linked_as_child(const Span *span)
{
	for (int i = 0; i < span->nlinks; i++)
	{
		const Val *type = attrs_find(&span->links[i].attrs, text_of("opentracing.ref_type"));

		if (text_same(span->links[i].trace_id, span->trace->id) && type && type->type == T_STRING &&
			text_is(type->s, "child_of"))
			return true;
	}
	return false;
}

static void
finish_trace(Data *data, Trace *trace)
{
	int64_t end = INT64_MIN;

	trace->spans = ref_alloc((size_t) (data->nspans + 1) * sizeof(Span *));
	for (int i = 0; i < data->nspans; i++)
		if (data->spans[i]->trace == trace)
			trace->spans[trace->n++] = data->spans[i];
	qsort(trace->spans, (size_t) trace->n, sizeof(Span *), by_start);
	trace->start = trace->spans[0]->start;
	for (int i = 0; i < trace->n; i++)
	{
		Span *span = trace->spans[i];

		if (span->start + span->duration > end)
			end = span->start + span->duration;
		/* of several roots the last */
		if (span->parent_id == 0 && !linked_as_child(span))
			trace->root = span;
	}
	trace->duration = end - trace->start;
	trace_number(trace);
}

void
data_remove(Data *data, bool (*removed)(const Span *span))
{
	int kept = 0;

	for (int i = 0; i < data->nspans; i++)
		if (!removed(data->spans[i]))
			data->spans[kept++] = data->spans[i];
	data->nspans = kept;
	kept = 0;
	for (int t = 0; t < data->ntraces; t++)
	{
		bool any = false;

		for (int i = 0; i < data->nspans; i++)
			any |= data->spans[i]->trace == data->traces[t];
		if (any)
			data->traces[kept++] = data->traces[t];
	}
	data->ntraces = kept;
}

void
data_finish(Data *data)
{
	for (int t = 0; t < data->ntraces; t++)
		finish_trace(data, data->traces[t]);
}
