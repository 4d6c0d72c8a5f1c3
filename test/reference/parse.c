/*
 * parse.c
 *	  A query, as one of the things it can be.
 */
#include "parse.h"

static Hint *
parse_hints(void)
{
	Hint *first = NULL;

	while (take("with"))
	{
		Hint **tail = &first;

		first = NULL;
		expect("(");
		do
		{
			Hint *h = ref_alloc(sizeof(Hint));

			if (at->kind != TK_WORD || is_reserved(at->text))
				fail();
			h->name = (at++)->text;
			expect("=");
			if (at->kind == TK_WORD && word_kind(at->text, &h->value))
				at++;
			else if (at->kind == TK_VALUE)
				h->value = (at++)->value;
			else
				fail();
			*tail = h;
			tail = &h->next;
		} while (take(","));
		expect(")");
	}
	return first;
}

static void
parse_end(Query *query)
{
	query->hints = parse_hints();
	if (at->kind != TK_END)
		fail();
}

static bool
parse_query(Query *query)
{
	bool done;

	TRY(done, {
		query->search = set_of_pipeline(parse_pipeline());
		parse_end(query);
	});
	if (done)
		return true;
	query->search = NULL;
	TRY(done, {
		query->metrics = parse_metric_pipeline();
		parse_end(query);
	});
	if (done)
		return true;
	TRY(done, {
		query->metrics = parse_metrics();
		parse_end(query);
	});
	if (done)
		return true;
	query->metrics = NULL;
	TRY(done, {
		query->search = parse_combined(2);
		if (!starts_with_pipe(query->search))
			fail();
		parse_end(query);
	});
	if (done)
		return true;
	query->search = NULL;
	TRY(done, {
		skip_pipe_comparison();
		query->unsupported = true;
		parse_end(query);
	});
	return done;
}

Verdict
ref_parse(Text text, Query *query)
{
	*query = (Query){0};
	at = lex(text);
	if (!at || !parse_query(query))
		return QUERY_BAD;
	return check_query(query);
}
