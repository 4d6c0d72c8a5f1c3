/*
 * metrics_json.c
 *	  Series as JSON: /api/metrics/query_range and /api/metrics/query, and the parameters of time they take.
 */
#include "api/metrics.h"

#include "api/json_write.h"
#include "api/search.h"

#include <math.h>

static void
write_labels(const MetricsLabel *labels, uint32_t n, bool first, Buf *out)
{
	for (uint32_t i = 0; i < n; i++)
	{
		json_put_comma(out, &first);
		json_put_raw(out, "{\"key\":");
		json_put_string(out, labels[i].name);
		json_put_raw(out, ",\"value\":");
		search_write_value(&labels[i].value, out);
		buf_put_u8(out, '}');
	}
}

static void
write_series_labels(const MetricsSeries *s, Buf *out)
{
	json_put_raw(out, "{\"labels\":[");
	write_labels(s->labels, s->nlabels, true, out);
	buf_put_u8(out, ']');
}

static void
write_time_ms(uint64_t ns, Buf *out)
{
	json_put_raw(out, "\"timestampMs\":");
	json_put_quoted_u64(out, ns / 1000000);
}

/* Zero is what a field that is not there means. */
static void
write_value(double v, Buf *out)
{
	if (v == 0)
		return;
	json_put_raw(out, ",\"value\":");
	json_put_double(out, v);
}

static void
write_samples(const MetricsSeries *s, const MetricsRange *range, Buf *out)
{
	bool first = true;

	json_put_raw(out, ",\"samples\":[");
	for (uint32_t k = 0; k < range->n; k++)
	{
		if (isnan(s->values[k]))
			continue;
		json_put_comma(out, &first);
		buf_put_u8(out, '{');
		write_time_ms(metrics_time(range, k), out);
		write_value(s->values[k], out);
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

static void
write_exemplar(const MetricsExemplar *e, Buf *out)
{
	char id[33];

	json_put_raw(out, "{\"labels\":[{\"key\":\"trace:id\",\"value\":{\"stringValue\":");
	json_put_string(out, search_trace_id(e->trace_id, id));
	json_put_raw(out, "}}");
	write_labels(e->labels, e->nlabels, false, out);
	json_put_raw(out, "],");
	write_time_ms(e->time, out);
	write_value(e->value, out);
	buf_put_u8(out, '}');
}

static void
write_exemplars(const MetricsSeries *s, Buf *out)
{
	bool first = true;

	if (s->nexemplars == 0)
		return;
	json_put_raw(out, ",\"exemplars\":[");
	for (uint32_t i = 0; i < s->nexemplars; i++)
	{
		if (isnan(s->exemplars[i].value))
			continue;
		json_put_comma(out, &first);
		write_exemplar(&s->exemplars[i], out);
	}
	buf_put_u8(out, ']');
}

void
metrics_write_series(const MetricsSeries *s, const MetricsRange *range, bool instant, Buf *out)
{
	write_series_labels(s, out);
	if (instant)
		write_value(s->values[0], out);
	else
	{
		write_samples(s, range, out);
		write_exemplars(s, out);
	}
	buf_put_u8(out, '}');
}
