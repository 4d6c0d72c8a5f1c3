# A standby made from a backup taken while spans arrive and merges run: its snapshots are whole and stable while the
# primary merges and vacuums, it survives SIGKILL, ends with the same spans, and goes on as primary.
use strict;
use warnings;
use Load;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep);

my ($senders, $spans, $seconds) = (4, 20, 10);
my $conf = <<'CONF';
max_connections = 40
max_worker_processes = 24
tempo.segment_rows = 20000
tempo.merge_delay = '2s'
tempo.merge_interval = '50ms'
autovacuum_naptime = '1s'
wal_consistency_checking = 'all'
hot_standby_feedback = on
CONF
my $node = tempo_node('primary', allows_streaming => 1, conf => $conf);
my $dir = PostgreSQL::Test::Utils::tempdir();

snapshot_functions($node);
my $load = start_senders($node, dir => $dir, senders => $senders, spans => $spans, days => 2, pause => 5);
wait_until('spans', sub { sql($node, 'SELECT count(*) FROM tempo.spans') > 1000 });
my $merges = start_loop($node, $dir, 'merges on the primary', 1, 2 * $seconds + 5, "SELECT tempo_merge();\n\\sleep 100 ms\n");
my $vacuums = start_loop($node, $dir, 'vacuums on the primary', 1, 2 * $seconds + 5, "VACUUM (FREEZE) tempo.spans;\n\\sleep 300 ms\n");

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;

sub readers
{
	my ($when) = @_;

	return map { start_loop($standby, $dir, "$_->[0], $when", 1, $seconds / 2, $_->[1]) }
	  (['snapshots', "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_stable(5);\nCOMMIT;\n"],
		['checks', "SELECT check_now();\n\\sleep 100 ms\n"]);
}

my @figures = map { loop_finished($_) } readers('on the standby');
$standby->kill9;
wait_until('the start', sub { $standby->{_pid} = undef; $standby->start(fail_ok => 1) });
push @figures, map { loop_finished($_) } readers('on the standby after SIGKILL');
push @figures, map { loop_finished($_) } ($merges, $vacuums);
my %sum = stop_senders($load);
diag("$sum{sent} requests sent, " . join ', ', @figures);
is("$sum{acknowledged} $sum{refused}", "$sum{sent} 0", 'every request is acknowledged');

my $seen = 'SELECT n, digest FROM seen()';
$node->wait_for_catchup($standby);
my $before = sql($node, $seen);
like($before, qr/^@{[ $sum{acknowledged} * $spans ]}\|/, 'all of them are on the primary');
is(sql($standby, $seen), $before, 'and on the standby');
is(sql($standby, "SELECT count(*), count(DISTINCT trace_id) FROM traceql('{ }')"),
	sql($node, "SELECT count(*), count(DISTINCT trace_id) FROM traceql('{ }')"), 'TraceQL too');
check_clean($standby, 'tempo_check is clean on the standby');
finish($node);

$standby->promote;
wait_for_port($standby->{tempo_port}{otlp});
is(sql($standby, $seen), $before, 'the same after promotion');
my $more = PostgreSQL::Test::Utils::tempdir();
# Other requests than before: what came twice would be folded.
$load = start_senders($standby, dir => $more, first => $senders, senders => 1, spans => $spans, days => 2);
sleep 1;
my %more = stop_senders($load);
cmp_ok($more{acknowledged}, '>', 0, 'the new primary receives');
sql($standby, 'SELECT tempo_merge()');
is(sql($standby, 'SELECT count(*) FROM tempo.spans'), $spans * ($sum{acknowledged} + $more{acknowledged}), 'and merges');
finish($standby);
done_testing();
