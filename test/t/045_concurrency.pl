# Eight writers, merges that commit and merges that do not, readers, VACUUM and autovacuum at the same time: counts are
# exact, no snapshot sees half of a request or half of a merge, and tempo_check is clean all the time.
use strict;
use warnings;
use Load;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{TEMPO_SECONDS} || 25;
my ($senders, $spans, $days) = (8, 20, 2);
my $node = tempo_node('concurrency', conf => <<'CONF');
max_connections = 60
max_worker_processes = 24
tempo.segment_rows = 20000
tempo.merge_delay = '2s'
tempo.merge_interval = '50ms'
autovacuum_naptime = '1s'
autovacuum_vacuum_threshold = 10
autovacuum_vacuum_scale_factor = 0
autovacuum_vacuum_insert_threshold = 10
autovacuum_vacuum_insert_scale_factor = 0
autovacuum_vacuum_cost_delay = 0
vacuum_freeze_min_age = 0
vacuum_freeze_table_age = 0
CONF
my $dir = PostgreSQL::Test::Utils::tempdir();

snapshot_functions($node);
sql($node, <<'SQL');
-- Each look sees no less than the one before.
CREATE TABLE looks (n bigint);
CREATE FUNCTION look() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT max(n) FROM looks);
    now record := seen();
BEGIN
    IF now.n < before OR now.n % 20 <> 0 THEN
        RAISE 'saw %, then %', before, now.n;
    END IF;
    INSERT INTO looks VALUES (now.n);
END $$;

-- A merge undone with its subtransaction.
CREATE FUNCTION merge_and_regret() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tempo_merge();
    RAISE 'regret';
EXCEPTION WHEN raise_exception THEN
END $$;

-- Twenty spans of one request through SQL; a transaction that fails leaves none.
CREATE FUNCTION ingest(sender integer, request bigint) RETURNS bigint LANGUAGE sql AS $$
SELECT tempo_ingest_json(jsonb_build_object('resourceSpans', jsonb_build_array(jsonb_build_object(
    'resource', '{"attributes": [{"key": "service.name", "value": {"stringValue": "sql"}}]}'::jsonb,
    'scopeSpans', jsonb_build_array(jsonb_build_object('spans', jsonb_agg(jsonb_build_object(
        'traceId', md5(sender || '/' || request), 'spanId', lpad(to_hex(((sender + 1)::bigint << 48) | (request << 16) | i), 16, '0'), 'name', 'sql',
        'startTimeUnixNano', 1700006400000000000 + i % 2 * 86400000000000, 'endTimeUnixNano', 1700006400000001000 + i % 2 * 86400000000000,
        'attributes', jsonb_build_array(jsonb_build_object('key', 'text', 'value', jsonb_build_object('stringValue', 'of SQL'))))))))))::text)
  FROM generate_series(1, 20) i $$;
CREATE TABLE kept (request bigint);
CREATE SEQUENCE requests;
SELECT tempo.create_partitions('2023-11-15', '2023-11-16');
SQL

sub loop { return start_loop($node, $dir, $_[0], $_[1], $seconds, $_[2]) }

# Merges that are cancelled after a moment; says what else went wrong.
sub cut_short
{
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	open STDOUT, '>', "$dir/cut_short" or die;
	open STDERR, '>&', \*STDOUT or die;
	my $end = time + $seconds;
	while (time < $end)
	{
		my $ms = 1 + int rand 60;
		system 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET statement_timeout = $ms", '-c', 'SELECT tempo_merge()';
		sleep 0.1;
	}
	require POSIX;
	POSIX::_exit(0);
}

my $load = start_senders($node, dir => $dir, senders => $senders, spans => $spans, days => $days, pause => 5);
my @loops = (
	loop('snapshots', 2, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_stable(10);\nCOMMIT;\n"),
	loop('parallel snapshots', 1, <<'SQL'),
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT read_stable(5);
COMMIT;
SQL
	loop('looks', 1, "SELECT look();\n\\sleep 50 ms\n"),
	loop('checks', 1, "SELECT check_now();\n\\sleep 200 ms\n"),
	loop('merges', 1, "SELECT tempo_merge();\n\\sleep 100 ms\n"),
	loop('merges undone', 1, "SELECT merge_and_regret();\n\\sleep 100 ms\n"),
	loop('vacuums', 1, "VACUUM tempo.spans;\n\\sleep 200 ms\nVACUUM (FREEZE) tempo.spans;\nANALYZE tempo.spans;\n\\sleep 200 ms\n"),
	loop('writers in SQL', 2, <<'SQL'));
BEGIN;
SELECT nextval('requests') AS id \gset
SELECT ingest(100, :id);
SAVEPOINT s;
SELECT ingest(101, :id);
ROLLBACK TO s;
INSERT INTO kept VALUES (:id);
COMMIT;
BEGIN;
SELECT ingest(102, :id);
ROLLBACK;
\sleep 20 ms
SQL

my $cutting = cut_short();

my @figures = map { loop_finished($_) } @loops;
waitpid $cutting, 0;
my @cut = slurp_file("$dir/cut_short") =~ /^(.+)$/mg;
is_deeply([ grep { !/^\d+$|canceling statement due to statement timeout/ } @cut ], [], 'merges cut short: no other errors');
cmp_ok(scalar(grep { /timeout/ } @cut), '>', 0, 'some were');
my %sum = stop_senders($load);
diag("$seconds s: $sum{sent} requests sent, " . join ', ', @figures);
is("$sum{acknowledged} $sum{refused}", "$sum{sent} 0", 'every request is acknowledged');

for my $when ('at the end', 'all merged')
{
	sql($node, 'SELECT tempo_merge()') if $when eq 'all merged';
	is(sql($node, "SELECT count(*), count(DISTINCT span_id) FROM tempo.spans WHERE service <> 'sql'"),
		join('|', ($spans * $sum{acknowledged}) x 2), "$when: every span of the receivers is there, once");
	is(sql($node, "SELECT count(*), count(DISTINCT span_id), count(*) FILTER (WHERE span_id::bigint >> 48 <> 101) FROM tempo.spans WHERE service = 'sql'"),
		sql($node, 'SELECT count(*) * 20, count(*) * 20, 0 FROM kept'), "$when: of those by SQL only what was committed");
	check_clean($node, "$when: tempo_check is clean");
}
# On a busy machine autovacuum may not have had its turn yet.
ok($node->poll_query_until('postgres', <<'SQL'), 'companions were vacuumed, by hand and by autovacuum');
SELECT bool_and(vacuum_count > 0) AND bool_or(autovacuum_count > 0)
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid
 WHERE inhparent = 'tempo.spans'::regclass
SQL
finish($node);
done_testing();
