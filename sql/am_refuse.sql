-- What access method tempo does not do is refused when the statement starts, rows or no rows.
\set VERBOSITY terse
CREATE TABLE r (id int, t text) USING tempo;
CREATE TABLE rp (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE rp1 PARTITION OF rp FOR VALUES FROM (0) TO (10) USING tempo;
CREATE TABLE h (id int, t text);
CREATE VIEW rv AS SELECT * FROM r;
UPDATE r SET t = 'x' WHERE false;
UPDATE rv SET t = 'x';
UPDATE h SET t = 'x' WHERE id IN (SELECT id FROM r);
WITH changed AS (UPDATE r SET t = 'x' RETURNING *) SELECT * FROM changed;
DELETE FROM h USING r WHERE h.id = r.id AND EXISTS (SELECT FROM r FOR UPDATE);
EXPLAIN UPDATE r SET t = 'x';
MERGE INTO r USING h ON r.id = h.id WHEN NOT MATCHED THEN INSERT VALUES (h.id, h.t);
MERGE INTO rp USING h ON rp.id = h.id WHEN MATCHED THEN DELETE;
SELECT * FROM r FOR UPDATE;
SELECT * FROM rp FOR SHARE;
SELECT * FROM h, r WHERE h.id = r.id FOR UPDATE OF h;
INSERT INTO r VALUES (1, 'a') ON CONFLICT (id) DO NOTHING;
INSERT INTO r VALUES (1, 'a') ON CONFLICT DO NOTHING;
DO $$ BEGIN UPDATE r SET t = 'x'; END $$;
PREPARE upd AS UPDATE r SET t = 'x' WHERE id = $1;
EXECUTE upd(1);

CREATE UNIQUE INDEX ON r (id);
CREATE UNIQUE INDEX CONCURRENTLY r_id ON r (id);
CREATE UNIQUE INDEX ON rp (id);
CREATE INDEX ON r USING brin (id);
CREATE INDEX ON rp USING brin (id);
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = ANY ('{r,rp,rp1}'::regclass[]);
CREATE TABLE r2 (id int PRIMARY KEY) USING tempo;
CREATE TABLE r2 (id int UNIQUE) USING tempo;
CREATE TABLE r2 (id int4range, EXCLUDE USING gist (id WITH &&)) USING tempo;
ALTER TABLE r ADD PRIMARY KEY (id);
ALTER TABLE r ADD UNIQUE (id);
CREATE TABLE ref (id int REFERENCES r (id));
CREATE TABLE hp (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE hp1 PARTITION OF hp FOR VALUES FROM (0) TO (10) USING tempo;
CREATE TABLE r3 (id int NOT NULL) USING tempo;
ALTER TABLE hp ATTACH PARTITION r3 FOR VALUES FROM (10) TO (20);

CLUSTER r USING nothing;

-- a heap table of fixed-width columns has no TOAST relation to hold rows
CREATE TABLE flat (id int);
ALTER TABLE flat SET ACCESS METHOD tempo;
ALTER TABLE h SET ACCESS METHOD tempo;
INSERT INTO h VALUES (1, 'now columns');
SELECT * FROM h;

-- a foreign key from such a table: its rows cannot be locked, so referenced rows stay as they are
CREATE TABLE pk (id int PRIMARY KEY);
INSERT INTO pk VALUES (1);
CREATE TABLE fk (id int REFERENCES pk) USING tempo;
DELETE FROM pk;

-- maintenance functions: which tables, and whose
SELECT tempo_merge('flat');
SELECT tempo_check('flat');
SELECT tempo_merge('rv');
SELECT tempo_merge('rp');
SELECT tempo_merge(NULL);
CREATE ROLE tempo_test_nobody;
SET ROLE tempo_test_nobody;
SELECT tempo_merge('r');
SELECT tempo_check('r');
SELECT tempo.merge_step();
RESET ROLE;
GRANT SELECT ON r TO tempo_test_nobody;
SET ROLE tempo_test_nobody;
SELECT tempo_check('r');
RESET ROLE;
BEGIN READ ONLY;
SELECT tempo_merge('r');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT tempo_merge('r');
ROLLBACK;
DROP OWNED BY tempo_test_nobody;
DROP ROLE tempo_test_nobody;
SELECT count(*) FROM r;
DROP TABLE r, rp, h, hp, flat, r3, fk, pk CASCADE;
