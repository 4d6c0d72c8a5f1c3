-- GROUP BY and aggregates inside the column scan: the same answers as over a heap copy, under every switch.
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SET TIME ZONE 'Europe/Berlin';
CREATE TABLE g (LIKE tempo.spans INCLUDING DEFAULTS, small smallint, num integer, note varchar, big bigint, day date) PARTITION BY RANGE (start_time);
CREATE TABLE g1 PARTITION OF g FOR VALUES FROM ('1960-01-01') TO ('2026-03-28 12:00+00') USING tempo;
-- attributes at other places than in the parent
CREATE TABLE g2 (gone int, LIKE g INCLUDING DEFAULTS) USING tempo;
ALTER TABLE g2 DROP COLUMN gone;
ALTER TABLE g ATTACH PARTITION g2 FOR VALUES FROM ('2026-03-28 12:00+00') TO ('2027-01-01');
SELECT setseed(0.7);
CREATE PROCEDURE load(n int) LANGUAGE sql AS $$
    INSERT INTO g (trace_id, span_id, parent_span_id, name, kind, status, service, start_time, start_ns, duration_ns, attributes, resource_attributes, small, num, note, big, day)
    SELECT to_hex((random() * 50)::int)::trace_id, to_hex(i + 1)::span_id, CASE WHEN random() < .5 THEN to_hex(i)::span_id END,
           'op ' || (random() * 20)::int, (random() * 6)::int::tempo.span_kind, (random() * 2)::int::tempo.status_code, 'svc ' || (random() * 3)::int,
           CASE WHEN random() < .01 THEN '1970-01-01 00:00+00' ELSE '2026-03-27 20:00'::timestamptz + random() ^ 2 * interval '40 h' END, (random() * 999)::int,
           (random() ^ 8 * 1e10)::bigint,
           ('{' || concat_ws(', ',
               CASE (random() * 5)::int WHEN 0 THEN '"k": "v1"' WHEN 1 THEN '"k": 1' WHEN 2 THEN '"k": 1.0' WHEN 3 THEN '"k": true' WHEN 4 THEN '"k": "1"' END,
               CASE (random() * 3)::int WHEN 0 THEN '"k": "v2"' WHEN 1 THEN '"k": [1, "v1"]' END,
               '"all": "' || i || '"') || '}')::tempo.attributes,
           CASE WHEN random() < .5 THEN '{"host": "a"}' ELSE '{"host": "b", "n": 1}' END::tempo.attributes,
           CASE WHEN random() < .8 THEN (random() * 10)::int END, (random() * 1e9)::int - 500000000, CASE WHEN random() < .8 THEN 'n' || (random() * 5)::int END,
           CASE WHEN random() < .9 THEN ((random() - .5) * 1.8e19)::numeric::bigint END, '2026-03-01'::date + (random() * 3)::int
      FROM generate_series(1, n) i $$;
CALL load(5000);
SELECT tempo_merge('g1') > 0 AS merged;
CALL load(2000);
SELECT tempo_merge('g2') > 0 AS merged;
CALL load(1);
ALTER TABLE g ADD COLUMN late int DEFAULT 7, ADD COLUMN later text DEFAULT 'x';
CALL load(300);
CREATE TABLE h AS SELECT * FROM g;
ANALYZE g;

CREATE FUNCTION inside(query text, node text DEFAULT 'TempoAggregate') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line ~ node THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
CREATE PROCEDURE cheap_workers(VARIADIC costs text[] DEFAULT '{0, 0, 0}') LANGUAGE sql AS $$
    SELECT set_config('parallel_setup_cost', costs[1], false), set_config('parallel_tuple_cost', costs[2], false), set_config('min_parallel_table_scan_size', costs[3], false) $$;
