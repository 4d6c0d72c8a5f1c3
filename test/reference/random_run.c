/*
 * random_run.c
 *	  Random queries to a server and to the reference, which have to give the same answer.
 *
 * usage: random_run CONNECTION [seed=N] [queries=N] [first=N] [rounds=N] [metrics=PERCENT] [verbose=1]
 *
 * A round makes random traces, stores them in a random layout (recent batches, one or several segments, both,
 * one or two partitions), and asks about them: with and without a range and a limit, parallel or not. What
 * differs is printed with the round, which "first=ROUND rounds=1" repeats. Fails on any difference, when a
 * production of the grammar was never used, and when fewer than 30 of 100 answers have rows.
 *
 * The server has to keep from merging by itself: tempo.merge_delay long, tempo.max_future = -1.
 */
#include "random.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIDNIGHT         1793491200 /* 2026-10-31 in UTC */
#define PER_ROUND        150
#define MOST_DIFFERENCES 10

typedef struct Totals
{
	long queries;
	long answered; /* valid ones */
	long filled;   /* of them with rows */
	long refused;
	long failed; /* alike on both sides */
	long differences;
	int rounds;
} Totals;

static PGconn *conn;
static Totals totals;
static bool verbose;
static uint64_t seed = 1;
static int round_no;
static int of_metrics = 35; /* of 100 queries */

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(2);
}

static void
command(const char *sql)
{
	PGresult *r = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		die(sql, PQerrorMessage(conn));
	PQclear(r);
}

/* ---- storing ---- */

static void
ingest(Text json)
{
	const char *values[] = {json.p};
	PGresult *r = PQexecParams(conn, "SELECT tempo_ingest_json($1::text)", 1, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_TUPLES_OK)
		die("tempo_ingest_json", PQerrorMessage(conn));
	PQclear(r);
}

/* 0: recent batches, 1: one segment, 2: a segment a few requests, 3: those, and batches on top. */
static void
store(const Requests *requests, int layout)
{
	int every = 1 + rnd(4);

	command("TRUNCATE tempo.spans");
	for (int i = 0; i < requests->n; i++)
	{
		ingest(requests->json[i]);
		if (layout >= 2 && i % every == every - 1)
			command("SELECT tempo_merge()");
	}
	if (layout == 1 || layout == 2)
		command("SELECT tempo_merge()");
}

