# Days merged into months and partitions moved to another tablespace: no row is lost or seen twice by anybody, whenever
# their snapshot was taken, nobody waits for long, and a crash at any moment does no harm.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use Kill;
use Load;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;
use Time::HiRes qw(sleep time);

my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = tempo_node('months', allows_streaming => 1, conf => <<'CONF');
allow_in_place_tablespaces = on
restart_after_crash = on
max_connections = 40
tempo.maintenance_interval = '200ms'
tempo.lock_timeout = '500ms'
tempo.merge_days_after = 0
tempo.merge_interval = '100ms'
tempo.merge_delay = '1s'
hot_standby_feedback = off
max_standby_streaming_delay = '2s'
CONF

# Five spans of a day; three calls with neighbouring ids share a trace. Every day of a month has so many.
sql($node, 'CREATE EXTENSION amcheck');
sql($node, <<'SQL');
CREATE FUNCTION send(day date, id bigint) RETURNS bigint LANGUAGE sql AS $$
SELECT tempo_ingest_json(jsonb_build_object('resourceSpans', jsonb_build_array(jsonb_build_object('scopeSpans', jsonb_build_array(
    jsonb_build_object('spans', jsonb_agg(jsonb_build_object('traceId', md5((id / 3)::text), 'spanId', lpad(to_hex(id * 100 + i), 16, '0'),
        'name', 'n' || i, 'startTimeUnixNano', t, 'endTimeUnixNano', t + id)))))))::text)
  FROM generate_series(1, 5) i, LATERAL (SELECT ((day - '1970-01-01')::bigint * 86400 + i) * 1000000000) AS d(t) $$;
CREATE FUNCTION fill(month date, batches integer, after integer DEFAULT 0) RETURNS bigint LANGUAGE sql AS $$
SELECT sum(send(month + d, (month - '2020-01-01') * 100000 + d * 1000 + k))
  FROM generate_series(0, 27) d, generate_series(after + 1, after + batches) k $$;
-- What has to be the same whatever holds the rows.
CREATE FUNCTION digest(OUT n bigint, OUT digest numeric, OUT matched bigint) LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*), sum(hashtextextended(span_id::text || name || trace_id || start_time || duration_ns, 0)) INTO n, digest FROM tempo.spans;
    matched := (SELECT count(*) FROM traceql('{ }'));
END $$;
CREATE FUNCTION right_now(at_least bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    ids bigint;
BEGIN
    SELECT count(*), count(DISTINCT span_id) INTO n, ids FROM tempo.spans;
    IF (n - at_least) % 5 <> 0 OR n < at_least OR ids <> n THEN
        RAISE 'saw % spans with % ids, of at least %', n, ids, at_least;
    END IF;
END $$;
SQL

sub digest { return sql($_[0], 'SELECT digest()') }
sub leaves { return sql($node, q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass}) }
sub exists_table { return sql($node, "SELECT to_regclass('tempo.$_[0]') IS NOT NULL") eq 't' }
sub copies { return sql($node, q{SELECT count(*) FROM pg_class WHERE relname LIKE 'spans_new_%' AND relkind = 'r'}) }
sub status { return sql($node, "SELECT $_[0] FROM tempo.status WHERE worker = 'maintenance'") }

sub set
{
	sql($node, "ALTER SYSTEM SET $_") for @_;
	$node->reload;
	return;
}

sub hold
{
	my ($server, $statements) = @_;
	my ($in, $out) = ("BEGIN ISOLATION LEVEL REPEATABLE READ; $statements; SELECT 'held';\n", '');
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $server->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timer(120));

	$psql->pump until $out =~ /held/;
	return { psql => $psql, in => \$in, out => \$out };
}

