/*
 * test_traceql_lang.c
 *	  The TraceQL parser: verdicts on queries, precedence, canonical text, positions and messages.
 */
#include <math.h>

#include "traceql/lang/ast.h"
#include "traceql/lang/regex.h"
#include "unit.h"
#include "verdict_cases.h"

_Static_assert((int) PARSE == TQL_ERROR_PARSE && (int) INVALID == TQL_ERROR_VALIDATION &&
				   (int) UNSUPPORTED == TQL_ERROR_UNSUPPORTED && (int) VALID == TQL_ERROR_NONE,
			   "verdicts are kinds of errors");

static const char *const verdict_names[] = {"valid", "parse error", "validation error", "unsupported"};

static Arena *arena;

static const char *
printed(const TraceqlQuery *query)
{
	Buf buf;

	buf_init(&buf, arena, 256);
	traceql_print_query(query, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

/* ---- verdicts ---- */

static void
test_verdicts(void)
{
	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++)
	{
		TraceqlError err;
		TraceqlQuery *query = traceql_parse(arena, str_lit(verdict_cases[i].query), &err);

		CaseVerdict want = verdict_cases[i].verdict;

		if (!ok((CaseVerdict) err.kind == want && (query != NULL) == (want == VALID), "%s: %s",
				verdict_names[want], verdict_cases[i].query))
			printf("# is %s: %s\n", verdict_names[err.kind], err.message ? err.message : "");
	}
}

/* ---- canonical text: grouping, folding, literals ---- */

typedef struct Printed
{
	const char *query;
	const char *text;
} Printed;

static const Printed texts[] = {
	/* precedence */
	{"{ .a || .b && .c }", "{ (.a || .b) && .c }"},
	{"{ .a && .b || .c && .d }", "{ ((.a && .b) || .c) && .d }"},
	{"{ .a = .b = .c }", "{ (.a = .b) = .c }"},
	{"{ -.a ^ 2 = 1 }", "{ (-(.a ^ 2)) = 1 }"},
	{"{ -.a * .b = 1 }", "{ (-(.a * .b)) = 1 }"},
	{"{ -.a + .b = 1 }", "{ ((-.a) + .b) = 1 }"},
	{"{ .a - .b - .c = 1 }", "{ ((.a - .b) - .c) = 1 }"},
	{"{ .a ^ .b ^ .c = 1 }", "{ (.a ^ (.b ^ .c)) = 1 }"},
	{"{ .a + .b * .c % .d = 1 }", "{ (.a + ((.b * .c) % .d)) = 1 }"},
	{"{ !.a * .b }", "{ !(.a * .b) }"},
	{"{ !.a + .b }", "{ (!.a) + .b }"},
	{"{ !.a = .b }", "{ (!.a) = .b }"},
	{"{ !.a && .b }", "{ (!.a) && .b }"},
	{"{ !(.a = 1) || .b }", "{ (!(.a = 1)) || .b }"},
	{"{ .a = nil && .b != nil }", "{ (.a = nil) && (.b != nil) }"},
	{"{ nil = .a }", "{ .a = nil }"},
	{"{.a} > {.b} && {.c} > {.d}", "({ .a } > { .b }) && ({ .c } > { .d })"},
	{"{.a} && {.b} > {.c}", "{ .a } && ({ .b } > { .c })"},
	{"{.a} > {.b} >> {.c}", "({ .a } > { .b }) >> { .c }"},
	{"{.a} || {.b} && {.c}", "({ .a } || { .b }) && { .c }"},
	{"2 + 3 * ({} | rate())", "2 + (3 * ({ true } | rate()))"},
	{"-2 - 20 / ({} | rate())", "-2 - (20 / ({ true } | rate()))"},
	{"({} | rate()) - ({} | rate()) - 1 > 2", "(({ true } | rate()) - ({ true } | rate())) - 1 > 2"},
	{"({.a}|{.b}) && ({.c}) > ({.d}|{.e})", "({ .a } | { .b }) && ({ .c }) > ({ .d } | { .e })"},
	{"({.a}|{.b}) && ({.c}) > ({.d})", "({ .a } | { .b }) && ({ .c } > { .d })"},
	{"(({.a}|{.b}) && ({.c}|{.d})) > ({.e})", "(({ .a } | { .b }) && ({ .c } | { .d })) > ({ .e })"},
	/* every spanset operator */
	{"{.a} ~ {.b} | {.a} !> {.b} | {.a} !>> {.b} | {.a} !< {.b} | {.a} !<< {.b} | {.a} !~ {.b}",
	 "{ .a } ~ { .b } | { .a } !> { .b } | { .a } !>> { .b } | { .a } !< { .b } | { .a } !<< { .b } | { .a } "
	 "!~ { .b }"},
	{"{.a} &> {.b} | {.a} &>> {.b} | {.a} &< {.b} | {.a} &<< {.b} | {.a} &~ {.b} | {.a} < {.b} | {.a} << "
	 "{.b}",
	 "{ .a } &> { .b } | { .a } &>> { .b } | { .a } &< { .b } | { .a } &<< { .b } | { .a } &~ { .b } | { .a "
	 "} < { .b } | "
	 "{ .a } << { .b }"},
	/* attributes */
	{"{ span.\"a b\" = 1 }", "{ span.\"a b\" = 1 }"},
	{"{ span.a\"b c\".d = 1 }", "{ span.\"ab c.d\" = 1 }"},
	{"{ .\"\" = 1 }", "{ .\"\" = 1 }"},
	{"{ .\"a\\\"b\" = 1 }", "{ .\"a\\\"b\" = 1 }"},
	{"{ .\"plain\" = 1 }", "{ .plain = 1 }"},
	{"{ .\"1a\" = 1 }", "{ .\"1a\" = 1 }"},
	{"{ span.1 = 1 }", "{ span.1 = 1 }"},
	{"{ .foo/*c*/ = 1 }", "{ .foo/*c*/ = 1 }"},
	{"{ .a+.b = 1 }", "{ .a+.b = 1 }"},
	{"{ .a^2 = 4 }", "{ (.a ^ 2) = 4 }"},
	{"{ event.a = 1 && link.b = 2 && instrumentation.c = 3 }",
	 "{ ((event.a = 1) && (link.b = 2)) && (instrumentation.c = 3) }"},
	{"{ trace: duration > 1s && span:status = error }", "{ (traceDuration > 1s) && (status = error) }"},
	{"{ trace:rootService = \"a\" && trace:rootName = \"b\" }",
	 "{ (rootServiceName = `a`) && (rootName = `b`) }"},
	{"{} | by(span:kind) | select(span:name, .b, span:childCount)",
	 "{ true } | by(kind) | select(name, .b, span:childCount)"},
	{"{} | by(.a + .b > 2)", "{ true } | by((.a + .b) > 2)"},
	{"{} | rate() by (parent.a, parent.span.b, parent.\"span.c\")",
	 "{ true } | rate() by(parent.a, parent.span.b, parent.\"span.c\")"},
	/* literals */
	{"{ .a = 010 }", "{ .a = 10 }"},
	{"{ .a = 1. || .a = .5 || .a = 1e3 || .a = 1.5E-7 }",
	 "{ (((.a = 1.0) || (.a = 0.5)) || (.a = 1000.0)) || (.a = 1.5e-07) }"},
	{"{ .a = minInt || .a = maxInt }", "{ (.a = minInt) || (.a = 9223372036854775807) }"},
	{"{ duration > 1d12h }", "{ duration > 36h0m0s }"},
	{"{ duration > 90s || duration > 250ms || duration > 1.5s || duration > 2us }",
	 "{ (((duration > 1m30s) || (duration > 250ms)) || (duration > 1.5s)) || (duration > 2\xc2\xb5s) }"},
	{"{ duration > 1w2d3h4m5s6ms }", "{ duration > 219h4m5.006s }"},
	{"{ duration > .24h || duration > 5s1ns || duration > 0s }",
	 "{ ((duration > 14m24s) || (duration > 5.000000001s)) || (duration > 0s) }"},
	{"{ name = \"a`b\" }", "{ name = \"a`b\" }"},
	{"{ name = \"a\\\\.b\" }", "{ name = `a\\.b` }"},
	{"{ name = \"\\r\\x00\\xff\" }", "{ name = \"\\x0d\\x00\\xff\" }"},
	{"{ name = \"\\u00e9\\101\" }", "{ name = `\xc3\xa9"
									"A` }"},
	{"{ .a = -1.5 }", "{ .a = -1.5 }"},
	{"{ -1 * .a = .b }", "{ (-(1 * .a)) = .b }"},
	{"{ (-1) * .a = .b }", "{ ((-1) * .a) = .b }"},
	/* folding */
	{"{}", "{ true }"},
	{"{ duration > 2 * 500ms }", "{ duration > 1e+09 }"},
	{"{ 1 = 1 }", "{ true }"},
	{"{ 1 / 0 = 1 }", "{ (1 / 0) = 1 }"},
	{"{ 1 % 0 = 1 }", "{ (1 % 0) = 1 }"},
	{"{ .a = 7 / 2 || .a = -7 % 4 || .a = 7.0 / 2 }", "{ ((.a = 3) || (.a = -3)) || (.a = 3.5) }"},
	{"{ .a = minInt / -1 }", "{ .a = minInt }"},
	{"{ .a = maxInt + 1 }", "{ .a = minInt }"},
	{"{ .a = 2 ^ 3 }", "{ .a = 9 }"},
	{"{ .a = 100 ^ 2 }", "{ .a = 9223372036854775807 }"},
	{"{ 1s + 1s = 2s }", "{ true }"},
	{"{ 4s / 2s = 2 }", "{ true }"},
	{"{ \"a\" < \"b\" && true != false && ok = ok && server != client }", "{ true }"},
	{"{ \"abc\" =~ \"a.c\" && \"abc\" !~ \"b\" }", "{ true }"},
	{"{ !(1 > 2.5) }", "{ true }"},
	{"{ 1 = nil || \"nil\" = nil || nil = nil || nil != nil }", "{ false }"},
	{"{ 1 != nil }", "{ true }"},
	{"{ .a > 1.0 / 0 }", "{ .a > (1.0 / 0.0) }"},
	{"{ .a > -1.0 / 0 || .a > 0.0 / 0 }", "{ (.a > (-1.0 / 0.0)) || (.a > (0.0 / 0.0)) }"},
	{"{ trace:id = \"00ab\" }", "{ trace:id = `ab` }"},
	{"{ \"00ab\" != link:traceID }", "{ `ab` != link:traceID }"},
	{"{ span:id = \"00ab\" }", "{ span:id = `00ab` }"},
	{"{ name = \"00ab\" }", "{ name = `00ab` }"},
	{"{} | count() > 2 * 3 - 1 | count() > 5/2 | max(-duration) < -1s | avg(.a) >= -(1 + 0.5)",
	 "{ true } | count() > 5 | count() > 2 | max(-duration) < -1s | avg(.a) >= -1.5"},
	{"{} | count() > -9223372036854775807 - 1", "{ true } | count() > (-9223372036854775807 - 1)"},
	/* metrics */
	{"{} | rate() > 1/2", "{ true } | rate() > 0"},
	{"100/3 * ({} | rate())", "33 * ({ true } | rate())"},
	{"({} | rate()) * 100/4", "(({ true } | rate()) * 100) / 4"},
	{"{} | quantile_over_time(span:duration, 0, .5, 1) by (.a, name) > 1s | topk(3)",
	 "{ true } | quantile_over_time(duration, 0.0, 0.5, 1.0) by(.a, name) > 1s | topk(3)"},
	{"{} | compare({ status = error })", "{ true } | compare({ status = error }, 10)"},
	{"{} | compare({}, 5, 100, 200)", "{ true } | compare({ true }, 5, 100, 200)"},
	{"({} | rate()) > 5 | bottomk(2)", "{ true } | rate() > 5 | bottomk(2)"},
	{"{} | count_over_time() | topk(1) with(a=1) with(sample=0.1, b=`x`)",
	 "{ true } | count_over_time() | topk(1) with(sample=0.1, b=`x`)"},
	{"{} | coalesce() | histogram_over_time(.a)", "{ true } | coalesce() | histogram_over_time(.a)"},
};

static void
test_printing(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		TraceqlError err;
		TraceqlQuery *query = traceql_parse(arena, str_lit(texts[i].query), &err);

		is_str(query ? printed(query) : err.message, texts[i].text, texts[i].query);
	}
}

