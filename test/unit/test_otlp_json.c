/*
 * test_otlp_json.c
 *	  The JSON parser, and OTLP/JSON against the protobuf of the same spans, odd spellings, refusals.
 */
#include "batch_dump.h"
#include "ingest/json.h"
#include "otlp_oracle.h"

#include <dirent.h>
#include <math.h>

static OtlpResult res;

/* The body is copied to the end of an allocation of its own, so that reading past it is seen. */
static Batch *
decode(Arena *a, Str json)
{
	BatchBuilder *bb = builder_create(a, true, 0, NULL);
	uint8_t *body = malloc(json.len + 1);
	bool taken;

	memcpy(body + 1, json.p, json.len);
	taken = otlp_decode_json(body + 1, json.len, NULL, bb, &res);
	free(body);
	return taken ? builder_finish(bb) : NULL;
}

/* ---- the parser ---- */

static const char *
json_error(Str text)
{
	Arena *a = arena_create(NULL, 0);
	JsonError error = {NULL, NULL, false};
	uint8_t *copy = malloc(text.len + 1);
	JsonIndex index;
	bool valid;

	memcpy(copy + 1, text.p, text.len);
	valid = json_validate(copy + 1, text.len, a, &index, &error);
	free(copy);
	arena_destroy(a);
	return valid ? "" : error.what;
}

static void
test_valid(void)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		" [ ] ",
		"0",
		"-0",
		"-0.5e+10",
		"1E5",
		"\"\"",
		"true",
		"false",
		"null",
		"[1,2 , 3]",
		"{\"a\":{\"b\":[{},[]]}}",
		"\"\\u0000\\ud83d\\ude00\\n\\/\"",
		"\"\xc3\xa9\"",
		"{\"a\":1,\"a\":2}",
		"\r\n\t [null]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_str(json_error(str_lit(texts[i])), "", texts[i]);
}

