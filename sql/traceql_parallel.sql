-- traceql_metrics() in several processes: the same answers as in one, however the spans are stored.
SET TIME ZONE 'UTC';
SET client_min_messages = warning;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-10-01', '2021-10-02') >= 0 AS made;
RESET client_min_messages;

-- parts: which spans of each trace are written
CREATE PROCEDURE add_spans(parts int[], traces int) LANGUAGE sql AS $$
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service,
                         attributes, resource_attributes)
SELECT 'p-shop', to_hex(t * 7919 + 4096)::trace_id, to_hex(t * 8 + s)::span_id, CASE WHEN s > 1 THEN to_hex(t * 8 + s / 2)::span_id END,
       'op ' || (t + s) % 7, (ARRAY['server', 'client', 'internal'])[s % 3 + 1]::tempo.span_kind,
       (ARRAY['unset', 'error', 'ok'])[(t * s) % 11 % 3 + 1]::tempo.status_code,
       '2021-10-01 23:50:00'::timestamptz + t * interval '2 s' + s * interval '10 ms', 1000000 * (t % 13 + s), 'svc ' || s % 3,
       format('{"n": %s, "who": "user %s", "beta": %s}', (t * s) % 17, t % 40, CASE t % 2 WHEN 0 THEN 'true' ELSE 'false' END)::tempo.attributes,
       format('{"service.name": "svc %s"}', s % 3)::tempo.attributes
FROM generate_series(1, traces) t, unnest(parts) s $$;

CREATE TEMP TABLE q (n int, query text);
INSERT INTO q VALUES
 (1, '{} | rate() by (resource.service.name)'), (2, '{} | count_over_time() by (span.n, kind)'),
 (3, '{} | sum_over_time(duration) by (span.who)'), (4, '{ status = error } | avg_over_time(span.n) by (name)'),
 (5, '{} | min_over_time(duration)'), (6, '{ kind = server } | quantile_over_time(duration, .5, .9) by (status)'),
 (7, '{} | histogram_over_time(span.n)'), (8, '{ name = "op 3" } >> {} | count_over_time() by (span.beta)'),
 (9, '{} | count() > 4 | count_over_time() by (rootName)'), (10, '({ status = error } | rate()) / ({} | rate())'),
 (11, '{ span.who =~ "user 1.*" } | count_over_time() by (name) | topk(2)'), (12, '{} | compare({ status = error }, 5)'),
 (13, '{} | max_over_time(traceDuration) by (status)'), (14, '{} | count_over_time() by (rootServiceName)');
CREATE FUNCTION answer(workers int, every int, n_from int) RETURNS TABLE (n int, "time" timestamptz, series text, value numeric)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, false);
	RETURN QUERY SELECT q.n, m.time, m.series, round(m.value::numeric, 9)
		FROM q, traceql_metrics(q.query, '2021-10-01 23:50:00', '2021-10-02 00:20:00', '5 min', 'p-shop') m WHERE q.n >= n_from AND (q.n - n_from) % every = 0;
END $$;
CREATE FUNCTION differences(every int DEFAULT 1, n_from int DEFAULT 1) RETURNS TABLE (what text, rows bigint) LANGUAGE sql AS $$
WITH alone AS MATERIALIZED (SELECT * FROM answer(0, every, n_from)), together AS MATERIALIZED (SELECT * FROM answer(2, every, n_from))
SELECT 'alone', count(*) FROM alone UNION ALL SELECT 'queries', count(DISTINCT n) FROM alone
UNION ALL SELECT 'only alone', count(*) FROM (TABLE alone EXCEPT ALL TABLE together) a
UNION ALL SELECT 'only together', count(*) FROM (TABLE together EXCEPT ALL TABLE alone) b $$;
SET parallel_setup_cost = 0;

-- recent batches only, one part each
CALL add_spans('{1,2}', 600);
CALL add_spans('{3}', 300);
SELECT * FROM differences();
-- one segment a partition
SELECT tempo_merge() > 0 AS merged;
SELECT * FROM differences(2, 2);
-- traces in segments and batches, then in several segments
CALL add_spans('{4}', 600);
CALL add_spans('{3}', 600);
SELECT * FROM differences();
SELECT tempo_merge() > 0 AS merged;
CALL add_spans('{5}', 500);
SELECT * FROM differences(2, 1);

-- row-level security
CREATE ROLE tempo_parallel_reader;
GRANT USAGE ON SCHEMA tempo TO tempo_parallel_reader;
GRANT SELECT ON tempo.spans, q TO tempo_parallel_reader;
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY errors_only ON tempo.spans FOR SELECT TO tempo_parallel_reader USING (status <> 'ok');
SET ROLE tempo_parallel_reader;
SELECT * FROM differences(4, 4);
RESET ROLE;
ALTER TABLE tempo.spans DISABLE ROW LEVEL SECURITY;
DROP POLICY errors_only ON tempo.spans;
REVOKE ALL ON tempo.spans, q FROM tempo_parallel_reader;
REVOKE ALL ON SCHEMA tempo FROM tempo_parallel_reader;
DROP ROLE tempo_parallel_reader;

-- limits are those of one process, and errors come through; afterwards all is well
SET max_parallel_workers_per_gather = 2;
\set VERBOSITY sqlstate
SET tempo.query_memory = '300 kB';
SELECT count(*) FROM traceql_metrics('{} | compare({ status = error })', tenant => 'p-shop');
RESET tempo.query_memory;
SET tempo.max_trace_spans = 2;
SELECT count(*) FROM traceql_metrics('{} >> {} | rate()', tenant => 'p-shop');
RESET tempo.max_trace_spans;
\set VERBOSITY default
SELECT n FROM q, LATERAL (SELECT sum(value) AS s FROM traceql_metrics(query, tenant => 'p-shop')) m WHERE s IS NULL;
-- not within a worker, and within what another query reads
SELECT count(*) > 0 AS some FROM tempo.spans s JOIN traceql_metrics('{} | rate()', tenant => 'p-shop') m ON m.time > s.start_time;
-- written, in the transaction that also reads
BEGIN;
CALL add_spans('{6}', 100);
CREATE TEMP TABLE seen AS SELECT * FROM traceql_metrics_instant('{} | count_over_time()', tenant => 'p-shop');
SELECT value FROM seen;
ROLLBACK;
SELECT value FROM traceql_metrics_instant('{} | count_over_time()', tenant => 'p-shop');
DROP FUNCTION differences, answer;
DROP PROCEDURE add_spans;