/* The text of every valid query parses to something that prints the same. */
static bool
round_trip(const char *text)
{
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, str_lit(text), &err);
	const char *first;

	if (query == NULL)
		return true;
	first = printed(query);
	query = traceql_parse(arena, str_lit(first), &err);
	if (query && strcmp(first, printed(query)) == 0)
		return true;
	printf("# %s\n# %s\n# %s\n", text, first, query ? printed(query) : err.message);
	return false;
}

static void
test_round_trip(void)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++)
		bad += !round_trip(verdict_cases[i].query);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		bad += !round_trip(texts[i].query);
	is_i64(bad, 0, "printed queries print the same when parsed again");
}

/* ---- messages ---- */

typedef struct Message
{
	const char *query;
	const char *text;
} Message;

static const Message messages[] = {
	{"{ .a = }", "parse error at line 1, col 8: syntax error: unexpected `}`, expecting a value"},
	{"{ .a & .b }", "parse error at line 1, col 6: syntax error: unexpected character `&`"},
	{"{ .a\n  = 1 }\n| count( > 2",
	 "parse error at line 3, col 10: syntax error: unexpected `>`, expecting `)`"},
	{"{ .\xc3\xa9\xc3\xa9 = \xc3\xa9 }", "parse error at line 1, col 9: unknown identifier: `\xc3\xa9`; an "
										 "attribute is written with a scope, as in .key or "
										 "span.key"},
	{"{ .a = 1",
	 "parse error at line 1, col 9: syntax error: unexpected end of query, expecting `}` or an operator"},
	{"", "parse error at line 1, col 1: syntax error: unexpected end of query, expecting a number, a "
		 "pipeline stage or `{`"},
	{"{} {}", "parse error at line 1, col 4: syntax error: unexpected `{`, expecting end of query, `with`, "
			  "`|` or an operator"},
	{"{ .a = 1 and .b }", "parse error at line 1, col 10: syntax error: unexpected `and`, expecting `}` or "
						  "an operator; write && for and"},
	{"{ span:time }",
	 "parse error at line 1, col 8: syntax error: unexpected `time`, expecting the name of an intrinsic"},
	{"{} | select(1)", "parse error at line 1, col 13: syntax error: unexpected `1`, expecting an attribute"},
	{"{} | rate() | count()",
	 "parse error at line 1, col 15: syntax error: unexpected `count`, expecting `topk` or `bottomk`"},
	{"{ name = 1 }", "invalid query at line 1, col 8: both sides of = must be of the same type, but `name = "
					 "1` has string and int"},
	{"{ name }",
	 "invalid query at line 1, col 3: a filter must be true or false, but `name` is of type string"},
	{"{ name =~ \"(\" }", "invalid query at line 1, col 11: invalid regex `(`: missing closing )"},
	{"{ parent.a = 1 }", "unsupported query at line 1, col 3: parent not yet supported"},
	{"{ . a }",
	 "parse error at line 1, col 3: attribute name missing: it must follow the dot without a space"},
	{"{ .a = 5sec }", "parse error at line 1, col 8: malformed number or duration: write it as in 15, 1.5, "
					  "1e3, 250ms, 1h30m or 1d12h"},
};

