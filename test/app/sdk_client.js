'use strict';
// node sdk_client.js grpc|http/json|http/protobuf none|gzip URL COUNT
// Exports COUNT spans with the real exporter, then says what it sent, as JSON, once forceFlush has returned:
// { traceId, spans: [{ spanId, name }], flushed: true } or { error }. Exits 1 when the exporter failed.
const { context, diag, trace, DiagLogLevel, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { Resource } = require('@opentelemetry/resources');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const [protocol, compression, url, count] = process.argv.slice(2);
const exporters = {
  grpc: '@opentelemetry/exporter-trace-otlp-grpc',
  'http/json': '@opentelemetry/exporter-trace-otlp-http',
  'http/protobuf': '@opentelemetry/exporter-trace-otlp-proto',
};

// The exporters report failures to the diagnostics logger only.
const problems = [];
const quiet = () => {};
diag.setLogger(
  { error: (...args) => problems.push(args.join(' ')), warn: (...args) => problems.push(args.join(' ')), info: quiet, debug: quiet, verbose: quiet },
  DiagLogLevel.WARN,
);

const { OTLPTraceExporter } = require(exporters[protocol]);
// A batch that fills up leaves at once, and forceFlush does not wait for it: so it may not fill up.
const batch = { maxQueueSize: 100000, maxExportBatchSize: Number(count) + 1 };
const provider = new BasicTracerProvider({
  resource: new Resource({ 'service.name': `sdk-${protocol}-${compression}`, 'service.instance.id': 'a', 'process.pid': process.pid }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url, compression }), batch)],
});
const tracer = provider.getTracer('sdk-client', '1.0.0');

const kinds = [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER];
const root = tracer.startSpan('root', { kind: SpanKind.SERVER, root: true });
const parent = trace.setSpan(context.active(), root);
const spans = [{ spanId: root.spanContext().spanId, name: 'root' }];

for (let i = 1; i < count; i++) {
  const links = i % 10 === 0 ? [{ context: root.spanContext(), attributes: { 'link.index': i } }] : [];
  const span = tracer.startSpan(`child ${i % 7}`, { kind: kinds[i % 5], links }, parent);
  span.setAttributes({
    index: i,
    ratio: i / 8,
    even: i % 2 === 0,
    text: 'grüße, 世界 \u0001 "quoted"',
    list: ['a', 'b', String(i)],
    numbers: [1, 2.5],
  });
  if (i % 3 === 0) span.addEvent('progress', { step: i, done: false });
  if (i % 11 === 0) {
    span.recordException(new Error(`number ${i}`));
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'failed' });
  }
  span.end();
  spans.push({ spanId: span.spanContext().spanId, name: span.name });
}
root.end();

provider.forceFlush().then(
  () => finish({ traceId: root.spanContext().traceId, spans, flushed: true }),
  (error) => finish({ error: String(error?.message ?? error) }),
);

function finish(result) {
  if (problems.length) result.error ??= problems.join('\n');
  process.stdout.write(JSON.stringify(result), () => process.exit(result.error ? 1 : 0));
}
