/*
 * test_otlp_pb.c
 *	  The protobuf decoder against protobuf-c on real and random requests, odd but legal messages,
 *	  refusals, damage, and the way back to protobuf.
 */
#include "batch_dump.h"
#include "otlp_oracle.h"

#include <dirent.h>

static OtlpResult res;

static Batch *
decode(Arena *a, Str pb)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);

	if (!otlp_decode_pb((const uint8_t *) pb.p, pb.len, NULL, bb, &res))
		return NULL;
	return builder_finish(bb);
}

/* ---- messages made by hand ---- */

static void
put_len(Buf *b, uint32_t number, Str s)
{
	buf_put_varint(b, number << 3 | 2);
	buf_put_varint(b, s.len);
	buf_put(b, s.p, s.len);
}

static Str
done(const Buf *b)
{
	return str_of((const char *) b->p, b->len);
}

static Str
message1(Arena *a, uint32_t n1, Str s1)
{
	Buf b;

	buf_init(&b, a, 64);
	put_len(&b, n1, s1);
	return done(&b);
}

static Str
concat(Arena *a, Str x, Str y)
{
	Buf b;

	buf_init(&b, a, 64);
	buf_put(&b, x.p, x.len);
	buf_put(&b, y.p, y.len);
	return done(&b);
}

#define TRACE                                                                                                \
	str_of("\x0a\x10"                                                                                        \
		   "0123456789abcdef",                                                                               \
		   18)
#define SPAN                                                                                                 \
	str_of("\x12\x08"                                                                                        \
		   "01234567",                                                                                       \
		   10)

static Str
ids(Arena *a)
{
	return concat(a, TRACE, SPAN);
}

/* A request of one span with ids and these fields. */
static Str
request(Arena *a, Str span_fields)
{
	return message1(a, 1, message1(a, 2, message1(a, 2, concat(a, ids(a), span_fields))));
}

static Str
attribute(Arena *a, Str any)
{
	return message1(a, 9, concat(a, str_of("\x0a\x01k", 3), message1(a, 2, any)));
}

/* The attributes of the only span, in the format of value.h. */
static Str
attributes_of(Arena *a, Str pb)
{
	Batch *b = decode(a, pb);
	Buf out;

	buf_init(&out, a, 64);
	if (b != NULL)
		batch_attributes(b, LEVEL_SPAN, 0, &out);
	return done(&out);
}

#define BYTES(lit) str_of(lit, sizeof(lit) - 1)

static void
test_odd_but_legal(Arena *a)
{
	Batch *b;

	b = decode(a, BYTES(""));
	ok(b != NULL && batch_nrows(b) == 0 && res.spans == 0, "an empty request is fine");
	b = decode(a, request(a, BYTES("\x2a\x03one\x2a\x03two\x30\x09\xa0\x06\x01")));
	ok(b && str_eq(column_str(batch_column(b, LEVEL_SPAN, SC_NAME), 0), str_lit("two")),
	   "of a string sent twice the last counts");
	ok(b && batch_column(b, LEVEL_SPAN, SC_KIND)->i64[0] == 9, "an unknown kind is kept");
	ok(b != NULL && res.spans == 1, "an unknown field is skipped");
	b = decode(a, request(a, BYTES("\x7a\x03\x12\x01m\x7a\x02\x18\x02")));
	ok(b && column_str(batch_column(b, LEVEL_SPAN, SC_STATUS_MESSAGE), 0).len == 1 &&
		   batch_column(b, LEVEL_SPAN, SC_STATUS)->i64[0] == 2,
	   "a message sent twice is merged");
	b = decode(a, request(a, BYTES("\x5a\x09\x09\x0a\0\0\0\0\0\0\0\x39\x03\0\0\0\0\0\0\0")));
	ok(b && batch_column(b, LEVEL_EVENT, EC_TIME)->i64[0] == 7, "start may follow the events");
	b = decode(a, request(a, BYTES("\x2a\x03"
								   "a\0b")));
	ok(b && str_eq(column_str(batch_column(b, LEVEL_SPAN, SC_NAME), 0), str_lit("a\xef\xbf\xbd"
																				"b")),
	   "NUL in a name becomes U+FFFD");
	b = decode(a, request(a, BYTES("\x22\x08\0\0\0\0\0\0\0\0")));
	ok(b && batch_column(b, LEVEL_SPAN, SC_PARENT_ID)->i64[0] == 0, "an all-zero parent is none");
	b = decode(
		a, message1(a, 1,
					concat(a, message1(a, 2, message1(a, 2, ids(a))), BYTES("\x0a\x06\x0a\x04\x0a\x02zz"))));
	ok(b && column_str(batch_column(b, LEVEL_SPAN, SC_RESOURCE), 0).len > 1,
	   "resource may follow the scopes");
	b = decode(a, message1(a, 1, message1(a, 1000, message1(a, 2, ids(a)))));
	ok(b && batch_nrows(b) == 1, "scopes under their old number are taken");
}

