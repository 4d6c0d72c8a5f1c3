# Random queries about random traces in random layouts, in SQL and over HTTP: the server answers what the reference evaluator of
# test/reference answers. RANDOM_QUERIES and RANDOM_SEED for other runs than the short one.
use strict;
use warnings;
use lib 'test/perl';
use Test::More;
use TempoTest;

my $queries = $ENV{RANDOM_QUERIES} // 6000;
my $seed = $ENV{RANDOM_SEED} // 1;
my $node = tempo_node('random', conf => <<'CONF');
tempo.max_future = -1
tempo.merge_delay = 1d
fsync = off
max_parallel_workers = 8
max_parallel_workers_per_gather = 2
parallel_setup_cost = 0
CONF

my $out = qx(build/reference/random_queries '@{[ $node->connstr('postgres') ]}' seed=$seed queries=$queries api=$node->{tempo_port}{http} verbose=1);
my $status = $?;
note($out) unless $status;
diag($_) for $status ? split(/\n/, $out) : ($out =~ /^(seed .*)$/mg);
is($status, 0, "$queries random queries, as the reference answers them");
cmp_ok(($out =~ /: (\d+) queries/)[0] // 0, '>=', $queries, 'all of them asked');

finish($node);
done_testing();
