/*
 * api.c
 *	  Answers as the HTTP API gives them: typed values, names only where the query asks for them, at most so
 *	  many spans of a spanset.
 */
#include "ref.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SPANS 100

/* What has no type of OTLP's is written out. */
static Val
api_value(const Val *v)
{
	switch (v->type)
	{
		case T_DURATION: return (Val){.type = T_STRING, .s = print_duration(v->i)};
		case T_STATUS: return (Val){.type = T_STRING, .s = text_of(status_word(v->i))};
		case T_KIND: return (Val){.type = T_STRING, .s = text_of(kind_word(v->i))};
		case T_NIL: return (Val){.type = T_STRING, .s = text_of("nil")};
		default: return *v;
	}
}

static Text
api_attrs(const SetAttr *attrs, int n)
{
	SetAttr *copy = ref_alloc((size_t) (n + 1) * sizeof(SetAttr));

	for (int i = 0; i < n; i++)
		copy[i] = (SetAttr){attrs[i].key, api_value(&attrs[i].value)};
	return canonical_attrs(copy, n);
}

/* ---- searches ---- */

static Text
stats_text(const Trace *trace)
{
	SetAttr *stats = ref_alloc((size_t) (trace->n + 1) * sizeof(SetAttr));
	int n = 0;

	for (int i = 0; i < trace->n; i++)
	{
		Text service = span_service(trace->spans[i]);
		int spans = 0, errors = 0;
		Out value = {0};

		for (int k = 0; k < trace->n; k++)
			if (text_same(span_service(trace->spans[k]), service))
			{
				if (k < i)
					spans = -trace->n - 1; /* counted before */
				spans++;
				errors += trace->spans[k]->status == 2;
			}
		if (spans <= 0)
			continue;
		out_fmt(&value, "%d/%d", spans, errors);
		stats[n++] = (SetAttr){service, {.type = T_STRING, .s = out_done(&value)}};
	}
	return canonical_attrs(stats, n);
}

static Text
trace_text(const Trace *trace)
{
	Text service = trace->root ? span_service(trace->root) : text_of("");
	Text id = trace->id;
	Out out = {0};

	while (*id.p == '0')
		id = (Text){id.p + 1, id.n - 1};
	out_text(&out, id);
	out_fmt(&out, "|");
	out_text(&out, service.n ? service : text_of("<root span not yet received>"));
	out_fmt(&out, "|");
	out_text(&out, trace->root ? trace->root->name : text_of(""));
	out_fmt(&out, "|%lld|%lld|", (long long) trace->start, (long long) trace->duration / 1000000);
	out_text(&out, stats_text(trace));
	return out_done(&out);
}

static bool
name_known(const Query *query)
{
	int n;
	Field *fields = ref_fields(query, &n);

	for (int i = 0; i < n; i++)
		if (fields[i].scope == S_INTRINSIC && fields[i].intrinsic == I_NAME)
			return true;
	return false;
}

static Text
span_text(const Query *query, const Span *span)
{
	Shown shown[REF_MAX_SHOWN];
	SetAttr attrs[REF_MAX_SHOWN];
	int n = shown_attributes(query, span, shown);
	Out out = {0};

	for (int i = 0; i < n; i++)
		attrs[i] = (SetAttr){shown[i].key, shown[i].value};
	out_fmt(&out, "%016llx|", (unsigned long long) span->id);
	out_text(&out, name_known(query) ? span->name : text_of(""));
	out_fmt(&out, "|%lld|%lld|", (long long) span->start, (long long) span->duration);
	out_text(&out, api_attrs(attrs, n));
	return out_done(&out);
}

static Text
set_text(const Spanset *s)
{
	Out out = {0};

	out_fmt(&out, "%d ", s->n);
	out_text(&out, api_attrs(s->attrs, s->nattrs));
	return out_done(&out);
}

Row *
api_rows(const Query *query, const Trace *trace, const Spanset *sets, Row *rows)
{
	Text text = trace_text(trace);
	int set = 0;

	for (const Spanset *s = sets; s; s = s->next)
	{
		set++;
		if (s->n > MOST_SPANS)
			*rows++ = (Row){text, set, set_text(s), text_of("...")};
		for (int i = 0; i < s->n && s->n <= MOST_SPANS; i++)
			*rows++ = (Row){text, set, set_text(s), span_text(query, s->spans[i])};
	}
	return rows;
}

/* ---- the same, read from JSON ---- */

static Text
member(const Json *object, const char *key)
{
	const Json *j = json_get(object, key);

	return j ? j->s : text_of("");
}

static Text
read_attrs(const Json *list)
{
	SetAttr *attrs;
	int n = 0;

	for (const Json *j = list ? list->first : NULL; j; j = j->next)
		n++;
	attrs = ref_alloc((size_t) (n + 1) * sizeof(SetAttr));
	n = 0;
	for (const Json *j = list ? list->first : NULL; j; j = j->next)
	{
		attrs[n].key = member(j, "key");
		json_value(json_get(j, "value"), &attrs[n++].value);
	}
	return canonical_attrs(attrs, n);
}

