# Partitions that are too old, or too large together, go: while others read and write, with locks held against it,
# through crashes at each stage, on a standby.
use strict;
use warnings;
use lib 'test/perl';
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;
use Time::HiRes qw(sleep time);

my $node = tempo_node('retention', allows_streaming => 1, conf => <<'CONF');
tempo.maintenance_interval = '200ms'
tempo.lock_timeout = '300ms'
tempo.max_future = '2d'
hot_standby_feedback = on
CONF

# Spans of a day so many days ago; a megabyte of them when large.
sql($node, <<'SQL');
CREATE FUNCTION send(ago integer, id bigint, large boolean DEFAULT false) RETURNS bigint LANGUAGE sql AS $$
SELECT tempo_ingest_json(format('{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "%s", "spanId": "%s",
  "startTimeUnixNano": "%s", "endTimeUnixNano": "%s", "name": "%s"}]}]}]}', md5(id::text), (1 + id)::span_id, t, t + 7,
  CASE WHEN large THEN (SELECT string_agg(md5(id::text || i), '') FROM generate_series(1, 30000) i) ELSE 'n' END))
  FROM (SELECT (extract(epoch FROM date_trunc('day', now() - ago * interval '1 day', 'UTC')) + 60)::bigint * 1000000000) d(t) $$;
CREATE FUNCTION leaf(ago integer) RETURNS text LANGUAGE sql AS $$
SELECT 'tempo.spans_' || to_char((now() AT TIME ZONE 'UTC') - ago * interval '1 day', 'YYYYMMDD') $$;
SQL

sub leaves { return sql($node, q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass}) }
sub there { return sql($node, "SELECT to_regclass(leaf($_[0])) IS NOT NULL") eq 't' }

sub set
{
	sql($node, "ALTER SYSTEM SET $_") for @_;
	$node->reload;
	return;
}

# A session that keeps a transaction open until it is told to end.
sub hold
{
	my ($node, $statements) = @_;
	my ($in, $out) = ("BEGIN ISOLATION LEVEL REPEATABLE READ; $statements; SELECT 'held';\n", '');
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1',
		IPC::Run::timer(120));

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

sub status
{
	return sql($node, "SELECT $_[0] FROM tempo.status WHERE worker = 'maintenance'");
}

# ---- too old

sql($node, 'SELECT send(d, d) FROM generate_series(0, 9) d');
sql($node, 'SELECT tempo_merge()');
sql($node, 'SELECT send(5, 150)');
is(leaves(), 10, 'ten days');
set(q{tempo.retention = '5d'});
wait_until('the old days to go', sub { leaves() == 6 });
is(sql($node, 'SELECT count(*) FROM tempo.spans'), 7, 'four days are gone, with their spans');
ok(there(5), 'the day that is partly within tempo.retention stays');
is(status('requests'), 4, 'tempo.status counts them');
cmp_ok(status('bytes'), '>=', 4 * 8192, 'and the bytes they took');
like(slurp_file($node->logfile), qr/dropped partition "spans_\d+" \(\d+ kB\) because of tempo\.retention/, 'the log says why');

# ---- an old transaction that has read the table holds it up, and nobody else waits

my $reader = hold($node, "SELECT 'rows', count(*) FROM tempo.spans");
set(q{tempo.retention = '3d'});
wait_until('a lock to be waited for', sub { status('refused') > 2 });
my $began = time;
sql($node, "SET lock_timeout = '5s'; SELECT send(0, 100); SELECT send(-1, 101)");
is(sql($node, 'SELECT count(*) FROM traceql(\'{ }\')'), sql($node, 'SELECT count(*) FROM tempo.spans'), 'TraceQL sees what SQL sees');
cmp_ok(time - $began, '<', 4, 'spans are taken, also of a new day, and read meanwhile');
is(sql($node, 'SELECT tempo_merge(leaf(5)::regclass)'), 1, 'a partition on its way out can be merged');
set(q{tempo.retention = 0});
my $answer = otlp_post($node, sprintf('{"resourceSpans": [{"scopeSpans": [{"spans": [%s, %s]}]}]}', map {
	my $t = sql($node, "SELECT (extract(epoch FROM date_trunc('day', now() - $_->[1] * interval '1 day', 'UTC')) + 60)::bigint");
	sprintf '{"traceId": "%032x", "spanId": "%016x", "name": "n", "startTimeUnixNano": "%d000000000", "endTimeUnixNano": "%d000000001"}',
	  $_->[0], $_->[0], $t, $t } [ 200, 5 ], [ 201, 1 ]), type => 'application/json');
