# Bytes on disk that are not what they should be: a reader raises an error or gives the right answer, never a
# wrong one, never a crash; tempo_check names the damage.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('damage', conf => <<'CONF');
fsync = off
autovacuum = off
tempo.merge_interval = 3600s
restart_after_crash = off
CONF
sql($node, "SELECT tempo.create_partitions('2026-05-01', '2026-05-01')");
for my $part (0 .. 2)
{
	sql($node, "INSERT INTO tempo.spans (trace_id, span_id, parent_span_id, name, service, start_time, duration_ns, attributes, resource_attributes, events) SELECT md5((i / 9)::text)::trace_id, to_hex(i)::span_id, to_hex(i - i % 9)::span_id, 'op ' || i % 13, 'svc ' || i % 7, '2026-05-01'::timestamptz + i * interval '1 s', i * 1000, format('{\"i\": %s, \"url\": \"http://host/path/%s\", \"d\": %s.25}', i, i * 7919, i)::tempo.attributes, format('{\"service.name\": \"svc %s\"}', i % 7)::tempo.attributes, CASE WHEN i % 5 = 0 THEN '[{\"time\": 5, \"name\": \"e\", \"attributes\": {\"x\": 1}}]' ELSE '[]' END::tempo.events FROM generate_series($part * 1000 + 1, $part * 1000 + 900) i");
	sql($node, 'SELECT tempo_merge(NULL)') if $part < 2;
}
sql($node, 'CHECKPOINT');
my $partition = 'tempo.spans_20260501';
my $answer = q{SELECT count(*) || md5(string_agg(s::text, ',' ORDER BY span_id)) FROM tempo.spans s};
my $right = sql($node, $answer);
my %file = (
	'main fork' => sql($node, "SELECT pg_relation_filepath('$partition')"),
	'companion heap' => sql($node, "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = '$partition'::regclass"),
);

sub change_byte
{
	my ($path, $offset, $xor) = @_;

	open my $f, '+<:raw', $path or die "$path: $!";
	seek $f, $offset, 0;
	read $f, my $byte, 1;
	seek $f, $offset, 0;
	print $f chr(ord($byte) ^ $xor);
	close $f or die $!;
	return;
}

srand(20260501);
my ($noticed, $harmless) = (0, 0);
for my $what (sort keys %file)
{
	my $path = $node->data_dir . "/$file{$what}";
	my $size = -s $path;

	# The metapage's and every page's header, then anywhere.
	my @offsets = ($what eq 'main fork' ? (24, 28, 30, 32, 40, 48, 72, 80) : (8192 + 12, 8192 + 14), 8192 + 14, map { int rand $size } 1 .. 8);
	for my $offset (@offsets)
	{
		my $xor = 1 + int rand 255;

		$node->stop('fast');
		change_byte($path, $offset, $xor);
		$node->start;
		my @results = map {
			my ($status, $out, $err);
			$status = $node->psql('postgres', "SET tempo.enable_customscan = $_; $answer", stdout => \$out, stderr => \$err);
			{ status => $status, out => $out, err => $err }
		} qw(on off);
		my ($check, $found) = ('', '');
		my $status = $node->psql('postgres', 'SELECT * FROM tempo_check(NULL)', stdout => \$found, stderr => \$check);
		my $wrong = grep { $_->{status} == 2 || $_->{status} == 0 && $_->{out} ne $right } @results;
		my $sound = $status == 0 && $found eq '';

		ok(!$wrong && $status != 2 && ($sound <= !grep { $_->{status} } @results),
			"$what, byte $offset ^ $xor: " . ($sound ? 'harmless' : 'noticed')) or diag explain(\@results, $found, $check);
		$sound ? $harmless++ : $noticed++;
		$node->stop('fast');
		change_byte($path, $offset, $xor);
		$node->start;
	}
}
cmp_ok($noticed, '>', 10, "$noticed changes noticed, $harmless harmless");

# A file cut short.
$node->stop('fast');
my $path = $node->data_dir . "/$file{'main fork'}";
my $bytes = slurp_file($path);
truncate $path, length($bytes) - 8192 or die $!;
$node->start;
isnt($node->psql('postgres', $answer), 0, 'a short main fork raises an error');
isnt(sql($node, 'SELECT count(*) FROM tempo_check(NULL)'), 0, 'and is noticed');
$node->stop('fast');
open my $f, '>:raw', $path or die $!;
print $f $bytes;
close $f or die $!;
$node->start;
is(sql($node, $answer), $right, 'all is well with the bytes back');
finish($node);
done_testing();