static void
test_values(Arena *a)
{
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("")))), BYTES("\x01\x01k\x00")),
	   "a value that is no value");
	ok(str_eq(attributes_of(a, request(a, message1(a, 9, BYTES("\x0a\x01k")))), BYTES("\x01\x01k\x00")),
	   "a key without value");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x0a\x03"
															 "a\0b")))),
			  BYTES("\x01\x01k\x01\x03"
					"a\0b")),
	   "NUL in a value is kept");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x0a\x01x\x10\x01")))),
			  BYTES("\x01\x01k\x02\x01")),
	   "of two members of a oneof the last counts");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x2a\x04\x0a\x02\x10\x01\x2a\x02\x0a\x00")))),
			  BYTES("\x01\x01k\x05\x04\x02\x02\x01\x00")),
	   "an array sent in two pieces is one");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x2a\x02\x0a\x00\x10\x01\x2a\x02\x0a\x00")))),
			  BYTES("\x01\x01k\x05\x02\x01\x00")),
	   "but not what came before another member");
	ok(str_eq(attributes_of(a, request(a, message1(a, 9, BYTES("\x12\x02\x10\x01\x0a\x01k\x12\x00")))),
			  BYTES("\x01\x01k\x02\x01")),
	   "a value in two pieces, before and after its key");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x32\x07\x0a\x05\x0a\x01y\x12\x00")))),
			  BYTES("\x01\x01k\x06\x04\x01\x01y\x00")),
	   "a map");
	ok(str_eq(attributes_of(a, request(a, attribute(a, BYTES("\x3a\x02\xff\x00")))),
			  BYTES("\x01\x01k\x07\x02\xff\x00")),
	   "bytes need not be UTF-8");
}

/* Put a field's key and the length of what is there already in front of it. */
static char *
prepend(char *p, const char *end, uint8_t key)
{
	uint64_t len = (uint64_t) (end - p);
	uint8_t varint[10];
	size_t n = 0;

	for (; len > 127; len >>= 7)
		varint[n++] = (uint8_t) (len | 128);
	varint[n++] = (uint8_t) len;
	p -= n;
	memcpy(p, varint, n);
	*--p = (char) key;
	return p;
}

/* depth arrays in each other. */
static Str
nested(Arena *a, int depth)
{
	size_t room = (size_t) depth * 10 + 2;
	char *p = arena_alloc(a, room);
	char *end = p + room;

	p = end - 2;
	memcpy(p, "\x10\x01", 2);
	for (int i = 0; i < depth; i++)
		p = prepend(prepend(p, end, 0x0a), end, 0x2a);
	return str_of(p, (size_t) (end - p));
}

static void
refuse(Arena *a, Str pb, OtlpCode code, const char *message, const char *name)
{
	bool right;

	decode(a, pb);
	right = res.code == code && strcmp(res.message, message) == 0 && res.spans == 0;
	if (!ok(right, "refused: %s", name))
		printf("# code %d: %s\n", res.code, res.message);
}

#define RS "resource_spans[0].scope_spans[0].spans[0]"

static void
test_refused_ids(Arena *a)
{
	refuse(a, message1(a, 1, message1(a, 2, message1(a, 2, SPAN))), OTLP_INVALID_ID,
		   RS ".trace_id: got 0 bytes, expected 16", "no trace id");
	refuse(a, message1(a, 1, message1(a, 2, message1(a, 2, concat(a, BYTES("\x0a\x04wxyz"), SPAN)))),
		   OTLP_INVALID_ID, RS ".trace_id: got 4 bytes, expected 16", "short trace id");
	refuse(a, request(a, concat(a, BYTES("\x0a\x10"), str_of(arena_alloc0(a, 16), 16))), OTLP_INVALID_ID,
		   RS ".trace_id: id is all zero", "all-zero trace id");
	refuse(a, request(a, BYTES("\x12\x08\0\0\0\0\0\0\0\0")), OTLP_INVALID_ID, RS ".span_id: id is all zero",
		   "all-zero span id");
	refuse(a, request(a, BYTES("\x12\x01z")), OTLP_INVALID_ID, RS ".span_id: got 1 bytes, expected 8",
		   "short span id");
	refuse(a, request(a, BYTES("\x22\x01z")), OTLP_INVALID_ID,
		   RS ".parent_span_id: got 1 bytes, expected 8 or none", "short parent id");
}

