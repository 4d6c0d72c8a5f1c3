/*
 * shop.c
 *	  One trace: a visitor's request through the proxy and the front end into a dozen services, their
 *databases and caches, and for an order through a queue into those that work later.
 *
 * A call makes ids first, then lays out what happens inside, then knows its own duration and makes its spans:
 * children therefore come before parents in the window, which is sorted by end time anyway.
 */
#include "gen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

enum
{
	PROXY,
	FRONTEND,
	CART,
	CHECKOUT,
	CATALOG,
	CURRENCY,
	PAYMENT,
	SHIPPING,
	QUOTE,
	EMAIL,
	AD,
	RECOMMEND,
	ACCOUNTING,
	FRAUD,
	AUTH,
	SEARCH
};

typedef struct Service
{
	const char *name;
	const char *title; /* in the name of its RPC service */
	const char *language;
} Service;

static const Service services[SERVICES] = {
	{"frontend-proxy", "Proxy", "cpp"},
	{"frontend", "Frontend", "nodejs"},
	{"cart", "Cart", "dotnet"},
	{"checkout", "Checkout", "go"},
	{"catalog", "Catalog", "go"},
	{"currency", "Currency", "cpp"},
	{"payment", "Payment", "nodejs"},
	{"shipping", "Shipping", "rust"},
	{"quote", "Quote", "php"},
	{"email", "Email", "ruby"},
	{"ad", "Ad", "java"},
	{"recommend", "Recommend", "python"},
	{"accounting", "Accounting", "dotnet"},
	{"fraud", "Fraud", "java"},
	{"auth", "Auth", "java"},
	{"search", "Search", "java"},
};

/* Where something happens: the trace so far. */
typedef struct Call
{
	Gen *g;
	Trace *trace;
} Call;

/* What a callee does inside; returns how long at least. */
typedef uint64_t (*Inside)(Call *c, int instance, const uint8_t *parent, uint64_t start, int n);

typedef struct Step
{
	int service;
	const char *method;
	double ms;
	Inside inside;
	int n;
} Step;

static uint64_t
pick(Call *c, uint64_t low, uint64_t high)
{
	return random_range(&c->g->random, low, high);
}

static bool
chance(Call *c, double p)
{
	return random_unit(&c->g->random) < p;
}

static uint64_t
latency(Call *c, double ms)
{
	double ns = ms * 1e6 * exp(random_normal(&c->g->random) * 0.6);

	return ns < 1000 ? 1000 : (uint64_t) ns;
}

static int
instance_of(Call *c, int service)
{
	return service * REPLICAS + (int) pick(c, 0, REPLICAS - 1);
}

static void
new_id(Call *c, uint8_t *id)
{
	uint64_t n;

	do
		n = random_u64(&c->g->random);
	while (n == 0);
	memcpy(id, &n, 8);
}

static Span *
span_add(Gen *g)
{
	if (g->n_spans == g->max_spans)
	{
		g->max_spans = g->max_spans ? g->max_spans * 2 : 1 << 16;
		g->spans = realloc(g->spans, g->max_spans * sizeof(Span));
		if (g->spans == NULL)
			abort();
	}
	return &g->spans[g->n_spans++];
}

/* The attributes are copied; an error message makes it an error. */
static void
emit(Call *c, int instance, const uint8_t *id, const uint8_t *parent, Text name, Kind kind, uint64_t start,
	 uint64_t duration, AttrList *attrs, Text error)
{
	Gen *g = c->g;
	Span *s;
	Attr *copy;

	if (g->wide)
		wide_attrs(g, c->trace, name, attrs);
	copy = gen_alloc(g, sizeof(Attr) * attrs->n);
	memcpy(copy, attrs->at, sizeof(Attr) * attrs->n);
	s = span_add(g);
	memset(s, 0, sizeof(*s));
	memcpy(s->trace, c->trace->id, 16);
	memcpy(s->id, id, 8);
	s->has_parent = parent != NULL;
	if (parent != NULL)
		memcpy(s->parent, parent, 8);
	s->instance = (uint8_t) instance;
	s->kind = kind;
	s->name = name;
	s->start = start;
	s->duration = duration;
	s->attrs = copy;
	s->n_attrs = attrs->n;
	s->message = error;
	s->status = error.len > 0                           ? STATUS_ERROR
				: kind == KIND_SERVER && chance(c, 0.2) ? STATUS_OK
														: STATUS_UNSET;
}

