/*
 * write_clickhouse.c
 *	  Rows in RowBinary for the tables of clickhouse.py, in the order of its column list: attributes as Map,
 *all values text as the exporter has them, or as JSON.
 */
#include "gen.h"

typedef void (*AttrsWriter)(Buffer *out, const Attr *attrs, uint32_t n);

static void
row_text(Buffer *out, Text t)
{
	buffer_varint(out, t.len);
	buffer_bytes(out, t.p, t.len);
}

static void
row_hex(Buffer *out, const uint8_t *id, size_t len)
{
	buffer_varint(out, 2 * len);
	buffer_hex(out, id, len);
}

static void
row_int64(Buffer *out, uint64_t n)
{
	buffer_bytes(out, &n, 8);
}

static void
map_attrs(Buffer *out, const Attr *attrs, uint32_t n)
{
	static Buffer value;

	buffer_varint(out, n);
	for (uint32_t i = 0; i < n; i++)
	{
		const Attr *a = &attrs[i];

		row_text(out, a->key);
		value.len = 0;
		switch (a->type)
		{
			case VALUE_TEXT: buffer_bytes(&value, a->text.p, a->text.len); break;
			case VALUE_INT: buffer_number(&value, a->number); break;
			case VALUE_DOUBLE: buffer_double(&value, a->real); break;
			case VALUE_BOOL: buffer_bytes(&value, a->number ? "true" : "false", a->number ? 4 : 5); break;
		}
		row_text(out, (Text){value.p, value.len});
	}
}

static void
object_attrs(Buffer *out, const Attr *attrs, uint32_t n)
{
	static Buffer json;

	json.len = 0;
	json_attrs(&json, attrs, n);
	row_text(out, (Text){json.p, json.len});
}

/* Nested columns: an array each of times, names, attributes. */
static void
row_events(Gen *g, const Span *s, AttrsWriter write_attrs, Buffer *out)
{
	AttrList l;

	if (s->status != STATUS_ERROR)
	{
		for (int column = 0; column < 3; column++)
			buffer_varint(out, 0);
		return;
	}
	exception_attrs(g, s, &l);
	buffer_varint(out, 1);
	row_int64(out, s->start + s->duration);
	buffer_varint(out, 1);
	row_text(out, TEXT("exception"));
	buffer_varint(out, 1);
	write_attrs(out, l.at, l.n);
}

static void
row(Gen *g, const Span *s, AttrsWriter write_attrs, Buffer *out)
{
	static const Text kinds[] = {TEXT("Unspecified"), TEXT("Internal"), TEXT("Server"),
								 TEXT("Client"),      TEXT("Producer"), TEXT("Consumer")};
	static const Text statuses[] = {TEXT("Unset"), TEXT("Ok"), TEXT("Error")};
	const Instance *instance = &g->instances[s->instance];

	row_int64(out, s->start);
	row_hex(out, s->trace, 16);
	row_hex(out, s->id, 8);
	row_hex(out, s->parent, s->has_parent ? 8 : 0);
	row_text(out, s->name);
	row_text(out, kinds[s->kind]);
	row_text(out, instance->service);
	write_attrs(out, instance->resource.at, instance->resource.n);
	row_text(out, instance->scope);
	row_text(out, TEXT("0.57.0"));
	write_attrs(out, s->attrs, s->n_attrs);
	row_int64(out, s->duration);
	row_text(out, statuses[s->status]);
	row_text(out, s->message);
	row_events(g, s, write_attrs, out);
}

void
write_clickhouse_map(Gen *g, Span *const *spans, uint32_t n, Buffer *out)
{
	for (uint32_t i = 0; i < n; i++)
		row(g, spans[i], map_attrs, out);
}

void
write_clickhouse_json(Gen *g, Span *const *spans, uint32_t n, Buffer *out)
{
	for (uint32_t i = 0; i < n; i++)
		row(g, spans[i], object_attrs, out);
}
