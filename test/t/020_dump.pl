# Dump and restore: every value of every column comes back the same, with owner, policies and grants.
use strict;
use warnings;
use lib 'test/perl';
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('dump');
my @dump = ('pg_dump', '-d', $node->connstr('postgres'));

# Rows with every odd value, over several days and tenants.
sql($node, <<'SQL');
SELECT tempo.create_partitions('1970-01-01', '1970-01-01'), tempo.create_partitions('2021-01-01', '2021-01-03');
INSERT INTO tempo.spans VALUES
 ('t''1', '1', '1', NULL, E'quote '' back \\ tab \t line \n', 'server', 'error', 'é 😀', '2021-01-01 00:00:00.000001+00', 999, -5, 's',
  '{"i": 9223372036854775807, "d": 1.0, "nz": -0.0, "nan": NaN(0xfff8000000000001), "inf": -Infinity, "n": null, "k": 1, "k": "2",
    "a": [1, 1.0, "1", [true, {"x": x"00ff"}]], "m": {"": {}}, "nul": "a\u0000\xff", "tiny": 5e-324}',
  '{"service.name": "s", "big": 1e300}', '{"scope": []}', 'scope', 'v1', 'a=b', 
  '[{"time": 1609459200000000001, "name": "e\u0000", "dropped": 4294967295, "attributes": {"x": x""}}, {"time": 18446744073709551615}]',
  '[{"trace_id": "0102", "span_id": "", "trace_state": "q=\"", "flags": 257, "dropped": 1, "attributes": {"d": NaN}}]',
  4294967295, 1, 2, 3, 4, 5, 'http://r', 'http://s'),
 ('single-tenant', 'ffffffffffffffffffffffffffffffff', 'ffffffffffffffff', 'fffffffffffffffe', '', 77, -1, '', '2021-01-03 23:59:59.999999+00', 0,
  9223372036854775807, '', '{}', '{}', '{}', '', '', '', '[]', '[]', 0, 0, 0, 0, 0, 0, '', '');
INSERT INTO tempo.spans (trace_id, span_id, start_time, attributes)
SELECT md5(n::text)::trace_id, n::bigint::span_id, '1970-01-01 00:00:00+00'::timestamptz + n * interval '1 ms',
       format('{"n": %s, "f": %s.5, "s": "%s"}', n, n, repeat('x', n % 50))::tempo.attributes FROM generate_series(0, 999) n;
SQL

# Owner, policies and grants that a dump has to keep.
sql($node, <<'SQL');
CREATE ROLE dump_owner;
CREATE ROLE dump_reader;
ALTER TABLE tempo.spans OWNER TO dump_owner;
GRANT CREATE ON SCHEMA tempo TO dump_owner; -- so that partitions can be made
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tempo.spans TO dump_reader USING (tenant = 't''1');
GRANT SELECT ON tempo.spans, tempo.traces TO dump_reader;
CREATE TABLE orders (id integer PRIMARY KEY, trace trace_id, paid_by span_id, extra tempo.attributes DEFAULT '{"a": 1.0}');
INSERT INTO orders VALUES (1, '1', '1');
CREATE INDEX ON orders (trace);
SQL

# Everything in tempo.spans, as text and as the bytes of its values.
my $contents = <<'SQL';
SELECT s.*, tempo.attributes_send(attributes), tempo.attributes_send(resource_attributes), tempo.attributes_send(scope_attributes),
       tempo.events_send(events), tempo.links_send(links)
  FROM tempo.spans s ORDER BY start_time, start_ns, tenant, span_id
