/*
 * ask.c
 *	  One query to the server and to the reference: both answers as canonical text, or an SQLSTATE.
 */
#include "ask.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *conn;
static const char *tenant;

void
die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

void
command(const char *sql)
{
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		die(sql, PQerrorMessage(conn));
	PQclear(r);
}

void
ask_connect(const char *conninfo)
{
	conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection", PQerrorMessage(conn));
	command("SET client_min_messages = error; SET timezone = 'UTC'");
}

void
ask_end(void)
{
	PQfinish(conn);
}

void
ask_tenant(const char *name)
{
	tenant = name;
}

void
ingest(Text json, const char *to)
{
	const char *values[] = {json.p, to};
	PGresult *r =
		PQexecParams(conn, "SELECT tempo_ingest_json($1::text, $2)", 2, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		die("tempo_ingest_json", PQerrorMessage(conn));
	PQclear(r);
}

/* ---- the server's answer ---- */

/* A member of tempo.attributes as text; numbers with a point are floats. */
static Val
attribute_value(const Json *j)
{
	Val v = {.type = T_NIL};
	int n = 0;

	switch (j->type)
	{
		case J_BOOL: return (Val){.type = T_BOOL, .i = j->i};
		case J_INT: return (Val){.type = T_INT, .i = j->i};
		case J_FLOAT: return (Val){.type = T_FLOAT, .d = j->d};
		case J_STRING: return (Val){.type = T_STRING, .s = j->s};
		case J_ARRAY: break;
		default: return v;
	}
	for (const Json *i = j->first; i; i = i->next)
		n++;
	v = (Val){.type = T_ARRAY, .items = ref_alloc((size_t) (n + 1) * sizeof(Val))};
	for (const Json *i = j->first; i; i = i->next)
		v.items[v.n++] = attribute_value(i);
	return v;
}

static Text
attributes_text(const char *text)
{
	const Json *object = json_parse(text, strlen(text));
	SetAttr attrs[128];
	int n = 0;

	if (!object)
		die("attributes", text);
	for (const Json *j = object->first; j && n < 128; j = j->next)
		attrs[n++] = (SetAttr){j->key, attribute_value(j)};
	return canonical_attrs(attrs, n);
}

#define COLUMNS                                                                                              \
	"trace_id, spanset, spanset_attributes, attributes, span_id, coalesce(root_service, '-'), "              \
	"coalesce(root_name, '-'), (extract(epoch FROM trace_start) * 1000000)::bigint, trace_duration_ns, "     \
	"name, service, kind, status, (extract(epoch FROM start_time) * 1000000)::bigint * 1000 + start_ns, "    \
	"duration_ns"

/* The order of what was read last: traces from the newest on; series one after the other, each by time. */
static bool in_order;

#define COLUMN_TRACE_START 7

static Text
rows_text(PGresult *r)
{
	int n = PQntuples(r);
	Row *rows = ref_alloc((size_t) (n + 1) * sizeof(Row));

	in_order = true;
	for (int i = 0; i < n; i++)
	{
		Out rest = {0};

		if (i)
			in_order &= atoll(PQgetvalue(r, i, COLUMN_TRACE_START)) <=
						atoll(PQgetvalue(r, i - 1, COLUMN_TRACE_START));

		for (int c = 4; c < PQnfields(r); c++)
			out_fmt(&rest, "%s|", PQgetvalue(r, i, c));
		out_text(&rest, attributes_text(PQgetvalue(r, i, 3)));
		rows[i] = (Row){text_of(PQgetvalue(r, i, 0)), atoi(PQgetvalue(r, i, 1)),
						attributes_text(PQgetvalue(r, i, 2)), out_done(&rest)};
	}
	return answer_of_rows(rows, n);
}

static Text
search_sql(Text query, Range range)
{
	char *literal = PQescapeLiteral(conn, query.p, query.n);
	Out out = {0};

	out_fmt(&out, "SELECT " COLUMNS " FROM traceql(%s", literal);
	if (range.bounded)
		out_fmt(&out, ", start => to_timestamp(%lld), \"end\" => to_timestamp(%lld)",
				(long long) (range.from / 1000000000), (long long) (range.to / 1000000000));
	if (range.limit)
		out_fmt(&out, ", max_traces => %d", range.limit);
	if (tenant)
		out_fmt(&out, ", tenant => '%s'", tenant);
	out_fmt(&out, ")");
	PQfreemem(literal);
	return out_done(&out);
}

/* ---- metrics ---- */

static void
put_bound(Out *out, bool open, int64_t ns)
{
	if (open)
		out_fmt(out, ", NULL");
	else
		out_fmt(out, ", to_timestamp(%lld)", (long long) (ns / 1000000000));
}

static Text
metrics_sql(Text query, Window w)
{
	char *literal = PQescapeLiteral(conn, query.p, query.n);
	Out out = {0};

	out_fmt(&out, "SELECT labels, series, value%s FROM traceql_metrics%s(%s",
			w.instant ? "" : ", (extract(epoch FROM \"time\") * 1000000)::bigint",
			w.instant ? "_instant" : "", literal);
	put_bound(&out, w.open_from, w.from);
	put_bound(&out, w.open_to, w.to);
	if (w.step)
		out_fmt(&out, ", step => '%lld ms'", (long long) (w.step / 1000000));
	if (tenant)
		out_fmt(&out, ", tenant => '%s'", tenant);
	out_fmt(&out, ")");
	PQfreemem(literal);
	return out_done(&out);
}

static Text
labels_text(const char *text)
{
	const Json *object = json_parse(text, strlen(text));
	SetAttr attrs[REF_MAX_LABELS];
	int n = 0;

	if (!object)
		die("labels", text);
	for (const Json *j = object->first; j && n < REF_MAX_LABELS; j = j->next)
		attrs[n++] = (SetAttr){j->key, attribute_value(j)};
	return canonical_labels(attrs, n);
}

static Text
samples_text(PGresult *r)
{
	int n = PQntuples(r);
	Point *points = ref_alloc((size_t) (n + 1) * sizeof(Point));

	in_order = true;
	for (int i = 0; i < n; i++)
	{
		Out series = {0};

		/* series come one after the other */
		if (i && strcmp(PQgetvalue(r, i, 0), PQgetvalue(r, i - 1, 0)) == 0 &&
			strcmp(PQgetvalue(r, i, 1), PQgetvalue(r, i - 1, 1)) == 0)
			points[i].series = points[i - 1].series;
		else
		{
			out_text(&series, labels_text(PQgetvalue(r, i, 0)));
			out_fmt(&series, " %s", PQgetvalue(r, i, 1));
			points[i].series = out_done(&series);
		}
		points[i].value = strtod(PQgetvalue(r, i, 2), NULL);
		points[i].time = PQnfields(r) > 3 ? atoll(PQgetvalue(r, i, 3)) : 0;
		/* names of arrays do not tell them apart */
		if (i && points[i].series.p == points[i - 1].series.p && !strstr(points[i].series.p, "[...]") &&
			PQnfields(r) > 3)
			in_order &= points[i].time > points[i - 1].time;
	}
	return answer_of_samples(points, n);
}

static Text
server_answer(Text sql, Text (*read)(PGresult *))
{
	PGresult *r = PQexec(conn, sql.p);
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	Text got;

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		got = read(r);
	else
		got = text_copy(state ? state : PQerrorMessage(conn), strlen(state ? state : PQerrorMessage(conn)));
	PQclear(r);
	return got;
}

/* ---- the reference's answer ---- */

static const char *
state_of(Verdict verdict)
{
	return verdict == QUERY_BAD ? "42601" : verdict == QUERY_UNSUPPORTED ? "0A000" : NULL;
}

/* What the reference says: an SQLSTATE, or the answer. */
static Text
search_expected(const Data *data, Text query, Range range, SearchRows rows)
{
	Query parsed;
	Text answer;
	const char *state = state_of(ref_parse(query, &parsed));

	if (state)
		return text_of(state);
	return search_answer(data, &parsed, range, rows, &answer) ? answer : text_of("22000");
}

/* Bounds that are not given: of the spans there are. The start is not part of a range. */
static Window
closed(const Data *data, Window w)
{
	int64_t first = INT64_MAX, last = 0;

	for (int i = 0; i < data->nspans; i++)
	{
		int64_t start = data->spans[i]->start;

		first = start < first ? start : first;
		last = start > last ? start : last;
	}
	if (w.open_from)
		w.from = first - 1;
	if (w.open_to)
		w.to = last > w.from ? last : w.from + 1;
	return w;
}

static Text
metrics_expected(const Data *data, Text query, Window given, SeriesText series)
{
	Window w = closed(data, given);
	Intervals at;
	Query parsed;
	Result result;
	const char *state = state_of(ref_parse(query, &parsed));

	if (state || w.to <= w.from)
		return text_of(state ? state : "22023");
	at = w.instant ? instant_interval(w.from, w.to)
				   : range_intervals(w.from, w.to, w.step ? w.step : default_step(w.from, w.to));
	return run_metrics(data, &parsed, at, &result) ? answer_of_result(&result, w.instant, series)
												   : text_of("22000");
}

/* ---- both ---- */

Answers
ask_search(const Data *data, Text query, Range range)
{
	Text sql = search_sql(query, range);

	Answers answers = {sql, search_expected(data, query, range, sql_rows), server_answer(sql, rows_text)};

	if (range.limit && answers.got.n != STATE_LENGTH && !in_order)
		answers.got = text_of("not the newest first");
	return answers;
}

Answers
ask_metrics(const Data *data, Text query, Window window)
{
	Text sql = metrics_sql(query, window);

	Answers answers = {sql, metrics_expected(data, query, window, sql_series_text),
					   server_answer(sql, samples_text)};

	if (answers.got.n != STATE_LENGTH && !in_order)
		answers.got = text_of("not in order of time");
	return answers;
}

/* ---- over HTTP ---- */

/* Statuses tell less than SQLSTATEs do: what fails while it runs is 400 too. */
static Text
api_answer(int port, Text path, const char *of, Text want, Text (*read)(const Json *, bool), bool instant)
{
	Text body;
	int status = http_get(port, path, of, &body);
	Json *json;

	if (status == 400 && text_is(want, "22000"))
		return want;
	if (status != 200)
		return text_of(status == 400 ? "42601" : status == 501 ? "0A000" : "22000");
	json = json_parse(body.p, body.n);
	if (!json)
		die("the API answers", body.p);
	return read(json, instant);
}

static Text
read_search(const Json *answer, bool instant)
{
	return api_search_text(answer);
}

Answers
ask_api_search(const Data *data, Text query, Range range, int port, const char *of)
{
	Out path = {0};
	Answers answers = {.want = search_expected(data, query, range, api_rows)};

	if (!range.bounded)
		range = (Range){true, INT64_C(1793400000000000000), INT64_C(1793600000000000000), range.limit};
	out_fmt(&path, "/api/search?spss=100&limit=%d&start=%lld&end=%lld&q=", range.limit ? range.limit : 100000,
			(long long) (range.from / 1000000000), (long long) (range.to / 1000000000));
	out_text(&path, url_escaped(query));
	answers.sql = query;
	answers.got = api_answer(port, out_done(&path), of, answers.want, read_search, false);
	return answers;
}

Answers
ask_api_metrics(const Data *data, Text query, Window w, int port, const char *of)
{
	Out path = {0};
	Answers answers;

	w.open_from = w.open_to = false;
	out_fmt(&path, "/api/metrics/query%s?start=%lld&end=%lld", w.instant ? "" : "_range",
			(long long) (w.from / 1000000000), (long long) (w.to / 1000000000));
	if (w.step)
		out_fmt(&path, "&step=%lld", (long long) (w.step / 1000000000));
	out_fmt(&path, "&q=");
	out_text(&path, url_escaped(query));
	answers.sql = query;
	answers.want = metrics_expected(data, query, w, api_series_text);
	answers.got = api_answer(port, out_done(&path), of, answers.want, api_metrics_text, w.instant);
	return answers;
}

void
print_first_difference(const Answers *answers)
{
	const char *a = answers->want.p, *b = answers->got.p;
	const char *line_a = a, *line_b = b;

	while (*a && *a == *b)
	{
		if (*a == '\n')
		{
			line_a = a + 1;
			line_b = b + 1;
		}
		a++;
		b++;
	}
	printf("  reference: %.*s\n", (int) strcspn(line_a, "\n"), line_a);
	printf("  server:    %.*s\n", (int) strcspn(line_b, "\n"), line_b);
}
