-- The custom scan: columns, pruning, parameters, rescans, system columns, row-level security, EXPLAIN.
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SET TIME ZONE 'UTC';
SET tempo.enable_aggregate = off;
CREATE TABLE c (LIKE tempo.spans INCLUDING DEFAULTS) USING tempo;
-- three segments an hour apart, then a recent batch
CREATE PROCEDURE load(hour int) LANGUAGE sql AS $$
    INSERT INTO c (trace_id, span_id, name, service, start_time, attributes)
    SELECT (to_hex(hour) || lpad(to_hex(i / 4), 30, '0'))::trace_id, to_hex(hour * 1000 + i)::span_id, 'op ' || i % 5, 'svc ' || i % 3,
           '2026-03-01'::timestamptz + hour * interval '1 hour' + i * interval '1 s', format('{"i": %s}', i)::tempo.attributes
      FROM generate_series(0, 99) i $$;
CALL load(1);
SELECT tempo_merge('c');
CALL load(2);
SELECT tempo_merge('c');
CALL load(3);
SELECT tempo_merge('c');
INSERT INTO c (trace_id, span_id, service, start_time) VALUES ('4000', '4000', 'recent', '2026-03-01 04:00');

-- what EXPLAIN ANALYZE says was read, without what varies
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
        CONTINUE WHEN line ~ 'Memory';
        RETURN NEXT regexp_replace(line, '(Bytes Read: )\d+', '\1n');
    END LOOP;
END $$;
SELECT plan('SELECT service, count(*) FROM c GROUP BY 1');
SELECT plan('SELECT name FROM c WHERE start_time >= ''2026-03-01 02:00'' AND start_time < ''2026-03-01 02:00:10''');
SELECT plan('SELECT name FROM c WHERE trace_id = ''2000000000000000000000000000005''');
SELECT plan('SELECT name FROM c WHERE trace_id IN (''2000000000000000000000000000005'', ''1000000000000000000000000000005'', ''77'')');
SELECT plan('SELECT name FROM c WHERE start_time > ''infinity'' OR false');
SELECT plan('SELECT name FROM c WHERE start_time > NULL::timestamptz');