static uint64_t
database(Call *c, int instance, const uint8_t *parent, uint64_t start, Text system, Text verb, Text table,
		 Text statement, double ms)
{
	AttrList attrs = {0};
	uint64_t duration = latency(c, ms);
	bool postgresql = system.p[0] == 'p';
	uint8_t id[8];

	attr_text(&attrs, TEXT("db.system"), system);
	attr_text(&attrs, TEXT("db.operation.name"), verb);
	attr_text(&attrs, TEXT("db.collection.name"), table);
	attr_text(&attrs, TEXT("db.query.text"), statement);
	attr_text(&attrs, TEXT("server.address"),
			  postgresql ? TEXT("postgresql-0.shop.svc") : TEXT("redis-0.shop.svc"));
	attr_int(&attrs, TEXT("server.port"), postgresql ? 5432 : 6379);
	attr_int(&attrs, TEXT("network.peer.port"), pick(c, 30000, 60999));
	attr_int(&attrs, TEXT("thread.id"), pick(c, 1, 64));
	new_id(c, id);
	emit(c, instance, id, parent, gen_text(c->g, "%s %s", verb.p, table.p), KIND_CLIENT, start, duration,
		 &attrs, chance(c, 0.004) ? TEXT("TimeoutException") : TEXT(""));
	return duration;
}

static uint64_t
lookup(Call *c, int instance, const uint8_t *parent, uint64_t start, int n)
{
	for (int i = 0; i < n; i++)
	{
		Text product = c->g->products[pick(c, 0, 399)];
		Text statement = c->g->wide ? wide_statement(c->g, c->trace, TEXT("products"))
									: gen_text(c->g, "SELECT id, name, price FROM products WHERE id = '%.*s'",
											   (int) product.len, product.p);

		database(c, instance, parent, start + i * 3 * MS / 2, TEXT("postgresql"), TEXT("SELECT"),
				 TEXT("products"), statement, 1.2);
	}
	return n * 3 * MS / 2;
}

static uint64_t
cached(Call *c, int instance, const uint8_t *parent, uint64_t start, int sessions)
{
	Text table = sessions ? TEXT("sessions") : TEXT("cart");
	Text statement = c->g->wide ? wide_statement(c->g, c->trace, table) : gen_text(c->g, "HGET %s", table.p);

	database(c, instance, parent, start, TEXT("redis"), TEXT("HGET"), table, statement, 0.4);
	return MS / 2;
}

/* A client span in one instance and the server span in another; returns the client's duration. */
static uint64_t
call(Call *c, int from, const uint8_t *parent, uint64_t start, const Step *step)
{
	const Service *to = &services[step->service];
	int instance = instance_of(c, step->service);
	uint64_t net = pick(c, MS / 10, 9 * MS / 10);
	uint64_t total = latency(c, step->ms);
	Text error = chance(c, 0.006) ? TEXT("StatusCode.UNAVAILABLE") : TEXT("");
	Text name = gen_text(c->g, "shop.%sService/%s", to->title, step->method);
	AttrList client = {0}, server;
	uint8_t client_id[8], server_id[8];
	uint64_t inside;

	attr_text(&client, TEXT("rpc.system"), TEXT("grpc"));
	attr_text(&client, TEXT("rpc.service"), gen_text(c->g, "shop.%sService", to->title));
	attr_text(&client, TEXT("rpc.method"), (Text){step->method, strlen(step->method)});
	attr_int(&client, TEXT("rpc.grpc.status_code"), error.len > 0 ? 14 : 0);
	server = client;
	attr_text(&client, TEXT("server.address"), gen_text(c->g, "%s.shop.svc.cluster.local", to->name));
	attr_int(&client, TEXT("server.port"), 8080);
	attr_text(
		&client, TEXT("network.peer.address"),
		gen_text(c->g, "10.%d.%d.%d", (int) pick(c, 0, 3), (int) pick(c, 0, 255), (int) pick(c, 1, 254)));
	attr_int(&client, TEXT("network.peer.port"), pick(c, 30000, 60999));
	attr_text(&server, TEXT("app.user.tier"), chance(c, 1.0 / 3) ? TEXT("gold") : TEXT("free"));
	attr_int(&server, TEXT("app.shard"), pick(c, 0, 499));
	attr_int(&server, TEXT("thread.id"), pick(c, 1, 64));
	new_id(c, client_id);
	new_id(c, server_id);
	inside = step->inside ? step->inside(c, instance, server_id, start + net, step->n) + MS / 5 : 0;
	if (total < inside)
		total = inside;
	emit(c, instance, server_id, client_id, name, KIND_SERVER, start + net, total, &server, error);
	emit(c, from, client_id, parent, name, KIND_CLIENT, start, total + 2 * net, &client, error);
	return total + 2 * net;
}

