# Indexes under inserts, receivers, merges that commit and that roll back, VACUUM, builds of indexes and a crash:
# index scans give what a scan of the columns gives, in every snapshot, and every row has its entries.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{TEMPO_LONG} ? 120 : 8;
my $node = tempo_node('indexes', conf => <<'CONF');
tempo.merge_interval = '20ms'
tempo.merge_delay = '1s'
tempo.segment_rows = 2000
autovacuum_naptime = '1s'
jit = off
CONF
sql($node, 'CREATE EXTENSION amcheck');
sql($node, 'CREATE TABLE t (client int, i int, pad text) USING tempo');
sql($node, 'CREATE INDEX t_i ON t (i)');
sql($node, 'CREATE INDEX t_pad ON t USING hash (pad)');
sql($node, 'CREATE INDEX t_part ON t ((i * 2)) WHERE client = 1');
sql($node, 'CREATE INDEX ON tempo.spans (trace_id)');
sql($node, 'CREATE INDEX ON tempo.spans (service, start_time)');

# By columns, then by index, in one snapshot.
my $by_columns = 'SET LOCAL tempo.enable_customscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;';
my @by_index = (
	'SET LOCAL tempo.enable_customscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on;',
	'SET LOCAL tempo.enable_customscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = on;');
my @questions = (
	'SELECT count(*), sum(i) FROM t WHERE i BETWEEN 10 AND 20',
	q{SELECT count(*), sum(i) FROM t WHERE pad = 'pad 3'},
	'SELECT count(*), sum(i) FROM t WHERE i * 2 > 80 AND client = 1',
	q{SELECT count(*), count(DISTINCT span_id) FROM tempo.spans WHERE trace_id = md5('7')::trace_id},
	q{SELECT count(*), count(DISTINCT span_id) FROM tempo.spans WHERE service = 'svc 2'});

# '' or what differs.
sub compare
{
	my $looks = join '', map { my $q = $_; map { "$_ $q;" } $by_columns, @by_index } @questions;
	my ($status, $out) = $node->psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; $looks COMMIT");
	my @looks = grep { /\|/ } split /\n/, $out // '';

	return "could not ask: $status" if $status != 0 || @looks != 3 * @questions;
	for my $q (@questions)
	{
		my @answers = splice @looks, 0, 3;

		return "$q: @answers" if grep { $_ ne $answers[0] } @answers;
	}
	return '';
}

my $dir = PostgreSQL::Test::Utils::tempdir();
my %children;

# Runs code again and again until the time is over or it returns a problem.
sub child
{
	my ($name, $code) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		my $end = time + $seconds;
		my $problem = '';

		for (my $n = 0; time < $end && $problem eq ''; $n++)
		{
			$problem = eval { $code->($n) } // $@;
		}
		append_to_file("$dir/$name", $problem);
		POSIX::_exit(0);
	}
	$children{$name} = $pid;
	return;
}

sub run_sql
{
	my ($what, $sql, $allowed) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);

	return '' if $status == 0 || ($allowed && $err =~ $allowed);
	return "$what failed: $err";
}

sub ingest_statement
{
	my ($n) = @_;

	return "SELECT tempo_ingest_json(json_build_object('resourceSpans', json_agg(r))::text) FROM (SELECT json_build_object('resource', json_build_object('attributes', json_build_array(json_build_object('key', 'service.name', 'value', json_build_object('stringValue', 'svc ' || i % 5)))), 'scopeSpans', json_build_array(json_build_object('spans', json_build_array(json_build_object('traceId', md5((i % 20)::text), 'spanId', lpad(to_hex($n * 1000 + i + 1), 16, '0'), 'name', 'n', 'startTimeUnixNano', (extract(epoch FROM now())::bigint * 1000000000)::text, 'endTimeUnixNano', (extract(epoch FROM now())::bigint * 1000000000 + 1000)::text))))) r FROM generate_series(1, 40) i) s";
}

