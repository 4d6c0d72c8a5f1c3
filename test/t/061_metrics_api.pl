# /api/metrics/query_range and /api/metrics/query: parameters, defaults, limits, errors, and the answers as JSON.
use strict;
use warnings;
use lib 'test/perl';
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('metrics', conf => "tempo.max_future = -1\n");
my $zero = 1_700_000_000;

# name, service, start in ms, duration in ms, attributes
sub span
{
	my ($id, $parent, $name, $start, $ms, $status, %attrs) = @_;
	my $ns = sub { sprintf '%d%09d', $zero + int($_[0] / 1000), $_[0] % 1000 * 1_000_000 };

	return {
		traceId => '000000000000000000000000000000ab', spanId => sprintf('%016x', $id), parentSpanId => $parent ? sprintf('%016x', $parent) : '',
		name => $name, startTimeUnixNano => $ns->($start), endTimeUnixNano => $ns->($start + $ms), status => { code => $status },
		attributes => [ map { { key => $_, value => $attrs{$_} } } sort keys %attrs ] };
}

my @spans = (span(1, 0, 'GET /', 1000, 250, 0, n => { intValue => 200 }, r => { doubleValue => 0.5 }), span(2, 1, 'SELECT', 12000, 500, 2, n => { intValue => 500 }),
	span(3, 1, 'SELECT', 14000, 1000, 0, n => { stringValue => '500' }, b => { boolValue => JSON::PP::true }));
my $request = { resourceSpans => [ { resource => { attributes => [ { key => 'service.name', value => { stringValue => 'shop' } } ] },
	  scopeSpans => [ { spans => \@spans } ] } ] };
is(otlp_post($node, encode_json($request), type => 'application/json')->{status}, 200, 'spans sent');

sub get
{
	my ($path, %param) = @_;
	my $query = join '&', map { my $v = $param{$_}; $v =~ s/([^A-Za-z0-9.:-])/sprintf '%%%02X', ord $1/ge; "$_=$v" } sort keys %param;
	return api_get($node, "/api/metrics/$path?$query");
}

my %range = (start => $zero, end => $zero + 30, step => '10s');

sub range
{
	my ($q, %more) = @_;
	my $r = get('query_range', q => $q, %range, %more);

	is($r->{status}, 200, $q) or diag $r->{content};
	return decode_json($r->{content});
}

