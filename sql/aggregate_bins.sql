-- Bins of time by vector, by trace and by row: the same groups as over a heap copy.
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SET TIME ZONE 'UTC';
SELECT setseed(0.3);
-- traces that begin over a minute: most short, some of several seconds, some whose spans end before they start
CREATE TABLE traces AS SELECT i, '2026-05-01 12:00'::timestamptz + random() * interval '1 min' AS start, CASE WHEN random() < .9 THEN 0.02 ELSE 8 END * random() AS length, random() < .02 AS odd
    FROM generate_series(1, 600) i;
CREATE TABLE h (LIKE tempo.spans INCLUDING DEFAULTS);
INSERT INTO h (trace_id, span_id, name, service, start_time, start_ns, duration_ns, attributes)
SELECT to_hex(i)::trace_id, to_hex(i * 100 + k)::span_id, 'op ' || (random() * 6)::int, 'svc ' || (random() * 3)::int, start + random() * length * interval '1 s', (random() * 999)::int,
       CASE WHEN odd AND random() < .5 THEN -(random() * 1e10)::bigint ELSE (random() ^ 6 * length * 1e9)::bigint END,
       CASE (random() * 3)::int WHEN 0 THEN '{"k": "a", "n": 1}' WHEN 1 THEN '{"k": "b"}' WHEN 2 THEN '{"n": 2}' ELSE '{}' END::tempo.attributes
  FROM traces, generate_series(1, 10) k;
-- one with such traces, one without, and one that is not merged
CREATE TABLE odd (LIKE h INCLUDING DEFAULTS) USING tempo;
CREATE TABLE even (LIKE h INCLUDING DEFAULTS) USING tempo;
CREATE TABLE recent (LIKE h INCLUDING DEFAULTS) USING tempo;
INSERT INTO odd SELECT * FROM h;
SELECT tempo_merge('odd') > 0 AS merged;
CREATE TABLE h_even AS SELECT * FROM h WHERE duration_ns >= 0;
INSERT INTO even SELECT * FROM h_even;
SELECT tempo_merge('even') > 0 AS merged;
INSERT INTO recent SELECT * FROM h;
DELETE FROM odd WHERE span_id IN (SELECT span_id FROM h WHERE duration_ns % 10 = 3);
DELETE FROM h WHERE duration_ns % 10 = 3;
DELETE FROM recent WHERE span_id NOT IN (SELECT span_id FROM h);
ANALYZE odd, even, recent;
CREATE FUNCTION differs(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE a text[]; b text[]; t text; w int; line text; inside boolean; q text := format('SELECT array_agg(x::text ORDER BY x::text COLLATE "C") FROM (%s) x', query);
BEGIN
    FOREACH t IN ARRAY array['odd', 'even', 'recent'] LOOP
        EXECUTE replace(q, '@t', CASE t WHEN 'even' THEN 'h_even' ELSE 'h' END) INTO a;
        FOREACH w IN ARRAY array[0, 2] LOOP
            PERFORM set_config('max_parallel_workers_per_gather', w::text, true);
            inside := false;
            FOR line IN EXECUTE 'EXPLAIN ' || replace(query, '@t', t) LOOP
                inside := inside OR line ~ 'TempoAggregate';
            END LOOP;
            EXECUTE replace(q, '@t', t) INTO b;
            IF NOT inside THEN RETURN NEXT format('%s over %s with %s workers is not inside', query, t, w); END IF;
            IF a IS DISTINCT FROM b THEN RETURN NEXT format('%s over %s with %s workers', query, t, w); END IF;
        END LOOP;
    END LOOP;
END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT differs(format('SELECT %s, %s FROM @t WHERE %s GROUP BY %1$s', k.v, a.v, c.v))
  FROM unnest(array['date_bin(''5 s'', start_time, ''2026-01-01'')', 'date_bin(''20 s'', start_time, ''2026-05-01 12:00:13.4''), service', 'name, date_bin(''7 s'', start_time, ''epoch'')',
           'attributes ->> ''n'', date_bin(''30 s'', start_time, ''epoch'')', 'date_bin(''1 h'', start_time, ''epoch''), attributes ->> ''n''', 'date_bin(''10 ms'', start_time, ''epoch'')',
           'service, name, date_bin(''5 s'', start_time, ''epoch'')', 'attributes ->> ''k'', attributes ->> ''n''', 'date_bin(''30 s'', start_time, ''epoch''), date_bin(''20 s'', start_time, ''epoch'')']) WITH ORDINALITY k (v, i),
       unnest(array['count(*)', 'count(*), sum(duration_ns), count(*) FILTER (WHERE name = ''op 1'')', 'percentile_disc(array[.9, .1, .5]) WITHIN GROUP (ORDER BY duration_ns), min(start_time)']) WITH ORDINALITY a (v, i),
       unnest(array['true', 'duration_ns > 3000000', 'attributes ->> ''k'' = ''a''', 'start_time < ''2026-05-01 12:00:31'' AND duration_ns BETWEEN 1000 AND 100000000']) WITH ORDINALITY c (v, i)
 WHERE (k.i + a.i + c.i) % 3 = 0;
SET client_min_messages = warning;
DROP TABLE traces, h, h_even, odd, even, recent, tempo.spans CASCADE;
DROP FUNCTION differs;
