# Statistics: the maintenance worker analyzes tempo.spans as a whole, and estimates of rows are near the truth.
use strict;
use warnings;
use JSON::PP;
use Test::More;
use TempoTest;

my $node = tempo_node('statistics', conf => <<'CONF');
autovacuum_naptime = '1s'
tempo.maintenance_interval = '200ms'
tempo.merge_interval = '100ms'
CONF
my $known = q{SELECT count(*) FROM pg_stats WHERE schemaname = 'tempo' AND tablename = 'spans' AND inherited};

is(sql($node, $known), 0, 'no statistics of nothing');

sub load
{
	my ($from, $to) = @_;

	# 3 days, 20 spans a trace, 5 services of different frequency
	sql($node, <<"SQL");
SELECT tempo.create_partitions('2026-05-01', '2026-05-03');
CREATE TEMP TABLE s AS SELECT md5((i / 20)::text) AS trace, lpad(to_hex(i), 16, '0') AS span, 'svc ' || least(i % 10, 4) AS svc, '2026-05-01Z'::timestamptz + i % 3 * interval '1 day' + i * interval '1 s' AS at, i FROM generate_series($from, $to) i;
COPY s TO '/tmp/tempo_statistics_@{[ $node->port ]}';
COPY tempo.spans (trace_id, span_id, service, start_time, duration_ns) FROM '/tmp/tempo_statistics_@{[ $node->port ]}';
COPY (SELECT) TO PROGRAM 'rm /tmp/tempo_statistics_@{[ $node->port ]}';
DROP TABLE s;
SQL
	return;
}

# Rows the planner expects of a query.
sub estimate
{
	my ($query) = @_;

	return decode_json(sql($node, "EXPLAIN (FORMAT json) $query"))->[0]{Plan}{'Plan Rows'};
}

sub near
{
	my ($query, $factor, $what) = @_;
	my $expected = estimate($query);
	my $got = sql($node, "SELECT count(*) FROM ($query) q");

	ok($expected <= $got * $factor && $got <= $expected * $factor, "$what: $expected expected, $got come");
	return;
}

load(1, 30000);
wait_until('statistics of the parent', sub { sql($node, $known) > 0 });
is(sql($node, q{SELECT reltuples FROM pg_class WHERE oid = 'tempo.spans'::regclass}), 30000, 'as many rows as there are');
sql($node, 'SELECT tempo_merge()');
wait_until('statistics of the partitions', sub { sql($node, q{SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'tempo' AND tablename LIKE 'spans\_%'}) == 3 });
near('SELECT * FROM tempo.spans', 1.1, 'all rows');
near(q{SELECT * FROM tempo.spans WHERE service = 'svc 4'}, 1.3, 'a frequent value');
near(q{SELECT * FROM tempo.spans WHERE service = 'svc 1'}, 1.5, 'a rarer one');
near(q{SELECT * FROM tempo.spans WHERE trace_id = md5('77')::trace_id}, 3, 'one trace');
near(q{SELECT * FROM tempo.spans WHERE start_time >= '2026-05-02 04:00Z' AND start_time < '2026-05-02 05:00Z'}, 1.5, 'a range of time');
near('SELECT service, count(*) FROM tempo.spans GROUP BY 1', 1.1, 'groups by service');
near('SELECT trace_id, count(*) FROM tempo.spans GROUP BY 1', 3, 'groups by trace');
near('SELECT a.span_id FROM tempo.spans a JOIN tempo.spans b ON b.trace_id = a.trace_id', 3, 'a join of spans of a trace');
near(q{SELECT a.span_id FROM tempo.spans a JOIN tempo.spans b ON b.span_id = a.span_id WHERE a.service = 'svc 2'}, 2, 'a join by span');

load(30001, 45000);
wait_until('statistics of half as many more', sub { sql($node, q{SELECT reltuples FROM pg_class WHERE oid = 'tempo.spans'::regclass}) == 45000 });
near('SELECT DISTINCT span_id FROM tempo.spans', 1.3, 'distinct spans');
finish($node);
done_testing();