sub label { return { key => $_[0], value => $_[1] } }
sub samples { return join ' ', map { $_->{timestampMs} / 1000 - $zero . ':' . ($_->{value} // '') } @{ $_[0]{samples} } }

# ---- shape ----

my $all = range('{} | count_over_time()');
is_deeply($all->{series}[0]{labels}, [ label('__name__', { stringValue => 'count_over_time' }) ], 'ungrouped: __name__');
is(samples($all->{series}[0]), '0: 10:1 20:2 30:', 'right edges, zero left out');
like($all->{series}[0]{samples}[0]{timestampMs}, qr/^\d{13}$/, 'times are strings of milliseconds');
is_deeply([ sort keys %$all ], [ 'metrics', 'series' ], 'members');
is($all->{metrics}{inspectedSpans}, '3', 'spans inspected');
ok(!(grep { exists $_->{promLabels} } @{ $all->{series} }), 'no promLabels');

my $by = range('{} | count_over_time() by (span.n)');
is_deeply([ map { $_->{labels}[0]{value} } @{ $by->{series} } ], [ { intValue => '200' }, { intValue => '500' }, { stringValue => '500' } ], 'labels are typed');
$by = range('{} | count_over_time() by (span.b, status)');
is_deeply([ map { $_->{labels} } @{ $by->{series} } ],
	[ [ label('status', { stringValue => 'error' }) ], [ label('status', { stringValue => 'unset' }) ], [ label('span.b', { boolValue => JSON::PP::true }), label('status', { stringValue => 'unset' }) ] ],
	'a missing value has no label; fewer labels first');
$by = range('{} | count_over_time() by (span.b)');
is_deeply($by->{series}[0]{labels}, [ label('span.b', { stringValue => 'nil' }) ], 'the only label is nil then');
is_deeply(range('{} | quantile_over_time(duration, .5) by (span.b)')->{series}[0]{labels}, [ label('p', { doubleValue => 0.5 }) ], 'p counts as one');
is_deeply(range('{} | histogram_over_time(duration)')->{series}[1]{labels}, [ label('__bucket', { doubleValue => 0.536870912 }) ], '__bucket in seconds');
is_deeply(range('{ name = "none" } | rate() by (name)')->{series}, [], 'no series');
is(samples(range('{} | max_over_time(duration)')->{series}[0]), '10:0.25 20:1', 'no samples where nothing is measured');

# ---- exemplars ----

my ($exemplar) = @{ $all->{series}[0]{exemplars} };
is(scalar @{ $all->{series}[0]{exemplars} }, 1, 'one exemplar a trace');
is_deeply($exemplar->{labels}[0], label('trace:id', { stringValue => 'ab' }), 'trace:id');
ok($exemplar->{timestampMs} > $zero * 1000 && defined $exemplar->{value}, 'time and value');
my $measured = range('{ span.n = 200 } | avg_over_time(duration) by (name)')->{series}[0]{exemplars}[0];
is($measured->{value}, 0.25, 'the value measured, in seconds');
is_deeply({ map { $_->{key} => $_->{value} } @{ $measured->{labels} } },
	{ 'trace:id' => { stringValue => 'ab' }, 'span.n' => { intValue => '200' }, name => { stringValue => 'GET /' }, duration => { stringValue => '250ms' } }, 'what the query speaks of');
ok(!exists range('{} | rate() with(exemplars=false)')->{series}[0]{exemplars}, 'the hint turns them off');

# ---- instant ----

my $r = get('query', q => '{} | count_over_time() by (name)', start => $zero, end => $zero + 30);
is_deeply(decode_json($r->{content})->{series},
	[ { labels => [ label('name', { stringValue => 'GET /' }) ], value => 1 }, { labels => [ label('name', { stringValue => 'SELECT' }) ], value => 2 } ], 'instant: one value each');
$r = get('query', q => '{} | rate()', start => $zero, end => $zero + 30);
is(decode_json($r->{content})->{series}[0]{value}, 0.1, 'rate over the whole range');
$r = get('query', q => '{} | count_over_time()', start => $zero + 1, end => $zero + 12);
is(decode_json($r->{content})->{series}[0]{value}, 1, 'the start does not belong, the end does');

# ---- parameters ----

sub edges { my ($d) = @_; return join ' ', map { $_->{timestampMs} } @{ $d->{series}[0]{samples} } }
my $want = edges($all);
is(edges(range('{} | rate()', start => $zero . '000000000', end => $zero + 30 . '000000000')), $want, 'nanoseconds');
is(edges(range('{} | rate()', start => "$zero.0004", end => $zero + 29 . '.5')), $want, 'fractions of seconds');
is(edges(range('{} | rate()', start => '2023-11-14T22:13:20Z', end => '2023-11-15T00:13:50.000+02:00')), $want, 'RFC 3339');
is(edges(range('{} | rate()', step => 10)), $want, 'seconds as step');
is(samples(range('{} | count_over_time()', step => '1m', start => $zero + 20)->{series}[0]), '-20: 40:3', 'rounded to the step');
is(scalar @{ range('{} | rate()', step => '')->{series}[0]{samples} }, 301, 'the default step of 30 s is 100 ms');
is(edges(range('{} | rate()', query => 'ignored')), $want, 'q wins over query');
$r = get('query_range', query => '{} | rate()', end => $zero + 30, since => '30s', step => '10s');
is(edges(decode_json($r->{content})), $want, 'query and since');
$r = get('query_range', q => '{} | rate()');
is($r->{status}, 200, 'the last hour');
my $samples = decode_json($r->{content})->{series}[0]{samples};
is($samples->[1]{timestampMs} - $samples->[0]{timestampMs}, 15000, 'of which the step is 15 s');
cmp_ok($samples->[-1]{timestampMs}, '>=', 1000 * (time - 1), 'up to now');
my $partial = range('{} | count_over_time() by (span.n)', maxSeries => 2);
is(scalar @{ $partial->{series} }, 2, 'maxSeries');
is($partial->{status}, 'PARTIAL', 'is told');
like($partial->{message}, qr/limit of 2/, 'with its number');
ok(!exists range('{} | count_over_time() by (span.n)', maxSeries => 4)->{status}, 'not when fewer');

# ---- errors ----

sub refused
{
	my ($path, $param, $like, $name) = @_;
	my $r = get($path, q => '{} | rate()', %range, %$param);

	is($r->{status}, 400, "$name: 400");
	like($r->{content}, $like, $name);
	like($r->{headers}{'content-type'}, qr{^text/plain}, "$name: plain text");
}

refused('query_range', { q => '{ status = error }' }, qr/not a metrics query/, 'a search');
refused('query', { q => '{ status = error }' }, qr/not a metrics query/, 'a search, instant');
refused('query_range', { q => '{} | rate(' }, qr/line 1, col 11/, 'a parse error');
refused('query_range', { q => '' }, qr/line 1, col 1/, 'no query');
refused('query_range', { q => 'x' x 131073 }, qr/exceeds the configured maximum size of 131072 bytes/, 'too long');
refused('query_range', { start => $zero + 30 }, qr/^end must be greater than start$/, 'an empty range');
refused('query_range', { start => $zero - 25 * 3600 }, qr/^metrics query time range exceeds the maximum allowed duration of 24h0m0s$/, 'a day and more');
refused('query', { start => $zero - 25 * 3600 }, qr/exceeds the maximum allowed duration/, 'a day and more, instant');
refused('query_range', { step => '1ms' }, qr/^step of 1ms is too small, minimum step for given range is 3ms$/, 'too many intervals');
refused('query_range', { step => '-5s' }, qr/^step must be positive$/, 'a negative step');
refused('query_range', { step => 0 }, qr/^step must be positive$/, 'no step');
refused('query_range', { step => 'x' }, qr/invalid step/, 'a step that is none');
refused('query_range', { start => 'yesterday' }, qr/invalid start/, 'a time that is none');
refused('query_range', { exemplars => 'x' }, qr/invalid exemplars/, 'exemplars');
refused('query_range', { maxSeries => '-1' }, qr/invalid maxSeries/, 'maxSeries');
is(get('query_range', q => '{} | rate() by (.a, .b, .c, .d, .e, .f)', %range)->{status}, 501, 'what is not supported is 501');

# ---- tenants ----

my $other = api_get($node, "/api/metrics/query_range?q=%7B%7D%7Ccount_over_time()&start=$zero&end=" . ($zero + 30) . '&step=10s', 'X-Scope-OrgID' => 'other');
is(samples(decode_json($other->{content})->{series}[0]), '0: 10: 20: 30:', 'another tenant has none');

finish($node);
done_testing();
