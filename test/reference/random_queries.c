/*
 * random_queries.c
 *	  Random queries to a server and to the reference, which have to give the same answer.
 *
 * usage: random_queries CONNECTION [seed=N] [queries=N] [first=N] [rounds=N] [metrics=PERCENT] [api=PORT]
 *        [scale=N] [verbose=1]
 *
 * A round makes random traces, stores them in a random layout (random_layout.h; one or two partitions), and
 *asks about them, with and without a range and a limit. What differs is printed with the round, which
 * "first=ROUND rounds=1" repeats. Fails on any difference, when a production of the grammar was never used,
 *and when fewer than 30 of 100 answers have rows.
 *
 * The server has to keep from merging by itself: tempo.merge_delay long, tempo.max_future = -1.
 */
#include "ask.h"
#include "random_layout.h"

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

static Totals totals;
static bool verbose;
static uint64_t seed = 1;
static int round_no;
static Layout layout;       /* of the round */
static int of_metrics = 35; /* of 100 queries */
static int api_port;        /* 0: SQL only */
static int scale = 1;       /* of the data */

/* ---- comparing ---- */

static void
difference(const Answers *answers)
{
	totals.differences++;
	printf("difference in round %d (seed=%llu first=%d rounds=1)\n%.*s\n", round_no,
		   (unsigned long long) seed, round_no, (int) answers->sql.n, answers->sql.p);
	layout_print(&layout);
	print_first_difference(answers);
	if (verbose)
		printf("-- reference\n%s-- server\n%s", answers->want.p, answers->got.p);
	fflush(stdout);
}

static bool
is_state(Text answer)
{
	return answer.n == STATE_LENGTH;
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

static Window
random_window(int64_t midnight)
{
	static const int64_t steps[] = {0, 7, 45, 60, 300, 300, 300, 600, 600, 1800, 1800, 86400};
	Window w = {.instant = chance(15)};

	w.from = (midnight + (chance(40) ? -1 : rnd(1500))) * 1000000000;
	w.to = w.from + (chance(40) ? 1801 : 1 + rnd(1200)) * 1000000000LL;
	w.step = w.instant ? 0 : steps[rnd(12)] * 1000000000;
	w.open_from = chance(6);
	w.open_to = chance(6);
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

/* Executors of the query server see all spans. */
static Answers
ask_one(const Data *data, int64_t from, Range *range)
{
	bool api = api_port && !layout.hidden && chance(30);
	Window window;
	Text query;

	if (chance(of_metrics))
	{
		query = random_metrics(data);
		window = random_window(from);
		return api ? ask_api_metrics(data, query, window, api_port, RANDOM_TENANT)
				   : ask_metrics(data, query, window);
	}
	query = random_search(data);
	*range = random_range(data);
	return api ? ask_api_search(data, query, *range, api_port, RANDOM_TENANT)
			   : ask_search(data, query, *range);
}

static void
ask(const Data *data, int64_t from)
{
	size_t mark = ref_mark();
	Range range = {0};
	Answers answers = ask_one(data, from, &range);

	count_answer(answers.want);
	/* With a limit the trace that fails may not be among those looked at. */
	if (!answers_agree(answers.want, answers.got) && !(text_is(answers.want, "22000") && range.limit))
		difference(&answers);
	ref_release(mark);
}

static void
run_round(int queries)
{
	Requests requests;
	Data data = {0};
	int64_t from;

	random_seed(seed * 1000003 + (uint64_t) round_no);
	layout = random_layout();
	from = MIDNIGHT - (chance(30) ? 900 : 0);
	requests = random_traces(chance(5) ? 20 * scale : scale, from);
	layout_make(&layout, &requests, &data);
	if (layout.parallel && queries > 40)
		queries = 40;
	for (int i = 0; i < queries && data.nspans && totals.differences < MOST_DIFFERENCES; i++)
		ask(&data, from);
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
		die("usage", "random_queries CONNECTION [seed=N] [queries=N] [first=N] [rounds=N] [metrics=PERCENT] "
					 "[verbose=1]");
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
		else if (strncmp(argv[i], "scale=", 6) == 0)
			scale = atoi(argv[i] + 6);
		else if (strncmp(argv[i], "api=", 4) == 0)
			api_port = atoi(argv[i] + 4);
		else if (strcmp(argv[i], "verbose=1") == 0)
			verbose = true;
		else
			die("unknown argument", argv[i]);
	}
	ask_connect(argv[1]);
	layout_prepare();
	for (round_no = (int) first; totals.differences < MOST_DIFFERENCES; round_no++)
	{
		if (rounds ? round_no >= first + rounds : totals.queries >= queries)
			break;
		run_round(rounds || queries - totals.queries > PER_ROUND ? PER_ROUND
																 : (int) (queries - totals.queries));
	}
	ask_end();
	return report() ? 0 : 1;
}