static void
test_refused_wire(Arena *a)
{
	refuse(a, BYTES("\x0a\x05zz"), OTLP_MALFORMED, "field 1 ends after the message", "cut short");
	refuse(a, BYTES("\x0a\xff"), OTLP_MALFORMED, "field 1 has a bad length", "a length without end");
	refuse(a, BYTES("\x08\x01"), OTLP_MALFORMED, "field 1 has the wrong wire type 0", "wrong wire type");
	refuse(a, BYTES("\x13\x14"), OTLP_MALFORMED, "field 2 has unsupported wire type 3", "a group");
	refuse(a, BYTES("\x02\x00"), OTLP_MALFORMED, "bad field number", "field number 0");
	refuse(a, BYTES("\xff\xff\xff\xff\xff\x01"), OTLP_MALFORMED, "bad field number",
		   "a field number too big");
	refuse(a, BYTES("\x80"), OTLP_MALFORMED, "bad field key", "half a key");
	refuse(a, BYTES("\x10\xff\xff"), OTLP_MALFORMED, "field 2 has a bad number", "half a number");
	refuse(a, BYTES("\x11\x01\x02"), OTLP_MALFORMED, "field 2 ends after the message", "half a fixed64");
	refuse(a, BYTES("\x15\x01\x02"), OTLP_MALFORMED, "field 2 ends after the message", "half a fixed32");
	refuse(a, request(a, BYTES("\x38\x01")), OTLP_MALFORMED, RS ": field 7 has the wrong wire type 0",
		   "a start time that is no fixed64");
	refuse(a, request(a, BYTES("\x7a\x02\x10\x01")), OTLP_MALFORMED,
		   RS ".status: field 2 has the wrong wire type 0", "a status message that is a number");
	refuse(a, request(a, BYTES("\x5a\x02\x08\x01")), OTLP_MALFORMED,
		   RS ".events[0]: field 1 has the wrong wire type 0", "an event time that is a varint");
	refuse(a, request(a, BYTES("\x6a\x02\x08\x01")), OTLP_MALFORMED,
		   RS ".links[0]: field 1 has the wrong wire type 0", "a link's trace id that is a number");
	refuse(a, request(a, attribute(a, BYTES("\x08\x01"))), OTLP_MALFORMED,
		   RS ".attributes[0]: field 1 has the wrong wire type 0", "a string value that is a number");
	refuse(a, request(a, attribute(a, BYTES("\x2a\x02\x08\x01"))), OTLP_MALFORMED,
		   RS ".attributes[0]: field 1 has the wrong wire type 0", "an array member that is a number");
	refuse(a, BYTES("\x0a\x02\x08\x01"), OTLP_MALFORMED,
		   "resource_spans[0]: field 1 has the wrong wire type 0", "a resource that is a number");
	refuse(a, BYTES("\x0a\x04\x0a\x02\x08\x01"), OTLP_MALFORMED,
		   "resource_spans[0].resource: field 1 has the wrong wire type 0", "a resource attribute likewise");
	refuse(a, BYTES("\x0a\x04\x12\x02\x08\x01"), OTLP_MALFORMED,
		   "resource_spans[0].scope_spans[0]: field 1 has the wrong wire type 0", "a scope likewise");
	refuse(a, BYTES("\x0a\x06\x12\x04\x0a\x02\x08\x01"), OTLP_MALFORMED,
		   "resource_spans[0].scope_spans[0].scope: field 1 has the wrong wire type 0", "its name likewise");
}

