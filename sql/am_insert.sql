-- INSERT of many rows stores them in batches where nobody can tell, row by row where somebody could.
CREATE FUNCTION batches(t regclass) RETURNS TABLE (batches bigint, rows numeric) LANGUAGE sql AS $$ SELECT count(*), sum(rows) FROM tempo.units(t) WHERE kind = 'recent batch' $$;
CREATE TABLE b (id int, t text) USING tempo;
INSERT INTO b SELECT i, 'row ' || i FROM generate_series(1, 2500) i;
SELECT * FROM batches('b');
INSERT INTO b VALUES (-1, 'x'), (-2, 'y'), (-3, NULL);
INSERT INTO b (id) SELECT id FROM b ORDER BY length(t), id LIMIT 10;
INSERT INTO b SELECT i, random()::text FROM generate_series(1, 10) i;
SELECT * FROM batches('b');
SELECT count(*), sum(id) FROM b;
-- wide rows: by size
CREATE TABLE wide (id int, t text) USING tempo;
INSERT INTO wide SELECT i, repeat(md5(i::text), 10000) FROM generate_series(1, 100) i;
SELECT * FROM batches('wide');
-- values that are elsewhere and compressed count as what they will be
CREATE TABLE toasted (id int, t text);
INSERT INTO toasted SELECT i, repeat('0123456789', 100000) FROM generate_series(1, 40) i;
TRUNCATE wide;
INSERT INTO wide SELECT * FROM toasted;
SELECT * FROM batches('wide');
SELECT count(*), sum(length(t)) FROM wide;
DROP TABLE wide;

