/*
 * test_records.c
 *	  Lists of events and links: what is written is read back, and no malformed bytes are believed.
 */
#include "span/records.h"
#include "unit.h"

static Arena *arena;

static Str
buf_str(const Buf *b)
{
	return str_of((const char *) b->p, b->len);
}

/* {"k": n} */
static Str
attributes(int64_t n)
{
	Value v = {.type = VALUE_INT, .i = n};
	Buf b;

	buf_init(&b, arena, 16);
	buf_put_varint(&b, 1);
	value_write_kv(&b, str_lit("k"), &v);
	return buf_str(&b);
}

static Str
sample_events(void)
{
	EventRecord first = {.time_ns = 0x0102030405060708ULL,
						 .name = str_of("a\0b", 3),
						 .dropped = UINT32_MAX,
						 .attributes = attributes(1)};
	EventRecord second = {.time_ns = UINT64_MAX};
	Buf b;

	buf_init(&b, arena, 16);
	buf_put_varint(&b, 2);
	records_write_event(&b, &first);
	records_write_event(&b, &second);
	return buf_str(&b);
}

static Str
sample_links(void)
{
	LinkRecord first = {.trace_id = str_lit("0123456789abcdef"),
						.span_id = str_lit("01234567"),
						.trace_state = str_lit("a=b"),
						.flags = 257,
						.dropped = 3,
						.attributes = attributes(2)};
	LinkRecord second = {.trace_id = str_lit("odd")};
	Buf b;

	buf_init(&b, arena, 16);
	buf_put_varint(&b, 2);
	records_write_link(&b, &first);
	records_write_link(&b, &second);
	return buf_str(&b);
}

static void
test_events(void)
{
	RecordIter it;
	EventRecord r;

	ok(records_events_valid(sample_events()), "events written are valid");
	ok(records_begin(&it, sample_events()) && it.left == 2, "two events");
	ok(records_next_event(&it, &r), "the first event");
	is_i64(r.time_ns, 0x0102030405060708LL, "its time");
	ok(str_eq(r.name, str_of("a\0b", 3)), "its name, with a NUL");
	is_i64(r.dropped, UINT32_MAX, "its dropped attributes");
	ok(str_eq(r.attributes, attributes(1)), "its attributes");
	ok(records_next_event(&it, &r), "the second event");
	ok(r.time_ns == UINT64_MAX && r.name.len == 0 && r.dropped == 0, "its fields");
	ok(str_eq(r.attributes, str_of("\0", 1)), "no attributes are a list of none");
	ok(!records_next_event(&it, &r) && it.left == 0, "a clean end");
}

static void
test_links(void)
{
	RecordIter it;
	LinkRecord r;

	ok(records_links_valid(sample_links()), "links written are valid");
	ok(records_begin(&it, sample_links()) && records_next_link(&it, &r), "the first link");
	ok(str_eq(r.trace_id, str_lit("0123456789abcdef")) && str_eq(r.span_id, str_lit("01234567")), "its ids");
	ok(str_eq(r.trace_state, str_lit("a=b")) && r.flags == 257 && r.dropped == 3, "its numbers and state");
	ok(str_eq(r.attributes, attributes(2)), "its attributes");
	ok(records_next_link(&it, &r) && str_eq(r.trace_id, str_lit("odd")) && r.span_id.len == 0,
	   "the second link keeps an id of odd length");
	ok(!records_next_link(&it, &r) && it.left == 0, "a clean end");
}

static void
test_empty(void)
{
	RecordIter it;
	EventRecord e;
	LinkRecord l;

	ok(records_begin(&it, str_of(NULL, 0)) && !records_next_event(&it, &e) && it.left == 0,
	   "no bytes, no events");
	ok(records_begin(&it, str_of("\0", 1)) && !records_next_link(&it, &l) && it.left == 0,
	   "count 0, no links");
	ok(records_events_valid(str_of("\0", 1)) && records_links_valid(str_of("\0", 1)), "count 0 is valid");
	ok(!records_events_valid(str_of(NULL, 0)) && !records_links_valid(str_of(NULL, 0)),
	   "no bytes are not a valid payload");
}

/* A copy of its own size, so that the sanitizer sees any read past the end. */
static int
valid_prefixes(Str s, bool (*valid)(Str))
{
	int n = 0;

	for (uint32_t len = 0; len < s.len; len++)
	{
		char *copy = malloc(len ? len : 1);

		memcpy(copy, s.p, len);
		n += valid(str_of(copy, len));
		free(copy);
	}
	return n;
}

/* Every byte replaced by several others: must come back, whatever the verdict, without a bad read. */
static int
survive_changes(Str s, bool (*valid)(Str))
{
	int n = 0;

	for (uint32_t i = 0; i < s.len; i++)
	{
		for (int c = 0; c < 256; c += 15)
		{
			char *copy = malloc(s.len);

			memcpy(copy, s.p, s.len);
			copy[i] = (char) c;
			(void) valid(str_of(copy, s.len));
			free(copy);
			n++;
		}
	}
	return n;
}

static void
test_malformed(void)
{
	RecordIter it;
	Buf b;

	is_i64(valid_prefixes(sample_events(), records_events_valid), 0, "events cut off anywhere are refused");
	is_i64(valid_prefixes(sample_links(), records_links_valid), 0, "links cut off anywhere are refused");
	ok(survive_changes(sample_events(), records_events_valid) > 0, "events with any byte changed do no harm");
	ok(survive_changes(sample_links(), records_links_valid) > 0, "links with any byte changed do no harm");
	ok(!records_begin(&it, str_of("\xff\xff\xff\xff\x0f", 5)), "a count that cannot fit is refused");
	buf_init(&b, arena, 16);
	buf_put(&b, sample_links().p, sample_links().len);
	buf_put_u8(&b, 0);
	ok(!records_links_valid(buf_str(&b)), "trailing bytes are refused");
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_events();
	test_links();
	test_empty();
	test_malformed();
	arena_destroy(arena);
	return unit_done();
}