sub release
{
	my ($held, $statements) = @_;

	${ $held->{in} } .= ($statements ? "$statements;\n" : '') . "COMMIT;\n\\q\n";
	$held->{psql}->finish;
	return ${ $held->{out} };
}

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('months_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;

# ---- by hand, with waiting batches, deleted rows and split traces

sql($node, q{SELECT fill('2021-01-01', 6)});
sql($node, 'SELECT tempo_merge()');
sql($node, q{SELECT fill('2021-01-01', 3, 6)});
sql($node, q{DELETE FROM tempo.spans WHERE name = 'n5' AND start_time < '2021-01-05 UTC'});
sql($node, q{SELECT fill('2021-02-01', 1)});
my $before = digest($node);
my $marks = sql($node, q{SELECT count(*) FILTER (WHERE has_split) > 0 FROM tempo.segments});
my ($ret, $out, $err) = $node->psql('postgres', q{BEGIN; CALL tempo.merge_days('2021-01-31')});
like($err, qr/cannot run inside a transaction block/, 'not within a transaction block');
sql($node, q{CALL tempo.merge_days('2021-01-31')});
is(digest($node), $before, 'a month has the rows of its days');
ok(exists_table('spans_202101') && !exists_table('spans_20210101'), 'and takes their place');
is(leaves(), 29, 'the days of other months stay');
is(sql($node, 'SELECT count(*) FROM tempo.leaves(\'tempo.spans_202101\')') > 0, 1, 'its segments can be read');
check_clean($node, 'a month: tempo_check is clean');
is(copies(), 0, 'nothing is left of the copying');
cmp_ok(sql($node, q{SELECT reltuples FROM pg_class WHERE oid = 'tempo.spans_202101'::regclass}), '>', 1000, 'it has statistics');
is(sql($node, q{SELECT send('2021-01-30', 7)}), 5, 'a day that had no partition falls into the month');
is(sql($node, q{SELECT DISTINCT tableoid::regclass FROM tempo.spans WHERE trace_id = md5('2')::trace_id}), 'tempo.spans_202101', 'and is found there');
($ret, $out, $err) = $node->psql('postgres', q{CALL tempo.merge_days('2021-01-01')});
like($err, qr/no days of 2021-01/, 'a second time there is nothing to do');

sql($node, 'CREATE ROLE somebody; GRANT USAGE ON SCHEMA tempo TO somebody; GRANT EXECUTE ON PROCEDURE tempo.merge_days(date) TO somebody');
($ret, $out, $err) = $node->psql('postgres', q{SET ROLE somebody; CALL tempo.merge_days('2021-02-01')});
like($err, qr/must be owner/, 'only for the owner');
($ret, $out, $err) = $node->psql('postgres', q{SET ROLE somebody; CALL tempo.move_partition('tempo.spans_202101', 'pg_default')});
like($err, qr/permission denied/, 'nor is moving for everybody');

# ---- indexes

sql($node, q{SELECT send(date '2020-12-01' + d, 600 + d) FROM generate_series(0, 9) d});
sql($node, 'CREATE INDEX by_trace ON tempo.spans (trace_id)');
my $lookup = q{SET enable_seqscan = off; SET tempo.enable_customscan = off; SELECT count(*) FROM tempo.spans WHERE trace_id = md5('201')::trace_id};
$before = sql($node, $lookup);
sql($node, q{CALL tempo.merge_days('2020-12-01')});
is(sql($node, $lookup), $before, 'an index of tempo.spans leads to the rows of a month');
is(sql($node, q{SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'tempo.spans_202012'::regclass AND relispartition}), 1, 'which was not made twice');
check_clean($node, 'a month with an index: tempo_check is clean');
sql($node, q{SELECT send(date '2020-11-01' + d, 650 + d) FROM generate_series(0, 1) d});
sql($node, 'CREATE INDEX own ON tempo.spans_20201101 (name)');
($ret, $out, $err) = $node->psql('postgres', q{CALL tempo.merge_days('2020-11-01')});
like($err, qr/has an index that is not one of tempo\.spans/, 'an index of a day alone is not lost silently');
is(copies(), 0, 'and nothing was begun');
sql($node, 'DROP INDEX tempo.by_trace; DROP TABLE tempo.spans_20201101, tempo.spans_20201102, tempo.spans_202012');

# ---- transactions that are older than the copy, whether or not they have read the table

sub in_background
{
	my ($statement) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '>', \$out, '2>', \$err, IPC::Run::timer(120));

	return { run => $run, err => \$err };
}

