# The benchmark in small: tempo and a heap with jsonb hold the same generated spans, and every class of queries has
# the same answer from TraceQL, from SQL, and from the heap; the table is printed.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $node = tempo_node('bench');
my $dir = PostgreSQL::Test::Utils::tempdir();
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

my $run = "python3 test/bench/side/run.py --bin build/bench/bin --work $dir --modules $dir --systems tempo,heap --rounds 1";
my $said = `$run --variant wide --spans 12000 --days 2 --seed 8 --out $dir/wide.json 2>&1`;
is($?, 0, 'all answers agree') or diag($said);
my $classes = () = $said =~ /^  .+: .*\bsql \d.*\bheap \d/gm;
cmp_ok($classes, '>=', 24, 'classes of queries asked of both');

my $table = `python3 test/bench/side/table.py $dir/wide.json 2>&1`;
is($?, 0, 'the table is printed');
like($table, qr/^rate by service( +[\d.,]+){3} +-$/m, 'a class in three ways, and nothing to compare with');
like($table, qr/^answers that differ: 0$/m, 'no difference');

# What the generator writes follows from the seed alone.
my @sums = map { (split ' ', `build/bench/bin/workload --spans 5000 --seed $_ --otlp $dir/otlp >/dev/null && cksum <$dir/otlp`)[0] } 5, 5, 6;
is($sums[0], $sums[1], 'the same seed makes the same bytes');
isnt($sums[0], $sums[2], 'another seed makes others');

# What a wrong answer looks like.
$said = `cd test/bench/side && python3 -c "
from run import differences
from classes import Class
cls = Class('count', compare=1)
print(differences(cls, {'sql': {'rows': [['2']], 'value': None}, 'heap': {'rows': [['1']], 'value': None}}))
print(differences(cls, {'sql': {'rows': None, 'value': 3}, 'traceql': {'rows': None, 'value': 4}}))"`;
like($said, qr/count: sql has 1 rows, heap 1/, 'other rows are a difference');
like($said, qr/count: \{'sql': 3, 'traceql': 4\}/, 'other counts are a difference');
$node->stop;
done_testing();
