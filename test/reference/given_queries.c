/*
 * given_queries.c
 *	  Queries from a file to a server and to the reference, about traces that the server has already.
 *
 * usage: given_queries CONNECTION TRACES START END STEP < QUERIES
 *
 * TRACES has an OTLP/JSON request a line, QUERIES an id, "search" or "metrics" and a query a line, with tabs
 * between them; START and END are Unix seconds, STEP seconds. Prints of each query its id, "same" or
 *"differs", and of those that differ the first line of either answer that does.
 */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
read_traces(const char *name, Data *data)
{
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!file)
		die(name, "cannot be opened");
	while ((n = getline(&line, &cap, file)) > 0)
	{
		/* what is read points into the text */
		Text kept = text_copy(line, (size_t) n);

		if (!data_add_request(data, kept.p, kept.n))
			die(name, "is not OTLP/JSON by the line");
	}
	free(line);
	fclose(file);
	data_finish(data);
}

static void
ask(const Data *data, char *line, Range range, Window window)
{
	size_t mark = ref_mark();
	char *kind = strchr(line, '\t');
	char *query = kind ? strchr(kind + 1, '\t') : NULL;
	Answers answers;

	if (!query)
		die("a line without tabs", line);
	*kind++ = *query++ = 0;
	query[strcspn(query, "\n")] = 0;
	answers = strcmp(kind, "metrics") == 0 ? ask_metrics(data, text_of(query), window)
										   : ask_search(data, text_of(query), range);
	if (answers_agree(answers.want, answers.got))
		printf("%s\tsame\n", line);
	else
	{
		printf("%s\tdiffers\n", line);
		print_first_difference(&answers);
	}
	ref_release(mark);
}

int
main(int argc, char **argv)
{
	Data data = {0};
	Range range = {.bounded = true};
	Window window = {0};
	char *line = NULL;
	size_t cap = 0;

	if (argc != 6)
		die("usage", "given_queries CONNECTION TRACES START END STEP < QUERIES");
	range.from = window.from = atoll(argv[3]) * 1000000000;
	range.to = window.to = atoll(argv[4]) * 1000000000;
	window.step = atoll(argv[5]) * 1000000000;
	read_traces(argv[2], &data);
	ask_connect(argv[1]);
	while (getline(&line, &cap, stdin) > 0)
		ask(&data, line, range, window);
	ask_end();
	free(line);
	return 0;
}
