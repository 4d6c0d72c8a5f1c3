-- tempo_rewrite() and VACUUM FULL: what was deleted is not in the files any more, nor is dead space.
CREATE TABLE w (id int, t text, extra text) USING tempo;
CREATE FUNCTION bytes(rel regclass) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE toast regclass := (SELECT reltoastrelid FROM pg_class WHERE oid = rel);
BEGIN
    CHECKPOINT;
    RETURN pg_read_binary_file(pg_relation_filepath(rel)) || pg_read_binary_file(pg_relation_filepath(toast));
END $$;
CREATE FUNCTION holds(needle text) RETURNS boolean LANGUAGE sql AS $$ SELECT position(convert_to(needle, 'UTF8') IN bytes('w')) > 0 $$;
CREATE FUNCTION rows(OUT n bigint, OUT sum bigint, OUT texts text) LANGUAGE sql AS $$ SELECT count(*), sum(id), md5(string_agg(t, ',' ORDER BY id)) FROM w $$;

-- Waits for whoever was there before the rows were deleted, such as ANALYZE.
CREATE PROCEDURE rewrite(rel regclass) LANGUAGE plpgsql AS $$
DECLARE done boolean := false;
BEGIN
    WHILE NOT done LOOP
        BEGIN
            PERFORM tempo_rewrite(rel);
            done := true;
        EXCEPTION WHEN object_in_use THEN
            PERFORM pg_sleep(0.1);
        END;
        COMMIT;
    END LOOP;
END $$;

INSERT INTO w SELECT i, CASE i WHEN 7 THEN 'Zk7wQ9' WHEN 8 THEN 'Xb3vR5' ELSE md5(i::text) END, 'Dr0pM3-' || i FROM generate_series(1, 300) i;
SELECT tempo_merge('w');
INSERT INTO w SELECT i, CASE i WHEN 302 THEN 'Pq8sT2' ELSE md5(i::text) END, 'x' FROM generate_series(301, 305) i;
COPY w FROM STDIN;
306	Lm4nB6	x
307	Hj1kC0	x
\.
SELECT holds('Zk7wQ9') AS seven, holds('Xb3vR5') AS eight, holds('Pq8sT2') AS waiting, holds('Lm4nB6') AS copied, holds('Dr0pM3') AS column;
DELETE FROM w WHERE id IN (7, 100, 302, 306);
ALTER TABLE w DROP COLUMN extra;
SELECT * FROM rows();
SELECT holds('Zk7wQ9') AS seven, holds('Xb3vR5') AS eight, holds('Pq8sT2') AS waiting, holds('Lm4nB6') AS copied, holds('Dr0pM3') AS column;

-- not while somebody may see the rows
BEGIN;
DELETE FROM w WHERE id = 200;
SELECT tempo_rewrite('w');
ROLLBACK;
SELECT pg_relation_filenode('w') AS before \gset
SELECT pg_total_relation_size('w') AS size \gset
CALL rewrite('w');
SELECT pg_total_relation_size('w') < :size AS smaller;
SELECT pg_relation_filenode('w') <> :before AS moved;
SELECT * FROM rows();
SELECT holds('Zk7wQ9') AS seven, holds('Xb3vR5') AS eight, holds('Pq8sT2') AS waiting, holds('Lm4nB6') AS copied, holds('Dr0pM3') AS column;
SELECT kind, rows, deleted FROM tempo.units('w') ORDER BY kind, id;
SELECT tempo_check('w');
SELECT dead_bytes FROM tempo.storage WHERE relation = 'w'::regclass;

-- and on: inserts, deletes, merges, rolled back rewrites, VACUUM FULL, all rows deleted
BEGIN;
INSERT INTO w VALUES (401, 'never');
SELECT tempo_rewrite('w') IS NOT NULL AS done;
SELECT count(*) FROM w WHERE id = 401;
ROLLBACK;
INSERT INTO w VALUES (400, 'later');
DELETE FROM w WHERE id IN (8, 400);
SELECT tempo_merge('w');
SELECT * FROM rows();
VACUUM FULL w;
SELECT * FROM rows();
SELECT tempo_check('w');
SELECT relfrozenxid::text::bigint > 0 AS has_horizon FROM pg_class WHERE oid = 'w'::regclass;
VACUUM w;
DELETE FROM w;
VACUUM (FULL, ANALYZE) w;
SELECT count(*) FROM w;
SELECT count(*) FROM tempo.units('w');
INSERT INTO w VALUES (1, 'one');
SELECT * FROM w;
SELECT tempo_check('w');