for my $c (1, 2)
{
	child("inserter $c", sub {
		my ($n) = @_;
		my $finish = $n % 10 == 9 ? 'ROLLBACK' : 'COMMIT';

		return run_sql('insert', "BEGIN; INSERT INTO t SELECT $c, i, 'pad ' || i % 7 FROM generate_series(1, 50) i; SAVEPOINT s; INSERT INTO t VALUES ($c, 15, 'pad 3'); ROLLBACK TO s; COPY t FROM PROGRAM 'seq -f \"$c,%g,pad 3\" 1 20' (FORMAT csv); $finish");
	});
}
child('ingest', sub { my ($n) = @_; run_sql('ingest', ingest_statement($n)) });
child('merger', sub {
	my $finish = rand() < 0.4 ? 'ROLLBACK' : 'COMMIT';

	return run_sql('merge', "BEGIN; SELECT tempo_merge('t'); SELECT tempo_merge(); $finish");
});
child('vacuum', sub { sleep 0.05; run_sql('vacuum', 'VACUUM t; VACUUM tempo.spans') });
child('builder', sub {
	my ($n) = @_;
	my @build = ('REINDEX INDEX t_i', 'REINDEX INDEX CONCURRENTLY t_pad', 'CREATE INDEX t_more ON t (pad, i); DROP INDEX t_more', 'CREATE INDEX CONCURRENTLY t_later ON t (i DESC)', 'DROP INDEX CONCURRENTLY IF EXISTS t_later', 'REINDEX TABLE tempo.spans');

	return run_sql('build', $build[$n % @build], qr/deadlock detected|already exists/);
});
child("reader $_", \&compare) for 1, 2;
for my $name (sort keys %children)
{
	waitpid $children{$name}, 0;
	is(-e "$dir/$name" ? slurp_file("$dir/$name") : 'died', '', $name);
}
is(compare(), '', 'the same by columns and by index in the end');
cmp_ok(sql($node, 'SELECT count(*) FROM t'), '>', 1000, 'rows were inserted');
cmp_ok(sql($node, 'SELECT count(*) FROM tempo.spans'), '>', 100, 'spans were ingested');
is(sql($node, "SELECT tempo_check(t) FROM unnest('{t,tempo.spans}'::regclass[]) t"), '', 'every row has its entries');

# Entries of rows merged away go with VACUUM.
sql($node, "SELECT tempo_merge('t')");
sql($node, 'VACUUM t');
is(sql($node, 'SELECT reltuples FROM pg_class WHERE relname = $$t_i$$'), sql($node, 'SELECT count(*) FROM t'), 'as many entries as rows after VACUUM');
is(sql($node, q{SELECT bt_index_check('t_i', true)}), '', 'amcheck finds every row too');

# A snapshot older than a merge, a VACUUM and a REINDEX still finds its rows by index.
my $old = $node->background_psql('postgres');
my $look = 'SELECT count(*), sum(i) FROM t WHERE i BETWEEN 10 AND 20';
sql($node, "INSERT INTO t SELECT 1, i, 'old' FROM generate_series(1, 30) i");
$old->query_safe("SET tempo.enable_customscan = off; SET enable_seqscan = off; BEGIN ISOLATION LEVEL REPEATABLE READ");
$old->query_safe('SELECT 1');
my $before = sql($node, $look);
sql($node, "SELECT tempo_merge('t')");
sql($node, "INSERT INTO t SELECT 1, i, 'new' FROM generate_series(1, 30) i");
sql($node, "SELECT tempo_merge('t')");
sql($node, 'VACUUM t');
sql($node, 'REINDEX INDEX t_i');
is($old->query_safe($look), $before, 'an old snapshot finds its rows after merges, VACUUM and REINDEX');
sql($node, 'VACUUM t');
is($old->query_safe($look), $before, 'and after another VACUUM');
$old->query_safe('COMMIT');
is($old->query_safe($look), sql($node, $look), 'a new one finds all');
$old->quit;

# A crash in the middle of it all.
$seconds = 3;
%children = ();
child('crash insert', sub { $node->psql('postgres', "INSERT INTO t SELECT 1, i, 'pad ' || i % 7 FROM generate_series(1, 50) i"); '' });
child('crash merge', sub { $node->psql('postgres', "SELECT tempo_merge('t')"); $node->psql('postgres', 'VACUUM t'); '' });
child('crash ingest', sub { my ($n) = @_; $node->psql('postgres', ingest_statement(100000 + $n)); '' });
sleep 1.5;
$node->stop('immediate');
waitpid $_, 0 for values %children;
$node->start;
wait_until('the extension to answer', sub { sql($node, 'SELECT 1') });
is(compare(), '', 'the same by columns and by index after a crash');
is(sql($node, "SELECT tempo_check(t) FROM unnest('{t,tempo.spans}'::regclass[]) t"), '', 'every row has its entries after a crash');
finish($node);
done_testing();
