# The schema changes under writers, readers and merges: no crash, clear errors at most, and everything acknowledged
# since the last change is there.
use strict;
use warnings;
use Load;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my ($senders, $spans) = (4, 20);
my $node = tempo_node('ddl', conf => <<'CONF');
max_connections = 40
max_worker_processes = 24
tempo.segment_rows = 5000
tempo.merge_delay = '1s'
tempo.merge_interval = '20ms'
autovacuum_naptime = '1s'
CONF
my $dir = PostgreSQL::Test::Utils::tempdir();

# Statements that may fail while others change the schema: all errors but crashes and broken data are fine here.
sub hammer
{
	my ($what, @statements) = @_;
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	open STDOUT, '>', "$dir/$what" or die;
	open STDERR, '>&', \*STDOUT or die;
	system('psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @statements) until -e "$dir/stop";
	require POSIX;
	POSIX::_exit(0);
}

my $load = start_senders($node, dir => $dir, senders => $senders, spans => $spans, days => 3, pause => 2);
my @pids = (
	hammer('read', "SET statement_timeout = '5s'", 'SELECT count(*), sum(length(s::text)) FROM tempo.spans s', "SELECT count(*) FROM traceql('{ span.request > 5 } >> { }')"),
	hammer('parallel', 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0', 'SELECT service, count(*) FROM tempo.spans GROUP BY 1'),
	hammer('merge', 'SELECT tempo_merge()'),
	hammer('check', 'SELECT tempo_check()'));

my %ddl = (
	truncate => ['TRUNCATE tempo.spans'],
	'drop a day' => [<<'SQL'],
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE tempo.%I', min(relname)) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'tempo.spans'::regclass); END $$
SQL
	'detach a day' => [<<'SQL', 'DROP TABLE tempo.gone'],
DO $$ DECLARE p text; BEGIN
  SELECT relname INTO p FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'tempo.spans'::regclass ORDER BY 1 LIMIT 1;
  EXECUTE format('ALTER TABLE tempo.spans DETACH PARTITION tempo.%I', p);
  EXECUTE format('ALTER TABLE tempo.%I RENAME TO gone', p);
END $$
SQL
	'add and drop a column' => [ "ALTER TABLE tempo.spans ADD COLUMN extra integer DEFAULT 7", 'SELECT pg_sleep(0.3)', 'ALTER TABLE tempo.spans DROP COLUMN extra' ],
	'create again' => [ 'DROP TABLE tempo.spans CASCADE', 'SELECT tempo.init()' ],
	# The lock first: what CASCADE drops is locked in no order that anybody else keeps to.
	'extension again' => [ 'BEGIN; LOCK TABLE tempo.spans; DROP EXTENSION tempo CASCADE; COMMIT', 'CREATE EXTENSION tempo', 'SELECT tempo.init()' ],
	'rolled back' => [ 'BEGIN', 'TRUNCATE tempo.spans', "SELECT tempo_ingest_json('{}')", 'DROP TABLE tempo.spans CASCADE', 'ROLLBACK' ],
	maintenance => [ 'VACUUM (FREEZE, ANALYZE) tempo.spans', 'REINDEX DATABASE postgres', 'CHECKPOINT' ]);

for my $round (1 .. 2)
{
	for my $what (sort keys %ddl)
	{
		sleep 0.4;
		# A deadlock with a reader is possible; trying again is what everybody does.
		my $done = wait_until($what, sub {
			system('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-o', '/dev/null', '-c', "SET client_min_messages = 'error'",
				map { ('-c', $_) } @{ $ddl{$what} }) == 0 }, 30);
		ok($done, "$what, round $round");
	}
}

# What is acknowledged from now on stays.
my @from = map { my @lines = split /\n/, slurp_file("$dir/journal.$_"); $lines[-1] // 0 } 0 .. $senders - 1;
sleep 3;
my %sum = stop_senders($load);
waitpid $_, 0 for @pids;
diag("$sum{sent} requests sent, $sum{acknowledged} acknowledged, $sum{refused} refused");
my $late = 0;
for my $n (0 .. $senders - 1)
{
	my @requests = grep { $_ > $from[$n] } split /\n/, slurp_file("$dir/journal.$n");
	$late += @requests;
	next unless @requests;
	is(sql($node, <<"SQL"), 0, "sender $n: what was acknowledged after the last change is there");
SELECT count(*) FROM unnest('{@{[ join ',', @requests ]}}'::bigint[]) r
 WHERE $spans <> (SELECT count(*) FROM tempo.spans
                   WHERE span_id::bigint >> 48 = $n + 1 AND (span_id::bigint >> 16) & 4294967295 = r)
SQL
}
cmp_ok($late, '>', 20, 'senders go on');
is(sql($node, "SELECT count(*) - count(DISTINCT span_id) FROM tempo.spans"), 0, 'nothing is there twice');
my @wrong = grep { /XX\d\d\d|corrupt|invalid memory|cache lookup|unexpected|could not read|\(null\)/ } map { split /\n/, slurp_file("$dir/$_") } qw(read parallel merge check);
is_deeply(\@wrong, [], 'no errors that nobody should see');
my %errors;
$errors{$_}++ for map { s/^.*ERROR: +//r =~ s/\d+/N/gr } grep { /ERROR/ } map { split /\n/, slurp_file("$dir/$_") } qw(read parallel merge check);
note("$errors{$_} $_") for sort keys %errors;
sql($node, 'SELECT tempo_merge()');
finish($node);
done_testing();
