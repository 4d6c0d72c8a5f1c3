/*
 * print.c
 *	  The one spelling of an expression: names of labels and of what by() and aggregates attach.
 */
#include "ref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
intrinsic_name(Intrinsic i)
{
	static const char *const names[I_COUNT] = {[I_DURATION] = "duration",
											   [I_NAME] = "name",
											   [I_STATUS] = "status",
											   [I_STATUS_MESSAGE] = "statusMessage",
											   [I_KIND] = "kind",
											   [I_TRACE_DURATION] = "traceDuration",
											   [I_ROOT_NAME] = "rootName",
											   [I_ROOT_SERVICE] = "rootServiceName",
											   [I_LEFT] = "nestedSetLeft",
											   [I_RIGHT] = "nestedSetRight",
											   [I_UP] = "nestedSetParent",
											   [I_PARENT] = "parent",
											   [I_TRACE_ID] = "trace:id",
											   [I_SPAN_ID] = "span:id",
											   [I_PARENT_ID] = "span:parentID",
											   [I_CHILDREN] = "span:childCount",
											   [I_EVENT_NAME] = "event:name",
											   [I_EVENT_SINCE] = "event:timeSinceStart",
											   [I_LINK_TRACE] = "link:traceID",
											   [I_LINK_SPAN] = "link:spanID",
											   [I_SCOPE_NAME] = "instrumentation:name",
											   [I_SCOPE_VERSION] = "instrumentation:version"};

	return names[i];
}

const char *
status_word(int64_t i)
{
	return i == 1 ? "ok" : i == 2 ? "error" : "unset";
}

const char *
kind_word(int64_t i)
{
	static const char *const words[] = {"unspecified", "internal", "server",
										"client",      "producer", "consumer"};

	return i >= 0 && i <= 5 ? words[i] : "unspecified";
}

/* number / 10^decimals, without trailing zeros */
static void
put_decimal(Out *out, uint64_t number, int decimals)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%0*llu", decimals + 1, (unsigned long long) number);
	int keep = n;

	while (keep > n - decimals && text[keep - 1] == '0')
		keep--;
	out_bytes(out, text, (size_t) (n - decimals));
	if (keep > n - decimals)
		out_fmt(out, ".%.*s", keep - (n - decimals), text + n - decimals);
}

/* As Go writes durations: 1h2m3.5s, 250ms, 0s. */
Text
print_duration(int64_t ns)
{
	uint64_t u = ns < 0 ? 0 - (uint64_t) ns : (uint64_t) ns;
	uint64_t seconds = u / 1000000000;
	Out out = {0};

	if (ns < 0)
		out_fmt(&out, "-");
	if (u == 0)
		out_fmt(&out, "0s");
	else if (u < 1000)
		out_fmt(&out, "%lluns", (unsigned long long) u);
	else if (u < 1000000)
	{
		put_decimal(&out, u, 3);
		out_fmt(&out, "µs");
	}
	else if (u < 1000000000)
	{
		put_decimal(&out, u, 6);
		out_fmt(&out, "ms");
	}
	else
	{
		if (seconds >= 3600)
			out_fmt(&out, "%lluh", (unsigned long long) (seconds / 3600));
		if (seconds >= 60)
			out_fmt(&out, "%llum", (unsigned long long) (seconds / 60 % 60));
		put_decimal(&out, u % 60000000000, 9);
		out_fmt(&out, "s");
	}
	return out_done(&out);
}

/* The shortest that reads back the same, with a point or, from a million on, an exponent. */
static void
print_float(Out *out, double d)
{
	char text[64];
	int digits = 0, exponent;

	if (isnan(d) || isinf(d))
	{
		out_fmt(out, isnan(d) ? "(0.0 / 0.0)" : d > 0 ? "(1.0 / 0.0)" : "(-1.0 / 0.0)");
		return;
	}
	do
		snprintf(text, sizeof(text), "%.*e", digits, d);
	while (strtod(text, NULL) != d && digits++ < 17);
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent >= -4 && exponent < 6)
	{
		snprintf(text, sizeof(text), "%.*f", digits > exponent ? digits - exponent : 0, d);
		if (!strchr(text, '.'))
			strcat(text, ".0");
	}
	out_fmt(out, "%s", text);
}

