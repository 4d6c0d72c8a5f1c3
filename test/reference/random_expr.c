/*
 * random_expr.c
 *	  Random field expressions, production by production, with attributes and values of the spans at hand.
 */
#include "random_parts.h"

#include <stdio.h>
#include <string.h>

#define P_ROW(name, text) {text, 0},

static Production productions[] = {PRODUCTIONS(P_ROW)};
static const Data *data;
Out q;

void
begin_query(const Data *about)
{
	data = about;
	q = (Out){0};
}

const Production *
random_productions(int *n)
{
	*n = NPRODUCTIONS;
	return productions;
}

void
use(int production)
{
	productions[production].n++;
}

void
put(const char *z)
{
	out_bytes(&q, z, strlen(z));
}

void
put_use(int production, const char *z)
{
	use(production);
	put(z);
}

/* ---- values of the data ---- */

static Text
field_text(Scope scope, Text key)
{
	static const int production[] = {
		[S_ANY] = P_ANY,     [S_SPAN] = P_SPAN, [S_RESOURCE] = P_RESOURCE,
		[S_EVENT] = P_EVENT, [S_LINK] = P_LINK, [S_INSTRUMENTATION] = P_INSTRUMENTATION};
	Field f = {.scope = scope, .key = key};
	Text text = print_field(&f);

	use(production[scope]);
	if (memchr(text.p, '"', text.n))
		use(P_QUOTED);
	else if (chance(5))
	{
		Out quoted = {0};

		use(P_QUOTED);
		out_fmt(&quoted, "%.*s\"%.*s\"", (int) (text.n - key.n), text.p, (int) key.n, key.p);
		return out_done(&quoted);
	}
	return text;
}

static Sample
of_attrs(Scope scope, const Attrs *attrs)
{
	const Attr *a = &attrs->a[rnd(attrs->n)];

	return (Sample){field_text(scope, a->key), a->value};
}

static Sample
of_intrinsic(const Span *span)
{
	static const struct
	{
		const char *plain;
		const char *scoped;
		Intrinsic i;
	} list[] = {{"duration", "span:duration", I_DURATION},
				{"name", "span:name", I_NAME},
				{"status", "span:status", I_STATUS},
				{"statusMessage", "span:statusMessage", I_STATUS_MESSAGE},
				{"kind", "span: kind", I_KIND},
				{"traceDuration", "trace:duration", I_TRACE_DURATION},
				{"rootName", "trace:rootName", I_ROOT_NAME},
				{"rootServiceName", "trace:rootService", I_ROOT_SERVICE},
				{"nestedSetLeft", NULL, I_LEFT},
				{"nestedSetRight", NULL, I_RIGHT},
				{"nestedSetParent", NULL, I_UP},
				{NULL, "trace:id", I_TRACE_ID},
				{NULL, "span:id", I_SPAN_ID},
				{NULL, "span:parentID", I_PARENT_ID},
				{NULL, "span:childCount", I_CHILDREN},
				{NULL, "event:name", I_EVENT_NAME},
				{NULL, "event:timeSinceStart", I_EVENT_SINCE},
				{NULL, "link:traceID", I_LINK_TRACE},
				{NULL, "link:spanID", I_LINK_SPAN},
				{NULL, "instrumentation:name", I_SCOPE_NAME},
				{NULL, "instrumentation:version", I_SCOPE_VERSION}};
	int i = rnd((int) (sizeof(list) / sizeof(list[0])));
	bool scoped = !list[i].plain || (list[i].scoped && chance(40));
	Field f = {.scope = S_INTRINSIC, .intrinsic = list[i].i};

	use(scoped ? P_SCOPED_INTRINSIC : P_INTRINSIC);
	return (Sample){text_of(scoped ? list[i].scoped : list[i].plain),
					eval_field(&f, (At){span, AT_FIRST, AT_FIRST})};
}

static const Span *
some_span(void)
{
	return data->spans[rnd(data->nspans)];
}

static const Span *
span_with(bool events)
{
	const Span *span = some_span();

	for (int i = 0; i < 30 && (events ? span->nevents : span->nlinks) == 0; i++)
		span = some_span();
	return span;
}

