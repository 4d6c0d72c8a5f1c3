# Spans at the ends of every range and made at random, and requests that have very many of one thing: read back field by
# field as they come in, merged, merged again with more, and from a dump.
use strict;
use warnings;
use Lossless;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $node = tempo_node('extremes', conf => <<'CONF');
tempo.merge_delay = '1d'
tempo.max_future = -1
tempo.max_partitions = 1000
max_locks_per_transaction = 256
CONF
my $dir = PostgreSQL::Test::Utils::tempdir();
my $seed = $ENV{TEMPO_SEED} // 1;

otlp_helper('extremes.py', $dir, $node->{tempo_port}{otlp}, $seed);
spans_equal($node, "$dir/expected", 'as they came');
cmp_ok(sql($node, 'SELECT tempo_merge()'), '>', 0, 'tempo_merge()');
spans_equal($node, "$dir/expected", 'merged');
check_clean($node);
traces_equal($node, "$dir/expected", 'merged', 'random-0', 'large-10', 'large-12');

# Others like them, merged with what is there.
$seed++;
my $more = PostgreSQL::Test::Utils::tempdir();
otlp_helper('extremes.py', $more, $node->{tempo_port}{otlp}, $seed, 'random');
append_to_file("$dir/expected", slurp_file("$more/expected"));
spans_equal($node, "$dir/expected", 'partly merged');
sql($node, 'SELECT tempo_merge()');
spans_equal($node, "$dir/expected", 'merged again');
spans_equal($node, "$dir/expected", 'merged again, without the custom scan', set => ['tempo.enable_customscan = off']);

sql($node, 'CREATE DATABASE restored');
system('sh', '-c', 'pg_dump -d "$1" | psql -Xq -v ON_ERROR_STOP=1 -d "$2" >/dev/null', 'sh', $node->connstr('postgres'),
	$node->connstr('restored')) == 0 or die 'pg_dump | psql fails';
spans_equal($node, "$dir/expected", 'from a restored dump', dbname => 'restored');
finish($node);
done_testing();
