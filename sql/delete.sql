-- DELETE: what is deleted is gone for whoever sees the deletion, and for nobody else.
CREATE TABLE d (id int, t text) USING tempo;
INSERT INTO d SELECT i, 'row ' || i FROM generate_series(1, 20) i;
SELECT tempo_merge('d');
INSERT INTO d VALUES (21, 'waits'), (22, 'waits too');

-- from a segment and from recent batches
DELETE FROM d WHERE id IN (3, 5, 22) RETURNING id, t;
DELETE FROM d WHERE id = 3;
SELECT count(*), sum(id), max(id) FROM d;
SELECT id FROM d WHERE id < 7;
SELECT kind, rows, deleted FROM tempo.units('d') ORDER BY id DESC;
SELECT deleted_rows FROM tempo.storage WHERE relation = 'd'::regclass;
SELECT tempo_check('d');

-- a transaction, its commands, savepoints
BEGIN;
DELETE FROM d WHERE id = 7;
SELECT count(*) FROM d;
SAVEPOINT s;
DELETE FROM d WHERE id BETWEEN 8 AND 10;
SELECT count(*) FROM d;
ROLLBACK TO s;
SELECT count(*) FROM d;
DELETE FROM d WHERE id BETWEEN 9 AND 11;
RELEASE s;
INSERT INTO d VALUES (23, 'new');
DELETE FROM d WHERE id = 23 RETURNING t;
SELECT count(*) FROM d;
ROLLBACK;
SELECT count(*) FROM d;
BEGIN;
DECLARE before CURSOR FOR SELECT id FROM d WHERE id < 7;
DELETE FROM d WHERE id < 7;
FETCH ALL FROM before;
SELECT count(*) FROM d;
ABORT;

-- a row twice in one command; a row of another table joined; what a statement sees of itself
DELETE FROM d USING (VALUES (1), (1)) v (id) WHERE d.id = v.id RETURNING d.*;
WITH gone AS (DELETE FROM d WHERE id = 2 RETURNING *) SELECT gone.t, (SELECT count(*) FROM d) FROM gone;
SELECT count(*) FROM d;
DELETE FROM d WHERE ctid = (SELECT ctid FROM d WHERE id = 4) RETURNING id;
SELECT id FROM d WHERE ctid = (SELECT ctid FROM d WHERE id = 6);

-- triggers after the fact; before it rows would have to be locked
CREATE TABLE log (line text);
CREATE FUNCTION log_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        INSERT INTO log VALUES ('row ' || old.id);
    ELSE
        INSERT INTO log SELECT 'statement ' || count(*) || ' ' || sum(id) FROM gone;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER each AFTER DELETE ON d FOR EACH ROW EXECUTE FUNCTION log_gone();
CREATE TRIGGER all_of_them AFTER DELETE ON d REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION log_gone();
DELETE FROM d WHERE id IN (12, 13);
SELECT * FROM log ORDER BY 1;
CREATE TRIGGER ahead BEFORE DELETE ON d FOR EACH ROW EXECUTE FUNCTION log_gone();
DELETE FROM d WHERE id = 14;
DROP TRIGGER ahead ON d;
DROP TRIGGER each ON d;
DROP TRIGGER all_of_them ON d;

-- what others do: scans in any direction, aggregates, ANALYZE
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT id FROM d;
MOVE LAST IN back;
FETCH BACKWARD 3 FROM back;
COMMIT;
SET tempo.enable_customscan = off;
SELECT count(*), sum(id) FROM d;
RESET tempo.enable_customscan;
ANALYZE d;
SELECT reltuples FROM pg_class WHERE oid = 'd'::regclass;
EXPLAIN (COSTS OFF) DELETE FROM d WHERE id = 1;

-- a merge drops them
SELECT tempo_merge('d');
SELECT tempo_merge('d');
SELECT kind, rows, deleted FROM tempo.units('d') ORDER BY id;
SELECT count(*), sum(id) FROM d;
BEGIN;
DELETE FROM d WHERE id = 15;
SELECT tempo_merge('d');
SELECT rows FROM tempo.segments WHERE relation = 'd'::regclass;
ROLLBACK;
SELECT rows, deleted FROM tempo.segments WHERE relation = 'd'::regclass;
DELETE FROM d;
SELECT count(*) FROM d;
SELECT tempo_merge('d');
SELECT count(*) FROM tempo.units('d');
INSERT INTO d VALUES (1, 'again');
SELECT * FROM d;
SELECT tempo_check('d');
DROP TABLE d;

-- partitions, temporary and unlogged tables, a foreign key's action
CREATE TABLE dp (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE dp1 PARTITION OF dp FOR VALUES FROM (0) TO (10) USING tempo;
CREATE TABLE dp2 PARTITION OF dp FOR VALUES FROM (10) TO (20);
INSERT INTO dp SELECT i, 'x' FROM generate_series(1, 19) i;
DELETE FROM dp WHERE id % 2 = 0;
SELECT tableoid::regclass, count(*) FROM dp GROUP BY 1 ORDER BY 1;
CREATE TEMP TABLE dt (id int, t text) USING tempo;
INSERT INTO dt VALUES (1, 'a'), (2, 'b');
DELETE FROM dt WHERE id = 1;
SELECT * FROM dt;
CREATE TABLE owner (id int PRIMARY KEY);
CREATE TABLE owned (id int REFERENCES owner ON DELETE CASCADE, t text) USING tempo;
INSERT INTO owner VALUES (1), (2);
INSERT INTO owned VALUES (1, 'a'), (2, 'b'), (1, 'c');
DELETE FROM owner WHERE id = 1;
SELECT * FROM owned;
DROP TABLE dp, dt, owner, owned, log;
DROP FUNCTION log_gone;