-- indexes
INSERT INTO w SELECT i, 'text ' || i FROM generate_series(2, 500) i;
SELECT tempo_merge('w');
INSERT INTO w VALUES (501, 'text 501');
CREATE INDEX ON w (id);
CREATE INDEX ON w USING hash (t);
SET enable_seqscan = off;
SET tempo.enable_customscan = off;
DELETE FROM w WHERE id BETWEEN 10 AND 12 OR t = 'text 501' RETURNING id;
SELECT count(*) FROM w WHERE id BETWEEN 5 AND 15;
CALL rewrite('w');
SELECT t FROM w WHERE id BETWEEN 9 AND 14 ORDER BY id;
SELECT id FROM w WHERE t IN ('text 11', 'text 20', 'text 501');
SELECT tempo_merge('w') > 0 AS merged;
SELECT t FROM w WHERE id BETWEEN 9 AND 14 ORDER BY id;
RESET enable_seqscan;
RESET tempo.enable_customscan;
SELECT tempo_check('w');

-- what is not rewritten, and who may not
CREATE TABLE wp (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE wh (id int, t text);
SELECT tempo_rewrite('wp');
SELECT tempo_rewrite('wh');
CLUSTER w USING nothing;
CREATE ROLE tempo_test_other;
SET ROLE tempo_test_other;
SELECT tempo_rewrite('w');
RESET ROLE;
DROP ROLE tempo_test_other;
CREATE TEMP TABLE wt (id int, t text) USING tempo;
INSERT INTO wt VALUES (1, 'a'), (2, 'b');
DELETE FROM wt WHERE id = 1;
CALL rewrite('wt');
CREATE UNLOGGED TABLE wu (id int, t text) USING tempo;
INSERT INTO wu VALUES (1, 'a'), (2, 'b');
SELECT tempo_merge('wu');
DELETE FROM wu WHERE id = 1;
VACUUM FULL wu;
SELECT (SELECT string_agg(t, '') FROM wt) AS temporary, (SELECT string_agg(t, '') FROM wu) AS unlogged;
SELECT tempo_check('wu');
DROP TABLE w, wp, wh, wt, wu;
DROP FUNCTION bytes, holds, rows;

-- spans: marks of split traces, TraceQL
SET client_min_messages = warning;
DROP TABLE IF EXISTS tempo.spans CASCADE;
RESET client_min_messages;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-09-01', '2021-09-01') >= 0 AS made;
INSERT INTO tempo.spans (trace_id, span_id, name, start_time, duration_ns, attributes)
SELECT lpad(to_hex(i % 10 + 1), 32, '0')::trace_id, i::bigint::span_id, 'op ' || i, '2021-09-01'::timestamptz + i * interval '1 minute', i, format('{"n": %s}', i)::tempo.attributes FROM generate_series(1, 100) i;
SELECT tempo_merge() > 0 AS merged;
INSERT INTO tempo.spans (trace_id, span_id, name, start_time, duration_ns)
SELECT lpad(to_hex(i % 4 + 1), 32, '0')::trace_id, i::bigint::span_id, 'late ' || i, '2021-09-01'::timestamptz + i * interval '1 minute', i FROM generate_series(101, 120) i;
SELECT tempo_merge() > 0 AS merged;
DELETE FROM tempo.spans WHERE trace_id = '3' OR span_id IN ('5', '6d');
CREATE VIEW found AS SELECT (SELECT count(*) FROM tempo.spans) AS spans, (SELECT string_agg(span_id::text, ' ' ORDER BY span_id) FROM traceql('{ name =~ "late.*" } | count() > 3')) AS counted,
       (SELECT count(*) FROM traceql('{ name =~ "late.*" } && { .n > 50 }')) AS both, (SELECT string_agg(value, ' ') FROM traceql_tag_values('span.n')) AS "values";
CREATE TABLE before AS SELECT * FROM found;
SELECT relation, rows, deleted, has_split FROM tempo.segments WHERE relation::text ~ 'spans_202109' ORDER BY id;
CALL rewrite('tempo.spans_20210901');
SELECT relation, rows, deleted, has_split FROM tempo.segments WHERE relation::text ~ 'spans_202109' ORDER BY id;
SELECT count(*) AS the_same FROM before b, found f WHERE b::text = f::text;
SELECT spans, "values" ~ '\m3\M' AS three, "values" ~ '\m2\M' AS two FROM found;
SELECT tempo_check();
DROP TABLE tempo.spans, before CASCADE;
DROP PROCEDURE rewrite;
