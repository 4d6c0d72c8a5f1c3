-- What a PostgreSQL table is expected to do: cursors, savepoints, triggers, prepared statements, generated
-- columns, temporary and unlogged tables, COPY both ways.
CREATE TABLE ca (id int, t text) USING tempo;
INSERT INTO ca SELECT i, 'x' || i % 3 FROM generate_series(1, 10) i;
SELECT tempo_merge('ca');
INSERT INTO ca SELECT i, 'y' FROM generate_series(11, 15) i;

-- cursors, in all directions, by either scan
CREATE FUNCTION walk() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c SCROLL CURSOR FOR SELECT id FROM ca;
    step text;
    r int;
    seen text := '';
BEGIN
    OPEN c;
    FOREACH step IN ARRAY '{NEXT,NEXT,NEXT,PRIOR,LAST,NEXT,PRIOR,PRIOR,ABSOLUTE 12,RELATIVE -5,FIRST,PRIOR,NEXT,ABSOLUTE -2}'::text[] LOOP
        EXECUTE 'FETCH ' || step || ' FROM ' || quote_ident(c::text) INTO r;
        seen := concat_ws(' ', seen, coalesce(r::text, '-'));
    END LOOP;
    RETURN seen;
END $$;
SELECT walk();
SET tempo.enable_customscan = off;
SELECT walk();
BEGIN;
DECLARE c CURSOR FOR SELECT id, t FROM ca;
MOVE 3 IN c;
DELETE FROM ca WHERE CURRENT OF c;
FETCH 1 FROM c;
COMMIT;
RESET tempo.enable_customscan;
BEGIN;
DECLARE c CURSOR FOR SELECT id, t FROM ca;
MOVE 5 IN c;
DELETE FROM ca WHERE CURRENT OF c;
DECLARE h CURSOR WITH HOLD FOR SELECT id, t FROM ca WHERE id > 12;
FETCH 1 FROM h;
INSERT INTO ca VALUES (16, 'later');
COMMIT;
SELECT tempo_merge('ca') > 0 AS merged;
FETCH ALL FROM h;
CLOSE h;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM ca;

-- rows by ctid, whole rows
SELECT count(*) FROM ca WHERE ctid = (SELECT min(ctid) FROM ca);
SELECT count(*) FROM ca WHERE ctid = ANY (ARRAY(SELECT ctid FROM ca));
SELECT ca FROM ca ORDER BY id LIMIT 1;

-- savepoints around inserts, merges and deletes
BEGIN;
INSERT INTO ca VALUES (100, 'a');
SAVEPOINT a;
INSERT INTO ca VALUES (101, 'b');
SAVEPOINT b;
INSERT INTO ca VALUES (102, 'c');
DELETE FROM ca WHERE id = 100;
SELECT tempo_merge('ca') > 0 AS merged;
SELECT count(*) FROM ca WHERE id >= 100;
ROLLBACK TO b;
SELECT count(*) FROM ca WHERE id >= 100;
RELEASE a;
COMMIT;
SELECT count(*) FROM ca WHERE id >= 100;

-- generic plans over merges, new columns, indexes that go
SET plan_cache_mode = force_generic_plan;
CREATE INDEX ca_id ON ca (id);
PREPARE p(int) AS SELECT count(*) FROM ca WHERE id < $1;
EXECUTE p(5);
SELECT tempo_merge('ca') > 0 AS merged;
EXECUTE p(1000);
ALTER TABLE ca ADD COLUMN z int DEFAULT 3;
EXECUTE p(1000);
DROP INDEX ca_id;
EXECUTE p(1000);
RESET plan_cache_mode;

-- triggers
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_level = 'ROW' THEN RAISE NOTICE '% % %', tg_when, tg_op, coalesce(new.id, old.id);
    ELSE RAISE NOTICE '% rows', (SELECT count(*) FROM new_rows); END IF;
    RETURN coalesce(new, old);
END $$;
CREATE TRIGGER t1 BEFORE INSERT ON ca FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER t2 AFTER INSERT OR DELETE ON ca FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER t3 AFTER INSERT ON ca REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION tell();
INSERT INTO ca VALUES (200, 'trig'), (201, 'ger') RETURNING id, t, z;
COPY ca (id, t) FROM stdin;
300	a
301	b
\.
DELETE FROM ca WHERE id = 300 RETURNING *;

-- temporary and unlogged tables
CREATE TEMP TABLE ct (a int, b text) USING tempo ON COMMIT DELETE ROWS;
CREATE INDEX ON ct (a);
BEGIN;
INSERT INTO ct VALUES (1, 'a');
SELECT tempo_merge('ct');
INSERT INTO ct VALUES (2, 'b');
SELECT * FROM ct ORDER BY a;
COMMIT;
SELECT count(*) FROM ct;
CREATE UNLOGGED TABLE cu (a int, b text) USING tempo;
CREATE INDEX cu_a ON cu (a);
INSERT INTO cu VALUES (1, 'a');
SELECT tempo_merge('cu');
INSERT INTO cu VALUES (2, 'b');
ALTER TABLE cu SET LOGGED;
SET enable_seqscan = off;
SET tempo.enable_customscan = off;
SELECT * FROM cu WHERE a = 2;
SELECT tempo_check('cu');
RESET ALL;

-- columns that make themselves; COPY both ways
CREATE TABLE cg (a int GENERATED ALWAYS AS IDENTITY, b int DEFAULT 5, c int GENERATED ALWAYS AS (b * 2) STORED, d text CHECK (d <> 'bad')) USING tempo;
INSERT INTO cg (d) VALUES ('x') RETURNING *;
\set VERBOSITY terse
INSERT INTO cg (d) VALUES ('bad');
COPY cg (b, d) FROM stdin;
7	q
\N	\N
\.
COPY cg TO stdout (FORMAT csv, HEADER);
COPY (SELECT b, count(*) FROM cg GROUP BY b ORDER BY b) TO stdout;
-- CLUSTER, by any way, and foreign keys to such a table
CREATE INDEX cg_a ON cg (a);
ALTER TABLE cg CLUSTER ON cg_a;
CLUSTER cg;
CREATE TABLE ref (a int REFERENCES cg (a));
DROP TABLE ca, ct, cu, cg;
DROP FUNCTION walk, tell;