static void
test_refused_text(Arena *a)
{
	refuse(a, request(a, BYTES("\x2a\x01\xff")), OTLP_MALFORMED, RS ".name: string is not valid UTF-8",
		   "a name that is not UTF-8");
	refuse(a, request(a, BYTES("\x1a\x02\xc0\x80")), OTLP_MALFORMED,
		   RS ".trace_state: string is not valid UTF-8", "an overlong trace state");
	refuse(a, request(a, BYTES("\x7a\x05\x12\x03\xed\xa0\x80")), OTLP_MALFORMED,
		   RS ".status.message: string is not valid UTF-8", "a surrogate in a status message");
	refuse(a,
		   request(a, attribute(a, BYTES("\x0a\x05"
										 "abcd\xe2"))),
		   OTLP_MALFORMED, RS ".attributes[0].string_value: string is not valid UTF-8",
		   "half a character at the end of a value");
	refuse(a, request(a, message1(a, 9, BYTES("\x0a\x04\xf4\x90\x80\x80"))), OTLP_MALFORMED,
		   RS ".attributes[0].key: string is not valid UTF-8", "a key beyond U+10FFFF");
	refuse(a, request(a, BYTES("\x5a\x03\x12\x01\x80")), OTLP_MALFORMED,
		   RS ".events[0].name: string is not valid UTF-8", "an event name");
	refuse(a, request(a, BYTES("\x6a\x03\x1a\x01\x80")), OTLP_MALFORMED,
		   RS ".links[0].trace_state: string is not valid UTF-8", "a link's trace state");
	refuse(a, BYTES("\x0a\x03\x1a\x01\x80"), OTLP_MALFORMED,
		   "resource_spans[0].schema_url: string is not valid UTF-8", "a schema URL");
	refuse(a, request(a, message1(a, 9, BYTES("\x12\x02\x10\x01\x12\x03\x0a\x01\xff"))), OTLP_MALFORMED,
		   RS ".attributes[0].string_value: string is not valid UTF-8",
		   "a value in two pieces, the second bad");
	is_i64(res.offset, 0, "its offset is nowhere in the body");
	refuse(a, request(a, attribute(a, nested(a, 65))), OTLP_TOO_DEEP,
		   RS ".attributes[0]: value is nested deeper than 64 levels", "65 levels");
	refuse(a, request(a, attribute(a, nested(a, 20000))), OTLP_TOO_DEEP,
		   RS ".attributes[0]: value is nested deeper than 64 levels", "20,000 levels");
	ok(value_attributes_valid(attributes_of(a, request(a, attribute(a, nested(a, 64))))),
	   "64 levels are taken");
}

/* One span with so many keys that no batch takes it. */
static void
test_too_many_keys(Arena *a)
{
	Buf span;
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Str pb, small = request(a, BYTES(""));

	buf_init(&span, a, 1 << 20);
	for (int i = 0; i <= BUILDER_MAX_ATTR_COLUMNS; i++)
	{
		char kv[16];
		int n = snprintf(kv, sizeof(kv), "\x0a\x06%06d", i);

		put_len(&span, 9, str_of(kv, (size_t) n));
	}
	pb = request(a, done(&span));
	refuse(a, pb, OTLP_TOO_LARGE, RS ".attributes[65536]: more than 65536 different attributes in one batch",
		   "65,537 keys");
	otlp_decode_pb((const uint8_t *) small.p, small.len, NULL, bb, &res);
	ok(!otlp_decode_pb((const uint8_t *) pb.p, pb.len, NULL, bb, &res) && res.code == OTLP_BATCH_FULL,
	   "with rows before it: the batch is full");
	is_i64(builder_nrows(bb), 1, "and keeps the rows before it");
}

static void
test_cut_attributes(Arena *a)
{
	OtlpLimits limits = {.max_attribute_bytes = 4};
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Str pb = request(a, BYTES("\x4a\x10\x0a\x05"
							  "abcde\x12\x07\x0a\x05xyz\xc3\xa9"));
	Buf out;

	ok(otlp_decode_pb((const uint8_t *) pb.p, pb.len, &limits, bb, &res), "long attributes are taken");
	is_i64(res.truncated, 2, "key and value are cut");
	buf_init(&out, a, 64);
	batch_attributes(builder_finish(bb), LEVEL_SPAN, 0, &out);
	ok(str_eq(done(&out), BYTES("\x01\x04"
								"abcd\x01\x03xyz")),
	   "never inside a character");
}

