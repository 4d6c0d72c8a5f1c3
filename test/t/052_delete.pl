# DELETE beside others: of the same rows, merges, rewrites, old snapshots, a standby; then inserts, deletes, savepoints,
# merges, rewrites and VACUUM at once, killed now and then, against a heap that is changed in the same transactions.
use strict;
use warnings;
use Load;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;
use Time::HiRes qw(sleep);

my $seconds = $ENV{TEMPO_SECONDS} || 5;
my $node = tempo_node('delete', allows_streaming => 1, conf => <<'CONF');
fsync = on
tempo.merge_interval = 3600s
autovacuum_naptime = 1
max_prepared_transactions = 5
CONF
my $dir = PostgreSQL::Test::Utils::tempdir();

sql($node, 'CREATE TABLE t (id int, t text) USING tempo');
sql($node, "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i");
sql($node, "SELECT tempo_merge('t')");

# ---- two sessions ----

my $one = $node->background_psql('postgres');
my $two = $node->background_psql('postgres', on_error_stop => 0);

# Start a statement in the second session that waits for the first; says what it came to when that has ended.
sub waits
{
	my ($statement, $end, $expected, $name) = @_;

	$two->query_until(qr/begun/, "\\echo begun\n$statement;\n\\echo over\n");
	ok(wait_until('the wait', sub { sql($node, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE%'") > 0 }, 20), "$name: waits");
	$one->query_safe($end);
	like($two->query_until(qr/over/, '') . $two->{stderr}, $expected, $name);
	$two->{stderr} = '';
}

$one->query_safe('BEGIN; DELETE FROM t WHERE id = 1');
waits('DELETE FROM t WHERE id <= 2 RETURNING id', 'COMMIT', qr/^2$/m, 'a row somebody deletes is skipped');
$one->query_safe('BEGIN; DELETE FROM t WHERE id = 3');
waits('DELETE FROM t WHERE id = 3 RETURNING id', 'ROLLBACK', qr/^3$/m, 'it is deleted when he does not');
$one->query_safe('BEGIN; SAVEPOINT s; DELETE FROM t WHERE id = 4');
waits('DELETE FROM t WHERE id = 4 RETURNING id', 'ROLLBACK TO s', qr/^4$/m, 'nor when he goes back to a savepoint');
$one->query_safe('COMMIT');
$two->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
$one->query_safe('BEGIN; DELETE FROM t WHERE id = 5');
waits('DELETE FROM t WHERE id = 5', 'COMMIT', qr/could not serialize access due to concurrent delete/, 'a snapshot that is kept cannot skip');
$two->query('ROLLBACK');
is(sql($node, 'SELECT count(*), min(id) FROM t'), '95|6', 'all that is gone');

# ---- merges ----

sql($node, q{DO $$ BEGIN FOR i IN 101..300 LOOP INSERT INTO t VALUES (i, 'row ' || i); END LOOP; END $$});
$one->query_safe('BEGIN; DELETE FROM t WHERE id IN (10, 200)');
cmp_ok(sql($node, "SELECT tempo_merge('t')"), '>', 0, 'a merge beside a transaction that has deleted');
is(sql($node, "SELECT count(*) FROM t WHERE id IN (10, 200)"), 2, 'what it leaves out is there');
cmp_ok(sql($node, "SELECT count(*) FROM tempo.units('t') WHERE kind <> 'segment'"), '>', 0, 'the recent batch it deleted from waits');
my $pid = $one->query_safe('SELECT pg_backend_pid()');
is(sql($node, "SELECT holds_merges, since > now() - interval '10 minutes' FROM tempo.open_transactions WHERE pid = $pid"), 't|t', 'tempo.open_transactions has the transaction');
$one->query_safe('COMMIT');
cmp_ok(sql($node, "SELECT tempo_merge('t')"), '>', 0, 'the next merge takes it');
is(sql($node, "SELECT count(*) FILTER (WHERE kind <> 'segment'), sum(deleted) FROM tempo.units('t')"), '0|0', 'and is rid of the deleted rows');
is(sql($node, 'SELECT count(*) FROM t'), 293, 'none is lost or back');

sql($node, "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(301, 310) i");
$two->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
$one->query_safe("BEGIN; SELECT tempo_merge('t')");
waits('DELETE FROM t WHERE id = 301', 'COMMIT', qr/could not serialize access due to concurrent merge/, 'rows merged since the snapshot');
$two->query('ROLLBACK');
sql($node, "INSERT INTO t SELECT i, 'row ' || i FROM generate_series(311, 320) i");
$one->query_safe("BEGIN; SELECT tempo_merge('t')");
waits('DELETE FROM t WHERE id IN (311, 302) RETURNING id', 'COMMIT', qr/^302\s+311$/m, 'a statement sees the merge it waited for');
sql($node, "INSERT INTO t VALUES (321, 'x')");
$one->query_safe("BEGIN; SELECT tempo_merge('t')");
waits('DELETE FROM t WHERE id = 321 RETURNING id', 'ROLLBACK', qr/^321$/m, 'or that was rolled back');
is(sql($node, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid IN (29797, 29798)"), 0, 'no lock is left');

# ---- a transaction that stays open ----

$one->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
my $kept = $one->query_safe('SELECT count(*), sum(id) FROM t');
for my $n (1 .. 5)
{
	sql($node, "INSERT INTO t SELECT i, 'more' FROM generate_series(1000, 1099) i");
	sql($node, "SELECT tempo_merge('t')");
}
sql($node, 'VACUUM t');
is($one->query_safe('SELECT count(*), sum(id) FROM t'), $kept, 'an old snapshot beside merges');
is(sql($node, "SELECT count(*) FILTER (WHERE kind <> 'segment') FROM tempo.units('t')"), 0, 'which go on');
is(sql($node, "SELECT holds_vacuum, holds_merges FROM tempo.open_transactions WHERE pid = $pid"), 't|f', 'it is reported');
is(sql($node, "SELECT oldest_transaction > '0' FROM tempo.status WHERE worker = 'merger'"), 't', 'and its age');
$one->query_safe('COMMIT');
sql($node, 'DELETE FROM t WHERE id >= 1000');

# ---- new files ----

$one->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $all = sql($node, 'SELECT count(*), sum(id) FROM t');
sql($node, 'DELETE FROM t WHERE id % 10 = 0');
my $rest = sql($node, 'SELECT count(*), sum(id) FROM t');
isnt($node->psql('postgres', "SELECT tempo_rewrite('t')", stderr => \my $refused), 0, 'not beside a snapshot that sees deleted rows');
like($refused, qr/cannot be rewritten without its deleted rows/, 'it says so');
sql($node, 'VACUUM FULL t');
is(sql($node, "SELECT sum(deleted) > 0 FROM tempo.units('t')"), 't', 'VACUUM FULL keeps them');
is($one->query_safe('SELECT count(*), sum(id) FROM t'), $all, 'that snapshot sees them still');
is(sql($node, 'SELECT count(*), sum(id) FROM t'), $rest, 'others do not');
$one->query_safe('COMMIT');
sql($node, "SELECT tempo_rewrite('t')");
is(sql($node, "SELECT sum(deleted) FROM tempo.units('t')"), 0, 'afterwards they go');
is(sql($node, 'SELECT count(*), sum(id) FROM t'), $rest, 'and nothing else');
is(sql($node, "SELECT tempo_check('t')"), '', 'it is sound');

# ---- old snapshots, a standby, two-phase commit ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1\n");
tempo_ports($standby);
$standby->start;
my $there = $standby->background_psql('postgres');
my $look = 'SELECT count(*), sum(id), md5(string_agg(t, \',\' ORDER BY id)) FROM t';
my $before = $one->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $look");
is($there->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $look"), $before, 'the standby has the same');
sql($node, 'DELETE FROM t WHERE id % 3 = 0');
my $after = sql($node, $look);
sql($node, "BEGIN; DELETE FROM t WHERE id % 3 = 1; PREPARE TRANSACTION 'p'");
for my $what ('SELECT', "SELECT tempo_merge('t')", 'VACUUM t', "ROLLBACK PREPARED 'p'", "SELECT tempo_merge('t')")
{
	sql($node, $what);
	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	is($one->query_safe($look), $before, "$what: a snapshot from before sees all");
	is($there->query_safe($look), $before, "$what: so does one on the standby");
	is(sql($node, $look), $after, "$what: a new one does not");
	is(sql($standby, $look), $after, "$what: nor on the standby");
	is(sql($standby, "SELECT tempo_check('t')"), '', "$what: it is sound");
}
$there->quit;
$one->query_safe('COMMIT');
$_->quit for $one, $two;
$standby->stop;
is(sql($node, "SELECT sum(deleted) FROM tempo.units('t')"), 0, 'the last merge has dropped the deleted rows');

# ---- all at once, against a heap ----

$node->append_conf('postgresql.conf', "tempo.merge_interval = 50\ntempo.merge_delay = 1\ntempo.segment_rows = 2000\n");
$node->reload;
sql($node, <<'SQL');
CREATE TABLE o (id int, k int, t text) USING tempo;
CREATE TABLE h (id int, k int, t text);
CREATE SEQUENCE ids;
CREATE FUNCTION compare() RETURNS void LANGUAGE plpgsql AS $$
DECLARE a text; b text;
BEGIN
    SELECT row(count(*), sum(id), sum(length(t)), count(DISTINCT id), max(k)) INTO a FROM o;
    SELECT row(count(*), sum(id), sum(length(t)), count(DISTINCT id), max(k)) INTO b FROM h;
    IF a <> b THEN RAISE 'heap has %, tempo %', b, a; END IF;
END $$;
SQL
my %script = (
	write => <<'SQL',
\set n random(1, 60)
WITH new AS (INSERT INTO h SELECT nextval('ids'), i % 7, repeat('x', i) FROM generate_series(1, :n) i RETURNING *) INSERT INTO o SELECT * FROM new;
SQL
	delete => <<'SQL',
\set r random(0, 60)
BEGIN;
WITH gone AS (DELETE FROM o WHERE id % 61 = :r RETURNING id) DELETE FROM h USING gone WHERE h.id = gone.id;
SAVEPOINT s;
DELETE FROM o WHERE id % 7 = :r % 7;
ROLLBACK TO s;
WITH gone AS (DELETE FROM o WHERE (id + 1) % 61 = :r RETURNING id) DELETE FROM h USING gone WHERE h.id = gone.id;
COMMIT;
BEGIN;
DELETE FROM o WHERE k = :r % 7;
ROLLBACK;
\sleep 20 ms
SQL
	merge => "SELECT tempo_merge('o');\n\\sleep 30 ms\n",
	read => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT compare();\n\\sleep 50 ms\nSELECT compare();\nCOMMIT;\n",
	rewrite => "DO \$\$ BEGIN PERFORM tempo_rewrite('o'); EXCEPTION WHEN object_in_use THEN END \$\$;\n\\sleep 200 ms\nVACUUM FULL o;\n\\sleep 200 ms\n",
	check => "SELECT 1 / (NOT EXISTS (SELECT tempo_check('o')))::int;\n\\sleep 200 ms\nVACUUM o;\n");

# Two that delete the same rows in other orders may deadlock; they try again.
sub all_at_once
{
	my ($round, $time) = @_;

	return map { start_loop($node, $dir, "$_ $round", /check|merge|rewrite/ ? 1 : 2, $time, $script{$_}, '--max-tries=10') } sort keys %script;
}

note(loop_finished($_)) for all_at_once('in peace', $seconds);
for my $kill (1 .. 2)
{
	my @loops = all_at_once("killed $kill", 60);

	sleep 1.5 + rand 1;
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$node->kill9;
	waitpid $_->{pid}, 0 for @loops;
	wait_until('the postmaster to go', sub { !kill 0, $pid });
	wait_until('the start', sub { $node->{_pid} = undef; $node->start(fail_ok => 1) });
	is(sql($node, 'SELECT compare()'), '', "after kill $kill: as the heap has it");
	is(sql($node, "SELECT tempo_check('o')"), '', "after kill $kill: it is sound");
	unlike(join('', map { slurp_file($_->{out}) } @loops), qr/ERROR:.*(?:tempo|heap has|division)|XX00/, "after kill $kill: nothing was wrong before");
}
sql($node, "SELECT tempo_merge('o')");
is(sql($node, 'SELECT count(*) FROM (SELECT * FROM h EXCEPT ALL SELECT * FROM o) x'), 0, 'every row is the same');
cmp_ok(sql($node, "SELECT count(*) FROM o"), '<', sql($node, "SELECT last_value FROM ids"), 'some were deleted');
is(sql($node, "SELECT sum(deleted) FROM tempo.units('o')"), 0, 'and dropped');
finish($node, crashed => 1);
done_testing();
