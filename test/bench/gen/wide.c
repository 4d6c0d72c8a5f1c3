/*
 * wide.c
 *	  The wide variant: 260 more attribute keys, UUIDs everywhere, statements of up to two kilobytes.
 *
 * A key is an area and a thing, the thing says what its values look like. An operation always carries the
 *same ten keys, some of them not on every span, and now and then one of all the others. UUIDs come in the
 *ways they come in practice: new for each span, one for all spans of a trace, from a few, or from thousands
 *of entities.
 */
#include "gen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AREAS      20
#define THINGS     13
#define KEYS       (AREAS * THINGS)
#define OPERATIONS 64
#define CARRIED    10
#define ENTITIES   20000

typedef struct Wide
{
	Text keys[KEYS];
	Text entities[ENTITIES];
	uint16_t carried[OPERATIONS][CARRIED];
} Wide;

static const char *const areas[AREAS] = {
	"basket",   "billing",  "campaign", "catalog", "courier", "coupon",  "customer",
	"delivery", "discount", "feature",  "invoice", "ledger",  "loyalty", "offer",
	"partner",  "pricing",  "promo",    "refund",  "stock",   "vendor",
};

/* In the order of the cases of thing_value(). */
static const char *const things[THINGS] = {
	"event.id", "entity.id", "owner.id", "state",    "attempt",         "bytes",   "score",
	"enabled",  "resource",  "peer",     "revision", "elapsed_seconds", "summary",
};

void
wide_init(Gen *g)
{
	Wide *w = calloc(1, sizeof(Wide));

	if (w == NULL)
		abort();
	for (int i = 0; i < KEYS; i++)
		w->keys[i] = gen_text_forever(g, "app.%s.%s", areas[i / THINGS], things[i % THINGS]);
	for (int i = 0; i < ENTITIES; i++)
		w->entities[i] = gen_uuid(g, true);
	for (int i = 0; i < OPERATIONS; i++)
		for (int k = 0; k < CARRIED; k++)
			w->carried[i][k] = (uint16_t) random_range(&g->random, 0, KEYS - 1);
	g->wide_state = w;
}

/* One of the first n entities of a group, small numbers more often. */
static Text
entity(Gen *g, int group, int n)
{
	double u = random_unit(&g->random);
	uint32_t at = (uint32_t) (u * u * n);

	return g->wide_state->entities[(group * 997 + at) % ENTITIES];
}

void
wide_trace(Gen *g, Trace *trace)
{
	trace->session = gen_uuid(g, false);
	trace->user = entity(g, 3, 15000);
	trace->request = gen_uuid(g, false);
	trace->order = gen_uuid(g, false);
}

static void
thing_value(Gen *g, int key, AttrList *l)
{
	static const Text states[] = {TEXT("created"), TEXT("pending"),  TEXT("approved"), TEXT("rejected"),
								  TEXT("shipped"), TEXT("returned"), TEXT("archived"), TEXT("unknown")};
	Random *r = &g->random;
	Text name = g->wide_state->keys[key];
	int area = key / THINGS;
	Text a, b;

	switch (key % THINGS)
	{
		case 0: attr_text(l, name, gen_uuid(g, false)); break;
		case 1: attr_text(l, name, entity(g, area, 10000)); break;
		case 2: attr_text(l, name, entity(g, area, 50)); break;
		case 3: attr_text(l, name, states[random_range(r, 0, 7)]); break;
		case 4: attr_int(l, name, random_range(r, 0, 5)); break;
		case 5: attr_int(l, name, (int64_t) (exp(random_normal(r) * 2) * 4096)); break;
		case 6: attr_double(l, name, (double) random_range(r, 0, 10000) / 10000); break;
		case 7: attr_bool(l, name, random_range(r, 0, 9) < 3); break;
		case 8:
			a = entity(g, area, 50);
			b = gen_uuid(g, false);
			attr_text(l, name, gen_text(g, "/v2/tenants/%.36s/objects/%.36s", a.p, b.p));
			break;
		case 9:
			attr_text(l, name,
					  gen_text(g, "10.%d.%d.%d:%d", area, (int) random_range(r, 0, 3),
							   (int) random_range(r, 1, 254), (int) random_range(r, 30000, 60999)));
			break;
		case 10: attr_text(l, name, gen_text(g, "2026.%d.%d", area, (int) random_range(r, 0, 3))); break;
		case 11: attr_double(l, name, exp(random_normal(r)) / 100); break;
		default:
			a = entity(g, area, 1000);
			attr_text(l, name,
					  gen_text(g, "%d of %d items of %.36s handled by rule %d of set %s",
							   (int) random_range(r, 0, 40), (int) random_range(r, 40, 90), a.p,
							   (int) random_range(r, 1, 30), areas[area]));
	}
}

