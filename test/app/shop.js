'use strict';
// A small shop: frontend, cart, checkout and payment as HTTP servers on loopback, a database, a queue and its
// consumer. `SHOP_OTLP_URL=http://127.0.0.1:4318/v1/traces node shop.js [seconds]` runs it under load.
const { call, inSpan, serve, service, shutdown, sleep, HttpError, SpanKind } = require('./telemetry');

// Times and luck are drawn from a fixed seed, so two runs differ only in what the machine adds.
let seed = 20240229;
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const between = (low, high) => low + random() * (high - low);
const pick = (list) => list[Math.floor(random() * list.length)];

const frontend = service('frontend', '2.4.0', { 'process.pid': process.pid });
const cart = service('cart', '1.9.3');
const checkout = service('checkout', '1.12.0', { 'k8s.pod.name': 'checkout-6d5f9c7b9-x2x7p' });
const payment = service('payment', '3.0.1', { 'cloud.region': 'eu-west-1' });
const fulfilment = service('fulfilment', '0.8.0');

const products = ['teapot', 'kettle', 'mug', 'strainer', 'sugar bowl', 'tray'];

// The database: a client span with its SQL text and rows, and the time a query takes.
function query(tracer, text, rows, ms) {
  const [operation] = text.split(' ');
  const table = /(?:FROM|INTO|UPDATE) (\w+)/.exec(text)[1];
  const attributes = {
    'db.system': 'postgresql',
    'db.namespace': 'shop',
    'db.operation.name': operation,
    'db.collection.name': table,
    'db.query.text': text,
    'server.address': 'db.shop.internal',
    'server.port': 5432,
  };
  return inSpan(tracer, `${operation} ${table}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    await sleep(ms ?? between(1, 9));
    span.setAttribute('db.response.returned_rows', rows);
    return rows;
  });
}

const carts = new Map();
const servers = {};

async function startCart() {
  servers.cart = await serve(cart, {
    'POST /cart': async ({ user, product, quantity }) => {
      const items = carts.get(user) ?? [];
      await query(cart, 'UPDATE carts SET items = items || $2 WHERE user_id = $1', 1);
      items.push({ product, quantity });
      carts.set(user, items);
      return { items: items.length };
    },
    'GET /cart': async ({ user }, span) => {
      const items = carts.get(user) ?? [];
      const hit = random() < 0.7;
      span.addEvent(hit ? 'cache hit' : 'cache miss', { 'cache.key': `cart:${user}`, 'cache.size': carts.size });
      if (!hit) await query(cart, 'SELECT items FROM carts WHERE user_id = $1', items.length);
      return { items };
    },
  });
}

async function startPayment() {
  servers.payment = await serve(payment, {
    'POST /charge': async ({ order, amount, card }, span) => {
      span.setAttributes({ 'app.order.id': order, 'app.payment.amount': amount, 'app.payment.card': card });
      return inSpan(payment, 'authorize', { attributes: { 'app.payment.provider': 'acmebank' } }, async (auth) => {
        for (let attempt = 1; ; attempt++) {
          await sleep(between(15, 60));
          if (random() > 0.12) break;
          auth.addEvent('retry', { attempt, 'retry.backoff_ms': attempt * 20.5, 'retry.last': attempt === 3 });
          if (attempt === 3) throw new HttpError(503, 'acmebank does not answer');
          await sleep(attempt * 20);
        }
        if (random() < 0.08) throw new HttpError(402, 'card declined');
        auth.setAttribute('app.payment.authorized', true);
        return { authorization: `A${Math.floor(between(1e5, 1e6))}` };
      });
    },
  });
}

// Messages carry the context of the span that sent them; the consumer links to it.
const queue = [];
let orderNumber = 1000;

function publish(order) {
  const attributes = { 'messaging.system': 'rabbitmq', 'messaging.destination.name': 'orders', 'app.order.id': order };
  return inSpan(checkout, 'publish orders', { kind: SpanKind.PRODUCER, attributes }, async (span) => {
    await sleep(between(1, 4));
    queue.push({ order, context: span.spanContext() });
  });
}

async function startCheckout() {
  servers.checkout = await serve(checkout, {
    'POST /checkout': async ({ user, card, coupon }, span) => {
      const { items } = await call(checkout, 'cart', servers.cart, 'GET', `/cart?user=${user}`);
      const order = `order-${++orderNumber}`;
      span.setAttributes({ 'app.order.id': order, 'app.user.id': user, 'app.order.items': items.map((i) => i.product) });
      if (items.length === 0) throw new HttpError(422, 'the cart is empty');
      await inSpan(checkout, 'price', {}, async (price) => {
        for (const { product } of items) {
          await query(checkout, 'SELECT price, stock FROM products WHERE name = $1', 1);
          price.addEvent('priced', { product });
        }
        if (coupon) price.setAttribute('app.coupon', coupon);
      });
      const amount = Math.round(items.reduce((sum, i) => sum + i.quantity * 1299, 0) * (coupon ? 0.9 : 1)) / 100;
      await call(checkout, 'payment', servers.payment, 'POST', '/charge', { order, amount, card });
      const slow = random() < 0.06 ? between(700, 1400) : undefined;
      await query(checkout, 'INSERT INTO orders (id, user_id, amount) VALUES ($1, $2, $3)', 1, slow);
      await publish(order);
      carts.delete(user);
      return { order, amount };
    },
  });
}

async function startFrontend() {
  servers.frontend = await serve(frontend, {
    'GET /products': async ({ search }, span) => {
      const rows = await query(frontend, 'SELECT name, price FROM products WHERE name LIKE $1 ORDER BY name', products.length);
      await inSpan(frontend, 'render', { attributes: { 'app.template': 'products.html' } }, () => sleep(between(2, 12)));
      span.setAttributes({ 'app.search': search, 'app.results': rows });
      return { rows };
    },
    'POST /cart': (body) => call(frontend, 'cart', servers.cart, 'POST', '/cart', body),
    'POST /checkout': (body, span) => {
      span.setAttribute('app.user.id', body.user);
      return call(frontend, 'checkout', servers.checkout, 'POST', '/checkout', body);
    },
  });
}

// Takes what waits, a batch at a time: a trace of its own with a link to each message's sender.
async function consume() {
  const batch = queue.splice(0, 5);
  if (batch.length === 0) return;
  const links = batch.map((m) => ({ context: m.context, attributes: { 'app.order.id': m.order } }));
  const attributes = {
    'messaging.system': 'rabbitmq',
    'messaging.destination.name': 'orders',
    'messaging.batch.message_count': batch.length,
  };
  await inSpan(fulfilment, 'process orders', { kind: SpanKind.CONSUMER, root: true, links, attributes }, async () => {
    for (const { order } of batch) {
      await inSpan(fulfilment, 'pack', { attributes: { 'app.order.id': order } }, async () => {
        await query(fulfilment, 'INSERT INTO shipments (order_id) VALUES ($1)', 1);
        await sleep(between(5, 40));
        if (random() < 0.05) throw new Error(`no box fits ${order}`);
      }).catch(() => {});
    }
  });
}

// A customer's browser is not traced: the frontend's spans are the roots.
async function browse(method, path, body) {
  const { port } = servers.frontend.address();
  const headers = { 'content-type': 'application/json', 'user-agent': pick(['Firefox/124.0', 'Safari/17.4', 'curl/8.6.0']) };
  await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, body: body && JSON.stringify(body) });
}

// One customer: looks around, takes some things, and mostly pays.
async function visit(n) {
  const user = `user-${n % 17}`;
  await browse('GET', `/products?search=${pick(products).slice(0, 3)}`);
  for (let i = Math.floor(between(0, 4)); i > 0; i--)
    await browse('POST', '/cart', { user, product: pick(products), quantity: Math.ceil(between(0, 4)) });
  if (random() < 0.8)
    await browse('POST', '/checkout', { user, card: pick(['visa', 'amex', 'master']), coupon: random() < 0.2 ? 'TEA10' : undefined });
}

// Customers come one after the other for so many seconds; returns when the last span has been exported.
async function run(seconds) {
  await Promise.all([startCart(), startPayment()]);
  await startCheckout();
  await startFrontend();
  const end = Date.now() + seconds * 1000;
  const consumer = (async () => {
    while (Date.now() < end || queue.length) {
      await sleep(500);
      await consume();
    }
  })();
  const visits = [];
  for (let n = 0; Date.now() < end; n++) {
    visits.push(visit(n));
    await sleep(between(300, 1500));
  }
  await Promise.all(visits);
  await consumer;
  await shutdown();
  for (const server of Object.values(servers)) server.close().closeAllConnections();
}

module.exports = { run };
if (require.main === module) run(Number(process.argv[2] ?? 60));