static void
test_messages(void)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
	{
		TraceqlError err;

		traceql_parse(arena, str_lit(messages[i].query), &err);
		is_str(err.message ? err.message : "none", messages[i].text, messages[i].query);
	}
}

static void
test_positions(void)
{
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, str_lit("{ .a = 1 } >> { duration > 2s } | by(.b)"), &err);
	const TraceqlSpanset *s = query->search->pipeline->first->spanset;

	is_i64(s->pos, 11, "position of a spanset operator");
	is_i64(s->left->filter->pos, 5, "position of a comparison");
	is_i64(s->right->filter->left->pos, 16, "position of an attribute");
	is_i64(s->right->filter->right->pos, 27, "position of a literal");
	is_i64(query->search->pipeline->last->pos, 34, "position of a stage");
	traceql_parse(arena, str_lit("{ .\xc3\xa9 = 1 }\n}"), &err);
	ok(err.offset == 12 && err.line == 2 && err.column == 1, "offset, line and column of an error");
}

/* ---- size and depth ---- */

/* head, then unit n times, then middle, then tail n times, then end */
static Str
repeated(const char *head, const char *unit, int n, const char *middle, const char *tail, const char *end)
{
	Buf buf;

	buf_init(&buf, arena, 1024);
	buf_put(&buf, head, strlen(head));
	for (int i = 0; i < n; i++)
		buf_put(&buf, unit, strlen(unit));
	buf_put(&buf, middle, strlen(middle));
	for (int i = 0; i < n; i++)
		buf_put(&buf, tail, strlen(tail));
	buf_put(&buf, end, strlen(end));
	return str_of((char *) buf.p, buf.len);
}

