# Query executors take part in each other's metrics queries: the same answers as alone, on a primary and on a standby,
# whatever happens to the one that is asked, and whoever waits for a lock meanwhile.
use strict;
use warnings;
use lib 'test/perl';
use Digest::MD5 qw(md5_hex);
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use POSIX ();
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = tempo_node('primary', allows_streaming => 1, conf => <<'CONF');
tempo.max_future = -1
tempo.query_executors = 3
tempo.merge_interval = 0
parallel_setup_cost = 0
log_min_messages = debug1
CONF
my $zero = 1_700_000_000;

# 3000 traces of 4 spans over 5 minutes: two segments with a trace in three in both, and recent batches.
sql($node, "SELECT tempo.create_partitions('2023-11-14', '2023-11-15')");
sub add_spans
{
	my ($parts) = @_;

	sql($node, <<"SQL");
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service,
                         attributes, resource_attributes)
SELECT 'single-tenant', to_hex(t * 7919 + 4096)::trace_id, to_hex(t * 8 + s)::span_id, CASE WHEN s > 1 THEN to_hex(t * 8 + s / 2)::span_id END,
       'op ' || (t + s) % 7, (s % 3 + 1)::tempo.span_kind, ((t * s) % 11 % 3)::tempo.status_code,
       to_timestamp($zero) + t * interval '100 ms' + s * interval '3 ms', 1000000 * (t % 13 + s), 'svc ' || s % 3,
       format('{"n": %s, "who": "user %s"}', (t * s) % 17, t % 40)::tempo.attributes,
       format('{"service.name": "svc %s"}', s % 3)::tempo.attributes
FROM generate_series(1, 3000) t, unnest('{$parts}'::int[]) s WHERE s < 4 OR t % 3 = 0
SQL
}
add_spans('1,2');
sql($node, 'SELECT tempo_merge()');
add_spans('3');
sql($node, 'SELECT tempo_merge()');
add_spans('4');

my @queries = ('{} | rate() by (resource.service.name)', '{ status = error } | count_over_time() by (name, kind)',
	'{} | quantile_over_time(duration, .5, .9) by (name)', '{} | sum_over_time(span.n) by (span.who)',
	'{ name = "op 3" } >> {} | count_over_time()', '{} | count() > 3 | count_over_time() by (rootName)', '{} | compare({ status = error }, 3)');

sub path
{
	my ($q) = @_;
	$q =~ s/([^A-Za-z0-9.:-])/sprintf '%%%02X', ord $1/ge;
	return "/api/metrics/query_range?q=$q&start=$zero&end=" . ($zero + 300) . '&step=7s';
}

# A digest of the series, without exemplars and counts of what was read.
sub answer
{
	my ($server, $q, $client) = @_;
	my $r = $client ? $client->get("http://127.0.0.1:$server->{tempo_port}{http}" . path($q)) : api_get($server, path($q));

	return "$r->{status} $r->{content}" if $r->{status} != 200;
	my $series = decode_json($r->{content})->{series};
	delete $_->{exemplars} for @$series;
	return scalar(@$series) . ' series ' . md5_hex(JSON::PP->new->canonical->encode($series));
}

sub helped { return scalar(() = slurp_file($_[0]->logfile) =~ /helping with a query of process/g); }

# A helper may come when all is done already: ask until one came in time.
sub ask_until_helped
{
	my ($server) = @_;

	for (1 .. 50)
	{
		return 1 if helped($server) > 0;
		answer($server, $queries[6]);
	}
	return 0;
}

sub set
{
	my (@lines) = @_;

	sql($node, "ALTER SYSTEM SET $_") for @lines;
	$node->reload;
	sleep 0.3;
}

# ---- the same answers ----

set('max_parallel_workers_per_gather = 0');
my %alone = map { $_ => answer($node, $_) } @queries;
is(helped($node), 0, 'nobody helps where parallel queries are off');
like($alone{$_}, qr/^[1-9]\d* series/, "$_: an answer") for @queries;
set('max_parallel_workers_per_gather = 2');
is(answer($node, $_), $alone{$_}, $_) for @queries;
ok(ask_until_helped($node), 'others helped');

# ---- several clients at once: whoever helps has requests of its own ----

my @clients;
for my $client (1 .. 4)
{
	my $pid = fork() // die;
	if ($pid == 0)
	{
		my $http = HTTP::Tiny->new(timeout => 60); # the parent's connection is the parent's
		my $right = eval { grep { my $q = $queries[ ($_ * $client) % @queries ]; answer($node, $q, $http) eq $alone{$q} } 1 .. 15 };
		POSIX::_exit(($right // 0) == 15 ? 0 : 1);
	}
	push @clients, $pid;
}
is((grep { waitpid($_, 0); $? != 0 } @clients), 0, 'four clients at once');

# ---- errors and limits ----

set("tempo.query_memory = '400 kB'");
my $r = api_get($node, path('{} | compare({ status = error })'));
is($r->{status}, 500, 'too much memory');
like($r->{content}, qr/more memory than tempo.query_memory/, 'says so');
set("tempo.query_memory = '1 GB'", 'tempo.max_trace_spans = 1');
like(answer($node, '{} >> {} | rate()'), qr/^400 .*too many to work out its structure/, 'an error of the evaluator');
set('tempo.max_trace_spans = 1000000');
is(answer($node, $queries[0]), $alone{ $queries[0] }, 'and all is well again');

# ---- one that does not come ----

my @executors = split /\n/, sql($node, "SELECT pid FROM tempo.status WHERE worker = 'query executor' AND pid IS NOT NULL");
is(scalar @executors, 3, 'three executors');
kill 'STOP', $executors[2];
is(answer($node, $_), $alone{$_}, "with one stopped: $_") for @queries[ 0, 4, 6 ];
kill 'CONT', $executors[2];

# ---- somebody waits for an exclusive lock ----

my $script = PostgreSQL::Test::Utils::tempdir() . '/locks.sql';
append_to_file($script, "BEGIN;\nLOCK TABLE tempo.spans_20231114 IN ACCESS EXCLUSIVE MODE;\nCOMMIT;\n");
my $bench = IPC::Run::start([ 'pgbench', '-n', '-f', $script, '-T', '4', '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \my $out, '2>', \my $err);
my $until = time + 3;
my ($n, $wrong) = (0, 0);
while (time < $until)
{
	my $q = $queries[ $n++ % @queries ];
	$wrong++ if answer($node, $q) ne $alone{$q};
}
IPC::Run::finish($bench);
cmp_ok($n, '>', 0, "$n queries beside exclusive locks");
is($wrong, 0, 'all answered');

# ---- on a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;
wait_for_port($standby->{tempo_port}{http});
is(answer($standby, $_), $alone{$_}, "standby: $_") for @queries;
ok(ask_until_helped($standby), 'others helped there too');
is(sql($standby, "SET max_parallel_workers_per_gather = 2; SELECT count(*) FROM traceql_metrics('{} | rate() by (name)', to_timestamp($zero), to_timestamp($zero + 300), '1 min')"),
	49, 'in SQL, with workers');
$standby->stop;

finish($node);
done_testing();