Sample
sample(void)
{
	static const char *const missing[] = {"missing", "gone", "cluster"};
	const Span *span = some_span();
	int at = rnd(100);

	if (at < 3)
	{
		use(P_MISSING);
		return (Sample){field_text((Scope) rnd(6), text_of(missing[rnd(3)])), {.type = T_INT, .i = 1}};
	}
	if (at < 40 && span->attrs.n)
		return of_attrs(chance(60) ? S_SPAN : S_ANY, &span->attrs);
	if (at < 55)
		return of_attrs(chance(60) ? S_RESOURCE : S_ANY, span->resource);
	if (at < 62 && (span = span_with(true))->nevents)
	{
		const Attrs *attrs = &span->events[rnd(span->nevents)].attrs;

		if (attrs->n)
			return of_attrs(S_EVENT, attrs);
	}
	if (at < 68 && (span = span_with(false))->nlinks)
	{
		const Attrs *attrs = &span->links[rnd(span->nlinks)].attrs;

		if (attrs->n)
			return of_attrs(S_LINK, attrs);
	}
	if (at < 72 && span->scope->n)
		return of_attrs(S_INSTRUMENTATION, span->scope);
	return of_intrinsic(chance(30) ? span_with(chance(60)) : span);
}

/* ---- literals ---- */

static void
put_string(Text s)
{
	if (!memchr(s.p, '`', s.n) && !memchr(s.p, '\r', s.n) && chance(30))
	{
		put_use(P_RAW_STRING, "`");
		out_text(&q, s);
		put("`");
		return;
	}
	put_use(P_STRING, "\"");
	for (size_t i = 0; i < s.n; i++)
	{
		if (s.p[i] == '"' || s.p[i] == '\\')
			put("\\");
		out_bytes(&q, s.p + i, 1);
	}
	put("\"");
}

static void
put_int(int64_t i)
{
	if (i == INT64_MIN || i == INT64_MAX)
		put_use(P_INT_END, i < 0 ? "minInt" : "maxInt");
	else
	{
		use(P_INT);
		out_fmt(&q, "%lld", (long long) i);
	}
}

static void
put_float(double d)
{
	char text[64];

	snprintf(text, sizeof(text), "%.12g", d);
	put_use(P_FLOAT, text);
	if (!strpbrk(text, ".e"))
		put(".0");
}

void
put_literal(Val v)
{
	static const char *const days[] = {"1d", "1d12h", "1w", "1h30m"};

	switch (v.type)
	{
		case T_STRING: put_string(v.s); break;
		case T_INT: put_int(v.i); break;
		case T_FLOAT: put_float(v.d); break;
		case T_DURATION:
			use(P_DURATION);
			out_text(&q, chance(2) ? text_of(days[rnd(4)]) : print_duration(v.i));
			break;
		case T_BOOL: put_use(P_BOOL, v.i ? "true" : "false"); break;
		case T_STATUS: put_use(P_STATUS, status_word(v.i)); break;
		case T_KIND: put_use(P_KIND, kind_word(v.i)); break;
		default: put_int(rnd(3)); break;
	}
}

/* Another value of the same type, near it at times. */
static Val
varied(Val v)
{
	switch (v.type)
	{
		case T_INT:
			if (chance(4))
				v.i = chance(50) ? INT64_MIN : INT64_MAX;
			else
				v.i = (int64_t) ((uint64_t) v.i + (uint64_t) (rnd(3) - 1));
			break;
		case T_FLOAT: v.d += rnd(3) - 1; break;
		case T_DURATION: v.i += (rnd(3) - 1) * 1000000; break;
		case T_BOOL: v.i = rnd(2); break;
		case T_STATUS: v.i = rnd(3); break;
		case T_KIND: v.i = rnd(6); break;
		case T_STRING:
			if (chance(50) && v.s.n && (unsigned char) v.s.p[v.s.n - 1] < 0x80)
				v.s.n--;
			else
				v.s = some_span()->name;
			break;
		default: break;
	}
	return v;
}