static uint64_t
quote(Call *c, int instance, const uint8_t *parent, uint64_t start, int n)
{
	static const Step step = {QUOTE, "Calculate", 2};

	return call(c, instance, parent, start, &step);
}

/* Those who work after the answer: seconds later, from the queue. */
static void
publish(Call *c, int instance, const uint8_t *parent, uint64_t start)
{
	static const int consumers[] = {ACCOUNTING, FRAUD};
	AttrList attrs = {0};
	uint8_t id[8];

	attr_text(&attrs, TEXT("messaging.system"), TEXT("kafka"));
	attr_text(&attrs, TEXT("messaging.destination.name"), TEXT("orders"));
	attr_int(&attrs, TEXT("messaging.kafka.partition"), pick(c, 0, 11));
	attr_int(&attrs, TEXT("messaging.kafka.offset"), pick(c, 1, 1000000000));
	new_id(c, id);
	emit(c, instance, id, parent, TEXT("orders publish"), KIND_PRODUCER, start, 9 * MS / 10, &attrs,
		 TEXT(""));
	for (int i = 0; i < 2; i++)
	{
		int consumer = instance_of(c, consumers[i]);
		uint64_t at = start + pick(c, MS, 1000 * MS);
		uint8_t process[8];

		memset(&attrs, 0, sizeof(attrs));
		attr_text(&attrs, TEXT("messaging.system"), TEXT("kafka"));
		attr_text(&attrs, TEXT("messaging.destination.name"), TEXT("orders"));
		attr_text(&attrs, TEXT("messaging.consumer.group.name"), c->g->instances[consumer].service);
		attr_int(&attrs, TEXT("messaging.kafka.offset"), pick(c, 1, 1000000000));
		new_id(c, process);
		emit(c, consumer, process, id, TEXT("orders process"), KIND_CONSUMER, at, latency(c, 8), &attrs,
			 TEXT(""));
		database(c, consumer, process, at + MS, TEXT("postgresql"), TEXT("INSERT"), TEXT("ledger"),
				 c->g->wide ? wide_statement(c->g, c->trace, TEXT("ledger"))
							: TEXT("INSERT INTO ledger (order_id, amount) VALUES ($1, $2)"),
				 3);
	}
}

static uint64_t
order(Call *c, int instance, const uint8_t *parent, uint64_t start, int n)
{
	static const Step steps[] = {
		{CART, "GetCart", 2, cached, 0}, {CATALOG, "GetProduct", 4, lookup, 2},
		{CURRENCY, "Convert", 0.6},      {SHIPPING, "GetQuote", 6, quote},
		{PAYMENT, "Charge", 25},         {SHIPPING, "ShipOrder", 5},
		{EMAIL, "SendConfirmation", 30},
	};
	uint64_t t = start;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		t += call(c, instance, parent, t, &steps[i]);
	publish(c, instance, parent, t);
	return t + MS - start;
}

/* What visitors ask for. */
typedef struct Visit
{
	int weight;
	const char *what;
	const char *method;
	const char *route;
	Step steps[5];
} Visit;

