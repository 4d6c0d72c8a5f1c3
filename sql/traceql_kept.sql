-- Images kept open from query to query change no answer: whatever fits, after merges, truncation, deletes and failures.
SET TIME ZONE 'UTC';
SET jit = off;
SET client_min_messages = warning;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-11-01', '2021-11-02') >= 0 AS made;
RESET client_min_messages;

-- spans p of traces a to b; all of a trace starts with the trace, and three traces start together
CREATE PROCEDURE add_spans(a int, b int, p int[]) LANGUAGE sql AS $$
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, status, start_time, duration_ns, service,
                         attributes, resource_attributes)
SELECT 'k-shop', to_hex(t * 7919 % 104729 + 4096)::trace_id, to_hex(t * 8 + s)::span_id, CASE WHEN s > 1 THEN to_hex(t * 8 + s / 2)::span_id END,
       'op ' || (t + s) % 7, (ARRAY['unset', 'error', 'ok'])[(t * s) % 11 % 3 + 1]::tempo.status_code,
       '2021-11-01 23:59:00'::timestamptz + t / 3 * interval '1 s', 1000000 * (t % 13 + s), 'svc ' || s % 3,
       format('{"n": %s, "who": "user %s"}', (t * s) % 17, t % 40)::tempo.attributes,
       format('{"service.name": "svc %s"}', s % 3)::tempo.attributes
FROM generate_series(a, b) t, unnest(p) s $$;

CREATE TEMP TABLE q (n int, query text, newest int);
INSERT INTO q VALUES (1, '{ }', NULL), (2, '{ status = error && span.n > 9 }', NULL), (3, '{ name = "op 3" } > { span.who = "user 7" }', NULL),
 (4, '{ span.who = "nobody" }', NULL), (5, '{ resource.service.name = "svc 1" } | count() > 1', NULL), (6, '{ }', 4), (7, '{ name = "op 1" }', 5),
 (8, '{ status = error } >> { }', 3), (9, '{ span.n = 3 } | avg(duration) > 5ms', 7);
CREATE VIEW answers AS SELECT n, md5(string_agg(trace_id::text || span_id::text, ' ' ORDER BY trace_id, span_id)) AS spans, count(*)
  FROM q, LATERAL traceql(query, tenant => 'k-shop', max_traces => newest) GROUP BY n;

-- what a plain query says of the same: by layout nothing may change
CALL add_spans(1, 120, '{1,2,3}');
CALL add_spans(100, 200, '{4}');
CREATE TEMP TABLE before AS TABLE answers;
SELECT n, count FROM before ORDER BY n;
SELECT count(*) FROM tempo.spans WHERE tenant = 'k-shop';
CREATE PROCEDURE compare(step text) LANGUAGE plpgsql AS $$
DECLARE size text; wrong int;
BEGIN
	FOREACH size IN ARRAY '{64MB,0,20kB,64MB}'::text[] LOOP
		PERFORM set_config('tempo.image_cache', size, false), set_config('tempo.vector_cache', size, false);
		FOR i IN 1..2 LOOP
			SELECT count(*) INTO wrong FROM (TABLE before EXCEPT TABLE answers) d;
			IF wrong > 0 THEN RAISE WARNING '%, %: % answers differ', step, size, wrong; END IF;
		END LOOP;
	END LOOP;
END $$;
CALL compare('recent batches');
SELECT tempo_merge() > 0 AS merged;
CALL compare('one merge');
BEGIN;
CALL add_spans(201, 260, '{1,2,3,4}');
SELECT count(*) <> (SELECT count FROM before WHERE n = 1) AS more FROM traceql('{ }', tenant => 'k-shop');
ROLLBACK;
CALL compare('rolled back');

-- parts in segments and batches, deleted rows, a failure in between
CALL add_spans(1, 60, '{5,6}');
SELECT tempo_merge() > 0 AS merged;
CALL add_spans(40, 90, '{7}');
TRUNCATE before;
INSERT INTO before SELECT * FROM answers;
SELECT n, count FROM before ORDER BY n;
CALL compare('split');
SET tempo.query_memory = '64kB';
SELECT count(*) FROM traceql('{ }', tenant => 'k-shop');
RESET tempo.query_memory;
CALL compare('after a failure');
DELETE FROM tempo.spans WHERE tenant = 'k-shop' AND span_id IN (SELECT to_hex(t * 8 + 2)::span_id FROM generate_series(30, 70) t);
SELECT count(*), count(*) FILTER (WHERE span_id IN (SELECT to_hex(t * 8 + 2)::span_id FROM generate_series(30, 70) t)) AS deleted
  FROM traceql('{ }', tenant => 'k-shop');
SELECT count(*) FROM tempo.spans WHERE tenant = 'k-shop';
TRUNCATE before;
INSERT INTO before SELECT * FROM answers;
CALL compare('deleted');
SELECT tempo_merge() > 0 AS merged;
CALL compare('deleted and merged');

-- the same numbers of segments and rows again, other bytes
BEGIN;
TRUNCATE tempo.spans;
CALL add_spans(1, 120, '{2}');
SELECT count(*), count(DISTINCT trace_id) FROM traceql('{ }', tenant => 'k-shop');
COMMIT;
SELECT tempo_merge() > 0 AS merged;
SELECT count(*), min(span_id::text), max(span_id::text) FROM traceql('{ }', tenant => 'k-shop');
TRUNCATE tempo.spans;
CALL add_spans(1, 120, '{3}');
SELECT tempo_merge() > 0 AS merged;
SELECT count(*), min(span_id::text), max(span_id::text) FROM traceql('{ }', tenant => 'k-shop');
SELECT * FROM tempo_check();
DROP PROCEDURE add_spans, compare;
