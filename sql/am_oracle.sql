-- The same rows in a heap and in a tempo table: the same answers, before and after merging, by either scan,
-- parallel or not.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN posint AS int CHECK (value > 0);
CREATE TABLE oracle_h (
    id int, b bool, c "char", i2 smallint, i8 bigint, o oid, f4 real, f8 double precision, n numeric, m money,
    t text, v varchar(20), bp char(7), nm name, by bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz,
    iv interval, u uuid, j json, jb jsonb, x xml, ip inet, ci cidr, mac macaddr, mac8 macaddr8, bt bit(5), vb varbit,
    p point, l line, bx box, pa path, po polygon, ce circle, tv tsvector, tq tsquery, ia int[], ta text[][], r int4range,
    mr int8multirange, e mood, co pair, dm posint, lsn pg_lsn, big text);
INSERT INTO oracle_h
SELECT i, i % 2 = 0, chr(65 + i % 26)::"char", i % 30000, i * 10000000000, i, i * 0.5::real, CASE i % 50 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 'Infinity' ELSE i / 3.0 END::float8,
       CASE WHEN i % 40 = 0 THEN 'NaN' ELSE (i * 1.10)::text END::numeric, i * 1.25::money,
       'text ' || i % 10, 'v' || i, 'c' || i % 100, 'name' || i % 5, decode(md5(i::text), 'hex'), '2020-01-01'::date + i,
       '00:00'::time + i * interval '1 second', '01:02:03+02'::timetz, '2020-01-01'::timestamp + i * interval '1 hour',
       CASE WHEN i % 70 = 0 THEN 'infinity' ELSE '2020-01-01 00:00Z'::timestamptz + i * interval '1 us' END,
       i * interval '1 day 2 hours', md5(i::text)::uuid, '{"a" : 1}', jsonb_build_object('k', i, 'l', array[1,2,null]), '<a/>',
       '10.0.0.0'::inet + i, '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', (i % 32)::bit(5), B'101'::varbit,
       point(i, -i), '{1,2,3}', box(point(0,0), point(i, i)), '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),1>',
       to_tsvector('english', 'the quick fox ' || i), 'a & b'::tsquery, array[i, null, i + 1], '{{a,b},{c,d}}',
       int4range(i, i + 10), '{[1,2],[5,6)}', (array['sad','ok','happy'])[1 + i % 3]::mood, row(i, 'x' || i)::pair, i,
       '0/1'::pg_lsn, CASE WHEN i % 100 = 0 THEN repeat(md5(i::text), 500) END
  FROM generate_series(1, 500) i;
-- a row without values, and NULLs here and there
INSERT INTO oracle_h (id) VALUES (NULL);
INSERT INTO oracle_h (id, t, jb, ia) SELECT i, NULLIF('t' || i % 3, 't0'), NULL, NULL FROM generate_series(501, 600) i;

CREATE TABLE oracle_t (LIKE oracle_h) USING tempo;
-- in batches of different sizes: one by one, by INSERT ... SELECT, by COPY
DO $$ DECLARE r oracle_h; BEGIN FOR r IN SELECT * FROM oracle_h WHERE id <= 50 OR id IS NULL LOOP INSERT INTO oracle_t SELECT (r).*; END LOOP; END $$;
INSERT INTO oracle_t SELECT * FROM oracle_h WHERE id BETWEEN 51 AND 100;
COPY (SELECT * FROM oracle_h WHERE id > 100) TO '/tmp/tempo_am_oracle' (FORMAT binary);
COPY oracle_t FROM '/tmp/tempo_am_oracle' (FORMAT binary);
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm /tmp/tempo_am_oracle';

-- every row as text, so that types without equality count too
CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM ((SELECT rh::text FROM oracle_h rh EXCEPT ALL SELECT rt::text FROM oracle_t rt)
                UNION ALL (SELECT rt::text FROM oracle_t rt EXCEPT ALL SELECT rh::text FROM oracle_h rh)) d $$;
-- answers to questions about single columns, each with and without the custom scan
CREATE PROCEDURE compare(label text) LANGUAGE plpgsql AS $$
DECLARE
    col name;
    switch text;
    question text;
    answers text[];
    bad int := 0;
    asked int := 0;
BEGIN
    FOREACH switch IN ARRAY '{on,off}'::text[] LOOP
        PERFORM set_config('tempo.enable_customscan', switch, false);
        IF differences() <> 0 THEN
            RAISE NOTICE '%: rows differ, custom scan %', label, switch;
        END IF;
        FOR col IN SELECT attname FROM pg_attribute WHERE attrelid = 'oracle_t'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum LOOP
            FOREACH question IN ARRAY array[
                'SELECT string_agg(DISTINCT md5(%1$I::text), '','' ORDER BY md5(%1$I::text)) FROM %2$s',
                'SELECT count(*) || ''/'' || count(%1$I) FROM %2$s WHERE %1$I IS NOT NULL OR id %% 7 = 3',
                'SELECT sum(id) FROM %2$s WHERE %1$I::text < ''5'''] LOOP
                EXECUTE format('SELECT array[(' || question || ')::text, (' || replace(question, '%2', '%3') || ')::text]', col, 'oracle_h', 'oracle_t') INTO answers;
                asked := asked + 1;
                IF answers[1] IS DISTINCT FROM answers[2] THEN
                    bad := bad + 1;
                    RAISE NOTICE '%: % differs (custom scan %): %', label, col, switch, question;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
    RESET tempo.enable_customscan;
    RAISE NOTICE '%: % questions, % differ', label, asked, bad;
END $$;

CALL compare('recent batches');
SELECT tempo_merge('oracle_t') = (SELECT count(*) FROM oracle_h) AS all_merged;
CALL compare('one segment');
SELECT tempo_check('oracle_t');
INSERT INTO oracle_h SELECT * FROM oracle_h WHERE id BETWEEN 5 AND 15;
INSERT INTO oracle_t SELECT * FROM oracle_t WHERE id BETWEEN 5 AND 15;
CALL compare('segment and recent batches');
SELECT tempo_merge('oracle_t');
CALL compare('two segments');

-- parallel workers give each row once
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE par (id int, t text) USING tempo;
INSERT INTO par SELECT i, 'x' || i % 3 FROM generate_series(1, 2000) i;
SELECT tempo_merge('par');
INSERT INTO par SELECT i, 'y' FROM generate_series(2001, 3000) i;
SELECT count(*), sum(id), count(DISTINCT id) FROM par;
SET tempo.enable_customscan = off;
SELECT count(*), sum(id), count(DISTINCT id) FROM par;
EXPLAIN (COSTS off) SELECT count(*) FROM par;
RESET ALL;
DROP TABLE oracle_h, oracle_t, par;
DROP TYPE mood, pair, posint CASCADE;
DROP FUNCTION differences;
DROP PROCEDURE compare;