$before = digest($node);
my $unread = hold($node, 'SELECT count(*) FROM pg_class');
my $afar = hold($standby, 'SELECT count(*) FROM pg_class');
sql($node, q{SELECT send('2021-02-03', 8)});
my $call = in_background(q{CALL tempo.merge_days('2021-02-01')});
wait_until('the copy', sub { copies() == 1 });
sleep 1;
ok(exists_table('spans_20210201'), 'while an older transaction is open the days stay');
my $began = time;
is(sql($node, q{SELECT send('2021-02-04', 9)}), 5, 'they take spans meanwhile');
cmp_ok(time - $began, '<', 2, 'at once');
like(release($unread, 'SELECT digest()'), qr/\Q$before\E/, 'the older transaction sees what it saw');
$call->{run}->finish;
is(${ $call->{err} }, '', 'when it has ended the month is made');
ok(exists_table('spans_202102'), 'with its name');
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
my $seen = eval { release($afar, 'SELECT digest()') } // 'terminated';
ok($seen =~ /\Q$before\E|conflict with recovery|terminat/, 'a transaction on the standby that was open saw the same or was ended') or diag($seen);
is(digest($standby), digest($node), 'the standby has the same rows');

# ---- a transaction that has read the table holds it up, and nobody waits behind that

sql($node, q{SELECT fill('2021-03-01', 2)});
$before = digest($node);
my $reader = hold($node, 'SELECT digest()');
set(q{tempo.merge_days_after = '1s'});
wait_until('an attempt to be put off', sub { status('refused') > 1 });
$began = time;
sql($node, qq{SET lock_timeout = '3s'; SELECT send('2021-03-05', 1$_); SELECT digest()}) for 1 .. 5;
cmp_ok(time - $began, '<', 8, 'others read and write meanwhile');
ok(exists_table('spans_20210301'), 'the days stay');
release($reader);
wait_until('the month', sub { exists_table('spans_202103') });
is(leaves(), 3, 'the worker has merged them');
is(status('requests') > 0, 1, 'and counted that');
like(slurp_file($node->logfile), qr/"spans_202103" took the place of 28 partitions/, 'the log says so');

# ---- readers and writers all the time, months being made under them