static const Visit visits[] = {
	{30,
	 "browse",
	 "GET",
	 "/",
	 {{AUTH, "Verify", 1.5, cached, 1},
	  {CATALOG, "ListProducts", 6, lookup, 3},
	  {CURRENCY, "GetSupported", 0.5},
	  {AD, "GetAds", 4},
	  {RECOMMEND, "List", 9, lookup, 2}}},
	{30,
	 "product",
	 "GET",
	 "/product/{id}",
	 {{AUTH, "Verify", 1.5, cached, 1},
	  {CATALOG, "GetProduct", 3, lookup, 1},
	  {CURRENCY, "Convert", 0.5},
	  {AD, "GetAds", 4}}},
	{18,
	 "cart",
	 "POST",
	 "/api/cart",
	 {{AUTH, "Verify", 1.5, cached, 1},
	  {CATALOG, "GetProduct", 3, lookup, 1},
	  {CART, "AddItem", 2, cached, 0},
	  {CART, "GetCart", 2, cached, 0}}},
	{7,
	 "checkout",
	 "POST",
	 "/api/checkout",
	 {{AUTH, "Verify", 1.5, cached, 1}, {CHECKOUT, "PlaceOrder", 120, order}}},
	{10,
	 "search",
	 "GET",
	 "/api/search",
	 {{AUTH, "Verify", 1.5, cached, 1}, {SEARCH, "Query", 20, lookup, 6}}},
	{5, "health", "GET", "/healthz", {}},
};

static const Visit *
pick_visit(Call *c)
{
	int at = (int) pick(c, 0, 99);
	const Visit *v = visits;

	while (at >= v->weight)
		at -= (v++)->weight;
	return v;
}

static Text
path_of(Call *c, const Visit *v, Text product)
{
	if (v->what[0] == 'p')
		return gen_text(c->g, "/product/%.*s", (int) product.len, product.p);
	return (Text){v->route, strlen(v->route)};
}

static void
http_attrs(Call *c, const Visit *v, Text path, int status, AttrList *attrs)
{
	attrs->n = 0;
	attr_text(attrs, TEXT("http.request.method"), (Text){v->method, strlen(v->method)});
	attr_text(attrs, TEXT("url.path"), path);
	attr_int(attrs, TEXT("http.response.status_code"), status);
	attr_text(attrs, TEXT("network.protocol.version"), TEXT("1.1"));
	attr_text(attrs, TEXT("user_agent.original"),
			  gen_text(c->g, "Mozilla/5.0 (X11; rv:%d.0)", (int) pick(c, 100, 140)));
	attr_text(attrs, TEXT("client.address"),
			  gen_text(c->g, "%d.%d.%d.%d", (int) pick(c, 1, 223), (int) pick(c, 0, 255),
					   (int) pick(c, 0, 255), (int) pick(c, 1, 254)));
}

/* The proxy's span and the front end's, and often a span for rendering below; `inside` is that to call from.
 */
static void
entry(Call *c, const Visit *v, const uint8_t *root, const uint8_t *inside, int front, uint64_t start,
	  uint64_t total)
{
	Text product = c->g->products[pick(c, 0, 399)];
	Text path = path_of(c, v, product);
	Text name = gen_text(c->g, "%s %s", v->method, v->route);
	int status = chance(c, 0.012) ? 500 : chance(c, 0.02) ? 404 : 200;
	Text error = status == 500 ? TEXT("InternalServerError") : TEXT("");
	AttrList attrs, server, render = {0};
	bool rendered = chance(c, 0.5);
	uint8_t id[8];

	http_attrs(c, v, path, status, &attrs);
	server = attrs;
	attr_text(&attrs, TEXT("url.full"),
			  gen_text(c->g, "https://shop.example%.*s?page=%d&ref=%.*s", (int) path.len, path.p,
					   (int) pick(c, 1, 9), (int) product.len, product.p));
	attr_text(&attrs, TEXT("session.id"), c->trace->session);
	attr_text(&server, TEXT("app.user.id"), c->trace->user);
	attr_text(&server, TEXT("http.route"), (Text){v->route, strlen(v->route)});
	attr_int(&server, TEXT("app.cart.items"), pick(c, 0, 9));
	attr_double(&server, TEXT("app.ratio"), (double) pick(c, 0, 1000) / 1000);
	attr_bool(&server, TEXT("app.cached"), chance(c, 0.5));
	attr_text(&render, TEXT("app.template"), (Text){v->what, strlen(v->what)});
	attr_int(&render, TEXT("thread.id"), pick(c, 1, 64));
	new_id(c, id);
	emit(c, instance_of(c, PROXY), root, NULL, name, KIND_SERVER, start, total + 9 * MS, &attrs, error);
	emit(c, front, rendered ? id : inside, root, name, KIND_SERVER, start + 3 * MS / 10, total + 8 * MS,
		 &server, error);
	if (rendered)
		emit(c, front, inside, id, TEXT("render"), KIND_INTERNAL, start + MS / 2, total + 6 * MS, &render,
			 TEXT(""));
}

