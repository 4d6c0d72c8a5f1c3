# Partitions made on demand while others read, write, and make the same ones.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('partitions', conf => "tempo.max_partitions = 60\n");

# One span a call, on a random one of 40 days; a transaction makes several.
sql($node, <<'SQL');
CREATE FUNCTION send(day integer, id bigint) RETURNS bigint LANGUAGE sql AS $$
SELECT tempo_ingest_json(format('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "%s", "spanId": "%s",
  "startTimeUnixNano": "%s", "endTimeUnixNano": "%s", "name": "n"}]}]}]}', md5(id::text), (1 + id)::span_id,
  1600000000000000000 + day * 86400000000000, 1600000000000000007 + day * 86400000000000)) $$;
SQL

# A reader that holds the table for the whole test, with one row in its way.
is(sql($node, 'SELECT send(0, 0)'), 1, 'the first span');
my ($in, $out) = ('', '');
my $timer = IPC::Run::timer(60);
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, $timer);
$in .= "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'rows', count(*) FROM tempo.spans;\n";
$psql->pump until $out =~ /rows\|1/;

$node->pgbench(
	'-n -c 8 -t 40', 0, [qr{actually processed: 320/320}], [qr{^$}],
	'writers that make the same days do not fail or wait for a reader',
	{
		'send.pgb' => <<'PGB'
\set day random(0, 39)
\set id random(1, 1000000000000)
BEGIN;
SET LOCAL statement_timeout = '20s';
SELECT send(:day, :id);
SELECT send((:day + 7) % 40, :id);
SELECT send((:day + 3) % 40, :id);
COMMIT;
PGB
	});

is(sql($node, 'SELECT count(*) FROM tempo.spans'), 961, 'every span is there once');
is(sql($node, q{SELECT count(*) FROM tempo.spans s WHERE tableoid::regclass::text <> 'tempo.spans_' || to_char(start_time AT TIME ZONE 'UTC', 'YYYYMMDD')}),
	0, 'and in the partition of its day');
is(sql($node, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass"),
	sql($node, q{SELECT count(DISTINCT (start_time AT TIME ZONE 'UTC')::date) FROM tempo.spans}), 'one partition a day');
$in .= "SELECT 'again', count(*) FROM tempo.spans;\nCOMMIT;\n\\q\n";
$psql->finish;
like($out, qr/again\|1$/m, 'the reader saw its snapshot to the end');

# A transaction that ends badly leaves no partition behind.
sql($node, "BEGIN; SELECT send(50, 1); ROLLBACK;");
is(sql($node, q{SELECT to_regclass('tempo.spans_20201102') IS NULL}), 't', 'rolled back with its transaction');

# Over the limit: an error in SQL; the receiver rejects those spans and takes the others.
my ($ret, $stdout, $stderr) = $node->psql('postgres', 'SELECT count(send(500 + d, d)) FROM generate_series(1, 40) d');
isnt($ret, 0, 'more days than tempo.max_partitions');
like($stderr, qr/would be over the limit/, 'says so');
sql($node, q{SELECT count(send(500 + d, d)) FROM generate_series(1, 60 - (SELECT count(*)::integer FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass)) d});
my $span = sub {
	my ($id, $day) = @_;
	return sprintf '{"traceId": "%032x", "spanId": "%016x", "name": "n", "startTimeUnixNano": "%d", "endTimeUnixNano": "%d"}',
	  $id, $id, 1600000000000000000 + $day * 86400000000000, 1600000000000000001 + $day * 86400000000000;
};
my $answer = otlp_post($node, sprintf('{"resourceSpans": [{"scopeSpans": [{"spans": [%s, %s]}]}]}', $span->(7, 0), $span->(8, 900)),
	type => 'application/json');
is($answer->{status}, 200, 'a request with one span too many is answered');
like($answer->{content}, qr/"rejectedSpans":\s*"?1"?/, 'one span rejected');
like($answer->{content}, qr/tempo\.max_partitions/, 'and why');
is(sql($node, q{SELECT count(*) FROM tempo.spans WHERE trace_id IN ('7', '8')}), 1, 'the other one is stored');

# Old days go while others write.
sql($node, 'ALTER TABLE tempo.spans DETACH PARTITION tempo.spans_20200913 CONCURRENTLY');
sql($node, 'DROP TABLE tempo.spans_20200913');
is(sql($node, 'SELECT send(0, 5)'), 1, 'a dropped day is made again when its spans come');

# Times: retention and future.
$node->append_conf('postgresql.conf', "tempo.retention = '30d'\ntempo.max_future = '1h'\n");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('tempo.retention') = '30d'") or die 'no reload';
($ret, $stdout, $stderr) = $node->psql('postgres', 'SELECT send(0, 6)');
is($stdout, 0, 'a span older than tempo.retention is left out');
like($stderr, qr/1 span rejected.*tempo\.retention/s, 'with a warning');

finish($node);
done_testing();
