/*
 * test_api.c
 *	  The plain-C parts of the query API: JSON, query parameters, the view of a whole trace.
 */
#include "unit.h"

#include <math.h>

#include "api/json_write.h"
#include "api/params.h"
#include "api/trace.h"

static Arena *arena;

static Str
text_of(const Buf *b)
{
	return str_of((const char *) b->p, b->len);
}

static void
check_text(const Buf *b, const char *expected, const char *what)
{
	if (!ok(str_eq(text_of(b), str_lit(expected)), "%s", what))
		printf("# got      %.*s\n# expected %s\n", (int) b->len, b->p, expected);
}

static void
check_string(const char *bytes, size_t len, const char *expected)
{
	Buf out;

	buf_init(&out, arena, 0);
	json_put_string(&out, str_of(bytes, len));
	check_text(&out, expected, expected);
}

static void
check_double(double v, const char *expected)
{
	Buf out;

	buf_init(&out, arena, 0);
	json_put_double(&out, v);
	check_text(&out, expected, expected);
}

static void
check_base64(const char *bytes, const char *expected)
{
	Buf out;

	buf_init(&out, arena, 0);
	json_put_base64(&out, str_lit(bytes));
	check_text(&out, expected, expected);
}

static void
test_json(void)
{
	check_string("plain", 5, "\"plain\"");
	check_string("a\"b\\c\n\t\x01", 8, "\"a\\\"b\\\\c\\n\\t\\u0001\"");
	check_string("nul\0in", 6, "\"nul\\u0000in\"");
	check_string("caf\xc3\xa9 \xf0\x9f\x99\x82", 10, "\"caf\xc3\xa9 \xf0\x9f\x99\x82\"");
	check_string("\xff|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82", 16,
				 "\"\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
				 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\"");
	check_double(0.1, "0.1");
	check_double(1.5, "1.5");
	check_double(5e-324, "4.94065645841247e-324");
	check_double(1.0 / 3, "0.3333333333333333");
	check_double(NAN, "\"NaN\"");
	check_double(-INFINITY, "\"-Infinity\"");
	check_base64("", "\"\"");
	check_base64("f", "\"Zg==\"");
	check_base64("fo", "\"Zm8=\"");
	check_base64("foobar", "\"Zm9vYmFy\"");
}

static void
test_values(void)
{
	Buf attrs;
	Buf out;
	Value inner = {.type = VALUE_INT, .i = -5};
	Value bytes = {.type = VALUE_BYTES, .s = str_of("\x00\xff", 2)};
	Value empty = {.type = VALUE_EMPTY};
	Value array = {.type = VALUE_ARRAY, .s = str_of("\x02\x02\x01\x01\x01x", 6)};

	buf_init(&attrs, arena, 0);
	buf_put_varint(&attrs, 4);
	value_write_kv(&attrs, str_lit("i"), &inner);
	value_write_kv(&attrs, str_lit("b"), &bytes);
	value_write_kv(&attrs, str_lit("e"), &empty);
	value_write_kv(&attrs, str_lit("a"), &array);
	buf_init(&out, arena, 0);
	json_put_attributes(&out, text_of(&attrs));
	check_text(&out,
			   "[{\"key\":\"i\",\"value\":{\"intValue\":\"-5\"}},{\"key\":\"b\",\"value\":{\"bytesValue\":"
			   "\"AP8=\"}},"
			   "{\"key\":\"e\",\"value\":{}},{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{"
			   "\"boolValue\":true},"
			   "{\"stringValue\":\"x\"}]}}}]",
			   "attributes of every sort");
}

static void
test_params(void)
{
	QueryParams p;
	Buf err;
	uint64_t v = 7;

	buf_init(&err, arena, 0);
	ok(params_parse(arena, str_lit("q=%7B+.a%20%3D+%221%22+%7D&limit=20&empty=&flag&q=second"), &p),
	   "query string parses");
	ok(str_eq(params_get(&p, "q"), str_lit("{ .a = \"1\" }")),
	   "escapes and plus are decoded, the first value wins");
	ok(!params_has(&p, "empty") && !params_has(&p, "flag") && !params_has(&p, "nope"),
	   "empty counts as absent");
	ok(params_u64(&p, "limit", 100, &v, &err) && v == 20, "a number");
	ok(params_u64(&p, "nope", 100, &v, &err) && v == 20, "an absent number keeps the default");
	ok(!params_u64(&p, "limit", 19, &v, &err) && err.len > 0, "a number over its maximum is refused");
	ok(!params_u64(&p, "q", 19, &v, &err), "text is not a number");
	ok(!params_parse(arena, str_lit("q=%7"), &p) && !params_parse(arena, str_lit("q=%zz"), &p),
	   "broken escapes are refused");
}

