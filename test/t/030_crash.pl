# The server is killed at random moments while clients insert and merges run: what was committed is there,
# whole and once, nothing else is, and the storage is sound. Default durability.
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $kills = $ENV{TEMPO_LONG} ? 20 : 5;
my $clients = 4;
my $rows = 300;    # of one commit
my $dir = PostgreSQL::Test::Utils::tempdir();

# fsync stays on: what a killed process wrote survives in the kernel either way, but the order of writes is the default's.
my $node = tempo_node('crash', conf => <<'CONF');
fsync = on
tempo.segment_rows = 3000
tempo.merge_delay = 1
tempo.merge_interval = 20
checkpoint_timeout = 30
autovacuum_naptime = 1
log_min_messages = warning
CONF
sql($node, 'CREATE TABLE plain (client int, batch int, i int, t text) USING tempo');
sql($node, 'CREATE EXTENSION amcheck');
note "$_ = " . sql($node, "SHOW $_") for qw(fsync full_page_writes synchronous_commit);
sql($node, "SELECT tempo.create_partitions('2026-05-01', '2026-05-02')");

# SIGKILL to the postmaster; its children go by themselves, and until all are gone no other starts.
sub kill_and_restart
{
	my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	$node->kill9;
	wait_until('the postmaster to go', sub { !kill 0, $pid });
	$node->start;
}

# A client commits batches until the server is gone, and writes down each that was acknowledged.
sub client
{
	my ($client, $first, $file) = @_;

	open my $acks, '>>', $file or die "$file: $!";
	$acks->autoflush(1);
	for (my $batch = $first;; $batch++)
	{
		my $insert =
		  $batch % 3 == 0
		  ? "INSERT INTO plain SELECT $client, $batch, i, md5(i::text) FROM generate_series(1, $rows) i"
		  : $batch % 3 == 1
		  ? "COPY plain FROM PROGRAM 'seq 1 $rows | sed \"s/.*/$client\\t$batch\\t&\\ttext/\"'"
		  : "INSERT INTO tempo.spans (tenant, trace_id, span_id, name, start_time) SELECT 't' || $client % 2, md5((i % 40)::text)::trace_id, ((${client}::bigint << 48) | (${batch}::bigint << 16) | i)::span_id, '$client/$batch', '2026-05-01 23:59'::timestamptz + i * interval '1 s' FROM generate_series(1, $rows) i";
		last if (eval { $node->psql('postgres', $insert) } // 1) != 0;
		print $acks "$client $batch\n";
	}
	POSIX::_exit(0);
}

my @acked;
my $first = 0;
for my $kill (1 .. $kills)
{
	my @pids;

	for my $c (1 .. $clients)
	{
		my $pid = fork // die "fork: $!";
		client($c, $first, "$dir/acks.$c") if $pid == 0;
		push @pids, $pid;
	}
	sleep 0.5 + rand 2;
	kill_and_restart();
	waitpid $_, 0 for @pids;
	$first += 100000;
}
for my $c (1 .. $clients)
{
	my $file = "$dir/acks.$c";

	push @acked, map { [split] } split /\n/, slurp_file($file);
}
cmp_ok(scalar @acked, '>', 50, scalar(@acked) . ' commits were acknowledged');

# What is there, by commit: both kinds of tables.
my %there;
for (split /\n/, sql($node, 'SELECT client, batch, count(*), count(DISTINCT i) FROM plain GROUP BY 1, 2'))
{
	my ($c, $b, $n, $distinct) = split /\|/;
	$there{"$c $b"} = $n == $distinct ? $n : "$n, of which $distinct differ";
}
for (split /\n/, sql($node, 'SELECT name, count(*), count(DISTINCT (trace_id, span_id)) FROM tempo.spans GROUP BY 1'))
{
	my ($name, $n, $distinct) = split /\|/;
	$there{ $name =~ s{/}{ }r } = $n == $distinct ? $n : "$n, of which $distinct differ";
}
is_deeply([ grep { ($there{"@$_"} // 0) ne $rows } @acked ], [], 'every acknowledged commit is there, whole and once');
is_deeply([ grep { $there{$_} ne $rows } sort keys %there ], [], 'no commit is there in part or twice');
cmp_ok(sql($node, "SELECT count(*) FROM tempo.segments"), '>', 0, 'merges ran');
is(sql($node, "SELECT tempo_check('plain')"), '', 'the other table is clean');
sql($node, 'SELECT tempo_merge(NULL)');
sql($node, "SELECT tempo_merge('plain')");
is(sql($node, 'SELECT count(*) FROM plain') + sql($node, 'SELECT count(*) FROM tempo.spans'), $rows * keys %there, 'the same after merging all');
is(sql($node, "SELECT tempo_check('plain')"), '', 'clean after merging all');

# An unlogged table is empty after a crash, and works.
sql($node, 'CREATE UNLOGGED TABLE u (i int, t text) USING tempo');
sql($node, "INSERT INTO u SELECT i, 'x' FROM generate_series(1, 10) i");
sql($node, "SELECT tempo_merge('u')");
kill_and_restart();
is(sql($node, 'SELECT count(*) FROM u'), 0, 'an unlogged table is empty after a crash');
sql($node, "INSERT INTO u VALUES (1, 'again')");
is(sql($node, 'SELECT i FROM u'), 1, 'and takes rows');
is(sql($node, "SELECT tempo_check('u')"), '', 'and is clean');
finish($node, crashed => 1);

# wal_level = minimal: files made in the transaction that fills them are synced, not logged.
my $minimal = tempo_node('minimal', conf => "fsync = on\nwal_level = minimal\nmax_wal_senders = 0\nwal_skip_threshold = 0\ntempo.merge_interval = 3600s\n");
$node = $minimal;
sql($node, <<'SQL');
BEGIN;
CREATE TABLE m (i int, t text) USING tempo;
INSERT INTO m SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
SELECT tempo_merge('m');
INSERT INTO m SELECT i, md5(i::text) FROM generate_series(2001, 2100) i;
COMMIT;
CREATE TABLE m2 (i int, t text) USING tempo;
INSERT INTO m2 VALUES (1, 'before');
BEGIN;
TRUNCATE m2;
INSERT INTO m2 VALUES (2, 'after');
COMMIT;
SQL
kill_and_restart();
is(sql($node, 'SELECT count(*), sum(i) FROM m'), '2100|2206050', 'wal_level = minimal: rows are there after a crash');
is(sql($node, 'SELECT i, t FROM m2'), '2|after', 'after a TRUNCATE too');
sql($node, "INSERT INTO m SELECT i, 'more' FROM generate_series(3001, 3100) i");
sql($node, "SELECT tempo_merge('m')");
is(sql($node, "SELECT count(*) FROM tempo_check('m')"), 0, 'numbers go on where they were');
kill_and_restart();
is(sql($node, 'SELECT count(*) FROM m'), 2200, 'and again');
finish($node, crashed => 1);
done_testing();