SQL
is(sql($node, 'SELECT count(*) FROM tempo.spans'), 1002, 'rows to dump');
# Real traces too, where there are some.
if (shared_dir())
{
	otlp_post($node, $_)->{status} == 200 or die 'not taken' for data_requests('mixed-real-small');
	is(sql($node, 'SELECT count(*) FROM tempo.spans'), 1002 + data_stats('mixed-real-small')->{spans}, 'and real ones');
}
my $before = sql($node, $contents);
my $partitions = sql($node, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass");
sql($node, 'SELECT tempo_merge(NULL)');
ok(sql($node, $contents) eq $before, 'merging changes no row');

sub compare
{
	my ($db, $how) = @_;

	ok(sql($node, $contents, dbname => $db) eq $before, "$how: every row, bit by bit");
	is(sql($node, 'SELECT * FROM orders', dbname => $db), sql($node, 'SELECT * FROM orders'), "$how: a table beside it");
	is(sql($node, <<'SQL', dbname => $db), "dump_owner|t|own|$partitions", "$how: owner, policy, partitions");
SELECT relowner::regrole, relrowsecurity, (SELECT string_agg(polname, ',') FROM pg_policy WHERE polrelid = c.oid),
       (SELECT count(*) FROM pg_inherits WHERE inhparent = c.oid)
  FROM pg_class c WHERE oid = 'tempo.spans'::regclass
SQL
	is(sql($node, <<'SQL', dbname => $db), 't', "$how: partitions still use the access method");
SELECT bool_and(amname = 'tempo') FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_am a ON a.oid = relam
 WHERE inhparent = 'tempo.spans'::regclass
SQL
	is(sql($node, "SET ROLE dump_reader; SELECT count(*), min(tenant) FROM tempo.spans", dbname => $db), "1|t'1", "$how: the policy holds");
	is(sql($node, 'SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = objid WHERE deptype = \'e\' AND relname LIKE \'spans%\'', dbname => $db),
		0, "$how: tables are not members of the extension");
	is(sql($node, 'SELECT tempo.init()', dbname => $db), 'tempo.spans', "$how: init() finds its table");
	is(sql($node, "SELECT tempo.create_partitions('2021-01-03', '2021-01-04')", dbname => $db), 1, "$how: days are found and made");
	return;
}

my $dir = PostgreSQL::Test::Utils::tempdir();

sql($node, 'CREATE DATABASE plain');
command_ok([ @dump, '-f', "$dir/plain.sql" ], 'pg_dump');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dir/plain.sql" ], 'psql reads it');
compare('plain', 'plain');

sql($node, 'CREATE DATABASE custom');
command_ok([ @dump, '-Fc', '-f', "$dir/custom" ], 'pg_dump -Fc');
command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('custom'), "$dir/custom" ], 'pg_restore -j2');
compare('custom', 'custom');

sql($node, 'CREATE DATABASE inserts');
command_ok([ @dump, '--inserts', '--rows-per-insert=100', '-f', "$dir/inserts.sql" ], 'pg_dump --inserts');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('inserts'), '-f', "$dir/inserts.sql" ], 'psql reads it');
compare('inserts', 'inserts');

# What a dump of the copy says is what the dump said.
my ($first) = run_command([ 'pg_dump', '--data-only', '-t', 'tempo.spans*', '-d', $node->connstr('custom') ]);
my ($second) = run_command([ 'pg_dump', '--data-only', '-t', 'tempo.spans*', '-d', $node->connstr('plain') ]);
s/^\\(un)?restrict .*$//mg for $first, $second; # a word made up for every dump
ok(length $first > 100_000, 'a dump of data alone');
ok($second eq $first, 'dumps of two copies are equal');

# The extension in another schema: nothing relies on the search path, neither here nor in the dump.
sql($node, 'CREATE DATABASE elsewhere');
sql($node, <<'SQL', dbname => 'elsewhere');
CREATE SCHEMA obs;
CREATE EXTENSION tempo SCHEMA obs;
SELECT tempo.init();
SELECT obs.tempo_ingest_json('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "000000000000000000000000000000a5", "spanId": "00000000000000b5",
  "startTimeUnixNano": "1700000000000000001", "endTimeUnixNano": "1700000000000001001", "status": {"code": 2}}]}]}]}');
SQL
is(sql($node, 'SELECT trace_id, errors, duration_ns FROM tempo.traces', dbname => 'elsewhere'),
	'000000000000000000000000000000a5|1|1000', 'the extension in a schema out of the search path');
sql($node, 'CREATE DATABASE copy');
command_ok([ 'pg_dump', '-d', $node->connstr('elsewhere'), '-f', "$dir/elsewhere.sql" ], 'its dump');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', "$dir/elsewhere.sql" ], 'psql reads it');
is(sql($node, 'SELECT * FROM tempo.spans', dbname => 'copy'), sql($node, 'SELECT * FROM tempo.spans', dbname => 'elsewhere'), 'the same span');
is(sql($node, 'SELECT * FROM tempo.services', dbname => 'copy'), sql($node, 'SELECT * FROM tempo.services', dbname => 'elsewhere'), 'the same views');

# The extension does not go by itself, and CASCADE says what goes along.
my ($ret, $out, $err) = $node->psql('plain', 'DROP EXTENSION tempo');
isnt($ret, 0, 'DROP EXTENSION is refused while tables use it');
like($err, qr/table tempo\.spans depends on/, 'and says why');
($ret, $out, $err) = $node->psql('plain', 'DROP EXTENSION tempo CASCADE');
is($ret, 0, 'CASCADE takes the tables along');
is(sql($node, "SELECT to_regclass('tempo.spans') IS NULL, count(*) FROM orders", dbname => 'plain'), 't|1', 'and nothing else');
sql($node, 'CREATE EXTENSION tempo', dbname => 'plain');
is(sql($node, 'SELECT tempo.init()', dbname => 'plain'), 'tempo.spans', 'a fresh start in the same database');

finish($node);
done_testing();