static void
test_logfmt(void)
{
	QueryParams p;
	Buf err;

	buf_init(&err, arena, 0);
	ok(parse_logfmt(arena, str_lit("service.name=api  key2=\"v \\\"2\" k3"), &p, &err) && p.n == 3,
	   "logfmt parses");
	ok(str_eq(p.items[1].value, str_lit("v \"2")), "quoted values may hold spaces and quotes");
	ok(p.items[2].value.len == 0, "a key alone has an empty value");
	ok(!parse_logfmt(arena, str_lit("a=1 a=2"), &p, &err), "a repeated key is refused");
	ok(!parse_logfmt(arena, str_lit("a=\"1"), &p, &err), "an unterminated quote is refused");
	ok(!parse_logfmt(arena, str_lit("=1"), &p, &err), "a missing key is refused");
	ok(parse_logfmt(arena, str_lit(""), &p, &err) && p.n == 0, "no tags");
}

static void
add_span(BatchBuilder *bb, uint64_t id, uint64_t parent, int kind, const char *name)
{
	static const uint8_t trace_id[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xbc};

	builder_begin_span(bb);
	builder_set_trace_id(bb, trace_id);
	builder_set_i64(bb, SC_SPAN_ID, (int64_t) id);
	builder_set_i64(bb, SC_PARENT_ID, (int64_t) parent);
	builder_set_i64(bb, SC_KIND, kind);
	builder_set_i64(bb, SC_START, 1000);
	builder_set_i64(bb, SC_DURATION, 5);
	builder_set_bytes(bb, SC_NAME, str_lit(name));
	builder_end_span(bb);
}

/* A trace with a copy of a span, a shared id, and two resources taking turns. */
static Batch *
shared_ids(void)
{
	BatchBuilder *bb = builder_create(arena, false, 0, NULL);
	Str res_a = str_of("\x00", 1);
	Str res_b = str_of("\x01\x01k\x02\x01", 5);

	builder_set_tenant(bb, str_lit("t"));
	builder_set_scope(bb, res_a, str_lit(""), str_lit(""), 0, str_lit(""));
	builder_set_resource(bb, res_a, str_lit(""), 0, str_lit(""));
	add_span(bb, 1, 0, 3, "client");
	add_span(bb, 1, 0, 3, "client again");
	builder_set_resource(bb, res_b, str_lit(""), 0, str_lit(""));
	add_span(bb, 1, 0, 2, "server");
	builder_set_resource(bb, res_a, str_lit(""), 0, str_lit("url"));
	add_span(bb, 2, 1, 1, "child");
	builder_set_resource(bb, res_b, str_lit(""), 0, str_lit(""));
	add_span(bb, 3, 2, -7, "grandchild"); /* a kind nobody knows is kept */
	return builder_finish(bb);
}

static void
test_view(void)
{
	Batch *b = shared_ids();
	uint32_t n;
	uint32_t *rows = trace_view(b, &n);
	int64_t *id = batch_column(b, LEVEL_SPAN, SC_SPAN_ID)->i64;
	int64_t *parent = batch_column(b, LEVEL_SPAN, SC_PARENT_ID)->i64;
	Batch *again = shared_ids();
	uint32_t n2;

	ok(n == 4, "a span stored twice is shown once");
	ok(rows[0] == 0 && rows[1] == 2 && rows[2] == 4 && rows[3] == 3,
	   "spans of equal resources stand together");
	ok(id[0] == 1 && id[2] != 1 && parent[2] == 1,
	   "the server half has an id of its own, below the client half");
	ok(parent[3] == id[2] && parent[4] == 2, "children of the shared id hang below the server half");
	trace_view(again, &n2);
	ok(batch_column(again, LEVEL_SPAN, SC_SPAN_ID)->i64[2] == id[2], "the new id is the same every time");
}

static void
test_trace_json(void)
{
	Batch *b = shared_ids();
	uint32_t rows[] = {0, 4};
	Buf out;

	buf_init(&out, arena, 0);
	trace_write_json(b, rows, 0, "batches", &out);
	check_text(&out, "{}", "no spans, no key");
	out.len = 0;
	trace_write_json(b, rows, 2, "resourceSpans", &out);
	check_text(
		&out,
		"{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"
		"\"AAAAAAAAAAAAAAAAAAAKvA==\",\"spanId\":\"AAAAAAAAAAE=\",\"name\":\"client\",\"kind\":\"SPAN_KIND_"
		"CLIENT\","
		"\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"1005\",\"status\":{}}]}]},{\"resource\":{"
		"\"attributes\":"
		"[{\"key\":\"k\",\"value\":{\"boolValue\":true}}]},\"scopeSpans\":[{\"scope\":{},\"spans\":[{"
		"\"traceId\":"
		"\"AAAAAAAAAAAAAAAAAAAKvA==\",\"spanId\":\"AAAAAAAAAAM=\",\"parentSpanId\":\"AAAAAAAAAAI=\",\"name\":"
		"\"grandchild\",\"kind\":-7,\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":"
		"\"1005\","
		"\"status\":{}}]}]}]}",
		"two spans of two resources");
}

int
main(void)
{
	arena = arena_create(NULL, 0);
	test_json();
	test_values();
	test_params();
	test_logfmt();
	test_view();
	test_trace_json();
	arena_destroy(arena);
	return unit_done();
}
