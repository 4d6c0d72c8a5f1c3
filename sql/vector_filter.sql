-- Conditions evaluated on columns: the same rows as a heap copy has, whatever the condition and the switch.
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SET TIME ZONE 'UTC';
SET tempo.enable_aggregate = off;
CREATE TABLE f (LIKE tempo.spans INCLUDING DEFAULTS, small smallint, num integer, day date, note varchar, blank text) USING tempo;
SELECT setseed(0.4);
-- values of several types under one key, twice under one, empty ones, text with escapes, nulls; odd start times
CREATE PROCEDURE load(n int) LANGUAGE sql AS $$
    INSERT INTO f (trace_id, span_id, parent_span_id, name, kind, status, service, start_time, start_ns, duration_ns, attributes, resource_attributes, small, num, day, note, blank)
    SELECT to_hex((random() * 50)::int)::trace_id, to_hex(i + 1)::span_id, CASE WHEN random() < .5 THEN to_hex(i)::span_id END,
           'op ' || (random() * 20)::int, (random() * 6)::int::tempo.span_kind, (random() * 2)::int::tempo.status_code, 'svc ' || (random() * 3)::int,
           CASE WHEN random() < .01 THEN '1970-01-01' ELSE '2026-03-01'::timestamptz + random() * interval '10 s' END, (random() * 999)::int,
           (random() ^ 8 * 1e10)::bigint,
           ('{' || concat_ws(', ',
               CASE (random() * 5)::int WHEN 0 THEN '"k": "v1"' WHEN 1 THEN '"k": 1' WHEN 2 THEN '"k": 1.0' WHEN 3 THEN '"k": true' WHEN 4 THEN '"k": "true"' END,
               CASE (random() * 3)::int WHEN 0 THEN '"k": "v2"' WHEN 1 THEN '"k": [1, "v1"]' END,
               CASE WHEN random() < .3 THEN '"esc": "\u0000"' WHEN random() < .5 THEN '"esc": "\\u0000"' END,
               CASE WHEN random() < .1 THEN '"rare": ' || i END,
               '"all": "' || i || '"') || '}')::tempo.attributes,
           CASE WHEN random() < .5 THEN '{"host": "a"}' ELSE '{"host": "b", "n": 1}' END::tempo.attributes,
           CASE WHEN random() < .8 THEN (random() * 10)::int END, (random() * 1000)::int - 500, '2026-03-01'::date + (random() * 3)::int,
           CASE WHEN random() < .8 THEN 'n' || (random() * 5)::int END, NULL
      FROM generate_series(1, n) i $$;
CALL load(4200);
CALL load(3);
SELECT tempo_merge('f') > 0 AS merged;
CALL load(800);
SELECT tempo_merge('f') > 0 AS merged;
CALL load(300);
CALL load(1);
ALTER TABLE f ADD COLUMN late int DEFAULT 7, ADD COLUMN later text DEFAULT 'x';
CALL load(100);
CREATE TABLE h AS SELECT * FROM f;

CREATE FUNCTION answer(tab regclass, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a text;
BEGIN
    EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(concat(span_id, name, num, note), 0)), 0) FROM %s t WHERE %s', tab, condition) INTO a;
    RETURN a;