is($answer->{status}, 200, 'a request with a span of the day that is going is answered');
like($answer->{content}, qr/is being dropped/, 'that span is rejected') or diag($answer->{content});
set(q{tempo.retention = '3d'});
like(release($reader, "SELECT 'again', count(*) FROM tempo.spans"), qr/again\|7$/m, 'the old transaction saw its snapshot to the end');
wait_until('the rest to go', sub { leaves() == 5 });
ok(!there(5) && !there(4), 'when it has ended they go');

# ---- an old transaction that has not read it yet, and one that holds a leaf

$reader = hold($node, 'SELECT count(*) FROM pg_class');
my $leaf = hold($node, 'SELECT count(*) FROM ' . sql($node, 'SELECT leaf(3)'));
set(q{tempo.retention = '2d'});
wait_until('locks to be waited for', sub { !there(3) || status('refused') > 5 });
ok(there(3), 'a leaf somebody reads stays');
release($leaf);
release($reader, "SELECT 'first', count(*) FROM tempo.spans");
wait_until('the leaf to go', sub { leaves() == 4 });
set(q{tempo.retention = 0});

# ---- code of the owner's runs with the owner's rights only, and the partition is dropped in one step

sql($node, <<'SQL');
CREATE FUNCTION odd(integer) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'odd as %', current_user;
    RETURN true;
END $$;
CREATE ROLE keeper;
GRANT CREATE, USAGE ON SCHEMA tempo TO keeper;
SELECT send(5, 250);
ALTER TABLE tempo.spans OWNER TO keeper;
SQL
sql($node, "ALTER TABLE $_ OWNER TO keeper") for split /\n/, sql($node, q{SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass});
sql($node, 'ALTER TABLE tempo.spans ADD CONSTRAINT odd CHECK (odd(1))');
my $size_before = -s $node->logfile;
$reader = hold($node, 'SELECT count(*) FROM tempo.spans');
set(q{tempo.retention = '3d'});
wait_until('it to be put off', sub { status('last_error') =~ /open for longer than tempo\.lock_timeout/ });
release($reader);
wait_until('the partition to go', sub { !there(5) });
unlike(substr(slurp_file($node->logfile), $size_before), qr/odd as (?!keeper)/, 'a constraint is never evaluated as somebody else');
set(q{tempo.retention = 0});
sql($node, 'ALTER TABLE tempo.spans DROP CONSTRAINT odd');
sql($node, "ALTER TABLE $_ OWNER TO CURRENT_USER") for 'tempo.spans', split /\n/, sql($node, q{SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass});

# ---- what others detached is theirs; its day can not be made again, and that is said

sql($node, 'ALTER TABLE tempo.spans DETACH PARTITION ' . sql($node, 'SELECT leaf(2)'));
sleep 0.6;
ok(there(2), 'a partition detached by hand is left alone');
my ($ret, $out, $err) = $node->psql('postgres', 'SELECT send(2, 300)');
like($err, qr/another table has its name/, 'its day cannot be made in SQL');
sql($node, 'DROP TABLE ' . sql($node, 'SELECT leaf(2)'));

# ---- by hand

sql($node, 'SELECT send(d, 400 + d) FROM generate_series(2, 6) d');
is(sql($node, q{BEGIN; SELECT tempo.drop_before(now() - interval '3 days'); ROLLBACK;}), 3, 'tempo.drop_before()');
ok(there(6), 'can be rolled back');
is(sql($node, q{SELECT tempo.drop_before(now() - interval '3 days')}), 3, 'and committed');
ok(there(3) && !there(4) && !there(5), 'only whole days before');
sql($node, 'CREATE ROLE somebody; GRANT USAGE ON SCHEMA tempo TO somebody');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE somebody; SELECT tempo.drop_before(now())');
like($err, qr/permission denied/, 'is not for everybody');
sql($node, 'GRANT EXECUTE ON FUNCTION tempo.drop_before(timestamptz) TO somebody');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE somebody; SELECT tempo.drop_before(now())');
like($err, qr/must be owner/, 'nor for who is not the owner');

