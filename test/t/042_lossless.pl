# What is sent comes back: every field of every span of the real data sets, of other projects' documents and of real
# exporters' bodies, sent over HTTP and gRPC, read through SQL before and after a merge, after a restart and
# from a restored dump, and as whole traces over HTTP. What was sent is told by test/lib/otlp.py, a reader of OTLP
# that shares nothing with ours.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $shared = shared_dir();
plan skip_all => 'no real data: set TEMPO_SHARED' unless $shared;

my $lib = "$FindBin::Bin/../lib";
my $app = "$FindBin::Bin/../app";
plan skip_all => 'no node, or the packages of test/app are not installed'
  if system('node --version >/dev/null 2>&1') || !-d "$app/node_modules";

# Merging waits for tempo_merge(), so that it is known what is read. Some documents are of the 24th century.
my $conf = "tempo.merge_delay = '1d'\ntempo.max_future = -1\n";
my $node = tempo_node('lossless', conf => $conf);
my $dir = PostgreSQL::Test::Utils::tempdir();
my $expected = "$dir/expected";

# A helper's lines that are test results or remarks, and whether it succeeded.
sub lossless
{
	my @args = @_;
	my $good;

	open my $out, '-|', 'python3', "$lib/lossless.py", @args or die "python3: $!";
	while (my $line = <$out>)
	{
		chomp $line;
		if ($line =~ /^(not )?ok - (.*)/) { $good = ok(!$1, $2) }
		elsif ($line =~ /^# (.*)/) { defined $good && !$good ? diag($1) : note($1) }
	}
	return close $out;
}

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

# Spans as test/lib/otlp.py prints them.
my $copy = <<'SQL';
COPY (SELECT tenant, trace_id, span_id, parent_span_id, name, kind, status, status_message,
             (extract(epoch FROM start_time) * 1000000000 + start_ns)::numeric(20, 0), duration_ns, service,
             attributes, resource_attributes, scope_attributes, scope_name, scope_version, trace_state, events, links, flags,
             dropped_attributes_count, dropped_events_count, dropped_links_count, resource_dropped_attributes_count,
             scope_dropped_attributes_count, resource_schema_url, scope_schema_url
        FROM tempo.spans) TO STDOUT
SQL

sub read_back
{
	my ($from, $when, %opt) = @_;
	my @set = map { ('-c', "SET $_") } @{ $opt{set} // [] };

	system('psql', '-XAtq', '-d', $from->connstr('postgres'), @set, '-c', $copy, '-o', "$dir/actual") == 0
	  or die 'psql fails';
	ok(lossless('compare', $expected, "$dir/actual"), "$when: every field of every span is what was sent")
	  or show("compare $expected $dir/actual");
	return;
}

sub whole_traces
{
	my ($from, $when, @tenants) = @_;
	my @args = ('traces', $expected, $from->{tempo_port}{http}, @tenants);

	ok(lossless(@args), "$when: every trace over HTTP, in protobuf and JSON, is what was sent") or show("@args");
	return;
}

# Once more, for what it says.
sub show
{
	my ($args) = @_;

	diag($_) for split /\n/, qx(python3 $lib/lossless.py $args);
	return;
}

ok(lossless('send', $shared, $dir, $node->{tempo_port}{otlp}), 'documents and requests over HTTP');
send_grpc('exporters', 'none');
send_grpc($_, 'gzip') for data_files();
is(sql($node, 'SELECT sum(waiting_batches) > 0 FROM tempo.status'), 't', 'nothing has been merged');

read_back($node, 'before merging');
whole_traces($node, 'before merging', 'mixed-real-small', 'documents');
cmp_ok(sql($node, 'SELECT tempo_merge()'), '>', 0, 'tempo_merge()');
read_back($node, 'after merging');
read_back($node, 'after merging, without the custom scan', set => ['tempo.enable_customscan = off']);
whole_traces($node, 'after merging', '*');
check_clean($node);

$node->restart;
wait_for_port($node->{tempo_port}{http});
read_back($node, 'after a restart');

my $copy_node = tempo_node('restored', conf => $conf, init => 0);
system('sh', '-c', 'pg_dump -d "$1" | psql -Xq -v ON_ERROR_STOP=1 -d "$2" >/dev/null', 'sh', $node->connstr('postgres'),
	$copy_node->connstr('postgres')) == 0 or die 'pg_dump | psql fails';
finish($node);
read_back($copy_node, 'from a restored dump');
cmp_ok(sql($copy_node, 'SELECT tempo_merge()'), '>', 0, 'tempo_merge() of the restored');
read_back($copy_node, 'from a restored dump, merged');
wait_for_port($copy_node->{tempo_port}{http});
whole_traces($copy_node, 'from a restored dump', 'mixed-real-small');
finish($copy_node);
done_testing();
