# The OpenTelemetry JavaScript SDK as a client: each protocol, plain and gzip; what forceFlush says is sent is
# there when it returns.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use TempoTest;
use Test::More;

my $app = "$FindBin::Bin/../app";
plan skip_all => 'no node, or the packages of test/app are not installed'
  if system('node --version >/dev/null 2>&1') || !-d "$app/node_modules";

my $node = tempo_node('sdk');
my $count = 1200;
my %url = (
	'grpc' => "http://127.0.0.1:$node->{tempo_port}{grpc}",
	'http/json' => otlp_url($node),
	'http/protobuf' => otlp_url($node));

for my $protocol (sort keys %url)
{
	for my $compression ('none', 'gzip')
	{
		my $case = "$protocol, $compression";
		my $out = qx(node $app/sdk_client.js $protocol $compression $url{$protocol} $count);
		my $sent = decode_json($out || '{"error":"no output"}');

		is($sent->{error}, undef, "$case: exporter has nothing to complain");
		my $ids = join ',', map { "'$_->{spanId}'" } @{ $sent->{spans} };
		my $here = "FROM tempo.spans WHERE trace_id = '$sent->{traceId}'";
		is(sql($node, "SELECT count(*), count(DISTINCT span_id) $here AND span_id::text IN ($ids)"),
			"$count|$count", "$case: every span is there when forceFlush returns, once");
		is(sql($node, "SELECT DISTINCT service $here"), "sdk-$protocol-$compression", "$case: service");
		is(sql($node, "SELECT string_agg(kind || ' ' || n, ',' ORDER BY kind::text) FROM (SELECT kind, count(*) n $here GROUP BY 1) k"),
			'client 240,consumer 240,internal 239,producer 240,server 241', "$case: kinds");
		is(sql($node, "SELECT count(*) $here AND status = 'error' AND status_message = 'failed'"), 109, "$case: errors");
		is(sql($node, "SELECT attributes::jsonb - 'index' $here AND attributes ->> 'index' = '8'"),
			'{"even": true, "list": ["a", "b", "8"], "text": "grüße, 世界 \u0001 \"quoted\"", "ratio": 1, "numbers": [1, 2.5]}',
			"$case: attributes");
	}
}

finish($node);
done_testing();
