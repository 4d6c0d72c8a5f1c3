# Hostile clients on every port: random, truncated and bit-flipped requests, nesting, bombs, huge lengths, floods, slow
# senders. Nothing crashes, receivers stay the same processes with bounded memory, others are served, and what was
# stored of it all can be read.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

# Flipped bits in times make days: few are allowed here.
my $node = tempo_node('hostile', conf => <<'CONF');
tempo.receiver_memory = '32MB'
tempo.max_partitions = 30
tempo.merge_delay = '1s'
tempo.query_timeout = '5s'
CONF
my %port = %{ $node->{tempo_port} };
my $seed = $ENV{TEMPO_SEED} // 1;
my $workers = "SELECT worker, number, pid FROM tempo.status WHERE worker <> 'merger' ORDER BY 1, 2";
my $before = sql($node, $workers);
my @receivers = split /\n/, sql($node, "SELECT pid FROM tempo.status WHERE worker = 'receiver'");

my (%figure, @odd);
open my $out, '-|', 'python3', "$FindBin::Bin/../lib/hostile.py", @port{qw(otlp grpc http)}, $seed, @receivers or die "python3: $!";
while (<$out>)
{
	chomp;
	if (/^odd (.*)/) { push @odd, $1 }
	elsif (/^(\w+) (\d+)$/) { $figure{$1} = $2 }
}
ok(close $out, 'all attacks ran');
diag(join ', ', map { "$_ $figure{$_}" } sort keys %figure);

is_deeply(\@odd, [], 'no answer that nobody should give');
is($figure{good_failed}, 0, 'a well-behaved client beside them is served');
cmp_ok($figure{good_sent}, '>', 20, 'many times');
cmp_ok($figure{good_slowest_ms}, '<', 10_000, 'in time');
cmp_ok($figure{receiver_mb}, '<', 300, 'memory of a receiver is bounded');
is(sql($node, $workers), $before, 'every worker is still the same process');
is(sql($node, "SELECT count(*), count(DISTINCT span_id) FROM tempo.spans WHERE service = 'sender-99'"),
	join('|', (20 * ($figure{good_sent} - $figure{good_refused})) x 2), 'its spans are there');

# Most is spoiled in other places than what makes a span another one, so merges may have folded it.
cmp_ok(sql($node, "SELECT sum(spans) FROM tempo.status WHERE worker = 'receiver'") - sql($node, "SELECT count(*) FROM tempo.spans WHERE service = 'sender-99'"),
	'>', 500, 'much of the spoiled got in');
cmp_ok(sql($node, "SELECT count(*) FROM tempo.spans WHERE service <> 'sender-99'"), '>', 0, 'and is there');
cmp_ok(sql($node, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass"), '<=', 30, 'without more days than allowed');

# Whatever got in can be read in every way, before and after it is merged.
for my $when ('as it came', 'merged')
{
	sql($node, 'SELECT tempo_merge()') if $when eq 'merged';
	cmp_ok(sql($node, 'SELECT sum(length(s::text)) FROM tempo.spans s'), '>', 0, "$when: as text");
	cmp_ok(sql($node, "SELECT count(attributes::jsonb) + count(events::jsonb) + count(links::jsonb) + count(resource_attributes::jsonb) FROM tempo.spans"),
		'>', 0, "$when: as jsonb");
	cmp_ok(sql($node, "SELECT count(*) FROM traceql('{ } | select(span.text)')"), '>', 0, "$when: by TraceQL");
	cmp_ok(sql($node, 'SELECT sum(spans) FROM tempo.traces'), '>', 0, "$when: by trace");
	check_clean($node, "$when: tempo_check is clean");
}

my @errors = slurp_file($node->logfile) =~ /(?:ERROR|WARNING|LOG):  (?!statement|checkpoint|automatic)/g;
cmp_ok(scalar @errors, '<', 500, 'the log is not flooded');
finish($node);
done_testing();
