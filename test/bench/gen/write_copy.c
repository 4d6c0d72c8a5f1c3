/*
 * write_copy.c
 *	  Rows for COPY into the heap of heap.sql: text format, attributes as JSON.
 */
#include "gen.h"

/* Text format escapes backslash, tab and newline; JSON has only the first left. */
static void
copy_escaped(Buffer *out, const char *p, size_t len)
{
	const char *from = p;
	const char *end = p + len;

	for (; p < end; p++)
		if (*p == '\\')
		{
			buffer_bytes(out, from, p + 1 - from);
			from = p;
		}
	buffer_bytes(out, from, end - from);
}

static void
copy_json(Buffer *out, const Attr *attrs, uint32_t n)
{
	static Buffer json;

	json.len = 0;
	json_attrs(&json, attrs, n);
	copy_escaped(out, json.p, json.len);
}

static void
copy_id(Buffer *out, const uint8_t *id, size_t len)
{
	buffer_bytes(out, "\\\\x", 3);
	buffer_hex(out, id, len);
	buffer_byte(out, '\t');
}

/* Two columns: a timestamp, and the nanoseconds below its microsecond. */
static void
copy_time(Buffer *out, uint64_t ns)
{
	uint64_t days = ns / (86400 * SECOND);
	uint64_t rest = ns % (86400 * SECOND);
	uint64_t z = days + 719468;
	uint64_t era = z / 146097;
	uint64_t doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153;
	unsigned day = doy - (153 * mp + 2) / 5 + 1;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = yoe + era * 400 + (month <= 2);
	unsigned s = rest / SECOND;
	char line[64];

	buffer_bytes(out, line,
				 snprintf(line, sizeof(line), "%u-%02u-%02u %02u:%02u:%02u.%06u+00\t%u\t", year, month, day,
						  s / 3600, s / 60 % 60, s % 60, (unsigned) (rest % SECOND / 1000),
						  (unsigned) (rest % 1000)));
}

static void
copy_text(Buffer *out, Text t)
{
	buffer_bytes(out, t.p, t.len);
	buffer_byte(out, '\t');
}

static void
copy_events(Gen *g, const Span *s, Buffer *out)
{
	AttrList l;

	if (s->status != STATUS_ERROR)
	{
		buffer_bytes(out, "[]", 2);
		return;
	}
	exception_attrs(g, s, &l);
	buffer_bytes(out, "[{\"name\":\"exception\",\"time\":", 28);
	buffer_number(out, (int64_t) (s->start + s->duration));
	buffer_bytes(out, ",\"attributes\":", 14);
	copy_json(out, l.at, l.n);
	buffer_bytes(out, "}]", 2);
}

static void
copy_row(Gen *g, const Span *s, Buffer *out)
{
	static const Text kinds[] = {TEXT("unspecified"), TEXT("internal"), TEXT("server"),
								 TEXT("client"),      TEXT("producer"), TEXT("consumer")};
	static const Text statuses[] = {TEXT("unset"), TEXT("ok"), TEXT("error")};
	const Instance *instance = &g->instances[s->instance];

	copy_id(out, s->trace, 16);
	copy_id(out, s->id, 8);
	if (s->has_parent)
		copy_id(out, s->parent, 8);
	else
		buffer_bytes(out, "\\N\t", 3);
	copy_text(out, s->name);
	copy_text(out, kinds[s->kind]);
	copy_text(out, statuses[s->status]);
	copy_text(out, s->message);
	copy_time(out, s->start);
	buffer_number(out, (int64_t) s->duration);
	buffer_byte(out, '\t');
	copy_text(out, instance->service);
	copy_text(out, instance->scope);
	copy_json(out, s->attrs, s->n_attrs);
	buffer_byte(out, '\t');
	copy_json(out, instance->resource.at, instance->resource.n);
	buffer_byte(out, '\t');
	copy_events(g, s, out);
	buffer_byte(out, '\n');
}

void
write_copy(Gen *g, Span *const *spans, uint32_t n, Buffer *out)
{
	for (uint32_t i = 0; i < n; i++)
		copy_row(g, spans[i], out);
}
