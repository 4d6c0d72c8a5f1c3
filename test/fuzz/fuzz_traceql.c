/*
 * fuzz_traceql.c
 *	  Any bytes as a query: the parser takes or refuses them, and what it takes prints as a query that
 *	  prints the same again. As a half-typed one they are a filter, or none, that makes a query again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "traceql/lang/tolerant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const TraceqlError *err, size_t size)
{
	if (err->kind == TQL_ERROR_NONE || err->message == NULL || err->offset > size || err->line == 0 ||
		err->column == 0)
		abort();
}

static Str
print(Arena *arena, const TraceqlQuery *query)
{
	Buf buf;

	buf_init(&buf, arena, 256);
	traceql_print_query(query, &buf);
	return str_of((char *) buf.p, buf.len);
}

static void
check_query(Arena *arena, const TraceqlQuery *query)
{
	Str first = print(arena, query);
	TraceqlError err;
	TraceqlQuery *again;

	if ((query->search == NULL) == (query->metrics == NULL))
		abort();
	/* canonical text is longer than what people write, and may pass the limit */
	if (first.len > TRACEQL_MAX_TEXT)
		return;
	again = traceql_parse(arena, first, &err);
	if (again == NULL || !str_eq(first, print(arena, again)))
	{
		fprintf(stderr, "printed: %.*s\nagain:   %s\n", (int) first.len, first.p,
				again ? "parses, but prints differently" : err.message);
		abort();
	}
}

static void
check_tolerant(Arena *arena, Str text)
{
	uint32_t groups;
	const TraceqlExpr *filter = traceql_tolerant_filter(arena, text, &groups);
	TraceqlError err;
	TraceqlAttr attr;
	Buf buf;

	if (groups == 0 || (traceql_read_attr(arena, text, &attr) && traceql_pinned(filter, &attr) && !filter))
		abort();
	if (!filter)
		return;
	buf_init(&buf, arena, 256);
	buf_put(&buf, "{ ", 2);
	traceql_print_expr(filter, &buf);
	buf_put(&buf, " }", 2);
	if (buf.len <= TRACEQL_MAX_TEXT && !traceql_parse(arena, str_of((char *) buf.p, buf.len), &err))
	{
		fprintf(stderr, "filter: %.*s\n%s\n", (int) buf.len, buf.p, err.message);
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena *arena = arena_create(NULL, 0);
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, str_of((const char *) data, size), &err);

	if (query)
		check_query(arena, query);
	else
		check_error(&err, size);
	check_tolerant(arena, str_of((const char *) data, size));
	arena_destroy(arena);
	return 0;
}
