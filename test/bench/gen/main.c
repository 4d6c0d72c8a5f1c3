/*
 * main.c
 *	  workload --spans N [--seed 3] [--wide] [--days 1] [--rate 20000] [--first-day EPOCH] [--batch 8192]
 *	           [--otlp FILE] [--copy FILE] [--clickhouse-map FILE] [--clickhouse-json FILE]
 *
 * Writes the workload in as many forms as are asked for, in one pass. The spans of a day are equally many on
 *each of the days, and come at the rate from ten in the morning. A line of JSON on standard output says what
 *there is: counts, times, and a session and a trace from the middle to look for.
 */
#include "gen.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMS           4
#define BATCHES         8 /* a window */
#define SPANS_PER_TRACE 15.0

typedef struct Output
{
	const char *option;
	Writer write;
	FILE *file;
	Buffer buffer;
} Output;

typedef struct Options
{
	uint64_t spans;
	uint64_t seed;
	uint64_t days;
	uint64_t rate;
	uint64_t first_day; /* seconds since 1970 */
	uint64_t batch;
	bool wide;
} Options;

typedef struct Totals
{
	uint64_t spans;
	uint64_t requests;
	uint64_t bytes[FORMS];
	uint64_t first;
	uint64_t last;
	char session[40];
	char trace[40];
} Totals;

static Output outputs[FORMS] = {
	{"otlp", write_otlp},
	{"copy", write_copy},
	{"clickhouse-map", write_clickhouse_map},
	{"clickhouse-json", write_clickhouse_json},
};

static int
compare_end(const void *a, const void *b)
{
	const Span *x = *(Span *const *) a;
	const Span *y = *(Span *const *) b;
	uint64_t end_x = x->start + x->duration;
	uint64_t end_y = y->start + y->duration;

	return end_x < end_y ? -1 : end_x > end_y;
}

static void
write_batch(Gen *g, Span *const *spans, uint32_t n, Totals *totals)
{
	for (int i = 0; i < FORMS; i++)
	{
		Output *o = &outputs[i];

		if (o->file == NULL)
			continue;
		o->buffer.len = 0;
		o->write(g, spans, n, &o->buffer);
		if (fwrite(o->buffer.p, 1, o->buffer.len, o->file) != o->buffer.len)
		{
			perror(o->option);
			exit(1);
		}
		totals->bytes[i] += o->buffer.len;
	}
	totals->requests++;
}

/* Remembers the first proxy's span of the window: what to look for later. */
static void
remember(Gen *g, Totals *totals)
{
	for (uint32_t i = 0; i < g->n_spans; i++)
	{
		const Span *s = &g->spans[i];
		const Attr *session = s->has_parent ? NULL : &s->attrs[7];

		if (session == NULL)
			continue;
		snprintf(totals->session, sizeof(totals->session), "%.*s", (int) session->text.len, session->text.p);
		for (int k = 0; k < 16; k++)
			sprintf(totals->trace + 2 * k, "%02x", s->trace[k]);
		return;
	}
}

/* The last batch takes what a window has beyond full ones, so that no request is tiny. */
static void
write_window(Gen *g, const Options *o, Totals *totals)
{
	Span **order = malloc(sizeof(Span *) * g->n_spans);
	uint64_t at = 0;

	if (order == NULL)
		abort();
	for (uint32_t i = 0; i < g->n_spans; i++)
	{
		order[i] = &g->spans[i];
		if (totals->first == 0 || g->spans[i].start < totals->first)
			totals->first = g->spans[i].start;
		if (g->spans[i].start > totals->last)
			totals->last = g->spans[i].start;
	}
	if (totals->spans <= o->spans / 2)
		remember(g, totals);
	qsort(order, g->n_spans, sizeof(Span *), compare_end);
	while (at < g->n_spans)
	{
		uint64_t n = g->n_spans - at;

		if (n > o->batch + o->batch / 2)
			n = o->batch;
		write_batch(g, order + at, n, totals);
		at += n;
	}
	totals->spans += g->n_spans;
	free(order);
	gen_reset_window(g);
}

static void
generate(Gen *g, const Options *o, Totals *totals)
{
	for (uint64_t day = 0; day < o->days; day++)
	{
		uint64_t until = o->spans * (day + 1) / o->days;
		double at = (double) (o->first_day + day * 86400 + 36000);

		while (totals->spans < until)
		{
			at -= log(1.0 - random_unit(&g->random)) * SPANS_PER_TRACE / (double) o->rate;
			gen_trace(g, (uint64_t) (at * 1e6) * 1000 + random_range(&g->random, 0, 999));
			if (g->n_spans >= BATCHES * o->batch || totals->spans + g->n_spans >= until)
				write_window(g, o, totals);
		}
	}
}

static uint64_t
number(const char *option, const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end == '\0' && n > 0)
		return n;
	fprintf(stderr, "--%s needs a number above zero\n", option);
	exit(2);
}

static void
open_output(Output *o, const char *path)
{
	o->file = fopen(path, "wb");
	if (o->file != NULL)
		return;
	perror(path);
	exit(1);
}

static void
read_options(int argc, char **argv, Options *o)
{
	static const struct option longs[] = {{"otlp", 1, NULL, 0},           {"copy", 1, NULL, 1},
										  {"clickhouse-map", 1, NULL, 2}, {"clickhouse-json", 1, NULL, 3},
										  {"spans", 1, NULL, 's'},        {"seed", 1, NULL, 'e'},
										  {"days", 1, NULL, 'd'},         {"rate", 1, NULL, 'r'},
										  {"first-day", 1, NULL, 'f'},    {"batch", 1, NULL, 'b'},
										  {"wide", 0, NULL, 'w'},         {0}};
	int c, at;

	while ((c = getopt_long(argc, argv, "", longs, &at)) != -1)
	{
		switch (c)
		{
			case 's': o->spans = number("spans", optarg); break;
			case 'e': o->seed = number("seed", optarg); break;
			case 'd': o->days = number("days", optarg); break;
			case 'r': o->rate = number("rate", optarg); break;
			case 'f': o->first_day = number("first-day", optarg); break;
			case 'b': o->batch = number("batch", optarg); break;
			case 'w': o->wide = true; break;
			case '?': exit(2);
			default: open_output(&outputs[c], optarg);
		}
	}
}

int
main(int argc, char **argv)
{
	static Gen g;
	Options o = {
		.spans = 1000000, .seed = 3, .days = 1, .rate = 20000, .first_day = 1735689600, .batch = 8192};
	Totals t = {0};

	read_options(argc, argv, &o);
	gen_init(&g, o.seed, o.wide);
	generate(&g, &o, &t);
	for (int i = 0; i < FORMS; i++)
		if (outputs[i].file != NULL && fclose(outputs[i].file) != 0)
		{
			perror(outputs[i].option);
			return 1;
		}
	printf(
		"{\"spans\": %llu, \"traces\": %llu, \"requests\": %llu, \"otlp_bytes\": %llu, \"first_ns\": %llu, "
		"\"last_ns\": %llu, \"session\": \"%s\", \"trace\": \"%s\"}\n",
		(unsigned long long) t.spans, (unsigned long long) g.traces, (unsigned long long) t.requests,
		(unsigned long long) t.bytes[0], (unsigned long long) t.first, (unsigned long long) t.last, t.session,
		t.trace);
	return 0;
}
