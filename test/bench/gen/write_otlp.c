/*
 * write_otlp.c
 *	  ExportTraceServiceRequest as protobuf behind a 4-byte big-endian length, one ResourceSpans an instance.
 */
#include "gen.h"

#include <stdlib.h>
#include <string.h>

typedef struct Pieces
{
	Buffer request;
	Buffer resource;
	Buffer scope;
	Buffer span;
	Buffer event;
	Buffer pair;
	Buffer value;
} Pieces;

static void
field_bytes(Buffer *b, int field, const void *p, size_t len)
{
	buffer_varint(b, field << 3 | 2);
	buffer_varint(b, len);
	buffer_bytes(b, p, len);
}

static void
field_text(Buffer *b, int field, Text t)
{
	field_bytes(b, field, t.p, t.len);
}

static void
field_buffer(Buffer *b, int field, const Buffer *inner)
{
	field_bytes(b, field, inner->p, inner->len);
}

static void
field_fixed64(Buffer *b, int field, uint64_t n)
{
	buffer_varint(b, field << 3 | 1);
	buffer_bytes(b, &n, 8);
}

static void
field_varint(Buffer *b, int field, uint64_t n)
{
	buffer_varint(b, field << 3);
	buffer_varint(b, n);
}

static void
any_value(Buffer *b, const Attr *a)
{
	uint64_t bits;

	b->len = 0;
	switch (a->type)
	{
		case VALUE_TEXT: field_text(b, 1, a->text); break;
		case VALUE_BOOL: field_varint(b, 2, a->number); break;
		case VALUE_INT: field_varint(b, 3, (uint64_t) a->number); break;
		case VALUE_DOUBLE:
			memcpy(&bits, &a->real, 8);
			field_fixed64(b, 4, bits);
			break;
	}
}

static void
attributes(Pieces *w, Buffer *b, int field, const Attr *attrs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		w->pair.len = 0;
		field_text(&w->pair, 1, attrs[i].key);
		any_value(&w->value, &attrs[i]);
		field_buffer(&w->pair, 2, &w->value);
		field_buffer(b, field, &w->pair);
	}
}

static void
exception_event(Pieces *w, Gen *g, const Span *s)
{
	AttrList l;

	exception_attrs(g, s, &l);
	w->event.len = 0;
	field_fixed64(&w->event, 1, s->start + s->duration);
	field_text(&w->event, 2, TEXT("exception"));
	attributes(w, &w->event, 3, l.at, l.n);
	field_buffer(&w->span, 11, &w->event);
}

static void
one_span(Pieces *w, Gen *g, const Span *s)
{
	Buffer *b = &w->span;

	b->len = 0;
	field_bytes(b, 1, s->trace, 16);
	field_bytes(b, 2, s->id, 8);
	if (s->has_parent)
		field_bytes(b, 4, s->parent, 8);
	field_text(b, 5, s->name);
	field_varint(b, 6, s->kind);
	field_fixed64(b, 7, s->start);
	field_fixed64(b, 8, s->start + s->duration);
	attributes(w, b, 9, s->attrs, s->n_attrs);
	if (s->status == STATUS_ERROR)
		exception_event(w, g, s);
	if (s->status != STATUS_UNSET)
	{
		w->event.len = 0;
		if (s->message.len > 0)
			field_text(&w->event, 2, s->message);
		field_varint(&w->event, 3, s->status);
		field_buffer(b, 15, &w->event);
	}
	field_buffer(&w->scope, 2, b);
}

static void
resource_of(Pieces *w, const Instance *instance)
{
	Buffer inner = {0};

	attributes(w, &inner, 1, instance->resource.at, instance->resource.n);
	w->resource.len = 0;
	field_buffer(&w->resource, 1, &inner);
	inner.len = 0;
	field_text(&inner, 1, instance->scope);
	field_text(&inner, 2, TEXT("0.57.0"));
	w->scope.len = 0;
	field_buffer(&w->scope, 1, &inner);
	free(inner.p);
}

void
write_otlp(Gen *g, Span *const *spans, uint32_t n, Buffer *out)
{
	static Pieces w;
	uint8_t length[4];

	w.request.len = 0;
	for (int i = 0; i < INSTANCES; i++)
	{
		bool any = false;

		for (uint32_t k = 0; k < n; k++)
		{
			if (spans[k]->instance != i)
				continue;
			if (!any)
				resource_of(&w, &g->instances[i]);
			any = true;
			one_span(&w, g, spans[k]);
		}
		if (!any)
			continue;
		field_buffer(&w.resource, 2, &w.scope);
		field_buffer(&w.request, 1, &w.resource);
	}
	for (int i = 0; i < 4; i++)
		length[i] = (uint8_t) (w.request.len >> (24 - 8 * i));
	buffer_bytes(out, length, 4);
	buffer_bytes(out, w.request.p, w.request.len);
}
