-- Indexes: the same rows as a heap gives, whatever happens to the rows between.
CREATE TABLE ih (id int, g int, t text, d timestamptz);
CREATE TABLE it (LIKE ih) USING tempo;
CREATE FUNCTION fill(from_id int, to_id int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO ih SELECT i, i % 17, 'text ' || i % 101, '2024-01-01Z'::timestamptz + i * interval '1 s' FROM generate_series(from_id, to_id) i;
    INSERT INTO it SELECT * FROM ih WHERE id BETWEEN from_id AND to_id;
$$;
SELECT fill(1, 1000);
SELECT tempo_merge('it');
SELECT fill(1001, 1200);
CREATE INDEX it_id ON it (id);
CREATE INDEX it_hash ON it USING hash (t);
CREATE INDEX it_expr ON it (upper(t), id DESC) INCLUDE (d);
CREATE INDEX it_part ON it (d) WHERE g = 3;
SET tempo.enable_customscan = off;
SET enable_seqscan = off;
SET jit = off;

-- each question by the scans its indexes allow
CREATE PROCEDURE ask(label text) LANGUAGE plpgsql AS $$
DECLARE
    q text;
    scan text;
    switch text;
    h text;
    t text;
    line text;
    used int := 0;
    asked int := 0;
BEGIN
    FOREACH switch IN ARRAY '{enable_indexscan,enable_bitmapscan,enable_indexonlyscan}'::text[] LOOP
        PERFORM set_config(switch, 'off', true);
        FOREACH q IN ARRAY array['id = 77', 'id BETWEEN 990 AND 1010', 'id IN (5, 900, 1100, 1250)', 't = ''text 7''', 't = ''text 7'' AND g = 3',
                                 'upper(t) = ''TEXT 50''', 'd > ''2024-01-01 00:10Z'' AND g = 3', 'id = 3 OR id = 1203 OR t = ''text 100''', 'id < 0'] LOOP
            EXECUTE 'SELECT string_agg(x::text, '';'' ORDER BY x::text) FROM ih x WHERE ' || q INTO h;
            EXECUTE 'SELECT string_agg(x::text, '';'' ORDER BY x::text) FROM it x WHERE ' || q INTO t;
            asked := asked + 1;
            IF h IS DISTINCT FROM t THEN
                RAISE NOTICE '%: % differs, % off', label, q, switch;
            END IF;
            FOR line IN EXECUTE 'EXPLAIN SELECT * FROM it WHERE ' || q LOOP
                used := used + (line ~ 'Index (Only )?Scan')::int;
            END LOOP;
        END LOOP;
        PERFORM set_config(switch, 'on', true);
    END LOOP;
    RAISE NOTICE '%: % asked, % or more by index', label, asked, least(used, 26);
END $$;
CALL ask('built');
SELECT fill(1201, 1300);
CALL ask('inserted');
SELECT tempo_merge('it');
CALL ask('merged');
BEGIN;
SELECT fill(1301, 1400);
SAVEPOINT s;
SELECT fill(1401, 1500);
ROLLBACK TO s;
CALL ask('in a transaction');
SELECT tempo_merge('it');
CALL ask('merged in a transaction');
ROLLBACK;
CALL ask('rolled back');
VACUUM it;
CALL ask('vacuumed');
SELECT relname, reltuples FROM pg_class WHERE relname ~ '^it_' ORDER BY 1;
REINDEX TABLE it;
CALL ask('again');
SELECT tempo_check('it');
DELETE FROM ih WHERE id % 5 = 2 OR t = 'text 7';
DELETE FROM it WHERE t = 'text 7';
DELETE FROM it WHERE id % 5 = 2;
CALL ask('deleted');
CREATE INDEX it_d ON it (d);
CALL ask('another index');
SELECT tempo_check('it');
SELECT tempo_merge('it') > 1000 AS merged_again;
CALL ask('deleted and merged');
DROP INDEX it_d;
VACUUM it;
VACUUM FULL it;
CALL ask('written anew');
SELECT reltuples = (SELECT count(*) FROM ih) AS as_many_entries FROM pg_class WHERE relname = 'it_id';
SELECT tempo_check('it');

-- in order, backwards, without the rows
EXPLAIN (COSTS off) SELECT id FROM it ORDER BY id DESC LIMIT 3;
SELECT id FROM it ORDER BY id DESC LIMIT 3;
EXPLAIN (COSTS off) SELECT count(*) FROM it WHERE id > 1000;
SELECT count(*) FROM it WHERE id > 1000;
-- joins
EXPLAIN (COSTS off) SELECT ih.id, it.t FROM ih JOIN it ON it.id = ih.id WHERE ih.id < 4 ORDER BY 1;
SELECT ih.id, it.t FROM ih JOIN it ON it.id = ih.id WHERE ih.id < 4 ORDER BY 1;
-- other access methods, by bitmap
ALTER TABLE it ADD COLUMN tags text[] DEFAULT '{a,b}';
CREATE INDEX it_gin ON it USING gin (tags);
INSERT INTO it VALUES (2000, 1, 'last', '2025-01-01Z', '{b,c}');
EXPLAIN (COSTS off) SELECT id FROM it WHERE tags @> '{c}';
SELECT id FROM it WHERE tags @> '{c}';
SELECT count(*) FROM it WHERE tags @> '{b}';
-- ON CONFLICT without a target has nothing to conflict with
INSERT INTO it (id) VALUES (3000) ON CONFLICT DO NOTHING;
SELECT id FROM it WHERE id = 3000;
SELECT tempo_check('it');

-- partitions get the indexes of their parent
CREATE TABLE ip (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE ip1 PARTITION OF ip FOR VALUES FROM (0) TO (10) USING tempo;
CREATE INDEX ip_b ON ip (b);
CREATE TABLE ip2 (a int, b text) USING tempo;
INSERT INTO ip2 SELECT 15, 'x' || i FROM generate_series(1, 10) i;
ALTER TABLE ip ATTACH PARTITION ip2 FOR VALUES FROM (10) TO (20);
INSERT INTO ip VALUES (1, 'x3');
EXPLAIN (COSTS off) SELECT * FROM ip WHERE b = 'x3';
SELECT * FROM ip WHERE b = 'x3' ORDER BY a;
TRUNCATE ip2;
INSERT INTO ip VALUES (16, 'x3');
SELECT * FROM ip WHERE b = 'x3' ORDER BY a;

BEGIN;
CREATE TABLE iq (a int, b text) USING tempo;
CREATE INDEX iq_b ON iq (b);
INSERT INTO iq VALUES (1, 'x1'), (2, 'x2');
SELECT tempo_merge('iq');
INSERT INTO iq VALUES (3, 'x3');
TRUNCATE iq;
INSERT INTO iq VALUES (4, 'x1');
SELECT * FROM iq WHERE b = 'x1';
COMMIT;
-- rewritten, and built over a column that older rows have not got
ALTER TABLE iq ADD COLUMN c int DEFAULT 7;
CREATE INDEX iq_c ON iq (c);
INSERT INTO iq VALUES (5, 'x5');
SELECT * FROM iq WHERE c = 7 ORDER BY a;
ALTER TABLE iq ALTER COLUMN a TYPE text, SET UNLOGGED;
SELECT * FROM iq WHERE c = 7 ORDER BY a;
CREATE INDEX CONCURRENTLY iq_a ON iq (a);
REINDEX TABLE CONCURRENTLY iq;
SELECT * FROM iq WHERE a = '5';
SELECT tempo_check('iq');
DROP INDEX CONCURRENTLY iq_a;

-- what is refused
\set VERBOSITY terse
CREATE UNIQUE INDEX ON it (id);
CREATE INDEX ON it USING brin (id);
ALTER TABLE it ADD PRIMARY KEY (id);
ALTER TABLE it ADD UNIQUE (id);
INSERT INTO it (id) VALUES (1) ON CONFLICT (id) DO NOTHING;
CLUSTER it USING it_id;
DROP TABLE ih, it, ip, iq;
DROP FUNCTION fill;
DROP PROCEDURE ask;
