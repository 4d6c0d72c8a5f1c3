# Names and values of tags: the HTTP routes, both versions, in JSON and in protobuf; and that dictionaries
# say what a plain scan of the spans says, on real data, filtered and not, before and after merging.
use strict;
use warnings;
use JSON::PP;
use OtlpWire;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $node = tempo_node('tags', conf => "tempo.merge_interval = '1h'\n");
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

# An answer's JSON, over the range of the spans below.
sub answer
{
	my ($path, %p) = @_;
	my $r = ask($path, start => 1000, end => 1100, %p);

	is($r->{status}, 200, $path) or diag $r->{content};
	is($r->{headers}{'content-type'}, 'application/json', '... is JSON');
	return decode_json($r->{content});
}

sub names_v1 { my $d = answer('/api/search/tags', @_); return join ' ', @{ $d->{tagNames} }; }
sub names_v2 { my $d = answer('/api/v2/search/tags', @_); return { map { $_->{name} => join ' ', @{ $_->{tags} } } @{ $d->{scopes} } }; }
sub values_v1 { my ($tag, %p) = @_; my $d = answer("/api/search/tag/$tag/values", %p); return join ' ', @{ $d->{tagValues} }; }
sub values_v2 { my ($tag, %p) = @_; my $d = answer("/api/v2/search/tag/$tag/values", %p); return join ' ', map { "$_->{type}:$_->{value}" } @{ $d->{tagValues} }; }

sub refused
{
	my ($path, $status, $like, $name, %p) = @_;
	my $r = ask($path, start => 1000, end => 1100, %p);

	is($r->{status}, $status, $name) or diag $r->{content};
	like($r->{content}, $like, '... saying why');
}

