/*
 * print.c
 *	  Canonical text: names of labels and spanset attributes, messages, EXPLAIN. What is printed for a
 *	  query parses to the same tree again.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "traceql/lang/parser.h"
#include "traceql/lang/utf8.h"

static void
put(Buf *out, const char *z)
{
	buf_put(out, z, strlen(z));
}

static void
put_str(Buf *out, Str s)
{
	buf_put(out, s.p, s.len);
}

static void
put_int(Buf *out, int64_t i)
{
	char text[24];

	buf_put(out, text, snprintf(text, sizeof(text), "%lld", (long long) i));
}

/* ---- literals ---- */

/* number * 10^-decimals without trailing zeros: 1500000 with 6 is 1.5 */
static void
put_decimal(Buf *out, uint64_t number, int decimals)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%0*llu", decimals + 1, (unsigned long long) number);
	int end = n;

	while (end > n - decimals && text[end - 1] == '0')
		end--;
	buf_put(out, text, n - decimals);
	if (end > n - decimals)
	{
		put(out, ".");
		buf_put(out, text + n - decimals, end - (n - decimals));
	}
}

void
traceql_print_duration(int64_t ns, Buf *out)
{
	uint64_t u = ns < 0 ? 0 - (uint64_t) ns : (uint64_t) ns;
	uint64_t minutes = u / UINT64_C(60000000000);

	if (ns < 0)
		put(out, "-");
	if (u == 0)
		put(out, "0s");
	else if (u < 1000)
	{
		put_decimal(out, u, 0);
		put(out, "ns");
	}
	else if (u < 1000000)
	{
		put_decimal(out, u, 3);
		put(out, "\xc2\xb5s");
	}
	else if (u < 1000000000)
	{
		put_decimal(out, u, 6);
		put(out, "ms");
	}
	else
	{
		if (minutes >= 60)
		{
			put_int(out, (int64_t) (minutes / 60));
			put(out, "h");
		}
		if (minutes > 0)
		{
			put_int(out, (int64_t) (minutes % 60));
			put(out, "m");
		}
		put_decimal(out, u % UINT64_C(60000000000), 9);
		put(out, "s");
	}
}

