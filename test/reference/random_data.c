/*
 * random_data.c
 *	  Random traces as OTLP/JSON requests.
 */
#include "random.h"

#include <string.h>

static uint64_t state;

void
random_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15u + 1;
}

static uint64_t
rnd64(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int
rnd(int n)
{
	return (int) (rnd64() % (uint64_t) n);
}

bool
chance(int of100)
{
	return rnd(100) < of100;
}

#define PICK(list) ((list)[rnd((int) (sizeof(list) / sizeof((list)[0])))])

/* ---- values ---- */

static const char *const words[] = {"x", "y", "z", "", "x.y", "GET", "POST", "café", "a b", "nil", "5", "X"};
static const char *const floats[] = {"0.25", "0.5", "1.5", "2.5", "-0.5", "10.0", "3.0", "1e3", "0.0"};
static const char *const odd_floats[] = {"\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "-0.0", "1e300"};
static const char *const ints[] = {"0", "1", "2", "3", "5", "-1", "7", "200", "404", "500", "1099511627776"};

static void
put_scalar(Out *out, int type)
{
	switch (type)
	{
		case 0: out_fmt(out, "{\"stringValue\":\"%s\"}", PICK(words)); break;
		case 1: out_fmt(out, "{\"intValue\":\"%s\"}", PICK(ints)); break;
		case 2: out_fmt(out, "{\"doubleValue\":%s}", chance(3) ? PICK(odd_floats) : PICK(floats)); break;
		default: out_fmt(out, "{\"boolValue\":%s}", chance(50) ? "true" : "false"); break;
	}
}

/* Of one type, mostly; of none or one element at times. */
static void
put_array(Out *out, int type, bool mixed)
{
	int n = rnd(10) ? 1 + rnd(4) : 0;

	out_fmt(out, "{\"arrayValue\":{\"values\":[");
	for (int i = 0; i < n; i++)
	{
		out_fmt(out, i ? "," : "");
		put_scalar(out, mixed ? rnd(4) : type);
	}
	out_fmt(out, "]}}");
}

static void
put_odd(Out *out)
{
	static const char *const odd[] = {
		"{\"bytesValue\":\"AAEC\"}",
		"{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"intValue\":\"1\"}}]}}",
		"{}",
		"{\"arrayValue\":{}}",
		"{\"arrayValue\":{\"values\":[{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}]}}",
		"{\"intValue\":\"9223372036854775807\"}",
		"{\"intValue\":\"-9223372036854775808\"}"};

	out_fmt(out, "%s", PICK(odd));
}

/* What a key usually holds: its letter is the type. */
static const struct
{
	const char *key;
	const char
		*types; /* s i f b scalars, S I F B arrays, m mixed array, o odd, u n w all different, l long */
} span_keys[] = {{"http.method", "s"}, {"http.status_code", "iiiis"},
				 {"http.url", "s"},    {"a", "sifb"},
				 {"b", "is"},          {"ratio", "f"},
				 {"retry", "b"},       {"size", "iif"},
				 {"tags", "SSs"},      {"codes", "I"},
				 {"odd key", "s"},     {"shared", "s"},
				 {"empty", "s"},       {"mix", "sifbSIFBmo"},
				 {"status", "s"},      {"service.name", "s"},
				 {"uid", "u"},         {"num", "nni"},
				 {"when", "w"},        {"text", "lsu"},
				 {"name", "i"},        {"weights", "FFf"},
				 {"flags", "B"},       {"q\\\"uote", "s"}};

static const struct
{
	const char *key;
	const char *types;
} resource_keys[] = {{"cluster", "s"},  {"a", "si"},        {"shared", "s"},
					 {"replicas", "i"}, {"mix", "sifbSIm"}, {"pod", "s"},
					 {"tags", "Ss"},    {"odd key", "s"},   {"ratio", "f"}};

/* Strings and numbers of which there are as many as spans. */
static void
put_varied(Out *out, char type)
{
	if (type == 'u')
		out_fmt(out, "{\"stringValue\":\"user-%llu\"}", (unsigned long long) rnd64() % 1000000);
	else if (type == 'n')
		out_fmt(out, "{\"intValue\":\"%lld\"}", (long long) (rnd64() >> rnd(63)) / 2 - 1000);
	else if (type == 'w')
		out_fmt(out, "{\"doubleValue\":%.3f}", (double) (rnd64() % 100000000) / 1000 - 5000);
	else
		out_fmt(out, "{\"stringValue\":\"%0*d\"}", 100 + rnd(3000), rnd(3));
}

static void
put_attr(Out *out, const char *key, const char *types)
{
	static const char letters[] = "sifb";
	static const char arrays[] = "SIFB";
	char type = types[rnd((int) strlen(types))];
	const char *at;

	out_fmt(out, "{\"key\":\"%s\",\"value\":", key);
	if ((at = strchr(letters, type)))
		put_scalar(out, (int) (at - letters));
	else if ((at = strchr(arrays, type)))
		put_array(out, (int) (at - arrays), false);
	else if (strchr("unwl", type))
		put_varied(out, type);
	else if (type == 'm')
		put_array(out, 0, true);
	else
		put_odd(out);
	out_fmt(out, "}");
}

/* From a random key on; a few are there twice, and then the first counts. */
static void
put_span_attrs(Out *out)
{
	int nkeys = (int) (sizeof(span_keys) / sizeof(span_keys[0]));
	int at = rnd(nkeys);
	bool first = true;

	out_fmt(out, "\"attributes\":[");
	for (int i = 0; i < nkeys; i++, at++)
	{
		if (!chance(25))
			continue;
		out_fmt(out, first ? "" : ",");
		put_attr(out, span_keys[at % nkeys].key, span_keys[at % nkeys].types);
		first = false;
		if (chance(1))
		{
			out_fmt(out, ",");
			put_attr(out, span_keys[at % nkeys].key, "sifbSmo");
		}
	}
	out_fmt(out, "]");
}

/* ---- resources and scopes: a few, made before the spans ---- */

#define NRESOURCES 9
#define NSCOPES    4

static Text resources[NRESOURCES];
static Text scopes[NSCOPES];

static void
make_resource(int r)
{
	static const char *const services[] = {"cart", "auth", "db", "front end", "café"};
	Out out = {0};

	out_fmt(&out, "\"resource\":{\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"%d\"}}", r % 3);
	if (r < NRESOURCES - 1)
		out_fmt(&out, ",{\"key\":\"service.name\",\"value\":{\"stringValue\":\"%s\"}}", services[r % 5]);
	for (size_t i = 0; i < sizeof(resource_keys) / sizeof(resource_keys[0]); i++)
	{
		if (!chance(50))
			continue;
		out_fmt(&out, ",");
		put_attr(&out, resource_keys[i].key, resource_keys[i].types);
	}
	out_fmt(&out, "]}");
	resources[r] = out_done(&out);
}

static void
make_scopes(void)
{
	scopes[0] = text_of("\"scope\":{}");
	scopes[1] = text_of("\"scope\":{\"name\":\"lib.http\",\"version\":\"1.0\",\"attributes\":["
						"{\"key\":\"lang\",\"value\":{\"stringValue\":\"go\"}}]}");
	scopes[2] = text_of("\"scope\":{\"name\":\"lib.db\",\"version\":\"2.1\",\"attributes\":["
						"{\"key\":\"lang\",\"value\":{\"stringValue\":\"c\"}},"
						"{\"key\":\"a\",\"value\":{\"intValue\":\"5\"}}]}");
	scopes[3] = text_of("\"scope\":{\"name\":\"lib.db\",\"attributes\":["
						"{\"key\":\"tags\",\"value\":{\"arrayValue\":{\"values\":["
						"{\"stringValue\":\"x\"},{\"stringValue\":\"y\"}]}}}]}");
}

/* ---- spans ---- */

typedef struct Shape
{
	uint64_t id;
	uint64_t parent;
	int64_t start;
	int kind;
} Shape;

static void
put_events(Out *out, int64_t start)
{
	static const char *const names[] = {"exception", "retry", "cache.miss", ""};
	static const char *const messages[] = {"it broke", "Timeout", "x"};
	int n = chance(25) ? 1 + rnd(3) : 0;

	for (int i = 0; i < n; i++)
	{
		out_fmt(out, i ? ",{" : ",\"events\":[{");
		out_fmt(out, "\"name\":\"%s\",\"timeUnixNano\":\"%lld\",\"attributes\":[", PICK(names),
				(long long) (start + rnd(5) * 1000000));
		if (chance(60))
			out_fmt(out, "{\"key\":\"message\",\"value\":{\"stringValue\":\"%s\"}}%s", PICK(messages),
					chance(50) ? ",{\"key\":\"level\",\"value\":{\"intValue\":\"1\"}}" : "");
		else if (chance(60))
			put_attr(out, chance(50) ? "level" : "a", "isSfI");
		out_fmt(out, "]}%s", i == n - 1 ? "]" : "");
	}
}

static void
put_links(Out *out, const char *trace_id, const Shape *shapes, int nshapes)
{
	int n = chance(15) ? 1 + rnd(2) : 0;

	for (int i = 0; i < n; i++)
	{
		out_fmt(out, i ? ",{" : ",\"links\":[{");
		if (chance(60))
			out_fmt(out, "\"traceId\":\"%s\",\"spanId\":\"%016llx\"", trace_id,
					(unsigned long long) shapes[rnd(nshapes)].id);
		else
			out_fmt(out, "\"traceId\":\"00000000000000ab%016llx\",\"spanId\":\"000000000000000%d\"",
					(unsigned long long) (1 + rnd(3)), 1 + rnd(3));
		out_fmt(out, ",\"attributes\":[");
		if (chance(40))
			out_fmt(out, "{\"key\":\"opentracing.ref_type\",\"value\":{\"stringValue\":\"%s\"}}",
					chance(50) ? "child_of" : "follows_from");
		else if (chance(70))
			put_attr(out, chance(50) ? "rel" : "a", "sIi");
		out_fmt(out, "]}%s", i == n - 1 ? "]" : "");
	}
}

static int64_t
random_duration(void)
{
	static const int64_t round[] = {0, 1000000, 50000000, 100000000, 1000000000};

	return chance(40) ? PICK(round) : (int64_t) (rnd64() % 2000000000u);
}

static Text
make_span(const char *trace_id, const Shape *shapes, int n, int i)
{
	static const char *const names[] = {"GET /", "GET /cart", "POST /cart", "SELECT", "charge", "", "café"};
	static const char *const states[] = {"ot=th:8", "ot=th:c;rv:1", "vendor=1"};
	const Shape *s = &shapes[i];
	int status = rnd(4);
	Out out = {0};

	out_fmt(&out, "{\"traceId\":\"%s\",\"spanId\":\"%016llx\",", trace_id, (unsigned long long) s->id);
	if (s->parent)
		out_fmt(&out, "\"parentSpanId\":\"%016llx\",", (unsigned long long) s->parent);
	if (chance(10))
		out_fmt(&out, "\"traceState\":\"%s\",", PICK(states));
	out_fmt(&out, "\"name\":\"%s\",\"kind\":%d,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\",",
			PICK(names), s->kind, (long long) s->start, (long long) (s->start + random_duration()));
	if (status < 3)
		out_fmt(&out, "\"status\":{\"code\":%d%s},", status, chance(30) ? ",\"message\":\"boom\"" : "");
	put_span_attrs(&out);
	put_events(&out, s->start);
	put_links(&out, trace_id, shapes, n);
	out_fmt(&out, "}");
	return out_done(&out);
}

/* ---- traces ---- */

static uint64_t
some_id(void)
{
	return chance(5) ? 1 + (uint64_t) rnd(9) : rnd64() | 1;
}

static uint64_t
some_parent(const Shape *shapes, int i, int shape)
{
	if (i == 0)
		return shape == 1 ? rnd64() | 1 : 0; /* no root */
	if (chance(shape == 2 ? 40 : 6))
		return chance(50) ? 0 : rnd64() | 1; /* another root, or an orphan */
	if (shape == 3)
		return shapes[i - 1].id; /* a chain */
	return shapes[rnd(i)].id;
}

static bool
known(const Shape *shapes, int i, const Shape *s)
{
	for (int k = 0; k < i; k++)
		if (shapes[k].id == s->id && shapes[k].start == s->start)
			return true;
	return false;
}

static void
make_shapes(Shape *shapes, int n, int64_t start)
{
	int shape = rnd(5);

	for (int i = 0; i < n; i++)
	{
		Shape *s = &shapes[i];

		s->id = i && chance(6) ? shapes[rnd(i)].id : some_id();
		s->parent = some_parent(shapes, i, shape);
		s->kind = rnd(6);
		do
			s->start = i && chance(20) ? shapes[rnd(i)].start : start + (int64_t) (rnd64() % 1000000000u);
		while (known(shapes, i, s));
	}
	if (n > 1 && chance(4))
		shapes[rnd(n)].parent = shapes[rnd(n)].id; /* may be a circle */
}

/* ---- requests ---- */

typedef struct Piece
{
	int resource;
	int scope;
	int request;
	Text json;
} Piece;

typedef struct Pieces
{
	int n;
	int cap;
	Piece *p;
} Pieces;

static void
put_piece(Pieces *all, Piece piece)
{
	if (all->n == all->cap)
	{
		Piece *more = ref_alloc((size_t) (2 * all->cap + 64) * sizeof(Piece));

		if (all->n)
			memcpy(more, all->p, (size_t) all->n * sizeof(Piece));
		all->p = more;
		all->cap = 2 * all->cap + 64;
	}
	all->p[all->n++] = piece;
}

static void
make_trace(Pieces *all, int64_t from, int nrequests, bool scattered)
{
	int n = chance(5) ? 40 + rnd(60) : 1 + rnd(12);
	Shape *shapes = ref_alloc((size_t) n * sizeof(Shape));
	int64_t start = from * 1000000000 + (int64_t) (rnd64() % 1800000000000u);
	int request = rnd(nrequests);
	char trace_id[33];
	Out id = {0};

	out_fmt(&id, "%016llx%016llx", chance(20) ? 0 : (unsigned long long) rnd64(),
			(unsigned long long) rnd64() | 1);
	memcpy(trace_id, out_done(&id).p, 33);
	make_shapes(shapes, n, start);
	for (int i = 0; i < n; i++)
		put_piece(all, (Piece){.resource = rnd(NRESOURCES),
							   .scope = rnd(NSCOPES),
							   .request = scattered ? rnd(nrequests) : request,
							   .json = make_span(trace_id, shapes, n, i)});
}

/* Spans one after the other with the same resource and scope stand under one. */
static Text
request_text(const Pieces *all, int request)
{
	const Piece *last = NULL;
	Out out = {0};

	out_fmt(&out, "{\"resourceSpans\":[");
	for (int i = 0; i < all->n; i++)
	{
		const Piece *p = &all->p[i];

		if (p->request != request)
			continue;
		if (last && last->resource == p->resource && last->scope == p->scope)
			out_fmt(&out, ",");
		else
		{
			out_fmt(&out, last ? "]}]},{" : "{");
			out_text(&out, resources[p->resource]);
			out_fmt(&out, ",\"scopeSpans\":[{");
			out_text(&out, scopes[p->scope]);
			out_fmt(&out, ",\"spans\":[");
		}
		out_text(&out, p->json);
		last = p;
	}
	out_fmt(&out, last ? "]}]}]}" : "]}");
	return out_done(&out);
}

Requests
random_traces(int scale, int64_t from)
{
	int ntraces = scale * (1 + rnd(60));
	bool scattered = chance(50);
	Pieces all = {0};
	Requests out = {.n = 1 + rnd(scale > 1 ? 40 : 12)};

	for (int r = 0; r < NRESOURCES; r++)
		make_resource(r);
	make_scopes();
	for (int t = 0; t < ntraces; t++)
		make_trace(&all, from, out.n, scattered);
	out.json = ref_alloc((size_t) out.n * sizeof(Text));
	for (int r = 0; r < out.n; r++)
		out.json[r] = request_text(&all, r);
	return out;
}