# Times in s.
sub span
{
	my (%s) = @_;

	return { traceId => $s{trace}, spanId => $s{id}, parentSpanId => $s{parent} // '', name => $s{name}, kind => $s{kind} // 1,
		startTimeUnixNano => "$s{at}000000000", endTimeUnixNano => "$s{at}500000000", status => $s{status} // {},
		attributes => attrs($s{attrs}), events => $s{events} // [], links => $s{links} // [] };
}

sub attrs { my ($a) = @_; return [ map { { key => $_, value => $a->{$_} } } sort keys %{ $a // {} } ]; }

sub send_spans
{
	my ($resource, @spans) = @_;
	my $body = $json->encode({ resourceSpans => [ { resource => { attributes => attrs($resource) },
		scopeSpans => [ { scope => { name => 'lib', version => '1.2', attributes => attrs({ loaded => { boolValue => JSON::PP::true } }) }, spans => \@spans } ] } ] });

	is(otlp_post($node, $body, type => 'application/json')->{status}, 200, 'spans sent');
}

my $abc = '00000000000000000000000000000abc';
my $def = 'def00000000000000000000000000000';
send_spans({ 'service.name' => { stringValue => 'shop' }, cluster => { stringValue => 'eu' } },
	span(trace => $abc, id => '0000000000000001', name => 'GET /', kind => 2, at => 1000, status => { code => 2, message => 'boom' },
		attrs => { 'http.status_code' => { intValue => '500' }, 'http.url/path' => { stringValue => "a\"b" }, ratio => { doubleValue => 2 } }),
	span(trace => $abc, id => '0000000000000002', parent => '0000000000000001', name => 'call', kind => 3, at => 1001,
		attrs => { cached => { boolValue => JSON::PP::true }, cluster => { stringValue => 'us' } },
		events => [ { timeUnixNano => '1001000000000', name => 'exception', attributes => attrs({ type => { stringValue => 'Timeout' } }) } ]));
send_spans({ 'service.name' => { stringValue => 'db' } },
	span(trace => $def, id => '0000000000000003', name => 'SELECT', at => 1050,
		attrs => { 'http.status_code' => { stringValue => 'none' }, list => { arrayValue => { values => [ { intValue => '7' }, { intValue => '8' } ] } } },
		links => [ { traceId => $abc, spanId => '0000000000000001', attributes => attrs({ why => { stringValue => 'after' } }) } ]));
wait_until('/ready', sub { api_get($node, '/ready')->{status} == 200 });

sub all_routes
{
	my ($when) = @_;

	note $when;
	is(names_v1(), 'cached cluster http.status_code http.url/path list loaded ratio service.name type why', 'names of all scopes, each once, no intrinsics');
	is(names_v1(scope => 'resource'), 'cluster service.name', 'of one scope');
	like(names_v1(scope => 'intrinsic'), qr/^duration event:name .* traceDuration$/, 'intrinsics when asked for');
	is(names_v1(scope => 'span', limit => 2), 'cached cluster', 'limit');
	my $all = names_v2();
	like(delete $all->{intrinsic}, qr/^duration /, 'intrinsics are a scope');
	is_deeply($all, { span => 'cached cluster http.status_code http.url/path list ratio', resource => 'cluster service.name',
		event => 'type', link => 'why', instrumentation => 'loaded' }, 'names by scope');
	is_deeply(names_v2(scope => 'link'), { link => 'why' }, 'one scope');
	is_deeply(names_v2(scope => 'span', q => '{ status = error }'), { span => 'http.status_code http.url/path ratio' }, 'of spans that match');
	is_deeply(names_v2(scope => 'span', q => '{ status = error && .x = }'), { span => 'http.status_code http.url/path ratio' }, 'half typed');
	is_deeply(names_v2(scope => 'event', q => '{ name = "SELECT" }'), {}, 'none');
	is_deeply(names_v2(scope => 'span', q => '{ rootName = "SELECT" }'), { span => 'http.status_code list' }, 'of traces that match');
	is_deeply(names_v2(scope => 'resource', q => '{ .x = 1 } | count() > 1'), { resource => 'cluster service.name' }, 'a query that is no filter');
	is_deeply(names_v2(scope => 'link', start => 1000, end => 1010), {}, 'spans out of range');
	is_deeply(names_v2(scope => 'link', start => 1040, end => 1050), { link => 'why' }, 'bounds count');

	is(values_v1('service.name'), 'db shop', 'values');
	is(values_v1('http.status_code'), 'none 500', 'of all types');
	is(values_v1('cluster'), 'eu us', 'of spans and resources');
	is(values_v1('status.code'), 'error ok unset', 'status.code');
	is(values_v1('error'), 'true', 'error');
	is(values_v1('name'), 'GET / SELECT call', 'name');
	is(values_v1('root.service.name'), 'db shop', 'root.service.name');
	is(values_v1('nothing'), '', 'no values');

	is(values_v2('resource.service.name'), 'string:db string:shop', 'a resource attribute');
	is(values_v2('span.http.status_code'), 'string:none int:500', 'types');
	is(values_v2('.http.status_code', limit => 1), 'string:none', 'limit');
	is(values_v2('span.http.url/path'), 'string:a"b', 'a name with a slash');
	is(values_v2('span.http.url%2Fpath'), 'string:a"b', 'encoded');
	is(values_v2('span.%22http.url/path%22'), 'string:a"b', 'quoted');
	is(values_v2('span.ratio'), 'float:2.0', 'a float');
	is(values_v2('.cached'), 'bool:true', 'a bool');
	is(values_v2('span.list'), 'int:7 int:8', 'elements of an array');
	is(values_v2('event.type'), 'string:Timeout', 'an event attribute');
	is(values_v2('event:name'), 'string:exception', 'event:name');
	is(values_v2('link.why'), 'string:after', 'a link attribute');
	is(values_v2('link:traceID'), 'string:abc', 'link:traceID');
	is(values_v2('link:spanID'), 'string:0000000000000001', 'link:spanID');
	is(values_v2('instrumentation.loaded'), 'bool:true', 'a scope attribute');
	is(values_v2('instrumentation:name'), 'string:lib', 'instrumentation:name');
	is(values_v2('instrumentation:version'), 'string:1.2', 'instrumentation:version');
	is(values_v2('status'), 'keyword:error keyword:ok keyword:unset', 'status');
	is(values_v2('span:kind'), 'keyword:client keyword:consumer keyword:internal keyword:producer keyword:server keyword:unspecified', 'kind');
	is(values_v2('kind', q => '{ status = error }'), 'keyword:server', 'of spans that match');
	is(values_v2('statusMessage'), 'string:boom', 'statusMessage');
	is(values_v2('rootName'), 'string:GET / string:SELECT', 'rootName');
	is(values_v2('trace:rootService', q => '{ kind = client }'), 'string:shop', 'trace:rootService of spans that match');
	is(values_v2('trace:id'), "string:abc string:$def", 'trace:id');
	is(values_v2($_), '', "$_ has none") for qw(duration span:duration traceDuration event:timeSinceStart nestedSetLeft span:childCount);
	is(values_v2('.cluster', q => '{ kind = client }'), 'string:eu string:us', 'both scopes, filtered');
	is(values_v2('span.cluster', q => '{ kind = server }'), '', 'none of spans that match');
	is(values_v2('name', q => '{ traceDuration > 1s }'), 'string:GET / string:call', 'a filter on traces');
	is(values_v2('name', q => '{ event.type = "Timeout" || link.why = "after" }'), 'string:SELECT string:call', 'a filter on events and links');
	is(values_v2('name', q => '{ name = "pinned" && kind = server }'), 'string:pinned', 'the tag itself is pinned');
	is(values_v2('name', q => '{ name = '), 'string:GET / string:SELECT string:call', 'half typed');
	is(values_v2('name', start => 1001, end => 1049), 'string:call', 'spans out of range');
}

all_routes('recent batches');
sql($node, 'SELECT tempo_merge()');
all_routes('merged');

# ---- tenants, the range that nobody gave, metrics ----

my $start = int(time) - 60;
is(otlp_post($node, otlp_request(service => 'now'), headers => { 'X-Scope-OrgID' => 'other' })->{status}, 200, 'a span of another tenant');
is(values_v2('resource.service.name', start => 1, end => 4000000000), 'string:db string:shop', 'tenants are apart');
is(values_v2('resource.service.name', start => $start, end => 4000000000, -headers => { 'X-Scope-OrgID' => 'other' }), 'string:now', 'each has its own');
my $r = ask('/api/v2/search/tag/resource.service.name/values', -headers => { 'X-Scope-OrgID' => 'other' });
is_deeply(decode_json($r->{content})->{tagValues}, [ { type => 'string', value => 'now' } ], 'without start and end recent spans are there');
is_deeply(decode_json(ask('/api/search/tag/service.name/values')->{content})->{tagValues}, [], '... and old ones are not');
is_deeply(decode_json(ask('/api/v2/search/tags', scope => 'span')->{content})->{scopes}, [], 'an empty list is there');
my $metrics = answer('/api/search/tags')->{metrics};
is_deeply([ sort keys %$metrics ], [qw(completedJobs inspectedBytes totalBlocks totalJobs)], 'metrics');
like($metrics->{inspectedBytes}, qr/^[1-9]\d*$/, 'count bytes');

# ---- errors ----

refused('/api/v2/search/tag/foo/values', 400, qr/please provide a valid tagName/, 'not an identifier');
refused('/api/v2/search/tag/span./values', 400, qr/please provide a valid tagName/, 'a scope alone');
refused('/api/v2/search/tag/.a%29%20%7C%20rate%28/values', 400, qr/please provide a valid tagName/, 'part of a query');
refused('/api/v2/search/tag/span.foo', 404, qr/unknown route/, 'no /values');
refused('/api/v2/search/tags', 400, qr/invalid scope/, 'an unknown scope', scope => 'parent');
refused('/api/search/tags', 400, qr/invalid scope/, '... in version 1', scope => 'x');
refused('/api/v2/search/tags', 400, qr/invalid limit/, 'a limit that is no number', limit => 'x');
refused('/api/v2/search/tags', 400, qr/start must be before end/, 'end before start', start => 2000);
is(ask('/api/search/tags', start => 1000)->{status}, 400, 'start alone');
refused('/api/v2/search/tags', 400, qr/Reduce the number of OR conditions/i, 'too many alternatives', q => '{ ' . join(' || ', ('.a = 1') x 101) . ' }');
is_deeply(names_v2(scope => 'link', q => '{ ' . join(' || ', ('.a = 1') x 100) . ' }'), {}, 'not too many');
refused('/api/v2/search/tags', 400, qr/maximum size/, 'a filter that is too long', q => 'x' x 131073);

# ---- protobuf, and the compact form ----

sub pb
{
	my ($path, %p) = @_;
	my $r = ask($path, start => 1000, end => 1100, -headers => { Accept => 'application/protobuf' }, %p);

	is("$r->{status} $r->{headers}{'content-type'}", '200 application/protobuf', "$path in protobuf");
	return grep { $_->[0] == 1 } pb_fields($r->{content});
}

sub pb_pair { my ($bytes) = @_; return join ' ', map { $_->[1] } pb_fields($bytes); }
is(join(' ', map { $_->[1] } pb('/api/search/tags', scope => 'resource')), 'cluster service.name', 'tagNames');
is(join('; ', map { pb_pair($_->[1]) } pb('/api/v2/search/tags', scope => 'span', limit => 2)), 'span cached cluster', 'scopes');
is(join(' ', map { $_->[1] } pb('/api/search/tag/service.name/values')), 'db shop', 'tagValues of version 1');
is(join('; ', map { pb_pair($_->[1]) } pb('/api/v2/search/tag/span.http.status_code/values')), 'string none; int 500', 'tagValues of version 2');
$r = ask('/api/v2/search/tag/span.http.status_code/values', start => 1000, end => 1100, -headers => { Accept => 'application/vnd.grafana.llm' });
is($r->{headers}{'content-type'}, 'application/vnd.grafana.llm+json', 'the compact form');
is_deeply(decode_json($r->{content})->{tagValues}, { string => ['none'], int => ['500'] }, 'has values by type');

# ---- a great many values ----

sql($node, "INSERT INTO tempo.spans (tenant, trace_id, span_id, name, start_time, duration_ns, attributes)
	SELECT 'single-tenant', lpad(to_hex(n), 32, '0')::trace_id, lpad(to_hex(n), 16, '0')::span_id, 'many', '1970-01-01 00:17:50', 1,
	('{\"many\": \"' || repeat('v', 50) || lpad(n::text, 10, '0') || '\", \"number\": ' || n || '}')::tempo.attributes FROM generate_series(1, 30000) n");
my @many = map { $_->{value} } @{ answer('/api/v2/search/tag/span.many/values')->{tagValues} };
is(scalar @many, int(1_000_000 / 60), 'values are cut at a million bytes');
is($many[-1], 'v' x 50 . sprintf('%010d', scalar @many), 'and are the first');
is(values_v2('span.number', limit => 3), 'int:1 int:2 int:3', 'numbers are in order');
is(values_v2('span.many', limit => 1, q => '{ span.number > 20000 }'), 'string:' . 'v' x 50 . '0000020001', 'filtered');
is(scalar(() = values_v2('span:id', q => '{ name = "many" }') =~ /string:/g), 30000, 'ids');

# ---- the same as a plain scan ----

SKIP:
{
	skip 'no real data', 2 if !shared_dir();
	sql($node, 'TRUNCATE tempo.spans');
	send_file($node, 'mixed-real-small');
	sql($node, <<'SQL');
CREATE TABLE filters (filter text, qual text);
INSERT INTO filters VALUES ('', 'true'), ('{ status = error }', $$status = 'error'$$), ('{ kind = server || duration > 10ms }', $$kind = 'server' OR duration_ns > 10000000$$);
CREATE FUNCTION scan_names(qual text) RETURNS TABLE (scope text, tag text) LANGUAGE plpgsql AS $f$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH s AS (SELECT * FROM tempo.spans WHERE %s)
		SELECT 'span', k FROM s, jsonb_object_keys(attributes::jsonb) k UNION SELECT 'resource', k FROM s, jsonb_object_keys(resource_attributes::jsonb) k
		UNION SELECT 'instrumentation', k FROM s, jsonb_object_keys(scope_attributes::jsonb) k
		UNION SELECT 'event', k FROM s, jsonb_array_elements(events::jsonb) e, jsonb_object_keys(e -> 'attributes') k
		UNION SELECT 'link', k FROM s, jsonb_array_elements(links::jsonb) e, jsonb_object_keys(e -> 'attributes') k$q$, qual);
END $f$;
CREATE FUNCTION scan_values(qual text) RETURNS TABLE (scope text, tag text, value text) LANGUAGE plpgsql AS $f$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH kv AS (SELECT 'span' AS scope, k, v FROM tempo.spans, jsonb_each(attributes::jsonb) a(k, v) WHERE %1$s
			UNION SELECT 'resource', k, v FROM tempo.spans, jsonb_each(resource_attributes::jsonb) a(k, v) WHERE %1$s)
		SELECT DISTINCT kv.scope, k, regexp_replace(CASE WHEN jsonb_typeof(v) = 'array' THEN e #>> '{}' ELSE v #>> '{}' END, '^([0-9]+)\.0$', '\1')
		FROM kv LEFT JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(v) WHEN 'array' THEN v END) e ON true
		WHERE jsonb_typeof(v) NOT IN ('object', 'null') AND (jsonb_typeof(v) <> 'array' OR e IS NOT NULL)$q$, qual);
END $f$;
CREATE TABLE scanned_names AS SELECT filter, scope, tag FROM filters, scan_names(qual) s;
CREATE TABLE scanned_values AS SELECT filter, scope, tag, value FROM filters, scan_values(qual) s;
CREATE VIEW tag_names AS SELECT f.filter, t.scope, t.tag FROM filters f, traceql_tags(NULL, f.filter) t WHERE t.scope <> 'intrinsic';
CREATE VIEW tag_values AS SELECT filter, scope, tag, regexp_replace(value, '^([0-9]+)\.0$', '\1') AS value
	FROM filters, traceql_tags() t, traceql_tag_values(scope || '."' || tag || '"', filter) v WHERE scope IN ('span', 'resource');
SQL
	for my $when ('in recent batches', 'merged')
	{
		cmp_ok(sql($node, 'SELECT count(*) FROM tag_names'), '>', 200, "names $when");
		cmp_ok(sql($node, 'SELECT count(*) FROM tag_values'), '>', 1000, "values $when");
		is(sql($node, '(TABLE tag_names EXCEPT TABLE scanned_names) UNION ALL (TABLE scanned_names EXCEPT TABLE tag_names)'), '', 'are those of a scan');
		is(sql($node, '(TABLE tag_values EXCEPT TABLE scanned_values) UNION ALL (TABLE scanned_values EXCEPT TABLE tag_values) LIMIT 20'), '', '... all of them');
		sql($node, 'SELECT tempo_merge()');
	}
}

finish($node);
done_testing();