-- the query over table @t: by the node in one process and in several, by core over the column scan, and over the heap
CREATE FUNCTION differs(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE a text[]; b text[]; c text[]; d text[]; q text := format('SELECT array_agg(x::text ORDER BY x::text COLLATE "C") FROM (%s) x', query);
BEGIN
    IF NOT inside(replace(query, '@t', 'g')) THEN RETURN NEXT query || ' is not inside the scan'; END IF;
    EXECUTE replace(q, '@t', 'g') INTO a;
    CALL cheap_workers();
    EXECUTE replace(q, '@t', 'g') INTO d;
    CALL cheap_workers('1000', '0.1', '8MB');
    SET LOCAL tempo.enable_aggregate = off;
    EXECUTE replace(q, '@t', 'g') INTO b;
    RESET tempo.enable_aggregate;
    EXECUTE replace(q, '@t', 'h') INTO c;
    IF a IS DISTINCT FROM c THEN RETURN NEXT query || ' inside'; END IF;
    IF d IS DISTINCT FROM c THEN RETURN NEXT query || ' in parallel'; END IF;
    IF b IS DISTINCT FROM c THEN RETURN NEXT query || ' outside'; END IF;
END $$;
CREATE TABLE parts AS SELECT 'key' AS what, v FROM unnest(array['service', 'name', 'note', 'kind', 'status', 'small', 'num / 1', 'late', 'later', 'day', 'parent_span_id', 'kind::int', 'tenant',
    'attributes ->> ''k''', 'attributes ->> ''none''', 'resource_attributes ->> ''host''', 'upper(note)', 'length(name)', 'note IS NULL', '(attributes ->> ''all'')::int % 7',
    'date_bin(''5 min'', start_time, ''2026-03-01'')', 'date_bin(''7 h'', start_time, ''2026-03-28 03:04:05.678'')', 'date_trunc(''hour'', start_time)', 'date_trunc(''day'', start_time)',
    'date_trunc(''week'', start_time, ''America/New_York'')', 'start_time']) v WHERE v <> 'num / 1'
UNION ALL SELECT 'aggregate', v FROM unnest(array['count(*)', 'count(small)', 'count(note)', 'count(attributes ->> ''k'')', 'sum(small)', 'sum(num)', 'sum(big)', 'avg(small)', 'avg(num)', 'avg(big)', 'avg(duration_ns)',
    'min(big)', 'max(big)', 'min(small)', 'max(num)', 'min(start_time)', 'max(start_time)', 'max(day)', 'sum(late)', 'count(*) FILTER (WHERE status = ''error'')', 'sum(big) FILTER (WHERE note = ''n1'' AND num > 0)',
    'percentile_disc(0.9) WITHIN GROUP (ORDER BY duration_ns)', 'percentile_cont(0.37) WITHIN GROUP (ORDER BY duration_ns)', 'percentile_disc(array[0, .5, NULL, 1]) WITHIN GROUP (ORDER BY small)',
    'percentile_cont(array[.1, .99]::float8[]) WITHIN GROUP (ORDER BY big) FILTER (WHERE kind = ''server'')', 'round(avg(duration_ns) / 1000, 3) + count(*)', 'sum(duration_ns) / nullif(count(small), 0)']) v
UNION ALL SELECT 'condition', v FROM unnest(array['true', 'duration_ns > 1000000', 'service = ''svc 1''', 'attributes ->> ''k'' = ''1''', 'start_time < ''2026-03-28 02:00''', 'start_time >= ''2026-03-28 15:00'' AND status <> ''ok''',
    'note IS NULL', 'name LIKE ''%1%''', 'small BETWEEN 2 AND 5', 'service = ''nobody''', 'resource_attributes ? ''n''', '(attributes ->> ''all'')::int > 4000']) v;
SELECT differs(format('SELECT %s FROM @t WHERE %s', string_agg(a.v, ', '), (array_agg(c.v))[1])) FROM (SELECT v, row_number() OVER () % 9 AS n FROM parts WHERE what = 'aggregate') a,
    LATERAL (SELECT v FROM parts WHERE what = 'condition' OFFSET a.n LIMIT 1) c GROUP BY a.n;
CREATE TABLE queries AS SELECT i, (SELECT string_agg(v, ', ') FROM (SELECT v FROM parts WHERE what = 'key' AND v <> 'start_time' ORDER BY random() + i * 0 LIMIT 1 + i % 3) k) AS keys,
    (SELECT string_agg(v, ', ') FROM (SELECT v FROM parts WHERE what = 'aggregate' ORDER BY random() + i * 0 LIMIT 1 + i % 4) a) AS aggregates,
    (SELECT v FROM parts WHERE what = 'condition' ORDER BY random() + i * 0 LIMIT 1) AS condition FROM generate_series(1, 60) i;
SELECT count(*), count(DISTINCT keys) > 30 AS varied FROM queries;
SET work_mem = '64MB';
SELECT differs(format('SELECT %s, %s FROM @t WHERE %s GROUP BY %s', keys, aggregates, condition, keys)) FROM queries;
-- alone; many groups; what HAVING, expressions, DISTINCT, ORDER BY, subqueries and joins make of it
SELECT differs(format('SELECT %s, count(*), sum(big) FROM @t GROUP BY %1$s', v)) FROM parts WHERE what = 'key';
SELECT differs(v) FROM unnest(array['SELECT service, count(*) * 2 + length(service) FROM @t GROUP BY service HAVING count(*) > 1700 AND max(num) > 5', 'SELECT attributes ->> ''all'', start_time, count(*) FROM @t GROUP BY 1, 2',
    'SELECT DISTINCT count(*) FROM @t GROUP BY service, kind', 'SELECT service FROM @t GROUP BY 1', 'SELECT count(*) FROM @t HAVING count(*) > 1000000', 'SELECT sum(c) FROM (SELECT count(*) AS c FROM @t GROUP BY name) s',
    'SELECT a.service, b.n FROM (SELECT service, count(*) AS n FROM @t GROUP BY 1) a JOIN (SELECT service, sum(num) AS n FROM @t WHERE num > 0 GROUP BY 1) b USING (service)',
    'WITH c AS (SELECT name, avg(num) AS a FROM @t GROUP BY 1) SELECT name, rank() OVER (ORDER BY a) FROM c', 'SELECT s, (SELECT count(*) FROM @t WHERE service = s AND small > n) FROM (VALUES (''svc 1'', 1), (''svc 2'', 3), (NULL, 4)) v (s, n)',
    'SELECT s, x.* FROM (VALUES (''svc 1'', .1), (''svc 2'', .3)) v (s, n), LATERAL (SELECT count(*), percentile_disc(n) WITHIN GROUP (ORDER BY num) FROM @t WHERE service = s) x']) v;
-- in several processes where that is cheap; the leader alone, workers alone, more than there are, rescans, and a LIMIT that leaves early
CALL cheap_workers();
SELECT count(*) < 6 AS nearly_all FROM queries WHERE NOT inside(format('SELECT %s, %s FROM g WHERE %s GROUP BY %s', keys, aggregates, condition, keys), 'Parallel Custom Scan \(TempoAggregate');
EXPLAIN (COSTS OFF) SELECT service, percentile_disc(.5) WITHIN GROUP (ORDER BY big) FROM g GROUP BY 1 HAVING count(*) > 1;
CREATE TABLE expected AS SELECT name, kind, count(*) AS n, sum(big) AS s, percentile_cont(.4) WITHIN GROUP (ORDER BY big) AS p FROM h GROUP BY 1, 2;
CREATE VIEW got AS SELECT name, kind, count(*) AS n, sum(big) AS s, percentile_cont(.4) WITHIN GROUP (ORDER BY big) AS p FROM g GROUP BY 1, 2;
SET max_parallel_workers = 0;
SELECT count(*) FROM (TABLE got EXCEPT TABLE expected) x;
RESET max_parallel_workers;
SET parallel_leader_participation = off;
SELECT count(*) FROM (TABLE got EXCEPT TABLE expected) x;
RESET parallel_leader_participation;
SET max_parallel_workers_per_gather = 7;
SELECT count(*) FROM (TABLE got EXCEPT TABLE expected) x;
SELECT count(*) FROM (SELECT attributes ->> 'all' AS a, percentile_disc(.5) WITHIN GROUP (ORDER BY big) FROM g GROUP BY 1 LIMIT 5) x;
RESET max_parallel_workers_per_gather;
SET enable_material = off;
SELECT v, (SELECT sum(n) FROM got WHERE n > v) = (SELECT sum(n) FROM expected WHERE n > v) AS same FROM generate_series(1, 3) v;
SELECT v, s.n IS NOT DISTINCT FROM (SELECT sum(n) FROM expected) AS same FROM generate_series(1, 3) v LEFT JOIN LATERAL (SELECT sum(n) AS n FROM got OFFSET 0) s ON true;
RESET enable_material;
CALL cheap_workers('1000', '0.1', '8MB');
-- not inside: what it cannot do
SELECT q FROM unnest(array['SELECT count(DISTINCT service) FROM g', 'SELECT service, count(*) FROM g GROUP BY ROLLUP (1)', 'SELECT string_agg(name, '','') FROM g', 'SELECT count(*) FROM g WHERE service = name', 'SELECT count(*) FROM g WHERE random() < 2',
    'SELECT sum(num + 1) FROM g', 'SELECT g.service, count(*) FROM g, h GROUP BY 1', 'SELECT attributes, count(*) FROM g GROUP BY 1', 'SELECT date_trunc(''millisecond'', start_time), count(*) FROM g GROUP BY 1',
    'SELECT count(*) FROM g WHERE trace_id = ''1''', 'SELECT service COLLATE "C", max(name) FROM g GROUP BY 1']) q WHERE inside(q);
-- groups by attribute are estimated from the dictionaries of segments: core's statistics take each set of attributes for a value
SELECT v, inside(format('SELECT attributes ->> %L FROM g GROUP BY 1', v), n) AS estimated FROM (VALUES ('k', 'rows=8 '), ('none', 'rows=1 '), ('all', 'rows=[5-9]... ')) x (v, n);
SET tempo.aggregate_memory = '64kB';
SET work_mem = '64kB';
SELECT inside('SELECT attributes ->> ''k'' FROM g GROUP BY 1'), inside('SELECT attributes ->> ''all'' FROM g GROUP BY 1') AS many;
RESET tempo.aggregate_memory;
SET work_mem = '64MB';
EXPLAIN (COSTS OFF) SELECT service, date_bin('1 h', start_time, '2026-01-01'), count(*), avg(num) FROM g WHERE start_time >= '2026-03-29' AND note = 'n1' GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1;
PREPARE p AS SELECT count(*), sum(num) FROM g WHERE service = $1 AND num > $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE p ('svc 1', 5);
EXECUTE p ('svc 1', 5);
SELECT count(*), sum(num) FROM h WHERE service = 'svc 1' AND num > 5;
EXECUTE p (NULL, 5);
CREATE TABLE g3 PARTITION OF g FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') USING tempo;
INSERT INTO g (trace_id, span_id, service, start_time, num) VALUES ('1', '1', 'svc 1', '2027-05-05', 1000000);
EXECUTE p ('svc 1', 5);
-- policies: not inside, and what may not be seen is not counted
ALTER TABLE g ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON g USING (service = 'svc 1');
CREATE ROLE tempo_test_reader;
GRANT SELECT (service, num, name) ON g TO tempo_test_reader;
SET ROLE tempo_test_reader;
SELECT inside('SELECT service, count(*) FROM g GROUP BY 1');
SELECT service FROM g GROUP BY 1;
RESET ROLE;
ALTER TABLE g DISABLE ROW LEVEL SECURITY;
SET ROLE tempo_test_reader;
SELECT inside('SELECT service, count(*) FROM g GROUP BY 1');
SELECT service, count(duration_ns) FROM g GROUP BY 1;
RESET ROLE;
DROP OWNED BY tempo_test_reader;
DROP ROLE tempo_test_reader;
SET client_min_messages = warning;
DROP TABLE g, h, parts, queries, expected, tempo.spans CASCADE;
DROP FUNCTION inside, differs;
DROP PROCEDURE load, cheap_workers;