set('tempo.merge_days_after = 0');
sql($node, qq{SELECT fill('2021-0$_-01', 4)}) for 4 .. 7;
sql($node, 'SELECT tempo_merge()');
my $least = sql($node, 'SELECT count(*) FROM tempo.spans');
my @loops = (
	start_loop($node, $dir, 'readers', 2, 6, "SELECT right_now($least);\n"),
	start_loop($node, $dir, 'snapshots', 1, 6, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM pg_class;\nSELECT pg_sleep(0.3);\nSELECT right_now($least);\nCOMMIT;\n"),
	start_loop($node, $dir, 'writers', 2, 6, <<'SQL'));
\set month random(4, 7)
\set day random(1, 28)
\set id random(100000000, 100000000000)
SELECT send(make_date(2021, :month, :day), :id);
SQL
set(q{tempo.merge_days_after = '1s'});
# A reader is always there: by hand until it works.
for my $month (4 .. 7)
{
	wait_until("month $month", sub { exists_table("spans_20210$month") }, 60);
}
loop_finished($_) for @loops;
is(sql($node, 'SELECT count(*) - count(DISTINCT span_id) FROM tempo.spans'), 0, 'every span is there once');
is(leaves(), 7, 'seven months are seven partitions');
check_clean($node, 'months made under load: tempo_check is clean');

# ---- killed at any moment

set('tempo.merge_days_after = 0', 'tempo.maintenance_rate = 0', "tempo.lock_timeout = '5s'");
my $kills = 0;
for my $month ('08', '09', '10')
{
	sql($node, "SELECT fill('2021-$month-01', 4)");
	sql($node, 'SELECT tempo_merge()');
	$before = digest($node);
	for (1 .. 2)
	{
		my $call = in_background("CALL tempo.merge_days('2021-$month-01')");
		sleep(rand 0.8);
		kill_process($node, sql($node, q{SELECT coalesce(min(pid), (SELECT pid FROM tempo.status WHERE worker = 'merger')) FROM pg_stat_activity WHERE query LIKE 'CALL tempo.merge_days%'}));
		eval { $call->{run}->finish };
		is(digest($node), $before, "killed while merging $month: the rows are there");
		$kills++;
	}
	wait_until('writing again', sub { ($node->psql('postgres', "CALL tempo.merge_days('2021-$month-01')"))[0] == 0 });
	is(digest($node), $before, 'and after the next attempt');
	ok(exists_table("spans_2021$month") && !exists_table("spans_2021${month}01"), 'which makes the month');
	is(copies(), 0, 'with what was copied before');
}
check_clean($node, 'killed: tempo_check is clean');

# ---- a copy that nobody will finish; a dump with one in it

sql($node, q{SELECT fill('2021-11-01', 2)});
$unread = hold($node, 'SELECT count(*) FROM pg_class');
$call = in_background(q{CALL tempo.merge_days('2021-11-01')});
wait_until('the copy', sub { copies() == 1 });
wait_until('some of it', sub { sql($node, q{SELECT count(*) > 0 FROM tempo.segments WHERE relation::text LIKE '%spans_new_%'}) eq 't' });
my $dump = "$dir/dump.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
sql($node, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL tempo.merge_days%'});
$call->{run}->finish;
like(${ $call->{err} }, qr/canceling statement due to user request/, 'it can be cancelled');
release($unread);
is(copies(), 1, 'the copy stays for the next attempt');
sql($node, 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xqf', $dump, '-v', 'ON_ERROR_STOP=1', $node->connstr('copy') ], 'restored');
is(sql($node, 'SELECT count(*) FROM tempo.spans', dbname => 'copy'), sql($node, 'SELECT count(*) FROM tempo.spans'), 'the same spans');
is(sql($node, q{SELECT tempo.drop_before('2021-12-01')}), 38, 'its days are dropped');
wait_until('the copy to go too', sub { copies() == 0 });

# ---- another tablespace

sql($node, q{CREATE TABLESPACE cold LOCATION ''});
sql($node, q{SELECT send('2022-01-01', k) FROM generate_series(1, 20) k});
sql($node, q{SELECT send((now() AT TIME ZONE 'UTC')::date, 100 + k) FROM generate_series(1, 20) k});
$before = digest($node);
sub space { return sql($node, "SELECT coalesce(spcname, 'default') FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE c.oid = $_[0]") }
set('tempo.cold_tablespace = cold', q{tempo.cold_after = '2d'});
wait_until('the move', sub { space(q{'tempo.spans_20220101'::regclass}) eq 'cold' });
is(space(q{(SELECT reltoastrelid FROM pg_class WHERE oid = 'tempo.spans_20220101'::regclass)}), 'cold', 'with its companion heap');
is(digest($node), $before, 'the same rows');
is(space(q{(SELECT tableoid FROM tempo.spans ORDER BY start_time DESC LIMIT 1)}), 'default', 'a young partition stays');
set('tempo.cold_tablespace = nowhere');
wait_until('an error', sub { status('last_error') =~ /tablespace "nowhere" does not exist/ });
set(q{tempo.cold_tablespace = ''});
sql($node, q{CALL tempo.move_partition('tempo.spans_20220101', 'pg_default')});
is(space(q{'tempo.spans_20220101'::regclass}), 'default', 'and back by hand');
is(digest($node), $before, 'the same rows again');
($ret, $out, $err) = $node->psql('postgres', q{CALL tempo.move_partition('pg_class', 'cold')});
like($err, qr/is not a partition of/, 'other tables are not moved');

# ---- what is refused

sql($node, q{SELECT fill('2022-02-01', 1)});
sql($node, 'ALTER TABLE tempo.spans ADD COLUMN extra integer DEFAULT 7');
($ret, $out, $err) = $node->psql('postgres', q{CALL tempo.merge_days('2022-02-01')});
like($err, qr/cannot copy the segments.*Columns of tempo\.spans were added/s, 'columns added since');
sql($node, q{SELECT send('2022-03-01', 7000 + k) FROM generate_series(0, 1) k});
sql($node, q{SELECT send('2022-03-02', 7010 + k) FROM generate_series(0, 1) k});
set(q{tempo.merge_days_after = '1s'});
wait_until('a month made of partitions made since', sub { exists_table('spans_202203') });
ok(exists_table('spans_20220201'), 'the worker passes over the month that it cannot merge');

$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
is(digest($standby), digest($node), 'the standby has the same rows');
check_clean($standby, 'the standby: tempo_check is clean');
$standby->stop;
finish($node, crashed => 1);
done_testing();
