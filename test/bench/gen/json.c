/*
 * json.c
 *	  Attributes as a JSON object. The workload has no control characters but tab and newline.
 */
#include "gen.h"

static void
json_text(Buffer *b, Text t)
{
	const char *from = t.p;

	buffer_byte(b, '"');
	for (const char *p = t.p; p < t.p + t.len; p++)
	{
		if (*p != '"' && *p != '\\' && *p != '\n' && *p != '\t')
			continue;
		buffer_bytes(b, from, p - from);
		buffer_byte(b, '\\');
		buffer_byte(b, *p == '\n' ? 'n' : *p == '\t' ? 't' : *p);
		from = p + 1;
	}
	buffer_bytes(b, from, t.p + t.len - from);
	buffer_byte(b, '"');
}

static void
json_value(Buffer *b, const Attr *a)
{
	switch (a->type)
	{
		case VALUE_TEXT: json_text(b, a->text); break;
		case VALUE_INT: buffer_number(b, a->number); break;
		case VALUE_DOUBLE: buffer_double(b, a->real); break;
		case VALUE_BOOL: buffer_bytes(b, a->number ? "true" : "false", a->number ? 4 : 5); break;
	}
}

void
json_attrs(Buffer *b, const Attr *attrs, uint32_t n)
{
	buffer_byte(b, '{');
	for (uint32_t i = 0; i < n; i++)
	{
		if (i > 0)
			buffer_byte(b, ',');
		json_text(b, attrs[i].key);
		buffer_byte(b, ':');
		json_value(b, &attrs[i]);
	}
	buffer_byte(b, '}');
}
