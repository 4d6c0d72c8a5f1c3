/*
 * test_traceql_tolerant.c
 *	  Filters of half-typed queries, the literal a tag is pinned to, and names of tags.
 */
#include "traceql/lang/tolerant.h"
#include "unit.h"

static Arena *arena;

static const char *
text_of(const TraceqlExpr *filter)
{
	Buf buf;

	if (!filter)
		return "all";
	buf_init(&buf, arena, 64);
	traceql_print_expr(filter, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

static void
test_filters(void)
{
	static const struct
	{
		const char *query;
		const char *filter;
	} cases[] = {
		/* whole ones */
		{"{ .a = 1 }", ".a = 1"},
		{"{ .a = 1 || .b = 2 && .c = 3 }", "((.a = 1) || (.b = 2)) && (.c = 3)"},
		{"{ .a + 1 > span.b && !(kind = server) }", "((.a + 1) > span.b) && (!(kind = server))"},
		{"{ .a = 1 } with (most_recent=true)", ".a = 1"},
		{"{ false }", "false"},
		/* bare attributes are unfinished */
		{"{ .a }", "all"},
		{"{ .a =~ `x` && .b }", ".a =~ `x`"},
		{"{ .b && .a =~ `x` }", ".a =~ `x`"},
		{"{ .a = 1 || .b }", "all"},
		/* nothing to go by */
		{"", "all"},
		{"   ", "all"},
		{"{}", "all"},
		{"{", "all"},
		{"}", "all"},
		{"nonsense", "all"},
		{".a = 1", "all"},
		/* more than one filter */
		{"{ .a = 1 } && { .b = 2 }", "all"},
		{"{ .a = 1 } >> { .b = }", "all"},
		{"{ .a = 1 } | count() > 1", "all"},
		{"{ .a = 1 } | rate()", "all"},
		{"({ .a = 1 } | count() > 1) && ({ .b = 1 })", "all"},
		{"{ .a = 1 } | ", "all"},
		/* incomplete */
		{"{ .a = }", "all"},
		{"{ .a = 1 && .b = }", ".a = 1"},
		{"{ .b = && .a = 1 }", ".a = 1"},
		{"{ .a = 1 && }", ".a = 1"},
		{"{ && .a = 1 }", ".a = 1"},
		{"{ .a = 1 &&", ".a = 1"},
		{"{ .a = 1", ".a = 1"},
		{"{ .a = 1 && .b", ".a = 1"},
		{"{ .a = 1 && .b = \"unclosed }", ".a = 1"},
		{"{ .a = 1 && .b = `unclosed && .c = 2 }", ".a = 1"},
		{"{ .a = 1 && .b = 2 && . }", "(.a = 1) && (.b = 2)"},
		{"{ .a = 1 && = 2 && .c = 3 }", "(.a = 1) && (.c = 3)"},
		{"{ .a = 1 || .b = }", "all"},
		{"{ (.a = 1 || .b = ) && .c = 3 }", ".c = 3"},
		{"{ .c = 3 && (.a = 1 || .b = 2", "(.c = 3) && ((.a = 1) || (.b = 2))"},
		{"{ (.a = 1 && .b = ) || (.c = 3 && .d = 4) }", "(.a = 1) || ((.c = 3) && (.d = 4))"},
		{"{ (.a = 1) = && .b = 2 }", ".b = 2"},
		{"{ .a = \"x && y || z }\" && .b = }", ".a = `x && y || z }`"},
		{"{ span.\"a && b\" = 1 && .c = }", "span.\"a && b\" = 1"},
		{"{ .a = 1 // why\n && .b = }", ".a = 1"},
		/* wrong or unsupported, one at a time */
		{"{ status = 2 && .a = 1 }", ".a = 1"},
		{"{ parent.x = 1 && .a = 1 }", ".a = 1"},
		{"{ .a =~ \"(\" && .b = 1 }", ".b = 1"},
		{"{ .a = 1 && name = nil }", ".a = 1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
	{
		uint32_t groups;

		is_str(text_of(traceql_tolerant_filter(arena, str_lit(cases[i].query), &groups)), cases[i].filter,
			   cases[i].query);
	}
}

static uint32_t
groups_of(const char *query)
{
	uint32_t groups;

	traceql_tolerant_filter(arena, str_lit(query), &groups);
	return groups;
}

/* { c op c op ... } of n comparisons, unfinished or not. */
static const char *
chain(uint32_t n, const char *comparison, const char *op, const char *tail)
{
	Buf buf;

	buf_init(&buf, arena, 1024);
	buf_put(&buf, "{ ", 2);
	for (uint32_t i = 0; i < n; i++)
	{
		if (i)
			buf_put(&buf, op, strlen(op));
		buf_put(&buf, comparison, strlen(comparison));
	}
	buf_put(&buf, tail, strlen(tail) + 1);
	return (char *) buf.p;
}

static void
test_groups(void)
{
	is_i64(groups_of("{ }"), 1, "no filter is one group");
	is_i64(groups_of("{ .a = 1 && .b = 2 }"), 1, "&& makes no groups");
	is_i64(groups_of("{ .a = 1 || .b = 2 || .c = 3 }"), 3, "|| does");
	is_i64(groups_of("{ (.a = 1 || .b = 2) && (.c = 1 || .d = 2 || .e = 3) }"), 6, "they multiply out");
	is_i64(groups_of(chain(101, ".a = 1", " || ", " }")), 101, "a long chain");
	is_i64(groups_of(chain(40, "(.a = 1 || .b = 2)", " && ", " }")), UINT32_MAX, "a great many");
	is_i64(groups_of(chain(40, "(.a = 1 || .b = 2)", " && ", " && .c =")), UINT32_MAX, "unfinished, too");
}

/* Sizes at which recursion or a table might give way. */
static void
test_large(void)
{
	uint32_t groups;

	ok(traceql_tolerant_filter(arena, str_lit(chain(900, ".a = 1", " && ", " && .b = }")), &groups) != NULL,
	   "900 comparisons");
	is_str(text_of(traceql_tolerant_filter(arena, str_lit(chain(20000, "a", "&&", "}")), &groups)), "all",
		   "20000 pieces");
	is_str(text_of(traceql_tolerant_filter(arena, str_lit(chain(60000, "", "(", ".a = 1")), &groups)), "all",
		   "60000 parentheses");
	is_str(text_of(traceql_tolerant_filter(arena, str_lit(chain(40, "", "(", ".a = 1 && .b")), &groups)),
		   ".a = 1", "40 parentheses");
	is_str(text_of(traceql_tolerant_filter(arena, str_lit(chain(70000, "a", "&&", "}")), &groups)), "all",
		   "more than 128 KiB");
	is_str(text_of(traceql_tolerant_filter(arena, str_of("{ .a = 1 && \xff\0 }", 17), &groups)), "all",
		   "not UTF-8");
}

static const char *
pinned(const char *query, const char *tag)
{
	const TraceqlStatic *value;
	TraceqlAttr attr;
	uint32_t groups;
	Buf buf;

	if (!traceql_read_attr(arena, str_lit(tag), &attr))
		return "not a tag";
	value = traceql_pinned(traceql_tolerant_filter(arena, str_lit(query), &groups), &attr);
	if (!value)
		return "free";
	buf_init(&buf, arena, 64);
	traceql_print_static(value, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

static void
test_pinned(void)
{
	is_str(pinned("{ .a = `x` }", ".a"), "`x`", "the only comparison");
	is_str(pinned("{ .b = 1 && .a = 5 && .c = ", ".a"), "5", "one of several");
	is_str(pinned("{ `x` = .a && .b = 1 }", ".a"), "`x`", "literal first");
	is_str(pinned("{ status = error }", "span:status"), "error", "an intrinsic in its other spelling");
	is_str(pinned("{ .a = `x` }", "span.a"), "free", "another scope");
	is_str(pinned("{ .a != `x` }", ".a"), "free", "another operator");
	is_str(pinned("{ .a = `x` || .b = 1 }", ".a"), "free", "an alternative");
	is_str(pinned("{ .a = .b }", ".a"), "free", "no literal");
	is_str(pinned("{ }", ".a"), "free", "no filter");
}

static const char *
tag(const char *text)
{
	TraceqlAttr attr;
	Buf buf;

	if (!traceql_read_attr(arena, str_lit(text), &attr))
		return "not a tag";
	buf_init(&buf, arena, 64);
	traceql_print_attr(&attr, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

static void
test_names(void)
{
	static const struct
	{
		const char *text;
		const char *tag;
	} cases[] = {{".foo", ".foo"},
				 {"span.http.method", "span.http.method"},
				 {"resource.a/b", "resource.a/b"},
				 {"event.\"a b\"", "event.\"a b\""},
				 {"instrumentation.x", "instrumentation.x"},
				 {"link.x", "link.x"},
				 {"name", "name"},
				 {"span:name", "name"},
				 {"trace:rootService", "rootServiceName"},
				 {"event:name", "event:name"},
				 {"foo", "not a tag"},
				 {"", "not a tag"},
				 {"span.", "not a tag"},
				 {".a, .b", "not a tag"},
				 {".a) | select(.b", "not a tag"},
				 {".a) with (x=1", "not a tag"},
				 {".a) | rate(", "not a tag"},
				 {"{ }", "not a tag"},
				 {"1", "not a tag"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		is_str(tag(cases[i].text), cases[i].tag, cases[i].text);
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_filters();
	test_groups();
	test_large();
	test_pinned();
	test_names();
	arena_destroy(arena);
	return unit_done();
}
