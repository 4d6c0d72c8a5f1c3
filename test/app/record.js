'use strict';
// Runs the shop and keeps what its exporters send: `node record.js [seconds]` writes recording.ndjson.gz, one
// OTLP/JSON request a line. scripts/replay sends it with its times moved to now.
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const zlib = require('node:zlib');

const requests = [];
const sink = http.createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  requests.push(JSON.stringify(JSON.parse(Buffer.concat(chunks))));
  res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
});

sink.listen(0, '127.0.0.1', async () => {
  process.env.SHOP_OTLP_URL = `http://127.0.0.1:${sink.address().port}/v1/traces`;
  await require('./shop').run(Number(process.argv[2] ?? 180));
  sink.close().closeAllConnections();
  const file = path.join(__dirname, 'recording.ndjson.gz');
  fs.writeFileSync(file, zlib.gzipSync(requests.join('\n') + '\n', { level: 9 }));
  const spans = requests.reduce((n, r) => n + (r.match(/"spanId"/g) ?? []).length, 0);
  console.log(`${requests.length} requests, ${spans} span ids (links included), ${fs.statSync(file).size} bytes in ${file}`);
});
