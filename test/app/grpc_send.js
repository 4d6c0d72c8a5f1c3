'use strict';
// node grpc_send.js HOST:PORT none|gzip STREAMS [TENANT] < MESSAGES
// Sends varint-length-delimited ExportTraceServiceRequests over gRPC, STREAMS at a time on one connection.
// Prints one JSON line: { requests, codes: { "0": n, ... }, partial, firstError }.
const grpc = require('@grpc/grpc-js');

const [address, compression, streams, tenant] = process.argv.slice(2);
const metadata = new grpc.Metadata();
if (tenant) metadata.set('x-scope-orgid', tenant);
const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
  'grpc.default_compression_algorithm': compression === 'gzip' ? 2 : 0,
  'grpc.max_send_message_length': -1,
});

function* messages(bytes) {
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) length += ((byte = bytes[at++]) & 0x7f) * 2 ** shift;
    yield bytes.subarray(at, (at += length));
  }
}

const result = { requests: 0, codes: {}, partial: 0, firstError: null };
const send = (message) =>
  new Promise((resolve) => {
    const deadline = Date.now() + 120000;
    client.makeUnaryRequest(path, (b) => b, (b) => b, message, metadata, { deadline }, (error, response) => {
      const code = error ? error.code : 0;
      result.requests++;
      result.codes[code] = (result.codes[code] ?? 0) + 1;
      if (error) result.firstError ??= error.message;
      else if (response.length) result.partial++;
      resolve();
    });
  });

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const source = messages(Buffer.concat(chunks));
  const worker = async () => {
    for (let next = source.next(); !next.done; next = source.next()) await send(next.value);
  };
  await Promise.all(Array.from({ length: Number(streams) }, worker));
  client.close();
  console.log(JSON.stringify(result));
}
main();