EXCEPTION WHEN OTHERS THEN RETURN sqlerrm;
END $$;
CREATE FUNCTION differs(condition text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE expected text := answer('h', condition);
BEGIN
    IF answer('f', condition) <> expected THEN RETURN NEXT condition || ' on columns'; END IF;
    SET LOCAL tempo.enable_vector_filter = off;
    IF answer('f', condition) <> expected THEN RETURN NEXT condition || ' by row'; END IF;
    SET LOCAL tempo.enable_customscan = off;
    IF answer('f', condition) <> expected THEN RETURN NEXT condition || ' in a sequential scan'; END IF;
    RESET tempo.enable_vector_filter;
    RESET tempo.enable_customscan;
END $$;

CREATE TABLE conditions AS
SELECT column_name || ' ' || op || ' ' || v AS c FROM (VALUES
    ('duration_ns', '{0,5,1000000,-1,9223372036854775807,-9223372036854775808,NULL,3::smallint}'::text[]), ('small', '{3,100000,-5::bigint}'), ('num', '{0,-500,499,12345678901}'),
    ('late', '{7,6}'), ('kind', '{''server''}'), ('status', '{''error'',''unset''}'), ('kind::integer', '{2,6}'), ('span_id', '{''10''::span_id,''ffffffffffffffff''::span_id}'),
    ('parent_span_id', '{''10''::span_id,''0''::span_id}'), ('day', '{''2026-03-02''::date}'), ('start_ns', '{500}'),
    ('start_time', '{''1970-01-01'',''2026-03-01 00:00:05'',''infinity'',''-infinity'',''1960-01-01'',''2026-03-01''::date,''2600-01-01''}'),
    ('service', '{''svc 1'','''',''svc 1''::varchar,''svc 1''::name}'), ('name', '{''op 3''}'), ('note', '{''n2''}'), ('blank', '{''x''}'), ('later', '{''x'',''y''}'),
    ('service COLLATE "C"', '{''svc 1''}'), ('lower(name)', '{''op 7''}'),
    ('attributes ->> ''k''', '{''v1'',''1'',''true'',''[1, \"v1\"]'',''''}'), ('attributes ->> ''esc''', '{E''\\\\u0000''}'), ('attributes ->> ''rare''', '{''77''}'),
    ('attributes ->> ''all''', '{''77''}'), ('attributes ->> ''none''', '{''x''}'), ('resource_attributes ->> ''host''', '{''a''}'),
    ('length(attributes ->> ''k'')', '{2}'), ('attributes ->> ''k'' || ''x''', '{''1x''}')) t (column_name, vs), unnest(vs) v, unnest(array['=', '<>', '<', '<=', '>', '>=']) op;
INSERT INTO conditions VALUES ('service = ANY (''{svc 1,svc 2,NULL}'')'), ('service = ALL (''{svc 1}'')'), ('service <> ALL (''{svc 1}'')'), ('service IN (''a'',''b'')'),
    ('attributes ->> ''k'' IN (''v1'', ''v2'')'), ('attributes ->> ''k'' IS NULL'), ('attributes ->> ''k'' IS NOT NULL'), ('attributes ->> ''k'' LIKE ''v%'''), ('note IS NULL'),
    ('blank IS NULL'), ('later IS NOT NULL'), ('name ~ ''1$'''), ('NOT (service = ''svc 1'')'), ('service = ''svc 1'' OR service IS NULL'), ('coalesce(note, ''n1'') = ''n1'''),
    ('(attributes ->> ''rare'')::int > 3000'), ('resource_attributes ? ''n'''), ('resource_attributes @> ''{"n": 1}'''), ('attributes ? ''k'''), ('attributes @> ''{"k": 1}'''),
    ('attributes -> ''k'' = ''1'''), ('name::int > 3'), ('service = ANY (''{}'')'), ('service = name'), ('attributes ->> ''k'' = attributes ->> ''esc'''), ('5 < small'), ('''svc 1'' = service'),
    ('attributes ->> name = ''x'''), ('CASE WHEN service = ''svc 1'' THEN true END'), ('f IS NOT NULL');
DELETE FROM conditions WHERE c ~ '^f ';
SELECT count(*) FROM conditions;
SELECT differs(c) FROM conditions;
-- pairs and triples of them
SELECT differs(format('(%s) AND (%s)%s', a.c, b.c, CASE WHEN random() < .5 THEN ' AND duration_ns > 1000' END))
  FROM (SELECT c FROM conditions ORDER BY random() LIMIT 6) a, (SELECT c FROM conditions ORDER BY random() LIMIT 8) b;

-- what the plan shows; values known when it runs
EXPLAIN (COSTS OFF) SELECT name FROM f WHERE duration_ns > 5 AND attributes ->> 'k' = 'v1' AND service = name;
PREPARE p AS SELECT count(*) FROM f WHERE service = $1 AND attributes ->> 'k' = ANY ($2) AND num < $3;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE p ('svc 1', '{v1}', 100);
EXECUTE p ('svc 1', '{v1,true}', 100);
SELECT count(*) FROM h WHERE service = 'svc 1' AND attributes ->> 'k' IN ('v1', 'true') AND num < 100;
EXECUTE p (NULL, '{v1}', 100);
EXECUTE p ('svc 1', NULL, 100);
SELECT s, (SELECT count(*) FROM f WHERE f.service = s AND f.small > n), (SELECT count(*) FROM h WHERE h.service = s AND h.small > n) FROM (VALUES ('svc 1', 3), ('svc 2', 5), (NULL, 1), ('x', 0), ('svc 1', NULL)) v (s, n);
SET client_min_messages = warning;
DROP TABLE f, h, conditions, tempo.spans CASCADE;
DROP FUNCTION answer, differs;
DROP PROCEDURE load;