static void
deep(const char *name, Str text, bool valid, const char *part)
{
	TraceqlError err;
	TraceqlQuery *query = traceql_parse(arena, text, &err);

	if (!ok(valid ? query != NULL : query == NULL && strstr(err.message, part), "%s", name))
		printf("# %s\n", err.message);
}

static void
test_depth(void)
{
	deep("900 operators in a row", repeated("{ .a", " || .a", 900, "", "", " }"), true, NULL);
	deep("10000 operators in a row", repeated("{ .a", " || .a", 10000, "", "", " }"), false,
		 "nested too deeply");
	deep("10000 powers", repeated("{ .a", " ^ .a", 10000, "", "", " = 1 }"), false, "nested too deeply");
	deep("500 parentheses", repeated("{ ", "(", 500, ".a", ")", " }"), true, NULL);
	deep("10000 parentheses", repeated("{ ", "(", 10000, ".a", ")", " }"), false, "nested too deeply");
	deep("10000 negations", repeated("{ ", "!", 10000, ".a", "", " }"), false, "nested too deeply");
	deep("900 negations", repeated("{ ", "!", 900, ".a", "", " }"), true, NULL);
	deep("10000 parentheses around a spanset", repeated("", "(", 10000, "{}", ")", ""), false,
		 "nested too deeply");
	deep("10000 spanset operators", repeated("{}", ">{}", 10000, "", "", ""), false, "nested too deeply");
	deep("10000 stages", repeated("{}", "|{}", 10000, "", "", ""), true, NULL);
	deep("10000 second stages", repeated("{}|rate()", ">1", 10000, "", "", ""), true, NULL);
	deep("10000 hints", repeated("{} with(a=1", ",a=1", 10000, ")", "", ""), true, NULL);
	deep("10000 attributes", repeated("{}|select(.a", ",.a", 10000, ")", "", ""), true, NULL);
	deep("more than 128 KiB", repeated("{}", " ", 131072, "", "", ""), false, "at most 131072");
	deep("128 KiB", repeated("{}", " ", 131070, "", "", ""), true, NULL);
	deep("NUL in the text", str_of("{ \0 }", 5), false, "NUL");
}

