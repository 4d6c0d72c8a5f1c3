# Updates driven by traceql() that meet on the same rows lose none of them, and searches while spans come and
# merges run answer as if nothing moved.
use strict;
use warnings;
use lib 'test/perl';
use Test::More;
use TempoTest;

my $node = tempo_node('concurrent', conf => "tempo.merge_delay = 1\n");

sql($node, <<'SQL');
CREATE FUNCTION send(trace bigint, span bigint, parent bigint, name text) RETURNS bigint LANGUAGE sql AS $$
SELECT tempo_ingest_json(format('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "%s", "spanId": "%s",
  "parentSpanId": "%s", "startTimeUnixNano": "%s", "endTimeUnixNano": "%s", "name": "%s"}]}]}]}',
  lpad(to_hex(trace), 32, '0'), lpad(to_hex(span), 16, '0'),
  CASE WHEN parent > 0 THEN lpad(to_hex(parent), 16, '0') ELSE '' END,
  1600000000000000000 + span, 1600000000000000007 + span, name)) $$;
CREATE TABLE counters (id bigint PRIMARY KEY, hits int NOT NULL DEFAULT 0);
INSERT INTO counters SELECT generate_series(1, 5);
SELECT send(i, i, 0, 'root') FROM generate_series(1, 5) i;
SQL

$node->pgbench(
	'-n -c 8 -t 25', 0, [qr{actually processed: 200/200}], [qr{^$}],
	'updates of the same rows by many',
	{
		'update.pgb' => <<'PGB'
UPDATE counters c SET hits = hits + 1 FROM traceql('{ name = "root" }') t WHERE lpad(to_hex(c.id), 16, '0') = t.span_id::text;
PGB
	});
is(sql($node, 'SELECT DISTINCT hits FROM counters'), 200, 'no update is lost');

# Each transaction adds a whole trace span by span; a search sees all of a trace or nothing of it.
sql($node, 'CREATE TABLE torn (n bigint)');
$node->pgbench(
	'-n -c 6 -t 60', 0, [qr{actually processed: 360/360}], [qr{^$}],
	'searches while traces come and are merged',
	{
		'send.pgb@3' => <<'PGB',
\set id random(1000, 1000000000)
BEGIN;
SELECT send(:id, :id, 0, 'a'), send(:id, :id + 1, :id, 'b'), send(:id, :id + 2, :id + 1, 'c');
COMMIT;
PGB
		'search.pgb@2' => <<'PGB',
INSERT INTO torn SELECT count(*) FROM (SELECT trace_id FROM traceql('{ name = "a" } >> { }') GROUP BY 1 HAVING count(*) <> 2) x;
PGB
		'merge.pgb@1' => <<'PGB',
SELECT tempo_merge();
PGB
	});
is(sql($node, 'SELECT sum(n) FROM torn'), 0, 'no search sees half a trace');
is(sql($node, q{SELECT count(*) FROM traceql('{ name = "a" } > { } > { name = "c" }')}),
	sql($node, q{SELECT count(*) FROM tempo.spans WHERE name = 'c'}), 'every trace is found whole');

finish($node);
done_testing();