static long long
count(const Json *object, const char *key)
{
	const Json *j = json_get(object, key);

	return !j ? 0 : j->type == J_STRING ? atoll(j->s.p) : (long long) j->i;
}

static Text
read_stats(const Json *object)
{
	SetAttr *stats;
	int n = 0;

	for (const Json *j = object ? object->first : NULL; j; j = j->next)
		n++;
	stats = ref_alloc((size_t) (n + 1) * sizeof(SetAttr));
	n = 0;
	for (const Json *j = object ? object->first : NULL; j; j = j->next)
	{
		Out value = {0};

		out_fmt(&value, "%lld/%lld", count(j, "spanCount"), count(j, "errorCount"));
		stats[n++] = (SetAttr){j->key, {.type = T_STRING, .s = out_done(&value)}};
	}
	return canonical_attrs(stats, n);
}

static Text
read_trace(const Json *trace)
{
	Out out = {0};

	out_text(&out, member(trace, "traceID"));
	out_fmt(&out, "|");
	out_text(&out, member(trace, "rootServiceName"));
	out_fmt(&out, "|");
	out_text(&out, member(trace, "rootTraceName"));
	out_fmt(&out, "|%lld|%lld|", count(trace, "startTimeUnixNano"), count(trace, "durationMs"));
	out_text(&out, read_stats(json_get(trace, "serviceStats")));
	return out_done(&out);
}

static Text
read_span(const Json *span)
{
	Text id = member(span, "spanID");
	Out out = {0};

	out_text(&out, id);
	out_fmt(&out, "|");
	out_text(&out, member(span, "name"));
	out_fmt(&out, "|%lld|%lld|", count(span, "startTimeUnixNano"), count(span, "durationNanos"));
	out_text(&out, read_attrs(json_get(span, "attributes")));
	return out_done(&out);
}

static Row *
read_set(const Json *set, Text trace, int number, Row *rows)
{
	const Json *spans = json_get(set, "spans");
	long long matched = count(set, "matched");
	Out text = {0};

	out_fmt(&text, "%lld ", matched);
	out_text(&text, read_attrs(json_get(set, "attributes")));
	if (matched > MOST_SPANS)
	{
		*rows++ = (Row){trace, number, out_done(&text), text_of("...")};
		return rows;
	}
	for (const Json *j = spans ? spans->first : NULL; j; j = j->next)
		*rows++ = (Row){trace, number, out_done(&text), read_span(j)};
	return rows;
}

Text
api_search_text(const Json *answer)
{
	const Json *traces = json_get(answer, "traces");
	size_t room = 1;
	Row *rows, *end;

	for (const Json *t = traces ? traces->first : NULL; t; t = t->next)
		for (const Json *s = json_get(t, "spanSets")->first; s; s = s->next)
			for (const Json *j = json_get(s, "spans")->first; j; j = j->next)
				room++;
	rows = end = ref_alloc(room * sizeof(Row));
	for (const Json *t = traces ? traces->first : NULL; t; t = t->next)
	{
		Text text = read_trace(t);
		int number = 0;

		for (const Json *s = json_get(t, "spanSets")->first; s; s = s->next)
			end = read_set(s, text, ++number, end);
	}
	return answer_of_rows(rows, (int) (end - rows));
}

/* ---- metrics ---- */

Text
api_series_text(const Series *s)
{
	SetAttr attrs[REF_MAX_LABELS];

	for (int i = 0; i < s->nlabels; i++)
		attrs[i] = (SetAttr){s->labels[i].name, s->labels[i].value};
	return api_attrs(attrs, s->nlabels);
}

static double
sample_value(const Json *object)
{
	const Json *j = json_get(object, "value");

	if (!j)
		return 0;
	return j->type == J_STRING ? strtod(j->s.p, NULL) : j->type == J_INT ? (double) j->i : j->d;
}

/* An instant answer has one value a series. */
Text
api_metrics_text(const Json *answer, bool instant)
{
	const Json *series = json_get(answer, "series");
	size_t room = 1;
	Point *points;
	int n = 0;

	for (const Json *s = series ? series->first : NULL; s; s = s->next)
	{
		const Json *samples = json_get(s, "samples");

		room++;
		for (const Json *j = samples ? samples->first : NULL; j; j = j->next)
			room++;
	}
	points = ref_alloc(room * sizeof(Point));
	for (const Json *s = series ? series->first : NULL; s; s = s->next)
	{
		const Json *samples = json_get(s, "samples");
		Text text = read_attrs(json_get(s, "labels"));

		if (instant)
			points[n++] = (Point){text, 0, sample_value(s)};
		for (const Json *j = samples ? samples->first : NULL; j; j = j->next)
			points[n++] = (Point){text, count(j, "timestampMs") * 1000, sample_value(j)};
	}
	return answer_of_samples(points, n);
}
