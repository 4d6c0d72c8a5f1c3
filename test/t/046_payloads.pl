# Documents from other projects' tests and bodies of real exporters over OTLP/HTTP: each is taken whole or refused
# with an error that says what is wrong, a JSON document and its protobuf twin become the same rows, and the
# receiver goes on. Each document is sent as a tenant of its own.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;

my $shared = shared_dir();
plan skip_all => 'no real data: set TEMPO_SHARED' unless $shared;

my $node = tempo_node('payloads', conf => "tempo.max_future = -1\n");
my $columns = join ', ', split /\n/, sql($node, <<'SQL');
SELECT quote_ident(attname) FROM pg_attribute
 WHERE attrelid = 'tempo.spans'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'tenant'
SQL
my $number = 0;

sub stored
{
	my ($tenant) = @_;

	return sql($node, "SELECT count(*) FROM tempo.spans WHERE tenant = '$tenant'");
}

# Sends a body as a new tenant; returns the answer and the tenant.
sub send_body
{
	my ($bytes, $type) = @_;
	my $tenant = 'doc-' . ++$number;

	return (otlp_post($node, $bytes, type => $type, headers => { 'X-Scope-OrgID' => $tenant }), $tenant);
}

# What may be wrong with a document: several on one body, wrapped in something else, or ids of a wrong length.
my $malformed = qr/more text after the JSON value|no \\?"resourceSpans\\?" in the document|_?(?:trace|span)_?id: got \d+ bytes, expected/i;
my %count = (taken => 0, refused => 0);

# A document that has so many spans by its manifest, which gives no number for malformed ones. Returns the tenant
# when it was taken.
sub document
{
	my ($name, $bytes, $type, $spans) = @_;
	my ($r, $tenant) = send_body($bytes, $type);

	if ($r->{status} == 200)
	{
		$count{taken}++;
		is(stored($tenant), $spans // 'refused', "$name: taken whole") or diag($r->{content});
		return $tenant;
	}
	$count{refused}++;
	is("$r->{status} " . stored($tenant), '400 0', "$name: refused, nothing of it is stored");
	like($r->{content}, $malformed, "$name: the answer says what is wrong");
	return;
}

for my $entry (@{ decode_json(slurp_file("$shared/data/payloads/MANIFEST.json")) })
{
	my $file = $entry->{file};
	my ($json, $pb);

	next unless $file =~ m{^otlp-json/};
	$json = document($file, slurp_file("$shared/data/payloads/$file"), 'application/json', $entry->{spans})
	  unless $file =~ /\.yaml$/;
	$pb = document($entry->{pb}, slurp_file("$shared/data/payloads/$entry->{pb}"), 'application/x-protobuf', $entry->{spans})
	  if $entry->{pb};
	next unless $json && $pb;
	is(sql($node, <<"SQL"), '', "$file: the same rows as its twin");
WITH j AS (SELECT ROW($columns)::text AS r FROM tempo.spans WHERE tenant = '$json'),
     p AS (SELECT ROW($columns)::text AS r FROM tempo.spans WHERE tenant = '$pb')
(SELECT 'only in JSON: ' || r FROM (TABLE j EXCEPT ALL TABLE p) a)
UNION ALL
(SELECT 'only in protobuf: ' || r FROM (TABLE p EXCEPT ALL TABLE j) b)
SQL
}

cmp_ok($count{taken}, '>=', 94, "$count{taken} documents taken, $count{refused} refused");

for my $file (sort glob "$shared/data/exporters/00[0-8]-*.bin")
{
	my $bytes = slurp_file($file);
	my $type = $bytes =~ /^\{/ ? 'application/json' : 'application/x-protobuf';
	my ($r, $tenant) = send_body($bytes, $type);
	my ($name) = $file =~ m{([^/]+)$};

	is($r->{status}, 200, "exporters/$name: taken");
	cmp_ok(stored($tenant), '>', 0, "exporters/$name: stored");
}

for my $bad (['', 'application/json'], ['{"resourceSpans":', 'application/json'], ["\x0a\x05abc", 'application/x-protobuf'])
{
	my ($r) = send_body(@$bad);

	is($r->{status}, 400, "$bad->[1], cut off: refused");
}
my ($again) = send_body('{"resourceSpans":[]}', 'application/json');
is($again->{status}, 200, 'the receiver goes on');

finish($node);
done_testing();
