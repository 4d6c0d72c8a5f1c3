/*
 * test_traceql_lang.c
 *	  The TraceQL parser: verdicts on queries, precedence, canonical text, positions and messages.
 */
#include <math.h>

#include "traceql/lang/ast.h"
#include "traceql/lang/regex.h"
#include "unit.h"

typedef enum Verdict
{
	VALID = TQL_ERROR_NONE,
	PARSE = TQL_ERROR_PARSE,
	INVALID = TQL_ERROR_VALIDATION,
	UNSUPPORTED = TQL_ERROR_UNSUPPORTED
} Verdict;

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

typedef struct Case
{
	const char *query;
	Verdict verdict;
} Case;

static const Case cases[] = {
	/* lexing */
	{"{ .foo-bar.baz/qux = 1 }", VALID},
	{"{ .a+.b = 1 }", VALID},
	{"{ .a + .b = 1 }", VALID},
	{"{ .a*2 = 4 }", VALID},
	{"{ .a^2 = 4 }", VALID},
	{"{ .foo/*c*/ = 1 }", VALID},
	{"{ .foo /* c */ = 1 } // tail", VALID},
	{"{ .foo = 1 // c }", PARSE},
	{"{ span.\"a b\" = 1 }", VALID},
	{"{ span.a\"b c\".d = 1 }", VALID},
	{"{ .\"\" = 1 }", VALID},
	{"{ .\"a\\\"b\" = 1 }", VALID},
	{"{ .\"a\\nb\" = 1 }", PARSE},
	{"{ .\"abc = 1 }", PARSE},
	{"{ . a = 1 }", PARSE},
	{"{ span . a = 1 }", PARSE},
	{"{ .1 = 1 }", VALID},
	{"{ span.1 = 1 }", VALID},
	{"{ .1a = 1 }", PARSE},
	{"{ .🙂 = 1 }", VALID},
	{"{ span.resource.x = 1 }", VALID},
	{"{ parent.span.x = 1 }", UNSUPPORTED},
	{"{ .status = 1 }", VALID},
	{"{ .nil = nil }", VALID},
	{"{ foo = 1 }", PARSE},
	{"{ trace:duration > 1s }", VALID},
	{"{ trace: duration > 1s }", VALID},
	{"{ trace :duration > 1s }", PARSE},
	{"{ traceduration > 1s }", PARSE},
	{"{ .a = 0x10 }", PARSE},
	{"{ .a = 1_000 }", PARSE},
	{"{ .a = 010 }", VALID},
	{"{ .a = 9223372036854775807 }", VALID},
	{"{ .a = 9223372036854775808 }", PARSE},
	{"{ .a = -9223372036854775808 }", PARSE},
	{"{ .a = minInt }", VALID},
	{"{ .a = NaN }", PARSE},
	{"{ .a = 1e3 }", VALID},
	{"{ .a = 1. }", VALID},
	{"{ duration > .5h }", VALID},
	{"{ duration > 1h30m }", VALID},
	{"{ duration > 1d12h }", VALID},
	{"{ duration > 1w2d3h4m5s6ms }", VALID},
	{"{ duration > 1.5d }", PARSE},
	{"{ duration > 1h1d }", PARSE},
	{"{ duration > 5s1ns }", VALID},
	{"{ duration > 1ns5s }", VALID},
	{"{ duration > 10 s }", PARSE},
	{"{ duration > 5sec }", PARSE},
	{"{ duration > 1e3s }", PARSE},
	{"{ duration > 1us }", VALID},
	{"{ duration > 1µs }", VALID},
	{"{ duration > 1μs }", PARSE},
	{"{ name = 'x' }", PARSE},
	{"{ name = `a\\b` }", VALID},
	{"{ name = \"a\\b\" }", VALID},
	{"{ name =~ \"a\\.b\" }", PARSE},
	{"{ name =~ `a\\.b` }", VALID},
	{"{ name = \"a\\u00e9\" }", VALID},
	{"{ .a & & .b }", PARSE},
	{"{ .a && .b", PARSE},
	{"", PARSE},
	{"// nothing", PARSE},
	/* grammar */
	{"{}", VALID},
	{"{ }", VALID},
	{"({})", VALID},
	{"{} && {} || {}", VALID},
	{"{ .a } | { .b }", VALID},
	{"{ .a } = { .b }", PARSE},
	{"{ .a } & { .b }", PARSE},
	{"{ .a } !&& { .b }", PARSE},
	{"{ .a } ! > { .b }", PARSE},
	{"{ .a } !> { .b }", VALID},
	{"{ .a } &>> { .b } &<< { .c }", VALID},
	{"{ .a } >> ({ .b } > { .c })", VALID},
	{"({ .a } | { .b }) >> ({ .c })", VALID},
	{"({ .c }) >> ({ .a } | { .b })", PARSE},
	{"{ .c } >> ({ .a } | { .b })", PARSE},
	{"({ .a } | { .b }) | count() > 1", PARSE},
	{"({ .a } >> { .b }) | count() > 1", VALID},
	{"count() > 1", VALID},
	{"by(.a) | count() > 1", VALID},
	{"select(.a)", VALID},
	{"coalesce()", PARSE},
	{"{} | coalesce() | count() > 1", VALID},
	{"{} | by(.a, .b)", PARSE},
	{"{} | by(.a) | by(.b)", VALID},
	{"{} | by(.a + .b)", VALID},
	{"{} | by(1)", INVALID},
	{"{} | select()", PARSE},
	{"{} | select(.a, name, resource.b)", VALID},
	{"{} | select(.a + 1)", PARSE},
	{"{} | count(.a) > 1", PARSE},
	{"{} | avg() > 1", PARSE},
	{"{} | count()", PARSE},
	{"{} | count() > 1 && { .a }", PARSE},
	{"{} | count() = \"1\"", PARSE},
	{"{} | avg(duration) > 1.5s", VALID},
	{"{} | max(-duration) < -1s", VALID},
	{"{} | count() > 2 * 3", VALID},
	{"{} | count() > 1s + 1s", PARSE},
	{"{} | count() > 1/0", PARSE},
	{"{} | 2 < count()", UNSUPPORTED},
	{"{} | count() > avg(duration)", UNSUPPORTED},
	{"{} | count() + 1 > 2", UNSUPPORTED},
	{"({} | count()) > 2", UNSUPPORTED},
	{"({} | count()) > ({ .a } | count())", UNSUPPORTED},
	{"5 > 3", PARSE},
	{"{} with(most_recent=true)", VALID},
	{"{} with(most_recent=true, foo=1)", VALID},
	{"{} with(a=1) with(b=2)", VALID},
	{"{} with()", PARSE},
	{"{} with(by=1)", PARSE},
	{"{} with(x=-1)", PARSE},
	{"({} with(a=1))", PARSE},
	/* types */
	{"{ true }", VALID},
	{"{ 1 }", INVALID},
	{"{ .a }", VALID},
	{"{ name }", INVALID},
	{"{ .a + 1 }", INVALID},
	{"{ .a + .b }", VALID},
	{"{ status = error }", VALID},
	{"{ status = \"error\" }", INVALID},
	{"{ status = 2 }", INVALID},
	{"{ status > ok }", INVALID},
	{"{ status = server }", INVALID},
	{"{ kind = server }", VALID},
	{"{ kind != nil }", VALID},
	{"{ kind = nil }", INVALID},
	{"{ nil = name }", INVALID},
	{"{ resource.service.name = nil }", INVALID},
	{"{ .service.name = nil }", VALID},
	{"{ event:name = nil }", INVALID},
	{"{ event.x = nil }", VALID},
	{"{ nil = nil }", VALID},
	{"{ nil != nil }", VALID},
	{"{ (nil) = .a }", PARSE},
	{"{ .a > nil }", PARSE},
	{"{ .a = 1 || nil }", PARSE},
	{"{ name = 1 }", INVALID},
	{"{ duration > 1 }", VALID},
	{"{ duration = \"1s\" }", INVALID},
	{"{ traceDuration > 1.5 }", VALID},
	{"{ span:childCount > 1s }", VALID},
	{"{ true < false }", INVALID},
	{"{ \"a\" < \"b\" }", VALID},
	{"{ name + \"x\" = \"y\" }", INVALID},
	{"{ .a && 1 }", INVALID},
	{"{ .a && name = \"x\" }", VALID},
	{"{ !.a }", VALID},
	{"{ !duration }", INVALID},
	{"{ !1 = 1 }", INVALID},
	{"{ -name = \"x\" }", INVALID},
	{"{ -.a = 1 }", VALID},
	{"{ .a < .b < .c }", INVALID},
	{"{ .a = .b = .c }", VALID},
	{"{ name =~ \"(\" }", INVALID},
	{"{ name =~ .x }", INVALID},
	{"{ \"a\" =~ name }", INVALID},
	{"{ name =~ 1 }", INVALID},
	{"{ .a =~ 1 }", INVALID},
	{"{ .a =~ \"(?i)x\" }", VALID},
	{"{ .a =~ \"x(?=y)\" }", INVALID},
	{"{ instrumentation:name = 5 }", VALID},
	{"{ span:id =~ \"a.*\" }", VALID},
	{"{ nestedSetLeft > 1.5 }", VALID},
	{"{ parent = nil }", UNSUPPORTED},
	{"{ parent.a = 1 }", UNSUPPORTED},
	{"{ childCount > 1 }", PARSE},
	{"{ trace:rootServiceName = \"x\" }", PARSE},
	{"{ 1 / 0 = 1 }", VALID},
	{"{} | sum(name) > 1", INVALID},
	{"{} | sum(.name) > 1", VALID},
	{"{} | sum(1) > 1", INVALID},
	{"{} | sum(.a = 1) > 1", INVALID},
	/* metrics */
	{"{} | rate()", VALID},
	{"rate()", PARSE},
	{"{} | rate(.a)", PARSE},
	{"{} | rate() by (.a, span.b, resource.c, name, status)", VALID},
	{"{} | rate() by (.a, .b, .c, .d, .e, .f)", UNSUPPORTED},
	{"{} | quantile_over_time(duration, .9) by (.a, .b, .c, .d)", VALID},
	{"{} | quantile_over_time(duration, .9) by (.a, .b, .c, .d, .e)", UNSUPPORTED},
	{"{} | avg_over_time(duration) by (.a, .b, .c, .d, .e)", UNSUPPORTED},
	{"{} | rate() by ()", PARSE},
	{"{} | rate() by (.a = 1)", PARSE},
	{"{} | rate() | by (.a)", PARSE},
	{"{} | by(.a) | rate()", VALID},
	{"{} | count() > 2 | rate()", VALID},
	{"{} | quantile_over_time(duration)", PARSE},
	{"{} | quantile_over_time(duration, 0, 0.5, 1)", VALID},
	{"{} | quantile_over_time(duration, 1.1)", INVALID},
	{"{} | quantile_over_time(duration, -0.1)", PARSE},
	{"{} | quantile_over_time(duration, 50%)", PARSE},
	{"{} | quantile_over_time(duration * 2, 0.5)", PARSE},
	{"{} | sum_over_time(name)", VALID},
	{"{} | histogram_over_time()", PARSE},
	{"{} | min_over_time(span.x) by (.y)", VALID},
	{"{} | rate() > 10", VALID},
	{"{} | rate() | > 10", PARSE},
	{"{} | rate() > -1.5", VALID},
	{"{} | rate() > 10ms", VALID},
	{"{} | rate() =~ \"x\"", PARSE},
	{"{} | rate() > \"x\"", PARSE},
	{"{} | rate() > 1/2", VALID},
	{"10 < {} | rate()", PARSE},
	{"{} | rate() by (.a) | topk(5)", VALID},
	{"{} | rate() by (.a) | topk(0)", INVALID},
	{"{} | rate() by (.a) | topk(-1)", PARSE},
	{"{} | rate() by (.a) | topk(1.5)", PARSE},
	{"{} | rate() by (.a) > 1 | topk(5) < 10 | bottomk(2)", VALID},
	{"{} | topk(5)", PARSE},
	{"{} | rate() | count() > 1", PARSE},
	{"{} | rate() with(sample=0.1, exemplars=false)", VALID},
	{"{} | rate() with(sample=true) | topk(3)", PARSE},
	{"({} | rate()) / ({ status = error } | rate())", VALID},
	{"({} | rate() by (.a)) * 100 > 5 | topk(3)", VALID},
	{"({} | rate()) % 2", PARSE},
	{"({} | rate()) ^ 2", PARSE},
	{"-({} | rate())", PARSE},
	{"({} | rate()) > ({} | rate())", PARSE},
	{"({} | rate()) + 1s", PARSE},
	{"100 / ({} | rate())", VALID},
	{"{} | rate() / 2", PARSE},
	{"{} | compare({ status = error })", VALID},
	{"{} | compare({ status = error }, 5)", VALID},
	{"{} | compare({ status = error }, 0)", INVALID},
	{"{} | compare({ status = error }, 1001)", INVALID},
	{"{} | compare({ status = error }, 5, 100)", PARSE},
	{"{} | compare({ status = error }, 5, 100, 200)", VALID},
	{"{} | compare({ status = error }, 5, 200, 100)", INVALID},
	{"{} | compare({ status = error }, 5, 0, 0)", VALID},
	{"{} | compare({ status = error }) by (.a)", PARSE},
	{"{} | compare({ status = error }) | topk(3)", INVALID},
	{"{} | compare({ status = error } && {})", PARSE},
	{"({} | compare({ status = error })) * 2", INVALID},
	/* types, further */
	{"{ \"x\" }", INVALID},
	{"{ 1s }", INVALID},
	{"{ status }", INVALID},
	{"{ duration }", INVALID},
	{"{ -.a }", VALID},
	{"{ instrumentation:name }", VALID},
	{"{ kind = 2 }", INVALID},
	{"{ .a = 1 && 2 }", INVALID},
	{"{ duration > 1.5 }", VALID},
	{"{ 1s > 1 }", VALID},
	{"{ nestedSetLeft > 1s }", VALID},
	{"{ \"a\" && \"b\" }", INVALID},
	{"{ .a = 1 = 2 }", INVALID},
	{"{ .a = 1 = true }", VALID},
	{"{ .a =~ \"(\" || .a =~ \"b\" }", INVALID},
	{"{ \"a\" =~ .x || \"b\" =~ .x }", INVALID},
	{"{ -true }", INVALID},
	{"{ -\"a\" = \"b\" }", INVALID},
	{"{ (name) = nil }", INVALID},
	{"{ name + \"\" = nil }", INVALID},
	{"{ span.service.name = nil }", VALID},
	{"{ (.a + 1) = nil }", VALID},
	{"{ .a = 1 = nil }", VALID},
	{"{ nil = .a = true }", VALID},
	{"{ nil = .a = 1 }", INVALID},
	/* spellings of intrinsics */
	{"{ id = \"a\" }", PARSE},
	{"{ traceID = \"a\" }", PARSE},
	{"{ spanID = \"a\" }", PARSE},
	{"{ parentID = \"a\" }", PARSE},
	{"{ rootService = \"a\" }", PARSE},
	{"{ timeSinceStart > 1s }", PARSE},
	{"{ version = \"a\" }", PARSE},
	{"{ span:nestedSetLeft > 1 }", PARSE},
	{"{ trace:name = \"a\" }", PARSE},
	{"{ event:time > 1s }", PARSE},
	{"{ span:traceID = \"a\" }", PARSE},
	{"{ trace.x = 1 }", PARSE},
	{"{ span:id = \"a\" && span:parentID = \"b\" && trace:id != \"c\" && link:traceID = \"d\" && link:spanID "
	 "= \"e\" }",
	 VALID},
	{"{ span:duration > 1s && span:name = \"a\" && span:status = ok && span:statusMessage = \"\" && "
	 "span:kind = client }",
	 VALID},
	{"{ event:timeSinceStart > 1s && event:name = \"a\" && instrumentation:version = \"1\" }", VALID},
	{"{ .by = 1 && span.status = 2 && resource.nil = 3 && parent = 1 }", UNSUPPORTED},
	{"{} | select(parent.a)", UNSUPPORTED},
	{"{} | rate() by (parent.a)", VALID},
	{"{ parent.resource.x = 1 }", UNSUPPORTED},
	/* tokens */
	{"{ .a = 08 }", PARSE},
	{"{ .a = 0b1 }", PARSE},
	{"{ .a == 1 }", PARSE},
	{"{ .a <> 1 }", PARSE},
	{"{ .a = 1 and .b = 2 }", PARSE},
	{"{ !!.a }", VALID},
	{"{ .a =-1 }", VALID},
	{"{ .a =!.b }", VALID},
	{"{ .a =~\"x\" }", VALID},
	{"{ .a = \"x\ny\" }", PARSE},
	{"{ .a = `x\ny` }", VALID},
	{"{ .a = \"\\q\" }", PARSE},
	{"{ .a = \"\\ud800\" }", PARSE},
	{"{ .a = \"\\400\" }", PARSE},
	{"{ .a = \"\\101\\x41\\U0001F642\" }", VALID},
	{"{ .a = 1 /* never closed }", PARSE},
	{"{ .a = 1 /* * / ** */ }", VALID},
	{"{ duration > 1d1w }", PARSE},
	{"{ duration > 1d1h1d }", PARSE},
	{"{ duration > 1y2w }", VALID},
	{"{ duration > 300y }", PARSE},
	{"{ duration > 1.s }", VALID},
	{"{ duration > 1h15m30.918273645s }", VALID},
	{"{ .a = 1e999 }", PARSE},
	{"{ .a = 9999999999999999999999 }", PARSE},
	{"{ \xff = 1 }", PARSE},
	{"{ .\xed\xa0\x80 = 1 }", PARSE},
	/* grammar, further */
	{"count() = 1 && { }", PARSE},
	{"({ .a } | { .b }) | rate()", PARSE},
	{"({ .a } >> { .b }) | rate()", VALID},
	{"({ .a } | { .b }) && ({ .c }) > ({ .d })", VALID},
	{"({ .a } | { .b }) >> { .c }", PARSE},
	{"({} | count() > 1) | count() > 1", PARSE},
	{"{} | (count()) > 1", VALID},
	{"{} | count() > (1 + 2) * -3", VALID},
	{"{} | count() > 2 ^ 3", PARSE},
	{"{} | count() > -1s", VALID},
	{"(({} | count()) + ({} | count())) > 3", UNSUPPORTED},
	{"{} | rate() | topk(3) with(a=1) | topk(3)", PARSE},
	{"{} | rate() by (.a) > 1 | topk(3) <= 100", VALID},
	{"{} with(a=ok, b=server, c=1s, d=\"x\", e=minInt, f=1.5)", VALID},
	{"{} with(a=nil)", PARSE},
	{"{} with(1=1)", PARSE},
	{"({} | rate() > 1) / ({} | rate())", VALID},
	{"(({} | rate()) > 1) / ({} | rate())", PARSE},
	{"({} | rate()) > 1 + ({} | rate())", PARSE},
	{"(({} | rate()) / ({} | rate())) > 0.5", VALID},
	{"(2 + ({} | rate()))", VALID},
	{"1s + ({} | rate())", PARSE},
	{"2 + 3", PARSE},
	{"{} | rate() by (.a) | by(.b)", PARSE},
	{"{} | rate() | {}", PARSE},
	{"({} | rate() by (.a, .b, .c, .d, .e)) * 2", UNSUPPORTED},
	{"({} | rate() by (.a, .b, .c, .d, .e))", VALID},
	{"{} | compare({ 1 })", INVALID},
	{"{} | compare({}, 5, 0, 100)", INVALID},
	{"{} | compare({}) > 1", INVALID},
	{"{} | quantile_over_time(duration, 2)", INVALID},
	{"{} | rate() by (.a) | bottomk(0)", INVALID},
	{"{} {}", PARSE},
	{"{}}", PARSE},
	{"}", PARSE},
	{"{} |", PARSE},
	{"{} >", PARSE},
};

static void
test_verdicts(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		TraceqlError err;
		TraceqlQuery *query = traceql_parse(arena, str_lit(cases[i].query), &err);

		if (!ok((Verdict) err.kind == cases[i].verdict && (query != NULL) == (cases[i].verdict == VALID),
				"%s: %s", verdict_names[cases[i].verdict], cases[i].query))
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

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		bad += !round_trip(cases[i].query);
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
