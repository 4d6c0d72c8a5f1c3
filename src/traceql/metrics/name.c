/*
 * name.c
 *	  A series as a person reads it.
 */
#include "traceql/metrics/metrics.h"

static void
put(Buf *out, const char *text)
{
	buf_put(out, text, strlen(text));
}

static void
put_value(const EvalValue *v, Buf *out)
{
	TraceqlStatic s = {.type = (TraceqlType) v->type};

	switch (v->type)
	{
		case EVAL_NIL: put(out, "nil"); return;
		case EVAL_STRING: buf_put(out, v->s.p, v->s.len); return;
		case EVAL_ARRAY: put(out, "[...]"); return;
		case EVAL_FLOAT: s.f = v->d; break;
		case EVAL_BOOL: s.b = v->b; break;
		default: s.i = v->i; break;
	}
	traceql_print_static(&s, out);
}

void
metrics_series_name(const MetricsSeries *series, Buf *out)
{
	if (series->nlabels == 1)
	{
		put_value(&series->labels[0].value, out);
		return;
	}
	put(out, "{");
	for (uint32_t i = 0; i < series->nlabels; i++)
	{
		bool quoted = series->labels[i].value.type == EVAL_STRING;

		put(out, i ? ", " : "");
		buf_put(out, series->labels[i].name.p, series->labels[i].name.len);
		put(out, quoted ? "=\"" : "=");
		put_value(&series->labels[i].value, out);
		put(out, quoted ? "\"" : "");
	}
	put(out, "}");
}
