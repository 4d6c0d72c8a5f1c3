# All queries of the conformance set, through SQL and HTTP, on a primary and on a hot standby of it that reads segments,
# recent batches and traces in several of them: the same answers, alone and in parallel. (053_steady.pl is about what the
# processes hold.)
use strict;
use warnings;
use lib 'test/perl';
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

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
CONF
my $primary = tempo_node('primary', allows_streaming => 1, conf => $conf);

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

# ---- SQL ----

sub as_sql
{
	my ($q) = @_;
	my $text = $q->{q} =~ s/'/''/gr;
	my $from = $q->{kind} eq 'search'
	  ? "traceql('$text', to_timestamp(1793491000), to_timestamp(1793495000))"
	  : "traceql_metrics('$text', to_timestamp(1793491000), to_timestamp(1793495000), '60 s')";

	return "\\echo == $q->{id}\nSELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\"), '')) FROM $from t;\n";
}

# Number of rows and digest by query; of a refused query nothing. And how many were refused.
sub ask_sql
{
	my ($node, $settings) = @_;
	my ($out, $err) = ('', '');
	my (%answers, $id);

	$node->psql('postgres', "\\set VERBOSITY sqlstate\n$settings" . join('', map { as_sql($_) } @queries),
		stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'ON_ERROR_STOP=0' ]);
	for my $line (split /\n/, $out)
	{
		if ($line =~ /^== (\w+)/) { $id = $1; $answers{$id} = ''; }
		elsif (defined $id) { $answers{$id} .= $line }
	}
	unlike($err, qr/ERROR:\s++(?!42601|0A000|22000)/, $node->name . ': errors are refusals');
	return (\%answers, scalar(() = $err =~ /ERROR:/g));
}

sub differing
{
	my ($x, $y) = @_;

	return join ' ', grep { $x->{$_} ne ($y->{$_} // 'not asked') } sort keys %$x;
}

my ($alone, $parallel) = ("SET max_parallel_workers_per_gather = 0;\n", '');
my ($right, $refused) = ask_sql($primary, $alone);
cmp_ok(scalar(grep { $_ && !/^0 / } values %$right), '>', 450, 'most answers are not empty');
for my $asked ([ $primary, $parallel, 'the primary in parallel' ], [ $standby, $alone, 'the standby' ],
	[ $standby, $parallel, 'the standby in parallel' ])
{
	my ($node, $settings, $name) = @$asked;
	my ($answers, $errors) = ask_sql($node, $settings);

	is(differing($right, $answers), '', "$name: the same answers");
	is($errors, $refused, "$name: as many refusals");
}

# ---- HTTP ----

sub as_path
{
	my ($q) = @_;
	my $text = $q->{q} =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;

	return $q->{kind} eq 'search'
	  ? "/api/search?q=$text&start=1793491000&end=1793495000&limit=50&spss=5"
	  : "/api/metrics/query_range?q=$text&start=1793491000&end=1793495000&step=60s&exemplars=0";
}

# Status and body by query, without what tells of the work.
sub ask_http
{
	my ($node) = @_;
	my %answers;

	for my $q (@queries)
	{
		my $r = api_get($node, as_path($q));
		my $body = $r->{content} =~ s/,?"(?:inspectedBytes|totalBlocks|totalBlockBytes|completedJobs|totalJobs|inspectedTraces|inspectedSpans)":"?\d+"?//gr;

		$answers{ $q->{id} } = "$r->{status} $body";
	}
	return \%answers;
}

my ($first, $second) = map { ask_http($_) } $primary, $standby;
is(join(' ', grep { $first->{$_} !~ /^(200|400|501) / } sort keys %$first), '', 'over HTTP: answers and refusals');
is(differing($first, $second), '', 'over HTTP: the standby answers as the primary does');

check_clean($standby, 'tempo_check is clean on the standby');
$standby->stop;
finish($primary);
done_testing();