# ---- too large

sql($node, 'SELECT tempo.drop_before(now())');
sql($node, 'SELECT send(d, 500 + d, true) FROM generate_series(0, 5) d');
my $size = sql($node, q{SELECT sum(pg_total_relation_size(inhrelid)) / 1024 FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass});
set("tempo.max_size = '" . int($size * 0.6) . "kB'");
wait_until('the oldest days to go', sub { !there(3) });
ok(there(1), 'younger ones stay');
like(slurp_file($node->logfile), qr/because of tempo\.max_size/, 'the log says why');
set(q{tempo.max_size = '8kB'});
wait_until('all days but today to go', sub { !there(1) });
wait_until('a word about it', sub { slurp_file($node->logfile) =~ /no partition of days before today/ });
ok(there(0), 'today stays, however large');
set('tempo.max_size = 0');

# ---- killed at each stage

# The worker is stopped at a stage by a lock that is held against it.
my $standby_backup = $node->backup('for_standby');
my $standby = PostgreSQL::Test::Cluster->new('retention_standby');
$standby->init_from_backup($node, 'for_standby', has_streaming => 1);
tempo_ports($standby);
$standby->start;

for my $stage ('marked', 'pending', 'detached')
{
	sql($node, 'SELECT send(d, 600 + d) FROM generate_series(8, 9) d');
	my $name = sql($node, 'SELECT leaf(9)');
	my $held = $stage eq 'detached' ? undef : hold($node, $stage eq 'marked' ? "LOCK TABLE ONLY tempo.spans IN SHARE UPDATE EXCLUSIVE MODE" : 'SELECT count(*) FROM tempo.spans');
	sql($node, "ALTER TABLE tempo.spans DETACH PARTITION $name"), sql($node, "COMMENT ON TABLE $name IS 'tempo: to be dropped'")
	  if $stage eq 'detached';
	set(q{tempo.retention = '7d'}, "tempo.lock_timeout = '60s'") if $stage ne 'detached';
	wait_until("the stage $stage", sub {
		$stage eq 'marked' ? sql($node, "SELECT obj_description('$name'::regclass)") ne ''
		  : $stage eq 'pending' ? sql($node, "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = '$name'::regclass") eq 't' : 1 });
	$node->stop('immediate');
	set_offline($node, "tempo.lock_timeout = '300ms'\ntempo.retention = '7d'");
	$held->{psql}->kill_kill if $held;
	$node->start;
	wait_until("the day killed when $stage to go", sub { sql($node, "SELECT to_regclass('$name') IS NULL") eq 't' && !there(8) });
	pass("killed when $stage: the drop is done after the restart");
	sql($node, 'ALTER SYSTEM RESET ALL');
	$node->reload;
	is(sql($node, q{SELECT count(*) FROM pg_class c JOIN pg_description d ON d.objoid = c.oid WHERE description LIKE 'tempo: to be%'}), 0,
		'nothing is left of it');
}

sub set_offline
{
	my ($node, $conf) = @_;
	my $file = $node->data_dir . '/postgresql.auto.conf';

	append_to_file($file, "$conf\n");
	return;
}

$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
my $list = q{SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass};
is(sql($standby, $list), sql($node, $list), 'the standby has the same partitions');
is(sql($standby, 'SELECT count(*) FROM traceql(\'{ }\')'), sql($node, 'SELECT count(*) FROM tempo.spans'), 'and the same spans');
is(sql($standby, q{SELECT count(*) FROM tempo.status WHERE worker = 'maintenance'}), 0, 'and no maintenance of its own');

# ---- a dump that is restored has what was there

sql($node, 'SELECT send(d, 700 + d) FROM generate_series(0, 3) d');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
sql($node, 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xqf', $dump, '-v', 'ON_ERROR_STOP=1', $node->connstr('copy') ], 'restored');
is(sql($node, 'SELECT count(*) FROM tempo.spans', dbname => 'copy'), sql($node, 'SELECT count(*) FROM tempo.spans'), 'the same spans');

$standby->stop;
finish($node, crashed => 1);
done_testing();
