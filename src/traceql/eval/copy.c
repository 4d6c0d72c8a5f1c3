/*
 * copy.c
 *	  An answer as one piece of memory: walked once to add up its size, once to write it.
 */
#include "traceql/eval/eval.h"

/* mem NULL: only count. */
typedef struct Packer
{
	uint8_t *mem;
	size_t used;
} Packer;

/* Room for size bytes, 8-byte aligned, holding src; NULL while counting. */
static void *
pack(Packer *p, const void *src, size_t size)
{
	uint8_t *to = p->mem ? p->mem + p->used : NULL;

	if (to && size)
		memcpy(to, src, size);
	p->used += (size + 7) & ~(size_t) 7;
	return to;
}

static void
pack_str(Packer *p, const Str *from, Str *to)
{
	char *copy = pack(p, from->p, from->len);

	if (copy)
		to->p = copy;
}

static MatchAttr *
pack_attrs(Packer *p, const MatchAttr *attrs, uint32_t n)
{
	MatchAttr *copy = pack(p, attrs, n * sizeof(MatchAttr));

	for (uint32_t i = 0; i < n; i++)
	{
		pack_str(p, &attrs[i].key, copy ? &copy[i].key : NULL);
		if (attrs[i].value.type == EVAL_STRING || attrs[i].value.type == EVAL_ARRAY)
			pack_str(p, &attrs[i].value.s, copy ? &copy[i].value.s : NULL);
	}
	return copy;
}

static MatchSpan *
pack_spans(Packer *p, const MatchSpan *spans, uint32_t n)
{
	MatchSpan *copy = pack(p, spans, n * sizeof(MatchSpan));

	for (uint32_t i = 0; i < n; i++)
	{
		MatchAttr *attrs;

		pack_str(p, &spans[i].name, copy ? &copy[i].name : NULL);
		pack_str(p, &spans[i].service, copy ? &copy[i].service : NULL);
		attrs = pack_attrs(p, spans[i].attrs, spans[i].nattrs);
		if (copy)
			copy[i].attrs = attrs;
	}
	return copy;
}

static MatchSpanset *
pack_sets(Packer *p, const MatchSpanset *sets, uint32_t n)
{
	MatchSpanset *copy = pack(p, sets, n * sizeof(MatchSpanset));

	for (uint32_t i = 0; i < n; i++)
	{
		MatchSpan *spans = pack_spans(p, sets[i].spans, sets[i].nspans);
		MatchAttr *attrs = pack_attrs(p, sets[i].attrs, sets[i].nattrs);

		if (copy)
		{
			copy[i].spans = spans;
			copy[i].attrs = attrs;
		}
	}
	return copy;
}

static MatchService *
pack_services(Packer *p, const MatchService *services, uint32_t n)
{
	MatchService *copy = pack(p, services, n * sizeof(MatchService));

	for (uint32_t i = 0; i < n; i++)
		pack_str(p, &services[i].name, copy ? &copy[i].name : NULL);
	return copy;
}

static MatchTrace *
pack_trace(Packer *p, const MatchTrace *trace)
{
	MatchTrace *copy = pack(p, trace, sizeof(MatchTrace));
	uint8_t *id = pack(p, trace->trace_id, 16);
	MatchSpanset *sets = pack_sets(p, trace->sets, trace->nsets);
	MatchService *services = pack_services(p, trace->services, trace->nservices);

	pack_str(p, &trace->root_service, copy ? &copy->root_service : NULL);
	pack_str(p, &trace->root_name, copy ? &copy->root_name : NULL);
	if (copy)
	{
		copy->trace_id = id;
		copy->sets = sets;
		copy->services = services;
	}
	return copy;
}

size_t
match_trace_size(const MatchTrace *trace)
{
	Packer p = {NULL, 0};

	(void) pack_trace(&p, trace);
	return p.used;
}

MatchTrace *
match_trace_copy(const MatchTrace *trace, void *mem)
{
	Packer p = {mem, 0};

	return pack_trace(&p, trace);
}
