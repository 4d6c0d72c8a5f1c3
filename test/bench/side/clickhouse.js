// clickhouse.js DIRECTORY MODULES: ClickHouse in this process, asked over pipes.
//
// In: one JSON string of SQL a line. Out: one line of JSON each, { wall_ms, cpu_ms, text } or { error }. The CPU is
// that of all threads of the process, background merges included; { cpu } instead of a string asks for its total.
'use strict';
const [, , directory, modules] = process.argv;
const { Session } = require(require.resolve('chdb', { paths: [modules] }));
const session = new Session(directory);

function cpuMs(since) {
	const used = process.cpuUsage(since);
	return (used.user + used.system) / 1000;
}

function ask(request) {
	if (typeof request !== 'string') return { cpu_ms: cpuMs() };
	const before = process.cpuUsage();
	const begin = process.hrtime.bigint();
	try {
		const text = session.query(request, 'TSV');
		return { wall_ms: Number(process.hrtime.bigint() - begin) / 1e6, cpu_ms: cpuMs(before), text };
	} catch (e) {
		return { error: String(e.message || e) };
	}
}

require('readline').createInterface({ input: process.stdin })
	.on('line', (line) => process.stdout.write(JSON.stringify(ask(JSON.parse(line))) + '\n'))
	.on('close', () => session.close());