/* Two bytes stand for an event: what they grow to is limited. */
static void
test_memory(Arena *a)
{
	OtlpLimits limits = {.max_memory = 4 << 20};
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Str small = request(a, BYTES(""));
	Buf events;
	Str pb;

	buf_init(&events, a, 1 << 21);
	for (int i = 0; i < 1 << 20; i++)
		buf_put(&events, "\x5a\x00", 2);
	pb = request(a, done(&events));
	ok(!otlp_decode_pb((const uint8_t *) pb.p, pb.len, &limits, bb, &res) && res.code == OTLP_TOO_LARGE,
	   "a million empty events in 4 MB");
	ok(strstr(res.message, "request takes more than 4194304 bytes of memory") != NULL, "says %s",
	   res.message);
	bb = builder_create(a, false, 0, NULL);
	ok(otlp_decode_pb((const uint8_t *) small.p, small.len, &limits, bb, &res), "a small request has room");
	ok(!otlp_decode_pb((const uint8_t *) pb.p, pb.len, &limits, bb, &res) && res.code == OTLP_BATCH_FULL,
	   "behind another request: to be tried alone");
}

/* ---- real requests ---- */

/* decode, compare with protobuf-c, write, decode again, compare. NULL when all is well. */
static const char *
check_request(Arena *a, Str pb)
{
	Batch *b = decode(a, pb);
	const char *wrong;
	uint32_t *rows;
	Batch *again;
	Buf out;

	if (b == NULL)
		return res.message;
	wrong = differs_from_pb(b, pb, a);
	if (wrong != NULL)
		return wrong;
	rows = arena_alloc(a, sizeof(uint32_t) * ((size_t) batch_nrows(b) + 1));
	for (uint32_t i = 0; i < batch_nrows(b); i++)
		rows[i] = i;
	buf_init(&out, a, pb.len + 64);
	otlp_write_pb(b, rows, batch_nrows(b), &out);
	again = decode(a, done(&out));
	if (again == NULL)
		return "what was written cannot be read";
	return first_difference(b, again) < 0 ? NULL : "what was written is not the same";
}

static void
test_payloads(Arena *a)
{
	const char *dir_path = shared_path("data/payloads/otlp-pb", a);
	DIR *dir = opendir(dir_path);
	struct dirent *e;
	int files = 0;
	int bad_ids = 0;
	int bad = 0;

	if (dir == NULL)
	{
		skip("no shared payloads");
		return;
	}
	while ((e = readdir(dir)) != NULL)
	{
		char path[1024];
		const char *wrong;
		Str pb;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_path, e->d_name);
		pb = read_whole(path, a);
		wrong = check_request(a, pb);
		files++;
		if (res.code == OTLP_INVALID_ID && has_bad_id(pb))
		{
			bad_ids++;
			continue;
		}
		bad += wrong != NULL;
		if (wrong != NULL)
			printf("# %s: %s\n", e->d_name, wrong);
	}
	closedir(dir);
	ok(files - bad_ids > 50 && bad == 0, "%d payloads are as protobuf-c reads them", files - bad_ids);
	ok(bad_ids > 0, "%d are refused because of the ids they hold", bad_ids);
}

static void
test_exporters(Arena *a)
{
	static const char *const names[] = {"000-grpc",         "001-grpc",         "002-grpc",
										"006-h1_v1_traces", "007-h1_v1_traces", "008-h1_v1_traces"};

	for (int i = 0; i < 6; i++)
	{
		char name[64];
		Str pb;
		const char *wrong;

		snprintf(name, sizeof(name), "data/exporters/%s.bin", names[i]);
		pb = read_whole(shared_path(name, a), a);
		if (pb.p == NULL)
		{
			skip("no shared exporter bodies");
			continue;
		}
		wrong = check_request(a, pb);
		ok(wrong == NULL && res.spans > 0, "%s: %s", names[i], wrong ? wrong : "as protobuf-c reads it");
	}
}