static void
load(Data *data, const Requests *requests)
{
	for (int i = 0; i < requests->n; i++)
		if (!data_add_request(data, requests->json[i].p, requests->json[i].n))
			die("reference", "cannot read its own data");
	data_finish(data);
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

static Text
rows_text(PGresult *r)
{
	int n = PQntuples(r);
	Row *rows = ref_alloc((size_t) (n + 1) * sizeof(Row));

	for (int i = 0; i < n; i++)
	{
		Out rest = {0};

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
	out_fmt(&out, ")");
	PQfreemem(literal);
	return out_done(&out);
}

/* ---- metrics ---- */

/* The range of a metrics query; step 0: the default one. */
typedef struct Window
{
	int64_t from;
	int64_t to;
	int64_t step;
	bool instant;
} Window;

static Text
metrics_sql(Text query, Window w)
{
	char *literal = PQescapeLiteral(conn, query.p, query.n);
	Out out = {0};

	out_fmt(
		&out,
		"SELECT labels, series, value%s FROM traceql_metrics%s(%s, to_timestamp(%lld), to_timestamp(%lld)",
		w.instant ? "" : ", (extract(epoch FROM \"time\") * 1000000)::bigint", w.instant ? "_instant" : "",
		literal, (long long) (w.from / 1000000000), (long long) (w.to / 1000000000));
	if (w.step)
		out_fmt(&out, ", step => '%lld ms'", (long long) (w.step / 1000000));
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
	}
	return answer_of_samples(points, n);
}

/* ---- comparing ---- */

static void
print_first_difference(const char *a, const char *b)
{
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

static void
difference(Text sql, const char *want, const char *got)
{
	totals.differences++;
	printf("difference in round %d (seed=%llu first=%d rounds=1)\n%.*s\n", round_no,
		   (unsigned long long) seed, round_no, (int) sql.n, sql.p);
	print_first_difference(want, got);
	if (verbose)
		printf("-- reference\n%s-- server\n%s", want, got);
	fflush(stdout);
}

static const char *
state_of(Verdict verdict)
{
	return verdict == QUERY_BAD ? "42601" : verdict == QUERY_UNSUPPORTED ? "0A000" : NULL;
}

/* What the reference says: an SQLSTATE, or the answer. */
static Text
search_expected(const Data *data, Text query, Range range)
{
	Query parsed;
	Text answer;
	const char *state = state_of(ref_parse(query, &parsed));

	if (state)
		return text_of(state);
	return search_answer(data, &parsed, range, &answer) ? answer : text_of("22000");
}

static Text
metrics_expected(const Data *data, Text query, Window w)
{
	Intervals at = w.instant ? instant_interval(w.from, w.to)
							 : range_intervals(w.from, w.to, w.step ? w.step : default_step(w.from, w.to));
	Query parsed;
	Result result;
	const char *state = state_of(ref_parse(query, &parsed));

	if (state)
		return text_of(state);
	return run_metrics(data, &parsed, at, &result) ? answer_of_result(&result, w.instant) : text_of("22000");
}

static bool
is_state(Text answer)
{
	return answer.n == 5;
}

static void
count_answer(Text answer)
{
	totals.queries++;
	if (text_is(answer, "22000"))
		totals.failed++;
	else if (is_state(answer))
		totals.refused++;
	else
	{
		totals.answered++;
		totals.filled += answer.n > 0;
	}
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

static void
ask_search(const Data *data, Range range)
{
	Text query = random_search(data);
	Text sql = search_sql(query, range);
	Text want = search_expected(data, query, range);
	Text got = server_answer(sql, rows_text);

	count_answer(want);
	/* With a limit the trace that fails may not be among those looked at. */
	if (!answers_agree(want, got) && !(text_is(want, "22000") && range.limit))
		difference(sql, want.p, got.p);
}

static void
ask_metrics(const Data *data, Window window)
{
	Text query = random_metrics(data);
	Text sql = metrics_sql(query, window);
	Text want = metrics_expected(data, query, window);
	Text got = server_answer(sql, samples_text);

	count_answer(want);
	if (!answers_agree(want, got))
		difference(sql, want.p, got.p);
}

static Window
random_window(int64_t midnight)
{
	static const int64_t steps[] = {0, 7, 45, 60, 300, 300, 300, 600, 600, 1800, 1800, 86400};
	Window w = {.instant = chance(15)};

	w.from = (midnight + (chance(40) ? -1 : rnd(1500))) * 1000000000;
	w.to = w.from + (chance(40) ? 1801 : 1 + rnd(1200)) * 1000000000LL;
	w.step = w.instant ? 0 : steps[rnd(12)] * 1000000000;
	return w;
}

static Range
random_range(const Data *data)
{
	static const int limits[] = {1, 2, 5, 20};
	const Trace *trace = data->traces[rnd(data->ntraces)];
	Range range = {0};

	if (chance(15))
	{
		range.bounded = true;
		range.from = (trace->start / 1000000000 + rnd(3) - 1) * 1000000000;
		range.to = range.from + (int64_t) (1 + rnd(600)) * 1000000000;
	}
	if (chance(20))
		range.limit = limits[rnd(4)];
	return range;
}

/* ---- rounds ---- */

static void
run_round(int queries)
{
	Requests requests;
	Data data = {0};
	int64_t from;
	int layout;
	bool parallel;

	random_seed(seed * 1000003 + (uint64_t) round_no);
	layout = rnd(4);
	parallel = chance(20);
	from = MIDNIGHT - (chance(30) ? 900 : 0);
	requests = random_traces(chance(3) ? 20 : 1, from);
	load(&data, &requests);
	store(&requests, layout);
	command(parallel ? "SET max_parallel_workers_per_gather = 2" : "SET max_parallel_workers_per_gather = 0");
	if (parallel && queries > 40)
		queries = 40;
	for (int i = 0; i < queries && totals.differences < MOST_DIFFERENCES; i++)
	{
		size_t mark = ref_mark();

		if (chance(of_metrics))
			ask_metrics(&data, random_window(from));
		else
			ask_search(&data, random_range(&data));
		ref_release(mark);
	}
	free(data.spans);
	free(data.traces);
	totals.rounds++;
	ref_release(0);
}

static bool
report(void)
{
	int n;
	const Production *p = random_productions(&n);
	bool good = totals.differences == 0;

	for (int i = 0; i < n; i++)
	{
		if (verbose || p[i].n == 0)
			printf("%8ld  %s\n", p[i].n, p[i].name);
		good &= p[i].n > 0;
	}
	if (totals.filled * 100 < totals.answered * 30)
	{
		printf("too few answers have rows\n");
		good = false;
	}
	printf("seed %llu: %ld queries in %d rounds, %ld answered, %ld with rows, %ld refused, %ld failing, %ld "
		   "differences\n",
		   (unsigned long long) seed, totals.queries, totals.rounds, totals.answered, totals.filled,
		   totals.refused, totals.failed, totals.differences);
	return good;
}

int
main(int argc, char **argv)
{
	long queries = 1000, first = 1, rounds = 0;

	if (argc < 2)
		die("usage",
			"random_run CONNECTION [seed=N] [queries=N] [first=N] [rounds=N] [metrics=PERCENT] [verbose=1]");
	for (int i = 2; i < argc; i++)
	{
		if (strncmp(argv[i], "seed=", 5) == 0)
			seed = strtoull(argv[i] + 5, NULL, 10);
		else if (strncmp(argv[i], "queries=", 8) == 0)
			queries = atol(argv[i] + 8);
		else if (strncmp(argv[i], "first=", 6) == 0)
			first = atol(argv[i] + 6);
		else if (strncmp(argv[i], "rounds=", 7) == 0)
			rounds = atol(argv[i] + 7);
		else if (strncmp(argv[i], "metrics=", 8) == 0)
			of_metrics = atoi(argv[i] + 8);
		else if (strcmp(argv[i], "verbose=1") == 0)
			verbose = true;
		else
			die("unknown argument", argv[i]);
	}
	conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection", PQerrorMessage(conn));
	command("SET client_min_messages = error; SET timezone = 'UTC'");
	for (round_no = (int) first; totals.differences < MOST_DIFFERENCES; round_no++)
	{
		if (rounds ? round_no >= first + rounds : totals.queries >= queries)
			break;
		run_round(rounds || queries - totals.queries > PER_ROUND ? PER_ROUND
																 : (int) (queries - totals.queries));
	}
	PQfinish(conn);
	return report() ? 0 : 1;
}