/* What to compare a value with: the value, an element of it, another. */
Val
literal_for(Val v)
{
	static const Type types[] = {T_STRING, T_INT, T_FLOAT, T_BOOL, T_DURATION, T_STATUS, T_KIND};

	if (v.type == T_ARRAY)
		v = v.items[rnd(v.n)];
	if (chance(2))
	{
		use(P_WRONG);
		return (Val){.type = types[rnd(7)], .i = rnd(3), .d = 1.5, .s = text_of("x")};
	}
	if (chance(8) && (v.type == T_INT || v.type == T_DURATION))
		return (Val){.type = chance(50)        ? T_FLOAT
							 : v.type == T_INT ? T_DURATION
											   : T_INT,
					 .i = v.i,
					 .d = (double) v.i};
	return chance(30) ? varied(v) : v;
}

/* ---- comparisons ---- */

const char *
comparison(Type type)
{
	static const struct
	{
		int production;
		const char *text;
	} list[] = {{P_EQ, " = "}, {P_NE, " != "}, {P_LT, " < "}, {P_LE, " <= "}, {P_GT, " > "}, {P_GE, " >= "}};
	bool ordered = type != T_BOOL && type != T_STATUS && type != T_KIND;
	int i = ordered && !chance(1) ? rnd(6) : rnd(2);

	if (chance(30))
		i = 0;
	use(list[i].production);
	return list[i].text;
}

static void
put_escaped(Out *out, Text s)
{
	for (size_t i = 0; i < s.n; i++)
	{
		if (strchr(".*+?()[]{}|^$\\/", s.p[i]) && s.p[i])
			out_fmt(out, "\\");
		out_bytes(out, s.p + i, 1);
	}
}

static void
put_regex(Text s)
{
	Out out = {0};
	size_t half = s.n / 2;

	while (half && ((unsigned char) s.p[half] & 0xc0) == 0x80)
		half--;
	switch (rnd(8))
	{
		case 0: out_fmt(&out, ".*"); break;
		case 1:
			put_escaped(&out, (Text){s.p, half});
			out_fmt(&out, ".*");
			break;
		case 2:
			out_fmt(&out, ".*");
			put_escaped(&out, (Text){s.p + half, s.n - half});
			break;
		case 3:
			out_fmt(&out, ".*");
			put_escaped(&out, (Text){s.p, half});
			out_fmt(&out, ".+");
			break;
		case 4:
			out_fmt(&out, "(?i)");
			put_escaped(&out, s);
			break;
		case 5:
			put_escaped(&out, s);
			out_fmt(&out, "|GET.*|x");
			break;
		case 6: out_fmt(&out, "[a-z]+[^ ]*"); break;
		default: put_escaped(&out, s); break;
	}
	put_string(out_done(&out));
}

static void
put_compare(void)
{
	Sample s = sample();
	Val v = literal_for(s.value);

	if (v.type == T_STRING && chance(25))
	{
		bool match = chance(60);

		out_text(&q, s.text);
		put_use(match ? P_RE : P_NRE, match ? " =~ " : " !~ ");
		put_regex(v.s);
	}
	else if (chance(10))
	{
		use(P_LITERAL_FIRST);
		put_literal(v);
		put(comparison(v.type));
		out_text(&q, s.text);
	}
	else
	{
		out_text(&q, s.text);
		put(comparison(v.type));
		put_literal(v);
	}
}

/* .a = x || .a = y, and the like */
static void
put_chain(void)
{
	Sample s = sample();
	int n = 2 + rnd(3);
	bool any = chance(60);
	bool regex = s.value.type == T_STRING && chance(30);

	use(P_CHAIN);
	use(any ? regex ? P_RE : P_EQ : regex ? P_NRE : P_NE);
	for (int i = 0; i < n; i++)
	{
		if (i)
			put_use(any ? P_OR : P_AND, any ? " || " : " && ");
		out_text(&q, s.text);
		put(any ? regex ? " =~ " : " = " : regex ? " !~ " : " != ");
		if (regex)
			put_regex(varied(s.value).s);
		else
			put_literal(i ? varied(literal_for(s.value)) : literal_for(s.value));
	}
}