/* All requests of a recording go into one builder, as they do in a receiver. */
static void
check_recording(Arena *a, const char *name, uint32_t spans)
{
	char path[128];
	Str z, all;
	const uint8_t *pos, *end;
	const char *wrong = NULL;
	uint32_t total = 0;
	Arena *own = arena_create(NULL, (size_t) 32 << 20);

	snprintf(path, sizeof(path), "data/%s.otlp.zst", name);
	z = read_whole(shared_path(path, a), a);
	if (z.p == NULL)
	{
		skip("no shared recordings");
		arena_destroy(own);
		return;
	}
	all = unzstd(z, a);
	pos = (const uint8_t *) all.p;
	end = pos + all.len;
	while (pos < end && wrong == NULL)
	{
		uint64_t len = 0;

		if (!read_varint(&pos, end, &len) || len > (uint64_t) (end - pos))
			wrong = "bad recording";
		else
			wrong = check_request(own, str_of((const char *) pos, len));
		pos += len;
		total += res.spans;
		if (wrong != NULL)
			printf("# %s\n", wrong);
		arena_reset(own);
	}
	arena_destroy(own);
	ok(wrong == NULL && total == spans, "%s: %u spans as protobuf-c reads them", name, total);
}

/* ---- random requests ---- */

static uint64_t rng_state = 1;

static uint32_t
rnd(uint32_t n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t) (rng_state >> 33) % n;
}

static uint64_t
rnd64(void)
{
	return (uint64_t) rnd(1u << 31) << 40 ^ (uint64_t) rnd(1u << 31) << 15 ^ rnd(1u << 31);
}

static char *
rnd_string(Arena *a)
{
	static const char *const pieces[] = {"a", "key", "service.name", "\xc3\xa9", "\xf0\x9f\x98\x80",
										 "-", "",    "12345678"};
	char *s = arena_alloc0(a, 128);

	for (uint32_t n = rnd(5); n > 0; n--)
		strcat(s, pieces[rnd(8)]);
	return s;
}

static ProtobufCBinaryData
rnd_binary(Arena *a, size_t len)
{
	ProtobufCBinaryData d = {len, arena_alloc0(a, len + 1)};

	for (size_t i = 0; i < len; i++)
		d.data[i] = (uint8_t) rnd(256);
	return d;
}

static void rnd_any(Arena *a, Otlp__AnyValue *any, int depth);

static Otlp__KeyValue **
rnd_attrs(Arena *a, size_t *n, int depth)
{
	Otlp__KeyValue **kv;

	*n = rnd(depth > 0 ? 3 : 7);
	kv = arena_alloc0(a, sizeof(*kv) * (*n + 1));
	for (size_t i = 0; i < *n; i++)
	{
		kv[i] = arena_alloc(a, sizeof(**kv));
		otlp__key_value__init(kv[i]);
		kv[i]->key = rnd_string(a);
		if (rnd(10) == 0)
			continue;
		kv[i]->value = arena_alloc(a, sizeof(Otlp__AnyValue));
		rnd_any(a, kv[i]->value, depth);
	}
	return kv;
}

static void
rnd_array(Arena *a, Otlp__ArrayValue *array, int depth)
{
	otlp__array_value__init(array);
	array->n_values = rnd(4);
	array->values = arena_alloc0(a, sizeof(void *) * (array->n_values + 1));
	for (size_t i = 0; i < array->n_values; i++)
	{
		array->values[i] = arena_alloc(a, sizeof(Otlp__AnyValue));
		rnd_any(a, array->values[i], depth);
	}
}

static void
rnd_any(Arena *a, Otlp__AnyValue *any, int depth)
{
	char *s = rnd_string(a);

	otlp__any_value__init(any);
	any->value_case = rnd(depth > 4 ? 5 : 8);
	switch ((int) any->value_case)
	{
		case 1:
			any->string_value.data = (uint8_t *) s;
			any->string_value.len = strlen(s) + (rnd(9) == 0); /* sometimes with a NUL */
			break;
		case 2: any->bool_value = rnd(2); break;
		case 3: any->int_value = rnd(2) ? (int64_t) rnd64() : -(int64_t) rnd(100); break;
		case 4: any->double_value = rnd(1000) / 7.0; break;
		case 5:
			any->array_value = arena_alloc(a, sizeof(Otlp__ArrayValue));
			rnd_array(a, any->array_value, depth + 1);
			break;
		case 6:
			any->kvlist_value = arena_alloc(a, sizeof(Otlp__KeyValueList));
			otlp__key_value_list__init(any->kvlist_value);
			any->kvlist_value->values = rnd_attrs(a, &any->kvlist_value->n_values, depth + 1);
			break;
		case 7: any->bytes_value = rnd_binary(a, rnd(20)); break;
	}
}