static void
test_invalid(void)
{
	static const char *const texts[][2] = {
		{"", "unexpected end"},
		{" ", "unexpected end"},
		{"{", "expected a member name"},
		{"[", "unexpected end"},
		{"[1", "unexpected end"},
		{"[1,]", "unexpected character"},
		{"{\"a\"}", "expected \":\""},
		{"{\"a\":1,}", "expected a member name"},
		{"{\"a\":1]", "expected \",\" or \"}\""},
		{"[1}", "expected \",\" or \"]\""},
		{"01", "more text after the JSON value"},
		{"-", "bad number"},
		{"1.", "bad number"},
		{"1e", "bad number"},
		{".5", "unexpected character"},
		{"tru", "unexpected character"},
		{"nul]", "unexpected character"},
		{"{} {}", "more text after the JSON value"},
		{"\"", "string without end"},
		{"\"a\\", "bad escape"},
		{"\"\\x\"", "bad escape"},
		{"\"\\u12\"", "bad \\u escape"},
		{"\"\\ud800\"", "unpaired surrogate"},
		{"\"\\udc00\"", "unpaired surrogate"},
		{"\"\\ud800\\u0041\"", "unpaired surrogate"},
		{"\"\t\"", "control character in a string"},
		{"\"\xff\"", "string is not valid UTF-8"},
		{"NaN", "unexpected character"},
		{"'a'", "unexpected character"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_str(json_error(str_lit(texts[i][0])), texts[i][1], texts[i][0]);
	is_str(json_error(str_of("\"\\\0\"", 4)), "bad escape", "an escaped NUL byte");
}

static void
test_depth(Arena *a)
{
	uint32_t n = JSON_MAX_DEPTH;
	char *text = arena_alloc(a, 2 * 100000);

	memset(text, '[', n);
	memset(text + n, ']', n);
	is_str(json_error(str_of(text, 2 * n)), "", "nesting up to the limit");
	n++;
	memset(text, '[', n);
	memset(text + n, ']', n);
	is_str(json_error(str_of(text, 2 * n)), "JSON is nested too deeply", "and not beyond");
	memset(text, '[', 100000);
	is_str(json_error(str_of(text, 100000)), "JSON is nested too deeply", "nor far beyond");
}

/* Skipping comes to the same place whether or not the index knows the end. */
static void
test_skip(Arena *a)
{
	Buf b;
	JsonIndex index, none = {0};
	JsonError error;
	JsonCursor c, slow;
	int wrong = 0;

	buf_init(&b, a, 1 << 16);
	buf_put_u8(&b, '[');
	for (int i = 0; i < 300; i++)
	{
		char text[512];
		int n = snprintf(text, sizeof(text), "%s{\"k%d\":[\"]}\\\"%0*d\",{\"a\":[[%d]]}]}", i ? "," : "", i,
						 i % 7 * 60, i, i);

		buf_put(&b, text, (size_t) n);
	}
	buf_put_u8(&b, ']');
	ok(json_validate(b.p, b.len, a, &index, &error), "a list of objects short and long");
	ok(index.n > 200 && index.n < 1000, "%u long ones are in the index", index.n);
	c.pos = slow.pos = b.p;
	c.index = &index;
	slow.index = &none;
	json_enter(&c);
	json_enter(&slow);
	while (json_more(&c) && json_more(&slow))
	{
		json_skip(&c);
		json_skip(&slow);
		wrong += c.pos != slow.pos;
	}
	is_i64(wrong, 0, "members end in the same place");
	is_i64(c.pos - b.p, b.len, "and so does the list");
}

static void
check_integer(const char *text, bool fits, bool negative, uint64_t magnitude)
{
	bool n = false;
	uint64_t m = 0;
	bool got = json_integer(str_lit(text), &n, &m);

	ok(got == fits && (!fits || (n == negative && m == magnitude)), "integer %s", text);
}

static void
test_numbers(Arena *a)
{
	double d;

	check_integer("0", true, false, 0);
	check_integer("-5", true, true, 5);
	check_integer("18446744073709551615", true, false, UINT64_MAX);
	check_integer("18446744073709551616", false, false, 0);
	check_integer("1.5e1", true, false, 15);
	check_integer("1e3", true, false, 1000);
	check_integer("1000e-3", true, false, 1);
	check_integer("1.50", false, false, 0);
	check_integer("2.00", true, false, 2);
	check_integer("1e30", false, false, 0);
	check_integer("1e99999999999", false, false, 0);
	check_integer("0e99999999999", true, false, 0);
	check_integer("", false, false, 0);
	check_integer("x", false, false, 0);
	check_integer("1x", false, false, 0);
	check_integer("1.", false, false, 0);
	check_integer("1e", false, false, 0);
	ok(json_double(str_lit("1.25e2"), a, &d) && d == 125, "double");
	ok(json_double(str_lit("0.1"), a, &d) && d == 0.1, "0.1 is 0.1");
	ok(json_double(str_lit("-0"), a, &d) && d == 0 && signbit(d), "-0 keeps its sign");
	ok(!json_double(str_lit("1e400"), a, &d), "a double too big");
	ok(!json_double(str_lit("abc"), a, &d), "no double");
	ok(!json_double(str_lit("0x10"), a, &d), "no hexadecimal double");
}

/* ---- requests ---- */

#define ID "\"traceId\":\"0123456789abcdef0123456789ABCDEF\",\"spanId\":\"0123456789abcdef\""

/* A request whose only span has these members. */
static Str
request(Arena *a, const char *members)
{
	size_t n = strlen(members) + 256;
	char *p = arena_alloc(a, n);

	snprintf(p, n, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}", members);
	return str_lit(p);
}

static Str
id_and(Arena *a, const char *members)
{
	size_t n = strlen(members) + 256;
	char *p = arena_alloc(a, n);

	snprintf(p, n, ID ",%s", members);
	return request(a, p);
}

static int64_t
number(Batch *b, uint32_t col)
{
	return b ? batch_column(b, LEVEL_SPAN, col)->i64[0] : -999;
}

static bool
text_is(Batch *b, uint32_t col, const char *want, size_t len)
{
	return b && str_eq(column_str(batch_column(b, LEVEL_SPAN, col), 0), str_of(want, len));
}

static void
test_span_fields(Arena *a)
{
	Batch *b =
		decode(a, id_and(a, "\"name\":\"n\\u00e9\\u0000\",\"kind\":\"SPAN_KIND_CLIENT\",\"flags\":257,"
							"\"startTimeUnixNano\":\"18446744073709551615\",\"endTimeUnixNano\":1e3,"
							"\"parentSpanId\":\"\",\"droppedAttributesCount\":3,\"traceState\":\"a=b\","
							"\"status\":{\"code\":\"STATUS_CODE_ERROR\",\"message\":\"m\"},\"unknown\":[{}],"
							"\"attributes\":null,\"droppedEventsCount\":\"4\",\"droppedLinksCount\":5"));

	ok(b != NULL, "a span with everything: %s", res.message);
	ok(text_is(b, SC_NAME, "n\xc3\xa9\xef\xbf\xbd", 6), "name, NUL replaced");
	is_i64(number(b, SC_KIND), 3, "kind by name");
	is_i64(number(b, SC_FLAGS), 257, "flags");
	is_i64(number(b, SC_START), -1, "start beyond 2^63");
	is_i64(number(b, SC_DURATION), 1001, "end - start, wrapping");
	is_i64(number(b, SC_PARENT_ID), 0, "no parent");
	is_i64(number(b, SC_SPAN_ID), 0x0123456789abcdef, "span id");
	is_i64(number(b, SC_STATUS), 2, "status by name");
	is_i64(number(b, SC_DROPPED_ATTRIBUTES), 3, "dropped attributes");
	is_i64(number(b, SC_DROPPED_EVENTS), 4, "dropped events");
	is_i64(number(b, SC_DROPPED_LINKS), 5, "dropped links");
	ok(text_is(b, SC_STATUS_MESSAGE, "m", 1), "status message");
	ok(text_is(b, SC_TRACE_STATE, "a=b", 3), "trace state");
	ok(b && memcmp(batch_column(b, LEVEL_SPAN, SC_TRACE_ID)->fixed,
				   "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16) == 0,
	   "trace id of either case");
}

static void
test_empty(Arena *a)
{
	static const char *const texts[] = {"{}", "{\"resourceSpans\":[]}", "{\"resource_spans\":null,\"x\":1}",
										"{\"resourceSpans\":[{},{\"resource\":null,\"scopeSpans\":[{}]}]}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ok(decode(a, str_lit(texts[i])) != NULL && res.spans == 0, "no spans: %s", texts[i]);
}

static void
test_spellings(Arena *a)
{
	Batch *x =
		decode(a, str_lit("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" ID
						  ",\"events\":[{\"timeUnixNano\":\"7\",\"attributes\":[{\"key\":\"k\","
						  "\"value\":{\"intValue\":1}}],\"name\":\"e\"}],\"startTimeUnixNano\":\"5\"}],"
						  "\"schemaUrl\":\"s\",\"scope\":{\"name\":\"lib\"}}],\"schemaUrl\":\"r\","
						  "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
						  "{\"stringValue\":\"svc\"}}],\"droppedAttributesCount\":1}}]}"));
	Batch *y = decode(
		a, str_lit("{\"resource_spans\":[{\"resource\":{\"dropped_attributes_count\":\"1\",\"attributes\":"
				   "[{\"value\":{\"string_value\":\"svc\"},\"key\":\"service.name\"}]},\"schema_url\":\"r\","
				   "\"instrumentation_library_spans\":[{\"instrumentationLibrary\":{\"name\":\"lib\"},"
				   "\"schema_url\":\"s\",\"spans\":[{\"trace_id\":\"ASNFZ4mrze8BI0VniavN7w==\","
				   "\"span_id\":\"ASNFZ4mrze8\",\"start_time_unix_nano\":5,\"events\":[{\"name\":\"e\","
				   "\"time_unix_nano\":7,\"attributes\":[{\"key\":\"k\",\"value\":{\"int_value\":\"1\"}}]}]"
				   "}]}]}]}"));

	ok(x != NULL, "resource and scope after their spans, start after its events: %s", res.message);
	ok(y != NULL, "original names, old scopes, base64 ids: %s", res.message);
	ok(x && y && first_difference(x, y) < 0, "are the same span");
	is_i64(x ? batch_column(x, LEVEL_EVENT, EC_TIME)->i64[0] : 0, 2, "event 2 ns after the start");
	ok(text_is(x, SC_SERVICE, "svc", 3), "service");
	is_i64(number(x, SC_RESOURCE_DROPPED), 1, "resource dropped");
	ok(text_is(x, SC_SCOPE_NAME, "lib", 3), "scope name");
	ok(text_is(x, SC_SCOPE_SCHEMA_URL, "s", 1) && text_is(x, SC_RESOURCE_SCHEMA_URL, "r", 1), "schema URLs");
}

static void
check_value(Arena *a, const char *json, const char *want, size_t len)
{
	char members[1024];
	Batch *b;
	Buf out;

	snprintf(members, sizeof(members), "\"attributes\":[{\"key\":\"k\",\"value\":%s}]", json);
	b = decode(a, id_and(a, members));
	buf_init(&out, a, 64);
	if (b != NULL)
		batch_attributes(b, LEVEL_SPAN, 0, &out);
	if (!ok(b && out.len == len && memcmp(out.p, want, len) == 0, "value %s", json))
		printf("# %s\n", res.message);
}

#define CHECK_VALUE(json, bytes) check_value(a, json, "\x01\x01k" bytes, sizeof(bytes) + 2)

static void
test_values(Arena *a)
{
	CHECK_VALUE("{}", "\0");
	CHECK_VALUE("null", "\0");
	CHECK_VALUE("{\"stringValue\":null}", "\0");
	CHECK_VALUE("{\"\":1,\"other\":2}", "\0");
	CHECK_VALUE("{\"stringValue\":\"\"}", "\x01\0");
	CHECK_VALUE("{\"stringValue\":\"a\\u0000\\ud83d\\ude00\"}", "\x01\x06"
																"a\0\xf0\x9f\x98\x80");
	CHECK_VALUE("{\"boolValue\":true}", "\x02\x01");
	CHECK_VALUE("{\"boolValue\":false}", "\x02\0");
	CHECK_VALUE("{\"intValue\":-1}", "\x03\xff\xff\xff\xff\xff\xff\xff\xff");
	CHECK_VALUE("{\"intValue\":\"-9223372036854775808\"}", "\x03\0\0\0\0\0\0\0\x80");
	CHECK_VALUE("{\"doubleValue\":1}", "\x04\0\0\0\0\0\0\xf0\x3f");
	CHECK_VALUE("{\"doubleValue\":\"Infinity\"}", "\x04\0\0\0\0\0\0\xf0\x7f");
	CHECK_VALUE("{\"doubleValue\":\"-Infinity\"}", "\x04\0\0\0\0\0\0\xf0\xff");
	CHECK_VALUE("{\"doubleValue\":\"NaN\"}", "\x04\0\0\0\0\0\0\xf8\x7f");
	CHECK_VALUE("{\"doubleValue\":\"0.5\"}", "\x04\0\0\0\0\0\0\xe0\x3f");
	CHECK_VALUE("{\"bytesValue\":\"_-8=\"}", "\x07\x02\xff\xef");
	CHECK_VALUE("{\"bytesValue\":\"/+8\"}", "\x07\x02\xff\xef");
	CHECK_VALUE("{\"arrayValue\":{}}", "\x05\x01\0");
	CHECK_VALUE("{\"arrayValue\":{\"values\":[{\"boolValue\":true},{},{\"arrayValue\":{\"values\":[]}}]}}",
				"\x05\x07\x03\x02\x01\0\x05\x01\0");
	CHECK_VALUE("{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}},"
				"{\"value\":{\"stringValue\":\"v\"},\"key\":\"b\"},{\"key\":\"c\"}]}}",
				"\x06\x0d\x03\x01"
				"a\x02\x01\x01"
				"b\x01\x01v\x01"
				"c\0");
}

static void
refuse(Arena *a, Str json, OtlpCode code, const char *message)
{
	Batch *b = decode(a, json);

	if (!ok(b == NULL && res.code == code && strcmp(res.message, message) == 0, "refused: %s", message))
		printf("# code %d: %s\n", res.code, res.message);
}

#define SPAN "resourceSpans[0].scopeSpans[0].spans[0]"

static void
test_refused_fields(Arena *a)
{
	refuse(a, str_lit("[]"), OTLP_MALFORMED, "expected an object, got an array at line 1, column 1");
	refuse(a, str_lit("12"), OTLP_MALFORMED, "expected an object, got a number at line 1, column 1");
	refuse(a, str_lit("{\"result\":{\"resourceSpans\":[]}}"), OTLP_MALFORMED,
		   "no \"resourceSpans\" in the document at line 1, column 1");
	refuse(a, request(a, "\"traceId\":\"TEQ3bO0Ai+I=\""), OTLP_INVALID_ID,
		   SPAN ".traceId: got 8 bytes, expected 16 at line 1, column 44");
	refuse(a, str_lit("{\"resourceSpans\":{}}"), OTLP_MALFORMED,
		   "resourceSpans: expected an array, got an object at line 1, column 18");
	refuse(a, str_lit("{\n \"resourceSpans\":[1]}"), OTLP_MALFORMED,
		   "resourceSpans[0]: expected an object, got a number at line 2, column 19");
	refuse(a, str_lit("{\"resourceSpans\":[],\"resource_spans\":[]}"), OTLP_MALFORMED,
		   "resourceSpans: given twice at line 1, column 21");
	refuse(a, id_and(a, "\"name\":1"), OTLP_MALFORMED,
		   SPAN ".name: expected a string, got a number at line 1, column 125");
	refuse(a, id_and(a, "\"kind\":\"client\""), OTLP_MALFORMED,
		   SPAN ".kind: unknown name at line 1, column 125");
	refuse(a, id_and(a, "\"kind\":3000000000"), OTLP_MALFORMED,
		   SPAN ".kind: integer out of range at line 1, column 125");
	refuse(a, id_and(a, "\"kind\":true"), OTLP_MALFORMED,
		   SPAN ".kind: expected an integer, got a boolean at line 1, column 125");
	refuse(a, id_and(a, "\"flags\":-1"), OTLP_MALFORMED,
		   SPAN ".flags: integer out of range at line 1, column 126");
	refuse(a, id_and(a, "\"flags\":1.5"), OTLP_MALFORMED,
		   SPAN ".flags: not a 64-bit integer at line 1, column 126");
	refuse(a, id_and(a, "\"links\":[{\"traceId\":\"x!z\"}]"), OTLP_MALFORMED,
		   SPAN ".links[0].traceId: neither hexadecimal nor base64 of 16 bytes at line 1, column 138");
	refuse(a, id_and(a, "\"events\":[{\"name\":[]}]"), OTLP_MALFORMED,
		   SPAN ".events[0].name: expected a string, got an array at line 1, column 136");
	refuse(a, id_and(a, "\"status\":{\"code\":{}}"), OTLP_MALFORMED,
		   SPAN ".status.code: expected an integer, got an object at line 1, column 135");
	refuse(a, request(a, "\"spanId\":\"0123456789abcdef\""), OTLP_INVALID_ID,
		   SPAN ".traceId: got 0 bytes, expected 16 at line 1, column 44");
	refuse(a, id_and(a, "\"parentSpanId\":\"abcd\""), OTLP_INVALID_ID,
		   SPAN ".parentSpanId: got 2 bytes, expected 8 or none at line 1, column 44");
	refuse(a, request(a, "\"traceId\":\"00000000000000000000000000000000\""), OTLP_INVALID_ID,
		   SPAN ".traceId: id is all zero at line 1, column 44");
	refuse(a,
		   str_lit("{\"resourceSpans\":[{\"scopeSpans\":[{\"scope\":{},\"instrumentationLibrary\":{}}]}]}"),
		   OTLP_MALFORMED, "resourceSpans[0].scopeSpans[0].scope: given twice at line 1, column 74");
}

static void
test_refused_values(Arena *a)
{
#define ATTR(v) id_and(a, "\"attributes\":[{\"key\":\"k\",\"value\":{" v "}}]")
	refuse(a, ATTR("\"stringValue\":\"a\",\"intValue\":1"), OTLP_MALFORMED,
		   SPAN ".attributes[0].intValue: second value of one attribute at line 1, column 170");
	refuse(a, ATTR("\"bytesValue\":\"a\""), OTLP_MALFORMED,
		   SPAN ".attributes[0].bytesValue: not base64 at line 1, column 165");
	refuse(a, ATTR("\"doubleValue\":\"x\""), OTLP_MALFORMED,
		   SPAN ".attributes[0].doubleValue: not a double at line 1, column 166");
	refuse(a, ATTR("\"doubleValue\":[]"), OTLP_MALFORMED,
		   SPAN ".attributes[0].doubleValue: expected a number, got an array at line 1, column 166");
	refuse(a, ATTR("\"intValue\":9223372036854775808"), OTLP_MALFORMED,
		   SPAN ".attributes[0].intValue: integer out of range at line 1, column 163");
	refuse(a, ATTR("\"boolValue\":\"true\""), OTLP_MALFORMED,
		   SPAN ".attributes[0].boolValue: expected a boolean, got a string at line 1, column 164");
	refuse(a, ATTR("\"arrayValue\":{\"values\":[1]}"), OTLP_MALFORMED,
		   SPAN ".attributes[0].values[0]: expected an object, got a number at line 1, column 176");
	refuse(a, ATTR("\"kvlistValue\":{\"values\":[{\"key\":1}]}"), OTLP_MALFORMED,
		   SPAN ".attributes[0].values[0].key: expected a string, got a number at line 1, column 184");
}

static void
put(Buf *b, const char *z)
{
	buf_put(b, z, strlen(z));
}

/* depth arrays in each other as the value of an attribute. */
static Str
nested(Arena *a, int depth)
{
	Buf b;

	buf_init(&b, a, 4096);
	put(&b, "\"attributes\":[{\"key\":\"k\",\"value\":");
	for (int i = 0; i < depth; i++)
		put(&b, "{\"arrayValue\":{\"values\":[");
	for (int i = 0; i < depth; i++)
		put(&b, "]}}");
	put(&b, "}]");
	buf_put_u8(&b, 0);
	return id_and(a, (char *) b.p);
}

static void
test_nesting(Arena *a)
{
	Batch *b = decode(a, nested(a, VALUE_MAX_DEPTH));
	Buf out;

	ok(b != NULL, "64 levels are taken: %s", res.message);
	buf_init(&out, a, 1024);
	if (b != NULL)
		batch_attributes(b, LEVEL_SPAN, 0, &out);
	ok(value_attributes_valid(str_of((char *) out.p, out.len)), "and valid");
	ok(decode(a, nested(a, VALUE_MAX_DEPTH + 1)) == NULL && res.code == OTLP_TOO_DEEP, "65 are not: %s",
	   res.message);
	ok(decode(a, nested(a, 50000)) == NULL && res.code == OTLP_TOO_DEEP, "nor 50,000: %s", res.message);
}

/* ---- real documents ---- */

/* The number behind "spans" in the manifest's entry of a file; -1: not said. */
static int64_t
manifest_spans(Str manifest, const char *name)
{
	char pattern[512];
	const char *entry, *end, *spans;

	snprintf(pattern, sizeof(pattern), "\"file\": \"otlp-json/%s\"", name);
	entry = memmem(manifest.p, manifest.len, pattern, strlen(pattern));
	if (entry == NULL)
		return -1;
	end = memchr(entry, '}', (size_t) (manifest.p + manifest.len - entry));
	spans = memmem(entry, (size_t) (end - entry), "\"spans\": ", 9);
	return spans ? strtoll(spans + 9, NULL, 10) : -1;
}

static bool
several_documents(Str json)
{
	return strcmp(json_error(json), "more text after the JSON value") == 0;
}

/* NULL when the document is what it should be, *refused when that is to be refused. */
static const char *
check_document(Arena *a, const char *root, const char *name, Str manifest, bool *refused)
{
	char path[1024];
	Str json, twin;
	Batch *b;
	int64_t spans = manifest_spans(manifest, name);

	snprintf(path, sizeof(path), "%s/otlp-json/%s", root, name);
	json = read_whole(path, a);
	snprintf(path, sizeof(path), "%s/otlp-pb/%.*s.pb", root, (int) (strstr(name, ".json") - name), name);
	twin = read_whole(path, a);
	b = decode(a, json);
	*refused = b == NULL;
	if (b == NULL && (several_documents(json) || strstr(res.message, "no \"resourceSpans\"") != NULL ||
					  (twin.p != NULL && has_bad_id(twin))))
		return NULL;
	if (b == NULL)
		return res.message;
	if (spans >= 0 && spans != res.spans)
		return "not the number of spans the manifest says";
	return twin.p ? differs_from_pb(b, twin, a) : NULL;
}

static void
test_documents(Arena *a)
{
	const char *root = shared_path("data/payloads", a);
	Str manifest = read_whole(shared_path("data/payloads/MANIFEST.json", a), a);
	DIR *dir = opendir(shared_path("data/payloads/otlp-json", a));
	struct dirent *e;
	int taken = 0, refused = 0, bad = 0;

	if (dir == NULL)
	{
		skip("no shared payloads");
		return;
	}
	while ((e = readdir(dir)) != NULL)
	{
		bool no;
		const char *wrong;

		if (strstr(e->d_name, ".json") == NULL)
			continue;
		wrong = check_document(a, root, e->d_name, manifest, &no);
		if (wrong != NULL)
			printf("# %s: %s\n", e->d_name, wrong);
		else if (no)
			printf("# %s is refused: %s\n", e->d_name, res.message);
		bad += wrong != NULL;
		refused += no;
		taken += !no;
	}
	closedir(dir);
	ok(bad == 0 && taken > 30, "%d documents are what their protobuf is", taken);
	ok(refused < 12, "%d are malformed and refused", refused);
}

static void
test_exporters(Arena *a)
{
	for (int i = 3; i < 6; i++)
	{
		char name[64];
		Str json, twin;
		Batch *b;
		const char *wrong;

		snprintf(name, sizeof(name), "data/exporters/%03d-h1_v1_traces.bin", i);
		json = read_whole(shared_path(name, a), a);
		if (json.p == NULL)
		{
			skip("no shared exporter bodies");
			continue;
		}
		snprintf(name, sizeof(name), "data/exporters/%03d-h1_v1_traces.bin", i + 3);
		twin = read_whole(shared_path(name, a), a);
		b = decode(a, json);
		wrong = b ? differs_from_pb(b, twin, a) : res.message;
		ok(b != NULL && res.spans > 0, "exporter body %d is taken: %s", i, res.message);
		/* the recordings are of different runs, so ids and times differ: shape only */
		ok(wrong == NULL || strcmp(wrong, "number of spans") != 0, "as many spans as its protobuf has");
	}
}

static uint64_t rng_state = 1;

static uint32_t
rnd(uint32_t n)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t) (rng_state >> 33) % n;
}

/* Damaged documents are refused or taken, and leave nothing behind when refused. */
static void
test_damage(Arena *a)
{
	Str json = read_whole(
		shared_path(
			"data/payloads/otlp-json/data-prepper__src__test__resources__test-request-both-span-types.json",
			a),
		a);
	int taken = 0, refused = 0, wrong = 0;

	if (json.p == NULL)
		json = id_and(a, "\"events\":[{\"name\":\"e\"}],\"attributes\":[{\"key\":\"k\",\"value\":{}}]");
	for (int i = 0; i < 4000; i++)
	{
		Arena *own = arena_create(NULL, 0);
		char *copy = arena_dup(own, json.p, json.len);
		uint32_t len = i % 4 ? json.len : rnd(json.len);

		for (uint32_t n = i % 4 ? 1 + rnd(2) : 0; n > 0; n--)
			copy[rnd(len)] = "\"{}[],:\\0a1 n"[rnd(13)];
		if (decode(own, str_of(copy, len)) != NULL)
			taken++;
		else
		{
			refused++;
			wrong += res.code == OTLP_OK || res.message[0] == '\0' || res.offset > len || res.spans != 0;
		}
		arena_destroy(own);
	}
	ok(taken > 100 && refused > 100, "damage is seen or harmless: %d refused, %d taken", refused, taken);
	is_i64(wrong, 0, "every refusal says what and where");
}

typedef void (*TestFunc)(Arena *a);

int
main(void)
{
	static const TestFunc tests[] = {test_depth,          test_skip,      test_empty,     test_numbers,
									 test_span_fields,    test_spellings, test_values,    test_refused_fields,
									 test_refused_values, test_nesting,   test_documents, test_exporters,
									 test_damage};

	test_valid();
	test_invalid();
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
	{
		Arena *a = arena_create(NULL, 0);

		tests[i](a);
		arena_destroy(a);
	}
	return unit_done();
}
