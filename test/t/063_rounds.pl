# All queries of the conformance set in random order, round after round, through SQL and HTTP, on a primary and on a
# hot standby of it: answers stay the same and are the same on both, and memory, files, locks and shared memory of
# every process stay where they are. ROUNDS for more of them.
use strict;
use warnings;
use lib 'test/perl';
use JSON::PP;
use List::Util qw(shuffle max sum0);
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $rounds = $ENV{ROUNDS} // 3;
my $dir = (shared_dir() // '') . '/conformance';
plan skip_all => 'no conformance data: set TEMPO_SHARED' unless -f "$dir/queries.json";

my @queries = @{ decode_json(slurp_file("$dir/queries.json")) };
cmp_ok(scalar @queries, '>', 700, 'queries');

my $conf = <<'CONF';
tempo.max_future = -1
tempo.merge_delay = 1d
max_connections = 30
max_parallel_workers_per_gather = 2
parallel_setup_cost = 0
dynamic_shared_memory_type = mmap
min_dynamic_shared_memory = 0
CONF
my $primary = tempo_node('primary', allows_streaming => 1, conf => $conf);

# Segments, recent batches, and traces in several of them.
my @requests = split /\n/, slurp_file("$dir/traces.ndjson");
my $half = int(@requests / 2);
sub ingest { return join '', map { "SELECT tempo_ingest_json(\$tempo\$$_\$tempo\$);\n" } @_ }
$primary->safe_psql('postgres', ingest(@requests[ 0 .. $half ]));
sql($primary, 'SELECT tempo_merge()');
$primary->safe_psql('postgres', ingest(@requests[ $half - 5 .. $#requests - 20 ]));
sql($primary, 'SELECT tempo_merge()');
$primary->safe_psql('postgres', ingest(@requests[ $#requests - 40 .. $#requests ]));

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;
wait_for_port($standby->{tempo_port}{http});
$primary->wait_for_catchup($standby);
is(sql($standby, 'SELECT pg_is_in_recovery()'), 't', 'a standby');

# ---- SQL: one session for all rounds ----

sub as_sql
{
	my ($q) = @_;
	my $text = $q->{q} =~ s/'/''/gr;
	my $from = $q->{kind} eq 'search'
	  ? "traceql('$text', to_timestamp(1793491000), to_timestamp(1793495000))"
	  : "traceql_metrics('$text', to_timestamp(1793491000), to_timestamp(1793495000), '60 s')";

	return "\\echo == $q->{id}\nSELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\"), '')) FROM $from t;\n";
}

my $state = <<'SQL';
\echo ** state
SELECT 'rss ' || (regexp_match(pg_read_file('/proc/self/status'), 'VmRSS:\s+(\d+)'))[1]
  || ' contexts ' || (SELECT sum(total_bytes) FROM pg_backend_memory_contexts)
  || ' files ' || (SELECT count(*) FROM pg_ls_dir('/proc/self/fd'))
  || ' locks ' || (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation > 16384);
SQL

# Answers by query and round, and the state after each round.
sub ask_sql
{
	my ($node) = @_;
	my $script = "\\set VERBOSITY sqlstate\n" . join '', map { join('', map { as_sql($_) } shuffle(@queries)) . $state } 1 .. $rounds;
	my ($out, $err) = ('', '');
	my (%answers, @states, $id);

	$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'ON_ERROR_STOP=0' ]);
	for my $line (split /\n/, $out)
	{
		if ($line =~ /^== (\w+)/) { $id = $1; $answers{$id}{asked}++; }
		elsif ($line =~ /^\*\* state/) { $id = undef }
		elsif ($line =~ /^rss (\d+) contexts (\d+) files (\d+) locks (\d+)/) { push @states, { rss => $1, contexts => $2, files => $3, locks => $4 } }
		elsif (defined $id) { $answers{$id}{$line}++ }
	}
	return (\%answers, \@states, scalar(() = $err =~ /ERROR:\s+(?:42601|0A000|22000)/g), scalar(() = $err =~ /ERROR:/g));
}

sub steady
{
	my ($what, $limit, @values) = @_;
	my ($early, $late) = @values[ 1, -1 ];

	cmp_ok($late, '<=', $early + $limit, "$what: @values");
	return;
}

sub segments
{
	my ($node) = @_;
	my @files = glob $node->data_dir . '/pg_dynshmem/*';

	return scalar @files;
}

my %answers;
for my $node ($primary, $standby)
{
	my ($name) = $node->name;
	my ($answers, $states, $refused, $errors) = ask_sql($node);
	my @changing = grep { keys %{ $answers->{$_} } > 2 } sort keys %$answers;

	is(scalar @$states, $rounds, "$name: $rounds rounds");
	is("@changing", '', "$name: every answer is the same in every round");
	is($refused, $errors, "$name: errors are refusals");
	is($errors % $rounds, 0, "$name: of the same queries");
	steady("$name: memory of the session, kB", 4096, map { $_->{rss} } @$states);
	steady("$name: its contexts, bytes", 1 << 20, map { $_->{contexts} } @$states);
	steady("$name: its files", 3, map { $_->{files} } @$states);
	steady("$name: its locks", 0, map { $_->{locks} } @$states);
	$answers{$name} = { map { my $a = $answers->{$_}; ($_ => join ',', sort keys %$a) } keys %$answers };
}
my @differ = grep { $answers{primary}{$_} ne ($answers{standby}{$_} // '') } sort keys %{ $answers{primary} };
is("@differ", '', 'the standby answers as the primary does');
cmp_ok(scalar(grep { !/0 d41d8/ } values %{ $answers{primary} }), '>', 450, 'most answers are not empty');

# ---- HTTP ----

sub as_path
{
	my ($q) = @_;
	my $text = $q->{q} =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;

	return $q->{kind} eq 'search'
	  ? "/api/search?q=$text&start=1793491000&end=1793495000&limit=50&spss=5"
	  : "/api/metrics/query_range?q=$text&start=1793491000&end=1793495000&step=60s&exemplars=0";
}

# RSS and files of each worker that answers queries.
sub workers
{
	my ($node) = @_;
	my %state;

	for my $line (split /\n/, sql($node, "SELECT pid || ' ' || backend_type FROM pg_stat_activity WHERE backend_type LIKE 'tempo query%'"))
	{
		my ($pid, $type) = split / /, $line, 2;
		my ($rss) = slurp_file("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/;
		my @files = glob "/proc/$pid/fd/*";

		$state{"$type $pid"} = { rss => $rss, files => scalar @files };
	}
	return \%state;
}

my %bodies;
for my $node ($primary, $standby)
{
	my $name = $node->name;
	my (@states, @shared, %codes, %changing);

	for my $round (1 .. $rounds)
	{
		for my $q (shuffle(@queries))
		{
			my $r = api_get($node, as_path($q));
			my $body = $r->{content} =~ s/,?"(?:inspectedBytes|totalBlocks|totalBlockBytes|completedJobs|totalJobs|inspectedTraces|inspectedSpans)":"?\d+"?//gr;

			$codes{ $r->{status} }++;
			$changing{ $q->{id} } = 1 if defined $bodies{ $q->{id} } && $bodies{ $q->{id} } ne "$r->{status} $body";
			$bodies{ $q->{id} } //= "$r->{status} $body";
		}
		push @states, workers($node);
		push @shared, segments($node);
	}
	is(join(' ', grep { !/^(200|400|501)$/ } sort keys %codes), '', "$name over HTTP: answers and refusals");
	is(join(' ', sort keys %changing), '', "$name over HTTP: the same in every round, and as on the primary");
	for my $worker (sort keys %{ $states[0] })
	{
		steady("$name: memory of $worker, kB", 4096, map { $_->{$worker}{rss} // 'gone' } @states);
		steady("$name: files of $worker", 3, map { $_->{$worker}{files} // 'gone' } @states);
	}
	is(sql($node, "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type LIKE 'tempo query%' AND l.locktype = 'relation'"),
		0, "$name: no lock is left");
	is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), 0, "$name: no parallel worker is left");
	steady("$name: pieces of shared memory", 0, @shared);
}

check_clean($standby, 'tempo_check is clean on the standby');
$standby->stop;
finish($primary);
done_testing();
