-- TraceQLMetricsScan: EXPLAIN of traceql_metrics(), whole rows, row marks, rescans; the same rows as the function scan.
SET TIME ZONE 'UTC';
SET client_min_messages = warning;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-11-01', '2021-11-01') >= 0 AS made;
RESET client_min_messages;
INSERT INTO tempo.spans (tenant, trace_id, span_id, name, status, start_time, duration_ns, service, attributes, resource_attributes)
SELECT 'ms-shop', to_hex(i / 4 + 1)::trace_id, to_hex(i + 1)::span_id, 'op ' || i % 3, (i % 3)::tempo.status_code,
       '2021-11-01 10:00:00'::timestamptz + i * interval '1 s', 1000000 * (i % 7 + 1), 'svc ' || i % 2,
       format('{"n": %s}', i % 5)::tempo.attributes, format('{"service.name": "svc %s"}', i % 2)::tempo.attributes
FROM generate_series(1, 400) i;
SELECT tempo_merge() > 0 AS merged;
INSERT INTO tempo.spans (tenant, trace_id, span_id, name, start_time, duration_ns, service, attributes, resource_attributes)
VALUES ('ms-shop', '2', 'ffff', 'late', '2021-11-01 10:00:30', 1, 'svc 9', '{}', '{"service.name": "svc 9"}');
SET max_parallel_workers_per_gather = 0;

EXPLAIN (COSTS off) SELECT time, value FROM traceql_metrics('{ status=error }|rate()by(resource.service.name)', '2021-11-01 10:00', '2021-11-01 10:10') WHERE value > 1;
EXPLAIN (COSTS off) SELECT * FROM traceql_metrics_instant('({} >> {} | rate()) / ({} | count_over_time() by (name))');
CREATE FUNCTION shown(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) ' || query LOOP
		RETURN NEXT regexp_replace(line, '(Bytes Read|Segments|Segments Read|Vectors|Vectors Read|Recent Batches): \d+', '\1: n');
	END LOOP;
END $$;
SELECT shown($$SELECT * FROM traceql_metrics('{} | count_over_time() by (name)', '2021-11-01 10:00:00', '2021-11-01 10:06:40', '100 s', 'ms-shop')$$);
SELECT shown($$SELECT * FROM traceql_metrics('{ name = "late" } && { name = "op 1" } | rate()', '2021-11-01 10:00:00', '2021-11-01 10:06:40', '100 s', 'ms-shop')$$);
SELECT shown($$SELECT * FROM traceql_metrics('{} | rate()', '2021-11-01 12:00:00', '2021-11-01 13:00:00', '1 hour', 'ms-shop')$$);
SELECT shown($$SELECT * FROM traceql_metrics_instant(NULL)$$);
SET max_parallel_workers_per_gather = 1;
SET parallel_setup_cost = 0;
SELECT shown($$SELECT * FROM traceql_metrics('{} | count_over_time() by (name)', '2021-11-01 10:00:00', '2021-11-01 10:06:40', '100 s', 'ms-shop')$$);
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;

-- the same rows
CREATE FUNCTION differences(query text) RETURNS TABLE (alike bigint, only_scan bigint, only_function bigint) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL tempo.enable_traceql_scan = on;
	EXECUTE 'CREATE TEMP TABLE by_scan ON COMMIT DROP AS ' || query;
	SET LOCAL tempo.enable_traceql_scan = off;
	EXECUTE 'CREATE TEMP TABLE by_function ON COMMIT DROP AS ' || query;
	RETURN QUERY SELECT (SELECT count(*) FROM (TABLE by_scan INTERSECT ALL TABLE by_function) a),
		(SELECT count(*) FROM (TABLE by_scan EXCEPT ALL TABLE by_function) a), (SELECT count(*) FROM (TABLE by_function EXCEPT ALL TABLE by_scan) a);
END $$;
SELECT differences($$SELECT * FROM traceql_metrics('{} | rate() by (name, status)', '2021-11-01 10:00:00', '2021-11-01 10:06:40', '10 s', 'ms-shop')$$);
SELECT differences($$SELECT m::text, m.time, series FROM traceql_metrics('{} | max_over_time(span.n)', '2021-11-01 10:00:00', '2021-11-01 10:06:40', '10 s', 'ms-shop') AS m (time, labels, series, most) WHERE most > 3$$);
SELECT differences($$SELECT name, m.series, m.value FROM (VALUES ('op 1'), ('op 2'), (NULL)) n (name), LATERAL traceql_metrics_instant('{ name = "' || name || '" } | count_over_time() by (status)', '2021-11-01', '2021-11-02', 'ms-shop') m$$);
SELECT differences($$SELECT a.value, b.value AS other FROM traceql_metrics_instant('{} | rate()', tenant => 'ms-shop') a JOIN traceql_metrics_instant('{} | rate()', tenant => 'ms-shop') b USING (series)$$);

-- row marks, views, prepared statements
CREATE VIEW errors AS SELECT * FROM traceql_metrics_instant('{ status = error } | count_over_time()', tenant => 'ms-shop');
SELECT value FROM errors FOR UPDATE;
PREPARE p (text) AS SELECT count(*), sum(value) FROM traceql_metrics_instant($1, tenant => 'ms-shop');
SET plan_cache_mode = force_generic_plan;
EXECUTE p('{} | count_over_time() by (name)');
EXECUTE p('{ name = "late" } | count_over_time()');
EXECUTE p(NULL);
RESET plan_cache_mode;

-- rights
CREATE ROLE tempo_metrics_scan;
GRANT USAGE ON SCHEMA tempo TO tempo_metrics_scan;
SET ROLE tempo_metrics_scan;
EXPLAIN (COSTS off) SELECT * FROM traceql_metrics_instant('{} | rate()');
SELECT * FROM traceql_metrics_instant('{} | rate()');
RESET ROLE;
REVOKE ALL ON SCHEMA tempo FROM tempo_metrics_scan;
DROP ROLE tempo_metrics_scan;
SELECT * FROM traceql_metrics_instant('{} | rat()');
DROP VIEW errors;
DROP FUNCTION shown, differences;