static bool
has_key(const AttrList *l, Text key)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->at[i].key.p == key.p)
			return true;
	return false;
}

void
wide_attrs(Gen *g, const Trace *trace, Text operation, AttrList *attrs)
{
	const Wide *w = g->wide_state;
	Random *r = &g->random;
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < operation.len; i++)
		hash = (hash ^ (uint8_t) operation.p[i]) * 16777619u;
	attr_text(attrs, TEXT("app.request.id"), trace->request);
	for (int k = 0; k < CARRIED; k++)
	{
		int key = w->carried[hash % OPERATIONS][k];

		/* The first are always there, the last on half of the spans. */
		if (random_range(r, 0, CARRIED) >= (uint64_t) k / 2 && !has_key(attrs, w->keys[key]))
			thing_value(g, key, attrs);
	}
	if (random_range(r, 0, 3) == 0)
	{
		int key = (int) random_range(r, 0, KEYS - 1);

		if (!has_key(attrs, w->keys[key]))
			thing_value(g, key, attrs);
	}
}

/* A list of quoted UUIDs. */
static Text
uuid_list(Gen *g, int n)
{
	char *p = gen_alloc(g, n * 40);
	uint32_t at = 0;

	for (int i = 0; i < n; i++)
	{
		Text id = entity(g, 11, 10000);

		at += sprintf(p + at, "%s'%.36s'", i == 0 ? "" : ", ", id.p);
	}
	return (Text){p, at};
}

static Text
select_products(Gen *g, const Trace *trace)
{
	Text ids = uuid_list(g, (int) random_range(&g->random, 1, 12));
	Text tenant = entity(g, 1, 50);

	return gen_text(
		g,
		"SELECT p.id, p.sku, p.name, p.description, p.vendor_id, p.category_id, p.created_at, p.updated_at, "
		"pr.amount, pr.currency, pr.valid_from, pr.valid_until, s.available, s.reserved, s.warehouse_id, "
		"coalesce(r.rating, 0) AS rating, coalesce(r.votes, 0) AS votes FROM products p "
		"JOIN prices pr ON pr.product_id = p.id AND pr.valid_from <= now() AND (pr.valid_until IS NULL OR "
		"pr.valid_until > now()) LEFT JOIN stock s ON s.product_id = p.id LEFT JOIN LATERAL (SELECT "
		"avg(stars) AS rating, count(*) AS votes FROM reviews WHERE reviews.product_id = p.id AND NOT "
		"hidden) r ON "
		"true WHERE p.tenant_id = '%.36s' AND p.id IN (%.*s) AND p.deleted_at IS NULL AND (p.visible_from IS "
		"NULL "
		"OR p.visible_from <= now()) ORDER BY p.position, p.name LIMIT %d /* request %.36s */",
		tenant.p, (int) ids.len, ids.p, (int) random_range(&g->random, 1, 50), trace->request.p);
}

static Text
insert_ledger(Gen *g, const Trace *trace)
{
	Text account = entity(g, 7, 5000);
	Text entry = gen_uuid(g, false);

	return gen_text(
		g,
		"INSERT INTO ledger (id, order_id, account_id, customer_id, amount, currency, tax, state, booked_at, "
		"idempotency_key, metadata) VALUES ('%.36s', '%.36s', '%.36s', '%.36s', %d.%02d, 'EUR', %d.%02d, "
		"'booked', "
		"now(), '%.36s', '{\"source\": \"checkout\", \"channel\": \"web\", \"retries\": 0}') ON CONFLICT "
		"(idempotency_key) DO UPDATE SET state = excluded.state, booked_at = excluded.booked_at WHERE "
		"ledger.state "
		"<> 'final' RETURNING id, state, version, booked_at",
		entry.p, trace->order.p, account.p, trace->user.p, (int) random_range(&g->random, 1, 900),
		(int) random_range(&g->random, 0, 99), (int) random_range(&g->random, 0, 90),
		(int) random_range(&g->random, 0, 99), trace->request.p);
}

Text
wide_statement(Gen *g, const Trace *trace, Text table)
{
	switch (table.p[0])
	{
		case 'p': return select_products(g, trace);
		case 'l': return insert_ledger(g, trace);
		case 's': return gen_text(g, "HGET sessions:%.36s profile", trace->session.p);
		default: return gen_text(g, "HGET cart:%.36s items", trace->user.p);
	}
}
