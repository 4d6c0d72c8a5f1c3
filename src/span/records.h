/*
 * records.h
 *	  Events and links of a span as one run of bytes: the payloads of the SQL types tempo.events and
 *	  tempo.links. On disk they are columns (batch.h); these bytes exist where a row meets SQL.
 *
 *	  events := varint count, count times {
 *	              8 bytes unix ns little endian, varint length, name bytes, varint dropped attributes,
 *	              varint length, attributes (value.h) }
 *	  links  := varint count, count times {
 *	              varint length, trace id bytes, varint length, span id bytes,
 *	              varint length, trace state bytes, varint flags, varint dropped attributes,
 *	              varint length, attributes (value.h) }
 *
 * Order is kept. Ids are as they were sent, of any length. Attributes are never absent: no attributes
 * are a list of none (one zero byte); writers turn an empty string into that.
 *
 * Ownership: records read point into the bytes they were read from.
 */
#ifndef TEMPO_RECORDS_H
#define TEMPO_RECORDS_H

#include "span/value.h"

typedef struct EventRecord
{
	uint64_t time_ns;
	Str name;
	uint64_t dropped;
	Str attributes;
} EventRecord;

typedef struct LinkRecord
{
	Str trace_id;
	Str span_id;
	Str trace_state;
	uint64_t flags;
	uint64_t dropped;
	Str attributes;
} LinkRecord;

typedef struct RecordIter
{
	const uint8_t *pos;
	const uint8_t *end;
	uint64_t left;
} RecordIter;

/* Append one record. The caller writes the count first, with buf_put_varint. */
extern void records_write_event(Buf *out, const EventRecord *r);
extern void records_write_link(Buf *out, const LinkRecord *r);

/* Walk either list. false: the count does not fit the bytes. No bytes at all are an empty list. */
extern bool records_begin(RecordIter *it, Str bytes);
/* false at the end or when malformed; left is 0 only at a clean end. Attributes are not looked into. */
extern bool records_next_event(RecordIter *it, EventRecord *r);
extern bool records_next_link(RecordIter *it, LinkRecord *r);

/* Whole checks of bytes from outside: lengths, counts, attributes, no trailing bytes. */
extern bool records_events_valid(Str bytes);
extern bool records_links_valid(Str bytes);

#endif
