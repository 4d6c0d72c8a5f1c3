# A streaming standby that does not preload the library: replays core WAL only (compared page by page), gives
# the same answers before and after merges, and becomes a primary.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

my $node = tempo_node('primary', allows_streaming => 1, conf => <<'CONF');
wal_consistency_checking = 'all'
jit = off
tempo.merge_interval = 3600s
CONF
sql($node, "SELECT tempo.create_partitions('2026-05-01', '2026-05-02')");
sql($node, 'CREATE TABLE plain (i int, t text, p point) USING tempo');
sql($node, 'CREATE INDEX ON plain (i)');
sql($node, 'CREATE INDEX ON plain USING hash (t)');
sql($node, 'CREATE INDEX ON tempo.spans (trace_id)');
$node->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$standby->start;

my @questions = (
	'SELECT count(*), sum(i), min(t), max(t) FROM plain',
	q{SELECT md5(string_agg(p::text, ',' ORDER BY i)) FROM plain},
	'SELECT service, count(*), sum(duration_ns) FROM tempo.spans GROUP BY 1 ORDER BY 1',
	q{SELECT md5(string_agg(s::text, ',' ORDER BY span_id)) FROM tempo.spans s},
	'SELECT count(*), min(t) FROM plain WHERE i BETWEEN 90 AND 1100',
	q{SELECT i, t FROM plain WHERE t = md5('77')},
	q{SELECT count(*) FROM tempo.spans WHERE trace_id = md5('3')::trace_id},
	q{SELECT relation, id, rows, has_split FROM tempo.segments ORDER BY 1, 2},
);

sub same_answers
{
	my ($when) = @_;

	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	for my $scan ('on', 'off', 'off; SET enable_seqscan = off')
	{
		my $set = "SET tempo.enable_customscan = $scan;";
		my @differ = grep { sql($node, "LOAD 'tempo'; $set $_") ne sql($standby, "LOAD 'tempo'; $set $_") } @questions;

		is_deeply(\@differ, [], "$when, custom scan $scan: the standby's answers are the primary's");
	}
	is(sql($standby, 'SELECT * FROM tempo_check(NULL)'), '', "$when: spans are clean on the standby");
	is(sql($standby, "SELECT * FROM tempo_check('plain')"), '', "$when: the other table is clean on the standby");
}

sub load
{
	my ($from, $to) = @_;

	sql($node, "INSERT INTO plain SELECT i, md5(i::text), point(i, i) FROM generate_series($from, $to) i");
	sql($node, "INSERT INTO tempo.spans (trace_id, span_id, service, start_time, duration_ns, attributes) SELECT md5((i % 50)::text)::trace_id, to_hex(i)::span_id, 'svc ' || i % 7, '2026-05-01 23:50'::timestamptz + i * interval '1 s', i, format('{\"i\": %s}', i)::tempo.attributes FROM generate_series($from, $to) i");
}

load(1, 1000);
same_answers('recent batches');
sql($node, 'SELECT tempo_merge(NULL)');
sql($node, "SELECT tempo_merge('plain')");
same_answers('merged');
load(1001, 1500);
sql($node, 'SELECT tempo_merge(NULL)');
sql($node, 'VACUUM');
same_answers('merged twice, vacuumed');
sql($node, 'ALTER TABLE plain ADD COLUMN late int DEFAULT 3');
sql($node, 'TRUNCATE tempo.spans');
load(2001, 2100);
same_answers('altered and truncated');

# A reader's snapshot on the standby outlives a merge on the primary.
my $reader = $standby->background_psql('postgres');
my $look = 'SET tempo.enable_customscan = on; SELECT count(*), sum(i) FROM plain; SET tempo.enable_customscan = off; SET enable_seqscan = off; SELECT count(*), sum(i) FROM plain WHERE i > 0';
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $before = $reader->query_safe($look);
load(3001, 3100);
sql($node, "SELECT tempo_merge('plain')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($reader->query_safe($look), $before, 'a snapshot on the standby sees the same before and after a merge on the primary');
$reader->query_safe('COMMIT');
is($reader->query_safe($look), sql($node, $look), 'and a new one sees what was merged');
$reader->quit;

is($standby->psql('postgres', "SELECT tempo_merge('plain')"), 3, 'a standby does not merge');
is($standby->psql('postgres', "INSERT INTO plain VALUES (1)"), 3, 'or insert');

$standby->promote;
sql($standby, "INSERT INTO plain (i, t) VALUES (-1, 'promoted')");
sql($standby, "SELECT tempo_merge('plain')");
is(sql($standby, 'SELECT t, late FROM plain WHERE i = -1'), 'promoted|3', 'a promoted standby inserts and merges');
is(sql($standby, "SELECT * FROM tempo_check('plain')"), '', 'and is clean');
unlike(slurp_file($standby->logfile), qr/inconsistent page found|PANIC|was terminated by signal/, 'replay was consistent');
$standby->stop;
finish($node);
done_testing();
