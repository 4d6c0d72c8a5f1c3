# What is sent comes back: every field of every span of the real data sets, of other projects' documents and of real
# exporters' bodies, sent over HTTP and gRPC, read through SQL before and after a merge, after a restart and
# from a restored dump, and as whole traces over HTTP.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Lossless;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $shared = shared_dir();
plan skip_all => 'no real data: set TEMPO_SHARED' unless $shared;

my $app = "$FindBin::Bin/../app";
plan skip_all => 'no node, or the packages of test/app are not installed'
  if system('node --version >/dev/null 2>&1') || !-d "$app/node_modules";

# Merging waits for tempo_merge(), so that it is known what is read. Some documents are of the 24th century.
my $conf = "tempo.merge_delay = '1d'\ntempo.max_future = -1\n";
my $node = tempo_node('lossless', conf => $conf);
my $dir = PostgreSQL::Test::Utils::tempdir();
my $expected = "$dir/expected";

sub send_grpc
{
	my ($tenant, $compression) = @_;
	my $out = qx(node $app/grpc_send.js 127.0.0.1:$node->{tempo_port}{grpc} $compression 8 $tenant <$dir/$tenant.grpc);
	my $result = decode_json($out || '{}');

	is_deeply([ sort keys %{ $result->{codes} } ], ['0'], "$tenant: every request over gRPC ($compression) is answered OK")
	  or diag($out);
	is($result->{partial}, 0, "$tenant: and whole");
	return;
}

otlp_helper('lossless.py', 'send', $shared, $dir, $node->{tempo_port}{otlp});
send_grpc('exporters', 'none');
send_grpc($_, 'gzip') for data_files();
is(sql($node, 'SELECT sum(waiting_batches) > 0 FROM tempo.status'), 't', 'nothing has been merged');

spans_equal($node, $expected, 'before merging');
traces_equal($node, $expected, 'before merging', 'mixed-real-small', 'documents');
cmp_ok(sql($node, 'SELECT tempo_merge()'), '>', 0, 'tempo_merge()');
ok(otlp_helper('lossless.py', 'fold', $expected), 'spans that were sent twice are one span for a merge');
my $folded = "$expected.folded";
spans_equal($node, $folded, 'after merging');
spans_equal($node, $folded, 'after merging, without the custom scan', set => ['tempo.enable_customscan = off']);
traces_equal($node, $expected, 'after merging', '*');
check_clean($node);

$node->restart;
wait_for_port($node->{tempo_port}{http});
spans_equal($node, $folded, 'after a restart');

my $restored = tempo_node('restored', conf => $conf, init => 0);
system('sh', '-c', 'pg_dump -d "$1" | psql -Xq -v ON_ERROR_STOP=1 -d "$2" >/dev/null', 'sh', $node->connstr('postgres'),
	$restored->connstr('postgres')) == 0 or die 'pg_dump | psql fails';
finish($node);
spans_equal($restored, $folded, 'from a restored dump');
cmp_ok(sql($restored, 'SELECT tempo_merge()'), '>', 0, 'tempo_merge() of the restored');
spans_equal($restored, $folded, 'from a restored dump, merged');
wait_for_port($restored->{tempo_port}{http});
traces_equal($restored, $expected, 'from a restored dump', 'mixed-real-small');
finish($restored);
done_testing();
