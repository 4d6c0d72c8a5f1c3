-- Access method tempo: rows in and out, transactions, slots, triggers, statistics.
CREATE TABLE b (id int, t text) USING tempo;
INSERT INTO b SELECT i, repeat('x', i % 7) FROM generate_series(1, 20) i;
SELECT count(*), sum(id), min(t), max(t) FROM b;

-- transactions and savepoints
BEGIN;
INSERT INTO b VALUES (100, 'r');
SAVEPOINT s;
INSERT INTO b VALUES (101, 'r');
ROLLBACK TO s;
SELECT id FROM b WHERE id >= 100;
ROLLBACK;
SELECT count(*) FROM b;
-- a statement does not see its own rows
INSERT INTO b SELECT id + 1000, t FROM b;
SELECT count(*) FROM b;

-- COPY both ways; NULL, empty, long and unusual strings
COPY b FROM stdin;
300	copy
301	\N
302	
303	tab\there
\.
INSERT INTO b VALUES (304, repeat(md5('a'), 10000)), (305, E'\u00e4\U0001f600');
COPY (SELECT id, left(t, 40), length(t) FROM b WHERE id BETWEEN 300 AND 305 ORDER BY id) TO stdout;
SELECT t = repeat(md5('a'), 10000) AS long_ok FROM b WHERE id = 304;

-- whole rows, TIDs
SELECT b, b.tableoid::regclass FROM b WHERE id = 300;
SELECT id FROM b WHERE ctid = (SELECT ctid FROM b WHERE id = 302);
SELECT id FROM b WHERE ctid = '(99999,1)';
SELECT count(DISTINCT ctid) = count(*) AS tids_differ FROM b;
SELECT xmin FROM b LIMIT 1;

-- a scrollable cursor over either scan
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM b WHERE id <= 20;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH ABSOLUTE 5 FROM c;
FETCH RELATIVE -2 FROM c;
COMMIT;
SET tempo.enable_customscan = off;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM b WHERE id <= 20;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH ABSOLUTE 5 FROM c;
FETCH RELATIVE -2 FROM c;
COMMIT;
RESET tempo.enable_customscan;

-- row triggers, RETURNING, CHECK, NOT NULL, generated columns and identity
CREATE TABLE tr (id int GENERATED ALWAYS AS IDENTITY, v int NOT NULL CHECK (v > 0), w int GENERATED ALWAYS AS (v * 2) STORED) USING tempo;
CREATE FUNCTION tr_notice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% %', tg_when, new; RETURN new; END $$;
CREATE TRIGGER after_row AFTER INSERT ON tr FOR EACH ROW EXECUTE FUNCTION tr_notice();
INSERT INTO tr (v) VALUES (1), (2) RETURNING *;
COPY tr (v) FROM stdin;
7
8
\.
INSERT INTO tr (v) VALUES (0);
INSERT INTO tr (v) VALUES (NULL);
INSERT INTO tr (v) VALUES (9) ON CONFLICT DO NOTHING;
SELECT * FROM tr ORDER BY id;

-- a foreign key from the table
CREATE TABLE pk (id int PRIMARY KEY);
INSERT INTO pk VALUES (1);
CREATE TABLE fk (id int REFERENCES pk) USING tempo;
INSERT INTO fk VALUES (1), (NULL);
INSERT INTO fk VALUES (2);

-- CREATE TABLE AS, materialized views, temporary and unlogged tables, partitions
CREATE TABLE b2 USING tempo AS SELECT * FROM b;
CREATE MATERIALIZED VIEW bm USING tempo AS SELECT id FROM b WHERE id <= 20;
INSERT INTO b VALUES (0, 'z');
REFRESH MATERIALIZED VIEW bm;
CREATE TEMP TABLE bt USING tempo AS SELECT * FROM b;
CREATE UNLOGGED TABLE bu (LIKE b) USING tempo;
INSERT INTO bu SELECT * FROM b;
CREATE TABLE bp (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE bp1 PARTITION OF bp FOR VALUES FROM (0) TO (100) USING tempo;
CREATE TABLE bp2 PARTITION OF bp FOR VALUES FROM (100) TO (2000) USING tempo;
INSERT INTO bp SELECT * FROM b;
SELECT (SELECT count(*) FROM b) AS b, (SELECT count(*) FROM b2) AS b2, (SELECT count(*) FROM bm) AS bm,
       (SELECT count(*) FROM bt) AS bt, (SELECT count(*) FROM bu) AS bu, (SELECT count(*) FROM bp) AS bp;

-- ANALYZE knows rows, and their order
VACUUM ANALYZE b;
SELECT reltuples FROM pg_class WHERE oid = 'b'::regclass;
SELECT attname, null_frac > 0 AS nulls, correlation > 0.3 AS ordered FROM pg_stats WHERE tablename = 'b' ORDER BY 1;

-- TRUNCATE, in and out of the transaction that made the file
TRUNCATE b2;
INSERT INTO b2 VALUES (1, 'after');
BEGIN;
TRUNCATE b2;
SELECT count(*) FROM b2;
ROLLBACK;
BEGIN;
CREATE TABLE b3 (i int) USING tempo;
INSERT INTO b3 VALUES (1);
TRUNCATE b3;
INSERT INTO b3 VALUES (2);
SELECT * FROM b3;
COMMIT;
SELECT * FROM b2, b3;

SELECT tempo_check(t) FROM unnest('{b,b2,b3,bm,bt,bu,bp,tr,fk}'::regclass[]) t;
DROP TABLE b, b2, b3, bt, bu, bp, tr, fk, pk CASCADE;