void
gen_trace(Gen *g, uint64_t start)
{
	Trace trace;
	Call c = {g, &trace};
	const Visit *v = pick_visit(&c);
	uint64_t total = pick(&c, MS / 2, 4 * MS);
	uint8_t root[8], inside[8];
	int front = instance_of(&c, FRONTEND);

	new_id(&c, trace.id);
	new_id(&c, trace.id + 8);
	trace.session = gen_text(g, "%016llx", (unsigned long long) random_u64(&g->random));
	trace.user = gen_text(g, "user-%d", (int) pick(&c, 1, 50000));
	if (g->wide)
		wide_trace(g, &trace);
	new_id(&c, root);
	new_id(&c, inside);
	for (const Step *s = v->steps; s < v->steps + 5 && s->method != NULL; s++)
		total += call(&c, front, inside, start + MS + total, s);
	entry(&c, v, root, inside, front, start, total);
	g->traces++;
}

static void
make_instance(Gen *g, int service, int replica)
{
	static const char *const regions[] = {"eu-west-1", "us-east-2"};
	Instance *instance = &g->instances[service * REPLICAS + replica];
	const Service *s = &services[service];
	AttrList *l = &instance->resource;
	Random *r = &g->random;
	Text name = gen_text_forever(g, "%s", s->name);
	Text node = gen_text_forever(g, "node-%d", (int) random_range(r, 1, 12));
	const char *region = regions[random_range(r, 0, 1)];

	instance->service = name;
	instance->scope = gen_text_forever(g, "io.opentelemetry.%s", s->language);
	attr_text(l, TEXT("service.name"), name);
	attr_text(l, TEXT("service.namespace"), TEXT("shop"));
	attr_text(l, TEXT("service.version"), gen_text_forever(g, "1.%d.%d", (int) name.len, replica));
	attr_text(l, TEXT("service.instance.id"), gen_uuid(g, true));
	attr_text(l, TEXT("telemetry.sdk.language"), gen_text_forever(g, "%s", s->language));
	attr_text(l, TEXT("telemetry.sdk.name"), TEXT("opentelemetry"));
	attr_text(l, TEXT("telemetry.sdk.version"), TEXT("1.30.1"));
	attr_text(l, TEXT("host.name"), node);
	attr_text(l, TEXT("k8s.pod.name"),
			  gen_text_forever(g, "%s-%08x-%05x", s->name, (unsigned) random_range(r, 0, UINT32_MAX),
							   (unsigned) random_range(r, 0, 0xfffff)));
	attr_text(l, TEXT("k8s.namespace.name"), TEXT("shop"));
	attr_text(l, TEXT("k8s.deployment.name"), name);
	attr_text(l, TEXT("k8s.node.name"), node);
	attr_text(l, TEXT("k8s.cluster.name"), gen_text_forever(g, "%sa", region));
	attr_text(l, TEXT("cloud.provider"), TEXT("aws"));
	attr_text(l, TEXT("cloud.region"), gen_text_forever(g, "%s", region));
	attr_text(l, TEXT("deployment.environment"), TEXT("production"));
	attr_text(l, TEXT("os.type"), TEXT("linux"));
	attr_int(l, TEXT("process.pid"), random_range(r, 1, 9000));
}

void
gen_init(Gen *g, uint64_t seed, bool wide)
{
	memset(g, 0, sizeof(*g));
	random_seed(&g->random, seed);
	g->wide = wide;
	for (int service = 0; service < SERVICES; service++)
		for (int replica = 0; replica < REPLICAS; replica++)
			make_instance(g, service, replica);
	for (int i = 0; i < 400; i++)
		g->products[i] = gen_text_forever(
			g, "%010llX", (unsigned long long) random_range(&g->random, 0, UINT64_C(0xffffffffff)));
	if (wide)
		wide_init(g);
}
