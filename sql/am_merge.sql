-- Merging: what becomes a segment, small segments again, split marks, and what VACUUM gives back.
CREATE TABLE m (id int, t text) USING tempo;
DO $$ BEGIN FOR i IN 1..1000 LOOP INSERT INTO m VALUES (i, md5(i::text)); END LOOP; END $$;
SELECT count(*) AS batches, sum(rows) AS rows FROM tempo.units('m') WHERE kind = 'recent batch';
-- nothing of an aborted transaction stays
BEGIN;
SELECT tempo_merge('m');
INSERT INTO m VALUES (-1, 'mine');
SELECT tempo_merge('m');
SELECT count(*) FROM m;
ROLLBACK;
SELECT kind, count(*), sum(rows) FROM tempo.units('m') GROUP BY 1;
SELECT tempo_check('m');
SELECT tempo_merge('m');
SELECT tempo_merge('m');
SELECT count(*), sum(id), count(DISTINCT t) FROM m;
SELECT level, rows, vectors, first_block > 0 AS in_file FROM tempo.segments WHERE relation = 'm'::regclass;

-- batches of this transaction, and of a subtransaction that was rolled back
BEGIN;
INSERT INTO m VALUES (1001, 'a');
SAVEPOINT s;
INSERT INTO m VALUES (1002, 'b');
ROLLBACK TO s;
INSERT INTO m VALUES (1003, 'c');
SELECT tempo_merge('m');
COMMIT;
SELECT count(*), max(id) FROM m;
SELECT tempo_check('m');

-- small segments of one size are merged again when there are eight
DO $$ BEGIN FOR i IN 1..20 LOOP INSERT INTO m VALUES (2000 + i, 'small'); PERFORM tempo_merge('m'); END LOOP; END $$;
SELECT level, count(*), sum(rows) FROM tempo.segments WHERE relation = 'm'::regclass GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(id) FROM m;
SELECT tempo_check('m');

-- segments of at most about tempo.segment_rows
SET tempo.segment_rows = 1000;
CREATE TABLE mr (id int, t text) USING tempo;
COPY (SELECT i, 'row ' || i FROM generate_series(1, 5000) i) TO '/tmp/tempo_am_merge';
COPY mr FROM '/tmp/tempo_am_merge';
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm /tmp/tempo_am_merge';
SELECT tempo_merge('mr');
SELECT count(*) AS segments, max(rows) < 2500 AS bounded FROM tempo.segments WHERE relation = 'mr'::regclass;
SELECT bool_and(id = i) AS order_kept FROM (SELECT id, row_number() OVER () AS i FROM mr) r;

-- the step of the merge worker: when enough rows wait, or long enough
TRUNCATE mr;
INSERT INTO mr SELECT i, 'w' FROM generate_series(1, 999) i;
SELECT tempo.merge_step();
INSERT INTO mr VALUES (1000, 'w');
SELECT tempo.merge_step();
SELECT tempo.merge_step();
INSERT INTO mr VALUES (1001, 'w');
SET tempo.merge_delay = 1;
SELECT pg_sleep(1.1);
SELECT tempo.merge_step();
RESET tempo.segment_rows;
RESET tempo.merge_delay;
SELECT level, count(*), sum(rows) FROM tempo.segments WHERE relation = 'mr'::regclass GROUP BY 1;
SELECT tempo_check('mr');

-- after merging, VACUUM gives the companion heap's pages back
CREATE TABLE mv (id int, t text) USING tempo;
DO $$ BEGIN FOR i IN 1..2000 LOOP INSERT INTO mv VALUES (i, repeat(md5(i::text), 100)); END LOOP; END $$;
SELECT pg_relation_size(reltoastrelid) > 1000000 AS large FROM pg_class WHERE oid = 'mv'::regclass;
SELECT tempo_merge('mv');
VACUUM mv;
SELECT pg_relation_size(reltoastrelid) <= 2 * 8192 AS small FROM pg_class WHERE oid = 'mv'::regclass;
DO $$ BEGIN FOR i IN 2001..4000 LOOP INSERT INTO mv VALUES (i, repeat(md5(i::text), 100)); END LOOP; END $$;
SELECT tempo_merge('mv');
VACUUM mv;
SELECT pg_relation_size(reltoastrelid) <= 2 * 8192 AS small, count(*) FROM pg_class c, mv WHERE c.oid = 'mv'::regclass GROUP BY 1;
SELECT tempo_check('mv');

-- spans: one tenant a segment; traces in more than one segment are marked, across partitions too
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SELECT tempo.create_partitions('2026-03-01', '2026-03-02');
INSERT INTO tempo.spans (tenant, trace_id, span_id, start_time)
    SELECT 'one', to_hex(i % 10)::trace_id, to_hex(i)::span_id, '2026-03-01 12:00'::timestamptz + i * interval '1 s' FROM generate_series(1, 20) i;
SELECT tempo_merge();
INSERT INTO tempo.spans (tenant, trace_id, span_id, start_time) VALUES
    ('one', '3', '100', '2026-03-02 00:00:01Z'), ('one', 'ff', '101', '2026-03-02 00:00:01Z'), ('two', '4', '102', '2026-03-01 15:00Z');
SELECT tempo_merge();
SELECT relation, rows, traces, has_split FROM tempo.segments WHERE relation::text ~ 'spans_2026' ORDER BY relation, id;
SELECT tempo_check();

-- a partition with segments that is attached has no marks against its siblings, nor they against it: all of its
-- traces count as split until its segments are written again
CREATE TABLE late (LIKE tempo.spans INCLUDING DEFAULTS INCLUDING CONSTRAINTS) USING tempo;
INSERT INTO late (tenant, trace_id, span_id, start_time) VALUES ('one', 'ff', '200', '2026-03-03 00:00:01Z'), ('one', 'ee', '201', '2026-03-03 00:00:01Z');
SELECT tempo_merge('late');
SELECT rows, has_split FROM tempo.segments WHERE relation = 'late'::regclass;
ALTER TABLE tempo.spans ATTACH PARTITION late FOR VALUES FROM ('2026-03-03 00:00Z') TO ('2026-03-04 00:00Z');
SELECT rows, has_split FROM tempo.segments WHERE relation = 'late'::regclass;
SELECT DISTINCT trace_id FROM traceql('{ } | count() = 2') ORDER BY 1 DESC LIMIT 2;
SELECT tempo_check();
SELECT tempo_merge();
SELECT id, level, rows, has_split FROM tempo.segments WHERE relation = 'late'::regclass;
SELECT tempo_check();
SET client_min_messages = warning;
DROP TABLE m, mr, mv, tempo.spans CASCADE;