/* ---- numbers for people ---- */

static const char *
duration_text(int64_t ns)
{
	Buf buf;

	buf_init(&buf, arena, 32);
	traceql_print_duration(ns, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

static const char *
float_text(double f)
{
	Buf buf;

	buf_init(&buf, arena, 32);
	traceql_print_float(f, &buf);
	buf_put_u8(&buf, 0);
	return (char *) buf.p;
}

static void
test_numbers(void)
{
	int64_t ns;

	is_str(duration_text(0), "0s", "0");
	is_str(duration_text(1), "1ns", "1 ns");
	is_str(duration_text(-3), "-3ns", "-3 ns");
	is_str(duration_text(2000), "2\xc2\xb5s", "2 us");
	is_str(duration_text(1500000), "1.5ms", "1.5 ms");
	is_str(duration_text(90 * INT64_C(1000000000)), "1m30s", "90 s");
	is_str(duration_text(3600 * INT64_C(1000000000)), "1h0m0s", "1 h");
	is_str(duration_text(INT64_MAX), "2562047h47m16.854775807s", "the longest duration");
	is_str(duration_text(INT64_MIN), "-2562047h47m16.854775808s", "the shortest duration");
	ok(traceql_read_duration(str_lit("2562047h47m16.854775807s"), &ns) && ns == INT64_MAX,
	   "the longest is read back");
	ok(!traceql_read_duration(str_lit("2562047h47m16.854775808s"), &ns), "longer ones are refused");
	ok(!traceql_read_duration(str_lit(""), &ns) && !traceql_read_duration(str_lit("s"), &ns) &&
		   !traceql_read_duration(str_lit(".s"), &ns) && !traceql_read_duration(str_lit("1"), &ns),
	   "a duration needs digits and a unit");
	is_str(float_text(2), "2.0", "2.0");
	is_str(float_text(0.1), "0.1", "0.1");
	is_str(float_text(-0.0), "-0.0", "minus zero");
	is_str(float_text(123456), "123456.0", "six digits");
	is_str(float_text(1234567), "1.234567e+06", "seven digits");
	is_str(float_text(0.0001), "0.0001", "0.0001");
	is_str(float_text(0.00001), "1e-05", "0.00001");
	is_str(float_text(44.20946926289348), "44.20946926289348", "sixteen digits");
	is_str(float_text(5e-324), "5e-324", "the smallest float");
	is_str(float_text(INFINITY), "+Inf", "infinity");
	is_str(float_text(-INFINITY), "-Inf", "minus infinity");
	is_str(float_text(NAN), "NaN", "not a number");
}

/* ---- regular expressions ---- */

typedef struct RegexCase
{
	const char *pattern;
	const char *subject;
	int want; /* 1 matches, 0 does not, -1 refused */
} RegexCase;

static const RegexCase regexes[] = {
	{"GET", "GET", 1},
	{"GET", "GETS", 0},
	{".*ET", "GET", 1},
	{"a|ab", "ab", 1},
	{"", "", 1},
	{"", "x", 0},
	{"a.c", "a\nc", 1},
	{"(?i)x", "X", 1},
	{"(?i:x)y", "XY", 0},
	{"(?-s)a.c", "a\nc", 0},
	{"(?m)^a$\n^b$", "a\nb", 1},
	{"a$", "a\n", 0},
	{"^a$", "a", 1},
	{"^*a", "a", 1},
	{"\\Aa\\z", "a", 1},
	{"\\bfoo\\b", "foo", 1},
	{"a{2,3}", "aaa", 1},
	{"a{2}", "aaa", 0},
	{"a{,2}", "a{,2}", 1},
	{"a{,2}", "aa", 0},
	{"a{x}", "a{x}", 1},
	{"\\d+\\D\\w\\W", "12ab-", 1},
	{"\\d", "\xd9\xa3", 0},
	{"\\s", "\v", 0},
	{"[\\s]", "\v", 0},
	{"[\\S]", "\v", 1},
	{"\\v", "\v", 1},
	{"\\x41\\x{42}\\103", "ABC", 1},
	{"\\Qa.b\\E+", "a.bb", 1},
	{"\\Qa.b", "a.b", 1},
	{"\\pL\\p{Greek}\\PL",
	 "a\xce\xb1"
	 "1",
	 1},
	{"\\p{^Greek}", "a", 1},
	{"[]a]+", "]a", 1},
	{"[^]a]", "b", 1},
	{"[a-c-e]+", "b-e", 1},
	{"[[:alpha:]_-]+", "aB_-", 1},
	{"[[.a.]]", "a]", 1},
	{"[\\-\\]]+", "-]", 1},
	{"(?P<n>a)(?<m>b)", "ab", 1},
	{"\\.\\_\\/", "._/", 1},
	{"]}", "]}", 1},
	{"a+?b*?c??", "aab", 1},
	{"\xf0\x9f\x99\x82+", "\xf0\x9f\x99\x82\xf0\x9f\x99\x82", 1},
	{".", "\xff", 0},
	{"#a b", "#a b", 1},
	{"(", "", -1},
	{")", "", -1},
	{"(a", "", -1},
	{"[a", "", -1},
	{"[z-a]", "", -1},
	{"[[:foo:]]", "", -1},
	{"*a", "", -1},
	{"a**", "", -1},
	{"a*+", "", -1},
	{"a{2}{3}", "", -1},
	{"a{3,2}", "", -1},
	{"a{1001}", "", -1},
	{"a|*", "", -1},
	{"(?=a)", "", -1},
	{"(?!a)", "", -1},
	{"(?<=a)b", "", -1},
	{"(?<!a)b", "", -1},
	{"(?>a)", "", -1},
	{"(?R)", "", -1},
	{"(a)\\1", "", -1},
	{"(a)\\8", "", -1},
	{"(?P<n>a)(?P=n)", "", -1},
	{"(?P<n>a)\\k<n>", "", -1},
	{"(?(1)a|b)", "", -1},
	{"(?#c)", "", -1},
	{"(?x)a", "", -1},
	{"(*UTF)a", "", -1},
	{"(?|a|b)", "", -1},
	{"\\Ka", "", -1},
	{"\\Ga", "", -1},
	{"\\R", "", -1},
	{"\\X", "", -1},
	{"\\C", "", -1},
	{"\\Z", "", -1},
	{"\\h", "", -1},
	{"\\", "", -1},
	{"\\xg", "", -1},
	{"\\x{110000}", "", -1},
	{"\\p{Nonsense}", "", -1},
	{"\xff", "", -1},
};

static void
test_regexes(void)
{
	for (size_t i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++)
	{
		Str pattern = str_lit(regexes[i].pattern);
		TraceqlRegexError err = {{0}, 0};
		int got = -1;

		if (traceql_regex_valid(arena, pattern, &err))
			got = traceql_regex_matches(arena, pattern, str_lit(regexes[i].subject));
		if (!ok(got == regexes[i].want && (got >= 0) == (err.message[0] == 0), "/%s/ on \"%s\"",
				regexes[i].pattern, regexes[i].subject))
			printf("# got %d: %s\n", got, err.message);
	}
	ok(!traceql_regex_valid(arena, repeated("", "(", 10000, "", ")", ""), NULL), "10000 groups are refused");
	ok(!traceql_regex_valid(arena, repeated("", "(a", 3, "", "{1000})", ""), NULL),
	   "a huge pattern is refused");
	is_i64(traceql_regex_matches(arena, str_lit("(x+x+)+y?"),
								 str_lit("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxz")),
		   -1, "a match that takes too long is given up");
}

/* ---- queries from outside ---- */

/* Value of the next "q": "..." after *pos, unescaped; NULL at the end. Enough of JSON for that file. */
static char *
next_query(const char **pos)
{
	const char *p = strstr(*pos, "\"q\":");
	Buf buf;

	if (p == NULL)
		return NULL;
	buf_init(&buf, arena, 256);
	for (p = strchr(p + 4, '"') + 1; *p && *p != '"'; p++)
		buf_put_u8(&buf, *p == '\\' ? *++p : *p);
	buf_put_u8(&buf, 0);
	*pos = p;
	return (char *) buf.p;
}

static void
test_conformance_queries(void)
{
	const char *shared = getenv("TEMPO_SHARED");
	char path[4096];
	const char *pos;
	char *text;
	char *query;
	size_t size;
	FILE *f;
	int n = 0;
	int bad = 0;

	snprintf(path, sizeof(path), "%s/conformance/queries.json", shared ? shared : "../shared");
	f = fopen(path, "rb");
	if (f == NULL)
	{
		skip("no conformance queries here");
		return;
	}
	text = malloc(4 << 20);
	size = fread(text, 1, (4 << 20) - 1, f);
	text[size] = 0;
	fclose(f);
	for (pos = text; (query = next_query(&pos)) != NULL; n++)
	{
		TraceqlError err;
		/* the one kind of query among them that Tempo refuses too */
		bool valid = strstr(query, "resource.service.name = nil") == NULL;

		if ((traceql_parse(arena, str_lit(query), &err) != NULL) != valid || !round_trip(query))
		{
			bad++;
			printf("# %s: %s\n", query, err.message ? err.message : "");
		}
	}
	ok(n > 0 && bad == 0, "conformance queries are taken or refused as by Tempo");
	printf("# %d queries, %d wrong\n", n, bad);
	free(text);
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_verdicts();
	test_printing();
	test_round_trip();
	test_messages();
	test_positions();
	test_depth();
	test_numbers();
	test_regexes();
	test_conformance_queries();
	arena_destroy(arena);
	return unit_done();
}
