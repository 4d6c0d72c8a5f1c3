'use strict';
// One tracer provider a service, as if each ran in a process of its own, and HTTP calls that carry context.
const http = require('node:http');
const { context, propagation, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { Resource } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

const providers = [];

function service(name, version, more) {
  const provider = new BasicTracerProvider({
    resource: new Resource({
      'service.name': name,
      'service.version': version,
      'service.namespace': 'shop',
      'deployment.environment.name': 'demo',
      'host.name': `${name}-0`,
      'telemetry.sdk.language': 'nodejs',
      ...more,
    }),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: process.env.SHOP_OTLP_URL }), {
        maxQueueSize: 8192,
        scheduledDelayMillis: 1000,
      }),
    ],
  });
  providers.push(provider);
  return provider.getTracer(`shop/${name}`, version);
}

// Runs fn inside a span; what it throws becomes an exception event and status error, and goes on up.
async function inSpan(tracer, name, options, fn) {
  return tracer.startActiveSpan(name, options, async (span) => {
    try {
      return await fn(span);
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw error;
    } finally {
      span.end();
    }
  });
}

// An HTTP server on a loopback port: routes are 'METHOD /path': async (request) => body object.
function serve(tracer, routes) {
  const server = http.createServer(async (req, res) => {
    const url = new URL(req.url, 'http://localhost');
    const route = `${req.method} ${url.pathname}`;
    const parent = propagation.extract(context.active(), req.headers);
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const attributes = {
      'http.request.method': req.method,
      'http.route': url.pathname,
      'url.path': url.pathname,
      'url.query': url.search.slice(1),
      'user_agent.original': req.headers['user-agent'] ?? 'node',
      'http.request.body.size': Number(req.headers['content-length'] ?? 0),
    };
    await context.with(parent, () =>
      tracer.startActiveSpan(route, { kind: SpanKind.SERVER, attributes }, async (span) => {
        let status = 200;
        let answer;
        try {
          const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
          answer = await routes[route]({ ...Object.fromEntries(url.searchParams), ...body }, span);
        } catch (error) {
          status = error.status ?? 500;
          answer = { error: error.message };
          if (status >= 500) {
            span.recordException(error);
            span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
          }
        }
        span.setAttribute('http.response.status_code', status);
        res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
        span.end();
      }));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

// A client call from one service to another's server.
function call(tracer, peer, server, method, path, body) {
  const { port } = server.address();
  const attributes = {
    'http.request.method': method,
    'server.address': peer,
    'server.port': port,
    'url.full': `http://${peer}${path}`,
    'peer.service': peer,
  };
  return inSpan(tracer, method, { kind: SpanKind.CLIENT, attributes }, (span) => {
    const headers = { 'content-type': 'application/json' };
    propagation.inject(context.active(), headers);
    return new Promise((resolve, reject) => {
      const req = http.request({ host: '127.0.0.1', port, path, method, headers }, (res) => {
        let text = '';
        res.on('data', (chunk) => (text += chunk));
        res.on('end', () => {
          span.setAttribute('http.response.status_code', res.statusCode);
          if (res.statusCode < 400) resolve(JSON.parse(text));
          else reject(new HttpError(res.statusCode, JSON.parse(text).error));
        });
      });
      req.on('error', reject);
      req.end(body ? JSON.stringify(body) : undefined);
    });
  });
}

const shutdown = () => Promise.all(providers.map((p) => p.shutdown()));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = { call, inSpan, serve, service, shutdown, sleep, HttpError, SpanKind };
