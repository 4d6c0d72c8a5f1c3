# Cancel and time limits: queries of every kind end soon after they are told to, say so, and leave the session, the
# workers and the parallel processes as they were. Memory limits name themselves.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(time);

my $spans = 150_000;
my $workload = PostgreSQL::Test::Utils::tempdir() . '/workload.otlp';
system("build/bench/bin/workload --spans $spans --otlp '$workload' >/dev/null") == 0 or die 'no workload';

my $node = tempo_node('cancel', conf => "tempo.segment_rows = 60000\ntempo.max_future = -1\nmax_parallel_workers_per_gather = 2\n");
otlp_post($node, $_)->{status} == 200 or die 'refused' for be32_prefixed(slurp_file($workload));
sql($node, 'SELECT tempo_merge()');
my $stored = sql($node, 'SELECT count(*) FROM tempo.spans');
cmp_ok($stored, '>=', $spans, 'spans to ask about');

# What 4-byte lengths stand before.
sub be32_prefixed
{
	my ($bytes) = @_;
	my ($at, @messages) = (0);

	while ($at < length $bytes)
	{
		my $len = unpack 'N', substr($bytes, $at, 4);
		push @messages, substr($bytes, $at + 4, $len);
		$at += 4 + $len;
	}
	return @messages;
}

my @queries = (
	[ 'all spans' => q(SELECT count(name) FROM traceql('{}')) ],
	[ 'structure' => q(SELECT count(*) FROM traceql('{ } >> { status = error }')) ],
	[ 'newest' => q(SELECT count(*) FROM traceql('{ name != "" } | by(name) | count() > 2', max_traces => 3000)) ],
	[ 'regular expression' => q(SELECT count(*) FROM traceql('{ span.db.query.text =~ ".*(a|b)+c.*9" }')) ],
	[ 'compare' => q(SELECT count(*) FROM traceql_metrics('{} | compare({ status = error })')) ],
	[ 'many series' => q(SELECT count(*) FROM traceql_metrics('{} | rate() by (span.session.id)')) ],
	[ 'quantiles' => q(SELECT count(*) FROM traceql_metrics('{ } >> { } | quantile_over_time(duration, .5) by (name)')) ],
	[ 'call tree' => q(SELECT count(*) FROM tempo_structure('{}')) ],
	[ 'tag values' => q(SELECT count(*) FROM traceql_tag_values('span.session.id', '{ kind = server }')) ],
	[ 'aggregate' => q(SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns) FROM tempo.spans GROUP BY 1) ],
	[ 'rows' => q(SELECT count(attributes::text) FROM tempo.spans) ],
	[ 'check' => q(SELECT * FROM tempo_check()) ],
	[ 'delete' => q(BEGIN; DELETE FROM tempo.spans; ROLLBACK) ],
	[ 'analyze' => q(ANALYZE tempo.spans) ]);

sub session
{
	my ($script) = @_;
	my ($out, $err) = ('', '');

	$node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0);
	return ($out, $err);
}

# Milliseconds that psql's \timing printed, in order.
sub timings
{
	return $_[0] =~ /^Time: ([0-9.]+) ms/mg;
}

my @late;
for my $q (@queries)
{
	my ($name, $sql) = @$q;
	my ($out) = session("\\timing on\n$sql;\n");
	my ($whole) = (sort { $b <=> $a } timings($out));
	my @limits = grep { $_ >= 1 } map { int($whole * $_ / 6) } 1 .. 5;
	my ($cancelled, $alive, $worst) = (0, 0, 0);

	for my $limit (@limits)
	{
		my ($out, $err) = session("\\timing on\nSET statement_timeout = $limit;\n$sql;\nROLLBACK;\nRESET statement_timeout;\nSELECT 'alive';\n");
		my (undef, @times) = timings($out);

		$alive += $out =~ /alive/;
		next unless $err =~ /statement timeout/;
		$cancelled++;
		my ($longest) = sort { $b <=> $a } @times;
		push @late, $longest - $limit;
		$worst = $late[-1] if $late[-1] > $worst;
	}
	is($alive, scalar @limits, sprintf '%s: %.0f ms, ended %d times, at most %.0f ms late; the session goes on', $name, $whole,
		$cancelled, $worst);
}
@late = sort { $a <=> $b } @late;
cmp_ok(scalar @late, '>', 15, 'queries were ended');
diag(sprintf '%d queries ended: median %.0f ms late, at most %.0f', scalar @late, $late[ @late / 2 ], $late[-1]);
cmp_ok($late[ @late / 2 ], '<', 100, 'at once');

# limits say which they are
my (undef, $err) = session("SET tempo.query_memory = '64kB';\nSELECT count(*) FROM traceql_metrics('{} | rate() by (span.session.id)');\n");
like($err, qr/tempo\.query_memory/, 'the limit on memory says so');
(undef, $err) = session("SET tempo.max_trace_spans = 2;\nSELECT count(*) FROM traceql('{ } >> { }');\n");
like($err, qr/tempo\.max_trace_spans/, 'the limit on traces says so');

# nothing is left behind
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), 0, 'no worker is left');
is(sql($node, "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname LIKE 'spans%'"), 0, 'no lock is left');
is(sql($node, 'SELECT count(*) FROM tempo.spans'), $stored, 'and every span');
finish($node);
done_testing();