static void
rnd_children(Arena *a, Otlp__Span *s)
{
	s->n_events = rnd(4);
	s->events = arena_alloc0(a, sizeof(void *) * (s->n_events + 1));
	for (size_t i = 0; i < s->n_events; i++)
	{
		Otlp__Event *e = s->events[i] = arena_alloc(a, sizeof(*e));

		otlp__event__init(e);
		e->time_unix_nano = rnd64();
		e->name = rnd_string(a);
		e->attributes = rnd_attrs(a, &e->n_attributes, 0);
		e->dropped_attributes_count = rnd(2) * rnd(1u << 30);
	}
	s->n_links = rnd(3);
	s->links = arena_alloc0(a, sizeof(void *) * (s->n_links + 1));
	for (size_t i = 0; i < s->n_links; i++)
	{
		Otlp__Link *l = s->links[i] = arena_alloc(a, sizeof(*l));

		otlp__link__init(l);
		l->trace_id = rnd_binary(a, rnd(18));
		l->span_id = rnd_binary(a, rnd(10));
		l->trace_state = rnd_string(a);
		l->attributes = rnd_attrs(a, &l->n_attributes, 0);
		l->flags = rnd(1u << 31);
		l->dropped_attributes_count = rnd(3);
	}
}

static Otlp__Span *
rnd_span(Arena *a)
{
	Otlp__Span *s = arena_alloc(a, sizeof(*s));

	otlp__span__init(s);
	s->trace_id = rnd_binary(a, 16);
	s->span_id = rnd_binary(a, 8);
	s->trace_id.data[0] |= 1;
	s->span_id.data[0] |= 1;
	if (rnd(2))
		s->parent_span_id = rnd_binary(a, 8);
	s->trace_state = rnd_string(a);
	s->name = rnd_string(a);
	s->kind = (int32_t) rnd(7) - 1;
	s->start_time_unix_nano = rnd(20) ? rnd64() : 0;
	s->end_time_unix_nano = rnd(20) ? rnd64() : 0;
	s->attributes = rnd_attrs(a, &s->n_attributes, 0);
	s->dropped_attributes_count = rnd(2);
	s->dropped_events_count = rnd(2);
	s->dropped_links_count = rnd(2);
	s->flags = rnd(1u << 31);
	rnd_children(a, s);
	if (rnd(2))
	{
		s->status = arena_alloc(a, sizeof(Otlp__Status));
		otlp__status__init(s->status);
		s->status->code = (int32_t) rnd(4);
		s->status->message = rnd_string(a);
	}
	return s;
}

static Otlp__ScopeSpans *
rnd_scope(Arena *a)
{
	Otlp__ScopeSpans *ss = arena_alloc(a, sizeof(*ss));

	otlp__scope_spans__init(ss);
	ss->schema_url = rnd_string(a);
	ss->n_spans = rnd(4);
	ss->spans = arena_alloc0(a, sizeof(void *) * (ss->n_spans + 1));
	for (size_t i = 0; i < ss->n_spans; i++)
		ss->spans[i] = rnd_span(a);
	if (rnd(3))
	{
		ss->scope = arena_alloc(a, sizeof(Otlp__InstrumentationScope));
		otlp__instrumentation_scope__init(ss->scope);
		ss->scope->name = rnd_string(a);
		ss->scope->version = rnd_string(a);
		ss->scope->attributes = rnd_attrs(a, &ss->scope->n_attributes, 0);
		ss->scope->dropped_attributes_count = rnd(2);
	}
	return ss;
}

static Str
rnd_request(Arena *a)
{
	Otlp__ExportTraceServiceRequest req = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	uint8_t *pb;

	req.n_resource_spans = rnd(4);
	req.resource_spans = arena_alloc0(a, sizeof(void *) * (req.n_resource_spans + 1));
	for (size_t i = 0; i < req.n_resource_spans; i++)
	{
		Otlp__ResourceSpans *rs = req.resource_spans[i] = arena_alloc(a, sizeof(*rs));

		otlp__resource_spans__init(rs);
		rs->schema_url = rnd_string(a);
		rs->n_scope_spans = rnd(3);
		rs->scope_spans = arena_alloc0(a, sizeof(void *) * (rs->n_scope_spans + 1));
		for (size_t j = 0; j < rs->n_scope_spans; j++)
			rs->scope_spans[j] = rnd_scope(a);
		if (rnd(3))
		{
			rs->resource = arena_alloc(a, sizeof(Otlp__Resource));
			otlp__resource__init(rs->resource);
			rs->resource->attributes = rnd_attrs(a, &rs->resource->n_attributes, 0);
			rs->resource->dropped_attributes_count = rnd(2);
		}
	}
	pb = arena_alloc(a, otlp__export_trace_service_request__get_packed_size(&req) + 1);
	return str_of((char *) pb, otlp__export_trace_service_request__pack(&req, pb));
}

