# The query API over HTTP: parameters, defaults, limits and errors of /api/search and the trace routes, in
# JSON and in protobuf.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use OtlpWire;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $node = tempo_node('api');
my $json = JSON::PP->new->canonical;

sub uri_escape
{
	my ($s) = @_;

	$s =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
	return $s;
}

sub ask
{
	my ($path, %p) = @_;
	my %headers = %{ delete $p{-headers} // {} };
	my $query = join '&', map { "$_=" . uri_escape($p{$_}) } sort keys %p;

	return api_get($node, $query eq '' ? $path : "$path?$query", %headers);
}

sub search
{
	my (%p) = @_;
	my $r = ask('/api/search', start => 1000, end => 1100, %p);

	is($r->{status}, 200, 'search is answered') or diag $r->{content};
	return decode_json($r->{content});
}

sub refused
{
	my ($status, $like, $name, %p) = @_;
	my $r = ask('/api/search', start => 1000, end => 1100, %p);

	is($r->{status}, $status, $name) or diag $r->{content};
	like($r->{headers}{'content-type'}, qr{^text/plain}, '... in plain text');
	like($r->{content}, $like, '... saying why');
}

sub span
{
	my (%s) = @_;

	return { traceId => $s{trace}, spanId => $s{id}, parentSpanId => $s{parent} // '', name => $s{name}, kind => $s{kind} // 1,
		startTimeUnixNano => "$s{start}000000", endTimeUnixNano => "$s{end}000000", status => $s{status} // {},
		attributes => [ map { { key => $_, value => $s{attrs}{$_} } } sort keys %{ $s{attrs} // {} } ] };
}

sub send_spans
{
	my ($service, @spans) = @_;
	my $body = $json->encode({ resourceSpans => [ { scopeSpans => [ { scope => { name => 'lib' }, spans => \@spans } ],
		resource => { attributes => [ { key => 'service.name', value => { stringValue => $service } } ] } } ] });

	is(otlp_post($node, $body, type => 'application/json')->{status}, 200, "spans of $service sent");
}

# Times in ms: trace abc begins at second 1000, trace def at second 1050 and has no root.
my $abc = '00000000000000000000000000000abc';
my $def = 'def00000000000000000000000000000';
send_spans('shop', span(trace => $abc, id => '0000000000000001', name => 'GET /', kind => 2, start => 1000000, end => 1000500,
	attrs => { 'http.status_code' => { intValue => '500' } }, status => { code => 2, message => 'boom' }),
	span(trace => $abc, id => '0000000000000002', parent => '0000000000000001', name => 'call', kind => 3, start => 1000100, end => 1000200));
# the server half shares the client's id, as Zipkin's clients send it
send_spans('db', span(trace => $abc, id => '0000000000000002', parent => '0000000000000001', name => 'serve', kind => 2, start => 1000110, end => 1000190),
	span(trace => $abc, id => '0000000000000003', parent => '0000000000000002', name => 'SELECT', kind => 1, start => 1000120, end => 1000180));
send_spans('queue', span(trace => $def, id => '0000000000000004', parent => '00000000000000ff', name => 'work', start => 1050000, end => 1051000));
wait_until('/ready', sub { api_get($node, '/ready')->{status} == 200 });

# ---- search ----

my $d = search(q => '{ }');
is(join(' ', map { $_->{traceID} } @{ $d->{traces} }), "$def abc", 'newest first, ids without leading zeros');
my ($second, $first) = @{ $d->{traces} };
is($first->{rootServiceName}, 'shop', 'root service');
is($first->{rootTraceName}, 'GET /', 'root name');
is($first->{startTimeUnixNano}, '1000000000000', 'start');
is($first->{durationMs}, 500, 'duration');
is_deeply($first->{serviceStats}, { shop => { spanCount => 2, errorCount => 1 }, db => { spanCount => 2 } }, 'services');
is($first->{spanSets}[0]{matched}, 4, 'matched counts all');
is(scalar @{ $first->{spanSets}[0]{spans} }, 3, 'three spans by default');
is_deeply($first->{spanSet}, $first->{spanSets}[0], 'spanSet is the first of spanSets');
is($second->{rootServiceName}, '<root span not yet received>', 'a trace without root says so');
ok(!exists $second->{rootTraceName}, 'and has no root name');
is(join(' ', grep { !/^(completedJobs|inspected(Bytes|Spans|Traces)|total(Blocks|Jobs|BlockBytes))$/ } keys %{ $d->{metrics} }), '', 'metrics have only fields that strict clients know');
is($d->{metrics}{inspectedTraces}, 2, 'and count traces');
is(scalar @{ search(q => '{ }', spss => 100)->{traces}[1]{spanSets}[0]{spans} }, 4, 'spss');
is(scalar @{ search(q => '{ }', limit => 1)->{traces} }, 1, 'limit');
is(search(q => '{ }', limit => 1)->{traces}[0]{traceID}, $def, 'keeps the newest');
is_deeply(search(q => '{ false }')->{traces}, [], 'no traces is an empty list');
is_deeply(search(q => '{ .none = 1 }')->{traces}, [], 'nor does a missing attribute match');

my $span = search(q => '{ span.http.status_code = 500 && name = "GET /" } | select(status, resource.service.name)')->{traces}[0]{spanSets}[0]{spans}[0];
is_deeply($span, { spanID => '0000000000000001', name => 'GET /', startTimeUnixNano => '1000000000000', durationNanos => '500000000',
	attributes => $span->{attributes} }, 'a span');
is_deeply({ map { $_->{key} => $_->{value} } @{ $span->{attributes} } },
	{ 'http.status_code' => { intValue => '500' }, status => { stringValue => 'error' }, 'service.name' => { stringValue => 'shop' } }, 'its attributes');
my $set = search(q => '{ } | by(resource.service.name) | avg(duration) > 400ms')->{traces};
is_deeply([ map { [ map { $_->{value}{stringValue} } @{ $_->{spanSets}[0]{attributes} } ] } @$set ], [ [ 'queue', '1s' ] ],
	'spanset attributes') or diag $json->encode($set);
is(search(q => '{ } | rate()')->{traces}[0]{traceID}, $def, 'of a metrics query the spans are searched');

# time: a trace counts when it overlaps the range
is(scalar @{ search(q => '{ }', start => 1051, end => 1052)->{traces} }, 1, 'a trace that ends in the range');
is(scalar @{ search(q => '{ }', start => 1052, end => 1053)->{traces} }, 0, 'none after it');
is_deeply(decode_json(ask('/api/search', q => '{ }')->{content})->{traces}, [], 'without start and end only recent data');

refused(400, qr/start must be before end/, 'end before start', q => '{ }', start => 2000);
is(ask('/api/search', q => '{ }', start => 1000)->{status}, 400, 'start alone');
refused(400, qr/168h0m0s/, 'a range of more than a week', q => '{ }', start => 1000, end => 1000 + 169 * 3600);
refused(400, qr/invalid limit: must be a positive number/, 'limit 0', q => '{ }', limit => 0);
refused(400, qr/limit 262145 exceeds max limit 262144/, 'a limit over the maximum', q => '{ }', limit => 262145);
refused(400, qr/exceeds 100\. received 101/, 'spss over the maximum', q => '{ }', spss => 101);
refused(400, qr/invalid limit/, 'a limit that is no number', q => '{ }', limit => 'x');
refused(400, qr/invalid TraceQL query: .*line 1, col 3/, 'a query that does not parse', q => '{ . }');
refused(400, qr/maximum size of 131072 bytes/, 'a query that is too long', q => '{ .a = "' . 'x' x 131072 . '" }');
refused(400, qr/can't specify tags and q/, 'q and tags', q => '{ }', tags => 'a=b');
refused(501, qr/parent/, 'what cannot be executed says so', q => '{ parent.a = 1 }');
is(ask('/api/search', q => '{ }', start => 1000, end => 1100, limit => '')->{status}, 200, 'an empty parameter counts as absent');
is(api_get($node, '/api/search?q=%zz')->{status}, 400, 'a broken escape');

# the older form
is(search(tags => 'service.name=sho http.status_code=500')->{traces}[0]{traceID}, 'abc', 'tags: substring and number');
ok(!exists search(tags => 'service.name=shop')->{traces}[0]{spanSets}, '... without spansets');
is_deeply(search(tags => 'http.status_code=50')->{traces}, [], 'other keys by equality');
is(search(minDuration => '900ms')->{traces}[0]{traceID}, $def, 'minDuration');
is(search(tags => 'error=true', maxDuration => '1m')->{traces}[0]{traceID}, 'abc', 'error and maxDuration');
refused(400, qr/set twice/, 'a tag given twice', tags => 'a=1 a=2');
refused(400, qr/maxDuration/, 'durations crossed', tags => 'a=1', minDuration => '2s', maxDuration => '1s');
refused(400, qr/minDuration/, 'not a duration', tags => 'a=1', minDuration => 'soon');

my $pb = ask('/api/search', q => '{ name = "work" }', start => 1000, end => 1100, -headers => { Accept => 'application/protobuf' });
is($pb->{headers}{'content-type'}, 'application/protobuf', 'protobuf on demand');
like($pb->{content}, qr/^\x0a.{1,2}\x0a\x20$def\x12\x1c<root span not yet received>/s, 'a SearchResponse');

# ---- traces ----

my $r = ask('/api/v2/traces/abc');
is($r->{status}, 200, 'trace by a short id');
my $trace = decode_json($r->{content})->{trace};
my %spans;
for my $rs (@{ $trace->{resourceSpans} })
{
	for my $s (map { @{ $_->{spans} } } @{ $rs->{scopeSpans} })
	{
		$spans{ $s->{name} } = { %$s, service => $rs->{resource}{attributes}[0]{value}{stringValue} };
	}
}
my %id = map { $_ => unpack 'H*', decode_base64($spans{$_}{spanId}) } keys %spans;
is(join(' ', sort keys %spans), 'GET / SELECT call serve', 'all spans');
is(scalar @{ $trace->{resourceSpans} }, 2, 'by resource');
is($spans{'GET /'}{status}{code}, 'STATUS_CODE_ERROR', 'enums by name');
is_deeply($spans{call}{status}, {}, 'zeros left out');
is($id{call}, '0000000000000002', 'the client half keeps a shared id');
isnt($id{serve}, '0000000000000002', 'the server half has its own');
is($spans{serve}{parentSpanId}, $spans{call}{spanId}, '... below the client half');
is($spans{SELECT}{parentSpanId}, $spans{serve}{spanId}, '... and above its children');
is(ask('/api/v2/traces/abc')->{content}, $r->{content}, 'the same answer again');
is_deeply(decode_json(ask("/api/traces/$abc")->{content})->{batches}, $trace->{resourceSpans}, 'v1 has the same under batches');

sql($node, 'SELECT tempo_merge(NULL)');
is_deeply(decode_json(ask('/api/v2/traces/abc')->{content})->{trace}, $trace, 'the same after merging');

$r = ask('/api/v2/traces/abc', -headers => { Accept => 'application/protobuf' });
my $v1 = ask('/api/traces/abc', -headers => { Accept => 'application/protobuf' });
is($r->{headers}{'content-type'}, 'application/protobuf', 'protobuf on demand');
is(length($r->{content}) > length($v1->{content}) && index($r->{content}, $v1->{content}) > 0, 1, 'v2 wraps the trace of v1');
is(ask('/api/v2/traces/1')->{content}, '{"trace":{},"metrics":{}}', 'v2: not found is 200');
is(ask('/api/v2/traces/1', -headers => { Accept => 'application/protobuf' })->{content}, "\x0a\x00\x12\x00", '... with an empty trace in protobuf');
$r = ask('/api/traces/1');
is("$r->{status}:$r->{content}", '404:', 'v1: not found is 404, empty');
for my $bad ('xyz', '0' x 33, '12%20')
{
	is(ask("/api/v2/traces/$bad")->{status}, 400, "trace id $bad is refused");
}
is(ask('/api/v2/traces/abc', start => 5, end => 4)->{status}, 400, 'times crossed');
is(decode_json(ask('/api/v2/traces/abc', start => 2000, end => 3000)->{content})->{trace}{resourceSpans}, undef, 'times pass over data elsewhere');

# ---- tenants ----

is(ask('/api/v2/traces/abc', -headers => { 'X-Scope-OrgID' => 'other' })->{content}, '{"trace":{},"metrics":{}}', "another tenant's trace is not found");
is(scalar @{ decode_json(ask('/api/search', q => '{}', start => 1000, end => 1100, -headers => { 'X-Scope-OrgID' => 'other' })->{content})->{traces} }, 0, 'nor searched');
is(ask('/api/v2/traces/abc', -headers => { 'X-Scope-OrgID' => 'a b' })->{status}, 400, 'a tenant that cannot be');
is(ask('/api/v2/traces/abc', -headers => { 'X-Scope-OrgID' => 'a|b' })->{status}, 501, 'several tenants');

finish($node);
done_testing();