static void
print_value(Out *out, const Val *v)
{
	switch (v->type)
	{
		case T_INT:
			if (v->i == INT64_MIN)
				out_fmt(out, "minInt");
			else
				out_fmt(out, "%lld", (long long) v->i);
			break;
		case T_FLOAT: print_float(out, v->d); break;
		case T_STRING: out_fmt(out, "`%.*s`", (int) v->s.n, v->s.p); break;
		case T_BOOL: out_fmt(out, "%s", v->i ? "true" : "false"); break;
		case T_DURATION: out_text(out, print_duration(v->i)); break;
		case T_STATUS: out_fmt(out, "%s", status_word(v->i)); break;
		case T_KIND: out_fmt(out, "%s", kind_word(v->i)); break;
		default: out_fmt(out, "nil"); break;
	}
}

static bool
needs_quotes(Text key)
{
	for (size_t i = 0; i < key.n; i++)
		if (strchr(" \t\r\n{}()=~!<>&|^,\"", key.p[i]) && key.p[i])
			return true;
	return key.n == 0;
}

Text
print_field(const Field *f)
{
	static const char *const prefix[] = {
		[S_ANY] = ".",         [S_SPAN] = "span.", [S_RESOURCE] = "resource.",
		[S_EVENT] = "event.",  [S_LINK] = "link.", [S_INSTRUMENTATION] = "instrumentation.",
		[S_PARENT] = "parent."};
	Out out = {0};

	if (f->scope == S_INTRINSIC)
		return text_of(intrinsic_name(f->intrinsic));
	out_fmt(&out, "%s", prefix[f->scope]);
	if (!needs_quotes(f->key))
		out_text(&out, f->key);
	else
	{
		out_fmt(&out, "\"");
		for (size_t i = 0; i < f->key.n; i++)
		{
			if (f->key.p[i] == '"' || f->key.p[i] == '\\')
				out_fmt(&out, "\\");
			out_bytes(&out, f->key.p + i, 1);
		}
		out_fmt(&out, "\"");
	}
	return out_done(&out);
}

static const char *
op_text(Op op)
{
	static const char *const texts[] = {"",   "+", "-",  "*",  "/",  "%",  "^",  "=", "!=", "<",
										"<=", ">", ">=", "=~", "!~", "&&", "||", "!", "-"};

	return texts[op];
}

/* Read again, its minus would apply to the whole product. */
static bool
is_negative(const Expr *e)
{
	if (e->kind != X_VALUE || !is_number(&e->value))
		return false;
	return e->value.type == T_FLOAT ? signbit(e->value.d) : e->value.i < 0;
}

static void
print_into(Out *out, const Expr *e, bool inner)
{
	bool operation = e->kind == X_BINARY || e->kind == X_UNARY;

	if (inner && operation)
		out_fmt(out, "(");
	switch (e->kind)
	{
		case X_VALUE: print_value(out, &e->value); break;
		case X_FIELD: out_text(out, print_field(&e->field)); break;
		case X_UNARY:
			if (e->op == OP_NOT || e->op == OP_NEG)
				out_fmt(out, "%s", op_text(e->op));
			print_into(out, e->left, true);
			if (e->op == OP_IS_NIL || e->op == OP_NOT_NIL)
				out_fmt(out, e->op == OP_IS_NIL ? " = nil" : " != nil");
			break;
		case X_BINARY:
			if (is_negative(e->left) && e->op >= OP_MUL && e->op <= OP_POW)
			{
				out_fmt(out, "(");
				print_value(out, &e->left->value);
				out_fmt(out, ")");
			}
			else
				print_into(out, e->left, true);
			out_fmt(out, " %s ", op_text(e->op));
			print_into(out, e->right, true);
			break;
	}
	if (inner && operation)
		out_fmt(out, ")");
}

Text
print_expr(const Expr *e)
{
	Out out = {0};

	print_into(&out, e, false);
	return out_done(&out);
}

Text
print_label(const Scalar *s)
{
	static const char *const names[] = {"count", "min", "max", "sum", "avg"};
	Out out = {0};

	out_fmt(&out, "%s(", names[s->aggregate]);
	if (s->expr)
		print_into(&out, s->expr, false);
	out_fmt(&out, ")");
	return out_done(&out);
}