static void
test_random(Arena *a)
{
	const char *wrong = NULL;
	uint32_t spans = 0;
	int i;

	for (i = 0; i < 1500 && wrong == NULL; i++)
	{
		arena_reset(a);
		rng_state = (uint64_t) i + 1;
		wrong = check_request(a, rnd_request(a));
		spans += res.spans;
	}
	ok(wrong == NULL && spans > 3000, "%u random spans are as protobuf-c reads them", spans);
	if (wrong != NULL)
		printf("# request %d: %s\n", i - 1, wrong);
}

/* Damaged requests are refused without leaving a trace, or taken; never anything else. */
static void
test_damage(Arena *a)
{
	int refused = 0;
	int taken = 0;
	int wrong = 0;

	for (int i = 0; i < 3000; i++)
	{
		BatchBuilder *bb;
		Str pb;
		uint8_t *copy;
		uint32_t len;

		arena_reset(a);
		rng_state = (uint64_t) i / 10 + 1;
		pb = rnd_request(a);
		rng_state = (uint64_t) i * 77 + 5;
		len = pb.len ? rnd(2) ? pb.len : rnd(pb.len) : 0;
		copy = malloc(len + 1);
		memcpy(copy, pb.p, len);
		for (uint32_t n = len ? rnd(4) : 0; n > 0; n--)
			copy[rnd(len)] ^= (uint8_t) (1u << rnd(8));
		bb = builder_create(a, true, 0, NULL);
		otlp_decode_pb((const uint8_t *) pb.p, pb.len, NULL, bb, &res);
		if (otlp_decode_pb(copy, len, NULL, bb, &res))
			taken++;
		else
		{
			Batch *b;

			refused++;
			wrong += res.code == OTLP_OK || res.message[0] == '\0' || res.offset > len;
			free(copy);
			copy = NULL;
			b = builder_finish(bb);
			wrong += differs_from_pb(b, pb, a) != NULL;
		}
		free(copy);
	}
	ok(refused > 100 && taken > 100, "damage is seen or harmless: %d refused, %d taken", refused, taken);
	is_i64(wrong, 0, "a refused request leaves the batch as it was");
}

/* A request refused late leaves the builder as it was before it. */
static void
test_all_or_nothing(Arena *a)
{
	BatchBuilder *bb = builder_create(a, false, 0, NULL);
	Str good = request(a, attribute(a, BYTES("\x10\x01")));
	Str bad = concat(a, good, request(a, BYTES("\x12\x01z")));
	Batch *b;

	otlp_decode_pb((const uint8_t *) good.p, good.len, NULL, bb, &res);
	ok(!otlp_decode_pb((const uint8_t *) bad.p, bad.len, NULL, bb, &res), "the second span is bad");
	is_str(res.message, "resource_spans[1].scope_spans[0].spans[0].span_id: got 1 bytes, expected 8",
		   "and named");
	is_i64(builder_nrows(bb), 1, "nothing of the request is left");
	otlp_decode_pb((const uint8_t *) good.p, good.len, NULL, bb, &res);
	b = builder_finish(bb);
	is_i64(first_difference(b, decode(a, concat(a, good, good))), -1, "and the builder goes on");
}

typedef void (*TestFunc)(Arena *a);

int
main(void)
{
	static const TestFunc tests[] = {
		test_odd_but_legal, test_values,         test_refused_ids, test_refused_wire,   test_refused_text,
		test_too_many_keys, test_cut_attributes, test_memory,      test_all_or_nothing, test_payloads,
		test_exporters,     test_random,         test_damage};
	Arena *a;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		a = arena_create(NULL, 0);
		tests[i](a);
		arena_destroy(a);
	}
	a = arena_create(NULL, 0);
	check_recording(a, "mixed-real-small", 6613);
	check_recording(a, "bookinfo-istio", 13474);
	check_recording(a, "hotrod", 48238);
	check_recording(a, "nezha-trainticket-100k", 100043);
	arena_destroy(a);
	return unit_done();
}
