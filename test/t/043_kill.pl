# Killed with SIGKILL again and again while eight connections send and merges run: what was acknowledged is there,
# every request is there once and whole or not at all, and the tables are sound. TEMPO_KILLS=20 for the long
# version.
use strict;
use warnings;
use Kill;
use Load;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $kills = $ENV{TEMPO_KILLS} || 5;
my ($senders, $spans, $days) = (8, 20, 3);
# What matters for crashes is as it is by default, unlike in other tests. Small segments and no delay: the merger
# always has something to do.
my $node = tempo_node('kill', conf => <<'CONF');
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
restart_after_crash = on
tempo.segment_rows = 20000
tempo.merge_delay = '1s'
tempo.merge_interval = '20ms'
autovacuum_naptime = '1s'
CONF
my $dir = PostgreSQL::Test::Utils::tempdir();
my $port = $node->{tempo_port}{otlp};

diag(join ', ', map { "$_ = " . sql($node, "SHOW $_") } qw(fsync full_page_writes synchronous_commit wal_level wal_sync_method));

# Merges, and a checkpoint now and then, until the server goes away.
sub start_merging
{
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	open STDERR, '>', '/dev/null' or die;
	exec 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', <<'SQL' or die;
DO $$ BEGIN LOOP
  PERFORM tempo_merge();
  COMMIT;
  IF random() < 0.05 THEN CHECKPOINT; END IF;
END LOOP; END $$
SQL
}

# Returns as soon as somebody merges; false when nobody did for two seconds. The lock is that of src/merge.
sub wait_for_merge
{
	return system('psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', <<'SQL') == 0;
DO $$ BEGIN
  FOR i IN 1..2000 LOOP
    IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 29797 AND granted) THEN RETURN; END IF;
    PERFORM pg_sleep(0.001);
  END LOOP;
  RAISE 'nobody merges';
END $$
SQL
}

my @kinds = ('the postmaster', 'every process', 'one process');

sub kill_something
{
	my ($kind) = @_;
	my @children = children_of(postmaster($node));

	return kill_postmaster($node) if $kind eq 'the postmaster';
	return kill_everything($node) if $kind eq 'every process';
	return kill_process($node, $children[ rand @children ]);
}

my $load = start_senders($node, dir => $dir, senders => $senders, spans => $spans, days => $days);
my ($during_merge, $started) = (0, time);

for my $n (1 .. $kills)
{
	my $kind = $kinds[ $n % @kinds ];
	my $merging = $n % 2 || rand() < 0.5 ? start_merging() : undef;

	sleep(0.5 + rand 1.5);
	my $in_merge = wait_for_merge();
	sleep(rand 0.02);
	$during_merge++ if $in_merge;
	kill_something($kind);
	if ($merging) { kill 'TERM', $merging; waitpid $merging, 0; }
	wait_for_port($port);
	pass("kill $n, $kind" . ($in_merge ? ', during a merge' : ''));
}
sleep 1;
my %sum = stop_senders($load);
diag(sprintf '%d kills, %d of them during a merge, in %.0f s; %d connections sent %d requests of %d spans, %d were acknowledged, %d refused',
	$kills, $during_merge, time - $started, $senders, $sum{sent}, $spans, $sum{acknowledged}, $sum{refused});
cmp_ok($sum{acknowledged}, '>', 100, 'requests were acknowledged');
cmp_ok($during_merge, '>', 0, 'kills hit merges');

sql($node, 'CREATE TABLE acknowledged (sender integer, request bigint)');
for my $n (0 .. $senders - 1)
{
	system('psql', '-Xq', '-d', $node->connstr('postgres'), '-c', 'CREATE TEMP TABLE one (request bigint)',
		'-c', "\\copy one FROM '$dir/journal.$n'", '-c', "INSERT INTO acknowledged SELECT $n, request FROM one") == 0
	  or die 'psql fails';
}
is(sql($node, 'SELECT count(*) FROM acknowledged'), $sum{acknowledged}, 'the journals are whole');

sub verify
{
	my ($when) = @_;

	sql($node, 'DROP TABLE IF EXISTS stored');
	sql($node, <<'SQL');
CREATE TABLE stored AS
SELECT ((span_id::bigint >> 48) - 1)::integer AS sender, (span_id::bigint >> 16) & 4294967295 AS request,
       count(*) AS spans, count(DISTINCT span_id) AS ids, count(DISTINCT (trace_id, service)) AS traces,
       bool_and((attributes ->> 'request')::bigint = (span_id::bigint >> 16) & 4294967295) AS right
  FROM tempo.spans GROUP BY 1, 2
SQL
	is(sql($node, 'SELECT count(*) FROM acknowledged LEFT JOIN stored USING (sender, request) WHERE spans IS NULL'),
		0, "$when: every acknowledged request is there");
	is(sql($node, "SELECT count(*) FROM stored WHERE spans <> $spans OR ids <> $spans OR traces <> 1 OR NOT stored.right"),
		0, "$when: every request that is there is there whole, once, and right");
	diag("$when: " . sql($node, 'SELECT sum(spans) FROM stored') . ' spans, '
		  . sql($node, 'SELECT count(*) FROM stored LEFT JOIN acknowledged a USING (sender, request) WHERE a.request IS NULL')
		  . ' requests stored whose answer was cut off');
	check_clean($node, "$when: tempo_check is clean");
	return;
}

verify('after the last kill');
sql($node, 'SELECT tempo_merge()');
verify('all merged');
finish($node, crashed => 1);
done_testing();
