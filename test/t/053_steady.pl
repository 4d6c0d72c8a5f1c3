# The queries of the conformance set in random order, round after round, over HTTP and in one SQL session, on a
# primary and on its standby: memory, shared memory segments, open files, locks and temporary files of every worker
# stay what they were. TEMPO_ROUNDS=20 for the long version; the short one asks a part of the queries each round.
use strict;
use warnings;
use lib 'test/perl';
use Encode qw(encode_utf8);
use JSON::PP;
use List::Util qw(max shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $dir = (shared_dir() // '') . '/conformance';
plan skip_all => 'no conformance data: set TEMPO_SHARED' unless -f "$dir/queries.json";

my $rounds = $ENV{TEMPO_ROUNDS} // 6;
my $part = $ENV{TEMPO_ROUNDS} ? 1 : 12;
my $seed = $ENV{TEMPO_SEED} // 1;
my @queries = @{ decode_json(slurp_file("$dir/queries.json")) };
# What a process may take on top of what it had after half of the rounds. After few queries not every one has had
# its largest yet.
my $room_kb = $ENV{TEMPO_ROUNDS} ? 1024 : 4096;
diag("seed $seed, $rounds rounds of " . int(@queries / $part) . ' queries');
srand $seed;

sub some_queries
{
	my @mixed = shuffle(@queries);

	return @mixed[0 .. @queries / $part - 1];
}

sub escaped
{
	return encode_utf8($_[0]) =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

sub path_of
{
	my ($q) = @_;

	return $q->{kind} eq 'search'
	  ? '/api/search?limit=100000&spss=100&start=1793491000&end=1793495000&q=' . escaped($q->{q})
	  : '/api/metrics/query_range?step=60s&start=1793491000&end=1793495000&q=' . escaped($q->{q});
}

sub statement_of
{
	my ($q) = @_;
	my $text = encode_utf8($q->{q}) =~ s/'/''/gr;

	return $q->{kind} eq 'search'
	  ? "SELECT count(*) FROM traceql('$text', to_timestamp(1793491000), to_timestamp(1793495000));"
	  : "SELECT count(*) FROM traceql_metrics('$text', to_timestamp(1793491000), to_timestamp(1793495000), '1 minute');";
}

# ---- what a process and a server hold ----

sub process
{
	my ($pid) = @_;
	my ($kb) = slurp_file("/proc/$pid/smaps_rollup") =~ /^Anonymous:\s+(\d+)/m;
	my %segments = map { $_ => 1 } slurp_file("/proc/$pid/maps") =~ m{(/dev/shm/PostgreSQL\.\d+)}g;
	my @files = glob("/proc/$pid/fd/*");

	return { kb => $kb, segments => scalar keys %segments, files => scalar @files };
}

sub held
{
	my ($node) = @_;
	my %held;

	for my $line (split /\n/, sql($node, "SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type LIKE 'tempo%'"))
	{
		my ($pid, $type) = split /\|/, $line;

		$held{process}{"$type $pid"} = process($pid);
	}
	$held{locks} = sql($node, "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND locktype <> 'virtualxid'");
	$held{temporary} = () = glob($node->data_dir . '/base/pgsql_tmp/*');
	return \%held;
}

sub compare
{
	my ($name, $before, $after) = @_;

	is(join(', ', sort keys %{ $after->{process} }), join(', ', sort keys %{ $before->{process} }), "$name: the same workers");
	is("$after->{locks} locks, $after->{temporary} files", '0 locks, 0 files', "$name: locks and temporary files");
	for my $worker (sort keys %{ $before->{process} })
	{
		my ($was, $is) = ($before->{process}{$worker}, $after->{process}{$worker} // {});

		cmp_ok($is->{kb}, '<=', $was->{kb} + $room_kb, "$name: memory of $worker (kB)");
		cmp_ok($is->{segments}, '<=', $was->{segments}, "$name: shared memory segments of $worker");
		cmp_ok($is->{files}, '<=', $was->{files} + 2, "$name: files of $worker");
	}
	return;
}

# ---- asking ----

sub over_http
{
	my ($node, $name) = @_;
	my ($asked, $bad, $before) = (0, 0);

	for my $round (1 .. $rounds)
	{
		for my $q (some_queries())
		{
			my $status = api_get($node, path_of($q))->{status};

			$asked++;
			$bad++ unless $status == 200 || $status == 400 || $status == 501;
		}
		$before = held($node) if $round == int($rounds / 2);
	}
	is($bad, 0, "$name: $asked queries over HTTP");
	compare($name, $before, held($node));
	return;
}

# One session, which says itself what it takes.
sub over_sql
{
	my ($node, $name) = @_;
	my $script = "\\set VERBOSITY sqlstate\nSET client_min_messages = error;\n";
	my ($out, $err) = ('', '');

	for my $round (1 .. $rounds)
	{
		$script .= join("\n", map { statement_of($_) } some_queries()) . "\n";
		$script .= "SELECT 'memory ' || substring(pg_read_file('/proc/self/smaps_rollup') FROM 'Anonymous: +([0-9]+)');\n"
		  . "SELECT 'locks ' || count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN (SELECT oid FROM pg_class WHERE relname LIKE 'spans%');\n";
	}
	$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'ON_ERROR_STOP=0' ]);
	my @kb = $out =~ /^memory (\d+)/mg;
	my @locks = $out =~ /^locks (\d+)/mg;

	is(scalar @kb, $rounds, "$name: one session lived through all of it");
	unlike($err, qr/ERROR:  (?!42601|0A000|22000)/, "$name: and saw no other errors");
	cmp_ok(max(@kb[ $rounds / 2 .. $rounds - 1 ]), '<=', $kb[ $rounds / 2 - 1 ] + $room_kb, "$name: memory of the session (@kb)");
	is(max(@locks), 0, "$name: locks of the session");
	return;
}

my $conf = "tempo.max_future = -1\ntempo.merge_delay = 1d\nautovacuum = off\n";
my $node = tempo_node('steady', allows_streaming => 1, conf => $conf);
my @requests = split /\n/, slurp_file("$dir/traces.ndjson");

# Two segments, and batches that wait.
sql($node, join '', map { "SELECT tempo_ingest_json(\$tempo\$$requests[$_]\$tempo\$);\n" . ($_ % 100 == 99 && $_ < 200 ? "SELECT tempo_merge();\n" : '') }
	  0 .. $#requests);
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('steady_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;
$node->wait_for_catchup($standby);
wait_for_port($standby->{tempo_port}{http});

for ([ $node, 'primary' ], [ $standby, 'standby' ])
{
	over_http(@$_);
	over_sql(@$_);
}
$standby->stop('fast');
finish($node);
done_testing();