/* Digits of the shortest decimal that reads back as value, and its exponent; value > 0, finite. */
static int
shortest_digits(double value, char digits[20], int *exponent)
{
	char text[40];
	int n = 0;

	for (int precision = 0; precision < 17; precision++)
	{
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	*exponent = atoi(strchr(text, 'e') + 1);
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

static void
put_scientific(Buf *out, const char *digits, int n, int exponent)
{
	char text[16];

	buf_put(out, digits, 1);
	if (n > 1)
	{
		put(out, ".");
		buf_put(out, digits + 1, n - 1);
	}
	buf_put(out, text, snprintf(text, sizeof(text), "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent)));
}

static void
put_positional(Buf *out, const char *digits, int n, int exponent)
{
	if (exponent < 0)
		put(out, "0.");
	for (int i = exponent + 1; i < 0; i++)
		put(out, "0");
	for (int i = 0; i < n || i <= exponent; i++)
	{
		if (i == exponent + 1 && exponent >= 0)
			put(out, ".");
		buf_put_u8(out, i < n ? digits[i] : '0');
	}
	if (exponent >= 0 && n <= exponent + 1)
		put(out, ".0");
}

void
traceql_print_float(double value, Buf *out)
{
	char digits[20] = "0";
	int exponent = 0;
	int n = 1;

	if (isnan(value))
	{
		put(out, "NaN");
		return;
	}
	if (signbit(value))
		put(out, "-");
	if (isinf(value))
	{
		put(out, signbit(value) ? "Inf" : "+Inf");
		return;
	}
	if (value != 0)
		n = shortest_digits(fabs(value), digits, &exponent);
	/* where Go's shortest %g changes to an exponent */
	if (exponent < -4 || exponent >= 6)
		put_scientific(out, digits, n, exponent);
	else
		put_positional(out, digits, n, exponent);
}

/* Back quotes hold no back quote, and lose carriage returns when read. */
static bool
fits_back_quotes(Str s)
{
	uint32_t code;

	for (uint32_t i = 0, n; i < s.len; i += n)
	{
		n = utf8_decode(s, i, &code);
		if (n == 0 || code == '`' || code == '\r' || code == '\0')
			return false;
	}
	return true;
}

static void
put_quoted(Buf *out, Str s)
{
	uint32_t code;
	uint32_t n;
	char text[8];

	put(out, "\"");
	for (uint32_t i = 0; i < s.len; i += n ? n : 1)
	{
		n = utf8_decode(s, i, &code);
		if (n == 0 || code < ' ')
			buf_put(out, text, snprintf(text, sizeof(text), "\\x%02x", (unsigned char) s.p[i]));
		else
		{
			if (code == '"' || code == '\\')
				put(out, "\\");
			buf_put(out, s.p + i, n);
		}
	}
	put(out, "\"");
}

static void
put_string(Buf *out, Str s)
{
	if (!fits_back_quotes(s))
	{
		put_quoted(out, s);
		return;
	}
	put(out, "`");
	put_str(out, s);
	put(out, "`");
}

/* Infinity and NaN have no literal; they are what folding makes of these. */
static void
put_float_literal(Buf *out, double f)
{
	if (isnan(f))
		put(out, "(0.0 / 0.0)");
	else if (isinf(f))
		put(out, f > 0 ? "(1.0 / 0.0)" : "(-1.0 / 0.0)");
	else
		traceql_print_float(f, out);
}

static void
put_name(Buf *out, const char *name, int64_t number)
{
	if (name)
		put(out, name);
	else
		put_int(out, number);
}

void
traceql_print_static(const TraceqlStatic *value, Buf *out)
{
	switch (value->type)
	{
		case TQL_TYPE_INT: put_name(out, value->i == INT64_MIN ? "minInt" : NULL, value->i); break;
		case TQL_TYPE_FLOAT: put_float_literal(out, value->f); break;
		case TQL_TYPE_STRING: put_string(out, value->s); break;
		case TQL_TYPE_BOOL: put(out, value->b ? "true" : "false"); break;
		case TQL_TYPE_DURATION: traceql_print_duration(value->i, out); break;
		case TQL_TYPE_STATUS: put_name(out, traceql_status_name(value->i), value->i); break;
		case TQL_TYPE_KIND: put_name(out, traceql_kind_name(value->i), value->i); break;
		default: put(out, "nil"); break;
	}
}

/* Outside filters the smallest int has no word. */
static void
put_number(Buf *out, const TraceqlStatic *value)
{
	if (value->type == TQL_TYPE_INT && value->i == INT64_MIN)
		put(out, "(-9223372036854775807 - 1)");
	else
		traceql_print_static(value, out);
}

/* ---- attributes ---- */

static const char *const scope_prefixes[] = {".",       "span.",        "resource.",
											 "event.",  "link.",        "instrumentation.",
											 "parent.", "parent.span.", "parent.resource."};

static bool
starts_with(Str s, const char *z)
{
	size_t n = strlen(z);

	return s.len >= n && memcmp(s.p, z, n) == 0;
}

static bool
needs_quotes(const TraceqlAttr *attr)
{
	Str key = attr->key;

	if (key.len == 0)
		return true;
	/* what would be read as a number, or as a longer prefix */
	if (attr->scope == TQL_SCOPE_NONE && key.p[0] >= '0' && key.p[0] <= '9')
		return true;
	if (attr->scope == TQL_SCOPE_PARENT && (starts_with(key, "span.") || starts_with(key, "resource.")))
		return true;
	for (uint32_t i = 0; i < key.len; i++)
		if (key.p[i] && strchr(" \t\r\n{}()=~!<>&|^,\"", key.p[i]))
			return true;
	return false;
}

void
traceql_print_attr(const TraceqlAttr *attr, Buf *out)
{
	if (attr->intrinsic != TQL_NOT_INTRINSIC)
	{
		put(out, traceql_intrinsic_name(attr->intrinsic));
		return;
	}
	put(out, scope_prefixes[attr->scope]);
	if (!needs_quotes(attr))
	{
		put_str(out, attr->key);
		return;
	}
	put(out, "\"");
	for (uint32_t i = 0; i < attr->key.len; i++)
	{
		if (attr->key.p[i] == '"' || attr->key.p[i] == '\\')
			put(out, "\\");
		buf_put_u8(out, attr->key.p[i]);
	}
	put(out, "\"");
}

static void
put_attrs(Buf *out, const TraceqlAttr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if (i > 0)
			put(out, ", ");
		traceql_print_attr(&attrs[i], out);
	}
}

/* ---- expressions ---- */

static void
put_op(Buf *out, TraceqlOp op)
{
	put(out, " ");
	put(out, traceql_op_text(op));
	put(out, " ");
}

static void
put_operand(Buf *out, const TraceqlExpr *e, bool parens)
{
	if (e->kind != TQL_STATIC && e->kind != TQL_ATTR)
		parens = true;
	put(out, parens ? "(" : "");
	traceql_print_expr(e, out);
	put(out, parens ? ")" : "");
}

/* A minus in front binds looser than * / % ^. */
static bool
is_negative(const TraceqlExpr *e)
{
	if (e->kind != TQL_STATIC)
		return false;
	if (e->value.type == TQL_TYPE_FLOAT)
		return signbit(e->value.f);
	return (e->value.type == TQL_TYPE_INT || e->value.type == TQL_TYPE_DURATION) && e->value.i < 0;
}

void
traceql_print_expr(const TraceqlExpr *expr, Buf *out)
{
	switch (expr->kind)
	{
		case TQL_STATIC: traceql_print_static(&expr->value, out); break;
		case TQL_ATTR: traceql_print_attr(&expr->attr, out); break;
		case TQL_UNARY:
			put(out, traceql_op_text(expr->op));
			put_operand(out, expr->left, is_negative(expr->left));
			break;
		case TQL_BINARY:
			put_operand(out, expr->left,
						is_negative(expr->left) && expr->op >= TQL_OP_MUL && expr->op <= TQL_OP_POW);
			put_op(out, expr->op);
			put_operand(out, expr->right, false);
			break;
		case TQL_IS_NIL:
		case TQL_NOT_NIL:
			put_operand(out, expr->left, false);
			put(out, expr->kind == TQL_IS_NIL ? " = nil" : " != nil");
			break;
	}
}

static void
put_spanset_operand(Buf *out, const TraceqlSpanset *s)
{
	put(out, s->op == TQL_OP_NONE ? "" : "(");
	traceql_print_spanset(s, out);
	put(out, s->op == TQL_OP_NONE ? "" : ")");
}

void
traceql_print_spanset(const TraceqlSpanset *spanset, Buf *out)
{
	if (spanset->op == TQL_OP_NONE)
	{
		put(out, "{ ");
		traceql_print_expr(spanset->filter, out);
		put(out, " }");
		return;
	}
	put_spanset_operand(out, spanset->left);
	put_op(out, spanset->op);
	put_spanset_operand(out, spanset->right);
}

/* ---- stages and pipelines ---- */

void
traceql_print_aggregate(const TraceqlAggregate *agg, Buf *out)
{
	put(out, traceql_aggregate_name(agg->fn));
	put(out, "(");
	if (agg->arg)
		traceql_print_expr(agg->arg, out);
	put(out, ")");
}

static void
put_scalar(Buf *out, const TraceqlScalar *s)
{
	switch (s->kind)
	{
		case TQL_SCALAR_AGGREGATE: traceql_print_aggregate(&s->aggregate, out); break;
		case TQL_SCALAR_LITERAL: put_number(out, &s->literal); break;
		case TQL_SCALAR_ARITH:
			put(out, "(");
			put_scalar(out, s->left);
			put_op(out, s->op);
			put_scalar(out, s->right);
			put(out, ")");
			break;
		case TQL_SCALAR_PIPELINE:
			put(out, "(");
			traceql_print_pipeline(s->pipeline, out);
			put(out, " | ");
			traceql_print_aggregate(&s->aggregate, out);
			put(out, ")");
			break;
	}
}

void
traceql_print_stage(const TraceqlStage *stage, Buf *out)
{
	switch (stage->kind)
	{
		case TQL_STAGE_SPANSET: traceql_print_spanset(stage->spanset, out); break;
		case TQL_STAGE_SCALAR:
			put_scalar(out, stage->scalar.lhs);
			put_op(out, stage->scalar.cmp);
			put_scalar(out, stage->scalar.rhs);
			break;
		case TQL_STAGE_BY:
			put(out, "by(");
			traceql_print_expr(stage->by, out);
			put(out, ")");
			break;
		case TQL_STAGE_COALESCE: put(out, "coalesce()"); break;
		case TQL_STAGE_SELECT:
			put(out, "select(");
			put_attrs(out, stage->select.attrs, stage->select.n);
			put(out, ")");
			break;
	}
}

void
traceql_print_pipeline(const TraceqlPipeline *pipeline, Buf *out)
{
	for (const TraceqlStage *s = pipeline->first; s; s = s->next)
	{
		if (s != pipeline->first)
			put(out, " | ");
		traceql_print_stage(s, out);
	}
}

static int
op_level(TraceqlOp op)
{
	return op == TQL_OP_AND || op == TQL_OP_OR ? 2 : 3;
}

static void put_pipeline_expr(Buf *out, const TraceqlPipelineExpr *p);

/* Parentheses only where precedence asks for them: inside more of them the text might not be a query. */
static void
put_pipeline_operand(Buf *out, const TraceqlPipelineExpr *p, int least_level)
{
	bool parens = p->op == TQL_OP_NONE || op_level(p->op) < least_level;

	put(out, parens ? "(" : "");
	put_pipeline_expr(out, p);
	put(out, parens ? ")" : "");
}

static void
put_pipeline_expr(Buf *out, const TraceqlPipelineExpr *p)
{
	if (p->op == TQL_OP_NONE)
	{
		traceql_print_pipeline(p->pipeline, out);
		return;
	}
	put_pipeline_operand(out, p->left, op_level(p->op));
	put_op(out, p->op);
	put_pipeline_operand(out, p->right, op_level(p->op) + 1);
}

/* ---- metrics ---- */

static void
put_metric_arguments(Buf *out, const TraceqlMetric *m)
{
	if (m->fn >= TQL_MIN_OVER_TIME && m->fn <= TQL_HISTOGRAM_OVER_TIME)
		traceql_print_attr(&m->attr, out);
	for (uint32_t i = 0; i < m->nquantiles; i++)
	{
		put(out, ", ");
		traceql_print_float(m->quantiles[i], out);
	}
	if (m->fn != TQL_COMPARE)
		return;
	put(out, "{ ");
	traceql_print_expr(m->filter, out);
	put(out, " }, ");
	put_int(out, m->topn);
	if (m->start != 0 || m->end != 0)
	{
		put(out, ", ");
		put_int(out, m->start);
		put(out, ", ");
		put_int(out, m->end);
	}
}

void
traceql_print_metric(const TraceqlMetric *metric, Buf *out)
{
	put(out, traceql_metric_name(metric->fn));
	put(out, "(");
	put_metric_arguments(out, metric);
	put(out, ")");
	if (metric->nby > 0)
	{
		put(out, " by(");
		put_attrs(out, metric->by, metric->nby);
		put(out, ")");
	}
}

static void
put_seconds(Buf *out, const TraceqlSecond *list)
{
	for (const TraceqlSecond *s = list; s; s = s->next)
	{
		if (s->kind == TQL_SECOND_COMPARE)
		{
			put_op(out, s->cmp);
			put_number(out, &s->value);
			continue;
		}
		put(out, s->kind == TQL_SECOND_TOPK ? " | topk(" : " | bottomk(");
		put_int(out, s->n);
		put(out, ")");
	}
}

static void put_metric_expr(Buf *out, const TraceqlMetricExpr *m);

static void
put_metric_operand(Buf *out, const TraceqlMetricExpr *m)
{
	bool parens = m->kind != TQL_METRIC_NUMBER;

	put(out, parens ? "(" : "");
	put_metric_expr(out, m);
	put(out, parens ? ")" : "");
}

static void
put_metric_expr(Buf *out, const TraceqlMetricExpr *m)
{
	switch (m->kind)
	{
		case TQL_METRIC_NUMBER: put_number(out, &m->number); return;
		case TQL_METRIC_LEAF:
			traceql_print_pipeline(m->pipeline, out);
			put(out, " | ");
			traceql_print_metric(m->metric, out);
			break;
		case TQL_METRIC_ARITH:
			put_metric_operand(out, m->left);
			put_op(out, m->op);
			put_metric_operand(out, m->right);
			break;
	}
	put_seconds(out, m->seconds);
}

void
traceql_print_query(const TraceqlQuery *query, Buf *out)
{
	if (query->metrics)
		put_metric_expr(out, query->metrics);
	else
		put_pipeline_expr(out, query->search);
	for (const TraceqlHint *h = query->hints; h; h = h->next)
	{
		put(out, h == query->hints ? " with(" : ", ");
		put_str(out, h->name);
		put(out, "=");
		traceql_print_static(&h->value, out);
		put(out, h->next ? "" : ")");
	}
}
