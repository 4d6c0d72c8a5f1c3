# Inserts, merges that commit and that roll back, VACUUM and readers at once: every snapshot sees whole commits,
# the same at every look, and never fewer than before.
use strict;
use warnings;
use Time::HiRes qw(sleep time);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $seconds = $ENV{TEMPO_LONG} ? 120 : 8;
my $node = tempo_node('concurrent', conf => <<'CONF');
fsync = off
tempo.merge_interval = 20
tempo.merge_delay = 1
tempo.segment_rows = 2000
max_prepared_transactions = 5
autovacuum_naptime = 1
CONF
sql($node, 'CREATE EXTENSION amcheck');
sql($node, 'CREATE TABLE t (client int, i int, pad text) USING tempo');

# Children report through their exit status and one line in a file.
my %children;
my $dir = PostgreSQL::Test::Utils::tempdir();

sub child
{
	my ($name, $code) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		my $end = time + $seconds;
		my $problem = eval { $code->($end) } // $@;

		append_to_file("$dir/$name", $problem);
		POSIX::_exit(0);
	}
	$children{$name} = $pid;
}

for my $c (1 .. 4)
{
	child("inserter $c", sub {
		my ($end) = @_;
		my $n = 0;

		# Every commit adds rows whose i sum to 0: 100 of them.
		while (time < $end)
		{
			my $finish = $n % 10 == 9 ? 'ROLLBACK' : 'COMMIT';

			$node->psql('postgres', "BEGIN; INSERT INTO t SELECT $c, i - 50, 'x' FROM generate_series(0, 49) i; SAVEPOINT s; INSERT INTO t VALUES ($c, 1000, 'never'); ROLLBACK TO s; INSERT INTO t SELECT $c, i, 'y' FROM generate_series(1, 50) i; $finish") == 0 or return 'insert failed';
			$n++;
		}
		return '';
	});
}
child('merger', sub {
	my ($end) = @_;

	while (time < $end)
	{
		my $finish = rand() < 0.3 ? 'ROLLBACK' : 'COMMIT';

		$node->psql('postgres', "BEGIN; SELECT tempo_merge('t'); $finish") == 0 or return 'merge failed';
		$node->psql('postgres', "SET statement_timeout = '2ms'; SELECT tempo_merge('t')");
	}
	return '';
});
child('vacuum', sub {
	my ($end) = @_;

	while (time < $end)
	{
		$node->psql('postgres', 'VACUUM t; ANALYZE t') == 0 or return 'vacuum failed';
		sleep 0.1;
	}
	return '';
});
for my $r (1 .. 2)
{
	child("reader $r", sub {
		my ($end) = @_;
		my $last = 0;

		while (time < $end)
		{
			my $look = 'SELECT count(*), coalesce(sum(i), 0), count(*) FILTER (WHERE i = 1000) FROM t;';
			my $scan = $r == 1 ? 'on' : 'off';
			my ($status, $out) = $node->psql('postgres', "SET tempo.enable_customscan = $scan; BEGIN ISOLATION LEVEL REPEATABLE READ; $look SELECT pg_sleep(0.05); $look COMMIT");
			my @looks = grep { /\|/ } split /\n/, $out // '';
			my ($count, $sum, $never) = split /\|/, $looks[0] // '';

			return 'read failed' if ($status // 1) != 0 || @looks != 2;
			return "two looks differ: @looks" if $looks[0] ne $looks[1];
			return "part of a commit: $looks[0]" if $count % 100 || $sum || $never;
			return "fewer rows than before: $last, $count" if $count < $last;
			$last = $count;
		}
		return $last ? '' : 'saw nothing';
	});
}
child('updater', sub {
	my ($end) = @_;

	# Whole rows through triggers, files that come and go.
	while (time < $end)
	{
		$node->psql('postgres', "CREATE TABLE gone (i int, t text) USING tempo; INSERT INTO gone SELECT i, 'x' FROM generate_series(1, 50) i; SELECT tempo_merge('gone'); DROP TABLE gone") == 0 or return 'create and drop failed';
	}
	return '';
});
for my $name (sort keys %children)
{
	waitpid $children{$name}, 0;
	is(-e "$dir/$name" ? slurp_file("$dir/$name") : 'died', '', $name);
}
my ($count, $sum) = split /\|/, sql($node, 'SELECT count(*), sum(i) FROM t');
cmp_ok($count, '>', 0, "$count rows in the end");
is($sum, 0, 'whole commits');
is(sql($node, "SELECT * FROM tempo_check('t')"), '', 'clean');
sql($node, "SELECT tempo_merge('t')");
is(sql($node, 'SELECT count(*) FROM t'), $count, 'the same rows when all is merged');
is(sql($node, "SELECT * FROM tempo_check('t')"), '', 'clean when all is merged');

# A join partner of an updated row, updated concurrently: the recheck reads the row of the tempo table again.
sql($node, 'CREATE TABLE acct (id int PRIMARY KEY, v int)');
sql($node, 'INSERT INTO acct SELECT i, 0 FROM generate_series(1, 3) i');
sql($node, 'CREATE TABLE delta (id int, d int) USING tempo');
sql($node, 'INSERT INTO delta SELECT i, i * 10 FROM generate_series(1, 3) i');
for my $merged (0, 1)
{
	sql($node, "SELECT tempo_merge('delta')") if $merged;
	for my $scan (qw(on off))
	{
		my $first = $node->background_psql('postgres');
		my $second = $node->background_psql('postgres');

		$first->query_safe('BEGIN; UPDATE acct SET v = v + 1');
		$second->query_safe("SET application_name = 'second'; SET tempo.enable_customscan = $scan");
		$second->query_until(qr/started/, "\\echo started\nUPDATE acct SET v = v + d FROM delta WHERE delta.id = acct.id;\n");
		wait_until('the second update to wait', sub { sql($node, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock'") });
		$first->query_safe('COMMIT');
		$first->quit;
		$second->quit;
	}
	is(sql($node, 'SELECT sum(v) FROM acct'), $merged ? 252 : 126, 'no update is lost' . ($merged ? ', over a segment' : ', over a recent batch'));
}
# A prepared transaction is undecided: merges go by without passing it over, until it commits or not.
sql($node, 'CREATE TABLE p (i int, t text) USING tempo');
sql($node, 'INSERT INTO p SELECT i FROM generate_series(1, 10) i');
sql($node, "BEGIN; INSERT INTO p VALUES (100, 'kept'); PREPARE TRANSACTION 'kept'");
sql($node, "BEGIN; INSERT INTO p VALUES (200, 'dropped'); PREPARE TRANSACTION 'dropped'");
sql($node, 'INSERT INTO p SELECT i FROM generate_series(11, 20) i');
my $merge = "SELECT tempo_merge('p'); SELECT count(*) FROM tempo.units('p') WHERE kind = 'recent batch'";
like(sql($node, $merge), qr/\n0$/, 'what is committed is merged');
sql($node, 'INSERT INTO p SELECT i FROM generate_series(21, 30) i');
like(sql($node, $merge), qr/\n0$/, 'and again');
is(sql($node, 'SELECT count(*), sum(i) FROM p'), '30|465', 'undecided rows are not seen');
$node->restart;
sql($node, "COMMIT PREPARED 'kept'");
sql($node, "ROLLBACK PREPARED 'dropped'");
is(sql($node, 'SELECT count(*), sum(i) FROM p'), '31|565', 'the committed one is, after a restart too');
like(sql($node, $merge), qr/\n0$/, 'and is merged');
is(sql($node, 'SELECT count(*), sum(i) FROM p'), '31|565', 'without getting lost');
is(sql($node, "SELECT * FROM tempo_check('p')"), '', 'clean');

# SERIALIZABLE: two transactions that each read the table and insert what the other should have read.
for my $scan (qw(on off))
{
	my @sessions = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;

	for my $s (@sessions)
	{
		$s->query("SET tempo.enable_customscan = $scan; BEGIN ISOLATION LEVEL SERIALIZABLE");
		$s->query('SELECT count(*) FROM p');
	}
	$_->query("INSERT INTO p VALUES (1000, 'serializable')") for @sessions;
	$_->query('COMMIT') for @sessions;
	$_->quit for @sessions;
}
is(sql($node, 'SELECT count(*) FROM p WHERE i = 1000'), 2, 'of two serializable transactions in each other\'s way one fails, by either scan');
finish($node);
done_testing();