-- pruning agrees with the reference scan
CREATE FUNCTION agree(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text; b text;
BEGIN
    SET LOCAL tempo.enable_customscan = on;
    EXECUTE 'SELECT count(*) || '' '' || coalesce(md5(string_agg(t::text, '''' ORDER BY t::text)), '''') FROM c t WHERE ' || condition INTO a;
    SET LOCAL tempo.enable_customscan = off;
    EXECUTE 'SELECT count(*) || '' '' || coalesce(md5(string_agg(t::text, '''' ORDER BY t::text)), '''') FROM c t WHERE ' || condition INTO b;
    RETURN split_part(a, ' ', 1) || CASE WHEN a = b THEN '' ELSE ' differs' END;
END $$;
SELECT condition, agree(condition) FROM unnest(array['true', 'start_time = ''2026-03-01 02:00:05''', 'start_time <= ''2026-03-01 02:00:05''',
    'start_time < ''2026-03-01 01:00:00''', '''2026-03-01 03:01:38'' < start_time', 'start_time BETWEEN ''2026-03-01 01:01'' AND ''2026-03-01 02:00:10''',
    'start_time > ''-infinity''', 'start_time < ''infinity''', 'start_time <> ''2026-03-01 02:00:05''', 'start_time::date = ''2026-03-01''', 'start_time >= ''2026-03-01''::date',
    'trace_id = ''4000''', 'trace_id > ''3000000000000000000000000000000''', 'trace_id <> ''4000''', 'trace_id = ANY (array[NULL, ''4000'']::trace_id[])', 'trace_id = ANY (''{}''::trace_id[])',
    'trace_id = ALL (array[''4000'']::trace_id[])', 'trace_id = ''4000'' AND trace_id = ''4001''', 'trace_id = ''4000'' OR service = ''svc 1''', 'NOT trace_id = ''4000''',
    'service = ''svc 1'' AND attributes @> ''{"i": 4}''', 'c.* IS NOT NULL AND t.service = ''recent''', 't.ctid IS NOT NULL']) condition WHERE condition !~ '^c\.';

-- span attributes are read by the keys that are looked at, whole where they are wanted whole
INSERT INTO c (trace_id, span_id, service, start_time, attributes) VALUES
    ('5000', '5000', 'keys', '2026-03-01 05:00', '{"a": 1, "b": "x", "a": "twice", "c": [1, {"d": null}], "": "no name"}'),
    ('5000', '5001', 'keys', '2026-03-01 05:00', '{}'), ('5000', '5002', 'keys', '2026-03-01 05:00', '{"a": null}'), ('5000', '5003', 'keys', '2026-03-01 05:00', '{"b": 2, "c": [1]}');
SELECT condition, agree(condition) FROM unnest(array['attributes ->> ''a'' = ''1''', 'attributes ? ''a''', 'NOT attributes ? ''a''', 'attributes ->> ''a'' IS NULL', 'attributes -> ''c'' @> ''[1]''',
    'attributes @> ''{"a": 1}''', 'attributes @> ''{"a": "twice"}''', 'attributes @> ''{"b": 2, "c": [1]}''', 'attributes @> ''{}''', 'attributes ->> '''' = ''no name''', 'attributes ->> NULL IS NULL',
    'attributes ->> service = ''x''', 'attributes = ''{}''', 'tempo.length(attributes) = 2', 'attributes ? ''a'' AND tempo.length(attributes) > 1', '(attributes ->> ''i'')::int > 95', 't.* IS NOT NULL AND attributes ? ''b''']) condition;
SELECT plan('SELECT span_id, attributes ->> ''b'' FROM c WHERE attributes ? ''a''');
SELECT plan('SELECT span_id, attributes FROM c WHERE attributes ? ''a''');
SELECT plan('SELECT span_id, attributes ->> ''b'' FROM c WHERE tempo.length(attributes) > 2');
SELECT span_id, attributes ->> 'b' AS b, attributes -> 'c' AS c FROM c WHERE attributes ? 'a' ORDER BY 1;
SELECT span_id, attributes FROM c WHERE attributes ? 'a' ORDER BY 1;
SELECT span_id, attributes ->> 'a' AS a, c FROM c WHERE attributes ->> 'b' = '2';

-- values known only when the plan runs: parameters, now(), subqueries, the rows of another table
PREPARE by_time AS SELECT count(*) FROM c WHERE start_time >= $1 AND start_time < $2;
SET plan_cache_mode = force_generic_plan;
SELECT plan('EXECUTE by_time (''2026-03-01 01:00'', ''2026-03-01 01:00:10'')');
EXECUTE by_time ('2026-03-01 03:00', '2026-03-01 03:00:10');
EXECUTE by_time ('2026-03-01 03:00', NULL);
RESET plan_cache_mode;
SELECT plan('SELECT count(*) FROM c WHERE start_time > now() + interval ''100 years''');
SELECT plan('SELECT count(*) FROM c WHERE trace_id = (SELECT trace_id FROM c ORDER BY 1 DESC LIMIT 1)');
CREATE TABLE orders (customer text, trace trace_id);
INSERT INTO orders VALUES ('ann', '2000000000000000000000000000005'), ('bob', '4000'), ('cy', NULL), ('dee', '99');
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT plan('SELECT o.customer, c.name FROM orders o JOIN c ON c.trace_id = o.trace');
SELECT o.customer, count(c.span_id) FROM orders o LEFT JOIN c ON c.trace_id = o.trace GROUP BY 1 ORDER BY 1;
SELECT o.customer, (SELECT count(*) FROM c WHERE c.trace_id = o.trace AND c.start_time > '2026-03-01 02:00:21') FROM orders o ORDER BY 1;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- whole rows, TIDs, dropped and added columns, a row as a locked partner of a changed one
SELECT (c).service, (c).start_time, tableoid::regclass, ctid IS NOT NULL AS ctid FROM c WHERE service = 'recent';
UPDATE orders SET customer = customer || ' ' || c.service FROM c WHERE c.trace_id = orders.trace AND c.service = 'recent' RETURNING orders.*;
ALTER TABLE c DROP COLUMN trace_state, ADD COLUMN extra int DEFAULT 5;
SELECT name, extra FROM c WHERE trace_id = '4000';
SELECT count(*) FROM c WHERE extra = 5;

-- policies come before everything that could tell of a row
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON c USING (service = 'svc 1');
CREATE ROLE tempo_test_reader;
GRANT SELECT ON c TO tempo_test_reader;
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN IF $1 <> 'svc 1' THEN RAISE NOTICE 'saw %', $1; END IF; RETURN true; END $$;
SET ROLE tempo_test_reader;
SELECT count(*), min(service), max(service) FROM c WHERE leak(service);
SELECT count(*) FROM c WHERE trace_id = '2000000000000000000000000000005';
RESET ROLE;

SELECT tempo_check('c');
DROP OWNED BY tempo_test_reader;
DROP ROLE tempo_test_reader;
SET client_min_messages = warning;
DROP TABLE c, orders, tempo.spans CASCADE;
DROP FUNCTION plan, agree, leak;
DROP PROCEDURE load;
