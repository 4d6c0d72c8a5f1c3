# Tables as version 1 wrote them (test/data/format1: their files, with tuples frozen and LSNs zeroed) are read, merged, and deleted
# from, which makes them version 2. Versions nobody knows are refused.
use strict;
use warnings;
use IO::Uncompress::Gunzip qw(gunzip);
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('format', conf => "fsync = on\ntempo.merge_interval = 3600s\nautovacuum = off\n");
my ($old, $spans) = ('old', 'tempo.spans_20210101');
my @questions = (
	'SELECT count(*), md5(string_agg(o::text, \',\' ORDER BY id)) FROM old o',
	"SET datestyle = iso; SET timezone = 'UTC'; SELECT count(*) , md5(string_agg(s::text, ',' ORDER BY span_id)) FROM tempo.spans s");
my @answers = ('42|05d7112bbcacafe82b0a8322d0580de4', '61|da947a97cbef190dee73c46152f2092e');

sql($node, 'CREATE TABLE old (id int, t text, n numeric) USING tempo');
sql($node, "SELECT tempo.create_partitions('2021-01-01', '2021-01-01')");

sub files
{
	my ($table) = @_;

	return split /\|/, sql($node, <<"SQL");
SELECT pg_relation_filepath(c.oid), pg_relation_filepath(c.reltoastrelid), pg_relation_filepath(i.indexrelid)
  FROM pg_class c JOIN pg_index i ON i.indrelid = c.reltoastrelid WHERE c.oid = '$table'::regclass
SQL
}

sub put
{
	my ($path, $name) = @_;
	my $bytes;

	gunzip("test/data/format1/$name.gz" => \$bytes) or die "test/data/format1/$name.gz";
	open my $out, '>:raw', $node->data_dir . "/$path" or die "$path: $!";
	print $out $bytes;
	close $out or die;
	return;
}

# The version stands behind the page header and the magic number.
sub version
{
	my ($path, $new) = @_;

	open my $file, '+<:raw', $node->data_dir . "/$path" or die "$path: $!";
	seek $file, 28, 0;
	read $file, my $bytes, 2;
	if (defined $new)
	{
		seek $file, 28, 0;
		print $file pack 'v', $new;
	}
	close $file or die;
	return unpack 'v', $bytes;
}

my @old = files($old);
my @spans = files($spans);
$node->stop;
is(version($old[0]), 2, 'tables are made in version 2');
for my $i (0 .. 2)
{
	my $suffix = ('', '.companion', '.index')[$i];

	put($old[$i], "old$suffix");
	put($spans[$i], "spans$suffix");
}
is(version($_), 1, 'these are version 1') for $old[0], $spans[0];
$node->start;
sub same
{
	my ($when) = @_;

	for my $scan (qw(on off))
	{
		is(sql($node, "SET tempo.enable_customscan = $scan; $questions[$_]"), $answers[$_], "$when, custom scan $scan: rows of " . ('old', 'spans')[$_]) for 0, 1;
	}
	is(sql($node, "SELECT tempo_check('old')"), '', "$when: old is sound");
	return check_clean($node, "$when: spans are sound");
}

same('as found');
is(sql($node, "SELECT count(*) FROM traceql('{ name = \"op 1\" }')"), sql($node, "SELECT count(*) FROM tempo.spans WHERE name = 'op 1'"), 'TraceQL reads them');
sql($node, "SELECT tempo_merge('old'), tempo_merge()");
same('merged');
sql($node, 'CHECKPOINT');
is(version($old[0]), 1, 'they stay version 1');
sql($node, 'DELETE FROM old WHERE id = 5');
sql($node, 'CHECKPOINT');
is(version($old[0]), 2, 'until a row is deleted');
is(sql($node, 'SELECT count(*), min(id) FILTER (WHERE id > 4) FROM old'), '41|6', 'which is then gone');
is(sql($node, "SELECT tempo_check('old')"), '', 'and the table sound');

$node->stop;
version($old[0], 3);
$node->start;
isnt($node->psql('postgres', 'SELECT * FROM old', stderr => \my $refused), 0, 'version 3 is refused');
like($refused, qr/storage format version 3, this library reads versions 1 to 2/, 'with both numbers');
is(sql($node, 'SELECT count(*) FROM tempo.spans'), 61, 'other tables are not affected');
$node->stop;
version($old[0], 2);
$node->start;
finish($node);
done_testing();