static void
put_nil(void)
{
	Sample s = sample();
	bool is = chance(50);

	use(is ? P_IS_NIL : P_NOT_NIL);
	if (chance(20))
	{
		put_use(P_NIL_FIRST, is ? "nil = " : "nil != ");
		out_text(&q, s.text);
	}
	else
	{
		out_text(&q, s.text);
		put(is ? " = nil" : " != nil");
	}
}

/* ---- arithmetic ---- */

Sample
numeric_sample(void)
{
	Sample s = sample();

	for (int i = 0; i < 10 && !is_number(&s.value); i++)
		s = sample();
	return s;
}

static void put_number_operand(int depth);

void
put_arith(int depth)
{
	static const struct
	{
		int production;
		const char *text;
	} list[] = {{P_ADD, " + "}, {P_SUB, " - "}, {P_MUL, " * "},
				{P_DIV, " / "}, {P_MOD, " % "}, {P_POW, " ^ "}};
	int i = rnd(6);

	put_number_operand(depth - 1);
	put_use(list[i].production, list[i].text);
	put_number_operand(depth - 1);
}

static void
put_number_operand(int depth)
{
	int at = rnd(100);

	if (depth > 0 && at < 15)
	{
		put_use(P_PARENS, "(");
		put_arith(depth);
		put(")");
	}
	else if (depth > 0 && at < 25)
		put_arith(depth);
	else if (at < 32)
	{
		put_use(P_NEG, "-");
		out_text(&q, numeric_sample().text);
	}
	else if (at < 65)
		out_text(&q, numeric_sample().text);
	else
	{
		Val v = numeric_sample().value;

		put_literal(is_number(&v) && chance(40) ? v : (Val){.type = T_INT, .i = 1 + rnd(4)});
	}
}

static void
put_arith_compare(void)
{
	put_arith(1);
	put(comparison(T_INT));
	if (chance(50))
		put_literal(literal_for(numeric_sample().value));
	else
		put_number_operand(1);
}

static void
put_folded(void)
{
	static const char *const list[] = {"1 + 1 = 2",
									   "7 / 2 = 3",
									   "2 ^ 3 = 9",
									   "-7 % 3 = -1",
									   "1s + 1s = 2s",
									   "1.0 / 0 > 1",
									   "1 / 0 = 1",
									   "\"a\" < \"b\"",
									   "\"abc\" =~ \"a.*\"",
									   "nil = nil",
									   "nil != nil",
									   "1 != nil",
									   "\"nil\" = nil",
									   "duration > 2 * 50ms",
									   ".ratio = 1 + 0.5",
									   ".a = 2 + 3",
									   "span.size > -(1 - 3)",
									   "true = true",
									   "!false",
									   "(1 = 1) = span.retry"};

	put_use(P_FOLDED, list[rnd((int) (sizeof(list) / sizeof(list[0])))]);
}

/* ---- boolean expressions ---- */

static void
put_bool_leaf(void)
{
	int at = rnd(100);

	if (at < 60)
		put_compare();
	else if (at < 66)
		put_chain();
	else if (at < 74)
		put_nil();
	else if (at < 80)
		put_arith_compare();
	else if (at < 84)
	{
		use(P_FIELDS);
		out_text(&q, sample().text);
		put(comparison(T_BOOL));
		out_text(&q, sample().text);
	}
	else if (at < 88)
	{
		put_use(P_BARE, chance(50) ? "span.retry" : ".mix");
	}
	else if (at < 91)
		put_use(P_NOT_FIELD, "!span.retry");
	else if (at < 94)
		put_use(P_TRUTH, chance(60) ? "true" : "false");
	else if (at < 97)
		put_folded();
	else
		put_compare();
}

void
put_bool(int depth)
{
	int at = rnd(100);

	if (depth == 0 || at < 45)
		put_bool_leaf();
	else if (at < 62)
	{
		put_bool(depth - 1);
		put_use(P_AND, " && ");
		put_bool(depth - 1);
	}
	else if (at < 82)
	{
		put_bool(depth - 1);
		put_use(P_OR, " || ");
		put_bool(depth - 1);
	}
	else if (at < 91)
	{
		put_use(P_NOT, "!(");
		put_bool(depth - 1);
		put(")");
	}
	else
	{
		put_use(P_PARENS, "(");
		put_bool(depth - 1);
		put(")");
	}
}
