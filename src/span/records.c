/*
 * records.c
 *	  Writing, reading and checking lists of events and links; the format is in records.h.
 */
#include "span/records.h"

/* The least bytes a record takes, so that a count can be checked before anything is done with it. */
#define EVENT_MIN_BYTES 11
#define LINK_MIN_BYTES  6

static const Str no_attributes = {"\0", 1};

static void
put_str(Buf *out, Str s)
{
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

static bool
get_str(RecordIter *it, Str *s)
{
	uint64_t len;

	if (!read_varint(&it->pos, it->end, &len) || len > (uint64_t) (it->end - it->pos) || len > UINT32_MAX)
		return false;
	*s = str_of((const char *) it->pos, len);
	it->pos += len;
	return true;
}

void
records_write_event(Buf *out, const EventRecord *r)
{
	uint8_t *p = buf_reserve(out, 8);

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t) (r->time_ns >> (8 * i));
	out->len += 8;
	put_str(out, r->name);
	buf_put_varint(out, r->dropped);
	put_str(out, r->attributes.len ? r->attributes : no_attributes);
}

void
records_write_link(Buf *out, const LinkRecord *r)
{
	put_str(out, r->trace_id);
	put_str(out, r->span_id);
	put_str(out, r->trace_state);
	buf_put_varint(out, r->flags);
	buf_put_varint(out, r->dropped);
	put_str(out, r->attributes.len ? r->attributes : no_attributes);
}

bool
records_begin(RecordIter *it, Str bytes)
{
	it->pos = (const uint8_t *) bytes.p;
	it->end = it->pos + bytes.len;
	it->left = 0;
	if (bytes.len == 0)
		return true;
	if (!read_varint(&it->pos, it->end, &it->left))
		return false;
	return it->left <= (uint64_t) (it->end - it->pos) / LINK_MIN_BYTES;
}

bool
records_next_event(RecordIter *it, EventRecord *r)
{
	if (it->left == 0 || it->end - it->pos < EVENT_MIN_BYTES)
		return false;
	r->time_ns = 0;
	for (int i = 0; i < 8; i++)
		r->time_ns |= (uint64_t) it->pos[i] << (8 * i);
	it->pos += 8;
	if (!get_str(it, &r->name) || !read_varint(&it->pos, it->end, &r->dropped) ||
		!get_str(it, &r->attributes))
		return false;
	it->left--;
	return true;
}

bool
records_next_link(RecordIter *it, LinkRecord *r)
{
	if (it->left == 0)
		return false;
	if (!get_str(it, &r->trace_id) || !get_str(it, &r->span_id) || !get_str(it, &r->trace_state) ||
		!read_varint(&it->pos, it->end, &r->flags) || !read_varint(&it->pos, it->end, &r->dropped) ||
		!get_str(it, &r->attributes))
		return false;
	it->left--;
	return true;
}

bool
records_events_valid(Str bytes)
{
	RecordIter it;
	EventRecord r;

	if (bytes.len == 0 || !records_begin(&it, bytes))
		return false;
	while (records_next_event(&it, &r))
	{
		if (!value_attributes_valid(r.attributes))
			return false;
	}
	return it.left == 0 && it.pos == it.end;
}

bool
records_links_valid(Str bytes)
{
	RecordIter it;
	LinkRecord r;

	if (bytes.len == 0 || !records_begin(&it, bytes))
		return false;
	while (records_next_link(&it, &r))
	{
		if (!value_attributes_valid(r.attributes))
			return false;
	}
	return it.left == 0 && it.pos == it.end;
}
