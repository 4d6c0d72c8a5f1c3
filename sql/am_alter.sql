-- Tables that change shape: columns added and dropped over old batches and segments, rewrites, moves.
CREATE TABLE s (a int, b text, c point) USING tempo;
INSERT INTO s SELECT i, 'b' || i, point(i, i) FROM generate_series(1, 5) i;
SELECT tempo_merge('s');
INSERT INTO s SELECT i, 'b' || i, point(i, i) FROM generate_series(6, 7) i;

ALTER TABLE s ADD COLUMN d int DEFAULT 42, ADD COLUMN e text DEFAULT 'missing', ADD COLUMN f uuid, ADD COLUMN g interval DEFAULT '1 day';
INSERT INTO s VALUES (8, 'b8', point(8, 8), 43, NULL, '00000000-0000-0000-0000-000000000008', NULL);
SELECT a, b, c, d, e, f, g FROM s ORDER BY a;
SELECT count(*) FROM s WHERE d = 42 AND e = 'missing';
-- the columns go into the next segment; the older one stays as it is
SELECT tempo_merge('s');
SELECT * FROM s WHERE a IN (5, 6, 8) ORDER BY a;
SELECT tempo_check('s');

ALTER TABLE s DROP COLUMN b, DROP COLUMN c;
INSERT INTO s VALUES (9, 44, 'nine', NULL, '2 days');
SELECT * FROM s WHERE a IN (1, 7, 8, 9) ORDER BY a;
ALTER TABLE s ADD COLUMN b boolean;
INSERT INTO s VALUES (10, 45, 'ten', NULL, NULL, true);
SELECT tempo_merge('s');
SELECT * FROM s WHERE a >= 8 ORDER BY a;
SELECT tempo_check('s');
ALTER TABLE s RENAME COLUMN e TO renamed;
SELECT renamed FROM s WHERE a = 9;

-- rewrites
ALTER TABLE s ALTER COLUMN d TYPE text USING 'd' || d;
ALTER TABLE s ALTER COLUMN a TYPE bigint;
ALTER TABLE s ADD COLUMN r double precision DEFAULT random();
SELECT a, d, renamed, g, b FROM s ORDER BY a;
SELECT count(DISTINCT r) FROM s;
SELECT tempo_merge('s');
SELECT tempo_check('s');

-- access methods there and back
ALTER TABLE s SET ACCESS METHOD heap;
UPDATE s SET renamed = 'in heap' WHERE a = 1;
ALTER TABLE s SET ACCESS METHOD tempo;
SELECT renamed, count(*) FROM s GROUP BY 1 ORDER BY 1;
SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = 's'::regclass;

-- tablespaces, logged and unlogged
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE tempo_test_space LOCATION '';
SELECT tempo_merge('s');
ALTER TABLE s SET TABLESPACE tempo_test_space;
SELECT count(*), sum(a) FROM s;
INSERT INTO s (a) VALUES (11);
SELECT tempo_merge('s');
SELECT tempo_check('s');
ALTER TABLE s SET TABLESPACE pg_default;
DROP TABLESPACE tempo_test_space;
ALTER TABLE s SET UNLOGGED;
SELECT count(*), sum(a) FROM s;
ALTER TABLE s SET LOGGED;
SELECT count(*), sum(a) FROM s;
SELECT tempo_check('s');

-- partitions come and go
CREATE TABLE sp (LIKE s) PARTITION BY RANGE (a);
ALTER TABLE sp ATTACH PARTITION s FOR VALUES FROM (0) TO (100);
INSERT INTO sp (a) VALUES (12);
SELECT count(*), sum(a) FROM sp;
SELECT tempo_merge('sp');
ALTER TABLE sp DETACH PARTITION s;
SELECT count(*), sum(a) FROM s;

-- CHECK, VALIDATE, NOT NULL read every row
ALTER TABLE s ADD CONSTRAINT small CHECK (a < 12) NOT VALID;
ALTER TABLE s VALIDATE CONSTRAINT small;
ALTER TABLE s ALTER COLUMN renamed SET NOT NULL;
ALTER TABLE s ALTER COLUMN a SET NOT NULL;

-- by default
SET default_table_access_method = tempo;
CREATE TABLE plain (i int);
INSERT INTO plain VALUES (1);
CREATE TABLE like_s (LIKE s INCLUDING ALL);
RESET default_table_access_method;
SELECT relname, amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname IN ('plain', 'like_s') ORDER BY 1;
SELECT tempo_check('plain');
DROP TABLE s, sp, plain, like_s;

-- a table as wide as the server allows, and one of no columns
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 1600) i) || ') USING tempo'; END $$;
INSERT INTO wide (c1, c1600) VALUES (1, 1600), (2, NULL);
SELECT tempo_merge('wide');
SELECT c1, c800, c1600 FROM wide;
CREATE TABLE none () USING tempo;
INSERT INTO none DEFAULT VALUES;
INSERT INTO none DEFAULT VALUES;
SELECT tempo_merge('none');
INSERT INTO none DEFAULT VALUES;
SELECT count(*) FROM none;
SELECT tempo_check(t) FROM unnest('{wide,none}'::regclass[]) t;
DROP TABLE wide, none;
