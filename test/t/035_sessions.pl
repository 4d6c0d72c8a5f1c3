# Several sessions, and what a server does around tables: prepared statements over a new day, SERIALIZABLE by index,
# changes of the schema that wait and are waited for, slots of logical replication.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('sessions', conf => <<'CONF');
wal_level = logical
jit = off
tempo.merge_interval = 3600s
CONF

sub insert_day
{
	my ($day, $n) = @_;

	sql($node, "SELECT tempo.create_partitions('$day', '$day')");
	sql($node, "INSERT INTO tempo.spans (trace_id, span_id, service, start_time, duration_ns) SELECT md5(i::text)::trace_id, to_hex(i)::span_id, 'svc', '$day'::timestamptz + i * interval '1 s', i FROM generate_series(1, $n) i");
	return;
}

# Generic plans made before a day was there find its spans, in SQL and in TraceQL.
my $reader = $node->background_psql('postgres');
insert_day('2026-05-01', 10);
$reader->query_safe('SET plan_cache_mode = force_generic_plan');
$reader->query_safe('PREPARE by_time(timestamptz) AS SELECT count(*) FROM tempo.spans WHERE start_time >= $1');
$reader->query_safe('PREPARE by_trace(text) AS SELECT count(*) FROM tempo.spans WHERE trace_id = md5($1)::trace_id');
$reader->query_safe('PREPARE search(text) AS SELECT count(*) FROM traceql($1)');
my @plans = ("EXECUTE by_time('2026-01-01')", "EXECUTE by_trace('7')", q{EXECUTE search('{ duration > 0s }')});
is(join(' ', map { $reader->query_safe($_) } @plans), '10 1 10', 'before');
insert_day('2026-05-02', 10);
is(join(' ', map { $reader->query_safe($_) } @plans), '20 2 20', 'a new day in between');
sql($node, 'CREATE INDEX ON tempo.spans (trace_id)');
insert_day('2026-05-03', 10);
$reader->query_safe('SET enable_seqscan = off; SET tempo.enable_customscan = off');
is(join(' ', map { $reader->query_safe($_) } @plans), '30 3 30', 'and an index');
sql($node, 'DROP TABLE tempo.spans_20260501');
is(join(' ', map { $reader->query_safe($_) } @plans), '20 2 20', 'a day dropped');
$reader->quit;
is(sql($node, q{SELECT count(*) FROM pg_indexes WHERE tablename = 'spans_20260503'}), 1, 'a new day has the index');

# SERIALIZABLE: each of two transactions looks for a row by index, and inserts what the other did not find.
sql($node, 'CREATE TABLE s (k int, t text) USING tempo');
sql($node, 'CREATE INDEX s_k ON s (k)');
sql($node, "INSERT INTO s SELECT i, 'x' FROM generate_series(1, 100) i");
for my $merged (0, 1)
{
	my @sessions = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
	my $k = 50 + $merged;

	sql($node, "SELECT tempo_merge('s')") if $merged;
	for my $session (@sessions)
	{
		$session->query('SET enable_seqscan = off; SET tempo.enable_customscan = off; BEGIN ISOLATION LEVEL SERIALIZABLE');
		is($session->query("SELECT count(*) FROM s WHERE k = $k"), 1, 'one row by index');
	}
	$_->query("INSERT INTO s VALUES ($k, 'again')") for @sessions;
	$_->query('COMMIT') for @sessions;
	$_->quit for @sessions;
	is(sql($node, "SELECT count(*) FROM s WHERE k = $k"), 2, 'one of the two fails' . ($merged ? ', over a segment' : ''));
}

# An open transaction has its rows while others wait to change the table; then they go on.
my $open = $node->background_psql('postgres');
$open->query_safe("BEGIN; INSERT INTO s VALUES (1000, 'open')");
my $alter = $node->background_psql('postgres');
$alter->query_until(qr/started/, "\\echo started\nALTER TABLE s ADD COLUMN late int DEFAULT 9;\n");
wait_until('ALTER TABLE to wait', sub { sql($node, q{SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 's'::regclass}) });
is($open->query_safe('SELECT count(*) FROM s WHERE k = 1000'), 1, 'rows of the open transaction');
$open->query_safe('COMMIT');
is($alter->query_safe('SELECT late FROM s WHERE k = 1000'), 9, 'the column is there after it');
$open->query_safe("BEGIN; SELECT count(*) FROM s");
$alter->query_until(qr/started/, "\\echo started\nCREATE INDEX CONCURRENTLY s_late ON s (late, k);\n");
wait_until('the index to be waited for', sub { sql($node, q{SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'}) || sql($node, q{SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('s_late') AND indisvalid}) });
sql($node, "INSERT INTO s VALUES (2000, 'meanwhile', 9)");
sql($node, "SELECT tempo_merge('s')");
$open->query_safe('COMMIT');
is($alter->query_safe('SET enable_seqscan = off; SET tempo.enable_customscan = off; SELECT count(*) FROM s WHERE late = 9'), sql($node, 'SELECT count(*) FROM s WHERE late = 9'), 'an index built beside inserts and merges has all rows');
$_->quit for $open, $alter;
is(sql($node, "SELECT * FROM tempo_check('s')"), '', 'clean');

# A slot of logical replication decodes the transactions without a word of our rows, and without errors.
sql($node, "SELECT pg_create_logical_replication_slot('slot', 'pgoutput')");
sql($node, 'CREATE TABLE h (i int PRIMARY KEY)');
sql($node, q{CREATE PUBLICATION inserts FOR ALL TABLES WITH (publish = 'insert')});
insert_day('2026-05-04', 300);
sql($node, "BEGIN; INSERT INTO h VALUES (1); INSERT INTO s SELECT i, repeat('long', 1000) FROM generate_series(1, 100) i; SELECT tempo_merge('s'); DELETE FROM s WHERE k < 10; INSERT INTO h VALUES (2); COMMIT");
sql($node, 'SELECT tempo_merge()');
sql($node, 'VACUUM s');
sql($node, 'TRUNCATE s');
is(sql($node, "SELECT count(*) FROM pg_logical_slot_get_binary_changes('slot', NULL, NULL, 'proto_version', '1', 'publication_names', 'inserts') WHERE get_byte(data, 0) = ascii('I')"), 2, 'changes of the heap table come through the slot, and no others');
sql($node, "SELECT pg_drop_replication_slot('slot')");
finish($node);
done_testing();