-- new tables, and those written anew
CREATE TABLE wide USING tempo AS SELECT * FROM toasted;
SELECT * FROM batches('wide');
ALTER TABLE toasted SET ACCESS METHOD tempo;
SELECT * FROM batches('toasted');
SELECT (SELECT count(*) FROM (SELECT * FROM toasted EXCEPT ALL SELECT * FROM wide) d) AS differ, (SELECT sum(length(t)) FROM toasted) AS length;
DROP TABLE wide, toasted;
CREATE TABLE ctas USING tempo AS SELECT i AS id, 'row ' || i AS t FROM generate_series(1, 2500) i;
SELECT * FROM batches('ctas');
ALTER TABLE ctas ALTER id TYPE bigint, ADD u uuid DEFAULT gen_random_uuid();
CREATE INDEX ON ctas (id);
SELECT batches, rows, count(DISTINCT u), sum(id) FROM batches('ctas'), ctas GROUP BY 1, 2;
CREATE MATERIALIZED VIEW mv USING tempo AS SELECT id, t FROM ctas WHERE id <= 1500;
REFRESH MATERIALIZED VIEW mv;
SELECT * FROM batches('mv');
SELECT count(*), sum(id) FROM mv;
CREATE TABLE never USING tempo AS SELECT * FROM ctas WITH NO DATA;
CREATE TABLE failing USING tempo AS SELECT 1 / (3000 - i) AS x FROM generate_series(1, 4000) i;
DO $$ BEGIN CREATE TABLE failing USING tempo AS SELECT 1 / (300 - i) AS x FROM generate_series(1, 400) i; EXCEPTION WHEN division_by_zero THEN CREATE TABLE failing USING tempo AS SELECT i AS x FROM generate_series(1, 4) i; END $$;
SELECT sum(x) FROM failing;
-- a table made within the making of another; COPY with triggers into a new table
CREATE FUNCTION make(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('CREATE TABLE made_%s USING tempo AS SELECT i FROM generate_series(1, %s) i', n, n); RETURN n; END $$;
CREATE TABLE maker USING tempo AS SELECT make(i) AS n FROM generate_series(1, 3) i;
SELECT (SELECT sum(n) FROM maker) AS maker, (SELECT sum(i) FROM made_3) AS made_3;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% with % before', new.id, (SELECT count(*) FROM fresh); RETURN new; END $$;
BEGIN;
CREATE TABLE fresh (id int) USING tempo;
CREATE TRIGGER t BEFORE INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION look();
COPY fresh FROM stdin;
1
2
3
\.
COMMIT;
SELECT sum(id) FROM fresh;
DROP TABLE ctas, never, failing, made_1, made_2, made_3, maker, fresh CASCADE;
DROP FUNCTION make, look;

-- errors, savepoints
\set VERBOSITY terse
TRUNCATE b;
ALTER TABLE b ADD CHECK (id < 100), ALTER id SET NOT NULL;
INSERT INTO b SELECT i, 'x' FROM generate_series(90, 110) i;
INSERT INTO b SELECT nullif(i, 5), 'x' FROM generate_series(1, 10) i;
INSERT INTO b SELECT 10 / (5 - i), 'x' FROM generate_series(1, 10) i;
BEGIN;
INSERT INTO b SELECT i, 'kept' FROM generate_series(1, 5) i;
SAVEPOINT s;
INSERT INTO b SELECT i, 'gone' FROM generate_series(6, 9) i;
ROLLBACK TO s;
DO $$ BEGIN INSERT INTO b SELECT i, 'gone' FROM generate_series(97, 105) i; EXCEPTION WHEN check_violation THEN INSERT INTO b SELECT i, 'instead' FROM generate_series(10, 11) i; END $$;
INSERT INTO b SELECT id + 20, t FROM b;
COMMIT;
SELECT t, count(*), sum(id) FROM b GROUP BY 1 ORDER BY 1;
SELECT tempo_check('b');

-- a function that looks at the table sees each row that came before: row by row then
CREATE FUNCTION rows_now() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM b';
TRUNCATE b;
INSERT INTO b SELECT i, rows_now() FROM generate_series(1, 4) i;
SELECT * FROM b ORDER BY id;
SELECT * FROM batches('b');
-- with RETURNING, triggers, policies, ON CONFLICT as well
INSERT INTO b SELECT i, 'r' FROM generate_series(5, 6) i RETURNING id;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% with % before', new.id, (SELECT count(*) FROM b); RETURN new; END $$;
PREPARE many AS INSERT INTO b SELECT i, 'p' FROM generate_series(7, 8) i;
EXECUTE many;
CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION tell();
EXECUTE many;
DROP TRIGGER t ON b;
EXECUTE many;
CREATE TRIGGER a AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO b SELECT i, 'after' FROM generate_series(9, 10) i;
DROP TRIGGER a ON b;
SELECT * FROM batches('b');
CREATE ROLE tempo_test_inserter;
GRANT SELECT, INSERT ON b TO tempo_test_inserter;
ALTER TABLE b ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON b FOR ALL TO tempo_test_inserter USING (true) WITH CHECK (id <> 13);
SET ROLE tempo_test_inserter;
INSERT INTO b SELECT i, 'policy' FROM generate_series(11, 12) i;
INSERT INTO b SELECT i, 'policy' FROM generate_series(12, 14) i;
RESET ROLE;
SELECT t, count(*) FROM b GROUP BY 1 ORDER BY 1;
DROP TABLE b;
DROP ROLE tempo_test_inserter;

-- partitions of another shape, generated columns, indexes, other access methods
CREATE TABLE p (id int, t text, g int GENERATED ALWAYS AS (id * 2) STORED, n serial, k int DEFAULT 3) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100) USING tempo;
CREATE TABLE p2 (gone int, k int DEFAULT 4, t text, n int NOT NULL, id int, g int GENERATED ALWAYS AS (id * 2) STORED) USING tempo;
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200);
CREATE INDEX p_id ON p (id);
INSERT INTO p (id, t) SELECT i, 'part ' || i FROM generate_series(0, 199) i ORDER BY i % 7, i;
SELECT tableoid::regclass, count(*), sum(id), sum(g), min(t), count(DISTINCT n), min(k), max(k) FROM p GROUP BY 1 ORDER BY 1;
SELECT * FROM batches('p1');
SELECT * FROM batches('p2');
INSERT INTO p (id) SELECT i FROM generate_series(199, 201) i;
INSERT INTO p1 (id, n) SELECT i, 0 FROM generate_series(99, 101) i;
SET enable_seqscan = off;
SET tempo.enable_customscan = off;
SELECT id, t, g FROM p WHERE id IN (7, 107) ORDER BY id;
SELECT tempo_check('p');
RESET ALL;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300) USING heap;
INSERT INTO p (id, t) SELECT i, 'more' FROM generate_series(50, 250, 50) i;
SELECT tableoid::regclass, count(*) FROM p WHERE t = 'more' GROUP BY 1 ORDER BY 1;
DROP TABLE p;
DROP FUNCTION batches, rows_now, tell;
