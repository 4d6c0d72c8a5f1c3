# What a real Tempo answers to the queries of the conformance set: traceql() matches the same spans in the same
# spansets, and metrics over HTTP have the same series with the same samples, whether the traces came whole or span
# by span with merges in between. Queries that may rest on a quirk differ exactly where
# test/conformance/deviations.txt says so. And all of them, those too, have the answers of the reference evaluator of
# test/reference, in full.
use strict;
use warnings;
use lib 'test/perl';
use Encode qw(encode_utf8);
use JSON::PP;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $dir = (shared_dir() // '') . '/conformance';
plan skip_all => 'no conformance data: set TEMPO_SHARED' unless -f "$dir/queries.json";

my (@queries, %deviates);
for my $line (split /\n/, qx(python3 test/conformance/expected.py '$dir'))
{
	my ($id, $kind, $query, $answer) = split /\t/, $line, -1;
	push @queries, { id => $id, kind => $kind, query => $query, answer => $answer };
}
cmp_ok(scalar @queries, '>', 500, 'queries with answers');
for my $line (split /\n/, slurp_file('test/conformance/deviations.txt'))
{
	$deviates{$1} = $2 if $line =~ /^(\w+)\s+(.+)/ && $line !~ /^#/;
}

my @requests = split /\n/, slurp_file("$dir/traces.ndjson");

sub ingest
{
	my ($node, $request) = @_;
	return "SELECT tempo_ingest_json(\$tempo\$$request\$tempo\$);\n";
}

# One span a request.
sub scattered
{
	my @single;

	for my $request (map { decode_json($_) } @requests)
	{
		for my $rs (@{ $request->{resourceSpans} })
		{
			for my $ss (@{ $rs->{scopeSpans} })
			{
				push @single, encode_json({ resourceSpans =>
						[ { resource => $rs->{resource} // {}, scopeSpans => [ { scope => $ss->{scope} // {}, spans => [$_] } ] } ] })
				  for @{ $ss->{spans} };
			}
		}
	}
	return @single;
}

# Answers of all queries, in the form of expected.py.
sub ask
{
	my ($node) = @_;
	my ($script, %sets, %answer) = ("\\set VERBOSITY sqlstate\n");

	for my $q (@queries)
	{
		my $text = $q->{query} =~ s/'/''/gr;
		$script .= "\\echo == $q->{id}\n"
		  . "SELECT trace_id || '=' || string_agg(span_id::text, ',' ORDER BY span_id::text) FROM traceql('$text', "
		  . "to_timestamp(1793491000), to_timestamp(1793495000)) GROUP BY trace_id, spanset;\n";
	}
	my ($out, $err) = ('', '');
	$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => [ '-v', 'ON_ERROR_STOP=0' ]);
	my $id;
	for my $line (split /\n/, $out)
	{
		if ($line =~ /^== (\w+)/) { $id = $1; next; }
		push @{ $sets{$id}{$1} }, $2 if $line =~ /^(\w+)=(.*)/;
	}
	$answer{ $_->{id} } = join ' ', map { my $t = $_; "$t=" . join('|', sort @{ $sets{$id}{$t} }) }
	  sort keys %{ $sets{ $id = $_->{id} } }
	  for @queries;
	return (\%answer, $err);
}

sub compare
{
	my ($node, $name) = @_;
	my ($answer, $err) = ask($node);
	my ($plain, $quirk, $same, @bad) = (0, 0, 0);

	is(() = $err =~ /^.*ERROR:/mg, scalar(grep { $_->{answer} eq 'error' } @queries), "$name: refused queries");
	like($err, qr/42601/, "$name: refused as syntax errors");
	for my $q (@queries)
	{
		my $agrees = $q->{answer} eq 'error' || $answer->{ $q->{id} } eq $q->{answer};

		if ($q->{kind} eq 'plain') { $plain++; push @bad, "$q->{id}  $q->{query}" unless $agrees; }
		else
		{
			$quirk++;
			$same += $agrees;
			push @bad, "$q->{id}  $q->{query}  (not in deviations.txt)" if !$agrees && !$deviates{ $q->{id} };
			push @bad, "$q->{id}  $q->{query}  (agrees, but is in deviations.txt)" if $agrees && $deviates{ $q->{id} };
		}
	}
	is(join("\n", @bad), '', "$name: $plain plain queries agree, of $quirk others $same");
}

# What the HTTP API answers to the queries of one kind, and how that agrees with Tempo.
sub over_http
{
	my ($node, $kind) = @_;

	return split /\n/, qx(python3 test/conformance/api.py '$dir' http://127.0.0.1:$node->{tempo_port}{http} $kind);
}

# Searches over HTTP: times, names and attributes too.
sub compare_search_api
{
	my ($node, $name) = @_;
	my @plain = grep { /^\w+\tplain\t/ } over_http($node, 'search');

	cmp_ok(scalar @plain, '>', 300, "$name: searches asked over HTTP");
	is(join("\n", grep { !/\tok$/ } @plain), '', "$name: " . @plain . ' plain searches agree in full');
	return;
}

# Metrics, over HTTP.
sub compare_metrics
{
	my ($node, $name) = @_;
	my ($plain, $quirk, $same, @bad) = (0, 0, 0);

	for my $line (over_http($node, 'metrics'))
	{
		my ($id, $kind, $query, $verdict) = split /\t/, $line, -1;
		my $agrees = $verdict eq 'ok';

		if ($kind eq 'plain') { $plain++; push @bad, "$id  $query  $verdict" unless $agrees; }
		else
		{
			$quirk++;
			$same += $agrees;
			push @bad, "$id  $query  $verdict  (not in deviations.txt)" if !$agrees && !$deviates{$id};
			push @bad, "$id  $query  (agrees, but is in deviations.txt)" if $agrees && $deviates{$id};
		}
	}
	cmp_ok($plain, '>', 100, "$name: metrics asked");
	is(join("\n", @bad), '', "$name: $plain plain metrics agree, of $quirk others $same");
}

# Every query of the set, with its kind, as given_queries takes them.
my $given = "$PostgreSQL::Test::Utils::tmp_check/given_queries";
my @given = @{ decode_json(slurp_file("$dir/queries.json")) };
append_to_file($given, encode_utf8(join '', map { "$_->{id}\t$_->{kind}\t" . ($_->{q} =~ s/\n/ /gr) . "\n" } @given));

sub compare_reference
{
	my ($node, $name) = @_;
	my $connection = $node->connstr('postgres');
	my $out = qx(build/reference/given_queries '$connection' '$dir/traces.ndjson' 1793491000 1793495000 60 < '$given');
	my @same = $out =~ /\tsame$/mg;

	is($? || scalar(@same), scalar(@given), "$name: all queries as the reference answers them");
	diag($1) while $out =~ /^(\w+\tdiffers\n.*\n.*)$/mg;
}

# With max_traces: the newest, as many as there are, and each as it is without.
sub newest
{
	my ($node, $name) = @_;
	my $script = '';

	for my $i (grep { $_ % 4 == 0 && $queries[$_]{answer} ne 'error' } 0 .. $#queries)
	{
		my $text = $queries[$i]{query} =~ s/'/''/gr;
		my $n = (1, 7, 40, 300)[ $i / 4 % 4 ];
		$script .= <<"SQL";
WITH f AS MATERIALIZED (SELECT t.*, t::text AS row FROM traceql('$text') t),
     l AS MATERIALIZED (SELECT t.*, t::text AS row FROM traceql('$text', max_traces => $n) t),
     starts AS (SELECT DISTINCT trace_id, trace_start FROM f ORDER BY trace_start DESC LIMIT $n)
SELECT '$queries[$i]{id} $n' WHERE (SELECT count(DISTINCT trace_id) FROM l) <> (SELECT count(*) FROM starts)
   OR (SELECT min(trace_start) FROM l) <> (SELECT min(trace_start) FROM starts)
   OR EXISTS (SELECT row FROM l EXCEPT ALL SELECT row FROM f)
   OR EXISTS (SELECT row FROM f WHERE trace_id IN (SELECT trace_id FROM l) EXCEPT ALL SELECT row FROM l);
SQL
	}
	is($node->safe_psql('postgres', $script), '', "$name: the newest of them");
}

my $node = tempo_node('conformance', conf => "tempo.max_future = -1\n");

$node->safe_psql('postgres', join '', map { ingest($node, $_) } @requests);
compare($node, 'recent batches');
compare_metrics($node, 'recent batches');
compare_reference($node, 'recent batches');
sql($node, 'SELECT tempo_merge()');
compare($node, 'one segment');
compare_metrics($node, 'one segment');
compare_reference($node, 'one segment');

sql($node, 'TRUNCATE tempo.spans');
srand 7;
my ($n, $script) = (0, '');
for my $request (shuffle(scattered()))
{
	$script .= ingest($node, $request);
	$script .= "SELECT tempo_merge();\n" if ++$n % 300 == 200;
}
$node->safe_psql('postgres', $script);
compare($node, 'span by span');
compare_metrics($node, 'span by span');
compare_reference($node, 'span by span');
newest($node, 'span by span');
sql($node, 'SELECT tempo_merge()');
compare($node, 'span by span, all merged');
compare_metrics($node, 'span by span, all merged');
compare_search_api($node, 'span by span, all merged');
compare_reference($node, 'span by span, all merged');

finish($node);
done_testing();
